"""ROC and precision-recall curves, drawn from the curves that runs have stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from istsbench.errors import DataError
from istsbench.figures.curves import TOGETHER, MethodCurve, best_of_groups, in_panels, together
from istsbench.figures.style import (
    GREY,
    PAGE,
    Layout,
    foot,
    house_style,
    logarithmic_ticks,
    looks,
    stamp,
)
from istsbench.results.results import Results
from istsbench.runs.outputs import curve_file


def curve_data(results: Results, spec: str) -> pd.DataFrame:
    """The stored operating points of a method: fpr, tpr, precision, from the highest level."""
    path = curve_file(results.folder, results.records[spec].file)
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no curve; rerun {spec} with `istsbench run`") from None


def roc_data(results: Results, spec: str, start: float = 0.0) -> pd.DataFrame:
    """The ROC as a line: fpr, tpr from (0, 0) to (1, 1).

    With `start` > 0 it begins at that fpr, and long straight pieces get points between,
    so that they are true to the linear curve on a logarithmic axis.
    """
    points = curve_data(results, spec)[["fpr", "tpr"]]
    ends = pd.DataFrame({"fpr": [0.0, 1.0], "tpr": [0.0, 1.0]})
    line = pd.concat([ends[:1], points, ends[1:]], ignore_index=True)
    if not start:
        return line
    fine = np.geomspace(start, 1, 200)
    kept = line[line["fpr"] >= start]
    between = pd.DataFrame({"fpr": fine, "tpr": np.interp(fine, line["fpr"], line["tpr"])})
    return pd.concat([between, kept]).sort_values(["fpr", "tpr"], ignore_index=True)


def _ranked(results: Results, score: str) -> list[str]:
    """Methods with a curve, the best first."""
    area = {
        spec: getattr(record, score)
        for spec, record in results.records.items()
        if results.complete(spec, "own")
    }
    known = [spec for spec, value in area.items() if value is not None and np.isfinite(value)]
    if not known:
        raise DataError(f"{results.folder}: no method with a curve")
    return sorted(known, key=lambda spec: (-area[spec], spec))  # type: ignore[operator]


def _curves(
    results: Results,
    layout: Layout,
    score: str,
    name: str,
    every: bool,
    line_of: Callable[[str], tuple[np.ndarray, np.ndarray]],
) -> tuple[Figure, list[Axes], str]:
    """The figure, its panels, and what there is to say of the methods it shows."""
    ranked, drawn = _ranked(results, score), looks(results.records)

    @cache
    def curve(spec: str) -> MethodCurve:
        value = f"{getattr(results.records[spec], score):.3f}"
        steps = "steps-pre" if name == "AP" else "default"
        return MethodCurve(*line_of(spec), drawn[spec], value, steps)

    if every:
        figure, panels, across = in_panels(results, layout, ranked, curve)
        return figure, panels, f"behind each name its {name}"
    shown, note = ranked, ""
    if len(ranked) > TOGETHER:
        shown = best_of_groups(results, ranked)
        note = f"the best of each group by {name}, {len(shown)} of {len(ranked)} methods"
    figure = together(layout, [curve(spec) for spec in shown], f"Method  {name}")
    return figure, figure.axes, note


SCALED = "all pixels, maps scaled per image unless probabilities"


@house_style()
def roc(results: Results, layout: Layout = PAGE, log: bool = False, every: bool = False) -> Figure:
    """ROC curves over all pixels with their AUC; `log` spreads low false alarm rates.

    Of more than `TOGETHER` methods those of highest AUC in each group are shown; `every` shows
    all of them, a panel a group.
    """
    specs = _ranked(results, "auc")
    rates = pd.concat([curve_data(results, spec)["fpr"] for spec in specs])
    start = 10 ** np.floor(np.log10(rates[rates > 0].min())) if log else 0.0

    def line(spec: str) -> tuple[np.ndarray, np.ndarray]:
        points = roc_data(results, spec, start)
        return points["fpr"].to_numpy(), points["tpr"].to_numpy()

    figure, panels, note = _curves(results, layout, "auc", "AUC", every, line)
    for axes in panels:
        if log:
            axes.set(xscale="log", xlim=(start, 1))
            logarithmic_ticks(axes.xaxis, 8 if len(panels) == 1 else 4)
        else:
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=":", zorder=1)
            axes.set(xlim=(-0.01, 1.01))
        axes.set_ylim(-0.01, 1.02)
    _name(panels, "False positive rate", "True positive rate")
    foot(figure, stamp(results, layout, SCALED, note))
    return figure


@house_style()
def pr(results: Results, layout: Layout = PAGE, every: bool = False) -> Figure:
    """Precision against recall over all pixels with the average precision (the area below).

    Which methods are shown is as in `roc`, by average precision.
    """

    def line(spec: str) -> tuple[np.ndarray, np.ndarray]:
        points = curve_data(results, spec)
        recall, precision = points["tpr"].to_numpy(), points["precision"].to_numpy()
        return np.append(0.0, recall), np.append(precision[:1], precision)

    figure, panels, note = _curves(results, layout, "average_precision", "AP", every, line)
    for axes in panels:
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    _name(panels, "Recall", "Precision")
    foot(figure, stamp(results, layout, SCALED, note))
    return figure


def _name(panels: Sequence[Axes], below: str, left: str) -> None:
    """Names of axes: below each panel, and at the left of the first of each row."""
    for axes in panels:
        axes.set_xlabel(below)
        if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            axes.set_ylabel(left)
