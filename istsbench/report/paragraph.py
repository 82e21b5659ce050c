"""The protocol of results folders as a paragraph for a paper."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from istsbench.matching import REACH
from istsbench.registry import group_named
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.results.trained import weights_told
from istsbench.runs.record import Record
from istsbench.tables.foot import meanings, noted, stated
from istsbench.tables.references import (
    is_of_package,
    of_dataset,
    of_method,
)

CANDIDATES = (
    "by one rule for each method: the mean plus k standard deviations of the map (networks: a "
    "level), half of the map scaled to [0, 1], or the method's own rule, whichever has the best "
    "pooled F1"
)
RULE_TEXTS = {
    "own": "by the method's own rule (its paper's, or one calibrated on NUAA-SIRST training and "
    "validation images, for slow methods on validation images alone)",
    "half": "by scaling the map of each image to [0, 1] and taking what exceeds 0.5",
    "tuned": f"{CANDIDATES} on validation images",
    "oracle": f"{CANDIDATES} on the test images themselves, which is not a result",
}
_FROM_PACKS = "Imported from results packs"
STATUS_TEXTS = {
    "reference-checked": "equal to public reference code",
    "paper": "written from the paper",
    "reconstruction": "reconstructed because the source was not reachable",
    "unpublished": "not published",
}


def protocol_text(
    sets: Sequence[Results],
    rule: str,
    reduction: str,
    cite: Callable[[str], str],
    escape: Callable[[str], str],
    shown: Collection[str],
) -> str:
    """The protocol as a paragraph; `cite` makes a citation of a key, `escape` guards names.

    `shown` are the scores that the paper shows: besides precision, recall, F1 and IoU, which it
    always does, no other is explained.
    """
    rows = counted_rows(sets)
    imported = [record for record in rows if record.imported]
    rest = [record for record in rows if not record.imported]
    submitted = [record for record in rest if record.group == "submitted"]
    ran = [record for record in rest if record.group != "submitted"]
    scoring = (
        "Every method receives the grey image (levels 0 to 255) at its native size and returns "
        f"a score map, which is turned into a mask {_by_rule(ran, rule, escape)}."
    )
    parts = [
        _methods(ran, cite, escape),
        _others(submitted, imported, cite, escape),
        _not_scored(sets, escape),
        _datasets(sets, cite, escape),
        scoring if ran else f"Score maps are turned into masks {_by_rule(imported, rule, escape)}.",
        escape(_scores(reduction, shown)),
        _status([*ran, *imported], escape),
        _weights(sets, escape),
        _failed(rows, escape),
        _machine(ran, escape),
        _ids(sets, rule, reduction),
    ]
    return " ".join(filter(None, parts)) + "\n"


def _by_rule(rows: list[Record], rule: str, escape: Callable[[str], str]) -> str:
    """How masks are made; a method that is not of this package has a value of its own."""
    if rule != "own":
        return RULE_TEXTS[rule]
    theirs = {one.method: one for one in rows if not is_of_package(one.method)}
    values = [escape(f"{one.label}: {one.rules.get('own', 'none')}") for one in theirs.values()]
    if values and len(theirs) == len({one.method for one in rows}):
        return f"by the method's own rule ({', '.join(values)})"
    return RULE_TEXTS[rule] + (f"; of other methods, as given ({', '.join(values)})" * bool(values))


def _methods(ran: list[Record], cite: Callable[[str], str], escape: Callable[[str], str]) -> str:
    if not ran:
        return ""
    methods: dict[str, Record] = {}
    for record in ran:
        methods.setdefault(record.method, record)
    named = [
        escape(record.label) + _citation(spec, cite)
        for spec, record in sorted(methods.items(), key=lambda item: (item[1].year, item[0]))
    ]
    groups = [record.group for record in methods.values()]
    counts = []
    for group in dict.fromkeys(groups):
        words = group_named(group)
        counts.append(_number(groups.count(group), words.one, words.several))
    number = _number(len(methods), "method", "methods")
    return f"We compare {number} ({', '.join(counts)}): {', '.join(named)}."


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _citation(spec: str, cite: Callable[[str], str]) -> str:
    reference = of_method(spec)
    return cite(reference.key) if reference else ""


def _on(
    rows: Iterable[Record], escape: Callable[[str], str], cite: Callable[[str], str] | None = None
) -> str:
    """`IPI, PSTNN on NUAA-SIRST and NUST-SIRST; ACM on NUST-SIRST`."""
    titles: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for record in rows:
        spec = record.method
        titles.setdefault(spec, []).append(escape(record.title))
        names[spec] = escape(record.label) + (_citation(spec, cite) if cite else "")
    together: dict[str, list[str]] = {}
    for spec, on in titles.items():
        together.setdefault(" and ".join(on), []).append(names[spec])
    return "; ".join(f"{', '.join(named)} on {on}" for on, named in together.items())


def _others(
    submitted: list[Record],
    imported: list[Record],
    cite: Callable[[str], str],
    escape: Callable[[str], str],
) -> str:
    """What was not run here."""
    parts = []
    if submitted:
        parts.append(
            f"Submitted as prediction images, and not run here: {_on(submitted, escape, cite)}; "
            "their levels, 0 to 1, are taken as score maps, with 0.5 as their own rule."
        )
    came: dict[str, list[Record]] = {}
    for record in imported:
        named = record.imported.name if record.imported else ""
        came.setdefault(f"Shipped with {named}" if named else _FROM_PACKS, []).append(record)
    for how, rows in came.items():
        told = f"{escape(how)}, with counts that were made elsewhere"
        parts.append(f"{told}: {_on(rows, escape, cite)}.")
    return " ".join(parts)


def _not_scored(sets: Sequence[Results], escape: Callable[[str], str]) -> str:
    """The rows that stand empty on a data set: the method is missing there, or never ran."""
    every = [record for results in sets for record in results.records.values()]
    # What never ran has no label, so that of a record which has one stands last.
    last = {one.method: one for one in sorted(every, key=lambda one: bool(one.wanted))}
    empty = [
        replace(record, title=results.any_record.title)
        for results in sets
        for spec, record in last.items()
        if spec not in results.records or not results.records[spec].wanted
    ]
    return f"Not scored: {_on(empty, escape)}." if empty else ""


def _datasets(
    sets: Sequence[Results], cite: Callable[[str], str], escape: Callable[[str], str]
) -> str:
    texts, mended = [], []
    for results in sets:
        record, reference = results.any_record, of_dataset(results.any_record.dataset)
        images = str(record.images)
        if record.images < record.of:
            images = f"the first {record.images} of {record.of}"
        texts.append(
            escape(record.title) + (cite(reference.key) if reference else "")
            + f" (split {escape(record.split)}, {images} images, "
            "first 16 digits of the SHA-256 of names and pixels "
            f"{record.data_hash}{escape(_also(results))})"
        )  # fmt: skip
        mended += noted(results)
    also = f" Notes: {escape('; '.join(dict.fromkeys(mended)))}." if mended else ""
    return f"Data: {'; '.join(texts)}.{also}"


def _also(results: Results) -> str:
    told = stated(results).removesuffix(", ")
    return f"; {told}" if told else ""


def _scores(reduction: str, shown: Collection[str]) -> str:
    how = {
        "image": "means over images of each image's score",
        "pooled": "computed from the counts of pixels pooled over all images",
    }[reduction]
    parts = [
        f"Precision, recall, F1 and IoU are {how}, with 0/0 = 0, counted on all pixels at native "
        "size."
    ]
    if {"pd", "fa"} & {*shown}:
        parts.append(
            "Pd and Fa are pooled: targets are 8-connected regions, a target is detected by the "
            f"first free predicted region whose centroid is less than {REACH:g} pixels from its "
            "own, and Fa counts the pixels of all other predicted regions."
        )
    return " ".join([*parts, *meanings(shown)])


def _status(ran: list[Record], escape: Callable[[str], str]) -> str:
    parts = []
    for status, text in STATUS_TEXTS.items():
        labels = {record.method: record.label for record in ran if record.status == status}
        if labels:
            named = escape(", ".join(labels.values()))
            few = f" ({named})" if status != "reference-checked" else ""
            parts.append(f"{_number(len(labels), 'is', 'are')} {text}{few}")
    return f"Of the methods, {', '.join(parts)}." if parts else ""


def _weights(sets: Sequence[Results], escape: Callable[[str], str]) -> str:
    """Which images the weights of networks were trained on, as under the tables."""
    return " ".join(escape(line) for results in sets for line in weights_told(results))


def _failed(rows: list[Record], escape: Callable[[str], str]) -> str:
    failed = [record for record in rows if record.failed]
    return f"Not every image could be scored by {_on(failed, escape)}." if failed else ""


def _machine(ran: list[Record], escape: Callable[[str], str]) -> str:
    found: dict[str, list[str]] = {}
    for record in ran:
        for key, value in record.environment.items():
            if value not in found.setdefault(key, []):
                found[key].append(value)
    if not found:
        return ""
    cpus = escape(" and ".join(found.pop("cpu", ["an unknown processor"])))
    systems = escape(" and ".join(found.pop("system", ["an unknown system"])))
    for key in ("cores", "threads"):
        found.pop(key, None)
    if "commit" in found:  # as short as they are told apart by
        found["commit"] = list(dict.fromkeys(value[:10] for value in found["commit"]))
    versions = ", ".join(f"{key} {' and '.join(values)}" for key, values in found.items())
    return (
        f"Methods that ran on a processor had one thread of {cpus} ({systems}). Software: "
        f"{escape(versions)}."
    )


def _ids(sets: Sequence[Results], rule: str, reduction: str) -> str:
    ids = [Protocol.of(results, rule, reduction).id for results in sets]
    return f"Protocol {'ids' if len(ids) > 1 else 'id'} of istsbench: {', '.join(ids)}."


def counted_rows(sets: Sequence[Results]) -> list[Record]:
    """The record of every method on every data set, of those that were counted at all."""
    return [record for results in sets for record in results.records.values() if record.wanted]
