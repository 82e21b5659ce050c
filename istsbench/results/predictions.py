"""Anyone's prediction images as a row among the others.

A prediction is a grey image of the sample's size: 0 is background, full scale is target,
and what lies between counts as a score. The mask is what lies above half of full scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from istsbench.data.datasets import Dataset, FolderDataset
from istsbench.data.images import read_grey
from istsbench.data.layouts import pictures
from istsbench.errors import DataError, WrongUse
from istsbench.registry import file_name
from istsbench.runs.counting import count, write_counts
from istsbench.runs.images import Images
from istsbench.runs.maps import StoredMap
from istsbench.runs.record import Record, map_store, sound
from istsbench.runs.run import DEFAULT_RULES
from istsbench.threshold import Fixed

RULE = Fixed(0.5)


def submit(
    folder: Path,
    dataset: Dataset,
    out: Path,
    *,
    label: str = "submitted",
    split: str = "test",
    wanted: Sequence[str] = DEFAULT_RULES,
) -> tuple[Path, Record]:
    """Count the prediction images in `folder`; returns the results folder and the record.

    The row is called `label` in tables and `submitted(label)` in results. Raises `DataError`
    if a prediction is missing, unreadable or of another size, `WrongUse` if there is a row of
    that label with other predictions.
    """
    label = " ".join(label.split())
    if not label:
        raise WrongUse("the label of the submitted row is empty")
    images = Images.load(dataset, split, None, wanted)
    found = pictures(folder)
    paths = {name: _partner(found, dataset, name, folder) for name in images.names}
    digest = hashlib.sha256()
    predictions = {}
    for name, path in paths.items():
        pixels, shape = read_grey(path), dataset.load(name).mask.shape
        if pixels.shape != shape:
            raise DataError(
                f"{path}: {pixels.shape[1]}x{pixels.shape[0]}, expected the size of the image, "
                f"{shape[1]}x{shape[0]}"
            )
        digest.update(name.encode() + pixels.tobytes())
        predictions[name] = pixels
    spec = f"submitted({label})"
    record = Record(
        method=spec,
        label=label,
        group="submitted",
        year=9999,
        status="submitted",
        own=repr(RULE),
        file=file_name(spec),
        method_hash=digest.hexdigest()[:10],
        wanted=tuple(wanted),
        notes=images.notes,
        **images.fields(),
    )
    there = sound(out / images.tag, record.file)
    if there is not None and there.method_hash != record.method_hash:
        raise WrongUse(
            f"a row {label!r} with other predictions is there; give another --label, or remove "
            f"{out / images.tag / record.file}.json to replace it"
        )
    store = map_store(out, record)
    for name, pixels in predictions.items():
        if not store.has(name, images.pixels[name]):
            score = (pixels / 255).astype(np.float32)
            store.save(name, StoredMap(score, images.pixels[name], float("nan")))
    counted = count(RULE, store, dataset, images.names, (), wanted)
    return out / images.tag, write_counts(out / images.tag, record, counted, store)


def _partner(found: dict[str, Path], dataset: Dataset, name: str, folder: Path) -> Path:
    stems = [name]
    if isinstance(dataset, FolderDataset):
        stems.append(dataset.pairs[name][0].stem)
    for stem in stems:
        if stem in found:
            return found[stem]
    raise DataError(
        f"{folder}: no prediction for {name} (expected {stems[-1]}.png); found "
        f"{len(found)} pictures, {', '.join(sorted(found)[:3])} ..."
    )
