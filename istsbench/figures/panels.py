"""A page of grey panels with boxes and labels, composed into one array.

One array and a few collections of lines instead of hundreds of axes: a page of 200
panels takes a second or two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from istsbench.figures.fonts import SMALLEST, wrapped
from istsbench.figures.style import GREY, YELLOW, dots_per_inch

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels, the last two exclusive

GAP = 0.03  # inches between panels
_LINE = 0.115  # inches, a line at the foot
PALE = 0.93  # grey level of a panel without a picture, 0..1
_DASHES: dict[str, Any] = {YELLOW: (0, (2.5, 1.2))}  # a second cue beside the hue
INSET = 0.38  # side of the zoomed inset, in panel widths


@dataclass
class Sheet:
    """A page in inches from the upper left: grey panels below, lines and text above."""

    width: float
    height: float
    lines: dict[str, list[np.ndarray]] = field(default_factory=dict)
    texts: list[tuple[float, float, str, dict]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dots = dots_per_inch(self.width)
        size = (round(self.height * self.dots), round(self.width * self.dots))
        self.ink = np.full(size, 255, dtype=np.uint8)

    def panel(
        self,
        pixels: np.ndarray,
        place: tuple[float, float, float, float],
        marks: dict[str, list[Box]],
        zoom: Box | None = None,
        corner: tuple[int, int] = (0, 0),
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

    def empty(self, place: tuple[float, float, float, float], text: str) -> None:
        """A pale panel that says why nothing is in it."""
        self._paste(np.full((1, 1), PALE), place)
        x, y, width, height = place
        self.text(x + width / 2, y + height / 2, wrapped(text, width), color=GREY, va="center")

    def _paste(self, pixels: np.ndarray, place: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = (
            round(self.dots * value)
            for value in (place[0], place[1], place[0] + place[2], place[1] + place[3])
        )
        size = (max(right - left, 1), max(bottom - top, 1))
        shrinks = size[0] < pixels.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        grey = cv2.resize(pixels.astype(np.float32), size, interpolation=way)
        part = self.ink[top:bottom, left:right]
        part[...] = np.rint(255 * grey)[: part.shape[0], : part.shape[1]]

    def foot(self, *paragraphs: str) -> None:
        """Make the page longer and print paragraphs there, small and grey."""
        lines = [
            line for text in paragraphs for line in wrapped(text, self.width - 0.1).split("\n")
        ]
        top, self.height = self.height, self.height + _LINE * len(lines) + 0.12
        longer = round(self.height * self.dots) - len(self.ink)
        self.ink = np.pad(self.ink, ((0, longer), (0, 0)), constant_values=255)
        for number, line in enumerate(lines, start=1):
            self.text(0.05, top + 0.06 + _LINE * number, line, color=GREY, ha="left")

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
            drawn = LineCollection(
                lines, colors=colour, linewidths=0.7, linestyles=[_DASHES.get(colour, "-")]
            )
            axes.add_collection(drawn)
        for x, y, text, options in self.texts:
            axes.text(
                x, y, text, **{"fontsize": SMALLEST, "ha": "center", "va": "bottom"} | options
            )  # type: ignore[arg-type]
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        return figure


def _outline(box: Box, x: float, y: float, step: float) -> np.ndarray:
    top, left, bottom, right = (step * side for side in box)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return np.array(corners) + (x, y)


def fit_into(shape: tuple[int, ...], width: float, height: float) -> tuple[float, float]:
    """Size in inches of an image in a cell, its proportions kept."""
    scale = min(width / shape[1], height / shape[0])
    return shape[1] * scale, shape[0] * scale
