"""What runs have left on disk, read back and reduced to one line a method."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from istsbench.data.depth import OWN, Depth
from istsbench.data.samples import Dataset
from istsbench.errors import DataError, ProtocolMix
from istsbench.metrics import HIOU_LOSSES, summarise, without_target
from istsbench.results.folders import elsewhere
from istsbench.results.profile_counts import profile_scores
from istsbench.results.profiles import Profile
from istsbench.results.rows import in_row_order
from istsbench.runs.counting import OF_MAP, OF_MASK
from istsbench.runs.outputs import curve_file
from istsbench.runs.record import Record, by_reason, read_counts, read_record
from istsbench.suppression import GAINS
from istsbench.threshold import RULES

BUSY = 0.8  # of a second: a process that the processor worked on for less had to wait for others
PROTOCOL = ("format", "dataset", "split", "depth", "data_hash")
"""What the records of one table must agree in, besides the rule and the reduction."""


@dataclass(frozen=True)
class Results:
    """The results of one data set and split: a record and counts for each method.

    >>> from istsbench.results.shipped import ShippedRows
    >>> results = ShippedRows.of("nuaa").results  # as `Results.load(folder)` reads a folder
    >>> results.any_record.images, results.complete("tophat", "own")
    (86, True)
    >>> results.summary("own", "image")["label"].iloc[0]
    'Top-Hat'
    """

    folder: Path
    records: dict[str, Record]  # by method spec
    counts: dict[str, pd.DataFrame]  # method spec -> rows as `counting.COLUMNS`
    empty: str = "zero"  # one of `metrics.EMPTY`: how images without a target count
    offered: int = 0  # rows that these were chosen from, where not just those of the folder
    profile: Profile | None = None  # what counts are of, in place of rules: `results.profiled`

    @classmethod
    def load(
        cls, folder: Path, methods: Iterable[str] | None = None, empty: str = "zero"
    ) -> Results:
        """Read a results folder; `methods` are specs, None means all that are there.

        `empty` says how images without a target count, in all that is made of the results.
        Raises `DataError` if there is none or a file is damaged, `ProtocolMix` if they do
        not belong together.
        """
        records: dict[str, Record] = {}
        counts: dict[str, pd.DataFrame] = {}
        wanted = None if methods is None else set(methods)
        for path in sorted(folder.glob("*.json")):
            try:
                record = _read(path, read_record)
            except DataError:
                if wanted is None:
                    raise
                continue  # it is for those who want all
            if record is None or (wanted is not None and record.method not in wanted):
                continue
            records[record.method] = record
            rows = path.with_suffix(".csv")
            if record.csv and rows.is_file():
                counts[record.method] = _read(rows, partial(_counts, record))
        if not records:
            which = f" of {', '.join(sorted(wanted))}" if wanted else ""
            other = "" if wanted else elsewhere(folder)
            raise DataError(f"{folder}: no results{which}; make some with `istsbench run`{other}")
        first = next(iter(records.values()))
        for spec, record in records.items():
            for key in PROTOCOL:
                one, other = getattr(record, key), getattr(first, key)
                if one != other:
                    raise ProtocolMix(
                        f"{folder}: {spec} has {key} {one!r} and {first.method} has {other!r}; "
                        "rerun the older one before they share a table"
                    )
        results = cls(folder, records, counts, empty)
        if empty == "exclude" and 0 < first.images <= results.without_target:
            raise DataError(
                f"{folder}: none of the {first.images} images has a target: --empty exclude leaves "
                "none to score"
            )
        return results

    def only(self, specs: Iterable[str]) -> Results:
        """Just these rows."""
        records = {spec: self.records[spec] for spec in specs}
        counts = {spec: self.counts[spec] for spec in records if spec in self.counts}
        return replace(self, records=records, counts=counts)

    def scored(self, dataset: Dataset) -> Dataset:
        """The data set with its images as they were scored here: of the same depth."""
        return replace(dataset, depth=Depth.read(self.any_record.depth or OWN))

    @property
    def any_record(self) -> Record:
        return next(iter(self.records.values()))

    @property
    def without_target(self) -> int:
        """How many of the images have no target."""
        images = (frame.drop_duplicates("image") for frame in self.counts.values())
        return max((int(without_target(frame).sum()) for frame in images), default=0)

    @property
    def empty_choice(self) -> str:
        """How images without a target count, where that is not as usual and matters; else ""."""
        return self.empty if self.empty != "zero" and self.without_target else ""

    @property
    def rules(self) -> list[str]:
        """The rules that every method here was counted under."""
        common = [{*record.wanted} for record in self.records.values() if record.wanted]
        shared = set.intersection(*common) if common else set()
        return [rule for rule in RULES if rule in shared]

    def complete(self, spec: str, rule: str) -> bool:
        """Whether every image of the split was counted under the rule."""
        rows = self.counts.get(spec)
        return rows is not None and int((rows["rule"] == rule).sum()) == self.records[spec].images

    def failure(self, spec: str) -> str | None:
        """Why a row is blank: its method, or how many images and why, failed; None if none did."""
        record = self.records[spec]
        failed = record.failed
        if record.csv and spec not in self.counts and "" not in failed:
            return f"its counts, {record.file}.csv, are not there; run it again"
        if not failed:
            return None
        many = f"{len(failed)} of {record.images} images failed: "
        return f"{'' if '' in failed else many}{by_reason(failed)}"

    def of_earlier(self, spec: str, rule: str) -> bool:
        """Whether an earlier version made the counts, which lack `counting.LACKED`."""
        rows = self.counts.get(spec)
        if rows is None or self.profile is not None:
            return False
        later = rows.reindex(columns=[OF_MASK[0]])  # rows in memory may lack the column itself
        return bool(later.loc[rows["rule"] == rule].isna().any(axis=None))

    def two_levels(self, spec: str) -> bool:
        """Whether its maps have two levels, as masks have: its curves are of one point then."""
        path = curve_file(self.folder, self.records[spec].file)
        return self.profile is None and path.is_file() and len(path.read_bytes().splitlines()) == 3

    def seconds(self, spec: str) -> float:
        """The median over images of the time of `score`, nan if none was measured."""
        rows = self.counts.get(spec)
        if rows is None:
            return float("nan")
        return float(rows.groupby("image")["seconds"].first().median())

    def waited(self, spec: str) -> bool:
        """Whether its times were measured while the machine did other work as well."""
        record = self.records[spec]
        elsewhere = "device" in record.environment  # a GPU works while the processor waits
        return not elsewhere and record.busy is not None and record.busy < BUSY

    def scores(self, rows: pd.DataFrame, reduction: str, match: str = "first") -> dict[str, float]:
        """All scores of one method from its rows of one rule, or of the profile."""
        if self.profile is not None:
            return profile_scores(self.profile, rows)
        # The two that are as old as any counts share a column.
        column = f"detected_{match}" if match not in ("first", "area") else "detected"
        if column not in rows or rows[column].isna().any():
            raise ProtocolMix(
                f"{self.folder}: counts of an earlier version, which know no matching {match!r}; "
                "the same `istsbench run` counts the stored maps again"
            )
        return summarise(rows, reduction, match, self.empty)

    def summary(self, rule: str, reduction: str, match: str = "first") -> pd.DataFrame:
        """A row a method, in the order of publication, the game's networks last.

        Scores are blank (nan) unless every image is there. `match` is one of `MATCHES`.
        `seconds` is the median over images of the time of `score`, `auc` is exact over all pixels,
        with maps scaled to [0, 1] image by image unless they are probabilities (see
        `runs.counting`); under a profile it is the area below its ROC.
        """
        lines = []
        for spec, record in self.records.items():
            shared = ("method", "label", "group", "year", "status")
            line = {key: getattr(record, key) for key in shared}
            if self.complete(spec, rule):
                rows = self.counts[spec].query("rule == @rule")
                line |= self.scores(rows, reduction, match)
                line |= {"seconds": self.seconds(spec)}
                line |= {"auc": _number(record.auc)}
                line |= {"target_auc": _number(record.target_auc)}
                line |= {"average_precision": _number(record.average_precision)}
                line |= {"rule": record.rules.get(rule, "")}
            lines.append(line)
        frame = pd.DataFrame(lines, columns=[*SUMMARY])
        return in_row_order(frame)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
    try:
        return reader(path)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{path}: damaged ({error}); run the method again, or remove the file"
        ) from error


def _counts(record: Record, path: Path) -> pd.DataFrame:
    # Only times, and what earlier versions lack, may be missing: an image may be called NA.
    blank = ("seconds", *OF_MASK, *OF_MAP)
    frame = pd.read_csv(
        io.BytesIO(read_counts(path.parent, record)),
        dtype={"image": str},
        keep_default_na=False,
        na_values={column: [""] for column in blank},
    )
    missing = [
        column for column in ("image", "rule", "tp", "fp", "fn", "tn") if column not in frame
    ]
    if missing:
        raise ValueError(f"no column {missing[0]}")
    later = [column for column in (*OF_MASK, *OF_MAP) if column not in frame]
    return frame.assign(**dict.fromkeys(later, float("nan")))


SUMMARY = (
    "method", "label", "group", "year", "status", "precision", "recall", "f1", "iou", "niou",
    "pd", "fa", "hiou", "loc", "seg", *HIOU_LOSSES, "pd_shooting", "fa_shooting", "auc",
    "auc_image", "target_auc", "average_precision", *GAINS,
    *(f"{gain}_share" for gain in GAINS), "seconds", "rule",
)  # fmt: skip
