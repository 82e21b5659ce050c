"""Anyone's predictions as rows among the others.

A prediction is a grey picture, or an array in NAME.npy or, under the key T or alone, in
NAME.npz or NAME.mat. 0 is background, full scale is target, and what lies between counts as a
score, all levels of it. Full scale is that of a picture's or array's type, and 1 for floats.
The mask is what lies above half of full scale. Scores are counted at the size of the image: a
map of another size is refused, or resized if asked for, and then every table says so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from istsbench.data.images import pixel_hash
from istsbench.data.samples import Dataset, picture_of, size_text
from istsbench.errors import DataError, WrongUse
from istsbench.registry import file_name
from istsbench.results import edit
from istsbench.results.prediction_files import Predicted, find_predictions, read_prediction
from istsbench.runs.counting import count, write_counts
from istsbench.runs.images import Images
from istsbench.runs.maps import StoredMap
from istsbench.runs.record import Record, map_store, sound
from istsbench.runs.run import DEFAULT_RULES
from istsbench.threshold import Fixed

RULE = Fixed(0.5)
LABEL = "submitted"  # of predictions that lie in the folder that was named
BINARY = "predictions of 0 and 1: 1 is taken as full scale"


@dataclass(frozen=True)
class _Seen:
    """The predictions of one method, all of them looked at."""

    label: str
    predicted: Predicted
    digest: str
    scale: float  # full scale
    notes: tuple[str, ...]
    resized: str  # how many maps are of another size than their images; empty for none


def submit(
    folder: Path,
    dataset: Dataset,
    out: Path,
    *,
    label: str = LABEL,
    split: str = "test",
    wanted: Sequence[str] = DEFAULT_RULES,
    suffix: str | None = None,
    resize: bool = False,
    replace: bool = False,
) -> tuple[Path, Record]:
    """`submit_all` for a folder with the predictions of one method."""
    done, records = submit_all(
        folder, dataset, out, label=label, split=split, wanted=wanted, suffix=suffix,
        resize=resize, replace=replace,
    )  # fmt: skip
    return done, records[0]


def submit_all(
    folder: Path,
    dataset: Dataset,
    out: Path,
    *,
    label: str | None = None,
    split: str = "test",
    wanted: Sequence[str] = DEFAULT_RULES,
    suffix: str | None = None,
    resize: bool = False,
    replace: bool = False,
) -> tuple[Path, list[Record]]:
    """Count the predictions of each method below `folder`; returns results folder and records.

    A row is called `label` in tables and `submitted(label)` in results; without a label it is
    called as its folder, and `LABEL` where the predictions lie in `folder` itself. `suffix` is
    what stands behind an image's name in that of its prediction (None: found by itself).
    `resize` brings maps of another size to that of their images by bilinear interpolation.
    `replace` lets a row take the place of one that has its label and other predictions.

    Raises `DataError` before anything is written if predictions are missing, twice there,
    unreadable, of another size or of unknown scale, `WrongUse` if a row of that label has other
    predictions, or one label is given for several methods.
    """
    if label is not None:
        label = _plain(label)
    images = Images.load(dataset, split, None, wanted)
    methods = find_predictions(folder, dataset, images.names, suffix)
    if label is not None and len(methods) > 1:
        several = ", ".join(one.label or one.folder.name for one in methods)
        raise WrongUse(
            f"{folder}: predictions of {len(methods)} methods, {several}; they are called as their "
            "folders: leave --label out, or name one of the folders by --pred"
        )
    shapes = {name: dataset.load(name).mask.shape for name in images.names}
    labels = [_plain(one.label or LABEL) if label is None else label for one in methods]
    if len({*labels}) < len(labels):
        raise WrongUse(f"{folder}: two folders of one name among {', '.join(labels)}")
    seen = [
        _look(one, called, images, shapes, resize)
        for one, called in zip(methods, labels, strict=True)
    ]
    records = [_record(one, images, wanted) for one in seen]
    folder = out / images.tag
    for record in records:
        there = sound(folder, record.file)
        if there is not None and there.method_hash != record.method_hash:
            if not replace:
                raise WrongUse(
                    f"a row {record.label!r} with other predictions is there; give another "
                    "--label, or --replace to put these in its place"
                )
    done = []
    for one, record in zip(seen, records, strict=True):
        store = map_store(out, record)
        for name, path in one.predicted.files.items():
            if not store.has(name, images.pixels[name]):
                score = _fitted(read_prediction(path) / one.scale, shapes[name])
                store.save(name, StoredMap(score, images.pixels[name], float("nan")))
        counted = count(RULE, store, dataset, images.names, (), wanted)
        there = sound(folder, record.file)
        if there is not None and there.method_hash != record.method_hash:
            edit.remove(folder, [there.method])
        done.append(write_counts(folder, record, counted, store))
    return folder, done


def _plain(label: str) -> str:
    label = " ".join(label.split())
    if not label:
        raise WrongUse("the label of the submitted row is empty")
    return label


def _record(seen: _Seen, images: Images, wanted: Sequence[str]) -> Record:
    spec = f"submitted({seen.label})"
    return Record(
        method=spec,
        label=seen.label,
        group="submitted",
        year=9999,
        status="submitted",
        own=repr(RULE),
        file=file_name(spec),
        method_hash=seen.digest,
        wanted=tuple(wanted),
        resized=seen.resized,
        notes=(*images.notes, *seen.notes),
        **images.fields(),
    )


def _look(
    predicted: Predicted,
    label: str,
    images: Images,
    shapes: dict[str, tuple[int, ...]],
    resize: bool,
) -> _Seen:
    """Read every prediction of a method once; raises `DataError` for what cannot be counted."""
    digest = hashlib.sha256()
    scale = _Scale(predicted.folder)
    sizes: Counter[str] = Counter()
    images_themselves = True
    for name, path in predicted.files.items():
        values, shape = read_prediction(path), shapes[name]
        if values.shape != shape:
            _check_size(path, values, shape, resize)
            sizes[size_text(values)] += 1
        scale.add(values)
        digest.update(name.encode() + values.tobytes())
        images_themselves &= pixel_hash(values) == picture_of(images.pixels[name])
    if images_themselves and scale.high > 0:
        raise DataError(
            f"{predicted.folder}: these are the images of {images.dataset.name}, not predictions"
        )
    full, note = scale.full()
    notes = (*predicted.notes, *((note,) if note else ()))
    return _Seen(label, predicted, digest.hexdigest()[:10], full, notes, _told(sizes, len(shapes)))


def _check_size(path: Path, values: np.ndarray, shape: tuple[int, ...], resize: bool) -> None:
    height, width = shape
    if values.shape == (width, height):
        raise DataError(
            f"{path}: {size_text(values)}, the image is {width}x{height}: rows and columns are "
            "exchanged; expected them as in the image"
        )
    if not resize:
        raise DataError(
            f"{path}: {size_text(values)}, expected the size of the image, {width}x{height}; "
            "--resize brings maps to the size of their images"
        )


def _told(sizes: Counter[str], images: int) -> str:
    """How many maps are resized, and from which sizes."""
    if not sizes:
        return ""
    which = ", ".join(size for size, _ in sizes.most_common(3))
    more = f" and {len(sizes) - 3} other sizes" if len(sizes) > 3 else ""
    return f"{sizes.total()} of {images} maps from {which}{more}"


def _fitted(score: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A map in 0..1 at the size of its image, float32 (H, W)."""
    score = score.astype(np.float32)
    if score.shape == shape:
        return score
    return cv2.resize(score, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


class _Scale:
    """Full scale of all predictions of a method, and what has to be said of it.

    Decided for all at once, since what is dark in one file may be bright in another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.types: set[str] = set()
        self.low, self.high = float("inf"), float("-inf")

    def add(self, values: np.ndarray) -> None:
        self.types.add(str(values.dtype))
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    def full(self) -> tuple[float, str]:
        kinds, low, high = sorted(self.types), self.low, self.high
        if low < 0 or len({kind.rstrip("0123456789") for kind in kinds}) > 1:
            raise DataError(
                f"{self.folder}: predictions of {' and '.join(kinds)}, from {low:g} to {high:g}; "
                "expected one kind, scores from 0 on"
            )
        kind = kinds[0]
        if kind == "bool":
            return 1.0, ""
        if kind.startswith("float"):
            if high <= 1:
                return 1.0, ""
            raise DataError(
                f"{self.folder}: floats up to {high:g}; expected scores from 0 to 1: bring them "
                "there, all images by one factor"
            )
        if high <= 1 and high > 0:
            return 1.0, BINARY
        if kinds not in (["uint8"], ["uint16"]) and high > 0:
            if high == 255:
                return 255.0, ""
            raise DataError(
                f"{self.folder}: predictions of {' and '.join(kinds)} up to {high:g}; expected one "
                "type: uint8 (full scale 255), uint16 (65535), floats from 0 to 1, bool, or 0 and 1"
            )
        return float(np.iinfo(kind).max), ""
