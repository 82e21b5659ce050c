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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError
from istsbench.figures.style import WIDTH, foot, house_style, looks, stamp
from istsbench.files import write_atomic
from istsbench.matching import Regions, TargetCounts, match_regions
from istsbench.metrics import summarise
from istsbench.progress import progress
from istsbench.registry import group_named, group_order
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
def pdfa(results: Results, dataset: Dataset, rule: str) -> Figure:
    """Pd against Fa of every method, a panel a group, with the point of `rule` on each.

    Methods without maps (rows of others) have that point alone.
    """
    rows = complete_rows(results, rule)
    own = {spec: summarise(part, "pooled") for spec, part in rows.items()}
    if np.isnan([scores["pd"] for scores in own.values()]).any():
        raise DataError(f"{results.folder}: no image has a target, so there is no Pd")
    curves = points(results, dataset, list(rows), show=True)
    areas = {spec: area(curve) for spec, curve in curves.items()}
    groups = sorted({results.records[spec].group for spec in rows}, key=group_order)
    members = {
        group: sorted(
            (spec for spec in rows if results.records[spec].group == group),
            key=lambda spec: (-areas.get(spec, -1), spec),
        )
        for group in groups
    }
    across = 2 if len(groups) == 4 else min(len(groups), 3)
    lines = -(-len(groups) // across)
    columns = 1 if across == 3 else 2  # of a legend
    tallest = [
        -(-max(len(members[group]) for group in groups[start : start + across]) // columns)
        for start in range(0, len(groups), across)
    ]
    figure = Figure(figsize=(WIDTH, 2.5 * lines + 0.14 * sum(tallest) + 0.4), layout="constrained")
    panels = figure.subplots(lines, across, squeeze=False, sharey=True).ravel()
    drawn = looks(results.records)
    for axes, group in zip(panels, groups, strict=False):
        handles = []
        for spec in members[group]:
            look, scores = drawn[spec], own[spec]
            style: dict[str, Any] = {
                "color": look.colour,
                "linestyle": look.line if spec in curves else "none",
            }
            if spec in curves:
                line = reached(curves[spec])
                at = np.maximum([*line["fa"], _SHOWN[1]], _SHOWN[0])
                axes.plot(at, [*line["pd"], line["pd"].iloc[-1]], drawstyle="steps-post", **style)
            point: dict[str, Any] = {
                "marker": look.marker,
                "markeredgecolor": "black",
                "markeredgewidth": 0.6,
            }
            axes.plot(
                np.clip(scores["fa"], *_SHOWN), scores["pd"], color=look.colour, markersize=4.5,
                linestyle="none", zorder=4, clip_on=False, **point,
            )  # fmt: skip
            size = f"{areas[spec]:.3f}" if spec in curves else "no maps"
            handles.append(
                Line2D([], [], **style, **point, markersize=3.5, label=f"{look.label}  {size}")
            )
        axes.set(xscale="log", xlim=_SHOWN, ylim=(0, 1.02), title=group_named(group).title)
        axes.set_xlabel("Fa, pixels per pixel")
        axes.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.2), handlelength=3,
            ncols=columns,
        )  # fmt: skip
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    for axes in panels[::across]:
        axes.set_ylabel("Pd")
    foot(figure, _caption(results, rule))
    return figure


def _caption(results: Results, rule: str) -> str:
    text = (
        "one level over all maps, scaled per image unless probabilities; lines: highest Pd at no "
        f"more Fa\nmarks: rule {rule}, whose level differs by image; numbers: mean of that Pd over "
        f"log Fa from 1e{np.log10(AREA[0]):.0f} to 1e{np.log10(AREA[1]):.0f}"
    )
    return stamp(results, text)
