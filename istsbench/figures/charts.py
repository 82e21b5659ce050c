"""Bars, difficulty and critical differences of scores.

What a figure draws is prepared by a `..._data` function that returns a frame; the
figure itself decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.typing import ColorType

from istsbench.data.difficulty import BINS, classes, describe
from istsbench.data.samples import Dataset
from istsbench.figures.style import (
    GREY,
    PAGE,
    Layout,
    foot,
    group_colour,
    group_marker,
    house_style,
    label_of,
    stamp,
)
from istsbench.registry import group_named, group_order
from istsbench.results.intervals import complete_rows, intervals, per_image, ranking
from istsbench.results.protocol import REDUCED
from istsbench.results.results import Results
from istsbench.tables.published import paper_scores

SHORT = {"precision": "Precision", "recall": "Recall", "f1": "F1", "iou": "IoU", "niou": "nIoU"}
BAR = 0.165  # inches a method
HATCHED = "submitted"  # group whose bars have stripes, as its colour is that of one's own rows
FEW = 10  # images; the mean of fewer says little
FADED = 0.35  # share of its colour that the cell of such a class keeps


# ------------------------------------------------------------------ scores


def bars_data(
    results: Results, rule: str, reduction: str, scores: Sequence[str] = ("f1", "iou")
) -> pd.DataFrame:
    """A row per method and score: value, 95 % interval and the paper's value (or nan).

    Methods stand group by group, in the order of publication.
    """
    printed = paper_scores(results.any_record.dataset).stack()
    specs = sorted(
        complete_rows(results, rule), key=lambda s: group_order(results.records[s].group)
    )
    lines = []
    for score in scores:
        found = intervals(results, rule, score, reduction)
        for spec in specs:
            record = results.records[spec]
            line: dict[str, object] = {
                "method": spec,
                "label": label_of(record),
                "group": record.group,
            }
            value, low, high = found.loc[spec, ["value", "low", "high"]]
            line |= {"score": score, "value": value, "low": low, "high": high}
            lines.append(line | {"paper": printed.get((record.label, score), np.nan)})
    return pd.DataFrame(lines)


@house_style()
def bars(
    results: Results,
    rule: str,
    reduction: str,
    scores: Sequence[str] = ("f1", "iou"),
    layout: Layout = PAGE,
) -> Figure:
    """Scores of all methods as bars with 95 % bootstrap intervals, and the paper's values."""
    data = bars_data(results, rule, reduction, scores)
    first = data[data["score"] == scores[0]].reset_index(drop=True)
    starts = first["group"] != first["group"].shift()
    rows = np.arange(len(first)) + starts.cumsum()  # a free line above each group for its title
    titles = {
        row - 1: group_named(group).title for row, group in zip(rows, first["group"], strict=True)
    }
    titles = {row: title for row, title in titles.items() if row not in set(rows)}
    height = BAR * (rows.max() + 1) + (1.2 if layout.narrow else 0.9)
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, score in zip(panels, scores, strict=True):
        part = data[data["score"] == score]
        colours = [group_colour(group) for group in part["group"]]
        hatches = ["//////" if group == HATCHED else "" for group in part["group"]]
        axes.barh(
            rows, part["value"], height=0.72, color=colours, hatch=hatches, edgecolor="white",
            linewidth=0,
        )  # fmt: skip
        spans = [part["value"] - part["low"], part["high"] - part["value"]]
        whisker = axes.errorbar(
            part["value"], rows, xerr=np.maximum(spans, 0), fmt="none", ecolor="black",
            elinewidth=0.8, capsize=1.6, zorder=4,
        )  # fmt: skip
        for line in whisker.get_children():  # a white rim, to be seen on any bar
            line.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
        axes.scatter(
            part["paper"], rows, marker="D", s=9, facecolor="white", edgecolor="black",
            linewidth=0.7, zorder=3, label="paper",
        )  # fmt: skip
        axes.set(xlim=(0, 1), xlabel=SHORT.get(score, score))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        whisker.set_label("95 % interval over images")
    ticks = [*zip(rows, first["label"], strict=True), *titles.items()]
    panels[0].set_yticks([row for row, _ in ticks], [text for _, text in ticks])
    for text, (row, _) in zip(panels[0].get_yticklabels(), ticks, strict=True):
        if row in titles:
            text.set(fontweight="bold")
    panels[0].set_ylim(rows.max() + 0.6, -0.6)
    handles, names = panels[0].get_legend_handles_labels()
    if data["paper"].isna().all():
        handles, names = zip(*[(h, n) for h, n in zip(handles, names, strict=True) if n != "paper"],
                             strict=True)  # fmt: skip
    figure.legend(handles, names, loc="outside upper right", ncols=2)
    foot(figure, stamp(results, layout, f"rule {rule}", REDUCED[reduction]))
    return figure


# ------------------------------------------------------------------ score by difficulty


def difficulty_data(
    results: Results, dataset: Dataset, rule: str, score: str = "f1"
) -> dict[str, tuple[pd.DataFrame, list[int]]]:
    """For `size`, `scr` and `targets`: the image mean of the score, methods x classes, and how
    many images each class has. Images without a target are left out."""
    scores = per_image(results, rule, score)
    facts = describe(dataset, scores.index)
    facts = facts[facts["targets"] > 0]
    found = {}
    for fact in ("size", "scr", "targets"):
        groups = classes(facts[fact], BINS[fact]).dropna()
        part = scores.loc[groups.index].groupby(groups, observed=True)
        found[fact] = part.mean().T, list(part.size())
    return found


def contrast(one: ColorType, other: ColorType) -> float:
    """Of two colours, from 1 to 21, as the WCAG define it; small letters need 4.5."""

    def luminance(colour: ColorType) -> float:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def readable_on(colour: ColorType) -> str:
    """The colour of letters on it: black or white, whichever stands out more (4.58 at least)."""
    return "black" if contrast("black", colour) >= contrast("white", colour) else "white"


@house_style()
def difficulty(
    results: Results, dataset: Dataset, rule: str, score: str = "f1", layout: Layout = PAGE
) -> Figure:
    """Image mean of a score by size, local contrast and number of targets, as a heat map.

    Classes of fewer than `FEW` images are pale and narrow: their means say little.
    """
    data = difficulty_data(results, dataset, rule, score)
    titles = {"size": "Target size, pixels", "scr": "Local SCR", "targets": "Targets"}
    specs = list(data["size"][0].index)
    sides = {
        fact: np.where(np.array(numbers) < FEW, 0.75, 1.0) for fact, (_, numbers) in data.items()
    }
    height = BAR * len(specs) + (1.75 if layout.narrow else 1.5)
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    widths = [max(float(wide.sum()), 1) for wide in sides.values()]
    panels = figure.subplots(1, 3, width_ratios=widths, squeeze=False)[0]
    shades = colormaps["cividis"]
    for axes, (fact, (table, numbers)) in zip(panels, data.items(), strict=True):
        edges = np.append(0, np.cumsum(sides[fact]))
        for column, (name, number) in enumerate(zip(table.columns, numbers, strict=True)):
            for row, value in enumerate(table[name]):
                shade = np.array(shades(value))
                if number < FEW:
                    shade[:3] = 1 - FADED * (1 - shade[:3])
                left, wide = edges[column], sides[fact][column]
                axes.add_patch(Rectangle((left, row - 0.5), wide, 1, color=shade, linewidth=0))
                axes.text(
                    left + wide / 2, row, f"{100 * value:.0f}", ha="center", va="center",
                    color=readable_on(tuple(shade)),
                )  # fmt: skip
        axes.set(xlim=(0, edges[-1]), ylim=(len(specs) - 0.5, -0.5), yticks=[])
        names = [f"{name}  n={number}" for name, number in zip(table, numbers, strict=True)]
        axes.set_xticks((edges[:-1] + edges[1:]) / 2, names, rotation=90)
        for text, number in zip(axes.get_xticklabels(), numbers, strict=True):
            text.set_color(GREY if number < FEW else "black")
        axes.set_title(titles[fact] if not layout.narrow else titles[fact].replace(", ", ",\n"))
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    labels = [label_of(results.records[spec]) for spec in specs]
    panels[0].set_yticks(range(len(specs)), labels)
    text = f"mean {SHORT.get(score, score)} of the images of each class in %"
    pale = f"pale: fewer than {FEW} images" if any((s < 1).any() for s in sides.values()) else ""
    foot(figure, stamp(results, layout, f"rule {rule}", text, "n: images", pale))
    return figure


# ------------------------------------------------------------------ ranks


@house_style()
def critical_difference(
    results: Results, rule: str, score: str = "f1", layout: Layout = PAGE
) -> Figure:
    """Mean ranks over images, each with a bar of one critical difference around it: Nemenyi's
    test tells two methods apart where their bars do not meet.

    Bars that join methods which are not told apart, as in Demsar's figure, are one for almost
    every method where there are thirty.
    """
    found = ranking(results, rule, score)
    ranks, places = found.ranks.to_numpy(), np.arange(len(found.ranks))
    records = [results.records[spec] for spec in found.ranks.index]
    figure = Figure(figsize=(layout.width, BAR * len(ranks) + 1.3), layout="constrained")
    axes = figure.subplots()
    half = found.critical / 2
    axes.axvspan(ranks[0] - half, ranks[0] + half, color="#e8e8e8", zorder=0, linewidth=0)
    for group in sorted({record.group for record in records}, key=group_order):
        member = np.array([record.group == group for record in records])
        axes.errorbar(
            ranks[member], places[member], xerr=half, color=group_colour(group), capsize=1.8,
            fmt=group_marker(group), markersize=4.5, elinewidth=1, label=group_named(group).title,
        )  # fmt: skip
    for place, rank in zip(places, ranks, strict=True):
        axes.text(
            1.01, float(place), f"{rank:.1f}", va="center", transform=axes.get_yaxis_transform()
        )
    axes.set_yticks(places, [label_of(record) for record in records])
    axes.set_ylim(len(ranks) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"mean rank ({SHORT[score]})")
    figure.legend(loc="outside upper left", ncols=2 if layout.narrow else 6, handlelength=1.2)
    alike = found.ties[0][1] if found.ties and found.ties[0][0] == 0 else 0
    foot(figure, stamp(
        results, layout, f"rule {rule}, ranks of {SHORT[score]} on each image",
        f"Friedman p = {found.p:.2g}",
        f"bars: Nemenyi's critical difference at 0.05, {found.critical:.2f}; methods whose bars "
        "do not meet differ",
        f"grey: {alike} {'is' if alike == 1 else 'are'} not told apart from the first",
    ))  # fmt: skip
    return figure
