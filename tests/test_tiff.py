"""Files that readers disagree on: the levels are those that were written, or there is an error.

The structures are written by tifffile, and by hand where it cannot. docs/inputs.md says which
reader makes what of them.
"""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from istsbench.data.images import decode, read_picture
from istsbench.data.truth import target
from istsbench.errors import DataError

RNG = np.random.default_rng(0)
SHAPE = 6, 8
GREY8 = RNG.integers(0, 256, SHAPE, np.uint8)
GREY16 = RNG.integers(0, 65536, SHAPE).astype(np.uint16)
COLOUR16 = RNG.integers(0, 65536, (*SHAPE, 3)).astype(np.uint16)
LUMA16 = COLOUR16 @ np.array([0.299, 0.587, 0.114])
DEEP = {
    "int8": RNG.integers(-128, 128, SHAPE).astype(np.int8),
    "uint16": GREY16,
    "int16": RNG.integers(-32768, 32768, SHAPE).astype(np.int16),
    "uint32": RNG.integers(0, 2**32, SHAPE).astype(np.uint32),
    "int32": RNG.integers(-(2**31), 2**31, SHAPE).astype(np.int32),
    "float16": RNG.normal(280, 5, SHAPE).astype(np.float16),
    "float32": RNG.normal(280, 5, SHAPE).astype(np.float32),
    "float64": RNG.normal(280, 5, SHAPE),
}


def tif(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", DEEP)
def test_every_type_in_both_byte_orders(kind, order):
    found = decode(tif(DEEP[kind], byteorder=order, photometric="minisblack"), "x.tif")
    assert found.dtype == DEEP[kind].dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, DEEP[kind])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels, white", [(GREY8, 255), (GREY16, 65535)], ids=["8", "16"])
def test_white_as_zero_is_inverted(pixels, white, order):
    data = tif(pixels, byteorder=order, photometric="miniswhite")
    np.testing.assert_array_equal(decode(data, "x.tif"), white - pixels)


@pytest.mark.parametrize("kind", ["int16", "float32"])
def test_white_as_zero_of_other_types_is_refused(kind):
    with pytest.raises(DataError, match=f"x.tif: a TIFF of {kind}, MINISWHITE; expected"):
        decode(tif(DEEP[kind], photometric="miniswhite"), "x.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_deep_colour_becomes_luma_without_rounding(planar, order):
    planes = COLOUR16 if planar == "contig" else COLOUR16.transpose(2, 0, 1).copy()
    data = tif(planes, byteorder=order, photometric="rgb", planarconfig=planar)
    np.testing.assert_allclose(decode(data, "x.tif"), LUMA16, rtol=1e-12, atol=0)


def test_deep_colour_of_png():
    data = cv2.imencode(".png", COLOUR16[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(decode(data, "x.png"), LUMA16, rtol=1e-12, atol=0)
    with pytest.raises(DataError, match="x.png: not a readable image"):
        decode(data[: len(data) // 2], "x.png")


def test_grey_kept_as_deep_colour_is_that_grey():
    data = cv2.imencode(".png", np.dstack([GREY16] * 3))[1].tobytes()
    np.testing.assert_array_equal(decode(data, "x.png"), GREY16)


def test_deep_colour_with_alpha():
    alpha = np.where(GREY16 > 30000, 65535, 0).astype(np.uint16)
    planes = np.dstack([COLOUR16, alpha])
    files = [
        tif(planes, photometric="rgb", extrasamples=["unassalpha"]),
        cv2.imencode(".png", planes[..., [2, 1, 0, 3]])[1].tobytes(),
    ]
    for data in files:
        picture = read_picture(data, "x")
        np.testing.assert_allclose(picture.pixels, LUMA16, rtol=1e-12, atol=0)
        np.testing.assert_array_equal(picture.alpha, alpha)


def test_deep_grey_with_alpha():
    data = tif(
        np.dstack([GREY16, GREY16 // 2]), photometric="minisblack", planarconfig="contig",
        extrasamples=["unassalpha"],
    )  # fmt: skip
    np.testing.assert_array_equal(decode(data, "x.tif"), GREY16)


@pytest.mark.parametrize("bands", [2, 4, 5])
def test_bands_of_no_meaning_are_refused(bands):
    data = tif(np.dstack([GREY16] * bands), photometric="minisblack", planarconfig="contig")
    with pytest.raises(DataError, match=f"x.tif: {bands} bands of uint16; expected one of grey"):
        decode(data, "x.tif")


@pytest.mark.parametrize("kind", ["int8", "uint16", "int16", "float32", "float64"])
def test_what_opencv_packs_is_read(kind):
    data = cv2.imencode(".tif", DEEP[kind])[1].tobytes()  # LZW for integers
    np.testing.assert_array_equal(decode(data, "x.tif"), DEEP[kind])


def test_packed_colour_of_opencv():
    data = cv2.imencode(".tif", COLOUR16[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(decode(data, "x.tif"), LUMA16, rtol=1e-12, atol=0)


@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}])
def test_other_structures(how):
    pixels = RNG.integers(0, 65536, (40, 40)).astype(np.uint16)
    np.testing.assert_array_equal(decode(tif(pixels, **how), "x.tif"), pixels)


def in_a_row(levels, bits):
    """A TIFF whose levels follow each other without a gap, as cameras write 12 and 14 bit."""
    rows = b""
    for row in levels:
        text = "".join(f"{level:0{bits}b}" for level in row)
        text += "0" * (-len(text) % 8)
        rows += bytes(int(text[k : k + 8], 2) for k in range(0, len(text), 8))
    tags = {256: levels.shape[1], 257: levels.shape[0], 258: bits, 259: 1, 262: 1, 277: 1}
    tags |= {278: levels.shape[0], 279: len(rows), 339: 1}
    place = 8 + 2 + 12 * (len(tags) + 1) + 4
    tags[273] = place
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + rows


def test_twelve_bit_in_a_row():
    levels = GREY16 >> 4
    picture = read_picture(in_a_row(levels, 12), "x.tif")
    np.testing.assert_array_equal(picture.pixels, levels)
    assert picture.full == (0, 4095)


@pytest.mark.parametrize("bits", [10, 14])
def test_other_bits_in_a_row_are_refused(bits):
    with pytest.raises(DataError, match=f"x.tif: a TIFF of uint{bits} packed in a way that is not"):
        decode(in_a_row(GREY16 >> (16 - bits), bits), "x.tif")


def test_complex_levels_are_refused():
    with pytest.raises(DataError, match="x.tif: a TIFF of complex64, MINISBLACK; expected"):
        decode(tif(GREY16.astype(np.complex64)), "x.tif")


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_one_bit(photometric):
    found = decode(tif(GREY8 > 127, photometric=photometric, software="a scanner"), "x.tif")
    seen = (GREY8 > 127) == (photometric == "minisblack")
    np.testing.assert_array_equal(found, np.where(seen, 255, 0))


def test_bool_as_tifffile_writes_it_by_itself_is_refused():
    with pytest.raises(DataError, match="x.tif: written by tifffile .* 0 is white"):
        decode(tif(GREY8 > 127), "x.tif")
    np.testing.assert_array_equal(
        decode(tif(GREY8 > 127, photometric="minisblack"), "x.tif"), np.where(GREY8 > 127, 255, 0)
    )


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_spread_to_255(bits):
    levels = GREY8 >> (8 - bits)
    expected = levels * (255 // (2**bits - 1))
    np.testing.assert_array_equal(decode(in_a_row(levels, bits), "x.tif"), expected)


def test_palettes_are_looked_up():
    colours = np.repeat(np.arange(256, dtype=np.uint16)[None, ::-1] * 257, 3, axis=0)
    data = tif(GREY8, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(decode(data, "x.tif"), 255 - GREY8)


def test_8_bit_colour_in_planes():
    colour = (COLOUR16 >> 8).astype(np.uint8)
    planes = colour.transpose(2, 0, 1).copy()
    data = tif(planes, photometric="rgb", planarconfig="separate")
    expected = np.asarray(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(decode(data, "x.tif"), expected)


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_cut_off_files_are_refused(kind):
    data = tif(DEEP[kind])
    for end in (4, 12, len(data) - 20, len(data) - 1):
        with pytest.raises(DataError, match=r"^x\.tif: "):
            decode(data[:end], "x.tif")


def test_a_mask_of_either_byte_order_and_type(tmp_path):
    for data in (
        tif((GREY8 > 127) * np.uint16(65535), byteorder=">"),
        tif((GREY8 <= 127) * np.uint16(65535), photometric="miniswhite"),
        tif((GREY8 > 127).astype(np.float64)),
    ):
        mask, note = target(read_picture(data, "x.tif"), tmp_path)
        np.testing.assert_array_equal(mask, GREY8 > 127)
        assert note == ""
