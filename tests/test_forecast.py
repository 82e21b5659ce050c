import json
import math
import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import SHAPE, Toy
from typer.testing import CliRunner

from istsbench import registry
from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import FolderDataset
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.registry import choose
from istsbench.runs import forecast as plan
from istsbench.runs import run as runner
from istsbench.runs.forecast import BASE, Cost, fit_costs, forecast

SPEED = Path(__file__).resolve().parents[1] / "benchmarks" / "speed.py"
NO_SIZE = (None, None, None)


def rows(method, times, machine="A"):
    lines = [(method, side, seconds, machine) for side, seconds in times.items()]
    return pd.DataFrame(lines, columns=["method", "side", "cpu", "machine"])


@given(
    st.floats(1e-4, 1e3), st.floats(0, 3), st.lists(st.sampled_from([64, 128, 256, 512, 1024]),
    min_size=2, unique=True),
)  # fmt: skip
def test_fit_finds_the_power_law_again(seconds, exponent, sides):
    times = {side: seconds * (side**2 / BASE) ** exponent for side in sides}
    (cost,) = fit_costs(rows("m", times))
    assert math.isclose(cost.seconds, seconds, rel_tol=1e-6)
    assert math.isclose(cost.exponent, exponent, rel_tol=0, abs_tol=1e-6)
    assert (cost.sizes, cost.smallest, cost.largest) == (len(sides), min(sides), max(sides))
    assert math.isclose(cost.of(4 * BASE), seconds * 4**exponent, rel_tol=1e-5)
    assert math.isclose(cost.spread, 1, rel_tol=1e-6)


def test_one_size_is_taken_as_linear_and_rows_without_a_time_count_for_nothing():
    measured = pd.concat([rows("one", {128: 2.0, 512: np.nan}), rows("none", {128: np.nan})])
    (cost,) = fit_costs(measured)
    assert (cost.method, cost.exponent, cost.sizes) == ("one", 1.0, 1)
    assert math.isclose(cost.of(256**2), 8.0)


def test_the_spread_is_how_far_a_time_is_off_the_line():
    (cost,) = fit_costs(
        rows("m", {64: 1.0, 128: 8.0, 256: 16.0})
    )  # the line: 2, 4 and 8 times 2^(1/3)
    assert 1.2 < cost.spread < 1.7


def test_costs_survive_their_table():
    kept = fit_costs(
        pd.concat([rows("a", {128: 1.0, 256: 5.0}), rows("b", {128: 0.001}, "B, or C")])
    )
    again = plan.costs(plan.as_csv(kept))
    assert list(again) == ["a", "b"]
    for one in kept:
        other = again[one.method]
        assert math.isclose(other.of(10**6), one.of(10**6), rel_tol=5e-3)
        assert (other.sizes, other.machine) == (one.sizes, one.machine)


def test_every_method_has_a_cost():
    assert not set(registry.groups()["all"]) - set(plan.costs())


@pytest.fixture
def known(toys, monkeypatch):
    """Costs of toys: quick and linear, slow and quadratic, and of one that batches."""
    found = {
        "toy": Cost("toy", 1.0, 1.0, 3, 16, 256, 1.0, "A"),
        "forgetful": Cost("forgetful", 10.0, 2.0, 1, 16, 256, 1.0, "A"),
        "batch": Cost("batch", 10.0, 2.0, 1, 16, 256, 1.0, "A"),
    }
    monkeypatch.setattr(plan, "costs", lambda: found)


def test_a_forecast_by_hand(known, tmp_path):
    size = (36, 256, 512)  # twice the base: 2 s of toy, 40 s of forgetful an image
    found = forecast("toy,forgetful,bad", "", "test", size, jobs=4, out=tmp_path)
    assert found.core_hours == pytest.approx(36 * 42 / 3600)
    assert found.wall_hours == pytest.approx(36 * 42 / 3600 / 4)
    assert found.disk == 4 * 2 * 36 * 256 * 512
    assert [line.spec for line in found.dominant] == ["forgetful"]
    assert found.unknown == ("bad",)
    text = found.text()
    assert "total: 25.2 min of one core; 6.3 min on 4 jobs at best" in text
    assert "longest single image: 40 s (forgetful)" in text
    assert "dominated by: forgetful (95%)" in text
    assert "measured at one size only, taken as linear in the pixels: forgetful" in text
    assert "beyond the sizes that were measured: all" in text
    assert "no measured cost: bad" in text
    assert "measured on A" in text


def test_more_jobs_do_not_beat_the_longest_image(known, tmp_path):
    found = forecast("toy,forgetful", "", "test", (3, 256, 256), jobs=64, out=tmp_path)
    assert found.wall_hours == pytest.approx(10 / 3600)


def test_jobs_do_not_share_out_a_network(known, tmp_path):
    found = forecast("toy,batch", "", "test", (64, 256, 256), jobs=64, out=tmp_path)
    assert found.wall_hours == pytest.approx((64 * 10 + 1) / 3600)
    assert "--jobs does not share them out (a GPU takes far less): batch\n" in found.text()


@pytest.fixture
def out(known, toy_folder, tmp_path):
    data = open_dataset(f"folder:{toy_folder}")
    runner.run(choose("toy"), data, tmp_path / "out", show=False)
    return tmp_path / "out"


def left(out, toy_folder, methods="toy"):
    found = forecast(methods, f"folder:{toy_folder}", "test", NO_SIZE, jobs=1, out=out)
    assert sum(map(len, (line.pixels for line in found.lines))) + found.done == 6
    return found


def test_what_is_done_is_counted_out(out, toy_folder):
    found = left(out, toy_folder)
    assert (found.done, found.core_hours) == (6, 0)
    assert "counted out: 6 maps" in found.text()


def test_counts_are_enough_and_so_are_maps(out, toy_folder):
    for path in out.glob("folder-toyset/*.json"):
        path.unlink()
    next(out.glob("maps/*/*/test_1.npy")).unlink()
    found = left(out, toy_folder)
    assert found.done == 5
    assert found.lines[0].pixels == (SHAPE[0] * SHAPE[1],)


def test_counts_of_lost_maps_are_done(out, toy_folder):
    for path in out.glob("maps/*/*/*.npy"):
        path.unlink()
    assert left(out, toy_folder).done == 6


def test_another_parameter_or_other_code_is_not_done(out, toy_folder, monkeypatch):
    assert left(out, toy_folder, "toy(gain=2)").done == 0
    (path,) = out.glob("folder-toyset/toy.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "method_hash": "0"}))
    assert left(out, toy_folder).done == 6  # the maps
    monkeypatch.setattr("istsbench.provenance.code_hash", lambda kind: "changed")
    assert left(out, toy_folder).done == 0
    assert isinstance(choose("toy")[0].create(), Toy)


def test_a_network_is_counted_out_with_the_weights_that_a_run_takes(
    out, toy_folder, tmp_path, monkeypatch
):
    weights = tmp_path / "weights" / "folder-toyset" / "learner.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_text("3")
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path / "weights"))
    data = open_dataset(f"folder:{toy_folder}")
    ask = partial(forecast, "learner", f"folder:{toy_folder}", "test", NO_SIZE, jobs=1, out=out)
    assert (ask().done, ask().unknown) == (0, ("learner",))
    runner.run(choose("learner"), data, out, show=False)
    assert (ask().done, ask().unknown) == (6, ())


def test_a_network_without_weights_is_left_out_as_a_run_does(toys, toy_folder, tmp_path):
    words = f"plan --methods tophat,learner --dataset folder:{toy_folder} --out {tmp_path}"
    done = CliRunner().invoke(app, words.split())
    assert "left out by a run, no weights: learner\n" in done.output
    assert "tophat" in done.output and "not forecast" not in done.output


def test_an_empty_split_is_said(known, toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(FolderDataset, "names", lambda self, split: ())
    with pytest.raises(DataError, match="the split 'val' of folder-toyset has no image"):
        forecast("toy", f"folder:{toy_folder}", "val", NO_SIZE, jobs=1, out=tmp_path)


def test_what_cannot_be_forecast_is_said(known, tmp_path):
    def ask(methods="toy", dataset="", size=NO_SIZE):
        forecast(methods, dataset, "test", size, jobs=1, out=tmp_path, data_root=tmp_path)

    with pytest.raises(WrongUse, match="together or not at all"):
        ask(size=(3, None, 5))
    with pytest.raises(WrongUse, match="--dataset NAME, or --images N"):
        ask()
    with pytest.raises(DataError, match="Without it: --images N"):
        ask(dataset="nudt")
    with pytest.raises(UnknownName):
        ask("nosuch", size=(1, 2, 3))


def test_the_command_prints_it():
    words = (
        "plan --methods tophat,acm,pixelgame --images 10 --height 128 --width 128 --jobs 8".split()
    )
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "128x128 (height x width): 10 images" in done.output
    assert "tophat" in done.output and "dominated by: pixelgame (" in done.output
    assert "(a GPU takes far less): acm, pixelgame\n" in done.output
    words = ["plan", "--images", "10"]
    assert CliRunner().invoke(app, words).exit_code == 2


# ---- the script that measures


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """speed.py over sizes with a clock that we set: 1 s at 128, 16 s at 256, and so on."""
    space = runpy.run_path(str(SPEED))
    over_sizes, called = space["over_sizes"], []

    def alone(work, name, side):
        called.append((name, side))
        if name == "bad":
            return {"error": "ValueError: no"}
        return {"cpu": (side / 128) ** 4, "wall": 1.0, "memory": 2.0, "machine": "A"}

    over_sizes.__globals__["alone"] = alone
    path = tmp_path / "sizes.csv"

    def go(methods, sides, budget):
        called.clear()
        failed = over_sizes(methods, sides, budget, path)
        return failed, list(called), pd.read_csv(path).set_index(["method", "side"])

    return go


def test_a_size_beyond_the_budget_is_left_out_and_marked(measured):
    failed, called, table = measured(["m"], [128, 256, 512, 1024], 300.0)
    assert (failed, called) == (0, [("m", 128), ("m", 256), ("m", 512)])
    assert table.loc[("m", 512), "cpu"] == 256.0
    assert np.isnan(table.loc[("m", 1024), "cpu"])
    assert table.loc[("m", 1024), "note"] == "left out: about 4.1e+03 s"
    (cost,) = fit_costs(table.reset_index())
    assert (round(cost.exponent, 6), cost.sizes) == (2.0, 3)


def test_rows_that_are_there_stay(measured):
    measured(["m"], [128, 256], 300.0)
    failed, called, table = measured(["bad", "m"], [64, 1024], 1.0)
    assert (failed, called) == (2, [("bad", 64), ("bad", 1024), ("m", 64)])
    assert list(table.loc["m"].index) == [64, 128, 256, 1024]
    assert table.loc[("m", 256), "cpu"] == 16.0
    assert table.loc[("bad", 64), "note"] == "ValueError: no"
    _, called, table = measured(["m"], [256], 0.001)  # a time is not lost to a mark
    assert called == [] and table.loc[("m", 256), "cpu"] == 16.0


# ---- what a run says of it


def test_a_run_says_at_once_how_long_it_will_take(toys, toy_folder, tmp_path, monkeypatch, capsys):
    """Six images of 10 s each by a method that no job shares, and of 20 s by one in two jobs."""
    cost = partial(Cost, exponent=0.0, sizes=3, smallest=16, largest=256, spread=1.0, machine="A")
    known = {"batch": cost("batch", 10.0), "toy": cost("toy", 20.0)}
    monkeypatch.setattr("istsbench.runs.run.costs", lambda: known)
    data = open_dataset(f"folder:{toy_folder}")
    runner.run(choose("toy,batch"), data, tmp_path / "out", jobs=2)
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "scoring folder-toyset: 0/14, 0:00 gone, about 2:00 left"
