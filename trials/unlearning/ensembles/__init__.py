"""What several unlearned models, each of another training seed, say together: distributions against distributions.

Scores of single images by N unlearned models are compared with those by M oracles. NumPy alone: results are queried
without torch.
"""

from unlearning.ensembles._compare import FEWEST, Comparison, compare
from unlearning.ensembles._forgetting_quality import forgetting_quality, image_epsilons
from unlearning.ensembles._halves import FEWEST_HALVES, AttackedHalves, attack_halves, lira_test, ratios, right_guesses
from unlearning.ensembles._klom import klom
from unlearning.ensembles._likelihood_ratio import held_out_ratios, likelihood_ratio
from unlearning.ensembles._margin import margins

__all__ = [
    "FEWEST",
    "FEWEST_HALVES",
    "AttackedHalves",
    "Comparison",
    "attack_halves",
    "compare",
    "forgetting_quality",
    "held_out_ratios",
    "image_epsilons",
    "klom",
    "likelihood_ratio",
    "lira_test",
    "margins",
    "ratios",
    "right_guesses",
]
