"""How every figure looks, and how it reaches the disk.

A method looks the same in all figures: the hue tells its group, shade, line style and
marker its place in the group, so that curves stay apart in grey as well. The hues are
those of Okabe & Ito's palette, which colour-blind readers tell apart.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from istsbench import __version__, registry
from istsbench.files import write_atomic
from istsbench.results.results import Results
from istsbench.runs.record import Record
from istsbench.segmenter import Card
from istsbench.tables.table_vi import row_signs

DPI = {"png": 150, "pdf": 300}  # in the PDF of pictures only, all else is vectors
WIDTH = 7.16  # inches, two columns of a journal page
GREY = "#777777"
CLOSE = 10  # pixels within which a label is taken to be that of a point
RED, YELLOW = "#e8000b", "#ffd500"  # boxes of targets and of errors, as in the paper's figures

_HUES = {  # light, middle and dark of each group
    "spatial": ("#edb120", "#d55e00", "#6b2a00"),
    "hvs": ("#56b4e9", "#0072b2", "#002f5c"),
    "lowrank": ("#3fcf9f", "#009e73", "#00402e"),
    "cnn": ("#e4a6cb", "#b8578f", "#5c1f45"),
    "game": ("#000000", "#000000", "#000000"),
}
_OTHER = ("#aaaaaa", "#777777", "#444444")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = "os^DvPX<>*hpd"  # 13 and 12 have no common divisor: 156 distinct looks

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # publishers refuse type 3 fonts
}
_LOCK = RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """The settings of all figures; also a decorator. A user's own are back afterwards.

    matplotlib keeps settings per process, hence the lock.
    """
    with _LOCK, matplotlib.rc_context():
        style.use(["default", _STYLE])
        yield


def write_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.png and NAME.pdf, the same bytes for the same figure; returns the paths."""
    paths = []
    unstamped: dict[str, dict[str, str | None]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    }
    for kind, metadata in unstamped.items():
        stream = io.BytesIO()
        with house_style():
            if figure.get_layout_engine() is not None:
                figure.draw_without_rendering()
                figure.set_layout_engine("none")  # settled: laying out again costs most of the time
            figure.savefig(stream, format=kind, dpi=DPI[kind], metadata=metadata)
        paths.append(folder / f"{name}.{kind}")
        write_atomic(paths[-1], stream.getvalue())
    return paths


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    label: str
    colour: str
    line: Any  # a matplotlib line style
    marker: str


def group_colour(group: str) -> str:
    return _HUES.get(group, _OTHER)[1]


def group_marker(group: str) -> str:
    return _MARKERS[registry.group_order(group)[0]]


def looks(records: Mapping[str, Record]) -> dict[str, Look]:
    """Spec -> look. A registered method's does not depend on which others are there."""
    registered = _places()
    found: dict[str, Look] = {}
    used = dict(_sizes())
    for spec in sorted(records, key=lambda s: (records[s].year, s)):
        record = records[spec]
        group = record.group
        place = registered.get(spec)
        if place is None:  # a variant, or someone's predictions
            place = used.get(group, 0)
            used[group] = place + 1
        found[spec] = Look(label_of(record), *_drawn(group, place))
    return found


def label_of(record: Record) -> str:
    return record.label + row_signs(record)


def _drawn(group: str, place: int) -> tuple[str, Any, str]:
    light, middle, dark = _HUES.get(group, _OTHER)
    line = place % len(_LINES)
    # Each shade meets each line style once before any pair returns.
    shade = (middle, light, dark)[(place // len(_LINES) + line) % 3]
    return shade, _LINES[line], _MARKERS[place % len(_MARKERS)]


@cache
def _places() -> dict[str, int]:
    """Registered name -> place in its group, by year of publication."""
    sizes: dict[str, int] = {}
    places = {}
    cards = {name: card for name, card in registry.cards().items() if isinstance(card, Card)}
    for name in sorted(cards, key=lambda n: (cards[n].year, cards[n].label)):
        group = cards[name].group
        places[name] = sizes.get(group, 0)
        sizes[group] = places[name] + 1
    return places


@cache
def _sizes() -> dict[str, int]:
    cards = registry.cards()
    groups = [cards[name].group for name in _places()]  # type: ignore[union-attr]
    return {group: groups.count(group) for group in groups}


def stamp(results: Results, *parts: str) -> str:
    """The protocol in one line, for the foot of a figure."""
    record = results.any_record
    images = f"{record.images} images"
    if record.images < record.of:
        images = f"first {record.images} of {record.of} images"
    head = f"{record.title}, split {record.split} ({images}, {record.data_hash})"
    return " · ".join([head, *parts, f"istsbench {__version__}"])


def foot(figure: Figure, text: str) -> None:
    """Print `text` small and grey below everything else of a figure in constrained layout."""
    figure.supxlabel(text, fontsize=5.5, color=GREY, x=0.01, ha="left")


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
        doubt = 3 * np.maximum(CLOSE - lead, 0) + 1000 * (lead <= 0)
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
        axes.text(point[0], point[1], label, fontsize=6.5, va="bottom")
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
        if away[index] > CLOSE or (np.delete(away, index) <= CLOSE).any():
            near = np.clip(pixels[index], corner, corner + size)
            line = back.transform([near, pixels[index]])
            axes.plot(*line.T, color=GREY, linewidth=0.4, zorder=1)
