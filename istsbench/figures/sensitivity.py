"""Rank against protocol: the figure of the sensitivity study."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from istsbench.figures.style import PAGE, Layout, foot, house_style, looks, stamp
from istsbench.metrics import HEADS
from istsbench.results.sensitivity import Sensitivity


@house_style()
def ranks(found: Sensitivity, layout: Layout = PAGE) -> Figure:
    """Rank against protocol, a line a method, above the agreement of the protocols.

    On a page the names stand at both ends of the lines, in a column at their left alone.
    """
    table = found.wide("rank")
    methods, protocols = table.shape
    below = 0.115 * protocols + 0.95  # inches: a cell a letter is high, and the names below
    above = max(0.15 * methods + 0.3, 1.0)
    height = above + below + 1.3
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(above, below))
    _lines(upper, found, layout)
    tau = found.tau()
    least = float(np.floor(10 * tau.to_numpy().min()) / 10)
    places = np.arange(protocols)
    image = lower.imshow(tau, cmap="cividis", vmin=least, vmax=1)
    lower.set_xticks(places, tau.columns, rotation=90)
    lower.set_yticks(places, tau.columns)
    lower.tick_params(length=0)
    lower.spines[:].set_visible(False)
    lower.grid(visible=False)
    bar = figure.colorbar(image, cax=lower.inset_axes((1.05, 0, 0.06, 1)))
    bar.set_label("Kendall's tau of two protocols")
    foot(figure, stamp(
        found.results, layout, "protocols: threshold rule/reduction/size",
        f"Kendall's W {found.concordance:.2f}",
    ))  # fmt: skip
    return figure


def _lines(axes: Axes, found: Sensitivity, layout: Layout) -> None:
    table, drawn = found.wide("rank"), looks(found.results.records)
    methods, protocols = table.shape
    places = np.arange(protocols)
    order = table.rank(method="first").astype(int)  # equals apart, so that names are too
    for spec, line in order.iterrows():
        look = drawn[str(spec)]
        axes.plot(places, line, color=look.colour, linestyle=look.line, marker=look.marker,
                  markersize=3.6, markeredgewidth=0.4, markeredgecolor="white")  # fmt: skip
    ends = [(axes, order.iloc[:, 0])]
    if not layout.narrow:
        ends.append((axes.twinx(), order.iloc[:, -1]))
    for side, column in ends:
        side.set_ylim(methods + 0.6, 0.4)
        side.set_yticks(column, [drawn[str(spec)].label for spec in column.index])
        side.tick_params(axis="y", length=0)
        side.spines[["left", "bottom", "right"]].set_visible(False)
        side.grid(axis="y", visible=False)
    axes.set_xlim(-0.3, protocols - 0.7)
    axes.set_xticks(places, table.columns, rotation=90)
    axes.set_title(f"Rank by {HEADS[found.score]}, the best on top", loc="left")
