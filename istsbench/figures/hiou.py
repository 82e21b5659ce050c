"""What each method loses where: hIoU and its errors as one bar a method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from istsbench.errors import DataError
from istsbench.figures.style import PAGE, Layout, foot, house_style, label_of, stamp
from istsbench.metrics import HIOU_LOSSES, hierarchy
from istsbench.results.intervals import complete_rows
from istsbench.results.results import Results

_LINE = 0.165  # inches a method
HIOU_PARTS = {  # name -> text, colour; blue are pixels of pairs, orange are regions
    "hiou": ("hIoU", "#333333"),
    "seg_pcp_err": ("pixels missed", "#08519c"),
    "seg_itf_err": ("pixels of background", "#6baed6"),
    "seg_mrg_err": ("pixels of other targets", "#c6dbef"),
    "loc_pcp_err": ("targets missed", "#7f2704"),
    "loc_s2m_err": ("targets merged", "#d94801"),
    "loc_m2s_err": ("surplus regions at targets", "#fd8d3c"),
    "loc_itf_err": ("regions at no target", "#fdd0a2"),
}


def hiou_parts(results: Results, rule: str) -> pd.DataFrame:
    """A row a complete method, the highest hIoU first: `label` and `HIOU_PARTS`, which add up to 1.

    The errors of pixels are times `loc`, so that all parts share one scale. Methods whose counts
    are of an earlier version, or that have no region at all, are left out. Raises `DataError` if
    none is left.
    """
    lines = {}
    for spec, rows in complete_rows(results, rule).items():
        found = hierarchy(rows)
        if np.isfinite(found["hiou"]):
            lost = {name: found[name] for name in HIOU_LOSSES}
            lost |= {n: found["loc"] * v for n, v in lost.items() if n.startswith("seg")}
            lines[spec] = {"label": label_of(results.records[spec]), **found, **lost}
    if not lines:
        raise DataError(
            f"{results.folder}: no counts of hIoU under {rule!r}; they are of an earlier version, "
            "and `istsbench run` counts again where the maps are stored"
        )
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return frame.sort_values("hiou", ascending=False, kind="stable")[["label", *HIOU_PARTS]]


@house_style()
def hiou_errors(results: Results, rule: str, layout: Layout = PAGE) -> Figure:
    """hIoU of all methods and what they lose, as stacked bars, the best on top."""
    data = hiou_parts(results, rule)
    legend = 4 if layout.narrow else 2  # lines
    height = _LINE * (len(data) + 1) + 0.14 * legend + 0.75
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    axes = figure.subplots()
    rows, start = np.arange(len(data)), np.zeros(len(data))
    for name, (text, colour) in HIOU_PARTS.items():
        axes.barh(
            rows, data[name], left=start, height=0.78, color=colour, label=text,
            edgecolor="white", linewidth=0.3,
        )  # fmt: skip
        start = start + data[name].to_numpy()
    for row, value in enumerate(data["hiou"]):
        axes.text(1.01, row, f"{value:.3f}", ha="left", va="center_baseline")
    axes.set_yticks(rows, data["label"])
    axes.set(xlim=(0, 1), ylim=(len(data) - 0.4, -0.6), xlabel="hIoU, and what is lost of 1")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=8 // legend, columnspacing=1.2)
    earlier = [
        record.label for spec, record in results.records.items() if results.of_earlier(spec, rule)
    ]
    without = f"counted by an earlier version: {', '.join(earlier)}" if earlier else ""
    told = "blue: of matched pairs; orange: of regions"
    foot(figure, stamp(results, layout, f"rule {rule}", "pooled over all images", told, without))
    return figure
