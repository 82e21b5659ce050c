"""Number, area and SCR of the targets of data sets: the figure and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from istsbench.data.statistics import Statistics, summary
from istsbench.figures.fonts import SMALLEST
from istsbench.figures.style import PAGE, Layout, house_style, plain
from istsbench.figures.writing import write_figure
from istsbench.files import write_atomic

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
MARKERS = "os^Dv*"


@house_style()
def distributions(measured: Sequence[Statistics], layout: Layout = PAGE) -> Figure:
    """Number, area and SCR of the targets, like the paper's Fig. 4.

    Bars are shares of a class, lines cumulative shares, both in percent; the last class
    holds all that is larger. Targets with an undefined SCR are left out of its panel.
    """
    if layout.narrow:  # below each other
        figure = Figure(figsize=(layout.width, 6.2), layout="constrained")
        number, area, scr = figure.subplots(3, 1)
    else:
        figure = Figure(figsize=(layout.width, 2.8), layout="constrained")
        number, area, scr = figure.subplots(1, 3, width_ratios=(1.6, 1, 1))
    titles = [plain(one.title) for one in measured]
    counts = [one.images["targets"].to_numpy() for one in measured]
    areas = [one.targets["area"].to_numpy() for one in measured]
    ratios = [one.targets["scr"].dropna().to_numpy() for one in measured]
    _number_panel(number, [*zip(titles, counts, strict=True)])
    _size_panel(area, [*zip(titles, areas, strict=True)], np.arange(0, 101, 10))
    _size_panel(scr, [*zip(titles, ratios, strict=True)], np.arange(0, 20.1, 2.5))
    number.set(title="(a) Targets in an image", xlabel="targets", ylabel="share of images, %")
    area.set(title="(b) Target area", xlabel="pixels", ylabel="share of targets, %")
    scr.set(title="(c) Target SCR", xlabel="SCR", ylabel="share of targets, %")
    for axes in (number, area, scr):
        axes.set_ylim(0, 105)
        axes.grid(visible=False)
    number.set_yticks(range(0, 101, 25 if layout.narrow else 20))
    number.set_ylim(0, 122)  # room for the number above a full bar
    pairs = zip(number.containers, area.lines, strict=True)
    figure.legend(
        handles=[handle for pair in pairs for handle in pair],
        loc="outside upper center",
        ncols=1 if layout.narrow else min(len(measured), 3),
    )
    return figure


def _number_panel(axes: Axes, measured: Sequence[tuple[str, np.ndarray]]) -> None:
    fewest = min(values.min(initial=1) for _, values in measured)
    starts = np.arange(fewest, 7)
    for bars in _bars(axes, measured, starts, at=0):
        shares = [_percent(bar.get_height()) for bar in bars]
        axes.bar_label(bars, shares, fontsize=SMALLEST, rotation=90, padding=2)
    axes.set_xticks(range(len(starts)), [*map(str, starts[:-1]), f"\u2265{starts[-1]}"])


def _percent(share: float) -> str:
    if share == 0:
        return ""
    return f"{share:.1f}" if share >= 0.05 else "<0.1"


def _size_panel(axes: Axes, measured: Sequence[tuple[str, np.ndarray]], starts: np.ndarray) -> None:
    """The last class reaches to infinity; a line's point stands at the end of its class."""
    drawn = _bars(axes, measured, starts, at=0.5)
    for index, bars in enumerate(drawn):
        cumulative = np.cumsum([0, *(bar.get_height() for bar in bars)])
        axes.plot(
            cumulative,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=3,
            label=f"{measured[index][0]}, cumulative",
        )
    # Every other start has a name, all of them would run together; the last class is without end.
    named = range(0, len(starts) - 2, 2)
    names = [f"{starts[index]:g}" for index in named]
    axes.set_xticks([*named, len(starts) - 0.5], [*names, f"\u2265{starts[-1]:g}"])
    axes.set_xticks(range(len(starts) + 1), minor=True)


def _bars(
    axes: Axes, measured: Sequence[tuple[str, np.ndarray]], starts: np.ndarray, at: float
) -> list[BarContainer]:
    """Grouped bars, a class from each start up to the next one, the last without end."""
    width = 0.8 / len(measured)
    drawn = []
    for index, (title, values) in enumerate(measured):
        shares = 100 * np.histogram(values, [*starts, np.inf])[0] / max(len(values), 1)
        places = np.arange(len(starts)) + at + (index - (len(measured) - 1) / 2) * width
        # A label with an underscore stays out of the legend of the panels that have lines.
        label = f"_{title}" if at else title
        colour, hatch = COLOURS[index % len(COLOURS)], HATCHES[index % len(HATCHES)]
        bars = axes.bar(
            places, shares, width, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4
        )
        bars.set_label(label)
        drawn.append(bars)
    return drawn


def save(
    measured: Sequence[Statistics],
    folder: Path,
    margin: int | None = None,
    layout: Layout = PAGE,
) -> list[Path]:
    """Write `statistics-NAMES.csv`, `.png` and `.pdf`, and two CSV files a data set.

    A figure for a column has a name of its own.

    Names tell the data sets, the split unless it is all, and the margin if there was one, so that
    fewer of them, or others, never take the place of what is there.
    """
    around = f"-margin{margin}" if margin else ""
    names = [one.name if one.split == "all" else f"{one.name}-{one.split}" for one in measured]
    title = "-".join(["statistics", *names]).replace("/", "-") + around
    files = {f"{title}.csv": _csv(summary(measured))}
    for one in measured:
        stem = f"{one.name}_{one.split}".replace("/", "-")
        files[f"{stem}_images.csv"] = _csv(one.images)
        files[f"{stem}_targets{around}.csv"] = _csv(one.targets)
    for name, data in files.items():
        write_atomic(folder / name, data)
    stem = f"{title}-column" if layout.narrow else title
    figure = write_figure(distributions(measured, layout), folder, stem)
    return [*(folder / name for name in files), *figure]


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()
