"""Public codes as profiles: what each makes of one small map, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from istsbench.errors import UnknownName
from istsbench.matching import target_counts
from istsbench.results.profile_counts import (
    PROFILE_COLUMNS,
    at_size,
    count_under,
    profile_scores,
    roc_area,
)
from istsbench.results.profiles import PROFILES, Roc, profile_named

SIDE = 256  # what most codes score, so that nothing is resized
PIXELS = SIDE * SIDE


@pytest.fixture
def truth():
    """Two targets: A, of four pixels, and B, of one."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[10:12, 10:12] = True
    mask[100, 100] = True
    return mask


@pytest.fixture
def score():
    """Three pixels on A, none above 0.5 on B; two false regions, of three and of two pixels."""
    score = np.zeros((SIDE, SIDE))
    score[10:12, 10:12] = [[1, 1], [1, 0.4]]
    score[100, 100] = 0.5
    score[200, 20:23] = 0.6
    score[30, 200:202] = 0.9
    return score


def scores(name, score, truth, probability=True):
    one = count_under(PROFILES[name], "a", score, truth, probability)
    return profile_scores(PROFILES[name], pd.DataFrame([one.row], columns=[*PROFILE_COLUMNS]))


@pytest.mark.parametrize(
    "name, false, of",
    [
        ("basicirstd", 5, PIXELS),  # both false regions
        ("dnanet", 2, PIXELS),  # the one of three pixels is as large as what A has
        ("sctransnet", 2, PIXELS),
        ("l2sknet", 2, PIXELS),
        ("drpcanet", 2, PIXELS),
        ("mshnet", 2, PIXELS),
        ("rpcanet", 5, PIXELS - 5),  # over what is no target
    ],
)
def test_targets_by_hand(score, truth, name, false, of):
    found = scores(name, score, truth)
    assert found["pd"] == 1 / 2
    assert found["fa"] == false / of
    assert found["iou"] == found["niou"] == 3 / 10


@pytest.mark.parametrize("name", ["basicirstd", "dnanet", "l2sknet", "rpcanet", "drpcanet"])
def test_pixels_by_hand(score, truth, name):
    found = scores(name, score, truth)
    assert (found["precision"], found["recall"]) == (3 / 8, 3 / 5)
    assert found["f1"] == pytest.approx(6 / 13, rel=1e-12)


def test_sctransnet_adds_a_little_below(score, truth):
    found = scores("sctransnet", score, truth)
    p, r = 3 / 8.001, 3 / 5.001
    assert found["precision"] == pytest.approx(p, rel=1e-12)
    assert found["recall"] == pytest.approx(r, rel=1e-12)
    assert found["f1"] == pytest.approx(2 * p * r / (p + r + 1e-5), rel=1e-12)


def test_a_faint_map_is_empty_unless_divided_by_its_maximum(score, truth):
    assert scores("dnanet", score / 2, truth)["iou"] == 0
    assert scores("drpcanet", score / 2, truth)["iou"] == 3 / 10


def test_l2sknet_takes_iou_of_another_mask_than_the_rest(score, truth):
    found = scores("l2sknet", 0.6 * score, truth)
    assert found["iou"] == 3 / 7  # above 0.5 as it is: A and the region of 0.54
    assert found["f1"] == pytest.approx(6 / 13, rel=1e-12)
    assert found["pd"] == 1 / 2 and found["fa"] == 2 / PIXELS


def test_a_map_that_is_no_probability_is_scaled_from_its_least_to_its_largest(score, truth):
    grey = 40 * score - 10  # from -10 to 30
    assert scores("dnanet", grey, truth, probability=False)["iou"] == 3 / 10
    # Divided by the maximum of 30, the level is 15: 0.6 becomes 14.
    assert scores("drpcanet", grey, truth, probability=False)["iou"] == 3 / 7


def test_a_target_found_by_any_pixel(truth):
    score = np.zeros((SIDE, SIDE))
    score[11, 11:31] = 1  # the centre lies 9 pixels off, and only one pixel is on A
    found = scores("rpcanet", score, truth)
    assert found["pd"] == 1 / 2 and found["fa"] == 19 / (PIXELS - 5)
    assert scores("drpcanet", score, truth)["pd"] == 0


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_map_without_a_positive_value_finds_nothing(truth, name, value):
    one = count_under(
        PROFILES[name], "a", np.full(truth.shape, value), truth, probability=value == 0
    )
    found = profile_scores(PROFILES[name], pd.DataFrame([one.row]))
    assert found["pd"] == found["fa"] == found["iou"] == found["f1"] == 0


def test_an_image_without_target_counts_nowhere_for_rpcanet(score):
    one = count_under(PROFILES["rpcanet"], "a", score, np.zeros(score.shape, bool), True)
    assert one.row["false_pixels"] == one.row["of_pixels"] == 0
    assert one.positives == one.negatives == 0 and not one.false.any()
    other = count_under(PROFILES["drpcanet"], "a", score, np.zeros(score.shape, bool), True)
    assert other.row["false_pixels"] == 8 and other.row["of_pixels"] == PIXELS


# ---------------------------------------------------------------- size


def test_nearest_pixels_are_not_the_same_for_both_libraries():
    mask = np.zeros((512, 512), bool)
    mask[0, 0] = mask[101, 101] = True
    blank = np.zeros(mask.shape)
    _, cv2 = at_size(PROFILES["drpcanet"], blank, mask)  # takes pixels 0, 2, 4, ...
    _, pil = at_size(PROFILES["dnanet"], blank, mask)  # takes pixels 1, 3, 5, ...
    assert np.argwhere(cv2).tolist() == [[0, 0]]
    assert np.argwhere(pil).tolist() == [[50, 50]]


def test_maps_shrink_with_all_pixels_in_one_library_and_some_in_the_other():
    score = np.zeros((1024, 1024))
    score[0::4, 0::4] = 1.0  # one pixel in sixteen
    mask = np.zeros(score.shape, bool)
    by_cv2, _ = at_size(PROFILES["drpcanet"], score, mask)
    by_pil, _ = at_size(PROFILES["dnanet"], score, mask)
    assert by_cv2.shape == by_pil.shape == (256, 256)
    # OpenCV mixes pixels 1 and 2 of every four; Pillow a window of eight, hence all.
    assert (by_cv2 == 0).all()
    assert by_pil[5:-5, 5:-5].mean() == pytest.approx(1 / 16, abs=1e-3)


def test_native_profiles_resize_nothing():
    rng = np.random.default_rng(0)
    score, mask = rng.random((30, 41)), rng.random((30, 41)) > 0.9
    for name in ("basicirstd", "sctransnet"):
        same, truth = at_size(PROFILES[name], score, mask)
        assert same is score and truth is mask


def test_l2sknet_has_another_size_on_one_data_set():
    assert PROFILES["l2sknet"].size_on("nuaa") == 256
    assert PROFILES["l2sknet"].size_on("irstd1k") == 512
    score, mask = np.zeros((64, 64)), np.zeros((64, 64), bool)
    assert at_size(PROFILES["l2sknet"], score, mask, "irstd1k")[0].shape == (512, 512)
    assert "at 512x512" in PROFILES["l2sknet"].text("irstd1k")


# ---------------------------------------------------------------- ROC


def test_the_target_curve_by_hand():
    """Targets whose brightest pixels are .8 and .1; background 1, .3, .1 and seven of 0."""
    score = np.array([[0.8, 0, 1.0, 0, 0.3, 0], [0, 0, 0, 0.1, 0, 0.1]])
    truth = np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]], bool)
    profile = replace(PROFILES["drpcanet"], size=None, roc=Roc("targets", 4))
    one = count_under(profile, "a", score, truth, True)
    assert one.hits.tolist() == [2, 1, 1, 1, 0] and one.positives == 2
    assert one.false.tolist() == [10, 2, 1, 1, 1] and one.negatives == 10
    assert roc_area(profile, [one]) == pytest.approx(0.65, abs=1e-12)


@pytest.mark.parametrize(
    "target, other, expected", [(0.75, 0.55, 1 / (8.001 * 1.001)), (0.55, 0.75, 0.0)]
)
def test_the_pixel_curve_by_hand(target, other, expected):
    score, truth = np.zeros((3, 3)), np.zeros((3, 3), bool)
    score[0, 0], score[2, 2], truth[0, 0] = target, other, True
    one = count_under(PROFILES["sctransnet"], "a", score, truth, True)
    above = 8 if target == 0.75 else 6  # levels 0, 0.1, ... below it
    assert one.hits.tolist() == [1] * above + [0] * (11 - above)
    assert roc_area(PROFILES["sctransnet"], [one]) == pytest.approx(expected, abs=1e-12)


def test_two_images_are_added_before_they_are_divided(score, truth):
    profile = PROFILES["drpcanet"]
    ones = [
        count_under(profile, "a", score, truth, True),
        count_under(profile, "b", np.zeros(score.shape), truth, True),
    ]
    # A map of zeros has no number at any level: its targets and pixels count below alone.
    whole = roc_area(profile, ones[:1])
    assert roc_area(profile, ones) == pytest.approx(whole / 4, rel=1e-12)


# ---------------------------------------------------------------- identities

masks = arrays(bool, (12, 14))


@given(predicted=masks, truth=masks)
def test_identities_of_published_rows(predicted, truth):
    score = predicted.astype(float)
    native = {name: replace(one, size=None) for name, one in PROFILES.items()}
    rows = {
        name: pd.DataFrame([count_under(profile, "a", score, truth, True).row])
        for name, profile in native.items()
    }
    found = {name: profile_scores(native[name], frame) for name, frame in rows.items()}
    for name, values in found.items():
        if name != "sctransnet":
            pair = 2 * values["iou"] / (1 + values["iou"])
            assert values["f1"] == pytest.approx(pair, abs=1e-12)
    assert found["dnanet"]["fa"] <= found["basicirstd"]["fa"]
    if truth.any():
        shot = target_counts(predicted, truth, "shooting")
        assert rows["rpcanet"]["detected"][0] <= shot.detected
        assert shot.false_pixels <= rows["rpcanet"]["false_pixels"][0]


@given(score=arrays(np.float64, (9, 9), elements=st.floats(0, 1, width=32)), truth=masks)
def test_a_probability_whose_maximum_is_one_is_alike_divided_or_not(score, truth):
    score[0, 0] = 1
    truth = truth[:9, :9]
    found = [
        count_under(replace(PROFILES[name], size=None), "a", score, truth, True).row
        for name in ("drpcanet", "dnanet")
    ]
    assert [list(row.values())[2:] for row in found][0] == list(found[1].values())[2:]


# ---------------------------------------------------------------- names and words


def test_close_names_are_named():
    with pytest.raises(UnknownName, match="did you mean drpcanet"):
        profile_named("drpca-net")
    with pytest.raises(UnknownName, match="known: basicirstd, dnanet"):
        profile_named("x")


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_what_it_does(name):
    profile = PROFILES[name]
    text = profile.text("nuaa")
    assert text.startswith(f"profile {name} ({profile.source}")
    assert profile.commit in text
    assert ("native size" in text) == (profile.size is None)
    assert ("(there the image, before the network)" in text) == (profile.image != "native")


def test_wrong_maps_are_refused(truth):
    with pytest.raises(ValueError, match="shape"):
        count_under(PROFILES["dnanet"], "a", np.zeros((4, 4)), truth, True)
    with pytest.raises(ValueError, match="NaN"):
        score = np.full(truth.shape, np.nan)
        count_under(PROFILES["dnanet"], "a", score, truth, True)


def test_the_page_has_what_the_values_say():
    page = Path(__file__).resolve().parents[1] / "docs" / "profiles.md"
    if not page.is_file():
        pytest.skip("docs/ is not installed")
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    assert cells == [
        [
            f"`{one.name}`", f"{one.source} {one.commit}".strip(), str(one.size or "native"),
            one.image, one.map, one.mask, one.scale, one.iou_scale, one.match, one.false,
            one.roc.text if one.roc else "none", one.prints,
        ]
        for one in PROFILES.values()
    ]  # fmt: skip
