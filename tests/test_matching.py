"""Which predicted region finds which target, against the public package of hIoU."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from istsbench.matching import MATCHES, Matching, Regions, match_regions, target_counts
from istsbench.metrics import HIOU_LOSSES, hierarchy, pixel_counts

FOUND = json.loads((Path(__file__).parent / "golden" / "target_cases.json").read_text())
CASES = {case["name"]: case for case in FOUND["cases"]}
MASKS = arrays(bool, (12, 13), elements=st.sampled_from([False] * 4 + [True]))


def drawn(case, what):
    mask = np.zeros(case["shape"], bool)
    for row, column, length in case[what]:
        mask[row, column : column + length] = True
    return mask


def matched(case):
    return Matching(*(Regions.of(drawn(case, what)) for what in ("prediction", "truth")))


def without_phantoms(case):
    return case["package"] | case.get("without_phantoms", {})


@pytest.mark.parametrize("name", CASES)
def test_opdc_equals_the_package(name):
    case, found = CASES[name], matched(CASES[name]).opdc()
    said = without_phantoms(case)
    pairs, expected = len(found.pairs), said["opdc"]
    assert (found.targets, found.regions) == (case["targets"], case["predictions"])
    assert set(found.pairs) == {tuple(pair) for pair in case["opdc_pairs"]}
    assert (pairs, found.regions - pairs, found.targets - pairs, found.false_pixels) == tuple(
        expected[key] for key in ("tp", "fp", "fn", "false_pixels")
    )
    assert found.iou == pytest.approx(expected["iou_sum"], abs=1e-12)
    alone = {"itf": found.regions_apart, "pcp": found.targets_apart}
    alone["m2s"] = found.regions - pairs - alone["itf"]
    alone["s2m"] = found.targets - pairs - alone["pcp"]
    assert alone == said["counts"]


@pytest.mark.parametrize("name", CASES)
def test_counts_under_every_matching_equal_the_package(name):
    case = CASES[name]
    shot, opdc = case["package"]["shooting"], without_phantoms(case)["opdc"]
    first = case["package"]["distance_only"]
    expected = {
        "first": case["first"],
        "area": case["area"],
        "hungarian": case["hungarian"],
        "opdc": [opdc["tp"], opdc["false_pixels"]],
        "shooting": [shot["hit"], shot["false_pixels"]],
    }
    masks = drawn(case, "prediction"), drawn(case, "truth")
    for match in MATCHES:
        found = target_counts(*masks, match)
        assert [found.detected, found.false_pixels] == expected[match], match
        assert found.targets == case["targets"]
    assert [first["tp"], first["false_pixels"]] == expected["first"]


@given(MASKS, MASKS)
def test_opdc_terms_add_up(mask, truth):
    found = Matching(Regions.of(mask), Regions.of(truth)).opdc()
    pairs = len(found.pairs)
    assert len({target for target, _ in found.pairs}) == pairs
    assert len({region for _, region in found.pairs}) == pairs
    assert found.iou + found.merged + found.spilled + found.missed == pytest.approx(pairs)
    assert found.targets_apart <= found.targets - pairs
    assert found.regions_apart <= found.regions - pairs
    assert found.false_pixels <= mask.sum()


@given(MASKS, MASKS)
def test_a_shot_is_never_farther_than_the_plain_pixel_counts(mask, truth):
    found = target_counts(mask, truth, "shooting")
    regions = Regions.of(truth)
    touched = np.unique(regions.labels[mask & truth]).size
    assert touched <= found.detected <= found.targets
    assert found.false_pixels <= pixel_counts(mask, truth)[1]


@given(MASKS)
def test_a_perfect_mask_is_perfect_under_every_matching(truth):
    regions = Regions.of(truth)
    found = Matching(regions, regions).opdc()
    # A ring and a dot within it have one centre: distance alone cannot tell them apart.
    if len({tuple(centre) for centre in regions.centroids}) == len(regions.areas):
        assert found.iou == found.targets == len(found.pairs)
    shot = match_regions(regions, regions, "shooting")
    assert (shot.detected, shot.false_pixels) == (shot.targets, 0)


def test_a_shot_reaches_one_pixel_and_spares_four():
    for gap, detected, false in [(1, 1, 0), (2, 0, 0), (4, 0, 0), (5, 0, 1)]:
        for step in [(gap, gap), (-gap, 0), (0, gap)]:
            truth, mask = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
            truth[9, 9] = mask[9 + step[0], 9 + step[1]] = True
            found = target_counts(mask, truth, "shooting")
            assert (found.detected, found.false_pixels) == (detected, false), (gap, step)


def test_regions_tell_where_their_pixels_are():
    found = Regions.of(np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1]], bool))
    np.testing.assert_array_equal(found.labels, [[0, 0, 0, 1], [2, 0, 0, 0], [0, 2, 0, 3]])
    np.testing.assert_array_equal(found.labels[found.rows, found.columns] - 1, found.owner)


# ---- hIoU of a set


def rows_of(names):
    """Rows of counts, as a run writes them, of cases by name."""
    rows = []
    for name in names:
        found = matched(CASES[name]).opdc()
        rows.append(
            {
                "targets": found.targets, "regions": found.regions,
                "detected_opdc": len(found.pairs), "regions_apart": found.regions_apart,
                "targets_apart": found.targets_apart, "iou_opdc": found.iou,
                "merged_opdc": found.merged, "spilled_opdc": found.spilled,
                "missed_opdc": found.missed,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def renamed(terms):
    """The terms of the package by our names."""
    names = {"seg_iou": "seg", "loc_iou": "loc"}
    return {names.get(name, name): value for name, value in terms.items()}


SETS = FOUND["sets"]


@pytest.mark.parametrize("one", SETS, ids=[one["name"] for one in SETS])
def test_hiou_of_a_set_equals_the_package_with_its_phantoms(one):
    found, said = hierarchy(rows_of(one["cases"]), phantoms=True), one["package"]
    expected = {"hiou": said["opdc"]["hiou"], **renamed(said["terms"])}
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_hiou_of_an_image_equals_the_package(name):
    case, rows = CASES[name], rows_of([name])
    for phantoms, said in ((True, case["package"]), (False, without_phantoms(case))):
        found = hierarchy(rows, phantoms)
        expected = {"hiou": said["opdc"]["hiou"], **renamed(said["terms"])}
        if not (phantoms or case["targets"] or case["predictions"]):
            expected = dict.fromkeys(expected, np.nan)  # the package says 0
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", CASES)
def test_the_eight_parts_of_hiou_add_up_to_one(name):
    found = hierarchy(rows_of([name]))
    if found["loc"] == found["loc"]:
        lost = {part: found[part] for part in HIOU_LOSSES}
        of_pairs = sum(value for part, value in lost.items() if part.startswith("seg"))
        of_regions = sum(value for part, value in lost.items() if part.startswith("loc"))
        parts = found["hiou"] + found["loc"] * of_pairs + of_regions
        assert parts == pytest.approx(1)
        assert found["loc"] + of_regions == pytest.approx(1)
        assert found["hiou"] <= min(found["loc"], found["seg"]) + 1e-12


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_a_mask_without_a_pixel_is_refused(shape, match):
    nothing = np.zeros(shape, bool)
    with pytest.raises(ValueError, match="no pixel"):
        target_counts(nothing, nothing, match)


@given(MASKS)
def test_views_have_the_regions_of_their_copies(mask):
    for view in (mask[::-1], mask[:, ::-1], mask.T, mask[::2, ::-1]):
        found, copied = Regions.of(view), Regions.of(view.copy())
        assert (found.labels == copied.labels).all() and (found.centroids == copied.centroids).all()
