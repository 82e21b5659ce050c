"""What papers print: the tables of pixelGame's paper, and scores published elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files

import pandas as pd

from istsbench.metrics import RATIOS

PAPER_SETS = {"nuaa": "nuaa", "nust": "nust", "nust-paper": "nust"}
_PUBLISHED_SETS = {"nuaa": "NUAA-SIRST", "nust": "NUST-SIRST", "nust-paper": "NUST-SIRST"}
_OWN_PAPER = "pixelGame paper"


def read_paper(name: str, **options: object) -> pd.DataFrame:
    """A shipped table, read by pandas with the options given."""
    with files(__package__).joinpath(f"{name}.csv").open() as file:
        return pd.read_csv(file, **options)  # type: ignore[call-overload, no-any-return]


@cache
def paper_table(name: str = "table_vi") -> pd.DataFrame:
    """A table of the paper as data, as printed there."""
    return read_paper(name)


@cache
def printed_digits(name: str) -> dict[str, set[int]]:
    """Column -> the numbers of decimals that the paper prints in it."""
    text = read_paper(name, dtype=str, keep_default_na=False)
    return {
        column: {len(value.partition(".")[2]) for value in text[column] if value}
        for column in text.columns
    }


def paper_scores(dataset: str) -> pd.DataFrame:
    """The paper's Table VI for one data set: index label, columns as `RATIOS`."""
    frame = paper_table()
    frame = frame[frame["dataset"] == PAPER_SETS.get(dataset)]
    return frame.pivot(index="label", columns="metric", values="value").reindex(
        columns=list(RATIOS)
    )


def published(dataset: str, reduction: str) -> pd.DataFrame:
    """Other papers' scores on a data set: method, split, source and those of `RATIOS` given.

    A number enters only under the reduction it was computed by: nIoU, and what its source
    calls an image mean, under `image`; everything else under `pooled`. Splits differ.
    """
    frame = read_paper("published_scores")
    wanted = _PUBLISHED_SETS.get(dataset)
    mine = frame["dataset"].str.replace(r" \(.*", "", regex=True) == wanted
    frame = frame[mine & ~frame["source"].str.startswith(_OWN_PAPER)]
    over_images = frame["source"].str.contains("image mean") | (frame["metric"] == "nIoU")
    frame = frame[over_images == (reduction == "image")]
    metric = frame["metric"].str.lower().replace("niou", "iou")
    frame = frame.assign(metric=metric)[metric.isin(RATIOS)]
    frame = frame.assign(value=frame["value"].astype(float))
    keys = ["method", "split", "source"]
    order = frame[keys].drop_duplicates()
    wide = frame.pivot(index=keys, columns="metric", values="value").reindex(columns=list(RATIOS))
    return order.join(wide, on=keys).reset_index(drop=True).rename_axis(columns=None)


def with_published(
    frame: pd.DataFrame,
    datasets: Iterable[str],
    rows_of: Callable[[str], pd.DataFrame],
    same: bool,
) -> tuple[pd.DataFrame, list[str]]:
    """A table's rows with other papers' below them, and a numbered note for each source.

    `rows_of` gives those of a data set, in the form of `published`. With `same`, only rows of
    methods that the table has.
    """
    rows, sources = [], dict[str, int]()
    for dataset in datasets:
        for line in rows_of(dataset).to_dict("records"):
            if same and line["method"] not in set(frame["label"]):
                continue
            source = f"{line['source']}; split {line['split']}"
            mark = sources.setdefault(source, len(sources) + 1)
            row = {"label": f"{line['method']} [{mark}]", "status": "published"}
            rows.append(row | {f"{score}_{dataset}": line[score] for score in RATIOS})
    if not rows:
        return frame, []
    added = pd.DataFrame(rows).reindex(columns=frame.columns)
    kept = [column for column in added if added[column].notna().any()]
    notes = [f"[{mark}] {source}; not run here." for source, mark in sources.items()]
    return pd.concat([frame, added[kept]], ignore_index=True), notes
