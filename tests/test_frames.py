"""Pictures without labels: which files are found, and their frames."""

import cv2
import numpy as np
import pytest
import tifffile

from istsbench.data.frames import find_sources, read_frames
from istsbench.data.tiff import count_frames
from istsbench.errors import DataError, WrongUse

SIZE = (48, 64)
LEVELS = np.random.default_rng(0).integers(0, 60000, (5, *SIZE)).astype(np.uint16)


def picture(path, pixels=LEVELS[0]):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def video(path, code, frames, deep=False):
    options = []
    if deep:
        options = [[cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]]
    out = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), 10, SIZE[::-1], *options
    )
    if not out.isOpened():
        pytest.skip(f"OpenCV cannot write {code} here")
    for frame in frames:
        out.write(frame)
    out.release()
    return path


def frames_of(path, wanted=None):
    (source,) = find_sources([path], "marker").sources
    return dict(read_frames(source, range(source.frames) if wanted is None else wanted))


@pytest.mark.parametrize("kind", ["pages", "imagej", "one structure", "LZW", "compressed"])
@pytest.mark.parametrize("deep", [True, False])
def test_each_page_of_a_tiff_is_a_frame(tmp_path, kind, deep):
    levels, path = LEVELS if deep else (LEVELS >> 8).astype(np.uint8), tmp_path / "a.tif"
    if kind == "pages":
        tifffile.imwrite(path, levels, metadata=None)
    elif kind == "imagej":
        tifffile.imwrite(path, levels, imagej=True)
    elif kind == "one structure":
        tifffile.imwrite(path, levels, photometric="minisblack", volumetric=True)
    elif kind == "LZW":
        cv2.imwritemulti(str(path), list(levels))
    else:
        tifffile.imwrite(path, levels, compression="zlib", photometric="minisblack")
    assert count_frames(path) == 5
    for wanted in ([0, 1, 2, 3, 4], [3]):
        found = frames_of(path, wanted)
        assert [*found] == wanted
        for number, one in found.items():
            assert one.pixels.dtype == levels.dtype
            np.testing.assert_array_equal(one.pixels, levels[number])


def test_a_thumbnail_is_no_frame(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(LEVELS[0], metadata=None)
        file.write(LEVELS[1][:8, :8], subfiletype=1, metadata=None)
        file.write(LEVELS[2], metadata=None)
    first, second = frames_of(tmp_path / "a.tif").values()
    np.testing.assert_array_equal(first.pixels, LEVELS[0])
    np.testing.assert_array_equal(second.pixels, LEVELS[2])


def test_a_video_gives_its_frames_in_grey(tmp_path):
    grey = (LEVELS >> 8).astype(np.uint8)
    path = video(
        tmp_path / "a.avi", "FFV1", [cv2.cvtColor(one, cv2.COLOR_GRAY2BGR) for one in grey]
    )
    (source,) = find_sources([path], "marker").sources
    assert (source.frames, source.output(3)) == (5, "a/000003")
    for number, one in read_frames(source, [1, 4]):
        np.testing.assert_array_equal(one.pixels, grey[number])
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 2] = 200
    found = frames_of(video(tmp_path / "b.avi", "FFV1", [red]))
    assert (found[0].pixels == 60).all()  # 0.299 of 200, rounded


def test_a_video_of_more_than_8_bit_is_refused(tmp_path):
    found = frames_of(video(tmp_path / "a.avi", "FFV1", LEVELS, deep=True))
    assert "a video of 16 bit, which OpenCV would cut to 8" in str(found[0])


def test_a_video_that_is_cut_off_gives_what_it_has_and_says_so(tmp_path):
    grey = [cv2.cvtColor((one >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR) for one in LEVELS]
    path = video(tmp_path / "a.avi", "MJPG", grey)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = [*frames_of(path).values()]
    there = [one for one in found if not isinstance(one, DataError)]
    assert 0 < len(there) < 5 and len(found) == 5
    assert f"the video ends after {len(there)} of 5 frames" in str(found[-1])


def test_what_is_no_video_is_said(tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    assert "not a video that OpenCV can open" in str(frames_of(tmp_path / "a.mp4")[0])


def test_folders_are_searched_in_full_but_for_hidden_files_and_outputs(tmp_path):
    for name in ("b.png", "a b/c.tif", ".x.png", ".hidden/y.png", "out/z.png", "old/masks/w.png"):
        picture(tmp_path / name)
    (tmp_path / "old" / "marker").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "old.gif").write_text("")
    found = find_sources([tmp_path], "marker", tmp_path / "out")
    assert [source.output(0) for source in found.sources] == ["b", "a b/c"]
    assert [*found.refused] == [str(tmp_path / "old.gif")]
    assert found.notes == (f"left out, since they are no pictures: {tmp_path / 'notes.txt'}",)


def test_a_file_that_is_named_twice_is_one_input(tmp_path):
    path = picture(tmp_path / "a.png")
    assert len(find_sources([tmp_path, path, path], "marker").sources) == 1


@pytest.mark.parametrize(
    "name, message", [("absent", "no such file or folder"), ("empty", "no picture and no video")]
)
def test_inputs_that_hold_nothing_are_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongUse, match=message):
        find_sources([tmp_path / name], "marker")


def test_a_broken_picture_is_a_frame_with_its_reason(tmp_path):
    path = picture(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes()[:200])
    (broken,) = frames_of(path).values()
    assert isinstance(broken, DataError) and "not a readable image" in str(broken)
