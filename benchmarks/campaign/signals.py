"""Processes that are killed, stopped and continued, as faults of the campaign."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from campaign.damage import NETWORK, TRAINING, epochs_done, unlike_training
from campaign.ground import METHODS, Fault, Ground, Trial, until

BOTH = ("--methods", METHODS, "--jobs", 2)


def _sent(number: int, jobs: int, to: Callable[[int, int], None]) -> Callable[[Ground], Trial]:
    """A signal at a random moment, from the start of a run to its last figure."""

    def attempt(ground: Ground) -> Trial:
        words = ("--methods", METHODS, "--jobs", jobs)
        seconds = ground.reference(*words)[1]
        while True:
            out = ground.new()
            process = ground.start(*ground.run(out, *words))
            time.sleep(ground.rng.uniform(0.3, 0.9 * seconds))
            if process.poll() is None:
                break
            process.communicate()  # it was faster this time
        to(process.pid, number)
        process.communicate()
        until(lambda: not _group(process.pid))
        return ground.finish(out, *words, flying=jobs)

    return attempt


def _group(leader: int) -> list[int]:
    """The processes that still run in the group of `leader`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def kill_worker(ground: Ground) -> Trial:
    out, process = ground.started(*BOTH, maps=int(ground.rng.integers(2, 10)))
    workers = [pid for pid in _group(process.pid) if pid != process.pid and _scores(pid)]
    if workers:
        os.kill(int(ground.rng.choice(workers)), signal.SIGKILL)
    text = process.communicate()[0]
    return ground.finish(out, *BOTH, wrong=text[-200:] if process.returncode else "")


def _scores(pid: int) -> bool:
    """Whether a process is one that scores, not a tracker of resources."""
    try:
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop_and_go(ground: Ground) -> Trial:
    out, process = ground.started(*BOTH, maps=3)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.1)
    text = process.communicate()[0]
    return ground.finish(out, *BOTH, wrong=text[-200:] if process.returncode else "")


def kill_training(ground: Ground) -> Trial:
    words = ("train", NETWORK, "--dataset", f"folder:{ground.data}", *TRAINING)
    whole = ground.folder / "whole"
    begun = time.monotonic()
    if not whole.is_dir():
        ground.call(*words, "--out", whole)
        ground.references[words] = whole, time.monotonic() - begun
    out, lost, done = ground.new(), 0, 0
    while not (out / "last.safetensors").is_file():
        for kill in (True, False):  # each epoch is killed once and then done
            process = ground.start(*words, "--out", out, "--max-minutes", 0)
            if kill:
                time.sleep(ground.rng.uniform(0.5, ground.references[words][1]))
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            text = process.communicate()[0]
            before, done = done, epochs_done(out)
            lost += max(0, before - done)
        if process.returncode or done == before == 0:
            return Trial(False, lost, False, text[-200:])
    unlike = unlike_training(whole, out)
    return Trial(True, lost, not unlike, unlike)


FAULTS = {
    "kill-run": Fault(
        "kill -9 of a run, one process", _sent(signal.SIGKILL, 1, os.killpg), 20, short=2
    ),
    "kill-parallel": Fault(
        "kill -9 of a run, `--jobs 2`, all its processes", _sent(signal.SIGKILL, 2, os.killpg), 6
    ),
    "kill-parent": Fault(
        "kill -9 of the main process alone, `--jobs 2`", _sent(signal.SIGKILL, 2, os.kill), 3
    ),
    "kill-worker": Fault(
        "kill -9 of a worker process, `--jobs 2`: the same run goes on", kill_worker, 4
    ),
    "kill-training": Fault("kill -9 of a training that is done an epoch a call", kill_training, 7),
    "terminate": Fault("SIGTERM, as a batch system sends", _sent(signal.SIGTERM, 2, os.killpg), 3),
    "interrupt": Fault("SIGINT, Ctrl-C", _sent(signal.SIGINT, 2, os.killpg), 3),
    "stop-and-go": Fault("SIGSTOP and SIGCONT, a suspended machine", stop_and_go, 3),
}
