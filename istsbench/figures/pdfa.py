"""Detection probability against false alarms: the curve of targets instead of pixels.

One level for all images is swept down over the stored maps, which are scaled as for the
ROC (each from its minimum to its maximum, probabilities as they are). At each level the
regions above it are matched to the targets as in every table ("first" of `metrics`): Pd is
the share of targets detected, Fa the pixels of unmatched regions over all pixels.

Regions at every level would cost hours and show nothing more. The levels are those at
which the false *pixels* of all images reach shares that are even on the logarithm; Fa is at
most near that share, since what surrounds a detected target is no false region.

The points are kept in OUT/TAG/figures/pdfa.csv and used again while maps and images are
the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError
from istsbench.figures.curves import MethodCurve, in_panels
from istsbench.figures.style import (
    PAGE,
    Layout,
    foot,
    house_style,
    logarithmic_ticks,
    looks,
    power_of_ten,
    stamp,
)
from istsbench.files import write_atomic
from istsbench.matching import Regions, TargetCounts, match_regions
from istsbench.metrics import summarise
from istsbench.progress import progress
from istsbench.results.intervals import complete_rows
from istsbench.results.missing import missing_maps
from istsbench.results.results import Results
from istsbench.results.sensitivity import read_rule
from istsbench.runs.counting import scaled
from istsbench.runs.record import Record, map_store

_SHOWN = (1e-6, 1e-2)  # Fa, pixels per pixel
AREA = (1e-6, 1e-3)  # Fa between which the mean of Pd is taken
SHARES = np.append(0, np.geomspace(*_SHOWN, 33))  # of all pixels, false ones above a level
FILE = "pdfa.csv"
_COLUMNS = ("method", "made_by", "level", "detected", "targets", "false_pixels", "pixels")
_SWEEP = 1  # of what this module does; a change makes stored points stale


# ------------------------------------------------------------------ points


def levels(maps: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> np.ndarray:
    """The levels to sweep over, the highest first.

    For each of `SHARES` the lowest value of a false pixel that no more false pixels exceed
    than this share of all pixels. Maps and bool truths are (H, W), image by image.
    """
    false = np.concatenate([score[~truth] for score, truth in zip(maps, truths, strict=True)])
    pixels = sum(truth.size for truth in truths)
    ranks = np.minimum((SHARES * pixels).astype(int), false.size - 1)
    places = false.size - 1 - ranks
    return np.unique(np.partition(false, np.unique(places))[places])[::-1]


def sweep_targets(score: np.ndarray, true: Regions, falling: np.ndarray) -> list[TargetCounts]:
    """What one map (H, W) comes to above each of some falling levels."""
    above = score.size - np.searchsorted(np.sort(score, axis=None), falling, side="right")
    found: list[TargetCounts] = []
    for index, (level, number) in enumerate(zip(falling, above, strict=True)):
        if index and number == above[index - 1]:  # the same pixels
            found.append(found[-1])
        else:
            found.append(match_regions(Regions.of(score > level), true))
    return found


def _swept(results: Results, spec: str, samples: Sequence[Sample]) -> pd.DataFrame | None:
    """The points of one method, without its name; None unless every map is stored."""
    record = results.records[spec]
    store, own = map_store(results.folder.parent, record), read_rule(record.own)
    maps = []
    for sample in samples:
        stored = store.load(sample.name)
        if stored is None or stored.pixels != sample.pixels:
            return None
        maps.append(scaled(stored.score, own))
    falling = levels(maps, [sample.mask for sample in samples])
    detected, false = np.zeros((2, len(falling)), dtype=np.int64)
    targets = 0
    for score, sample in zip(maps, samples, strict=True):
        true = Regions.of(sample.mask)
        found = sweep_targets(score, true, falling)
        detected += [one.detected for one in found]
        false += [one.false_pixels for one in found]
        targets += len(true.areas)
    pixels = sum(score.size for score in maps)
    return pd.DataFrame(
        {
            "level": falling,
            "detected": detected,
            "targets": targets,
            "false_pixels": false,
            "pixels": pixels,
        }
    )


def _made_by(record: Record) -> str:
    """What the points depend on; the hash of the ROC stands for maps and masks."""
    parts = (record.method_hash, record.data_hash, record.own, record.curve, _SWEEP)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


def _kept(path: Path) -> pd.DataFrame:
    """The points that are on disk; none if the file is not there or not whole."""
    try:
        frame = pd.read_csv(path, dtype={"method": str, "made_by": str}, keep_default_na=False)
        return frame[[*_COLUMNS]].astype(dict.fromkeys(_COLUMNS[2:], float))
    except (FileNotFoundError, KeyError, ValueError):
        return pd.DataFrame(columns=[*_COLUMNS])


def points(
    results: Results, dataset: Dataset, specs: Sequence[str], show: bool = False
) -> dict[str, pd.DataFrame]:
    """Spec -> `pd` and `fa` (false pixels per pixel) at each level, the highest level first.

    Methods whose maps are not all stored have none. What is computed is written to
    FOLDER/figures/pdfa.csv, method by method.
    """
    path = results.folder / "figures" / FILE
    known = {str(spec): part for spec, part in _kept(path).groupby("method", sort=False)}
    made = {spec: _made_by(results.records[spec]) for spec in specs}
    todo = [s for s in specs if s not in known or set(known[s]["made_by"]) != {made[s]}]
    names = list(results.counts[specs[0]]["image"].unique()) if todo else []
    samples = [dataset.load(name) for name in names]
    with progress("sweeping", len(todo), show) as report:
        for spec in todo:
            known.pop(spec, None)
            found = _swept(results, spec, samples)
            report(spec)
            if found is None:
                continue
            known[spec] = found.assign(method=spec, made_by=made[spec])[[*_COLUMNS]]
            whole = pd.concat([known[name] for name in sorted(known)])
            integers = dict.fromkeys(_COLUMNS[3:], int)
            text = whole.astype(integers).to_csv(index=False, float_format="%.9g")
            write_atomic(path, text.encode())
    return {
        spec: known[spec].assign(
            pd=lambda part: part["detected"] / part["targets"],
            fa=lambda part: part["false_pixels"] / part["pixels"],
        )
        for spec in specs
        if spec in known
    }


def images_without_map(results: Results, dataset: Dataset, rule: str) -> dict[str, tuple[str, ...]]:
    """Of the methods without points: the images whose maps are not stored."""
    specs = list(complete_rows(results, rule))
    known = points(results, dataset, specs, show=True)
    without = [spec for spec in specs if spec not in known]
    names = [*results.counts[specs[0]]["image"].unique()] if without else []
    pixels = {name: dataset.load(name).pixels for name in names}
    return {spec: missing_maps(results, spec, pixels) for spec in without}


# ------------------------------------------------------------------ figure


def reached(curve: pd.DataFrame) -> pd.DataFrame:
    """The highest Pd at no more than each Fa, as the corners `fa`, `pd` of a rising line.

    Pd also falls here and there as regions grow into each other; that is no gain for any
    Fa, so it is not drawn.
    """
    best = curve.groupby("fa")["pd"].max().cummax()
    return best[best.diff().fillna(1) > 0].reset_index()


def area(curve: pd.DataFrame) -> float:
    """The mean of the highest Pd at no more than each Fa, over log Fa within `AREA`."""
    line = reached(curve)
    low, high = np.log10(AREA)
    with np.errstate(divide="ignore"):
        starts = np.clip(np.log10(line["fa"].to_numpy(float)), low, high)
    widths = np.diff(np.append(starts, high))
    return float((widths * line["pd"]).sum() / (high - low))


@house_style()
def pdfa(results: Results, dataset: Dataset, rule: str, layout: Layout = PAGE) -> Figure:
    """Pd against Fa of every method, a panel a group, with the point of `rule` beside each.

    Methods without maps (rows of others) have that point alone.
    """
    rows = complete_rows(results, rule)
    own = {spec: summarise(part, "pooled") for spec, part in rows.items()}
    if np.isnan([scores["pd"] for scores in own.values()]).any():
        raise DataError(f"{results.folder}: no image has a target, so there is no Pd")
    curves = points(results, dataset, list(rows), show=True)
    areas = {spec: area(curve) for spec, curve in curves.items()}
    drawn = looks(results.records)
    lines = {spec: _line(curve) for spec, curve in curves.items()}

    def curve(spec: str) -> MethodCurve:
        if spec not in lines:
            return MethodCurve(
                np.empty(0), np.empty(0), replace(drawn[spec], line="none"), "no maps"
            )
        return MethodCurve(*lines[spec], drawn[spec], f"{areas[spec]:.3f}", "steps-post")

    def point(axes: Axes, spec: str) -> None:
        """Hollow, as its level is no single one; a thin line leads to the curve of the method."""
        look = drawn[spec]
        fa, rate = float(np.clip(own[spec]["fa"], *_SHOWN)), own[spec]["pd"]
        if spec in lines:
            at, reaches = lines[spec]
            there = reaches[max(int(np.searchsorted(at, fa, side="right")) - 1, 0)]
            axes.plot([fa, fa], [rate, there], color=look.colour, linewidth=0.5, zorder=2)
        axes.plot(
            fa, rate, marker=look.marker, markersize=4.5, linestyle="none", zorder=4,
            markerfacecolor="white", markeredgecolor=look.colour, markeredgewidth=0.8,
            clip_on=False,
        )  # fmt: skip

    ranked = sorted(rows, key=lambda spec: (-areas.get(spec, -1), spec))
    figure, panels, across = in_panels(results, layout, ranked, curve, point)
    for number, axes in enumerate(panels):
        axes.set(xscale="log", xlim=_SHOWN, ylim=(0, 1.02))
        logarithmic_ticks(axes.xaxis, 4)
        axes.set_xlabel("Fa, pixels per pixel")
        if number % across == 0:
            axes.set_ylabel("Pd")
    foot(figure, stamp(results, layout, *_caption(rule)))
    return figure


def _line(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Fa and the highest Pd up to it, over the whole axis."""
    line = reached(curve)
    at = np.maximum([*line["fa"], _SHOWN[1]], _SHOWN[0])
    return at, np.array([*line["pd"], line["pd"].iloc[-1]])


def _caption(rule: str) -> tuple[str, ...]:
    low, high = map(power_of_ten, AREA)
    return (
        "one level over all maps, scaled per image unless probabilities",
        "lines: highest Pd at no more Fa",
        f"hollow marks: rule {rule}, whose level differs by image, a thin line to their method's",
        f"numbers: mean of that Pd over log Fa from {low} to {high}",
    )
