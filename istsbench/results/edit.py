"""Rows of a results folder taken out, or given another label. Maps stay: they cost the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from istsbench.errors import DataError, WrongUse
from istsbench.files import write_together
from istsbench.registry import file_name
from istsbench.results.masks import MASK_FOLDER
from istsbench.results.profiled import kept_files
from istsbench.runs.outputs import counts_file, curve_file, record_file
from istsbench.runs.record import Record, as_bytes, map_store, sound, write_record
from istsbench.unregistered import is_own


def remove(folder: Path, specs: Sequence[str]) -> list[Path]:
    """Remove the files of rows, by spec, whatever state they are in; returns those removed."""
    files = {record.file for record in _records(folder) if record.method in specs}
    every = [path for file in files for path in (*_files(folder, file), *kept_files(folder, file))]
    gone = [path for path in every if path.exists()]
    for path in gone:  # the record first: without it there is no row
        path.unlink()
    return gone


def rename(folder: Path, spec: str, label: str) -> Record:
    """Give a row that no run made here another label; returns its record.

    Raises `WrongUse` for a row of a run, whose label is its method's, and for a label that
    another row has.
    """
    label, records = " ".join(label.split()), {one.method: one for one in _records(folder)}
    if spec not in records:
        raise DataError(f"{folder}: no row {spec}")
    old = records.pop(spec)
    if old.ran:
        way = f"; `istsbench run --methods {spec} --label ...` gives it another"
        raise WrongUse(
            f"{spec} was run here: its label {old.label!r} is that of its method"
            f"{way if is_own(spec) else ''}"
        )
    new = replace(old, label=label)
    if old.group == "submitted":
        new = replace(new, method=f"submitted({label})", file=file_name(f"submitted({label})"))
    taken = {one.label for one in records.values()} | {*records}
    if not label or label in taken or new.method in taken:
        raise WrongUse(f"the label {label!r} is empty, or another row of {folder} has it")
    if new.file == old.file:
        write_record(folder, new)
        return new
    sources, targets = _files(folder, old.file), _files(folder, new.file)
    pairs = [pair for pair in zip(sources[1:], targets[1:], strict=True) if pair[0].exists()]
    contents = [(target, source.read_bytes()) for source, target in pairs]
    write_together([*contents, (targets[0], as_bytes(new))])
    maps = map_store(folder.parent, old).folder
    if maps.is_dir():
        maps.rename(map_store(folder.parent, new).folder)
    remove(folder, [spec])
    return new


def _records(folder: Path) -> list[Record]:
    found = [sound(folder, path.stem) for path in sorted(folder.glob("*.json"))]
    return [record for record in found if record is not None]


def _files(folder: Path, file: str) -> list[Path]:
    """What a row may consist of, the record first."""
    return [
        record_file(folder, file),
        counts_file(folder, file),
        curve_file(folder, file),
        folder / MASK_FOLDER / f"{file}.json",
    ]
