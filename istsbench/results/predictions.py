"""Anyone's predictions as a row among the others.

A prediction is a grey picture of the sample's size, NAME.png or NAME_Pred.png, or an array in
NAME.npy or, under the key T or alone, in NAME.mat. 0 is background, full scale is target, and
what lies between counts as a score, all levels of it. Full scale is that of a picture's or
array's type, and 1 for floats. The mask is what lies above half of full scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from istsbench.data.images import read_file
from istsbench.data.layouts import SUFFIXES
from istsbench.data.samples import Dataset, FolderDataset, size_text
from istsbench.errors import DataError, WrongUse
from istsbench.registry import file_name
from istsbench.runs.counting import count, write_counts
from istsbench.runs.images import Images
from istsbench.runs.maps import StoredMap
from istsbench.runs.record import Record, map_store, sound
from istsbench.runs.run import DEFAULT_RULES
from istsbench.threshold import Fixed

RULE = Fixed(0.5)
ENDS = ("", "_pred")  # of the name of a prediction, in letters of any case
_KEY = "T"  # of a .mat file
BINARY = "predictions of 0 and 1: 1 is taken as full scale"


def submit(
    folder: Path,
    dataset: Dataset,
    out: Path,
    *,
    label: str = "submitted",
    split: str = "test",
    wanted: Sequence[str] = DEFAULT_RULES,
) -> tuple[Path, Record]:
    """Count the predictions in `folder`; returns the results folder and the record.

    The row is called `label` in tables and `submitted(label)` in results. Raises `DataError`
    before anything is written if a prediction is missing, twice there, unreadable, of another
    size or of unknown scale, `WrongUse` if there is a row of that label with other predictions.
    """
    label = " ".join(label.split())
    if not label:
        raise WrongUse("the label of the submitted row is empty")
    images = Images.load(dataset, split, None, wanted)
    paths = _paths(folder, dataset, images.names)
    digest = hashlib.sha256()
    levels = {}
    images_themselves = True
    for name, path in paths.items():
        values, sample = _read(path), dataset.load(name)
        shape = sample.mask.shape
        if values.shape != shape:
            found = size_text(values) if values.ndim == 2 else f"an array of shape {values.shape}"
            raise DataError(
                f"{path}: {found}, expected the size of the image, {shape[1]}x{shape[0]}"
            )
        digest.update(name.encode() + values.tobytes())
        levels[name] = values
        images_themselves &= np.array_equal(values, sample.image)
    if images_themselves and any(values.any() for values in levels.values()):
        raise DataError(f"{folder}: these are the images of {dataset.name}, not predictions")
    scale, note = _scale(levels, paths)
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
        notes=(*images.notes, *((note,) if note else ())),
        **images.fields(),
    )
    there = sound(out / images.tag, record.file)
    if there is not None and there.method_hash != record.method_hash:
        raise WrongUse(
            f"a row {label!r} with other predictions is there; give another --label, or remove "
            f"{out / images.tag / record.file}.json to replace it"
        )
    store = map_store(out, record)
    for name, values in levels.items():
        if not store.has(name, images.pixels[name]):
            score = (values / scale).astype(np.float32)
            store.save(name, StoredMap(score, images.pixels[name], float("nan")))
    counted = count(RULE, store, dataset, images.names, (), wanted)
    return out / images.tag, write_counts(out / images.tag, record, counted, store)


def _paths(folder: Path, dataset: Dataset, names: Sequence[str]) -> dict[str, Path]:
    """The file of each name; all that are missing are refused at once."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    there: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        kinds = (*SUFFIXES, ".npy", ".mat")
        if path.suffix.lower() in kinds and not path.name.startswith("."):
            stem = path.stem
            end = next(end for end in reversed(ENDS) if stem.lower().endswith(end))
            for one in {stem, stem[: len(stem) - len(end)]}:
                there.setdefault(one, []).append(path)
    found, missing = {}, []
    for name in names:
        stems = [name]
        if isinstance(dataset, FolderDataset):
            stems.append(dataset.pairs[name][0].stem)
        files = next((there[stem] for stem in stems if stem in there), [])
        if len(files) > 1:
            both = ", ".join(path.name for path in files)
            raise DataError(f"{folder}: several predictions for {name} ({both}); expected one")
        if files:
            found[name] = files[0]
        else:
            missing.append((name, stems[-1]))
    if missing:
        name, stem = missing[0]
        every = sorted({path.name for paths in there.values() for path in paths})
        raise DataError(
            f"{folder}: no prediction for {name} (expected {stem}.png); found {len(every)} "
            f"predictions, {', '.join(every[:3])} ...; {len(missing)} of {len(names)} are missing, "
            "_Pred.png, .npy and .mat are looked for too"
        )
    return found


def _read(path: Path) -> np.ndarray:
    """The levels of one file, in their own type."""
    kind = path.suffix.lower()
    if kind not in (".npy", ".mat"):
        picture = read_file(path)
        if picture.alpha is not None:
            raise DataError(
                f"{path}: it has an alpha channel that varies (mode {picture.mode}); expected "
                "grey levels alone"
            )
        if picture.coloured:
            raise DataError(
                f"{path}: a coloured picture (mode {picture.mode}); expected grey levels, not the "
                "colours of a map of them"
            )
        return picture.pixels
    try:
        found = np.load(path, allow_pickle=False) if kind == ".npy" else _matlab(path)
        values = np.asarray(found)
    except DataError:
        raise
    except Exception as error:  # readers raise many kinds on hostile bytes
        raise DataError(f"{path}: not a readable array ({error})") from error
    values = values.squeeze() if values.ndim > 2 else values
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path}: an array of {values.dtype}; expected bool or real numbers")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise DataError(f"{path}: {bad} of {values.size} scores are NaN or infinite")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _matlab(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    found = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    if _KEY in found:
        return np.asarray(found[_KEY])
    if len(found) == 1:
        return np.asarray(next(iter(found.values())))
    raise DataError(
        f"{path}: it holds {', '.join(sorted(found)) or 'nothing'}; expected the map as {_KEY}, or "
        "one variable alone"
    )


def _scale(levels: Mapping[str, np.ndarray], paths: Mapping[str, Path]) -> tuple[float, str]:
    """Full scale of all predictions, and what has to be said of it; decided for all at once,
    since what is dark in one file may be bright in another."""
    kinds = sorted({str(values.dtype) for values in levels.values()})
    folder = next(iter(paths.values())).parent
    low = min(float(values.min()) for values in levels.values())
    high = max(float(values.max()) for values in levels.values())
    if low < 0 or len({kind.rstrip("0123456789") for kind in kinds}) > 1:
        raise DataError(
            f"{folder}: predictions of {' and '.join(kinds)}, from {low:g} to {high:g}; expected "
            "one kind, scores from 0 on"
        )
    kind = kinds[0]
    if kind == "bool":
        return 1.0, ""
    if kind.startswith("float"):
        if high <= 1:
            return 1.0, ""
        raise DataError(
            f"{folder}: floats up to {high:g}; expected scores from 0 to 1: bring them there, all "
            "images by one factor"
        )
    if high <= 1 and high > 0:
        return 1.0, BINARY
    if kinds not in (["uint8"], ["uint16"]) and high > 0:
        if high == 255:
            return 255.0, ""
        raise DataError(
            f"{folder}: predictions of {' and '.join(kinds)} up to {high:g}; expected one type: "
            "uint8 (full scale 255), uint16 (65535), floats from 0 to 1, bool, or 0 and 1"
        )
    return float(np.iinfo(kind).max), ""
