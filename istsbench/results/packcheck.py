"""What a results pack must look like inside; every doubt is a `PackError` with the reason.

All that is read here comes from strangers: types, names, ranges and sums are checked
before anything is believed, and names only ever come out if they are safe in a path.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from istsbench.data.images import MAX_PIXELS
from istsbench.errors import PackError
from istsbench.results.countcheck import checked_counts, checked_curve, expect, short
from istsbench.runs.record import FORMAT, Record, from_json
from istsbench.threshold import RULES

KIND, VERSION = "istsbench results pack", 1
MEMBERS = ("record.json", "counts.csv", "curve.csv", "masks.json")  # of each method
LIMITS = {  # bytes, unpacked
    "manifest.json": 4_000_000,
    "record.json": 4_000_000,
    "counts.csv": 64_000_000,
    "curve.csv": 4_000_000,
    "masks.json": 64_000_000,
}
MAX_METHODS = 500
MAX_TEXT = 5000  # characters of a note, a parameter, a reason

_FILE = re.compile(r"[\w=-][\w.=-]{0,149}")  # what `Choice.file` makes of a spec
_FOLDER = re.compile(r"[\w-](?:[\w.,()+&'=@~ -]{0,98}[\w.,()+&'=@~-])?")  # as people call folders
_SPLIT = re.compile(r"[\w-][\w.+-]{0,99}(/[\w-][\w.+-]{0,99})?")
_DEPTH = re.compile(r"image|full|-?[\d.e+]+:-?[\d.e+-]+")
_HEX = re.compile(r"[0-9a-f]{6,64}")
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # no file on Windows


@dataclass(frozen=True)
class Row:
    """A method of a pack, checked."""

    record: Record
    own: pd.DataFrame  # counts of the own rule, indexed by image


def parse(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PackError(f"{what} is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise PackError(f"{what} holds {type(found).__name__}, expected an object")
    try:  # the reader lets halves of characters pass, which no file can hold
        json.dumps(found, ensure_ascii=False).encode()
    except (UnicodeEncodeError, ValueError):
        raise PackError(f"{what} holds something that cannot be written as text") from None
    return found


def _text(found: dict[str, Any], key: str, what: str, shape: re.Pattern | None = None) -> str:
    value = found.get(key)
    if not isinstance(value, str) or len(value) > 500 or not (value.isprintable() or not value):
        raise PackError(f"{what}: {key} is {short(value)}, expected a short text")
    if shape is not None and (not shape.fullmatch(value) or _DEVICE.fullmatch(value)):
        raise PackError(f"{what}: {key} is {short(value)}, which is not allowed there")
    return value


def _whole(found: dict[str, Any], key: str, what: str, low: int, high: int) -> int:
    value = found.get(key)
    if type(value) is not int or not low <= value <= high:
        raise PackError(f"{what}: {key} is {short(value)}, expected {low}..{high}")
    return value


def _all_texts(values: Iterable[str]) -> bool:
    return all(len(value) <= MAX_TEXT for value in values)


def checked_manifest(data: bytes) -> dict[str, Any]:
    """The manifest: `protocol`, `methods` (file names), `members` (name -> bytes, sha256)."""
    what = "manifest.json"
    found = parse(data, what)
    expect(found.get("kind") == KIND, f"{what}: kind is {short(found.get('kind'))}, not {KIND!r}")
    version = found.get("version")
    expect(version == VERSION, f"{what}: version {short(version)}, this istsbench reads {VERSION}")
    protocol, methods, members = (found.get(key) for key in ("protocol", "methods", "members"))
    expect(isinstance(protocol, dict), f"{what}: no protocol")
    _protocol(protocol, what)  # type: ignore[arg-type]
    expect(
        isinstance(methods, list) and 0 < len(methods) <= MAX_METHODS,
        f"{what}: methods is {short(methods)}, expected 1 to {MAX_METHODS} names",
    )
    for file in methods:  # type: ignore[union-attr]
        _text({"method": file}, "method", what, _FILE)
    folded = {file.casefold() for file in methods}  # type: ignore[union-attr]
    expect(len(folded) == len(methods), f"{what}: a method stands twice")  # type: ignore[arg-type]
    expected = {f"{file}/{member}" for file in methods for member in MEMBERS}  # type: ignore[union-attr]
    expect(
        isinstance(members, dict) and set(members) == expected,
        f"{what}: members are not {', '.join(MEMBERS)} of each method",
    )
    for name, entry in members.items():  # type: ignore[union-attr]
        expect(isinstance(entry, dict), f"{what}: {name} is {short(entry)}")
        _whole(entry, "bytes", f"{what}: {name}", 0, LIMITS[name.rpartition("/")[2]])
        _text(entry, "sha256", f"{what}: {name}", _HEX)
    return found


def _protocol(found: dict[str, Any], what: str) -> None:
    """The fields that all rows of one table share."""
    stated = found.get("format")
    expect(
        type(stated) is int and stated == FORMAT,
        f"{what}: counts of format {short(stated)}, this istsbench has {FORMAT}",
    )
    _text(found, "dataset", what, _FOLDER)
    _text(found, "title", what)
    _text(found, "split", what, _SPLIT)
    _text(found, "data_hash", what, _HEX)
    if "depth" in found:
        _text(found, "depth", what, _DEPTH)
    images = _whole(found, "images", what, 1, 1_000_000)
    _whole(found, "of", what, images, 1_000_000)


def checked_method(
    file: str, protocol: dict[str, Any], data: bytes, counts: bytes, curve: bytes
) -> Row:
    """The record and counts of one method; `protocol` is the manifest's."""
    what = f"{file}/record.json"
    found = parse(data, what)
    _protocol(found, what)
    for key, value in protocol.items():
        expect(
            found.get(key) == value,
            f"{what}: {key} is {short(found.get(key))}, the manifest has {short(value)}",
        )
    try:
        record = from_json(found)
    except ValueError as error:
        raise PackError(f"{what}: {error}") from None
    expect(record.file == file, f"{what}: file is {short(record.file)}")
    for key in ("method", "label", "group", "venue", "status", "own"):
        _text(found, key, what)
    if "resized" in found:
        _text(found, "resized", what)
    expect(bool(record.method and record.label), f"{what}: no name")
    _text(found, "method_hash", what, _HEX)
    _whole(found, "year", what, 0, 9999)
    for key in ("parameters", "rules", "failed", "environment"):
        texts = getattr(record, key).values()
        expect(_all_texts(texts), f"{what}: {key} holds a text that is too long")
    expect(_all_texts(record.notes), f"{what}: a note is too long")
    wanted = record.wanted
    expect(
        "own" in wanted and wanted == tuple(r for r in RULES if r in wanted),
        f"{what}: wanted is {short(wanted)}, expected rules with own among them",
    )
    expect(
        "own" in record.rules and {*record.rules} <= {*wanted},
        f"{what}: rules are not those wanted",
    )
    expect(
        record.tuning_hash is None or bool(_HEX.fullmatch(record.tuning_hash)),
        f"{what}: tuning_hash is {short(record.tuning_hash)}",
    )
    for key in ("method", "label", "split", "dataset", "title", "plan"):
        if record.trained is not None and getattr(record.trained, key) is not None:
            _text(found["trained"], key, f"{what}: trained")
    for key in ("auc", "average_precision", "target_auc"):
        area = getattr(record, key)
        expect(
            area is None or 0 <= area <= 1 + 1e-9,
            f"{what}: {key} is {short(area)}, expected 0..1",
        )
    busy = record.busy
    expect(busy is None or 0 <= busy <= 1e6, f"{what}: busy is {short(busy)}, expected 0 or more")
    for key, member in (("csv", counts), ("curve", curve)):
        expect(
            getattr(record, key) == hashlib.sha256(member).hexdigest(),
            f"{what}: {key} is not the hash of the file beside it",
        )
    rows = checked_counts(counts, record, f"{file}/counts.csv")
    checked_curve(curve, f"{file}/curve.csv")
    return Row(record, rows[rows["rule"] == "own"].set_index("image"))


def checked_masks(data: bytes, row: Row) -> dict[str, dict[str, Any]]:
    """Image -> `size` (H, W) and `runs`, which agree with the counts in size and area."""
    what = f"{row.record.file}/masks.json"
    found = parse(data, what)
    images = found.get("images")
    expect(found.get("csv") == row.record.csv, f"{what}: masks of other counts")
    expect(
        isinstance(images, dict) and set(images) == set(row.own.index),
        f"{what}: masks of other images than those counted",
    )
    pixels = row.own[["tp", "fp", "fn", "tn"]].sum(axis=1)
    areas = row.own["tp"] + row.own["fp"]
    for name, entry in images.items():  # type: ignore[union-attr]
        expect(isinstance(entry, dict), f"{what}: {short(name)} is {short(entry)}")
        size, runs = entry.get("size"), entry.get("runs")
        expect(
            _whole_list(size, 1) and len(size) == 2 and size[0] * size[1] == pixels[name],
            f"{what}: {name}: size {short(size)} for {pixels[name]} pixels counted",
        )
        expect(pixels[name] <= MAX_PIXELS, f"{what}: {name}: {pixels[name]} pixels")
        expect(
            _whole_list(runs, 0) and 0 not in runs[1:] and sum(runs) == pixels[name],
            f"{what}: {name}: run lengths do not fill the picture",
        )
        expect(
            sum(runs[1::2]) == areas[name],
            f"{what}: {name}: a mask of {sum(runs[1::2])} pixels, {areas[name]} were counted",
        )
    return images  # type: ignore[return-value]


def _whole_list(value: object, low: int) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= low for n in value)
