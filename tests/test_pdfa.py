import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError
from istsbench.figures import catalogue as plots
from istsbench.figures import pdfa
from istsbench.figures.pdfa import SHARES, area, levels, points, reached, sweep_targets
from istsbench.figures.style import Layout
from istsbench.matching import Regions, target_counts
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.runs.counting import scaled
from istsbench.runs.record import map_store
from istsbench.runs.run import run
from istsbench.threshold import Fixed, MeanStd

TAG = "synthetic-first4"


@pytest.fixture(scope="module")
def dataset():
    return open_dataset("synthetic")


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run(choose("tophat,maxmean"), dataset, folder, limit=4, show=False)
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy of the results, to be changed."""
    shutil.copytree(made, tmp_path / "out")
    return Results.load(tmp_path / "out" / TAG)


# ------------------------------------------------------------------ points


def test_no_more_false_pixels_than_the_share_lie_above_a_level():
    rng = np.random.default_rng(3)
    maps = [np.round(rng.random((300, 400)) ** 8, 4).astype(np.float32) for _ in range(3)]
    truths = [rng.random(score.shape) < 0.001 for score in maps]
    false = np.concatenate([score[~truth] for score, truth in zip(maps, truths, strict=True)])
    found = levels(maps, truths)
    assert (np.diff(found) < 0).all() and len(found) > 10
    above = [int((false > level).sum()) for level in found]
    assert above[0] == 0 and found[0] == false.max()
    values = np.unique(false)
    exceeding = np.array([(false > value).sum() for value in values[-200:]])
    for share in SHARES[:20]:
        allowed = share * sum(truth.size for truth in truths)
        assert values[-200:][exceeding <= allowed][0] in found


@given(st.integers(0, 1000))
def test_a_sweep_counts_what_single_thresholds_count(seed):
    rng = np.random.default_rng(seed)
    score = np.round(rng.random((24, 30)) ** 4, 1)
    truth = rng.random(score.shape) < 0.02
    falling = np.array([1.0, 0.95, 0.9, 0.55, 0.52, 0.3, 0.0])
    found = sweep_targets(score, Regions.of(truth), falling)
    assert found == [target_counts(score > level, truth) for level in falling]


@pytest.mark.parametrize("own", [MeanStd(3), Fixed(0.5)])
def test_points_are_pooled_over_images_at_one_level(results, dataset, own):
    record = results.records["tophat"] = replace(
        results.records["tophat"], own=repr(own), rules={"own": repr(own)}
    )
    found = points(results, dataset, ["tophat"])["tophat"]
    names = results.counts["tophat"]["image"].unique()
    store = map_store(results.folder.parent, record)
    for _, line in found.iloc[[1, len(found) // 2, -1]].iterrows():
        pairs = [(scaled(store.load(n).score, own), dataset.load(n).mask) for n in names]
        counts = [target_counts(score > np.float32(line["level"]), mask) for score, mask in pairs]
        pixels = sum(mask.size for _, mask in pairs)
        assert line["pd"] == sum(c.detected for c in counts) / sum(c.targets for c in counts)
        assert line["fa"] == sum(c.false_pixels for c in counts) / pixels
    assert (found["level"].max() > 1) == isinstance(own, Fixed)  # grey levels, not scaled


def test_points_are_kept_and_made_again_only_for_other_maps(results, dataset, monkeypatch):
    first = points(results, dataset, ["tophat", "maxmean"])
    swept = []
    real = pdfa._swept
    monkeypatch.setattr(pdfa, "_swept", lambda r, spec, s: swept.append(spec) or real(r, spec, s))
    path = results.folder / "figures" / "pdfa.csv"
    before = path.read_bytes()
    again = points(results, dataset, ["maxmean", "tophat"])
    assert not swept and path.read_bytes() == before
    for spec, curve in first.items():
        pd.testing.assert_frame_equal(
            curve.reset_index(drop=True), again[spec].reset_index(drop=True),
            check_dtype=False, rtol=1e-8,
        )  # fmt: skip
    results.records["tophat"] = replace(results.records["tophat"], curve="of other maps")
    points(results, dataset, ["tophat"])
    assert swept == ["tophat"]
    assert set(pd.read_csv(path)["method"]) == {"tophat", "maxmean"}
    for damaged in (before[: len(before) // 2], b"\xff\xfe", b"a,b\n1,2\n"):
        path.write_bytes(damaged)
        found = points(results, dataset, ["tophat", "maxmean"])
        assert {spec: len(curve) for spec, curve in found.items()} == {
            spec: len(curve) for spec, curve in first.items()
        }


# ------------------------------------------------------------------ curve and area


def curve(*pairs):
    return pd.DataFrame(pairs, columns=["fa", "pd"])


def test_the_line_is_the_best_pd_at_no_more_fa():
    swept = (0, 0), (1e-4, 0.5), (1e-5, 0.4), (2e-4, 0.45), (3e-4, 0.47), (1e-3, 0.8)
    found = reached(curve(*swept))
    assert found.to_numpy().tolist() == [[0, 0], [1e-5, 0.4], [1e-4, 0.5], [1e-3, 0.8]]


def test_area_by_hand():
    assert area(curve((0, 0.6))) == pytest.approx(0.6)
    assert area(curve((0, 0), (1e-5, 0.3), (1e-4, 0.9))) == pytest.approx((0.3 + 0.9) / 3)
    assert area(curve((0, 0), (1e-2, 1.0))) == 0
    assert area(curve((1e-7, 0.5), (1e-3, 1.0))) == pytest.approx(0.5)


# ------------------------------------------------------------------ figure


def test_the_figure_marks_the_rule_and_says_what_it_shows(results, dataset):
    paths = plots.draw("pdfa", plots.Request(results, dataset)).paths
    assert [path.name for path in paths] == ["pdfa-own.png", "pdfa-own.pdf"]
    figure = pdfa.pdfa(results, dataset, "own")
    own = results.summary("own", "pooled").set_index("method")
    axes = figure.axes[0]
    marks = [line for line in axes.lines if len(line.get_xdata()) == 1]
    marks = [mark for mark in marks if mark.get_markerfacecolor() == "white"]
    seen = sorted((float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks)
    expected = sorted((np.clip(fa, 1e-6, 1e-2), rate) for fa, rate in own[["fa", "pd"]].to_numpy())
    np.testing.assert_allclose(seen, expected)
    assert "scaled per image unless probabilities" in figure.get_supxlabel()


def test_four_groups_stand_two_by_two(results, dataset):
    for spec, group in (("a", "hvs"), ("b", "lowrank"), ("c", "cnn")):
        results.records[spec] = replace(results.records["tophat"], group=group)
        results.counts[spec] = results.counts["tophat"]
    axes = pdfa.pdfa(results, dataset, "own", every=True).axes
    assert len(axes) == 4 and all(one.get_visible() for one in axes)
    assert axes[0].get_gridspec().get_geometry() == (2, 2)


def test_rows_without_maps_have_their_mark_alone(results, dataset):
    results.records["maxmean"] = replace(results.records["maxmean"], method_hash="elsewhere")
    figure = pdfa.pdfa(results, dataset, "own", every=True)
    lines = [one for one in figure.axes[0].lines if one.get_drawstyle() == "steps-post"]
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[:3] == ["Method", "Top-Hat", "Max-Mean"]
    assert texts[3] == "mean Pd" and texts[4].startswith("1.0") and texts[5] == "\u2013"
    handle = figure.axes[0].get_legend().legend_handles[2]
    assert handle.get_markerfacecolor() == "white"  # as it is drawn
    assert len([one for one in lines if len(one.get_xdata()) > 1]) == 1
    assert all(len(line.get_xdata()) for line in figure.axes[0].lines)
    figure.draw_without_rendering()
    panel, page = figure.axes[0].get_window_extent(), figure.bbox
    assert panel.y0 > figure.axes[0].get_legend().get_window_extent().y1 > page.y0
    few = pdfa.pdfa(results, dataset, "own")
    assert "Max-Mean" not in [text.get_text() for text in few.legends[0].get_texts()]
    assert "their maps are not stored: Max-Mean" in " ".join(few.get_supxlabel().split())


def test_without_targets_there_is_no_curve(results, dataset):
    for spec, rows in results.counts.items():
        results.counts[spec] = rows.assign(targets=0, detected=0)
    with pytest.raises(DataError, match="no image has a target"):
        pdfa.pdfa(results, dataset, "own")
    with pytest.raises(DataError, match="'tuned'"):
        pdfa.pdfa(results, dataset, "tuned")


@pytest.mark.parametrize(("false", "text"), [(0, "0"), (500, "3.")])
def test_a_mark_beyond_the_axis_has_an_arrow_and_its_value(results, dataset, false, text):
    for spec, rows in results.counts.items():
        pixels = rows[["tp", "fp", "fn", "tn"]].sum(axis=1)
        beyond = 0 if not false else (pixels * 0.03).astype(int)
        results.counts[spec] = rows.assign(false_pixels=beyond)
    figure = pdfa.pdfa(results, dataset, "own", Layout("column"))
    (axes,) = figure.axes
    assert [one.get_text()[:2] for one in axes.texts] == [text] * 2
    arrows = [line for line in axes.lines if line.get_marker() == ("<" if not false else ">")]
    assert len(arrows) >= 2 and not any(line.get_clip_on() for line in axes.lines)
    assert "arrows: Fa beyond the axis" in " ".join(figure.get_supxlabel().split())


def test_the_line_ends_with_the_axis():
    found = pdfa._line(curve((1e-8, 0.2), (1e-7, 0.3), (1e-4, 0.5), (2e-2, 0.9)))
    np.testing.assert_allclose(found, [(1e-6, 1e-4, 1e-2), (0.3, 0.5, 0.5)])
