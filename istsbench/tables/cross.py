"""Networks on data sets that they were not trained on, beside those that they were.

A line is an architecture with the weights of one data set, a pair of columns a data set that
it is scored on: how far what was learnt from one kind of images holds for another.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.results.protocol import REDUCED
from istsbench.results.results import Results
from istsbench.results.rows import in_row_order
from istsbench.results.trained import trainings_told, weights_told
from istsbench.runs.record import Record
from istsbench.tables.columns import Column
from istsbench.tables.foot import (
    captioned,
    in_words,
    notes_told,
    placed,
    protocol_line,
    stamped,
)
from istsbench.tables.scores import score_named
from istsbench.tables.table import Table

_SHOWN = ("f1", "iou")

_ABOUT = ("method", "label", "group", "year", "status", "trained")
_Key = tuple[str, str]  # spec without weights, data set of the weights


def cross_table(sets: Sequence[Results], rule: str = "own", reduction: str = "image") -> Table:
    """F1 and IoU of every network of `sets`, a line for each data set that weights are of.

    Each of `sets` is a results folder, of its own data set. Rows that do not learn are left out,
    as those whose weights do not tell their data set. What has not been run is blank, and a note
    tells the command. Raises `DataError` if there is no network, `WrongUse` if one data set has
    two rows of one architecture and training data set.
    """
    names = [results.any_record.dataset for results in sets]
    if len(set(names)) < len(names):
        raise ProtocolMix(f"a data set would stand in this table twice: {', '.join(names)}")
    rows = {name: _by_training(results) for name, results in zip(names, sets, strict=True)}
    chosen = [results.only(rows[name].values()) for name, results in zip(names, sets, strict=True)]
    lines: dict[_Key, dict[str, object]] = {}
    columns = {c.name: c for name in names for c in (Column(score, name) for score in _SHOWN)}
    notes: list[str] = []
    for name, results in zip(names, chosen, strict=True):
        if not results.records:
            continue
        scores = results.summary(rule, reduction).set_index("method")
        for key, spec in rows[name].items():
            line = lines.setdefault(key, _about(results.records[spec]))
            line |= {Column(score, name).name: scores.loc[spec, score] for score in _SHOWN}
        own = weights_told(results)  # of a line's weights the table tells itself, once
        notes += [note for note in notes_told(results, rule) if note not in own]
    if not lines:
        raise DataError("no row here has weights that tell the data set they were trained on")
    frame = in_row_order(pd.DataFrame(lines.values())).reindex(columns=[*_ABOUT, *columns])
    for name, results in zip(names, sets, strict=True):
        unknown = {line["method"] for key, line in lines.items() if key not in rows[name]}
        if left := [method for method in map(str, frame["method"]) if method in unknown]:
            command = f'istsbench run --methods "{",".join(left)}" --dataset {name}'
            title = results.any_record.title
            notes.append(f"{title}: {len(left)} of {len(lines)} lines were not run: `{command}`")
    notes += trainings_told(chosen)
    under = dict(zip(names, sets, strict=True))
    return Table(
        f"Weights of each data set on each data set, rule {rule}, {REDUCED[reduction]}",
        frame,
        tuple(
            (
                one.any_record.title,
                tuple((Column(s, name).name, score_named(s).head) for s in _SHOWN),
            )
            for name, one in under.items()
        ),
        tuple(protocol_line(results, rule, reduction) for results in sets),
        tuple(dict.fromkeys(notes)),
        name="table_cross",
        columns=columns,
        stamps=tuple(map(stamped, sets)),
        titles={name: one.any_record.title for name, one in under.items()},
        places={name: placed(one) for name, one in under.items()},
        sentences={name: in_words(one, rule, reduction) for name, one in under.items()},
        under=captioned(rule, reduction),
        label=f"cross-{rule}-{reduction}",
    )


def _by_training(results: Results) -> dict[_Key, str]:
    """(architecture, data set of its weights) -> the spec of its row."""
    found: dict[_Key, str] = {}
    for spec, record in results.records.items():
        trained = record.trained
        if trained is None or trained.dataset is None:
            continue
        key = trained.method, trained.dataset
        before = found.get(key)
        if before and results.records[before].method_hash == record.method_hash:
            continue  # the same weights, named in two ways
        if before:
            raise WrongUse(
                f"{record.title}: the rows {before} and {spec} are both {trained.label} with "
                f"weights of {trained.title}; choose rows by --methods"
            )
        found[key] = spec
    return found


def _about(record: Record) -> dict[str, object]:
    """What a line tells before its scores; `method` runs it, on any data set."""
    trained = record.trained
    assert trained is not None
    head, bracket, rest = trained.method.partition("(")
    return {
        "method": f"{head}({f'{rest[:-1]}, ' if bracket else ''}weights={trained.dataset})",
        "label": f"{trained.label}, weights of {trained.title}",
        "group": record.group,
        "year": record.year,
        "status": "",
        "trained": trained.dataset,
    }
