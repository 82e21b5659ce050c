"""Figures of images, maps and masks, each a pure function of stored results.

The panels of a figure are composed into one array; boxes and labels are drawn over it
as lines and text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.ndimage import find_objects, label
from scipy.spatial.distance import cdist

from istsbench.data import DataError, Dataset, Sample
from istsbench.drawing import GREY, RED, WIDTH, YELLOW, group_order, house_style, label_of, stamp
from istsbench.metrics import REACH, Regions, ratios
from istsbench.results import Results
from istsbench.runner import map_store
from istsbench.uncertainty import paired_rows

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels, the last two exclusive

INK = 200  # dots per inch of composed panels
PANEL = 0.8  # inches, width of a panel in the grid
TALL = 1.35  # height over width that the grid stays below if it can
GAP = 0.03  # inches between panels
SIZE = 7  # points, of labels
MARGIN = 3  # pixels between a region and its box
INSET = 0.38  # side of the zoomed inset, in panel widths
LEAST = 15  # pixels, least side of what the inset shows
PEAKS = 48  # cells along the longer side of a surface
_EIGHT = np.ones((3, 3), dtype=int)


# ------------------------------------------------------------------ what is shown


def representatives(results: Results, rule: str, number: int = 4) -> list[str]:
    """Images spread evenly over the number of targets and their mean size, small to large.

    Chosen by the truth alone, never by how well a method does.
    """
    rows = next(iter(paired_rows(results, rule).values()), None)
    if rows is None:
        raise DataError(f"{results.folder}: no method with every image counted under {rule!r}")
    rows = rows[rows["targets"] > 0]
    if rows.empty:
        return []
    size = (rows["tp"] + rows["fn"]) / rows["targets"]
    order = np.lexsort((rows.index, size, rows["targets"]))
    places = (np.arange(number) + 0.5) / number * len(order)
    return list(rows.index[order[np.unique(places.astype(int))]])


@dataclass(frozen=True)
class Outcome:
    """Boxes around what a mask found, missed and invented."""

    found: list[Box]
    missed: list[Box]
    false: list[Box]


def boxes(mask: np.ndarray) -> list[Box]:
    """The bounding boxes of the 8-connected regions, in raster order."""
    labels, _ = label(mask, structure=_EIGHT)
    return [(r.start, c.start, r.stop, c.stop) for r, c in find_objects(labels)]


def outcome(mask: np.ndarray, truth: np.ndarray) -> Outcome:
    """Targets found and missed, and false regions, by the rule "first" of `metrics`."""
    predicted, true = boxes(mask), boxes(truth)
    used: list[int] = []
    found, missed = [], []
    if predicted and true:
        near = cdist(Regions.of(truth).centroids, Regions.of(mask).centroids) < REACH
    else:
        near = np.zeros((len(true), len(predicted)), bool)
    for box, row in zip(true, near, strict=True):
        free = [index for index in np.nonzero(row)[0] if index not in used]
        used += free[:1]
        (found if free else missed).append(box)
    return Outcome(found, missed, [box for i, box in enumerate(predicted) if i not in used])


def widened(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    top, left, bottom, right = box
    return (
        max(top - margin, 0),
        max(left - margin, 0),
        min(bottom + margin, shape[0]),
        min(right + margin, shape[1]),
    )


def joined(found: Iterable[Box]) -> list[Box]:
    """The boxes with any that overlap replaced by the one around them, until none do."""
    kept: list[Box] = []
    for box in found:
        while True:
            other = next((o for o in kept if _overlap(box, o)), None)
            if other is None:
                break
            kept.remove(other)
            box = (*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:]))  # type: ignore
        kept.append(box)
    return sorted(kept)


def _overlap(one: Box, other: Box) -> bool:
    rows = min(one[2], other[2]) > max(one[0], other[0])
    return rows and min(one[3], other[3]) > max(one[1], other[1])


def zoomed(mask: np.ndarray) -> Box | None:
    """A square around the first target (twice its longer side), within the image."""
    first = next(iter(boxes(mask)), None)
    if first is None:
        return None
    top, left, bottom, right = first
    side = min(max(2 * max(bottom - top, right - left), LEAST), *mask.shape)
    start = [(low + high - side) // 2 for low, high in ((top, bottom), (left, right))]
    start = [min(max(low, 0), size - side) for low, size in zip(start, mask.shape, strict=True)]
    return start[0], start[1], start[0] + side, start[1] + side


def stored_map(results: Results, spec: str, sample: Sample) -> np.ndarray:
    """The stored score map, float32 (H, W); raises `DataError` if it is not there."""
    stored = map_store(results.folder.parent, results.records[spec]).load(sample.name)
    if stored is None or stored.pixels != sample.pixels:
        raise DataError(
            f"{results.folder}: the map of {sample.name} by {spec} is not stored; "
            "rerun the method to draw it"
        )
    return stored.score


def scaled(score: np.ndarray) -> np.ndarray:
    """A map or image from its minimum to its maximum as 0..1; zeros if flat."""
    low, high = float(score.min()), float(score.max())
    return (score - low) / (high - low) if high > low else np.zeros(score.shape)


def grouped(results: Results, rule: str) -> list[str]:
    """Methods with every image counted, group by group."""
    specs = list(paired_rows(results, rule))
    return sorted(specs, key=lambda spec: group_order(results.records[spec]["group"]))


# ------------------------------------------------------------------ composing


@dataclass
class Sheet:
    """A page in inches from the upper left: grey panels below, lines and text above."""

    width: float
    height: float
    lines: dict[str, list[np.ndarray]] = field(default_factory=dict)
    texts: list[tuple[float, float, str, dict]] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = (round(self.height * INK), round(self.width * INK))
        self.ink = np.full(size, 255, dtype=np.uint8)

    def panel(
        self,
        pixels: np.ndarray,
        place: tuple[float, float, float, float],
        marks: dict[str, list[Box]],
        zoom: Box | None,
        corner: tuple[int, int],
    ) -> None:
        """Put a picture (H, W; 0..1) at `place` (x, y, width, height), with boxes by colour.

        `zoom` is magnified in a corner of the panel (see `free_corner`); boxes that it
        covers are left out, like the pixels there.
        """
        x, y, width, height = place
        self._paste(pixels, place)
        step = width / pixels.shape[1]
        side = min(INSET * width, 0.6 * height) if zoom else 0
        left, top = x + corner[1] * (width - side), y + corner[0] * (height - side)
        for colour, found in marks.items():
            outlines = [_outline(box, x, y, step) for box in found]
            centres = [outline[:4].mean(axis=0) - (left, top) for outline in outlines]
            covered = [((0 <= centre) & (centre <= side)).all() for centre in centres]
            seen = [line for line, under in zip(outlines, covered, strict=True) if not under]
            self.lines.setdefault(colour, []).extend(seen)
        if zoom is None:
            return
        self._paste(pixels[zoom[0] : zoom[2], zoom[1] : zoom[3]], (left, top, side, side))
        self.lines.setdefault("white", []).append(_outline((0, 0, 1, 1), left, top, side))

    def _paste(self, pixels: np.ndarray, place: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = (
            round(INK * value)
            for value in (place[0], place[1], place[0] + place[2], place[1] + place[3])
        )
        size = (max(right - left, 1), max(bottom - top, 1))
        shrinks = size[0] < pixels.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        grey = cv2.resize(pixels.astype(np.float32), size, interpolation=way)
        part = self.ink[top:bottom, left:right]
        part[...] = np.rint(255 * grey)[: part.shape[0], : part.shape[1]]

    def text(self, x: float, y: float, text: str, **options: object) -> None:
        self.texts.append((x, y, text, options))

    def figure(self) -> Figure:
        figure = Figure(figsize=(self.width, self.height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        # As RGB, since matplotlib takes seconds to map the grey levels of a page.
        page = np.repeat(self.ink[..., None], 3, axis=2)
        axes.imshow(page, interpolation="none", extent=(0, self.width, self.height, 0))
        for colour, lines in self.lines.items():
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.6))
        for x, y, text, options in self.texts:
            axes.text(x, y, text, **{"fontsize": SIZE, "ha": "center", "va": "bottom"} | options)  # type: ignore[arg-type]
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        return figure


def _outline(box: Box, x: float, y: float, step: float) -> np.ndarray:
    top, left, bottom, right = (step * side for side in box)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return np.array(corners) + (x, y)


def free_corner(mask: np.ndarray) -> tuple[int, int]:
    """The corner whose inset would hide the fewest targets, then farthest from the first.

    (0, 0) is the upper left, (1, 1) the lower right.
    """
    centres = Regions.of(mask).centroids / mask.shape
    if not len(centres):
        return (0, 0)

    def hidden(corner: tuple[int, int]) -> tuple[int, float]:
        away = np.abs(centres - corner)
        return int((away < INSET).all(axis=1).sum()), -float(np.hypot(*away[0]))

    return min(((0, 0), (0, 1), (1, 0), (1, 1)), key=hidden)


def _fit(shape: tuple[int, ...], width: float, height: float) -> tuple[float, float]:
    """Size in inches of an image in a cell, its proportions kept."""
    scale = min(width / shape[1], height / shape[0])
    return shape[1] * scale, shape[0] * scale


# ------------------------------------------------------------------ figures


def blocks(methods: Sequence[str], heights: Sequence[float]) -> list[list[str]]:
    """Methods wrapped into blocks so that the grid is no taller than a page.

    `heights` are those of the images' rows in panel widths.
    """
    for number in range(len(methods), 0, -1):
        columns = -(-len(methods) // number)
        used = -(-len(methods) // columns)
        tall = used * sum(2 * height + 0.1 for height in heights)
        if tall <= TALL * (columns + 1) or number == 1:
            break
    return [list(methods[start : start + columns]) for start in range(0, len(methods), columns)]


@house_style()
def grid(
    results: Results, dataset: Dataset, rule: str, images: Sequence[str] | None = None
) -> Figure:
    """Maps over masks of all methods for a few images, targets red, errors yellow."""
    methods = grouped(results, rule)
    rows = paired_rows(results, rule)
    samples = [dataset.load(name) for name in images or representatives(results, rule)]
    heights = [min(sample.mask.shape[0] / sample.mask.shape[1], 1) for sample in samples]
    parts = blocks(methods, heights)
    labels = {spec: fitted(label_of(results.records[spec]), PANEL) for spec in methods}
    lines = 2 if any("\n" in text for text, _ in labels.values()) else 1
    cell, side, head = PANEL + GAP, 0.22, 0.08 + 0.12 * lines
    block = head + sum(2 * (PANEL * height + GAP) + GAP for height in heights)
    sheet = Sheet(side + cell * (len(parts[0]) + 1), len(parts) * block + 0.3)
    for number, part in enumerate(parts):
        y = number * block + head
        sheet.text(side + PANEL / 2, y - 0.04, "Image, truth", fontweight="bold")
        for column, spec in enumerate(part, start=1):
            text, size = labels[spec]
            sheet.text(side + cell * column + PANEL / 2, y - 0.04, text, fontsize=size)
        for sample, height in zip(samples, heights, strict=True):
            tall = PANEL * height
            sheet.text(
                side / 2, y + tall + GAP / 2, sample.name, rotation=90, va="center", fontsize=6
            )
            shape = sample.mask.shape
            wide, high = _fit(shape, PANEL, tall)
            zoom = zoomed(sample.mask)
            corner = free_corner(sample.mask)
            red = {RED: _marks(boxes(sample.mask), shape)}
            pairs = [(scaled(sample.image), red, sample.mask, red)]
            for spec in part:
                score = stored_map(results, spec, sample)
                mask = score.astype(np.float64) > rows[spec].loc[sample.name, "level"]
                seen = outcome(mask, sample.mask)
                marks = {
                    RED: _marks(seen.found, shape),
                    YELLOW: _marks([*seen.missed, *seen.false], shape),
                }
                pairs.append((scaled(score), red, mask, marks))
            for column, (upper, upper_marks, lower, lower_marks) in enumerate(pairs):
                x = side + cell * column + (PANEL - wide) / 2
                sheet.panel(upper, (x, y, wide, high), upper_marks, zoom, corner)
                below = y + tall + GAP
                sheet.panel(lower, (x, below, wide, high), lower_marks, zoom, corner)
            y += 2 * (tall + GAP) + GAP
    text = "map over mask, each from its minimum to its maximum; "
    text += "boxes: red = target, yellow = missed or false; inset: first target"
    _foot(sheet, stamp(results, f"rule {rule}"), text)
    return sheet.figure()


def _marks(found: Iterable[Box], shape: tuple[int, ...]) -> list[Box]:
    return joined(widened(box, MARGIN, shape) for box in found)


def fitted(text: str, width: float) -> tuple[str, float]:
    """The text in one or two lines, and the font size at which it fits `width` inches."""
    if len(text) > _characters(width) and " " in text:
        gaps = [index for index, sign in enumerate(text) if sign == " "]
        middle = min(gaps, key=lambda gap: abs(gap - len(text) / 2))
        text = f"{text[:middle]}\n{text[middle + 1 :]}"
    longest = max(map(len, text.split("\n")))
    return text, SIZE * min(1, _characters(width) / longest)


def _characters(width: float) -> float:
    return width / (0.0095 * SIZE)


def _foot(sheet: Sheet, *lines: str) -> None:
    for number, line in enumerate(reversed(lines)):
        y = sheet.height - 0.04 - 0.1 * number
        sheet.text(0.05, y, line, fontsize=5.5, color=GREY, ha="left")


@house_style()
def gallery(results: Results, dataset: Dataset, rule: str, image: str | None = None) -> Figure:
    """The maps of all methods for one image, with the F1 of each under the rule."""
    methods = grouped(results, rule)
    rows = paired_rows(results, rule)
    sample = dataset.load(image or _typical(results, rule))
    red = {RED: _marks(boxes(sample.mask), sample.mask.shape)}
    zoom = zoomed(sample.mask)
    corner = free_corner(sample.mask)
    pictures = [("Image", scaled(sample.image)), ("Truth", sample.mask)]
    for spec in methods:
        f1 = ratios(rows[spec].loc[[sample.name]])["f1"].iloc[0]
        text = f"{label_of(results.records[spec])}  {f1:.2f}"
        pictures.append((text, scaled(stored_map(results, spec, sample))))
    columns = min(len(pictures), 7 if len(pictures) > 18 else 5)
    width = WIDTH / columns
    wide, high = _fit(sample.mask.shape, width - GAP, 1.2 * width)
    labels = [fitted(text, width) for text, _ in pictures]
    head = 0.08 + 0.12 * (2 if any("\n" in text for text, _ in labels) else 1)
    step = high + head
    sheet = Sheet(WIDTH, step * -(-len(pictures) // columns) + 0.3)
    for index, ((text, size), (_, pixels)) in enumerate(zip(labels, pictures, strict=True)):
        x, y = (index % columns) * width, (index // columns) * step + head
        sheet.text(x + width / 2, y - 0.03, text, fontsize=size)
        place = (x + (width - wide) / 2, y, wide, high)
        sheet.panel(pixels, place, red, zoom, corner)
    text = f"{sample.name}; beside each name F1 under rule {rule}; maps from minimum to maximum"
    _foot(sheet, stamp(results), text)
    return sheet.figure()


def _typical(results: Results, rule: str) -> str:
    found = representatives(results, rule, 1)
    if not found:
        raise DataError(f"{results.folder}: no image has a target; name one to draw")
    return found[0]


def peaks(score: np.ndarray, cells: int = PEAKS) -> np.ndarray:
    """The map from 0 to 1 reduced to blocks of pixels, each by its maximum."""
    block = max(1, -(-max(score.shape) // cells))
    short = [-side % block for side in score.shape]
    values = np.pad(scaled(score), [(0, pad) for pad in short], mode="edge")
    rows, columns = values.shape
    return values.reshape(rows // block, block, columns // block, block).max(axis=(1, 3))


@house_style()
def surfaces(results: Results, dataset: Dataset, rule: str, image: str | None = None) -> Figure:
    """The maps of one image as surfaces: x, y in pixels, height the map from 0 to 1."""
    methods = grouped(results, rule)
    sample = dataset.load(image or _typical(results, rule))
    maps = [("Image", sample.image)]
    maps += [
        (label_of(results.records[spec]), stored_map(results, spec, sample)) for spec in methods
    ]
    columns = min(len(maps), 4 if len(maps) <= 12 else 5)
    lines = -(-len(maps) // columns)
    side, foot = WIDTH / columns, 0.3
    height = lines * (0.82 * side + 0.05) + foot
    figure = Figure(figsize=(WIDTH, height))
    tall = (1 - foot / height) / lines
    shades = colormaps["viridis"]
    for index, (text, score) in enumerate(maps):
        left, top = (index % columns) / columns, 1 - (index // columns) * tall
        axes = figure.add_axes((left, top - tall, 1 / columns, tall), projection="3d")
        values = peaks(score)
        rows = np.linspace(0, score.shape[0], values.shape[0])
        across = np.linspace(0, score.shape[1], values.shape[1])
        corners = [values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]]
        axes.plot_surface(
            *np.meshgrid(across, rows), values, facecolors=shades(np.max(corners, axis=0)),
            rcount=PEAKS, ccount=PEAKS, linewidth=0, antialiased=False, shade=False,
            rasterized=True,
        )  # fmt: skip
        axes.set(zlim=(0, 1), zticks=(0, 0.5, 1), ylim=(score.shape[0], 0))
        axes.tick_params(labelsize=4.5, pad=-4)
        axes.set_xlabel("x", fontsize=5, labelpad=-11)
        axes.set_ylabel("y", fontsize=5, labelpad=-11)
        axes.set_box_aspect((score.shape[1], score.shape[0], 0.6 * max(score.shape)), zoom=1.05)
        figure.text(left + 0.5 / columns, top - 0.01 * tall, text, ha="center", va="top")
        axes.locator_params(axis="x", nbins=4)
        axes.locator_params(axis="y", nbins=4)
    text = f"{sample.name}; each map from its minimum to its maximum, blocks by their maximum"
    figure.text(0.01, 0.08 / height, f"{stamp(results)}\n{text}", fontsize=5.5, color=GREY)
    return figure
