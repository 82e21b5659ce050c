"""The record of a method, METHOD.json: one typed value, sealed when written, checked when read.

It lies with the runs, which write it, and not with the results, which stand above the runs.
Runs, submitted predictions and results packs write records; tables, figures and reports read
them. Nothing else in the package knows how one looks on disk.

A changed bit in a record, or in the counts that it states the sha256 of, is noticed before
a table is made of it. Records from before there were seals are checked for their types.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Never

from istsbench.files import write_atomic
from istsbench.runs.maps import MapStore
from istsbench.runs.outputs import counts_file, curve_file, record_file

FORMAT = 1  # of the counts; a change makes stored counts stale, not stored maps
LOST = "not tried after others were lost, or its map is gone, or its image changed; run again"
SEAL = "seal"
_UNKNOWN = "an unknown machine"
REASONS = 3  # that a message names; a method can fail on each image in another way


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How the weights of a method came to be."""

    method: str  # the spec without its weights
    label: str
    seed: int
    split: str | None = None  # of the images
    dataset: str | None = None
    title: str | None = None  # of the data set
    epochs: int | None = None  # planned
    start: str | None = None  # the weights that it began with; None of random ones
    recipe: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    plan: str  # hash of all else that decided the training


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a row that no run made here came from."""

    pack: str  # sha256
    verified: bool  # whether the own rule's counts were made again from the masks
    name: str = ""  # of rows that came with the package: its version, and when they were packed


@dataclass(frozen=True, kw_only=True)
class Record:
    """A method on a data set: what its counts were made by, and what they come to.

    Fields are in the order of the file. A row that could not be counted at all has no `wanted`,
    and a reason in `failed` under the empty name: earlier versions wrote such of methods that
    could not even be made.
    """

    format: int = FORMAT
    method: str  # the spec, name(parameter=value, ...)
    label: str
    group: str = ""
    venue: str = ""
    year: int = 0  # 9999 for what was never published
    status: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    own: str = ""  # its own threshold rule, as its class has it
    file: str  # name of its files, without ending
    method_hash: str = ""  # of code, parameters and weights
    folder: str | None = None  # hash of the path, for data sets that may be called alike
    dataset: str
    title: str  # of the data set
    split: str
    images: int
    of: int  # images in the split
    depth: str = ""  # how images deeper than 8 bit came to 0..255; empty if none is
    data_hash: str  # of the names and pixels of the images
    tuning_hash: str | None = None  # of the images that `tuned` looked at
    wanted: tuple[str, ...] = ()  # rules
    resized: str = ""  # which maps of a submitted row were brought to the size of their images
    notes: tuple[str, ...] = ()
    trained: Trained | None = None
    rules: Mapping[str, str] = field(default_factory=dict)  # name -> the rule as a value
    auc: float | None = None  # None where it is not defined
    average_precision: float | None = None
    target_auc: float | None = None  # see `curves.TargetCurve`; None in earlier versions as well
    busy: float | None = None  # seconds of the processor in a second of a median image
    failed: Mapping[str, str] = field(default_factory=dict)  # image -> reason
    csv: str = ""  # sha256 of the counts; empty before there are any
    curve: str = ""  # sha256 of the ROC and PR curve
    environment: Mapping[str, str] = field(default_factory=dict)  # what made the maps
    imported: Origin | None = None

    @property
    def ran(self) -> bool:
        """Whether its numbers were made by a run of this package here."""
        return self.imported is None and self.group != "submitted"

    @property
    def machine(self) -> str:
        """What it was timed on: a GPU, or a processor with the kernels that BLAS chose for it.

        Processors that call themselves alike, as rented ones do, are often told apart by these.
        """
        known = self.environment
        if "device" in known:
            return known.get("gpu", _UNKNOWN)
        kernels = known.get("blas", "").split()[-1:]
        return known.get("cpu", _UNKNOWN) + "".join(f" ({name})" for name in kernels)

    @property
    def own_used(self) -> str:
        """The own rule of its counts: another one if its class names none and it returns masks."""
        return self.rules.get("own", self.own)

    def alike(self, other: Record) -> bool:
        """Whether two rows differ at most by the rules that were asked for."""
        return all(getattr(self, key) == getattr(other, key) for key in _IDENTITY)


_IDENTITY = (
    "format", "method", "label", "group", "venue", "year", "status", "parameters", "own", "file",
    "method_hash", "dataset", "title", "split", "images", "of", "depth", "data_hash",
    "resized", "trained",
)  # fmt: skip
_OPTIONAL = (
    "folder",
    "depth",
    "resized",
    "trained",
    "target_auc",
    "busy",
    "imported",
)  # not in the file where there is nothing to say
_OF_TRAINED = ("dataset", "title", "start", "recipe", "command")
_COUNTED = (
    "label", "group", "year", "file", "method_hash", "dataset", "images", "wanted", "rules", "auc",
    "average_precision",
)  # fmt: skip


def map_store(out: Path, record: Record) -> MapStore:
    """Where the maps behind a record lie in the results folder `out`."""
    return MapStore.of(out, record.dataset, record.file, record.method_hash, record.depth)


# ------------------------------------------------------------------ on disk


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a record with the hash of all of them."""
    rest = {key: value for key, value in values.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, SEAL: hashlib.sha256(text.encode()).hexdigest()[:16]}


def as_json(record: Record) -> dict[str, Any]:
    """The values that METHOD.json holds besides the seal."""
    values = asdict(record)
    for part, optional in ((values, _OPTIONAL if record.wanted else [*values]),
                           (values["trained"] or {}, _OF_TRAINED),
                           (values["imported"] or {}, ("name",))):  # fmt: skip
        for key in optional:
            if part.get(key, 0) in (None, "", (), {}):
                del part[key]
    return values


def as_bytes(record: Record) -> bytes:
    """The content of METHOD.json."""
    text = json.dumps(sealed(as_json(record)), indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def write_record(folder: Path, record: Record) -> None:
    """Write OUT/TAG/METHOD.json."""
    write_atomic(record_file(folder, record.file), as_bytes(record))


def read_record(path: Path) -> Record | None:
    """The record in a file, None if the file holds something else.

    Raises `ValueError` if it is damaged.
    """
    found = _json(path.read_bytes())
    if not isinstance(found, dict) or "method" not in found:
        if curve_file(path.parent, path.stem).is_file():
            raise ValueError("no record of a method, but its curve is there")
        return None
    record = from_json(found)
    if record.file != path.stem:
        raise ValueError(f"it is the record of {record.file}")
    return record


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(text: str) -> Never:
    raise ValueError(f"it holds {text}")


def from_json(found: Mapping[str, Any]) -> Record:
    """The record of the values in a file; raises `ValueError` if they are not one's."""
    if SEAL in found and sealed(found) != found:
        raise ValueError("it is not as it was written")
    for key in _COUNTED if found.get("csv") else ():
        if key not in found:
            raise ValueError(f"no {key}")
    parts = {"trained": Trained, "imported": Origin}
    values = {key: value for key, value in found.items() if key not in parts}
    for key, kind in parts.items():
        if found.get(key) is not None:
            if not isinstance(found[key], dict):
                raise ValueError(f"{key} is {type(found[key]).__name__}")
            values[key] = kind(**_typed(kind, found[key], f"{key}: "))
    return Record(**_typed(Record, values))


# The type of a field -> whether a value in a file is of it, and how a message calls it.
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a text"),
    "str | None": (lambda value: value is None or isinstance(value, str), "a text or nothing"),
    "int": (lambda value: type(value) is int, "a whole number"),
    "int | None": (lambda value: value is None or type(value) is int, "a whole number or nothing"),
    "bool": (lambda value: type(value) is bool, "true or false"),
    "float | None": (lambda value: value is None or type(value) in (int, float), "a number"),
    "tuple[str, ...]": (lambda value: isinstance(value, list) and _texts(value), "texts"),
    "Mapping[str, str]": (
        lambda value: isinstance(value, dict) and _texts(value.values()),
        "texts by name",
    ),
}


def _texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _typed(kind: type, found: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The fields of a data class that a file holds; raises `ValueError` for a wrong type."""
    values = {}
    for one in fields(kind):
        if one.name in found:
            value = found[one.name]
            fits, expected = _KINDS.get(str(one.type), (lambda _: True, ""))
            if not fits(value):
                what = f"{type(value).__name__} {str(value)[:60]}"
                raise ValueError(f"{where}{one.name} is {what}, expected {expected}")
            values[one.name] = tuple(value) if isinstance(value, list) else value
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"{where}no {one.name}")
    return values


def read_counts(folder: Path, record: Record) -> bytes:
    """The CSV of counts beside a record; raises `ValueError` if it is not what was written."""
    data = counts_file(folder, record.file).read_bytes()
    if record.csv and hashlib.sha256(data).hexdigest() != record.csv:
        plain = data.replace(b"\r\n", b"\n")  # as version control may check it out on Windows
        if hashlib.sha256(plain).hexdigest() != record.csv:
            raise ValueError("its bytes are not those that the record states")
    return data


def sound(folder: Path, file: str) -> Record | None:
    """The record of a method in a results folder; None if there is no sound one."""
    try:
        return read_record(record_file(folder, file))
    except (OSError, ValueError):
        return None


def whole(folder: Path, record: Record, retry_failed: bool) -> Record | None:
    """The record on disk of these counts, undamaged, and perhaps those of other rules too."""
    found = sound(folder, record.file)
    if found is None or not found.alike(record) or not {*record.wanted} <= {*found.wanted}:
        return None
    if "tuned" in record.wanted and found.tuning_hash != record.tuning_hash:
        return None
    if LOST in found.failed.values() or (retry_failed and found.failed):
        return None
    files = (counts_file(folder, record.file), curve_file(folder, record.file))
    return found if (found.csv, found.curve) == tuple(map(_sha, files)) else None


def changed(folder: Path, record: Record) -> str:
    """What the counts on disk were made by that `record` has otherwise; "" without such counts.

    Rules that are asked for do not count, since a run adds them to those that are there.
    """
    found = sound(folder, record.file)
    if found is None or not found.csv:
        return ""
    code = "code, or what it uses," if record.trained is None else "code or the weights"
    told = {
        code: found.method_hash != record.method_hash,
        "images or masks": (found.data_hash, found.depth) != (record.data_hash, record.depth),
        "own threshold rule": found.own != record.own,
    }
    return " and the ".join(what for what, differs in told.items() if differs)


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "no file"


def by_reason(failed: Mapping[str, str]) -> str:
    """The reasons why images failed, with how many if they are several, in their order.

    `failed` holds the reason of each image by name.
    """
    counts = list(Counter(failed.values()).items())
    if len(counts) == 1:
        return counts[0][0]
    told = [f"{reason} ({number})" for reason, number in counts[:REASONS]]
    others = sum(number for _, number in counts[REASONS:])
    return "; ".join([*told, *([f"other reasons ({others})"] if others else [])])
