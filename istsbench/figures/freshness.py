"""Which figures of a results folder belong to what is being written, a report or a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from istsbench.figures.catalogue import FIGURES


@dataclass(frozen=True)
class Drawn:
    """Figures in the order of `FIGURES`, what is none of them first."""

    current: tuple[Path, ...]
    old: tuple[Path, ...]  # drawn before the newest record, hence not of it


def drawn(folder: Path, rule: str, reduction: str, ending: str) -> Drawn:
    """The files FOLDER/figures/*.ENDING that show the rule and the reduction, or neither."""
    newest = max(path.stat().st_mtime_ns for path in folder.glob("*.json"))
    order = ["", *FIGURES]
    found = [
        path
        for path in (folder / "figures").glob(f"*.{ending}")
        if _shows(path.stem, rule, reduction)
    ]
    found.sort(key=lambda path: (order.index(kind(path.stem)), path.name))
    current = tuple(path for path in found if path.stat().st_mtime_ns >= newest)
    return Drawn(current, tuple(path for path in found if path not in current))


def kind(stem: str) -> str:
    """The figure that a file name begins with, or nothing."""
    found = [name for name in FIGURES if stem == name or stem.startswith(f"{name}-")]
    return max(found, key=len, default="")


def _shows(stem: str, rule: str, reduction: str) -> bool:
    name = kind(stem)
    uses = FIGURES[name].uses if name else ()
    given = {"rule": rule, "reduction": reduction}
    wanted = "-".join([name, *(given[field] for field in uses if field in given)])
    return not uses or stem == wanted or ("images" in uses and stem.startswith(f"{wanted}-"))
