"""`protocol.toml`: what the results of a folder are, as a file to run them again from.

A run writes it beside the counts, merged over the runs that the folder has seen. It is a
pure function of the records and counts there, without times and paths: equal results give
equal bytes. `counts` is a hash of a method's counts without the seconds, which differ from
run to run. Rows that no run made (submitted or imported ones) are left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from istsbench.errors import DataError
from istsbench.files import write_atomic
from istsbench.matching import MATCHES, REACH
from istsbench.metrics import REDUCTIONS, ratios
from istsbench.runs.counting import OF_MAP, OF_MASK
from istsbench.runs.outputs import counts_file

if TYPE_CHECKING:
    import pandas as pd

    from istsbench.results.results import Results

NAME = "protocol.toml"
MANIFEST_FORMAT = 1  # of this file
DIGITS = 6  # of F1: the next ones differ with the version of a library
TITLE = (
    "# What these results were made by. `istsbench run --protocol FILE` makes them again\n"
    "# in another folder and compares; a run writes this file, nothing in it is to be edited.\n\n"
)


@dataclass(frozen=True)
class MethodEntry:
    """One method as it was run, and what that gave."""

    spec: str  # name(parameter=value, ...)
    code: str  # hash of its code, parameters and weights
    own: str  # its own threshold rule
    rules: tuple[str, ...]
    counts: str  # hash of the counts without the seconds
    f1: Mapping[str, Mapping[str, float]]  # reduction -> rule -> F1; none if an image failed
    parameters: Mapping[str, str]
    machine: Mapping[str, str]  # versions and hardware
    levels: Mapping[str, str]  # rule -> its value
    failed: int = 0  # images
    tuning_hash: str = ""  # of the images that `tuned` looked at


@dataclass(frozen=True)
class Manifest:
    """The methods of a results folder, and the images that they were all scored on."""

    dataset: str
    title: str
    split: str
    images: int
    of: int  # images in the split
    data_hash: str
    format: int  # of the counts
    entries: tuple[MethodEntry, ...]
    depth: str = ""  # how images deeper than 8 bit came to 0..255; empty if none is

    @property
    def limit(self) -> int | None:
        """How many of the first images, if not all."""
        return self.images if self.images < self.of else None


def counts_hash(path: Path) -> str:
    """Hash of METHOD.csv as every version writes it, without its column `seconds`."""
    digest = hashlib.sha256()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        head = next(reader, [])
        left_out = ("seconds", *OF_MASK, *OF_MAP)
        kept = [number for number, column in enumerate(head) if column not in left_out]
        for row in (head, *reader):
            digest.update(json.dumps([row[number] for number in kept]).encode())
    return digest.hexdigest()[:16]


def gather(results: Results) -> Manifest | None:
    """The manifest of a results folder; None if no method there was counted by a run."""
    ran = [spec for spec in sorted(results.counts) if results.records[spec].ran]
    if not ran:
        return None
    first = results.any_record
    return Manifest(
        first.dataset, first.title, first.split, first.images, first.of, first.data_hash,
        first.format, tuple(_made(results, spec) for spec in ran), first.depth,
    )  # fmt: skip


def _made(results: Results, spec: str) -> MethodEntry:
    record = results.records[spec]
    return MethodEntry(
        spec,
        record.method_hash,
        record.own,
        record.wanted,
        counts_hash(counts_file(results.folder, record.file)),
        {} if record.failed else _f1(results.counts[spec]),
        record.parameters,
        record.environment,
        record.rules,
        len(record.failed),
        record.tuning_hash or "",
    )


def _f1(counts: pd.DataFrame) -> dict[str, dict[str, float]]:
    """F1 by reduction and rule, of all rules at once: a run that has nothing to do is quick."""
    grouped = counts.groupby("rule", sort=False)
    pooled = grouped[["tp", "fp", "fn"]].sum()
    over_images = ratios(counts)["f1"].groupby(counts["rule"], sort=False).mean()
    both = {"image": over_images, "pooled": ratios(pooled)["f1"]}
    return {
        name: {str(rule): round(float(f1), DIGITS) for rule, f1 in s.items()}
        for name, s in both.items()
    }


def write_run_manifest(results: Results) -> Path | None:
    """Write `protocol.toml` beside results, where it is missing or says something else.

    Returns its path, or None if no method there was counted by a run.
    """
    manifest = gather(results)
    if manifest is None:
        return None
    data, path = manifest_text(manifest).encode(), results.folder / NAME
    if not (path.is_file() and path.read_bytes() == data):
        write_atomic(path, data)
    return path


def manifest_text(manifest: Manifest) -> str:
    """The manifest as the text of `protocol.toml`."""
    machines: list[Mapping[str, str]] = []
    methods = []
    for entry in manifest.entries:
        if entry.machine not in machines:
            machines.append(entry.machine)
        methods.append(
            {
                "spec": entry.spec,
                "code": entry.code,
                "own": entry.own,
                "rules": list(entry.rules),
                "levels": entry.levels,
                "parameters": entry.parameters,
                **({"tuning": entry.tuning_hash} if entry.tuning_hash else {}),
                "machine": machines.index(entry.machine) + 1,
                "failed": entry.failed,
                "counts": entry.counts,
                "f1": entry.f1,
            }
        )
    document = {
        "format": MANIFEST_FORMAT,
        "data": {
            "name": manifest.dataset,
            "title": manifest.title,
            "split": manifest.split,
            "images": manifest.images,
            "of": manifest.of,
            "hash": manifest.data_hash,
            **({"depth": manifest.depth} if manifest.depth else {}),
        },
        "counts": {
            "format": manifest.format,
            "size": "native",
            "reductions": list(REDUCTIONS),
            "matchings": list(MATCHES),
            "reach": REACH,  # pixels
        },
        "machine": machines,
        "method": methods,
    }
    return TITLE + tomli_w.dumps(document)


def read_run_manifest(path: Path) -> Manifest:
    """The manifest in a file; raises `DataError` if it is none."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if document["format"] != MANIFEST_FORMAT:
            raise DataError(
                f"{path}: format {document['format']!r} of protocol files, this version of "
                f"istsbench reads {MANIFEST_FORMAT}"
            )
        data = document["data"]
        numbers = (data["images"], data["of"], document["counts"]["format"])
        texts = (data["name"], data["title"], data["split"], data["hash"], data.get("depth", ""))
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise ValueError(f"images, of and format are {numbers}, expected numbers")
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("name, title, split, hash and depth of the data are not all texts")
        entries = tuple(_entry(method, document["machine"]) for method in document["method"])
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{path}: not a protocol file ({what}); expected one that `istsbench run` wrote"
        ) from error
    return Manifest(*texts[:3], *numbers[:2], texts[3], numbers[2], entries, texts[4])


def _entry(method: dict[str, Any], machines: list[dict[str, str]]) -> MethodEntry:
    number = method["machine"]
    if not 1 <= number <= len(machines):
        raise ValueError(f"{method['spec']} names machine {number} of {len(machines)}")
    found = MethodEntry(
        method["spec"], method["code"], method["own"], tuple(method["rules"]), method["counts"],
        method["f1"], method["parameters"], machines[number - 1], method["levels"],
        method["failed"], method.get("tuning", ""),
    )  # fmt: skip
    texts = (found.spec, found.code, found.own, found.counts, found.tuning_hash, *found.rules)
    if not (found.rules and all(isinstance(text, str) for text in texts)):
        raise ValueError(f"the method {found.spec!r} is not all texts")
    for scores in found.f1.values():
        if not all(isinstance(score, float) for score in scores.values()):
            raise ValueError(f"an F1 of {found.spec} is not a number")
    return found
