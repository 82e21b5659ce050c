"""Which fonts the letters of a figure are taken from, and how wide a text is."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

SMALLEST = 7.0  # points, of any letter of a figure at the size at which it is printed

# Asked in this order for letters that DejaVu Sans lacks, as far as they are installed.
_MORE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei",
    "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip


@cache
def fonts() -> tuple[str, ...]:
    """The families that letters are taken from, each if those before it lack it."""
    installed = {font.name for font in fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _MORE_FONTS if name in installed))


@cache
def _letters() -> frozenset[int]:
    return frozenset().union(*(get_font(findfont(name)).get_charmap() for name in fonts()))


def use_any_font(pages: Iterable[Figure]) -> str:
    """Let texts with letters that none of `fonts` has take them from any font of this machine.

    Returns the letters that no font has, in their order; those are drawn as boxes.
    """
    texts: list[Text] = [
        text
        for page in pages
        for text in page.findobj(Text)  # type: ignore[attr-defined]
        if _strange(text.get_text())
    ]
    wanted = _strange("".join(text.get_text() for text in texts))
    found = _families_with(wanted)
    for text in texts:
        own = [found[letter] for letter in _strange(text.get_text()) if letter in found]
        if own:
            text.set_fontfamily([*fonts(), *dict.fromkeys(own)])
    return "".join(letter for letter in wanted if letter not in found)


def _strange(text: str) -> str:
    return "".join(s for s in dict.fromkeys(text) if s.isprintable() and ord(s) not in _letters())


def _families_with(letters: str) -> dict[str, str]:
    """Letter -> an installed family that has it. Reads every font, so it is for rare letters."""
    found: dict[str, str] = {}
    for entry in fontManager.ttflist if letters else ():
        if len(found) == len(letters):
            break
        if "last resort" in entry.name.lower():  # it has a box for each letter of the world
            continue
        try:
            known = get_font(entry.fname).get_charmap()
        except (OSError, RuntimeError):  # listed and since removed, or not to be read
            continue
        found |= {s: entry.name for s in letters if s not in found and ord(s) in known}
    return found


def text_width(text: str, size: float = SMALLEST, weight: str = "normal") -> float:
    """Inches that a text of one line takes at a font size in points."""
    font = FontProperties(family=[*fonts()], size=size, weight=weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def wrapped(text: str, width: float, size: float = SMALLEST) -> str:
    """The text with its words in lines of at most `width` inches; a longer word has its own."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def shortened(text: str, width: float, size: float = SMALLEST) -> str:
    """A name in lines of at most `width` inches; what is longer still ends in an ellipsis.

    What stands in brackets stays on one line.
    """
    lines = []
    bound = re.sub(r"\([^()]*\)", lambda found: found[0].replace(" ", "\xa0"), text)
    for line in wrapped(bound, width, size).split("\n"):
        kept = line.replace("\xa0", " ")
        while len(kept) > 1 and text_width(kept, size) > width:
            kept = f"{kept.removesuffix('…')[:-1]}…"
        lines.append(kept)
    return "\n".join(lines)
