"""The folder that one method's outputs for unlabelled pictures go to, and what is done in it.

    OUT/METHOD/apply.json           method, code, parameters, rule and depth: what decides outputs
    OUT/METHOD/frames.jsonl         a line a frame that is done: its file's hash, its targets
    OUT/METHOD/masks/NAME.png       0 and 255
    OUT/METHOD/maps/NAME.npy        the score map, float32
    OUT/METHOD/overlays/NAME.png    the picture with a box around each target
    OUT/METHOD/targets.csv          a row a target
    OUT/METHOD/boxes.json, labels/NAME.txt

A frame's line is written after its files, so that a killed call leaves whole frames only.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from istsbench.errors import WrongUse
from istsbench.files import tidy, write_atomic
from istsbench.provenance import method_hash
from istsbench.registry import Choice
from istsbench.runs.segmenting import Scored
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
from istsbench.threshold import Threshold

MARKER = "apply.json"
_FORMAT = 1
BOXES = ("coco", "yolo")
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
    maps: bool = False
    overlays: bool = False

    def claim(self, choice: Choice, method: Segmenter, rule: Threshold, depth: str) -> None:
        """Make the folder this method's; raises `WrongUse` if it holds anything else."""
        here = {
            "format": _FORMAT, "method": choice.spec, "made_by": method_hash(method),
            "threshold": repr(rule), "depth": depth,
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
                f"{_TOLD[key]}: {there.get(key)} there, {here[key]} now" for key in other
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
        """Whether every file that is wanted of a frame is there."""
        return all(path.is_file() for path in self._files(name).values())

    def _files(self, name: str) -> dict[str, Path]:
        files = {"mask": self.folder / "masks" / f"{name}.png"}
        if self.maps:
            files["map"] = self.folder / "maps" / f"{name}.npy"
        if self.overlays:
            files["overlay"] = self.folder / "overlays" / f"{name}.png"
        return files

    # ------------------------------------------------------------------ writing

    def save(self, frame: Segmented, image: np.ndarray, scored: Scored) -> Segmented:
        """Write the files of a frame, each whole or not at all; returns it with its targets."""
        targets = targets_of(scored.map, scored.mask)
        files = self._files(frame.output)
        write_atomic(files["mask"], _png(scored.mask.astype(np.uint8) * 255))
        if self.maps:
            array = io.BytesIO()
            np.save(array, scored.map)
            write_atomic(files["map"], array.getvalue())
        if self.overlays:
            write_atomic(files["overlay"], _png(overlay(image, targets)))
        return replace(frame, level=scored.level, targets=tuple(targets))

    def note(self, done: Done) -> None:
        """Enter a frame as done."""
        self._append(asdict(done))

    def forget(self, name: str) -> None:
        """Remove a frame whose picture has changed."""
        self._append({"gone": name})
        for path in Outputs(self.folder, True, True)._files(name).values():
            path.unlink(missing_ok=True)

    def _append(self, told: dict[str, object]) -> None:
        """One write of one line: two calls do not mix theirs."""
        line = json.dumps(told) + "\n"
        with open(self.folder / _JOURNAL, "ab") as file:
            if file.tell() and not _ends_in_line(self.folder / _JOURNAL):
                line = "\n" + line
            file.write(line.encode())

    def summarise(self, method: str, boxes: Iterable[str]) -> list[str]:
        """Write the table and the boxes of all frames that are done; returns what there is."""
        found = [one.found for _, one in sorted(self.done().items())]
        table = as_table(method, found).to_csv(index=False)
        write_atomic(self.folder / "targets.csv", table.encode())
        names = ["masks/", *(["maps/"] if self.maps else ()), "targets.csv"]
        names += ["overlays/"] if self.overlays else []
        if "coco" in boxes:
            write_atomic(self.folder / "boxes.json", as_coco(method, found).encode())
            names.append("boxes.json")
        if "yolo" in boxes:
            for one in found:
                write_atomic(self.folder / "labels" / f"{one.output}.txt", as_yolo(one).encode())
            names.append("labels/")
        return names


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
