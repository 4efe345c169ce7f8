"""Who may make an artifact: one holder at a time, until it releases the claim or dies."""

from lethe.execution.claims import LEASE_S, LocalClaims


def test_a_claim_is_granted_to_one_holder_until_it_is_released() -> None:
    claims = LocalClaims()
    assert claims.claim("a", "first")
    assert claims.claim("a", "first")
    assert not claims.claim("a", "second")
    assert claims.claim("b", "second")
    claims.release("a", "second")
    assert not claims.claim("a", "second")
    claims.release("a", "first")
    assert claims.claim("a", "second")


def test_a_claim_lapses_once_its_holder_stops_renewing_it() -> None:
    now = 0.0
    claims = LocalClaims(lambda: now)
    assert claims.claim("a", "first")
    now = LEASE_S - 1
    assert claims.claim("a", "first")
    now += LEASE_S - 1
    assert not claims.claim("a", "second")
    now += 1
    assert claims.claim("a", "second")
    assert not claims.claim("a", "first")


def test_the_claims_of_a_dead_holder_are_free_at_once() -> None:
    claims = LocalClaims()
    assert claims.claim("a", "dead")
    assert claims.claim("b", "alive")
    claims.release_all("dead")
    assert claims.claim("a", "next")
    assert not claims.claim("b", "next")
