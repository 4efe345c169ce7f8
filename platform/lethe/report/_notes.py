"""The notes below a table, a sentence each: what its numbers alone do not show."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from lethe.report._board import Board, is_choice
from lethe.report._numbers import count, listed, p_value, percent, row_title
from lethe.report._ranks import front_in_words
from lethe.report._search_notes import search_notes
from lethe.results.json_column import json_column
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.views import AT_ONCE, ChosenRow, FrontRow, LeaderboardRow

HOW_TO_READ = (
    "Percent and points. Gap: mean |difference| to the oracle of the same seed over UA, RA, TA and MIA, with its 95 % "
    "interval over seeds (Student's t); it holds the noise of seeds, so that not even a perfect method reaches 0. "
    "Noise floor: the gap between oracles of different seeds. Over the floor: gap to the oracles of the other seeds, "
    "minus that of the seed's own oracle; 0 for retraining itself; its interval and the floor's are jackknives over "
    "seeds. 'above the floor': its 95 % interval lies above 0. "
    "'equivalent': its 90 % interval ends below the margin, and the gap is smaller than that of doing nothing. Each "
    "row is judged by itself: these verdicts are not adjusted for the number of rows."
)


UNEQUAL: Final = 1.5
"""Ratio of the largest to the smallest budget of a table above which a note says that they differ."""


CONTROL_AUDITS: Final = ("control", "epsilon")
"""The audits that find nothing where the forget request keeps no control half."""


def notes_of(board: Board) -> list[str]:
    """Return what the table of a board leaves open and what its reader must know, a sentence each."""
    return [
        *_task(board),
        *(_against_oracles(board) if board.has_oracles else _without_oracles()),
        *_undecided(board),
        *_joint(board),
        *_controls(board),
        *_taken(board),
        *_rewound(board),
        *_unfinished(board),
        *_limit(board),
        *_budgets(board),
        *_searches(board),
        *_fronts(board),
        *_not_carried_over(board),
        *_front(board),
        *_attack(board),
        *_without_control(board),
        *(other.sentence for other in board.others),
        *_unlisted(board),
    ]


def _against_oracles(board: Board) -> Iterator[str]:
    yield from _margin(board)
    yield from _repeats(board)
    yield from _floor(board)
    yield from _coarse(board)


def _without_oracles() -> Iterator[str]:
    yield (
        f"{NO_ORACLE} Each row begins with the given model, and each seed is another draw of the method. UA and MIA of "
        "a model that has forgotten are not known: a larger one is not a better one."
    )


def undecided(line: LeaderboardRow) -> str:
    """Return how many seeds would decide on a row, in words."""
    if line.seeds_to_decide is None:
        return "not even 100 seeds would decide, if mean and spread are what they seem"
    return f"about {line.seeds_to_decide} seeds would decide, if mean and spread are what they seem"


def _task(board: Board) -> Iterator[str]:
    """Yield what UA, RA and TA are made of where an image has any number of labels."""
    if board.has_several_labels:
        yield (
            "* An image has any number of labels: RA and TA are the mean AUROC over the labels and no accuracy, UA is "
            "100 minus it on the forget set, each over the labels that some of the images have and others lack; MIA "
            "goes by the mean over the labels of the probability of what is true."
        )


def _margin(board: Board) -> Iterator[str]:
    margin = board.lines[0].margin
    if margin is None:
        yield (
            "These results are of a version that fixed no margin of equivalence, so no row is called equivalent; "
            "`lethe run` on the study's file confirms its rows anew and trains nothing again."
        )
    else:
        yield f"Margin of equivalence, fixed by the study: {percent(margin)} points."


def _repeats(board: Board) -> Iterator[str]:
    known = [line.training_repeats for line in board.lines if line.training_repeats is not None]
    if known and not all(known):
        yield (
            "The training function does not repeat by its seed: models, and all that is made of them, differ between "
            "runs of the same options and seeds."
        )


def _floor(board: Board) -> Iterator[str]:
    oracles = board.lines[0].noise_floor_seeds
    if oracles == 2:
        yield "The noise floor is of one pair of oracles; the spread of such a value is about 40 % of it."
    elif oracles:
        of = board.lines[0]
        interval = f" [{percent(of.noise_floor_low)}, {percent(of.noise_floor_high)}]"
        tuned = ", of tuning seeds too" if oracles > max(line.seeds for line in board.lines) else ""
        yield f"Noise floor {percent(of.noise_floor)}{interval}: every pair of {oracles} oracles{tuned}."
    else:
        yield "No noise floor: it takes the oracles of two seeds."


def _coarse(board: Board) -> Iterator[str]:
    """Name a forget set so small that one image moves UA and MIA by more than the margin."""
    images, margin = board.lines[0].forget_images, board.lines[0].margin
    if margin is not None and 0 < images < 1 / margin:
        moving = "MIA moves" if board.has_several_labels else "UA and MIA move"
        yield (
            f"Only {images} images are to be forgotten: {moving} in steps of {percent(1 / images)} points, more than "
            "the margin, so that a verdict rests on single images."
        )


def _undecided(board: Board) -> Iterator[str]:
    waiting = [line for line in board.lines if line.verdict == "inconclusive"]
    if len(waiting) == 1:
        yield f"{row_title(waiting[0].row)}: inconclusive against retraining; {undecided(waiting[0])}."
    elif waiting:
        needed = ", ".join(f"{row_title(line.row)} ({line.seeds_to_decide or 'over 100'})" for line in waiting)
        yield (
            "Inconclusive against retraining, in brackets about how many seeds would decide, if mean and spread are "
            f"what they seem: {needed}."
        )
    if any(line.verdict == "too few seeds" for line in board.lines):
        yield "No verdict below three seeds: an interval of two values says almost nothing."


def _joint(board: Board) -> Iterator[str]:
    """Describe what the test of all four measures at once found."""
    if not board.tests:
        return
    if all(test.verdict == "too few seeds" for test in board.tests):
        yield (
            "All four measures at once (energy test): too few seeds to decide; the smallest p that they allow is "
            f"{p_value(board.tests[0].least_p)}, before it is adjusted for {len(board.tests)} rows."
        )
        return
    verdicts = defaultdict(list)
    for test in board.tests:
        verdicts[f"{test.verdict} (p {p_value(test.p_holm)})"].append(test.row)
    found = "; ".join(
        f"{', '.join(rows)} {verdict.replace('differs', 'differ') if len(rows) > 1 else verdict}"
        for verdict, rows in verdicts.items()
    )
    yield f"All four measures at once against the oracles (energy test, p by Holm over the rows): {found}."


def _without_control(board: Board) -> Iterator[str]:
    """Name the audits that were not possible, or not asked for; nothing where there were none at all."""
    if board.has_oracles and board.audits and not any(one.audit in CONTROL_AUDITS for one in board.audits):
        yield (
            f"No audit held the forget set against a control half ({', '.join(CONTROL_AUDITS)}): that takes a forget "
            "request that keeps one (kind random, control: true)."
        )


def _controls(board: Board) -> Iterator[str]:
    every = [line.row for line in board.lines if line.untuned]
    at_once = [row for row in every if row.endswith(f" {AT_ONCE}")]
    if at_once:
        yield (
            f"{', '.join(at_once)}: the method's setting, but from the original and for the images of all requests "
            "together; the difference to the method is among the contrasts with controls."
        )
    untuned = [row for row in every if row not in at_once]
    if untuned:
        yield (
            f"Untuned: {', '.join(untuned)} run at their method's learning rate. Tuned themselves (controls: tuned) "
            "they may do better, so they show neither that the mask helps nor that it does not."
        )


def _taken(board: Board) -> Iterator[str]:
    """Name the rows whose setting a settings file gave, and those of them that were tuned on other images."""
    for line in board.lines:
        if line.tuned_in is not None and not line.untuned:
            other = (
                " It was tuned on other images or labels; a setting of another data set carries over badly."
                if line.tuned_on_other_data
                else ""
            )
            yield (
                f"{line.row}: its setting was not searched here; it is from study {line.tuned_in}, tuned on "
                f"{listed('seed', line.tuning_seeds or [])}.{other}"
            )


def _rewound(board: Board) -> Iterator[str]:
    for line in board.lines:
        setting = json_column("setting", line.setting)
        if setting.get("keep") == "rewind" and line.kept_epochs:
            epochs = ", ".join(map(str, line.kept_epochs))
            yield (
                f"{row_title(line.row)}: of {setting.get('epochs')} epochs the runs returned to {epochs}, on "
                f"{listed('seed', line.reporting_seeds)}; 0 is the original."
            )


def _not_carried_over(board: Board) -> Iterator[str]:
    confirmed = {line.row: line for line in board.lines if line.gap is not None}
    for choice in board.choices:
        if choice.row in confirmed and _is_lost(choice, confirmed[choice.row]):
            yield (
                f"{choice.row}: the setting does not carry over: a gap of {percent(choice.tuning_gap)} on the "
                f"tuning {listed('seed', choice.tuning_seeds)}, chosen from {_rivals(choice)}, and of "
                f"{percent(choice.confirmed_gap)} on the reporting seeds. More tuning seeds (seeds.tuning) choose less "
                "by luck."
            )


def _rivals(choice: ChosenRow) -> str:
    """Return how many settings the chosen one was chosen from, by whichever rule."""
    if choice.rivals < choice.settings:
        return f"{choice.rivals} settings that ran on as many, of {choice.settings} that were tried"
    return f"{choice.settings} setting{'s'[: choice.settings != 1]}"


def _is_lost(choice: ChosenRow, line: LeaderboardRow) -> bool:
    """Whether the confirmed gap is twice the tuning gap, more than a margin above it, and no noise of seeds."""
    confirmed, low = choice.confirmed_gap or 0.0, line.gap_low or 0.0
    above = confirmed - choice.tuning_gap > (line.margin or 0.0)
    return confirmed > 2 * choice.tuning_gap and above and low > choice.tuning_gap


def _unfinished(board: Board) -> Iterator[str]:
    for choice in board.choices:
        tried = choice.tuning_trials - choice.tuning_raced
        if choice.planned_trials is not None and tried < choice.planned_trials:
            yield (
                f"Search of {choice.row}: {tried} of {count(choice.planned_trials, 'trial')} "
                f"{'has' if tried == 1 else 'have'} ended, so its row may still change."
            )


def _limit(board: Board) -> Iterator[str]:
    """Name the budget of searches that may take so many seconds, and what each took."""
    limited = [choice for choice in board.choices if choice.planned_seconds is not None]
    if limited:
        spent = ", ".join(f"{one.row} {one.tuning_seconds:.0f} s" for one in limited)
        yield f"Each search might take {limited[0].planned_seconds:.0f} s of trials: {spent}."


def _unlisted(board: Board) -> Iterator[str]:
    if board.unlisted:
        yield (
            f"{count(board.unlisted, 'confirmation')} of an earlier version of Lethe, stored under this name, "
            f"{'is' if board.unlisted == 1 else 'are'} in no table; "
            '`lethe query "from confirmations"` has all.'
        )


def _searches(board: Board) -> Iterator[str]:
    """Write what is to be known of each search; what several have in common once, for all of them."""
    methods = defaultdict(list)
    for search in board.searches:
        for note in search_notes(search):
            methods[note].append(search.row)
    notes = defaultdict(list)
    for note, of in methods.items():
        notes[", ".join(of)].append(note)
    for of_all, own in notes.items():
        yield f"Search of {of_all}: {'; '.join(own)}."


def _budgets(board: Board) -> Iterator[str]:
    """Describe where one search of a table was allowed much more than another."""
    spent: dict[str, dict[str, float]] = {
        "settings": {one.row: one.settings for one in board.budgets},
        "runs": {one.row: one.runs for one in board.budgets},
        "seconds": {one.row: one.seconds for one in board.budgets},
    }
    unequal = [
        f"{thing} from {values[least]:.0f} ({least}) to {values[most]:.0f} ({most})"
        for thing, values in spent.items()
        if values
        for least, most in [(min(values, key=values.__getitem__), max(values, key=values.__getitem__))]
        if values[most] > UNEQUAL * values[least]
    ]
    if unequal:
        yield (
            f"Unequal budgets, by more than a factor of {UNEQUAL:g}: {'; '.join(unequal)}. A method that was allowed "
            "less may be behind for that alone."
        )


def _front(board: Board) -> Iterator[str]:
    if front := front_in_words(board):
        yield front


def _fronts(board: Board) -> Iterator[str]:
    """List the front of each search of several objectives, by what was measured on the tuning seeds."""
    for method in dict.fromkeys(row.method for row in board.fronts):
        rows = [row for row in board.fronts if row.method == method]
        points = "; ".join(_point(row) for row in rows)
        settings = "1 setting is" if len(rows) == 1 else f"{len(rows)} settings are"
        yield (
            f'Front of {method}: {settings} dominated by no other on the tuning seeds: {points}. `lethe query "from '
            'front"` has them.'
        )


def _point(row: FrontRow) -> str:
    values = {"gap": row.gap, "ua_gap": row.ua_gap, "va_drop": row.va_drop, "compute": row.compute_share}
    shown = ", ".join(f"{name} {percent(values[name])} %" for name in row.objectives)
    return f"{shown} (chosen)" if row.chosen else shown


def _attack(board: Board) -> Iterator[str]:
    """Describe how good the attack behind MIA is, and which images it takes for never trained on."""
    known = {line.row: line.mia_balanced_accuracy for line in board.lines if line.mia_balanced_accuracy is not None}
    right = [f"{percent(known[row])} % on the {row}s" for row in ("original", "oracle") if row in known]
    if right:
        yield (
            f"MIA: the attack distinguishes members from non-members in {' and '.join(right)}; 50 % is by chance, and "
            "near it MIA says little."
        )
    if board.lines[0].attack_classes == "forgotten":
        yield (
            "MIA: members and non-members are drawn in the forget set's mix of classes; members can be of the classes "
            "only that the retain set still has."
        )
    if board.lines[0].mia_nonmembers == "val":
        searched = "; the search used that split too" if board.has_oracles else ""
        yield f"MIA takes its non-members from the validation split, since test is of another origin{searched}."


def settings_of(board: Board) -> Iterable[LeaderboardRow]:
    """Return the rows that a search chose the setting of."""
    return [line for line in board.lines if is_choice(line) and line.trial_id]
