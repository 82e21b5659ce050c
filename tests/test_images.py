"""Every kind of file that the data sets hold decodes to the same 8-bit grey pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from istsbench.data import images
from istsbench.data.images import decode, pixel_hash, read_file, read_picture
from istsbench.errors import DataError

GREY = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)


def encoded(picture, **options):
    file = io.BytesIO()
    picture.save(file, **{"format": "PNG", **options})
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_content_survives_every_mode(mode):
    data = encoded(Image.fromarray(GREY).convert(mode))
    assert read_picture(data, "x.png").mode == mode
    pixels = decode(data, "x.png")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, GREY)


def test_one_bit_is_0_and_255():
    data = encoded(Image.fromarray(GREY > 127))
    assert read_picture(data, "x.png").mode == "1"
    np.testing.assert_array_equal(decode(data, "x.png"), np.where(GREY > 127, 255, 0))


def test_palette_is_looked_up():
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    picture.putpalette([10, 10, 10, 250, 250, 250, 255, 0, 0])
    np.testing.assert_array_equal(decode(encoded(picture), "x.png"), [[10, 250, 76]])


def test_transparent_palette_gives_no_warning():
    picture = Image.fromarray(GREY).convert("P")
    data = encoded(picture, transparency=bytes([0, 128, 255]))
    np.testing.assert_array_equal(decode(data, "x.png"), GREY)


def test_alpha_is_ignored():
    pixels = np.dstack([GREY, GREY, GREY, np.zeros_like(GREY)])
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(pixels)), "x.png"), GREY)


def test_colour_becomes_luma():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(
        decode(encoded(Image.fromarray(pixels)), "x.png"), [[76, 150, 29]]
    )


def test_one_pixel():
    data = encoded(Image.fromarray(np.array([[7]], np.uint8)))
    np.testing.assert_array_equal(decode(data, "x.png"), [[7]])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:8],
        lambda data: data[: len(data) // 2],
        lambda data: b"<!DOCTYPE html><title>404</title>",
    ],
    ids=["empty", "header", "cut off", "web page"],
)
def test_damaged_bytes_are_named(damage):
    rng = np.random.default_rng(0)
    data = encoded(Image.fromarray(rng.integers(0, 256, (64, 64), np.uint8)))
    with pytest.raises(DataError, match="^Misc_1.png: not a readable image"):
        decode(damage(data), "Misc_1.png")


def test_too_many_pixels_are_refused(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 5)
    with pytest.raises(DataError, match="x.png: 3x2 pixels, expected at most 5"):
        decode(encoded(Image.fromarray(GREY)), "x.png")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.png: cannot be read"):
        read_file(tmp_path / "gone.png")


def test_hash_depends_on_shape_and_values_alone():
    assert pixel_hash(GREY) == pixel_hash(GREY.astype(float)) == pixel_hash(np.asfortranarray(GREY))
    assert pixel_hash(GREY) != pixel_hash(GREY.reshape(3, 2))
    assert pixel_hash(GREY) != pixel_hash(GREY + 1)
    assert pixel_hash(GREY > 127) == pixel_hash((GREY > 127).astype(np.uint8))
