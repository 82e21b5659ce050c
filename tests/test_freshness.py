"""Which figures still hold, what takes whose place, and what a figure prints."""

import os
import shutil
from dataclasses import replace

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError
from istsbench.figures import roc
from istsbench.figures.catalogue import Request, draw, refresh
from istsbench.figures.fonts import fonts, use_any_font
from istsbench.figures.freshness import drawn
from istsbench.figures.style import Layout, label_of, plain
from istsbench.figures.writing import DrawnFrom, write_figure, written
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.runs.record import map_store
from istsbench.runs.run import run

TAG = "synthetic-first3"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two methods on three images, with figures of three kinds."""
    folder = tmp_path_factory.mktemp("results")
    run(choose("tophat,maxmean"), open_dataset("synthetic"), folder, limit=3, show=False)
    refresh(Request(Results.load(folder / TAG), open_dataset("synthetic")), ("roc", "bars", "grid"))
    return folder


@pytest.fixture
def out(made, tmp_path):
    return shutil.copytree(made, tmp_path / "out")


def request_of(out, methods=None, **options):
    results = Results.load(out / TAG, methods)
    return Request(results, open_dataset("synthetic"), chosen=methods is not None, **options)


def current(out):
    found = drawn(Results.load(out / TAG), "own", "image", "png")
    return [path.stem for path in found.current], [path.stem for path in found.old]


def forget_maps(out, spec):
    record = Results.load(out / TAG).records[spec]
    shutil.rmtree(map_store(out, record).folder)


# ------------------------------------------------------------------ what still holds


def test_a_clone_a_copy_and_a_touch_leave_figures_fresh(made, tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(made / TAG, clone / TAG, copy_function=shutil.copy)  # without times
    for path in clone.rglob("*.json"):
        os.utime(path)  # now newer than each figure
    assert current(clone) == (["bars-own-image", "roc", "grid-own"], [])
    assert refresh(request_of(clone), ("roc", "bars", "grid")).paths == []


def test_a_figure_of_other_inputs_is_old(out):
    run(choose("admd"), open_dataset("synthetic"), out, limit=3, show=False)
    assert current(out) == ([], ["bars-own-image", "roc", "grid-own"])
    assert {path.stem for path in refresh(request_of(out), ("roc",)).paths} == {"roc"}
    assert current(out) == (["roc"], ["bars-own-image", "grid-own"])


def test_a_figure_under_another_name_is_old(out):
    figures = out / TAG / "figures"
    shutil.copy(figures / "roc.png", figures / "pr.png")
    shutil.copy(figures / "grid-own.png", figures / "gallery-own.png")
    shutil.copy(figures / "roc.png", figures / "holiday.png")  # no name of a figure
    assert current(out) == (["holiday", "bars-own-image", "roc", "grid-own"],
                            ["pr", "gallery-own"])  # fmt: skip


def test_a_figure_without_one_of_its_files_is_drawn_again(out):
    (out / TAG / "figures" / "roc.pdf").unlink()
    assert {path.name for path in refresh(request_of(out), ("roc", "bars")).paths} == {
        "roc.png", "roc.pdf",
    }  # fmt: skip


def test_the_origin_reads_back_from_both_files(tmp_path):
    origin = DrawnFrom("0123456789abcdef", 7, 2, 3, True)
    paths = write_figure([Figure((1, 1)) for _ in range(3)], tmp_path, "x", origin)
    assert [DrawnFrom.read(path) for path in paths] == [origin] * 6
    assert written(tmp_path, "x") == origin
    (tmp_path / "x-page2.png").unlink()
    assert written(tmp_path, "x") is None


# ------------------------------------------------------------------ nothing is replaced by less


def test_a_figure_of_chosen_methods_has_its_own_name(out):
    before = (out / TAG / "figures" / "roc.png").read_bytes()
    words = ["plot", "roc", "--dataset", "synthetic", "--tag", TAG, "--out", str(out)]
    assert CliRunner().invoke(app, [*words, "--methods", "tophat"]).exit_code == 0
    (made,) = (out / TAG / "figures").glob("roc-of-*.png")
    assert (out / TAG / "figures" / "roc.png").read_bytes() == before
    stems, old = current(out)
    assert made.stem not in stems + old
    wanted = out / "mine.pdf"
    done = CliRunner().invoke(app, [*words, "--methods", "tophat", "--to", str(wanted)])
    assert done.exit_code == 0 and wanted.is_file() and not wanted.with_suffix(".png").exists()


def test_a_figure_that_would_lack_methods_takes_no_place(out):
    figures = out / TAG / "figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    forget_maps(out, "maxmean")
    with pytest.raises(DataError, match="kept as it is, for a new one would lack 1 of 2 methods"):
        draw("grid", request_of(out))
    assert refresh(request_of(out), ("grid",)).paths == []  # it still is of these results
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == before
    (figures / "grid-own.png").unlink()
    done = draw("grid", request_of(out))  # better than none, and it says so
    assert "--methods maxmean" in done.notes[0] and written(figures, "grid-own").missing == 1
    run(choose("maxmean"), open_dataset("synthetic"), out, limit=3, fresh=True, show=False)
    refresh(request_of(out), ("grid",))
    assert written(figures, "grid-own").missing == 0


def test_a_figure_of_unknown_origin_is_not_replaced_by_less(out):
    figures = out / TAG / "figures"
    write_figure(Figure((1, 1)), figures, "gallery-own")
    forget_maps(out, "tophat")
    with pytest.raises(DataError, match="kept as it is"):
        draw("gallery", request_of(out))
    draw("gallery", request_of(out), to=figures / "gallery-own")  # asked for by its file
    assert written(figures, "gallery-own").methods == 1


def test_a_run_that_loses_maps_keeps_the_pages(out):
    before = (out / TAG / "figures" / "grid-own.png").read_bytes()
    forget_maps(out, "maxmean")
    words = ["run", "--dataset", "synthetic", "--limit", "3", "--methods", "tophat", "--fresh",
             "--out", str(out)]  # fmt: skip
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (out / TAG / "figures" / "grid-own.png").read_bytes() == before


# ------------------------------------------------------------------ widths and formats


def test_a_figure_for_a_column_takes_no_place_of_one_for_a_page(out):
    figures = out / TAG / "figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    words = ["plot", "roc", "--dataset", "synthetic", "--tag", TAG, "--out", str(out)]
    for more, stem in (
        (["--width", "column"], "roc-column"),
        (["--all"], "roc-all"),
        (["--width", "column", "--all", "--stamp"], "roc-all-column-stamped"),
    ):
        assert CliRunner().invoke(app, [*words, *more]).exit_code == 0
        assert (figures / f"{stem}.png").is_file() and (figures / f"{stem}.pdf").is_file()
    assert {name: (figures / name).read_bytes() for name in before} == before
    assert current(out) == (["bars-own-image", "roc", "grid-own"], [])  # as everybody gets them


@pytest.mark.parametrize("more, endings", [
    (["--to", "a b.pdf"], ["pdf"]),
    (["--to", "a b.SVG", "--format", "pdf"], ["pdf", "svg"]),
    (["--to", "a b", "--format", "svg,png"], ["png", "svg"]),
    (["--to", "a b"], ["pdf", "png"]),
])  # fmt: skip
def test_a_file_is_written_in_the_formats_asked_for(out, tmp_path, monkeypatch, more, endings):
    monkeypatch.chdir(tmp_path)
    words = ["plot", "roc", "--dataset", "synthetic", "--tag", TAG, "--out", str(out), *more]
    assert CliRunner().invoke(app, words).exit_code == 0
    files = sorted(tmp_path.glob("a b.*"))
    assert [file.suffix[1:] for file in files] == endings
    assert {DrawnFrom.read(file) for file in files} == {DrawnFrom.read(files[0])} != {None}


def test_formats_that_are_not_written_are_named(out):
    words = ["plot", "roc", "--dataset", "synthetic", "--tag", TAG, "--out", str(out)]
    for more, said in ((["--to", "a.jpg"], "ends in .png, .pdf, .svg"),
                       (["--format", "eps"], "format 'eps'")):  # fmt: skip
        answer = CliRunner().invoke(app, [*words, *more])
        assert answer.exit_code == 2 and said in answer.stderr


def test_the_foot_has_hash_and_version_only_if_asked(made):
    results = Results.load(made / TAG)
    hash_ = results.any_record.data_hash
    foots = [roc.roc(results, Layout("page", stamped)).get_supxlabel() for stamped in (False, True)]
    assert [hash_ in foot for foot in foots] == ["istsbench" in foot for foot in foots]
    assert [hash_ in foot for foot in foots] == [False, True]


# ------------------------------------------------------------------ letters

STRANGE = "\u65b9\u6cd5 \u6d4b\u8bd5"  # "method test" in Chinese


def test_letters_without_a_font_are_said_once(made, tmp_path):
    out = shutil.copytree(made, tmp_path / "out")
    results = Results.load(out / TAG)
    for spec, record in results.records.items():
        results.records[spec] = replace(record, label=f"{STRANGE} {record.label}")
    done = refresh(Request(results, open_dataset("synthetic")), ("bars", "roc", "pareto"))
    assert len(done.paths) == 6
    if fonts() == ("DejaVu Sans",):
        (note,) = done.said
        assert "\u65b9\u6cd5\u6d4b\u8bd5" in note and "fonts-noto-cjk" in note
    else:  # a machine with a font for them
        assert not done.said


def test_any_installed_font_lends_its_letters(tmp_path, monkeypatch):
    letter = "\U00013000"  # a hieroglyph
    plain_fonts = [font for font in fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(fontManager, "ttflist", plain_fonts)
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((500, 0), (500, 500)):
        pen.lineTo(corner)
    pen.closePath()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "box"])
    font.setupCharacterMap({ord(letter): "box"})
    font.setupGlyf({".notdef": pen.glyph(), "box": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (600, 0), "box": (600, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "One Letter", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "one.ttf")
    figure = Figure()
    figure.text(0, 0, f"A {letter}")
    plain_text = figure.text(0, 0.5, "A")
    assert use_any_font([figure]) == letter
    fontManager.addfont(tmp_path / "one.ttf")
    assert use_any_font([figure]) == ""
    assert "One Letter" in figure.texts[0].get_fontfamily()
    assert "One Letter" not in plain_text.get_fontfamily()
    assert write_figure(figure, tmp_path, "one")  # a warning would be an error


def test_letters_of_installed_fonts_are_not_missed():
    figure = Figure()
    figure.text(0, 0, "IPI \u0394F1 \u2014 \u00c4\u00df\u0416\u03b1 \u2265 5\n")
    assert use_any_font([figure]) == ""


def test_a_label_is_printed_letter_by_letter(made, tmp_path):
    results = Results.load(made / TAG)
    label = "_mine for $5 or $\\frac$"
    results.records["tophat"] = replace(results.records["tophat"], label=label)
    figure = roc.roc(results)
    write_figure(figure, tmp_path, "roc")  # no formula that cannot be read
    (legend,) = figure.legends
    assert len(legend.get_texts()) // 2 - 1 == 2
    assert plain("a $x$") == r"a \$x\$" and label_of(results.records["maxmean"]) == "Max-Mean"


def test_how_empty_images_count_has_its_own_name(out):
    results = Results.load(out / TAG, empty="exclude")
    data = open_dataset("synthetic")
    assert Request(results, data).name("bars") == "bars-own-image"  # each image has a target
    first = results.counts["tophat"]["image"].iloc[0]
    for spec, counts in results.counts.items():
        targets = counts["targets"].where(counts["image"] != first, 0)
        results.counts[spec] = counts.assign(targets=targets, fn=0, tp=0)
    request = Request(results, data)
    assert request.name("bars") == "bars-own-image-empty-exclude" and request.name("roc") == "roc"
    write_figure(Figure((1, 1)), out / TAG / "figures", request.name("bars"))
    shown = drawn(results, "own", "image", "png")
    stems = [path.stem for path in (*shown.current, *shown.old)]
    assert "bars-own-image-empty-exclude" in stems and "bars-own-image" not in stems
    usual, old = current(out)
    assert "bars-own-image" in usual and "bars-own-image-empty-exclude" not in usual + old
