"""The short form of what `benchmarks/README.md` has figures of; no time is asserted."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd

from istsbench.runs import forecast as plan
from istsbench.tables.counterparts import measured

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def lines(script, *words):
    command = [sys.executable, str(FOLDER / script), *words]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_scaling_compares_one_job_with_two():
    words = ["--methods", "tophat,pstnn", "--limit", "3", "--rounds", "1"]
    printed = lines("scaling.py", *words)
    rows = [line.strip("| ").split(" | ") for line in printed if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == ["tophat", "pstnn", "all in one run"]
    for _, one, two, ratio in rows:
        assert float(one) > 0 and float(two) > 0 and float(ratio) > 0


def test_pairs_time_both_versions_on_every_image():
    words = [sys.executable, "--methods", "tophat,pstnn", "--dataset", "synthetic", "--every", "8"]
    printed = lines("pairs.py", *words)
    timed = printed.index("")
    assert printed[timed + 1] == f"{timed // 2} images of synthetic"
    rows = [line.strip("| ").split(" | ") for line in printed[timed + 4 :]]
    assert [row[0] for row in rows] == ["tophat", "pstnn", "all"]
    for column in (1, 2):
        each = [float(line.split()[1 + column]) for line in printed[:timed]]
        assert abs(sum(each) - float(rows[-1][column])) < 0.01 and min(each) >= 0


def test_the_cost_of_networks_is_written_where_table_viii_looks(tmp_path):
    words = ["--methods", "acm", "--size", "32", "--device", "cpu", "--seconds", "0"]
    printed = lines("cost.py", *words, "--out", str(tmp_path))
    assert [Path(line).name for line in printed] == [
        f"table_viii.{e}" for e in ("csv", "md", "tex")
    ]
    ours, protocol = measured("table_viii", tmp_path)
    assert list(ours["method"]) == ["ACM"] and "32x32 pixels; times on" in protocol[0]


def test_reference_codes_look_like_their_methods_and_no_legend_covers_them():
    book = runpy.run_path(str(FOLDER / "speed_book.py"))
    sizes = pd.read_csv(FOLDER / "sizes.csv")
    known = {cost.method: cost for cost in plan.fit_costs(sizes)}
    figure = book["sizes_figure"](sizes, known, book["references"](FOLDER / "speed.csv"))
    figure.draw_without_rendering()
    upper, lower = figure.axes[:4], figure.axes[4:]
    for axes, below in zip(upper, lower, strict=True):
        marks = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
        assert len(marks) == len({line.get_marker() for line in marks})
        assert bool(marks) == (axes.get_title() != "Networks")  # which have no reference code
        assert axes.get_legend() is None
        legend = below.get_legend().get_window_extent()
        assert not any(legend.overlaps(one.get_window_extent()) for one in figure.axes)


def test_overhead_is_told_by_both_clocks():
    words = ["--dataset", "synthetic", "--rounds", "1", "--processes", "1"]
    printed = lines("overhead.py", *words)
    assert printed[0].startswith("24 images, 1 processes")
    for kind, line in zip(("CPU", "wall"), printed[1:], strict=True):
        assert re.match(rf"{kind}: bare loop [\d.]+ s, runner [\d.]+ s, overhead [+-]", line)


def test_counting_is_timed_in_both_versions():
    here = str(FOLDER.parent)
    printed = lines("counting.py", here, "--dataset", "synthetic", "--limit", "2", "--rounds", "1")
    rows = [line.strip("| ").split(" | ") for line in printed if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == ["tophat", "pstnn", "noise"]
    assert all(float(cell) > 0 for row in rows for cell in row[1:])
