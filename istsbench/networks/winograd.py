"""3x3 convolutions in fewer multiplications, for scoring in float32 on a CPU.

Of a tile of 6x6 values, 36 products give the 4x4 outputs that take 144 if done one by one
(Winograd 1980; Lavin & Gray, CVPR 2016, F(4x4, 3x3)): along a side, four outputs are part of a
product of two polynomials, whose values are multiplied at six points, 0, +-1/sqrt(2), +-sqrt(2)
and infinity. Over the channels these are 36 products of matrices. With a dilation d the pixels of
a tile lie d apart.

The usual points 0, +-1, +-2 lose more digits. With these the error is about twice that of the
direct sum.
"""

# mypy: disable-error-code="untyped-decorator,no-untyped-call,call-arg,var-annotated"
from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from istsbench.compiled import njit
from istsbench.networks.kernels import FAST, call, fits, rows
from istsbench.networks.lanes import (
    LANES,
    ROWS,
    add,
    larger,
    product,
    put,
    sub,
    times,
    vector_at,
)

SIDE, OUT = 6, 4  # pixels a side that a tile reads and writes
POINTS = SIDE * SIDE
TILES = 48  # at a time, so that they stay in the cache; a multiple of ROWS
NEAR_POINT, FAR_POINT = np.float32(0.5**0.5), np.float32(2**0.5)  # the points
NEAR2, FAR2, BOTH2 = np.float32(0.5), np.float32(2), np.float32(2.5)  # their squares, and the sum
NEAR3, FAR3 = np.float32(0.5**1.5), np.float32(2**1.5)


class Winograd(nn.Module):
    """A convolution that `suits`, and the (leaky) ReLU after it; `slope` 1 is no activation.

    What the kernels do not take (a GPU, bfloat16, an image of a few dilations only) is left to
    torch. The weights are read once: they must not change any more.
    """

    def __init__(self, conv: nn.Conv2d, slope: float) -> None:
        super().__init__()
        self.conv = conv
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        if not self.takes(x):
            y: Tensor = self.conv(x)
            return y if self.slope == 1 else leaky_relu(y, self.slope, inplace=True)
        images, _, *shape = x.shape
        dilation = int(self.conv.dilation[0])
        y = torch.empty((images, self.conv.out_channels, *shape), memory_format=torch.channels_last)
        weights, bias = self._transformed
        starts = np.array([top for top in range(shape[0]) if top // dilation % OUT == 0])
        for one, other in zip(rows(x), rows(y), strict=True):
            flat = one.reshape(-1), np.array(shape), weights, bias
            call(convolve, starts, *flat, np.float32(self.slope), dilation, other.reshape(-1))
        return y

    def takes(self, x: Tensor) -> bool:
        learning = torch.is_grad_enabled() and (x.requires_grad or self.conv.weight.requires_grad)
        if learning or torch.is_autocast_enabled("cpu") or not fits(x):
            return False
        if {x.dtype, self.conv.weight.dtype} != {torch.float32}:
            return False
        # Where a tile is wider than what is left of the image, most of its outputs are cut off.
        tiles = [tiles_along(side, int(self.conv.dilation[0])) for side in x.shape[2:]]
        return 2 * POINTS * tiles[0] * tiles[1] <= 9 * x.shape[2] * x.shape[3]

    @cached_property
    def _transformed(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights at the points, (36, outputs / 16, inputs, 16) but flat, and the bias."""
        points = [0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5)]
        values = [
            [p**k / np.prod([p - other for other in points if other != p]) for k in range(3)]
            for p in points
        ]
        to_points = np.array([*values, [0, 0, 1]])
        kernel = self.conv.weight.detach().double().numpy()
        kernel = kernel.reshape(-1, LANES, *kernel.shape[1:])
        weights = np.einsum("pa,qb,oviab->pqoiv", to_points, to_points, kernel, optimize=True)
        bias = self.conv.bias
        return (
            np.ascontiguousarray(weights, np.float32).reshape(-1),
            np.zeros(self.conv.out_channels, np.float32) if bias is None else bias.detach().numpy(),
        )


def suits(conv: nn.Conv2d) -> bool:
    """Whether a convolution is one that `Winograd` computes: 3x3, of equal sizes, many channels."""
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.padding == conv.dilation
        and conv.dilation[0] == conv.dilation[1]
        and conv.padding_mode == "zeros"
        and conv.groups == 1
        and conv.in_channels % LANES == 0
        and conv.out_channels % LANES == 0
    )


def tiles_along(side: int, dilation: int) -> int:
    """How many tiles stand along a side of so many pixels."""
    whole, rest = divmod(side, OUT * dilation)
    return whole * dilation + min(rest, dilation)


# ---------------------------------------------------------------------- lines of a tile


@njit(**FAST)
def _take(array: Any, start: int, step: int) -> Any:
    """Six vectors of an array."""
    return (
        vector_at(array, start),
        vector_at(array, start + step),
        vector_at(array, start + 2 * step),
        vector_at(array, start + 3 * step),
        vector_at(array, start + 4 * step),
        vector_at(array, start + 5 * step),
    )


@njit(**FAST)
def _lay(array: Any, start: int, step: int, vectors: Any) -> None:
    for number in range(len(vectors)):
        put(array, start + number * step, vectors[number])


@njit(**FAST)
def _to_points(line: Any) -> Any:
    """Six pixels to the values at the six points."""
    d0, d1, d2, d3, d4, d5 = line
    even, odd = sub(d4, times(d2, FAR2)), times(sub(d3, times(d1, FAR2)), NEAR_POINT)
    even2, odd2 = sub(d4, times(d2, NEAR2)), times(sub(d3, times(d1, NEAR2)), FAR_POINT)
    first = add(sub(d0, times(d2, BOTH2)), d4)
    last = add(sub(d1, times(d3, BOTH2)), d5)
    return first, add(even, odd), sub(even, odd), add(even2, odd2), sub(even2, odd2), last


@njit(**FAST)
def _from_points(line: Any) -> Any:
    """Products at the six points to four outputs."""
    m0, m1, m2, m3, m4, m5 = line
    even, odd, even2, odd2 = add(m1, m2), sub(m1, m2), add(m3, m4), sub(m3, m4)
    return (
        add(m0, add(even, even2)),
        add(times(odd, NEAR_POINT), times(odd2, FAR_POINT)),
        add(times(even, NEAR2), times(even2, FAR2)),
        add(add(times(odd, NEAR3), times(odd2, FAR3)), m5),
    )


# ---------------------------------------------------------------------- tiles


@njit(**FAST)
def _read(
    x: Any, start: int, down: int, right: int, channels: int, half: Any, v: Any, at: int
) -> None:  # fmt: skip
    """A tile of x at its 36 points, to v; `down` and `right` lead from pixel to pixel."""
    step = len(v) // POINTS
    for c in range(0, channels, LANES):
        for k in range(SIDE):
            line = _take(x, start + c + k * right, down)
            _lay(half, k * LANES, SIDE * LANES, _to_points(line))
        for k in range(SIDE):
            line = _take(half, k * SIDE * LANES, LANES)
            _lay(v, at + c + k * SIDE * step, step, _to_points(line))


@njit(**FAST)
def _read_at_edge(
    x: Any, shape: Any, top: int, left: int, dilation: int, channels: int, edge: Any
) -> None:
    """A tile of x to `edge`, pixels in their order, with zeros outside of the image."""
    height, width = shape
    for i in range(SIDE):
        for j in range(SIDE):
            row, column = top + i * dilation, left + j * dilation
            to = (i * SIDE + j) * channels
            if 0 <= row < height and 0 <= column < width:
                begin = (row * width + column) * channels
                edge[to : to + channels] = x[begin : begin + channels]
            else:
                edge[to : to + channels] = 0


@njit(**FAST)
def _multiply(v: Any, weights: Any, m: Any, count: int, inputs: int, outputs: int) -> None:
    """m = v weights at each of the points, for the first `count` tiles or a few more."""
    for p in range(POINTS):
        a, c = p * (len(v) // POINTS), p * (len(m) // POINTS)
        for k in range(0, outputs, LANES):
            b = (p * outputs + k) * inputs
            for t in range(0, count, ROWS):
                product(v, a + t * inputs, weights, b, m, c + t * outputs + k, inputs, outputs)


@njit(**FAST)
def _write(
    m: Any, at: int, bias: Any, slope: Any, half: Any, y: Any, start: int, down: int, right: int,
    lines: int, columns: int,
) -> None:  # fmt: skip
    """The outputs of a tile, of which so many lines and columns lie within the image, to y."""
    step, outputs = len(m) // POINTS, len(bias)
    for c in range(0, outputs, LANES):
        for k in range(SIDE):
            line = _take(m, at + c + k * step, SIDE * step)
            _lay(half, k * LANES, SIDE * LANES, _from_points(line))
        offset = vector_at(bias, c)
        for i in range(lines):
            line = _from_points(_take(half, i * SIDE * LANES, LANES))
            for j in range(columns):
                value = add(line[j], offset)
                value = larger(value, times(value, slope))
                put(y, start + c + i * down + j * right, value)


@njit(**FAST)
def convolve(
    begin: int, end: int, starts: Any, x: Any, shape: Any, weights: Any, bias: Any, slope: Any,
    dilation: int, y: Any,
) -> None:  # fmt: skip
    """Rows of tiles of one image, which begin at the pixels `starts`, from x to y, both flat."""
    height, width = shape
    inputs, outputs = len(x) // (height * width), len(bias)
    # A tile more than needed: places of a channel at two points shall not meet in the cache.
    v = np.zeros(POINTS * (TILES + 1) * inputs, np.float32)
    m = np.empty(POINTS * (TILES + 1) * outputs, np.float32)
    half, edge = np.empty(POINTS * LANES, np.float32), np.empty(POINTS * inputs, np.float32)
    tops, lefts, count = np.empty(TILES, np.int64), np.empty(TILES, np.int64), 0
    for row in range(begin, end):
        for block in range(0, width, OUT * dilation):
            for left in range(block, min(block + dilation, width)):
                top = starts[row]
                i, j, far = top - dilation, left - dilation, (SIDE - 1) * dilation
                if i >= 0 and j >= 0 and i + far < height and j + far < width:
                    down, right = dilation * width * inputs, dilation * inputs
                    start = (i * width + j) * inputs
                    _read(x, start, down, right, inputs, half, v, count * inputs)
                else:
                    _read_at_edge(x, shape, i, j, dilation, inputs, edge)
                    _read(edge, 0, SIDE * inputs, inputs, inputs, half, v, count * inputs)
                tops[count], lefts[count] = top, left
                count += 1
                last = row + 1 == end and left + 1 == min(block + dilation, width)
                if count < TILES and not (last and block + OUT * dilation >= width):
                    continue
                _multiply(v, weights, m, count, inputs, outputs)
                for tile in range(count):
                    i, j = tops[tile], lefts[tile]
                    lines = min(OUT, (height - i + dilation - 1) // dilation)
                    columns = min(OUT, (width - j + dilation - 1) // dilation)
                    down, right = dilation * width * outputs, dilation * outputs
                    start = (i * width + j) * outputs
                    _write(
                        m, tile * outputs, bias, slope, half, y, start, down, right, lines, columns
                    )  # fmt: skip
                count = 0
