"""Images per second of training and of unlearning, and seconds of mask, attack and evaluation, in one run.

python benchmarks/bench_training.py [--width 16] [--images 2048] [--repeats 3]
"""

import argparse

import torch
from timing import seconds

from unlearning.data import Synthetic, load
from unlearning.data.augment import ARMS
from unlearning.data.forget import RandomShare, select
from unlearning.methods import ForgetTask, SalUn, Subject
from unlearning.models import ResNet18
from unlearning.saliency import Saliency, saliency_scores
from unlearning.training import Precision, Recipe, Training, predict
from unlearning.trial import unlearn
from unlearning.yardstick import Yardstick


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=16, help="of the ResNet-18")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1, help="of torch, on a CPU")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = load(Synthetic(train=options.images))
    forget = select(RandomShare(fraction=0.1), data, seed=0)
    images = data.train.images_NCHW.to(device)
    print(
        f"ResNet-18 of width {options.width}, {options.images} images of 28 x 28, {device}, torch {torch.__version__}"
    )
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        model = ResNet18(width=options.width).build(1, data.classes, seed=0).to(device)
        training = Training(
            model,
            images,
            data.train.labels_N,
            torch.arange(len(data.train)),
            recipe=Recipe(epochs=1000, precision=precision),
            arm=ARMS["standard"],
            seed=0,
        )
        rate = options.images / seconds(training.advance, options.repeats)
        print(f"{precision}: training {rate:,.0f} images/s")
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        forget_images = images[forget.indices_F.to(device)]
        forget_labels = data.train.labels_N[forget.indices_F].to(device)
        scores = saliency_scores(model, forget_images, forget_labels)
        saliency = Saliency({name: score.to(device) for name, score in scores.items()})
        forget_N = torch.zeros(len(data.train), dtype=torch.bool).index_fill_(0, forget.indices_F, True)
        task = ForgetTask(data.train.labels_N, forget_N, data.classes)
        subject = Subject(model, images, task, saliency, ARMS["none"], precision)
        method = SalUn(epochs=1)
        spent = seconds(lambda: list(unlearn(subject, weights, method, 0, {})), options.repeats)  # noqa: B023
        print(f"{precision}: SalUn {options.images / spent:,.0f} images/s")
        print(f"{precision}: evaluation {seconds(lambda: predict(model, images, precision), options.repeats):.2f} s")  # noqa: B023
    print(f"saliency {seconds(lambda: saliency_scores(model, forget_images, forget_labels), options.repeats):.3f} s")
    print(f"ranking {seconds(lambda: Saliency(scores), options.repeats):.3f} s")
    print(f"mask {seconds(lambda: saliency.masks(0.5), options.repeats) * 1000:.2f} ms")
    splits = {"train": images, "val": data.val.images_NCHW, "test": data.test.images_NCHW}
    logits = {name: predict(model, split.to(device), "float32") for name, split in splits.items()}
    yardstick = Yardstick(data, forget, seed=0)
    print(f"attack, confidence {yardstick.measure(logits)[1]:.3f} s")
    print(f"attack, five features {seconds(lambda: yardstick.report(logits), options.repeats):.3f} s")


if __name__ == "__main__":
    main()
