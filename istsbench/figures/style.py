"""How every figure looks: widths, sizes, colours, ticks, the line at its foot.

A group has the same hue in all figures. Where curves of one group stand alone in a panel,
shade, line style and marker tell the place of a method in its group, so that curves stay apart
in grey as well. The hues are those of Okabe & Ito's palette, which colour-blind readers tell
apart, and violet. Black is kept for what the user brought: methods of one's own and submitted
predictions, which are what a reader of such a figure looks for.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from threading import RLock
from typing import Any

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from istsbench import __version__, registry
from istsbench.figures.fonts import SMALLEST, fonts, wrapped
from istsbench.results.results import Results
from istsbench.runs.record import Record
from istsbench.segmenter import Card
from istsbench.tables.table import RECONSTRUCTION
from istsbench.tables.table_vi import row_signs

WIDTHS = {"page": 17.8 / 2.54, "column": 8.5 / 2.54}  # inches, of a journal
WIDTH = WIDTHS["page"]
GREY = "#6b6b6b"  # on white 5.3 : 1, so that small letters can be read
RED, YELLOW = "#e8000b", "#ffd500"  # boxes of targets and of errors, as in the paper's figures

_BLACK = "#000000"
_HUES = {  # light, middle and dark of each group
    "spatial": ("#edb120", "#d55e00", "#6b2a00"),
    "hvs": ("#56b4e9", "#0072b2", "#002f5c"),
    "lowrank": ("#3fcf9f", "#009e73", "#00402e"),
    "cnn": ("#e4a6cb", "#b8578f", "#5c1f45"),
    "game": ("#a98fc9", "#6a3d9a", "#3a1a60"),
    "own": (_BLACK, _BLACK, _BLACK),
    "submitted": (_BLACK, _BLACK, _BLACK),
}
BROUGHT = {"own": "*opD", "submitted": "PshX"}  # groups of what the user brought, their marks
_OTHER = ("#aaaaaa", "#777777", "#444444")  # groups of plug-ins
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = "os^Dv<>Xhpd"  # 11 and 12 have no common divisor: 132 distinct looks

_STYLE = {
    "font.size": SMALLEST,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "legend.fontsize": SMALLEST,
    "legend.title_fontsize": SMALLEST,
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
    "svg.hashsalt": "istsbench",  # the same names of parts for the same figure
}
_LOCK = RLock()
_PATH = re.compile(r"""(?P<before>=\s*["']?)(?P<path>[^=,()"']*[/\\][^=,()"']*)""")
_LONGEST = 24  # characters that are kept of a path in a label


@dataclass(frozen=True)
class Layout:
    """How wide a figure is printed, and what its foot tells."""

    name: str = "page"  # one of `WIDTHS`
    stamped: bool = False  # hash of the data and version at the foot
    footed: bool = True  # False: without a foot, as a journal prints a caption of its own

    @property
    def width(self) -> float:
        """Inches."""
        return WIDTHS[self.name]

    @property
    def narrow(self) -> bool:
        return self.name == "column"


PAGE = Layout()


def dots_per_inch(width: float) -> int:
    """Of a PNG of so many inches: one of a column has more, for print."""
    return 200 if width > (WIDTHS["page"] + WIDTHS["column"]) / 2 else 300


@contextmanager
def house_style() -> Iterator[None]:
    """The settings of all figures; also a decorator. A user's own are back afterwards.

    matplotlib keeps settings per process, hence the lock. It would warn of a letter without a
    font each time it draws one; `write_figure` says it once.
    """
    with _LOCK, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        style.use(["default", _STYLE, {"font.family": [*fonts()]}])
        yield


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    label: str
    group: str
    colour: str
    line: Any  # a matplotlib line style
    marker: str

    @property
    def brought(self) -> bool:
        """By the user: drawn wider, and above the others."""
        return self.group in BROUGHT

    @property
    def width(self) -> float:
        """Points, of the line."""
        return 1.8 if self.brought else 1.2


def group_colour(group: str) -> str:
    return _HUES.get(group, _OTHER)[1]


def group_marker(group: str) -> str:
    if group in BROUGHT:
        return BROUGHT[group][0]
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
        found[spec] = _look(label_of(record), group, place)
    return found


def registered_looks() -> dict[str, Look]:
    """Name -> look of each method in the registry."""
    known = registry.cards()
    found = {}
    for name, place in _places().items():
        card = known[name]
        assert isinstance(card, Card)
        mark = RECONSTRUCTION if card.status == "reconstruction" else ""
        found[name] = _look(plain(card.label) + mark, card.group, place)
    return found


def distinct(look: Look, place: int) -> Look:
    """The look with the colour of its group, and dashes and mark by its place among few methods.

    Places in two groups may be the same, and then nothing but the hue would tell them apart. What
    the user brought keeps its look.
    """
    if look.brought:
        return look
    line, marker = _LINES[place % len(_LINES)], _MARKERS[place % len(_MARKERS)]
    return replace(look, colour=group_colour(look.group), line=line, marker=marker)


def label_of(record: Record) -> str:
    """The name of a method as figures print it."""
    return plain(_PATH.sub(_end_of_path, record.label) + row_signs(record))


def _end_of_path(found: re.Match[str]) -> str:
    """The file's name in place of its path, and its folder as well where both are short: weights
    of several seeds often differ by their folder alone."""
    parts = [part for part in re.split(r"[/\\]", found["path"].strip()) if part]
    two, name = "/".join(parts[-2:]), parts[-1] if parts else ""
    kept = two if len(two) <= _LONGEST else name
    return found["before"] + (kept if len(kept) <= _LONGEST else f"…{kept[1 - _LONGEST :]}")


def plain(text: str) -> str:
    """A text from outside as matplotlib prints it letter by letter.

    It takes what stands between two dollars for a formula, and leaves out of a legend what
    begins with an underscore; a space without width is put before that.
    """
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


def _look(label: str, group: str, place: int) -> Look:
    if group in BROUGHT:  # the lines of one group are never those of the other
        marks, dashes = BROUGHT[group], _LINES[[*BROUGHT].index(group) :: 2][place % 2]
        return Look(label, group, _BLACK, dashes, marks[place % len(marks)])
    light, middle, dark = _HUES.get(group, _OTHER)
    line = place % len(_LINES)
    # Each shade meets each line style once before any pair returns.
    shade = (middle, light, dark)[(place // len(_LINES) + line) % 3]
    return Look(label, group, shade, _LINES[line], _MARKERS[place % len(_MARKERS)])


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


def stamp(results: Results, layout: Layout, *parts: str) -> str:
    """What a figure shows, in one line for its foot; `parts` say it of the figure itself."""
    record = results.any_record
    images = f"{record.images} images"
    if record.images < record.of:
        images = f"first {record.images} of {record.of} images"
    if layout.stamped:
        images += f", {record.data_hash}"
    failed = [record.label for spec, record in results.records.items() if results.failure(spec)]
    gone = [f"not counted on every image: {', '.join(failed)}"] if failed else []
    version = [f"istsbench {__version__}"] if layout.stamped else []
    return " · ".join(
        [f"{record.title}, {record.split} ({images})", *filter(None, parts), *gone, *version]
    )


def foot(figure: Figure, text: str) -> None:
    """Print `text` in grey below everything else of a figure in constrained layout."""
    width = figure.get_figwidth() - 0.1
    figure.supxlabel(
        wrapped(plain(text), width), fontsize=SMALLEST, color=GREY, x=0.05 / width, ha="left"
    )


def power_of_ten(value: float) -> str:
    """1e-3, from 1 to 100 in full: raised digits would be smaller than `SMALLEST`."""
    exponent = np.log10(value) if value > 0 else np.nan
    near = np.isfinite(exponent) and abs(exponent - round(exponent)) < 1e-6
    if not near:
        return ""
    whole = round(exponent)
    return str(10**whole) if 0 <= whole <= 2 else f"1e{whole}"


def logarithmic_ticks(axis: Axis, decades: float) -> None:
    """Names at powers of ten, at every second one where more than `decades` lie on the axis."""
    low, high = np.log10(axis.get_view_interval())
    step = 1 if high - low <= decades else 2
    axis.set_major_locator(LogLocator(base=10.0**step, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, place: power_of_ten(value)))
    # Small ticks: at 2, 3, ... 9 times a power, or at the powers between those with a name.
    axis.set_minor_locator(
        LogLocator(subs=tuple(range(2, 10)) if step == 1 else (1.0,), numticks=40)
    )
    axis.set_minor_formatter(NullFormatter())
