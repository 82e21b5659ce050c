"""Curves of many methods: some on one pair of axes, or a panel a group with its own legend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from istsbench.figures.fonts import text_width, wrapped
from istsbench.figures.style import Layout, Look, distinct
from istsbench.registry import group_named, group_order
from istsbench.results.results import Results

TOGETHER = 8  # lines that one pair of axes holds; of more, the best of each group are shown
BEST_OF_EACH = "Best of each group"
_LINE = 0.135  # inches, of a legend
_HANDLE = 0.33  # inches, a line and its mark in a legend, with the gaps beside it
_BELOW = 0.42  # inches between axes and their legend, for the names of ticks and axis


@dataclass(frozen=True)
class MethodCurve:
    """The line of one method."""

    x: np.ndarray
    y: np.ndarray
    look: Look
    value: str  # stands behind the name in the legend
    steps: str = "default"  # a matplotlib draw style

    @property
    def label(self) -> str:
        return f"{self.look.label}  {self.value}"


def best_of_groups(results: Results, ranked: Sequence[str]) -> list[str]:
    """Of methods that stand best first: the first of each group, in their order."""
    found: dict[str, str] = {}
    for spec in ranked:
        found.setdefault(results.records[spec].group, spec)
    return list(found.values())


def draw_curve(axes: Axes, curve: MethodCurve, number: int) -> None:
    """A line with marks on it; `number` shifts them, so that those of neighbours stay apart."""
    axes.plot(
        curve.x, curve.y, color=curve.look.colour, linestyle=curve.look.line,
        marker=curve.look.marker, markersize=3.6, markeredgewidth=0.4, markeredgecolor="white",
        markevery=(0.05 + 0.025 * (number % 9), 0.28), drawstyle=curve.steps,
        zorder=3 - 0.01 * number,
    )  # fmt: skip


def handle_of(curve: MethodCurve, width: float) -> Line2D:
    """Of a legend whose texts are at most `width` inches wide."""
    look = curve.look
    return Line2D(
        [], [], color=look.colour, linestyle=look.line, marker=look.marker, markersize=3.6,
        markeredgewidth=0.4, markeredgecolor="white", label=wrapped(curve.label, width),
    )  # fmt: skip


def together(layout: Layout, curves: Sequence[MethodCurve], title: str) -> Figure:
    """All curves on one pair of axes, with a legend at their right, or below in a column.

    They may be of several groups, so dashes and marks tell them apart by their place here.
    """
    curves = [replace(one, look=distinct(one.look, place)) for place, one in enumerate(curves)]
    handles = [handle_of(curve, layout.width - _HANDLE - 0.1) for curve in curves]
    height, narrow = max(3.2, _LINE * len(curves) + 0.8), layout.narrow
    if narrow:
        widest = max((text_width(curve.label) for curve in curves), default=0) + _HANDLE + 0.1
        columns = max(1, int((layout.width - 0.4) / widest))
        height = 3.0 + _LINE * (1 + -(-len(curves) // columns))
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    axes = figure.subplots()
    for number, curve in enumerate(curves):
        draw_curve(axes, curve, number)
    if narrow:  # one of the figure would lie on the line at its foot
        legend_below(axes, handles, title=title, ncols=columns)
    else:
        figure.legend(
            handles=handles, loc="outside right upper", title=title, handlelength=2.6,
            alignment="left",
        )  # fmt: skip
    return figure


def legend_below(axes: Axes, handles: Sequence[Line2D], **options: Any) -> None:
    """A legend below the axes and the names of their ticks."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    below = axes.transAxes + ScaledTranslation(0, -_BELOW, figure.dpi_scale_trans)
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below,
        handlelength=2.2, borderpad=0, borderaxespad=0, labelspacing=0.3, alignment="left",
        **options,
    )  # fmt: skip


def in_panels(
    results: Results,
    layout: Layout,
    specs: Sequence[str],
    curve_of: Callable[[str], MethodCurve],
    more: Callable[[Axes, str], None] = lambda axes, spec: None,
) -> tuple[Figure, list[Axes], int]:
    """A panel a group, the methods in the order given; the last answer is the panels of a row.

    A cell that would stay empty shows the best of each group. `more` draws what belongs to a
    method beside its line. Axes are left without names.
    """
    panels: dict[str, list[str]] = {}
    groups = {results.records[spec].group for spec in specs}
    for group in sorted(groups, key=group_order):
        title = group_named(group).title
        panels[title] = [spec for spec in specs if results.records[spec].group == group]
    across = min(len(panels), 2 if layout.narrow or len(panels) == 4 else 3)
    rows = -(-len(panels) // across)
    if rows * across > len(panels):
        panels[BEST_OF_EACH] = best_of_groups(results, specs)
    curves = {title: [curve_of(spec) for spec in members] for title, members in panels.items()}
    if BEST_OF_EACH in panels:  # of several groups
        curves[BEST_OF_EACH] = [
            replace(one, look=distinct(one.look, place))
            for place, one in enumerate(curves[BEST_OF_EACH])
        ]
    width = layout.width / across - _HANDLE - 0.25
    handles = {title: [handle_of(one, width) for one in shown] for title, shown in curves.items()}
    lines = [
        max(sum(str(h.get_label()).count("\n") + 1 for h in one) for one in row)
        for row in _rows(handles, across)
    ]
    side = 1.25 if layout.narrow else 1.8
    height = rows * (side + _BELOW + 0.3) + _LINE * sum(lines) + 0.4
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    drawn = figure.subplots(rows, across, squeeze=False, sharey=True).ravel()
    for axes, (title, members) in zip(drawn, panels.items(), strict=False):
        for number, (spec, one) in enumerate(zip(members, curves[title], strict=True)):
            draw_curve(axes, one, number)
            if title != BEST_OF_EACH:
                more(axes, spec)
        axes.set_title(title)
        legend_below(axes, handles[title])
    for axes in drawn[len(panels) :]:
        axes.set_visible(False)
    return figure, list(drawn[: len(panels)]), across


def _rows(handles: Mapping[str, list[Line2D]], across: int) -> list[list[list[Line2D]]]:
    every = list(handles.values())
    return [every[start : start + across] for start in range(0, len(every), across)]
