import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from istsbench.data.datasets import Sample
from istsbench.runs.counting import count_image
from istsbench.runs.maps import StoredMap
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio, Threshold

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
    (row,) = count_image(sample, StoredMap(score, "", 0.0), {"own": Mean()})
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
