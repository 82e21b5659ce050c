"""What our own maps give for the classical rows that others print."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from istsbench.errors import DataError
from istsbench.results.results import Results
from istsbench.tables.collected import Collected

_RULE = "half"  # the field's: the map scaled to [0, 1], above 0.5
_FOLDERS = {"NUAA-SIRST": "nuaa", "NUST-SIRST": "nust"}
_OTHER_NAMES = {"nwmth": "mnwth"}
_REPRODUCED = "reproduced.csv"
_UNITS = {"iou": 100, "f1": 100, "pd": 100, "fa": 1e6}


@dataclass(frozen=True)
class OwnScores:
    """Scores of ours for a printed row, in percent and units of 1e-6, nan where there is none."""

    scores: Mapping[str, float]
    under: str  # how they were counted, on which images


@dataclass(frozen=True)
class Ours:
    """Our scores by data set and method, by source and method, and what they are."""

    told: str
    by_method: Mapping[tuple[str, str], OwnScores] = field(default_factory=dict)
    by_source: Mapping[tuple[str, str], OwnScores] = field(default_factory=dict)

    def of(self, row: Collected) -> OwnScores | None:
        """Ours for a row, under the profile of its source if we have that; None if nothing."""
        method = _plain(row.method)
        under_profile = self.by_source.get((row.source.name, method))
        if under_profile and row.dataset == "NUAA-SIRST":
            return under_profile
        return self.by_method.get((row.dataset, method))


def own_scores(out: Path) -> Ours:
    """Our pooled scores under the rule `half`, from the results folders below `out`.

    Where `istsbench reproduce` has left OUT/reproduced.csv, those under the profile of a source
    stand in their place.
    """
    by_method: dict[tuple[str, str], OwnScores] = {}
    told = []
    for title, name in _FOLDERS.items():
        try:
            results = Results.load(out / name)
        except DataError:
            continue
        record = results.any_record
        told.append(f"{title}: split {record.split}, {record.images} images")
        for line in results.summary(_RULE, "pooled").to_dict("records"):
            scores = {score: line[score] * unit for score, unit in _UNITS.items()}
            by_method[title, _plain(str(line["label"]))] = OwnScores(scores, "half")
    by_source = _reproduced(out / _REPRODUCED)
    if not by_method and not by_source:
        return Ours(f"No results of ours are in {out.name}/: nothing stands beside.")
    text = (
        "Printed / ours. `half`: the map of each image scaled to [0, 1], above 0.5, native size, "
        "pooled, targets matched in raster order, on the test images that we have "
        f"({'; '.join(told)}). "
    )
    if by_source:
        text += (
            "A name like `drpcanet`: under that profile (docs/profiles.md), which is read, derived "
            f"or assumed for the source, from {_REPRODUCED} of `istsbench reproduce`, on the list "
            "of images named. "
        )
    return Ours(
        text + "Rows on another list are of other images, and stand here for the order of "
        "magnitude.",
        by_method,
        by_source,
    )


def _reproduced(path: Path) -> dict[tuple[str, str], OwnScores]:
    if not path.is_file():
        return {}
    found = {}
    for line in pd.read_csv(path).to_dict("records"):
        try:
            scores = {score: float(line[f"{score}_ours"]) for score in ("iou", "pd", "fa")}
            key = str(line["source"]), _plain(str(line["method"]))
            under = f"{line['profile']} ({line['known']}), {line['images']}"
            found[key] = OwnScores(scores | {"f1": math.nan}, under)
        except KeyError as error:
            raise DataError(
                f"{path}: no column {error}; make it by `istsbench reproduce`"
            ) from None
    return found


def _plain(label: str) -> str:
    name = "".join(sign for sign in label.lower() if sign.isalnum())
    return _OTHER_NAMES.get(name, name)
