"""The interface that every method fulfils: an image in, a score map out.

A method is a frozen dataclass with one required method, `score`. Its fields are
its parameters, all with defaults; nothing is computed in the constructor and
nothing is kept between calls, so that a method is a value: it compares, prints,
pickles, and gives the same map for the same image in any order, batch or process.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from istsbench.threshold import MeanStd, Threshold

if TYPE_CHECKING:
    from istsbench.data import Dataset

Image = np.ndarray  # float64 (H, W), grey levels 0..255
Map = np.ndarray  # float64 (H, W), finite, >= 0, larger = more target-like, background about 0
Mask = np.ndarray  # bool (H, W), True on targets

STATUSES = ("reference-checked", "paper", "reconstruction")


@dataclass(frozen=True)
class Card:
    """What a table says of a method.

    `label` is its name in tables (the paper's spelling where it has a row there),
    `group` its block (`spatial`, `hvs`, `lowrank`, `cnn`, `game`, or a name of your own),
    `venue` the journal or conference in short, `doi` the DOI, arXiv id or URL.
    `status` is "reference-checked" (equals a public reference code), "paper" (built from
    the paper's text) or "reconstruction" (source not reachable: tables mark the row).
    """

    label: str
    group: str
    venue: str
    year: int
    doi: str
    status: str

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, expected one of {', '.join(STATUSES)}")


@dataclass(frozen=True)
class Segmenter(ABC):
    """A method of infrared small target segmentation."""

    card: ClassVar[Card]
    threshold: ClassVar[Threshold] = MeanStd(3)
    """The method's own rule: its paper's, or one calibrated without any test image."""
    batched: ClassVar[bool] = False
    """True if `score_many` is faster than `score` image by image (networks)."""
    excused: ClassVar[Mapping[str, str]] = {}
    """Conformance checks that the method cannot pass by its nature, each with the reason."""

    @abstractmethod
    def score(self, image: Image) -> Map:
        """Return the score map of one image.

        `image` is float64 (H, W) with grey levels 0..255 and is not changed. The map is
        float64 (H, W), finite and not negative; larger means more target-like.
        """

    def score_many(self, images: Iterable[Image]) -> Iterator[Map]:
        """Yield the score maps of several images, in their order."""
        return map(self.score, images)

    def segment(self, image: Image) -> Mask:
        """Return the target mask, bool (H, W), by the method's own threshold rule."""
        return self.threshold(self.score(image))


class MissingWeights(FileNotFoundError):
    """A method that learns has no weights; the message says which files and which command."""


def weight_folders() -> list[Path]:
    """Folders in which published weights are looked for, in order; below each: DATASET/METHOD."""
    named = [Path(os.environ["ISTSBENCH_WEIGHTS"])] if os.environ.get("ISTSBENCH_WEIGHTS") else []
    published = Path("results") / "weights"
    return [*named, published, Path(__file__).resolve().parents[1] / published]


@dataclass(frozen=True)
class Trainable(Segmenter):
    """A method that learns; `weights` names the file that holds what it learnt."""

    weights: Path | None = None  # None: the published file for the data set, where there is one

    @classmethod
    def registered_name(cls) -> str:
        """The name that the class is registered under, which its weight files carry."""
        for entry in entry_points(group="istsbench.segmenters"):
            if entry.value == f"{cls.__module__}:{cls.__qualname__}":
                return entry.name
        return cls.__name__.lower()

    def pretrained(self, dataset: str) -> Self:
        """A copy that uses the published weights for a data set.

        The method itself if its weights are given or no such file is there.
        """
        if self.weights is not None:
            return self
        name = f"{self.registered_name()}.safetensors"
        places = [folder / dataset / name for folder in weight_folders()]
        found = next((path for path in places if path.is_file()), None)
        return self if found is None else replace(self, weights=found)

    @abstractmethod
    def fit(self, dataset: Dataset, out: Path, **options: object) -> Self:
        """Train on `dataset`, write weights under `out`, return a copy that uses them."""
