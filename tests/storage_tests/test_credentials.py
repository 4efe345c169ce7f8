"""Credentials in URIs are cut from whatever is shown or kept."""

from collections.abc import Callable
from typing import Any

import pytest

from lethe.results import Store, TrialRow
from lethe.search import export
from lethe.storage.credentials import cut_credentials, without_credentials
from lethe.storage.root import StorageError, StorageRoot
from lethe.submit import JobServer


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://KEY:hidden@bucket/results?region=eu", "s3://bucket/results?region=eu"),
        ("s3://KEY:hid/d@en@bucket/results", "s3://bucket/results"),
        ("nope://hidden@host/a", "nope://host/a"),
        ("http://user:1234@host:9000/", "http://host:9000/"),
        ("http://host:9000/a@b", "http://host:9000/a@b"),
        ("s3://bucket/a@b?scheme=http", "s3://bucket/a@b?scheme=http"),
        ("abfs://container@account.dfs.core.windows.net/x", "abfs://container@account.dfs.core.windows.net/x"),
        ("gs://anonymous@bucket/x", "gs://anonymous@bucket/x"),
        ("az://c/x?SAS_Token=hidden&sig=hidden&Password=hidden&tenant=t", "az://c/x?tenant=t"),
        ("results", "results"),
    ],
)
def test_what_is_secret_in_a_uri_is_left_out_and_nothing_else(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown
    assert "hidden" not in cut_credentials(f"cannot parse '{uri}'", uri)


def test_a_secret_that_an_error_quotes_decoded_is_cut() -> None:
    assert cut_credentials("bad key pass/word", "s3://k:pass%2Fword@b/") == "bad key ***"


@pytest.mark.parametrize("uri", ["nope://user:PASSWORD@host/x", "nope://user:PASS/WORD@host/x", "s3://k:PASS@WORD@["])
def test_a_uri_that_cannot_be_opened_shows_no_password(uri: str) -> None:
    with pytest.raises(StorageError) as raised:
        StorageRoot.at(uri)
    assert "cannot open " in str(raised.value)
    assert "PASS" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_places_name_for_logs_has_no_password() -> None:
    root = StorageRoot.at("s3://KEY:PASSWORD@bucket/results?region=eu-west-1")
    assert "PASSWORD" not in f"{root!r} {root} {root.address} {root.child('x')!r}"


def test_an_optuna_storage_that_cannot_be_opened_shows_no_password(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow)])
    with pytest.raises(ValueError, match="cannot open the Optuna storage nope://host/db") as raised:
        list(export(store.root, "nope://user:PASSWORD@host/db"))
    assert "PASSWORD" not in str(raised.value)


def test_a_job_server_that_is_none_shows_no_password() -> None:
    for address in ("ftp://user:PASSWORD@host", "http://user:PASSWORD@host:port", "http://user:PASSWORD@127.0.0.1:1"):
        with pytest.raises(Exception, match="job server") as raised:
            JobServer(address)
        assert "PASSWORD" not in str(raised.value)
