"""Training patches: a split held in memory as 8-bit pixels, cut, turned and normalised.

A patch depends on the seed, the epoch and its place in the epoch only, so a training that
was interrupted, or is spread over several devices, sees the same patches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.data.samples import Dataset, fingerprint
from istsbench.networks.recipe import Preprocessing, Recipe

TURNS = {"all": (True, True, True), "mirror": (True, False, False), "none": (False, False, False)}


@dataclass(frozen=True)
class Memory:
    """Decoded samples: images (H, W) and masks uint8 (H, W) of 0 and 1.

    An image is uint8 where that holds all of its levels, as in 8-bit files, else float32.
    """

    images: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    fingerprint: str
    pictures: Sequence[str] = ()  # hashes of the images before they are resized

    @classmethod
    def of(cls, dataset: Dataset, names: Sequence[str], side: int | None = None) -> Memory:
        """Load samples; with `side`, resized to that square (masks by nearest neighbour)."""
        images, masks, marks, pictures = [], [], [], []
        for name in names:
            sample = dataset.load(name)
            image, mask = _small(sample.image), sample.mask.astype(np.uint8)
            marks.append((name, sample.pixels))
            pictures.append(sample.picture)
            images.append(image if side is None else _resized(image, (side, side)))
            masks.append(mask if side is None else _resized(mask, (side, side), near=True))
        return cls(images, masks, fingerprint(marks), pictures)

    def levels(self) -> tuple[float, float]:
        """The mean of the images' means and of their standard deviations, grey levels."""
        means = [image.mean(dtype=np.float64) for image in self.images]
        deviations = [image.std(dtype=np.float64) for image in self.images]
        return round(float(np.mean(means)), 3), round(float(np.mean(deviations)), 3)


def _small(image: np.ndarray) -> np.ndarray:
    if 0 <= image.min() and image.max() <= 255 and np.array_equal(image, np.rint(image)):
        return image.astype(np.uint8)
    return image.astype(np.float32)


def _resized(pixels: np.ndarray, size: tuple[int, int], near: bool = False) -> np.ndarray:
    # Both sample the middle of a pixel. INTER_NEAREST samples its upper left corner: labels
    # would lie half a pixel off their image.
    how = cv2.INTER_NEAREST_EXACT if near else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=how))


def _augmented(
    image: np.ndarray, mask: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if recipe.rescale > 1:
        factor = rng.uniform(1 / recipe.rescale, recipe.rescale)
        height, width = (max(1, round(factor * side)) for side in image.shape)
        size = (width, height)
        image, mask = _resized(image, size), _resized(mask, size, near=True)
    if recipe.blur and rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), max(rng.uniform(0, recipe.blur), 0.01))
    return image, mask


def _corner(mask: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> list[int]:
    """Row and column where the patch starts; around a target pixel with the given chance."""
    room = [max(side - recipe.patch, 0) for side in mask.shape]
    targets = np.argwhere(mask if rng.random() < recipe.centred else mask[:0])
    if not len(targets):
        return [int(rng.integers(0, most + 1)) for most in room]
    pixel = targets[rng.integers(len(targets))]
    return [
        int(rng.integers(max(0, min(at - recipe.patch + 1, most)), min(at, most) + 1))
        for at, most in zip(pixel, room, strict=True)
    ]


def cut(
    image: np.ndarray,
    mask: np.ndarray,
    recipe: Recipe,
    preprocessing: Preprocessing,
    rng: np.random.Generator,
) -> np.ndarray:
    """A patch and its mask, float32 (2, patch, patch); what lies outside the image is 0.

    Under `jitter` J the input x becomes g x + s with a gain g of 1/J..J and a shift s of up to
    J - 1 either way, in units of `preprocessing.std`.
    """
    image, mask = _augmented(image, mask, recipe, rng)
    top, left = _corner(mask, recipe, rng)
    window = np.s_[top : top + recipe.patch, left : left + recipe.patch]
    height, width = image[window].shape
    patch = np.zeros((2, recipe.patch, recipe.patch), np.float32)
    patch[0, :height, :width] = (image[window] - np.float32(preprocessing.mean)) / preprocessing.std
    if recipe.jitter > 1:
        gain, shift = recipe.jitter ** rng.uniform(-1, 1), (recipe.jitter - 1) * rng.uniform(-1, 1)
        patch[0, :height, :width] *= np.float32(gain)
        patch[0, :height, :width] += np.float32(shift)
    patch[1, :height, :width] = mask[window]
    mirror, flip, transpose = (rng.random(3) < 0.5) & TURNS[recipe.turns]
    patch = patch[:, :, ::-1] if mirror else patch
    patch = patch[:, ::-1] if flip else patch
    return patch.transpose(0, 2, 1) if transpose else patch


def epoch_batches(
    memory: Memory,
    recipe: Recipe,
    preprocessing: Preprocessing,
    seed: int,
    epoch: int,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[np.ndarray]:
    """The batches of one epoch, float32 (n, 2, patch, patch); each image once, in a new order.

    Where an epoch has fewer images than there are, the next one goes on with those not yet seen.
    A last, smaller batch is left out. Of several ranks each gets its share of every batch.
    The next batch is cut while the caller works on the last one.
    """
    order = _order(len(memory.images), images_in_epoch(memory, recipe), seed, epoch)
    batch = min(recipe.batch, len(order))
    starts = range(0, len(order) - batch + 1, batch)

    def load(start: int) -> np.ndarray:
        return np.stack(
            [
                cut(
                    memory.images[order[place]],
                    memory.masks[order[place]],
                    recipe,
                    preprocessing,
                    np.random.default_rng([seed, epoch, place]),
                )
                for place in range(start + rank, start + batch, ranks)
            ]
        )

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(load, start) for start in starts[:2]]
        for start in [*starts[2:], None, None][: len(starts)]:
            ready = waiting.pop(0).result()
            if start is not None:
                waiting.append(pool.submit(load, start))
            yield ready


def _order(count: int, wanted: int, seed: int, epoch: int) -> np.ndarray:
    """The images of an epoch: its piece of shuffled passes over all images, end to end."""
    first, end = epoch * wanted, (epoch + 1) * wanted
    passes = range(first // count, (end - 1) // count + 1)
    shuffled = [np.random.default_rng([seed, each]).permutation(count) for each in passes]
    start = first - passes[0] * count
    return np.concatenate(shuffled)[start : start + wanted]


def images_in_epoch(memory: Memory, recipe: Recipe) -> int:
    """How many images an epoch has: all, or as many as the recipe says."""
    return min(recipe.images or len(memory.images), len(memory.images))


def steps_in_epoch(memory: Memory, recipe: Recipe) -> int:
    """How many batches `epoch_batches` yields."""
    count = images_in_epoch(memory, recipe)
    return count // min(recipe.batch, count)
