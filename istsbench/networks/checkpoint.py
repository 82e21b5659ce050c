"""Tensors on disk: weight files to share, and checkpoints that a training goes on from.

Both are safetensors, so reading one runs no code. A weight file carries a JSON header
(network, recipe, data, scores, versions) and keeps its large tensors in half precision, or,
where a network is too large for a wheel, in 8 bits (`python -m istsbench.networks.rounded`). A
checkpoint keeps every bit and is cut into pieces of at most 15 MiB, an index last, so that
it exists wholly or not at all. Both carry sha256 sums, for safetensors itself would take a
tensor with a changed bit; files from before there were sums are read without.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from istsbench.errors import WeightsError
from istsbench.files import tidy, write_atomic

_KEY, SUM = "istsbench", "sha256"
SCALE = ".scale"  # ends the name of what a tensor in 8 bits is multiplied by, one a first index
PIECE = 15 * 2**20  # bytes; stores and repositories often refuse files above 16 MiB
INDEX = "checkpoint.json"

Tensors = Mapping[str, np.ndarray]


def read_plan(path: Path) -> dict[str, Any] | None:
    """How the weights in a file were trained, from its header alone; None if it does not say.

    The plan of the training, and the `command` where the header has one.
    """
    header = _told(path)
    plan = header.get("plan")
    if not (isinstance(plan, dict) and type(plan.get("seed")) is int):
        return None
    return plan | {key: header[key] for key in ("command",) if key in header}


def read_images(path: Path) -> frozenset[str] | None:
    """Hashes of the images that the weights in a file have learnt from; None if it has none."""
    images = _told(path).get("images")
    if not (isinstance(images, list) and all(isinstance(one, str) for one in images)):
        return None
    return frozenset(images)


def _told(path: Path) -> dict[str, Any]:
    """The header of a weight file without its tensors; empty if it cannot be read."""
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})[_KEY])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def save_weights(
    path: Path, tensors: Tensors, header: Mapping[str, Any], *, halved: bool = True
) -> None:
    """Write a weight file; if `halved`, tensors of two or more dimensions become float16."""
    kept = {
        name: tensor.astype(np.float16) if halved and tensor.ndim > 1 else tensor
        for name, tensor in tensors.items()
    }
    write_tensors(path, kept, header)


def write_tensors(path: Path, kept: Tensors, header: Mapping[str, Any]) -> None:
    """Write a weight file of these tensors as they are."""
    text = json.dumps({**header, SUM: _sum(kept, header)})
    write_atomic(path, save(dict(kept), {_KEY: text}))


def read_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of a weight file, floats as float32, and its header."""
    tensors, metadata = _read(path)
    if _KEY not in metadata:
        raise WeightsError(f"{path}: no weight file of istsbench (its header has no {_KEY!r})")
    try:
        header = json.loads(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its header is damaged ({error})") from error
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: its header is no JSON object")
    stated = header.pop(SUM, None)
    if stated is not None and stated != _sum(tensors, header):
        raise WeightsError(f"{path}: damaged (its tensors and header do not have its {SUM})")
    whole = {}
    for name, tensor in tensors.items():
        if tensor.dtype == np.int8:
            if name + SCALE not in tensors:
                raise WeightsError(
                    f"{path}: {name} is in 8 bits, and its {name + SCALE} is missing"
                )
            whole[name] = tensor * tensors[name + SCALE].astype(np.float32)
        elif not name.endswith(SCALE):
            whole[name] = tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor
    return whole, header


def _sum(tensors: Tensors, header: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"\0{name} {tensor.dtype} {tensors[name].shape}\0".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


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
    pieces = {}
    for number, piece in enumerate(_pieces(tensors)):
        name, data = f"checkpoint-{stamp}-{number}.safetensors", save(piece)
        write_atomic(folder / name, data)
        pieces[name] = hashlib.sha256(data).hexdigest()
    text = json.dumps({"pieces": pieces, "state": state})
    index = {"checkpoint": text, SUM: hashlib.sha256(text.encode()).hexdigest()}
    write_atomic(folder / INDEX, json.dumps(index).encode())
    for path in folder.glob("checkpoint-*.safetensors"):
        if path.name not in pieces:
            path.unlink(missing_ok=True)
    tidy(folder)


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
        if "checkpoint" in found:
            text = found["checkpoint"]
            if hashlib.sha256(text.encode()).hexdigest() != found[SUM]:
                raise ValueError(f"it is damaged, {SUM}")
            found = json.loads(text)
        else:  # from before there were sums
            found["pieces"] = dict.fromkeys(found["pieces"])
        tensors: dict[str, np.ndarray] = {}
        for name, expected in found["pieces"].items():
            path = folder / Path(name).name
            if expected is not None and expected != _sha(path):
                raise ValueError(f"{path.name} is damaged or not there")
            tensors.update(_read(path)[0])
        return tensors, dict(found["state"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{index}: not a usable checkpoint ({error})") from error


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
