"""The figures by name, and the standard set that follows a run.

Every figure is a pure function of stored results, and is written as PNG and PDF under
OUT/TAG/figures/, its choices in its name: `bars-own-image.png`; `grid-own-page1.png` and so on
where it takes several pages; `roc-of-1f2e3d.png` if it is of chosen methods alone. A figure that
lacks methods, since their maps are not stored, never takes the place of one that shows more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from istsbench.data.samples import Dataset
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.figures import charts, pdfa, pictures, roc, tradeoff
from istsbench.figures.writing import DrawnFrom, source_hash, write_figure, written
from istsbench.progress import busy, progress
from istsbench.results.missing import how_to_make
from istsbench.results.results import Results

_LONGEST = 100  # characters of a file's name that come from images


@dataclass(frozen=True)
class Request:
    """What to draw from."""

    results: Results
    dataset: Dataset
    rule: str = "own"
    reduction: str = "image"
    images: tuple[str, ...] = ()  # those to show; none: chosen by `pictures.representatives`
    chosen: bool = False  # the results are of some methods of their folder, as somebody asked

    @property
    def image(self) -> str | None:
        return self.images[0] if self.images else None

    def name(self, figure: str) -> str:
        """The name of the files of a figure, without ending."""
        parts = [figure]
        for field in FIGURES[figure].uses:
            value = getattr(self, field)
            parts += [value] if isinstance(value, str) else _short(value)
        if parts[1:] and self.results.empty_choice:
            parts += ["empty", self.results.empty_choice]
        if self.chosen:
            specs = "\n".join(sorted(self.results.records))
            parts += ["of", hashlib.sha256(specs.encode()).hexdigest()[:6]]
        return "-".join(parts)


def _short(images: tuple[str, ...]) -> list[str]:
    """Names of images for that of a file: their number and a hash where they are too many."""
    names = "-".join(images).replace("/", "-")
    if len(names) <= _LONGEST:
        return [names] if names else []
    return [f"{len(images)}images", hashlib.sha256("\n".join(images).encode()).hexdigest()[:6]]


@dataclass(frozen=True)
class Kind:
    """A figure that can be asked for by name."""

    text: str
    make: Callable[[Request], Figure | list[Figure]]  # a list: pages
    uses: tuple[str, ...] = ()  # fields of the request that its file name has to tell
    images: int | None = None  # that it can show, None: any number
    # Of the methods that it cannot show, for want of maps: spec -> the images.
    missing: Callable[[Request], Mapping[str, tuple[str, ...]]] = lambda request: {}


FIGURES = {
    "bars": Kind(
        "F1 and IoU with 95 % intervals, and the paper's values",
        lambda r: charts.bars(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "roc": Kind("ROC curves and AUC", lambda r: roc.roc(r.results)),
    "roc-log": Kind(
        "ROC curves over the logarithm of the false positive rate",
        lambda r: roc.roc(r.results, log=True),
    ),
    "pr": Kind("precision-recall curves and average precision", lambda r: roc.pr(r.results)),
    "grid": Kind(
        "maps and masks of all methods for a few images, targets and errors boxed",
        lambda r: pictures.grid(r.results, r.dataset, r.rule, r.images),
        ("rule", "images"),
        None,
        lambda r: pictures.images_without_mask(r.results, r.dataset, r.rule, r.images),
    ),
    "pdfa": Kind(
        "target detection probability against false alarm rate",
        lambda r: pdfa.pdfa(r.results, r.dataset, r.rule),
        ("rule",),
        None,
        lambda r: pdfa.images_without_map(r.results, r.dataset, r.rule),
    ),
    "pareto": Kind(
        "F1 against seconds per image",
        lambda r: tradeoff.seconds(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "pareto-parameters": Kind(
        "F1 against trained parameters",
        lambda r: tradeoff.parameters_figure(r.results, r.rule, r.reduction),
        ("rule", "reduction"),
    ),
    "gallery": Kind(
        "the maps of all methods for one image",
        lambda r: pictures.gallery(r.results, r.dataset, r.rule, r.image),
        ("rule", "images"),
        1,
        lambda r: pictures.images_without_mask(r.results, r.dataset, r.rule, r.images[:1], 1),
    ),
    "surfaces": Kind(
        "the maps of one image as 3-D surfaces",
        lambda r: pictures.surfaces(r.results, r.dataset, r.rule, r.image),
        ("rule", "images"),
        1,
        lambda r: pictures.images_without_mask(r.results, r.dataset, r.rule, r.images[:1], 1),
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


@dataclass
class Written:
    """What a drawing left: the files, and what there is to say of figures."""

    paths: list[Path]
    left_out: dict[str, str]  # figure -> why it was not drawn
    notes: list[str]  # of figures that lack methods


def draw(name: str, request: Request, to: Path | None = None) -> Written:
    """Draw one of `FIGURES` into the folder of the results, or to the file `to`.

    Raises `UnknownName`, or `DataError` if what it draws is not there, or if it lacks methods that
    the figure shows which is there now; a file `to` is replaced whatever it shows.
    """
    if name not in FIGURES:
        raise UnknownName("figure", name, list(FIGURES))
    kind, folder, stem = FIGURES[name], request.results.folder / "figures", request.name(name)
    if to is not None:
        folder, stem = to.parent, _without_ending(to)
    missing = kind.missing(request)
    origin = DrawnFrom.of(request.results, stem, len(missing), request.chosen)
    advice = how_to_make(request.results, missing, request.dataset) if missing else ""
    there = written(folder, stem)
    if to is None and missing and there and (there.methods > origin.methods or not there.hash):
        raise DataError(
            f"{folder / stem}: kept as it is, for a new one would lack {len(missing)} of "
            f"{len(request.results.counts)} methods; {advice} (--to FILE writes it elsewhere)"
        )
    paths = write_figure(kind.make(request), folder, stem, origin)
    return Written(paths, {}, [f"{stem}: {advice}"] if missing else [])


def _without_ending(to: Path) -> str:
    ending = to.suffix.lower().lstrip(".")
    if ending in ("png", "pdf"):
        return to.stem
    if ending in FigureCanvasBase.filetypes:
        raise WrongUse(f"--to {to}: figures are written as .png and .pdf, not as .{ending}")
    return to.name


def _check_used(name: str, request: Request) -> None:
    """Raise `WrongUse` for a choice that changes nothing in the figure."""
    kind, usual = FIGURES[name], {"rule": "own", "reduction": "image", "images": ()}
    for field, value in usual.items():
        if field not in kind.uses and getattr(request, field) != value:
            raise WrongUse(f"--{field} changes nothing in the figure {name}")
    if kind.images is not None and len(request.images) > kind.images:
        raise WrongUse(
            f"the figure {name} shows {kind.images} image, --images names {len(request.images)}"
        )


def draw_asked(
    name: str,
    request: Request,
    against: str = "seconds",
    to: Path | None = None,
    show: bool = False,
) -> Written:
    """Draw a figure, or every one by `all`; only of `all` is anything left out.

    `against`, one of `AGAINST`, is for pareto alone; `show` says on the terminal where it is.
    Raises as `draw`, and `WrongUse` if another figure is asked for `against` something, or all
    of them `to` one file.
    """
    if against not in AGAINST:
        raise UnknownName("cost", against, list(AGAINST))
    if against != "seconds" and name != "pareto":
        raise WrongUse(f"--against {against} goes with the figure pareto, not with {name}")
    if name != "all":
        figure = name if against == "seconds" else f"{name}-{against}"
        if figure in FIGURES:
            _check_used(figure, request)
        with busy(f"drawing {figure}", show):
            return draw(figure, request, to)
    if to is not None:
        raise WrongUse("--to names the file of one figure, not of all")
    return _each(list(FIGURES), request, show)


def refresh(request: Request, names: Iterable[str] | None = None, show: bool = False) -> Written:
    """Draw those figures that are not there, are of other results, or would show more now.

    None stands for `STANDARD`. A figure is left out if what it draws is not there (no method is
    complete, say). `show` says on the terminal where it is.
    """
    wanted = STANDARD if names is None else names
    return _each([name for name in wanted if not _holds(name, request)], request, show)


def _holds(name: str, request: Request) -> bool:
    stem = request.name(name)
    there = written(request.results.folder / "figures", stem)
    if there is None or there.hash != source_hash(request.results, stem):
        return False
    try:
        return not there.missing or len(FIGURES[name].missing(request)) >= there.missing
    except DataError:
        return True


def _each(names: Sequence[str], request: Request, show: bool) -> Written:
    done = Written([], {}, [])
    with progress(f"drawing {request.results.folder.name}", len(names), show) as report:
        for name in names:
            try:
                one = draw(name, request)
            except DataError as error:
                done.left_out[name] = str(error)
            else:
                done.paths += one.paths
                done.notes += one.notes
            report(name)
    return done
