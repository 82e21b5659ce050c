"""`istsbench.evaluate`, `load_results` and `apply`: what a session has at hand, in one line."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from toys import Toy
from typer.testing import CliRunner

import istsbench
from istsbench import Fixed, PeakRatio
from istsbench.cli import app
from istsbench.errors import DataError, RunError, WrongUse
from istsbench.results.results import Results
from istsbench.tables.table_vi import table_vi


@pytest.fixture
def name(toys, toy_folder, tmp_path, monkeypatch):
    """The toy data set as a command names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    return f"folder:{toy_folder}"


def above(image):
    return np.maximum(image - np.median(image), 0)


def test_the_module_is_light_and_has_what_it_lists():
    code = (
        "import sys, istsbench; heavy = {'torch', 'pandas', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy; assert {*istsbench.__all__} <= {*dir(istsbench)}\n"
        "assert callable(istsbench.evaluate) and callable(istsbench.load_results)\n"
        "assert callable(istsbench.apply) and 'torch' not in sys.modules\n"
        "try: istsbench.nothing\nexcept AttributeError as error: assert 'nothing' in str(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rule, reduction", [("own", "image"), ("half", "pooled")])
def test_a_row_is_that_of_a_run_to_the_last_digit(name, tmp_path, rule, reduction):
    words = ["run", "--methods", "toy,toy(gain=2)", "--dataset", name, "--out", "results"]
    assert CliRunner().invoke(app, words).exit_code == 0
    tag = name.rpartition("/")[2]
    options = {"rule": rule, "reduction": reduction}
    expected = istsbench.load_results(f"folder-{tag}", "results", **options)
    for method in ("toy,toy(gain=2)", Toy, Toy(gain=2)):
        found = istsbench.evaluate(method, name, columns="all", show=False, **options)
        assert istsbench.evaluate(method, name, show=False, **options).columns[-1] == "hiou"
        found = found[expected.columns]
        rows = expected[expected.method.isin(found.method)].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            found.drop(columns="seconds"), rows.drop(columns="seconds"), rtol=0, atol=0
        )
    found = istsbench.evaluate(above, name, columns="all", show=False, **options)
    assert (found.method[0], found.label[0]) == ("function(above)", "above")
    same = ["f1", "iou", "niou", "pd", "fa", "auc"]
    assert found.loc[0, same].tolist() == expected.set_index("method").loc["toy", same].tolist()


def test_a_printed_row_shows_its_scores(name):
    row = istsbench.evaluate(above, name, show=False)
    assert list(row) == ["method", "f1", "iou", "niou", "pd", "fa", "auc", "hiou"]
    assert "..." not in str(row) and all(name in str(row) for name in row)
    whole = istsbench.evaluate(above, name, columns="all", show=False)
    assert list(whole)[: len(row.columns)] == list(row) and {"label", "rule"} < {*whole}


def test_closures_run_in_other_processes_too_and_keep_their_rule(name):
    level = 20

    def mask(image):
        return above(image) > level

    rows = [
        istsbench.evaluate(mask, name, threshold=Fixed(0.5), columns="all", jobs=jobs, show=False)
        for jobs in (1, 2)
    ]
    assert rows[0].rule[0] == "Fixed(value=0.5)" and rows[0].f1[0] > 0.5
    pd.testing.assert_frame_equal(*(row.drop(columns="seconds") for row in rows))


def test_the_foot_tells_the_rule_of_a_function_that_names_none(name):
    istsbench.evaluate(above, name, out="results", show=False)
    istsbench.evaluate(above, name, label="ruled", threshold=Fixed(9), out="results", show=False)
    istsbench.evaluate("toy", name, out="results", show=False)
    (folder,) = Path("results").glob("folder-*")
    foot = " ".join(table_vi([Results.load(folder)]).notes)
    assert "above: no threshold rule is named: MeanStd(k=3) (masks of type bool: Fixed(" in foot
    assert foot.count("no threshold rule is named") == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_masks_of_type_bool_are_taken_as_they_are_unless_a_rule_is_named(name, jobs):
    def mask(image):
        return above(image) > 20

    def ruled(image):
        return mask(image)

    ruled.threshold = PeakRatio(0.75)
    options = {"columns": "all", "out": "results", "show": False, "jobs": jobs}
    row, given, own = (
        istsbench.evaluate(one, name, **options, **more)
        for one, more in (
            (mask, {}),
            (mask, {"threshold": Fixed(0.5), "label": "given"}),
            (ruled, {}),
        )
    )
    scores = ["f1", "iou", "pd", "auc", "rule"]
    assert row.loc[0, scores].tolist() == given.loc[0, scores].tolist()
    assert (row.rule[0], own.rule[0]) == ("Fixed(value=0.5)", "PeakRatio(ratio=0.75)")
    istsbench.evaluate("toy", name, **options)
    (folder,) = Path("results").glob("folder-*")
    table = table_vi([Results.load(folder)])
    foot = " ".join(table.foot())
    told = "mask: no threshold rule is named, the maps are masks of type bool: Fixed(value=0.5)"
    assert told in foot and foot.count("no threshold rule is named") == 1
    assert "maps of two levels: mask, given, ruled; AUC is of one operating point" in " ".join(
        table.of_scores
    ).replace("given, mask", "mask, given")
    again = istsbench.evaluate(mask, name, **options)
    assert again.rule[0] == "Fixed(value=0.5)" and again.attrs["notes"] == []


def test_masks_for_some_images_and_scores_for_others_are_refused(name):
    def mixed(image):
        return above(image) > 20 if image[0, 0] % 2 else above(image)

    message = (
        "3 of 6 images failed: score returned a mask of type "
        "bool, and a map of scores for test_0; expected one kind for all images"
    )
    with pytest.raises(RunError, match=message):
        istsbench.evaluate(mixed, name, out="results", show=False)
    with pytest.raises(RunError, match=message):
        istsbench.evaluate(mixed, name, out="results", show=False)  # the maps are there
    row = istsbench.evaluate(mixed, name, threshold=Fixed(9), columns="all", show=False)
    assert row.rule[0] == "Fixed(value=9)"


def test_a_results_folder_keeps_maps_and_tells_changed_code(name, tmp_path):
    def signed(sign):
        return lambda image: 255 + sign * image

    rows = [
        istsbench.evaluate(
            signed(one), name, label="mine", columns="all", out="results", show=False
        )
        for one in (1, -1, 1)
    ]
    assert rows[0].auc[0] == rows[2].auc[0]
    assert rows[0].rule[0] == rows[1].rule[0] and rows[0].auc[0] != rows[1].auc[0]
    assert len([*(tmp_path / "results" / "maps").glob("*/*")]) == 2
    assert [len(row.attrs["notes"]) for row in rows] == [0, 1, 1]
    assert rows[1].attrs["notes"][0].startswith("function(mine): the code, or what it uses, chan")
    (label,) = istsbench.load_results(name, "results").label
    assert label == "mine"


def test_a_method_that_cannot_be_made_is_refused_beside_rows_of_before(name):
    istsbench.evaluate("toy", name, out="results", show=False)
    with pytest.raises(RunError, match="absent on folder-.*no_such_package"):
        istsbench.evaluate("toy,absent", name, out="results", show=False)
    assert istsbench.load_results(name, "results").method.tolist() == ["toy"]


def test_a_function_never_takes_the_row_of_a_method(name):
    istsbench.evaluate("toy", name, out="results", show=False)
    istsbench.evaluate(above, name, label="toy", out="results", show=False)
    found = istsbench.load_results(name, "results").method
    assert {*found} == {"toy", "function(toy)"}


@pytest.mark.parametrize(
    "method, message",
    [
        (lambda image: image[1:], r"6 of 6 images failed: ValueError: score returned shape \(23"),
        (lambda image: np.full_like(image, np.nan), "768 values that are NaN"),
        (lambda image: image.tolist(), "score returned list, expected an array"),
        (lambda image: image - 300, "score returned negative values"),
        ("bad", "no way"),
    ],
)
def test_a_method_that_breaks_its_promise_is_refused(name, method, message):
    with pytest.raises(RunError, match=message):
        istsbench.evaluate(method, name, show=False)


@pytest.mark.parametrize(
    "method, options, message",
    [
        ("toyy", {}, "did you mean toy"),
        (5, {}, "is 5, expected a subclass of Segmenter, an instance of one, or a function"),
        (lambda: 1, {}, "takes no image"),
        ("toy", {"rule": "ownn"}, "unknown rule 'ownn'; did you mean own"),
        ("toy", {"reduction": "mean"}, "unknown reduction 'mean'; "),
        ("toy", {"columns": "al"}, "unknown columns 'al'; did you mean all"),
        ("toy", {"label": "x"}, "a named method has its own"),
        (Toy(), {"threshold": Fixed(1)}, "has a card and a threshold of its own"),
    ],
)
def test_wrong_use_says_what_was_expected(name, method, options, message):
    with pytest.raises(WrongUse, match=message):
        istsbench.evaluate(method, name, show=False, **options)


def test_results_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(DataError, match="no results; make some with `istsbench run`"):
        istsbench.load_results("nuaa", tmp_path)


# ---- apply


IMAGE = np.full((40, 50), 20.0)
IMAGE[10:12, 30:32] = 90


def test_apply_gives_maps_masks_and_targets_in_the_order_of_the_images(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), IMAGE.astype(np.uint8))
    found = istsbench.apply(Toy(), [IMAGE.astype(np.uint8), str(tmp_path), 2 * IMAGE])
    assert [frame.image for frame in found.frames] == ["image 0", "a.png", "image 2"]
    assert [*found.targets.peak] == [70, 70, 140]
    assert all(one.dtype == np.float32 for one in found.maps)
    for score, mask in zip(found.maps, found.masks, strict=True):
        np.testing.assert_array_equal(mask, Toy().threshold(score))
    with pytest.raises(ValueError, match="there are 3 images; use `maps`, `masks`"):
        found.mask  # noqa: B018


def test_apply_takes_a_rule_a_level_or_a_name():
    levels = {"own": None, "half": 35, 50: 50, "12.5": 12.5, PeakRatio(0.1): 7}
    for threshold, level in levels.items():
        (frame,) = istsbench.apply(Toy(), IMAGE, threshold=threshold).frames
        assert level is None or frame.level == level


def test_apply_takes_masks_of_type_bool_as_they_are():
    image = np.full((40, 50), 20.0)
    image[5:30, 5:30] = 90  # so many that none lies above the mean + 3 std of the mask
    assert istsbench.apply(lambda one: one > 50, image).mask.sum() == 625
    assert istsbench.apply(lambda one: one * (one > 50), image).mask.sum() == 0
    assert istsbench.apply(lambda one: one > 50, image, threshold=2).mask.sum() == 0


def test_deep_arrays_are_scaled_as_deep_files_are(tmp_path):
    deep = (100 * IMAGE).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    for depth in (None, "full", "0:20000"):
        maps = istsbench.apply(Toy(), [deep, tmp_path / "a.png"], depth=depth).maps
        np.testing.assert_array_equal(*maps)
    floats = istsbench.apply(Toy(), [deep, IMAGE / 255], depth="image").maps
    np.testing.assert_allclose(*floats, rtol=1e-6)


def test_apply_tells_of_each_image_what_the_command_counts(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), (100 * IMAGE).astype(np.uint16))
    deep = (100 * IMAGE).astype(np.uint16)
    plain = IMAGE.astype(np.uint8)
    found = istsbench.apply(Toy(), [tmp_path, deep, plain], depth="0:8000")
    assert [frame.deep for frame in found.frames] == [True, True, False]
    assert [frame.cut for frame in found.frames] == [4, 4, 0]
    assert [frame.output for frame in found.frames] == ["a", "image 1", "image 2"]
    assert repr(found) == f"ApplyResult(method={found.method!r}, images=3, targets=3)"


@pytest.mark.parametrize(
    "method, message",
    [
        (IMAGE, r"the method is of type ndarray; expected istsbench.apply\(method, images\)"),
        ("frames/a.png", r"'frames/a.png', a file of images; expected istsbench.apply\(method"),
        ("topht", "did you mean tophat.*; expected .* a name as 'tophat', a text FILE.py:NAME"),
    ],
)
def test_what_is_no_method_of_apply_is_refused_with_what_it_may_be(method, message):
    with pytest.raises(WrongUse, match=message):
        istsbench.apply(method, "tophat")


@pytest.mark.parametrize(
    "images, message",
    [
        (IMAGE / 255, r"floats of 0.0784314..0.352941 would all be black; expected grey levels"),
        (IMAGE * 100, "floats of 2000..9000; expected grey levels 0..255; say how"),
        (IMAGE[None], "3 dimensions.*a stack is given as a list of its images"),
        ([], "the list of images is empty"),
        (IMAGE + 1j, "an array of complex128; expected"),
        ("absent.png", "absent.png: no such file"),
    ],
)
def test_what_is_no_image_is_refused(images, message):
    with pytest.raises(WrongUse, match=message):
        istsbench.apply(Toy(), images)


def test_a_method_that_fails_and_a_broken_file_are_said(tmp_path):
    with pytest.raises(WrongUse, match="failed on image 0: ValueError: score returned shape"):
        istsbench.apply(lambda image: image.T, IMAGE)
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(DataError, match="a.png: .*not a readable image"):
        istsbench.apply("tophat", tmp_path)
