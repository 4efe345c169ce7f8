"""Generated images in MedMNIST's format: for a first run without a download, and for tests and measurements at size.

An image shows its class's pattern, mixed with a share of another class's, a little shifted, over a background of its
own and under pixel noise. The larger that share may be, the more images look like a wrong class: a network can only
memorise those. So an original that trained to the end without augmentation makes few errors on a forget set and its
oracle makes many; under crop and flip a small network memorises less, and the two are closer. These images say
nothing about medicine, and figures measured on them nothing about the set whose shape they may have.

After the patterns, all arithmetic is on integers, so that one seed gives the same bytes on every machine with the same
release of torch.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal, Self, get_args

import torch
from annotated_types import Interval
from pydantic import Field, model_validator
from torch import Tensor

from unlearning.data import catalogue
from unlearning.data._base import SEVERAL, RawData, Source, Split, SplitName, Task
from unlearning.data._medmnist import SetName
from unlearning.seeds import derive, generator

ONE = 256
"""The fixed-point one of the mixing weights."""

PATTERN_CONTRAST = 50.0
"""Standard deviation of a class's pattern, in grey levels."""

BACKGROUND_CONTRAST = 15.0
"""Standard deviation of a background, in grey levels."""

NOISE = 40
"""Largest absolute value of the uniform pixel noise, in grey levels."""

BACKGROUNDS = 64
"""Backgrounds to choose from; each image places its own anywhere."""

JITTER = 2
"""Largest shift of a class's pattern along each side, in pixels."""

WAVES = 6
"""Plane waves in a pattern or background."""

PERIODS = 3
"""Most periods of a wave along a side."""

CHUNK = 4096
"""Images generated at a time, which bounds memory."""

MOST_COMMON: Final = 512
"""Share of the images that show the first of several labels, of 1024; the others come ever more seldom."""

SHAPE_OPTIONS = ("classes", "channels", "train", "val", "test", "multi_label")
Count = Annotated[int, Interval(ge=1, le=1_000_000)]


@dataclass(frozen=True)
class Shape:
    """What a generated set has in common with the set whose shape it takes."""

    task: Task
    classes: int
    channels: int
    counts: dict[SplitName, int]


DEFAULT = Shape("multi-class", classes=6, channels=1, counts={"train": 2000, "val": 400, "test": 400})


class Synthetic(Source):
    """Generated images, the same for the same options; the default is a small set of six classes."""

    later: ClassVar[tuple[str, ...]] = ("multi_label",)
    source: Literal["synthetic"] = "synthetic"
    name: str | None = Field(None, description="what reports call it; by default synthetic, or synthetic-LIKE")
    like: SetName | None = Field(None, description="MedMNIST set whose task, classes, channels and counts are taken")
    share: Annotated[float, Interval(gt=0, le=1)] | None = Field(
        None, description="share of the counts of `like` to generate; by default all"
    )
    classes: Annotated[int, Interval(ge=2, le=1000)] | None = Field(None, description="number of classes; by default 6")
    multi_label: bool | None = Field(
        None,
        description="whether an image shows any number of the patterns, each a label of its own: the first in half of "
        "the images, the k-th in 1 of k + 1",
    )
    channels: Literal[1, 3] | None = Field(None, description="1 for greyscale, 3 for colour; by default 1")
    size: Annotated[int, Interval(ge=8, le=512)] = Field(28, description="side length of the images in pixels")
    train: Count | None = Field(None, description="number of train images; by default 2000")
    val: Count | None = Field(None, description="number of val images; by default 400")
    test: Count | None = Field(None, description="number of test images; by default 400")
    difficulty: Annotated[float, Interval(ge=0, le=1)] = Field(
        0.6, description="largest share of another class's pattern in an image; above 0.5 some images look like it"
    )
    label_noise: Annotated[float, Interval(ge=0, lt=1)] = Field(
        0.0, description="share of the labels, in every split, that are replaced by a random other class"
    )
    seed: Annotated[int, Interval(ge=0)] = Field(0, description="seed of the images; not the study's seed")

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        given = [option for option in SHAPE_OPTIONS if getattr(self, option) is not None]
        if self.like and given:
            raise ValueError(f"`like: {self.like}` sets {', '.join(given)} as well; give one or the other")
        if not self.like and self.share is not None:
            raise ValueError("`share` scales the counts of a set named by `like`; give `like`, or the counts alone")
        return self

    def read(self) -> RawData:
        """Generate the three splits."""
        shape = self._shape()
        area = (shape.channels, self.size)
        patterns_KCHW = _fields(shape.classes, *area, PATTERN_CONTRAST, generator(self.seed, "patterns"))
        backgrounds_BCHW = _fields(BACKGROUNDS, *area, BACKGROUND_CONTRAST, generator(self.seed, "backgrounds"))
        splits: dict[SplitName, Split] = {}
        for split, count in shape.counts.items():
            if shape.task == SEVERAL:
                splits[split] = self._several(split, count, patterns_KCHW, backgrounds_BCHW)
                continue
            shown_N = _balanced(count, shape.classes, generator(self.seed, split, "classes"))
            images_NCHW = torch.cat(
                [
                    self._draw(shown, patterns_KCHW, backgrounds_BCHW, derive(self.seed, split, "images", chunk))
                    for chunk, shown in enumerate(shown_N.split(CHUNK))
                ]
            )
            labels_N = _mislabel(shown_N, shape.classes, self.label_noise, generator(self.seed, split, "labels"))
            splits[split] = Split(images_NCHW, labels_N)
        name = self.name or (f"synthetic-{self.like}" if self.like else "synthetic")
        return RawData(name, shape.task, tuple(f"pattern {k}" for k in range(shape.classes)), splits, "test")

    def _shape(self) -> Shape:
        if not self.like:
            task: Task = SEVERAL if self.multi_label else "binary-class" if self.classes == 2 else "multi-class"
            counts: dict[SplitName, int] = {
                "train": self.train or DEFAULT.counts["train"],
                "val": self.val or DEFAULT.counts["val"],
                "test": self.test or DEFAULT.counts["test"],
            }
            return Shape(task, self.classes or DEFAULT.classes, self.channels or DEFAULT.channels, counts)
        med_set = catalogue.find(self.like)
        share = self.share or 1.0
        counts = {split: max(1, round(share * med_set.samples[split])) for split in get_args(SplitName)}
        return Shape(med_set.task, len(med_set.class_names), med_set.channels, counts)

    def _several(self, split: SplitName, count: int, patterns_KCHW: Tensor, backgrounds_BCHW: Tensor) -> Split:
        """Generate a split whose images show any number of the patterns."""
        classes = len(patterns_KCHW)
        shown_NK = _drawn_labels(count, classes, generator(self.seed, split, "classes"))
        images_NCHW = torch.cat(
            [
                self._draw_several(shown, patterns_KCHW, backgrounds_BCHW, derive(self.seed, split, "images", chunk))
                for chunk, shown in enumerate(shown_NK.split(CHUNK))
            ]
        )
        wrong_NK = torch.rand(shown_NK.shape, generator=generator(self.seed, split, "labels")) < self.label_noise
        return Split(images_NCHW, torch.where(wrong_NK, 1 - shown_NK, shown_NK))

    def _draw_several(self, shown_NK: Tensor, patterns_KCHW: Tensor, backgrounds_BCHW: Tensor, seed: int) -> Tensor:
        """Draw one image for each set of labels, uint8, (N, C, H, W): patterns that are not shown are there faintly."""
        random = torch.Generator().manual_seed(seed)
        (count, classes), channels = shown_NK.shape, patterns_KCHW.shape[1]
        faint = round(ONE * self.difficulty)
        strength_NK = torch.randint(0, faint + 1, (count, classes), generator=random, dtype=torch.int32)
        weight_NK = torch.where(shown_NK == 1, ONE - strength_NK, strength_NK)
        shift_N2 = torch.randint(-JITTER, JITTER + 1, (count, 2), generator=random)
        place_N2 = torch.randint(self.size, (count, 2), generator=random)
        background_N = torch.randint(BACKGROUNDS, (count,), generator=random)
        noise_NCHW = torch.randint(
            -NOISE, NOISE + 1, (count, channels, self.size, self.size), generator=random, dtype=torch.int32
        )
        grey_NCHW = _rolled(backgrounds_BCHW, background_N, place_N2) + noise_NCHW + 128
        for k in range(classes):
            pattern_NCHW = _rolled(patterns_KCHW, torch.full((count,), k), shift_N2)
            grey_NCHW += weight_NK[:, k, None, None, None] * pattern_NCHW // ONE
        return grey_NCHW.clamp_(0, 255).to(torch.uint8)

    def _draw(self, shown_N: Tensor, patterns_KCHW: Tensor, backgrounds_BCHW: Tensor, seed: int) -> Tensor:
        """Draw one image of each class in ``shown_N``, uint8, (N, C, H, W)."""
        random = torch.Generator().manual_seed(seed)
        count, (classes, channels) = len(shown_N), patterns_KCHW.shape[:2]
        other_N = (shown_N + torch.randint(1, classes, (count,), generator=random)) % classes
        weight_N = torch.randint(0, round(ONE * self.difficulty) + 1, (count,), generator=random, dtype=torch.int32)
        shift_N2 = torch.randint(-JITTER, JITTER + 1, (count, 2), generator=random)
        place_N2 = torch.randint(self.size, (count, 2), generator=random)
        background_N = torch.randint(BACKGROUNDS, (count,), generator=random)
        noise_NCHW = torch.randint(
            -NOISE, NOISE + 1, (count, channels, self.size, self.size), generator=random, dtype=torch.int32
        )
        weight_N111 = weight_N[:, None, None, None]
        mixed_NCHW = (ONE - weight_N111) * _rolled(patterns_KCHW, shown_N, shift_N2)
        mixed_NCHW += weight_N111 * _rolled(patterns_KCHW, other_N, shift_N2)
        grey_NCHW = mixed_NCHW // ONE + _rolled(backgrounds_BCHW, background_N, place_N2) + noise_NCHW + 128
        return grey_NCHW.clamp_(0, 255).to(torch.uint8)


def _fields(count: int, channels: int, size: int, contrast: float, random: torch.Generator) -> Tensor:
    """Draw smooth random fields that continue across their borders: sums of plane waves, int32, (count, C, H, W)."""
    shape = (count, channels, WAVES, 1, 1)
    down = torch.randint(-PERIODS, PERIODS + 1, shape, generator=random)
    across = torch.randint(1, PERIODS + 1, shape, generator=random)
    phase = torch.rand(shape, generator=random, dtype=torch.float64)
    position = torch.arange(size, dtype=torch.float64) / size
    waves = torch.cos(2 * math.pi * (down * position[:, None] + across * position + phase)).sum(2)
    return (waves * contrast / math.sqrt(WAVES / 2)).round().to(torch.int32)


def _rolled(fields_KCHW: Tensor, which_N: Tensor, shift_N2: Tensor) -> Tensor:
    """Take field ``which_N[n]`` for each n, rolled by ``shift_N2[n]`` pixels down and across."""
    size = fields_KCHW.shape[-1]
    rows, columns = ((torch.arange(size) - shift_N2[:, axis, None]) % size for axis in (0, 1))
    channels = torch.arange(fields_KCHW.shape[1])[:, None, None]
    return fields_KCHW[which_N[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]


def _balanced(count: int, classes: int, random: torch.Generator) -> Tensor:
    """Draw ``count`` classes in random order, each as often as any other (give or take one)."""
    return (torch.arange(count) % classes)[torch.randperm(count, generator=random)]


def _drawn_labels(count: int, classes: int, random: torch.Generator) -> Tensor:
    """Draw which of several labels each image has, int64, (N, K) of 0 and 1."""
    rarity_K = torch.tensor([2 * MOST_COMMON // (k + 2) for k in range(classes)])
    return (torch.randint(1024, (count, classes), generator=random) < rarity_K).long()


def _mislabel(shown_N: Tensor, classes: int, share: float, random: torch.Generator) -> Tensor:
    """Replace a share of the labels by a random other class."""
    labels_N = shown_N.clone()
    wrong_M = torch.randperm(len(labels_N), generator=random)[: round(share * len(labels_N))]
    step_M = torch.randint(1, classes, (len(wrong_M),), generator=random)
    labels_N[wrong_M] = (labels_N[wrong_M] + step_M) % classes
    return labels_N
