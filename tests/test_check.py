"""`istsbench check`: what it prints, counts and returns."""

import os
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from toys import Toy
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.plugins.check import check_method
from istsbench.side_effects import changed_settings, printed
from istsbench.testing import CHECKS


@pytest.fixture
def cli(toys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return lambda *words: CliRunner().invoke(app, ["check", *words])


EVERY = len(CHECKS)


@dataclass(frozen=True)
class Wrong(Toy):
    """Breaks one promise by an assertion, one by another error, and has excuses."""

    excused = {
        "accepts_odd_and_tiny_sizes": "needs nine pixels",
        "prints_nothing": "an excuse for nothing",
    }

    def score(self, image):
        if min(image.shape) < 9:
            raise ValueError("too\nsmall")
        if image.max() - image.min() == 255:
            raise RuntimeError("cannot\nscale")
        return super().score(image) - 1


def test_a_right_method_prints_a_count_alone(cli):
    done = cli("toy(gain=2)")
    assert done.exit_code == 0, done.output
    assert done.output == f"toy(gain=2)\n  {EVERY} run, {EVERY} passed, 0 excused\n"


def test_failures_and_excuses_are_said_with_their_reasons():
    report = check_method(Wrong(), "mine")
    assert not report.passed
    title, *lines, count = str(report).splitlines()
    found = {line.split()[1].rstrip(":"): line for line in lines}
    assert title == "mine"
    assert "Wrong.score on a 72x88 image returned a negative" in found["map_has_the_promised_form"]
    assert found["map_has_the_promised_form"].startswith("  failed    map_has_the_promised_form: ")
    line = found["accepts_saturated_and_binary_images"]
    assert "RuntimeError: cannot scale (test_check.py, line " in line
    assert found["accepts_odd_and_tiny_sizes"].startswith("  excused ")
    assert found["accepts_odd_and_tiny_sizes"].endswith(": needs nine pixels")
    assert "it passes; remove the excuse 'an excuse for nothing'" in found["prints_nothing"]
    failed = sum(line.startswith("  failed") for line in lines)
    passed = EVERY - failed - 1
    assert count == f"  {EVERY} run, {passed} passed, {failed} failed, 1 excused"


def test_a_broken_plug_in_is_reported_and_the_others_are_checked(cli):
    done = cli("absent,forgetful,toy")
    assert done.exit_code == 1
    absent, forgetful, toy = done.output.split(" run, ")[:3]
    assert "can_be_created: method 'absent' (no_such_package:Method) cannot be loaded" in absent
    assert "can_be_created: Can't instantiate abstract class Forgetful" in forgetful
    assert toy.endswith(f"toy\n  {EVERY}")


def test_a_class_is_found_in_the_working_directory(cli, tmp_path):
    (tmp_path / "hidden_plug.py").write_text(
        "from dataclasses import dataclass\nfrom toys import Toy\n\n"
        "@dataclass(frozen=True)\nclass Mine(Toy):\n    pass\n"
    )
    done = cli("hidden_plug:Mine")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("hidden_plug:Mine\n")
    assert f"{EVERY} passed" in done.output
    done = cli("hidden_plug:Other")
    assert done.exit_code == 1 and "has no attribute 'Other'" in done.output


def test_a_class_takes_parameters(cli):
    done = cli("toys:Toy(gain=2)")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("toys:Toy(gain=2)\n")
    assert f"{EVERY} passed" in done.output


def test_a_name_that_is_not_known_may_be_one_of_yours(cli):
    done = cli("zzz")
    assert done.exit_code == 2
    assert "known: " in done.output and "not installed? `pip install -e`" in done.output
    assert "mymethod:Mymethod" in done.output


@pytest.mark.parametrize(
    "words, message",
    [
        (["toys:Toy(gian=2)"], "did you mean gain?"),
        (["toys:Toy(gain=abc)"], "gain is 'abc', expected float"),
        (["toys:Toy(gain=2))"], "')' closes no bracket"),
        (["tophatt"], "unknown method or group 'tophatt'; did you mean tophat"),
        (["toy(gian=1)"], "did you mean gain?"),
        (["nowhere.at.all:Mine"], "'nowhere.at.all:Mine' names no class that can be found"),
        (["toys:"], "expected package.module:Class"),
        (["learner"], "Learner has no weights; give a file as weights=FILE"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use_says_what_was_expected(cli, words, message):
    done = cli(*words)
    assert done.exit_code == 2, done.output
    assert message in done.output


def test_a_network_without_weights_is_checked_with_random_ones(cli):
    done = cli("pixelgame-slim(width=4)")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("pixelgame-slim(width=4), random weights\n")
    assert "left out  finds_a_bright_target: a promise of trained weights" in done.output
    assert f"  {EVERY - 2} run, {EVERY - 2} passed, 0 excused, 2 left out\n" in done.output


def test_settings_are_put_back():
    def call():
        os.environ["ISTSBENCH_NEVER"] = "1"
        np.seterr(over="ignore")
        os.chdir("/")

    before = dict(os.environ), np.geterr(), os.getcwd()
    assert changed_settings(call) == ["numpy.seterr", "os.environ", "the working directory"]
    assert (dict(os.environ), np.geterr(), os.getcwd()) == before


def test_what_a_library_prints_counts_too(capfd):
    assert printed(lambda: os.write(2, b"from C")) == "from C"
    with pytest.raises(ArithmeticError):
        printed(lambda: 1 // 0)
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"
