"""Loops over feature maps for a CPU, compiled by numba: bfloat16 or float32, channels last.

A feature map is an array (N, P, C): images, pixels, channels. bfloat16 comes as uint16, the
upper half of a float32. Sums over pixels are float32 over a strip of pixels and float64 over the
strips, and each image has its own, so that the result does not depend on the number of threads.
"""

# mypy: disable-error-code="untyped-decorator,call-arg"
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from torch import Tensor

from istsbench.compiled import njit

STRIP = 64  # pixels that are added up in float32
FAST: Any = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
_I16, _I32, _F32 = ir.IntType(16), ir.IntType(32), ir.FloatType()


def rows(x: Tensor) -> np.ndarray:
    """A view (N, P, C) of a feature map (N, C, h, w), which lies channels last."""
    flat = x.detach().permute(0, 2, 3, 1).flatten(1, 2)
    return (flat.view(torch.uint16) if x.dtype == torch.bfloat16 else flat).numpy()


def fits(x: Tensor) -> bool:
    """True for what the kernels take: on the CPU, channels last, float32 or bfloat16.

    Not inside `torch.compile`, which has kernels of its own.
    """
    return (
        x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.dim() == 4
        and x.shape[1] > 1
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def call(kernel: Callable[..., None], *arrays: Any) -> None:
    """Run a kernel over all images of the first array, on as many threads as torch uses.

    Not numba's own threads: they are OpenMP's, and would change how many of these torch has.
    """
    images = len(arrays[0])
    threads = min(torch.get_num_threads(), images)
    if threads == 1:
        kernel(0, images, *arrays)
        return
    bounds = [images * part // threads for part in range(threads + 1)]
    tasks = [
        _pool().submit(kernel, *bounds[part : part + 2], *arrays) for part in range(1, threads)
    ]
    kernel(0, bounds[1], *arrays)
    for task in tasks:
        task.result()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="kernels")


# ---------------------------------------------------------------------- bfloat16


@intrinsic
def _widen(context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.shl(builder.zext(arguments[0], _I32), _I32(16)), _F32)

    return types.float32(types.uint16), generate


@intrinsic
def _narrow(context: Any, value: Any) -> Any:
    """Round to the nearest, ties to even, as torch does."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _I32)
        odd = builder.and_(builder.lshr(bits, _I32(16)), _I32(1))
        rounded = builder.add(builder.add(bits, _I32(0x7FFF)), odd)
        return builder.trunc(builder.lshr(rounded, _I32(16)), _I16)

    return types.uint16(types.float32), generate


def load_float(value: Any) -> Any:
    """A stored value as float32, inside a kernel."""
    raise NotImplementedError


@overload(load_float, inline="always")
def _load(value: Any) -> Any:
    if value == types.uint16:

        def halved(value: Any) -> Any:
            return _widen(value)

        return halved

    def whole(value: Any) -> Any:
        return value

    return whole


def store(array: Any, row: int, column: int, value: Any) -> None:
    """Store a float32 in the format of the array (P, C), inside a kernel."""
    raise NotImplementedError


@overload(store, inline="always")
def _store(array: Any, row: int, column: int, value: Any) -> Any:
    if array.dtype == types.uint16:

        def halved(array: Any, row: int, column: int, value: Any) -> None:
            array[row, column] = _narrow(value)

        return halved

    def whole(array: Any, row: int, column: int, value: Any) -> None:
        array[row, column] = value

    return whole


# ---------------------------------------------------------------------- norm and activation


@njit(**FAST)
def moments(begin: int, end: int, x: Any, shift: Any, sums: Any) -> None:
    """sums (N, 2, C): of x - shift over the pixels, and of its square."""
    _, pixels, channels = x.shape
    for n in range(begin, end):
        first, second = np.empty(channels, np.float32), np.empty(channels, np.float32)
        for start in range(0, pixels, STRIP):
            first[:] = 0
            second[:] = 0
            for p in range(start, min(start + STRIP, pixels)):
                for c in range(channels):
                    value = load_float(x[n, p, c]) - shift[c]
                    first[c] += value
                    second[c] += value * value
            for c in range(channels):
                sums[n, 0, c] += first[c]
                sums[n, 1, c] += second[c]


@njit(**FAST)
def activate(begin: int, end: int, x: Any, scale: Any, offset: Any, slope: Any, y: Any) -> None:
    """y = scale x + offset, times `slope` where that is negative."""
    _, pixels, channels = x.shape
    for n in range(begin, end):
        out = y[n]
        for p in range(pixels):
            for c in range(channels):
                value = load_float(x[n, p, c]) * scale[c] + offset[c]
                store(out, p, c, max(value, value * slope))


@njit(**FAST)
def slopes(
    begin: int, end: int, x: Any, dy: Any, scale: Any, offset: Any, slope: Any, mean: Any, sums: Any
) -> None:
    """sums (N, 2, C): of the gradient before the activation, and of it times x - mean."""
    _, pixels, channels = x.shape
    for n in range(begin, end):
        first, second = np.empty(channels, np.float32), np.empty(channels, np.float32)
        for start in range(0, pixels, STRIP):
            first[:] = 0
            second[:] = 0
            for p in range(start, min(start + STRIP, pixels)):
                for c in range(channels):
                    value, gradient = load_float(x[n, p, c]), load_float(dy[n, p, c])
                    if value * scale[c] + offset[c] <= 0:
                        gradient *= slope
                    first[c] += gradient
                    second[c] += gradient * (value - mean[c])
            for c in range(channels):
                sums[n, 0, c] += first[c]
                sums[n, 1, c] += second[c]


@njit(**FAST)
def deactivate(
    begin: int,
    end: int,
    x: Any,
    dy: Any,
    scale: Any,
    offset: Any,
    slope: Any,
    linear: Any,
    constant: Any,
    dx: Any,
) -> None:
    """dx = scale times the gradient before the activation + linear x + constant."""
    _, pixels, channels = x.shape
    for n in range(begin, end):
        out = dx[n]
        for p in range(pixels):
            for c in range(channels):
                value, gradient = load_float(x[n, p, c]), load_float(dy[n, p, c])
                if value * scale[c] + offset[c] <= 0:
                    gradient *= slope
                store(out, p, c, gradient * scale[c] + value * linear[c] + constant[c])
