"""Which files a run writes, and where each lies.

Everything is below one folder, OUT (`results` unless `--out` says otherwise):

    OUT/maps/DATASET/METHOD-HASH/IMAGE.npy          score maps, the only thing that costs time
    OUT/maps/DATASET/METHOD-HASH/IMAGE.failed.json  why an image has no map
    OUT/TAG/METHOD.csv                              counts, a row per image and rule
    OUT/TAG/METHOD.json                             what they were made by: `runs.record`
    OUT/TAG/curves/METHOD.csv                       the ROC and PR curve
    OUT/TAG/protocol.toml                           how to run it again: `results.manifest`

TAG is the data set's name, with the split unless it is `test`, with the depth that images were
scaled from if it was chosen, and with the number of images if it was limited, so that a trial
never overwrites a full result.
"""

from __future__ import annotations

from pathlib import Path

from istsbench.data.depth import folder_ending


def maps_folder(out: Path, dataset: str = "", depth: str = "") -> Path:
    """The folder of all maps of a data set at a depth; of all data sets if none is named."""
    return out / "maps" / (dataset + folder_ending(depth))


def counts_file(folder: Path, file: str) -> Path:
    """The counts of a method, METHOD.csv; `folder` is OUT/TAG, `file` the record's `file`."""
    return folder / f"{file}.csv"


def record_file(folder: Path, file: str) -> Path:
    """The record of a method, METHOD.json."""
    return folder / f"{file}.json"


def curves_folder(folder: Path) -> Path:
    """The folder of the curves of all methods."""
    return folder / "curves"


def curve_file(folder: Path, file: str) -> Path:
    """The ROC and PR curve of a method."""
    return curves_folder(folder) / f"{file}.csv"
