"""The folder of a delivery that takes an earlier one's name, where it cannot be given that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.delivery._choose import DeliveryError
from lethe.delivery._folder import whole_folder
from lethe.storage.root import StorageError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An earlier delivery."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "certificate.json").write_text("earlier")
    return tmp_path / "out"


def test_an_earlier_delivery_is_put_back_where_the_new_one_cannot_take_its_name(out: Path) -> None:
    with pytest.raises(StorageError, match="cannot rename"), whole_folder(out, "out-2026") as folder:
        folder.rmdir()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / "certificate.json").read_text() == "earlier"


def test_an_earlier_delivery_that_cannot_be_put_back_is_named(out: Path, before: Callable[..., None]) -> None:
    aside = out.parent / "out-2026"

    def take_the_name() -> None:
        out.mkdir()
        (out / "other").touch()

    with (
        pytest.raises(DeliveryError, match=f"The earlier delivery stays as {aside}, .* was written meanwhile"),
        whole_folder(out, aside.name),
    ):
        before("os.rename", ".out.", take_the_name)
    assert {path.name for path in out.parent.iterdir()} == {"out", "out-2026"}
    assert (aside / "certificate.json").read_text() == "earlier"
