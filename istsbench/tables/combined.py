"""Table VI of several data sets as files, which never replace a table that shows more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from istsbench.results.results import Results
from istsbench.tables.table import Table
from istsbench.tables.table_vi import table_vi


def write_joint_table(
    sets: Sequence[Results], out: Path, rule: str = "own", reduction: str = "image"
) -> list[Path]:
    """Write OUT/table_vi.csv, .md and .tex of some results folders; returns their paths.

    Of limited runs, of other splits than `test`, and where the table there has a score that
    this one lacks, the names are `table_vi-TAG-TAG`, with the names of the folders.
    """
    table = table_vi(sets, rule, reduction)
    own = [results.folder.name for results in sets]
    whole = own == [results.any_record.dataset for results in sets]
    if whole and not _has_more(out / f"{table.name}.csv", table):
        return table.write(out)
    return table.write(out, "-".join([table.name, *own]))


def _has_more(path: Path, table: Table) -> bool:
    """Whether the table in a file shows a score that the other one does not."""
    if not path.is_file():
        return False
    try:
        there = pd.read_csv(path, comment="#", dtype={"method": str})
        return not _scores(there) <= _scores(table.frame)
    except (ValueError, KeyError):
        return True  # whatever it is, it is not ours to replace


def _scores(frame: pd.DataFrame) -> set[tuple[str, str]]:
    """Method and column of every F1; each data set has one."""
    columns = [column for column in map(str, frame) if column.startswith("f1_")]
    ours = [column for column in columns if not column.endswith(("_paper", "_diff"))]
    methods = frame["method"].astype(str)
    return {
        (method, column)
        for column in ours
        for method, value in zip(methods, frame[column], strict=True)
        if pd.notna(value)
    }
