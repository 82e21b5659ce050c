import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from toys import make_record

from istsbench.errors import DataError, ProtocolMix
from istsbench.metrics import REDUCTIONS, ratios, summarise
from istsbench.results.intervals import (
    BOOTSTRAPPED,
    against_best,
    complete_rows,
    holm,
    intervals,
    paired_rows,
    per_image,
    ranking,
)
from istsbench.results.results import Results

PIXELS = 1000


def made(tmp_path, counts):
    """Results of methods given as spec -> rows of (tp, fp, fn), an image each."""
    records, frames = {}, {}
    for year, (spec, triples) in enumerate(counts.items(), start=2000):
        tp, fp, fn = np.array(triples).T
        records[spec] = make_record(
            spec, group="hvs", year=year, images=len(tp), of=len(tp), dataset="made"
        )
        frames[spec] = pd.DataFrame(
            {
                "image": [f"i{n}" for n in range(len(tp))], "rule": "own", "tp": tp, "fp": fp,
                "fn": fn, "tn": PIXELS - tp - fp - fn, "detected": tp > 5,
                "targets": 1 + np.arange(len(tp)) % 3, "false_pixels": fp, "seconds": 0.1,
                "detected_opdc": tp > 3, "regions": 1 + fp % 4, "iou_opdc": (tp > 3) * tp / 20,
                "detected_shooting": tp > 4, "false_pixels_shooting": fp // 2, "regions_apart": 0,
                "targets_apart": 0, "merged_opdc": 0, "spilled_opdc": 0, "missed_opdc": 0,
            }
        )  # fmt: skip
    return Results(tmp_path, records, frames)


def drawn(number, seed, low=0, high=20):
    return np.random.default_rng(seed).integers(low, high, (number, 3))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("score", BOOTSTRAPPED)
def test_values_are_those_of_tables_and_lie_in_their_interval(tmp_path, score, reduction):
    results = made(tmp_path, {"a": drawn(30, 0), "b": drawn(30, 1)})
    found = intervals(results, "own", score, reduction)
    for spec, rows in results.counts.items():
        assert found.loc[spec, "value"] == pytest.approx(summarise(rows, reduction)[score])
    assert (found["low"] < found["value"]).all() and (found["value"] < found["high"]).all()


def test_hiou_is_blank_where_counts_are_of_an_earlier_version(tmp_path):
    results = made(tmp_path, {"a": drawn(30, 0), "b": drawn(30, 1), "c": drawn(30, 2)})
    compared = against_best(results, "own", "hiou")
    full = intervals(results, "own", "hiou")
    results.counts["b"]["iou_opdc"] = np.nan
    found = intervals(results, "own", "hiou")
    assert found.loc["b"].isna().all() and found.loc[["a", "c"]].equals(full.loc[["a", "c"]])
    assert set(against_best(results, "own", "hiou").index) == {"a", "c"} < set(compared.index)
    for rows in results.counts.values():
        rows["iou_opdc"] = np.nan
    with pytest.raises(DataError, match="earlier versions, which do not tell hiou"):
        against_best(results, "own", "hiou")


@pytest.mark.parametrize("score", ["pd", "pd_shooting", "hiou", "loc"])
def test_what_has_nothing_to_divide_by_is_blank_as_in_tables(tmp_path, score):
    results = made(tmp_path, {"a": [(12, 1, 0)] * 3})
    rows = results.counts["a"]
    gone = ["detected", "targets", "detected_opdc", "regions", "iou_opdc", "detected_shooting"]
    rows[gone] = rows[gone].astype(float)
    rows.loc[1:, gone] = 0
    whole = summarise(rows, "pooled")[score]
    # A resample has the score of the one image that has any, or none.
    assert intervals(results, "own", score).loc["a"].to_list() == pytest.approx([whole] * 3)
    rows.loc[0, gone] = 0
    assert np.isnan(summarise(rows, "pooled")[score])
    assert intervals(results, "own", score).loc["a"].isna().all()


def test_the_hiou_of_an_image_is_that_of_a_set_of_one(tmp_path):
    results = made(tmp_path, {"a": drawn(10, 0)})
    scores = per_image(results, "own", "hiou")["a"]
    for name, rows in results.counts["a"].groupby("image"):
        assert scores[name] == pytest.approx(summarise(rows, "image")["hiou"])


def test_intervals_equal_a_general_bootstrap(tmp_path):
    results = made(tmp_path, {"a": drawn(40, 2)})
    f1 = ratios(results.counts["a"])["f1"].to_numpy()
    expected = bootstrap((f1,), np.mean, method="percentile", rng=1).confidence_interval
    found = intervals(results, "own", "f1", "image").loc["a"]
    assert found[["low", "high"]].to_list() == pytest.approx(list(expected), abs=0.01)

    def pooled(tp, fp, fn, axis):
        return 2 * tp.sum(axis) / (2 * tp + fp + fn).sum(axis)

    counts = tuple(results.counts["a"][column].to_numpy() for column in ("tp", "fp", "fn"))
    general = bootstrap(counts, pooled, paired=True, method="percentile", rng=1)
    found = intervals(results, "own", "f1", "pooled").loc["a"]
    assert found[["low", "high"]].to_list() == pytest.approx(
        list(general.confidence_interval), abs=0.01
    )


def test_methods_share_their_resamples(tmp_path):
    counts = drawn(25, 3)
    found = intervals(made(tmp_path, {"a": counts, "b": counts}), "own")
    assert found.loc["a"].equals(found.loc["b"])


def test_one_image_has_no_spread(tmp_path):
    found = intervals(made(tmp_path, {"a": [(3, 1, 0)]}), "own").loc["a"]
    assert found["low"] == found["value"] == found["high"]


def test_a_method_with_a_missing_image_takes_no_part(tmp_path):
    results = made(tmp_path, {"a": drawn(5, 4), "b": drawn(5, 5)})
    results.counts["b"] = results.counts["b"][:-1]
    assert list(intervals(results, "own").index) == ["a"]
    with pytest.raises(DataError, match="half"):
        per_image(results, "half")


def test_images_are_paired_by_name(tmp_path):
    results = made(tmp_path, {"a": drawn(6, 6), "b": drawn(6, 7)})
    results.counts["b"] = results.counts["b"][::-1]
    rows = paired_rows(results, "own")
    assert rows["a"].index.equals(rows["b"].index)
    assert rows["b"].loc["i2", "tp"] == drawn(6, 7)[2, 0]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])


def test_the_best_is_told_from_worse_ones_only(tmp_path):
    rng = np.random.default_rng(8)
    good = np.column_stack([rng.integers(14, 20, 40), rng.integers(0, 5, 40), np.zeros(40, int)])
    bad = good[:, [1, 0, 2]]
    found = against_best(made(tmp_path, {"bad": bad, "good": good, "twin": good}), "own")
    assert list(found.index) == ["good", "twin", "bad"]
    assert list(found["alike"]) == [True, True, False]
    assert found.loc["twin", "p"] == 1 and found.loc["bad", "difference"] < -0.4


def test_pooled_scores_are_compared_as_pooled(tmp_path):
    """One large image decides a pooled score, and has no more weight in a mean over images."""
    rng = np.random.default_rng(3)
    small = np.column_stack([rng.integers(14, 20, 40), rng.integers(0, 3, 40), np.zeros(40, int)])
    spoilt = small + [[0, 900, 0]] * (np.arange(40) == 0)[:, None]
    poor = small + [[0, 12, 0]]
    results = made(tmp_path, {"poor": poor, "spoilt": spoilt})
    by_reduction = {name: against_best(results, "own", "f1", name) for name in REDUCTIONS}
    assert by_reduction["image"].index[0] == "spoilt" and not by_reduction["image"]["alike"].iloc[1]
    assert by_reduction["pooled"].index[0] == "poor" and by_reduction["pooled"]["alike"].iloc[1]
    for reduction, found in by_reduction.items():
        told = intervals(results, "own", "f1", reduction)["value"]
        assert dict(found["value"]) == pytest.approx(dict(told))


def test_hiou_far_below_the_best_is_not_like_it(tmp_path):
    good, bad = drawn(60, 0, 12), drawn(60, 1, 0, 9)
    results = made(tmp_path, {"good": good, "near": good[::-1], "bad": bad})
    found, told = against_best(results, "own", "hiou"), intervals(results, "own", "hiou")
    assert told.loc["bad", "high"] < told.loc["good", "low"]
    assert not found.loc["bad", "alike"] and found.loc[["good", "near"], "alike"].all()
    assert dict(found["value"]) == pytest.approx(dict(told["value"]))


def test_one_image_tells_no_pooled_difference(tmp_path):
    results = made(tmp_path, {"a": drawn(1, 0, 9), "b": drawn(1, 3, 9)})
    found = against_best(results, "own", "f1", "pooled")
    assert found["difference"].iloc[1] < 0 and list(found["alike"]) == [True, True]


def test_mean_ranks_by_hand(tmp_path):
    best, middle, nothing = (4, 0, 0), (2, 2, 2), (0, 3, 3)
    found = ranking(
        made(
            tmp_path,
            {"a": [middle, nothing], "b": [best, best], "c": [nothing, nothing]},
        ),
        "own",
    )
    assert found.ranks.to_dict() == {"b": 1, "a": 2.25, "c": 2.75}


def test_critical_difference_of_four_on_fourteen(tmp_path):
    # The worked example of Demsar (2006), Section 3.2.2: 2.569 sqrt(20 / 84) = 1.25.
    found = ranking(made(tmp_path, {name: drawn(14, ord(name)) for name in "abcd"}), "own")
    assert found.critical == pytest.approx(2.569 * np.sqrt(20 / 84), rel=1e-3)


def test_ties_are_the_longest_runs(tmp_path):
    found = ranking(made(tmp_path, {name: drawn(14, ord(name)) for name in "abcd"}), "own")
    spread = type(found)(pd.Series([1.0, 1.6, 1.9, 2.5, 4.0]), 1.0, 0.0, 14)
    assert spread.ties == [(0, 2), (1, 3)]


def test_equal_methods_are_alike(tmp_path):
    found = ranking(made(tmp_path, dict.fromkeys("abc", drawn(9, 9))), "own")
    assert found.p == 1 and found.ties == [(0, 2)]
    with pytest.raises(DataError, match="three methods"):
        ranking(made(tmp_path, dict.fromkeys("ab", drawn(9, 9))), "own")


def test_complete_rows_are_at_least_one(tmp_path):
    results = made(tmp_path, {"a": drawn(3, 0)})
    assert list(complete_rows(results, "own")) == ["a"]
    with pytest.raises(DataError, match="no method with every image counted under 'half'"):
        complete_rows(results, "half")


def test_a_method_that_lacks_the_rule_is_not_left_out_in_silence(tmp_path):
    results = made(tmp_path, {"a": drawn(5, 4), "b": drawn(5, 5)})
    results.records["b"] = dataclasses.replace(results.records["b"], wanted=("half",))
    with pytest.raises(ProtocolMix, match="b was counted under half, not under 'own'"):
        paired_rows(results, "own")
