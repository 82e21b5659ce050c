import sys
import time

import pytest

from istsbench import progress as module
from istsbench.progress import Remaining, busy, clock, progress


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_what_is_left_follows_the_pieces_that_are_done():
    work = Remaining({"": 4}, {})
    assert work.left(3.0) is None and work.text(3.0) == "0/4, 0:03 gone"
    work.add("")
    work.add("")
    assert work.left(10.0) == pytest.approx(10.0)


def test_costs_tell_what_is_left_before_anything_is_done():
    work = Remaining({"dear": 4}, {"dear": 20.0}, jobs=2)
    assert work.text(0.0) == "0/4, 0:00 gone, about 0:40 left"
    assert work.left(15.0) == pytest.approx(25.0)
    assert work.left(100.0) == pytest.approx(100.0)  # it is later than forecast, and never 0


@pytest.mark.parametrize("slower", [0.4, 1.0, 3.0])
def test_what_is_left_is_near_from_the_first_quarter_on(slower):
    """A hundred quick pieces, then ten of a hundred times the cost, on other machines."""
    costs, gone = {"quick": 0.01, "dear": 1.0}, 0.0
    work = Remaining({"quick": 100, "dear": 10}, costs)
    true = slower * (100 * 0.01 + 10 * 1.0)
    for kind in ["quick"] * 100 + ["dear"] * 9:
        work.add(kind)
        gone += slower * costs[kind]
        if gone >= true / 4:
            assert 1 / 1.5 < work.left(gone) / (true - gone) < 1.5


def test_a_kind_of_unknown_cost_counts_as_the_middle_one():
    work = Remaining({"a": 1, "b": 1, "c": 1, "new": 1}, {"a": 1.0, "b": 2.0, "c": 30.0})
    assert work.costs["new"] == 2.0
    for kind in work.costs:
        work.add(kind)
    assert work.left(7.0) == 0.0


def test_without_a_terminal_it_says_plain_lines(capsys):
    with progress("scoring x", 4) as report:
        for what in "abcd":
            report(what)
    assert capsys.readouterr().err == "scoring x: 4/4, 0:00 gone, about 0:00 left (d)\n"


def test_a_long_wait_is_said_at_once(capsys):
    with progress("scoring x", {"slow": 2}, costs={"slow": 60.0}):
        assert capsys.readouterr().err == "scoring x: 0/2, 0:00 gone, about 2:00 left\n"
    with progress("scoring x", {"quick": 2}, costs={"quick": 0.01}):
        assert capsys.readouterr().err.startswith("scoring x: 0/2")  # the end of the first
        assert capsys.readouterr().err == ""


def test_it_speaks_while_nothing_is_done(capsys, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    shown = ""
    with progress("scoring x", {"slow": 1}), busy("drawing"):
        while not ("scoring x: 0/1" in shown and "drawing: 0:00 gone" in shown):
            time.sleep(0.01)
            shown += capsys.readouterr().err


@pytest.mark.parametrize("options", [{"pieces": 0}, {"pieces": 2, "show": False}])
def test_it_is_silent_where_nothing_is_to_be_shown(capsys, options):
    with progress("scoring x", **options) as report, busy("drawing", show=False):
        report("a")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_a_bar_that_ends_with_an_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(KeyboardInterrupt), progress("scoring x", 2) as report:
        report("method_a")
        raise KeyboardInterrupt
    shown = capsys.readouterr().err
    assert "scoring x" in shown and "1/2" in shown and "method_a" in shown
