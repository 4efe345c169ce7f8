"""A whole study on an S3-compatible store, a server on loopback: run, continued, queried, and repaired."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from forked_lethe import ForkedLethe
from pyarrow import fs

from lethe.results import query

NUMBERS = "select number, lr, density, threshold, ua, ra, va, mia, gap, status from trials order by number"


@pytest.fixture
def bucket(s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a results place in a new bucket."""
    monkeypatch.setenv("LETHE_CACHE", str(tmp_path / "cache"))
    return s3_bucket.replace("?", "/results?")


@pytest.fixture
def run(lethe_here: Callable[..., tuple[int, str]], bucket: str) -> Callable[..., str]:
    """Runs a study to its end and gives what it printed; `bucket` has set the store's credentials by then."""

    def to_the_end(*arguments: object) -> str:
        code, output = lethe_here("run", *arguments)
        assert code == 0, output
        return output

    return to_the_end


def test_a_study_runs_on_s3_as_on_a_disk_and_continues_there(
    lethe: Callable[..., ForkedLethe],
    run: Callable[..., str],
    write_study: Callable[..., Path],
    tmp_path: Path,
    bucket: str,
) -> None:
    study = write_study(search={"trials": 3, "window": 2}, resources={"workers": 1})
    on_ray = lethe("run", study, "--results", bucket)
    output, _ = on_ray.communicate(timeout=300)
    assert on_ray.returncode == 0, output
    assert f"--results '{bucket}'" in output
    assert "nothing to train, try or confirm" in run(study, "--results", bucket, "--local")
    run(study, "search.trials=6", "--results", bucket, "--local")
    run(study, "search.trials=6", "--results", tmp_path / "disk", "--local")
    on_s3, on_disk = (query(NUMBERS, root).to_pylist() for root in (bucket, tmp_path / "disk"))
    assert len(on_s3) == 6
    assert on_s3 == on_disk


def test_a_damaged_artifact_on_s3_is_set_aside_and_made_again(
    run: Callable[..., str], write_study: Callable[..., Path], bucket: str
) -> None:
    root = bucket.replace("/results?", "/damaged?")
    arguments = (write_study(search={"trials": 1}), "--results", root, "--local")
    run(*arguments)
    store, root = fs.FileSystem.from_uri(root)
    files = store.get_file_info(fs.FileSelector(f"{root}/artifacts/trained_model", recursive=True))
    broken = min(file.path for file in files if "/weights-" in file.path)
    with store.open_output_stream(broken) as stream:
        stream.write(b"not a model")
    said = run(*arguments)
    assert re.search(
        r"a broken (original|oracle) was moved to quarantine as s3://lethe-test/damaged/quarantine/artifacts/trained_model",
        said,
    )
