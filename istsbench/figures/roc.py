"""ROC and precision-recall curves, drawn from the curves that runs have stored."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from istsbench.errors import DataError
from istsbench.figures.style import GREY, WIDTH, foot, house_style, looks, stamp
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


def _curves(results: Results, score: str, name: str, lines: dict[str, pd.DataFrame]) -> Figure:
    """Curves with a legend at their right that is ordered by the area below them."""
    height = max(3.4, 0.145 * len(lines) + 0.8)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    drawn = looks(results.records)
    for number, (spec, line) in enumerate(lines.items()):
        look = drawn[spec]
        axes.plot(
            line.iloc[:, 0], line.iloc[:, 1], color=look.colour, linestyle=look.line,
            marker=look.marker, markersize=3, markeredgewidth=0.4, markeredgecolor="white",
            markevery=(0.02 + 0.008 * (number % 12), 0.11), zorder=3 - number / len(lines),
            drawstyle="steps-pre" if name == "AP" else "default",
            label=f"{look.label}  {getattr(results.records[spec], score):.3f}",
        )  # fmt: skip
    figure.legend(
        loc="outside right upper", title=f"Method  {name}", handlelength=3.2, alignment="left"
    )
    return figure


@house_style()
def roc(results: Results, log: bool = False) -> Figure:
    """ROC curves over all pixels with their AUC; `log` spreads low false alarm rates."""
    specs = _ranked(results, "auc")
    rates = pd.concat([curve_data(results, spec)["fpr"] for spec in specs])
    start = 10 ** np.floor(np.log10(rates[rates > 0].min())) if log else 0.0
    figure = _curves(
        results, "auc", "AUC", {spec: roc_data(results, spec, start) for spec in specs}
    )
    axes = figure.axes[0]
    if log:
        axes.set(xscale="log", xlim=(start, 1))
    else:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=":")
        axes.set(xlim=(-0.01, 1.01))
    axes.set(ylim=(-0.01, 1.02), xlabel="False positive rate", ylabel="True positive rate")
    foot(figure, stamp(results, "all pixels, maps scaled per image unless probabilities"))
    return figure


@house_style()
def pr(results: Results) -> Figure:
    """Precision against recall over all pixels with the average precision (the area below)."""
    specs = _ranked(results, "average_precision")
    lines = {}
    for spec in specs:
        points = curve_data(results, spec)
        first = pd.DataFrame({"tpr": [0.0], "precision": points["precision"][:1]})
        lines[spec] = pd.concat([first, points[["tpr", "precision"]]], ignore_index=True)
    figure = _curves(results, "average_precision", "AP", lines)
    figure.axes[0].set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel="Recall", ylabel="Precision")
    foot(figure, stamp(results, "all pixels, maps scaled per image unless probabilities"))
    return figure
