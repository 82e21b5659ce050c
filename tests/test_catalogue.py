from dataclasses import replace
from unicodedata import decomposition

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from toys import make_record

from istsbench import registry
from istsbench.data.datasets import open_dataset
from istsbench.data.difficulty import BINS, classes, describe
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.figures import boxes, charts, mosaics, pictures, roc, surfaces, tradeoff
from istsbench.figures import catalogue as plots
from istsbench.figures.fonts import SMALLEST, shortened, text_width, wrapped
from istsbench.figures.hiou import HIOU_PARTS, hiou_errors, hiou_parts
from istsbench.figures.labels import distances, place_labels, write_labels
from istsbench.figures.style import (
    GREY,
    WIDTHS,
    Layout,
    group_colour,
    group_marker,
    label_of,
    looks,
    registered_looks,
)  # fmt: skip
from istsbench.figures.writing import write_figure
from istsbench.matching import target_counts
from istsbench.metrics import REDUCTIONS
from istsbench.registry import choose
from istsbench.results.intervals import ranking
from istsbench.results.packs import export_pack, import_pack
from istsbench.results.results import Results
from istsbench.runs.counting import FIRST_COLUMNS
from istsbench.runs.record import Origin, map_store
from istsbench.runs.run import run


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two methods on eight synthetic images."""
    folder = tmp_path_factory.mktemp("results")
    run(choose("tophat,maxmean"), open_dataset("synthetic"), folder, limit=8, show=False)
    return folder


@pytest.fixture
def results(out):
    found = Results.load(out / "synthetic-first8")
    for spec, record in found.records.items():
        found.records[spec] = replace(record, busy=None)  # the machine may do other work
    return found


@pytest.fixture(scope="module")
def dataset():
    return open_dataset("synthetic")


def foot_of(figure):
    """The line at the foot, without its breaks."""
    return " ".join(figure.get_supxlabel().split())


def scattered(shape, number, seed):
    mask = np.zeros(shape, bool)
    rng = np.random.default_rng(seed)
    for row, column in zip(*(rng.integers(0, side, number) for side in shape), strict=True):
        mask[row : row + rng.integers(1, 4), column : column + rng.integers(1, 4)] = True
    return mask


# ------------------------------------------------------------------ looks


def test_a_look_does_not_depend_on_the_other_methods():
    known = {
        name: make_record(
            name, label=card.label, group=card.group, year=card.year, status=card.status
        )
        for name, card in registry.cards().items()
    }
    every = looks(known)
    assert len({(one.colour, str(one.line)) for one in every.values()}) == len(known)
    for name in known:
        assert looks({name: known[name]})[name] == every[name] == registered_looks()[name]
    assert every["smsl"].label.endswith("\u2020")  # reconstructed


def test_a_variant_does_not_look_like_its_method():
    record = make_record("tophat", label="Top-Hat", year=1996)
    drawn = looks({"tophat": record, "tophat(size=7)": record, "tophat(size=9)": record})
    assert len({(one.colour, str(one.line)) for one in drawn.values()}) == 3


def test_labels_stay_clear_of_each_other_and_inside():
    rng = np.random.default_rng(0)
    points = rng.uniform(60, 540, (25, 2))
    sizes = np.column_stack([rng.uniform(25, 50, 25), np.full(25, 9)])
    wall = np.array([0, 290, 600, 300])
    corners = place_labels(points, sizes, (0, 0, 600, 600), [wall])
    found = [wall, *np.column_stack([corners, corners + sizes])]
    for index, one in enumerate(found):
        for other in found[:index]:
            gap = np.maximum(one[:2], other[:2]) - np.minimum(one[2:], other[2:])
            assert gap.max() >= 0
    assert (corners >= 0).all() and (corners + sizes <= 600).all()


def test_a_label_is_nearer_to_its_own_point_than_to_any_other():
    rng = np.random.default_rng(2)
    centres = rng.uniform(80, 520, (7, 2))
    points = np.vstack([centres, centres + (13, 1), centres + (-5, 24)])  # in clusters of three
    sizes = np.column_stack([rng.uniform(25, 50, 21), np.full(21, 9)])
    corners = place_labels(points, sizes, (0, 0, 600, 600))
    away = np.array([distances(box, points) for box in np.hstack([corners, corners + sizes])])
    assert (away.argmin(axis=1) == np.arange(21)).all()


def test_a_line_leads_to_a_point_where_another_is_near_as_well():
    figure = Figure(figsize=(4, 3))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 400), ylim=(0, 300))  # units are pixels
    write_labels(axes, np.array([[100, 200], [103, 200], [300, 50]]), ["one", "twin", "alone"])
    ends = [line.get_xydata()[1].round(6).tolist() for line in axes.lines]
    assert ends == [[100, 200], [103, 200]]


def test_a_long_label_takes_two_lines_or_is_cut():
    assert shortened("MPCM", 0.8) == "MPCM"
    assert shortened("pixelGame (w/o MIM)", 0.8) == "pixelGame\n(w/o MIM)"
    short = shortened("averyveryverylongname", 0.8)
    assert short.endswith("…") and short.startswith("averyvery") and text_width(short) <= 0.8
    assert text_width("M") > text_width("i") > 0


def test_wrapped_lines_fit_and_keep_every_word():
    text = "one level over all maps, scaled per image unless probabilities · lines: highest Pd"
    lines = wrapped(text, 1.5).split("\n")
    assert " ".join(lines) == text and len(lines) > 2
    assert all(text_width(line) <= 1.5 for line in lines)


# ------------------------------------------------------------------ scores


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_bars_show_what_tables_print(results, reduction):
    data = charts.bars_data(results, "own", reduction).set_index(["method", "score"])["value"]
    summary = results.summary("own", reduction).set_index("method")
    for spec, score in data.index:
        assert data[spec, score] == pytest.approx(summary.loc[spec, score])


def test_the_parts_of_hiou_are_those_of_tables_and_add_up_to_one(results):
    data = hiou_parts(results, "half")
    summary = results.summary("half", "pooled").set_index("method").loc[data.index]
    assert list(data["hiou"]) == sorted(summary["hiou"], reverse=True)
    assert data[[*HIOU_PARTS]].sum(axis=1).to_list() == pytest.approx([1, 1])
    pixels = data[[name for name in HIOU_PARTS if name.startswith("seg")]].sum(axis=1)
    assert (data["hiou"] + pixels).to_list() == pytest.approx(summary["loc"].to_list())
    for name in ("loc_pcp_err", "loc_s2m_err", "loc_m2s_err", "loc_itf_err"):
        assert data[name].to_list() == pytest.approx(summary[name].to_list())


def test_the_figure_of_errors_names_what_it_leaves_out(results):
    figure = hiou_errors(results, "own")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [f"{value:.3f}" for value in hiou_parts(results, "own")["hiou"]]
    results.counts["tophat"] = results.counts["tophat"][[*FIRST_COLUMNS]]
    assert "earlier version: Top-Hat" in foot_of(hiou_errors(results, "own"))
    assert list(hiou_parts(results, "own").index) == ["maxmean"]
    results.counts["maxmean"] = results.counts["maxmean"][[*FIRST_COLUMNS]]
    with pytest.raises(DataError, match="no counts of hIoU under 'own'; they are of an earlier"):
        hiou_errors(results, "own")


def test_bars_carry_the_papers_values(results):
    for spec, record in results.records.items():
        results.records[spec] = replace(record, dataset="nuaa")
    data = charts.bars_data(results, "own", "image").set_index(["label", "score"])["paper"]
    assert data["Top-Hat", "f1"] == 0.12 and np.isnan(data["Max-Mean", "f1"])


def test_a_logarithmic_roc_follows_the_straight_line(results, monkeypatch):
    points = pd.DataFrame({"fpr": [0.0, 0.01, 0.01], "tpr": [0.1, 0.1, 0.5], "precision": 1.0})
    monkeypatch.setattr(roc, "curve_data", lambda results, spec: points)
    line = roc.roc_data(results, "tophat", start=1e-4)
    assert line["fpr"].iloc[0] == pytest.approx(1e-4) and line["fpr"].is_monotonic_increasing
    beyond = line[line["fpr"] > 0.01]
    assert len(beyond) > 50
    expected = 0.5 + 0.5 * (beyond["fpr"] - 0.01) / 0.99
    np.testing.assert_allclose(beyond["tpr"], expected, atol=1e-12)
    before = line[line["fpr"] < 0.01]
    np.testing.assert_allclose(before["tpr"], 0.1, atol=1e-12)  # not on its way up the step


@pytest.mark.parametrize("seed", range(5))
def test_a_roc_never_falls(results, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    rates = np.sort(rng.choice([0, 1e-6, 1e-5, 3e-4, 0.2, 1], 30))  # with upright steps
    points = pd.DataFrame({"fpr": rates, "tpr": np.sort(rng.random(30)), "precision": 1.0})
    monkeypatch.setattr(roc, "curve_data", lambda results, spec: points)
    for start in (0.0, 1e-6):
        line = roc.roc_data(results, "tophat", start)
        assert line["fpr"].is_monotonic_increasing
        assert (line["tpr"].diff().dropna() > -1e-12).all()


def test_pr_curve_covers_its_average_precision(results):
    # Thinned to 400 points, the steps still enclose the exact area to a percent.
    for spec, record in results.records.items():
        points = roc.curve_data(results, spec)
        area = (points["precision"] * points["tpr"].diff().fillna(points["tpr"].iloc[0])).sum()
        assert area == pytest.approx(record.average_precision, abs=0.01)


def test_pareto_front_by_hand(results):
    seconds = {"slow": 3.0, "quick": 1.0, "waste": 2.0, "equal": 4.0}
    hits = {"slow": 9, "quick": 4, "waste": 4, "equal": 9}
    row = results.counts["tophat"].query("rule == 'own'").iloc[[0]]
    record = replace(results.records["tophat"], images=1)
    made = Results(
        results.folder,
        dict.fromkeys(seconds, record),
        {spec: row.assign(tp=hits[spec], fp=1, fn=0, seconds=seconds[spec]) for spec in seconds},
    )
    data, _, notes = tradeoff.seconds_data(made, "own", "image")
    front = data.set_index("method")["front"].to_dict()
    assert front == {"quick": True, "waste": False, "slow": True, "equal": False} and not notes
    made.records["quick"] = replace(record, busy=0.5)  # timed beside other work
    data, _, notes = tradeoff.seconds_data(made, "own", "image")
    assert list(data["label"]) == ["Top-Hat*", *["Top-Hat"] * 3]
    assert notes == ["* timed while the machine did other work: faster in truth"]
    made.records["quick"] = replace(record, busy=0.5, environment={"device": "cuda", "gpu": "G"})
    _, _, notes = tradeoff.seconds_data(made, "own", "image")
    (note,) = notes  # a processor may wait for a GPU
    assert note.startswith("timed on different machines: ") and "G" in note


def test_one_slow_image_does_not_make_a_method_slow(results):
    rows = results.counts["tophat"]
    first = rows["image"] == rows["image"].iloc[0]
    usual = rows[~first]["seconds"].max()
    results.counts["tophat"] = rows.assign(seconds=rows["seconds"].mask(first, 1e3))
    data, _, _ = tradeoff.seconds_data(results, "own", "image")
    assert data.set_index("method")["seconds"]["tophat"] <= usual


def test_rows_without_times_are_named(results):
    results.counts["maxmean"] = results.counts["maxmean"].assign(seconds=np.nan)
    data, _, notes = tradeoff.seconds_data(results, "own", "image")
    assert list(data["method"]) == ["tophat"] and "no time, as never timed: Max-Mean" in notes


def test_times_from_packs_are_not_compared(results):
    origin = Origin(pack="0" * 64, verified=True)
    results.records["maxmean"] = replace(results.records["maxmean"], imported=origin)
    data, rest, notes = tradeoff.seconds_data(results, "own", "image")
    assert list(data["method"]) == ["tophat"] and list(rest["method"]) == ["maxmean"]
    assert notes == ["no time, as timed elsewhere (packs): Max-Mean"]
    figure = tradeoff.seconds(results, "own", "image")
    assert "timed elsewhere (packs): Max-Mean" in foot_of(figure)
    names = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert names == [["Top-Hat"], ["Max-Mean"]]  # the second in a band without a time
    del results.records["tophat"], results.counts["tophat"]
    with pytest.raises(DataError, match=r"was timed here \(1 timed elsewhere \(packs\)\)"):
        tradeoff.seconds_data(results, "own", "image")


def test_shipped_rows_beside_ones_own_have_no_time_and_it_is_said(results):
    origin = Origin(pack="0" * 64, verified=False, name="istsbench 1, then")
    results.records["maxmean"] = replace(results.records["maxmean"], imported=origin)
    figure = tradeoff.seconds(results, "own", "image")
    assert "no time, as timed elsewhere (shipped rows): Max-Mean" in foot_of(figure)
    results.records["tophat"] = replace(results.records["tophat"], imported=origin)
    with pytest.raises(DataError, match=r"\(2 timed elsewhere \(shipped rows\)\); times of other"):
        tradeoff.seconds_data(results, "own", "image")


def test_trained_parameters_of_what_learns_and_what_does_not(toys):
    cost = sum(weights.numel() for weights in registry.create("acm", blocks=1).build().parameters())
    assert tradeoff.trained_parameters("acm(blocks=1)", "cnn") == cost > 1000
    assert tradeoff.trained_parameters("acm(blocks=1, weights='none.safetensors')", "cnn") == cost
    assert tradeoff.trained_parameters("tophat(size=7)", "spatial") == 0
    assert tradeoff.trained_parameters("theirs", "lowrank") == 0
    for spec, group in (
        ("theirs", "cnn"), ("acm(no=1)", "cnn"), ("learner", "toys"), ("My net", "submitted"),
        ("tophat", "cnn"),
    ):  # fmt: skip
        assert tradeoff.trained_parameters(spec, group) is None, spec


def with_networks(results, weights):
    """The results with rows of networks, spec -> (parameters, hits of 10)."""
    row = results.counts["tophat"].query("rule == 'own'")
    for spec, (_, hits) in weights.items():
        results.records[spec] = replace(results.records["tophat"], label=spec, group="cnn")
        results.counts[spec] = row.assign(tp=hits, fp=10 - hits, fn=10 - hits)
    return results


def test_what_learns_nothing_counts_as_the_cheapest(results, monkeypatch):
    weights = {"small": (100, 2), "middle": (5000, 9), "equal": (6000, 9), "large": (10**6, 10),
               "unknown": (None, 10)}  # fmt: skip
    for spec, rows in results.counts.items():
        results.counts[spec] = rows.assign(tp=4, fp=6, fn=6)
    made = with_networks(results, weights)
    monkeypatch.setattr(
        tradeoff, "trained_parameters", lambda spec, group: weights.get(spec, (0,))[0]
    )
    data, unknown = tradeoff.parameters_data(made, "own", "image")
    assert unknown == ["unknown"]
    assert list(data["parameters"]) == [0, 0, 100, 5000, 6000, 10**6]
    # "small" is beaten by a method without any parameter.
    assert set(data["method"][data["front"]]) - {"tophat", "maxmean"} == {"middle", "large"}
    figure = tradeoff.parameters_figure(made, "own", "image")
    assert "parameters not known: unknown" in foot_of(figure)
    left, right = ({text.get_text() for text in axes.texts} for axes in figure.axes)
    assert left == {"Top-Hat", "Max-Mean"} and right == {"small", "middle", "equal", "large"}


def test_without_networks_there_is_nothing_to_compare(results, dataset):
    with pytest.raises(DataError, match="no network"):
        plots.draw_asked("pareto", plots.Request(results, dataset), "parameters")


# ------------------------------------------------------------------ difficulty


def test_classes_by_hand():
    values = pd.Series([1, 9, 9.5, 10, 25, 26, 80, 81, 5000])
    expected = ["1–9", "1–9", "1–9", "10–25", "10–25", "26–49", "50–80", "≥81", "≥81"]
    assert list(classes(values, BINS["size"])) == expected
    assert list(classes(pd.Series([0.0, 0.99, 8, np.inf]), BINS["scr"])) == [
        "0–1",
        "0–1",
        *["≥8"] * 2,
    ]
    assert list(classes(pd.Series([1, 2, 7]), BINS["targets"])) == ["1", "2", "≥3"]


def test_every_class_holds_the_mean_of_its_images(results, dataset):
    data = charts.difficulty_data(results, dataset, "own")
    overall = results.summary("own", "image").set_index("method")["f1"]
    for table, images in data.values():
        assert sum(images) == 8
        np.testing.assert_allclose(table @ images / 8, overall[table.index])


def test_difficulty_of_a_scene(dataset):
    name = dataset.names()[0]
    mask = dataset.load(name).mask
    facts = describe(dataset, [name]).loc[name]
    assert facts["targets"] * facts["size"] == mask.sum()


# ------------------------------------------------------------------ pictures


@pytest.mark.parametrize("seed", range(12))
def test_boxes_tell_what_the_metrics_count(seed):
    truth = scattered((40, 50), 4, seed)
    mask = np.roll(truth, seed % 4, axis=1) | scattered((40, 50), 3, 100 + seed)
    seen, counted = boxes.outcome(mask, truth), target_counts(mask, truth)
    assert len(seen.found) == counted.detected
    assert len(seen.found) + len(seen.missed) == counted.targets
    assert bool(seen.false) == bool(counted.false_pixels)
    assert len(seen.false) == len(boxes.boxes(mask)) - counted.detected


def test_boxes_that_touch_become_one():
    chain = [(0, 0, 3, 3), (10, 10, 12, 12), (2, 2, 5, 5), (4, 4, 7, 7)]
    assert boxes.joined(chain) == [(0, 0, 7, 7), (10, 10, 12, 12)]
    # The box around an L reaches into a third box, which it did not touch before.
    assert boxes.joined([(0, 0, 2, 9), (0, 0, 9, 2), (5, 5, 6, 6)]) == [(0, 0, 9, 9)]
    assert boxes.joined([]) == []


@pytest.mark.parametrize("seed", range(8))
def test_the_inset_shows_the_first_target_from_inside_the_image(seed):
    mask = scattered((30, 22), 3, seed)
    top, left, bottom, right = boxes.zoomed(mask)
    first = boxes.boxes(mask)[0]
    assert bottom - top == right - left
    assert 0 <= top <= first[0] and first[2] <= bottom <= 30
    assert 0 <= left <= first[1] and first[3] <= right <= 22
    assert boxes.zoomed(np.zeros((5, 5), bool)) is None


def test_the_inset_avoids_targets():
    mask = np.zeros((100, 100), bool)
    mask[5, 5] = True
    assert boxes.free_corner(mask) == (1, 1)
    mask[95, 95] = True
    assert boxes.free_corner(mask) in ((0, 1), (1, 0))


def test_representatives_depend_on_the_truth_alone(results):
    chosen = pictures.representatives(results, "own")
    assert len(set(chosen)) == 4
    for spec, rows in results.counts.items():
        results.counts[spec] = rows.assign(fn=rows["tp"] + rows["fn"], tp=0, fp=rows.index[::-1])
    assert pictures.representatives(results, "own") == chosen
    rows = results.counts["tophat"].query("rule == 'own'").set_index("image").loc[chosen]
    assert rows["targets"].is_monotonic_increasing


def test_lists_hold_every_part_in_order():
    for number in (1, 2, 7, 8, 26, 30):
        found = mosaics.even(range(number), 7)
        assert [part for one in found for part in one] == list(range(number))
        assert len(found) == -(-number // 7) and max(map(len, found)) <= 7
    assert [len(one) for one in mosaics.even(range(27), 7)] == [7, 7, 7, 6]
    assert [len(one) for one in mosaics.even(range(9), 7)] == [5, 4]


def test_many_methods_take_pages_of_the_width_of_a_page(results, dataset):
    for number in range(20):
        for kind in (results.records, results.counts):
            kind[f"tophat{number}"] = kind["tophat"]
    request = plots.Request(results, dataset)
    figures = plots.FIGURES["grid"].make(request)
    assert all(figure.get_figwidth() == WIDTHS["page"] for figure in figures)
    assert all(figure.get_figheight() <= 11 for figure in figures)
    headings = [text.get_text() for figure in figures for text in figure.axes[0].texts]
    assert headings.count("Top-Hat") == 21 and len(figures) > 1


def test_pages_of_an_earlier_drawing_go(results, dataset, monkeypatch):
    pages = [Figure(figsize=(1, 1)) for _ in range(3)]
    kind = plots.Kind("pages", lambda request: pages)
    monkeypatch.setattr(plots, "FIGURES", {"pages": kind})
    request = plots.Request(results, dataset)
    folder = results.folder / "figures"
    assert {path.stem for path in plots.draw("pages", request).paths} == {
        "pages-page1", "pages-page2", "pages-page3",
    }  # fmt: skip
    (folder / "pages-own.png").touch()
    del pages[1:]
    assert {path.name for path in plots.draw("pages", request).paths} == {"pages.png", "pages.pdf"}
    left = {path.name for path in folder.glob("pages*")}
    assert left == {"pages.png", "pages.pdf", "pages-own.png"}
    (folder / "pages-own.png").unlink()


def test_a_surface_keeps_the_peak():
    score = np.zeros((100, 130))
    score[0, 0] = score[77, 129] = 5
    found = surfaces.peaks(score, cells=48)
    assert max(found.shape) <= 48 and found.max() == 5
    assert np.argwhere(found == 5).tolist() == [[0, 0], [77 // 3, 129 // 3]]


# ------------------------------------------------------------------ files


def test_the_standard_figures_are_written(results, dataset):
    paths = plots.refresh(plots.Request(results, dataset)).paths
    assert {path.stem for path in paths} == {
        "bars-own-image", "roc", "roc-log", "pr", "grid-own", "pareto-own-image",
    }  # fmt: skip
    assert all(path.is_file() and path.stat().st_size > 5000 for path in paths)


def test_the_other_figures_draw(results, dataset):
    name = results.counts["tophat"]["image"].iloc[0]
    request = plots.Request(results, dataset, images=(name,))
    for figure in ("gallery", "surfaces", "difficulty"):
        assert len(plots.draw(figure, request).paths) == 2
    assert (results.folder / "figures" / f"gallery-own-{name}.pdf").is_file()
    with pytest.raises(DataError, match="three methods"):
        plots.draw("cd", request)


def test_ranks_differ_where_their_bars_do_not_meet(results):
    for spec, shift in (("second", 1), ("third", 2)):
        results.records[spec] = replace(results.records["tophat"], label=spec)
        results.counts[spec] = results.counts["tophat"].eval(f"fp = fp + {shift}")
    figure = charts.critical_difference(results, "own")
    found = ranking(results, "own")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "mean rank (F1)"
    assert [text.get_text() for text in axes.texts] == [f"{rank:.1f}" for rank in found.ranks]
    bars = np.concatenate([group[2][0].get_segments() for group in axes.containers])
    np.testing.assert_allclose(bars[:, 1, 0] - bars[:, 0, 0], found.critical)


def test_surfaces_have_their_own_names_and_one_scale(results, dataset):
    figure = surfaces.surfaces(results, dataset, "own")
    names = [text.get_text() for text in figure.texts[:-1]]
    assert names[0] == "Image" and set(names[1:]) == {"Top-Hat", "Max-Mean"}
    assert "logarithm of 3 decades" in " ".join(figure.texts[-1].get_text().split())
    for axes, text in zip(figure.axes, figure.texts, strict=False):
        assert axes.get_zlim() == (0, 1) and len(axes.get_zticks()) == 4
        box, cell = text.get_window_extent(), axes.get_window_extent()
        assert abs((box.x0 + box.x1) / 2 - (cell.x0 + cell.x1) / 2) < 3


def test_same_results_same_bytes_and_no_settings_left(results, tmp_path):
    before = dict(matplotlib.rcParams)
    first = write_figure(charts.bars(results, "own", "image"), tmp_path / "a", "x")
    with matplotlib.rc_context({"font.size": 20, "axes.edgecolor": "red"}):  # a user's own
        second = write_figure(charts.bars(results, "own", "image"), tmp_path / "b", "x")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_a_method_without_maps_is_left_out_and_named(results, dataset):
    name = results.counts["tophat"]["image"].iloc[0]
    record = results.records["maxmean"]
    results.records["maxmean"] = replace(record, method_hash="elsewhere")
    samples, maps, note = pictures.load_images(results, dataset, "own", [name])
    assert list(maps) == ["tophat"] and "Max-Mean" in note
    stored = map_store(results.folder.parent, results.records["tophat"]).load(name)
    np.testing.assert_array_equal(maps["tophat"][0].score, stored.score)


def test_rows_of_a_pack_show_their_masks(out, results, dataset, tmp_path):
    export_pack(results.folder, tmp_path / "pack.zip", ["maxmean"])
    theirs = tmp_path / "out"
    run(choose("tophat"), dataset, theirs, limit=8, show=False)
    import_pack(tmp_path / "pack.zip", theirs)
    joined = Results.load(theirs / results.folder.name)
    name = joined.counts["tophat"]["image"].iloc[0]
    _, mine, _ = pictures.load_images(results, dataset, "own", [name])
    _, shown, note = pictures.load_images(joined, dataset, "own", [name])
    assert "masks only, from a pack: Max-Mean" in note and "not stored" not in note
    assert shown["maxmean"][0].score is None and shown["tophat"][0].score is not None
    for spec in ("tophat", "maxmean"):
        np.testing.assert_array_equal(shown[spec][0].mask, mine[spec][0].mask)
    (page,) = mosaics.grid(joined, dataset, "own")
    texts = {text.get_text() for text in page.axes[0].texts}
    assert {"Max-Mean", "Top-Hat", "mask only"} <= texts
    (page,) = mosaics.gallery(joined, dataset, "own", [name])
    texts = [text.get_text() for text in page.axes[0].texts]
    assert [text.startswith("Max-Mean") for text in texts if "(mask)" in text] == [True]
    alone = Results.load(joined.folder, ["maxmean"])
    with pytest.raises(DataError, match="only masks"):
        surfaces.surfaces(alone, dataset, "own", name)
    with pytest.raises(DataError, match="no map"):  # a pack has masks of the own rule alone
        mosaics.grid(alone, dataset, "half", [name])


def test_all_draws_what_it_can(results, dataset, monkeypatch):
    few = {name: plots.FIGURES[name] for name in ("roc", "cd", "pareto-parameters", "pareto")}
    monkeypatch.setattr(plots, "FIGURES", few)
    done = plots.draw_asked("all", plots.Request(results, dataset))
    assert {path.stem for path in done.paths} == {"roc", "pareto-own-image"}
    assert list(done.left_out) == ["cd", "pareto-parameters"]
    assert "three methods" in done.left_out["cd"]


def test_a_choice_that_changes_nothing_is_refused(results, dataset):
    for name, choice in (("roc", {"rule": "half"}), ("cd", {"reduction": "pooled"}),
                         ("bars", {"images": ("a",)})):  # fmt: skip
        with pytest.raises(WrongUse, match=f"changes nothing in the figure {name}"):
            plots.draw_asked(name, plots.Request(results, dataset, **choice))
    four = plots.Request(results, dataset, images=tuple(dataset.names()[:4]))
    with pytest.raises(WrongUse, match="gallery shows 3 images, --images names 4"):
        plots.draw_asked("gallery", four)
    with pytest.raises(WrongUse, match="--all changes nothing in the figure bars"):
        plots.draw_asked("bars", plots.Request(results, dataset, every=True))


def test_names_of_images_make_a_name_of_a_file(results, dataset):
    def name(*images):
        return plots.Request(results, dataset, images=images).name("grid")

    assert name("part/one", "two") == "grid-own-part-one-two"
    many = [f"a_rather_long_name_{number}" for number in range(20)]
    assert len(name(*many)) < 40 and name(*many) != name(*many[::-1])


def test_errors_name_what_was_asked_for(results, dataset):
    request = plots.Request(results, dataset)
    with pytest.raises(WrongUse, match="--against parameters goes with the figure pareto, not"):
        plots.draw_asked("roc", request, "parameters")
    with pytest.raises(UnknownName, match="cost 'size'"):
        plots.draw_asked("pareto", request, "size")
    with pytest.raises(UnknownName, match="did you mean pareto"):
        plots.draw("paretto", request)
    with pytest.raises(UnknownName, match="test_999"):
        mosaics.grid(results, dataset, "own", ["test_999"])
    with pytest.raises(DataError, match="tuned"):
        charts.bars(results, "tuned", "image")
    assert plots.refresh(plots.Request(results, dataset, "tuned"), ["grid"]).paths == []
    with pytest.raises(WrongUse, match="one figure, not of all"):
        plots.draw_asked("all", request, to=results.folder / "x.png")


def test_drawing_says_where_it_is(results, dataset, capsys):
    done = plots.refresh(plots.Request(results, dataset, "half"), ["cd", "bars"], show=True)
    assert "drawing synthetic-first8: 2/2" in capsys.readouterr().err and done.paths
    plots.draw_asked("bars", plots.Request(results, dataset, "half"))
    assert capsys.readouterr().err == ""


def test_a_curve_of_some_images_does_not_stand_beside_those_of_all(results):
    half = results.counts["tophat"].iloc[:6]
    record = replace(results.records["tophat"], failed={"x": "out of luck"})
    broken = Results(
        results.folder,
        {**results.records, "tophat": record},
        {**results.counts, "tophat": half},
    )
    figure = roc.roc(broken)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["Method", "Max-Mean"] and len(texts) == 4
    assert "not counted on every image: Top-Hat" in foot_of(figure)


# ------------------------------------------------------------------ width and letters


@pytest.fixture(scope="module")
def many(out):
    """Thirty-one methods of five groups, on eight images."""
    results = Results.load(out / "synthetic-first8")
    rows, record = results.counts["tophat"], results.records["tophat"]
    for number in range(31):
        group = ("spatial", "hvs", "lowrank", "cnn", "game")[number % 5]
        spec = f"row{number}"
        results.records[spec] = replace(record, label=f"Method {number}", group=group, busy=None)
        results.counts[spec] = rows.assign(
            fp=rows["fp"] + number, seconds=rows["seconds"] * 1.3**number
        )
    return results


def letters_of(figure):
    """(points, text) of all that is printed."""
    figure.draw_without_rendering()
    return [
        (text.get_fontsize(), text.get_text())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text.get_alpha() != 0
    ]


def raised(text):
    """Whether a letter of it is raised or lowered, which a font draws at half its size."""
    return any(decomposition(letter).startswith(("<super>", "<sub>")) for letter in text)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", plots.FIGURES)
def test_letters_have_seven_points_at_the_width_of_print(many, dataset, monkeypatch, name, width):
    monkeypatch.setattr(tradeoff, "trained_parameters", lambda spec, group: 10 * (group == "cnn"))
    request = plots.Request(many, dataset, layout=Layout(width, stamped=True))
    made = plots.FIGURES[name].make(request)
    for figure in made if isinstance(made, list) else [made]:
        assert figure.get_figwidth() == pytest.approx({"page": 17.8, "column": 8.5}[width] / 2.54)
        panels = name not in ("grid", "gallery", "surfaces")
        assert figure.get_figheight() <= (22 / 2.54 if width == "column" and panels else 11)
        found = letters_of(figure)
        assert min(found)[0] >= SMALLEST, min(found)
        small = [text for _, text in found if "$\\mathdefault" in text or raised(text)]
        assert not small  # their letters are smaller than the font


# ------------------------------------------------------------------ many methods


@pytest.mark.parametrize("width", WIDTHS)
def test_of_many_curves_the_best_of_each_group_are_shown_and_told(many, width):
    for number, (spec, record) in enumerate(many.records.items()):
        many.records[spec] = replace(record, auc=0.5 + number / 100)
    figure = roc.roc(many, Layout(width))
    drawn = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert len(drawn) == len({many.records[spec].group for spec in many.records}) == 5
    looks_ = {(str(line.get_linestyle()), line.get_marker()) for line in drawn}
    assert len(looks_) == 5  # told apart without their hues
    assert "the best of each group by AUC, 5 of 33 methods" in foot_of(figure)
    legend = figure.axes[0].get_legend() or figure.legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    best = sorted(many.records.values(), key=lambda one: -one.auc)[:5]
    assert names == ["Method", *(one.label for one in best), "AUC",
                     *(f"{one.auc:.3f}" for one in best)]  # groups take turns  # fmt: skip
    figure.draw_without_rendering()
    ends = {round(text.get_window_extent().x1) for text in legend.get_texts()[7:]}
    assert max(ends) - min(ends) <= 1


@pytest.mark.parametrize("draw", [roc.roc, roc.pr])
def test_all_curves_stand_in_a_panel_a_group(many, draw):
    figure = draw(many, every=True)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[-1] == "Best of each group" and len(titles) == 6
    assert all(axes.get_visible() for axes in figure.axes)  # no cell is empty
    shown = sum(len(axes.get_legend().get_texts()) // 2 - 1 for axes in figure.axes[:-1])
    assert shown == len(many.records)


def test_all_curves_fit_a_column_on_pages(many):
    pages = roc.roc(many, Layout("column"), every=True)
    assert len(pages) > 1 and sum(len(page.axes) for page in pages) == 5
    for page in pages:
        assert page.get_figheight() <= 22 / 2.54
        page.draw_without_rendering()  # a warning is an error: no axes have collapsed
        for axes in page.axes:
            legend = axes.get_legend().get_window_extent()
            assert legend.x0 >= 0 and legend.x1 <= page.bbox.x1


def test_few_methods_are_all_shown(results):
    figure = roc.roc(results)
    assert "best of each group" not in foot_of(figure)
    assert len(figure.legends[0].get_texts()) // 2 - 1 == 2


def test_rows_of_the_user_are_shown_above_the_best_of_each_group(many):
    groups = ("own", "own", "own", "submitted", "submitted")
    brought = [f"row{number}" for number in range(5)]
    for place, (spec, record) in enumerate(many.records.items()):
        many.records[spec] = replace(record, auc=0.9 - place / 100)
    for spec, group in zip(brought, groups, strict=True):
        many.records[spec] = replace(many.records[spec], group=group, auc=0.4)
    figure = roc.roc(many, Layout("column"))
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [f"Method {number}" in names for number in range(5)] == [True] * 4 + [False]
    assert "without Method 4 of those brought" in foot_of(figure)
    lines = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    black = [line for line in lines if line.get_color() == "#000000"]
    others = [line for line in lines if line not in black]
    assert len(black) == 4
    assert min(one.get_zorder() for one in black) > max(one.get_zorder() for one in others)
    assert len({(str(one.get_linestyle()), one.get_marker()) for one in black}) == 4
    assert {group_colour(registry.cards()[name].group) for name in registry.names()}.isdisjoint(
        {"#000000"}
    )
    assert group_marker("own") != group_marker("submitted")


def test_a_group_has_one_colour_in_bars_and_among_curves(results):
    (curve, _), (panel, _) = roc.roc(results).axes[0].lines[:2], charts.bars(
        results, "own", "image").axes  # fmt: skip
    assert to_rgb(curve.get_color()) == panel.patches[0].get_facecolor()[:3]
    assert panel.patches[0].get_facecolor()[3] == 1


def test_whiskers_lie_above_the_marks_of_the_paper(results):
    axes = charts.bars(results, "own", "image").axes[0]
    (whiskers,) = axes.containers[1].lines[2]
    marks = [one for one in axes.collections if one is not whiskers]
    assert marks and all(one.get_zorder() < whiskers.get_zorder() for one in marks)


def test_letters_on_cells_can_be_read(results, dataset):
    figure = charts.difficulty(results, dataset, "own", layout=Layout("column"))
    pairs = [
        (text.get_color(), cell.get_facecolor()[:3])
        for axes in figure.axes
        for text, cell in zip(axes.texts, axes.patches, strict=True)
    ]
    assert pairs and min(charts.contrast(*pair) for pair in pairs) >= 4.5
    assert charts.contrast(GREY, "white") >= 4.5  # feet, and names of classes of few images
    assert charts.contrast("black", "white") == pytest.approx(21)


def test_a_path_in_a_label_is_cut_to_its_end():
    def printed(label):
        return label_of(make_record("x", label=label))

    assert printed("X (weights=/a/long/path/seed1/w.npz, k=2)") == "X (weights=seed1/w.npz, k=2)"
    assert printed(f"X (weights='/a b/{'d' * 30}/w.npz')") == "X (weights='w.npz')"
    assert len(printed(f"X (weights=/a/{'f' * 60})")) < 45
    assert printed("F1/IoU net (a=1)") == "F1/IoU net (a=1)"


def test_without_a_foot_its_text_is_said(results, dataset):
    request = plots.Request(results, dataset, layout=Layout("column", footed=False))
    done = plots.draw("bars", request)
    assert done.paths[0].name == "bars-own-image-column-nofoot.png"
    (said,) = done.said
    assert "for its caption: synthetic, test (first 8 of 24 images)" in said


def test_a_row_without_a_time_stands_in_a_band_of_its_own(results):
    results.counts["maxmean"] = results.counts["maxmean"].assign(seconds=np.nan)
    results.records["maxmean"] = replace(results.records["maxmean"], group="submitted")
    for layout in (Layout("page"), Layout("column")):
        figure = tradeoff.seconds(results, "own", "image", layout=layout)
        timed, band = figure.axes[:2]
        assert band.get_xlabel() == "No time" and timed.get_ylim() == band.get_ylim()
        (mark,) = band.collections[0].get_offsets()
        summary = results.summary("own", "image").set_index("method")
        assert mark[1] == pytest.approx(summary["f1"]["maxmean"])


def test_marks_of_the_legend_are_alike_whatever_is_on_the_front(results):
    figure = tradeoff.seconds(results, "own", "image")
    handles = figure.legends[0].legend_handles[:-1]
    assert {handle.get_markeredgecolor() for handle in handles} == {"white"}


def test_in_a_column_points_have_numbers_and_a_list_says_whose(results):
    figure = tradeoff.seconds(results, "own", "image", layout=Layout("column"))
    axes, key = figure.axes
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == ["1", "2"]
    listed = [text.get_text() for text in key.texts]
    data, _, _ = tradeoff.seconds_data(results, "own", "image")
    assert listed == [f"{n}  {label}" for n, label in zip(numbers, data["label"], strict=True)]


# ------------------------------------------------------------------ what pictures show


def test_easy_median_and_hard_images_follow_the_contrast_of_their_targets(results, dataset):
    chosen = pictures.by_contrast(results, dataset, "own")
    assert list(chosen.values()) == ["easy", "median", "hard"]
    names = results.counts["tophat"]["image"].unique()
    ratios = describe(dataset, names)["scr"].sort_values()
    easy, median, hard = (ratios.index.get_loc(name) for name in chosen)
    assert (hard, easy) == (1, 6) and median in (3, 4)  # of eight
    for spec, rows in results.counts.items():
        results.counts[spec] = rows.assign(fn=rows["tp"] + rows["fn"], tp=0)
    assert pictures.by_contrast(results, dataset, "own") == chosen


def test_a_map_is_shown_on_a_logarithm():
    score = np.array([[-2.0, 98.0, 8.0, -1.9]])  # 0, 1, 0.1 and 0.001 of its range
    np.testing.assert_allclose(pictures.logarithm(score), [[0, 1, 2 / 3, 0]], atol=1e-12)
    assert not pictures.logarithm(np.ones((2, 2))).any()


def test_a_hot_target_leaves_the_scene_visible():
    image = np.tile(np.linspace(20, 60, 100), (100, 1))
    image[50, 50] = 255
    grey = pictures.grey_scene(image)
    assert grey[50, 50] == 1 and np.ptp(grey[0]) > 0.9
    assert not pictures.grey_scene(np.full((3, 3), 7.0)).any()
    still = np.zeros((100, 100))
    still[::2] = 1  # noise of one level
    still[50, 50] = 200
    assert pictures.grey_scene(still)[0].max() <= 0.1


def test_no_inset_lies_over_a_mask(results, dataset, monkeypatch):
    panels = []
    real = mosaics.Sheet.panel

    def keep(self, pixels, place, marks, zoom=None, corner=(0, 0)):
        panels.append((place, zoom))
        real(self, pixels, place, marks, zoom, corner)

    monkeypatch.setattr(mosaics.Sheet, "panel", keep)
    mosaics.grid(results, dataset, "own")
    assert panels and all(zoom is None for _, zoom in panels)
    places = np.array([place for place, _ in panels])  # left, top, width, height
    ends = places[:, :2] + places[:, 2:]
    for index, (start, end) in enumerate(zip(places[:, :2], ends, strict=True)):
        shared = np.minimum(end, ends[:index]) - np.maximum(start, places[:index, :2])
        assert not (shared > 1e-9).all(axis=1).any()


def test_classes_of_few_images_are_pale_and_narrow(results, dataset):
    figure = charts.difficulty(results, dataset, "own")  # of eight images, so all are few
    patches = [patch for axes in figure.axes for patch in axes.patches]
    assert {patch.get_width() for patch in patches} == {0.75}
    least = min(min(patch.get_facecolor()[:3]) for patch in patches)
    assert least >= 1 - charts.FADED - 1e-9
    assert "pale: fewer than 10 images" in foot_of(figure)
    names = [text.get_text() for axes in figure.axes for text in axes.get_xticklabels()]
    assert all("n=" in name for name in names)
