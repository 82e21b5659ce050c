"""Files of predictions as codes of the field write them: found below a folder, and read.

One folder may hold the predictions of one method, or a folder a method; docs/inputs.md has a
line for each code base. Nothing is scored here, and nothing is guessed: what can be taken in
two ways is refused with the option that says which.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from istsbench.data.datasets import SOURCES
from istsbench.data.images import read_file
from istsbench.data.pairs import SUFFIXES, files_below
from istsbench.data.samples import Dataset, FolderDataset
from istsbench.errors import DataError

ENDS = ("", "_pred")  # of the name of a prediction, in letters of any case
TRUTH = "_gt"  # of the truth that DNANet writes beside
ARRAYS = (".npy", ".npz", ".mat")
STORES = ("mat", "mat1", "img", "img1")  # folders of one method's arrays and pictures
NAMED = 10  # missing images that a message names, of each method
_KEY = "T"  # of a .mat file

Files = dict[str, list[Path]]  # image -> its files


@dataclass(frozen=True)
class Predicted:
    """The predictions of one method."""

    label: str  # empty for the folder that was named itself
    folder: Path
    files: Mapping[str, Path]  # image -> file
    notes: tuple[str, ...] = ()


@dataclass
class _Place:
    """What one folder holds: files by the ending of their names, without capitals."""

    key: tuple[str, ...]  # the folders above that tell of the method
    found: dict[str, Files] = field(default_factory=dict)

    def chosen(self, folder: Path, ends: Sequence[str]) -> tuple[Files, tuple[str, ...]]:
        """The files that are predictions, and what has to be said of the choice."""
        held = [end for end in ends if end in self.found]
        if len(held) == 2 and TRUTH in self.found:
            what = "NAME_Pred files are taken; NAME and NAME_GT beside them are image and truth"
            return self.found[held[1]], (f"{folder.name}: {what}",)
        files: Files = {}
        for end in held:
            for name, paths in self.found[end].items():
                files.setdefault(name, []).extend(paths)
        return files, ()

    @property
    def arrays(self) -> bool:
        files = (path for kind in self.found.values() for paths in kind.values() for path in paths)
        return all(path.suffix.lower() in ARRAYS for path in files)


def find_predictions(
    folder: Path, dataset: Dataset, names: Sequence[str], suffix: str | None = None
) -> list[Predicted]:
    """The predictions of each method in `folder` or in folders below it.

    `suffix` is what stands between the name of an image and the ending of its file; None finds
    one of `ENDS`. Raises `DataError` that names all images without a prediction, those of
    every method, and for files of which two could be meant.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    ends = ENDS if suffix is None else (suffix.lower(),)
    stems = _stems(dataset, names)
    places, others = _places(folder, stems, ends, dataset)
    if not places:
        raise DataError(_nothing(folder, dataset, names, ends, others))
    methods = _by_method(folder, places)
    labels = _labels(folder, [places[place].key for place, _ in methods])
    found, wrong = [], []
    for (place, said), label in zip(methods, labels, strict=True):
        here = folder / place
        files, notes = places[place].chosen(here, ends)
        twice = [name for name in names if len(files.get(name, ())) > 1]
        if twice:
            both = ", ".join(path.name for path in files[twice[0]])
            wrong.append(
                f"{here}: several predictions for {twice[0]} ({both}); expected one, so name its "
                'ending by --suffix, as --suffix _Pred or --suffix ""'
            )
        elif missing := [name for name in names if name not in files]:
            wrong.append(f"{here}: {_missing(missing, names, dataset, ends)}")
        else:
            one = {name: files[name][0] for name in names}
            found.append(Predicted(label, here, one, (*said, *notes)))
    if wrong:
        raise DataError("; ".join(wrong))
    return found


def _stems(dataset: Dataset, names: Sequence[str]) -> dict[str, str]:
    """What a file may be called -> the image.

    The names of some samples are not those of their files: test_00000 of NUST-SIRST, test/000000.
    Those of the files count where they tell all images apart, as frames of sequences seldom do.
    """
    stems = {name: name for name in names}
    if isinstance(dataset, FolderDataset):
        own = {dataset.pairs[name][0].stem: name for name in names}
        if len(own) == len(names):
            stems = {**own, **stems}
    return stems


def _walk(folder: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Folders from `folder` and name of each file that may hold a prediction, in order."""
    for path in files_below(folder):
        if path.suffix.lower() in (*SUFFIXES, *ARRAYS):
            yield path.parent.relative_to(folder).parts, path.name


def _places(
    folder: Path, stems: Mapping[str, str], ends: Sequence[str], dataset: Dataset
) -> tuple[dict[Path, _Place], list[str]]:
    """The folders that hold predictions of these images, and the other files, by name."""
    depths = sorted({stem.count("/") for stem in stems}, reverse=True)
    mine, foreign = _names_of_sets(dataset)
    places: dict[Path, _Place] = {}
    others = []
    for parts, file in _walk(folder):
        if foreign & {part.lower() for part in parts}:
            continue
        stem, hit = Path(file).stem, False
        for depth in depths:
            if hit or depth > len(parts):
                continue
            above, inside = parts[: len(parts) - depth], parts[len(parts) - depth :]
            for end, name in _read_as("/".join((*inside, stem)), stems, (*ends, TRUTH)):
                key = tuple(part for part in above if part.lower() not in {*STORES, *mine})
                place = places.setdefault(Path(*above), _Place(key))
                path = folder.joinpath(*parts, file)
                place.found.setdefault(end, {}).setdefault(name, []).append(path)
                hit = True
        if not hit:
            others.append("/".join((*parts, file)))
    # A truth alone is no prediction.
    return {path: one for path, one in places.items() if {*one.found} & {*ends}}, others


def _read_as(stem: str, stems: Mapping[str, str], ends: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The endings with which a name of a file is that of an image, and the image."""
    for end in dict.fromkeys(ends):
        if stem.lower().endswith(end):
            name = stems.get(stem[: len(stem) - len(end)])
            if name is not None:
                yield end, name


def _names_of_sets(dataset: Dataset) -> tuple[set[str], set[str]]:
    """What folders of this data set are called, and those of others: results lie side by side."""
    mine = {dataset.name.lower(), dataset.title.lower()}
    others: set[str] = set()
    for name, source in SOURCES.items():
        names = {name, source.title.lower(), *(folder.lower() for folder in source.folders)}
        (mine if mine & names else others).update(names)
    return mine, others - mine


def _by_method(folder: Path, places: Mapping[Path, _Place]) -> list[tuple[Path, tuple[str, ...]]]:
    """One folder of each method: of arrays and pictures of the same maps, the arrays."""
    methods: dict[tuple[str, ...], list[Path]] = {}
    for path, place in places.items():
        methods.setdefault(place.key, []).append(path)
    chosen: list[tuple[Path, tuple[str, ...]]] = []
    for paths in methods.values():
        arrays = [path for path in paths if places[path].arrays]
        if len(paths) == 1:
            chosen.append((paths[0], ()))
        elif len(arrays) == 1:
            left = ", ".join(str(path) for path in paths if path not in arrays)
            said = f"{arrays[0]}: arrays are taken, the pictures in {left} are of the same method"
            chosen.append((arrays[0], (said,)))
        else:
            both = ", ".join(map(str, paths))
            raise DataError(f"{folder}: predictions of one method in {both}; name one by --pred")
    return chosen


def _labels(folder: Path, keys: Sequence[tuple[str, ...]]) -> list[str]:
    """The last folder of each; where two are alike, all from the folder that was named."""
    last = [key[-1] if key else "" for key in keys]
    return [
        "/".join(key) if last.count(short) > 1 else short
        for key, short in zip(keys, last, strict=True)
    ]


def _file_name(name: str, names: Sequence[str], dataset: Dataset, ends: Sequence[str]) -> str:
    called = next(stem for stem, image in _stems(dataset, names).items() if image == name)
    return f"{called}{ends[0]}.png"


def _missing(
    missing: Sequence[str], names: Sequence[str], dataset: Dataset, ends: Sequence[str]
) -> str:
    expected = _file_name(missing[0], names, dataset, ends)
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return (
        f"no prediction for {len(missing)} of {len(names)} images: {', '.join(missing[:NAMED])}"
        f"{more} (expected {expected}, or such a name with _Pred, or .npy, .npz or .mat)"
    )


def _nothing(
    folder: Path, dataset: Dataset, names: Sequence[str], ends: Sequence[str], others: list[str]
) -> str:
    found = (
        f"{len(others)} other files, {', '.join(others[:3])} ..."
        if others
        else "no picture and no array"
    )
    return f"{folder}: {_missing(names, names, dataset, ends)}; found {found}"


# ------------------------------------------------------------------ one file


def read_prediction(path: Path) -> np.ndarray:
    """The levels of one file, in their own type; raises `DataError`."""
    kind = path.suffix.lower()
    if kind not in ARRAYS:
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
        values = np.asarray(_matlab(path) if kind == ".mat" else _numpy(path))
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError(
            f"{path}: a MATLAB file of version 7.3, which is not read; save it as "
            "save(file, 'T', '-v7') in MATLAB, or read it by h5py, which hands out rows and "
            "columns exchanged, and save the map as .npy"
        ) from error
    except Exception as error:  # readers raise many kinds on hostile bytes
        raise DataError(f"{path}: not a readable array ({error})") from error
    while values.ndim > 2 and 1 in values.shape:  # axes of batch and channel
        values = values.squeeze(values.shape.index(1))
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path}: an array of {values.dtype}; expected bool or real numbers")
    if values.ndim != 2 or not values.size:
        raise DataError(f"{path}: an array of shape {values.shape}; expected one map, (H, W)")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise DataError(f"{path}: {bad} of {values.size} scores are NaN or infinite")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _numpy(path: Path) -> np.ndarray:
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        return np.asarray(found[_variable(path, found.files)])


def _matlab(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    # MATLAB keeps doubles that are whole as bytes; without `mat_dtype` an empty map would have
    # another type than the maps of the same method with something in them.
    found = loadmat(path, mat_dtype=True)
    return np.asarray(found[_variable(path, [key for key in found if not key.startswith("__")])])


def _variable(path: Path, held: Collection[str]) -> str:
    if _KEY in held:
        return _KEY
    if len(held) == 1:
        return next(iter(held))
    raise DataError(
        f"{path}: it holds {', '.join(sorted(held)) or 'nothing'}; expected the map as {_KEY}, or "
        "one variable alone"
    )
