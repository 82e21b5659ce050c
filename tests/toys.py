"""Toy methods and a toy data set for the tests of the core.

Each call of `score` on an image of the toy data set adds a line, the image's number, to
the file that TOY_LOG names, whatever process it happens in.
"""

import hashlib
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from istsbench.data.samples import Dataset
from istsbench.data.synthetic import scene, synthetic
from istsbench.runs.counting import FIRST_COLUMNS
from istsbench.runs.record import Record, read_record, write_record
from istsbench.segmenter import Card, Segmenter, Trainable, parameter
from istsbench.threshold import Fixed, MeanStd

HERE = Path(__file__).parent
SHAPE = (24, 32)
COUNTS = {"train": 3, "val": 4, "test": 6}
MARKED = "test_2"  # the image that bad methods fail on: its number is 12
FIRST = {"train": 1, "val": 5, "test": 10}  # grey level of the corner pixel that numbers images
NAMES = {
    FIRST[split] + number: f"{split}_{number}"
    for split, count in COUNTS.items()
    for number in range(count)
}


def few(**counts: int) -> Dataset:
    """The synthetic data set with so many images of each split, `train=2, val=1, test=2`."""
    whole = synthetic()
    splits = {split: whole.splits[split][:count] for split, count in counts.items()}
    return replace(whole, splits=splits)


def as_earlier(folder: Path, file: str) -> None:
    """Bring the counts and the record of a row to what versions before hIoU wrote."""
    path, record = folder / f"{file}.csv", read_record(folder / f"{file}.json")
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)[[*FIRST_COLUMNS]]
    rows.to_csv(path, index=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write_record(folder, replace(record, csv=digest, target_auc=None))


def make_folder(root: Path) -> Path:
    """A folder:PATH data set of 24x32 scenes with one 3x3 target each."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number, name in NAMES.items():
        image = scene(*SHAPE, seed=number)
        image[0, 0] = number
        mask = np.zeros(SHAPE, np.uint8)
        mask[11:14, 15:18] = 255
        cv2.imwrite(str(root / "images" / f"{name}.png"), image.astype(np.uint8))
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    for split in COUNTS:
        names = [name for name in NAMES.values() if name.startswith(split)]
        (root / f"{split}.txt").write_text("\n".join(names))
    return root


def scored() -> list[str]:
    """The images that toys have scored, in order, by the log."""
    path = Path(os.environ["TOY_LOG"])
    return [NAMES[int(line)] for line in path.read_text().split()] if path.is_file() else []


def _note(image):
    if image.shape == SHAPE and "TOY_LOG" in os.environ:
        with open(os.environ["TOY_LOG"], "a") as file:
            file.write(f"{int(image[0, 0])}\n")


@dataclass(frozen=True)
class Toy(Segmenter):
    """What rises above the median."""

    card = Card("Toy", "toys", "Nowhere", 2001, "none", "paper")
    threshold = MeanStd(3)

    gain: float = parameter(1.0, "factor of the map")
    seconds: float = parameter(0.0, "how long an image takes")
    note: str = parameter("", "changes nothing but the name")

    def score(self, image):
        _note(image)
        time.sleep(self.seconds)
        return self.gain * np.maximum(image - np.median(image), 0)


@dataclass(frozen=True)
class Bad(Segmenter):
    """Goes wrong on one image, in a way of choice."""

    card = Card("Bad", "toys", "Nowhere", 2002, "none", "reconstruction")

    how: str = "raise"

    def score(self, image):
        _note(image)
        score = np.maximum(image - np.median(image), 0)
        if image[0, 0] != 12:
            return score
        score[3, 4] = {"nan": np.nan, "inf": np.inf, "negative": -1, "huge": 1e300}.get(self.how, 0)
        if self.how == "raise":
            raise ArithmeticError("no\nway")
        if self.how == "oserror":
            raise FileNotFoundError("weights.bin")
        if self.how == "memory":
            raise MemoryError
        if self.how == "exit":
            sys.exit(3)
        if self.how == "hang":  # in C code that lets no other thread run
            re.match("(a+)+$", "a" * 60 + "b")
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "complex":
            return score.astype(complex)
        return {"list": score.tolist(), "none": None, "shape": score.T}.get(self.how, score)


@dataclass(frozen=True)
class Batch(Segmenter):
    """Scores several at once, and counts how it was called."""

    card = Card("Batch", "toys", "Nowhere", 2003, "none", "paper")
    threshold = Fixed(0.5)
    batched = True

    how: str = ""

    def score(self, image):
        _note(image)
        if self.how == "raise" and image[0, 0] == 12:
            raise ArithmeticError("no way")
        return np.clip((image - np.median(image)) / 100, 0, 1)

    def score_many(self, images):
        return [self.score(image) for image in images]


@dataclass(frozen=True)
class SlowStart(Toy):
    """Takes a second where it is not measured: on the first, small image."""

    def score(self, image):
        if image.shape != SHAPE:
            time.sleep(1)
        return super().score(image)


@dataclass(frozen=True)
class Learner(Trainable):
    """Learns one number, which its weights file holds as text."""

    card = Card("Learner", "toys", "Nowhere", 2005, "none", "paper")

    def score(self, image):
        _note(image)
        return np.maximum(image - float(self.weights.read_text()), 0)

    def fit(self, dataset, out, **options):
        raise NotImplementedError


@dataclass(frozen=True)
class Forgetful(Segmenter):
    """A plug-in that lacks its method; it cannot even be created."""

    card = Card("Forgetful", "toys", "Nowhere", 2004, "none", "paper")


LINES = {
    "toy": "toys:Toy",
    "bad": "toys:Bad",
    "batch": "toys:Batch",
    "learner": "toys:Learner",
    "forgetful": "toys:Forgetful",
    "absent": "no_such_package:Method",
    "notclass": "toys:SHAPE",
}


def install(folder: Path, lines: dict[str, str] = LINES, package: str = "toys") -> dict[str, str]:
    """Lay the toys out as an installed package; the environment for a process that sees them."""
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    entries = "".join(f"{name} = {value}\n" for name, value in lines.items())
    (metadata / "entry_points.txt").write_text(f"[istsbench.segmenters]\n{entries}")
    path = os.pathsep.join([str(folder), str(HERE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "TOY_LOG": str(folder / "log")}


def make_record(method="toy", **changes):
    """A record of counts on two images that nobody made."""
    fields = {
        "label": method, "group": "spatial", "year": 2000, "status": "paper", "file": method,
        "own": "MeanStd(k=3)", "dataset": "nuaa", "title": "NUAA-SIRST", "split": "test",
        "images": 2, "of": 2, "data_hash": "abc", "wanted": ("own", "half"),
        "rules": {"own": "MeanStd(k=3)", "half": "PeakRatio(ratio=0.5)"}, "auc": 0.9,
        "average_precision": 0.5,
    }  # fmt: skip
    return Record(method=method, **{**fields, **changes})
