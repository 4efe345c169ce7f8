"""What decisions cost where a miss costs more than a false alarm."""

import math

from torch import Tensor


def normalised_cost(log_odds_N: Tensor, positive_N: Tensor, ratio: float) -> float | None:
    """Return the expected cost of a classifier's decisions, as a share of that of the best constant decision.

    A miss costs ``ratio`` times a false alarm. An image is called positive where that has the smaller expected cost by
    the classifier's own probability p, which is from p = 1 / (1 + ratio) on. So a classifier that ranks well and whose
    probabilities are wrong is expensive, too.

        cost = (ratio x misses + false alarms) / min(ratio x positives, negatives)

    Source: Ferrer, "Analysis and comparison of classification metrics", 2022 (arXiv 2209.05355), for two decisions.

    Args:
        log_odds_N: of the positives, as `log_odds` returns them.
        positive_N: bool.
        ratio: above 0.

    Returns:
        0 without an error; 1 where deciding the same for all images, the cheaper way, costs as much; more is possible.
        None where no image is positive, or all are.
    """
    positives = int(positive_N.sum())
    negatives = len(positive_N) - positives
    if not positives or not negatives:
        return None
    called_N = log_odds_N >= -math.log(ratio)
    misses, alarms = int((~called_N & positive_N).sum()), int((called_N & ~positive_N).sum())
    return (ratio * misses + alarms) / min(ratio * positives, negatives)
