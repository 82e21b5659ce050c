"""What other parameters of quick methods give under the profile of a published row.

    python benchmarks/published_parameters.py

A diagnosis of rows that `istsbench reproduce` finds apart, on the test images that these rows are
of: it says which parameters a source may have used, and chooses none for this suite. Each method
sees the native image. It prints a Markdown row for each; with `--methods` only those of some.
"""

import argparse

import numpy as np
import pandas as pd

from istsbench.data.datasets import open_dataset
from istsbench.registry import create
from istsbench.results.profile_counts import count_under, profile_scores
from istsbench.results.profiles import PROFILES

DRPCANET, BASICIRSTD = ("drpcanet", "test"), ("basicirstd", "50_50/test")
TRIED = {
    "tophat": [{"size": side} for side in (3, 5, 7, 9, 11, 15, 21)],
    "maxmedian": [{"length": length} for length in (3, 5, 7, 9, 11, 13, 15, 17, 21)],
    "mpcm": [{"sides": sides} for sides in ((3,), (5,), (9,), (3, 5, 7), (5, 7, 9), (3, 5, 7, 9))],
    "mnwth": [
        {"outer": outer, "inner": inner, "square": 2 * inner + 1}
        for outer, inner in ((5, 2), (7, 3), (9, 4), (11, 5))
    ],
    "pstnn": [{"sparsity": sparsity} for sparsity in (0.4, 0.7, 1.0)],
}
PLACES = {"tophat": (DRPCANET, BASICIRSTD), "maxmedian": (DRPCANET, BASICIRSTD)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--methods", default=",".join(TRIED))
    names = arguments.parse_args().methods.split(",")
    data = open_dataset("nuaa")
    print("| profile | images | method | parameters | IoU | nIoU | Pd | Fa 1e-6 |")
    print("|---|---:|---|---|---:|---:|---:|---:|")
    for name in names:
        for profile, split in PLACES.get(name, (DRPCANET,)):
            samples = [data.load(image) for image in data.names(split)]
            for parameters in TRIED[name]:
                method = create(name, **parameters)
                rows = [
                    count_under(
                        PROFILES[profile], sample.name,
                        method.score(sample.image).astype(np.float32), sample.mask, False,
                    ).row
                    for sample in samples
                ]  # fmt: skip
                found = profile_scores(PROFILES[profile], pd.DataFrame(rows))
                told = ", ".join(f"{key}={value}" for key, value in parameters.items())
                print(
                    f"| {profile} | {len(samples)} | {name} | {told} | {100 * found['iou']:.2f} | "
                    f"{100 * found['niou']:.2f} | {100 * found['pd']:.2f} | "
                    f"{1e6 * found['fa']:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
