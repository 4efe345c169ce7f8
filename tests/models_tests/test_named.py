"""Networks of timm and torchvision, where these are not installed."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from unlearning.models import NETWORKS


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_is_not_there_is_named_with_what_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValidationError, match=rf"name: {library} needs {library}, which is not installed: pip install"):
        NETWORKS.validate({"name": library, "model": "resnet18"})


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_cannot_be_imported_says_why(
    library: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    (folder / f"{library}.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, library, raising=False)
    with pytest.raises(ValidationError, match="cannot be imported: RuntimeError: operator torchvision::nms does not"):
        NETWORKS.validate({"name": library, "model": "resnet18"})


def test_neither_is_imported_by_a_study_that_does_not_name_it() -> None:
    code = (
        "import sys\nimport lethe.pipeline.run\nfrom lethe.study import parse_study, json_schema\n"
        "json_schema()\n"
        "study = {'name': 'a', 'data': [{'source': 'synthetic'}], 'forget': [{'kind': 'random', 'fraction': 0.1}],"
        " 'methods': [{'name': 'fine_tune'}]}\nparse_study(study, 'here')\n"
        "print(sorted({'timm', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
