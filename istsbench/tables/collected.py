"""Rows of results that papers and repositories of 2022 to 2026 print, with their sources.

`published_rows.csv` has a line a row: IoU, nIoU, P, R, F1, Pd in percent, Fa in units of 1e-6,
as printed; the split as the source words it, and `list`, the key of the test list that it
states, empty where none is stated or where the printed Pd alone speaks for one. `read` says
whether every entry was checked in the source itself, or taken from a reading of it.
`published_sources.csv` tells of each source how it counts, as far as that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from istsbench.tables.flags import PrintedLine
from istsbench.tables.published import read_paper
from istsbench.tables.testlists import lists_of

SHOWN = ("iou", "niou", "precision", "recall", "f1", "pd", "fa", "auc")
_ANY_PIXEL, _MIXED = "any-pixel", "mixed"  # ways of counting false alarms, see `PrintedIn`


@dataclass(frozen=True)
class PrintedIn:
    """Where rows are printed, and how they were counted; empty where that is not known.

    `false_alarms`: `unmatched` regions, `area` (a region as large as a matched one is not
    false), `any-pixel` (all off-target pixels over the background), `all less matched`, or
    `mixed`, where rows were taken over from others.
    """

    name: str
    year: str
    where: str
    size: str  # "native", or the side of the square, pixels
    false_alarms: str
    reduction: str  # "pooled" where its code pools both IoU and F1
    profile: str

    @property
    def side(self) -> int:
        own = self.size.isdigit() and self.false_alarms != _MIXED
        return int(self.size) if own else 0


@dataclass(frozen=True)
class Collected:
    """A printed row; `scores` as texts, empty where nothing is printed."""

    source: PrintedIn
    method: str
    kind: str  # "classical" or "learned"
    dataset: str
    split: str
    stated: str  # key of the test list, or empty
    scores: Mapping[str, str]
    read: bool
    also_in: str  # "published_scores" where the older collection has the row as well

    @property
    def line(self) -> PrintedLine:
        side = self.source.side
        if self.dataset in ("NUDT-SIRST", "SIRST-Aug"):
            side = 256  # the size of their images
        return PrintedLine(
            self.source.name,
            self.method,
            self.dataset,
            self.scores["iou"],
            self.scores["pd"],
            self.scores["fa"],
            self.stated,
            side,
            self.source.false_alarms != _ANY_PIXEL,
        )


@cache
def sources() -> dict[str, PrintedIn]:
    """Every source by its name."""
    frame = read_paper("published_sources", dtype=str, keep_default_na=False)
    return {line["source"]: PrintedIn(*line.values()) for line in frame.to_dict("records")}


@cache
def collected() -> tuple[Collected, ...]:
    """Every row, in the order of the file."""
    frame = read_paper("published_rows", dtype=str, keep_default_na=False)
    return tuple(
        Collected(
            sources()[line["source"]],
            line["method"],
            line["kind"],
            line["dataset"],
            line["split"],
            line["list"],
            {score: line[score] for score in SHOWN},
            line["read"] == "yes",
            line["also_in"],
        )
        for line in frame.to_dict("records")
    )


def datasets() -> list[str]:
    """The titles of the data sets of the rows, those with known test lists first."""
    titles = dict.fromkeys(row.dataset for row in collected())
    return sorted(titles, key=lambda title: not lists_of(title))
