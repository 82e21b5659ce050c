"""The record of a method, METHOD.json: sealed when it is written, checked when it is read.

A changed bit in a record, or in the counts that it states the sha256 of, is noticed before
a table is made of it. Records from before there were seals are checked for their shape.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SEAL = "seal"
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("method", "label", "group", "venue", "status", "own", "file", "method_hash", "dataset",
         "title", "split", "data_hash", "csv", "curve"),
        (str,),
    ),
    **dict.fromkeys(("year", "images", "of"), (int,)),
    **dict.fromkeys(("auc", "average_precision"), (int, float, type(None))),
    **dict.fromkeys(("parameters", "rules", "failed", "environment"), (dict,)),
    **dict.fromkeys(("wanted", "notes"), (list,)),
}  # fmt: skip
_COUNTED = (
    "label", "group", "year", "file", "method_hash", "dataset", "images", "wanted", "rules", "auc",
    "average_precision",
)  # fmt: skip


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the hash of all else in it."""
    rest = {key: value for key, value in record.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, SEAL: hashlib.sha256(text.encode()).hexdigest()[:16]}


def read_record(path: Path) -> dict[str, Any]:
    """The record in a file without its seal, empty if the file holds something else.

    Raises `ValueError` if it is damaged.
    """
    try:
        record = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    whole = isinstance(record, dict)
    if whole and SEAL in record and sealed(record) != record:
        raise ValueError("it is not as it was written")
    if not whole or "method" not in record:
        if (path.parent / "curves" / f"{path.stem}.csv").is_file():
            raise ValueError("no record of a method, but its curve is there")
        return {}
    record.pop(SEAL, None)
    for key in _COUNTED if record.get("csv") else ():
        if key not in record:
            raise ValueError(f"no {key}")
    for key, kinds in _KINDS.items():
        value = record.get(key)
        if key in record and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise ValueError(f"{key} is {type(value).__name__}")
        parts = [*value.values()] if isinstance(value, dict) else value
        if isinstance(parts, list) and not all(isinstance(part, str) for part in parts):
            raise ValueError(f"{key} holds something else than texts")
    if record.get("file", path.stem) != path.stem:
        raise ValueError(f"it is the record of {record['file']}")
    return dict(record)


def read_counts(path: Path, record: dict[str, Any]) -> bytes:
    """The CSV of counts beside a record; raises `ValueError` if it is not what was written."""
    data = path.read_bytes()
    if record["csv"] and hashlib.sha256(data).hexdigest() != record["csv"]:
        plain = data.replace(b"\r\n", b"\n")  # as version control may check it out on Windows
        if hashlib.sha256(plain).hexdigest() != record["csv"]:
            raise ValueError("its bytes are not those that the record states")
    return data
