"""Tensors on disk: weight files to share, and checkpoints that a training goes on from.

Both are safetensors, so reading one runs no code. A weight file carries a JSON header
(network, recipe, data, scores, versions) and keeps its large tensors in half precision. A
checkpoint keeps every bit and is cut into pieces of at most 15 MiB, an index last, so that
it exists wholly or not at all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from istsbench.maps import write_atomic

KEY = "istsbench"
PIECE = 15 * 2**20  # bytes; stores and repositories often refuse files above 16 MiB
INDEX = "checkpoint.json"

Tensors = Mapping[str, np.ndarray]


class WeightsError(ValueError):
    """A file does not hold the weights that were asked for; the message names it."""


def save_weights(path: Path, tensors: Tensors, header: Mapping[str, Any]) -> None:
    """Write a weight file; float32 tensors of two or more dimensions become float16."""
    halved = {
        name: tensor.astype(np.float16) if tensor.ndim > 1 else tensor
        for name, tensor in tensors.items()
    }
    write_atomic(path, save(halved, {KEY: json.dumps(header)}))


def read_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of a weight file, floats as float32, and its header."""
    tensors, metadata = _read(path)
    if KEY not in metadata:
        raise WeightsError(f"{path}: no weight file of istsbench (its header has no {KEY!r})")
    whole = {
        name: tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor
        for name, tensor in tensors.items()
    }
    return whole, json.loads(metadata[KEY])


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error


def save_checkpoint(folder: Path, tensors: Tensors, state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON state; older pieces go only once the new ones are complete."""
    stamp = uuid.uuid4().hex[:8]
    names = []
    for number, piece in enumerate(_pieces(tensors)):
        names.append(f"checkpoint-{stamp}-{number}.safetensors")
        write_atomic(folder / names[-1], save(piece))
    write_atomic(folder / INDEX, json.dumps({"pieces": names, "state": state}).encode())
    for path in folder.glob("checkpoint-*.safetensors"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _pieces(tensors: Tensors) -> list[dict[str, np.ndarray]]:
    pieces: list[dict[str, np.ndarray]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if pieces[-1] and size + tensor.nbytes > PIECE:
            pieces.append({})
            size = 0
        pieces[-1][name] = tensor
        size += tensor.nbytes
    return pieces


def read_checkpoint(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Tensors and state of the checkpoint in a folder, None if there is none."""
    index = folder / INDEX
    if not index.is_file():
        return None
    try:
        found = json.loads(index.read_bytes())
        tensors: dict[str, np.ndarray] = {}
        for name in found["pieces"]:
            tensors.update(_read(folder / name)[0])
        return tensors, found["state"]
    except (ValueError, KeyError) as error:
        raise WeightsError(f"{index}: not a usable checkpoint ({error})") from error
