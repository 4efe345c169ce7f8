"""What a delivery says to a person: what was delivered, the verdict with its numbers, and what to do next."""

from collections import Counter
from collections.abc import Iterator

from lethe.delivery._deliver import Delivery
from lethe.report import percent, seconds
from lethe.results.visible import visible


def in_words(found: Delivery, results: str) -> Iterator[str]:
    """Yield the lines.

    Args:
        results: where the study was run, as a command takes it.
    """
    for line in (*_what(found), *_verdict(found), *_numbers(found), *_notes(found), *_next(found, results)):
        yield visible(line)


def _what(found: Delivery) -> Iterator[str]:
    row, kind = found.row, found.start[0].replace("_", " ")
    yield f"{'Delivered' if found.new else 'Delivered before, and unchanged'}: {found.folder}"
    yield f"  {found.chosen.why}"
    yield (
        f"  {row.row} unlearned forget {row.forget} ({row.forget_images:,} train images) from the {kind} "
        f"{row.original}; model {found.model}."
    )


def _verdict(found: Delivery) -> Iterator[str]:
    yield f"  Verdict: {found.verdict}."
    if not found.verdicts:
        yield "  The study asks for no audits (`audits: quick` trains nothing), so nothing beyond averages was tested."
        return
    counted = Counter(one.verdict for one in found.verdicts)
    told = ", ".join(f"{counted[word]} {word}" for word in _THREE if counted[word])
    yield f"  {len(found.verdicts)} statistics of audits, each against {_oracles(found)}: {told}."
    for one in found.verdicts:
        if one.verdict == "violation":
            mean = "" if one.oracle_mean is None else f", oracles {one.oracle_mean:.3g}"
            yield f"    {one.metric}: {one.value:.3g}{mean}, p {one.p_holm or 0:.2g}"


def _numbers(found: Delivery) -> Iterator[str]:
    row, line = found.row, found.chosen.line
    floor = "" if line.noise_floor is None else f"; the noise floor of retraining is {percent(line.noise_floor)}"
    untouched = found.chosen.board.original
    nothing = "" if untouched is None or untouched.gap is None else f", of doing nothing {percent(untouched.gap)}"
    yield (
        f"  Gap of this model {percent(row.gap)} points, over {line.seeds} training seeds {percent(line.gap)}"
        f"{floor}{nothing}."
    )
    if row.seconds_unlearn is not None and row.seconds_retrain is not None:
        yield (
            f"  Unlearning took {seconds(row.seconds_unlearn)} s, one retraining {seconds(row.seconds_retrain)} s"
            f"; test accuracy {percent(row.ta)} %, of the oracle {percent(row.oracle_ta)} %."
        )


def _notes(found: Delivery) -> Iterator[str]:
    for note in found.notes:
        yield f"  {note}"


def _next(found: Delivery, results: str) -> Iterator[str]:
    yield ""
    yield f"Next: from load import classify           in {found.folder}, with torch alone"
    yield f"      lethe show {found.row.confirmation_id} --results {results}"
    yield "      The original and the withdrawn images still exist: this delivery deletes nothing."


def _oracles(found: Delivery) -> str:
    most = max(one.oracles for one in found.verdicts)
    return f"{most} oracle{'' if most == 1 else 's'}"


_THREE = ("violation", "no violation detected", "inconclusive")
