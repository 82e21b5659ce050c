"""A run made again from its `protocol.toml`, and what it gives beside what it gave.

It is refused unless the images are the same, pixel by pixel, and so is the code of each
method; only where the file comes from another version of the package does changed code run,
and is named. On the same processor with the same versions counts have to be equal bit for
bit. Elsewhere libraries round otherwise: there F1 may differ by `TOLERANCE`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from istsbench.data.datasets import open_dataset
from istsbench.data.depth import OWN
from istsbench.data.names import one_name
from istsbench.data.samples import Dataset
from istsbench.errors import BrokenMethod, RunError, WrongUse
from istsbench.provenance import VERSIONS, environment, run_hash
from istsbench.registry import Choice, choose
from istsbench.results.manifest import Manifest, MethodEntry, gather, read_run_manifest
from istsbench.results.results import Results
from istsbench.runs.images import Images
from istsbench.runs.record import FORMAT
from istsbench.runs.run import run

TOLERANCE = 1e-3  # of F1, on other processors and with other versions
BITS = ("system", "cpu", "blas", "gpu", "python", *VERSIONS)  # what the last bits depend on


@dataclass(frozen=True)
class Compared:
    """One method, then and now."""

    spec: str
    equal: bool  # every count, bit for bit
    apart: float = 0.0  # largest difference in F1 over rules and reductions; nan: one is missing
    why: str = ""  # it cannot be compared

    def good(self, tolerance: float) -> bool:
        return self.equal or (tolerance > 0 and self.apart <= tolerance)

    def line(self) -> str:
        differ = f"counts or levels differ, F1 by up to {self.apart:.2g}"
        if math.isnan(self.apart):
            differ = "counts or levels differ, and an F1 is missing"
        return f"{self.spec}: {self.why or differ}"


@dataclass(frozen=True)
class Rerun:
    """What a rerun came to."""

    folder: Path
    scored: int  # images scored in this run; maps of the others were there
    compared: tuple[Compared, ...]
    elsewhere: tuple[str, ...]  # how versions and processor differ from the file's
    changed: tuple[str, ...]  # methods whose code is of another version

    @property
    def tolerance(self) -> float:
        return TOLERANCE if self.elsewhere else 0.0

    @property
    def good(self) -> bool:
        """Whether every method gave the same numbers, within the tolerance if elsewhere."""
        return all(one.good(self.tolerance) for one in self.compared)

    def lines(self) -> list[str]:
        """The comparison in words."""
        number, equal = len(self.compared), sum(one.equal for one in self.compared)
        found = [one.line() for one in self.compared if not one.equal]
        if self.changed:
            found.append(f"code of another version: {', '.join(self.changed)}")
        if self.elsewhere:
            found.append(f"other than when it was written: {'; '.join(self.elsewhere)}")
        verdict = f"{equal} of {number} methods equal bit for bit"
        if equal < number:
            near = sum(one.good(self.tolerance) and not one.equal for one in self.compared)
            verdict += (
                f", {near} within {self.tolerance:g} in F1, {number - equal - near} further off"
                if self.elsewhere
                else f", {number - equal} not, with the same versions on the same processor"
            )
        return [*found, f"{verdict} ({self.scored} images scored now, in {self.folder})"]


def rerun(
    path: Path,
    out: Path,
    *,
    dataset: str | None = None,
    data_root: Path | None = None,
    **options: Any,
) -> Rerun:
    """Run what the protocol file `path` holds with results in `out`, and compare.

    `dataset` says where a data set of a folder lies, as `folder:PATH`; `options` go to
    `runs.run.run` (jobs, fresh, timeout, show, ...). Raises `DataError` if the file cannot be
    read, `WrongUse` for a method that is unknown here, and `RunError` if images or code differ.
    """
    manifest = read_run_manifest(path)
    if manifest.format != FORMAT:
        raise RunError(f"{path}: counts of format {manifest.format}, this version counts {FORMAT}")
    data = _open(manifest, dataset, data_root)
    _check_images(path, manifest, data)
    choices = {entry.spec: _choice(entry) for entry in manifest.entries}
    changed = _check_code(path, manifest, choices, data)
    scored, folder, unmade = 0, out, dict[str, str]()
    for rules in dict.fromkeys(entry.rules for entry in manifest.entries):
        chosen = [choices[entry.spec] for entry in manifest.entries if entry.rules == rules]
        outcome = run(
            chosen, data, out, split=manifest.split, wanted=rules, limit=manifest.limit, **options
        )
        scored, folder = scored + outcome.scored, outcome.folder
        unmade |= {spec: outcome.failed[spec] for spec in outcome.unmade}
    machines = [entry.machine for entry in manifest.entries]
    compared = _compare(manifest, folder, unmade)
    return Rerun(folder, scored, compared, _elsewhere(machines), changed)


def _open(manifest: Manifest, dataset: str | None, data_root: Path | None) -> Dataset:
    if dataset is None and manifest.dataset.startswith("folder-"):
        raise WrongUse(
            f"the protocol is of the folder {manifest.title!r}; say where it lies by "
            "--dataset folder:PATH"
        )
    opened = open_dataset(
        one_name(dataset) if dataset else manifest.dataset, data_root, manifest.depth or OWN
    )
    if opened.name != manifest.dataset:
        raise WrongUse(f"--dataset {dataset!r} is {opened.name}, the protocol {manifest.dataset}")
    return opened


def _check_images(path: Path, manifest: Manifest, data: Dataset) -> None:
    tuned = [entry for entry in manifest.entries if entry.tuning_hash]
    wanted = ("own", "tuned") if tuned else ("own",)
    images = Images.load(data, manifest.split, manifest.limit, wanted)
    number, found = len(images.names), images.hash(images.names)
    if (number, found) != (manifest.images, manifest.data_hash):
        raise RunError(
            f"{path}: made on {manifest.images} images of {manifest.title} "
            f"({manifest.split}) with hash "
            f"{manifest.data_hash}; here are {number} with hash {found}: other images or masks"
        )
    for entry in tuned:
        if entry.tuning_hash != images.hash(images.tuning):
            raise RunError(
                f"{path}: {entry.spec} was tuned on images with hash {entry.tuning_hash}; the "
                f"validation images here have {images.hash(images.tuning)}"
            )


def _choice(entry: MethodEntry) -> Choice:
    chosen = choose(entry.spec)
    if [choice.spec for choice in chosen] != [entry.spec]:
        raise WrongUse(f"the protocol names {entry.spec!r}, which is no single method")
    return chosen[0]


def _check_code(
    path: Path, manifest: Manifest, choices: Mapping[str, Choice], data: Dataset
) -> tuple[str, ...]:
    """The methods whose code is of another version; raises `RunError` if one's just differs."""
    changed, refused = [], []
    version = environment()["istsbench"]
    for entry in manifest.entries:
        try:
            method = choices[entry.spec].create()
        except BrokenMethod:
            continue  # the run records it
        if (run_hash(method, data.name), repr(method.threshold)) == (entry.code, entry.own):
            continue
        if entry.machine.get("istsbench") == version:
            refused.append(entry)
        else:
            changed.append(entry.spec)
    if refused:
        commits = {entry.machine["commit"] for entry in refused if "commit" in entry.machine}
        raise RunError(
            f"{path}: code, parameters, weights or rule of {_listed([e.spec for e in refused])} "
            f"differ from those that it was made with, and the version is {version} in both; "
            + (f"it was made at commit {_listed(sorted(commits))}" if commits else "run it anew")
        )
    return tuple(changed)


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def _elsewhere(machines: list[Mapping[str, str]]) -> tuple[str, ...]:
    """How this machine differs from those, where both say: `cpu A, here B`."""
    here = environment()
    found: dict[str, None] = {}  # in order, each once
    for machine in machines:
        for key in BITS:
            if key in machine and key in here and machine[key] != here[key]:
                found[f"{key} {machine[key]}, here {here[key]}"] = None
    return tuple(found)


def _compare(manifest: Manifest, folder: Path, unmade: Mapping[str, str]) -> tuple[Compared, ...]:
    """`unmade` says why methods could not be made; a row of theirs is not of this run."""
    specs = [entry.spec for entry in manifest.entries if entry.spec not in unmade]
    now = gather(Results.load(folder, specs)) if specs else None
    new = {entry.spec: entry for entry in now.entries} if now else {}
    found = []
    for entry in manifest.entries:
        other, spec = new.get(entry.spec), entry.spec
        if other is None:
            why = unmade.get(spec, "it failed")
            found.append(Compared(spec, False, math.nan, f"no counts: {why}"))
        elif other.counts == entry.counts:
            found.append(Compared(spec, True))
        elif other.failed or entry.failed:
            why = f"{entry.failed} images had failed, now {other.failed}"
            found.append(Compared(spec, False, math.nan, why))
        else:
            found.append(Compared(spec, False, _apart(entry, other)))
    return tuple(found)


def _apart(then: MethodEntry, now: MethodEntry) -> float:
    apart = [
        abs(value - now.f1.get(reduction, {}).get(rule, math.nan))
        for reduction, scores in then.f1.items()
        for rule, value in scores.items()
    ]
    # Python's `max` passes over what is not a number: an F1 that is missing would be equal.
    return math.nan if not apart or any(map(math.isnan, apart)) else max(apart)
