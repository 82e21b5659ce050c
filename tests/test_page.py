import hashlib
import json
import re
import shutil
import time
from dataclasses import replace

import browser
import numpy as np
import pandas as pd
import pytest

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Sample
from istsbench.registry import choose
from istsbench.report import page as report
from istsbench.report.failures import FailurePicture, extremes, mask_overlay, ordered, path
from istsbench.report.page import write_report
from istsbench.results.results import Results
from istsbench.runs.record import read_record, write_record
from istsbench.runs.run import run

TAG = "synthetic-first4"
METHODS = ["Top-Hat", "Max-Mean", "ADMD"]
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">{{ 7*7 }}'


def page_of(*given):
    return write_report(*given).paths[0]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    chosen = choose("tophat,maxmean,admd")
    data = open_dataset("synthetic")
    run(chosen, data, folder, wanted=("own", "half"), limit=4, show=False)
    return folder


@pytest.fixture(scope="module")
def figures():
    """Few kinds of figures, for drawing takes long."""
    with pytest.MonkeyPatch.context() as patch:
        few = {name: report.FIGURES[name] for name in ("roc", "roc-log", "grid")}
        patch.setattr(report, "FIGURES", few)
        yield few


@pytest.fixture(scope="module")
def page(out, figures):
    return page_of(out / TAG).read_text("utf-8")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    program = browser.find()
    if program is None:
        pytest.skip(f"needs a browser: one of {', '.join(browser.PROGRAMS)}")
    opened = browser.Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def shown(page, out, chromium):
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.open(out / TAG / "report.html")
    return chromium


# ------------------------------------------------------------------ marks by hand


def test_marks_of_a_hit_a_miss_and_a_false_alarm():
    truth = np.zeros((20, 30), bool)
    truth[5:7, 5:7] = truth[15, 20] = True
    mask = np.zeros((20, 30), bool)
    mask[5:7, 5:8] = mask[0, 29] = True
    found = mask_overlay(mask, truth)
    assert found["found"] == [[2, 2, 8, 8]]  # x, y, width, height with a margin of 3
    assert found["missed"] == [[17, 12, 7, 7]]
    assert found["false"] == [[26, 0, 4, 4]]  # cut at the border of the image
    assert found["number"] == 1


def test_the_path_is_the_mask():
    mask = np.random.default_rng(0).random((12, 15)) < 0.3
    drawn = np.zeros_like(mask)
    for x, y, length in re.findall(r"M(\d+) (\d+)\.5h(\d+)", path(mask)):
        drawn[int(y), int(x) : int(x) + int(length)] = True
    np.testing.assert_array_equal(drawn, mask)
    assert path(np.indices((40, 40)).sum(axis=0) % 2 == 0) == ""  # too ragged to draw


def test_a_close_up_holds_the_targets_and_stays_inside():
    mask = np.zeros((100, 200), bool)
    mask[97:99, 190:195] = True
    x, y, width, height = FailurePicture.of(Sample("a", np.zeros((100, 200)), mask)).close
    assert (x, y, width, height) == (152, 52, 48, 48)
    mask[2, 2] = True  # far apart: the first one
    x, y, width, height = FailurePicture.of(Sample("a", np.zeros((100, 200)), mask)).close
    assert (x, y, width, height) == (0, 0, 48, 48)


def test_best_and_worst_images_never_meet_and_have_targets():
    rows = pd.DataFrame(
        {"tp": [0, 5, 9, 0], "fp": [0, 5, 1, 3], "fn": [0, 1, 0, 4],
         "targets": [0, 1, 1, 1], "false_pixels": 0},
        index=["empty", "middle", "good", "bad"],
    )  # fmt: skip
    assert extremes(rows, rows.index) == (["good", "middle"], ["bad"])
    assert extremes(rows, ["good"]) == (["good"], [])


def test_images_are_ordered_by_disagreement():
    f1 = pd.DataFrame({"a": [0.5, 0.9, 1.0], "b": [0.5, 0.1, 0.7]}, index=["x", "y", "z"])
    assert ordered(f1) == ["y", "z", "x"]


# ------------------------------------------------------------------ the page as text


def test_tables_hold_the_scores_of_every_rule_and_reduction(page, out):
    results = Results.load(out / TAG)
    parts = re.split(r'id="(table-\w+-\w+)"', page)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(found) == [f"table-{r}-{d}" for r in ("own", "half") for d in ("image", "pooled")]
    for name, text in found.items():
        _, rule, reduction = name.split("-")
        summary = results.summary(rule, reduction)
        rows = re.findall(r'<tr><th scope="row" class="name".*?</tr>', text, re.S)
        assert len(rows) == len(summary) == 3
        for row, (_, line) in zip(rows, summary.iterrows(), strict=True):
            values = re.findall(r'<td class="own" data-value="([^"]*)"', row)
            assert float(values[0]) == pytest.approx(line["f1"], rel=1e-8, abs=0)
            assert float(values[4]) == pytest.approx(1e6 * line["fa"], rel=1e-8, abs=0)


def test_a_phone_shows_f1_and_iou_first_and_a_wide_table_says_that_it_scrolls(page):
    heads = re.findall(r"<button type=\"button\">([^<]*)</button></th>", page)
    assert heads[:5] == ["Method", "F1", "IoU", "nIoU", "Pd"]
    style = page[page.index("<style>") : page.index("</style>")]
    assert re.search(r"\.sortable \.name \{[^}]*position: sticky", style)
    assert page.count('class="hint"') == page.count('class="scroll" tabindex="0"') == 4


def test_rows_that_were_not_run_here_are_marked(out, page, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    folder = tmp_path / "out" / TAG
    record = read_record(folder / "admd.json")
    write_record(folder, replace(record, group="submitted"))
    text = page_of(folder).read_text("utf-8")
    tag = '<em class="tag">submitted</em>'
    assert text.count(f"ADMD</a> {tag}</th>") == 4 and text.count(f"<li>{tag} rows") == 4
    assert "Max-Mean</a></th>" in text and tag not in page
    assert re.search(r"ADMD</h3> <span>[^<]* · submitted", text)


def test_sections_show_detection_and_false_alarms_of_every_rule(page, out):
    results = Results.load(out / TAG)
    part = page[page.index('id="m-tophat"') :]
    for rule in ("own", "half"):
        (line,) = re.findall(rf'<tr><th scope="row">{rule}</th>.*?</tr>', part, re.S)[:1]
        scores = results.summary(rule, "pooled").set_index("method").loc["tophat"]
        assert line.endswith(f"<td>{scores['pd']:.3f}</td><td>{1e6 * scores['fa']:.1f}</td></tr>")


def test_a_large_page_says_what_makes_it_so(page):
    assert report._why_large(page.encode()) == []
    figure = b'<img src="data:image/png;base64,' + b"A" * 6_000_000 + b'">'
    (note,) = report._why_large(page.encode() + figure)
    assert "more than 5" in note and note.index("of figures") < note.index("of pictures")


def test_the_page_loads_nothing_and_is_the_same_each_time(page, out):
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    outside = {s for s in sources if not s.startswith(("#", "data:image/"))}
    assert outside and all(s.startswith("https://doi.org/10.") for s in outside)
    assert not re.findall(r"url\(|@import|\bstyle=|\son\w+=", page)
    assert page_of(out / TAG).read_text("utf-8") == page


def test_figures_are_drawn_and_embedded_once(page, figures):
    found = re.findall(r'<figure id="f-([^"]+)"><img src="data:image/(?:png|jpeg);base64', page)
    assert found == ["roc", "roc-log", "grid-own"]


def test_old_figures_are_drawn_again_and_others_are_not(out, page, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    figures = tmp_path / "out" / TAG / "figures"
    shutil.copy(figures / "roc-log.png", figures / "roc.png")  # not what its name says
    before = {path: path.stat().st_mtime_ns for path in figures.iterdir()}
    write_report(tmp_path / "out" / TAG)
    after = {path: path.stat().st_mtime_ns for path in figures.iterdir()}
    assert {path.name for path in after if after[path] != before[path]} == {"roc.png", "roc.pdf"}


def test_figures_of_another_choice_or_other_results_are_left_out(out, page, tmp_path):
    shutil.copytree(out / TAG, tmp_path / TAG)
    figures = tmp_path / TAG / "figures"
    for name in ("bars-half-pooled", "grid-half", "grid-own-test_9", "mine"):
        shutil.copy(figures / "grid-own.png", figures / f"{name}.png")
    text = page_of(tmp_path / TAG).read_text("utf-8")
    found = re.findall(r'<figure id="f-([^"]+)"', text)
    assert found == ["mine", "roc", "roc-log", "grid-own"]
    assert "drawn from other results and could not be drawn again: grid-own-test_9." in text


def test_no_difference_is_minus_nothing():
    column = report.PageColumn("f1_diff", "", "", 3)
    assert report._cell(pd.Series({"f1_diff": -0.0004}), column, None)["text"] == "+0.000"


def test_sections_tell_citation_parameters_rules_and_pictures(page):
    section = page[page.index('id="m-tophat"') :]
    section = section[: section.index('<details class="method"')]
    for text in (
        "https://doi.org/10.1117/", "MeanStd(k=", "PeakRatio(ratio=0.5)", "Best images",
        "Worst images", "median", "reference-checked",
    ):  # fmt: skip
        assert text in section, text
    assert section.count("<svg") == 4  # two of the four images each


def test_without_the_data_the_page_says_so(out, page, tmp_path):
    shutil.copytree(out / TAG, tmp_path / TAG)
    for file in (tmp_path / TAG).glob("*.json"):
        write_record(file.parent, replace(read_record(file), dataset="nuaa", data_hash="0" * 16))
    text = page_of(tmp_path / TAG, tmp_path).read_text("utf-8")
    assert "not at hand: NUAA-SIRST is not here" in text and "<image" not in text


def test_other_images_than_those_counted_are_not_shown(out, page, tmp_path):
    shutil.copytree(out / TAG, tmp_path / TAG)
    for file in (tmp_path / TAG).glob("*.json"):
        write_record(file.parent, replace(read_record(file), data_hash="0" * 16))
    text = page_of(tmp_path / TAG).read_text("utf-8")
    assert "other images than those counted" in text and "<image" not in text


def test_what_failed_is_told(out, page, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    folder = tmp_path / "out" / TAG
    record = json.loads((folder / "admd.json").read_text())
    broken = {key: record[key] for key in ("format", "dataset", "title", "split", "images", "of")}
    broken |= {"method": "gone", "file": "gone", "label": "gone", "data_hash": record["data_hash"],
               "group": "", "venue": "", "year": 0, "status": ""}  # fmt: skip
    (folder / "gone.json").write_text(json.dumps(broken | {"failed": {"": "it was not there"}}))
    name = Results.load(folder).counts["admd"]["image"][0]
    lines = (folder / "admd.csv").read_text().splitlines(keepends=True)
    rest = "".join(x for x in lines if not x.startswith(name))
    (folder / "admd.csv").write_text(rest)
    sha = hashlib.sha256(rest.encode()).hexdigest()
    failed = replace(read_record(folder / "admd.json"), failed={name: "out of luck"}, csv=sha)
    write_record(folder, failed)
    text = page_of(folder).read_text("utf-8")
    assert 'class="warning">it was not there' in text
    assert 'class="warning">1 of 4 images failed: out of luck' in text
    row = re.search(r'<tr><th scope="row" class="name" data-value="ADMD">.*?</tr>', text, re.S)
    assert re.findall(r'<td class="own" data-value="([^"]*)"', row.group())[:9] == [""] * 9


def test_the_command_names_the_file_and_what_is_left_out(out, page, tmp_path):
    from typer.testing import CliRunner

    answer = CliRunner().invoke(app, ["report", "--dataset", TAG, "--out", str(out)])
    assert answer.exit_code == 0 and f"{TAG}/report.html" in answer.output
    assert "left out" not in answer.stderr
    shutil.copytree(out / TAG, tmp_path / TAG)  # without maps
    (tmp_path / TAG / "figures" / "grid-own.png").unlink()
    answer = CliRunner().invoke(app, ["report", "--dataset", TAG, "--out", str(tmp_path)])
    assert answer.exit_code == 0 and "left out: grid: " in answer.stderr
    assert "--maps" in answer.stderr
    answer = CliRunner().invoke(app, ["report", "--dataset", TAG, "--rule", "oracle",
                                      "--out", str(out)])  # fmt: skip
    assert answer.exit_code == 1


# ------------------------------------------------------------------ the page in a browser

HEAD = (
    "[...document.querySelectorAll('.table[data-shown=yes] thead th')]"
    ".find(e => e.textContent === 'F1')"
)
LABELS = "[...document.querySelectorAll('.table[data-shown=yes] tbody th')].map(e => e.textContent)"


def test_it_opens_from_a_file_without_a_word_on_the_console(shown, out):
    assert shown.run("document.title") == "synthetic, test | istsbench"
    assert shown.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    loaded = [address for address in shown.requests if not address.startswith("data:")]
    assert loaded == [(out / TAG / "report.html").as_uri()]
    assert shown.errors == []


def test_a_click_sorts_and_a_second_one_turns_round(shown, out):
    summary = Results.load(out / TAG).summary("own", "image").set_index("label")["f1"]
    expected = list(summary.sort_values(ascending=False).index)
    assert shown.run(LABELS) == METHODS
    shown.run(f"{HEAD}.querySelector('button').click()")
    assert shown.run(LABELS) == expected != METHODS
    assert shown.run(f"{HEAD}.getAttribute('aria-sort')") == "descending"
    shown.run(f"{HEAD}.querySelector('button').click()")
    assert shown.run(LABELS) == expected[::-1]
    assert shown.errors == []


def test_rule_and_reduction_choose_the_table(shown):
    visible = "[...document.querySelectorAll('.table')].filter(e => e.offsetHeight).map(e => e.id)"
    assert shown.run(visible) == ["table-own-image"]
    shown.run("rule.value = 'half'; rule.dispatchEvent(new Event('change'))")
    shown.run("reduction.value = 'pooled'; reduction.dispatchEvent(new Event('change'))")
    assert shown.run(visible) == ["table-half-pooled"]
    shown.run("document.getElementById('with-intervals').click()")
    assert shown.run(
        "[...document.querySelectorAll('.sortable small')].every(e => !e.offsetHeight)"
    )
    assert shown.errors == []


def test_the_explorer_draws_and_filters(shown):
    captions = "[...document.querySelectorAll('#pictures figcaption b')].map(e => e.textContent)"
    assert shown.run("document.querySelectorAll('#images button').length") == 4
    assert shown.run(captions)[:2] == ["Image", "Truth"]
    assert sorted(shown.run(captions)[2:]) == sorted(METHODS)
    shown.run("document.querySelectorAll('#filter input')[0].click()")
    assert len(shown.run(captions)) == 4
    shown.run("document.querySelector('#images button').click()")
    first = shown.run("document.getElementById('panel-head').textContent")
    assert shown.run("document.getElementById('previous').disabled")
    shown.run("document.getElementById('next').click()")
    assert shown.run("document.getElementById('panel-head').textContent") != first
    shown.run("document.getElementById('close-up').click()")
    view = shown.run("document.querySelector('#pictures svg').getAttribute('viewBox')").split()
    assert view[2:] == ["48", "48"]
    assert shown.run("document.querySelectorAll('#pictures rect').length") > 0
    shown.run("document.getElementById('none').click()")
    assert len(shown.run(captions)) == 2
    assert shown.errors == []


def test_a_link_opens_its_method_and_a_print_opens_all(shown):
    shown.run("document.querySelector('a[href=\"#m-admd\"]').click()")
    until = time.monotonic() + 10
    while not shown.run("document.getElementById('m-admd').open") and time.monotonic() < until:
        time.sleep(0.05)
    assert shown.run("document.querySelectorAll('details.method[open]').length") == 1
    shown.run("dispatchEvent(new Event('beforeprint'))")
    assert shown.run("document.querySelectorAll('details:not([open])').length") == 0


def test_a_phone_never_scrolls_sideways(shown):
    size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    shown.call("Emulation.setDeviceMetricsOverride", **size)
    shown.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert shown.run("document.documentElement.scrollWidth") <= 360
    heads = "[...document.querySelectorAll('.table[data-shown=yes] thead th')]"
    right = shown.run(f"{heads}.map(e => e.getBoundingClientRect().right)")
    assert right[1] < right[2] <= 360  # F1 and IoU
    assert shown.run("document.querySelector('.table[data-shown=yes]').matches('.wide')")
    shown.call("Emulation.clearDeviceMetricsOverride")


def test_names_from_strangers_stay_names(out, figures, tmp_path, chromium):
    shutil.copytree(out, tmp_path / "out")
    folder = tmp_path / "out" / TAG
    hostile = dict.fromkeys(("label", "venue", "group", "status"), HOSTILE)
    texts = dict.fromkeys(("parameters", "environment"), {HOSTILE: HOSTILE})
    record = replace(read_record(folder / "admd.json"), **hostile, **texts, notes=(HOSTILE,))
    write_record(folder, record)
    shutil.rmtree(folder / "figures", ignore_errors=True)
    file = page_of(folder)
    chromium.errors.clear()
    chromium.open(file)
    assert chromium.run("window.hacked") is None
    assert chromium.run("document.querySelectorAll('script').length") == 2
    assert HOSTILE in chromium.run("document.getElementById('m-admd').textContent")
    assert HOSTILE in chromium.run(LABELS)
    assert chromium.errors == []
