"""Groups of classes by name and position, of images by difficulty and by text, and flips."""

import unicodedata

import pytest
import torch

from unlearning.clinical import by_text, flips, missed, positions, problem_with, thirds

NAMES = ("nævus", "melanoma", "10")


@pytest.mark.parametrize(
    ("named", "expected"),
    [((), ()), (("melanoma",), (1,)), ((2, "melanoma"), (1, 2)), (("10",), (2,)), ((0,), (0,))],
)
def test_classes_are_named_by_name_or_position(named: tuple[str | int, ...], expected: tuple[int, ...]) -> None:
    assert positions(named, NAMES) == expected


def test_a_name_may_be_written_in_another_form_of_unicode() -> None:
    assert positions((unicodedata.normalize("NFD", "é"),), (unicodedata.normalize("NFC", "é"), "b")) == (0,)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        (("melanom", 3), "no class 'melanom', 3; the classes are 0 (nævus), 1 (melanoma), 2 (10)"),
        ((10,), "no class 10; "),
        ((1, "melanoma"), "class 1 is named twice; "),
        ((0, 1, 2), "wanted some of the classes, got all of them; "),
    ],
)
def test_what_is_no_group_of_classes_is_refused_with_the_valid_names(
    named: tuple[str | int, ...], problem: str
) -> None:
    found = problem_with(named, NAMES)
    assert found is not None
    assert found.startswith(problem)
    with pytest.raises(ValueError, match="the classes are 0 "):
        positions(named, NAMES)


def test_thirds_go_from_easy_to_hard_and_hold_every_image_once() -> None:
    easiest, middle, hardest = thirds(torch.tensor([5.0, 0.0, 3.0, 1.0, 9.0, 3.0, 7.0]))
    assert (easiest.tolist(), middle.tolist(), hardest.tolist()) == ([1, 3, 2], [5, 0], [6, 4])


def test_flips_count_images_that_are_decided_differently_and_misses_those_that_another_calls() -> None:
    first, second = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 2, 2, 1])
    assert flips(first, second).sum() == 2
    assert missed(torch.tensor([1, 0, 0]).bool(), torch.tensor([1, 1, 0]).bool()).tolist() == [False, True, False]
    assert not missed(torch.tensor([1, 1, 0]).bool(), torch.tensor([1, 0, 0]).bool()).any()


def test_groups_of_images_are_those_of_a_text_that_enough_of_them_have() -> None:
    texts, of = ("b", "a", "", "a", "b", "a", "c"), torch.tensor([1, 1, 1, 1, 1, 0, 1]).bool()
    found = by_text(texts, of, fewest=2)
    assert {name: group.nonzero().flatten().tolist() for name, group in found.items()} == {"a": [1, 3], "b": [0, 4]}
    assert list(by_text(texts, of, fewest=1)) == ["a", "b", "c"]
