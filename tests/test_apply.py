"""`istsbench apply`: pictures without labels to masks, maps and targets."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from toys import Toy
from typer.testing import CliRunner

import istsbench
from istsbench import MeanStd
from istsbench.cli import app
from istsbench.data.depth import Depth
from istsbench.data.images import read_file
from istsbench.data.synthetic import scene
from istsbench.runs.targets import Segmented, as_coco, as_table, as_yolo, overlay, targets_of

TARGETS = {"a.png": [(20, 30)], "below/b.png": [(10, 12), (40, 50)], "below/c.png": []}


def pixels(places):
    image = np.rint(scene(60, 80)).clip(0, 99).astype(np.uint16) * 100
    image[0, 0], image[0, 1] = 0, 25500  # so that 0..255 is a hundredth of the levels
    for row, column in places:
        image[row - 1 : row + 2, column - 1 : column + 2] = 25000
    return image


@pytest.fixture
def pictures(tmp_path):
    """A folder, with a space in its name, of 16-bit pictures."""
    folder = tmp_path / "my pictures"
    for name, places in TARGETS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), pixels(places))
    return folder


@pytest.fixture
def apply(toys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["apply", *map(str, words)])


def table(folder, **options):
    return pd.read_csv(folder / "targets.csv", **options)


def test_masks_maps_overlays_and_the_table(apply, pictures, tmp_path):
    done = apply("toy", pictures, "--out", "found", "--maps", "--overlays", "--threshold", "150")
    assert done.exit_code == 0, done.output
    out = tmp_path / "found" / "toy"
    assert "toy: 3 images, 6 targets" in done.output  # the bright corner is one, in each
    assert "written: found/toy/ (masks/, maps/, targets.csv, overlays/)" in done.output
    for name in TARGETS:
        image, _ = Depth().scaled(read_file(pictures / name), name)
        stem = name.removesuffix(".png")
        score = np.load(out / "maps" / f"{stem}.npy")
        assert score.dtype == np.float32
        np.testing.assert_array_equal(score, Toy().score(image).astype(np.float32))
        mask = cv2.imread(str(out / "masks" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, (score.astype(np.float64) > 150) * np.uint8(255))
        shown = cv2.imread(str(out / "overlays" / f"{stem}.png"))
        assert shown.shape == (60, 80, 3)
    rows = table(out).query("area == 9")
    assert [*zip(rows.image, rows.row, rows.column, strict=True)] == [
        ("a.png", 20, 30), ("below/b.png", 10, 12), ("below/b.png", 40, 50),
    ]  # fmt: skip
    assert {*rows.level} == {150} and {*rows.height} == {3} and {*rows.method} == {"toy"}
    np.testing.assert_allclose(rows.peak, rows.score, rtol=1e-6)


def test_a_picture_without_a_target_is_no_error(apply, pictures):
    done = apply("toy", pictures / "below/c.png", "--out", "found", "--threshold", "1e6")
    assert done.exit_code == 0
    assert "toy: 1 image, 0 targets, 1 image with nothing above the threshold" in done.output
    assert table(pictures.parent / "found" / "toy").empty


def test_own_and_half_are_rules(apply, pictures, tmp_path):
    for threshold, rule in {"own": MeanStd(3), "half": "PeakRatio(ratio=0.5)"}.items():
        assert apply("toy", pictures, "--out", threshold, "--threshold", threshold).exit_code == 0
        told = json.loads((tmp_path / threshold / "toy" / "apply.json").read_text())
        assert told["threshold"] == (repr(rule) if threshold == "own" else rule)


def test_methods_have_a_folder_each_and_several_processes_write_the_same(apply, pictures, tmp_path):
    words = ("toy,toy(gain=2),tophat", pictures, "--maps")
    assert apply(*words, "--out", "one").exit_code == 0
    assert apply(*words, "--out", "two", "--jobs", "2").exit_code == 0
    one, two = tmp_path / "one", tmp_path / "two"
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 3 * (2 * 3 + 3)
    assert {path.parts[0] for path in files} == {"toy", "toy_gain=2", "tophat"}
    for path in files:
        if path.name != "frames.jsonl":
            assert (one / path).read_bytes() == (two / path).read_bytes(), path


def test_the_same_command_does_nothing_again_and_a_cut_one_goes_on(apply, pictures, tmp_path):
    words = ("toy", pictures, "--out", "found")
    assert "(3 done before)" not in apply(*words).output
    assert "3 images (3 done before)" in apply(*words).output
    out = tmp_path / "found" / "toy"
    whole = (out / "targets.csv").read_bytes()
    journal = out / "frames.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])  # killed while it wrote a line
    (out / "masks" / "a.png").unlink()
    (out / "targets.csv").unlink()
    done = apply(*words)
    assert "3 images (1 done before)" in done.output, done.output
    assert (out / "targets.csv").read_bytes() == whole and (out / "masks" / "a.png").is_file()


def test_outputs_asked_for_later_are_made(apply, pictures, tmp_path):
    apply("toy", pictures, "--out", "found")
    done = apply("toy", pictures, "--out", "found", "--maps", "--boxes", "yolo")
    assert done.exit_code == 0
    assert len([*(tmp_path / "found/toy/maps").rglob("*.npy")]) == 3
    assert len([*(tmp_path / "found/toy/labels").rglob("*.txt")]) == 3


def test_a_changed_picture_is_done_again_and_leaves_nothing_old(apply, pictures, tmp_path):
    words = ("toy", pictures, "--out", "found", "--threshold", "150")
    apply(*words)
    cv2.imwrite(str(pictures / "a.png"), pixels([(5, 5), (50, 60)]))
    done = apply(*words)
    assert "3 images (2 done before), 7 targets" in done.output
    (pictures / "a.png").write_bytes(b"no picture")
    done = apply(*words)
    assert done.exit_code == 1 and "2 images (2 done before), 4 targets" in done.output
    assert not (tmp_path / "found/toy/masks/a.png").exists()
    assert "a.png" not in {*table(tmp_path / "found/toy").image}


@pytest.mark.parametrize(
    "change, message",
    [
        (["--threshold", "half"], "threshold: own (mean + 3 std) there, half now"),
        (["--threshold", "7.5"], "threshold: own (mean + 3 std) there, 7.5 now"),
        (["--depth", "full"], "depth: image there, full now"),
    ],
)
def test_outputs_made_otherwise_are_never_mixed(apply, pictures, change, message):
    apply("toy", pictures, "--out", "found")
    done = apply("toy", pictures, "--out", "found", *change)
    assert done.exit_code == 2 and message in done.output


def test_outputs_of_other_code_are_never_mixed(apply, pictures, tmp_path):
    (tmp_path / "mine.py").write_text("def detect(image):\n    return image\n")
    assert apply("mine.py:detect", pictures, "--out", "found").exit_code == 0
    (tmp_path / "mine.py").write_text("def detect(image):\n    return 2 * image\n")
    done = apply("mine.py:detect", pictures, "--out", "found")
    assert done.exit_code == 2 and "code, parameters or weights" in done.output


def test_files_of_somebody_else_are_not_overwritten(apply, pictures, tmp_path):
    (tmp_path / "found" / "toy").mkdir(parents=True)
    (tmp_path / "found" / "toy" / "targets.csv").write_text("mine")
    done = apply("toy", pictures, "--out", "found")
    assert done.exit_code == 2 and "holds other files, as targets.csv" in done.output


def test_inputs_that_would_write_the_same_output_are_refused(apply, pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    cv2.imwrite(str(other / "a.png"), pixels([]))
    done = apply("toy", pictures, other, "--out", "found")
    assert done.exit_code == 2 and "would both be written as a; " in done.output
    assert "give the folder above both" in done.output
    apply("toy", pictures, "--out", "found")
    done = apply("toy", other, "--out", "found")
    assert done.exit_code == 2 and "holds outputs called a of another picture" in done.output


def test_files_that_differ_by_their_ending_keep_it_in_their_outputs(apply, pictures, tmp_path):
    cv2.imwrite(str(pictures / "a.tif"), pixels([(50, 60), (9, 9)]))
    done = apply("toy", pictures, "--out", "found", "--threshold", "150")
    assert done.exit_code == 0 and "outputs keep the ending of a.png, a.tif" in done.output
    masks = tmp_path / "found/toy/masks"
    assert sorted(path.name for path in masks.glob("*.png")) == ["a.png.png", "a.tif.png"]
    assert {*table(tmp_path / "found/toy").image} == {
        "a.png",
        "a.tif",
        "below/b.png",
        "below/c.png",
    }
    cv2.imwrite(str(pictures / "a.png.bmp"), np.zeros((9, 9), np.uint8))  # a.png without its ending
    done = apply("toy", pictures, "--out", "other")
    assert done.exit_code == 2 and "written as a.png; rename one" in done.output
    assert "give the folder above" not in done.output


EXTRAS = ("--overlays", "--maps", "--boxes", "coco", "--boxes", "yolo")


def boxed(out):
    return {image["file_name"] for image in json.loads((out / "boxes.json").read_text())["images"]}


def test_the_table_and_the_boxes_hold_the_inputs_of_the_call_alone(apply, pictures, tmp_path):
    words = ("--out", "found", "--threshold", "150")
    out = tmp_path / "found" / "toy"
    apply("toy", pictures, *words, *EXTRAS)
    done = apply("toy", tmp_path, *words)  # the same pictures by another path
    names = {f"my pictures/{name}" for name in TARGETS}
    assert {*table(out).image} == names == boxed(out), done.output
    assert "3 images, 6 targets" in done.output and len(table(out)) == 6
    assert "outputs of 3 pictures not among these inputs, or under another name" in done.output
    assert "boxes.json, labels/" in done.output and (out / "labels/my pictures/a.txt").is_file()
    (pictures / "a.png").unlink()
    done = apply("toy", pictures, *words)
    assert {*table(out).image} == boxed(out) == {"below/b.png", "below/c.png"}
    assert (out / "masks" / "a.png").is_file()  # nothing that was computed is lost
    assert "also holds outputs of 4 pictures not among these inputs" in done.output


def test_what_an_earlier_call_made_too_is_kept_up_to_date(apply, pictures, tmp_path):
    words = ("toy", pictures, "--out", "found", "--threshold", "150")
    out = tmp_path / "found" / "toy"
    apply(*words, *EXTRAS)
    assert "of an earlier call" not in apply(*words, *EXTRAS).output
    kinds = ("overlays/a.png", "maps/a.npy", "labels/a.txt", "boxes.json")
    old = {kind: (out / kind).read_bytes() for kind in kinds}
    cv2.imwrite(str(pictures / "a.png"), pixels([(5, 5), (50, 60)]))
    done = apply(*words)
    assert (
        "of an earlier call, kept up to date: maps/, overlays/, boxes.json, labels/" in done.output
    )
    assert all((out / kind).read_bytes() != old[kind] for kind in kinds)
    (pictures / "a.png").write_bytes(b"no picture")
    apply(*words)
    assert not any((out / kind).exists() for kind in kinds[:3]) and "a.png" not in boxed(out)


def test_what_an_earlier_call_made_of_some_pictures_says_of_how_many(apply, pictures, tmp_path):
    words = ("--out", "found", "--threshold", "150")
    apply("toy", pictures, *words)
    cv2.imwrite(str(pictures / "d.png"), pixels([(7, 7)]))
    apply("toy", pictures / "d.png", *words, "--overlays")
    done = apply("toy", pictures, *words)
    assert "overlays/ (1 of 4 images; all by --overlays)" in done.output


def test_a_page_that_went_from_a_file_leaves_nothing(apply, tmp_path):
    pages = [pixels([(20, 30)]), pixels([(9, 9)])]
    cv2.imwritemulti("a.tif", pages)
    apply("toy", "a.tif", "--out", "found")
    cv2.imwrite("a.tif", pages[1])
    done = apply("toy", "a.tif", "--out", "found")
    masks = tmp_path / "found/toy/masks"
    assert [path.relative_to(masks).as_posix() for path in masks.rglob("*.png")] == ["a.png"]
    assert "also holds" not in done.output


def test_a_stopped_call_leaves_the_tables_of_the_methods_before(apply, pictures, tmp_path):
    (tmp_path / "mine.py").write_text("def stop(image):\n    raise KeyboardInterrupt\n")
    done = apply("toy,mine.py:stop", pictures, "--out", "found", "--boxes", "coco")
    assert done.exit_code == 130 and "the same command continues" in done.output
    assert {*table(tmp_path / "found/toy").image} == {*TARGETS} == boxed(tmp_path / "found/toy")


def test_what_is_broken_is_named_and_the_others_are_done(apply, pictures):
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:500])
    (pictures / "notes.txt").write_text("")
    done = apply("toy", pictures, "--out", "found")
    assert done.exit_code == 1
    assert "toy: 3 images" in done.output and "notes.txt" in done.output
    assert "broken.png: not a readable image" in done.output


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_method_that_fails_on_a_picture_is_named_with_it(apply, pictures, tmp_path, jobs):
    (tmp_path / "mine.py").write_text(
        "def detect(image):\n    return image.T if image[20, 30] > 200 else image\n"
    )
    done = apply("mine.py:detect", pictures, "--out", "found", "--jobs", jobs)
    assert done.exit_code == 1
    assert "mine.py:detect: 2 images" in done.output
    assert f"{pictures / 'a.png'}: mine.py:detect: ValueError: score returned shape" in done.output


def test_a_method_that_takes_many_at_once_names_the_one_that_fails(apply, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (11, 12, 13):
        image = scene(24, 32, seed=number).clip(0, 255).astype(np.uint8)
        image[0, 0] = number
        cv2.imwrite(str(folder / f"{number}.png"), image)
    done = apply("batch", folder, "--out", "found")
    assert done.exit_code == 0 and "batch: 3 images" in done.output
    done = apply("batch(how='raise')", folder, "--out", "found")
    assert done.exit_code == 1 and "2 images" in done.output
    assert "12.png: batch(how='raise'): ArithmeticError: no way" in done.output


@pytest.mark.slow
def test_a_method_that_kills_its_process_is_given_up_after_three(apply, pictures, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os\n\ndef detect(image):\n    os._exit(1) if image.max() > 99 else None\n"
        "    return image\n"
    )
    for number in range(5):
        cv2.imwrite(str(pictures / f"more{number}.png"), pixels([(20, 20)]))
    done = apply("mine.py:detect", pictures, "--out", "found", "--jobs", "2")
    assert done.exit_code == 1 and "mine.py:detect: 0 images" in done.output
    assert done.output.count("not tried, since the process died on 3 others") >= 3
    assert "the process that scored this image died" in done.output


def test_a_network_has_the_weights_of_nuaa_and_says_so(apply, pictures):
    done = apply("learner", pictures, "--out", "found")
    assert done.exit_code == 1 and "Learner has no weights for NUAA-SIRST" in done.output
    done = apply("acm", pictures / "a.png", "--out", "found", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "note: ACM: weights of NUAA-SIRST" in done.output


@pytest.mark.parametrize(
    "words, message",
    [
        (["toy", "absent", "--out", "o"], "absent: no such file or folder"),
        (["toyy", "my pictures", "--out", "o"], "did you mean toy"),
        (["toy", "my pictures", "--out", "o", "--threshold", "high"], "expected own, half, or a"),
        (["toy", "my pictures", "--out", "o", "--threshold", "nan"], "expected own, half, or a"),
        (["toy", "my pictures", "--out", "o", "--threshold=-1"], "no map has a value below 0"),
        (["toy", "my pictures", "--out", "o", "--boxes", "coco,voc"], "'voc'; expected coco or yo"),
        (["toy", "my pictures", "--out", "o", "--set", "ipi.step=3"], "among the methods 'toy'"),
        (["toy", "my pictures", "--out", "o", "--device", "cpu"], "is for networks; none is"),
        (["acm", "my pictures", "--out", "o", "--device", "moon"], "--device moon: "),
        (["toy", "my pictures", "--out", "o", "--depth", "12"], "expected image, full, or two"),
        (["toy", "--out", "o"], "Missing argument"),
    ],
)
def test_wrong_use_says_what_was_expected(apply, pictures, words, message):
    done = apply(*words)
    assert done.exit_code == 2 and message in done.output, done.output


def test_a_level_that_no_pixel_or_every_pixel_exceeds_is_noted(apply, pictures, tmp_path):
    (tmp_path / "mine.py").write_text("def detect(image):\n    return image + 9\n")
    words = ("mine.py:detect", pictures, "--out")
    done = apply(*words, "low", "--threshold", "3")
    assert "note: mine.py:detect: 3 images where every pixel exceeds the level" in done.output
    done = apply(*words, "high", "--threshold", "500")
    assert (
        "the level 500 is above every value of the maps, the highest of which is 264" in done.output
    )
    cv2.imwrite("a.png", np.arange(9, dtype=np.uint8).reshape(3, 3))  # too few pixels for 3 std
    done = apply("mine.py:detect", "a.png", "--out", "own")
    assert (
        "1 image where the level (mean + 3 std, masks of type bool as they are) is above every "
        in done.output
    )
    assert "own rule: mean + 3 std" in done.output
    assert "note" not in apply(*words, "good", "--threshold", "200").output


def test_boxes_are_named_by_comma(apply, pictures, tmp_path):
    done = apply("toy", pictures, "--out", "found", "--boxes", "coco,yolo")
    assert "(masks/, targets.csv, boxes.json, labels/)" in done.output


def test_a_file_that_is_no_picture_is_named_once_and_nothing_is_said_to_be_written(apply, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    done = apply("toy", "a.png", "--out", "found", "--overlays")
    assert (
        "failed: a.png: not a readable image (cannot identify image file; 2 bytes)" in done.output
    )
    assert "written: found/toy/ (targets.csv)" in done.output


# ---- targets


def test_targets_by_hand():
    score = np.zeros((6, 8))
    score[1, 2], score[2, 3], score[5, 7] = 4, 2, 9
    first, second = targets_of(score, score > 1)
    assert (first.row, first.column, first.area, first.peak, first.score) == (1.5, 2.5, 2, 4, 3)
    assert (first.top, first.left, first.height, first.width) == (1, 2, 2, 2)
    assert (second.row, second.column, second.area, second.peak) == (5, 7, 1, 9)
    assert targets_of(score, score > 10) == []


def test_boxes_by_hand():
    score = np.zeros((10, 20))
    score[2:4, 6:10], score[2, 6] = 5, 13
    one = Segmented("a.png", 0, "a", (10, 20), 1.0, tuple(targets_of(score, score > 1)))
    assert as_yolo(one) == "0 0.400000 0.300000 0.200000 0.200000\n"
    assert as_yolo(replace(one, targets=())) == ""
    told = json.loads(as_coco("toy", [replace(one, targets=()), one]))
    assert [image["id"] for image in told["images"]] == [1, 2]
    (box,) = told["annotations"]
    assert (box["image_id"], box["bbox"], box["area"]) == (2, [6, 2, 4, 2], 8)
    row = as_table("toy", [one]).iloc[0]
    assert (box["score"], box["peak"]) == (row.score, row.peak) == (6.0, 13.0)


def test_the_overlay_leaves_the_target_to_be_seen():
    image = np.full((20, 20), 100.0)
    image[9:12, 9:12] = 250
    drawn = overlay(image, targets_of(image, image > 200))
    assert (drawn[9:12, 9:12] == 250).all() and (drawn[0, 0] == 100).all()
    red = (drawn[..., 0] == 255) & (drawn[..., 1] == 64)
    assert red[7, 7:14].all() and red[7:14, 13].all() and red.sum() == 4 * 6


# ---- the page


def test_the_commands_of_the_page_work(toys, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    page = Path(istsbench.__file__).parents[1] / "docs" / "apply.md"
    if not page.is_file():
        pytest.skip("docs/ is not installed")
    pictures.rename("my_pictures")
    frames = [cv2.cvtColor((pixels([]) // 100).astype(np.uint8), cv2.COLOR_GRAY2BGR)] * 3
    video = cv2.VideoWriter("flight.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (80, 60))
    for frame in frames:
        video.write(frame)
    video.release()
    Path("mine.py").write_text("def detect(image, size=3):\n    return image\n")
    blocks = re.findall(r"^```\n(istsbench .*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 6
    for line in commands:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    assert len([*Path("seen/tophat/overlays/flight").iterdir()]) == 3
