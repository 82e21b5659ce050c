"""Label probabilities of many patches of MoG-MRF: their field, and sums over them.

They lie in blocks of `PATCHES` patches, float32 (blocks, p + 2, p + 2, 3 PATCHES): a border of
zeros around p x p pixels, and for each pixel the probabilities of the first label in all
patches, then of the second and the third. So a block with its likelihoods stays in the cache,
and each inner loop, with one result, compiles to SIMD.
"""

import numpy as np

from istsbench.compiled import njit

Array = np.ndarray

PATCHES = 16  # a block, whose labels and likelihoods, 2 x 0.5 MB of floats, fit into the cache
STILL = 1e-7  # change of a label that its neighbours do not notice: the last bit of a float's 1
LEAST = -70.0  # logarithm of the smallest likelihood, about 1e-30, that is told from none
SERIES = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # 1 / 7!, ... 1 / 0!


@njit(error_model="numpy", fastmath={"contract"})
def exponential(x: float) -> float:
    """exp(x) for |x| <= 8, to 1e-6 in float32; unlike the library's it compiles to SIMD."""
    x *= np.float32(1 / 16)
    power = np.float32(1 / 40320)
    for factor in SERIES:
        power = power * x + np.float32(factor)
    for _ in range(4):
        power *= power
    return power


@njit(error_model="numpy", fastmath={"contract"})
def small_exponential(x: float) -> float:
    """exp(x) for -70 <= x <= 0, to 1e-9 in float64, likewise."""
    x /= 1024
    power = 1 / 40320
    for factor in SERIES:
        power = power * x + factor
    for _ in range(10):
        power *= power
    return power


@njit(error_model="numpy", fastmath={"contract"})
def likelihoods(noise: Array, square: Array, terms: Array, out: Array) -> None:
    """Set `out` (p, p, 3 PATCHES) to the likelihood of each label, the largest of a pixel 1.

    `noise` and `square` are (p * p, n), n up to PATCHES. `terms` (3, 3) are those of a
    label's logarithm: a constant, and the factors of both.
    """
    side, count = out.shape[0], noise.shape[1]
    logs, most = np.zeros((3, PATCHES)), np.empty(PATCHES)
    for pixel in range(side * side):
        here, known, known_square = out[pixel // side, pixel % side], noise[pixel], square[pixel]
        for k in range(3):
            constant, slope, curve = terms[k, 0], terms[k, 1], terms[k, 2]
            log = logs[k]
            for j in range(count):
                log[j] = constant + slope * known[j] + curve * known_square[j]
        for j in range(PATCHES):
            most[j] = max(logs[0, j], logs[1, j], logs[2, j])
        for k in range(3):
            log, result = logs[k], here[k * PATCHES : (k + 1) * PATCHES]
            for j in range(PATCHES):
                result[j] = small_exponential(max(log[j] - most[j], LEAST))


@njit(error_model="numpy", fastmath={"contract"})
def sweep(labels: Array, likelihood: Array, weight: float, due: Array) -> bool:
    """Update the labels of a block once, in place, where a neighbour has moved; see `smooth`.

    `due`, bool (p + 2, p + 2), says where. False if that is nowhere.
    """
    side = len(labels) - 2
    count = labels.shape[2]
    odds, share = np.empty(count, np.float32), np.empty(PATCHES, np.float32)
    first, second, third = odds[:PATCHES], odds[PATCHES : 2 * PATCHES], odds[2 * PATCHES :]
    any_due = False
    for y in range(1, side + 1):
        for x in range(1, side + 1):
            if not due[y, x]:
                continue
            due[y, x] = False
            any_due = True
            here, like = labels[y, x], likelihood[y - 1, x - 1]
            up, down, left, right = (
                labels[y - 1, x],
                labels[y + 1, x],
                labels[y, x - 1],
                labels[y, x + 1],
            )
            for j in range(count):
                near = up[j] + down[j] + left[j] + right[j]
                odds[j] = exponential(weight * near) * like[j]
            for j in range(PATCHES):
                share[j] = np.float32(1) / (first[j] + second[j] + third[j])
            moved = 0
            for k in range(3):
                part = slice(k * PATCHES, (k + 1) * PATCHES)
                odd, label = odds[part], here[part]
                for j in range(PATCHES):
                    value = odd[j] * share[j]
                    moved += abs(value - label[j]) > np.float32(STILL)
                    label[j] = value
            if moved:
                due[y - 1, x] = due[y + 1, x] = due[y, x - 1] = due[y, x + 1] = True
    return any_due


@njit
def smooth(
    blocks: Array, noise: Array, square: Array, terms: Array, weight: float, sweeps: int
) -> None:
    """Mean-field updates, in place, of the label probabilities of all blocks.

    `noise` and `square` are (p * p, n), `terms` (3, 3) as for `likelihoods`. The labels of a
    pixel become likelihood * exp(weight * sum of its 4 neighbours' labels), scaled to sum 1.
    Each update sees those before it, row by row; column by column would be the same. A pixel
    is left alone until one of its neighbours has moved.
    """
    side = blocks.shape[1] - 2
    likelihood = np.empty((side, side, blocks.shape[3]), np.float32)
    due = np.empty((side + 2, side + 2), np.bool_)
    for block in range(len(blocks)):
        part = slice(block * PATCHES, (block + 1) * PATCHES)
        likelihoods(noise[:, part], square[:, part], terms, likelihood)
        due[:] = True
        for _ in range(sweeps):
            if not sweep(blocks[block], likelihood, np.float32(weight), due):
                break


@njit(error_model="numpy", fastmath={"contract", "reassoc"})
def moments(blocks: Array, noise: Array, square: Array) -> Array:
    """Sums (3, 3) over all entries, for each label: of it, of it times noise, times square."""
    side, columns = blocks.shape[1] - 2, noise.shape[1]
    sums = np.zeros((3, 3))
    for pixel in range(side * side):
        for block in range(len(blocks)):
            first = block * PATCHES
            count = min(PATCHES, columns - first)
            here = blocks[block, pixel // side + 1, pixel % side + 1]
            known, known_square = noise[pixel, first:], square[pixel, first:]
            for k in range(3):
                label = here[k * PATCHES : (k + 1) * PATCHES]
                number = level = power = 0.0
                for j in range(count):
                    number += label[j]
                    level += label[j] * known[j]
                    power += label[j] * known_square[j]
                sums[k, 0] += number
                sums[k, 1] += level
                sums[k, 2] += power
    return sums


@njit(error_model="numpy", fastmath={"contract"})
def expect(blocks: Array, data: Array, tau: Array, mean: Array) -> tuple[Array, Array]:
    """Expected precision of each entry of the data (p * p, n), and that times data less mean."""
    side, columns = blocks.shape[1] - 2, data.shape[1]
    weights, target = np.empty_like(data), np.empty_like(data)
    shift = tau * mean
    for pixel in range(side * side):
        for block in range(len(blocks)):
            first = block * PATCHES
            count = min(PATCHES, columns - first)
            here = blocks[block, pixel // side + 1, pixel % side + 1]
            a, b, c = here[:PATCHES], here[PATCHES : 2 * PATCHES], here[2 * PATCHES :]
            given, weight, aim = data[pixel, first:], weights[pixel, first:], target[pixel, first:]
            for j in range(count):
                weight[j] = tau[0] * a[j] + tau[1] * b[j] + tau[2] * c[j]
            for j in range(count):
                aim[j] = weight[j] * given[j] - shift[0] * a[j] - shift[1] * b[j] - shift[2] * c[j]
    return weights, target


def in_blocks(labels: Array) -> Array:
    """Label probabilities (3, p * p, n) as float32 (blocks, p + 2, p + 2, 3 PATCHES)."""
    side, count = round(labels.shape[1] ** 0.5), labels.shape[2]
    number = -(-count // PATCHES)
    whole = np.zeros((3, side, side, number * PATCHES), np.float32)
    whole[..., :count] = labels.reshape(3, side, side, count)
    stack = whole.reshape(3, side, side, number, PATCHES).transpose(3, 1, 2, 0, 4)
    blocks = np.zeros((number, side + 2, side + 2, 3 * PATCHES), np.float32)
    blocks[:, 1:-1, 1:-1] = stack.reshape(number, side, side, -1)
    return blocks


def in_patches(blocks: Array, count: int) -> Array:
    """The reverse of `in_blocks`: (3, p * p, count), float32."""
    number, side = len(blocks), blocks.shape[1] - 2
    stack = blocks[:, 1:-1, 1:-1].reshape(number, side, side, 3, PATCHES)
    return stack.transpose(3, 1, 2, 0, 4).reshape(3, side * side, -1)[..., :count]
