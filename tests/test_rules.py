import numpy as np
import pytest

from istsbench import rules
from istsbench.metrics import best_rule, sweep
from istsbench.registry import UnknownName, WrongUse
from istsbench.runs.counting import scaled
from istsbench.threshold import AtLeast, Fixed, MeanStd, PeakRatio


def test_rules_come_in_their_fixed_order():
    assert rules.check(["oracle", "own"]) == ["own", "oracle"]
    assert rules.check(list(rules.RULES)) == ["own", "half", "tuned", "oracle"]


def test_unknown_or_no_rule():
    with pytest.raises(UnknownName, match=r"unknown threshold rule 'orcale'; did you mean oracle"):
        rules.check(["own", "orcale"])
    with pytest.raises(WrongUse, match="no threshold rule"):
        rules.check([])


@pytest.mark.parametrize(
    "own", [MeanStd(3), MeanStd(7.25), PeakRatio(0.3), AtLeast(1, MeanStd(2))], ids=repr
)
def test_the_grid_is_k_of_mean_and_std_and_the_own_rule(own):
    options = rules.candidates(own)
    assert own in options
    assert len(set(options)) == len(options)
    grid = [rule.k for rule in options if isinstance(rule, MeanStd)]
    assert {0.5, 1.0, 15.0, 30.0} <= set(grid)


def test_the_grid_of_a_probability_is_of_levels():
    options = rules.candidates(Fixed(0.37))
    levels = [rule for rule in options if rule != rules.HALF]
    assert all(isinstance(rule, Fixed) and 0 < rule.value < 1 for rule in levels)
    assert {Fixed(0.02), Fixed(0.5), Fixed(0.98), Fixed(0.37)} <= set(options)


@pytest.mark.parametrize("own", [MeanStd(3), Fixed(0.37), Fixed(30), MeanStd(0.51)], ids=repr)
def test_half_and_own_are_candidates_once(own):
    options = rules.candidates(own)
    assert options.count(rules.HALF) == options.count(own) == 1


def test_half_is_chosen_where_no_k_is_as_good():
    small, large = np.zeros((2, 10, 10))
    small[0, 0], small[5, 5] = 1.0, 0.45  # clutter at 4 standard deviations
    large[:7] = 1.0  # a target below 1 standard deviation
    options = rules.candidates(MeanStd(3))
    counts = sum(sweep(score, score > 0.5, options) for score in (small, large))
    assert best_rule(counts, options) == rules.HALF


@pytest.mark.parametrize(
    "own, probability",
    [(Fixed(0.5), True), (Fixed(3), False), (Fixed(0), False), (MeanStd(0.5), False)],
)
def test_one_test_decides_the_grid_and_how_curves_pool_maps(own, probability):
    assert rules.of_probability(own) == probability
    grid = rules.candidates(own)[0]
    assert isinstance(grid, Fixed) == probability
    score = np.array([[0.0, 2.0, 4.0]])
    expected = [0, 2, 4] if probability else [0, 0.5, 1]
    assert scaled(score, own).tolist() == [expected]
