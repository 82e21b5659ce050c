"""Stored maps to counts on disk: the cheap half of a run, a function of files alone.

For one method: the level of `tuned` and `oracle`, then a row of counts for each image
and rule, and the exact operating curves over all pixels.

The curves, and the areas under them, pool the pixels of all images at one level. For that,
maps are scaled to [0, 1] image by image (min-max), but for probabilities, which are pooled
as they are; `threshold.of_probability` tells which these are.

Counts under a rule that was not asked for this time stay: a run adds rules to what the same
code, parameters and images have left, and takes none away.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from istsbench.data.samples import Dataset, Sample
from istsbench.files import write_atomic
from istsbench.matching import Regions, match_regions
from istsbench.metrics import Curve, best_rule, pixel_counts, sweep
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.outputs import counts_file, curve_file
from istsbench.runs.record import Record, read_counts, sound, write_record
from istsbench.threshold import HALF, RULES, Threshold, candidates, of_probability

COLUMNS = (
    "image", "rule", "level", "tp", "fp", "fn", "tn", "targets", "detected", "false_pixels",
    "false_pixels_area", "detected_hungarian", "false_pixels_hungarian", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """What the stored maps of one method come to."""

    rows: pd.DataFrame  # COLUMNS, a row per image and rule
    rules: dict[str, str]  # rule name -> the rule as a value
    points: pd.DataFrame  # the ROC and PR curve, thinned for drawing
    auc: float
    average_precision: float
    busy: float | None = None  # median over the maps, where all tell; see `StoredMap`


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
    sample: Sample, stored: StoredMap, chosen: dict[str, Threshold]
) -> list[dict[str, object]]:
    """The rows of one image, one a rule."""
    true, score, rows = Regions.of(sample.mask), stored.score.astype(np.float64), []
    for name, rule in chosen.items():
        level = rule.level(score)
        mask = score > level
        predicted = Regions.of(mask)
        first, area, best = (
            match_regions(predicted, true, match) for match in ("first", "area", "hungarian")
        )
        values = (
            sample.name, name, level, *pixel_counts(mask, sample.mask), first.targets,
            first.detected, first.false_pixels, area.false_pixels, best.detected,
            best.false_pixels, round(stored.seconds, 6),
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def scaled(score: np.ndarray, own: Threshold) -> np.ndarray:
    """The map as curves pool it: probabilities as they are, others scaled to [0, 1]."""
    if of_probability(own):
        return score
    low, high = score.min(), score.max()
    if high == low:
        return np.zeros_like(score)
    return np.asarray((score - low) / (high - low))


def count(
    own: Threshold,
    store: MapStore,
    dataset: Dataset,
    names: Sequence[str],
    tuning: Sequence[str],
    wanted: Sequence[str],
) -> Counted:
    """Count the stored maps of `names` under the wanted rules."""
    chosen = resolve(wanted, own, store, dataset, names, tuning)
    rows, values, truths, busy = [], [], [], list[float | None]()
    for sample, stored in _stored(store, dataset, names):
        busy.append(stored.busy)
        rows += count_image(sample, stored, chosen)
        values.append(scaled(stored.score, own).ravel())
        truths.append(sample.mask.ravel())
    described = {name: repr(rule) for name, rule in chosen.items()}
    if not rows:
        empty = pd.DataFrame(columns=list(COLUMNS))
        nothing = pd.DataFrame(columns=["fpr", "tpr", "precision"])
        return Counted(empty, described, nothing, float("nan"), float("nan"))
    curve = Curve.of(np.concatenate(values), np.concatenate(truths))
    measured = [value for value in busy if value is not None]
    return Counted(
        pd.DataFrame(rows), described, curve.points(), curve.auc, curve.average_precision,
        float(np.median(measured)) if len(measured) == len(busy) else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Counting:
    """What the maps of every method of a run are counted on."""

    dataset: Dataset
    names: tuple[str, ...]
    tuning: tuple[str, ...]
    wanted: tuple[str, ...]

    def of(self, own: Threshold, store: MapStore) -> Counted:
        """The counts of one method."""
        return count(own, store, self.dataset, self.names, self.tuning, self.wanted)


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
    csv, kept = counted.rows.to_csv(index=False).encode(), list[str]()
    if found is not None and found.csv and found.alike(record):
        csv, kept = _joined(folder, record, csv, found)
    curve = counted.points.to_csv(index=False, float_format="%.9g").encode()
    write_atomic(counts_file(folder, record.file), csv)
    write_atomic(curve_file(folder, record.file), curve)
    auc, precision = counted.auc, counted.average_precision
    record = replace(
        record,
        rules=counted.rules,
        auc=None if math.isnan(auc) else auc,  # JSON has no nan
        average_precision=None if math.isnan(precision) else precision,
        busy=None if counted.busy is None else round(counted.busy, 3),
        failed=dict(failed or {}),
        csv=hashlib.sha256(csv).hexdigest(),
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
