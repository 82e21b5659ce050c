"""The embedded data set: 128x128-like scenes from a seed, no file needed.

Five backgrounds (smooth sky, clouds of 1/f noise, a horizon with buildings, sea glint,
and sensor noise with hot pixels) carry one to three targets. A target is a rotated
anisotropic Gaussian. Minor axis, aspect, peak and the rule that makes the mask follow
what the training images of NUST-SIRST show: minor sigma 0.3 to 2.95 px, aspect 1 to 2,
peak 42 to 178 grey levels (5 to 95 percent), foreground where the Gaussian exceeds 0.27
of its peak, and never less than five pixels in the form of a plus.

The scenes test a pipeline and give a first ranking; they replace no real image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from istsbench.data.samples import Dataset, Sample

COUNTS = {"train": 96, "val": 16, "test": 24}
BACKGROUNDS = ("sky", "clouds", "horizon", "sea", "noise")
EDGE = 0.27  # share of the peak at which the mask ends
SPLIT_CODES = {"train": 1, "val": 2, "test": 3}


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Scenes drawn on demand; a sample depends on the seed and its own name only."""

    seed: int = 0

    def load(self, name: str) -> Sample:
        split, _, number = name.partition("_")
        if name not in self.splits.get(split, ()):
            raise KeyError(f"the synthetic data set has no sample {name!r}")
        rng = np.random.default_rng([self.seed, SPLIT_CODES[split], int(number)])
        kind = BACKGROUNDS[int(number) % len(BACKGROUNDS)]
        shape = tuple(int(side) for side in rng.integers(96, 161, 2))
        image = background(kind, shape, rng)
        mask = np.zeros(shape, bool)
        for _ in range(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1])):
            add_target(image, mask, rng)
        image += rng.normal(0, rng.uniform(0.5, 2), shape)
        return Sample(name, np.clip(np.round(image), 0, 255), mask)


def synthetic(seed: int = 0) -> Synthetic:
    """The embedded data set: 96 training, 16 validation and 24 test scenes.

    >>> [len(synthetic().names(split)) for split in ("train", "val", "test")]
    [96, 16, 24]
    """
    splits = {
        split: tuple(f"{split}_{number:03d}" for number in range(count))
        for split, count in COUNTS.items()
    }
    return Synthetic("synthetic", "synthetic", splits, seed)


def fractal(shape: tuple[int, ...], power: float, rng: np.random.Generator) -> np.ndarray:
    """Noise with an amplitude spectrum of 1/f^power, mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=shape)) * frequency**-power
    field: np.ndarray = np.fft.irfft2(spectrum, s=shape)
    return np.asarray(field / field.std())


def background(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A scene without targets, float64 (H, W), about 0..255, not yet rounded."""
    height, width = shape
    rows = np.linspace(0, 1, height)[:, None]
    level = rng.uniform(30, 130)
    if kind == "sky":
        return np.asarray(level + rng.uniform(10, 50) * rows + 3 * fractal(shape, 2.0, rng))
    if kind == "clouds":
        field = fractal(shape, rng.uniform(1.2, 1.8), rng)
        return np.asarray(level + rng.uniform(12, 30) * np.maximum(field, -0.5))
    if kind == "horizon":
        return _horizon(shape, level, rng)
    if kind == "sea":
        glint = gaussian_filter(rng.normal(size=shape), (0.7, 2.5))
        shine = np.exp(-(((np.arange(width) / width - rng.uniform(0.2, 0.8)) / 0.25) ** 2))
        waves = np.maximum(glint / glint.std() - 0.5, 0) * rng.uniform(10, 22)
        return np.asarray(level + 15 * rows + waves * (0.3 + shine) * (0.4 + rows))
    image = level + 6 * fractal(shape, 1.5, rng) + rng.normal(0, rng.uniform(3, 7), shape)
    hot = rng.integers(0, [[height], [width]], (2, rng.integers(2, 6)))
    image[hot[0], hot[1]] += rng.uniform(25, 80, hot.shape[1])
    return image


def _horizon(shape: tuple[int, ...], level: float, rng: np.random.Generator) -> np.ndarray:
    height, width = shape
    image = level + 2 * fractal(shape, 2.0, rng)
    line = int(height * rng.uniform(0.55, 0.8))
    image[line:] += rng.uniform(25, 60) + 4 * fractal((height - line, width), 1.2, rng)
    for _ in range(rng.integers(2, 6)):
        left, top = int(rng.integers(0, width - 12)), line - int(rng.integers(5, 25))
        right = left + int(rng.integers(6, 22))
        image[top:line, left:right] = level + rng.uniform(15, 80)
    return np.asarray(gaussian_filter(image, 0.6))


def add_target(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """Add one Gaussian target to the image and its pixels to the mask, both in place."""
    rows, columns = np.indices(image.shape)
    minor = np.clip(rng.lognormal(np.log(1.3), 0.5), 0.3, 2.95)
    major = minor * rng.uniform(1, 2)
    peak = np.clip(rng.lognormal(np.log(70), 0.45), 25, 180)
    angle = rng.uniform(0, np.pi)
    y, x = (rng.uniform(4, side - 4) for side in image.shape)
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    shape = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    image += peak * shape
    mask |= shape > EDGE
    centre = np.abs(rows - np.round(y)) + np.abs(columns - np.round(x))
    mask |= centre <= 1


def scene(height: int = 72, width: int = 88, seed: int = 0) -> np.ndarray:
    """A small image, float64 (height, width), whole grey levels 0..255, one bright target.

    A sloping background with mild noise; the target is a 3x3 spot near the centre.

    >>> image = scene(40, 60)
    >>> image.shape, float(image.max()) == float(image[20, 30])
    ((40, 60), True)
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    image = 70 + 20 * rows / height + 10 * np.sin(columns / 15) + rng.normal(0, 1, (height, width))
    y, x = height // 2, width // 2
    image[y - 1 : y + 2, x - 1 : x + 2] += 60
    image[y, x] += 20
    return np.asarray(np.clip(np.round(image), 0, 255))
