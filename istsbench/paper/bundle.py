"""What goes into a paper, in one folder: tables, numbers, figures, protocol, references.

    TO/tables/...        Table VI under both reductions, with intervals; the thresholds used
    TO/macros.tex        every number of the tables as a LaTeX macro
    TO/figures/TAG/...   the figures of each results folder
    TO/protocol.tex .md  a paragraph that states the protocol, ready to paste
    TO/references.bib    just the methods and data sets in use
    TO/preview.tex       a document around all of it, to look at

Everything follows from results folders; nothing is run or scored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from istsbench import __version__
from istsbench.metrics import REACH, REDUCTIONS
from istsbench.paper import latex
from istsbench.paper.counterparts import NAMES, measured, paper_beside
from istsbench.paper.references import Reference, bibliography, of_dataset, of_method
from istsbench.results import Results
from istsbench.runs.maps import write_atomic
from istsbench.runs.protocol import Protocol
from istsbench.tables import Table, table_vi

KINDS = ("csv", "md", "tex", "html")
GROUPS = {
    "spatial": ("spatial filter", "spatial filters"),
    "hvs": ("local contrast method", "local contrast methods"),
    "lowrank": ("low-rank method", "low-rank methods"),
    "cnn": ("network", "networks"),
    "game": ("game of networks", "games of networks"),
}
RULE_TEXTS = {
    "own": "by the method's own rule (its paper's, or one calibrated on training images)",
    "half": "by scaling the map of each image to [0, 1] and taking what exceeds 0.5",
    "tuned": "at the mean plus k standard deviations of the map (networks: at a level), with "
    "one k for each method, chosen for the best pooled F1 on validation images",
    "oracle": "at the mean plus k standard deviations of the map (networks: at a level), with "
    "one k for each method, chosen for the best pooled F1 on the test images themselves, which "
    "is an upper bound and not a result",
}
STATUS_TEXTS = {
    "reference-checked": "equal to public reference code",
    "paper": "written from the paper",
    "reconstruction": "reconstructed because the source was not reachable",
    "submitted": "submitted as prediction images",
}


def bundle(
    sets: Sequence[Results], out: Path, to: Path, rule: str = "own", reduction: str = "image"
) -> list[Path]:
    """Write the bundle of some results folders below `out` into `to`; returns its files."""
    tables = _tables(sets, out, rule, reduction)
    files: dict[str, str] = {}
    macros: dict[str, str] = {}
    for name, (table, ending) in tables.items():
        files |= {f"tables/{name}.{kind}": table.text(kind) for kind in KINDS}
        macros |= {k: v for k, v in latex.macros(table, ending).items() if k not in macros}
    for results in sets:
        dataset, found = results.any_record["dataset"], Protocol.of(results, rule, reduction)
        macros[latex.macro_name(dataset, "", "protocol")] = found.id
        macros[latex.macro_name(dataset, "", "images")] = str(results.any_record["images"])
    files["macros.tex"] = latex.macro_file(macros, [f"istsbench {__version__}"])
    files["tables/thresholds.csv"] = thresholds(sets).to_csv(index=False)
    files["protocol.tex"] = protocol_text(sets, rule, reduction, _cite, latex.escape)
    files["protocol.md"] = protocol_text(sets, rule, reduction, " [@{}]".format, str)
    files["references.bib"] = bibliography(_references(sets))
    figures = {
        f"figures/{results.folder.name}/{figure.name}": figure.read_bytes()
        for results in sets
        for figure in sorted((results.folder / "figures").glob("*.pdf"))
    }
    files["preview.tex"] = _preview(tables, figures)
    contents = {name: text.encode() for name, text in files.items()} | figures
    for name, content in contents.items():
        write_atomic(to / name, content)
    return [to / name for name in contents]


def _tables(
    sets: Sequence[Results], out: Path, rule: str, reduction: str
) -> dict[str, tuple[Table, str]]:
    """Name -> table, and what its macros end in."""
    found = {
        "table_vi": (table_vi(sets, rule, reduction, beside="difference"), ""),
        "table_vi_intervals": (
            table_vi(sets, rule, reduction, beside="nothing", intervals=True),
            "",
        ),
    }
    for other in REDUCTIONS:
        if other != reduction:
            found[f"table_vi_{other}"] = (table_vi(sets, rule, other, beside="nothing"), other)
    for name in NAMES.values():
        ours, protocol = measured(name, out, reduction)
        if ours is not None:
            found[name] = (paper_beside(name, ours, protocol=protocol), "")
    return found


def _preview(tables: Iterable[str], figures: Iterable[str]) -> str:
    inputs = [rf"\input{{tables/{name}.tex}}" for name in tables]
    pictures = [
        rf"\begin{{center}}\includegraphics[width=\textwidth]{{{name}}}\end{{center}}"
        for name in figures
    ]
    return latex.document(
        r"\input{macros.tex}", r"\input{protocol.tex}", *inputs, r"\clearpage", *pictures,
        r"\bibliographystyle{plain}", r"\bibliography{references}",
        preamble=[r"\usepackage{graphicx}"],
    )  # fmt: skip


def _cite(key: str) -> str:
    return rf"~\cite{{{key}}}"


def _references(sets: Sequence[Results]) -> list[Reference | None]:
    datasets = [of_dataset(results.any_record["dataset"]) for results in sets]
    methods = [of_method(spec) for results in sets for spec in results.records]
    return [*datasets, *methods]


def thresholds(sets: Sequence[Results]) -> pd.DataFrame:
    """The rule behind each name as it was used: data set, method, own, half, ..."""
    lines = [
        {"dataset": record["dataset"], "method": record["label"], **record["rules"]}
        for results in sets
        for record in results.records.values()
        if record.get("rules")
    ]
    return pd.DataFrame(lines)


def protocol_text(
    sets: Sequence[Results],
    rule: str,
    reduction: str,
    cite: Callable[[str], str],
    escape: Callable[[str], str],
) -> str:
    """The protocol as a paragraph; `cite` makes a citation of a key, `escape` guards names."""
    records = {spec: record for results in sets for spec, record in results.records.items()}
    ran = {spec: record for spec, record in records.items() if "wanted" in record}
    return (
        " ".join(
            [
                _methods(ran, cite, escape),
                _datasets(sets, cite, escape),
                "Every method receives the grey image (levels 0 to 255) at its native size and "
                f"returns a score map, which is turned into a mask {RULE_TEXTS[rule]}.",
                _scores(reduction),
                _status(ran, escape),
                _machine(ran, escape),
                _ids(sets, rule, reduction),
            ]
        ).strip()
        + "\n"
    )


def _methods(ran: dict[str, dict], cite: Callable[[str], str], escape: Callable[[str], str]) -> str:
    named = []
    for spec, record in sorted(ran.items(), key=lambda item: (item[1]["year"], item[0])):
        reference = of_method(spec)
        named.append(escape(record["label"]) + (cite(reference.key) if reference else ""))
    counts = []
    for group in dict.fromkeys(record["group"] for record in ran.values()):
        number = sum(record["group"] == group for record in ran.values())
        one, many = GROUPS.get(group, (f"{group} method", f"{group} methods"))
        counts.append(f"{number} {one if number == 1 else many}")
    noun = "method" if len(ran) == 1 else "methods"
    return f"We compare {len(ran)} {noun} ({', '.join(counts)}): {', '.join(named)}."


def _datasets(
    sets: Sequence[Results], cite: Callable[[str], str], escape: Callable[[str], str]
) -> str:
    texts, mended = [], []
    for results in sets:
        record, reference = results.any_record, of_dataset(results.any_record["dataset"])
        images = str(record["images"])
        if record["images"] < record["of"]:
            images = f"the first {record['images']} of {record['of']}"
        texts.append(
            escape(record["title"]) + (cite(reference.key) if reference else "")
            + f" (split {escape(record['split'])}, {images} images, "
            f"SHA-256 of names and pixels {record['data_hash']})"
        )  # fmt: skip
        mended += record.get("notes", [])
    also = f" Mended on loading: {escape('; '.join(dict.fromkeys(mended)))}." if mended else ""
    return f"Data: {'; '.join(texts)}.{also}"


def _scores(reduction: str) -> str:
    how = {
        "image": "means over images of each image's score",
        "pooled": "computed from the counts of pixels pooled over all images",
    }[reduction]
    return (
        f"Precision, recall, F1 and IoU are {how}, with 0/0 = 0, counted on all pixels at native "
        "size. Pd and Fa are pooled: targets are 8-connected regions, a target is detected by "
        f"the first free predicted region whose centroid is less than {REACH:g} pixels from its "
        "own, and Fa counts the pixels of all other predicted regions."
    )


def _status(ran: dict[str, dict], escape: Callable[[str], str]) -> str:
    parts = []
    for status, text in STATUS_TEXTS.items():
        labels = [record["label"] for record in ran.values() if record["status"] == status]
        if labels:
            few = f" ({escape(', '.join(labels))})" if status != "reference-checked" else ""
            parts.append(f"{len(labels)} {'is' if len(labels) == 1 else 'are'} {text}{few}")
    failed = [record["label"] for record in ran.values() if record.get("failed")]
    also = f" Of {escape(', '.join(failed))} not every image could be scored." if failed else ""
    return f"Of the methods, {', '.join(parts)}.{also}" if parts else also.strip()


def _machine(ran: dict[str, dict], escape: Callable[[str], str]) -> str:
    found: dict[str, list[str]] = {}
    for record in ran.values():
        for key, value in (record.get("environment") or {}).items():
            if value not in found.setdefault(key, []):
                found[key].append(value)
    cpus = escape(" and ".join(found.pop("cpu", ["an unknown processor"])))
    systems = escape(" and ".join(found.pop("system", ["an unknown system"])))
    for key in ("cores", "threads"):
        found.pop(key, None)
    versions = ", ".join(f"{key} {' and '.join(values)}" for key, values in found.items())
    return (
        f"Methods that score image by image ran on one thread of {cpus} ({systems}); software: "
        f"{escape(versions)}."
    )


def _ids(sets: Sequence[Results], rule: str, reduction: str) -> str:
    ids = [Protocol.of(results, rule, reduction).id for results in sets]
    return f"Protocol {'ids' if len(ids) > 1 else 'id'} of istsbench: {', '.join(ids)}."
