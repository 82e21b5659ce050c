"""Labels beside the points of a figure, clear of each other and of lines.

adjustText, the library for this, was tried on the two pareto figures, with its defaults and with
wider margins. It moves labels by forces until they rest: some lay on marks or on the line, that
of one network stood nearest to the mark of another, and it took 1 to 22 seconds a panel. Here a
label takes the best of some places around its point, in half a second, and is always
nearest to its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from istsbench.figures.fonts import SMALLEST
from istsbench.figures.style import GREY

_CLOSE = 10  # pixels within which a label is taken to be that of a point


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    bounds: tuple[float, float, float, float],
    taken: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Lower left corners (n, 2) of text boxes near their points, clear of each other.

    `points` (n, 2) and `sizes` (n, 2: width, height) are in pixels, `bounds` and each of
    `taken` (more to keep clear of) are (left, bottom, right, top). A box takes the place
    around its point that costs least: it is near, free, and nearer to its own point than to
    any other. A second round sees where the boxes placed later came to lie.
    """
    marks = np.column_stack([points - 3, points + 3])
    boxes = np.full((len(points), 4), np.inf)  # of the labels; not placed yet: nowhere
    order = np.argsort(points[:, 0], kind="stable")
    for index in [*order, *order]:
        size = sizes[index]
        corners, gaps = _around(points[index], size)
        found = np.column_stack([corners, corners + size])
        others = np.vstack([*taken, marks, np.delete(boxes, index, axis=0)])
        away = np.array([distances(box, points) for box in found])
        foreign = np.delete(away, index, axis=1).min(axis=1, initial=np.inf)
        lead = foreign - away[:, index]  # negative where the label reads as another's
        doubt = 3 * np.maximum(_CLOSE - lead, 0) + 1000 * (lead <= 0)
        out = np.maximum([bounds[:2] - found[:, :2], found[:, 2:] - bounds[2:]], 0).sum((0, 2))
        covered = np.array([_shared(box, others) for box in found])
        boxes[index] = found[np.argmin(gaps + covered + 100 * out + doubt)]
    return boxes[:, :2]


def _around(point: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower left corners (n, 2) of a box around a point, and the gaps (n,) left between."""
    turns = np.tile(np.arange(16) * np.pi / 8, 9)
    gaps = np.repeat([5, 8, 12, 17, 22, 28, 34, 41, 48], 16)
    ways = np.column_stack([np.cos(turns), np.sin(turns)])
    return point + ways * (gaps[:, None] + size / 2) - size / 2, gaps


def distances(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """From a box (left, bottom, right, top) to each of the points (n, 2)."""
    away: np.ndarray = np.linalg.norm(np.clip(points, box[:2], box[2:]) - points, axis=1)
    return away


def _shared(one: np.ndarray, others: np.ndarray) -> float:
    """The area that a box shares with the others (n, 4)."""
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    return float(np.maximum(sides, 0).prod(axis=1).sum())


def write_labels(
    axes: Axes, points: np.ndarray, labels: Sequence[str], path: np.ndarray | None = None
) -> None:
    """Print a label beside each point (n, 2; data units).

    A thin line joins them where the label is far, or near to another point as well.

    `path` (m, 2) are corners of a line of level and upright pieces to keep clear of.
    """
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # settles the layout, which positions depend on
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    pixels = axes.transData.transform(points)
    texts = [
        axes.text(point[0], point[1], label, fontsize=SMALLEST, va="bottom")
        for label, point in zip(labels, points, strict=True)
    ]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([[box.width, box.height] for box in extents])
    frame = axes.get_window_extent(renderer)
    taken = []
    if path is not None:
        turns = axes.transData.transform(path)
        for one, other in zip(turns, turns[1:], strict=False):
            taken.append(np.append(np.minimum(one, other) - 1, np.maximum(one, other) + 1))
    corners = place_labels(pixels, sizes, (frame.x0, frame.y0, frame.x1, frame.y1), taken)
    back = axes.transData.inverted()
    for index, (text, corner, size) in enumerate(zip(texts, corners, sizes, strict=True)):
        text.set_position(tuple(back.transform(corner)))
        away = distances(np.append(corner, corner + size), pixels)
        if away[index] > _CLOSE or (np.delete(away, index) <= _CLOSE).any():
            near = np.clip(pixels[index], corner, corner + size)
            line = back.transform([near, pixels[index]])
            axes.plot(*line.T, color=GREY, linewidth=0.4, zorder=1)
