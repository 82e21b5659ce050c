import sys

import pytest

from istsbench import progress as module
from istsbench.progress import progress


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")]
)
def test_clock(seconds, text):
    assert module._clock(seconds) == text


def test_without_a_terminal_it_says_plain_lines_now_and_then(capsys, monkeypatch):
    now = iter([0.0, 4.0, 10.0, 12.0, 20.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    with progress("scoring x", 4) as report:
        for what in "abcd":
            report(what)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "scoring x: 2/4, 0:10 gone, about 0:10 left (b)",
        "scoring x: 4/4, 0:20 gone, about 0:00 left (d)",
    ]


@pytest.mark.parametrize("options", [{"total": 0}, {"total": 2, "show": False}])
def test_it_is_silent_where_nothing_is_to_be_shown(capsys, options):
    with progress("scoring x", **options) as report:
        report("a")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_a_bar_that_ends_with_an_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(KeyboardInterrupt), progress("scoring x", 2) as report:
        report("method_a")
        raise KeyboardInterrupt
    shown = capsys.readouterr().err
    assert "scoring x" in shown and "1/2" in shown and "method_a" in shown
