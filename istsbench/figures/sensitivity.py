"""Rank against protocol: the figure of the sensitivity study."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from istsbench.figures.style import WIDTH, foot, house_style, looks, stamp
from istsbench.metrics import HEADS
from istsbench.results.sensitivity import Sensitivity


@house_style()
def ranks(found: Sensitivity) -> Figure:
    """Rank against protocol, a line a method, beside the agreement of the protocols."""
    table, drawn = found.wide("rank"), looks(found.results.records)
    methods, protocols = table.shape
    figure = Figure(figsize=(WIDTH, max(3.2, 0.16 * methods + 1.6)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    places = np.arange(protocols)
    order = table.rank(method="first").astype(int)  # equals apart, so that labels are too
    for spec, line in order.iterrows():
        look = drawn[str(spec)]
        left.plot(places, line, color=look.colour, linestyle=look.line, marker=look.marker,
                  markersize=3.2, markeredgewidth=0.4, markeredgecolor="white")  # fmt: skip
    right_side = left.twinx()
    for axes, column in ((left, order.iloc[:, 0]), (right_side, order.iloc[:, -1])):
        axes.set_ylim(methods + 0.6, 0.4)
        axes.set_yticks(column, [drawn[str(spec)].label for spec in column.index])
        axes.tick_params(axis="y", length=0)
        axes.spines[["left", "bottom", "right"]].set_visible(False)
        axes.grid(axis="y", visible=False)
    left.set_xlim(-0.3, protocols - 0.7)
    left.set_xticks(places, table.columns, rotation=90)
    left.set_title(f"Rank by {HEADS[found.score]}, the best on top", loc="left")
    tau = found.tau()
    least = float(np.floor(10 * tau.to_numpy().min()) / 10)
    image = right.imshow(tau, cmap="cividis", vmin=least, vmax=1)
    right.set_xticks(places, tau.columns, rotation=90)
    right.set_yticks(places, [])
    right.grid(visible=False)
    right.set_title("Kendall's tau", loc="left")
    figure.colorbar(image, ax=right, shrink=0.6)
    foot(figure, stamp(found.results, f"Kendall's W {found.concordance:.2f}"))
    return figure
