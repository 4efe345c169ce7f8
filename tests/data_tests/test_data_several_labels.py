"""Data whose images have any number of labels: read, checked, split, and named by forget requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from unlearning.data import SEVERAL, DataError, Folder, ImageData, ImageTable, Npz, Split, Synthetic, facts, load
from unlearning.data._medmnist import keep_share
from unlearning.data.forget import Confusion, Gaussian, Query, RandomShare, WholeClass, describe, plant, select

LABELS = ("atelectasis", "effusion", "mass")


def arrays(count: int = 24, labels: int = 14) -> dict[str, Any]:
    """Arrays in the layout of chestmnist.npz: uint8 images (N, 28, 28) and labels (N, 14)."""
    random = np.random.default_rng(0)
    made = {}
    for split in ("train", "val", "test"):
        made[f"{split}_images"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        made[f"{split}_labels"] = (random.random((count, labels)) < 0.4).astype(np.uint8)
    return made


def archive(folder: Path, **changed: Any) -> Path:
    np.savez(folder / "chestmnist.npz", **{**arrays(), **changed})
    return folder / "chestmnist.npz"


def chest(folder: Path, **options: Any) -> ImageData:
    return load(Npz(path=archive(folder), **options))


def toy() -> ImageData:
    return load(Synthetic(train=200, val=60, test=60, size=8, classes=3, multi_label=True))


def test_an_archive_in_the_layout_of_chestmnist_is_read_as_it_is(tmp_path: Path) -> None:
    data = chest(tmp_path)
    assert (data.task, data.classes, data.class_names[:2]) == (SEVERAL, 14, ("0", "1"))
    assert data.train.images_NCHW.shape == (24, 1, 28, 28)
    np.testing.assert_array_equal(data.train.labels_N, arrays()["train_labels"])
    assert data.labelling.several
    assert "14 labels, of which a train image has " in facts(data)[0]


def test_labels_of_an_archive_may_be_bool_and_their_names_given(tmp_path: Path) -> None:
    labels = {f"{split}_labels": arrays()[f"{split}_labels"][:, :3].astype(bool) for split in ("train", "val", "test")}
    data = load(Npz(path=archive(tmp_path, **labels), class_names=LABELS))
    assert data.class_names == LABELS
    assert data.train.labels_N.dtype == torch.int64


def test_a_repeated_image_with_other_labels_is_named_once(tmp_path: Path) -> None:
    train = arrays()
    train["train_images"][5], train["train_images"][7] = train["train_images"][1], train["train_images"][2]
    train["train_labels"][5], train["train_labels"][7] = 1 - train["train_labels"][1], train["train_labels"][2]
    data = load(Npz(path=archive(tmp_path, **train)))
    assert data.notes == ("1 train image repeats another byte for byte under another label: image 5 of image 1",)


def test_one_hot_classes_are_no_several_labels_unless_the_task_says_so(tmp_path: Path) -> None:
    one_hot = {f"{split}_labels": np.eye(3, dtype=np.uint8)[np.arange(24) % 3] for split in ("train", "val", "test")}
    path = archive(tmp_path, **one_hot)
    with pytest.raises(DataError, match=r"every image has exactly one: save `labels.argmax\(1\)`.*name `task: "):
        load(Npz(path=path))
    with pytest.raises(DataError, match=r"exactly one, and multi-class wants one class an image, \(N,\): save `labels"):
        load(Npz(path=path, task="multi-class"))
    assert load(Npz(path=path, task=SEVERAL)).classes == 3


def test_a_task_that_the_labels_are_not_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of which an image has any number, and multi-class wants .*: name `task: "):
        chest(tmp_path, task="multi-class")
    single = {f"{split}_labels": np.arange(24) % 2 for split in ("train", "val", "test")}
    with pytest.raises(DataError, match=r"wanted int64 labels \(N, 2\), one column for each label .*got int64 \(24,\)"):
        load(Npz(path=archive(tmp_path, **single), task=SEVERAL))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 1], [1, -1]] * 12, r"train: wanted 0 or 1 for each label of an image, got -1 \.\.\. 1; decide"),
        (
            [[0, 1], [1, 1]] * 12,
            r"with and without every label, got all or none of 24 with class 1 \(1\); .* 0 \(0\): 12",
        ),
        ([[0, 0], [1, 0]] * 12, r"with and without every label, got all or none of 24 with class 1 \(1\)"),
        ([[0, 1]] * 24, "train: wanted a label that some images have and others lack"),
    ],
)
def test_labels_that_nothing_can_be_learnt_from_are_refused(
    tmp_path: Path, labels: list[list[int]], message: str
) -> None:
    rest = {f"{split}_labels": np.tile([[0, 1], [1, 0], [1, 1]], (8, 1)) for split in ("val", "test")}
    with pytest.raises(DataError, match=message):
        load(Npz(path=archive(tmp_path, train_labels=np.array(labels), **rest)))


def test_a_label_that_test_lacks_is_noted(tmp_path: Path) -> None:
    lacking = arrays()["test_labels"]
    lacking[:, 5] = 0
    data = load(Npz(path=archive(tmp_path, test_labels=lacking)))
    assert any(note.startswith("test has no image of class 5 (5): AUC has no value") for note in data.notes)


def test_generated_images_show_any_number_of_patterns_the_first_in_half_of_them() -> None:
    data = load(Synthetic(train=2000, val=50, test=50, size=8, classes=4, multi_label=True))
    shares_K = data.train.labels_N.double().mean(0)
    torch.testing.assert_close(shares_K, 1 / torch.arange(2, 6).double(), atol=0.04, rtol=0)
    assert data.train.labels_N.sum(1).unique().tolist() == [0, 1, 2, 3, 4]
    assert load(Synthetic(like="chestmnist", share=0.002)).classes == 14


def test_what_was_added_for_several_labels_changes_no_written_source() -> None:
    assert "multi_label" not in Synthetic().model_dump()
    assert Synthetic(multi_label=True).model_dump()["multi_label"] is True
    assert not {"label_columns", "label_separator", "no_label"} & ImageTable(path=Path("a.csv")).model_dump().keys()


def test_a_share_of_train_is_drawn_from_all_images() -> None:
    split = toy().train
    kept = keep_share(split, 0.25, "toy")
    assert len(kept) == 50
    assert torch.equal(keep_share(split, 0.25, "toy").labels_N, kept.labels_N)


def test_a_class_request_takes_the_images_that_have_the_label_with_others_too() -> None:
    data = toy()
    forget = select(WholeClass(class_index=2), data, seed=0)
    assert forget.indices_F.tolist() == data.train.labels_N[:, 2].nonzero().flatten().tolist()
    assert data.train.labels_N[forget.indices_F].sum(0).min() > 0
    [said] = describe(WholeClass(class_index=2), forget, data)
    count = int(data.train.labels_N[:, 2].sum())
    assert f"2 (pattern 2) {count:,} of {count:,}" in said


def test_a_request_that_takes_all_images_of_a_label_unasked_is_refused() -> None:
    data = toy()
    with pytest.raises(DataError, match=r"it leaves no train image of synthetic to retain in pattern 1"):
        select(Query(sql="label like '%pattern 1%'"), data, seed=0)


def test_a_query_sees_the_names_of_the_labels_joined() -> None:
    data = toy()
    forget = select(Query(sql="label = 'pattern 0 + pattern 2'"), data, seed=0)
    assert data.train.labels_N[forget.indices_F].tolist() == [[1, 0, 1]] * len(forget.indices_F)
    none = select(Query(sql="label = '(no label)'"), data, seed=0)
    assert not data.train.labels_N[none.indices_F].any()


def test_random_halves_and_noise_work_as_with_one_class() -> None:
    data = toy()
    halves = select(RandomShare(fraction=0.1, control=True), data, seed=0)
    assert len(halves.indices_F) == len(halves.control_C) == 20
    request = Gaussian(fraction=0.1)
    chosen = select(request, data, seed=0)
    noisy = plant(request, data, chosen, seed=0)
    assert noisy.planted is not None
    assert noisy.planted.labels_F.shape == (20, 3)


def test_a_swap_of_two_classes_is_refused() -> None:
    with pytest.raises(DataError, match=r"swaps the one class of an image, .*requests that work there: random, class"):
        select(Confusion(classes=(0, 1), fraction=0.1), toy(), seed=0)


def picture(path: Path, number: int) -> None:
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)


def table(folder: Path, rows: Sequence[str], head: str, **options: Any) -> ImageTable:
    for number in range(len(rows)):
        picture(folder / f"{number}.png", number)
    text = "\n".join([head, *(f"{number}.png,{row}" for number, row in enumerate(rows))])
    (folder / "images.csv").write_text(text)
    return ImageTable(path=folder / "images.csv", channels=1, **options)


SPLITS = ("train", "val", "test")
JOINED = ("Effusion|Mass", "Mass", "No Finding", "Effusion")


def nih(folder: Path, rows: Sequence[str] = JOINED * 6, **options: Any) -> ImageTable:
    written = [f"{text},{SPLITS[number // 4 % 3]}" for number, text in enumerate(rows)]
    return table(folder, written, "file,label,split", label_separator="|", **options)


def test_a_table_has_several_labels_in_one_column(tmp_path: Path) -> None:
    data = load(nih(tmp_path))
    assert (data.task, data.class_names) == (SEVERAL, ("Effusion", "Mass"))
    assert data.train.labels_N.tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]] * 2
    assert data.train.columns["label"][:3] == ("Effusion|Mass", "Mass", "No Finding")


def test_a_cell_without_a_label_is_refused_and_another_word_for_none_taken(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 row has no label\n    line 2"):
        load(nih(tmp_path, ("", *JOINED[1:], *JOINED * 5)))
    data = load(nih(tmp_path, tuple(text.replace("No Finding", "healthy") for text in JOINED * 6), no_label="healthy"))
    assert data.class_names == ("Effusion", "Mass")


def test_the_word_for_no_label_is_read_in_any_case_and_never_beside_a_label(tmp_path: Path) -> None:
    data = load(nih(tmp_path, tuple(text.replace("No Finding", "no finding") for text in JOINED * 6)))
    assert data.class_names == ("Effusion", "Mass")
    with pytest.raises(DataError, match="1 row says No Finding beside a label; decide which holds\n    line 2: No F"):
        load(nih(tmp_path, ("No Finding|Mass", *JOINED[1:], *JOINED * 5)))


def test_a_table_has_a_column_for_each_label(tmp_path: Path) -> None:
    rows = [f"{n % 2},{int(n % 3 == 0)}.0,{SPLITS[n // 4 % 3]}" for n in range(24)]
    data = load(table(tmp_path, rows, "file,Effusion,mass,split", label_columns=("Effusion", "Mass")))
    assert data.class_names == ("Effusion", "Mass")
    assert data.train.labels_N[:4].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]
    assert data.train.columns["label"][:4] == ("Mass", "Effusion", "(no label)", "Effusion + Mass")
    forget = select(Query(sql="effusion = 1 and mass = 1"), data, seed=0)
    assert data.train.labels_N[forget.indices_F].tolist() == [[1, 1]] * len(forget.indices_F)


@pytest.mark.parametrize(
    ("head", "options", "message"),
    [
        ("file,effusion,mass", {"label_columns": ("effusion", "nodule")}, "there is no column nodule, which label_col"),
        ("file,effusion,label", {"label_columns": ("effusion", "label")}, "there is such a column too; rename it"),
        ("file,effusion,mass", {"label_columns": ("effusion", "Effusion ")}, "label_columns names a column twice"),
        ("file,effusion,mass", {"label_columns": ("effusion", "mass")}, "1 cell of mass is neither .*\n    line 4: -1"),
    ],
)
def test_label_columns_that_do_not_fit_are_refused(
    tmp_path: Path, head: str, options: dict[str, Any], message: str
) -> None:
    rows = [f"{n % 2},{-1 if n == 2 else n % 3 % 2}" for n in range(24)]
    with pytest.raises(DataError, match=message):
        load(table(tmp_path, rows, head, **options))


def test_options_of_labels_that_do_not_go_together_are_refused() -> None:
    path = Path("images.csv")
    with pytest.raises(ValidationError, match="wanted label_columns or label_separator, got both"):
        ImageTable(path=path, label_columns=("a", "b"), label_separator="|")
    with pytest.raises(ValidationError, match="several labels an image are the task 'multi-label, binary-class', got"):
        ImageTable(path=path, label_separator="|", task="multi-class")
    with pytest.raises(ValidationError, match="takes label_columns or label_separator, got neither"):
        ImageTable(path=path, task=SEVERAL)
    with pytest.raises(ValidationError, match=r"folders name one class an image; .* list the images in a table"):
        Folder(path=path, task=SEVERAL)


def test_splits_are_drawn_with_the_share_of_every_label(tmp_path: Path) -> None:
    rows = [f"{n % 2},{int(n % 5 == 0)}" for n in range(200)]
    source = table(
        tmp_path, rows, "file,effusion,mass", label_columns=("effusion", "mass"), val_share=0.2, test_share=0.2
    )
    data = load(source)
    splits: dict[str, Split] = {"train": data.train, "val": data.val, "test": data.test}
    counts = {name: split.labels_N.sum(0).tolist() for name, split in splits.items()}
    assert counts == {"train": [60, 24], "val": [20, 8], "test": [20, 8]}
