"""What our own maps give for the classical rows that others print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from istsbench.errors import DataError
from istsbench.results.results import Results
from istsbench.tables.collected import Collected

_RULE = "half"  # the field's: the map scaled to [0, 1], above 0.5
_FOLDERS = {"NUAA-SIRST": "nuaa", "NUST-SIRST": "nust"}
_OTHER_NAMES = {"nwmth": "mnwth"}


@dataclass(frozen=True)
class Ours:
    """Our scores by data set and method, in percent and units of 1e-6, and what they are."""

    told: str
    scores: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)

    def of(self, row: Collected) -> Mapping[str, float] | None:
        """Our scores of the method of a row; None if we have none."""
        return self.scores.get((row.dataset, _plain(row.method)))


def own_scores(out: Path) -> Ours:
    """Our pooled scores under the rule `half`, from the results folders below `out`."""
    found: dict[tuple[str, str], Mapping[str, float]] = {}
    told = []
    for title, name in _FOLDERS.items():
        try:
            results = Results.load(out / name)
        except DataError:
            continue
        record = results.any_record
        told.append(f"{title}: split {record.split}, {record.images} images")
        for line in results.summary(_RULE, "pooled").to_dict("records"):
            units = {"iou": 100, "f1": 100, "pd": 100, "fa": 1e6}
            scores = {score: line[score] * unit for score, unit in units.items()}
            found[title, _plain(str(line["label"]))] = scores
    if not found:
        return Ours(f"No results of ours are in {out.name}/: nothing stands beside.")
    return Ours(
        "Printed / ours. Ours: rule `half` (the map of each image scaled to [0, 1], above 0.5), "
        "native size, pooled, targets matched in raster order, on the test images that we have "
        f"({'; '.join(told)}). Rows on another list are of other images, and stand here for the "
        "order of magnitude.",
        found,
    )


def _plain(label: str) -> str:
    name = "".join(sign for sign in label.lower() if sign.isalnum())
    return _OTHER_NAMES.get(name, name)
