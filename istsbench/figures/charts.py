"""Bars, difficulty and critical differences of scores.

What a figure draws is prepared by a `..._data` function that returns a frame; the
figure itself decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from istsbench.data.difficulty import BINS, classes, describe
from istsbench.data.samples import Dataset
from istsbench.figures.style import (
    WIDTH,
    foot,
    group_colour,
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
BAR = 0.17  # inches a method


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
    results: Results, rule: str, reduction: str, scores: Sequence[str] = ("f1", "iou")
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
    height = BAR * (rows.max() + 1) + 0.9
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, score in zip(panels, scores, strict=True):
        part = data[data["score"] == score]
        colours = [group_colour(group) for group in part["group"]]
        axes.barh(rows, part["value"], height=0.72, color=colours, alpha=0.75)
        spans = [part["value"] - part["low"], part["high"] - part["value"]]
        whisker = axes.errorbar(
            part["value"], rows, xerr=np.maximum(spans, 0), fmt="none", ecolor="black",
            elinewidth=0.8, capsize=1.6,
        )  # fmt: skip
        axes.scatter(
            part["paper"], rows, marker="D", s=13, facecolor="white", edgecolor="black",
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
    foot(figure, stamp(results, f"rule {rule}", REDUCED[reduction]))
    return figure


# ------------------------------------------------------------------ score by difficulty


def difficulty_data(
    results: Results, dataset: Dataset, rule: str, score: str = "f1"
) -> dict[str, pd.DataFrame]:
    """For `size`, `scr` and `targets`: the image mean of the score, methods x classes.

    Column names carry the number of images; images without a target are left out.
    """
    scores = per_image(results, rule, score)
    facts = describe(dataset, scores.index)
    facts = facts[facts["targets"] > 0]
    found = {}
    for fact in ("size", "scr", "targets"):
        groups = classes(facts[fact], BINS[fact]).dropna()
        part = scores.loc[groups.index].groupby(groups, observed=True)
        table = part.mean().T
        table.columns = [f"{name}\n({count})" for name, count in part.size().items()]
        found[fact] = table
    return found


@house_style()
def difficulty(results: Results, dataset: Dataset, rule: str, score: str = "f1") -> Figure:
    """Image mean of a score by size, local contrast and number of targets, as a heat map."""
    data = difficulty_data(results, dataset, rule, score)
    titles = {"size": "Target size, pixels", "scr": "Local SCR", "targets": "Targets"}
    specs = list(data["size"].index)
    widths = [max(len(table.columns), 1) for table in data.values()]
    figure = Figure(figsize=(WIDTH, BAR * len(specs) + 1.3), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=widths, squeeze=False)[0]
    for axes, (fact, table) in zip(panels, data.items(), strict=True):
        axes.imshow(table, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(table.to_numpy()):
            colour = "white" if value < 0.5 else "black"
            axes.text(
                column, row, f"{value:.2f}", color=colour, fontsize=6, ha="center", va="center"
            )
        axes.set_xticks(range(len(table.columns)), table.columns)
        axes.set_yticks([])
        axes.set_title(titles[fact])
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    labels = [label_of(results.records[spec]) for spec in specs]
    panels[0].set_yticks(range(len(specs)), labels)
    text = f"rule {rule}, mean {SHORT.get(score, score)} of the images in each class (their number)"
    foot(figure, stamp(results, text))
    return figure


# ------------------------------------------------------------------ ranks


@house_style()
def critical_difference(results: Results, rule: str, score: str = "f1") -> Figure:
    """Mean ranks over images; bars join methods that Nemenyi's test does not tell apart."""
    found = ranking(results, rule, score)
    ranks, number = found.ranks.to_numpy(), len(found.ranks)
    labels = [label_of(results.records[spec]) for spec in found.ranks.index]
    colours = [group_colour(results.records[spec].group) for spec in found.ranks.index]
    half = (number + 1) // 2
    ties = found.ties
    top = 0.6 + 0.16 * len(ties)
    figure = Figure(figsize=(WIDTH, 0.17 * (half + len(ties)) + 1.2), layout="constrained")
    axes = figure.subplots()
    low, high = np.floor(ranks.min()), np.ceil(ranks.max())
    span = max(high - low, 1)
    axes.hlines(0, low, high, color="black", linewidth=0.8)
    for tick in np.arange(low, high + 1, 1 + span // 15):
        axes.vlines(tick, -0.12, 0, color="black", linewidth=0.8)
        axes.text(tick, -0.18, f"{tick:.0f}", ha="center", va="bottom", fontsize=7)
    axes.text((low + high) / 2, -0.46, f"mean rank ({SHORT[score]})", ha="center", va="bottom")
    for index, (rank, label, colour) in enumerate(zip(ranks, labels, colours, strict=True)):
        left = index < half
        depth = top + 0.28 * (index if left else number - 1 - index)
        end = low - 0.04 * span if left else high + 0.04 * span
        axes.plot([rank, rank, end], [0, depth, depth], color=colour, linewidth=0.9)
        side = "right" if left else "left"
        shift = -0.01 * span if left else 0.01 * span
        text = f"{label}  {rank:.2f}" if left else f"{rank:.2f}  {label}"
        axes.text(end + shift, depth, text, ha=side, va="center", fontsize=7)
    for level, (first, last) in enumerate(ties):
        depth = 0.25 + 0.16 * level
        axes.hlines(depth, ranks[first], ranks[last], color="black", linewidth=2.4)
    axes.hlines(-0.85, low, low + found.critical, color="black", linewidth=1.6)
    axes.text(low, -0.92, f"CD {found.critical:.2f}", va="bottom", fontsize=7)
    axes.set(xlim=(low - 0.35 * span, high + 0.35 * span))
    axes.set_ylim(top + 0.28 * half, -1.3)
    axes.set_axis_off()
    test = f"Friedman p = {found.p:.2g}, Nemenyi CD at 0.05"
    foot(figure, stamp(results, f"rule {rule}, ranks of {SHORT[score]} on each image", test))
    return figure
