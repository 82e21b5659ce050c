from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys import make_record
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.figures.sensitivity import ranks
from istsbench.figures.style import Layout
from istsbench.registry import choose
from istsbench.results.areas import AREAS, areas, side_by_side
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.results.sensitivity import (
    AXES,
    Sensitivity,
    read_rule,
    resized,
    resized_counts,
    sensitivity,
)
from istsbench.runs.counting import FIRST_COLUMNS, count
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.record import Origin
from istsbench.runs.run import run
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio

RULES = ("own", "half", "tuned", "oracle")


def test_a_mask_grows_by_the_nearest_pixel():
    score = np.full((2, 1), 3.0, np.float32)
    mask = np.array([[True], [False]])
    large, grown = resized(score, mask)
    assert large.shape == grown.shape == (512, 512)
    assert (large == 3).all() and grown[:256].all() and not grown[256:].any()


def test_a_pixel_of_a_mask_becomes_a_square():
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    _, grown = resized(np.zeros((4, 4), np.float32), mask)
    assert grown[128:256, 256:384].all() and grown.sum() == 128 * 128


def test_a_map_grows_between_its_pixels():
    score = np.array([[0.0, 4.0]], np.float32)
    large, _ = resized(score, score > 1)
    assert large[0, 0] == 0 and large[0, -1] == 4
    assert large[7, 256] == pytest.approx(2, abs=0.02)
    assert (np.diff(large[0]) >= 0).all()


@pytest.mark.parametrize(
    "rule",
    [Fixed(0.5), PeakRatio(0.25), MeanStd(7.5), MeanToPeak(0.6), AtLeast(4.0, MeanStd(3))],
)
def test_a_rule_is_read_back_from_its_record(rule):
    assert read_rule(repr(rule)) == rule


@pytest.mark.parametrize(
    "text", ["3", "", "MeanStd(", "MeanStd(j=3)", "open('x')", "Threshold()", "__import__('os')"]
)
def test_other_text_is_no_rule(text):
    with pytest.raises(DataError, match="no threshold rule"):
        read_rule(text)


@dataclass(frozen=True)
class Squares(Dataset):
    """Samples that have the size 512x512 already."""

    def load(self, name):
        rng = np.random.default_rng(int(name))
        mask = np.zeros((512, 512), bool)
        mask[100:120, 200:230] = True
        return Sample(
            name,
            np.floor(rng.uniform(0, 90, mask.shape)) + (300 if name == "1" else 15) * mask,
            mask,
        )


@pytest.fixture
def squares(tmp_path) -> tuple[Squares, MapStore]:
    data, store = (
        Squares("squares", "Squares", {"val": ("1",), "test": ("2", "3")}),
        MapStore(tmp_path),
    )
    for name in ("1", "2", "3"):
        sample = data.load(name)
        score = (sample.image**2).astype(np.float32)
        store.save(name, StoredMap(score, sample.pixels, 0.1))
    return data, store


def test_maps_of_the_full_size_are_counted_as_natively(squares):
    data, store = squares
    own, names, tuning = MeanStd(2.5), ("2", "3"), ("1",)
    found = resized_counts(own, store, data, names, tuning, RULES)
    native = count(own, store, data, names, tuning, RULES).rows
    columns = ["image", "rule", "tp", "fp", "fn", "tn"]
    pd.testing.assert_frame_equal(found, native[columns], check_dtype=False)
    sums = found.groupby("rule")["fp"].sum()
    assert sums["tuned"] != sums["oracle"]  # the images that they look at differ


def test_a_stale_map_is_refused(squares):
    data, store = squares
    store.save("4", StoredMap(np.zeros((512, 512), np.float32), "other pixels", 0.1))
    for name in ("4", "5"):
        with pytest.raises(DataError, match=f"no map of {name} as it is now"):
            resized_counts(Fixed(1), store, data, (name,), (), ("own",))


def table(values: dict[tuple[str, str, str], list[float]]) -> Sensitivity:
    """Scores of methods a, b, c, ... under some protocols."""
    lines = [
        (chr(97 + place), chr(65 + place), "spatial", *protocol, "id", value)
        for protocol, column in values.items()
        for place, value in enumerate(column)
    ]
    frame = pd.DataFrame(lines, columns=["method", "label", "group", *AXES, "protocol", "value"])
    ranks = frame.groupby(list(AXES))["value"].rank(method="min", ascending=False)
    records = {
        chr(97 + place): make_record(
            chr(97 + place), label=chr(65 + place), title="Toys", images=3, of=3, data_hash="0" * 16
        )
        for place in range(len(next(iter(values.values()))))
    }
    results = Results(Path("none"), records, {})
    return Sensitivity(results, "iou", frame.assign(rank=ranks.astype(int)), ())


def test_agreement_of_rankings():
    up, down = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    same = table({("own", "image", "native"): up, ("half", "image", "native"): [1, 2, 3, 9]})
    assert same.tau().iloc[0, 1] == pytest.approx(1) and same.concordance == pytest.approx(1)
    reverse = table({("own", "image", "native"): up, ("half", "image", "native"): down})
    assert reverse.tau().iloc[0, 1] == pytest.approx(-1)
    assert reverse.concordance == pytest.approx(0)
    swapped = table({("own", "image", "native"): up, ("half", "image", "native"): [2, 1, 3, 4]})
    assert swapped.tau().iloc[0, 1] == pytest.approx(2 / 3)  # one of six pairs is reversed


def test_stability_of_ranks():
    found = table(
        {
            ("own", "image", "native"): [0.9, 0.5, 0.1],
            ("own", "image", "512"): [0.9, 0.1, 0.5],
            ("half", "image", "512"): [0.5, 0.5, 0.9],
        }
    ).stability()
    assert list(found.index) == ["a", "c", "b"]  # by median rank
    assert found.loc["a", ["best", "worst", "median", "spread"]].tolist() == [1, 2, 1, 1]
    assert found.loc["b", "half/image/512"] == 2  # equals share the better rank
    assert found.loc["c", ["best", "worst", "spread"]].tolist() == [1, 3, 2]


def test_effects_change_one_thing_at_a_time():
    up, down = [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]
    found = (
        table(
            {
                ("own", "image", "native"): up,
                ("own", "image", "512"): up,
                ("half", "image", "native"): down,
                ("half", "pooled", "native"): up,
            }
        )
        .effects()
        .set_index("changed")
    )
    assert found["pairs"].to_dict() == {"rule": 1, "reduction": 1, "size": 1}
    assert found["mean tau"].to_dict() == pytest.approx({"rule": -1, "reduction": -1, "size": 1})


def test_the_figure_draws_the_ranks():
    values = {
        ("own", "image", "native"): [0.9, 0.5, 0.1],
        ("half", "pooled", "512"): [0.1, 0.9, 0.5],
    }
    found = table(values)
    left, right = ranks(found).axes[:2]
    drawn = [line.get_ydata().tolist() for line in left.lines]
    assert drawn == [[1, 3], [2, 1], [3, 2]]
    assert [text.get_text() for text in left.get_yticklabels()] == ["A", "B", "C"]
    assert right.images[0].get_array().shape == (2, 2)
    for axis in (right.xaxis, right.yaxis):  # rows have names as well as columns
        assert [text.get_text() for text in axis.get_ticklabels()] == list(found.tau().columns)
    (bar,) = right.child_axes
    assert "Kendall" in bar.get_ylabel()
    column = ranks(found, Layout("column"))
    assert column.get_figwidth() == pytest.approx(8.5 / 2.54)


@pytest.fixture
def folder(toys, toy_folder, tmp_path) -> tuple[Path, Dataset]:
    data = open_dataset(f"folder:{toy_folder}")
    chosen = choose("toy,toy(gain=2),batch,bad")
    return run(chosen, data, tmp_path, wanted=RULES, show=False).folder, data


def test_methods_are_ranked_under_every_protocol(folder):
    path, data = folder
    found = sensitivity(Results.load(path), data, path.parent, show=False)
    assert found.wide("rank").shape == (3, 16)
    counted = found.scores.groupby(list(AXES)).size()
    assert len(counted) == 16 and (counted == 3).all()
    ranks = found.wide("rank")
    assert (found.wide("value").idxmax() == ranks.idxmin()).all() and (ranks.min() == 1).all()
    assert (ranks.loc["toy"] == ranks.loc["toy(gain=2)"]).all()  # a factor changes no ranking
    assert len(set(found.scores["protocol"])) == 16
    assert found.effects().set_index("changed")["pairs"].to_dict() == {
        "rule": 24, "reduction": 8, "size": 8
    }  # fmt: skip
    notes = " ".join(found.notes)
    assert "Bad is left out: 1 of 6 images failed" in notes
    own = found.wide("value")["own/image/native"]
    summary = Results.load(path).summary("own", "image").set_index("method")["iou"]
    assert own["toy"] == summary["toy"] and own["batch"] == summary["batch"]
    assert own["toy"] != found.wide("value").loc["toy", "own/image/512"]
    for file in found.write(path / "sensitivity"):
        assert file.read_text()
    assert "| changed alone |" in found.markdown()


def test_without_maps_only_the_native_size_is_left(folder):
    path, data = folder
    (store,) = (path.parent / "maps" / data.name).glob("toy-*")
    store.rename(store.with_name("away"))
    results = Results.load(path)
    with pytest.raises(DataError, match=r"of 1 methods .* `istsbench run .*--methods toy .*--maps"):
        sensitivity(results, data, path.parent, show=False)
    native = sensitivity(results, data, path.parent, sizes=("native",), show=False)
    assert native.wide("rank").shape == (3, 8)
    theirs = Origin(pack="0", verified=True)
    results.records["toy"] = replace(results.records["toy"], imported=theirs, method_hash="theirs")
    small = sensitivity(results, data, path.parent, show=False)
    assert "Toy is left out: its maps are not here" in small.notes


def test_a_reason_that_speaks_of_maps_is_a_reason_at_every_size(folder):
    path, data = folder
    results = Results.load(path)
    why = {"bad": {"test_2": "the map has values that are not finite"}}
    why["batch"] = {"": "returns no map"}
    for spec, failed in why.items():
        results.records[spec] = replace(results.records[spec], failed=failed)
    del results.counts["batch"]
    found = sensitivity(results, data, path.parent, sizes=("native",), show=False)
    assert set(found.wide("rank").index) == {"toy", "toy(gain=2)"}
    notes = " ".join(found.notes)
    assert "Bad is left out: 1 of 6 images failed: the map has values" in notes
    assert "is left out: returns no map" in notes


def test_areas_stand_side_by_side(folder):
    path, _ = folder
    results = Results.load(path, ["toy", "toy(gain=2)", "batch", "bad"])
    frame = areas(results, "own")
    assert set(frame.index) == {"toy", "toy(gain=2)", "batch"}  # one failed on an image
    summary = results.summary("own", "image").set_index("method")
    for spec, line in frame.iterrows():
        for area in AREAS:
            assert line[area] == summary.loc[spec, area]
            assert line[f"{area}_rank"] == 1 + (frame[area] > line[area]).sum()
    texts = side_by_side(results, "own")
    assert set(texts) == {"areas.csv", "areas.md"}
    (toy,) = [line for line in texts["areas.md"].splitlines() if line.startswith("| Toy |")]
    assert f"| {1e6 * (1 - frame.loc['toy', 'target_auc']):.0f} |" in toy
    assert "Kendall's tau of the rankings: pixels and targets" in texts["areas.md"]
    for spec, rows in results.counts.items():  # as of an earlier version
        results.counts[spec] = rows[[*FIRST_COLUMNS]]
    assert side_by_side(results, "own") == {}


def test_nothing_to_rank(folder):
    path, data = folder
    with pytest.raises(DataError, match="nothing to rank"):
        sensitivity(Results.load(path, ["toy", "bad"]), data, path.parent, show=False)
    with pytest.raises(WrongUse, match="score is 'fa'"):
        sensitivity(Results.load(path), data, path.parent, score="fa", show=False)


def test_the_command_writes_tables_and_a_figure(folder, toy_folder):
    path, _ = folder
    words = ["sensitivity", "--dataset", f"folder:{toy_folder}", "--out", str(path.parent)]
    done = CliRunner().invoke(app, [*words, "--sizes", "native", "--score", "f1"])
    assert done.exit_code == 0, done.output
    assert {file.name for file in (path / "sensitivity-f1-native").iterdir()} == {
        "scores.csv", "ranks.csv", "ranks.md", "tau.csv", "areas.csv", "areas.md"
    }  # fmt: skip
    assert (path / "figures" / "sensitivity-f1-native.pdf").is_file()
    assert not (path / "sensitivity").exists()  # which the usual score and sizes have
    assert CliRunner().invoke(app, [*words, "--sizes", "256"]).exit_code == 2


def test_the_id_of_a_protocol_changes_with_all_that_matters():
    one = Protocol("hash", "own")
    changes = [
        {"data_hash": "other"}, {"rule": "half"}, {"reduction": "pooled"}, {"match": "area"},
        {"size": "512"}, {"tuning_hash": "x"}, {"format": 2},
    ]  # fmt: skip
    ids = [one.id, *(replace(one, **change).id for change in changes)]
    assert len(set(ids)) == len(ids) and replace(one).id == one.id
    assert all(len(text) == 8 and int(text, 16) >= 0 for text in ids)


def test_methods_tuned_on_different_images_do_not_share_a_protocol():
    record = make_record(wanted=("own", "tuned"), tuning_hash="a")
    broken = make_record(wanted=())
    records = {"one": record, "two": replace(record, tuning_hash="b"), "broken": broken}
    results = Results(Path("none"), records, {})
    assert Protocol.of(results, "own").tuning_hash is None
    with pytest.raises(ProtocolMix, match="two was tuned on other images"):
        Protocol.of(results, "tuned")
    with pytest.raises(ProtocolMix, match="not under 'half'"):
        Protocol.of(results, "half")
