import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from unlearning.data import DataError, ImageData, MedMNIST, RawData, Source, Split, load
from unlearning.data.forget import (
    AnyForgetRequest,
    ForgetRequest,
    ForgetSet,
    Indices,
    RandomShare,
    WholeClass,
    describe,
    select,
)
from unlearning.seeds import generator

SHARED = Path(__file__).parents[3] / "shared" / "data" / "medmnist"


class Toy(Source):
    """Train images that are told apart by a number alone; equal numbers are duplicates."""

    numbers: tuple[int, ...]
    labels: tuple[int, ...]

    def read(self) -> RawData:
        held_out = Split(images((250, 251)), torch.tensor([0, 1]))
        train = Split(images(self.numbers), torch.tensor(self.labels))
        names = ("a", "b", "c")[: max(self.labels) + 1]
        return RawData("toy", "multi-class", names, {"train": train, "val": held_out, "test": held_out}, "test")


def images(numbers: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.uint8)[:, None, None, None]


def plain_data(count: int = 100) -> ImageData:
    return load(Toy(numbers=tuple(range(count)), labels=tuple(n % 2 for n in range(count))))


def paired_data() -> ImageData:
    """Sixty images, of which 2n and 2n + 1 are duplicates; class a holds the first twenty, class b the rest."""
    return load(Toy(numbers=tuple(n // 2 for n in range(60)), labels=tuple(int(n >= 20) for n in range(60))))


def listed(path: Path, text: str) -> Indices:
    path.write_text(text, encoding="utf-8")
    return Indices(file=path)


def is_split_of(chosen: ForgetSet, data: ImageData) -> bool:
    both = torch.cat([chosen.indices_F, chosen.retain_R])
    in_order = torch.equal(chosen.indices_F, chosen.indices_F.sort().values)
    return in_order and torch.equal(both.sort().values, torch.arange(len(data.train)))


def separates_duplicates(chosen: ForgetSet, data: ImageData) -> bool:
    return bool(torch.isin(data.duplicate_of_N[chosen.retain_R], data.duplicate_of_N[chosen.indices_F]).any())


@pytest.mark.parametrize(
    ("request_", "label", "count"),
    [
        (RandomShare(fraction=0.1), "random 10 %", 10),
        (RandomShare(fraction=0.125), "random 12.5 %", 12),
        (WholeClass(class_index=1), "class 1", 50),
        (WholeClass(class_index=1, fraction=0.5), "50 % of class 1", 25),
        (WholeClass(class_name="b"), 'class "b"', 50),
        (WholeClass(class_name="b", fraction=0.5), '50 % of class "b"', 25),
    ],
)
def test_a_request_without_duplicates_takes_exactly_its_share(request_: ForgetRequest, label: str, count: int) -> None:
    data = plain_data()
    chosen = select(request_, data, seed=0)
    assert request_.label == label
    assert len(chosen.indices_F) == count
    assert is_split_of(chosen, data)
    assert (chosen.duplicates_added, chosen.repeated) == (0, 0)


def test_a_draw_depends_on_the_seed_alone() -> None:
    data, request_ = plain_data(), RandomShare(fraction=0.2)
    first, again, other = (select(request_, data, seed).indices_F for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "request_",
    [RandomShare(fraction=0.3), WholeClass(class_index=0), WholeClass(class_index=1, fraction=0.3)],
    ids=lambda request_: request_.label,
)
def test_duplicates_end_on_one_side(request_: ForgetRequest, seed: int) -> None:
    data = paired_data()
    chosen = select(request_, data, seed)
    assert is_split_of(chosen, data)
    assert not separates_duplicates(chosen, data)


def test_a_draw_of_duplicates_keeps_to_its_share() -> None:
    assert len(select(RandomShare(fraction=0.3), paired_data(), seed=0).indices_F) == 18
    assert len(select(RandomShare(fraction=0.35), paired_data(), seed=0).indices_F) == 20


def test_a_class_takes_its_duplicates_of_other_classes_along_and_counts_them() -> None:
    data = load(Toy(numbers=(1, 2, 1, 3, 2, 4), labels=(0, 0, 1, 1, 1, 1)))
    chosen = select(WholeClass(class_index=0), data, seed=0)
    assert chosen.indices_F.tolist() == [0, 1, 2, 4]
    assert chosen.duplicates_added == 2


def test_listed_indices_take_their_duplicates_along_and_count_them(tmp_path: Path) -> None:
    chosen = select(listed(tmp_path / "one.txt", "4\n11\n"), paired_data(), seed=0)
    assert chosen.indices_F.tolist() == [4, 5, 10, 11]
    assert chosen.duplicates_added == 2


def test_both_duplicates_of_a_pair_can_be_listed(tmp_path: Path) -> None:
    chosen = select(listed(tmp_path / "both.txt", "4\n5\n"), paired_data(), seed=0)
    assert chosen.indices_F.tolist() == [4, 5]
    assert (chosen.duplicates_added, chosen.repeated) == (0, 0)


def test_a_text_file_may_hold_blank_lines_and_comments(tmp_path: Path) -> None:
    request_ = listed(tmp_path / "requests.txt", "# patients of May\n\n  7 \n3 # withdrew\n")
    assert select(request_, plain_data(), seed=0).indices_F.tolist() == [3, 7]
    assert request_.label == "indices requests.txt"


def test_a_csv_file_is_read_by_its_column(tmp_path: Path) -> None:
    request_ = listed(tmp_path / "requests.csv", "\ufeffpatient,index\nA,12\nB,5\n")
    assert select(request_, plain_data(), seed=0).indices_F.tolist() == [5, 12]


def test_an_index_that_comes_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    chosen = select(listed(tmp_path / "twice.txt", "5\n8\n5\n5\n"), plain_data(), seed=0)
    assert chosen.indices_F.tolist() == [5, 8]
    assert chosen.repeated == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.txt", "1\n# a comment\nseven\n", r"bad\.txt:3: wanted an index .*0 \.\.\. 99, got 'seven'"),
        ("far.txt", "1\n100\n", r"far\.txt:2: wanted an index of a train image of toy, 0 \.\.\. 99, got '100'"),
        ("minus.txt", "-1\n", r"minus\.txt:1: .*got '-1'"),
        ("float.txt", "1.5\n", r"float\.txt:1: .*got '1\.5'; text has one whole number a line"),
        ("pair.txt", "1 2\n", r"pair\.txt:1: .*got '1 2'"),
        ("arabic.txt", "\u0663\n", r"arabic\.txt:1: "),
        ("bad.csv", "index\n4\nx\n", r"bad\.csv:3: .*got 'x'"),
        ("short.csv", "patient,index\nA,3\nB\n", r"short\.csv:3: .*got ''"),
        (
            "column.csv",
            "id;number\n4;5\n",
            r"column\.csv: wanted exactly one column named index.*got the columns id, number",
        ),
        ("empty.csv", "", r"empty\.csv: wanted exactly one column named index"),
        ("empty.txt", "# nothing\n", "forget indices empty.txt: it names none of the 100 train images of toy"),
        ("all.txt", "\n".join(map(str, range(100))), "it leaves no train image of toy to retain"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_file_and_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        select(listed(tmp_path / name, text), plain_data(), seed=0)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: there is no such list of images to forget"):
        select(Indices(file=tmp_path / "none.txt"), plain_data(), seed=0)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.txt: the list of images to forget cannot be read"):
        select(Indices(file=tmp_path / "binary.txt"), plain_data(), seed=0)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (WholeClass(class_index=3), r"class 3: toy has no class 3; its classes are 0 \(a\), 1 \(b\)"),
        (WholeClass(class_name="d"), r'class "d": toy has no class "d"; its classes are 0 \(a\), 1 \(b\)'),
        (RandomShare(fraction=0.001), "forget random 0.1 %: it names none"),
        (RandomShare(fraction=0.999), "forget random 99.9 %: it leaves no train image of toy to retain"),
    ],
)
def test_empty_and_total_requests_are_refused(request_: ForgetRequest, message: str) -> None:
    with pytest.raises(DataError, match=message):
        select(request_, plain_data(), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "randm", "fraction": 0.1}, "'random', 'class', 'indices'"),
        ({"kind": "random", "fraction": 0}, "greater than 0"),
        ({"kind": "random", "fraction": 1.0}, "less than 1"),
        ({"kind": "class", "class_index": -1}, "greater than or equal to 0"),
        ({"kind": "class"}, r"wanted either class \(a name\) or class_index .* got neither"),
        ({"kind": "class", "class": "b", "class_index": 1}, "got both"),
        ({"kind": "class", "class": 10}, r'in quotes, such as "10", got 10; for a position, .* use class_index'),
        ({"kind": "indices"}, "file"),
    ],
)
def test_a_request_with_wrong_options_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnyForgetRequest).validate_python(options)


@pytest.mark.parametrize(
    "request_",
    [
        RandomShare(fraction=0.1),
        WholeClass(class_index=2, fraction=0.5),
        WholeClass(class_name="10"),
        Indices(file=Path("requests.csv")),
    ],
)
def test_a_request_is_told_by_its_kind_in_the_union(request_: ForgetRequest) -> None:
    adapter: TypeAdapter[ForgetRequest] = TypeAdapter(AnyForgetRequest)
    assert adapter.validate_python(request_.model_dump(mode="json")) == request_
    assert hash(request_) == hash(request_.model_copy())


def test_a_class_is_the_same_by_its_name_and_by_its_position() -> None:
    chosen = [
        select(request_, plain_data(), seed=0).indices_F.tolist()
        for request_ in (WholeClass(class_name="b"), WholeClass(class_index=1))
    ]
    assert chosen[0] == chosen[1] == list(range(1, 100, 2))


def test_a_class_is_found_by_its_name_however_its_accents_are_composed() -> None:
    data = replace(plain_data(), class_names=("Läsion", "gesund", "c"))
    decomposed = unicodedata.normalize("NFD", "Läsion")
    assert decomposed != "Läsion"
    assert len(select(WholeClass(class_name=decomposed), data, seed=0).indices_F) == 50


def test_a_name_of_two_classes_is_refused() -> None:
    data = replace(plain_data(), class_names=("a", "b", "b"))
    with pytest.raises(DataError, match=r'toy has 2 classes "b"; its classes are 0 \(a\), 1 \(b\), 2 \(b\)'):
        select(WholeClass(class_name="b"), data, seed=0)


def test_a_class_request_is_written_with_the_option_that_names_the_class_alone() -> None:
    assert WholeClass(class_index=2).model_dump(mode="json") == {"kind": "class", "class_index": 2, "fraction": 1.0}
    assert WholeClass(class_name="10").model_dump(mode="json") == {"kind": "class", "class": "10", "fraction": 1.0}


def test_what_a_list_hits_is_described_by_counts_of_images_duplicates_rows_and_classes(tmp_path: Path) -> None:
    request_ = listed(tmp_path / "some.csv", "index\n4\n11\n4\n40\n")
    data = paired_data()
    assert describe(request_, select(request_, data, seed=0), data) == (
        "toy, forget indices some.csv: 6 of 60 train images, 3 of them added as byte-identical duplicates; "
        "by class: 0 (a) 4 of 20, 1 (b) 2 of 40",
        f"{tmp_path / 'some.csv'}: 4 rows, 1 of them repeated; indices 4 ... 40, counted from 0",
    )


def test_what_a_class_request_hits_is_described_with_the_classs_name() -> None:
    request_, data = WholeClass(class_index=1), plain_data()
    assert describe(request_, select(request_, data, seed=0), data) == (
        "toy, forget class 1: 50 of 100 train images, 0 of them added as byte-identical duplicates; "
        "by class: 1 (b) 50 of 50",
    )


def test_a_list_that_seems_to_count_from_one_is_refused_with_the_suspicion_where_it_does_not_fit(
    tmp_path: Path,
) -> None:
    from_one, far, with_zero = (
        listed(tmp_path / f"{name}.txt", text)
        for name, text in {"from_one": "1\n100\n7\n", "far": "1\n100\n101\n", "zero": "0\n100\n"}.items()
    )
    with pytest.raises(DataError, match=r"from_one\.txt:2: .*got '100'; 0 never occurs and 100 is the largest, as if"):
        select(from_one, plain_data(), seed=0)
    for request_ in (far, with_zero):
        with pytest.raises(DataError, match=r"\.txt:2: wanted an index .*got '100'$"):
            select(request_, plain_data(), seed=0)


def test_a_list_that_fits_is_suspected_of_counting_from_one_only_where_it_begins_there(tmp_path: Path) -> None:
    suspected, plain = (
        select(listed(tmp_path / f"{low}.txt", f"{low}\n7\n"), plain_data(), seed=0).notes for low in (1, 2)
    )
    assert suspected[1].endswith("1 occurs and 0 never does; if the list counts from 1, subtract 1 from each index")
    assert len(plain) == 1


@pytest.mark.skipif(
    not (SHARED / "pneumoniamnist.npz").is_file(),
    reason="no official MedMNIST file in shared/data beside the repository",
)
def test_no_request_separates_the_duplicates_of_the_official_pneumoniamnist(tmp_path: Path) -> None:
    data = load(MedMNIST(name="pneumoniamnist", root=SHARED, download=False))
    duplicate = int((data.duplicate_of_N != torch.arange(len(data.train))).nonzero()[0])
    one = listed(tmp_path / "one.txt", str(duplicate))
    for request_ in (RandomShare(fraction=0.5), WholeClass(class_index=1, fraction=0.5), one):
        chosen = select(request_, data, seed=1)
        assert is_split_of(chosen, data)
        assert not separates_duplicates(chosen, data)
    assert select(one, data, seed=1).duplicates_added == 1


@pytest.mark.parametrize("data", [plain_data(), paired_data()], ids=["single", "pairs"])
def test_a_control_half_is_as_large_as_the_forget_set_and_shares_no_group_with_other_images(
    data: ImageData,
) -> None:
    chosen = select(RandomShare(fraction=0.2, control=True), data, seed=1)
    parts = (chosen.indices_F, chosen.control_C, chosen.retain_R)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(len(data.train)))
    groups = [set(data.duplicate_of_N[part].tolist()) for part in parts]
    assert len(groups[0]) == len(groups[1]) == 0.2 * len(data.duplicate_of_N.unique())
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert chosen.duplicates_added == 0


def test_the_control_half_is_described() -> None:
    data, request_ = plain_data(), RandomShare(fraction=0.2, control=True)
    assert request_.label == "random 20 % with control"
    [described] = describe(request_, select(request_, data, seed=0), data)
    assert described.endswith("; control half: 20 others, which no model is trained on")


def test_each_candidate_is_as_often_in_the_forget_set_as_in_the_control_half() -> None:
    """With 200 draws the difference has a standard deviation of at most 14; groups of several sizes move alike."""
    data = load(Toy(numbers=(*range(12), 0, 0, 1), labels=tuple(n % 2 for n in range(15))))
    request_ = RandomShare(fraction=0.4, control=True)
    more_often_N = torch.zeros(15, dtype=torch.int64)
    for seed in range(200):
        asked = request_.asked(data, generator(seed, "forget"))
        more_often_N[asked.indices_M] += 1
        more_often_N[asked.control_M] -= 1
    assert more_often_N.abs().max() < 56


def test_half_of_the_images_cannot_be_forgotten_with_a_control_half() -> None:
    with pytest.raises(ValidationError, match=r"wanted a fraction below 0\.5, got 0\.5"):
        RandomShare(fraction=0.5, control=True)


def per_seed(data: ImageData, fraction: float = 0.2) -> ForgetSet:
    return select(RandomShare(fraction=fraction, control=True, halves="per_seed"), data, seed=1)


@pytest.mark.parametrize("data", [plain_data(), paired_data()], ids=["single", "pairs"])
def test_each_training_seed_forgets_a_half_of_its_own_of_the_candidates_of_all(data: ImageData) -> None:
    shared, drawn = select(RandomShare(fraction=0.2, control=True), data, seed=1), per_seed(data)
    assert torch.equal(drawn.candidates, shared.candidates)
    assert torch.equal(drawn.retain_R, shared.retain_R)
    halves = [drawn.of_seed(seed) for seed in range(5)]
    assert len({tuple(half.indices_F.tolist()) for half in halves}) == 5
    for half in halves:
        assert torch.equal(half.candidates, shared.candidates)
        assert torch.equal(half.unit_F, data.duplicate_of_N[half.indices_F])
        assert torch.equal(half.unit_C, data.duplicate_of_N[half.control_C])
        assert len(half.unit_F.unique()) == len(half.unit_C.unique())
        assert not torch.isin(half.unit_F, half.unit_C).any()
        assert bool((half.indices_F.diff() > 0).all()) and bool((half.control_C.diff() > 0).all())
    assert torch.equal(drawn.of_seed(3).indices_F, halves[3].indices_F)
    assert shared.of_seed(3) is shared


def test_lots_of_training_seeds_are_fair_and_independent_of_each_other() -> None:
    """With 400 seeds a candidate is in the forget set in 200 +- 10, in those of two successive seeds in 100 +- 9."""
    drawn = per_seed(plain_data(), fraction=0.1)
    forgotten_SM = torch.stack(
        [torch.isin(drawn.candidates, drawn.of_seed(seed).indices_F) for seed in range(400)]
    ).float()
    assert (forgotten_SM.sum(1) == 10).all()
    assert ((forgotten_SM.sum(0) - 200).abs() < 40).all()
    assert (((forgotten_SM[:-1] * forgotten_SM[1:]).sum(0) - 100).abs() < 40).all()


def test_halves_per_seed_are_described_by_their_candidates() -> None:
    request_ = RandomShare(fraction=0.2, control=True, halves="per_seed")
    assert request_.label == "random 20 % with control per seed"
    [described] = describe(request_, per_seed(plain_data()), plain_data())
    assert ": 40 of 100 train images are candidates, by class: " in described
    assert described.endswith("they are not trained on the other, its control half")


def test_halves_per_seed_without_a_control_half_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"halves: per_seed .* wanted control: true"):
        RandomShare(fraction=0.2, halves="per_seed")
