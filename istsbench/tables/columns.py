"""What a column of numbers in a table holds, and the name it is written under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from istsbench.errors import ProtocolMix

KEYS = ("method", "label", "group", "year", "status")  # of a row, on whatever data set
_KINDS = ("paper", "diff", "low", "high", "sd", "alike")


@dataclass(frozen=True)
class Column:
    """A score on a data set. `kind` is empty for our number, or one of `KINDS`.

    `paper` is what the paper prints, `diff` ours less that, `low` and `high` an interval,
    `sd` a standard deviation over seeds, `alike` whether a score is not distinguishable
    from the best.
    """

    score: str
    dataset: str = ""
    kind: str = ""

    @classmethod
    def read(cls, name: str) -> Column:
        """Of a name like `f1_paper`; not of one with a data set, which may end like a kind."""
        score, _, kind = name.rpartition("_")
        return cls(score, kind=kind) if kind in _KINDS else cls(name)

    @property
    def name(self) -> str:
        """As in frames and CSV files: `f1_nuaa_paper`."""
        return "_".join(part for part in (self.score, self.dataset, self.kind) if part)


def named(
    part: pd.DataFrame, dataset: str, datasets: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Column]]:
    """The part with the data set in the names of its columns, and what these hold.

    `f1_x_low` is where an interval on `x` begins, or F1 on a data set `x_low`. If that is among
    `datasets`, a column of `x` without numbers is left out; any other raises `ProtocolMix`.
    """
    held = {}
    for plain in [c for c in map(str, part) if c not in KEYS]:
        column = replace(Column.read(plain), dataset=dataset)
        other = f"{dataset}_{column.kind}"
        if column.kind and other in datasets:
            if part[plain].notna().any():
                raise ProtocolMix(
                    f"{dataset} and {other} cannot share this table: both have a column "
                    f"{column.name}; make a table of each"
                )
            part = part.drop(columns=plain)
        else:
            held[plain] = column
    part = part.rename(columns={plain: column.name for plain, column in held.items()})
    return part, {column.name: column for column in held.values()}
