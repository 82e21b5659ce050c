"""The ground that the fault campaign stands on: data, methods, processes, comparison.

A try disturbs a run of the command line, gives the same command again and compares all that
came of it with an undisturbed run: maps bit for bit, counts, curves and records but for times,
and the names of the figures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from campaign.faulty import MARK, SHAPE
from istsbench.data.synthetic import scene

METHODS = "steady(seconds=0.1),tophat,maxmean"
COUNTS = {"train": 4, "val": 3, "test": 16}
TAG = "folder-small"
PATIENCE = 300  # seconds that a process may take on a busy machine
COMMAND = "from istsbench.cli import main; main()"
WITHOUT_FIGURES = (  # which take most of the time
    "from istsbench.figures import catalogue; catalogue.STANDARD = (); "
)


@dataclass(frozen=True)
class Trial:
    """What came of one disturbance."""

    survived: bool  # it was refused or mended in so many words, and the run completed
    lost: int  # stored maps that the disturbance cost, besides those it damaged itself
    equal: bool  # all results are those of an undisturbed run
    note: str = ""


@dataclass(frozen=True)
class Fault:
    """A way to disturb a run."""

    text: str  # what the table calls it
    attempt: Callable[[Ground], Trial]  # raises `Skipped` if this machine does not allow it
    times: int  # how often it is tried
    short: int = 1  # and in the short form


class Skipped(Exception):
    """A fault cannot be tried on this machine; the message says why."""


class Ground:
    """A small data set, the campaign's methods, and runs of them below one folder."""

    def __init__(self, folder: Path, seed: int = 0, short: bool = False) -> None:
        self.folder, self.short = folder, short
        self.rng = np.random.default_rng(seed)
        self.data = make_data(folder / "small")
        self.log = folder / "log"
        self.environment = {**os.environ, **_installed(folder / "site"), "FAULT_LOG": str(self.log)}
        self.references: dict[tuple[object, ...], tuple[Path, float]] = {}

    def new(self) -> Path:
        """A results folder that nobody has used, not made yet."""
        self.log.unlink(missing_ok=True)
        return Path(tempfile.mkdtemp(dir=self.folder)) / "out"

    def run(self, out: Path, *words: object) -> tuple[object, ...]:
        """The words of `istsbench run` into a folder."""
        return ("run", "--dataset", f"folder:{self.data}", "--out", out, *words)

    def command(self, *words: object) -> list[str]:
        script = (WITHOUT_FIGURES if self.short else "") + COMMAND
        return [sys.executable, "-c", script, *map(str, words)]

    def start(self, *words: object, **options: object) -> subprocess.Popen:
        """`istsbench` with these words, in a process group of its own."""
        merged = {
            "env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
            "text": True, "start_new_session": True, "cwd": self.folder, **options,
        }  # fmt: skip
        return subprocess.Popen(self.command(*words), **merged)  # type: ignore[call-overload]

    def call(self, *words: object, **options: object) -> tuple[int, str]:
        """The same to its end: exit code, and what it said."""
        process = self.start(*words, **options)
        text = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, text

    def reference(self, *words: object) -> tuple[Path, float]:
        """An undisturbed run of these words, and the seconds that it took."""
        if words not in self.references:
            out, begun = self.new(), time.monotonic()
            code, text = self.call(*self.run(out, *words))
            if code:
                raise RuntimeError(f"the undisturbed run failed: {text}")
            self.references[words] = out, time.monotonic() - begun
            self.log.unlink(missing_ok=True)
        return self.references[words]

    def started(self, *words: object, maps: int) -> tuple[Path, subprocess.Popen]:
        """A run that has stored so many maps, or has ended."""
        out = self.new()
        process = self.start(*self.run(out, *words))
        until(lambda: len(stamps(out)) >= maps or process.poll() is not None)
        return out, process

    def one_of(self, paths: object) -> Path:
        """One of some paths, by chance."""
        return Path(self.rng.choice(sorted(map(str, paths))))  # type: ignore[call-overload]

    def finish(
        self, out: Path, *words: object, flying: int = 0, spoilt: int = 0, wrong: str = ""
    ) -> Trial:
        """Give the same command again and compare.

        `flying` maps may have been in the making when the run was disturbed, `spoilt` are those
        that the fault itself damaged or removed, `wrong` is what the disturbed run did wrong.
        """
        reference = self.reference(*words)[0]
        before, scored = stamps(out), self.log.read_text().split() if self.log.is_file() else []
        code, text = self.call(*self.run(out, *words))
        lost = max(0, made_again(before, out) - spoilt)
        lost += max(0, len(scored) - len(before) - flying) if flying else 0
        unlike = difference(reference, out)
        note = wrong or unlike or (text.strip()[-200:] if code else "")
        return Trial(code == 0 and not wrong, lost, not unlike, note)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the campaign waited too long")
        time.sleep(0.005)


def make_data(root: Path) -> Path:
    """A data set of small scenes with a 3x3 target each; one image bears the mark."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    mask = np.zeros(SHAPE, np.uint8)
    mask[15:18, 19:22] = 255
    for split, count in COUNTS.items():
        names = [f"{split}_{index:02d}" for index in range(count)]
        (root / f"{split}.txt").write_text("\n".join(names))
        for index, name in enumerate(names):
            image = scene(*SHAPE, seed=index + 100 * len(split)).astype(np.uint8)
            image[0, 0] = MARK if name == "test_05" else 0
            cv2.imwrite(str(root / "images" / f"{name}.png"), image)
            cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    return root


def _installed(site: Path) -> dict[str, str]:
    """The variable by which a process sees the campaign's methods as an installed package's."""
    metadata = site / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[istsbench.segmenters]\nsteady = campaign.faulty:Steady\nfaulty = campaign.faulty:Faulty\n"
    )
    here = Path(__file__).resolve().parents[1]
    found = [str(site), str(here), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, found))}


# ------------------------------------------------------------------ comparison


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    """Path, inode and length of every stored map: a map made again has another inode."""
    states = {path: path.stat() for path in out.glob("maps/*/*/*.npy")}
    return {str(path.relative_to(out)): (s.st_ino, s.st_size) for path, s in states.items()}


def made_again(before: dict[str, tuple[int, int]], out: Path) -> int:
    """How many of these maps are not what they were."""
    after = stamps(out)
    return sum(after.get(path) != stamp for path, stamp in before.items())


def difference(one: Path, other: Path) -> str:
    """What differs between two results folders, in words; nothing if they are the same."""
    first, second = _results(one), _results(other)
    for name in sorted(first.keys() | second.keys()):
        if name not in second:
            return f"{name} is missing"
        if name not in first:
            return f"{name} is there, an undisturbed run has none"
        if first[name] != second[name]:
            return f"{name} differs"
    return ""


def _results(out: Path) -> dict[str, object]:
    """All that a run leaves, without the times and what follows from them."""
    found: dict[Path, object] = {}
    folder = out / TAG
    found |= {path: np.load(path).tobytes() for path in out.glob("maps/*/*/*.npy")}
    found |= {path: path.read_bytes() for path in folder.glob("curves/*.csv")}
    found |= {path: path.stat().st_size > 0 for path in folder.glob("figures/*")}
    for path in folder.glob("*.json"):
        try:
            record = json.loads(path.read_bytes())
        except ValueError as error:
            found[path] = f"damaged: {error}"
            continue
        for key in ("csv", "seal", "busy"):  # times, and what depends on them
            record.pop(key, None)
        record.get("environment", {}).pop("commit", None)  # someone may commit meanwhile
        found[path] = record
        rows = path.with_suffix(".csv")
        if rows.is_file():
            found[rows] = pd.read_csv(rows).drop(columns="seconds").to_csv()
    return {str(path.relative_to(out)): value for path, value in found.items()}


def copied(out: Path, to: Path) -> Path:
    shutil.copytree(out, to)
    return to
