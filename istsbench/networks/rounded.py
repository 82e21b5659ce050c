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
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from istsbench.networks.checkpoint import SCALE, read_weights, write_tensors

WORTH = 4096  # values in the smallest tensor that is rounded
STEPS = 127  # on each side of 0


def in_8_bits(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a file keeps of float32 tensors: int8 with scales, float16 for small ones."""
    kept: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.dtype != np.float32:
            kept[name] = tensor
        elif tensor.size < WORTH:
            kept[name] = tensor.astype(np.float16)
        else:
            largest = np.abs(tensor).max(axis=tuple(range(1, tensor.ndim)), keepdims=True)
            scale = np.where(largest > 0, largest / STEPS, 1).astype(np.float32)
            kept[name] = np.rint(tensor / scale).astype(np.int8)
            kept[name + SCALE] = scale
    return kept


def round_weights(path: Path, out: Path) -> None:
    """Write the weights of a file in 8 bits, with its header; raises `WeightsError`."""
    tensors, header = read_weights(path)
    write_tensors(out, in_8_bits(tensors), {**header, "bits": 8})


def main(words: Sequence[str]) -> None:
    """Round the first file into the second."""
    if len(words) != 2:
        raise SystemExit("expected two files: the weights, and where those in 8 bits go")
    round_weights(*map(Path, words))


if __name__ == "__main__":
    main(sys.argv[1:])
