"""How a figure reaches the disk: one function for all of them.

A figure is written as NAME.png and NAME.pdf (or .svg), or NAME-page1.png and so on where it takes
several pages, always the same bytes for the same figure. A figure of stored results says in each
of its files what it was drawn from (`DrawnFrom`): so whether it still holds is known after a copy
or a `git clone` as well, which keep no times.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from matplotlib.figure import Figure

from istsbench.figures.fonts import use_any_font
from istsbench.figures.style import dots_per_inch, house_style
from istsbench.files import write_atomic
from istsbench.results.results import Results
from istsbench.runs.record import as_json
from istsbench.tables.published import paper_scores

_FORMAT = 3  # of the figures; raise it when what one of them shows changes
FORMATS = ("png", "pdf", "svg")
USUAL = ("png", "pdf")
_RASTER = 300  # dots per inch of pictures in PDF and SVG, all else is vectors there
# A text chunk in a PNG, the keywords of PDF and SVG: all hold ASCII as it is.
_PLACE = {"png": "Source", "pdf": "Keywords", "svg": "Keywords"}
_NO_TIME: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}
_ORIGIN = re.compile(
    rb"istsbench-figure hash=([0-9a-f]{16}) methods=(\d+) missing=(\d+) pages=(\d+) chosen=([01])"
)
_PAGE = re.compile(r"-page\d+$")


@dataclass(frozen=True)
class DrawnFrom:
    """What a figure was drawn from, as it stands in its files."""

    hash: str  # of its name and of the records of the results
    methods: int  # that it shows
    missing: int = 0  # methods that were counted, but whose maps were not stored
    pages: int = 1
    chosen: bool = False  # of some of the methods, or of another form, as somebody asked

    @classmethod
    def of(cls, results: Results, name: str, missing: int = 0, chosen: bool = False) -> Self:
        """Of a figure NAME of these results, on one page."""
        methods = len(results.counts) - missing
        return cls(source_hash(results, name), methods, missing, chosen=chosen)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """From a file; None if there is none, or it is not of stored results."""
        try:
            found = _ORIGIN.search(path.read_bytes())
        except FileNotFoundError:
            return None
        if found is None:
            return None
        methods, missing, pages, chosen = map(int, found.groups()[1:])
        return cls(found[1].decode(), methods, missing, pages, bool(chosen))

    def __str__(self) -> str:
        return (
            f"istsbench-figure hash={self.hash} methods={self.methods} missing={self.missing} "
            f"pages={self.pages} chosen={self.chosen:d}"
        )


def source_hash(results: Results, name: str) -> str:
    """Sixteen digits of what the figure NAME depends on.

    That is its name, which tells rule, reduction, images and how those without a target count;
    the records of all methods that were counted, which hold the hashes of counts, curves, images
    and code; what the paper prints; and `FORMAT`.
    """
    counted = {
        spec: {key: value for key, value in as_json(results.records[spec]).items() if value}
        for spec in results.counts
    }
    printed = paper_scores(results.any_record.dataset).to_csv()
    text = json.dumps([_FORMAT, base_name(name), counted, printed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def base_name(stem: str) -> str:
    """The name of a figure from that of one of its files, without ending."""
    return _PAGE.sub("", stem)


def write_figure(
    pages: Figure | Sequence[Figure],
    folder: Path,
    name: str,
    origin: DrawnFrom | None = None,
    formats: Sequence[str] = USUAL,
) -> list[Path]:
    """Write a figure in some of `FORMATS`; returns its files. Pages that an earlier one left
    beyond them go. Warns of letters that no font of this machine has."""
    paths, strange = write_pages(pages, folder, name, origin, formats)
    if strange:
        warnings.warn(no_font(strange), stacklevel=2)
    return paths


def write_pages(
    pages: Figure | Sequence[Figure],
    folder: Path,
    name: str,
    origin: DrawnFrom | None = None,
    formats: Sequence[str] = USUAL,
) -> tuple[list[Path], str]:
    """As `write_figure`, without a warning; the second answer are the letters without a font."""
    pages = [pages] if isinstance(pages, Figure) else pages
    text = str(replace(origin, pages=len(pages))) if origin else None
    strange = use_any_font(pages)
    paths: list[Path] = []
    for page, stem in zip(pages, _stems(name, len(pages)), strict=True):
        for ending in formats:
            paths.append(folder / f"{stem}.{ending}")
            metadata = {**_NO_TIME[ending], _PLACE[ending]: text}
            write_atomic(paths[-1], _bytes(page, ending, metadata))
    ours = re.compile(rf"{re.escape(name)}(-page\d+)?\.({'|'.join(formats)})")
    for path in folder.iterdir():
        if ours.fullmatch(path.name) and path not in paths:
            path.unlink(missing_ok=True)
    return paths, strange


def no_font(letters: str) -> str:
    """What there is to say of letters without a font."""
    return (
        f"no font of this machine has {letters}, drawn as boxes; install one that has, such as "
        "Noto Sans CJK (on Debian and Ubuntu the package fonts-noto-cjk), and draw again"
    )


def written(folder: Path, name: str, formats: Sequence[str] = USUAL) -> DrawnFrom | None:
    """The origin of the figure NAME in a folder, if it is whole: all pages in all formats
    and of one origin. One that says nothing of it has the hash "" and shows nothing."""
    first = next((folder / f"{s}.{formats[0]}" for s in (name, f"{name}-page1")
                  if (folder / f"{s}.{formats[0]}").is_file()), None)  # fmt: skip
    if first is None:
        return None
    origin = DrawnFrom.read(first)
    if origin is None:
        return DrawnFrom("", 0)
    stems = _stems(name, origin.pages)
    files = [folder / f"{stem}.{ending}" for stem in stems for ending in formats]
    return origin if all(DrawnFrom.read(file) == origin for file in files) else None


def _stems(name: str, pages: int) -> list[str]:
    return [name] if pages == 1 else [f"{name}-page{number}" for number in range(1, pages + 1)]


def _bytes(page: Figure, ending: str, metadata: dict[str, str | None]) -> bytes:
    stream = io.BytesIO()
    dpi = dots_per_inch(page.get_figwidth()) if ending == "png" else _RASTER
    with house_style():
        if page.get_layout_engine() is not None:
            page.draw_without_rendering()
            page.set_layout_engine("none")  # settled: laying out again costs most of the time
        page.savefig(stream, format=ending, dpi=dpi, metadata=metadata)
    return stream.getvalue()
