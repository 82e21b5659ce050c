"""The parts of MIM that read a whole feature map, for training on a CPU.

Each is one or two passes each way, where torch needs several: its `amax` alone compares, counts,
divides and multiplies whole maps on the way back. As there, values that are the maximum together
share its gradient.
"""

import numpy as np
import torch

from istsbench.compiled import njit
from istsbench.networks.kernels import FAST, call, load_float, rows, store


@njit(**FAST)
def _survey(begin, end, x, weight, position, top, most):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        highest = np.full(channels, -np.inf, np.float32)
        for p in range(pixels):
            total, best = np.float32(0), np.float32(-np.inf)
            for c in range(channels):
                value = load_float(x[n, p, c])
                total += value * weight[c]
                best = max(best, value)
                highest[c] = max(highest[c], value)
            position[n, p], top[n, p] = total, best
        most[n] = highest


@njit(**FAST)
def _survey_back(begin, end, x, weight, top, most, dposition, dtop, dmost, dweight, dx):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        ties, highest = np.zeros(channels, np.float32), most[n]
        for p in range(pixels):
            for c in range(channels):
                ties[c] += np.float32(load_float(x[n, p, c]) == highest[c])
        share, out, total = dmost[n] / ties, dx[n], np.zeros(channels, np.float32)
        for p in range(pixels):
            slope, best, equal = dposition[n, p], top[n, p], np.float32(0)
            for c in range(channels):
                equal += np.float32(load_float(x[n, p, c]) == best)
            part = dtop[n, p] / equal
            for c in range(channels):
                value = load_float(x[n, p, c])
                total[c] += slope * value
                gradient = slope * weight[c]
                gradient += part if value == best else np.float32(0)
                gradient += share[c] if value == highest[c] else np.float32(0)
                store(out, p, c, gradient)
        dweight[n] = total


class Survey(torch.autograd.Function):
    """(x, weight) to the weighted sum and the maximum over the channels and that over the pixels.

    x is (N, C, h, w) and weight (C,); the results are (N, h w), (N, h w) and (N, C), float32.
    """

    @staticmethod
    def forward(ctx, x, weight):
        seen = rows(x)
        images, pixels, channels = seen.shape
        position, top = (np.empty((images, pixels), np.float32) for _ in range(2))
        most = np.empty((images, channels), np.float32)
        call(_survey, seen, _single(weight), position, top, most)
        ctx.save_for_backward(x, weight)
        ctx.maxima = top, most
        return tuple(torch.from_numpy(values) for values in (position, top, most))

    @staticmethod
    def backward(ctx, dposition, dtop, dmost):
        x, weight = ctx.saved_tensors
        dx, dweight = torch.empty_like(x), np.empty((len(x), x.shape[1]), np.float32)
        given = _single(dposition), _single(dtop), _single(dmost)
        call(_survey_back, rows(x), _single(weight), *ctx.maxima, *given, dweight, rows(dx))
        return dx, torch.from_numpy(dweight.sum(0))


@njit(**FAST)
def _gather(begin, end, x, share, mean):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        for p in range(pixels):
            for c in range(channels):
                mean[n, c] += share[n, p] * load_float(x[n, p, c])


@njit(**FAST)
def _gather_back(begin, end, x, share, dmean, dshare, dx):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        out = dx[n]
        for p in range(pixels):
            total = np.float32(0)
            for c in range(channels):
                total += dmean[n, c] * load_float(x[n, p, c])
                store(out, p, c, share[n, p] * dmean[n, c])
            dshare[n, p] = total


class Gather(torch.autograd.Function):
    """(x, share) to the sums over the pixels of share x, (N, C) float32; share is (N, h w)."""

    @staticmethod
    def forward(ctx, x, share):
        mean = np.zeros((len(x), x.shape[1]), np.float32)
        call(_gather, rows(x), _single(share), mean)
        ctx.save_for_backward(x, share)
        return torch.from_numpy(mean)

    @staticmethod
    def backward(ctx, dmean):
        x, share = ctx.saved_tensors
        dx, dshare = torch.empty_like(x), np.empty(share.shape, np.float32)
        call(_gather_back, rows(x), _single(share), _single(dmean), dshare, rows(dx))
        return dx, torch.from_numpy(dshare)


@njit(**FAST)
def _modulate(begin, end, x, channel, pixel, y):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        out = y[n]
        for p in range(pixels):
            for c in range(channels):
                store(out, p, c, (channel[n, c] + pixel[n, p]) * load_float(x[n, p, c]))


@njit(**FAST)
def _modulate_back(begin, end, x, dy, channel, pixel, dchannel, dpixel, dx):
    _, pixels, channels = x.shape
    for n in range(begin, end):
        out = dx[n]
        for p in range(pixels):
            total = np.float32(0)
            for c in range(channels):
                gradient = load_float(dy[n, p, c])
                both = gradient * load_float(x[n, p, c])
                total += both
                dchannel[n, c] += both
                store(out, p, c, (channel[n, c] + pixel[n, p]) * gradient)
            dpixel[n, p] = total


class Modulate(torch.autograd.Function):
    """(x, channel, pixel) to (channel + pixel) x; channel is (N, C) and pixel (N, h w)."""

    @staticmethod
    def forward(ctx, x, channel, pixel):
        y = torch.empty_like(x)
        call(_modulate, rows(x), _single(channel), _single(pixel), rows(y))
        ctx.save_for_backward(x, channel, pixel)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, channel, pixel = ctx.saved_tensors
        given = rows(dy.to(x.dtype).contiguous(memory_format=torch.channels_last))
        dx = torch.empty_like(x)
        dchannel = np.zeros(channel.shape, np.float32)
        dpixel = np.empty(pixel.shape, np.float32)
        gates = _single(channel), _single(pixel)
        call(_modulate_back, rows(x), given, *gates, dchannel, dpixel, rows(dx))
        return dx, torch.from_numpy(dchannel), torch.from_numpy(dpixel)


def _single(tensor):
    return tensor.detach().float().contiguous().numpy()
