"""Copies the figures that the checks of rival methods need out of the full reference file of their authors' code.

    python tests/fidelity/make_rivals.py RIVALS_REFERENCE.npz SALUN_REFERENCE.npz

The reference was produced by the authors' own public code in float32 on one CPU thread, on the images, labels, network
and start weights of ``weights.npz``: batches of 16 in file order, no augmentation. Test images and l1_sparse are from
the file that ``weights.npz`` was copied from. Repositories and commits:

    neggradplus, scrub  meghdadk/SCRUB@98ffb11 and kairanzhao/RUM@f593c9d
    ssd                 if-loops/selective-synaptic-dampening@cdfdc0e and pedroandreou/supreme-unlearning@9d776fd
    bad_teacher         vikram2000b/bad-teaching-unlearning@f1aa988, "batchmean" by shaaaaron/DELETE@60018a1
    msg, ct, fcs        xcadet/deepunlearn@6830ff6
    amun                Ali-E/AMUN@9e341a9
    munba               JingWu321/MUNBa@7038772
    regun, amun_regun   jmirlach/ReGUn@088d6bf
    delete              shaaaaron/DELETE@60018a1
    sfron               K1nght/Unified-Unlearning-w-Remain-Geometry@36bb7f6
    scissorhands        JingWu321/Scissorhands@73ae065
    iu                  OPTML-Group/Unlearn-Saliency@a6e89fd
"""

import sys
from pathlib import Path

import numpy as np

LEFT_OUT = ("/logits", "num_batches_tracked", "scrub/rum", "adv_delta_norm")

if __name__ == "__main__":
    full = np.load(sys.argv[1])
    kept = {name: full[name] for name in full.files if not any(part in name for part in LEFT_OUT)}
    salun = np.load(sys.argv[2])
    kept |= {name: salun[name] for name in salun.files if name.startswith(("x_test", "y_test", "l1_sparse/"))}
    np.savez_compressed(Path(__file__).with_name("rivals.npz"), **kept)
