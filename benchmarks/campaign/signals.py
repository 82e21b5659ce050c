"""Processes that are killed, stopped and continued, as faults of the campaign."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from campaign.corruption import epoch_of, unlike_training
from campaign.ground import METHODS, Ground, Trial, litter, until

KILLS = 20


def _signalled(
    ground: Ground, number: int, tries: int, jobs: int, whole: bool = True
) -> Iterator[Trial]:
    """Send a signal at random moments, from the start of a run to its last figure."""
    words = ("--methods", METHODS, "--jobs", jobs)
    seconds = ground.reference(*words)[1]
    sent = 0
    while sent < tries:
        out = ground.new()
        process = ground.start(*ground.run_words(out, *words))
        time.sleep(ground.rng.uniform(0.3, 0.9 * seconds))
        if process.poll() is not None:  # it was faster this time
            process.communicate()
            continue
        (os.killpg if whole else os.kill)(process.pid, number)
        process.communicate()
        sent += 1
        until(lambda pid=process.pid: not _group(pid))
        trial = ground.finish(out, *words, flying=jobs)
        yield trial if trial.note else Trial(*_plain(trial), note=_left(out))


def _plain(trial: Trial) -> tuple[bool, int, bool]:
    return trial.survived, trial.lost, trial.equal


def _left(out: Path) -> str:
    left = litter(out)
    return f"{left} unfinished files stay for a day" if left else ""


def _group(leader: int) -> list[int]:
    """The processes that still run in the group of `leader`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def kill_run(ground: Ground) -> Iterator[Trial]:
    """kill -9 of a run, one process"""
    yield from _signalled(ground, signal.SIGKILL, len(ground.times(KILLS, 2)), 1)


def kill_parallel(ground: Ground) -> Iterator[Trial]:
    """kill -9 of a run, `--jobs 2`, all its processes"""
    yield from _signalled(ground, signal.SIGKILL, len(ground.times(6)), 2)


def kill_parent(ground: Ground) -> Iterator[Trial]:
    """kill -9 of the main process alone, `--jobs 2`"""
    yield from _signalled(ground, signal.SIGKILL, len(ground.times(3)), 2, whole=False)


def terminate(ground: Ground) -> Iterator[Trial]:
    """SIGTERM, as a batch system sends"""
    yield from _signalled(ground, signal.SIGTERM, len(ground.times(3)), 2)


def interrupt(ground: Ground) -> Iterator[Trial]:
    """SIGINT, Ctrl-C"""
    yield from _signalled(ground, signal.SIGINT, len(ground.times(3)), 2)


def kill_worker(ground: Ground) -> Iterator[Trial]:
    """kill -9 of a worker process, `--jobs 2`: the same run goes on"""
    words = ("--methods", METHODS, "--jobs", 2)
    for _ in ground.times(4):
        out = ground.new()
        process = ground.start(*ground.run_words(out, *words))
        ground.wait_for(out, int(ground.rng.integers(2, 10)), process)
        workers = [pid for pid in _group(process.pid) if pid != process.pid and _busy(pid)]
        if workers:
            os.kill(int(ground.rng.choice(workers)), signal.SIGKILL)
        code = (process.communicate()[0], process.returncode)[1]
        trial = ground.finish(out, *words)
        yield Trial(trial.survived and code == 0, trial.lost, trial.equal, trial.note)


def _busy(pid: int) -> bool:
    """Whether a process is one that scores, not a tracker of resources."""
    try:
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop_and_go(ground: Ground) -> Iterator[Trial]:
    """SIGSTOP and SIGCONT, a suspended machine"""
    words = ("--methods", METHODS, "--jobs", 2)
    for _ in ground.times(3):
        out = ground.new()
        process = ground.start(*ground.run_words(out, *words))
        ground.wait_for(out, 3, process)
        for _ in range(3):
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGCONT)
            time.sleep(0.1)
        process.communicate()
        trial = ground.finish(out, *words)
        yield Trial(trial.survived and process.returncode == 0, trial.lost, trial.equal, trial.note)


def kill_training(ground: Ground) -> Iterator[Trial]:
    """kill -9 of a training that is done an epoch a call"""
    epochs = 3
    words = (
        "train", "acm(blocks=1,stem=tiny)", "--dataset", f"folder:{ground.data}", "--epochs",
        epochs, "--patch", 32, "--batch", 2, "--device", "cpu",
    )  # fmt: skip
    whole = ground.folder / "whole"
    if not whole.is_dir():
        begun = time.monotonic()
        ground.call(*words, "--out", whole)
        ground.epoch_seconds = time.monotonic() - begun
    sent, tries = 0, len(ground.times(KILLS))
    while sent < tries:
        out, done = ground.new(), 0
        while not (out / "last.safetensors").is_file():
            process = ground.start(*words, "--out", out, "--max-minutes", 0)
            if sent < tries:
                time.sleep(ground.rng.uniform(0.5, ground.epoch_seconds))
            if sent < tries and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                sent += 1
                now = epoch_of(out)
                yield Trial(True, max(0, done - now), True)
            else:
                text = process.communicate()[0]
                now = epoch_of(out)
                further = now > done or (out / "last.safetensors").is_file()
                if process.returncode or not further:
                    yield Trial(False, 0, False, text.strip().splitlines()[-1])
                    break
            done = now
        unlike = unlike_training(whole, out)
        if unlike:
            yield Trial(True, 0, False, unlike)


FAULTS = {
    "kill-run": kill_run,
    "kill-parallel": kill_parallel,
    "kill-parent": kill_parent,
    "kill-worker": kill_worker,
    "kill-training": kill_training,
    "terminate": terminate,
    "interrupt": interrupt,
    "stop-and-go": stop_and_go,
}
