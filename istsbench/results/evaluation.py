"""Scores as a table of pandas: of a method that is at hand, and of results on disk."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

from istsbench.data.datasets import open_dataset
from istsbench.data.depth import OWN
from istsbench.data.names import one_name
from istsbench.data.samples import Dataset
from istsbench.errors import RunError, UnknownName, WrongUse
from istsbench.metrics import EMPTY, REDUCTIONS
from istsbench.results.folders import results_folder
from istsbench.results.results import SUMMARY, Results
from istsbench.results.rows import rows_named
from istsbench.results.shipped import all_with_shipped, origins
from istsbench.runs.handed_in import Method, chosen
from istsbench.runs.run import DEFAULT_RULES, run
from istsbench.threshold import RULES, Threshold

MAIN = ("method", "f1", "iou", "niou", "pd", "fa", "auc", "hiou")
_COLUMNS = ("main", "all")


def evaluate(
    method: Method,
    dataset: str | Dataset = "nuaa",
    *,
    rule: str = "own",
    reduction: str = "image",
    label: str | None = None,
    threshold: Threshold | None = None,
    split: str = "test",
    limit: int | None = None,
    depth: str = OWN,
    empty: str = "zero",
    columns: str = "main",
    jobs: int = 1,
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    show: bool = True,
) -> pd.DataFrame:
    """Score a method on a data set; returns its row of Table VI.

    `method` is a name as `run --methods` takes it, a `Segmenter`, or a function from an image,
    float64 (H, W) of 0..255, to a map of the same size, finite, none below 0, larger where a
    target is likelier. `label` and `threshold` are those of a function; without, its own name
    and `MeanStd(3)`, or `Fixed(0.5)` if it returns masks of type bool for every image; a mask of
    another type needs it to be given. All else is as in
    `istsbench run`, and so are the numbers. Maps and counts go to a temporary folder, or to the
    results folder `out`, where the row joins the others and maps are used again.

    The columns are `MAIN`, which a terminal prints in one piece, or with `columns="all"` these
    first and then the others of `load_results`; ratios are 0..1, `fa` is false pixels a pixel,
    `seconds` those of the median image. A row for each method if a text names several; members
    of a group that cannot run without weights are in `frame.attrs["skipped"]`, and
    `frame.attrs["notes"]` says what a run notes, as that changed code was scored anew.

    Raises `WrongUse` (a `ValueError`) for what is no method or no data set, `DataError` where
    images are missing, and `RunError` if the method fails on any image: also for a map of
    another shape, and for NaN.

    >>> import numpy as np
    >>> import istsbench
    >>> def above_median(image):
    ...     return np.maximum(image - np.median(image), 0)
    >>> row = istsbench.evaluate(above_median, "synthetic", limit=3, show=False)
    >>> row.method.tolist(), row.f1.round(3).tolist()
    (['function(above_median)'], [0.102])
    """
    for what, value, known in (
        ("rule", rule, RULES), ("reduction", reduction, REDUCTIONS), ("empty", empty, EMPTY),
        ("columns", columns, _COLUMNS),
    ):  # fmt: skip
        if value not in known:
            raise UnknownName(what, value, [*known])
    choices = chosen(method, label, threshold)
    data = dataset
    if isinstance(data, str):
        root = Path(data_root) if data_root is not None else None
        data = open_dataset(one_name(data), root, depth)
    elif depth != OWN:
        raise WrongUse("depth is for a data set by its name; one that is open has its own")
    with tempfile.TemporaryDirectory(prefix="istsbench-") as folder:
        outcome = run(
            choices, data, Path(out) if out is not None else Path(folder), split=split,
            wanted=tuple(dict.fromkeys((*DEFAULT_RULES, rule))), jobs=jobs, limit=limit,
            retry_failed=True, show=show,
        )  # fmt: skip
        specs = [one.spec for one in choices if one.spec not in outcome.skipped]
        if not specs:
            raise RunError("; ".join(f"{spec}: {why}" for spec, why in outcome.skipped.items()))
        failed = {spec: outcome.failed[spec] for spec in outcome.unmade}
        if not failed:
            results = Results.load(outcome.folder, specs, empty)
            failed = {spec: str(results.failure(spec)) for spec in outcome.failed}
        if failed:
            raise RunError(
                "; ".join(f"{spec} on {data.name}: {why}" for spec, why in failed.items())
            )
        found = results.summary(rule, reduction)
    others = [name for name in SUMMARY if name not in MAIN] if columns == "all" else []
    found = found[[*MAIN, *others]]
    found.attrs |= {"skipped": outcome.skipped, "notes": outcome.notes}
    for note in outcome.notes if show else ():
        print(f"note: {note}", file=sys.stderr)
    return found


def load_results(
    dataset: str = "nuaa",
    out: str | Path = "results",
    *,
    methods: str = "all",
    rule: str = "own",
    reduction: str = "image",
    empty: str = "zero",
    with_published: bool = False,
) -> pd.DataFrame:
    """The results that runs left in the folder `out`: a row a method, as Table VI has them.

    `dataset` is named as in `run --dataset`, or is the name of a folder in `out`; `methods` are
    rows by name, label or group. Columns: method, label, group, year, status, precision, recall,
    f1, iou, niou, pd, auc, average_precision (0..1), fa (false pixels a pixel), seconds (of the
    median image), rule. Scores are nan unless every image was counted.

    `with_published` adds the rows that ship with this package; of these, a column `origin` says
    with which version they came.

    Raises `DataError` if there are no results or some are damaged, `WrongUse` for a name that
    is not known, `ProtocolMix` if rows were not made on the same images.

    >>> import istsbench
    >>> _ = istsbench.evaluate("tophat", "synthetic", limit=3, out="mine", show=False)
    >>> istsbench.load_results("synthetic-first3", "mine").label.tolist()
    ['Top-Hat']
    >>> rows = istsbench.load_results("nuaa", "nothing here", methods="ipi", with_published=True)
    >>> rows[["label", "origin"]].to_dict("records")
    [{'label': 'IPI', 'origin': 'istsbench ...'}]
    """
    folder = results_folder(Path(out), one_name(dataset))
    if with_published:
        (results,) = all_with_shipped([folder], empty, methods)
        frame = results.summary(rule, reduction)
        return frame.assign(origin=frame["method"].map(origins(results)))
    specs = None if methods == "all" else rows_named(folder, methods)
    return Results.load(folder, specs, empty).summary(rule, reduction)
