import pytest

from istsbench.tables.grid import chance, counts, decimals, is_cut, pixel_chance, whole_pixels


@pytest.mark.parametrize(
    "text, total, found",
    [
        ("98.17", 109, [107]),  # 98.1651 rounded
        ("98.16", 109, [107]),  # and cut off
        ("98.15", 109, []),
        ("96.95", 263, [255]),
        ("96.95", 109, []),
        ("100.00", 109, [109]),
        ("0.00", 109, [0]),
        ("50", 3, []),
        ("12.5", 8, [1]),
        ("12", 8, [1]),  # a half rounds either way
        ("13", 8, [1]),
        ("79.841", 263, []),  # 210 of 263 are 79.848
    ],
)
def test_the_counts_behind_a_print(text, total, found):
    assert counts(text, total) == found


def test_few_digits_stand_for_several_counts():
    assert counts("50", 945) == list(range(468, 482))


def test_a_number_that_was_cut_off():
    assert is_cut("98.16", 109) and not is_cut("98.17", 109) and not is_cut("98.15", 109)


@pytest.mark.parametrize("total, digits", [(1, 0), (7, 1), (109, 2), (945, 1)])
def test_chance_is_the_share_of_all_prints_that_fit(total, digits):
    prints = [f"{value / 10**digits:.{digits}f}" for value in range(100 * 10**digits + 1)]
    fit = sum(bool(counts(text, total)) for text in prints)
    assert chance(total, digits) == pytest.approx(fit / len(prints), rel=1e-12)


def test_false_alarms_are_whole_pixels():
    # DNANet's README, 214 images of 256x256: 33 pixels are 2.353e-6; 2.30 and 12.80 are none.
    assert whole_pixels("2.353", 214 * 65536)
    assert not whole_pixels("2.30", 214 * 65536) and not whole_pixels("12.80", 214 * 65536)
    assert whole_pixels("0.00", 1000)
    assert pixel_chance("3.73", 86 * 65536) == pytest.approx(0.0845, abs=1e-3)
    assert pixel_chance("182.7", 10**9) == 1


def test_decimals_of_a_power_of_ten():
    assert [decimals(text) for text in ("7", "7.10", "6.5e-3", "1e2")] == [0, 2, 4, 0]
