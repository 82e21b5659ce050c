"""The figures by name, and the standard set that follows a run.

Every figure is a pure function of stored results, and is written as PNG and PDF under
OUT/TAG/figures/, its choices in its name: `bars-own-image.png`; `grid-own-page1.png` and so on
where it takes several pages; `roc-of-1f2e3d.png` if it is of chosen methods alone, `roc-column.png`
if it is for a column. A figure that lacks methods, since their maps are not stored, never takes
the place of one that shows more.

A new figure is a function of a `Request` in `FIGURES`, with the choices that change it in `uses`.
It takes its width and the sizes of its letters from `Request.layout`.
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
from istsbench.figures import charts, hiou, mosaics, pdfa, pictures, roc, surfaces, tradeoff
from istsbench.figures.style import PAGE, Layout
from istsbench.figures.writing import (
    FORMATS,
    USUAL,
    DrawnFrom,
    no_font,
    source_hash,
    write_pages,
    written,
)
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
    images: tuple[str, ...] = ()  # those to show; none: chosen by the figure
    chosen: bool = False  # the results are of some methods of their folder, as somebody asked
    every: bool = False  # all curves, where usually the best of each group are shown
    layout: Layout = PAGE

    @property
    def image(self) -> str | None:
        return self.images[0] if self.images else None

    @property
    def asked(self) -> bool:
        """Whether it differs from the figure that everybody gets, besides rule and images."""
        return self.chosen or self.every or self.layout != PAGE

    def name(self, figure: str) -> str:
        """The name of the files of a figure, without ending."""
        parts = [figure]
        for choice in FIGURES[figure].uses:
            value = getattr(self, choice)
            if choice == "every":
                parts += ["all"] if value else []
            else:
                parts += [value] if isinstance(value, str) else _short(value)
        if "rule" in FIGURES[figure].uses and self.results.empty_choice:
            parts += ["empty", self.results.empty_choice]
        if self.chosen:
            specs = "\n".join(sorted(self.results.records))
            parts += ["of", hashlib.sha256(specs.encode()).hexdigest()[:6]]
        parts += [self.layout.name] if self.layout.narrow else []
        parts += ["stamped"] if self.layout.stamped else []
        parts += [] if self.layout.footed else ["nofoot"]
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


def _by_contrast(request: Request) -> dict[str, str]:
    return pictures.by_contrast(request.results, request.dataset, request.rule)


FIGURES = {
    "bars": Kind(
        "F1 and IoU with 95 % intervals, and the paper's values",
        lambda r: charts.bars(r.results, r.rule, r.reduction, layout=r.layout),
        ("rule", "reduction"),
    ),
    "errors": Kind(
        "hIoU and what each method loses of it, by pixels and by regions",
        lambda r: hiou.hiou_errors(r.results, r.rule, r.layout),
        ("rule",),
    ),
    "roc": Kind(
        "ROC curves and AUC", lambda r: roc.roc(r.results, r.layout, every=r.every), ("every",)
    ),
    "roc-log": Kind(
        "ROC curves over the logarithm of the false positive rate",
        lambda r: roc.roc(r.results, r.layout, log=True, every=r.every),
        ("every",),
    ),
    "pr": Kind(
        "precision-recall curves and average precision",
        lambda r: roc.pr(r.results, r.layout, every=r.every),
        ("every",),
    ),
    "grid": Kind(
        "maps and masks of all methods for a few images, targets and errors boxed",
        lambda r: mosaics.grid(r.results, r.dataset, r.rule, r.images, layout=r.layout),
        ("rule", "images"),
        None,
        lambda r: pictures.images_without_mask(r.results, r.dataset, r.rule, r.images),
    ),
    "pdfa": Kind(
        "target detection probability against false alarm rate",
        lambda r: pdfa.pdfa(r.results, r.dataset, r.rule, r.layout, r.every),
        ("rule", "every"),
        None,
        lambda r: pdfa.images_without_map(r.results, r.dataset, r.rule),
    ),
    "pareto": Kind(
        "F1 against seconds per image",
        lambda r: tradeoff.seconds(r.results, r.rule, r.reduction, layout=r.layout),
        ("rule", "reduction"),
    ),
    "pareto-parameters": Kind(
        "F1 against trained parameters",
        lambda r: tradeoff.parameters_figure(r.results, r.rule, r.reduction, layout=r.layout),
        ("rule", "reduction"),
    ),
    "gallery": Kind(
        "the maps of all methods for an easy, a median and a hard image",
        lambda r: mosaics.gallery(r.results, r.dataset, r.rule, r.images, layout=r.layout),
        ("rule", "images"),
        3,
        lambda r: pictures.images_without_mask(
            r.results, r.dataset, r.rule, r.images or [*_by_contrast(r)]
        ),
    ),
    "surfaces": Kind(
        "the maps of one image as 3-D surfaces",
        lambda r: surfaces.surfaces(r.results, r.dataset, r.rule, r.image, layout=r.layout),
        ("rule", "images"),
        1,
        lambda r: pictures.images_without_mask(
            r.results, r.dataset, r.rule, r.images or [*_by_contrast(r)][-1:]
        ),
    ),
    "difficulty": Kind(
        "F1 by target size, local contrast and number of targets",
        lambda r: charts.difficulty(r.results, r.dataset, r.rule, layout=r.layout),
        ("rule",),
    ),
    "cd": Kind(
        "mean ranks and Nemenyi's critical difference",
        lambda r: charts.critical_difference(r.results, r.rule, layout=r.layout),
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
    strange: str = ""  # letters that no font of this machine has

    def add(self, other: Written) -> None:
        self.paths += other.paths
        self.notes += other.notes
        self.strange = "".join(dict.fromkeys(self.strange + other.strange))

    @property
    def said(self) -> list[str]:
        """All that there is to say, each thing once."""
        return [*dict.fromkeys(self.notes), *([no_font(self.strange)] if self.strange else [])]


def draw(
    name: str, request: Request, to: Path | None = None, formats: Sequence[str] = ()
) -> Written:
    """Draw one of `FIGURES` into the folder of the results, or to the file `to`.

    `formats` are some of `FORMATS`; none stands for the ending of `to`, else for `USUAL`.
    Raises `UnknownName`, or `DataError` if what it draws is not there, or if it lacks methods that
    the figure shows which is there now; a file `to` is replaced whatever it shows.
    """
    if name not in FIGURES:
        raise UnknownName("figure", name, list(FIGURES))
    for one in formats:
        if one not in FORMATS:
            raise UnknownName("format", one, list(FORMATS))
    kind, folder, stem = FIGURES[name], request.results.folder / "figures", request.name(name)
    if to is not None:
        folder, stem, ending = to.parent, *_parts(to)
        formats = [*dict.fromkeys([*ending, *formats])]
    formats = formats or USUAL
    missing = kind.missing(request)
    origin = DrawnFrom.of(request.results, stem, len(missing), request.asked)
    advice = how_to_make(request.results, missing, request.dataset) if missing else ""
    there = written(folder, stem, formats)
    if to is None and missing and there and (there.methods > origin.methods or not there.hash):
        raise DataError(
            f"{folder / stem}: kept as it is, for a new one would lack {len(missing)} of "
            f"{len(request.results.counts)} methods; {advice} (--to FILE writes it elsewhere)"
        )
    made = kind.make(request)
    pages = [made] if isinstance(made, Figure) else made
    notes = [f"{stem}: {advice}"] if missing else []
    if not request.layout.footed:
        notes += [f"{stem}, for its caption: {text}" for text in _without_foot(pages)]
    paths, strange = write_pages(pages, folder, stem, origin, formats)
    return Written(paths, {}, notes, strange)


def _without_foot(pages: Sequence[Figure]) -> list[str]:
    """Take the foot off some pages; returns what stood there, each text once."""
    texts = [" ".join(page.get_supxlabel().split()) for page in pages]
    for page in pages:
        page.supxlabel("")
    return [*dict.fromkeys(filter(None, texts))]


def _parts(to: Path) -> tuple[str, list[str]]:
    """The name of a file without its ending, and the format that the ending stands for."""
    ending = to.suffix.lower().lstrip(".")
    if ending in FORMATS:
        return to.stem, [ending]
    if ending in FigureCanvasBase.filetypes or not to.name:
        raise WrongUse(
            f"--to {to}: a figure is written to a file that ends in .{', .'.join(FORMATS)}"
        )
    return to.name, []


def _check_used(name: str, request: Request) -> None:
    """Raise `WrongUse` for a choice that changes nothing in the figure."""
    kind = FIGURES[name]
    usual = {"rule": "own", "reduction": "image", "images": (), "every": False}
    for choice, value in usual.items():
        if choice not in kind.uses and getattr(request, choice) != value:
            option = "all" if choice == "every" else choice
            raise WrongUse(f"--{option} changes nothing in the figure {name}")
    if kind.images is not None and len(request.images) > kind.images:
        most = "1 image" if kind.images == 1 else f"{kind.images} images"
        raise WrongUse(f"the figure {name} shows {most}, --images names {len(request.images)}")


def draw_asked(
    name: str,
    request: Request,
    against: str = "seconds",
    to: Path | None = None,
    formats: Sequence[str] = (),
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
            return draw(figure, request, to, formats)
    if to is not None:
        raise WrongUse("--to names the file of one figure, not of all")
    return _each(list(FIGURES), request, formats, show)


def refresh(request: Request, names: Iterable[str] | None = None, show: bool = False) -> Written:
    """Draw those figures that are not there, are of other results, or would show more now.

    None stands for `STANDARD`. A figure is left out if what it draws is not there (no method is
    complete, say). `show` says on the terminal where it is.
    """
    wanted = STANDARD if names is None else names
    return _each([name for name in wanted if not _holds(name, request)], request, (), show)


def _holds(name: str, request: Request) -> bool:
    stem = request.name(name)
    there = written(request.results.folder / "figures", stem)
    if there is None or there.hash != source_hash(request.results, stem):
        return False
    try:
        return not there.missing or len(FIGURES[name].missing(request)) >= there.missing
    except DataError:
        return True


def _each(names: Sequence[str], request: Request, formats: Sequence[str], show: bool) -> Written:
    done = Written([], {}, [])
    with progress(f"drawing {request.results.folder.name}", len(names), show) as report:
        for name in names:
            try:
                one = draw(name, request, formats=formats)
            except DataError as error:
                done.left_out[name] = str(error)
            else:
                done.add(one)
            report(name)
    return done
