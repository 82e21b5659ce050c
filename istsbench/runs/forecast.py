"""What a run will cost, before it starts: seconds = a * pixels ** b, for each method.

`benchmarks/speed.py --sizes` measures, `fit` draws a straight line through the logarithms,
and `costs.csv`, which ships with the package, keeps a and b with the processor they were
measured on. Times are of one thread and of default parameters; they scale with the machine,
and for methods that iterate with the image as well. Read them as orders of magnitude.
Networks are measured with random weights, which cost what trained ones cost.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from istsbench import registry
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset, FolderDataset
from istsbench.errors import BrokenMethod, DataError, MissingWeights, WrongUse
from istsbench.registry import Choice, choose
from istsbench.runs.maps import MapStore
from istsbench.runs.outputs import maps_folder
from istsbench.runs.record import sound
from istsbench.segmenter import Trainable

if TYPE_CHECKING:
    import pandas as pd

BASE = 256 * 256  # pixels of the image that `Cost.seconds` is for
_MOST = 0.8  # of all hours: the methods that take it together dominate
FIELDS = (
    "method", "seconds", "exponent", "sizes", "smallest", "largest", "spread", "machine",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """The time of one method against the number of pixels."""

    method: str
    seconds: float  # of an image of 256x256, one thread
    exponent: float  # b; 1 is assumed where fewer than two sizes were measured
    sizes: int  # how many were measured
    smallest: int  # side of the smallest, pixels
    largest: int
    spread: float  # factor by which a measured time is off the line at most
    machine: str  # processor

    def of(self, pixels: float) -> float:
        """Seconds for an image of so many pixels."""
        return float(self.seconds * (pixels / BASE) ** self.exponent)


def fit_costs(measured: pd.DataFrame) -> list[Cost]:
    """The costs behind rows of `method, side, cpu, machine`, least squares in log-log.

    Rows without a time (left out, or failed) count for nothing.
    """
    import numpy as np

    found = []
    rows = measured[measured["cpu"] > 0]
    for method, part in rows.groupby("method", sort=True):
        pixels, seconds = np.log(part["side"] ** 2 / BASE), np.log(part["cpu"])
        if part["side"].nunique() > 1:
            exponent, level = np.polyfit(pixels, seconds, 1)
        else:
            exponent, level = 1.0, float((seconds - pixels).mean())
        spread = np.exp(np.abs(seconds - level - exponent * pixels).max())
        sides = part["side"]
        machine = " and ".join(sorted(set(part["machine"])))
        found.append(
            Cost(
                str(method), float(np.exp(level)), float(exponent), int(sides.nunique()),
                int(sides.min()), int(sides.max()), float(spread), machine,
            )
        )  # fmt: skip
    return found


def as_csv(costs: Iterable[Cost]) -> str:
    """The costs as the text of `costs.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for one in costs:
        writer.writerow(
            [
                one.method, f"{one.seconds:.4g}", f"{one.exponent:.3f}", one.sizes, one.smallest,
                one.largest, f"{one.spread:.2f}", one.machine,
            ]
        )  # fmt: skip
    return text.getvalue()


def costs(text: str | None = None) -> dict[str, Cost]:
    """The costs by method, of the table that ships with the package or of another one."""
    if text is None:
        text = files(__package__).joinpath("costs.csv").read_text()
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        found[row["method"]] = Cost(
            row["method"], float(row["seconds"]), float(row["exponent"]), int(row["sizes"]),
            int(row["smallest"]), int(row["largest"]), float(row["spread"]), row["machine"],
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class Line:
    """The images that one method has still to score."""

    spec: str
    cost: Cost
    pixels: tuple[int, ...]  # of each of these images
    apart: bool = False  # a network: scores in the process of the run, before the others

    @property
    def hours(self) -> float:
        return sum(map(self.cost.of, self.pixels)) / 3600

    @property
    def longest(self) -> float:
        """Seconds of the slowest image."""
        return max(map(self.cost.of, self.pixels), default=0.0)


@dataclass(frozen=True)
class Forecast:
    """What is left to do, and what it will take."""

    title: str
    jobs: int
    lines: tuple[Line, ...]
    unknown: tuple[str, ...]  # methods without a measured cost
    done: int  # maps that are there already
    untrained: tuple[str, ...] = ()  # methods that a run leaves out, for want of weights

    @property
    def core_hours(self) -> float:
        return sum(line.hours for line in self.lines)

    @property
    def wall_hours(self) -> float:
        """At best: images are shared out evenly, and the longest one is begun in time."""
        apart = sum(line.hours for line in self.lines if line.apart)
        longest = max((line.longest for line in self.lines if not line.apart), default=0.0)
        return apart + max((self.core_hours - apart) / self.jobs, longest / 3600)

    @property
    def disk(self) -> int:
        """Bytes of the maps still to be made, 4 a pixel."""
        return 4 * sum(sum(line.pixels) for line in self.lines)

    @property
    def dominant(self) -> list[Line]:
        """The fewest methods that take `MOST` of the hours together, the slowest first."""
        found, hours = [], 0.0
        for line in sorted(self.lines, key=lambda line: -line.hours):
            if hours >= _MOST * self.core_hours:
                break
            found.append(line)
            hours += line.hours
        return found

    def text(self) -> str:
        """The forecast as a table and what follows from it."""
        total, images = self.core_hours, sum(len(line.pixels) for line in self.lines)
        wide = max((len(line.spec) for line in self.lines), default=0)
        found = [self.title]
        if images:
            heads = f"{'images':>7} {'s/image':>9} {'core-h':>9} {'share':>6}"
            found.append(f"{'method':<{wide}} {heads}")
        for line in sorted(self.lines, key=lambda line: -line.hours):
            number = len(line.pixels)
            if number:
                found.append(
                    f"{line.spec:<{wide}} {number:>7} {3600 * line.hours / number:>9.4g} "
                    f"{line.hours:>9.3g} {line.hours / total:>6.1%}"
                )
        if images:
            slowest = max(self.lines, key=lambda line: line.longest)
            names = ", ".join(line.spec for line in self.dominant)
            share = sum(line.hours for line in self.dominant) / total
            found += [
                f"total: {_time(total)} of one core; {_time(self.wall_hours)} on {self.jobs} "
                f"job{'s' if self.jobs > 1 else ''} at best",
                f"longest single image: {_time(slowest.longest / 3600)} ({slowest.spec})",
                f"dominated by: {names} ({share:.0%})",
                f"maps: {_size(self.disk)} on disk",
            ]
        if self.done:
            found.append(f"counted out: {self.done} maps that are there already")
        return "\n".join([*found, *self._notes()])

    def _notes(self) -> list[str]:
        found, used = [], [line for line in self.lines if line.pixels]
        machines = sorted({line.cost.machine for line in used})
        if machines:
            found.append(
                f"times were measured on {'; '.join(machines)}, one thread, default parameters; "
                "they scale with the machine"
            )
        notes = {
            "one after the other on one thread, --jobs does not share them out (a GPU takes far "
            "less)": [line.spec for line in used if line.apart],
            "measured at one size only, taken as linear in the pixels": [
                line.spec for line in used if line.cost.sizes < 2
            ],
            "beyond the sizes that were measured": [
                line.spec
                for line in used
                if max(line.pixels) > line.cost.largest**2
                or min(line.pixels) < line.cost.smallest**2
            ],
            "not forecast, no measured cost": list(self.unknown),
            "left out by a run, no weights": list(self.untrained),
        }
        every = [line.spec for line in used]
        for note, specs in notes.items():
            if specs:
                found.append(f"{note}: {'all' if specs == every else ', '.join(specs)}")
        return found


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.3g} s"


def _size(number: float) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def forecast(
    methods: str,
    dataset: str,
    split: str,
    size: Sequence[int | None],
    *,
    jobs: int,
    out: Path,
    data_root: Path | None = None,
) -> Forecast:
    """The cost of running `methods` on a data set, or on images of one size.

    `size` is (images, height, width); it is used if it is given, all three, and then there
    need be no data set. Otherwise sizes are read from the files, and what is done in `out`
    is counted out. Raises `WrongUse`, or `DataError` if the data set is not here or empty.
    """
    chosen = choose(methods)
    data, pixels = _images(dataset, split, size, data_root)
    known = costs()
    lines, unknown, untrained, done = [], [], [], 0
    for choice in chosen:
        if data and _untrained(choice, data):
            untrained.append(choice.spec)
            continue
        there = _done(choice, data, split, pixels, out) if data else set[str]()
        left = tuple(number for name, number in pixels.items() if name not in there)
        done += len(pixels) - len(left)
        if choice.name in known:
            lines.append(Line(choice.spec, known[choice.name], left, _apart(choice.name)))
        elif left:
            unknown.append(choice.spec)
    where = f"{data.name}, {split}" if data else f"{size[1]}x{size[2]} (height x width)"
    mean = sum(pixels.values()) / len(pixels)
    title = f"{where}: {len(pixels)} images of {mean:.0f} pixels on average"
    return Forecast(title, jobs, tuple(lines), tuple(unknown), done, tuple(untrained))


def _untrained(choice: Choice, data: Dataset) -> bool:
    """Whether a run has no weights for a method that needs some."""
    try:
        method = choice.create()
        return isinstance(method, Trainable) and method.pretrained(data.name).weights is None
    except MissingWeights:
        return True
    except (BrokenMethod, TypeError):  # the run records it
        return False


def _apart(name: str) -> bool:
    try:
        return registry.info(name).batched
    except BrokenMethod:  # the run records it
        return False


def _images(
    dataset: str, split: str, size: Sequence[int | None], data_root: Path | None
) -> tuple[Dataset | None, dict[str, int]]:
    """The data set, if it is one, and the pixels of each image by name."""
    images, height, width = size
    if images and height and width:
        return None, dict.fromkeys(map(str, range(images)), height * width)
    if any(size):
        raise WrongUse("--images, --height and --width are given together or not at all")
    if not dataset:
        raise WrongUse("say --dataset NAME, or --images N --height H --width W")
    try:
        data = open_dataset(dataset, data_root)
    except DataError as error:
        raise DataError(f"{error}. Without it: --images N --height H --width W") from error
    names = data.names(split)
    if not names:
        raise DataError(f"the split {split!r} of {data.name} has no image")
    return data, {name: _pixels(data, name) for name in names}


def _pixels(data: Dataset, name: str) -> int:
    if not isinstance(data, FolderDataset):
        return data.load(name).image.size
    from PIL import Image

    path = data.pairs[name][0]
    try:
        with Image.open(path) as picture:  # the head only
            return picture.width * picture.height
    except OSError as error:
        raise DataError(f"{path}: not a readable image ({error})") from error


def _done(
    choice: Choice, data: Dataset, split: str, pixels: Mapping[str, int], out: Path
) -> set[str]:
    """Images whose map, or whose counts, the same code left in `out`; by name, not by pixels."""
    from istsbench.provenance import run_hash
    from istsbench.runs.images import folder_name

    folder = out / folder_name(data.name, split, len(pixels), len(pixels))
    record = sound(folder, choice.file)
    if record is None and not maps_folder(out, data.name).is_dir():
        return set()
    try:
        code = run_hash(choice.create(), data.name)
    except (BrokenMethod, TypeError):  # the run records it
        return set()
    here = (code, len(pixels), split)
    if record and record.csv and (record.method_hash, record.images, record.split) == here:
        return set(pixels)
    store = MapStore.of(out, data.name, choice.file, code)
    maps = (path.relative_to(store.folder) for path in store.folder.rglob("*.npy"))
    return {path.with_suffix("").as_posix() for path in maps} & set(pixels)
