"""A run: methods x images -> maps -> counts, resumable at the image.

Which files that makes is in `outputs`. A method whose files are complete and were made by the
same code, parameters, data and rules is not touched again.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from istsbench.data.samples import Dataset
from istsbench.errors import DataError, MissingWeights, RunError, WrongUse
from istsbench.metrics import summarise
from istsbench.progress import busy, progress
from istsbench.provenance import method_hash, parameters
from istsbench.registry import Choice
from istsbench.runs.counting import LACKED, Counted, Counting, lacks_columns, write_counts
from istsbench.runs.forecast import costs
from istsbench.runs.handed_in import rule_told
from istsbench.runs.images import Images
from istsbench.runs.learnt import seen, trained
from istsbench.runs.maps import check_folders, check_room
from istsbench.runs.outputs import maps_folder
from istsbench.runs.record import LOST, Record, by_reason, changed, map_store, sound, whole
from istsbench.runs.scoring import Run, Work, one_line, score_all
from istsbench.runs.shards import Named, Shard
from istsbench.segmenter import Segmenter, Trainable
from istsbench.side_effects import contained
from istsbench.threshold import check_rules

DEFAULT_RULES = ("own", "half", "oracle")
COUNTING, COUNTING_COST = "counting", 5e-7  # a piece of the progress; seconds a pixel


@dataclass
class Outcome:
    """What a run came to."""

    folder: Path
    done: list[str] = field(default_factory=list)  # specs with every image counted
    failed: dict[str, str] = field(default_factory=dict)  # spec -> reason
    unmade: list[str] = field(default_factory=list)  # of these: could not be made, so have no row
    skipped: dict[str, str] = field(default_factory=dict)  # spec -> reason, never asked for by name
    scored: int = 0  # images scored in this run
    counted: int = 0  # methods whose counts were written in this run
    notes: list[str] = field(default_factory=list)  # what was asked for and does not hold

    def settle(self, record: Record) -> None:
        """Enter a method's record as done or failed."""
        failed = record.failed
        if not failed:
            self.done.append(record.method)
            return
        many = f"{len(failed)} of {record.images} images failed"
        self.failed[record.method] = (
            f"{many}, the first is {next(iter(failed))}: {by_reason(failed)} "
            "(--retry-failed tries them again)"
        )


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
    shard: Shard | Named | None = None,
    scheduler: str | None = None,
    show: bool = True,
) -> Outcome:
    """Score and count `choices` on a split; see the module for what is written where.

    A method that fails on images is recorded with its reason and the run goes on; one that cannot
    even be made leaves no record, and what it left before stays. `fresh` forgets
    the stored maps of these images first, `retry_failed` that images failed. `timeout` is in
    seconds an image; a method that takes longer has failed on it. A `shard` is scored only:
    nothing is counted, and of the images no other is looked at; so are `Named` images.
    `scheduler` is the address of a Dask cluster that scores instead of `jobs` processes here.
    Raises `DataError`, `WrongUse` or `RunError` before any work is done, and `RunError`
    later only if the disk cannot be written any more or the data are gone.
    """
    wanted = check_rules(list(wanted))
    if timeout is not None and not timeout > 0:  # nan is not greater either
        raise WrongUse(f"timeout is {timeout}, expected seconds above 0")
    with busy(f"reading {dataset.name}", show):
        images = Images.load(dataset, split, limit, wanted, shard)
    outcome = Outcome(maps_folder(out, dataset.name, images.depth) if shard else out / images.tag)
    plan: list[tuple[Work, Record]] = []
    lacking, old, anew = list[str](), list[str](), dict[str, list[str]]()
    borrowed: dict[str, list[str]] = {}  # a note -> specs that it is of
    with busy(f"preparing {len(choices)} methods", show):
        for choice in choices:
            try:
                with contained():
                    method = _ready(choice.create(), dataset)
                record = new_record(choice, method, images, wanted)
            except Exception as error:
                if isinstance(error, MissingWeights) and not choice.named:
                    outcome.skipped[choice.spec] = one_line(str(error))
                    continue
                outcome.failed[choice.spec] = one_line(str(error))
                outcome.unmade.append(choice.spec)
                if (found := sound(outcome.folder, choice.file)) is not None and found.csv:
                    old.append(choice.spec)
                continue
            if note := _borrowed(choice, record):
                borrowed.setdefault(note, []).append(choice.spec)
            work = Work(choice.spec, method, map_store(out, record), images.pixels)
            made = None if fresh else whole(outcome.folder, record, retry_failed)
            if made is not None and lacks_columns(outcome.folder, record):
                if _countable(work, made):
                    made = None
                else:
                    lacking.append(choice.spec)
            if made is None:
                plan.append((work, record))
                if what := changed(outcome.folder, record):
                    anew.setdefault(what, []).append(choice.spec)
            else:
                outcome.settle(made)
    outcome.notes += [f"{', '.join(specs)}: {note}" for note, specs in borrowed.items()]
    outcome.notes += [
        f"{', '.join(specs)}: the {what} changed since the counts there were made; made anew now"
        for what, specs in anew.items()
    ]
    if old:
        outcome.notes.append(f"{', '.join(old)}: the row shown is of an earlier run, not of now")
    if lacking:
        outcome.notes.append(
            f"{', '.join(lacking)}: counted by an earlier version, without {LACKED}, and the maps "
            "are not all here; the counts are left as they are, --fresh scores and counts anew"
        )
    if not plan:
        return outcome
    if not shard:
        _check_folder(outcome.folder, [record for _, record in plan])
    check_folders(out, outcome.folder, *(work.store.folder for work, _ in plan))
    todo = [_todo(work, fresh, retry_failed) for work, _ in plan]
    outcome.scored = sum(len(work.images) for work in todo)
    elsewhere: Run | None = None
    if scheduler is not None:
        from istsbench.runs.cluster import on_cluster

        elsewhere = partial(on_cluster, address=scheduler, folder=out, timeout=timeout)
    if scheduler is not None or timeout is not None:
        outcome.notes += _not_kept(todo, timeout, scheduler)
    check_room(out, outcome.scored * images.bytes // max(len(images.pixels), 1))
    counting, records = None, dict[int, Record]()
    if not shard:
        every = dataset.subset(images.pixels)
        counting = Counting(every, images.names, images.tuning, tuple(wanted))
    try:
        for work in todo:
            if fresh:
                work.store.forget(*work.images)
            if work.images:
                work.store.stamp(fresh, work.method.computes_on())
        pieces = {work.title: len(work.images) for work in todo}
        pieces[COUNTING] = 0 if shard else len(todo)
        expected = _costs(images, todo, jobs) if show else {}
        with progress(f"scoring {dataset.name}", pieces, show, expected, jobs) as report:

            def finish(number: int, counted: Counted) -> None:
                work, record = plan[number]
                failed = _left_out(work, images, counted)
                notes = record.notes + rule_told(work.method, counted.masks)
                record = replace(record, notes=notes)
                made = write_counts(outcome.folder, record, counted, work.store, failed)
                records[number] = made
                report(COUNTING)
                if show:
                    print(_row(made, counted), file=sys.stderr)

            score_all(
                todo, dataset, jobs, report, timeout, elsewhere,
                counting, finish,
            )  # fmt: skip
        if shard:
            _settle_shard(plan, outcome)
        outcome.counted = len(records)
        for number in sorted(records):
            outcome.settle(records[number])
    except DataError as error:
        raise RunError(
            f"{error}; what is done is kept, the same command continues from there"
        ) from error
    except OSError as error:
        raise RunError(
            f"{out}: results cannot be written ({error.strerror or error}); what is done is "
            "kept, the same command continues from there, or name another folder by --out"
        ) from error
    return outcome


def new_record(choice: Choice, method: Segmenter, images: Images, wanted: Sequence[str]) -> Record:
    """The record of a method before it is counted."""
    card, learns = type(method).card, isinstance(method, Trainable)
    return Record(
        method=choice.spec,
        label=choice.label(card.label),
        group=card.group,
        venue=card.venue,
        year=card.year,
        status=card.status,
        parameters={
            # What a file holds is part of `method_hash`; where it lies differs by machine.
            key: value.name if isinstance(value, Path) else repr(value)
            for key, value in parameters(method).items()
        },
        own=repr(method.threshold),
        file=choice.file,
        method_hash=method_hash(method),
        tuning_hash=images.hash(images.tuning) if images.tuning else None,
        wanted=tuple(wanted),
        notes=(*images.notes, *(seen(method, images) if learns else ())),
        trained=trained(choice, method, images) if learns else None,
        **images.fields(),
    )


def _check_folder(results: Path, records: Sequence[Record]) -> None:
    """Refuse to replace the results of another folder of images that is called alike."""
    for record in records:
        found = sound(results, record.file)
        if found is None or found.folder in (None, record.folder):
            continue
        if found.data_hash != record.data_hash:
            raise RunError(
                f"{results} holds results of another folder called {record.title}; name "
                "another place for these by --out"
            )


def _ready(method: Segmenter, dataset: Dataset) -> Segmenter:
    """The method with its weights; raises `MissingWeights` if it needs some and has none."""
    if not isinstance(method, Trainable):
        return method
    trained = method.pretrained(dataset.name)
    if trained.weights is None:
        name = method.registered_name()
        raise MissingWeights(
            f"no weights for {dataset.name}; train them with `istsbench train {name} "
            f"--dataset {shlex.quote(dataset.address)}`, or name a file by "
            f"--set {name}.weights=FILE"
        )
    return trained


def _borrowed(choice: Choice, record: Record) -> str:
    """What is to be said of weights that are of another data set for want of better."""
    trained = record.trained
    if trained is None or any(name == "weights" for name, _ in choice.changes):
        return ""
    if trained.dataset == record.dataset:
        return ""
    return f"no weights for {record.title}, those of {trained.title} are used"


def _todo(work: Work, fresh: bool, retry_failed: bool) -> Work:
    """The work less the images whose map, or whose failure, is stored already."""
    missing = {}
    for name, pixels in work.images.items():
        if not fresh and work.store.has(name, pixels):
            continue
        if not (fresh or retry_failed) and work.store.failure(name, pixels) is not None:
            continue
        missing[name] = pixels
    return replace(work, images=missing)


def _not_kept(todo: Sequence[Work], timeout: float | None, scheduler: str | None) -> list[str]:
    """What does not hold for networks, which score in the process of the run."""
    batched = ", ".join(work.title for work in todo if work.method.batched and work.images)
    asked = {"--timeout": timeout, "--scheduler": scheduler}
    return [
        f"{option} does not hold for {batched}: networks score in the process of the run"
        for option, value in asked.items()
        if batched and value is not None
    ]


def _countable(work: Work, made: Record) -> bool:
    """Whether the maps behind counts are all there, so that they can be counted again."""
    return all(
        work.store.has(name, pixels)
        for name, pixels in work.images.items()
        if name not in made.failed
    )


def _settle_shard(plan: Sequence[tuple[Work, Record]], outcome: Outcome) -> None:
    for work, record in plan:
        failed = {
            name: work.store.failure(name, pixels) or LOST
            for name, pixels in work.images.items()
            if not work.store.has(name, pixels)
        }
        outcome.settle(replace(record, images=len(work.images), failed=failed))


def _left_out(work: Work, images: Images, counted: Counted) -> dict[str, str]:
    """The images without counts, and why."""
    there = set(counted.rows["image"])
    there |= {name for name in images.tuning if work.store.has(name, images.pixels[name])}
    there -= {*counted.refused}
    return {
        name: counted.refused.get(name) or work.store.failure(name, pixels) or LOST
        for name, pixels in images.pixels.items()
        if name not in there
    }


def _row(record: Record, counted: Counted) -> str:
    """A row as it is said when it is ready; the table has the other scores."""
    if record.failed:
        return f"{record.label}: {len(record.failed)} of {record.images} images failed"
    rule = next(iter(record.rules))
    rows = counted.rows[counted.rows["rule"] == rule]
    found, seconds = summarise(rows, "image"), rows["seconds"].median()
    scores = f"F1 {found['f1']:.3f}, IoU {found['iou']:.3f}"
    took = f"median {seconds:.4f} s an image"
    return f"{record.label}: {scores} (rule {rule}, mean over images), {took}"


def _costs(images: Images, todo: Sequence[Work], jobs: int) -> dict[str, float]:
    """Expected seconds of one image by method, and of counting one method, in each of `jobs`."""
    pixels, known = images.bytes / 4 / max(len(images.pixels), 1), costs()
    found = {COUNTING: COUNTING_COST * images.bytes / 4}
    for work in todo:
        cost = known.get(work.title.partition("(")[0])
        if cost is not None and work.method.computes_on() == "cpu":
            # Networks score in this process while no other does: an image holds up all jobs.
            found[work.title] = cost.of(pixels) * (jobs if work.method.batched else 1)
    return found
