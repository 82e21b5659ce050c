"""One HTML file that shows all of a results folder, and works without a network.

It is a pure function of what is stored: tables of every rule and reduction, the figures,
a section for each method, and the pictures on which methods fail. Pictures and code are
embedded; a content policy in the page forbids it to load or run anything else. All texts
are escaped, for rows may come from strangers.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from istsbench import __version__
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset
from istsbench.errors import DataError, UnknownName
from istsbench.figures.catalogue import FIGURES, Request, Written, refresh
from istsbench.figures.freshness import drawn, kind
from istsbench.files import write_atomic
from istsbench.metrics import REDUCTIONS
from istsbench.progress import busy
from istsbench.report.failures import FailurePicture, explore, extremes, image_f1, ordered
from istsbench.report.sections import environments, heading, section, year
from istsbench.results.masks import Masks
from istsbench.results.protocol import REDUCED, Protocol
from istsbench.results.results import Results
from istsbench.runs.images import Images
from istsbench.tables.markup import PLACES, three_best
from istsbench.tables.table import NOT_APART
from istsbench.tables.table_vi import table_vi
from istsbench.threshold import RULES

PICTURES = 150  # embedded images at most, those of most disagreement and each method's own
FIGURE_WIDTH = 1500  # pixels of an embedded figure at most
LARGE_PAGE = 5_000_000  # bytes; of a larger page it is said what makes it so


@dataclasses.dataclass(frozen=True)
class PageColumn:
    key: str
    head: str
    title: str
    digits: int
    better: int = 1  # 1: larger is better, -1: smaller, 0: neither
    kind: str = "own"  # "own" or "paper"
    factor: float = 1


# What a phone shows beside the names comes first.
_COLUMNS = (
    PageColumn("f1", "F1", "harmonic mean of precision and recall", 3),
    PageColumn("iou", "IoU", "intersection over union", 3),
    PageColumn("niou", "nIoU", "mean of the images' IoU, whatever the reduction", 3),
    PageColumn("pd", "Pd", "share of targets detected", 3),
    PageColumn("fa", "Fa 1e-6", "pixels of false regions per million pixels", 1, -1, factor=1e6),
    PageColumn("hiou", "hIoU", "mean IoU of matched regions times their share of all regions", 3),
    PageColumn("precision", "P", "precision", 3),
    PageColumn("recall", "R", "recall", 3),
    PageColumn("auc", "AUC", "area under the ROC over all pixels", 4),
    PageColumn("seconds", "s/image", "seconds of a median image, score alone, one thread", 4, -1),
    PageColumn("f1_paper", "F1", "F1 that the paper prints", 2, 0, "paper"),
    PageColumn("iou_paper", "IoU", "IoU that the paper prints", 2, 0, "paper"),
    PageColumn("precision_paper", "P", "precision that the paper prints", 2, 0, "paper"),
    PageColumn("recall_paper", "R", "recall that the paper prints", 2, 0, "paper"),
    PageColumn("f1_diff", "ΔF1", "our F1 less the paper's", 3, 0, "paper"),
    PageColumn("iou_diff", "ΔIoU", "our IoU less the paper's", 3, 0, "paper"),
)


def write_report(
    folder: Path,
    data_root: Path | None = None,
    rule: str = "own",
    reduction: str = "image",
    *,
    dataset: Dataset | None = None,
    empty: str = "zero",
    show: bool = False,
) -> Written:
    """Write FOLDER/report.html from a results folder OUT/TAG; its path is the first in the answer,
    which also says what there is to say of the figures.

    Figures that are missing or old are drawn; what is old still is left out, and the page
    names it. `dataset` is looked for by its name if it is not given. Without it, or
    with other images than those counted, the page has no pictures, and says so. `rule` and
    `reduction` are shown first, and are those of the figures; the pictures are of `rule`.
    `empty` says how images without a target count, as in `Results.load`; `show` says on the
    terminal where it is.
    Raises `ProtocolMix` if the rows do not belong together.
    """
    results = Results.load(folder, empty=empty)
    dataset, problem = _open(results, data_root, dataset)
    done = Written([], {}, [])
    if dataset is not None:
        done = refresh(Request(results, dataset, rule, reduction), FIGURES, show)
    path = folder / "report.html"
    with busy(f"writing {path}", show):
        page = render(results, dataset, problem, rule, reduction).encode()
        write_atomic(path, page)
    notes = [*done.notes, *_why_large(page)]
    return replace(done, paths=[path, *done.paths], notes=notes)


def _why_large(page: bytes) -> list[str]:
    """What a page of more than `LARGE_PAGE` bytes holds, the largest part first."""
    if len(page) <= LARGE_PAGE:
        return []
    sizes = {
        "figures": sum(map(len, re.findall(rb'<img src="data:[^"]*"', page))),
        "pictures of images": sum(map(len, re.findall(rb'href="data:[^"]*"', page))),
        "marks of the explorer": len(page[page.rfind(b'id="data"') :]),
    }
    told = sorted(sizes.items(), key=lambda item: -item[1])
    parts = ", ".join(f"{size / 1e6:.1f} MB of {name}" for name, size in told)
    return [f"report.html has {len(page) / 1e6:.1f} MB, more than {LARGE_PAGE / 1e6:.0f}: {parts}"]


def _open(
    results: Results, data_root: Path | None, dataset: Dataset | None
) -> tuple[Dataset | None, str]:
    """The data set of the results, or None and why its pictures cannot be shown."""
    record = results.any_record
    try:
        dataset = results.scored(dataset or open_dataset(record.dataset, data_root))
        limit = record.images if record.images < record.of else None
        images = Images.load(dataset, record.split, limit, ())
    except (DataError, UnknownName) as error:
        return None, f"The page has no pictures, for the data set is not at hand: {error}"
    if images.hash(images.names) != record.data_hash:
        return None, "The data set here has other images than those counted: no picture is shown."
    return dataset, ""


def render(
    results: Results, dataset: Dataset | None, problem: str, rule: str, reduction: str
) -> str:
    """The page as text; `problem` says why there is no `dataset`."""
    folder = results.folder
    if rule not in results.rules:
        has = ", ".join(results.rules) or "none"
        raise DataError(f"{folder}: not every method was counted under {rule!r} (all have: {has})")
    f1 = image_f1(results, rule)
    masks = {spec: Masks.of(folder.parent, results, spec, rule) for spec in map(str, f1)}
    pictures: list[FailurePicture] = []
    cells: dict[str, dict[str, dict]] = {spec: {} for spec in masks}
    if dataset is not None:
        pictures, cells = explore(results, masks, rule, dataset, _chosen(f1, masks))
    script, style = (
        files("istsbench.report").joinpath(f"templates/report.{kind}").read_text("utf-8")
        for kind in ("js", "css")
    )
    environment = Environment(
        loader=PackageLoader("istsbench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    record = results.any_record
    shared, special = environments(results)
    shown = drawn(results, rule, reduction, "png")
    return environment.get_template("report.html.j2").render(
        title=f"{record.title}, {record.split}",
        version=__version__,
        methods=len(results.records),
        images=record.images,
        targets=_targets(results, rule),
        protocol=Protocol.of(results, rule, reduction).id,
        tables=[_table(results, r, d, (r, d) == (rule, reduction)) for r in results.rules
                for d in REDUCTIONS],
        rules={name: RULES[name] for name in results.rules},
        reductions=REDUCED,
        rule=rule,
        reduction=reduction,
        columns=_COLUMNS,
        figures=[_figure(path) for path in shown.current],
        old=[path.stem for path in shown.old],
        sections=[section(results, spec, rule, masks, pictures, cells, special) for spec in
                  results.summary(rule, reduction)["method"]],
        pictures=pictures,
        problem=problem,
        data=_explorer(results, pictures, cells),
        environment=shared,
        script=Markup(script),
        style=Markup(style),
        script_hash=_hash(script),
        style_hash=_hash(style),
    )  # fmt: skip


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _chosen(f1: pd.DataFrame, masks: dict[str, Masks]) -> list[str]:
    """The images to embed, in the order of disagreement."""
    order = ordered(f1)
    kept = set(order[:PICTURES])
    for one in masks.values():
        best, worst = extremes(one.rows, order)
        kept |= {*best[:1], *worst[:1]}
    return [name for name in order if name in kept]


def _targets(results: Results, rule: str) -> int:
    rows = next(
        (rows for spec, rows in results.counts.items() if results.complete(spec, rule)), None
    )
    return 0 if rows is None else int(rows.query("rule == @rule")["targets"].sum())


# ------------------------------------------------------------------ tables


def _table(results: Results, rule: str, reduction: str, shown: bool) -> dict[str, Any]:
    """One table with what the page needs to mark, hide and sort."""
    made = table_vi([results], rule, reduction, beside="difference", intervals=True)
    plain = {name: dataclasses.replace(c, dataset="").name for name, c in made.columns.items()}
    frame = made.frame.rename(columns=plain)
    frame = frame.reindex(columns=[*frame, *(c.key for c in _COLUMNS if c.key not in frame)])
    used = [c for c in _COLUMNS if c.kind == "own" or frame[c.key].notna().any()]
    places = {column.key: _places(frame[column.key], column) for column in used}
    rows = []
    for index, line in frame.iterrows():
        record = results.records[line["method"]]
        cells = [_cell(line, column, places[column.key].get(index)) for column in used]  # type: ignore[call-overload]
        rows.append({**heading(record), "year": year(record), "cells": cells})
    return {
        "id": f"table-{rule}-{reduction}",
        "rule": rule,
        "reduction": reduction,
        "shown": shown,
        "columns": used,
        "paper": sum(column.kind == "paper" for column in used),
        "rows": rows,
        "notes": [
            *made.protocol,
            *dict.fromkeys([*made.notes, *made.of_scores]),
            *made.best_of_some(),
        ],
    }


def _places(values: pd.Series, column: PageColumn) -> dict[object, str]:
    """Row -> best, second or third, on the numbers as printed."""
    if not column.better:
        return {}
    rounded = (values.astype(float) * column.factor).round(column.digits)
    return {row: PLACES[place] for row, place in three_best(rounded, column.better < 0).items()}


def _cell(line: pd.Series, column: PageColumn, place: str | None) -> dict[str, Any]:
    value = line[column.key]
    cell = {"text": "", "value": "", "under": "", "place": place or "", "kind": column.kind}
    if pd.isna(value):
        return cell
    value = float(value) * column.factor
    sign = "+" if column.key.endswith("_diff") else ""
    text = f"{value:{sign}z.{column.digits}f}".replace("-", "\N{MINUS SIGN}")
    cell |= {"text": text, "value": f"{value:.9g}"}
    if f"{column.key}_low" in line and pd.notna(line[f"{column.key}_low"]):
        low, high = (line[f"{column.key}_{end}"] for end in ("low", "high"))
        mark = NOT_APART if line[f"{column.key}_alike"] is True else ""
        cell["under"] = f"{mark}[{low:.2f}, {high:.2f}]"
    return cell


# ------------------------------------------------------------------ figures


def _figure(path: Path) -> dict[str, Any]:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if picture.width > FIGURE_WIDTH:
        height = round(picture.height * FIGURE_WIDTH / picture.width)
        picture = picture.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    few, many = io.BytesIO(), io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(few, "PNG", optimize=True)
    picture.save(many, "JPEG", quality=82, optimize=True)
    drawn = few.tell() < 1.2 * many.tell()  # lines stay crisp, photographs stay small
    data, form = (few, "png") if drawn else (many, "jpeg")
    source = f"data:image/{form};base64," + base64.b64encode(data.getvalue()).decode()
    name = kind(path.stem)
    name = name if name in FIGURES else ""  # `sensitivity` is no figure of `plot`
    choices = path.stem.removeprefix(name).strip("-").replace("-", ", ")
    text = ": ".join(part for part in (FIGURES[name].text if name else "", choices) if part)
    size = {"width": picture.width, "height": picture.height}
    return {"name": path.stem, "caption": text[:1].upper() + text[1:], "source": source, **size}


# ------------------------------------------------------------------ explorer


def _explorer(
    results: Results, pictures: Sequence[FailurePicture], cells: dict[str, dict[str, dict]]
) -> dict[str, Any]:
    """What the script of the page draws from; a cell is null where a mask is missing."""
    specs = [spec for spec in results.summary("own", "image")["method"] if cells.get(spec)]
    return {
        "methods": [heading(results.records[spec]) for spec in specs],
        "images": [
            {"name": p.name, "width": p.width, "height": p.height, "targets": p.targets,
             "close": p.close, "truth": p.truth}
            for p in pictures
        ],
        "cells": [[cells[spec].get(picture.name) for picture in pictures] for spec in specs],
    }  # fmt: skip
