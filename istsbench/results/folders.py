"""Which results folder a data set's name stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from istsbench.data.datasets import NAMES, unknown
from istsbench.data.names import FOLDER, split_names
from istsbench.errors import DataError
from istsbench.runs.images import path_hash
from istsbench.runs.outputs import curves_folder
from istsbench.runs.record import Record, sound


def results_folder(out: Path, name: str) -> Path:
    """The folder below `out` with the results of a data set, named as in `run --dataset`.

    The name of a folder there is taken as well, as nuaa-val, which holds another split. Raises
    `UnknownName` with close matches.
    """
    if name.startswith(FOLDER):
        path = Path(name.removeprefix(FOLDER)).expanduser().resolve()
        folder = out / f"folder-{path.name}"
        _check_place(folder, path)
        return folder
    tags = _tags(out)
    if name in NAMES or name in tags:
        return out / name
    raise unknown("data set or results folder", name, tags)


def dataset_of(out: Path, name: str) -> str:
    """The data set that is meant by a name which `results_folder` takes, as a user names it.

    Raises `DataError` for a folder with results of images whose place nobody has told.
    """
    if name in NAMES or name not in _tags(out):
        return name
    found = next((record.dataset for record in _records(out / name)), name)
    if found.startswith("folder-"):
        raise DataError(f"{out / name}: name its images by --dataset {FOLDER}PATH --tag {name}")
    return found


def elsewhere(folder: Path) -> str:
    """Where the results of a data set are that are not in its own folder, for a message."""
    found = [tag for tag in _tags(folder.parent) if tag.startswith(f"{folder.name}-")]
    return f"; there are some in {', '.join(found)}" if found else ""


def _check_place(folder: Path, path: Path) -> None:
    """Raise `DataError` if results are of another folder of images that is called alike."""
    places = {record.folder for record in _records(folder) if record.folder}
    if places and path_hash(path) not in places:
        raise DataError(
            f"{folder}: results of another folder called {path.name}, not of {path}; name the "
            "place of the right ones by --out"
        )


def results_folders(out: Path, text: str) -> list[Path]:
    """The folders of several, by comma."""
    return [results_folder(out, name) for name in split_names(text)]


def _tags(out: Path) -> list[str]:
    if not out.is_dir():
        return []
    return sorted(path.name for path in out.iterdir() if path.is_dir() and _holds_results(path))


def _records(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("*.json")):
        record = sound(folder, path.stem)
        if record is not None:
            yield record


def _holds_results(folder: Path) -> bool:
    """Whether there are records, damaged ones included: who reads them says so."""
    return curves_folder(folder).is_dir() or any(_records(folder))
