"""How every figure looks: sizes, fonts, colours, the line at its foot.

A method looks the same in all figures: the hue tells its group, shade, line style and
marker its place in the group, so that curves stay apart in grey as well. The hues are
those of Okabe & Ito's palette, which colour-blind readers tell apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

import matplotlib
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.text import Text

from istsbench import __version__, registry
from istsbench.results.results import Results
from istsbench.runs.record import Record
from istsbench.segmenter import Card
from istsbench.tables.table import RECONSTRUCTION
from istsbench.tables.table_vi import row_signs

WIDTH = 7.16  # inches, two columns of a journal page
GREY = "#777777"
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

# Asked in this order for letters that DejaVu Sans lacks, as far as they are installed.
_MORE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei",
    "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip
_STYLE = {
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

    matplotlib keeps settings per process, hence the lock. It would warn of a letter without a
    font each time it draws one; `write_figure` says it once.
    """
    with _LOCK, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        style.use(["default", _STYLE, {"font.family": fonts()}])
        yield


@cache
def fonts() -> list[str]:
    """The families that letters are taken from, each if those before it lack it."""
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _MORE_FONTS if name in installed)]


@cache
def _letters() -> frozenset[int]:
    return frozenset().union(*(get_font(findfont(name)).get_charmap() for name in fonts()))


def without_font(figure: Figure) -> str:
    """The letters in a figure that none of `fonts` has, in their order."""
    texts = "".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]
    return "".join(s for s in dict.fromkeys(texts) if s.isprintable() and ord(s) not in _letters())


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


def registered_looks() -> dict[str, Look]:
    """Name -> look of each method in the registry."""
    known = registry.cards()
    found = {}
    for name, place in _places().items():
        card = known[name]
        assert isinstance(card, Card)
        mark = RECONSTRUCTION if card.status == "reconstruction" else ""
        found[name] = Look(plain(card.label) + mark, *_drawn(card.group, place))
    return found


def label_of(record: Record) -> str:
    """The name of a method as figures print it."""
    return plain(record.label + row_signs(record))


def plain(text: str) -> str:
    """A text from outside as matplotlib prints it letter by letter.

    It takes what stands between two dollars for a formula, and leaves out of a legend what
    begins with an underscore; a space without width is put before that.
    """
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


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
    failed = [record.label for spec, record in results.records.items() if results.failure(spec)]
    gone = [f"not counted on every image: {', '.join(failed)}"] if failed else []
    return " · ".join([head, *parts, *gone, f"istsbench {__version__}"])


def foot(figure: Figure, text: str) -> None:
    """Print `text` small and grey below everything else of a figure in constrained layout."""
    figure.supxlabel(plain(text), fontsize=5.5, color=GREY, x=0.01, ha="left")
