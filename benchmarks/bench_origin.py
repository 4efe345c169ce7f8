"""Do MedMNIST's test images look to an oracle as its other unseen images do, or as images of another origin?

    python benchmarks/bench_origin.py --data FOLDER pneumoniamnist retinamnist bloodmnist organamnist

For each set and seed an oracle is trained without a tenth of train, drawn at random. The images of that tenth, of val
and of test are all unseen. Measured are the accuracy on each; the share that an attack calls non-member which was
fitted to retained images against that tenth; and the chance that the oracle is less sure of an image than of one of
that tenth (0.5 where both look alike). Means over the seeds, with the sample standard deviation of that chance.
"""

from pathlib import Path
from statistics import fmean, stdev

import torch
from network import network_named
from sklearn.metrics import roc_auc_score
from timing import Row, parser, show

from unlearning.data import ImageData, MedMNIST, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import RandomShare, select
from unlearning.metrics import FEATURES, Predictions, accuracy, draw_members, membership_scores
from unlearning.models import Network
from unlearning.seeds import derive, generator
from unlearning.training import Recipe, Training


def unseen_and_retained(data: ImageData, network: Network, recipe: Recipe, seed: int) -> dict[str, Predictions]:
    forget = select(RandomShare(fraction=0.1), data, derive(seed, "forget"))
    model = network.build(data.train.images_NCHW.shape[1], data.classes, derive(seed, "weights"))
    train = data.train
    training = Training(
        model,
        train.images_NCHW,
        train.labels_N,
        forget.retain_R,
        recipe=recipe,
        augmentation=AUGMENTATIONS["none"],
        seed=seed,
    )
    for _ in range(recipe.epochs):
        training.advance()
    of_train, of_val, of_test = (
        Predictions(training.engine.predict(split.images_NCHW), split.labels_N)
        for split in (train, data.val, data.test)
    )
    retained, forgotten = of_train.at(forget.retain_R), of_train.at(forget.indices_F)
    return {"retained": retained, "forgotten": forgotten, "val": of_val, "test": of_test}


def less_sure(sample: Predictions, reference: Predictions) -> float:
    sure = [FEATURES["confidence"](one.logits_NK.double(), one.labels_N) for one in (sample, reference)]
    is_reference = torch.arange(len(sample) + len(reference)) >= len(sample)
    return float(roc_auc_score(is_reference, torch.cat(sure).squeeze(1)))


def measure(data: ImageData, network: Network, recipe: Recipe, seed: int) -> dict[str, float]:
    seen = unseen_and_retained(data, network, recipe, seed)
    attack = draw_members(seen["retained"], seen["forgotten"], generator(seed, "members"))
    measured = {"accuracy forgotten": accuracy(seen["forgotten"])}
    for name in ("val", "test"):
        measured |= {
            f"accuracy {name}": accuracy(seen[name]),
            f"non-member {name}": membership_scores(*attack, seen[name])["confidence"],
            f"less sure {name}": less_sure(seen[name], seen["forgotten"]),
        }
    return measured


def main() -> None:
    options = parser(__doc__)
    options.add_argument("sets", nargs="+")
    options.add_argument("--data", type=Path, help="folder of MedMNIST's files; else LETHE_DATA, else ~/.medmnist")
    options.add_argument("--network", type=network_named, default="cnn:16")
    options.add_argument("--epochs", type=int, default=15)
    options.add_argument("--seeds", type=int, default=3)
    chosen = options.parse_args()
    recipe = Recipe(epochs=chosen.epochs, batch_size=128)
    rows: list[Row] = []
    for name in chosen.sets:
        data = load(MedMNIST(name=name, root=chosen.data, download=False))
        each = [measure(data, chosen.network, recipe, seed) for seed in range(chosen.seeds)]
        row = {column: fmean(one[column] for one in each) for column in each[0]}
        spread = {f"± {split}": stdev(one[f"less sure {split}"] for one in each) for split in ("val", "test")}
        rows.append({"set": name, **row, **spread})
    title = f"Oracles of {chosen.epochs} epochs on images of the same and of another origin, {chosen.seeds} seeds"
    show(title, rows, chosen.out)


if __name__ == "__main__":
    main()
