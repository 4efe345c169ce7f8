"""Copies the figures that the membership attack's check needs out of the full reference of the SalUn authors' code.

    python tests/fidelity/make_svc_attack.py REFERENCE.npz REFERENCE.json

The reference was produced by the authors' public code (OPTML-Group/Unlearn-Saliency, commit a6e89fd): eval-mode logits
of three models of a tiny network with 8 classes, and the scores of the attack whose members are the first 64 retain
samples and whose non-members are the 64 test samples. The authors' modified entropy is left out: that code computes
another quantity.
"""

import json
import sys
from pathlib import Path

import numpy as np

MODELS = ("original", "salun", "random_label")
SETS = {"members": "retain", "nonmembers": "test", "forget": "forget"}
SIZES = {"members": 64, "nonmembers": 64, "forget": 48}

if __name__ == "__main__":
    figures, scores = np.load(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    kept = {f"labels/{ours}": figures[f"y_{theirs}"][: SIZES[ours]] for ours, theirs in SETS.items()}
    for model in MODELS:
        for ours, theirs in SETS.items():
            kept[f"logits/{model}/{ours}"] = figures[f"logits_{model}/{theirs}"][: SIZES[ours]]
        for feature, score in scores[f"svc_mia_{model}"].items():
            kept[f"score/{model}/{feature}"] = np.float64(score)
    np.savez_compressed(Path(__file__).with_name("svc_attack.npz"), **kept)
