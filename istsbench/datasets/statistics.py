"""What the targets of a data set are like: number, size, contrast, SCR.

A target is an 8-connected region of the mask. Its neighbourhood is its box enlarged on
each side by the box's own size (three times the target, as in pixelGame's Section III) or
by `margin` pixels (20 is the other custom of the field), cut at the border, less the
pixels of any target. With mu_t and mu_b the mean grey levels of target and neighbourhood
and sigma_b the standard deviation of the neighbourhood

    contrast = mu_t - mu_b,    SCR = |contrast| / sigma_b .

On a flat neighbourhood SCR is infinite, and is kept so; it is NaN where the target has no
contrast either, or where no pixel is left in the neighbourhood.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects, label

from istsbench.data import Dataset, Sample
from istsbench.runs.maps import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
MARKERS = "os^Dv*"
IMAGE_COLUMNS = ["image", "width", "height", "targets"]
TARGET_TYPES = {
    "image": str,
    "row": float,
    "column": float,
    "area": int,
    "width": int,
    "height": int,
    "contrast": float,
    "scr": float,
}


@dataclass(frozen=True)
class Statistics:
    """A row an image and a row a target of one split of a data set."""

    name: str
    title: str
    split: str
    trainval: int  # images for training and validation, 0 without such a split
    test: int
    images: pd.DataFrame  # image, width, height (pixels), targets (number)
    targets: pd.DataFrame  # image, row, column (centroid), area, width, height, contrast, scr


def statistics(dataset: Dataset, split: str = "all", margin: int | None = None) -> Statistics:
    """Measure every target of a split; `margin` in pixels, None for three times the target."""
    images: list[dict[str, Any]] = []
    targets: list[dict[str, Any]] = []
    for name in dataset.names(split):
        sample = dataset.load(name)
        found = [{"image": name, **values} for values in measure(sample, margin)]
        height, width = sample.image.shape
        images.append({"image": name, "width": width, "height": height, "targets": len(found)})
        targets += found
    return Statistics(
        dataset.name,
        dataset.title,
        split,
        _count(dataset, "trainval"),
        _count(dataset, "test"),
        pd.DataFrame(images, columns=IMAGE_COLUMNS),
        # The types are said for a split without targets.
        pd.DataFrame(targets, columns=list(TARGET_TYPES)).astype(TARGET_TYPES),
    )


def measure(sample: Sample, margin: int | None = None) -> Iterator[dict[str, float]]:
    """The measures of each target of one sample, in raster order."""
    labels, _ = label(sample.mask, structure=np.ones((3, 3)))
    for number, box in enumerate(find_objects(labels), start=1):
        rows, columns = np.nonzero(labels[box] == number)
        top, left = box[0].start, box[1].start
        height, width = (side.stop - side.start for side in box)
        up, along = (height, width) if margin is None else (margin, margin)
        around = (
            slice(max(top - up, 0), box[0].stop + up),
            slice(max(left - along, 0), box[1].stop + along),
        )
        background = sample.image[around][~sample.mask[around]]
        contrast, spread = np.nan, np.nan
        if background.size:
            contrast = sample.image[box][rows, columns].mean() - background.mean()
            spread = background.std()
        with np.errstate(divide="ignore", invalid="ignore"):
            scr = np.abs(contrast) / np.float64(spread)
        yield {
            "row": top + rows.mean(),
            "column": left + columns.mean(),
            "area": len(rows),
            "width": width,
            "height": height,
            "contrast": contrast,
            "scr": scr,
        }


def summary(measured: Sequence[Statistics]) -> pd.DataFrame:
    """A row a data set: what the paper's Table I and its text on Fig. 4 say of one.

    Shares are 0..1. The SCR columns are over the targets whose SCR is a number or
    infinite; `scr_infinite` and `scr_undefined` are shares of all targets.
    """
    return pd.DataFrame([_summary(one) for one in measured])


def _summary(measured: Statistics) -> dict[str, Any]:
    images, targets = measured.images, measured.targets
    known = targets["scr"].dropna()
    # "lower" takes a value that occurs: between a number and infinity there is no other.
    quarters = known.quantile([0.25, 0.5, 0.75], interpolation="lower").to_list()
    return {
        "dataset": measured.title,
        "split": measured.split,
        "trainval": measured.trainval,
        "test": measured.test,
        "images": len(images),
        "width": f"{images['width'].min()}..{images['width'].max()}",
        "height": f"{images['height'].min()}..{images['height'].max()}",
        "targets": len(targets),
        "images_with_one": (images["targets"] == 1).mean(),
        "most_in_an_image": images["targets"].max(),
        "area_median": targets["area"].median(),
        "area_below_100": (targets["area"] < 100).mean(),
        "contrast_median": targets["contrast"].median(),
        "dark": (targets["contrast"] < 0).mean(),
        "scr_quarter": quarters[0],
        "scr_median": quarters[1],
        "scr_three_quarters": quarters[2],
        "scr_below_5": (known < 5).mean(),
        "scr_infinite": np.isinf(targets["scr"]).mean(),
        "scr_undefined": targets["scr"].isna().mean(),
    }


def _count(dataset: Dataset, split: str) -> int:
    known = split in dataset.splits or (split == "trainval" and "train" in dataset.splits)
    return len(dataset.names(split)) if known else 0


# ------------------------------------------------------------------ the picture


def plot(measured: Sequence[Statistics]) -> Figure:
    """Number, area and SCR of the targets, like the paper's Fig. 4.

    Bars are shares of a class, lines cumulative shares, both in percent; the last class
    holds all that is larger. Targets with an undefined SCR are left out of its panel.
    """
    from matplotlib.figure import Figure

    from istsbench.figures.drawing import WIDTH, house_style

    with house_style():
        figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
        _draw(figure, measured)
    return figure


def _draw(figure: Figure, measured: Sequence[Statistics]) -> None:
    number, area, scr = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    counts = [(one.title, one.images["targets"].to_numpy()) for one in measured]
    areas = [(one.title, one.targets["area"].to_numpy()) for one in measured]
    ratios = [(one.title, one.targets["scr"].dropna().to_numpy()) for one in measured]
    _number_panel(number, counts)
    _size_panel(area, areas, np.arange(0, 101, 10))
    _size_panel(scr, ratios, np.arange(0, 20.1, 2.5))
    number.set(title="(a) Targets in an image", xlabel="targets", ylabel="share of images, %")
    area.set(title="(b) Target area", xlabel="pixels", ylabel="share of targets, %")
    scr.set(title="(c) Target SCR", xlabel="SCR", ylabel="share of targets, %")
    for axes in (number, area, scr):
        axes.set_ylim(0, 105)
        axes.grid(visible=False)
    number.set_ylim(0, 118)  # room for the number above a full bar
    pairs = zip(number.containers, area.lines, strict=True)
    figure.legend(
        handles=[handle for pair in pairs for handle in pair],
        loc="outside upper center",
        ncols=min(len(measured), 3),
    )


def _number_panel(axes: Axes, measured: Sequence[tuple[str, np.ndarray]]) -> None:
    fewest = min(values.min(initial=1) for _, values in measured)
    starts = np.arange(fewest, 7)
    for bars in _bars(axes, measured, starts, at=0):
        shares = [_percent(bar.get_height()) for bar in bars]
        axes.bar_label(bars, shares, fontsize=6, rotation=90, padding=2)
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
    # Every other start has a name: all of them would run together.
    names = [f"{start:g}" if index % 2 == 0 else "" for index, start in enumerate(starts)]
    axes.set_xticks(range(len(starts) + 1), [*names, "\u221e"])


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


def save(measured: Sequence[Statistics], folder: Path) -> list[Path]:
    """Write `statistics.csv`, `.png` and `.pdf`, and two CSV files a data set."""
    from istsbench.figures.drawing import write_figure

    files = {"statistics.csv": _csv(summary(measured))}
    for one in measured:
        files[f"{one.name}_{one.split}_images.csv"] = _csv(one.images)
        files[f"{one.name}_{one.split}_targets.csv"] = _csv(one.targets)
    for name, data in files.items():
        write_atomic(folder / name.replace("/", "-"), data)
    paths = [folder / name.replace("/", "-") for name in files]
    return paths + write_figure(plot(measured), folder, "statistics")


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()
