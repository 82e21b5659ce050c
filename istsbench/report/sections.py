"""What the report says of each method: citation, parameters, scores, times, pictures."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import pandas as pd

from istsbench.errors import BrokenMethod, UnknownName
from istsbench.metrics import REDUCTIONS, summarise
from istsbench.registry import info
from istsbench.report.failures import FailurePicture, extremes
from istsbench.results.masks import Masks
from istsbench.results.results import Results
from istsbench.results.shipped import SHIPPED, is_shipped
from istsbench.runs.record import Record
from istsbench.segmenter import Card, parameter_help
from istsbench.tables.table_vi import row_signs
from istsbench.threshold import RULES


def heading(record: Record) -> dict[str, str]:
    """How a row is named on the page; its `origin` says that it is somebody else's.

    Rows that come with istsbench have a sign of their own.
    """
    shipped = SHIPPED if is_shipped(record) else ""
    imported = "imported" if record.imported and not shipped else ""
    origin = "submitted" if record.group == "submitted" else imported
    label = record.label + row_signs(record) + shipped
    return {"anchor": f"m-{record.file}", "label": label, "origin": origin}


def year(record: Record) -> str:
    """Nothing for what was never published: predictions have the year 9999."""
    return str(record.year) if 0 < record.year < 9999 else ""


def section(
    results: Results,
    spec: str,
    rule: str,
    masks: dict[str, Masks],
    pictures: Sequence[FailurePicture],
    cells: dict[str, dict[str, dict]],
    special: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """All that the page says of one method."""
    record = results.records[spec]
    card, kind = _code(spec, record)
    known = parameter_help(kind) if kind else {}
    defaults = {f.name: repr(f.default) for f in dataclasses.fields(kind)} if kind else {}
    given = record.parameters
    parameters = [
        {"name": name, "value": value, "default": defaults.get(name, value),
         "meaning": known.get(name, "")}
        for name, value in given.items()
    ]  # fmt: skip
    module = inspect.getmodule(kind) if kind else None
    text = inspect.cleandoc(module.__doc__) if module and module.__doc__ else ""
    seen = cells.get(spec, {})
    best, worst = extremes(masks[spec].rows, seen) if seen else ([], [])
    index = {picture.name: number for number, picture in enumerate(pictures)}
    return {
        **heading(record),
        "spec": spec,
        "record": record,
        "status": record.status,
        "year": year(record),
        "link": _link(card.doi) if card else "",
        "doi": card.doi if card else "",
        "imported": record.imported,
        "failure": results.failure(spec),
        "about": [part for part in text.split("\n\n") if part.strip()],
        "parameters": parameters,
        "scores": _by_rule(results, spec),
        "times": _times(results.counts.get(spec)),
        "shown": [
            {"head": head, "items": [{"index": index[name], "picture": pictures[index[name]],
                                      "cell": seen[name]} for name in names]}
            for head, names in (("Best images", best), ("Worst images", worst)) if names
        ],
        "rule": rule,
        "environment": special.get(spec, {}),
    }  # fmt: skip


def _code(spec: str, record: Record) -> tuple[Card | None, Any]:
    """The registered card and class behind a row, if they are here and are the same method's."""
    try:
        kind = info(spec.partition("(")[0])
    except (UnknownName, BrokenMethod):
        return None, None
    same = kind.card.group == record.group and record.label.startswith(kind.card.label)
    return (kind.card, kind) if same else (None, None)


def _link(doi: str) -> str:
    """The web address of a DOI, arXiv id or https address; nothing for anything else."""
    if doi.startswith("10."):
        return f"https://doi.org/{doi}"
    if doi.lower().startswith("arxiv:"):
        return f"https://arxiv.org/abs/{doi[6:].strip()}"
    return doi if doi.startswith(("https://", "http://")) else ""


def _by_rule(results: Results, spec: str) -> list[dict[str, str]]:
    record, lines = results.records[spec], []
    for name in RULES:
        if name not in record.rules:
            continue
        line = {"rule": name, "value": record.rules[name]}
        rows = results.counts[spec].query("rule == @name") if spec in results.counts else ()
        for reduction in REDUCTIONS:
            found = (
                summarise(rows, reduction, empty=results.empty)  # type: ignore[arg-type]
                if len(rows)
                else {}
            )
            for score in ("f1", "iou"):
                line[f"{score}_{reduction}"] = f"{found[score]:.3f}" if found else ""
        # Targets are pooled whatever the reduction.
        line["pd"] = f"{found['pd']:.3f}" if found else ""
        line["fa"] = f"{1e6 * found['fa']:.1f}" if found else ""
        lines.append(line)
    return lines


def _times(counts: pd.DataFrame | None) -> list[tuple[str, str]]:
    """Mean, median, 95th percentile and longest time, in seconds."""
    seconds = (
        pd.Series(dtype=float) if counts is None else counts.groupby("image")["seconds"].first()
    )
    seconds = seconds.dropna()
    if seconds.empty:
        return []
    values: dict[str, Any] = {"mean": seconds.mean(), "median": seconds.median()}
    values |= {"95 % below": seconds.quantile(0.95), "longest": seconds.max()}
    return [(name, f"{value:.4g} s") for name, value in values.items()]


def environments(results: Results) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What all rows were made with, and by spec where one differs from that."""
    stamps = {s: dict(r.environment) for s, r in results.records.items() if r.environment}
    if not stamps:
        return {}, {}
    every = list(stamps.values())
    usual = max(every, key=every.count)
    special = {
        spec: {key: value for key, value in stamp.items() if usual.get(key) != value}
        for spec, stamp in stamps.items()
        if stamp != usual
    }
    return usual, special
