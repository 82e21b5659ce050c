"""How a network of others normalises grey levels, folded into the first batch norm of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from istsbench.errors import WeightsError, WrongUse

IMAGENET = "imagenet"
_MEAN = 255 * np.array([0.485, 0.456, 0.406])  # of red, green, blue, as grey levels 0..255
_STD = 255 * np.array([0.229, 0.224, 0.225])
Layer = tuple[str, str, torch.Tensor]  # name of the module, of the tensor in it, the tensor


def read_normalisation(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation, of one channel or three, in grey levels."""
    if text.strip().lower() == IMAGENET:
        return _MEAN, _STD
    try:
        mean, std = (float(number) for number in text.split(","))
    except ValueError:
        mean = std = float("nan")
    if not (np.isfinite(mean) and np.isfinite(std) and std > 0):
        raise WrongUse(
            f"normalisation is {text!r}; expected MEAN,STD in grey levels 0..255, as 101.06,34.62 "
            f"(0,255 for images divided by 255), or {IMAGENET}"
        )
    return np.array([mean]), np.array([std])


def folded_norm(
    path: Path, layers: Sequence[Layer], channels: int, mean: np.ndarray, std: np.ndarray
) -> tuple[tuple[torch.Tensor, torch.Tensor], np.ndarray]:
    """Our first mean and variance, and the sign of each channel in the convolution behind.

    Theirs is y = a g + k of the grey level g: the normalisation, then a batch norm with weight
    and bias. Ours is (x - m) / sqrt(v + eps) of x = (g - MEAN) / STD. A negative `a` becomes
    positive with the sign of the channel changed behind it.
    """
    eps = torch.nn.BatchNorm2d(1).eps
    given = {name: tensor.double().numpy() for _, name, tensor in layers}
    weight = given.get("weight", np.ones(channels))
    bias = given.get("bias", np.zeros(channels))
    if layers:
        deviation = np.sqrt(given["running_var"] + eps)
        centre = given["running_mean"]
    else:
        deviation, centre = np.ones(channels), np.zeros(channels)
    gain = weight / (deviation * std)
    offset = bias - weight * centre / deviation - gain * mean
    if not (np.abs(gain) > 0).all():
        raise WeightsError(f"{path}: a channel of the input has weight 0 in {layers[0][0]}")
    sign = np.sign(gain)
    gain, offset = gain * sign, offset * sign
    variance = 1 / (gain * std.mean()) ** 2 - eps
    if (variance < 0).any():
        raise WeightsError(f"{path}: {layers[0][0]} magnifies its input by more than can be kept")
    moved = -(gain * mean.mean() + offset) / (gain * std.mean())
    return (torch.from_numpy(moved).float(), torch.from_numpy(variance).float()), sign.astype("f4")
