"""How long the membership attack takes with our support vector classifier and with scikit-learn's; do they agree?

    python benchmarks/bench_attack.py
    python benchmarks/bench_attack.py --sizes 7180 --features correctness confidence entropy modified_entropy prob

Sizes are members and non-members together; as many samples again are forgotten. The logits are drawn, members more sure
than non-members. Both compute on one thread; fit and decisions are timed together.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import partial

import numpy as np
import torch
from sklearn.svm import SVC
from timing import Row, by_turns, parser, show

from unlearning.metrics import FEATURES, Feature, Predictions, membership_scores

Sample = tuple[Predictions, Predictions, Predictions]


def draw(classes: int, samples: int, margin: float, random: torch.Generator) -> Predictions:
    labels_N = torch.randint(classes, (samples,), generator=random)
    logits_NK = 1.6 * torch.randn(samples, classes, generator=random)
    logits_NK[torch.arange(samples), labels_N] += margin + 2.8 * torch.randn(samples, generator=random)
    return Predictions(logits_NK, labels_N)


def ours(feature: Feature, sample: Sample) -> float:
    return membership_scores(*sample, [feature])[feature]


def scikit_learns(feature: Feature, sample: Sample) -> float:
    members_ND, nonmembers_ND, forget_MD = (
        FEATURES[feature](part.logits_NK.double(), part.labels_N).numpy() for part in sample
    )
    classifier = SVC(C=3, gamma="auto")
    classifier.fit(np.concatenate([members_ND, nonmembers_ND]), np.repeat([1, 0], [len(members_ND)] * 2))
    return 1 - float(classifier.predict(forget_MD).mean())


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--classes", type=int, default=9)
    options.add_argument("--sizes", nargs="+", type=int, default=[1000, 2000, 5000, 10_000, 20_000])
    options.add_argument("--features", nargs="+", default=["confidence"], choices=list(FEATURES))
    chosen = options.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for size in chosen.sizes:
        random = torch.Generator().manual_seed(0)
        counts = ((size // 2, 8.0), (size // 2, 6.0), (size, 7.0))
        members, nonmembers, forget = (draw(chosen.classes, count, margin, random) for count, margin in counts)
        sample = (members, nonmembers, forget)
        for feature in chosen.features:
            works = {"ours": partial(ours, feature, sample), "theirs": partial(scikit_learns, feature, sample)}
            spent = by_turns(works, chosen.repeats)
            scores = {name: work() for name, work in works.items()}
            rows.append(
                {
                    "feature": feature,
                    "samples": size,
                    "ours s": spent["ours"],
                    "sklearn s": spent["theirs"],
                    "ratio": spent["theirs"] / spent["ours"],
                    "score": round(scores["ours"], 5),
                    "|difference|": abs(scores["ours"] - scores["theirs"]),
                }
            )
    show(f"membership attack, {chosen.classes} classes, median of {chosen.repeats}", rows, chosen.out)


if __name__ == "__main__":
    main()
