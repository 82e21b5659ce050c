"""Disks, folders, clocks and other runs that get in the way, as faults of the campaign."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from campaign.ground import METHODS, PATIENCE, Fault, Ground, Skipped, Trial, stamps

WORDS = ("--methods", METHODS)
FILL = """
mount -t tmpfs -o size=60m tmpfs $out
run > $first 2>&1 & pid=$!
until [ $(maps) -ge 4 ] || ! kill -0 $pid; do sleep 0.02; done
head -c 100m /dev/zero > $out/ballast
wait $pid; code=$?
rm $out/ballast
mkdir $out.kept && cp -a $out/. $out.kept && umount $out && cp -a $out.kept/. $out
[ $code = 1 ]
"""
CLOSE = """
mount --bind $out $out && mount -o remount,bind,ro $out
run > $first 2>&1
[ $? = 1 ]
"""
CLOSE_LATER = """
mount --bind $out $out
run > $first 2>&1 & pid=$!
until [ $(maps) -ge 4 ] || ! kill -0 $pid; do sleep 0.02; done
until mount -o remount,bind,ro $out; do :; done
wait $pid
[ $? = 1 ]
"""


def _mounted(script: str) -> Callable[[Ground], Trial]:
    """A shell script with mounts that only it sees; it must end well, and the run say why not."""

    def attempt(ground: Ground) -> Trial:
        if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "x", "/mnt"]).returncode:
            raise Skipped("this system lets no user mount a file system (unshare -rm)")
        out, first = ground.new(), ground.folder / "first"
        out.mkdir()
        head = f"out={shlex.quote(str(out))}; first={shlex.quote(str(first))}\n"
        head += f"run() {{ {shlex.join(ground.command(*ground.run(out, *WORDS)))}; }}\n"
        head += "maps() { find $out/maps -name '*.npy' | wc -l; }\n"
        done = subprocess.run(
            ["unshare", "-rm", "bash", "-c", head + script], env=ground.environment, text=True,
            capture_output=True, cwd=ground.folder, timeout=PATIENCE,
        )  # fmt: skip
        text = first.read_text()
        said = "cannot be written" in text and "Traceback" not in text and not done.returncode
        return ground.finish(out, *WORDS, wrong="" if said else (text + done.stderr)[-300:])

    return attempt


def file_size(ground: Ground) -> Trial:
    out, limit = ground.new(), int(ground.rng.integers(1000, 5000))
    code, text = ground.call(
        *ground.run(out, *WORDS),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    said = code == 1 and "cannot be written" in text and not list(out.rglob("*.part"))
    return ground.finish(out, *WORDS, wrong="" if said else text[-200:])


def _moved(place: Callable[[Ground, Path], Path], back: bool) -> Callable[[Ground], Trial]:
    """A folder goes away half-way; it comes back, or failed images are tried again."""

    def attempt(ground: Ground) -> Trial:
        words = (*WORDS, "--jobs", int(ground.rng.integers(1, 3)))
        out, process = ground.started(*words, maps=int(ground.rng.integers(2, 12)))
        path, aside = place(ground, out), ground.new().parent / "aside"
        path.rename(aside)
        text = process.communicate()[0]
        if back:
            aside.rename(path)
        wrong = text[-300:] if "Traceback" in text or (back and not stamps(out)) else ""
        again = ground.finish(out, *words, *(() if back else ("--retry-failed",)), wrong=wrong)
        return again

    return attempt


def _together(killed: bool) -> Callable[[Ground], Trial]:
    """Two runs at once on one folder."""

    def attempt(ground: Ground) -> Trial:
        seconds, out = ground.reference(*WORDS)[1], ground.new()
        pair = [ground.start(*ground.run(out, *WORDS, "--jobs", jobs)) for jobs in (1, 2)]
        if killed:
            time.sleep(ground.rng.uniform(0.5, seconds))
            os.killpg(pair[0].pid, signal.SIGKILL)
        texts = [process.communicate()[0] for process in pair]
        bad = any(process.returncode for process in pair[killed:])
        return ground.finish(out, *WORDS, wrong=texts[-1][-300:] if bad else "")

    return attempt


def clock(ground: Ground) -> Trial:
    out, process = ground.started(*WORDS, maps=int(ground.rng.integers(2, 16)))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    moved = time.time() + float(ground.rng.choice([-1, 1])) * 365 * 86400
    for path in [*out.rglob("*"), *ground.data.rglob("*")]:
        os.utime(path, (moved, moved))
    return ground.finish(out, *WORDS, flying=1)


FAULTS = {
    "file-size": Fault("a file system that refuses bytes (RLIMIT_FSIZE)", file_size, 3),
    "disk-full": Fault("a disk (tmpfs) that fills up half-way", _mounted(FILL), 3),
    "read-only": Fault("a results folder that is read-only from the start", _mounted(CLOSE), 2),
    "read-only-later": Fault(
        "a results folder that becomes read-only half-way", _mounted(CLOSE_LATER), 3
    ),
    "unplugged": Fault(
        "the data folder unplugged half-way, then back", _moved(lambda g, out: g.data, True), 3
    ),
    "maps-gone": Fault(
        "the folder of maps removed half-way (`--retry-failed`)",
        _moved(lambda g, out: out / "maps", False), 3,
    ),
    "two-runs": Fault("two runs at once on one folder", _together(False), 3),
    "two-runs-one-killed": Fault(
        "two runs at once on one folder, one of them killed", _together(True), 3
    ),
    "clock": Fault(
        "a clock set back or forward: files a year old or a year ahead, half-way", clock, 4, short=2
    ),
}  # fmt: skip
