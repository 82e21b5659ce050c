"""ROC and precision-recall curves, drawn from the curves that runs have stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from istsbench.errors import DataError
from istsbench.figures.curves import (
    TOGETHER,
    MethodCurve,
    Panels,
    best_of_groups,
    in_panels,
    note_of_best,
    pages_of,
    together,
)
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
) -> tuple[list[Panels], str]:
    """The pages of the figure, and what there is to say of the methods it shows."""
    ranked, drawn = _ranked(results, score), looks(results.records)

    @cache
    def curve(spec: str) -> MethodCurve:
        value = f"{getattr(results.records[spec], score):.3f}"
        steps = "steps-pre" if name == "AP" else "default"
        return MethodCurve(*line_of(spec), drawn[spec], value, steps)

    if every:
        return in_panels(results, layout, ranked, curve, name), ""
    shown, note = ranked, ""
    if len(ranked) > TOGETHER:
        shown = best_of_groups(results, ranked)
        note = note_of_best(results, ranked, name)
    figure = together(layout, [curve(spec) for spec in shown], name)
    return [Panels(figure, figure.axes, 1)], note


SCALED = "all pixels, maps scaled per image unless probabilities"


@house_style()
def roc(
    results: Results, layout: Layout = PAGE, log: bool = False, every: bool = False
) -> Figure | list[Figure]:
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

    pages, note = _curves(results, layout, "auc", "AUC", every, line)
    for axes in [axes for page in pages for axes in page.axes]:
        if log:
            axes.set(xscale="log", xlim=(start, 1))
            logarithmic_ticks(axes.xaxis, 4 if every else 8)
        else:
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=":", zorder=1)
            axes.set(xlim=(-0.01, 1.01))
        axes.set_ylim(-0.01, 1.02)
    return _finished(pages, "False positive rate", "True positive rate",
                     stamp(results, layout, SCALED, note))  # fmt: skip


@house_style()
def pr(results: Results, layout: Layout = PAGE, every: bool = False) -> Figure | list[Figure]:
    """Precision against recall over all pixels with the average precision (the area below).

    Which methods are shown is as in `roc`, by average precision.
    """

    def line(spec: str) -> tuple[np.ndarray, np.ndarray]:
        points = curve_data(results, spec)
        recall, precision = points["tpr"].to_numpy(), points["precision"].to_numpy()
        return np.append(0.0, recall), np.append(precision[:1], precision)

    pages, note = _curves(results, layout, "average_precision", "AP", every, line)
    for axes in [axes for page in pages for axes in page.axes]:
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    return _finished(pages, "Recall", "Precision", stamp(results, layout, SCALED, note))


def _finished(pages: Sequence[Panels], below: str, left: str, text: str) -> Figure | list[Figure]:
    """With names of axes, below each panel and at the left of each row, and the foot."""
    for page in pages:
        for number, axes in enumerate(page.axes):
            axes.set_xlabel(below)
            if number % page.across == 0:
                axes.set_ylabel(left)
        foot(page.figure, text)
    return pages_of(pages)
