"""The folder that one method's outputs for unlabelled pictures go to, and what is done in it.

    OUT/METHOD/apply.json           method, code, parameters, rule and depth: what decides outputs
    OUT/METHOD/frames.jsonl         a line a frame that is done: its file's hash, its targets
    OUT/METHOD/masks/NAME.png       0 and 255
    OUT/METHOD/maps/NAME.npy        the score map, float32
    OUT/METHOD/overlays/NAME.png    the picture with a box around each target
    OUT/METHOD/targets.csv          a row a target
    OUT/METHOD/boxes.json, labels/NAME.txt

A frame's line is written after its files, so that a killed call leaves whole frames only.
The table and the boxes hold the frames of one call's inputs, and are made anew by each call.
What an earlier call made beside the masks is never left out of date: what belongs to a changed
picture is removed, and each new frame gets it too.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from istsbench.errors import WrongUse
from istsbench.files import tidy, write_atomic
from istsbench.provenance import method_hash
from istsbench.registry import Choice
from istsbench.runs.segmenting import Scored, said
from istsbench.runs.targets import (
    Segmented,
    Target,
    as_coco,
    as_table,
    as_yolo,
    overlay,
    targets_of,
)
from istsbench.segmenter import Segmenter
from istsbench.threshold import HALF, Threshold

MARKER = "apply.json"
_FORMAT = 1
BOXES = ("coco", "yolo")
_PLACES = {
    "masks": "masks/", "maps": "maps/", "targets": "targets.csv", "overlays": "overlays/",
    "coco": "boxes.json", "yolo": "labels/",
}  # fmt: skip
_ALWAYS = ("masks", "targets")
_TABLES = ("targets", "coco")  # one file, also of no frame
_OPTIONS = {"maps": "--maps", "overlays": "--overlays"}  # of files that need the picture again
_JOURNAL = "frames.jsonl"
_TOLD = {
    "method": "method", "made_by": "code, parameters or weights (their hash)",
    "threshold": "threshold", "depth": "depth", "format": "format",
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    """A frame that is done, and of which file it was."""

    found: Segmented
    source: str  # absolute path
    digest: str  # sha256 of that file


@dataclass(frozen=True)
class Outputs:
    """The outputs of one method with its parameters, rule and depth."""

    folder: Path
    asked: frozenset[str] = frozenset()  # of maps, overlays, coco, yolo: beside the masks

    def claim(self, choice: Choice, method: Segmenter, rule: Threshold | None, depth: str) -> None:
        """Make the folder this method's; raises `WrongUse` if it holds anything else."""
        here = {
            "format": _FORMAT, "method": choice.spec, "made_by": method_hash(method),
            "threshold": repr(rule or method.threshold), "depth": depth,
        }  # fmt: skip
        path = self.folder / MARKER
        if not path.exists():
            strangers = [one for one in _listed(self.folder) if not one.name.startswith(".")]
            if strangers:
                raise WrongUse(
                    f"{self.folder} holds other files, as {strangers[0].name}; nothing is "
                    "overwritten: give another --out, or empty it"
                )
            write_atomic(path, json.dumps(here, indent=1).encode())
            return
        try:
            there = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise WrongUse(
                f"{path} is damaged ({error}); remove {self.folder}, or give another --out"
            ) from error
        other = [key for key in here if there.get(key) != here[key]]
        if other:
            differ = "; ".join(
                f"{_TOLD[key]}: {_worded(there.get(key), method)} there, "
                f"{_worded(here[key], method)} now"
                for key in other
            )
            raise WrongUse(
                f"{self.folder} holds outputs made otherwise ({differ}); they are not mixed: "
                "remove the folder, or give another --out"
            )
        for one in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            tidy(one)

    # ------------------------------------------------------------------ what is done

    def done(self) -> dict[str, Done]:
        """The frames that are done, by the name of their outputs; a later line goes first."""
        try:
            lines = (self.folder / _JOURNAL).read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        found: dict[str, Done] = {}
        for line in lines:
            try:
                told = json.loads(line)
                if "gone" in told:
                    found.pop(told["gone"], None)
                    continue
                frame = dict(told["found"])
                targets = tuple(Target(**one) for one in frame.pop("targets"))
                one = Segmented(**{**frame, "shape": tuple(frame["shape"])}, targets=targets)
                found[one.output] = Done(one, str(told["source"]), str(told["digest"]))
            except (ValueError, KeyError, TypeError):  # cut off when a call was killed
                continue
        return found

    def is_whole(self, name: str) -> bool:
        """Whether every file that is asked for of a frame is there; boxes are made at the end."""
        kinds = ("masks", *(kind for kind in _OPTIONS if kind in self.asked))
        return all(self._file(kind, name).is_file() for kind in kinds)

    def _file(self, kind: str, name: str) -> Path:
        ending = {"maps": ".npy", "labels": ".txt"}.get(kind, ".png")
        return self.folder / kind / f"{name}{ending}"

    def _made(self) -> list[str]:
        """What is asked for besides the masks and the table, and what an earlier call left."""
        return [
            kind
            for kind, place in _PLACES.items()
            if kind not in _ALWAYS and (kind in self.asked or (self.folder / place).exists())
        ]

    # ------------------------------------------------------------------ writing

    def save(self, frame: Segmented, image: np.ndarray, scored: Scored) -> Segmented:
        """Write the files of a frame, each whole or not at all; returns it with its targets."""
        targets, made = targets_of(scored.map, scored.mask), self._made()
        write_atomic(self._file("masks", frame.output), _png(scored.mask.astype(np.uint8) * 255))
        if "maps" in made:
            array = io.BytesIO()
            np.save(array, scored.map)
            write_atomic(self._file("maps", frame.output), array.getvalue())
        if "overlays" in made:
            write_atomic(self._file("overlays", frame.output), _png(overlay(image, targets)))
        return frame.filled(scored.level, float(scored.map.max()), targets)

    def note(self, done: Done) -> None:
        """Enter a frame as done."""
        self._append(asdict(done))

    def forget(self, name: str) -> None:
        """Remove a frame whose picture has changed."""
        self._append({"gone": name})
        for kind in ("masks", "maps", "overlays", "labels"):
            self._file(kind, name).unlink(missing_ok=True)

    def _append(self, told: dict[str, object]) -> None:
        """One write of one line: two calls do not mix theirs."""
        line = json.dumps(told) + "\n"
        with open(self.folder / _JOURNAL, "ab") as file:
            if file.tell() and not _ends_in_line(self.folder / _JOURNAL):
                line = "\n" + line
            file.write(line.encode())

    def summarise(self, method: str, found: Sequence[Segmented]) -> tuple[list[str], list[str]]:
        """Write the table and the boxes of these frames.

        Returns the files and folders that the call was asked for, and a note of those that an
        earlier one left.
        """
        made = self._made()
        table = as_table(method, found).to_csv(index=False)
        write_atomic(self.folder / _PLACES["targets"], table.encode())
        if "coco" in made:
            write_atomic(self.folder / _PLACES["coco"], as_coco(method, found).encode())
        if "yolo" in made:
            for one in found:
                write_atomic(self._file("labels", one.output), as_yolo(one).encode())
        written = [kind for kind in _PLACES if kind in (*_ALWAYS, *self.asked)]
        names = [_PLACES[kind] for kind in written if found or kind in _TABLES]
        kept = [self._kept(kind, found) for kind in made if kind not in self.asked]
        note = f"{self.folder}: of an earlier call, kept up to date: {', '.join(kept)}"
        return names, [note] if kept else []

    def _kept(self, kind: str, found: Sequence[Segmented]) -> str:
        """What an earlier call left, and of how many of these frames it is there."""
        if kind in BOXES:
            return _PLACES[kind]
        there = sum(self._file(kind, one.output).is_file() for one in found)
        if there == len(found):
            return _PLACES[kind]
        return f"{_PLACES[kind]} ({there} of {len(found)} images; all by {_OPTIONS[kind]})"


def _worded(value: object, method: Segmenter) -> str:
    """What is noted of outputs, a rule in the words of --threshold."""
    own = method.threshold
    level = re.fullmatch(r"Fixed\(value=(.+)\)", str(value))
    names = {repr(own): f"own ({said(own)})", repr(HALF): "half"}
    return names.get(str(value), level[1] if level else str(value))


def _listed(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _ends_in_line(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()
