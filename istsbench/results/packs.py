"""Results packs: rows that travel, and are checked before they join a table.

A pack is a zip archive of, for each method, its record, counts, curve and the
run-length-encoded masks of its own rule, with a manifest of sizes and sha256 sums.

    manifest.json
    METHOD/record.json  METHOD/counts.csv  METHOD/curve.csv  METHOD/masks.json

A sum only shows that nothing was damaged on the way, for whoever changes a pack can write
new sums. So the counts of the own rule are made again from the masks wherever the data set
is at hand, and must agree. Other rules, times and curves are taken on trust, within bounds.

Nothing is unpickled, no archive member is extracted by its name, and sizes are bounded
before anything is read. A pack is taken as a whole or refused with nothing written.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from istsbench import __version__
from istsbench.data.datasets import open_dataset
from istsbench.data.depth import OWN, Depth
from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError, PackError, UnknownName
from istsbench.files import write_atomic, write_together
from istsbench.results.archive import Archive
from istsbench.results.countcheck import INTEGERS
from istsbench.results.masks import MASK_FOLDER, Masks, encode, mask_of_runs
from istsbench.results.missing import how_to_make, missing_maps
from istsbench.results.packcheck import (
    KIND,
    MAX_METHODS,
    MEMBERS,
    VERSION,
    Row,
    checked_masks,
    checked_method,
)
from istsbench.results.results import PROTOCOL, Results
from istsbench.runs.counting import OF_MASK, SUMS, count_image
from istsbench.runs.images import Images, folder_name
from istsbench.runs.maps import StoredMap
from istsbench.runs.outputs import counts_file, curve_file, record_file
from istsbench.runs.record import Origin, Record, as_bytes, as_json, sound
from istsbench.threshold import Fixed

_Truth = tuple[tuple[int, int], list[int]]  # shape and run lengths: all images fit in memory
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same results give the same pack


def export_pack(folder: Path, pack: Path, specs: Sequence[str] | None = None) -> list[str]:
    """Write the rows of a results folder OUT/TAG into `pack`; returns the specs in it.

    `specs` are methods as their rows name them, None means all with counts. Raises
    `DataError` if a row is not there or its masks are not.
    """
    results = Results.load(folder)
    chosen = list(results.counts) if specs is None else list(dict.fromkeys(specs))
    for spec in chosen:
        if spec not in results.counts:
            why = results.failure(spec) if spec in results.records else None
            raise DataError(f"{folder}: no counts of {spec}; {why or f'has {_all(results)}'}")
    if not 0 < len(chosen) <= MAX_METHODS:
        raise DataError(f"{folder}: {len(chosen)} methods, a pack holds 1 to {MAX_METHODS}")
    gone = {spec: names for spec in chosen if (names := _without_mask(results, spec))}
    if gone:
        raise DataError(
            f"{folder}: a pack holds masks, and {len(gone)} of {len(chosen)} methods have neither "
            f"these nor their maps; {how_to_make(results, gone)}"
        )
    first = results.records[chosen[0]]
    protocol = {key: getattr(first, key) for key in (*PROTOCOL, "title", "images", "of")}
    if not first.depth:  # as in packs from before there was a choice
        del protocol["depth"]
    members: dict[str, dict] = {}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for spec in chosen:
            name = results.records[spec].file
            contents = _contents(folder, results, spec)
            _check_own(name, protocol, contents)
            for member, data in contents.items():
                sum_ = hashlib.sha256(data).hexdigest()
                members[f"{name}/{member}"] = {"bytes": len(data), "sha256": sum_}
                file.writestr(_info(f"{name}/{member}"), data)
        manifest = {
            "kind": KIND,
            "version": VERSION,
            "istsbench": __version__,
            "protocol": protocol,
            "methods": [results.records[spec].file for spec in chosen],
            "members": members,
        }
        file.writestr(_info("manifest.json"), json.dumps(manifest, indent=1, ensure_ascii=False))
    write_atomic(pack, archive.getvalue())
    return chosen


def _without_mask(results: Results, spec: str) -> tuple[str, ...]:
    """The images for which there is neither a mask from a pack nor a file of a map."""
    masks = Masks.of(results.folder.parent, results, spec, "own")
    names = [name for name in masks.rows.index if name not in masks.packed]
    return missing_maps(results, spec, dict.fromkeys(names))


def _all(results: Results) -> str:
    return ", ".join(results.counts) or "none"


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _contents(folder: Path, results: Results, spec: str) -> dict[str, bytes]:
    """The members of one method by name."""
    record = results.records[spec]
    if "own" not in record.wanted:
        raise DataError(f"{folder}: {spec} has no counts of its own rule; rerun with --rules own")
    masks = Masks.of(folder.parent, results, spec, "own")
    images = {}
    for name in masks.rows.index:
        mask = masks(name)
        if mask is None:
            raise DataError(
                f"{folder}: no mask of {name} by {spec} that agrees with its counts; "
                "make its map again with `istsbench run --fresh`"
            )
        images[name] = {"size": list(mask.shape), "runs": encode(mask)}
    packed = {"rule": "own", "csv": record.csv, "images": images}
    file = record.file
    return {
        "record.json": json.dumps(as_json(record), indent=1, ensure_ascii=False).encode(),
        "counts.csv": counts_file(folder, file).read_bytes(),
        "curve.csv": curve_file(folder, file).read_bytes(),
        "masks.json": json.dumps(packed, separators=(",", ":"), ensure_ascii=False).encode(),
    }


def _check_own(file: str, protocol: dict[str, Any], contents: dict[str, bytes]) -> Row:
    """What an import will check, so that no pack is written that nobody can read."""
    record, counts, curve, masks = (contents[member] for member in MEMBERS)
    row = checked_method(file, protocol, record, counts, curve)
    checked_masks(masks, row)
    return row


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    folder: Path
    methods: tuple[str, ...]  # specs that were written
    present: tuple[str, ...]  # specs that were there already, the same
    verified: bool  # whether the own rule's counts were made again from the masks
    why: str  # the reason if not


def import_pack(
    pack: Path, out: Path, data_root: Path | None = None, *, dataset: Dataset | None = None
) -> Imported:
    """Check a pack and write its rows below `out`, as a run would.

    The counts are checked against `dataset`; if it is not given, against the data set that the
    pack names, where that is at hand.
    Raises `PackError` with the reason, or `DataError` if `dataset` cannot be read, and then
    nothing has been written.
    """
    with Archive(pack) as opened:
        protocol = opened.manifest["protocol"]
        named = {key: protocol[key] for key in ("dataset", "split", "images", "of")}
        folder = out / folder_name(**named, depth=protocol.get("depth", ""))
        there = _there(folder, protocol)
        truth, why = _truth(protocol, data_root, dataset)
        fresh: dict[str, Record] = {}  # by file
        present = []
        for file in opened.manifest["methods"]:
            row = _check_own(file, protocol, opened.contents(file))
            spec = row.record.method
            if any(spec == other.method for other in fresh.values()):
                raise PackError(f"{pack}: {spec} stands twice")
            if truth is not None:
                _recount(row, opened.contents(file)["masks.json"], truth)
            if _already(folder, there, row.record):
                present.append(spec)
            else:
                fresh[file] = row.record
        note = Origin(pack=opened.digest, verified=truth is not None)
        try:
            write_together(_files(opened, folder, fresh, note))
        except OSError as error:
            why = error.strerror or str(error)
            raise PackError(f"{folder}: cannot be written ({why}); nothing was") from error
    new = tuple(record.method for record in fresh.values())
    return Imported(folder, new, tuple(present), truth is not None, why)


def _files(
    opened: Archive, folder: Path, fresh: dict[str, Record], note: Origin
) -> Iterator[tuple[Path, bytes]]:
    """What an import writes; records last, since a row counts from its record on."""
    for file in fresh:
        contents = opened.contents(file)
        yield folder / MASK_FOLDER / f"{file}.json", contents["masks.json"]
        yield curve_file(folder, file), contents["curve.csv"]
        yield counts_file(folder, file), contents["counts.csv"]
    for file, record in fresh.items():
        yield record_file(folder, file), as_bytes(replace(record, imported=note))


def _there(folder: Path, protocol: dict[str, Any]) -> dict[str, Record]:
    """Records that are in the folder, by method; they must be of the same protocol."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        record = sound(folder, path.stem)
        if record is None:
            continue
        found[record.method] = record
        for key in PROTOCOL:
            stated, packed = getattr(record, key), protocol.get(key, "")
            if stated != packed:
                raise PackError(
                    f"{folder}: {record.method} there has {key} {stated!r}, the pack has "
                    f"{packed!r}; they cannot share a table (choose another --out)"
                )
    return found


def _already(folder: Path, there: dict[str, Record], record: Record) -> bool:
    """Whether the row is there; raises `PackError` if another one is in its place."""
    spec, other = record.method, there.get(record.method)
    if other is not None and (other.csv, other.curve) == (record.csv, record.curve):
        return True
    taken = record_file(folder, record.file).exists()
    counts = counts_file(folder, record.file)  # without a record: of an import that was killed
    if counts.exists() and hashlib.sha256(counts.read_bytes()).hexdigest() != record.csv:
        taken = True
    if other is not None or taken:
        raise PackError(
            f"{folder}: there is another row {spec!r} already, with other counts; "
            "import into another folder by --out"
        )
    return False


def _truth(
    protocol: dict[str, Any], data_root: Path | None, given: Dataset | None
) -> tuple[dict[str, _Truth] | None, str]:
    """The true masks by image, or None and why not; raises `PackError` if data differ."""
    split, limit = protocol["split"], protocol["images"]
    try:
        dataset = given or open_dataset(protocol["dataset"], data_root)
        dataset = replace(dataset, depth=Depth.read(protocol.get("depth", OWN)))
        images = Images.load(dataset, split, limit if limit < protocol["of"] else None, ())
    except (DataError, UnknownName) as error:
        if given is not None:
            raise
        return None, str(error)
    if images.hash(images.names) != protocol["data_hash"]:
        raise PackError(
            f"the pack was made on images of hash {protocol['data_hash']}, split {split} of "
            f"{dataset.name} here has {images.hash(images.names)} ({len(images.names)} images)"
        )
    masks = ((name, dataset.load(name).mask) for name in images.names)
    return {name: (mask.shape, encode(mask)) for name, mask in masks}, ""


def _recount(row: Row, masks: bytes, truth: dict[str, _Truth]) -> None:
    """Make the counts of the own rule again; raises `PackError` where they differ."""
    spec = row.record.method
    if strange := set(row.own.index) - set(truth):
        raise PackError(f"{spec}: counts of {min(strange)!r}, which is not in the split")
    for name, entry in json.loads(masks)["images"].items():
        shape, runs = truth[name]
        if tuple(entry["size"]) != shape:
            raise PackError(f"{spec}: mask of size {entry['size']} for {name} of {shape}")
        mask = mask_of_runs(entry["runs"], shape)
        sample = Sample(name, mask.astype(np.float64), mask_of_runs(runs, shape))
        stored = StoredMap(mask.astype(np.float32), "", 0.0)
        (again,), _ = count_image(sample, stored, {"own": Fixed(0.5)}, Fixed(0.5))
        for key in (*INTEGERS, *OF_MASK):
            stated = row.own.loc[name, key]
            if key in OF_MASK and math.isnan(stated):
                continue  # counted by an earlier version
            if not math.isclose(stated, again[key], rel_tol=1e-9 if key in SUMS else 0):
                raise PackError(
                    f"{spec}: {key} of {name} is stated as {stated}, its mask gives {again[key]}"
                )
