"""Methods on files without labels: masks, maps and targets, resumable at the frame.

What is written where is in `apply_outputs`. A picture that cannot be read, or that a method
fails on, is named and the others go on; a later call tries it again.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from istsbench.data.depth import Depth
from istsbench.data.frames import InputFile, find_sources, read_frames
from istsbench.errors import BrokenMethod, DataError, MissingWeights, RunError, WrongUse
from istsbench.progress import Progress, progress
from istsbench.registry import Choice
from istsbench.runs.apply_outputs import BOXES, MARKER, Done, Outputs
from istsbench.runs.forecast import BASE, costs
from istsbench.runs.maps import check_folders
from istsbench.runs.pool import Begin, Lost, in_processes
from istsbench.runs.scoring import LOSSES
from istsbench.runs.segmenting import rule_named, said, scored_or_why, with_weights
from istsbench.runs.targets import Segmented
from istsbench.segmenter import Segmenter, Trainable
from istsbench.side_effects import one_thread
from istsbench.threshold import Threshold


@dataclass
class Applied:
    """What a call came to for one method."""

    spec: str
    folder: Path
    names: list[str] = field(default_factory=list)  # files and folders written below it
    frames: int = 0  # done, in this call or before
    before: int = 0  # of these: done by an earlier call
    targets: int = 0
    empty: int = 0  # frames with nothing above the threshold
    deep: int = 0  # frames of more than 8 bit
    cut: int = 0  # frames with levels beyond those of --depth
    failed: dict[str, str] = field(default_factory=dict)  # frame -> why
    beyond: int = 0  # frames whose level is above every value of the map
    highest: float | None = None  # value of all maps
    full: int = 0  # frames that are one target
    rule: str = ""  # in words
    notes: list[str] = field(default_factory=list)  # of its weights, and of what else is there


@dataclass(frozen=True)
class Task:
    """One method, its rule, and where its outputs go; sent to each process."""

    title: str
    method: Segmenter
    rule: Threshold | None
    outputs: Outputs


@dataclass(frozen=True)
class _Frame:
    """One frame that is still to be done."""

    source: InputFile
    number: int
    digest: str

    @property
    def output(self) -> str:
        return self.source.output(self.number)


def apply_files(
    choices: Sequence[Choice],
    inputs: Iterable[Path],
    out: Path,
    *,
    threshold: str = "own",
    depth: str = "image",
    maps: bool = False,
    overlays: bool = False,
    boxes: Collection[str] = (),
    jobs: int = 1,
    device: str | None = None,
    show: bool = True,
) -> tuple[list[Applied], list[str]]:
    """Apply methods to files and folders; returns what came of each, and what is to be said.

    `threshold` is `own`, `half` or a level; `depth` as `--depth` of the command. `jobs` are
    processes; networks score in this one. What is there already is not done again.

    Raises `WrongUse` before any work for inputs that are not there or whose outputs would have
    one name, for outputs in `out` that were made otherwise, and `MissingWeights` or
    `BrokenMethod` for a method that was asked for by name and cannot be made.
    """
    scale = Depth.read(depth)
    unknown = sorted(set(boxes) - set(BOXES))
    if unknown:
        raise WrongUse(f"--boxes {unknown[0]!r}; expected {' or '.join(BOXES)}")
    found = find_sources(inputs, MARKER, out)
    notes = list(found.notes)
    asked = frozenset([*boxes, *["maps"] * maps, *["overlays"] * overlays])
    tasks: list[tuple[Task, Choice]] = []
    results: list[Applied] = []
    for choice in choices:
        try:
            method, note = with_weights(choice.create(), device)
        except (MissingWeights, BrokenMethod) as error:
            if choice.named:
                raise
            notes.append(f"skipped: {choice.spec}: {error}")
            continue
        outputs = Outputs(out / choice.file, asked)
        tasks.append((Task(choice.spec, method, rule_named(threshold, method), outputs), choice))
        rule = said(tasks[-1][0].rule)
        notes_of = [note] if note else []
        results.append(Applied(choice.spec, outputs.folder, notes=notes_of, rule=rule))
    _check_device(device, [task.method for task, _ in tasks])
    digests, unread = _digests(found.sources)
    waiting: list[list[_Frame]] = []
    for (task, choice), result in zip(tasks, results, strict=True):
        check_folders(task.outputs.folder)
        task.outputs.claim(choice, task.method, task.rule, depth)
        result.failed |= found.refused | unread
        waiting.append(_waiting(task, found.sources, digests))
    pieces = {task.title: len(todo) for (task, _), todo in zip(tasks, waiting, strict=True)}
    known = costs()
    names = {task.title: choice.name for task, choice in tasks}
    expected = {title: known[name].of(BASE) for title, name in names.items() if name in known}
    try:
        with progress("applying", pieces, show, expected, jobs) as report:
            for (task, _), result, todo in zip(tasks, results, waiting, strict=True):
                _apply(task, todo, scale, jobs, result, report)
                # At once: a call that is stopped leaves whole tables of the methods before.
                _settle(task, result, found.sources, digests, todo)
    except OSError as error:
        raise RunError(
            f"{out}: outputs cannot be written ({error.strerror or error}); what is done is kept, "
            "the same command goes on from there"
        ) from error
    return results, notes


def _check_device(device: str | None, methods: Sequence[Segmenter]) -> None:
    if device is None:
        return
    if not any(isinstance(method, Trainable) and hasattr(method, "device") for method in methods):
        raise WrongUse(f"--device {device} is for networks; none is among the methods")
    import torch

    try:
        torch.empty(1, device=device if device != "auto" else "cpu")
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        raise WrongUse(
            f"--device {device}: {reason}; expected {', '.join(['auto', 'cpu', *there])}"
        ) from error


def _digests(sources: Sequence[InputFile]) -> tuple[dict[Path, str], dict[str, str]]:
    """The hash of each file, and why some cannot be read."""
    digests, failed = {}, {}
    for source in sources:
        try:
            digests[source.path] = source.digest()
        except DataError as error:
            failed[str(source.path)] = str(error)
    return digests, failed


def _waiting(task: Task, sources: Sequence[InputFile], digests: Mapping[Path, str]) -> list[_Frame]:
    """The frames to be done; raises `WrongUse` where another picture's outputs are in place."""
    done, waiting = task.outputs.done(), list[_Frame]()
    now = {str(source.path.resolve()): digests.get(source.path) for source in sources}
    for source in sources:
        digest = digests.get(source.path)
        if digest is None:
            continue
        for number in range(source.frames):
            frame = _Frame(source, number, digest)
            made = done.get(frame.output)
            if made is not None and made.digest == digest and made.found.frame == number:
                if task.outputs.is_whole(frame.output):
                    continue
            elif made is not None and made.source != str(source.path.resolve()):
                raise WrongUse(
                    f"{task.outputs.folder} holds outputs called {frame.output} of another "
                    f"picture, {made.source}; give another --out for {source.path}"
                )
            waiting.append(frame)
    for name, made in done.items():  # also what it has under another name, or of a page that went
        if now.get(made.source) not in (None, made.digest):
            task.outputs.forget(name)
    return waiting


def _images(
    waiting: Sequence[_Frame], depth: Depth, result: Applied, report: Progress
) -> Iterator[tuple[_Frame, Segmented, np.ndarray]]:
    """The frames that can be read, each as an image, float64 (H, W) of 0..255."""
    by_source: dict[InputFile, list[_Frame]] = {}
    for frame in waiting:
        by_source.setdefault(frame.source, []).append(frame)
    for source, frames in by_source.items():
        numbers = {frame.number: frame for frame in frames}
        for number, picture in read_frames(source, numbers):
            try:
                if isinstance(picture, DataError):
                    raise picture
                image, cut = depth.scaled(picture, source.path.name)
            except DataError as error:
                why = str(error).removeprefix(f"{source.path.name}: ")  # the label has the name
                result.failed[source.label(number)] = why
                report(result.spec)
                continue
            frame = numbers[number]
            told = source.title, number, frame.output
            yield frame, Segmented.empty(*told, image, picture.deep, cut), image


def _apply(
    task: Task,
    waiting: Sequence[_Frame],
    depth: Depth,
    jobs: int,
    result: Applied,
    report: Progress,
) -> None:
    images = _images(waiting, depth, result, report)
    if jobs > 1 and not task.method.batched and len(waiting) > 1:
        answers = _in_processes(task, images, min(jobs, len(waiting)))
    else:
        answers = _here(task, images)
    with closing(answers):
        for frame, answer in answers:
            if isinstance(answer, str):
                result.failed[frame.source.label(frame.number)] = f"{task.title}: {answer}"
            else:
                source = str(frame.source.path.resolve())
                task.outputs.note(Done(answer, source, frame.digest))
            report(task.title)


_Images = Iterator[tuple[_Frame, Segmented, np.ndarray]]
_Answers = Generator[tuple[_Frame, Segmented | str], None, None]


def _here(task: Task, images: _Images) -> _Answers:
    with nullcontext() if task.method.batched else one_thread():  # networks see to it themselves
        while many := list(islice(images, task.method.images_at_once())):
            scored = scored_or_why(task.method, task.rule, [image for *_, image in many])
            for (frame, empty, image), one in zip(many, scored, strict=True):
                if isinstance(one, str):
                    yield frame, one
                else:
                    yield frame, task.outputs.save(empty, image, one)


def _until_lost(images: _Images, lost: list[_Frame]) -> _Images:
    """The images as long as fewer than `LOSSES` frames have cost a process its life."""
    while len(lost) < LOSSES and (one := next(images, None)) is not None:
        yield one


def _in_processes(task: Task, images: _Images, jobs: int) -> _Answers:
    lost: list[_Frame] = []
    left = _until_lost(images, lost)
    with closing(in_processes(_in_worker, task, left, jobs)) as answers:
        for (frame, *_), answer in answers:
            if isinstance(answer, Lost):
                lost.append(frame)
            yield frame, answer.reason if isinstance(answer, Lost) else answer
    for frame, *_ in images:
        yield frame, f"not tried, since the process died on {LOSSES} others"


def _in_worker(
    task: Task, frame: _Frame, empty: Segmented, image: np.ndarray, begin: Begin
) -> Segmented | str:
    begin(False)
    (scored,) = scored_or_why(task.method, task.rule, [image])
    return scored if isinstance(scored, str) else task.outputs.save(empty, image, scored)


def _settle(
    task: Task,
    result: Applied,
    sources: Sequence[InputFile],
    digests: Mapping[Path, str],
    waiting: Sequence[_Frame],
) -> None:
    """Write the table of the inputs of this call, and count what is done of them."""
    done = task.outputs.done()
    named = {source.output(number): source for source in sources for number in range(source.frames)}
    found = [
        replace(done[name].found, image=source.title)
        for name, source in sorted(named.items())
        if name in done and done[name].digest == digests.get(source.path)
    ]
    tried = {frame.output for frame in waiting}
    result.frames = len(found)
    result.before = sum(one.output not in tried for one in found)
    result.targets = sum(len(one.targets) for one in found)
    result.empty = sum(not one.targets for one in found)
    result.deep = sum(one.deep for one in found)
    result.cut = sum(one.cut > 0 for one in found)
    result.beyond = sum(one.beyond for one in found)
    result.full = sum(one.full for one in found)
    result.highest = max((one.highest for one in found if one.highest is not None), default=None)
    result.names, kept = task.outputs.summarise(task.title, found)
    result.notes += kept
    others = [one for name, one in done.items() if name not in named]
    if others:
        here = {str(source.path.resolve()) for source in sources}
        same = any(one.source in here for one in others)
        pictures = dict.fromkeys((one.source, one.found.image) for one in others)
        result.notes.append(
            f"{task.outputs.folder} also holds outputs of {len(pictures)} "
            f"picture{'' if len(pictures) == 1 else 's'} not among these inputs"
            f"{', or under another name then' if same else ''}, as "
            f"{next(iter(pictures))[1]}; targets.csv does not list them"
        )
