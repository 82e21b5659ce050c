"""The ground that the fault campaign stands on: data, methods, processes, comparison.

A trial disturbs a run of the command line, gives the same command again and compares all
that came of it with an undisturbed run: maps bit for bit, counts, curves and records but
for times, and the names of the figures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from campaign.faulty import MARK, SHAPE
from istsbench.data.synthetic import scene

HERE = Path(__file__).resolve().parents[1]
METHODS = "steady(seconds=0.1),tophat,maxmean"
COUNTS = {"train": 4, "val": 3, "test": 16}
TAG = "folder-small"
PATIENCE = 300  # seconds that a process may take on a busy machine
QUICK = (  # the command line without its figures, which take most of the time
    "from istsbench.figures import catalogue; catalogue.STANDARD = (); "
    "from istsbench.cli import main; main()"
)
FULL = "from istsbench.cli import main; main()"


@dataclass(frozen=True)
class Trial:
    """What came of one disturbance."""

    survived: bool  # it was refused or mended in so many words, and the run completed
    lost: int  # stored maps that the disturbance cost, besides those it damaged itself
    equal: bool  # all results are those of an undisturbed run
    note: str = ""


class Skipped(Exception):
    """A fault cannot be tried on this machine; the message says why."""


class Ground:
    """A small data set, the campaign's methods, and runs of them below one folder."""

    def __init__(self, folder: Path, seed: int = 0, short: bool = False) -> None:
        self.folder, self.short = folder, short
        self.rng = np.random.default_rng(seed)
        self.data = make_data(folder / "small")
        self.environment = _environment(folder)
        self.log = Path(self.environment["FAULT_LOG"])
        self.numbers = 0
        self.references: dict[tuple[str, ...], tuple[Path, float]] = {}

    def times(self, full: int, short: int = 1) -> range:
        """How often a fault is tried."""
        return range(short if self.short else full)

    def new(self) -> Path:
        """A results folder that nobody has used."""
        self.numbers += 1
        self.log.unlink(missing_ok=True)
        return self.folder / f"out{self.numbers}"

    def command(self, *words: object) -> list[str]:
        """`istsbench` with these words."""
        script = QUICK if self.short else FULL
        return [sys.executable, "-c", script, *map(str, words)]

    def run_words(self, out: Path, *words: object) -> tuple[object, ...]:
        return ("run", "--dataset", f"folder:{self.data}", "--out", out, *words)

    def start(self, *words: object, **options: object) -> subprocess.Popen:
        """The command in a process group of its own."""
        merged = {
            "env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
            "text": True, "start_new_session": True, "cwd": self.folder, **options,
        }  # fmt: skip
        return subprocess.Popen(self.command(*words), **merged)  # type: ignore[call-overload]

    def call(self, *words: object, **options: object) -> tuple[int, str]:
        """The command to its end: exit code, and what it said."""
        process = self.start(*words, **options)
        text = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, text

    def reference(self, *words: object) -> tuple[Path, float]:
        """An undisturbed run of the same words, and the seconds that it took."""
        key = tuple(map(str, words))
        if key not in self.references:
            out, begun = self.new(), time.monotonic()
            code, text = self.call(*self.run_words(out, *words))
            if code:
                raise RuntimeError(f"the undisturbed run failed: {text}")
            self.references[key] = out, time.monotonic() - begun
            self.log.unlink(missing_ok=True)
        return self.references[key]

    def scored(self) -> int:
        """Images that `steady` has finished since the last new folder."""
        return len(self.log.read_text().split()) if self.log.is_file() else 0

    def wait_for(self, out: Path, maps: int, process: subprocess.Popen) -> None:
        """Until so many maps are stored, or the process has ended."""
        until(lambda: len(list(out.glob("maps/*/*/*.npy"))) >= maps or process.poll() is not None)

    def finish(
        self, out: Path, *words: object, flying: int = 0, spoilt: int = 0, note: str = ""
    ) -> Trial:
        """Give the same command again and compare.

        `flying` maps may have been in the making when the run was disturbed, `spoilt` are
        those that the fault itself damaged or removed.
        """
        reference = self.reference(*words)[0] if words else None
        before = stamps(out)
        unstored = max(0, self.scored() - len(before) - flying) if flying else 0
        code, text = self.call(*self.run_words(out, *words))
        after = stamps(out)
        redone = sum(after.get(path) != stamp for path, stamp in before.items())
        lost = max(0, redone - spoilt) + unstored
        unlike = difference(reference, out) if reference else ""
        said = note or (unlike or text.strip().splitlines()[-1] if code or unlike else "")
        return Trial(code == 0, lost, not unlike, said)


Fault = Callable[[Ground], Iterator[Trial]]


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
    number = 0
    for split, count in COUNTS.items():
        names = [f"{split}_{index:02d}" for index in range(count)]
        (root / f"{split}.txt").write_text("\n".join(names))
        for name in names:
            number += 1
            image = scene(*SHAPE, seed=number).astype(np.uint8)
            image[0, 0] = MARK if name == "test_05" else 0
            mask = np.zeros(SHAPE, np.uint8)
            mask[15:18, 19:22] = 255
            cv2.imwrite(str(root / "images" / f"{name}.png"), image)
            cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    return root


def _environment(folder: Path) -> dict[str, str]:
    """For processes that see the campaign's methods as an installed package's."""
    metadata = folder / "site" / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[istsbench.segmenters]\nsteady = campaign.faulty:Steady\nfaulty = campaign.faulty:Faulty\n"
    )
    path = [str(folder / "site"), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path).rstrip(os.pathsep),
        "FAULT_LOG": str(folder / "log"),
    }


# ------------------------------------------------------------------ comparison


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    """Path, inode and length of every stored map: a map made again has another inode."""
    found = {}
    for path in sorted(out.glob("maps/*/*/*.npy")):
        state = path.stat()
        found[str(path.relative_to(out))] = (state.st_ino, state.st_size)
    return found


def litter(out: Path) -> int:
    """Unfinished files that a killed process left."""
    return len(list(out.rglob("*.part")))


def difference(one: Path, other: Path) -> str:
    """What differs between two results folders, in words; nothing if they are the same."""
    first, second = results(one), results(other)
    for name in sorted(first.keys() | second.keys()):
        if name not in second:
            return f"{name} is missing"
        if name not in first:
            return f"{name} is there, an undisturbed run has none"
        if first[name] != second[name]:
            return f"{name} differs"
    return ""


def results(out: Path) -> dict[str, object]:
    """All that a run leaves, without the times and what follows from them."""
    found: dict[str, object] = {}
    for path in out.glob("maps/*/*/*.npy"):
        found[str(path.relative_to(out))] = np.load(path).tobytes()
    folder = out / TAG
    for path in folder.glob("curves/*.csv"):
        found[str(path.relative_to(out))] = path.read_bytes()
    for path in folder.glob("figures/*"):
        found[str(path.relative_to(out))] = path.stat().st_size > 0
    for path in folder.glob("*.json"):
        try:
            record = json.loads(path.read_bytes())
        except ValueError as error:
            found[path.name] = f"damaged: {error}"
            continue
        for key in ("csv", "seal"):  # times are in the counts
            record.pop(key, None)
        record.get("environment", {}).pop("commit", None)  # someone may commit meanwhile
        found[path.name] = record
        rows = path.with_suffix(".csv")
        if rows.is_file():
            found[rows.name] = pd.read_csv(rows).drop(columns="seconds").to_csv()
    return found


def copied(out: Path, to: Path) -> Path:
    shutil.copytree(out, to)
    return to
