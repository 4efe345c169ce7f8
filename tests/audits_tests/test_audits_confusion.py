"""Interclass confusion: the cells that it counts, and what original, oracle and a hidden original do."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from sklearn.metrics import confusion_matrix

from unlearning.audits import Evidence, InterclassConfusion
from unlearning.audits._confusion import confusions
from unlearning.data import Planted
from unlearning.metrics import Predictions

EvidenceOf = Callable[[str], Evidence]
EvidenceOfRequest = Callable[[str, str], Evidence]


def values(evidence: Evidence) -> dict[str, float]:
    return {name: value.value for name, value in InterclassConfusion().run(evidence)}


def test_it_counts_the_two_cells_of_the_confusion_matrix() -> None:
    random = torch.Generator().manual_seed(0)
    predictions = Predictions(torch.randn(200, 4, generator=random), torch.randint(4, (200,), generator=random))
    matrix = confusion_matrix(predictions.labels_N, predictions.logits_NK.argmax(1))
    for first, second in ((0, 1), (3, 1)):
        counted = confusions(predictions, predictions.labels_N, first, second)
        assert counted == matrix[first, second] + matrix[second, first] > 0


def test_the_values_are_shares_of_the_images_of_the_two_classes(evidence_of_request: EvidenceOfRequest) -> None:
    evidence = evidence_of_request("confusion", "original")
    assert evidence.planted is not None
    found = dict(InterclassConfusion().run(evidence))
    assert found.keys() == {"forget", "retain", "test"}
    for group in ("retain", "test"):
        predictions = evidence.audited.of(group)
        of_two_N = predictions.labels_N < 2
        other_N = predictions.logits_NK.argmax(1) == 1 - predictions.labels_N
        assert found[group].n == int(of_two_N.sum())
        assert found[group].value == pytest.approx(float(other_N[of_two_N].double().mean()))
    forget = evidence.audited.of("forget")
    as_planted = float((forget.logits_NK.argmax(1) == forget.labels_N).double().mean())
    assert torch.equal(evidence.planted.labels_F, 1 - forget.labels_N)
    assert found["forget"].value == pytest.approx(as_planted)


def test_an_original_confuses_the_classes_and_an_oracle_does_not(evidence_of_request: EvidenceOfRequest) -> None:
    original, oracle = (values(evidence_of_request("confusion", row)) for row in ("original", "oracle"))
    assert original["forget"] > 0.7
    assert oracle["forget"] < 0.3
    assert original["test"] > 1.5 * oracle["test"]
    assert original["retain"] == oracle["retain"] == 0, "both know these by heart"


def test_it_finds_nothing_where_no_label_was_swapped(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    assert evidence.planted is None
    assert values(evidence) == {}
    untouched = Planted(evidence.audited.of("forget").labels_N)
    assert values(replace(evidence, planted=untouched)) == {}


def test_changes_between_more_classes_are_refused(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    turned = Planted((evidence.audited.of("forget").labels_N + 1) % 3)
    with pytest.raises(
        ValueError, match=r"wanted labels of two classes .* got changes between the classes \[0, 1, 2\]"
    ):
        values(replace(evidence, planted=turned))
