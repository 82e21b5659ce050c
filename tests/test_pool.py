"""Methods that never come back."""

import json
import multiprocessing
from dataclasses import replace

import pytest
from toys import MARKED, Bad, SlowStart, Toy, scored

from istsbench.data.datasets import open_dataset
from istsbench.registry import choose
from istsbench.runs import pool as workers
from istsbench.runs import run as runner
from istsbench.runs.maps import MapStore
from istsbench.runs.record import LOST
from istsbench.runs.scoring import LOSSES, Work, score_all

LATE = "took longer than 0.5 s"


@pytest.fixture
def dataset(toys, toy_folder):
    return open_dataset(f"folder:{toy_folder}")


@pytest.fixture
def work(dataset, tmp_path):
    pixels = {name: dataset.load(name).pixels for name in dataset.names("test")}

    def work(method, folder="maps"):
        return Work(folder, method, MapStore(tmp_path / folder), pixels)

    return work


def outcomes(plan):
    """None for each image that is scored, or why it is not."""
    return {
        name: None if plan.store.has(name, pixels) else plan.store.failure(name, pixels)
        for name, pixels in plan.images.items()
    }


def test_an_image_that_takes_too_long_fails_and_the_others_go_on(dataset, work):
    stuck, good, said = work(Bad("hang"), "stuck"), work(Toy(), "good"), []
    score_all([stuck, good], dataset, 1, said.append, timeout=0.5)
    assert outcomes(stuck) == {name: LATE if name == MARKED else None for name in stuck.images}
    assert not any(outcomes(good).values())
    assert sorted(said) == ["good"] * 6 + ["stuck"] * 6
    assert scored().count(MARKED) == 2  # what is late is not tried again
    assert not multiprocessing.active_children()


def test_the_first_call_has_time_of_its_own_but_not_for_ever(dataset, work, monkeypatch):
    plan = work(SlowStart())
    score_all([plan], dataset, 1, lambda what: None, timeout=0.5)
    assert not any(outcomes(plan).values())
    monkeypatch.setattr(workers, "WARM_UP", 0.6)
    plan = work(SlowStart(), "again")
    plan = replace(plan, images={"test_0": plan.images["test_0"]})
    score_all([plan], dataset, 1, lambda what: None, timeout=0.5)
    assert outcomes(plan) == {"test_0": "took longer than 0.6 s"}


def test_a_method_that_is_always_late_is_given_up_for_this_run(
    toys, toy_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, "WARM_UP", 0.1)
    dataset, methods = open_dataset(f"folder:{toy_folder}"), choose("toy(seconds=0.6),toy")

    def go(**options):
        return runner.run(methods, dataset, tmp_path, limit=5, show=False, **options)

    outcome = go(timeout=0.5)
    assert outcome.done == ["toy"]
    assert LATE in outcome.failed["toy(seconds=0.6)"]
    failed = json.loads((outcome.folder / "toy_seconds=0.6.json").read_bytes())["failed"]
    assert list(failed.values()) == [LATE] * LOSSES + [LOST] * 2
    outcome = go(timeout=0.5)  # those that were not tried, and no other
    assert outcome.scored == 2
    failed = json.loads((outcome.folder / "toy_seconds=0.6.json").read_bytes())["failed"]
    assert list(failed.values()) == [LATE] * 5
    assert go(timeout=0.5).scored == 0
    outcome = go(retry_failed=True)
    assert (outcome.scored, outcome.failed) == (5, {})
