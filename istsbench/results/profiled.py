"""The stored maps of a results folder scored under a profile, without a run of any method.

Counts are kept in OUT/TAG/profiles/PROFILE/METHOD.csv with a stamp, METHOD.json: the profile with
all that it fixes, the code that made the maps, the images, and a hash of the maps. They are used
again only where all of these are the same, or where the maps are not here any more.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from istsbench.data.samples import Dataset
from istsbench.errors import DataError, ProtocolMix
from istsbench.files import write_together
from istsbench.progress import progress
from istsbench.results.missing import can_be_made, how_to_make, missing_maps
from istsbench.results.profile_counts import PROFILE_COLUMNS, count_under, roc_area
from istsbench.results.profiles import PROFILES, Profile
from istsbench.results.results import Results
from istsbench.results.sensitivity import read_rule
from istsbench.runs.maps import MapStore
from istsbench.runs.record import Record, map_store
from istsbench.threshold import of_probability

PROFILE_FOLDER = "profiles"
_FORMAT = 1  # of the counts; a change makes stored ones stale
_TRAILER = 8  # bytes at the end of a map: the checksum of all before


def profiled(
    results: Results, profile: Profile, opened: Callable[[], Dataset], show: bool = True
) -> Results:
    """The results with the counts of the profile in place of those of threshold rules.

    `opened` gives the data set; it is asked for only if maps are to be counted. Methods that
    failed keep their reason. A row whose maps are not here and cannot be made here (others'
    predictions) is blank, and says so. Imported rows, which come without maps, are left out unless
    no other row is there. Raises `DataError` that names the methods whose maps are
    missing, with the command that makes them.
    """
    ran = {
        spec: record
        for spec, record in results.records.items()
        if record.wanted and spec in results.counts
    }
    there = {spec: _kept(results, record, profile) for spec, record in ran.items()}
    todo = {spec: _names(results, spec) for spec in ran if there[spec] is None}
    gone: dict[str, tuple[str, ...]] = {}
    for spec, names in todo.items():
        if missing := missing_maps(results, spec, dict.fromkeys(names)):
            gone[spec] = missing
    imported = [spec for spec in gone if results.records[spec].imported]
    if len(imported) < len(results.records):
        results = results.only([spec for spec in results.records if spec not in imported])
        for spec in imported:
            del ran[spec], there[spec], todo[spec], gone[spec]
    lost = [spec for spec in gone if not can_be_made(results, spec)]
    if making := {spec: names for spec, names in gone.items() if spec not in lost}:
        raise DataError(_missing(results, making, profile, opened))
    counted = {spec: found for spec, found in there.items() if found is not None}
    if todo.keys() - gone.keys():
        dataset = results.scored(opened())
        tasks = [spec for spec in todo if spec not in gone]
        with progress(f"{profile.name}: {dataset.name}", len(tasks), show) as report:
            for spec in tasks:
                counted[spec] = count_maps(results, spec, profile, dataset)
                _keep(results, ran[spec], profile, counted[spec])
                report(spec)
    records, counts = {}, {}
    for spec, record in results.records.items():
        if spec in counted:
            found = counted[spec]
            records[spec] = replace(
                record,
                wanted=(profile.name,),
                rules={profile.name: f"profile {profile.name}"},
                auc=found.auc,
                target_auc=found.auc if profile.roc and profile.roc.over == "targets" else None,
                average_precision=None,
            )
            seconds = results.counts[spec].groupby("image")["seconds"].first()
            counts[spec] = found.rows.assign(seconds=found.rows["image"].map(seconds))
        else:
            reason = {"": "its maps are not here"} if spec in lost else record.failed
            records[spec] = replace(record, wanted=(), csv="", failed=reason)
    return replace(results, records=records, counts=counts, profile=profile)


def common_profile(sets: Sequence[Results]) -> Profile | None:
    """The profile that all are scored under, None for the suite's own protocol.

    Raises `ProtocolMix` if they differ in it.
    """
    for results in sets:
        if results.profile != sets[0].profile:
            names = [one.profile.name if one.profile else "none" for one in (sets[0], results)]
            raise ProtocolMix(
                f"{sets[0].folder} is scored under the profile {names[0]} and {results.folder} "
                f"under {names[1]}: they cannot share a table"
            )
    return sets[0].profile if sets else None


def _names(results: Results, spec: str) -> tuple[str, ...]:
    return tuple(map(str, results.counts[spec]["image"].unique()))


def _missing(
    results: Results,
    gone: dict[str, tuple[str, ...]],
    profile: Profile,
    opened: Callable[[], Dataset],
) -> str:
    first, dataset = next(iter(gone)), None
    with suppress(DataError):  # it only tells where a folder of images lies
        dataset = opened()
    labels = ", ".join(results.records[spec].label for spec in gone)
    one = f"{gone[first][0]} of {results.records[first].label}"
    return (
        f"{results.folder}: the profile {profile.name} is computed from score maps, and those of "
        f"{labels} are not all stored (the first missing one is {one}); "
        f"{how_to_make(results, gone, dataset)}; --methods shows only rows that have them"
    )


# ------------------------------------------------------------------ counts


@dataclass(frozen=True)
class Profiled:
    """The counts of one method under a profile."""

    rows: pd.DataFrame  # `PROFILE_COLUMNS`, a row an image
    auc: float | None  # of the profile's ROC; None where it has none, or no target


def count_maps(results: Results, spec: str, profile: Profile, dataset: Dataset) -> Profiled:
    """The stored maps of a method, counted under a profile; nothing is kept.

    Raises `DataError` if a map is missing, damaged, or of another image or mask.
    """
    record = results.records[spec]
    store = map_store(results.folder.parent, record)
    probability = is_probability(record)
    counted = []
    for name in _names(results, spec):
        sample, stored = dataset.load(name), store.load(name)
        if stored is None or stored.pixels != sample.pixels:
            raise DataError(
                f"{store.folder}: the map of {name} is damaged, or its image or mask is not the "
                f"one that was scored; `istsbench run` makes it again"
            )
        counted.append(
            count_under(profile, name, stored.score, sample.mask, probability, record.dataset)
        )
    auc = roc_area(profile, counted)
    rows = pd.DataFrame([one.row for one in counted], columns=[*PROFILE_COLUMNS])
    return Profiled(rows, None if math.isnan(auc) else auc)


def is_probability(record: Record) -> bool:
    """Whether the maps of a method are probabilities."""
    return of_probability(read_rule(record.own_used))


def _keep(results: Results, record: Record, profile: Profile, found: Profiled) -> None:
    """Write counts and their stamp, the stamp last."""
    csv = found.rows.to_csv(index=False).encode()
    stamp = {
        **_identity(record, profile),
        "maps": _hash(map_store(results.folder.parent, record), list(found.rows["image"])),
        "auc": found.auc,
        "csv": hashlib.sha256(csv).hexdigest(),
    }
    counts, about = _files(results.folder, profile, record)
    # Where nothing can be written, as in a shared folder, they are counted again the next time.
    with suppress(OSError):
        write_together([(counts, csv), (about, f"{json.dumps(stamp, indent=1)}\n".encode())])


def _identity(record: Record, profile: Profile) -> dict[str, Any]:
    """What counts under a profile depend on, but for the maps themselves."""
    return {
        "format": _FORMAT,
        "profile": json.loads(json.dumps(asdict(profile))),
        "method": record.method,
        "method_hash": record.method_hash,
        "own": record.own_used,
        "data_hash": record.data_hash,
    }


def _kept(results: Results, record: Record, profile: Profile) -> Profiled | None:
    """The counts that are there, if they are of these maps, images and this very profile."""
    counts, about = _files(results.folder, profile, record)
    try:
        stamp, data = json.loads(about.read_bytes()), counts.read_bytes()
        if any(stamp[key] != value for key, value in _identity(record, profile).items()):
            return None
        if hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest() != stamp["csv"]:
            return None
        names = _names(results, record.method)
        maps = _hash(map_store(results.folder.parent, record), names)
        if maps not in (None, stamp["maps"]):
            return None
        rows = pd.read_csv(io.BytesIO(data), dtype={"image": str}, keep_default_na=False)
        return Profiled(rows, stamp["auc"]) if list(rows["image"]) == list(names) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash(store: MapStore, names: Sequence[str]) -> str | None:
    """One hash of the checksums of all maps, None if one is missing."""
    digest = hashlib.sha256()
    for name in names:
        try:
            with open(store.folder / f"{name}.npy", "rb") as file:
                size = file.seek(0, io.SEEK_END)
                file.seek(-min(_TRAILER, size), io.SEEK_END)
                digest.update(f"{name} {size} ".encode() + file.read())
        except FileNotFoundError:
            return None
    return digest.hexdigest()[:16]


def kept_files(folder: Path, file: str) -> list[Path]:
    """What may be kept of a row, by its record's `file`, under all profiles."""
    places = [folder / PROFILE_FOLDER / name for name in PROFILES]
    return [place / f"{file}{ending}" for place in places for ending in (".json", ".csv")]


def _files(folder: Path, profile: Profile, record: Record) -> tuple[Path, Path]:
    """The counts and their stamp."""
    place = folder / PROFILE_FOLDER / profile.name
    return place / f"{record.file}.csv", place / f"{record.file}.json"
