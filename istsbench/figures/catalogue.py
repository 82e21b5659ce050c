"""The figures by name, and the standard set that follows a run.

Every figure is a pure function of stored results, and is written as PNG and PDF under
OUT/TAG/figures/, its choices in its name: `bars-own-image.png`; `grid-own-page1.png` and so on
where it takes several pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from istsbench.data.datasets import Dataset
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.figures import charts, pdfa, pictures, tradeoff
from istsbench.figures.style import write_figure
from istsbench.results.results import Results
from istsbench.runs.run import UNFINISHED


@dataclass(frozen=True)
class Request:
    """What to draw from."""

    results: Results
    dataset: Dataset
    rule: str = "own"
    reduction: str = "image"
    images: tuple[str, ...] = ()  # those to show; none: chosen by `pictures.representatives`

    @property
    def image(self) -> str | None:
        return self.images[0] if self.images else None


@dataclass(frozen=True)
class Kind:
    """A figure that can be asked for by name."""

    text: str
    make: Callable[[Request], Figure | list[Figure]]  # a list: pages
    uses: tuple[str, ...] = ()  # fields of the request that its file name has to tell


FIGURES = {
    "bars": Kind(
        "F1 and IoU with 95 % intervals, and the paper's values",
        lambda r: charts.bars(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "roc": Kind("ROC curves and AUC", lambda r: charts.roc(r.results)),
    "roc-log": Kind(
        "ROC curves over the logarithm of the false positive rate",
        lambda r: charts.roc(r.results, log=True),
    ),
    "pr": Kind("precision-recall curves and average precision", lambda r: charts.pr(r.results)),
    "grid": Kind(
        "maps and masks of all methods for a few images, targets and errors boxed",
        lambda r: pictures.grid(r.results, r.dataset, r.rule, r.images),
        ("rule", "images"),
    ),
    "pdfa": Kind(
        "target detection probability against false alarm rate",
        lambda r: pdfa.pdfa(r.results, r.dataset, r.rule),
        ("rule",),
    ),
    "pareto": Kind(
        "F1 against seconds per image",
        lambda r: tradeoff.seconds(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "pareto-parameters": Kind(
        "F1 against trained parameters",
        lambda r: tradeoff.parameters(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "gallery": Kind(
        "the maps of all methods for one image",
        lambda r: pictures.gallery(r.results, r.dataset, r.rule, r.image),
        ("rule", "images"),
    ),
    "surfaces": Kind(
        "the maps of one image as 3-D surfaces",
        lambda r: pictures.surfaces(r.results, r.dataset, r.rule, r.image),
        ("rule", "images"),
    ),
    "difficulty": Kind(
        "F1 by target size, local contrast and number of targets",
        lambda r: charts.difficulty(r.results, r.dataset, r.rule),
        ("rule",),
    ),
    "cd": Kind(
        "mean ranks and Nemenyi's critical difference",
        lambda r: charts.critical_difference(r.results, r.rule),
        ("rule",),
    ),
}
STANDARD = ("bars", "roc", "roc-log", "pr", "grid", "pareto")
AGAINST = ("seconds", "parameters")  # what the Pareto figure can have below it


def draw(name: str, request: Request) -> list[Path]:
    """Draw one of `FIGURES`; returns the paths of its PNG and PDF, page by page.

    Raises `UnknownName`, or `DataError` if what it draws is not there.
    """
    if name not in FIGURES:
        raise UnknownName("figure", name, list(FIGURES))
    kind = FIGURES[name]
    parts = [name]
    for field in kind.uses:
        value = getattr(request, field)
        parts += [value] if isinstance(value, str) else value
    made = kind.make(request)
    pages = made if isinstance(made, list) else [made]
    return _write_pages(pages, request.results.folder / "figures", "-".join(parts))


def _write_pages(pages: Sequence[Figure], folder: Path, name: str) -> list[Path]:
    """Write NAME, or NAME-page1 and so on; what an earlier drawing left beyond them goes."""
    several = len(pages) > 1
    paths = []
    for number, page in enumerate(pages, start=1):
        paths += write_figure(page, folder, f"{name}-page{number}" if several else name)
    ours = re.compile(re.escape(name) + r"(-page\d+)?\.(png|pdf)")
    for path in folder.iterdir():
        if ours.fullmatch(path.name) and path not in paths:
            path.unlink(missing_ok=True)
    return paths


def draw_asked(
    name: str, request: Request, against: str = "seconds"
) -> tuple[list[Path], dict[str, str]]:
    """Draw a figure, or every one by `all`; returns paths, and figure -> why it is left out.

    Only of `all` is anything left out. `against`, one of `AGAINST`, is for pareto alone.
    Raises as `draw`, and `WrongUse` if another figure is asked for `against` something.
    """
    if against not in AGAINST:
        raise UnknownName("cost", against, list(AGAINST))
    if against != "seconds" and name != "pareto":
        raise WrongUse(f"--against {against} goes with the figure pareto, not with {name}")
    if name != "all":
        return draw(name if against == "seconds" else f"{name}-{against}", request), {}
    paths, left_out = [], {}
    for figure in FIGURES:
        try:
            paths += draw(figure, request)
        except DataError as error:
            left_out[figure] = str(error)
    return paths, left_out


def draw_all(
    out: Path,
    tag: str,
    dataset: Dataset,
    rule: str = "own",
    reduction: str = "image",
    methods: Iterable[str] | None = None,
    names: Sequence[str] = STANDARD,
) -> list[Path]:
    """Draw figures of the results in OUT/TAG; `methods` are specs, None means all.

    A figure is left out if what it draws is not there (no method is complete, say).
    """
    request = Request(Results.load(out / tag, methods), dataset, rule, reduction)
    unfinished = out / tag / UNFINISHED
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    paths = []
    for name in names:
        try:
            paths += draw(name, request)
        except DataError:
            continue
    unfinished.unlink(missing_ok=True)
    return paths
