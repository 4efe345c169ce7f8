"""After how many requests a method pays, in words, with the parts that it is made of."""

from lethe.report._board import Board
from lethe.report._headline import first_of
from lethe.report._numbers import count
from lethe.results import durations
from lethe.results.views import BreakEvenRow

HEADS = ("tuning", "models", "measuring", "an unlearning", "a retraining", "pays from", "by images", "tuning alone")

BREAK_EVEN_TO_READ = (
    "Pays from: the number of requests from which tuning, models (originals and oracles), measuring (audits included) "
    "and unlearnings together took less time than a retraining at each request; by images: the same in passes of a "
    "training image; tuning alone: without what only measures. It holds if the setting is kept for later requests, "
    "whose quality this table does not show. Times are of the machine as it was."
)


def break_even_in_words(board: Board) -> str:
    """Return after how many requests the method with the smallest gap pays, a sentence; empty where that is unknown."""
    first = first_of(board)
    found = next((one for one in board.break_even if first is not None and one.row == first.row), None)
    if found is None or found.seconds_tuning is None:
        return ""
    unlearning, retraining = durations.measured(found.seconds_unlearn), durations.measured(found.seconds_retrain)
    if not found.saves:
        return (
            f"Break-even of {found.row}: never, since an unlearning took {unlearning}, and a retraining {retraining}."
        )
    return (
        f"Break-even of {found.row}: tuning ({durations.measured(found.seconds_tuning)}), "
        f"{count(found.models, 'model')} to tune on and compare with ({durations.measured(found.seconds_models)}) and "
        f"measuring ({durations.measured(found.seconds_confirming)}) pay from {_from(found.requests)} on, at "
        f"{unlearning} for an unlearning and {retraining} for a retraining; tuning alone from "
        f"{_from(found.requests_tuning)} on. It holds if the setting is kept for later requests."
    )


def break_even_cells(one: BreakEvenRow) -> tuple[str, ...]:
    """Return the cells of a row, one for each of `HEADS`."""
    spans = (
        one.seconds_tuning,
        one.seconds_models,
        one.seconds_confirming,
        one.seconds_unlearn,
        one.seconds_retrain,
    )
    unlearn, retrain = one.images_unlearn, one.images_retrain
    passes_more = unlearn is not None and retrain is not None and unlearn >= retrain
    return (
        *map(durations.measured, spans),
        _cell(one.requests, never=not one.saves),
        _cell(one.requests_images, never=passes_more),
        _cell(one.requests_tuning, never=not one.saves),
    )


def _cell(requests: int | None, *, never: bool) -> str:
    if never:
        return "never"
    return "" if requests is None else f"{requests:,}"


def _from(requests: int | None) -> str:
    return "an unknown number of requests" if requests is None else count(requests, "request")
