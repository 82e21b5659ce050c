"""Checkpoints of PyTorch code of others, read without running any code that they may hold.

What is taken are the tensors of one state dict, in the order of the file. Numbers of numpy beside
it, as scores of an epoch, are read over; anything else that is not plain data is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from istsbench.errors import WeightsError

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights")
_NUMPY = ("scalar", "_reconstruct")  # how numpy's own numbers and arrays are stored


def read_foreign(path: Path, key: str | None = None) -> dict[str, torch.Tensor]:
    """The state dict in a `.pth` or `.pth.tar` file: tensors on the CPU by name, in its order.

    It may lie under one of `WRAPPERS`, or under `key`; a prefix `module.` of all names is left
    out. Raises `WeightsError` for what holds code, no state dict, or several.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    found = _load(path, data)
    state = _state(path, found, key)
    while state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _load(path: Path, data: bytes) -> Any:
    import io

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_plain_data()):
            warnings.simplefilter("error")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        named = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error))
        if named is None:
            raise WeightsError(f"{path}: not a checkpoint of PyTorch") from error
        raise WeightsError(
            f"{path}: it holds {named[1]}, which is code and is not run; save the tensors alone, "
            "torch.save(model.state_dict(), FILE), where that code is trusted"
        ) from error
    except Exception as error:  # its readers raise many kinds on hostile bytes
        text = str(error).partition("\n")[0][:200]
        raise WeightsError(f"{path}: not a checkpoint of PyTorch ({text})") from error


def _plain_data() -> list[Any]:
    """What may be in a checkpoint besides tensors: numbers of numpy, by new and old names."""
    from numpy._core import multiarray

    kinds = [kind for kind in vars(np.dtypes).values() if isinstance(kind, type)]
    named = [
        (getattr(multiarray, name), f"{module}.multiarray.{name}")
        for name in _NUMPY
        for module in ("numpy.core", "numpy._core")
    ]
    return [np.dtype, np.ndarray, *kinds, *named]


def _state(path: Path, found: Any, key: str | None) -> dict[str, torch.Tensor]:
    if not isinstance(found, Mapping):
        raise WeightsError(f"{path}: it holds {type(found).__name__}, expected a state dict")
    if key is not None:
        if key not in found:
            raise WeightsError(f"{path}: nothing called {key!r}; it holds {_names(found)}")
        return _state(path, found[key], None)
    tensors = {str(name): one for name, one in found.items() if isinstance(one, torch.Tensor)}
    if tensors and len(tensors) == len(found):
        return tensors
    inside = [name for name in WRAPPERS if isinstance(found.get(name), Mapping)]
    if len(inside) == 1 and not tensors:
        return _state(path, found[inside[0]], None)
    several = f"state dicts {', '.join(inside)}" if len(inside) > 1 else _names(found)
    raise WeightsError(
        f"{path}: it holds {several}; expected one state dict, alone or as one of "
        f"{', '.join(WRAPPERS)}: name it by --key"
    )


def _names(found: Mapping[Any, Any]) -> str:
    names = [f"{name} ({type(one).__name__})" for name, one in list(found.items())[:8]]
    return ", ".join(names) + (" ..." if len(found) > 8 else "") or "nothing"
