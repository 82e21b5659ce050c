import multiprocessing
import os
import shutil
import signal
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from toys import MARKED, SHAPE, Bad, Batch, Toy, scored

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataGone
from istsbench.runs import pool as workers
from istsbench.runs import scoring
from istsbench.runs.counting import Counting
from istsbench.runs.maps import MapStore
from istsbench.runs.pool import DIED, STARTS, in_processes
from istsbench.runs.scoring import LONGEST, LOSSES, Work, checked, score_all
from istsbench.side_effects import one_thread

IMAGE = np.zeros((2, 3))


def work(method, dataset, folder, split="test"):
    pixels = {name: dataset.load(name).pixels for name in dataset.names(split)}
    return Work("title", method, MapStore(folder), pixels)


def quiet(what):
    pass


@pytest.fixture
def dataset(toys, toy_folder):
    return open_dataset(f"folder:{toy_folder}")


# ---- what is accepted as a map


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.uint8, np.int64, bool])
def test_real_arrays_become_float32_copies(kind):
    score = np.ones((2, 3), kind)
    stored = checked(score, IMAGE)
    assert stored.dtype == np.float32 and stored.flags.c_contiguous
    assert not np.shares_memory(stored, score)
    np.testing.assert_array_equal(stored, 1)


def test_views_and_subclasses_become_plain():
    assert checked(np.ones((3, 2)).T, IMAGE).flags.c_contiguous
    assert type(checked(np.ones((2, 3)).view(np.matrix), IMAGE)) is np.ndarray


def test_tiny_negative_and_subnormal_values_pass():
    assert checked(np.full((2, 3), -1e-60), IMAGE).max() == 0
    assert checked(np.full((2, 3), 1e-40), IMAGE).max() > 0


@pytest.mark.parametrize(
    "score, message",
    [
        (None, "returned NoneType, expected an array"),
        ([[0.0] * 3] * 2, "returned list"),
        (np.zeros((3, 2)), r"shape \(3, 2\) for an image of \(2, 3\)"),
        (np.zeros((2, 3, 1)), r"shape \(2, 3, 1\)"),
        (np.array([[0, np.nan, 0], [np.inf, 0, 0]]), "2 values that are NaN, infinite or above"),
        (np.full((2, 3), 1e300), "6 values"),
        (np.array([[0, -0.25, 0], [0, 0, 0]]), "negative values, down to -0.25"),
        (np.zeros((2, 3), complex), "array of complex128, expected float64"),
        (np.zeros((2, 3), object), "array of object"),
        (np.ma.masked_array(np.ones((2, 3))), "a masked array, expected one with a score in each"),
    ],
)
def test_what_is_no_map_is_refused_with_what_was_found(score, message):
    with pytest.raises(ValueError, match=message):
        checked(score, IMAGE)


# ---- failures


FAILURES = {
    "raise": "ArithmeticError: no way",
    "oserror": "FileNotFoundError: weights.bin",
    "memory": "MemoryError:",
    "exit": "SystemExit: 3",
    "nan": "ValueError: score returned 1 values that are NaN",
    "inf": "ValueError: score returned 1 values that are NaN, infinite",
    "huge": "ValueError: score returned 1 values that are NaN, infinite or above 3e38",
    "negative": "ValueError: score returned negative values, down to -1",
    "list": "ValueError: score returned list",
    "none": "ValueError: score returned NoneType",
    "complex": "ValueError: score returned an array of complex128",
    "shape": "ValueError: score returned shape (32, 24) for an image of (24, 32)",
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_failed_image_keeps_its_reason_and_the_others_go_on(dataset, tmp_path, how):
    plan = work(Bad(how), dataset, tmp_path / "maps")
    said = []
    score_all([plan], dataset, 1, said.append)
    assert len(said) == 6
    for name, pixels in plan.images.items():
        failure = plan.store.failure(name, pixels)
        assert plan.store.has(name, pixels) == (name != MARKED)
        assert (failure is None) == (name != MARKED)
    assert plan.store.failure(MARKED, plan.images[MARKED]).startswith(FAILURES[how])
    assert scored() == list(plan.images)


def test_a_reason_is_one_line_of_bounded_length():
    assert scoring.one_line("a\n\n  b\tc ") == "a b c"
    assert len(scoring.one_line("x" * 10_000)) == LONGEST


def test_a_batch_with_a_bad_image_is_scored_one_by_one(dataset, tmp_path):
    plan = work(Batch("raise"), dataset, tmp_path / "maps")
    said = []
    score_all([plan], dataset, 4, said.append)
    assert len(said) == 6
    assert plan.store.failure(MARKED, plan.images[MARKED]) == "ArithmeticError: no way"
    assert sum(plan.store.has(name, pixels) for name, pixels in plan.images.items()) == 5


@pytest.mark.parametrize("given", [2, 7])
def test_a_batch_of_the_wrong_length_is_scored_one_by_one(dataset, tmp_path, monkeypatch, given):
    many = Batch.score_many
    monkeypatch.setattr(Batch, "score_many", lambda self, i: [*many(self, i), IMAGE][:given])
    plan = work(Batch(), dataset, tmp_path / "maps")
    score_all([plan], dataset, 1, quiet)
    for name, pixels in plan.images.items():
        assert plan.store.has(name, pixels)
        np.testing.assert_array_equal(
            plan.store.load(name).score, Batch().score(dataset.load(name).image).astype(np.float32)
        )


@pytest.mark.parametrize("change", ["missing", "damaged"])
@pytest.mark.parametrize("method", [Toy(), Batch()], ids=["single", "batch"])
def test_an_image_that_is_lost_during_the_run_fails_alone(
    dataset, toy_folder, tmp_path, monkeypatch, change, method
):
    plan = work(method, dataset, tmp_path / "maps")
    load = type(dataset).load

    def changed(self, name):
        if name != MARKED:
            return load(self, name)
        path = tmp_path / "gone.png"
        if change == "damaged":
            path.write_bytes((toy_folder / "images" / f"{name}.png").read_bytes()[:50])
        from istsbench.data.images import read_file

        return read_file(path)

    monkeypatch.setattr(type(dataset), "load", changed)
    score_all([plan], dataset, 1, quiet)
    reason = plan.store.failure(MARKED, plan.images[MARKED])
    assert reason.startswith("DataError") and "gone.png" in reason
    assert sum(plan.store.has(name, pixels) for name, pixels in plan.images.items()) == 5


@pytest.mark.parametrize("gone", [".", "images"])
@pytest.mark.parametrize(
    "method, jobs",
    [(Toy(), 1), (Toy(seconds=0.05), 2), (Batch(), 1)],
    ids=["serial", "processes", "batch"],
)
def test_a_data_folder_that_is_gone_ends_the_run_and_no_image_fails(
    toys, toy_folder, tmp_path, monkeypatch, method, jobs, gone
):
    root = shutil.copytree(toy_folder, tmp_path / "toyset")
    dataset = open_dataset(f"folder:{root}")
    plan = work(method, dataset, tmp_path / "maps")
    monkeypatch.setattr(Batch, "images_at_once", lambda self: 2)
    away = tmp_path / "away"

    def unplug(what):
        if not away.exists():
            (root / gone).rename(away)

    with pytest.raises(ValueError, match="images: the folder is gone, test_. was asked for"):
        score_all([plan], dataset, jobs, unplug)
    done = {name for name, pixels in plan.images.items() if plan.store.has(name, pixels)}
    assert 1 <= len(done) < 6
    assert not list(plan.store.folder.glob("*.failed.json"))

    away.rename(root / gone)
    left = {name: pixels for name, pixels in plan.images.items() if name not in done}
    score_all([replace(plan, images=left)], dataset, jobs, quiet)
    assert all(plan.store.has(name, pixels) for name, pixels in plan.images.items())


def test_a_file_that_is_gone_from_its_folder_is_that_image_s(toys, toy_folder, tmp_path):
    root = shutil.copytree(toy_folder, tmp_path / "toyset")
    dataset = open_dataset(f"folder:{root}")
    plan = work(Toy(), dataset, tmp_path / "maps")
    (root / "masks" / f"{MARKED}.png").unlink()
    score_all([plan], dataset, 1, quiet)
    assert plan.store.failure(MARKED, plan.images[MARKED]).startswith("DataError")
    assert sum(plan.store.has(name, pixels) for name, pixels in plan.images.items()) == 5
    shutil.rmtree(root / "masks")
    with pytest.raises(DataGone, match="masks: the folder is gone"):
        dataset.load(MARKED)


def test_a_full_disk_ends_the_run_with_what_is_done_kept(dataset, tmp_path, monkeypatch):
    plan = work(Toy(), dataset, tmp_path / "maps")
    save = MapStore.save

    def full(self, name, stored):
        if name == MARKED:
            raise OSError(28, "No space left on device")
        save(self, name, stored)

    monkeypatch.setattr(MapStore, "save", full)
    with pytest.raises(OSError, match="No space"):
        score_all([plan], dataset, 1, quiet)
    assert sorted(os.listdir(plan.store.folder)) == ["test_0.npy", "test_1.npy"]


# ---- time and threads


def test_only_score_is_timed(dataset, tmp_path, monkeypatch):
    load = type(dataset).load

    def slow(self, name):
        threading.Event().wait(0.05)
        return load(self, name)

    plan = work(Toy(seconds=0.01), dataset, tmp_path / "maps")
    monkeypatch.setattr(type(dataset), "load", slow)
    score_all([plan], dataset, 1, quiet)
    times = [plan.store.load(name).seconds for name in plan.images]
    assert all(0.01 <= seconds for seconds in times) and min(times) < 0.04


@pytest.mark.parametrize("kind", [Toy, Batch])
def test_a_first_call_on_a_small_scene_is_not_counted(dataset, tmp_path, monkeypatch, kind):
    shapes = []
    score = kind.score
    monkeypatch.setattr(kind, "score", lambda self, i: (shapes.append(i.shape), score(self, i))[1])
    score_all([work(kind(), dataset, tmp_path / "maps")], dataset, 1, quiet)
    assert shapes == [(64, 64)] + [SHAPE] * 6


@dataclass(frozen=True)
class Meddler(Batch):
    """Changes what all methods share."""

    def score(self, image):
        os.environ["MEDDLED"] = "yes"
        return super().score(image)


def test_a_method_that_batches_leaves_the_environment_as_it_was(dataset, tmp_path):
    score_all([work(Meddler(), dataset, tmp_path / "maps")], dataset, 1, quiet)
    assert "MEDDLED" not in os.environ


def test_one_thread_is_given_back():
    before = cv2.getNumThreads()
    with one_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


# ---- processes


def test_parallel_is_serial_bit_for_bit(dataset, tmp_path):
    methods = [Toy(), Toy(gain=1 / 3), Batch()]
    for jobs in (1, 2):
        plan = [
            work(method, dataset, tmp_path / str(jobs) / str(number))
            for number, method in enumerate(methods)
        ]
        said = []
        score_all(plan, dataset, jobs, said.append)
        assert len(said) == 18
    for number in range(len(methods)):
        one, two = (MapStore(tmp_path / jobs / str(number)) for jobs in "12")
        for name in dataset.names("test"):
            assert one.load(name).score.tobytes() == two.load(name).score.tobytes()
            assert one.load(name).pixels == two.load(name).pixels
    assert len(scored()) == 36


def _settings(shared, begin):
    return signal.getsignal(signal.SIGINT), cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]


def test_ctrl_c_is_for_the_process_that_started_the_others(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = signal.getsignal(signal.SIGINT)
    with closing(in_processes(_settings, None, [()], 1)) as answers:
        assert list(answers) == [((), (signal.SIG_IGN, 1, "1"))]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_that_dies_costs_its_image_only(dataset, tmp_path):
    bad, good = (
        work(method, dataset, tmp_path / name)
        for name, method in (("bad", Bad("die")), ("good", Toy(seconds=0.02)))
    )
    said = []
    score_all([bad, good], dataset, 2, said.append)
    assert len(said) == 12
    for plan in (bad, good):
        for name, pixels in plan.images.items():
            assert plan.store.has(name, pixels) == (plan is good or name != MARKED)
    assert bad.store.failure(MARKED, bad.images[MARKED]) == DIED
    counts = {name: scored().count(name) for name in good.images}
    assert counts.pop(MARKED) <= 4  # twice bad, once or twice good
    assert max(counts.values()) <= 3  # each method once, and one that was in flight


@dataclass(frozen=True)
class Deadly(Toy):
    """Ends its process, the way C code does."""

    def score(self, image):
        super().score(image)
        if image.shape == SHAPE:
            os.abort()


def test_a_method_that_always_kills_its_process_is_given_up(dataset, tmp_path):
    deadly, good = work(Deadly(), dataset, tmp_path / "a"), work(Toy(), dataset, tmp_path / "b")
    said = []
    score_all([deadly, good], dataset, 2, said.append)
    reasons = [deadly.store.failure(name, pixels) for name, pixels in deadly.images.items()]
    died = reasons.count(DIED)
    assert LOSSES <= died <= LOSSES + 1  # one may have been on its way
    assert reasons.count(None) == 6 - died  # not tried, so a later run tries them
    assert all(good.store.has(name, pixels) for name, pixels in good.images.items())
    assert len(said) == 12
    assert len(scored()) == 6 + 2 * died  # each of them once more, alone


def test_processes_that_cannot_even_start_end_the_run(dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(workers.ONE_THREAD, "PYTHONHOME", str(tmp_path))
    with pytest.raises(
        RuntimeError, match=f"{STARTS} processes did nothing, the last ended with code"
    ):
        score_all([work(Toy(), dataset, tmp_path / "maps")], dataset, 2, quiet)


class Stuck:
    """Never arrives in another process."""

    def __reduce__(self):
        return time.sleep, (10_000,)


def test_processes_that_hang_before_they_are_ready_end_the_run(monkeypatch):
    monkeypatch.setattr(workers, "READY", 2.0)
    before = set(multiprocessing.active_children())
    with pytest.raises(RuntimeError, match="the last was not ready after 2 s"):
        list(in_processes(print, Stuck(), [(1,)], 1))
    assert set(multiprocessing.active_children()) == before


def test_a_method_that_cannot_be_sent_fails_alone(dataset, tmp_path):
    bad = work(Toy(note=threading.Lock()), dataset, tmp_path / "bad")
    good = work(Toy(), dataset, tmp_path / "good")
    said = []
    score_all([bad, good], dataset, 2, said.append)
    reason = bad.store.failure(MARKED, bad.images[MARKED])
    assert reason.startswith("cannot be sent to another process: TypeError: cannot pickle")
    assert all(good.store.has(name, pixels) for name, pixels in good.images.items())
    assert len(said) == 12


@dataclass(frozen=True)
class Stranger(Toy):
    """Cannot be made again in another process."""

    def __setstate__(self, state):
        raise ImportError("no such library there")


def test_a_method_that_cannot_be_received_fails_with_its_reason(dataset, tmp_path):
    plan = work(Stranger(), dataset, tmp_path)
    score_all([plan], dataset, 2, quiet)
    for name, pixels in plan.images.items():
        assert plan.store.failure(name, pixels) == "ImportError: no such library there"


def _act(shared, what, begin):
    if what == "full":
        raise OSError(28, "No space left on device")
    if what == "bug":
        raise ZeroDivisionError("of ours")
    return shared + what


@pytest.mark.parametrize(
    "what, kind, message",
    [("full", OSError, "No space left"), ("bug", RuntimeError, "in _act\n(.|\n)*of ours")],
)
def test_an_error_that_is_no_image_s_ends_the_run(what, kind, message):
    with pytest.raises(kind, match=message), closing(in_processes(_act, 1, [(what,)], 1)) as found:
        list(found)


def test_calls_are_taken_when_somebody_is_free_and_answered_with_their_values():
    taken = []

    def calls():
        for number in range(20):
            taken.append(number)
            yield (number,)

    with closing(in_processes(_act, 100, calls(), 2)) as answers:
        first = next(answers)
        assert len(taken) <= 3
        found = dict([first, *answers])
    assert found == {(number,): 100 + number for number in range(20)}


def test_processes_are_gone_when_the_calls_are_given_up():
    before = set(multiprocessing.active_children())
    answers = in_processes(_act, 1, [(number,) for number in range(9)], 2)
    next(answers)
    assert len(set(multiprocessing.active_children()) - before) == 2
    answers.close()
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize("timeout", [None, 60.0], ids=["here", "in a process"])
def test_a_method_is_counted_as_soon_as_its_last_image_is_done(dataset, tmp_path, timeout):
    names = tuple(dataset.names("test"))
    counting = Counting(dataset.subset(dict.fromkeys(names)), names, (), ("own",))
    plan = [work(Toy(gain=number), dataset, tmp_path / str(number)) for number in (1.0, 2.0)]
    said = []

    def finish(number, counted):
        said.append((number, len(counted.rows)))

    score_all(plan, dataset, 1, said.append, timeout, None, counting, finish)
    titles = [one.title for one in plan]
    assert said == [*[titles[0]] * 6, (0, 6), *[titles[1]] * 6, (1, 6)]
    said.clear()
    left = [replace(one, images={}) for one in plan]
    score_all(left, dataset, 1, said.append, timeout, None, counting, finish)
    assert sorted(said) == [(0, 6), (1, 6)]
