import pytest

from istsbench.errors import UnknownName
from istsbench.tables.flags import (
    PrintedLine,
    fitting,
    reprinted,
    row_flags,
    says_nothing,
    table_flags,
    told_by,
    unknown_total,
)
from istsbench.tables.testlists import dataset_title, known_lists, list_named, lists_of

NUAA = "NUAA-SIRST"


def line(pd="", fa="", iou="", stated="nuaa-86", dataset=NUAA, method="a", **more):
    return PrintedLine("t", method, dataset, iou, pd, fa, stated, **more)


def names(one):
    return [flag.check for flag in row_flags(one)]


@pytest.mark.parametrize(
    "pd, stated, found",
    [
        ("98.17", "nuaa-86", []),
        ("98.16", "nuaa-86", ["cut off"]),
        ("96.95", "nuaa-86", ["another split"]),
        ("96.95", "", ["cut off"]),  # 255 of 263 are 96.958
        ("96.96", "", []),
        ("71.13", "nuaa-86", ["no list"]),
        ("71.13", "", ["no list"]),
        ("0.05", "nuaa-86", ["below one target"]),
        ("0.00", "nuaa-86", []),
        ("100.00", "nuaa-86", []),
    ],
)
def test_a_pd_is_held_to_the_list_that_is_stated(pd, stated, found):
    assert names(line(pd, stated=stated)) == found


def test_the_flag_of_another_split_names_it_and_the_luck_it_takes():
    (flag,) = row_flags(line("96.95"))
    assert "213/214 test (214 images), 263 targets" in flag.text
    assert 0.05 < flag.chance < 0.06  # 263 or 102 targets
    assert "by chance: 5." in str(flag)


def test_false_alarms_are_held_to_the_size_that_was_scored():
    assert names(line("", "3.73", side=256)) == []  # 21 pixels
    assert names(line("", "2.46", side=256)) == ["no whole pixels"]
    assert names(line("", "2.44", side=256)) == ["no whole pixels"]
    assert names(line("", "2.44")) == []  # 55 pixels of 86 images at 512x512
    assert names(line("", "2.46", side=256, whole=False)) == []  # not over all pixels
    assert names(line("", "2.46", stated="", side=256)) == []


def test_few_digits_are_not_said_to_be_cut_off():
    assert names(line("99.1", stated="nudt-664", dataset="NUDT-SIRST")) == []


def test_a_training_list_is_named():
    assert names(line("96.96", stated="nuaa-224")) == ["training list"]


def test_a_data_set_that_nobody_knows_gets_no_flag():
    assert names(line("71.13", "2.46", stated="", dataset="")) == []


def test_mixed_splits_are_seen_in_one_table():
    rows = [line(pd, stated="") for pd in ("96.95", "93.92", "98.17", "95.41", "100.00")]
    found = table_flags(rows)
    assert set(found) == {0, 1, 2, 3}
    assert found[0][0].text.startswith("mixed splits in one table: 2 rows fit only 213/214")
    assert table_flags(rows[:3]) == {}  # one row alone may be a misprint
    sizes = [line(pd, stated="", dataset="IRSTD-1K") for pd in ("80.81", "81.14", "81.63", "81.97")]
    assert {flag.check for flags in table_flags(sizes).values() for flag in flags} == {
        "mixed sizes"
    }


def test_equal_pd_and_fa_with_another_iou():
    rows = [line("91.246", "13.475", "65.690"), line("91.25", "13.48", "68.69")]
    assert [flag.check for flags in table_flags(rows).values() for flag in flags] == [
        "another IoU", "another IoU",
    ]  # fmt: skip
    (flag,) = table_flags(rows)[0]
    assert flag.chance == pytest.approx(1 / 109 * 1e-3)
    again = [line("91.246", "13.475", "65.690"), line("91.25", "13.48", "65.71")]  # rounded twice
    assert table_flags(again) == {}
    few = [line("91.25", "13", "65.690"), line("91.25", "13", "68.69")]
    assert table_flags(few) == {}  # two digits are met by chance


def test_one_triple_under_two_data_sets():
    rows = [line("70.68", "16.93", "15.25"), line("70.68", "16.93", "15.25", "", "IRSTD-1K")]
    found = table_flags(rows)
    assert [flag.check for flag in found[0]] == ["two data sets"] and len(found) == 2


def test_a_reprint_is_found_by_its_finer_twin():
    rows = [line("79.84", "1012"), line("79.841", "1012.003"), line("79.84", "999")]
    assert reprinted(rows) == {0: 1}


def test_a_column_speaks_for_its_list():
    texts = ["98.17", "95.41", "88.99", "100.00"]
    assert told_by(texts, lists_of(NUAA)) == {("nuaa-86", 109): (3, 3)}
    assert told_by(["50.1", "60.2"], lists_of(NUAA)) == {}


def test_an_unknown_list_shows_by_its_denominator():
    shares = [f"{100 * k / 298:.2f}" for k in (251, 260, 263, 271, 280)]
    assert unknown_total(shares) == 298
    assert unknown_total(["12.34", "56.78", "91.23", "44.91", "77.03"]) is None


def test_what_fits_nearly_always_says_nothing():
    assert says_nothing("93.1", lists_of("NUDT-SIRST"))
    assert not says_nothing("93.12", lists_of("NUDT-SIRST"))
    assert fitting("15.59", lists_of(NUAA)) == {"nuaa-86": 109, "nuaa-214": 263}


def test_the_list_of_our_own_results():
    known = list_named("nuaa-86")
    assert known.targets == (109,) and known.images == 86
    assert 5_859_794 in known.pixels  # results/nuaa/*.csv: tp + fp + fn + tn
    with pytest.raises(UnknownName, match="nuaa-85.*did you mean"):
        list_named("nuaa-85")


@pytest.mark.parametrize(
    "name, title",
    [
        ("nuaa", NUAA), ("IoU (NUDT-SIRST)", "NUDT-SIRST"), ("irstd 1k", "IRSTD-1K"),
        ("sirst-aug", "SIRST-Aug"), ("SIRST", NUAA), ("SIRST3", ""), ("", ""), ("mine", ""),
    ],
)  # fmt: skip
def test_data_sets_are_known_by_their_names(name, title):
    assert dataset_title(name) == title


def test_every_list_is_of_a_data_set_with_images_targets_and_pixels():
    assert len(known_lists()) == 9
    for one in known_lists().values():
        assert min(one.targets) > 0 and min(one.pixels) > one.images
