"""Curves of many methods: some on one pair of axes, or a panel a group with its own legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from istsbench.figures.fonts import SMALLEST, text_width, wrapped
from istsbench.figures.style import BROUGHT, Layout, Look, distinct
from istsbench.registry import group_named, group_order
from istsbench.results.results import Results

TOGETHER = 8  # lines that one pair of axes holds; of more, the best of each group are shown
BEST_OF_EACH = "Best of each group"
BROUGHT_SHOWN = 4  # of the user's own and submitted rows, beside the best of each group
TALLEST = 22 / 2.54  # inches, of a page of figures; more panels take further pages
_LINE = 0.135  # inches, of a legend
_LONG = 2.2  # of a line in a legend, in sizes of a letter
_HANDLE = (_LONG + 0.8) * SMALLEST / 72  # inches of it and the gap behind it
_TOGETHER = 1.2 - _LONG - 0.8  # gap before numbers, which have no line, in sizes of a letter
_BELOW = 0.42  # inches between axes and their legend, for the names of ticks and axis


@dataclass(frozen=True)
class MethodCurve:
    """The line of one method."""

    x: np.ndarray
    y: np.ndarray
    look: Look
    value: str  # stands behind the name in the legend
    steps: str = "default"  # a matplotlib draw style
    hollow: bool = False  # its mark


def best_of_groups(results: Results, ranked: Sequence[str]) -> list[str]:
    """Of methods that stand best first: the first of each group, and what the user brought
    (`BROUGHT_SHOWN` rows at most), in their order."""
    seen: set[str] = set()
    brought = [spec for spec in ranked if results.records[spec].group in BROUGHT][:BROUGHT_SHOWN]
    shown = []
    for spec in ranked:
        group = results.records[spec].group
        if spec in brought or (group not in BROUGHT and group not in seen):
            shown.append(spec)
        seen.add(group)
    return shown


def note_of_best(results: Results, ranked: Sequence[str], by: str) -> str:
    """What the foot says of a figure that shows `best_of_groups` of the methods."""
    shown = best_of_groups(results, ranked)
    rest = [
        results.records[spec].label
        for spec in ranked
        if results.records[spec].group in BROUGHT and spec not in shown
    ]
    others = f", without {', '.join(rest)} of those brought" if rest else ""
    return f"the best of each group by {by}, {len(shown)} of {len(ranked)} methods{others}"


def draw_curve(axes: Axes, curve: MethodCurve, number: int) -> None:
    """A line with marks on it; `number` shifts them, so that those of neighbours stay apart."""
    look = curve.look
    if not len(curve.x):  # the layout would keep room for a mark at the figure's corner
        return
    axes.plot(
        curve.x, curve.y, color=look.colour, linestyle=look.line, linewidth=look.width,
        marker=look.marker, markersize=_size(look), markeredgewidth=0.4, markeredgecolor="white",
        markevery=(0.05 + 0.025 * (number % 9), 0.28), drawstyle=curve.steps,
        zorder=3 + look.brought - 0.01 * number, clip_on=False,
    )  # fmt: skip


def _size(look: Look) -> float:
    return (7 if look.marker == "*" else 5) if look.brought else 3.6


def handles_of(curves: Sequence[MethodCurve], head: str, width: float) -> list[Line2D]:
    """Of a legend of two columns, at most `width` inches of text wide: "Method" and the names,
    then `head` and the numbers."""
    room = width - max(text_width(text) for text in (head, *(one.value for one in curves))) - 0.15
    names, numbers = [_text("Method")], [_text(head)]
    for one in curves:
        look, edge = one.look, 0.8 if one.hollow else 0.4
        name = wrapped(look.label, room)
        names.append(Line2D(
            [], [], color=look.colour, linestyle=look.line, linewidth=look.width,
            marker=look.marker, markersize=_size(look), markeredgewidth=edge,
            markeredgecolor=look.colour if one.hollow else "white",
            markerfacecolor="white" if one.hollow else look.colour, label=name,
        ))  # fmt: skip
        numbers.append(_text(one.value + name.count("\n") * "\n "))  # as many lines
    return [*names, *numbers]


def _text(text: str) -> Line2D:
    """An entry of a legend without a line."""
    return Line2D([], [], linestyle="none", label=text)


def _lines(handles: Sequence[Line2D]) -> int:
    """Of letters, that a legend takes."""
    names = handles[: len(handles) // 2]
    return sum(str(one.get_label()).count("\n") + 1 for one in names)


def distinctly(curves: Sequence[MethodCurve]) -> list[MethodCurve]:
    """Curves of several groups: dashes and marks tell them apart by their place."""
    return [replace(one, look=distinct(one.look, place)) for place, one in enumerate(curves)]


def together(layout: Layout, curves: Sequence[MethodCurve], head: str) -> Figure:
    """All curves on one pair of axes, with a legend at their right, or below in a column.

    They may be of several groups, and look as `distinctly` makes them. `head` stands over the
    numbers of the legend.
    """
    curves, narrow = distinctly(curves), layout.narrow
    widest = layout.width - _HANDLE - 0.4 if narrow else layout.width / 3
    handles = handles_of(curves, head, widest)
    lines = _lines(handles)
    height = 3.0 + _LINE * lines if narrow else max(3.2, _LINE * lines + 0.8)
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    axes = figure.subplots()
    for number, curve in enumerate(curves):
        draw_curve(axes, curve, number)
    if narrow:  # one of the figure would lie on the line at its foot
        legend_below(axes, handles)
    else:
        figure.legend(
            handles=handles, loc="outside right upper", ncols=2, handlelength=_LONG,
            columnspacing=_TOGETHER,
        )  # fmt: skip
    return figure


def legend_below(axes: Axes, handles: Sequence[Line2D]) -> None:
    """A legend below the axes and the names of their ticks."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    below = axes.transAxes + ScaledTranslation(0, -_BELOW, figure.dpi_scale_trans)
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below,
        ncols=2, handlelength=_LONG, columnspacing=_TOGETHER, borderpad=0, borderaxespad=0,
        labelspacing=0.3,
    )  # fmt: skip


def pages_of(panels: Sequence[Panels]) -> Figure | list[Figure]:
    """The figure, or its pages."""
    figures = [one.figure for one in panels]
    return figures[0] if len(figures) == 1 else figures


@dataclass(frozen=True)
class Panels:
    """A page of a figure: its panels, and how many of them stand in a row."""

    figure: Figure
    axes: list[Axes]
    across: int


def in_panels(
    results: Results,
    layout: Layout,
    specs: Sequence[str],
    curve_of: Callable[[str], MethodCurve],
    head: str,
    more: Callable[[Axes, Sequence[str], Sequence[MethodCurve]], None] = lambda *given: None,
) -> list[Panels]:
    """A panel a group, the methods in the order given, on pages of at most `TALLEST`.

    A cell that would stay empty shows the best of each group. `more` draws what belongs to the
    methods of a panel beside their lines; `head` stands over the numbers of the legends. Axes
    are left without names.
    """
    panels: dict[str, list[str]] = {}
    groups = {results.records[spec].group for spec in specs}
    for group in sorted(groups, key=group_order):
        title = group_named(group).title
        panels[title] = [spec for spec in specs if results.records[spec].group == group]
    # Two would not fit into a column: a legend has names and numbers beside each other.
    across = 1 if layout.narrow else min(len(panels), 2 if len(panels) == 4 else 3)
    if len(panels) % across:
        panels[BEST_OF_EACH] = [s for s in best_of_groups(results, specs) if len(curve_of(s).x)]
    width = layout.width / across - _HANDLE - 0.3
    drawn = []
    for title, members in panels.items():
        curves = [curve_of(spec) for spec in members]
        if title == BEST_OF_EACH:
            curves = distinctly(curves)
        drawn.append(_Panel(title, members, curves, handles_of(curves, head, width)))
    rows = [drawn[start : start + across] for start in range(0, len(drawn), across)]
    pages: list[list[list[_Panel]]] = [[]]
    for row in rows:
        if pages[-1] and _height([*pages[-1], row], layout) > TALLEST:
            pages.append([])
        pages[-1].append(row)
    return [_page(page, across, layout, more) for page in pages]


@dataclass(frozen=True)
class _Panel:
    title: str
    specs: list[str]
    curves: list[MethodCurve]
    handles: list[Line2D]


def _height(rows: Sequence[Sequence[_Panel]], layout: Layout) -> float:
    """Inches of a page; its foot takes up to eight lines in a column, three on a page."""
    lines = [max(_lines(panel.handles) for panel in row) for row in rows]
    side, below = (1.25, 8) if layout.narrow else (1.8, 3)
    return len(rows) * (side + _BELOW + 0.3) + _LINE * (sum(lines) + below)


def _page(
    rows: Sequence[Sequence[_Panel]],
    across: int,
    layout: Layout,
    more: Callable[[Axes, Sequence[str], Sequence[MethodCurve]], None],
) -> Panels:
    figure = Figure(figsize=(layout.width, _height(rows, layout)), layout="constrained")
    every = figure.subplots(len(rows), across, squeeze=False, sharey=True).ravel()
    panels = [panel for row in rows for panel in row]
    for axes, panel in zip(every, panels, strict=False):
        for number, one in enumerate(panel.curves):
            draw_curve(axes, one, number)
        more(axes, panel.specs, panel.curves)
        axes.set_title(panel.title)
        legend_below(axes, panel.handles)
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    return Panels(figure, list(every[: len(panels)]), across)
