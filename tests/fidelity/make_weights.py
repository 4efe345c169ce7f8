"""Copies the figures that the weight checks need out of the full reference file of the SalUn authors' code.

    python tests/fidelity/make_weights.py REFERENCE.npz

The reference was produced by the authors' public code (OPTML-Group/Unlearn-Saliency, commit a6e89fd) in float32 on one
CPU thread, on a tiny network: two epochs a method, batches of 16, momentum 0.9, weight decay 5e-4, lr 0.01 (0.002 for
gradient ascent).
"""

import sys
from pathlib import Path

import numpy as np

KEPT = ("x_", "y_", "original/", "saliency/", "mask_", "salun", "random_label", "finetune/", "gradient_ascent/")

if __name__ == "__main__":
    full = np.load(sys.argv[1])
    kept = {name: full[name] for name in full.files if name.startswith(KEPT) and not name.endswith("test")}
    np.savez_compressed(Path(__file__).with_name("weights.npz"), **kept)
