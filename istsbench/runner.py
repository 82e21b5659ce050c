"""A run: methods x images -> maps -> counts, resumable at the image.

Everything a run makes lies below one folder:

    OUT/maps/DATASET/METHOD-HASH/IMAGE.npy   score maps, the only thing that costs time
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
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from istsbench import rules
from istsbench.data import Dataset, fingerprint
from istsbench.datasets.images import DataError
from istsbench.paper.seeds import training
from istsbench.progress import progress
from istsbench.provenance import environment, method_hash, parameters
from istsbench.runs.counting import Counted, count_each
from istsbench.runs.maps import MapStore, write_atomic
from istsbench.runs.records import read_record, sealed
from istsbench.runs.room import RunError as RunError
from istsbench.runs.room import check_folders, check_room
from istsbench.runs.scoring import Run, Work, contained, one_line, score_all
from istsbench.runs.shards import Shard
from istsbench.runs.workers import Lost
from istsbench.segmenter import MissingWeights, Segmenter, Trainable
from istsbench.selection import Choice

FORMAT = 1  # of the counts; a change makes stored counts stale, not stored maps
DEFAULT_RULES = ("own", "half", "oracle")
UNFINISHED = Path("figures", ".unfinished")  # there while figures are older than counts
LOST = "its map is gone, or its image was changed meanwhile; run again"


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
    def load(
        cls,
        dataset: Dataset,
        split: str,
        limit: int | None,
        wanted: Sequence[str],
        shard: Shard | None = None,
    ) -> Images:
        """Decode every image once; raises `DataError` before any work is done."""
        names = dataset.names(split)[:limit]
        if not names:
            raise DataError(f"the split {split!r} of {dataset.name} has no image")
        tuning = dataset.tuning_names()[:limit] if "tuned" in wanted else ()
        needed = tuple(dict.fromkeys((*names, *tuning)))
        pixels: dict[str, str] = {}
        notes: list[str] = []
        size = 0
        for name in shard.of(needed) if shard else needed:
            sample = dataset.load(name)
            pixels[name] = sample.pixels
            notes += sample.notes
            size += 4 * sample.image.size
        names, tuning = (tuple(n for n in part if n in pixels) for part in (names, tuning))
        return cls(dataset, split, names, tuning, pixels, tuple(notes), size)

    @property
    def tag(self) -> str:
        of = len(self.dataset.names(self.split))
        return folder_name(self.dataset.name, self.split, len(self.names), of)

    def hash(self, names: Sequence[str]) -> str:
        return fingerprint((name, self.pixels[name]) for name in names)


def folder_name(dataset: str, split: str, images: int, of: int) -> str:
    """The name of a results folder, TAG, for `images` out of `of`."""
    parts = [dataset]
    if split != "test":
        parts.append(split.replace("/", "-"))
    if images < of:
        parts.append(f"first{images}")
    return "-".join(parts)


@dataclass
class Outcome:
    """What a run came to."""

    folder: Path
    done: list[str] = field(default_factory=list)  # specs with every image counted
    failed: dict[str, str] = field(default_factory=dict)  # spec -> reason
    skipped: dict[str, str] = field(default_factory=dict)  # spec -> reason, never asked for by name
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
    timeout: float | None = None,
    shard: Shard | None = None,
    scheduler: str | None = None,
    show: bool = True,
) -> Outcome:
    """Score and count `choices` on a split; see the module for what is written where.

    A method that fails is recorded with its reason and the run goes on. `fresh` forgets
    the stored maps of these images first, `retry_failed` that images failed. `timeout` is in
    seconds an image; a method that takes longer has failed on it. A `shard` is scored only:
    nothing is counted, and of the images no other is looked at. `scheduler` is the address of
    a Dask cluster that scores instead of `jobs` processes here.
    Raises `DataError`, `WrongUse` or `RunError` before any work is done, and `RunError`
    later only if the disk cannot be written any more.
    """
    wanted = rules.check(list(wanted))
    images = Images.load(dataset, split, limit, wanted, shard)
    outcome = Outcome(out / "maps" / dataset.name if shard else out / images.tag)
    plan: list[tuple[Work, dict]] = []
    broken: list[dict] = []
    for choice in choices:
        try:
            with contained():
                method = _ready(choice.create(), dataset)
            record = _record(choice, method, images, wanted)
        except Exception as error:
            if isinstance(error, MissingWeights) and not choice.named:
                outcome.skipped[choice.spec] = one_line(str(error))
                continue
            outcome.failed[choice.spec] = one_line(str(error))
            broken.append(_broken(choice, images, one_line(str(error))))
            continue
        work = Work(choice.spec, method, map_store(out, record), images.pixels)
        if fresh or not _complete(outcome.folder, record, retry_failed):
            plan.append((work, record))
        else:
            outcome.settle(_read_record(outcome.folder, choice.file))
    new = [one for one in broken if one != _read_record(outcome.folder, one["file"])]
    broken = [] if shard else new
    if not (plan or broken):
        return outcome
    check_folders(out, outcome.folder, *(work.store.folder for work, _ in plan))
    todo = [_todo(work, fresh, retry_failed) for work, _ in plan]
    outcome.scored = sum(len(work.images) for work in todo)
    check_room(out, outcome.scored * images.bytes // max(len(images.pixels), 1))
    try:
        for one in broken:
            write_record(outcome.folder, one)
        with progress(f"scoring {dataset.name}", outcome.scored, show) as report:
            score_all(todo, dataset, jobs, report, timeout, _elsewhere(scheduler, out, timeout))
        if shard:
            _settle_shard(plan, outcome)
        else:
            _count_all(plan, images, wanted, jobs, outcome, show)
    except OSError as error:
        raise RunError(
            f"{out}: results cannot be written ({error.strerror or error}); what is done is "
            "kept, the same command continues from there, or name another folder by --out"
        ) from error
    return outcome


def map_store(out: Path, record: dict) -> MapStore:
    """Where the maps behind a record lie in the results folder `out`."""
    name = f"{record['file']}-{record['method_hash']}"
    return MapStore(out / "maps" / record["dataset"] / name)


def _ready(method: Segmenter, dataset: Dataset) -> Segmenter:
    """The method with its weights; raises `MissingWeights` if it needs some and has none."""
    if not isinstance(method, Trainable):
        return method
    trained = method.pretrained(dataset.name)
    if trained.weights is None:
        name = method.registered_name()
        raise MissingWeights(
            f"no weights for {dataset.name}; train them with `istsbench train {name} "
            f"--dataset {dataset.name}`, or name a file by --set {name}.weights=FILE"
        )
    return trained


def _record(choice: Choice, method: Segmenter, images: Images, wanted: Sequence[str]) -> dict:
    """What identifies the counts of a method; equal records mean equal counts."""
    return {
        "format": FORMAT,
        "method": choice.spec,
        "label": choice.label(type(method).card.label),
        "group": type(method).card.group,
        "venue": type(method).card.venue,
        "year": type(method).card.year,
        "status": type(method).card.status,
        "parameters": {
            # What a file holds is part of `method_hash`; where it lies differs by machine.
            key: value.name if isinstance(value, Path) else repr(value)
            for key, value in parameters(method).items()
        },
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
        **training(choice, method),
    }


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
        return read_record(folder / f"{file}.json")
    except (OSError, ValueError):
        return {}


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value


def write_record(folder: Path, record: dict) -> None:
    """Write OUT/TAG/METHOD.json."""
    text = json.dumps(sealed(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / f"{record['file']}.json", f"{text}\n".encode())


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _complete(folder: Path, record: dict, retry_failed: bool) -> bool:
    """Whether just these counts are on disk, undamaged."""
    stored = _read_record(folder, record["file"])
    if any(stored.get(key) != value for key, value in record.items()):
        return False
    failed = stored.get("failed")
    if not isinstance(failed, dict) or LOST in failed.values() or (retry_failed and failed):
        return False
    return stored.get("csv") == _sha(folder / f"{record['file']}.csv") and (
        stored.get("curve") == _sha(folder / "curves" / f"{record['file']}.csv")
    )


def _todo(work: Work, fresh: bool, retry_failed: bool) -> Work:
    """The work less the images whose map, or whose failure, is stored already."""
    missing = {}
    for name, pixels in work.images.items():
        if not fresh:
            if work.store.has(name, pixels):
                continue
            if work.store.failure(name, pixels) is not None and not retry_failed:
                continue
        work.store.forget(name)
        missing[name] = pixels
    return replace(work, images=missing)


def _elsewhere(scheduler: str | None, out: Path, timeout: float | None) -> Run | None:
    if scheduler is None:
        return None
    from istsbench.runs.distributed import on_cluster

    return partial(on_cluster, address=scheduler, folder=out, timeout=timeout)


def _settle_shard(plan: Sequence[tuple[Work, dict]], outcome: Outcome) -> None:
    for work, record in plan:
        failed = {
            name: work.store.failure(name, pixels) or LOST
            for name, pixels in work.images.items()
            if not work.store.has(name, pixels)
        }
        outcome.settle({**record, "images": len(work.images), "failed": failed})


def _count_all(
    plan: Sequence[tuple[Work, dict]],
    images: Images,
    wanted: Sequence[str],
    jobs: int,
    outcome: Outcome,
    show: bool,
) -> None:
    if not plan:
        return
    if (outcome.folder / UNFINISHED.parent).is_dir():
        (outcome.folder / UNFINISHED).touch()
    needed = images.dataset.subset(images.pixels)
    methods = [(work.method.threshold, work.store) for work, _ in plan]
    counts = count_each(methods, needed, images.names, images.tuning, wanted, jobs)
    records: dict[int, dict] = {}
    with closing(counts), progress(f"counting {images.dataset.name}", len(plan), show) as report:
        for number, counted in counts:
            work, record = plan[number]
            if isinstance(counted, Lost):
                raise RunError(
                    f"the process died that counted {work.title} (out of memory?); "
                    "what is done is kept, try fewer --jobs"
                )
            there = set(counted.rows["image"])
            there |= {name for name in images.tuning if work.store.has(name, images.pixels[name])}
            failed = {
                name: work.store.failure(name, pixels) or LOST
                for name, pixels in images.pixels.items()
                if name not in there
            }
            records[number] = write_counts(outcome.folder, record, counted, failed)
            outcome.counted += 1
            report(work.title)
    for number in sorted(records):
        outcome.settle(records[number])


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
        "auc": _number(counted.auc),
        "average_precision": _number(counted.average_precision),
        "failed": dict(failed or {}),
        "csv": hashlib.sha256(csv).hexdigest(),
        "curve": hashlib.sha256(curve).hexdigest(),
        "environment": environment(),
    }
    write_record(folder, record)
    return record
