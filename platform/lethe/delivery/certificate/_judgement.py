"""The verdict of a certificate: that of each criterion in one of three words, and the strictest of them for all.

A violation by one criterion is a violation. Without one, what one criterion leaves open stays open. Only where each
criterion was able to find something, and found nothing, no violation is detected.
"""

from collections.abc import Iterable, Sequence
from typing import Final, get_args

from lethe.delivery.certificate._asked import Asked
from lethe.delivery.certificate._document import CriteriaSection, Judgement, RequestSection, Verdict
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.views import LEVEL, POWER, AuditVerdictRow
from unlearning.audits import AUDITS

_STRICTEST_FIRST: Final[tuple[Verdict, ...]] = ("violation", "inconclusive", "no violation detected")

_OF_GAP: Final[dict[str | None, Verdict]] = {
    "above the floor": "violation",
    "equivalent": "no violation detected",
}


def judgements(asked: Asked) -> list[Judgement]:
    """Return what each criterion says, and why."""
    if not asked.line.has_oracles:
        return [
            Judgement(criterion=one, verdict="inconclusive", because=NO_ORACLE)
            for one in get_args(Judgement.model_fields["criterion"].annotation)
        ]
    return [_of_audits(asked), _of_gap(asked), _of_delivered(asked)]


def overall(found: Sequence[Judgement]) -> Verdict:
    """Return the strictest verdict."""
    said = {one.verdict for one in found}
    return next(verdict for verdict in _STRICTEST_FIRST if verdict in said)


def limits(criteria: CriteriaSection, request: RequestSection, asked: Asked) -> list[str]:
    """Yield what the verdict does not say, and what was not tested, a sentence each."""
    return [*_always(asked), *_of_criteria(criteria), *_of_level(asked), *_not_tested(criteria, request)]


def _of_audits(asked: Asked) -> Judgement:
    found = asked.of_row(asked.row)
    verdicts = {one.verdict for one in found}
    if not found:
        verdict: Verdict = "inconclusive"
        because = "The study names no audit that judges, so nothing beyond averages was looked at."
    elif "violation" in verdicts:
        verdict = "violation"
        because = f"The setting differs from retraining by {_named(found, 'violation')}."
    elif "no violation detected" in verdicts:
        verdict = "no violation detected"
        because = (
            f"No statistic finds a difference to retraining. That of {_named(found, 'no violation detected')} counts: "
            "each detects the originals."
        )
    else:
        verdict = "inconclusive"
        few = "there are too few seeds" if "too few seeds" in verdicts else "none detects even the originals"
        because = f"No statistic finds a difference to retraining, but none could have: {few}."
    return Judgement(criterion="audits of the setting", verdict=verdict, because=because)


def _of_gap(asked: Asked) -> Judgement:
    line = asked.line
    points = 100 * (line.margin or 0)
    margin = f"{points:g} point{'' if points == 1 else 's'}"
    because = {
        "above the floor": "On average the setting is farther from retraining than another retraining is.",
        "equivalent": f"On average the setting is within {margin} of another retraining.",
        "inconclusive": f"The average shows neither a difference to retraining nor that it is within {margin}.",
        "too few seeds": "There are too few seeds for an interval of the gap.",
    }.get(line.verdict or "", "The setting has no gap on all reporting seeds.")
    return Judgement(criterion="gap to retraining", verdict=_OF_GAP.get(line.verdict, "inconclusive"), because=because)


def _of_delivered(asked: Asked) -> Judgement:
    detected = sorted({one.metric for one in asked.detections if one.detected})
    able = {
        (one.metric, one.version, one.split, one.class_index)
        for one in asked.of_row("original")
        if one.verdict == "violation" and (one.power or 0) >= POWER
    }
    silent = sorted(
        {
            one.metric
            for one in asked.detections
            if one.detected is False and (one.metric, one.version, one.split, one.class_index) in able
        }
    )
    if detected:
        verdict: Verdict = "violation"
        because = f"The delivered model by itself stands out from the oracles by {_listed(detected)}."
    elif silent:
        verdict = "no violation detected"
        because = f"The delivered model by itself is like one more oracle to {_listed(silent)}, which detect originals."
    else:
        verdict = "inconclusive"
        because = "No audit that detects single originals was able to judge the delivered model by itself."
    return Judgement(criterion="audits of the delivered model", verdict=verdict, because=because)


def _named(found: Iterable[AuditVerdictRow], verdict: str) -> str:
    return _listed(sorted({one.metric for one in found if one.verdict == verdict}))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _always(asked: Asked) -> Iterable[str]:
    yield (
        "This is evidence about one model, not a proof of erasure: an audit finds what it looks for, and each result "
        "is a lower bound."
    )
    if asked.line.has_oracles:
        yield (
            f"The setting was judged on {asked.line.seeds} training seeds of models that were trained here; the "
            "delivered model is one model, judged alone only by the last criterion."
        )
    else:
        yield (
            f"{NO_ORACLE} No model was trained again without the images, so no test can tell whether this one has "
            "forgotten them."
        )
    yield (
        "Nothing is said of other models that were made from the original, of copies of the images, or of backups, "
        "unless the lineage lists them."
    )
    yield "Whether the law is satisfied is for others to decide; this is evidence for them."


def _of_criteria(criteria: CriteriaSection) -> Iterable[str]:
    if not criteria.fixed_before:
        yield (
            "THE CRITERIA WERE NOT FIXED BEFORE THE TEST: the first model that counts was measured before the study's "
            "specification was recorded."
        )
    yield "When criteria were recorded is what the clocks of the machines said; no third party confirms it."


def _of_level(asked: Asked) -> Iterable[str]:
    if not asked.line.has_oracles:
        return
    yield (
        f"With a level of {LEVEL:g} for all statistics together, about one setting in {1 / LEVEL:.0f} that is as good "
        "as retraining is called a violation."
    )


def _not_tested(criteria: CriteriaSection, request: RequestSection) -> Iterable[str]:
    chosen = {one.name for one in criteria.audits}
    if left_out := [name for name in AUDITS if name not in chosen]:
        yield f"Not run: {_listed(sorted(left_out))}."
    if not request.control_images:
        yield (
            "No coin decided which images were asked for, so exact tests against a control half do not apply; audits "
            "compare with retraining."
        )
