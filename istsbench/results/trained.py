"""What the foot of a table says of weights: on which images they were trained."""

from __future__ import annotations

from collections.abc import Sequence

from istsbench.data.datasets import title_of
from istsbench.results.results import Results
from istsbench.runs.record import Record, Trained

FOREIGN = "‡"


def is_foreign(record: Record) -> bool:
    """Whether a row has weights of another data set than the one it is scored on."""
    dataset = record.trained.dataset if record.trained is not None else None
    return dataset not in (None, record.dataset)


def weights_told(results: Results) -> list[str]:
    """The data set, split and epochs of all weights, rows of one training data set in a line."""
    own = results.any_record
    groups: dict[tuple[str | None, str | None], list[str]] = {}
    unknown = []
    for record in results.records.values():
        trained = record.trained
        if trained is not None:
            told = record.label + _length(trained)
            groups.setdefault((trained.dataset, trained.split), []).append(told)
        elif "weights" in record.parameters:
            unknown.append(record.label)
    lines = [
        f"{_where(own, dataset, split)}: {', '.join(labels)}."
        for (dataset, split), labels in groups.items()
    ]
    if unknown:
        lines.append(f"{own.title}: weights of which no training is known: {', '.join(unknown)}.")
    return lines


def trainings_told(sets: Sequence[Results]) -> list[str]:
    """The same of several data sets with rows of the same weights: each training once."""
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for results in sets:
        for one in results.records.values():
            if (trained := one.trained) is not None and trained.dataset is not None:
                known = groups.setdefault((trained.dataset, _part(trained.split)), {})
                known[trained.label + _length(trained)] = None
    return [
        f"Weights of {title_of(dataset)}, {part}: {', '.join(labels)}."
        for (dataset, part), labels in groups.items()
    ]


def _part(split: str | None) -> str:
    return f"split {split}" if split else "a split that is not known"


def _length(trained: Trained) -> str:
    told = f" ({trained.epochs} epochs)" if trained.epochs is not None else ""
    if trained.start is None:
        return told
    begun = trained.start.partition(" (sha256")[0]
    return f"{told[:-1] or ' ('}, begun with weights of {begun})"


def _where(own: Record, dataset: str | None, split: str | None) -> str:
    part = _part(split)
    if dataset is None:
        return f"{own.title}: weights trained on a data set that the record does not name, {part}"
    if dataset == own.dataset:
        return f"{own.title}: weights trained on its {part}"
    return (
        f"{FOREIGN} {own.title}: weights trained on another data set, {title_of(dataset)}, {part}"
    )
