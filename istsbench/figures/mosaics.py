"""Pages of pictures: maps and masks of all methods for some images.

Targets are boxed red and errors yellow and dashed, as in the paper's Figs. 11 and 12 but for the
dashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from istsbench.data.samples import Dataset
from istsbench.figures.boxes import boxes, boxes_apart, free_corner, outcome, zoomed
from istsbench.figures.fonts import shortened
from istsbench.figures.panels import GAP, Box, Sheet, fit_into
from istsbench.figures.pictures import (
    DECADES,
    Answer,
    by_contrast,
    grey_scene,
    load_images,
    logarithm,
    representatives,
)
from istsbench.figures.style import (
    PAGE,
    RED,
    YELLOW,
    Layout,
    house_style,
    label_of,
    power_of_ten,
    stamp,
)
from istsbench.metrics import ratios
from istsbench.results.intervals import paired_rows
from istsbench.results.results import Results

_SIDE = 0.2  # inches, for the names of images at the left of the grid
_LINE = 0.125  # inches, a line of letters
_HIGHEST = 9.6  # inches, of a page
_LEAST = 0.7  # inches, width of a picture that has room for an inset
_SCALE = f"maps on a logarithm, black is {power_of_ten(10.0**-DECADES)} of the maximum or less"
_T = TypeVar("_T")


def even(parts: Sequence[_T], most: int) -> list[list[_T]]:
    """Parts in their order in the fewest lists of at most `most`, all but the last as long."""
    lists = -(-len(parts) // most)
    length = -(-len(parts) // lists)
    return [list(parts[start : start + length]) for start in range(0, len(parts), length)]


@house_style()
def grid(
    results: Results,
    dataset: Dataset,
    rule: str,
    images: Sequence[str] | None = None,
    layout: Layout = PAGE,
) -> list[Figure]:
    """Maps over masks of all methods for a few images, targets red, errors yellow and dashed.

    Beside each picture its first target stands larger. Many methods take several pages, all of
    them as wide as said.
    """
    names = images or representatives(results, rule)
    samples, answers, note = load_images(results, dataset, rule, names)
    methods = list(answers)
    across = 3 if layout.narrow else 6  # the image first
    cell = (layout.width - _SIDE) / across
    labels = {spec: shortened(label_of(results.records[spec]), cell - GAP) for spec in methods}
    head = 0.06 + _LINE * (1 + max(text.count("\n") for text in labels.values()))
    sizes = [_beside(sample.mask.shape, cell - 2 * GAP) for sample in samples]
    block = head + sum(2 * (tall + GAP) + 2 * GAP for _, tall in sizes)
    pages = even(even(methods, across - 1), max(int(_HIGHEST / block), 1))
    sheets = [Sheet(layout.width, len(page) * block) for page in pages]
    for sheet, page in zip(sheets, pages, strict=True):
        for number, part in enumerate(page):
            y = number * block + head
            sheet.text(_SIDE + cell / 2, y - 0.04, "Image, truth", fontweight="bold")
            for column, spec in enumerate(part, start=1):
                sheet.text(_SIDE + cell * (column + 0.5), y - 0.04, labels[spec])
            for index, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
                tall = size[1]
                name = shortened(sample.name, 2 * tall)
                sheet.text(_SIDE / 2, y + tall + GAP / 2, name, rotation=90, va="center")
                red = {RED: boxes_apart(boxes(sample.mask), sample.mask.shape)}
                zoom = zoomed(sample.mask)
                _pair(
                    sheet, (_SIDE, y), size, zoom, grey_scene(sample.image), red, sample.mask, red
                )
                for column, spec in enumerate(part, start=1):
                    shown = answers[spec][index]
                    upper = None if shown.score is None else logarithm(shown.score)
                    marks = _verdict(shown, sample.mask)
                    place = _SIDE + cell * column, y
                    _pair(sheet, place, size, zoom, upper, red, shown.mask, marks)
                y += 2 * (tall + GAP) + 2 * GAP
    text = f"map over mask, {_SCALE}; boxes: red = target, yellow and dashed = missed or false; "
    text += "beside each picture: first target" + note
    for sheet in sheets:
        sheet.foot(stamp(results, layout, f"rule {rule}"), text)
    return [sheet.figure() for sheet in sheets]


def _beside(shape: tuple[int, ...], width: float) -> tuple[float, float]:
    """Inches of a picture's width and height, beside which a square of that height has room."""
    tall = width / (1 + max(shape[1] / shape[0], 1))
    return width - tall, tall


def _verdict(shown: Answer, truth: np.ndarray) -> dict[str, list[Box]]:
    seen = outcome(shown.mask, truth)
    return {
        RED: boxes_apart(seen.found, truth.shape),
        YELLOW: boxes_apart([*seen.missed, *seen.false], truth.shape),
    }


def _pair(
    sheet: Sheet,
    place: tuple[float, float],
    size: tuple[float, float],
    zoom: Box | None,
    above: np.ndarray | None,
    above_marks: dict[str, list[Box]],
    below: np.ndarray,
    below_marks: dict[str, list[Box]],
) -> None:
    """A map over a mask, each with its first target at its right."""
    (x, y), (wide, tall) = place, size
    for pixels, marks in ((above, above_marks), (below, below_marks)):
        if pixels is None:
            sheet.empty((x, y, wide, tall), "mask only")
        else:
            width, height = fit_into(pixels.shape, wide, tall)
            sheet.panel(pixels, (x + wide - width, y, width, height), marks)
            if zoom:
                top, left, bottom, right = zoom
                square = (x + wide + GAP, y, tall, tall)
                sheet.panel(pixels[top:bottom, left:right], square, {})
        y += tall + GAP


@house_style()
def gallery(
    results: Results,
    dataset: Dataset,
    rule: str,
    images: Sequence[str] | None = None,
    layout: Layout = PAGE,
) -> list[Figure]:
    """The maps of all methods for a few images beside each other, with the F1 of each.

    Images that nobody names are an easy, a median and a hard one.
    """
    kinds = {} if images else by_contrast(results, dataset, rule)
    names = images or [*kinds]
    samples, answers, note = load_images(results, dataset, rule, names)
    rows = paired_rows(results, rule)
    across = max(1, (4 if layout.narrow else 7) // len(names) + (len(names) > 1))
    width = layout.width / across
    cells: list[tuple[str, list[np.ndarray]]] = [
        ("Image", [grey_scene(sample.image) for sample in samples]),
        ("Truth", [sample.mask for sample in samples]),
    ]
    for spec, shown in answers.items():
        f1 = ratios(rows[spec].loc[[*names]])["f1"]
        text = f"{label_of(results.records[spec])}  {' '.join(f'{100 * v:.0f}' for v in f1)}"
        if shown[0].score is None:
            text += " (mask)"
        pictures = [one.mask if one.score is None else logarithm(one.score) for one in shown]
        cells.append((shortened(text, width - 0.06), pictures))
    wide = (width - 0.06) / len(names) - GAP
    tall = max(fit_into(sample.mask.shape, wide, 1.2 * wide)[1] for sample in samples)
    marks = [{RED: boxes_apart(boxes(sample.mask), sample.mask.shape)} for sample in samples]
    head = 0.06 + _LINE * (1 + max(text.count("\n") for text, _ in cells))
    most = max(1, int(_HIGHEST / (head + tall)))
    lines = even(even(cells, across), most)
    sheets = [Sheet(layout.width, len(page) * (head + tall)) for page in lines]
    for sheet, page in zip(sheets, lines, strict=True):
        for row, line in enumerate(page):
            y = row * (head + tall) + head
            for column, (text, pictures) in enumerate(line):
                x = column * width + 0.03
                sheet.text(x + width / 2 - 0.03, y - 0.03, text)
                for number, (pixels, sample) in enumerate(zip(pictures, samples, strict=True)):
                    size = fit_into(pixels.shape, wide, tall)
                    left = x + number * (wide + GAP) + (wide - size[0]) / 2
                    zoom = zoomed(sample.mask) if wide >= _LEAST else None
                    corner = free_corner(sample.mask)
                    sheet.panel(pixels, (left, y, *size), marks[number], zoom, corner)
    said = ", ".join(f"{name} ({kinds[name]})" if name in kinds else name for name in names)
    chosen = "; by the local SCR of their targets" if kinds else ""
    text = f"{said}{chosen}; behind each name F1 in % under rule {rule}; {_SCALE}{note}"
    for sheet in sheets:
        sheet.foot(stamp(results, layout), text)
    return [sheet.figure() for sheet in sheets]
