"""Wrong methods are caught by the conformance suite, each by the check meant for it."""

import os
import random
import sys
import warnings
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
import torch
from toys import Learner, Toy

from istsbench import create, testing
from istsbench.data.synthetic import scene
from istsbench.errors import WrongUse
from istsbench.segmenter import Card, Segmenter
from istsbench.testing import CHECKS, conformance, left_out, prepared
from istsbench.threshold import Fixed, MeanStd, Threshold

CHECK = {check.__name__: check for check in CHECKS}


@dataclass(frozen=True)
class Right(Segmenter):
    card = Card("Right", "toys", "V", 2000, "d", "paper")
    threshold = MeanStd(4)

    def score(self, image):
        return np.maximum(image - np.median(image), 0)


right = Right().score


def wrong(score, **attributes):
    """A method that is right but for its score."""
    return type("Wrong", (Right,), {"score": lambda self, image: score(image), **attributes})()


def around_the_door(score):
    """A method whose score is put into its class later, where no image is made plain."""
    method = wrong(right)
    type(method).score = lambda self, image: score(image)
    return method


def forgets_what_is_masked(image):
    if image.dtype.kind not in "iuf":
        raise ValueError("not real")
    return right(np.asarray(image, np.float64))


def in_place(image):
    image -= np.median(image)
    return np.maximum(image, 0)


def clipped(image):
    return np.maximum(image, 0, out=image)


def remembers():
    kept = []

    def score(image):
        kept.append(image.mean())
        return right(image) + np.mean(kept)

    return score


def one_buffer():
    buffer = np.zeros((200, 200))

    def score(image):
        view = buffer[: image.shape[0], : image.shape[1]]
        view[:] = right(image)
        return view

    return score


def draws(image):
    return right(image) + 1e-9 * np.random.uniform()  # noqa: NPY002


def seeds(image):
    np.random.seed(3)  # noqa: NPY002
    return right(image)


def draws_elsewhere(image):
    return right(image) + 1e-9 * random.random()


def seeds_torch(image):
    torch.manual_seed(3)
    return right(image)


def leaves(change):
    def score(image):
        change()
        return right(image)

    return score


def with_one_pixel(value):
    def score(image):
        found = right(image)
        found[0, 0] = value
        return found

    return score


def needs_nine(image):
    assert min(image.shape) >= 9
    return right(image)


def scaled(image):
    with np.errstate(all="ignore"):
        return (image - image.min()) / (image.max() - image.min())


def overflows(image):
    return right(image) if len(np.unique(image)) > 2 else np.full(image.shape, np.inf)


def busy(image, seconds):
    Clock.now += seconds
    return right(image)


class Clock:
    """Stands still but while a busy method scores."""

    now = 0.0


class Nameless(Right):
    card = Card("", "toys", "V", 2000, "d", "paper")


class Itself(Right):
    """Compares by identity."""

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Unhashable(Right):
    sizes: list = field(default_factory=list)


class Other(Right):
    """Comes back from a pickle as something else."""

    def __reduce__(self):
        return (Toy, (2.0,))


class Drops(Right):
    def score_many(self, images):
        return list(map(self.score, images))[:-1]


class Swaps(Right):
    def score_many(self, images):
        return [2 * self.score(image) for image in images]


class Numbers(Fixed):
    def __call__(self, score):
        return 1.0 * super().__call__(score)


class Inclusive(Fixed):
    def __call__(self, score):
        return score >= self.value


class Scaling(MeanStd):
    def level(self, score):
        score /= max(score.max(), 1)
        return super().level(score)


class Anonymous(Threshold):
    """Prints as an address, compares by identity."""

    __repr__ = object.__repr__
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def level(self, score):
        return 9.0


WRONG = {
    "card_is_complete": [
        wrong(right, card=None),
        Nameless(),
        wrong(right, card=Card("L", "toys", "V", 0, "d", "paper")),
        wrong(right, excused={"finds_a_bright_traget": "misspelt"}),
        wrong(right, excused={"finds_a_bright_target": ""}),
    ],
    "map_has_the_promised_form": [
        wrong(lambda image: right(image).astype(np.uint8)),
        wrong(lambda image: right(image).astype(np.float32)),
        wrong(lambda image: right(image).T),
        wrong(lambda image: right(image)[None]),
        wrong(lambda image: right(image).tolist()),
        wrong(lambda image: image - np.median(image)),
        wrong(with_one_pixel(np.nan)),
        wrong(with_one_pixel(np.inf)),
        wrong(with_one_pixel(-1e-9)),
        wrong(with_one_pixel(1e300)),
    ],
    "leaves_the_image_alone": [wrong(in_place)],
    "accepts_a_read_only_image": [wrong(in_place), wrong(clipped)],
    "takes_any_real_image": [
        around_the_door(lambda image: cv2.absdiff(image, cv2.blur(image, (9, 9))) * 1.0),
        around_the_door(forgets_what_is_masked),
    ],
    "repeats_after_another_image": [wrong(remembers()), wrong(one_buffer())],
    "leaves_global_random_state_alone": [
        wrong(draws),
        wrong(seeds),
        wrong(draws_elsewhere),
        wrong(seeds_torch),
    ],
    "leaves_the_process_as_it_was": [
        wrong(leaves(lambda: np.seterr(all="ignore"))),
        wrong(leaves(lambda: warnings.simplefilter("ignore"))),
        wrong(leaves(lambda: os.environ.update(OMP_NUM_THREADS="7"))),
        wrong(leaves(lambda: os.chdir("/"))),
        wrong(leaves(lambda: cv2.setNumThreads(3))),
    ],
    "prints_nothing": [
        wrong(leaves(lambda: print("here"))),
        wrong(leaves(lambda: print("here", file=sys.stderr))),
        wrong(leaves(lambda: os.write(1, b"here"))),
        wrong(lambda image: right(image) * (np.ones(1) / image.max())),
        wrong(leaves(lambda: warnings.warn("here", stacklevel=1))),
    ],
    "many_equals_one_by_one": [Drops(), Swaps()],
    "accepts_odd_and_tiny_sizes": [wrong(needs_nine)],
    "flat_images_have_no_target": [
        wrong(scaled),
        wrong(lambda image: right(image) + 1, threshold=Fixed(0.5)),
    ],
    "accepts_saturated_and_binary_images": [wrong(overflows)],
    "finds_a_bright_target": [
        wrong(lambda image: right(255 - image)),
        wrong(lambda image: right(image)[::-1].copy()[:, ::-1] * np.eye(*image.shape)),
        wrong(np.zeros_like),
    ],
    "is_a_value": [Itself(), Unhashable(), Other()],
    "rule_is_a_value": [
        wrong(right, threshold=9.0),
        wrong(right, threshold=Anonymous()),
        wrong(right, threshold=Fixed(float("inf"))),
        wrong(right, threshold=Inclusive(9.0)),
        wrong(right, threshold=Scaling(4)),
    ],
    "time_grows_moderately": [
        wrong(lambda image: busy(image, 0.05 * (image.size / 96**2) ** 3.1)),
        wrong(lambda image: busy(image, 2e-3 * image.size)),
    ],
    "rule_makes_a_mask": [
        wrong(right, threshold=Fixed(-1)),
        wrong(right, threshold=Numbers(9)),
    ],
}


def test_every_check_has_a_wrong_method():
    assert set(WRONG) == set(CHECK)


@pytest.mark.parametrize("name", CHECK)
@pytest.mark.parametrize("method", [Right(), Toy(), Toy(gain=0.5)], ids=repr)
def test_a_right_method_passes(name, method):
    CHECK[name](method)


@pytest.mark.parametrize(
    "name, method",
    [(name, method) for name, methods in WRONG.items() for method in methods],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_method_is_caught_by_the_check_meant_for_it(name, method, monkeypatch):
    monkeypatch.setattr(testing, "process_time", lambda: Clock.now)
    written = "leaves_the_image_alone", "accepts_a_read_only_image"  # numpy's own error
    own = ValueError if name in written else AssertionError
    with (
        torch.random.fork_rng(devices=[]),
        pytest.raises(TypeError if isinstance(method, Unhashable) else own),
    ):
        CHECK[name](method)


@pytest.mark.parametrize("name", sorted(set(CHECK) - {"card_is_complete"}))
def test_a_wrong_card_disturbs_no_other_check(name):
    CHECK[name](Nameless())


def test_scenes_are_whole_grey_levels_with_one_bright_target():
    image = scene(40, 50, seed=3)
    assert image.shape == (40, 50) and image.dtype == np.float64
    np.testing.assert_array_equal(image, np.round(image))
    assert 0 <= image.min() and image.max() <= 255
    assert np.unravel_index(image.argmax(), image.shape) == (20, 25)
    np.testing.assert_array_equal(image, scene(40, 50, seed=3))
    assert not np.array_equal(image, scene(40, 50, seed=4))


def test_a_check_says_what_it_saw():
    with pytest.raises(AssertionError, match=r"Wrong\.score on a 72x88 image returned uint8"):
        CHECK["map_has_the_promised_form"](WRONG["map_has_the_promised_form"][0])
    with pytest.raises(AssertionError, match="yielded 2 maps for 3 images"):
        CHECK["many_equals_one_by_one"](Drops())


def test_growth_is_measured_between_the_two_sizes(monkeypatch):
    monkeypatch.setattr(testing, "process_time", lambda: Clock.now)
    for power in (1, 2, 2.9):  # of the number of pixels
        CHECK["time_grows_moderately"](
            wrong(lambda image, power=power: busy(image, 0.05 * (image.size / 96**2) ** power))
        )
    with pytest.raises(AssertionError, match="74 times the time for 4 times the pixels"):
        CHECK["time_grows_moderately"](WRONG["time_grows_moderately"][0])
    with pytest.raises(AssertionError, match="2 ms a pixel on a 96x96 image, expected at most 1"):
        CHECK["time_grows_moderately"](WRONG["time_grows_moderately"][1])


# ---- methods that learn


def test_random_weights_are_held_to_no_skill(tmp_path):
    network = create("pixelgame-slim", width=4)
    assert set(left_out(network)) <= set(CHECK)
    ready = prepared(network, tmp_path)
    assert ready.weights.is_file() and left_out(ready) == {}
    assert prepared(ready, tmp_path) is ready
    assert left_out(Right()) == {} and prepared(Right(), tmp_path) == Right()
    with pytest.raises(WrongUse, match="Learner has no weights; give a file as weights=FILE"):
        prepared(Learner(), tmp_path)


# ---- the parametrizer


class Excused(Right):
    excused = {"prints_nothing": "it must"}


def test_the_parametrizer_marks_what_is_excused_or_left_out():
    network = create("pixelgame-slim", width=4)
    cases = conformance(Right(), Excused(), network).mark.args[1]
    assert [case.values for case in cases] == [
        (method, check) for method in (Right(), Excused(), network) for check in CHECKS
    ]
    marked = {case.id: case.marks[0] for case in cases if case.marks}
    excused = marked.pop("Excused()-prints_nothing")
    assert (excused.name, excused.kwargs) == ("xfail", {"reason": "it must", "strict": True})
    assert {mark.name for mark in marked.values()} == {"skip"}
    assert set(marked) == {f"{network!r}-{name}" for name in left_out(network)}


def test_cases_are_named_by_method_and_check():
    names = [case.id for case in conformance(Toy(gain=2.0)).mark.args[1]]
    assert names[0] == "Toy(gain=2.0, seconds=0.0, note='')-card_is_complete"
    assert len(names) == len(CHECKS)
