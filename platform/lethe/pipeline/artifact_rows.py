"""The row of an artifact in the results."""

from lethe.artifacts import Manifest, Needed
from lethe.results import ArtifactRow
from lethe.results.columns import scenario_columns


def artifact_row(study: str, needed: Needed, manifest: Manifest, uri: str) -> ArtifactRow:
    """Return the row of an artifact that a study needed, or kept."""
    columns = scenario_columns(study, needed.scenario, needed.seed)
    if needed.label == "original":
        columns |= {name: None for name in columns if name == "scenario" or name.startswith("forget")}
    return ArtifactRow(
        **columns,
        **manifest.facts.model_dump(),
        artifact_id=manifest.fingerprint,
        kind=needed.label,
        artifact_version=manifest.version,
        requires=list(manifest.requires.values()),
        training_seed=needed.seed,
        uri=uri,
        bytes=manifest.size_bytes,
    )
