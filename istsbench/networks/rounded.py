"""Weight files in 8 bits a weight, for networks that are too large for a wheel.

    python -m istsbench.networks.rounded best.safetensors pixelgame.safetensors

Each weight of a large tensor becomes a whole number from -127 to 127 times a scale, one for each
channel that the tensor gives: round-to-nearest, symmetric, by channel (Krishnamoorthi, "Quantizing
deep convolutional networks for efficient inference", arXiv 1806.08342, 2018). They are
float32 again as soon as they are read, so that a network computes as before. The rows of results/
are made with the rounded weights.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from istsbench.networks.checkpoint import SCALE, read_weights, write_tensors

LEAST = 4096  # values in a tensor that is rounded
LARGEST = 127  # whole number


def in_8_bits(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a file keeps of float32 tensors: int8 with scales, float16 for small ones."""
    kept: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.dtype != np.float32:
            kept[name] = tensor
        elif tensor.size < LEAST:
            kept[name] = tensor.astype(np.float16)
        else:
            largest = np.abs(tensor).max(axis=tuple(range(1, tensor.ndim)), keepdims=True)
            scale = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
            kept[name] = np.rint(tensor / scale).astype(np.int8)
            kept[name + SCALE] = scale
    return kept


def round_weights(path: Path, out: Path) -> None:
    """Write the weights of a file in 8 bits, with its header; raises `WeightsError`."""
    tensors, header = read_weights(path)
    write_tensors(out, in_8_bits(tensors), {**header, "bits": 8})


if __name__ == "__main__":
    round_weights(*map(Path, sys.argv[1:3]))
