"""Conformance: what every method promises, as checks that anyone can run on theirs.

    from istsbench.testing import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_mine(check):
        check(MyMethod())

A check takes a method and raises `AssertionError` with what it saw and expected.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable

import numpy as np

from istsbench.segmenter import Card, Segmenter

Check = Callable[[Segmenter], None]
CHECKS: list[Check] = []


def _check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def scene(height: int = 72, width: int = 88, seed: int = 0) -> np.ndarray:
    """A small image, float64 (height, width), whole grey levels 0..255, one bright target.

    A sloping background with mild noise; the target is a 3x3 spot near the centre.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    image = 70 + 20 * rows / height + 10 * np.sin(columns / 15) + rng.normal(0, 1, (height, width))
    y, x = height // 2, width // 2
    image[y - 1 : y + 2, x - 1 : x + 2] += 60
    image[y, x] += 20
    return np.asarray(np.clip(np.round(image), 0, 255))


def _map(method: Segmenter, image: np.ndarray) -> np.ndarray:
    score: object = method.score(image)
    what = f"{type(method).__name__}.score on a {image.shape[0]}x{image.shape[1]} image"
    assert isinstance(score, np.ndarray), f"{what} returned {type(score).__name__}, expected array"
    assert score.shape == image.shape, f"{what} returned shape {score.shape}"
    assert score.dtype == np.float64, f"{what} returned {score.dtype}, expected float64"
    assert np.isfinite(score).all(), f"{what} returned {np.sum(~np.isfinite(score))} NaN or Inf"
    assert score.min() >= 0, f"{what} returned a negative value, {score.min():.3g}"
    return score


@_check
def card_is_complete(method: Segmenter) -> None:
    card = type(method).card
    assert isinstance(card, Card), f"card is {card!r}, expected a Card"
    for field in ("label", "group", "venue", "doi"):
        assert getattr(card, field), f"card.{field} is empty"
    assert 1960 < card.year < 2100, f"card.year is {card.year}"


@_check
def map_has_the_promised_form(method: Segmenter) -> None:
    _map(method, scene())


@_check
def leaves_the_image_alone(method: Segmenter) -> None:
    image = scene()
    before = image.copy()
    method.score(image)
    assert np.array_equal(image, before), "score changed its input image"


@_check
def accepts_a_read_only_image(method: Segmenter) -> None:
    image = scene()
    image.setflags(write=False)
    _map(method, image)


@_check
def repeats_after_another_image(method: Segmenter) -> None:
    first = method.score(scene())
    kept = first.copy()
    method.score(scene(60, 70, seed=1))
    assert np.array_equal(first, kept), "a later call changed a map returned earlier"
    assert np.array_equal(method.score(scene()), kept), "the same image gave another map"


@_check
def leaves_global_random_state_alone(method: Segmenter) -> None:
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    method.score(scene())
    after = pickle.dumps(np.random.get_state())  # noqa: NPY002
    assert after == before, "score drew from or seeded numpy's global RNG"


@_check
def many_equals_one_by_one(method: Segmenter) -> None:
    images = [scene(), scene(60, 70, seed=1), scene(seed=2)]
    together = list(method.score_many(iter(images)))
    assert len(together) == 3, f"score_many yielded {len(together)} maps for 3 images"
    for image, score in zip(images, together, strict=True):
        assert np.allclose(score, method.score(image), rtol=1e-5, atol=1e-6)


@_check
def accepts_odd_and_tiny_sizes(method: Segmenter) -> None:
    for height, width in ((1, 1), (1, 9), (9, 1), (2, 3), (7, 7), (13, 50), (41, 43)):
        rng = np.random.default_rng(height * 100 + width)
        _map(method, np.round(rng.uniform(40, 90, (height, width))))


@_check
def flat_images_have_no_target(method: Segmenter) -> None:
    for level in (0.0, 128.0, 255.0):
        image = np.full((48, 56), level)
        _map(method, image)
        found = int(method.segment(image).sum())
        assert found == 0, f"{found} target pixels in a flat image of level {level:g}"


@_check
def accepts_saturated_and_binary_images(method: Segmenter) -> None:
    rng = np.random.default_rng(0)
    _map(method, np.where(rng.uniform(size=(48, 56)) > 0.5, 255.0, 0.0))
    half = np.zeros((48, 56))
    half[:, 28:] = 255.0
    _map(method, half)


@_check
def finds_a_bright_target(method: Segmenter) -> None:
    image = scene()
    score = method.score(image)
    y, x = np.unravel_index(np.argmax(score), score.shape)
    assert score.max() > 0, "the map of a bright target is empty"
    away = max(abs(y - image.shape[0] // 2), abs(x - image.shape[1] // 2))
    assert away <= 3, f"the largest value is {away} pixels from the target"


@_check
def is_a_value(method: Segmenter) -> None:
    assert dataclasses.is_dataclass(method), "a method is a dataclass"
    assert dataclasses.replace(method) == method, "a copy with the same parameters is not equal"
    copy = pickle.loads(pickle.dumps(method))
    assert copy == method, "unpickled copy is not equal"
    assert np.array_equal(copy.score(scene()), method.score(scene())), "unpickled copy differs"
    hash(method)


@_check
def rule_makes_a_mask(method: Segmenter) -> None:
    mask = method.segment(scene())
    assert mask.dtype == bool and mask.shape == scene().shape, f"mask is {mask.dtype} {mask.shape}"
    assert mask.mean() < 0.5, f"the own rule marks {mask.mean():.0%} of a scene with one target"
