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
    work.add("", 5.0)
    work.add("", 10.0)
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
        gone += slower * costs[kind]
        work.add(kind, gone)
        if gone >= true / 4:
            assert 1 / 1.5 < work.left(gone) / (true - gone) < 1.5


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_kind_of_unknown_cost_is_not_guessed_but_measured(jobs):
    """Of a method of one's own only the counting is forecast."""
    work = Remaining({"mine": 10, "counting": 1}, {"counting": 3.0}, jobs)
    assert work.left(0.0) is None and work.text(2.0) == "0/11, 0:02 gone"
    for number in range(jobs):
        work.add("mine", 0.5 + 0.01 * number)  # starting takes most of it
    assert work.left(0.5) < 10
    for number in range(jobs, 10):
        work.add("mine", 0.5 + 0.2 * (number + 1 - jobs) / jobs)
    assert work.left(2.3) < 4
    work.add("counting", 3.0)
    assert work.left(3.0) == 0


def test_what_is_known_is_told_besides_what_is_not():
    work = Remaining({"dear": 4, "mine": 4}, {"dear": 10.0})
    assert work.text(0.0) == "0/8, 0:00 gone, about 0:40 left besides mine"
    for number in range(4):
        work.add("dear", 10.0 * (number + 1))
    assert work.left(40.0) is None  # all that is left is of unknown cost
    work.add("mine", 41.0)
    assert work.left(41.0) == pytest.approx(3.0, rel=0.1)


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
