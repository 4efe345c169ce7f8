"""Relearning: the curves of an original, an oracle and a model that only hides, and which images are drawn again."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from unlearning.audits import Evidence, Relearning
from unlearning.audits._relearning import drawn_again, mean_over_epochs

EvidenceOf = Callable[[str], Evidence]


def found(evidence: Evidence, audit: Relearning) -> dict[str, float]:
    return {name: value.value for name, value in audit.run(evidence)}


def test_the_curves_of_the_original_lie_above_those_of_the_oracle(evidence_of: EvidenceOf) -> None:
    original, oracle = (found(evidence_of(name), Relearning()) for name in ("original", "oracle"))
    assert original.keys() == oracle.keys() == Relearning.statistics.keys()
    for name in original:
        assert original[name] > oracle[name] + 0.2


def test_what_a_head_hides_comes_back_by_training_on_the_retain_set_and_an_oracle_stays(
    evidence_of: EvidenceOf,
) -> None:
    audit = Relearning(lr=0.03, epochs=6)
    hidden, oracle = (found(evidence_of(name), audit) for name in ("hidden", "oracle"))
    assert hidden["start"] == 0
    assert hidden["retain_end"] > 0.4
    assert hidden["start"] < hidden["retain_area"] < hidden["retain_end"]
    assert abs(oracle["retain_end"] - oracle["start"]) < 0.1


def test_the_accuracy_is_read_on_images_that_neither_run_trains_on(evidence_of: EvidenceOf) -> None:
    values = dict(Relearning(share=0.5).run(evidence_of("oracle")))
    assert {(value.group, value.n) for value in values.values()} == {("forget", 20)}


def test_the_first_point_is_the_accuracy_that_was_measured(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    audited = evidence.audited
    right_F = audited.of("forget").logits_NK.argmax(1) == audited.of("forget").labels_N
    start = dict(Relearning(share=0.02, epochs=1).run(evidence))["start"]
    assert start.n == len(right_F) - 1
    assert start.value in {int(right_F.sum()) / start.n, (int(right_F.sum()) - 1) / start.n}


def test_a_training_that_diverges_has_no_value(evidence_of: EvidenceOf) -> None:
    values = found(evidence_of("oracle"), Relearning(lr=1e30, epochs=1))
    assert values["start"] > 0.5
    assert values["retain_end"] != values["retain_end"]
    assert values["share_area"] != values["share_area"]


def test_identical_images_are_drawn_together() -> None:
    images_FCHW = torch.arange(5, dtype=torch.uint8).repeat(4)[:, None, None, None].expand(20, 1, 2, 2)
    for seed in range(5):
        again_F = drawn_again(images_FCHW, 0.4, torch.Generator().manual_seed(seed))
        assert again_F.sum() == 8
        assert torch.equal(again_F.view(4, 5), again_F[:5].expand(4, 5))


@pytest.mark.parametrize(("images", "share", "drawn"), [(10, 0.01, 1), (10, 0.99, 9), (2, 0.5, 1), (1, 0.5, 0)])
def test_one_image_is_drawn_at_least_and_one_is_left(images: int, share: float, drawn: int) -> None:
    images_FCHW = torch.arange(images, dtype=torch.uint8)[:, None, None, None]
    assert drawn_again(images_FCHW, share, torch.Generator().manual_seed(0)).sum() == drawn


def test_the_area_is_that_of_the_trapezoids() -> None:
    assert mean_over_epochs([0.0, 1.0]) == 0.5
    assert mean_over_epochs([0.2, 0.4, 0.8]) == pytest.approx((0.3 + 0.6) / 2)


def test_train_images_of_neither_set_are_not_trained_on(evidence_of: EvidenceOf) -> None:
    def curves(blank: bool) -> dict[str, float]:
        evidence = evidence_of("oracle")
        audited, train_NCHW = evidence.audited, evidence.networks.audited.engine.images_NCHW
        retain_R, neither_M = audited.retain_R[:100], audited.retain_R[100:]
        if blank:
            evidence.networks.audited.engine.images_NCHW = train_NCHW.index_fill(0, neither_M, 0)
        return found(replace(evidence, audited=replace(audited, retain_R=retain_R)), Relearning(epochs=1, lr=0.1))

    assert curves(blank=True) == curves(blank=False)
