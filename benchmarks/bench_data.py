"""How long data takes before a study can begin: generating a set's shape, finding repeated images, hashing.

    python benchmarks/bench_data.py
    python benchmarks/bench_data.py --like bloodmnist --repeats 5

Prints median seconds; MiB are those of the images as uint8.
"""

import argparse

from timing import seconds

from unlearning.data import Synthetic, content_hash
from unlearning.data.duplicates import duplicates, image_digests, standing_in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", default="pathmnist", help="MedMNIST set whose shape is generated")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    source = Synthetic(like=options.like, size=options.size)
    raw = source.read()
    images = [split.images_NCHW for split in raw.splits.values()]
    size_bytes = sum(part.nbytes for part in images)
    counts = " / ".join(str(len(split)) for split in raw.splits.values())
    print(f"{options.like}, {counts} images of {options.size} x {options.size}, {size_bytes / 2**20:.0f} MiB")
    print(f"generating {seconds(source.read, options.repeats):.2f} s")
    print(f"duplicates in train {seconds(lambda: duplicates(image_digests(images[0])), options.repeats):.2f} s")
    print(f"hash {seconds(lambda: content_hash(raw.splits.values()), options.repeats):.2f} s")
    held_out_s = seconds(lambda: standing_in(*map(image_digests, images)), options.repeats)
    print(f"val and test images in train {held_out_s:.2f} s")


if __name__ == "__main__":
    main()
