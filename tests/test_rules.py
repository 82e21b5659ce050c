import numpy as np
import pytest

from istsbench.errors import UnknownName, WrongUse
from istsbench.metrics import best_rule, sweep
from istsbench.runs.counting import scaled
from istsbench.threshold import (
    HALF,
    RULES,
    AtLeast,
    Fixed,
    MeanStd,
    PeakRatio,
    candidates,
    check_rules,
    of_probability,
)


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
