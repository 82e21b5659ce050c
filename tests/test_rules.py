import pytest

from istsbench import rules
from istsbench.registry import UnknownName, WrongUse
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
    assert all(isinstance(rule, Fixed) and 0 < rule.value < 1 for rule in options)
    assert {Fixed(0.02), Fixed(0.5), Fixed(0.98), Fixed(0.37)} <= set(options)
