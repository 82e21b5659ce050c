"""Plain text in Markdown, LaTeX and HTML, and how each of them marks the three best numbers."""

from __future__ import annotations

import html as _html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

PLACES = ("best", "second", "third")
LEGEND = "Best, second and third of our numbers: bold, underlined, italic."

_MARKDOWN = {sign: f"\\{sign}" for sign in "\\|*_`[]~"} | {"<": "&lt;", "&": "&amp;"}
_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "†": r"$^\dagger$", "‡": r"$^\ddagger$", "≈": r"$^\approx$", "°": r"$^\circ$",
    ">": "$>$", "<": "$<$", "|": "$|$", "±": r"$\pm$",
    "[": "{[}",  # or it would be read as an option of the line break before it
    "−": "$-$", "–": "--", "×": r"$\times$", "µ": r"$\mu$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


@dataclass(frozen=True)
class Markup:
    """How a language takes plain text, and marks what is best, second and third."""

    escape: Callable[[str], str]
    marks: tuple[str, str, str]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def markdown(text: str) -> str:
    """Plain text as Markdown, in one line; what stands in backticks is code."""
    code = lambda part: f"`{part.replace('|', chr(92) + '|')}`"  # noqa: E731
    return _with_code(text, lambda part: "".join(_MARKDOWN.get(s, s) for s in part), code)


def latex(text: str) -> str:
    """Plain text as LaTeX text, in one line; `592x400` gets a times sign, code is in \\texttt."""

    def escaped(part: str) -> str:
        return "".join(_LATEX.get(sign, sign) for sign in part)

    def words(part: str) -> str:
        sized = re.sub(r"(?<!\w)(\d+)x(\d+)(?!\w)", r"$\1\\times\2$", escaped(part))
        return re.sub(r"(?:\$\^\\\w+\$){2,}", _one_group, sized)

    return _with_code(text, words, lambda part: rf"\texttt{{{escaped(part)}}}")


def _one_group(signs: re.Match[str]) -> str:
    return "$^{" + "".join(re.findall(r"\\\w+", signs[0])) + "}$"


def _with_code(text: str, words: Callable[[str], str], code: Callable[[str], str]) -> str:
    parts = re.split(r"`([^`]+)`", _in_one_line(text))
    return "".join(code(part) if odd % 2 else words(part) for odd, part in enumerate(parts))


def html(text: str) -> str:
    """Plain text as HTML, in an element or a quoted attribute."""
    return _html.escape(text)


PLAIN = Markup(str, ("{}",) * 3)
MARKDOWN = Markup(markdown, ("**{}**", "<u>{}</u>", "*{}*"))
LATEX = Markup(latex, (r"\textbf{{{}}}", r"\underline{{{}}}", r"\textit{{{}}}"))
HTML = Markup(html, ("<b>{}</b>", "<u>{}</u>", "<i>{}</i>"))


def three_best(printed: pd.Series, less_is_better: bool = False) -> dict[Any, int]:
    """Index -> 0, 1, 2: its place in `PLACES`, equals sharing the better one.

    `printed` holds numbers as they are printed, for what reads alike is alike; nan takes no
    part. Zero is not marked where more is better, and nothing where one number stands alone.
    """
    values = printed.astype(float).dropna()
    if len(values) < 2:
        return {}
    if not less_is_better:
        values = values[values > 0]
    ranks = values.rank(method="min", ascending=less_is_better)
    return {row: int(rank) - 1 for row, rank in ranks.items() if rank <= len(PLACES)}
