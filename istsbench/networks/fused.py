"""Batch norms in fewer passes over memory: for training on a CPU, and for scoring.

In training the mathematics is that of `BatchNorm2d` followed by `ReLU` or `LeakyReLU`, both
ways. torch reads and writes the feature map some ten times for them; here it is read six
times and written twice. In scoring a batch norm is part of the convolution before it, and a
3x3 convolution is computed in fewer multiplications.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.fusion import fuse_conv_bn_eval

from istsbench.networks import kernels
from istsbench.networks.winograd import Winograd, suits


class _NormAct(torch.autograd.Function):
    """(x, weight, bias, eps, slope) to (y, mean, variance), statistics over (N, h, w)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        seen = kernels.rows(x)
        count = seen.shape[0] * seen.shape[1]
        shift = x.detach()[0, :, 0, 0].float().numpy()
        sums = np.zeros((seen.shape[0], 2, seen.shape[2]))
        kernels.call(kernels.moments, seen, shift, sums)
        first, second = sums.sum(0) / count
        mean, variance = first + shift, np.maximum(second - first**2, 0)
        inverse = 1 / np.sqrt(variance + eps)
        scale = weight.detach().double().numpy() * inverse
        offset = bias.detach().double().numpy() - mean * scale
        y = torch.empty_like(x)
        ctx.kept = scale, offset, mean, inverse, slope
        ctx.save_for_backward(x)
        kernels.call(kernels.activate, seen, *_single(scale, offset, slope), kernels.rows(y))
        statistics = torch.from_numpy(mean).float(), torch.from_numpy(variance).float()
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, dy: Tensor, *unused: Tensor
    ) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        scale, offset, mean, inverse, slope = ctx.kept
        seen = kernels.rows(x)
        given = kernels.rows(dy.to(x.dtype).contiguous(memory_format=torch.channels_last))
        count = seen.shape[0] * seen.shape[1]
        sums = np.zeros((seen.shape[0], 2, seen.shape[2]))
        single = _single(scale, offset, slope)
        kernels.call(kernels.slopes, seen, given, *single, *_single(mean), sums)
        dbias, along = sums.sum(0)
        dweight = along * inverse
        linear = -scale * inverse * dweight / count
        constant = -scale * dbias / count - linear * mean
        dx = torch.empty_like(x)
        factors = _single(linear, constant)
        kernels.call(kernels.deactivate, seen, given, *single, *factors, kernels.rows(dx))
        return dx, torch.from_numpy(dweight).float(), torch.from_numpy(dbias).float(), None, None


def _single(*values: Any) -> list[Any]:
    return [np.float32(value) for value in values]


class NormAct(nn.BatchNorm2d):
    """A batch norm and the (leaky) ReLU after it; `slope` 1 is no activation.

    It has the parameters and buffers of the norm, under the same names.
    """

    def __init__(self, norm: nn.BatchNorm2d, slope: float) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        self.slope = slope
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and kernels.fits(x)):
            plain = super().forward(x)
            return plain if self.slope == 1 else leaky_relu(plain, self.slope)
        apply: Callable[..., tuple[Tensor, Tensor, Tensor]] = _NormAct.apply
        y, mean, variance = apply(x, self.weight, self.bias, self.eps, self.slope)
        count = x.numel() / x.shape[1]
        statistics: dict[str, Any] = self._buffers
        with torch.no_grad():
            statistics["num_batches_tracked"].add_(1)
            statistics["running_mean"].lerp_(mean, self.momentum)
            statistics["running_var"].lerp_(variance * (count / (count - 1)), self.momentum)
        return y


def fuse(module: nn.Module) -> None:
    """Put a `NormAct` for each batch norm, and the activation behind it, in a `Sequential`.

    Names of parameters and buffers stay, and so do the parameters themselves.
    """
    for part in module.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for index, layer in enumerate(part):
            if type(layer) is nn.BatchNorm2d and _usual(layer):
                slope = _slope(part[index + 1]) if index + 1 < len(part) else None
                part[index] = NormAct(layer, 1.0 if slope is None else slope)
                if slope is not None:
                    part[index + 1] = nn.Identity()


def _usual(norm: nn.BatchNorm2d) -> bool:
    return norm.affine and norm.track_running_stats and norm.momentum is not None


def _slope(layer: nn.Module) -> float | None:
    """The slope of an activation below 0; None if it is no (leaky) ReLU."""
    if type(layer) is nn.ReLU:
        return 0.0
    if type(layer) is nn.LeakyReLU and 0 <= layer.negative_slope <= 1:
        return float(layer.negative_slope)
    return None


# ---------------------------------------------------------------------- scoring


def fold(module: nn.Module) -> nn.Module:
    """A copy for scoring, in which a convolution holds the batch norm behind it.

    One of 3x3 holds the activation too, see `Winograd`.
    """
    copied = copy.deepcopy(module).eval().requires_grad_(False)
    for part in copied.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for index, (layer, norm) in enumerate(zip(part, list(part)[1:], strict=False)):
            if type(layer) is nn.Conv2d and _folds(norm):
                slope = norm.slope if isinstance(norm, NormAct) else 1.0
                part[index] = fuse_conv_bn_eval(layer, norm)
                part[index + 1] = nn.Identity() if slope == 1 else nn.LeakyReLU(slope, inplace=True)
    for part in list(copied.modules()):
        for index, (name, child) in enumerate(list(part._modules.items())):
            if type(child) is nn.Conv2d and suits(child):
                slope = _take_activation(part, index) if isinstance(part, nn.Sequential) else 1.0
                part.add_module(name, Winograd(child, slope))
    return copied


def _take_activation(part: nn.Sequential, index: int) -> float:
    """The slope of the activation behind a layer, which becomes nothing; 1 if there is none."""
    for place in range(index + 1, len(part)):
        slope = _slope(part[place])
        if slope is not None:
            part[place] = nn.Identity()
            return slope
        if type(part[place]) is not nn.Identity:
            break
    return 1.0


def _folds(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    return type(norm) in (nn.BatchNorm2d, NormAct) and bool(norm.track_running_stats)
