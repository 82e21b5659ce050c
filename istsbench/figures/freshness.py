"""Which figures of a results folder belong to what is being written, a report or a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from istsbench.figures.catalogue import FIGURES
from istsbench.figures.writing import DrawnFrom, base_name, source_hash
from istsbench.metrics import EMPTY
from istsbench.results.results import Results

STUDIES = ("sensitivity",)  # figures that commands of their own draw


@dataclass(frozen=True)
class FigureFiles:
    """Figures in the order of `FIGURES`, those of other kinds first."""

    current: tuple[Path, ...]
    old: tuple[Path, ...]  # of other results, or of nobody knows which


def drawn(results: Results, rule: str, reduction: str, ending: str) -> FigureFiles:
    """The files *.ENDING in the folder of figures that show the rule and the reduction, or neither.

    Figures of chosen methods or of another form are left to those who asked for them; a picture
    that is no figure of istsbench is current.
    """
    order = ["", *STUDIES, *FIGURES]
    current: list[Path] = []
    old: list[Path] = []
    for path in (results.folder / "figures").glob(f"*.{ending}"):
        name, origin = kind(path.stem), DrawnFrom.read(path)
        if not _shows(path.stem, rule, reduction, results) or (origin and origin.chosen):
            continue
        fresh = origin is not None and origin.hash == source_hash(results, path.stem)
        (current if fresh or not name else old).append(path)
    for found in (current, old):
        found.sort(key=lambda path: (order.index(kind(path.stem)), path.name))
    return FigureFiles(tuple(current), tuple(old))


def not_drawn(results: Results, rule: str, reduction: str, out: Path) -> str:
    """Which PDF figures are missing beside results below `out`, and what draws them; else empty."""
    found, record = drawn(results, rule, reduction, "pdf"), results.any_record
    if found.current and not found.old:
        return ""
    names = ", ".join(path.name for path in found.old)
    what = f"left out, drawn from other rows: {names}" if names else "no figure is drawn"
    folder = record.dataset.startswith("folder-")
    dataset = "folder:PATH" if folder else record.dataset
    tag = "" if results.folder.name == record.dataset else f" --tag {quote(results.folder.name)}"
    return (
        f"figures of {results.folder}: {what}; to draw them: istsbench plot all --dataset {dataset}"
        f"{tag} --rule {rule} --reduction {reduction} --out {quote(str(out))}"
    )


def kind(stem: str) -> str:
    """The figure that a file name begins with, or nothing."""
    found = [name for name in (*STUDIES, *FIGURES) if stem == name or stem.startswith(f"{name}-")]
    return max(found, key=len, default="")


def _shows(stem: str, rule: str, reduction: str, results: Results) -> bool:
    name = kind(stem)
    uses = FIGURES[name].uses if name in FIGURES else ()
    if "rule" not in uses:
        return True
    given = {"rule": rule, "reduction": reduction}
    start = "-".join([name, *(given[field] for field in uses if field in given)])
    end = f"-empty-{results.empty_choice}" if results.empty_choice else ""
    plain = base_name(stem)
    if not end and plain.endswith(tuple(f"-empty-{choice}" for choice in EMPTY)):
        return False
    between = plain.removeprefix(start).removesuffix(end)
    return f"{start}{between}{end}" == plain and (
        not between or ("images" in uses and between.startswith("-"))
    )
