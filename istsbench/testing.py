"""Conformance: what every method promises, as checks that anyone can run on theirs::

    from istsbench.testing import conformance

    @conformance(MyMethod())
    def test_keeps_its_promises(method, check):
        check(method)

A check takes a method and raises `AssertionError` with what it saw and expected. All are
in `CHECKS`; `istsbench check NAME` runs them without pytest. A check that a method cannot
pass by its nature is excused by the class attribute `excused`, a reason by the check's
name; an excuse that is no longer needed fails, so that excuses never pile up.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from istsbench.data.synthetic import scene
from istsbench.errors import WrongUse
from istsbench.segmenter import Card, Segmenter, Trainable
from istsbench.side_effects import changed_settings, one_thread, printed, random_state
from istsbench.threshold import Threshold

if TYPE_CHECKING:
    import pytest

Check = Callable[[Segmenter], None]
CHECKS: list[Check] = []
SKILLS = "finds_a_bright_target", "flat_images_have_no_target"
"""What random weights cannot promise: MDvsFA's mark a flat image with two seeds of four."""
LARGEST_VALUE = float(np.finfo(np.float32).max)  # maps are kept as float32
SIDES = 96, 192  # of the square images that are timed, pixels: four times the pixels
GROWTH = 64  # a cubic cost in pixels
SLOWEST = 1e-3  # seconds of a processor a pixel: a minute for 256 x 256
SHORTEST = 0.05  # seconds: less is no measure of growth


def _check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def _map(method: Segmenter, image: np.ndarray) -> np.ndarray:
    score: object = method.score(image)
    what = f"{type(method).__name__}.score on a {image.shape[0]}x{image.shape[1]} image"
    assert isinstance(score, np.ndarray), f"{what} returned {type(score).__name__}, expected array"
    assert score.shape == image.shape, f"{what} returned shape {score.shape}"
    kinds = (np.float64, np.bool_)
    assert score.dtype in kinds, f"{what} returned {score.dtype}, expected float64, or bool masks"
    assert np.isfinite(score).all(), f"{what} returned {np.sum(~np.isfinite(score))} NaN or Inf"
    assert score.min() >= 0, f"{what} returned a negative value, {score.min():.3g}"
    assert score.max() <= LARGEST_VALUE, f"{what} returned {score.max():.3g}, too large for float32"
    return score


@_check
def card_is_complete(method: Segmenter) -> None:
    card = type(method).card
    assert isinstance(card, Card), f"card is {card!r}, expected a Card"
    for field in ("label", "group", "venue", "doi"):
        assert getattr(card, field), f"card.{field} is empty"
    assert 1960 < card.year < 2100, f"card.year is {card.year}"
    for name, reason in method.excused.items():
        assert name in [check.__name__ for check in CHECKS], f"excused {name!r} is no check"
        assert reason, f"excused {name!r} has no reason"


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
def takes_any_real_image(method: Segmenter) -> None:
    """The same map whatever the type, bytes and strides; an error for what is no grey image."""
    image = scene(44, 48)
    expected = method.score(image)
    for what, same in {
        "uint8": image.astype(np.uint8),
        "big-endian uint16": image.astype(">u2"),
        "big-endian float64": image.astype(">f8"),
        "float32 in Fortran order": np.asfortranarray(image, np.float32),
        "negative strides": image[::-1, ::-1].copy()[::-1, ::-1],
    }.items():
        assert np.array_equal(method.score(same), expected), f"another map for {what}"
    foreign = image.astype(">i2")
    many = next(iter(method.score_many([foreign])))
    assert np.allclose(many, expected, rtol=1e-5, atol=1e-6), "score_many: another map for >i2"
    mask = method.segment(image)
    assert np.array_equal(method.segment(foreign), mask), "segment: another mask for >i2"
    for what, other in {
        "complex": image.astype(complex),
        "masked": np.ma.MaskedArray(image),
        "3-D": image[None],
        "NaN": np.where(image == image.max(), np.nan, image),
    }.items():
        for call in (method.score, method.segment, lambda one: list(method.score_many([one]))):
            try:
                call(other)
            except ValueError:
                continue
            raise AssertionError(f"an answer for an image that is {what}, expected ValueError")


@_check
def repeats_after_another_image(method: Segmenter) -> None:
    first = method.score(scene())
    kept = first.copy()
    method.score(scene(60, 70, seed=1))
    assert np.array_equal(first, kept), "a later call changed a map returned earlier"
    assert np.array_equal(method.score(scene()), kept), "the same image gave another map"


@_check
def leaves_global_random_state_alone(method: Segmenter) -> None:
    before = random_state()
    method.score(scene())
    after = random_state()
    touched = [name for name, state in before.items() if after[name] != state]
    assert not touched, f"score drew from or seeded the global generator of {', '.join(touched)}"


@_check
def leaves_the_process_as_it_was(method: Segmenter) -> None:
    changed = changed_settings(lambda: method.score(scene()))
    assert not changed, f"score changed {', '.join(changed)} and did not change it back"


@_check
def prints_nothing(method: Segmenter) -> None:
    for image in (scene(), np.full((48, 56), 128.0), np.zeros((48, 56))):
        text = printed(lambda image=image: method.score(image)).strip()  # type: ignore[misc]
        assert not text, f"score printed or warned: {text[:200]!r}"


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
    for image in (half, np.zeros_like(half), np.full_like(half, 255.0)):
        _map(method, image)


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


@_check
def rule_is_a_value(method: Segmenter) -> None:
    rule = method.threshold
    assert isinstance(rule, Threshold), f"threshold is {rule!r}, expected a Threshold"
    text = repr(rule)
    assert " at 0x" not in text and "\n" not in text, f"the rule prints as {text!r}"
    assert pickle.loads(pickle.dumps(rule)) == rule, "unpickled copy of the rule is not equal"
    score = method.score(scene())
    before = score.copy()
    level, mask = rule.level(score), rule(score)
    assert np.array_equal(score, before), "the rule changed the map"
    assert np.isfinite(level), f"the rule's level is {level}"
    assert np.array_equal(mask, score > level), "the rule marks other pixels than those above it"


@_check
def time_grows_moderately(method: Segmenter) -> None:
    """The time of the processor, one thread; a busy machine does not lengthen it much."""
    seconds = []
    with one_thread():
        for side, times in zip(SIDES, (2, 1), strict=True):  # the first call may compile
            image = scene(side, side)
            seconds.append(min(_seconds(method, image) for _ in range(times)))
            each = seconds[-1] / image.size
            assert each < SLOWEST, (
                f"{each * 1e3:.2g} ms a pixel on a {side}x{side} image, expected at most "
                f"{SLOWEST * 1e3:g}"
            )
    growth = seconds[1] / max(seconds[0], SHORTEST)
    assert growth < GROWTH, (
        f"{growth:.0f} times the time for {(SIDES[1] / SIDES[0]) ** 2:.0f} times the pixels "
        f"({seconds[0]:.2g} s and {seconds[1]:.2g} s), expected less than {GROWTH} times"
    )


def _seconds(method: Segmenter, image: np.ndarray) -> float:
    start = process_time()
    method.score(image)
    return process_time() - start


def left_out(method: Segmenter) -> dict[str, str]:
    """The checks that say nothing about a method as it is, each with the reason.

    >>> from istsbench import create
    >>> list(left_out(create("acm")))  # it has no weights yet
    ['finds_a_bright_target', 'flat_images_have_no_target']
    """
    if isinstance(method, Trainable) and method.weights is None:
        return dict.fromkeys(SKILLS, "a promise of trained weights; none were given")
    return {}


def prepared(method: Segmenter, folder: Path) -> Segmenter:
    """The method as checks can call it: a network without weights gets random ones.

    They are written below `folder`. Raises `WrongUse` for a method that learns, has no
    weights and is no `Network`.

    >>> from istsbench import create
    >>> prepared(create("tophat"), Path("unused"))
    TopHat(size=5)
    """
    if not (isinstance(method, Trainable) and method.weights is None):
        return method
    from istsbench.networks.network import Network

    if not isinstance(method, Network):
        raise WrongUse(f"{type(method).__name__} has no weights; give a file as weights=FILE")
    return method.untrained(folder)


def conformance(*methods: Segmenter) -> pytest.MarkDecorator:
    """A pytest parametrizer over `method` and `check`: every check for each of `methods`.

    An excused check has to fail, for a network without weights see `prepared`.

    >>> from istsbench import create
    >>> mark = conformance(create("tophat"))
    >>> mark.name, len(mark.args[1]) == len(CHECKS)
    ('parametrize', True)
    """
    import pytest

    cases = []
    for method in methods:
        skipped = left_out(method)
        for check in CHECKS:
            name, marks = check.__name__, []
            if name in skipped:
                marks.append(pytest.mark.skip(reason=skipped[name]))
            elif name in method.excused:
                marks.append(pytest.mark.xfail(reason=method.excused[name], strict=True))
            cases.append(pytest.param(method, check, marks=marks, id=f"{method!r}-{name}"))
    return pytest.mark.parametrize("method, check", cases)
