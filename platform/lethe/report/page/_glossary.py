"""What the page's words mean, one short sentence each: shown where a reader hovers over a heading, and at the end."""

from typing import Final

GLOSSARY: Final = {
    "original": "trained on everything, the forget set included; doing nothing leaves it as it is",
    "oracle": "the same network, retrained from scratch without the forget set: what unlearning should come close to",
    "UA": "error on the forget set, in percent; best is the oracle's value, not the largest",
    "RA": "accuracy on the retain set, in percent; best is the oracle's value",
    "TA": "accuracy on the test images, in percent; best is the oracle's value",
    "VA": "accuracy on the validation images, in percent; best is the oracle's value",
    "UA*": "100 minus the mean AUROC over the labels on the forget set, where an image has any number of labels",
    "RA*": "mean AUROC over the labels on the retain set, in percent; best is the oracle's value",
    "TA*": "mean AUROC over the labels on the test images, in percent; best is the oracle's value",
    "MIA": "share of the forget set that a membership attack calls unseen, in percent; best is the oracle's value",
    "AUC": "area under the ROC curve on the test images, in percent, mean over the classes",
    "gap": "mean absolute difference to the oracle of the same seed over UA, RA, TA and MIA, in points",
    "noise floor": "the gap between oracles of different seeds: what retraining alone varies by",
    "over the floor": "gap to the oracles of the other seeds, minus the own oracle's: 0 is another retraining",
    "above the floor": "the 95 % interval of the excess over the floor lies above 0: farther than retraining",
    "equivalent": "the 90 % interval of the excess ends below the margin that the study fixed beforehand",
    "inconclusive": "neither above the floor nor equivalent; more seeds may decide",
    "rank": "place by mean gap, with the interval of places that the comparisons leave open",
    "time": "wall-clock time of one unlearning, on the machine as it was",
    "of retraining": "images that unlearning trained on, as a share of those of one retraining; the same anywhere",
    "tuning": "trials of the search that chose the setting, and their time",
    "control": "a setting with one part of the method taken away, such as SalUn with a random mask",
    "forget set": "the train images that are to be forgotten",
    "retain set": "the train images that are kept",
    "control half": "images drawn like the forget set and kept out of every training, for exact tests",
    "violation": "a statistic finds what retraining would not leave, after adjustment for all statistics",
    "power": "share of the originals in which a statistic finds something: what it can see on this data",
}
"""By the word as the page writes it."""


_OF_ORACLES: Final = frozenset(
    {"oracle", "gap", "noise floor", "over the floor", "above the floor", "equivalent", "inconclusive", "rank"}
    | {"of retraining", "tuning", "violation", "power", "control half"}
)
"""Words of a comparison with oracles, which a page without any has no use for."""

_TARGET: Final = "; best is the oracle's value"


def glossary(*, has_oracles: bool) -> dict[str, str]:
    """Return the words that a page uses with what they mean; without oracles nothing is said of them."""
    if has_oracles:
        return GLOSSARY
    return {word: said.split(_TARGET)[0] for word, said in GLOSSARY.items() if word not in _OF_ORACLES}


def meaning(heading: str, *, has_oracles: bool = True) -> str:
    """Return what a heading means, where the glossary has it without what stands in brackets; empty otherwise."""
    return glossary(has_oracles=has_oracles).get(heading.split(" [")[0], "")
