import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from istsbench.data.samples import Sample
from istsbench.errors import UnknownName, WrongUse
from istsbench.metrics import best_rule, sweep
from istsbench.runs.counting import count_image, scaled
from istsbench.runs.maps import StoredMap
from istsbench.threshold import (
    HALF,
    RULES,
    AtLeast,
    Fixed,
    MeanStd,
    MeanToPeak,
    PeakRatio,
    Threshold,
    candidates,
    check_rules,
    of_probability,
)

RAMP = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 8.0]])  # mean 3, variance 20/3, peak 8


@pytest.mark.parametrize(
    "rule, level, selected",
    [
        (Fixed(2.0), 2.0, 3),
        (PeakRatio(0.5), 4.0, 1),
        (PeakRatio(0.0), 0.0, 5),
        (MeanStd(0), 3.0, 2),
        (MeanStd(1), 3 + np.sqrt(40 / 6), 1),
        (MeanToPeak(0.2), 4.0, 1),
        (AtLeast(5.0, MeanStd(0)), 5.0, 1),
        (AtLeast(1.0, MeanStd(0)), 3.0, 2),
    ],
    ids=repr,
)
def test_level_by_hand_and_strictly_above(rule, level, selected):
    assert rule.level(RAMP) == pytest.approx(level, rel=1e-12)
    mask = rule(RAMP)
    assert mask.dtype == bool
    assert mask.sum() == selected


@pytest.mark.parametrize("rule", [PeakRatio(0.0), PeakRatio(0.5), MeanStd(0), MeanToPeak(0.3)])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e-30, 255.0, 1e30])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_flat_map_gives_an_empty_mask(rule, value, kind):
    assert not rule(np.full((31, 17), value, kind)).any()


def test_level_is_computed_in_double_precision():
    score = np.full((1000, 1000), 0.1, np.float32)  # a float32 mean of it is off by 1e-4
    score[0, 0] = 0.2
    assert MeanStd(0).level(score) == pytest.approx(float(np.float32(0.1)) + 1e-7, rel=1e-6)
    assert MeanToPeak(0).level(score) == pytest.approx(float(np.float32(0.1)) + 1e-7, rel=1e-6)


class Mean(Threshold):
    """A rule that leaves the precision to numpy."""

    def level(self, score):
        return float(score.mean())


def test_a_map_stored_in_single_precision_is_counted_as_it_is_segmented():
    truth = np.zeros((1000, 1000), bool)
    score = np.full(truth.shape, 0.1, np.float32)
    score[0] = 0.2
    sample = Sample("a", score.astype(float), truth)
    (row,), _ = count_image(sample, StoredMap(score, "", 0.0), {"own": Mean()}, Mean())
    assert row["level"] == score.astype(np.float64).mean()
    assert row["fp"] == Mean()(score).sum()


MAPS = arrays(np.float64, (4, 5), elements=st.integers(0, 50).map(float))


@given(MAPS, st.sampled_from([0.5, 2.0, 8.0]))
def test_relative_rules_ignore_the_scale_of_the_map(score, gain):
    for rule in (PeakRatio(0.5), MeanToPeak(0.25)):
        np.testing.assert_array_equal(rule(score), rule(gain * score))


@given(MAPS, st.floats(0, 5), st.floats(0, 5))
def test_a_higher_rule_selects_a_part_of_what_a_lower_one_selects(score, one, other):
    low, high = sorted((one, other))
    for kind in (MeanStd, Fixed):
        assert not (kind(high)(score) & ~kind(low)(score)).any()


def test_rules_are_values():
    assert MeanStd(3) == MeanStd(3) != MeanStd(4)
    assert AtLeast(1, MeanStd(3)) == AtLeast(1, MeanStd(3))
    assert len({PeakRatio(0.5), PeakRatio(0.5), Fixed(0.5)}) == 2
    assert repr(AtLeast(0.1, MeanStd(3))) == "AtLeast(floor=0.1, rule=MeanStd(k=3))"


def test_rules_come_in_their_fixed_order():
    assert check_rules(["oracle", "own"]) == ["own", "oracle"]
    assert check_rules(list(RULES)) == ["own", "half", "tuned", "oracle"]


def test_unknown_or_no_rule():
    with pytest.raises(UnknownName, match=r"unknown threshold rule 'orcale'; did you mean oracle"):
        check_rules(["own", "orcale"])
    with pytest.raises(WrongUse, match="no threshold rule"):
        check_rules([])


@pytest.mark.parametrize(
    "own", [MeanStd(3), MeanStd(7.25), PeakRatio(0.3), AtLeast(1, MeanStd(2))], ids=repr
)
def test_the_grid_is_k_of_mean_and_std_and_the_own_rule(own):
    options = candidates(own)
    assert own in options
    assert len(set(options)) == len(options)
    grid = [rule.k for rule in options if isinstance(rule, MeanStd)]
    assert {0.5, 1.0, 15.0, 30.0} <= set(grid)


def test_the_grid_of_a_probability_is_of_levels():
    options = candidates(Fixed(0.37))
    levels = [rule for rule in options if rule != HALF]
    assert all(isinstance(rule, Fixed) and 0 < rule.value < 1 for rule in levels)
    assert {Fixed(0.02), Fixed(0.5), Fixed(0.98), Fixed(0.37)} <= set(options)


@pytest.mark.parametrize("own", [MeanStd(3), Fixed(0.37), Fixed(30), MeanStd(0.51)], ids=repr)
def test_half_and_own_are_candidates_once(own):
    options = candidates(own)
    assert options.count(HALF) == options.count(own) == 1


def test_half_is_chosen_where_no_k_is_as_good():
    small, large = np.zeros((2, 10, 10))
    small[0, 0], small[5, 5] = 1.0, 0.45  # clutter at 4 standard deviations
    large[:7] = 1.0  # a target below 1 standard deviation
    options = candidates(MeanStd(3))
    counts = sum(sweep(score, score > 0.5, options) for score in (small, large))
    assert best_rule(counts, options) == HALF


@pytest.mark.parametrize(
    "own, probability",
    [(Fixed(0.5), True), (Fixed(3), False), (Fixed(0), False), (MeanStd(0.5), False)],
)
def test_one_test_decides_the_grid_and_how_curves_pool_maps(own, probability):
    assert of_probability(own) == probability
    grid = candidates(own)[0]
    assert isinstance(grid, Fixed) == probability
    score = np.array([[0.0, 2.0, 4.0]])
    expected = [0, 2, 4] if probability else [0, 0.5, 1]
    assert scaled(score, own).tolist() == [expected]
