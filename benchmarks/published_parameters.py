"""What other parameters of quick methods give under the profile of a published row.

    python benchmarks/published_parameters.py
    python benchmarks/published_parameters.py --resized     # images at 256x256 before the method

A diagnosis of rows that `istsbench reproduce` finds apart, on the test images that these rows are
of: it says which parameters a source may have used, and chooses none for this suite. With
`--resized` each method sees the image as the code of the profile resizes it, in place of a
resized map. It prints a row in Markdown for each; with `--methods` only those of some.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd

from istsbench.data.datasets import open_dataset
from istsbench.registry import create
from istsbench.results.profile_counts import (
    at_size,
    count_under,
    profile_scores,
    resized_image,
)
from istsbench.results.profiles import PROFILES

DRPCANET, BASICIRSTD = ("drpcanet", "test"), ("basicirstd", "50_50/test")
TRIED = {
    "tophat": [{"size": side} for side in (3, 5, 7, 9, 11, 15, 21)],
    "maxmedian": [{"length": length} for length in (3, 5, 7, 9, 11, 13, 15, 17)],
    "mpcm": [{"sides": sides} for sides in ((3,), (5,), (9,), (3, 5, 7), (5, 7, 9), (3, 5, 7, 9))],
    "mnwth": [
        {"outer": outer, "inner": inner, "square": 2 * inner + 1}
        for outer, inner in ((5, 2), (7, 3), (9, 4), (11, 5))
    ],
    "pstnn": [{"sparsity": sparsity} for sparsity in (0.4, 0.7, 1.0)],
    "tllcm": [{}],
}
PLACES = {"tophat": (DRPCANET, BASICIRSTD), "maxmedian": (DRPCANET, BASICIRSTD)}
Pair = tuple[np.ndarray, np.ndarray]  # an image and its mask


def pairs(profile: str, split: str, resized: bool) -> Iterator[Pair]:
    """The images and masks that methods see, native or at the size of the profile."""
    data, side = open_dataset("nuaa"), PROFILES[profile].size
    for name in data.names(split):
        sample = data.load(name)
        if resized and side is not None:
            image = resized_image(PROFILES[profile], sample.image)
            yield image, at_size(PROFILES[profile], sample.image, sample.mask)[1]
        else:
            yield sample.image, sample.mask


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--methods", default=",".join(TRIED))
    arguments.add_argument("--resized", action="store_true")
    given = arguments.parse_args()
    print("| profile | images | method | parameters | IoU | nIoU | Pd | Fa 1e-6 |")
    print("|---|---:|---|---|---:|---:|---:|---:|")
    for name in given.methods.split(","):
        for profile, split in PLACES.get(name, (DRPCANET,)):
            if given.resized and PROFILES[profile].size is None:
                continue
            seen = list(pairs(profile, split, given.resized))
            for parameters in TRIED[name]:
                method = create(name, **parameters)
                rows = [
                    count_under(
                        PROFILES[profile], str(number), method.score(image).astype(np.float32),
                        mask, False,
                    ).row
                    for number, (image, mask) in enumerate(seen)
                ]  # fmt: skip
                found = profile_scores(PROFILES[profile], pd.DataFrame(rows))
                told = ", ".join(f"{key}={value}" for key, value in parameters.items())
                print(
                    f"| {profile} | {len(seen)} | {name} | {told} | {100 * found['iou']:.2f} | "
                    f"{100 * found['niou']:.2f} | {100 * found['pd']:.2f} | "
                    f"{1e6 * found['fa']:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
