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
from matplotlib.patheffects import withStroke
from matplotlib.transforms import ScaledTranslation

from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError
from istsbench.figures.curves import (
    TOGETHER,
    MethodCurve,
    Panels,
    best_of_groups,
    distinctly,
    in_panels,
    note_of_best,
    pages_of,
    together,
)
from istsbench.figures.fonts import SMALLEST
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
_HEAD = "mean Pd"  # over the numbers of a legend
_APART = 0.07  # of Pd, between numbers beside marks
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
    store, own = map_store(results.folder.parent, record), read_rule(record.own_used)
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
    parts = (record.method_hash, record.data_hash, record.own_used, record.curve, _SWEEP)
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
def pdfa(
    results: Results, dataset: Dataset, rule: str, layout: Layout = PAGE, every: bool = False
) -> Figure | list[Figure]:
    """Pd against Fa with the point of `rule` beside each curve.

    Of more than `TOGETHER` methods those of highest mean Pd in each group are shown; `every`
    shows all of them, a panel a group. Methods without maps (rows of others) have no curve: they
    are named at the foot, and `every` shows their points.
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
            look = replace(drawn[spec], line="none")
            return MethodCurve(np.empty(0), np.empty(0), look, "\u2013", hollow=True)
        return MethodCurve(*lines[spec], drawn[spec], f"{areas[spec]:.3f}", "steps-post")

    def marks(axes: Axes, specs: Sequence[str], shown: Sequence[MethodCurve]) -> None:
        _rule_marks(axes, [(one, own[s]["fa"], own[s]["pd"])
                           for s, one in zip(specs, shown, strict=True)])  # fmt: skip

    ranked = sorted(rows, key=lambda spec: (-areas.get(spec, -1), spec))
    without = [results.records[spec].label for spec in ranked if spec not in lines]
    notes = [f"no curve, as their maps are not stored: {', '.join(without)}"] if without else []
    if every or not lines:
        pages = in_panels(results, layout, ranked, curve, _HEAD, marks)
    else:
        shown = known = [spec for spec in ranked if spec in lines]
        if len(known) > TOGETHER:
            shown = best_of_groups(results, known)
            notes.insert(0, note_of_best(results, known, "mean Pd"))
        made = [curve(spec) for spec in shown]
        figure = together(layout, made, _HEAD)
        marks(figure.axes[0], shown, distinctly(made))
        pages = [Panels(figure, figure.axes, 1)]
    beyond = any(not _SHOWN[0] <= scores["fa"] <= _SHOWN[1] for scores in own.values())
    for page in pages:
        for number, axes in enumerate(page.axes):
            axes.set(xscale="log", xlim=_SHOWN, ylim=(0, 1.02))
            logarithmic_ticks(axes.xaxis, 4)
            axes.set_xlabel("Fa, pixels per pixel")
            if number % page.across == 0:
                axes.set_ylabel("Pd")
        foot(page.figure, stamp(results, layout, *_caption(rule, beyond), *notes))
    return pages_of(pages)


def _line(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Fa and the highest Pd up to it, over the whole axis and no further."""
    line = reached(curve)
    low, high = _SHOWN
    before = line[line["fa"] <= low]["pd"].iloc[-1:]
    within = line[(line["fa"] > low) & (line["fa"] <= high)]
    rates = np.array([*(before if len(before) else [0.0]), *within["pd"]])
    return np.array([low, *within["fa"], high]), np.append(rates, rates[-1])


def _rule_marks(axes: Axes, marks: Sequence[tuple[MethodCurve, float, float]]) -> None:
    """Hollow marks at the Fa and Pd of a rule, whose level is no single one.

    One beyond the axis stands at its end, with an arrow outwards and its Fa beside it.
    """
    lowest = {False: -np.inf, True: -np.inf}  # of the next text, at the left and at the right
    for one, fa, rate in sorted(marks, key=lambda mark: mark[2]):
        look, at = one.look, float(np.clip(fa, *_SHOWN))
        axes.plot(
            at, rate, marker=look.marker, markersize=6 if look.brought else 4.5, linestyle="none",
            zorder=5 + look.brought, markerfacecolor="white", markeredgecolor=look.colour,
            markeredgewidth=0.8, clip_on=False,
        )  # fmt: skip
        if fa == at:
            continue
        right = fa > at
        height = lowest[right] = max(rate, lowest[right] + _APART)
        outwards = 6 if right else -6
        arrow = ">" if right else "<"
        axes.plot(
            at,
            rate,
            marker=arrow,
            markersize=4,
            color=look.colour,
            linestyle="none",
            clip_on=False,
            zorder=5,
            markeredgewidth=0,
            transform=axes.transData
            + ScaledTranslation(outwards / 72, 0, axes.figure.dpi_scale_trans),
        )
        axes.annotate(
            f"{fa:.1e}".replace("e-0", "e-") if fa else "0", (at, height), (-outwards, -8),
            textcoords="offset points", ha="right" if right else "left", va="center",
            color=look.colour, fontsize=SMALLEST, zorder=6,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


def _caption(rule: str, beyond: bool) -> tuple[str, ...]:
    low, high = map(power_of_ten, AREA)
    return (
        "one level over all maps, scaled per image unless probabilities",
        "lines: highest Pd at no more Fa",
        f"hollow marks: rule {rule}, whose level differs by image",
        "arrows: Fa beyond the axis, in numbers beside" if beyond else "",
        f"mean Pd: of the line over log Fa from {low} to {high}",
    )
