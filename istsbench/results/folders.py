"""Which results folder a data set's name stands for."""

from __future__ import annotations

from pathlib import Path

from istsbench.data.datasets import NAMES
from istsbench.data.names import FOLDER, split_names
from istsbench.errors import UnknownName
from istsbench.runs.record import read_record


def results_folder(out: Path, name: str) -> Path:
    """The folder below `out` with the results of a data set, named as in `run --dataset`.

    The name of a folder there is taken as well, as nuaa-val, which holds another split. Raises
    `UnknownName` with close matches.
    """
    if name.startswith(FOLDER):
        return out / f"folder-{Path(name.removeprefix(FOLDER)).expanduser().resolve().name}"
    tags = _tags(out)
    if name in NAMES or name in tags:
        return out / name
    raise UnknownName("data set or results folder", name, [*NAMES, *tags, f"{FOLDER}PATH"])


def results_folders(out: Path, text: str) -> list[Path]:
    """The folders of several, by comma."""
    return [results_folder(out, name) for name in split_names(text)]


def _tags(out: Path) -> list[str]:
    if not out.is_dir():
        return []
    return sorted(path.name for path in out.iterdir() if path.is_dir() and _has_record(path))


def _has_record(folder: Path) -> bool:
    for path in folder.glob("*.json"):
        try:
            if read_record(path):
                return True
        except (OSError, ValueError):
            return True  # damaged; who reads it says so
    return False
