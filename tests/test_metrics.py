import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from istsbench.curves import Curve, ranked
from istsbench.matching import MATCHES, Regions, TargetCounts, target_counts
from istsbench.metrics import (
    HIOU_LOSSES,
    RATIOS,
    REDUCTIONS,
    best_rule,
    pixel_counts,
    ratios,
    summarise,
    sweep,
)
from istsbench.suppression import GAINS
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio, candidates

CASES = json.loads((Path(__file__).parent / "golden" / "pd_fa_cases.json").read_text())
SOURCES = {"first": "basicirstd", "area": "sctransnet_old", "hungarian": "hungarian"}


def drawn(rectangles):
    mask = np.zeros((64, 64), bool)
    for row, column, height, width in rectangles:
        mask[row : row + height, column : column + width] = True
    return mask


# ---- targets


@pytest.mark.parametrize("match", SOURCES)
@pytest.mark.parametrize("name", CASES)
def test_target_counts_equal_the_public_codes(name, match):
    case = CASES[name]
    found = target_counts(drawn(case["pred"]), drawn(case["gt"]), match)
    expected = case[SOURCES[match]]
    assert (found.targets, found.detected, found.false_pixels) == (
        expected["targets"], expected["detected"], expected["false_pixels"],
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_pixel_counts_equal_the_public_codes(name):
    case = CASES[name]
    tp, fp, fn, tn = pixel_counts(drawn(case["pred"]), drawn(case["gt"]))
    assert (tp, fp, fn, tn) == (
        case["tp"], case["fp"], case["fn"], 64 * 64 - case["tp"] - case["fp"] - case["fn"],
    )  # fmt: skip


def test_regions_are_eight_connected_in_raster_order():
    mask = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1]], bool)
    found = Regions.of(mask)
    np.testing.assert_array_equal(found.areas, [1, 2, 1])
    np.testing.assert_allclose(found.centroids, [[0, 3], [1.5, 0.5], [2, 3]])


def test_regions_of_nothing_and_everything():
    assert Regions.of(np.zeros((5, 4), bool)).centroids.shape == (0, 2)
    whole = Regions.of(np.ones((5, 4), bool))
    np.testing.assert_array_equal(whole.areas, [20])
    np.testing.assert_allclose(whole.centroids, [[2, 1.5]])


@pytest.mark.parametrize("gap, detected", [((0, 2), 1), ((0, 3), 0), ((2, 2), 1), ((2, 3), 0)])
def test_reach_is_three_pixels_exclusive_and_euclidean(gap, detected):
    truth, mask = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[8, 8] = mask[8 + gap[0], 8 + gap[1]] = True
    for match in ("first", "area", "hungarian", "opdc"):
        assert target_counts(mask, truth, match).detected == detected


def test_unknown_match_or_reduction_says_what_there_is():
    nothing = np.zeros((3, 3), bool)
    with pytest.raises(ValueError, match="'nearest', expected one of first, area, hungarian"):
        target_counts(nothing, nothing, "nearest")
    with pytest.raises(ValueError, match="'micro', expected one of image, pooled"):
        summarise(pd.DataFrame(), "micro")
    with pytest.raises(ValueError, match=r"\(3, 3\) for a truth of shape \(3, 4\)"):
        pixel_counts(nothing, np.zeros((3, 4), bool))


MASKS = arrays(bool, (12, 13), elements=st.sampled_from([False] * 5 + [True]))


@given(MASKS, MASKS)
def test_target_counts_keep_their_order(mask, truth):
    first, area, best = (target_counts(mask, truth, match) for match in SOURCES)
    assert first.detected == area.detected <= best.detected <= first.targets
    assert 0 <= area.false_pixels <= first.false_pixels <= mask.sum()
    assert 0 <= best.false_pixels <= mask.sum()
    assert first.targets == best.targets == len(Regions.of(truth).areas)


@given(MASKS, MASKS)
def test_hungarian_does_not_depend_on_the_order_of_regions(mask, truth):
    turned = target_counts(mask[::-1, ::-1], truth[::-1, ::-1], "hungarian")
    assert turned.detected == target_counts(mask, truth, "hungarian").detected


@given(MASKS)
def test_a_perfect_mask_detects_every_target(truth):
    targets = len(Regions.of(truth).areas)
    assert target_counts(truth, truth, "hungarian") == TargetCounts(targets, targets, 0)
    assert pixel_counts(truth, truth) == (truth.sum(), 0, 0, (~truth).sum())


# ---- ratios


def frame(rows):
    columns = ["tp", "fp", "fn", "tn", "targets", "detected", "false_pixels"]
    return pd.DataFrame(rows, columns=columns).assign(
        false_pixels_area=0, detected_hungarian=1, false_pixels_hungarian=3
    )


def test_summary_by_hand():
    rows = frame([(4, 4, 0, 92, 1, 1, 0), (0, 0, 5, 95, 2, 0, 0), (6, 2, 2, 90, 1, 1, 2)])
    image = summarise(rows, "image")
    assert image["precision"] == pytest.approx((0.5 + 0 + 0.75) / 3)
    assert image["recall"] == pytest.approx((1 + 0 + 0.75) / 3)
    assert image["f1"] == pytest.approx((8 / 12 + 0 + 12 / 16) / 3)
    assert image["iou"] == image["niou"] == pytest.approx((0.5 + 0 + 0.6) / 3)
    pooled = summarise(rows, "pooled")
    assert pooled["precision"] == pytest.approx(10 / 16)
    assert pooled["recall"] == pytest.approx(10 / 17)
    assert pooled["f1"] == pytest.approx(20 / 33)
    assert pooled["iou"] == pytest.approx(10 / 23)
    assert pooled["niou"] == image["niou"]
    for scores in (image, pooled):
        assert scores["pd"] == pytest.approx(2 / 4)
        assert scores["fa"] == pytest.approx(2 / 300)


def test_summary_under_the_other_matchings():
    rows = frame([(4, 4, 0, 92, 1, 1, 7), (0, 0, 5, 95, 2, 0, 0)])
    area, best = (summarise(rows, "pooled", match) for match in ("area", "hungarian"))
    assert (area["pd"], area["fa"]) == (1 / 3, 0)
    assert (best["pd"], best["fa"]) == (2 / 3, 6 / 200)


def test_nothing_over_nothing_is_zero_and_pd_without_targets_is_nan():
    scores = summarise(frame([(0, 0, 0, 100, 0, 0, 0)]), "image")
    assert [scores[name] for name in (*RATIOS, "niou", "fa")] == [0] * 6
    assert np.isnan(scores["pd"])
    assert summarise(frame([(0, 0, 0, 100, 0, 0, 0)]), "pooled")["f1"] == 0


COUNT = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 10**6))
ROWS = st.lists(
    st.tuples(COUNT, COUNT, COUNT, st.integers(1, 10**6), st.just(2), st.just(1), COUNT),
    min_size=1,
    max_size=12,
).map(frame)


@given(ROWS)
def test_f1_and_iou_are_one_number_in_two_forms(rows):
    for part in (ratios(rows), pd.DataFrame([summarise(rows, "pooled")])):
        np.testing.assert_allclose(part["iou"], part["f1"] / (2 - part["f1"]), rtol=1e-12)
        assert (part["iou"] <= part["f1"]).all()
        p, r = part["precision"], part["recall"]
        harmonic = np.where(p + r > 0, 2 * p * r / np.where(p + r > 0, p + r, 1), 0)
        np.testing.assert_allclose(part["f1"], harmonic, rtol=1e-12)


@given(ROWS)
def test_image_means_keep_their_inequalities(rows):
    scores = summarise(rows, "image")
    p, r, f1, iou = (scores[name] for name in RATIOS)
    assert iou <= f1 + 1e-12
    assert iou >= f1 / (2 - f1) - 1e-12  # x / (2 - x) is convex
    assert f1 * (p + r) <= 2 * p * r + 1e-9  # the harmonic mean is concave


@given(ROWS, st.randoms())
def test_the_order_of_images_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    for reduction in REDUCTIONS:
        one, other = summarise(rows, reduction), summarise(rows.iloc[order], reduction)
        assert one == pytest.approx(other, rel=1e-12, nan_ok=True)


@given(ROWS)
def test_pooling_equal_images_equals_their_mean(rows):
    same = pd.concat([rows[:1]] * 3)
    assert summarise(same, "image") == pytest.approx(summarise(same, "pooled"), nan_ok=True)


# ---- sweeps

SCORES = st.one_of(
    arrays(np.float32, (7, 9), elements=st.integers(0, 6).map(float)),
    arrays(np.float32, (7, 9), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (7, 9), elements=st.floats(0, 2.0**100, width=32)),
)
TRUTHS = arrays(bool, (7, 9), elements=st.sampled_from([False, False, False, True]))
OTHERS = [PeakRatio(0.5), MeanToPeak(0.3), AtLeast(2.0, MeanStd(1)), Fixed(0.25), Fixed(3)]


@given(SCORES, TRUTHS)
def test_sweep_equals_counting_rule_by_rule(score, truth):
    options = [*candidates(MeanStd(0.1)), *candidates(Fixed(0.3)), *OTHERS]
    found = sweep(score, truth, options)
    for rule, counts in zip(options, found, strict=True):
        assert tuple(counts) == pixel_counts(rule(score), truth)[:3], rule


def test_sweep_finds_nothing_in_a_flat_map():
    score = np.full((31, 17), 1e-30)  # whose mean comes out a little smaller
    assert score.mean() < 1e-30
    found = sweep(score, np.ones((31, 17), bool), [MeanStd(0.5), PeakRatio(0.5), MeanToPeak(0.5)])
    np.testing.assert_array_equal(found, [[0, 0, 527]] * 3)


@given(st.lists(st.tuples(SCORES, TRUTHS), min_size=1, max_size=3))
def test_the_best_rule_is_no_worse_than_any(images):
    options = candidates(PeakRatio(0.5))
    total = sum(sweep(score, truth, options) for score, truth in images)

    def f1(rule):
        counts = np.sum([pixel_counts(rule(s), t)[:3] for s, t in images], axis=0)
        return 2 * counts[0] / max(2 * counts[0] + counts[1] + counts[2], 1)

    assert f1(best_rule(total, options)) == pytest.approx(max(map(f1, options)))


def test_the_first_of_equally_good_rules_is_chosen():
    counts = np.array([[1, 1, 1], [2, 1, 1], [4, 2, 2], [2, 1, 1]])
    options = [Fixed(0.1), Fixed(0.2), Fixed(0.3), Fixed(0.4)]
    assert best_rule(counts, options) == Fixed(0.2)
    assert best_rule(np.zeros((4, 3)), options) == Fixed(0.1)


# ---- curves


def flat(score, truth):
    return Curve.of(score.ravel(), truth.ravel())


def test_curve_by_hand():
    curve = Curve.of(np.array([3.0, 1, 2, 2, 0]), np.array([True, False, True, False, False]))
    np.testing.assert_array_equal(curve.tp, [1, 2, 2, 2])
    np.testing.assert_array_equal(curve.fp, [0, 1, 2, 3])
    np.testing.assert_allclose(curve.tpr, [0.5, 1, 1, 1])
    np.testing.assert_allclose(curve.fpr, [0, 1 / 3, 2 / 3, 1])
    assert curve.auc == pytest.approx((3 + 2.5) / 6)
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@given(SCORES, TRUTHS)
def test_auc_is_the_chance_that_a_target_pixel_outranks_another(score, truth):
    assume(truth.any() and not truth.all())
    gap = score[truth][:, None].astype(float) - score[~truth][None].astype(float)
    assert flat(score, truth).auc == pytest.approx(np.mean(np.sign(gap) / 2 + 0.5))


@given(SCORES, TRUTHS, st.permutations(range(63)))
def test_auc_depends_on_the_ranks_only(score, truth, order):
    assume(truth.any() and not truth.all())
    curve = flat(score, truth)
    values, ranks = np.unique(score, return_inverse=True)
    assert flat(np.exp2(ranks.reshape(score.shape)), truth).auc == pytest.approx(curve.auc)
    shuffled = Curve.of(score.ravel()[order], truth.ravel()[order])
    assert shuffled.auc == pytest.approx(curve.auc)
    assert shuffled.average_precision == pytest.approx(curve.average_precision)
    assert flat(-ranks.reshape(score.shape), truth).auc == pytest.approx(1 - curve.auc)
    assert flat(score, ~truth).auc == pytest.approx(1 - curve.auc)


@given(SCORES, TRUTHS)
def test_each_point_of_the_curve_counts_what_is_at_or_above_a_value(score, truth):
    curve = flat(score, truth)
    values = np.unique(score)[::-1]
    assert len(curve.tp) == len(values)
    for value, tp, fp in zip(values, curve.tp, curve.fp, strict=True):
        assert (tp, fp) == pixel_counts(score >= value, truth)[:2]


@given(SCORES, TRUTHS)
def test_average_precision_by_its_definition(score, truth):
    assume(truth.any())
    area, recall = 0.0, 0.0
    for value in np.unique(score)[::-1]:
        tp, fp, fn, _ = pixel_counts(score >= value, truth)
        area += tp / (tp + fp) * (tp / (tp + fn) - recall)
        recall = tp / (tp + fn)
    assert flat(score, truth).average_precision == pytest.approx(area)


def test_a_perfect_and_a_constant_map():
    truth = np.array([True, False, False, True, False])
    assert Curve.of(truth.astype(float), truth).auc == 1
    assert Curve.of(truth.astype(float), truth).average_precision == 1
    assert Curve.of(np.zeros(5), truth).auc == 0.5
    assert Curve.of(np.zeros(5), truth).average_precision == pytest.approx(0.4)


@pytest.mark.parametrize("truth", [np.zeros(4, bool), np.ones(4, bool)])
def test_areas_without_both_kinds_of_pixels_are_undefined(truth):
    curve = Curve.of(np.arange(4.0), truth)
    assert np.isnan(curve.auc)
    assert np.isnan(curve.average_precision) != truth.all()
    assert len(curve.points()) > 0


def test_points_for_drawing_are_points_of_the_curve():
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=20_000) < 0.01
    curve = Curve.of(rng.normal(size=20_000) + 2 * truth, truth)
    points = curve.points(100)
    assert 50 < len(points) <= 100
    whole = {(fpr, tpr) for fpr, tpr in zip(curve.fpr, curve.tpr, strict=True)}
    assert all((point.fpr, point.tpr) in whole for point in points.itertuples())
    assert points["fpr"].is_monotonic_increasing and points["tpr"].is_monotonic_increasing
    assert points["tpr"].iloc[-1] == 1
    drawn_area = np.trapezoid(np.append(0, points["tpr"]), np.append(0, points["fpr"]))
    assert drawn_area == pytest.approx(curve.auc, abs=0.01)


# ---- masks and maps of other types


@pytest.mark.parametrize("form", [np.uint8, ">u2", np.float32])
@pytest.mark.parametrize("top, truth_top", [(1, 1), (255, 1), (1, 255), (255, 255)])
def test_masks_of_numbers_count_as_masks_of_bool(form, top, truth_top):
    rng = np.random.default_rng(0)
    mask, truth = rng.uniform(size=(2, 30, 40)) > 0.8
    numbers, true = (top * mask).astype(form), (truth_top * truth).astype(form)
    assert pixel_counts(numbers, true) == pixel_counts(mask, truth)
    for match in MATCHES:
        assert target_counts(numbers, true, match) == target_counts(mask, truth, match)
    score = rng.integers(0, 60, mask.shape)
    rules = [Fixed(20), MeanStd(1), PeakRatio(0.5)]
    np.testing.assert_array_equal(
        sweep(score.astype(">u2"), true, rules), sweep(score.astype(float), truth, rules)
    )
    curve = Curve.of(score.astype(">u2").ravel(), true.ravel())
    expected = Curve.of(score.astype(float).ravel(), truth.ravel())
    np.testing.assert_array_equal(curve.tp, expected.tp)
    assert (curve.auc, curve.average_precision) == (expected.auc, expected.average_precision)


def test_what_is_no_mask_or_map_is_refused():
    mask, grey = np.zeros((3, 4), bool), np.arange(12.0).reshape(3, 4)
    for counts in (pixel_counts, target_counts):
        with pytest.raises(ValueError, match="the mask has 12 levels"):
            counts(grey, mask)
        with pytest.raises(ValueError, match="is a masked array"):
            counts(mask, np.ma.MaskedArray(mask))
    with pytest.raises(ValueError, match="the mask has 3 dimensions"):
        Regions.of(mask[None])
    with pytest.raises(ValueError, match="the truth has 12 levels"):
        sweep(grey, grey, [Fixed(1)])
    with pytest.raises(ValueError, match=r"map of shape \(3, 4\) for a truth of shape \(4, 3\)"):
        sweep(grey, mask.T, [Fixed(1)])
    with pytest.raises(ValueError, match=r"mask of shape \(3, 4\) for a truth of shape \(4, 3\)"):
        target_counts(mask, mask.T)
    with pytest.raises(ValueError, match=r"the map has no pixel, shape \(0,\)"):
        Curve.of(grey[:0, 0], mask[:0, 0])
    with pytest.raises(ValueError, match="1 NaN among 12"):
        Curve.of(np.where(grey == 3, np.nan, grey).ravel(), mask.ravel())
    with pytest.raises(ValueError, match=r"values of shape \(11,\), truths of shape \(12,\)"):
        Curve.of(grey.ravel()[1:], mask.ravel())


def test_counts_of_small_integers_do_not_wrap():
    counts = pd.DataFrame({"tp": [200], "fp": [100], "fn": [50]}, dtype=np.uint8)
    np.testing.assert_allclose(ratios(counts)[["precision", "f1"]], [[2 / 3, 400 / 550]])
    table = np.array([[200, 100, 100], [90, 10, 10]], np.uint8)
    assert best_rule(table, [Fixed(1), Fixed(2)]) == Fixed(2)


# ---- the curve over targets, and the area of one map


def test_the_target_curve_by_hand():
    truth = np.array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    score = np.array([[0.1, 0, 0, 0.8], [0, 0, 0, 0.2], [1, 0, 0.3, 0.1]])
    auc, curve = ranked(5 * score, Regions.of(truth))
    assert (curve.targets, curve.background) == (2, 9)
    # F falls 1, 3/9, 2/9, 1/9; D is 1 up to 0.1, 1/2 up to 0.8, then 0.
    assert curve.auc == pytest.approx(6 / 9 * 1 + 1 / 9 * 0.75 + 1 / 9 * 0.5)
    # Each target pixel against nine of background: 0.1 beats 6 and ties 1, 0.8 beats 8, 0.2 7.
    assert auc == pytest.approx((6.5 + 8 + 7) / 27)


@given(MASKS, st.integers(0, 2**32 - 1))
def test_the_area_of_one_map_is_that_of_its_curve(truth, seed):
    score = np.random.default_rng(seed).integers(0, 9, truth.shape).astype(np.float32)
    auc, _ = ranked(score, Regions.of(truth))
    assert auc == pytest.approx(Curve.of(score.ravel(), truth.ravel()).auc, nan_ok=True)


def test_target_curves_add_up_over_images():
    truth, nothing = np.zeros((4, 4), bool), np.zeros((4, 4))
    truth[1, 1] = True
    true = Regions.of(truth)
    perfect = ranked(truth.astype(float), true)[1]
    assert perfect.auc == 1
    # A map of zeros has no level at which anything is found, as in the codes that define it.
    blank = ranked(nothing, true)[1]
    assert (perfect + blank).targets == 2 and (perfect + blank).background == 30
    assert (perfect + blank).auc == pytest.approx(0.5 * 0.5)
    without = ranked(nothing + 1, Regions.of(nothing.astype(bool)))
    assert np.isnan(without[0]) and np.isnan(without[1].auc)
    assert (perfect + without[1]).background == 31


def test_summary_of_rows_without_the_later_columns_is_blank_not_zero():
    found = summarise(frame([(4, 1, 2, 93, 2, 1, 1)]), "pooled")
    blank = ["hiou", "loc", "seg", *HIOU_LOSSES, "pd_shooting", "fa_shooting", "auc_image", *GAINS]
    assert np.isnan([found[name] for name in blank]).all()
    assert found["iou"] == pytest.approx(4 / 7) and found["pd"] == 0.5
