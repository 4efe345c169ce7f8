"""SalUn as a competent user writes it: a Dataset, DataLoaders, torch.optim, scikit-learn, all loaded anew each time.

`bench_search.py` holds Lethe against it, under Ray Tune and as one process a setting:

    python benchmarks/plain_salun.py FOLDER --lr 0.01 --density 0.5 --epochs 3 --batch-size 64

`bench_quality.py` has a plain search choose its options, `plain_search.py`.

FOLDER holds ``data.npz``, ``model.json``, ``original.pt`` and ``oracle.json``, as `bench_search.py` writes them.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, Subset

from unlearning.models import NETWORKS


class Images(Dataset[tuple[Tensor, int]]):
    """Images and labels of one split."""

    def __init__(self, images_NCHW: np.ndarray, labels_N: np.ndarray) -> None:
        self.images_NCHW = images_NCHW
        self.labels_N = labels_N

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.images_NCHW[index]).float() / 255, int(self.labels_N[index])


def load_model(folder: Path) -> nn.Sequential:
    """Build the network and load the original's weights."""
    options = json.loads((folder / "model.json").read_text())
    network = options["network"]
    model = NETWORKS[network["name"]](**network).build(options["channels"], options["classes"], seed=0)
    model.load_state_dict(torch.load(folder / "original.pt", weights_only=True))
    return model


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def saliency_mask(model: nn.Module, forget: DataLoader[tuple[Tensor, int]], density: float) -> list[Tensor]:
    """Leave the weights trainable on which the forget set's loss pulls most."""
    device = device_of(model)
    model.eval()
    model.zero_grad()
    for images, labels in forget:
        cross_entropy(model(images.to(device)), labels.to(device)).backward()
    scores = [parameter.grad.abs() for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([score.flatten() for score in scores])
    threshold = flat.sort(descending=True).values[int(density * len(flat)) - 1]
    model.zero_grad()
    return [(score >= threshold).float() for score in scores]


@torch.no_grad()
def confidences(
    model: nn.Module, loader: DataLoader[tuple[Tensor, int]], autocast: torch.autocast
) -> tuple[np.ndarray, float]:
    """Return the probability of each image's own class, and the accuracy."""
    model.eval()
    device = device_of(model)
    found, right = [], 0
    for images, labels in loader:
        with autocast:
            logits = model(images.to(device))
        probabilities = logits.float().softmax(1).cpu()
        found.append(probabilities.gather(1, labels[:, None])[:, 0])
        right += int((probabilities.argmax(1) == labels).sum())
    confidence = torch.cat(found).numpy()
    return confidence, right / len(confidence)


def membership(members: np.ndarray, nonmembers: np.ndarray, forget: np.ndarray) -> float:
    """Return the share of the forget set that a support vector classifier calls non-member."""
    chosen = np.random.default_rng(0).permutation(len(members))[: len(nonmembers)]
    features = np.concatenate([members[chosen], nonmembers])[:, None]
    labels = np.concatenate([np.ones(len(chosen)), np.zeros(len(nonmembers))])
    classifier = SVC(C=3, gamma="auto", kernel="rbf").fit(features, labels)
    return 1 - float(classifier.predict(forget[:, None]).mean())


def gap(
    model: nn.Module,
    loaders: dict[str, DataLoader[tuple[Tensor, int]]],
    oracle: dict[str, float],
    autocast: torch.autocast,
) -> float:
    """Return the mean absolute difference to the oracle over UA, RA, VA and MIA."""
    forget, forget_accuracy = confidences(model, loaders["forget"], autocast)
    retain, ra = confidences(model, loaders["retain"], autocast)
    val, va = confidences(model, loaders["val"], autocast)
    own = {"ua": 1 - forget_accuracy, "ra": ra, "va": va, "mia": membership(retain, val, forget)}
    return float(np.mean([abs(own[name] - oracle[name]) for name in own]))


def unlearn(
    folder: Path,
    lr: float,
    density: float,
    epochs: int,
    batch_size: int,
    precision: str,
    device: str,
    schedule: str = "constant",
    forget_weight: float = 1.0,
) -> Iterator[float]:
    """Unlearn from the original, and give the gap after each epoch."""
    torch.manual_seed(0)
    autocast = torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")
    data, oracle = np.load(folder / "data.npz"), json.loads((folder / "oracle.json").read_text())
    train = Images(data["train_images"], data["train_labels"])
    is_forget = np.isin(np.arange(len(train)), data["forget"])
    forget, retain = (
        Subset(train, np.flatnonzero(is_forget).tolist()),
        Subset(train, np.flatnonzero(~is_forget).tolist()),
    )
    sets = {"forget": forget, "retain": retain, "val": Images(data["val_images"], data["val_labels"])}
    loaders = {name: DataLoader(part, batch_size=256) for name, part in sets.items()}
    model = load_model(folder).to(device)
    masks = saliency_mask(model, loaders["forget"], density)
    kept = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    classes = int(data["train_labels"].max()) + 1
    total = epochs * (math.ceil(len(forget) / batch_size) + math.ceil(len(retain) / batch_size))
    falls = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / total)) / 2 if schedule == "cosine" else 1.0
    )
    for _ in range(epochs):
        model.train()
        for part, relabel in ((forget, True), (retain, False)):
            for images, labels in DataLoader(part, batch_size=batch_size, shuffle=True):
                wanted = torch.randint(classes, labels.shape) if relabel else labels
                optimizer.zero_grad()
                with autocast:
                    logits = model(images.to(device))
                loss = cross_entropy(logits.float(), wanted.to(device))
                (forget_weight * loss if relabel else loss).backward()
                for parameter, mask in zip(model.parameters(), masks, strict=True):
                    assert parameter.grad is not None
                    parameter.grad *= mask
                optimizer.step()
                falls.step()
                with torch.no_grad():
                    for parameter, mask, old in zip(model.parameters(), masks, kept, strict=True):
                        parameter.copy_(mask * parameter + (1 - mask) * old)
        yield gap(model, loaders, oracle, autocast)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--density", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    torch.set_num_threads(1)
    print(json.dumps(list(unlearn(**vars(parser.parse_args())))))
