"""What a delivery says to a person: what was delivered, the verdict with its numbers, and what to do next."""

from collections.abc import Iterator
from shlex import quote

from lethe.delivery._deliver import Delivery
from lethe.report import percent, seconds
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.visible import visible


def in_words(found: Delivery, results: str) -> Iterator[str]:
    """Yield the lines.

    Args:
        results: where the study was run, as a command takes it.
    """
    for line in (*_what(found), *_verdict(found), *_numbers(found), *_notes(found), *_next(found, results)):
        yield visible(line)


def _what(found: Delivery) -> Iterator[str]:
    row, kind = found.row, found.model.start.kind.replace("_", " ")
    yield f"{'Delivered' if found.new else 'Delivered before, and unchanged'}: {found.folder}"
    if found.replaced is not None:
        before = found.replaced.certificate
        yield (
            f"  The certificate of {before.made_at:%Y-%m-%d %H:%M} UTC (verdict: {before.verdict}) judged by other "
            f"audits, seeds or margin than the study has now. It is kept, with its files: {found.replaced.kept_in}"
        )
    yield f"  {found.chosen.why}"
    yield (
        f"  {row.row} unlearned forget {row.forget} ({row.forget_images:,} train images) from the {kind} "
        f"{row.original}; model {found.model.fingerprint}."
    )


def _verdict(found: Delivery) -> Iterator[str]:
    yield f"  Verdict: {found.verdict}."
    for one in found.certificate.judgements:
        yield f"    {one.criterion}: {one.verdict}. {one.because}"


def _numbers(found: Delivery) -> Iterator[str]:
    row, line = found.row, found.chosen.line
    if not line.has_oracles:
        yield f"  {NO_ORACLE}"
        yield f"  Unlearning took {seconds(row.seconds_unlearn)} s; test accuracy {percent(row.ta)} %."
        return
    floor = "" if line.noise_floor is None else f"; the noise floor of retraining is {percent(line.noise_floor)}"
    untouched = found.chosen.board.original
    nothing = "" if untouched is None or untouched.gap is None else f", of doing nothing {percent(untouched.gap)}"
    yield (
        f"  Gap of this model {percent(row.gap)} points, over {line.seeds} training seeds {percent(line.gap)}"
        f"{floor}{nothing}."
    )
    yield (
        f"  Unlearning took {seconds(row.seconds_unlearn)} s, one retraining {seconds(row.seconds_retrain)} s; "
        f"test {found.chosen.board.score} {percent(row.ta)} %, of the oracle {percent(row.oracle_ta)} %."
    )


def _notes(found: Delivery) -> Iterator[str]:
    for note in found.notes:
        yield f"  {note}"


def _next(found: Delivery, results: str) -> Iterator[str]:
    yield ""
    yield f"Next: lethe verify {quote(str(found.folder))}"
    yield '      python -B -c "from load import classify"   in that folder: torch is all that it needs'
    yield f"      lethe purge --study {found.row.study} --request {quote(found.row.forget)} --results {results}"
    yield "      The original and the withdrawn images still exist: this delivery deletes nothing, purge lists them."
