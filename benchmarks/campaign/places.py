"""Disks, folders, clocks and other runs that get in the way, as faults of the campaign."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from campaign.ground import METHODS, PATIENCE, Ground, Skipped, Trial, difference, litter, stamps


def file_size(ground: Ground) -> Iterator[Trial]:
    """a file system that refuses bytes (RLIMIT_FSIZE)"""
    words = ("--methods", METHODS)
    for _ in ground.times(3):
        out = ground.new()
        limit = int(ground.rng.integers(1000, 5000))
        code, text = ground.call(
            *ground.run_words(out, *words),
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit,) * 2),
        )
        trial = ground.finish(out, *words)
        said = code == 1 and "cannot be written" in text and not litter(out)
        yield Trial(trial.survived and said, trial.lost, trial.equal, "" if said else text[-200:])


def _mounted(ground: Ground, script: str, out: Path, words: tuple[object, ...]) -> Iterator[Trial]:
    """A shell script with mounts that only it sees; it says `said` where an error is in order."""
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "x", "/mnt"]).returncode:
        raise Skipped("this system lets no user mount a file system (unshare -rm)")
    out.mkdir()
    run = shlex.join(ground.command(*ground.run_words(out, *words)))
    head = f"out={shlex.quote(str(out))}; first={shlex.quote(str(ground.folder / 'first'))}\n"
    head += f"run() {{ {run}; }}\nmaps() {{ find $out/maps -name '*.npy' | wc -l; }}\n"
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", head + script], env=ground.environment, text=True,
        capture_output=True, cwd=ground.folder, timeout=PATIENCE,
    )  # fmt: skip
    text = (ground.folder / "first").read_text()
    said = "cannot be written" in text and "Traceback" not in text
    trial = ground.finish(out, *words)
    note = "" if said else text[-200:] + done.stderr[-200:]
    yield Trial(
        trial.survived and said and not done.returncode, trial.lost, trial.equal,
        note or trial.note,
    )  # fmt: skip


def disk_full(ground: Ground) -> Iterator[Trial]:
    """a disk (tmpfs) that fills up half-way"""
    script = """
mount -t tmpfs -o size=60m tmpfs $out
run > $first 2>&1 & pid=$!
until [ $(maps) -ge 4 ] || ! kill -0 $pid; do sleep 0.02; done
head -c 100m /dev/zero > $out/ballast
wait $pid; code=$?
rm $out/ballast
mkdir $out.kept && cp -a $out/. $out.kept && umount $out && cp -a $out.kept/. $out
[ $code = 1 ]
"""
    for _ in ground.times(3):
        yield from _mounted(ground, script, ground.new(), ("--methods", METHODS))


def read_only(ground: Ground) -> Iterator[Trial]:
    """a results folder that is read-only from the start"""
    script = """
mount --bind $out $out && mount -o remount,bind,ro $out
run > $first 2>&1
[ $? = 1 ]
"""
    for _ in ground.times(2):
        yield from _mounted(ground, script, ground.new(), ("--methods", METHODS))


def read_only_later(ground: Ground) -> Iterator[Trial]:
    """a results folder that becomes read-only half-way"""
    script = """
mount --bind $out $out
run > $first 2>&1 & pid=$!
until [ $(maps) -ge 4 ] || ! kill -0 $pid; do sleep 0.02; done
until mount -o remount,bind,ro $out; do :; done
wait $pid
[ $? = 1 ]
"""
    for _ in ground.times(3):
        yield from _mounted(ground, script, ground.new(), ("--methods", METHODS))


def _moved(ground: Ground, place: Callable[[Path], Path], back: bool, jobs: int) -> Iterator[Trial]:
    words = ("--methods", METHODS, "--jobs", jobs)
    reference = ground.reference(*words)[0]
    out = ground.new()
    process = ground.start(*ground.run_words(out, *words))
    ground.wait_for(out, int(ground.rng.integers(2, 12)), process)
    path, aside = place(out), ground.folder / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    text = process.communicate()[0]
    if back:
        aside.rename(path)
    kept = len(stamps(out))
    trial = ground.finish(out, *words, *(() if back else ("--retry-failed",)))
    lost = 0 if kept or not back else 1
    unlike = difference(reference, out)
    said = "Traceback" not in text
    yield Trial(
        trial.survived and said,
        trial.lost + lost,
        not unlike,
        unlike or "" if said else text[-300:],
    )


def unplugged(ground: Ground) -> Iterator[Trial]:
    """the data folder unplugged half-way, then back"""
    for _ in ground.times(3):
        yield from _moved(ground, lambda out: ground.data, True, int(ground.rng.integers(1, 3)))


def maps_gone(ground: Ground) -> Iterator[Trial]:
    """the folder of maps removed half-way (`--retry-failed`)"""
    for _ in ground.times(3):
        yield from _moved(ground, lambda out: out / "maps", False, int(ground.rng.integers(1, 3)))


def two_runs(ground: Ground) -> Iterator[Trial]:
    """two runs at once on one folder"""
    for _ in ground.times(3):
        yield from _together(ground, killed=False)


def two_runs_one_killed(ground: Ground) -> Iterator[Trial]:
    """two runs at once on one folder, one of them killed"""
    for _ in ground.times(3):
        yield from _together(ground, killed=True)


def _together(ground: Ground, killed: bool) -> Iterator[Trial]:
    words = ("--methods", METHODS)
    seconds = ground.reference(*words)[1]
    out = ground.new()
    pair = [ground.start(*ground.run_words(out, *words, "--jobs", jobs)) for jobs in (1, 2)]
    if killed:
        time.sleep(ground.rng.uniform(0.5, seconds))
        os.killpg(pair[0].pid, signal.SIGKILL)
    texts = [process.communicate()[0] for process in pair]
    codes = [process.returncode for process in pair][killed:]
    trial = ground.finish(out, *words)
    note = trial.note or ("" if not any(codes) else texts[-1][-300:])
    yield Trial(trial.survived and not any(codes), trial.lost, trial.equal, note)


def clock(ground: Ground) -> Iterator[Trial]:
    """a clock set back or forward: files a year old or a year ahead, half-way"""
    words = ("--methods", METHODS)
    for turn in ground.times(4, 2):
        out = ground.new()
        process = ground.start(*ground.run_words(out, *words))
        ground.wait_for(out, int(ground.rng.integers(2, 16)), process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        moved = time.time() + (-1) ** turn * 365 * 86400
        for path in [*out.rglob("*"), *ground.data.rglob("*")]:
            os.utime(path, (moved, moved))
        yield ground.finish(out, *words, flying=1)


FAULTS = {
    "file-size": file_size,
    "disk-full": disk_full,
    "read-only": read_only,
    "read-only-later": read_only_later,
    "unplugged": unplugged,
    "maps-gone": maps_gone,
    "two-runs": two_runs,
    "two-runs-one-killed": two_runs_one_killed,
    "clock": clock,
}
