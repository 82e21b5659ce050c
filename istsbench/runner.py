"""A run: methods x images -> maps -> counts, resumable at the image.

Everything a run makes lies below one folder:

    OUT/maps/DATASET/METHOD-HASH/IMAGE.npz   score maps, the only thing that costs time
    OUT/TAG/METHOD.csv                       counts, a row per image and rule
    OUT/TAG/METHOD.json                      what they were made by and under which protocol
    OUT/TAG/curves/METHOD.csv                the ROC and PR curve

TAG is the data set's name, with the split unless it is `test` and with the number of
images if it was limited, so that a trial never overwrites a full result. A method whose
files are complete and were made by the same code, parameters, data and rules is not
touched again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from istsbench import rules
from istsbench.counting import Counted, count
from istsbench.data import Dataset, fingerprint
from istsbench.images import DataError
from istsbench.maps import MapStore, write_atomic
from istsbench.progress import progress
from istsbench.provenance import environment, method_hash, parameters
from istsbench.scoring import Work, score_all
from istsbench.segmenter import Segmenter, Trainable
from istsbench.selection import Choice

FORMAT = 1  # of the counts; a change makes stored counts stale, not stored maps
DEFAULT_RULES = ("own", "half", "oracle")
RESERVE = 50_000_000  # bytes that must be free beyond what the maps will take


class RunError(RuntimeError):
    """A run cannot start; nothing has been done."""


@dataclass(frozen=True)
class Images:
    """The images of a run, verified to load, with the hash of their pixels."""

    dataset: Dataset
    split: str
    names: tuple[str, ...]
    tuning: tuple[str, ...]
    pixels: dict[str, str]
    notes: tuple[str, ...]
    bytes: int  # of one float32 map of each image

    @classmethod
    def load(cls, dataset: Dataset, split: str, limit: int | None, wanted: Sequence[str]) -> Images:
        """Decode every image once; raises `DataError` before any work is done."""
        names = dataset.names(split)[:limit]
        if not names:
            raise DataError(f"the split {split!r} of {dataset.name} has no image")
        tuning = dataset.tuning_names()[:limit] if "tuned" in wanted else ()
        pixels, notes, size = {}, [], 0
        for name in dict.fromkeys((*names, *tuning)):
            sample = dataset.load(name)
            pixels[name] = sample.pixels
            notes += sample.notes
            size += 4 * sample.image.size
        return cls(dataset, split, names, tuning, pixels, tuple(notes), size)

    @property
    def tag(self) -> str:
        parts = [self.dataset.name]
        if self.split != "test":
            parts.append(self.split.replace("/", "-"))
        if len(self.names) < len(self.dataset.names(self.split)):
            parts.append(f"first{len(self.names)}")
        return "-".join(parts)

    def hash(self, names: Sequence[str]) -> str:
        return fingerprint((name, self.pixels[name]) for name in names)


@dataclass
class Outcome:
    """What a run came to."""

    folder: Path
    done: list[str] = field(default_factory=list)  # specs with every image counted
    failed: dict[str, str] = field(default_factory=dict)  # spec -> reason
    scored: int = 0  # images scored in this run
    counted: int = 0  # methods whose counts were written in this run

    def settle(self, record: dict) -> None:
        """Enter a method's record as done or failed."""
        failed = record["failed"]
        if not failed:
            self.done.append(record["method"])
            return
        name, reason = next(iter(failed.items()))
        many = f"{len(failed)} of {record['images']} images failed"
        self.failed[record["method"]] = f"{many}, the first is {name}: {reason}"


def run(
    choices: Sequence[Choice],
    dataset: Dataset,
    out: Path,
    *,
    split: str = "test",
    wanted: Sequence[str] = DEFAULT_RULES,
    jobs: int = 1,
    limit: int | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    show: bool = True,
) -> Outcome:
    """Score and count `choices` on a split; see the module for what is written where.

    A method that fails is recorded with its reason and the run goes on. `fresh` forgets
    the stored maps of these images first, `retry_failed` those of failed images.
    Raises `DataError`, `UnknownName` or `RunError` before any work is done.
    """
    wanted = rules.check(list(wanted))
    images = Images.load(dataset, split, limit, wanted)
    outcome = Outcome(out / images.tag)
    plan: list[tuple[Work, dict]] = []
    for choice in choices:
        try:
            method = _ready(choice.create(), dataset)
        except Exception as error:
            outcome.failed[choice.spec] = str(error)
            write_record(outcome.folder, _broken(choice, images, str(error)))
            continue
        record = _record(choice, method, images, wanted)
        work = Work(choice.spec, method, map_store(out, record), images.names)
        if fresh or not _complete(outcome.folder, record, retry_failed):
            plan.append((work, record))
        else:
            outcome.settle(_read_record(outcome.folder, choice.file))
    if plan:
        todo = [_todo(work, images, fresh, retry_failed) for work, _ in plan]
        outcome.scored = sum(len(work.names) for work in todo)
        _check_room(out, images, todo)
        with progress(f"scoring {dataset.name}", outcome.scored, show) as report:
            score_all(todo, dataset, jobs, report)
        _count_all(plan, images, wanted, jobs, outcome, show)
    return outcome


def map_store(out: Path, record: dict) -> MapStore:
    """Where the maps behind a record lie in the results folder `out`."""
    name = f"{record['file']}-{record['method_hash']}"
    return MapStore(out / "maps" / record["dataset"] / name)


def _ready(method: Segmenter, dataset: Dataset) -> Segmenter:
    return method.pretrained(dataset.name) if isinstance(method, Trainable) else method


def _record(choice: Choice, method: Segmenter, images: Images, wanted: Sequence[str]) -> dict:
    """What identifies the counts of a method; equal records mean equal counts."""
    return {
        "format": FORMAT,
        "method": choice.spec,
        "label": _label(choice, type(method).card.label),
        "group": type(method).card.group,
        "venue": type(method).card.venue,
        "year": type(method).card.year,
        "status": type(method).card.status,
        "parameters": {key: repr(value) for key, value in parameters(method).items()},
        "own": repr(method.threshold),
        "file": choice.file,
        "method_hash": method_hash(method),
        "dataset": images.dataset.name,
        "title": images.dataset.title,
        "split": images.split,
        "images": len(images.names),
        "of": len(images.dataset.names(images.split)),
        "data_hash": images.hash(images.names),
        "tuning_hash": images.hash(images.tuning) if images.tuning else None,
        "wanted": list(wanted),
        "notes": list(images.notes),
    }


def _label(choice: Choice, label: str) -> str:
    changes = ", ".join(f"{key}={value}" for key, value in choice.changes)
    return f"{label} ({changes})" if changes else label


def _broken(choice: Choice, images: Images, reason: str) -> dict:
    return {
        "format": FORMAT,
        "method": choice.spec,
        "file": choice.file,
        "label": choice.spec,
        "group": "",
        "venue": "",
        "year": 0,
        "status": "",
        "dataset": images.dataset.name,
        "title": images.dataset.title,
        "split": images.split,
        "images": len(images.names),
        "of": len(images.dataset.names(images.split)),
        "data_hash": images.hash(images.names),
        "failed": {"": reason},
    }


def _read_record(folder: Path, file: str) -> dict:
    try:
        found = json.loads((folder / f"{file}.json").read_bytes())
        return found if isinstance(found, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}


def write_record(folder: Path, record: dict) -> None:
    """Write OUT/TAG/METHOD.json."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomic(folder / f"{record['file']}.json", f"{text}\n".encode())


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _complete(folder: Path, record: dict, retry_failed: bool) -> bool:
    """Whether just these counts are on disk, undamaged."""
    stored = _read_record(folder, record["file"])
    if any(stored.get(key) != value for key, value in record.items()):
        return False
    if retry_failed and stored.get("failed"):
        return False
    return stored.get("csv") == _sha(folder / f"{record['file']}.csv") and (
        stored.get("curve") == _sha(folder / "curves" / f"{record['file']}.csv")
    )


def _todo(work: Work, images: Images, fresh: bool, retry_failed: bool) -> Work:
    """The work less the images whose map, or whose failure, is stored already."""
    missing = []
    for name in dict.fromkeys((*images.names, *images.tuning)):
        pixels = images.pixels[name]
        if fresh:
            work.store.forget(name)
        elif work.store.has(name, pixels):
            continue
        elif not retry_failed and work.store.failure(name, pixels):
            continue
        missing.append(name)
    return Work(work.title, work.method, work.store, tuple(missing))


def _check_room(out: Path, images: Images, todo: Sequence[Work]) -> None:
    """Raise `RunError` if `out` cannot be written or the maps will not fit."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise RunError(f"{out}: results cannot be written ({error.strerror or error})") from error
    mean = images.bytes / len(images.pixels)
    need = int(sum(len(work.names) for work in todo) * mean) + RESERVE
    if free < need:
        raise RunError(
            f"{out}: {free / 1e9:.2f} GB are free, this run needs about {need / 1e9:.2f} GB; "
            "name another folder by --out"
        )


def _count_all(
    plan: Sequence[tuple[Work, dict]],
    images: Images,
    wanted: Sequence[str],
    jobs: int,
    outcome: Outcome,
    show: bool,
) -> None:
    from joblib import Parallel, delayed

    needed = images.dataset.subset(images.pixels)
    parallel = Parallel(n_jobs=min(jobs, len(plan)), return_as="generator")
    counts = parallel(
        delayed(count)(
            work.method.threshold, work.store, needed, images.names, images.tuning, wanted
        )
        for work, _ in plan
    )
    with progress(f"counting {images.dataset.name}", len(plan), show) as report:
        for (work, record), counted in zip(plan, counts, strict=True):
            failed = {
                name: reason
                for name in images.pixels
                if (reason := work.store.failure(name, images.pixels[name]))
            }
            outcome.settle(write_counts(outcome.folder, record, counted, failed))
            outcome.counted += 1
            report(record["method"])


def write_counts(
    folder: Path, record: dict, counted: Counted, failed: Mapping[str, str] | None = None
) -> dict:
    """Write a method's counts, curve and completed record; return the record."""
    csv = counted.rows.to_csv(index=False).encode()
    curve = counted.points.to_csv(index=False, float_format="%.9g").encode()
    write_atomic(folder / f"{record['file']}.csv", csv)
    write_atomic(folder / "curves" / f"{record['file']}.csv", curve)
    record = {
        **record,
        "rules": counted.rules,
        "auc": counted.auc,
        "average_precision": counted.average_precision,
        "failed": dict(failed or {}),
        "csv": hashlib.sha256(csv).hexdigest(),
        "curve": hashlib.sha256(curve).hexdigest(),
        "environment": environment(),
    }
    write_record(folder, record)
    return record
