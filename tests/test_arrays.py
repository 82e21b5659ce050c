"""One door for arrays: the same picture has the same map, and what is no picture is refused."""

import dataclasses
import inspect
import pickle
import sys
from dataclasses import dataclass
from decimal import Decimal
from functools import partialmethod

import cloudpickle
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as Pillow
from toys import Toy

from istsbench import create
from istsbench.arrays import picture, real_scores, score_map, target_mask
from istsbench.segmenter import Card, Segmenter, Trainable
from istsbench.testing import scene
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio

IMAGE = scene(21, 34)  # whole grey levels: every type below holds them


def unaligned(image):
    raw = np.zeros(image.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(image.tobytes(), np.uint8)
    found = raw[1:].view(np.float64).reshape(image.shape)
    assert not found.flags.aligned
    return found


def read_only(image):
    image = image.copy()
    image.setflags(write=False)
    return image


def on_disk(image, folder):
    path = folder / "image.raw"
    image.astype(">f4").tofile(path)
    return np.memmap(path, ">f4", "r", shape=image.shape)


TYPES = ("u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g")
SAME = {
    **{f"{order}{kind}": IMAGE.astype(f"{order}{kind}") for kind in TYPES for order in "<>"},
    "fortran": np.asfortranarray(IMAGE),
    "fortran-u1": np.asfortranarray(IMAGE, np.uint8),
    "upside-down": IMAGE[::-1].copy()[::-1],
    "mirrored": IMAGE[:, ::-1].copy()[:, ::-1],
    "every-other": np.repeat(np.repeat(IMAGE, 2, 0), 3, 1)[::2, ::3],
    "field": np.rec.fromarrays([IMAGE, IMAGE], names="a,b")["a"],
    "unaligned": unaligned(IMAGE),
    "read-only": read_only(IMAGE),
    "list": IMAGE.tolist(),
    "tuple": tuple(map(tuple, IMAGE.astype(int).tolist())),
    "rows": list(IMAGE),
    "matrix": np.asarray(IMAGE).view(np.matrix),
    "frame": pd.DataFrame(IMAGE),
    "pillow-8": Pillow.fromarray(IMAGE.astype(np.uint8)),
    "pillow-16": Pillow.fromarray(IMAGE.astype(np.uint16)),
    "pillow-float": Pillow.fromarray(IMAGE.astype(np.float32)),
    "torch": torch.from_numpy(IMAGE.copy()),
    "torch-u1": torch.from_numpy(IMAGE.astype(np.uint8)),
}


@pytest.mark.parametrize("name", SAME)
def test_every_form_of_a_picture_becomes_the_same_plain_image(name):
    found = picture(SAME[name])
    np.testing.assert_array_equal(found, IMAGE)
    assert type(found) is np.ndarray and found.dtype == np.float64
    assert found.flags.c_contiguous and found.flags.aligned and not found.flags.writeable
    assert found.strides == (8 * 34, 8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_thin_images_have_plain_strides_too(shape):
    image = np.arange(9.0)[: shape[0] * shape[1]].reshape(shape)
    for turned in (
        image[::-1],
        image[:, ::-1],
        np.asfortranarray(image),
        np.broadcast_to(3, shape),
    ):
        found = picture(turned)
        np.testing.assert_array_equal(found, turned)
        assert found.strides == (8 * shape[1], 8)


def test_memory_maps_and_levels_beyond_eight_bits(tmp_path):
    np.testing.assert_array_equal(picture(on_disk(IMAGE, tmp_path)), IMAGE)
    deep = np.array([[0, 2**16 - 1, 2**40 + 1]], ">i8")
    np.testing.assert_array_equal(picture(deep), [[0.0, 65535.0, 2.0**40 + 1]])


def test_a_plain_image_is_not_copied():
    image = IMAGE.copy()
    assert np.shares_memory(picture(image), image) and image.flags.writeable


HOLED = np.where(IMAGE == IMAGE.max(), np.nan, IMAGE)
BEYOND = np.array([["1e4000"]]).astype(np.longdouble)
REFUSED = {
    "masked": (np.ma.MaskedArray(IMAGE), "is a masked array; expected a plain one"),
    "masked rows": (list(np.ma.MaskedArray(IMAGE)), "is a masked array"),
    "0-d": (np.float64(3), r"has 0 dimensions, shape \(\); expected 2"),
    "1-d": (IMAGE[0], r"has 1 dimensions, shape \(34,\); expected 2"),
    "colour": (np.zeros((4, 5, 3), np.uint8), r"has 3 dimensions, shape \(4, 5, 3\); expected 2"),
    "empty": (np.zeros((0, 5)), r"has no pixel, shape \(0, 5\)"),
    "nothing": ([[]], r"has no pixel, shape \(1, 0\)"),
    "NaN": (HOLED, r"has 1 NaN among 714 values, the first at \(10, 17\); expected finite"),
    "NaN >f4": (HOLED.astype(">f4"), "has 1 NaN among 714 values"),
    "Inf": (np.array([[1, -np.inf, np.inf]]), r"has 2 infinite values among 3 .* at \(0, 1\)"),
    "both": (np.array([[np.inf, np.nan]], np.float16), "has 1 NaN and 1 infinite values among 2"),
    "complex": (IMAGE.astype(complex), "is an array of complex128; expected an array of real"),
    "bool": (IMAGE > 90, r"is an array of bool \(of a mask, not of grey levels\)"),
    "object": (IMAGE.astype(object), "is an array of object"),
    "decimal": ([[Decimal(1)]], "is of type list, an array of object for numpy"),
    "text": (np.array([["12", "13"]]), "is an array of <U2"),
    "dates": (np.array([["2020-01-01"]], "M8[D]"), r"is an array of datetime64\[D\]"),
    "spans": (np.array([[3]], "m8[s]"), r"is an array of timedelta64\[s\]"),
    "records": (np.zeros((2, 2), "f8,f8"), "is an array of "),
    "ragged": ([[1, 2], [3]], "is of type list, which numpy cannot read as one array"),
    "None": (None, "is of type NoneType, an array of object for numpy"),
    "name": ("Misc_1.png", "is of type str, an array of <U10 for numpy"),
    "palette": (
        Pillow.fromarray(IMAGE.astype(np.uint8)).convert("P"),
        r"palette picture \(mode P\), whose pixels are indexes",
    ),
    "bilevel": (Pillow.fromarray(IMAGE > 90), "an array of bool for numpy"),
    "tensor with gradient": (
        torch.ones(3, 4, requires_grad=True),
        "is of type torch.Tensor, which numpy cannot read",
    ),
    "bfloat16": (torch.ones(3, 4, dtype=torch.bfloat16), "torch.Tensor, which numpy cannot read"),
    "too long": (
        BEYOND,
        r"beyond the range of float64 \(\w+, up to 1e\+4000\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_grey_image_is_refused_by_name(name):
    image, message = REFUSED[name]
    if name == "too long" and not np.isfinite(BEYOND).all():
        pytest.skip("longdouble is float64 here")
    with pytest.raises(ValueError, match=message):
        picture(image)


# ---- methods: whoever defines the function


@dataclass(frozen=True)
class Plain(Segmenter):
    """Wrong for foreign bytes, unsigned and masked pixels, as OpenCV and numpy make it."""

    card = Card("Plain", "toys", "V", 2000, "d", "paper")
    threshold = Fixed(30)

    def score(self, image):
        return np.maximum(-(cv2.blur(image, (5, 5)) - image), 0)


class Inherits(Plain):
    pass


class Calls(Plain):
    def score(self, image):
        return 2 * super().score(image)

    def segment(self, image):
        return cv2.dilate(image, np.ones((3, 3))) - image > 50

    def score_many(self, images):
        return [self.score(image) for image in images]


class Blurs:
    """No Segmenter, and in front of one."""

    def score(self, image):
        return np.maximum(-(cv2.blur(image, (3, 3)) - image), 0)


class Mixed(Blurs, Segmenter):
    card, threshold = Plain.card, Fixed(20)


class Median(Blurs):
    def score(self, image):
        return super().score(cv2.medianBlur(image.astype(np.float32), 3).astype(float))


class Diamond(Mixed, Median, Segmenter):
    """`Mixed` has its score from `Blurs`, which comes after `Median` here."""


class Shared(Segmenter):
    card, threshold = Plain.card, Fixed(30)
    score = Plain.score


class Static(Segmenter):
    card, threshold = Plain.card, Fixed(30)

    @staticmethod
    def score(image):
        return np.maximum(-(cv2.blur(image, (5, 5)) - image), 0)


class Sized(Segmenter):
    card, threshold = Plain.card, Fixed(30)

    def _score(self, image, size):
        return np.maximum(-(cv2.blur(image, (size, size)) - image), 0)

    score = partialmethod(_score, size=5)


@dataclass(frozen=True, slots=True)
class Slots(Plain):
    gain: float = 1.0

    def score(self, image):
        return self.gain * Plain.score(self, image)


METHODS = [Plain(), Inherits(), Calls(), Mixed(), Diamond(), Shared(), Static(), Sized(), Slots()]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_whoever_defines_the_function_its_image_is_plain(method):
    expected, mask = method.score(IMAGE), method.segment(IMAGE)
    assert expected.max() > 0 and mask.any()
    for image in (
        IMAGE.astype(np.uint8),
        IMAGE.astype(">u2"),
        IMAGE.astype(">f8"),
        SAME["fortran"],
    ):
        before = image.copy()
        np.testing.assert_array_equal(method.score(image), expected)
        np.testing.assert_array_equal(method.segment(image), mask)
        (many,) = method.score_many([image])
        np.testing.assert_array_equal(many, expected)
        np.testing.assert_array_equal(image, before)
    for call in (method.score, method.segment, lambda one: list(method.score_many([IMAGE, one]))):
        with pytest.raises(ValueError, match="1 NaN among 714 values"):
            call(HOLED)


def test_bases_are_called_in_their_order():
    image = IMAGE.astype(np.uint8)
    np.testing.assert_array_equal(Diamond().score(image), Median().score(IMAGE))
    np.testing.assert_array_equal(Mixed().score(image), Blurs().score(IMAGE))
    assert inspect.isabstract(type("Nothing", (Segmenter,), {}))
    assert inspect.isabstract(Trainable)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_methods_are_pickled_by_name_and_by_value(method):
    for copy in (pickle.loads(pickle.dumps(method)), by_value(method)):
        np.testing.assert_array_equal(copy.score(SAME["<u1"]), method.score(IMAGE))
        with pytest.raises(ValueError, match="3 dimensions"):
            copy.score(IMAGE[None])


def by_value(method):
    """As a class of `__main__` reaches another process."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        packed = cloudpickle.dumps(method)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    return pickle.loads(packed)


def test_functions_keep_their_name_and_parameters():
    assert list(inspect.signature(Calls.score).parameters) == ["self", "image"]
    assert Calls.score.__qualname__ == "Calls.score" and Calls.score.__module__ == __name__
    np.testing.assert_array_equal(Plain().score(image=SAME["<u1"]), Plain().score(IMAGE))
    assert len(list(Calls().score_many(images=[IMAGE]))) == 1
    with pytest.raises(TypeError, match="image"):
        Plain().score()


@dataclass(frozen=True)
class Careless(Plain):
    def score(self, image):
        return image

    def score_many(self, images):
        yield from images


def test_a_map_never_lies_in_the_memory_of_its_image():
    image = IMAGE.copy()
    for found in (Careless().score(image), *Careless().score_many([image])):
        assert found.flags.writeable and not np.shares_memory(found, image)
        np.testing.assert_array_equal(found, image)


def test_a_method_cannot_change_the_array_of_its_caller():
    class Writes(Plain):
        def score(self, image):
            image -= image.min()
            return image

    image = IMAGE.copy()
    for given in (image, image.astype(np.uint8)):
        with pytest.raises(ValueError, match="read-only"):
            Writes().score(given)
    np.testing.assert_array_equal(image, IMAGE)


def test_images_are_taken_one_by_one():
    """A stream of images is not read ahead of what the method asks for."""
    asked = []

    def stream():
        for number in range(3):
            asked.append(number)
            yield IMAGE

    maps = Toy().score_many(stream())
    next(maps)
    assert asked == [0]


def test_every_output_of_a_network_enters_by_the_door(tmp_path):
    game = dataclasses.replace(create("pixelgame-slim"), width=4).untrained(tmp_path)
    (expected,) = game.score_outputs([IMAGE])
    (found,) = game.score_outputs([IMAGE.astype(">u2")])
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(ValueError, match="1 NaN among 714 values"):
        next(game.score_outputs([HOLED]))


# ---- maps and masks


RULES = [Fixed(90), PeakRatio(0.5), MeanStd(2), MeanToPeak(0.4), AtLeast(10, MeanStd(2))]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_rules_read_every_type_of_map(rule):
    expected = rule(IMAGE)
    assert expected.any() and not expected.all()
    for name in ("<u1", ">u2", ">f8", "<f2", "fortran", "upside-down", "unaligned", "list"):
        np.testing.assert_array_equal(rule(SAME[name]), expected)
        assert rule.level(SAME[name]) == rule.level(IMAGE)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(
    "name", ["masked", "NaN", "Inf", "complex", "object", "text", "dates", "empty"]
)
def test_rules_refuse_what_is_no_map(rule, name):
    with pytest.raises(ValueError, match="the map (is|has)"):
        rule(REFUSED[name][0])


def test_a_level_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"Fixed\(value=nan\) gives the level NaN"):
        Fixed(np.nan)(IMAGE)


def test_a_mask_is_a_map_too():
    np.testing.assert_array_equal(Fixed(0.5)(IMAGE > 90), IMAGE > 90)
    assert score_map(IMAGE > 90).dtype == np.float64
    assert real_scores(SAME[">f4"]) is SAME[">f4"]


MASK = IMAGE > 100
MASKS = {
    "zero-one": MASK.astype(np.uint8),
    "0-255": 255 * MASK.astype(np.uint8),
    "big-endian": 255 * MASK.astype(">u2"),
    "float": MASK.astype(np.float32),
    "signed": MASK.astype(np.int8),
    "list": MASK.tolist(),
    "fortran": np.asfortranarray(MASK),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_two_levels_are_masks(name):
    found = target_mask(MASKS[name])
    assert found.dtype == bool
    np.testing.assert_array_equal(found, MASK)


@pytest.mark.parametrize(
    "mask, message",
    [
        (np.array([0, 128, 255], np.uint8), r"has 3 levels \(0, 128, 255\), expected bool, or two"),
        (np.array([0, 2]), r"has 2 levels \(0, 2\)"),
        (np.array([0, -1]), r"has 2 levels \(-1, 0\)"),
        (np.array([0.25, 1.0]), r"has 2 levels \(0.25, 1\)"),
        (np.array([1, 255]), r"has 2 levels \(1, 255\)"),
        (np.arange(9), r"has 9 levels \(0, 1, 2, 3, ...\)"),
        (np.array([0, np.nan]), r"has 2 levels \(0, nan\)"),
        (np.ma.MaskedArray([0, 1]), "is a masked array"),
        (np.array(["0", "1"]), "is an array of <U1"),
        (np.array([0j, 1]), "is an array of complex128"),
    ],
)
def test_other_masks_are_refused(mask, message):
    with pytest.raises(ValueError, match=f"the truth {message}"):
        target_mask(mask, "the truth")
