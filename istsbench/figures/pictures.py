"""Figures of images, maps and masks, each a pure function of stored results.

Targets are boxed red and errors yellow, as in the paper's Figs. 11 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from skimage.measure import block_reduce

from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError, UnknownName
from istsbench.figures.boxes import boxes, boxes_apart, free_corner, outcome, zoomed
from istsbench.figures.panels import GAP, Sheet, fit_into, fitted
from istsbench.figures.style import (
    GREY,
    RED,
    WIDTH,
    YELLOW,
    house_style,
    label_of,
    stamp,
)
from istsbench.metrics import ratios
from istsbench.registry import group_order
from istsbench.results.intervals import complete_rows, paired_rows
from istsbench.results.masks import Masks
from istsbench.results.missing import how_to_make, missing_maps
from istsbench.results.results import Results
from istsbench.runs.record import map_store

ACROSS = 8  # panels in a row of the grid at most, the image first
_SIDE = 0.22  # inches, for the names of images at the left of the grid
PANEL = (WIDTH - _SIDE) / ACROSS - GAP  # inches, width of a panel in the grid
PAGE = 9.6  # inches, height of a page
PEAKS = 48  # cells along the longer side of a surface
_T = TypeVar("_T")


# ------------------------------------------------------------------ what is shown


def representatives(results: Results, rule: str, number: int = 4) -> list[str]:
    """Images spread evenly over the number of targets and their mean size, small to large.

    Chosen by the truth alone, never by how well a method does.
    """
    rows = next(iter(complete_rows(results, rule).values()))
    rows = rows[rows["targets"] > 0]
    if rows.empty:
        raise DataError(f"{results.folder}: no image has a target; name one to draw")
    size = (rows["tp"] + rows["fn"]) / rows["targets"]
    order = np.lexsort((rows.index, size, rows["targets"]))
    places = (np.arange(number) + 0.5) / number * len(order)
    return list(rows.index[order[np.unique(places.astype(int))]])


@dataclass(frozen=True)
class Answer:
    """What one method answered to one image."""

    score: np.ndarray | None  # the map (H, W); None for a row of a pack, which has none
    mask: np.ndarray  # bool (H, W)


def load_images(
    results: Results, dataset: Dataset, rule: str, names: Sequence[str]
) -> tuple[list[Sample], dict[str, list[Answer]], str]:
    """Samples, spec -> its maps and masks group by group, and a note on what is missing.

    Rows from a pack have masks of their own rule alone. Methods with neither all these maps
    nor all these masks are left out. Raises `UnknownName` for an image that was not counted,
    `DataError` if no method is left.
    """
    rows = complete_rows(results, rule)
    for name in names:
        if name not in next(iter(rows.values())).index:
            raise UnknownName("image", name, list(next(iter(rows.values())).index))
    samples = [dataset.load(name) for name in names]
    found: dict[str, list[Answer]] = {}
    gone: list[str] = []
    packed: list[str] = []
    for spec in sorted(rows, key=lambda spec: group_order(results.records[spec].group)):
        label = label_of(results.records[spec])
        shown = _maps(results, spec, samples, rows[spec])
        if shown is None:
            shown = _masks(results, spec, samples, rule)
            (gone if shown is None else packed).append(label)
        if shown is not None:
            found[spec] = shown
    if not found:
        advice = how_to_make(results, images_without_mask(results, dataset, rule, names), dataset)
        raise DataError(f"{results.folder}: no map of {', '.join(names)} is stored; {advice}")
    note = f"; masks only, from a pack: {', '.join(packed)}" if packed else ""
    note += f"; maps not stored: {', '.join(gone)}" if gone else ""
    return samples, found, note


def images_without_mask(
    results: Results, dataset: Dataset, rule: str, images: Sequence[str] = (), number: int = 4
) -> dict[str, tuple[str, ...]]:
    """Of the methods without all maps and without all masks of these images: the images.

    No images: as many as said of `representatives`.
    """
    rows = complete_rows(results, rule)
    samples = [dataset.load(name) for name in images or representatives(results, rule, number)]
    return {
        spec: gone
        for spec in rows
        if (gone := missing_maps(results, spec, {one.name: one.pixels for one in samples}))
        and _masks(results, spec, samples, rule) is None
    }


def _maps(
    results: Results, spec: str, samples: Sequence[Sample], rows: pd.DataFrame
) -> list[Answer] | None:
    """From stored maps, all or none."""
    store = map_store(results.folder.parent, results.records[spec])
    shown = []
    for sample in samples:
        stored = store.load(sample.name)
        if stored is None or stored.pixels != sample.pixels:
            return None
        level = float(rows["level"][sample.name])
        shown.append(Answer(stored.score, stored.score.astype(np.float64) > level))
    return shown


def _masks(
    results: Results, spec: str, samples: Sequence[Sample], rule: str
) -> list[Answer] | None:
    """From the run lengths of a pack, all or none."""
    stored = Masks.of(results.folder.parent, results, spec, rule)
    found = [stored(sample.name) for sample in samples]
    shown = [
        Answer(None, mask)
        for mask, sample in zip(found, samples, strict=True)
        if mask is not None and mask.shape == sample.mask.shape
    ]
    return shown if len(shown) == len(samples) else None


def _scaled(score: np.ndarray) -> np.ndarray:
    """A map or image from its minimum to its maximum as 0..1; zeros if flat."""
    low, high = float(score.min()), float(score.max())
    return (score - low) / (high - low) if high > low else np.zeros(score.shape)


# ------------------------------------------------------------------ figures


def even(parts: Sequence[_T], most: int) -> list[list[_T]]:
    """Parts in their order in the fewest lists of at most `most`, all but the last as long."""
    lists = -(-len(parts) // most)
    length = -(-len(parts) // lists)
    return [list(parts[start : start + length]) for start in range(0, len(parts), length)]


@house_style()
def grid(
    results: Results, dataset: Dataset, rule: str, images: Sequence[str] | None = None
) -> list[Figure]:
    """Maps over masks of all methods for a few images, targets red, errors yellow.

    Pages are as wide as a page of a journal; many methods take several.
    """
    names = images or representatives(results, rule)
    samples, answers, note = load_images(results, dataset, rule, names)
    methods = list(answers)
    heights = [min(sample.mask.shape[0] / sample.mask.shape[1], 1) for sample in samples]
    labels = {spec: fitted(label_of(results.records[spec]), PANEL) for spec in methods}
    lines = 2 if any("\n" in text for text, _ in labels.values()) else 1
    cell, head = PANEL + GAP, 0.08 + 0.12 * lines
    block = head + sum(2 * (PANEL * height + GAP) + GAP for height in heights)
    pages = even(even(methods, ACROSS - 1), max(int(PAGE / block), 1))
    sheets = [Sheet(_SIDE + cell * (len(page[0]) + 1), len(page) * block) for page in pages]
    placed = [
        (sheet, number * block + head, part)
        for sheet, page in zip(sheets, pages, strict=True)
        for number, part in enumerate(page)
    ]
    for sheet, y, part in placed:
        sheet.text(_SIDE + PANEL / 2, y - 0.04, "Image, truth", fontweight="bold")
        for column, spec in enumerate(part, start=1):
            text, size = labels[spec]
            sheet.text(_SIDE + cell * column + PANEL / 2, y - 0.04, text, fontsize=size)
        for index, (sample, height) in enumerate(zip(samples, heights, strict=True)):
            tall = PANEL * height
            sheet.text(
                _SIDE / 2, y + tall + GAP / 2, sample.name, rotation=90, va="center", fontsize=6
            )
            shape = sample.mask.shape
            wide, high = fit_into(shape, PANEL, tall)
            zoom = zoomed(sample.mask)
            corner = free_corner(sample.mask)
            red = {RED: boxes_apart(boxes(sample.mask), shape)}
            pairs: list[tuple[np.ndarray | None, dict, np.ndarray, dict]]
            pairs = [(_scaled(sample.image), red, sample.mask, red)]
            for spec in part:
                shown = answers[spec][index]
                seen = outcome(shown.mask, sample.mask)
                verdict = {
                    RED: boxes_apart(seen.found, shape),
                    YELLOW: boxes_apart([*seen.missed, *seen.false], shape),
                }
                upper = None if shown.score is None else _scaled(shown.score)
                pairs.append((upper, red, shown.mask, verdict))
            for column, (above, above_marks, lower, lower_marks) in enumerate(pairs):
                x = _SIDE + cell * column + (PANEL - wide) / 2
                if above is None:
                    sheet.empty((x, y, wide, high), "mask only")
                else:
                    sheet.panel(above, (x, y, wide, high), above_marks, zoom, corner)
                below = y + tall + GAP
                sheet.panel(lower, (x, below, wide, high), lower_marks, zoom, corner)
            y += 2 * (tall + GAP) + GAP
    text = "map over mask, each from its minimum to its maximum; "
    text += "boxes: red = target, yellow = missed or false; inset: first target" + note
    for sheet in sheets:
        sheet.foot(stamp(results, f"rule {rule}"), text)
    return [sheet.figure() for sheet in sheets]


@house_style()
def gallery(results: Results, dataset: Dataset, rule: str, image: str | None = None) -> Figure:
    """The maps of all methods for one image, with the F1 of each under the rule."""
    names = [image] if image else representatives(results, rule, 1)
    (sample,), answers, note = load_images(results, dataset, rule, names)
    rows = paired_rows(results, rule)
    red = {RED: boxes_apart(boxes(sample.mask), sample.mask.shape)}
    zoom = zoomed(sample.mask)
    corner = free_corner(sample.mask)
    pictures = [("Image", _scaled(sample.image)), ("Truth", sample.mask)]
    for spec, (shown,) in answers.items():
        f1 = ratios(rows[spec].loc[[sample.name]])["f1"].iloc[0]
        text = f"{label_of(results.records[spec])}  {f1:.2f}"
        if shown.score is None:
            text += " (mask)"
        pictures.append((text, shown.mask if shown.score is None else _scaled(shown.score)))
    columns = min(len(pictures), 7 if len(pictures) > 18 else 5)
    width = WIDTH / columns
    wide, high = fit_into(sample.mask.shape, width - GAP, 1.2 * width)
    labels = [fitted(text, width) for text, _ in pictures]
    head = 0.08 + 0.12 * (2 if any("\n" in text for text, _ in labels) else 1)
    step = high + head
    sheet = Sheet(WIDTH, step * -(-len(pictures) // columns))
    for index, ((text, size), (_, pixels)) in enumerate(zip(labels, pictures, strict=True)):
        x, y = (index % columns) * width, (index // columns) * step + head
        sheet.text(x + width / 2, y - 0.03, text, fontsize=size)
        place = (x + (width - wide) / 2, y, wide, high)
        sheet.panel(pixels, place, red, zoom, corner)
    text = f"{sample.name}; beside each name F1 under rule {rule}; maps from minimum to maximum"
    sheet.foot(stamp(results), text + note)
    return sheet.figure()


def peaks(score: np.ndarray, cells: int = PEAKS) -> np.ndarray:
    """The map from 0 to 1 reduced to blocks of pixels, each by its maximum."""
    block = max(1, -(-max(score.shape) // cells))
    return np.asarray(block_reduce(_scaled(score), block, np.max))  # blocks at the border: and 0


@house_style()
def surfaces(results: Results, dataset: Dataset, rule: str, image: str | None = None) -> Figure:
    """The maps of one image as surfaces: x, y in pixels, height the map from 0 to 1."""
    names = [image] if image else representatives(results, rule, 1)
    (sample,), answers, note = load_images(results, dataset, rule, names)
    panels = [("Image", sample.image)]
    panels += [
        (label_of(results.records[spec]), shown.score)
        for spec, (shown,) in answers.items()
        if shown.score is not None
    ]
    if len(panels) == 1:
        raise DataError(f"{results.folder}: no map of {sample.name} is stored, only masks")
    columns = min(len(panels), 4 if len(panels) <= 12 else 5)
    lines = -(-len(panels) // columns)
    side, foot, head = WIDTH / columns, 0.3, 0.08
    height = lines * (0.82 * side + 0.1) + foot + head
    figure = Figure(figsize=(WIDTH, height))
    tall = (1 - (foot + head) / height) / lines
    shades = colormaps["viridis"]
    for index, (text, score) in enumerate(panels):
        left, top = (index % columns) / columns, 1 - head / height - (index // columns) * tall
        place = (left - 0.1 / WIDTH, top - tall, 1 / columns, tall)  # names are at the right
        axes: Any = figure.add_axes(place, projection="3d")
        values = peaks(score)
        rows = np.linspace(0, score.shape[0], values.shape[0])
        across = np.linspace(0, score.shape[1], values.shape[1])
        corners = [values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]]
        axes.plot_surface(
            *np.meshgrid(across, rows), values, facecolors=shades(np.max(corners, axis=0)),
            rcount=PEAKS, ccount=PEAKS, linewidth=0, antialiased=False, shade=False,
            rasterized=True,
        )  # fmt: skip
        axes.patch.set_visible(False)  # or it hides the name of its neighbour's height
        axes.set(zlim=(0, 1), ylim=(score.shape[0], 0))
        axes.set_zticks([1], ["1"])  # a 0 would lie on that of y
        axes.tick_params(labelsize=6, pad=-4)
        axes.set_xlabel("x", fontsize=6, labelpad=-9)
        axes.set_ylabel("y", fontsize=6, labelpad=-9)
        axes.set_zlabel("map", fontsize=6, labelpad=-14)
        axes.set_box_aspect((score.shape[1], score.shape[0], 0.6 * max(score.shape)), zoom=0.88)
        figure.text(left + 0.5 / columns, top - 0.01 * tall, text, ha="center", va="top")
        axes.locator_params(axis="x", nbins=2)
        axes.locator_params(axis="y", nbins=2)
    text = (
        f"{sample.name}; each map from its minimum, 0, to its maximum, 1; blocks by their maximum"
    )
    figure.text(0.01, 0.08 / height, f"{stamp(results)}\n{text}{note}", fontsize=5.5, color=GREY)
    return figure
