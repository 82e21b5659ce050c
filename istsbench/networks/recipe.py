"""How a network is trained and fed: its recipe, its preprocessing, device and precision."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from istsbench.errors import WrongUse
from istsbench.segmenter import Image, Map

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    epochs: int
    batch: int  # patches a step, over all devices
    lr: float  # at the start
    patch: int  # side of the square training patches, pixels
    loss: str  # a name that the network knows
    optimizer: str = "adam"  # or "adagrad"
    schedule: str = "cosine"  # or "constant", "steps" (a fifth of the rate after each third)
    weight_decay: float = 0.0
    side: int | None = None  # images are resized to this square first; None: native size
    centred: float = 0.5  # share of patches that are placed around a target pixel
    turns: str = "all"  # flips up-down, left-right and transposition; "mirror"; or "none"
    rescale: float = 1.0  # largest factor of a random change of size, 1: none
    blur: float = 0.0  # largest sigma of a random blur given to half of the patches, pixels
    jitter: float = 1.0  # largest factor of a random gain, and 1 + largest shift; see `patches.cut`
    validations: int = 40  # how often, at least, a training is scored on the validation images
    images: int | None = None  # images an epoch, each in its turn over the epochs; None: all
    average: float = 0.0  # decay a step of a running mean of the weights, the one kept; 0: none


_LATER = ("jitter", "average")  # fields that came when rows of networks were on record
_USUAL = {one.name: one.default for one in fields(Recipe) if one.default is not MISSING}
_KINDS = {one.name: str(one.type) for one in fields(Recipe)}


def held(name: str, value: Any) -> Any:
    """A value as a field of a recipe holds it: 1 is 1.0 where that is a float.

    Raises `WrongUse` for what is no field of a recipe, or no value of its kind.
    """
    if name not in _KINDS:
        raise WrongUse(f"a recipe has no {name!r}; it has: {', '.join(_KINDS)}")
    kind, *may_be_none = _KINDS[name].split(" | ")
    if value is None and may_be_none:
        return None
    number = isinstance(value, Real) and not isinstance(value, bool)
    if kind == "float" and number and math.isfinite(value):
        return float(value)
    if kind == "int" and number and isinstance(value, Integral):
        return int(value)
    if kind == "str" and isinstance(value, str):
        return value
    expected = {"float": "a finite number", "int": "a whole number", "str": "a name"}[kind]
    raise WrongUse(f"{name} is {value!r}, expected {expected}{' or null' if may_be_none else ''}")


def changes_of(text: str) -> dict[str, Any]:
    """The fields in `lr=1e-3,turns=none,side=null`: numbers where they are numbers, else texts.

    Raises `WrongUse` for what is no field of a recipe, or no value of its kind.
    """
    changes: dict[str, Any] = {}
    for part in text.split(",") if text else ():
        name, _, value = (word.strip() for word in part.partition("="))
        if name in changes:
            raise WrongUse(f"{name} is given twice")
        changes[name] = held(name, _read(value))
    return changes


def _read(text: str) -> Any:
    """null, a number, or the text itself."""
    if text == "null":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def completed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe of a weight file with what was no choice yet when it was written.

    The defaults of `Recipe` are what trainings did before there was a choice. Fields that came when
    rows of networks were on record are left out where they have theirs: the hash of a plan stays.
    """
    whole = _USUAL | dict(recipe)
    return {k: v for k, v in whole.items() if k not in _LATER or v != _USUAL[k]}


@dataclass(frozen=True)
class Preprocessing:
    """From grey levels to the input of a network: (image - mean) / std, at a size."""

    mean: float = 127.5  # grey levels
    std: float = 127.5
    side: int | None = None  # images are resized to this square; None: native size

    def __call__(self, image: Image) -> np.ndarray:
        """The input, float32 (h, w), of a float64 image (H, W)."""
        prepared = (np.asarray(image, np.float32) - np.float32(self.mean)) / np.float32(self.std)
        if self.side is None:
            return prepared
        return cv2.resize(prepared, (self.side, self.side), interpolation=cv2.INTER_LINEAR)

    def back(self, score: np.ndarray, shape: tuple[int, int]) -> Map:
        """A map of the input, float32 (h, w), at the size of the image, float64 (H, W)."""
        if score.shape != shape:
            score = cv2.resize(score, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return score.astype(np.float64)


def best_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first GPU, or the CPU if there is none.

    Raises `WrongUse` for a GPU that is not there.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise WrongUse(f"device is {name!r}, but GPUs found here: {torch.cuda.device_count()}")
    return device


def best_precision(device: torch.device) -> str:
    """ "bf16" where the device computes in bfloat16 faster than in float32, else "fp32"."""
    import torch

    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    return "bf16" if features.get("avx512bf16") or features.get("amx-bf16") else "fp32"


def best_threads() -> int:
    """The CPU cores that this process may use; OMP_NUM_THREADS, if set, is obeyed."""
    import joblib
    import torch

    if os.environ.get("OMP_NUM_THREADS"):
        return torch.get_num_threads()
    return int(joblib.cpu_count(only_physical_cores=True))


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads of the CPU inside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def place(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The module on a device, in the memory order that convolutions are fastest in."""
    import torch

    moved: torch.nn.Module = module.to(device)
    return moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for a `with` block: none ("fp32") or bfloat16 ("bf16")."""
    import torch

    if precision not in PRECISIONS:
        raise WrongUse(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
