"""Stored maps to counts on disk: the cheap half of a run, a function of files alone.

For one method: the level of `tuned` and `oracle`, then a row of counts for each image
and rule, and the exact operating curves over all pixels.

The curves, and the areas under them, pool the pixels of all images at one level. For that,
maps are scaled to [0, 1] image by image (min-max), but for probabilities, which are pooled
as they are; `threshold.of_probability` tells which these are.

Counts under a rule that was not asked for this time stay: a run adds rules to what the same
code, parameters and images have left, and takes none away.

Counts of earlier versions have `FIRST_COLUMNS` alone. They stay valid, and are read with blanks
for the others, which are not 0 but not known; a run whose maps are there counts them again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from istsbench.curves import Curve, TargetCurve, ranked
from istsbench.data.samples import Dataset, Sample
from istsbench.files import write_atomic
from istsbench.matching import Matching, Regions
from istsbench.metrics import best_rule, pixel_counts, sweep
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.outputs import counts_file, curve_file
from istsbench.runs.record import Record, read_counts, sound, write_record
from istsbench.segmenter import rule_for
from istsbench.suppression import GAINS, background_suppression
from istsbench.threshold import HALF, RULES, Threshold, candidates, of_probability

FIRST_COLUMNS = (
    "image", "rule", "level", "tp", "fp", "fn", "tn", "targets", "detected", "false_pixels",
    "false_pixels_area", "detected_hungarian", "false_pixels_hungarian", "seconds",
)  # fmt: skip
"""All that counts of earlier versions have."""
OF_MASK = (
    "detected_opdc", "false_pixels_opdc", "regions", "regions_apart", "targets_apart",
    "iou_opdc", "merged_opdc", "spilled_opdc", "missed_opdc",
    "detected_shooting", "false_pixels_shooting",
)  # fmt: skip
OF_MAP = ("auc", *(f"{gain}{end}" for gain in GAINS for end in ("", "_targets")))
"""The same under every rule; `auc` is blank where an image has one kind of pixel only."""
COLUMNS = (*FIRST_COLUMNS, *OF_MASK, *OF_MAP)
LACKED = "hIoU, the shooting rule, AUC by image and by target, and background suppression"
"""What counts of earlier versions do not tell, in words."""
SUMS = ("iou_opdc", "merged_opdc", "spilled_opdc", "missed_opdc", "auc", *GAINS)
"""Those of `OF_MASK` and `OF_MAP` that are not whole numbers."""


@dataclass(frozen=True)
class Counted:
    """What the stored maps of one method come to."""

    rows: pd.DataFrame  # COLUMNS, a row per image and rule
    rules: dict[str, str]  # rule name -> the rule as a value
    points: pd.DataFrame  # the ROC and PR curve, thinned for drawing
    auc: float
    average_precision: float
    target_auc: float = math.nan
    busy: float | None = None  # median over the maps, where all tell; see `StoredMap`
    masks: bool = False  # the maps are of type bool
    refused: Mapping[str, str] = field(default_factory=dict)  # image -> why its map is not counted


def _stored(
    store: MapStore, dataset: Dataset, names: Sequence[str]
) -> Iterator[tuple[Sample, StoredMap]]:
    for name in names:
        stored = store.load(name)
        if stored is None:
            continue
        sample = dataset.load(name)
        if stored.pixels == sample.pixels:
            yield sample, stored


def _chosen(
    own: Threshold, store: MapStore, dataset: Dataset, names: Sequence[str]
) -> Threshold | None:
    """The best rule on these images; None unless the map of each is there."""
    options = candidates(own)
    total, found = np.zeros((len(options), 3), dtype=np.int64), 0
    for sample, stored in _stored(store, dataset, names):
        total += sweep(stored.score, sample.mask, options)
        found += 1
    return best_rule(total, options) if found == len(names) else None


def _kinds(store: MapStore, names: Sequence[str]) -> tuple[bool, dict[str, str]]:
    """Whether the maps are masks of type bool, and why some are refused: others are of that kind.

    The first image decides.
    """
    found = {name: one.mask for name in names if (one := store.load(name)) is not None}
    first, masks = next(iter(found.items()), ("", False))
    kinds = {True: "a mask of type bool", False: "a map of scores"}
    return masks, {
        name: f"score returned {kinds[mask]}, and {kinds[masks]} for {first}; expected one kind "
        "for all images, or a method that names its threshold rule"
        for name, mask in found.items()
        if mask != masks
    }


def resolve(
    wanted: Sequence[str],
    own: Threshold,
    store: MapStore,
    dataset: Dataset,
    names: Sequence[str],
    tuning: Sequence[str],
) -> dict[str, Threshold]:
    """The rule behind each name; `tuning` are the images that `tuned` may look at.

    `tuned` and `oracle` are left out if an image that they are chosen on has no map.
    """
    found: dict[str, Threshold | None] = {"own": own, "half": HALF}
    if "tuned" in wanted:
        found["tuned"] = _chosen(own, store, dataset, tuning)
    if "oracle" in wanted:
        found["oracle"] = _chosen(own, store, dataset, names)
    return {name: rule for name in wanted if (rule := found[name]) is not None}


def count_image(
    sample: Sample, stored: StoredMap, chosen: dict[str, Threshold], own: Threshold
) -> tuple[list[dict[str, Any]], TargetCurve]:
    """The rows of one image, one a rule, and what it adds to the target-level curve.

    `own` is the rule of the method itself, which tells what its maps are.
    """
    true, score = Regions.of(sample.mask), stored.score.astype(np.float64)
    rows: list[dict[str, Any]] = []
    auc, curve = ranked(stored.score, true)
    gains = background_suppression(sample.image, 255 * scaled(score, own), true)
    of_map = {"auc": auc, **gains}
    for name, rule in chosen.items():
        level = rule.level(score)
        mask = score > level
        matching = Matching(Regions.of(mask), true)
        first, area, best, shot = (
            matching.counts(match) for match in ("first", "area", "hungarian", "shooting")
        )
        opdc = matching.opdc()
        values = (
            sample.name, name, level, *pixel_counts(mask, sample.mask), first.targets,
            first.detected, first.false_pixels, area.false_pixels, best.detected,
            best.false_pixels, round(stored.seconds, 6),
            len(opdc.pairs), opdc.false_pixels, opdc.regions, opdc.regions_apart,
            opdc.targets_apart, opdc.iou, opdc.merged, opdc.spilled, opdc.missed,
            shot.detected, shot.false_pixels, *(of_map[column] for column in OF_MAP),
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows, curve


def scaled(score: np.ndarray, own: Threshold) -> np.ndarray:
    """The map as curves pool it: probabilities as they are, others scaled to [0, 1]."""
    if of_probability(own):
        return score
    low, high = score.min(), score.max()
    if high == low:
        return np.zeros_like(score)
    return np.asarray((score - low) / (high - low))


def count(
    named: Threshold | None,
    store: MapStore,
    dataset: Dataset,
    names: Sequence[str],
    tuning: Sequence[str],
    wanted: Sequence[str],
) -> Counted:
    """Count the stored maps of `names` under the wanted rules.

    `named` is the own rule; without one it is decided by what the method returned, and `tuned`
    and `oracle` are left out where that is not the same for all images.
    """
    masks, refused = _kinds(store, (*names, *tuning)) if named is None else (False, {})
    own = rule_for(named, masks)
    if refused:
        names = [name for name in names if name not in refused]
        wanted = [rule for rule in wanted if rule in ("own", "half")]
    chosen = resolve(wanted, own, store, dataset, names, tuning)
    rows, values, truths, busy, curves = [], [], [], list[float | None](), []
    for sample, stored in _stored(store, dataset, names):
        busy.append(stored.busy)
        counted, of_targets = count_image(sample, stored, chosen, own)
        rows += counted
        curves.append(of_targets)
        values.append(scaled(stored.score, own).ravel())
        truths.append(sample.mask.ravel())
    described = {name: repr(rule) for name, rule in chosen.items()}
    if not rows:
        empty = pd.DataFrame(columns=list(COLUMNS))
        nothing = pd.DataFrame(columns=["fpr", "tpr", "precision"])
        return Counted(
            empty, described, nothing, float("nan"), float("nan"), masks=masks, refused=refused
        )
    curve = Curve.of(np.concatenate(values), np.concatenate(truths))
    measured = [value for value in busy if value is not None]
    return Counted(
        pd.DataFrame(rows), described, curve.points(), curve.auc, curve.average_precision,
        reduce(operator.add, curves).auc,
        float(np.median(measured)) if len(measured) == len(busy) else None, masks, refused,
    )  # fmt: skip


@dataclass(frozen=True)
class Counting:
    """What the maps of every method of a run are counted on."""

    dataset: Dataset
    names: tuple[str, ...]
    tuning: tuple[str, ...]
    wanted: tuple[str, ...]

    def of(self, named: Threshold | None, store: MapStore) -> Counted:
        """The counts of one method, by the own rule that it names, if it does."""
        return count(named, store, self.dataset, self.names, self.tuning, self.wanted)


def write_counts(
    folder: Path,
    record: Record,
    counted: Counted,
    store: MapStore,
    failed: Mapping[str, str] | None = None,
) -> Record:
    """Write a method's counts, curve and completed record; return the record.

    `store` holds the maps that were counted.
    """
    found = sound(folder, record.file)
    rows, kept = counted.rows.to_csv(index=False).encode(), list[str]()
    if found is not None and found.csv and found.alike(record):
        rows, kept = _joined(folder, record, rows, found)
    curve = counted.points.to_csv(index=False, float_format="%.9g").encode()
    write_atomic(counts_file(folder, record.file), rows)
    write_atomic(curve_file(folder, record.file), curve)
    record = replace(
        record,
        rules=counted.rules,
        auc=_or_none(counted.auc),
        average_precision=_or_none(counted.average_precision),
        target_auc=_or_none(counted.target_auc),
        busy=None if counted.busy is None else round(counted.busy, 3),
        failed=dict(failed or {}),
        csv=hashlib.sha256(rows).hexdigest(),
        curve=hashlib.sha256(curve).hexdigest(),
        environment=store.made_by(),
    )
    if found is not None and kept:
        wanted = tuple(rule for rule in RULES if rule in (*record.wanted, *kept))
        both = {**found.rules, **counted.rules}
        record = replace(
            record,
            wanted=wanted,
            rules={rule: both[rule] for rule in wanted if rule in both},
            tuning_hash=found.tuning_hash if "tuned" in kept else record.tuning_hash,
            notes=tuple(dict.fromkeys([*record.notes, *found.notes])),
        )
    write_record(folder, record)
    return record


def lacks_columns(folder: Path, record: Record) -> bool:
    """Whether counts on disk, of an earlier version, lack numbers of the rules of `record`."""
    with counts_file(folder, record.file).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["rule"] in record.wanted and not row.get(OF_MASK[0]):
                return True
    return False


def _or_none(area: float) -> float | None:
    return None if math.isnan(area) else area  # JSON has no nan


def _joined(folder: Path, record: Record, new: bytes, found: Record) -> tuple[bytes, list[str]]:
    """The counts as a file, and the rules in it that are only in the file `found` speaks of."""
    kept = [rule for rule in found.wanted if rule not in record.wanted]
    if not kept:
        return new, []
    try:
        old = read_counts(folder, found)
    except (OSError, ValueError):
        return new, []
    ours, theirs = (
        pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False) for data in (new, old)
    )
    rows = pd.concat([ours, theirs[theirs["rule"].isin(kept)]])
    images = {name: place for place, name in enumerate(dict.fromkeys(rows["image"]))}
    order = {"image": images, "rule": {name: place for place, name in enumerate(RULES)}}
    rows = rows.sort_values(list(order), key=lambda column: column.map(order[str(column.name)]))
    return rows.to_csv(index=False).encode(), kept
