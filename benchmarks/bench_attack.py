"""How long the membership attack takes with our support vector classifier and with scikit-learn's.

    OMP_NUM_THREADS=1 python benchmarks/bench_attack.py
    OMP_NUM_THREADS=1 python benchmarks/bench_attack.py --members 1712 --forget 1196 --classes 8 --runs 3

The logits are drawn, members more sure than non-members. The table gives the median seconds over the runs, fit and
decisions together, their ratio, and both scores.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from sklearn.svm import SVC

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


def timed(attack: Callable[[Feature, Sample], float], feature: Feature, sample: Sample) -> tuple[float, float]:
    started = time.perf_counter()
    score = attack(feature, sample)
    return time.perf_counter() - started, score


def bench(classes: int, members: int, forget: int, runs: int) -> None:
    random = torch.Generator().manual_seed(0)
    sample = (
        draw(classes, members, 8.0, random),
        draw(classes, members, 6.0, random),
        draw(classes, forget, 7.0, random),
    )
    print(
        f"{members} members, {members} non-members, {forget} forget samples, {classes} classes, median of {runs} runs"
    )
    print(f"{'feature':<18}{'ours [s]':>10}{'sklearn [s]':>13}{'ratio':>8}{'ours':>9}{'sklearn':>9}")
    totals = [0.0, 0.0]
    for feature in FEATURES:
        medians, scores = [], []
        for attack in (ours, scikit_learns):
            results = [timed(attack, feature, sample) for _ in range(runs)]
            medians.append(median(seconds for seconds, _ in results))
            scores.append(results[0][1])
        print_row(feature, medians, f"{scores[0]:>9.4f}{scores[1]:>9.4f}")
        totals = [total + seconds for total, seconds in zip(totals, medians, strict=True)]
    print_row("all", totals, "")


def print_row(name: str, seconds: list[float], scores: str) -> None:
    print(f"{name:<18}{seconds[0]:>10.3f}{seconds[1]:>13.3f}{seconds[1] / seconds[0]:>8.0f}{scores}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=9)
    parser.add_argument("--members", type=int, default=7180, help="and as many non-members")
    parser.add_argument("--forget", type=int, default=9000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench(options.classes, options.members, options.forget, options.runs)
