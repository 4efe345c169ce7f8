"""Copies the figures that the checks of audits need out of the full reference of the authors' code.

    python tests/fidelity/make_audits.py REFERENCE.npz REFERENCE.json

The reference was produced by public code in float64: RMIA by privacytrustlab/ml_privacy_meter, commit e384af8 (60
images, the first 30 of them members, a population of 80, 8 reference models), DeLong's variance by
yandexdataschool/roc_comparison, commit 62da5b8; KLoM by easydub/EasyDUB-code, commit 5de3c4c (and with its last bin
closed); epsilons of the NeurIPS 2023 competition by google-deepmind/unlearning_evaluation, commit ffae0ff (and by
exact thresholds), of 24 models; U-LiRA by xcadet/deepunlearn, commit 6830ff6 (and with each model held out); lower
bounds on epsilon by Sahasrajit123/audit-unlearning-code, commit a524af7, halved (m candidates, r guesses, v right
ones of each run, at a level of 0.05), and the logarithms of its counts.
"""

import json
import sys
from pathlib import Path

import numpy as np

KEPT = ("rmia/", "delong/", "epsilon/", "klom/", "neurips/", "ulira/")

if __name__ == "__main__":
    figures, scores = np.load(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    kept = {name: figures[name] for name in figures.files if name.startswith(KEPT)}
    kept |= {f"rmia/auc_{name}": np.float64(value) for name, value in scores["rmia_auc"].items()}
    bounds = [
        {name: row[name] for name in ("m", "r", "v", "eps_LB_mean", "eps_LB_median")}
        for row in scores["epsilon_lower_bound"]
    ]
    kept["epsilon/bounds"] = np.array(json.dumps(bounds))
    for kind in ("continuous", "ties"):
        kept |= {f"delong/{kind}_{name}": np.array(scores[f"delong_{kind}"][name]) for name in ("auc", "var")}
    np.savez_compressed(Path(__file__).with_name("audits.npz"), **kept)
