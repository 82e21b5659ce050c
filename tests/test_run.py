import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from toys import MARKED, Toy, as_earlier, install, scored

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, RunError, UnknownName
from istsbench.metrics import HIOU_LOSSES, best_rule, pixel_counts, summarise
from istsbench.registry import choose
from istsbench.results.manifest import counts_hash
from istsbench.results.results import Results
from istsbench.runs import maps as stores
from istsbench.runs import run as runner
from istsbench.runs.counting import COLUMNS, FIRST_COLUMNS, Counting, count_image, resolve
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.record import LOST, map_store, read_record
from istsbench.suppression import GAINS
from istsbench.tables.table_vi import table_vi
from istsbench.threshold import HALF, Fixed, candidates

TEST = [f"test_{number}" for number in range(6)]


@pytest.fixture
def folder(toys, toy_folder, tmp_path):
    """A copy of the toy data set that the test may change."""
    return Path(shutil.copytree(toy_folder, tmp_path / "toyset"))


@pytest.fixture
def go(folder, tmp_path):
    """Run methods on the toy data set into a results folder of the test."""

    def go(methods="toy", out="out", **options):
        dataset = open_dataset(f"folder:{folder}")
        return runner.run(choose(methods), dataset, tmp_path / out, show=False, **options)

    return go


def table(folder, file="toy"):
    """A method's counts without the times, which differ from run to run."""
    return pd.read_csv(folder / f"{file}.csv").drop(columns="seconds")


def record(folder, file="toy"):
    return json.loads((folder / f"{file}.json").read_text())


def maps(folder):
    found = sorted(folder.glob("maps/*/*/*.npy"))
    return {path.stem: np.load(path).tobytes() for path in found}


# ---- what a run leaves


def test_a_run_leaves_maps_counts_curves_and_records(go, tmp_path):
    outcome = go("toy,toy(gain=2)")
    assert (outcome.scored, outcome.counted, outcome.failed) == (12, 2, {})
    assert outcome.done == ["toy", "toy(gain=2)"]
    assert outcome.folder == tmp_path / "out" / "folder-toyset"
    found = {str(path.relative_to(outcome.folder)) for path in outcome.folder.rglob("*.*")}
    files = [f"{name}.{kind}" for name in ("toy", "toy_gain=2") for kind in ("csv", "json")]
    assert found == {*files, "curves/toy.csv", "curves/toy_gain=2.csv"}
    assert len(list((tmp_path / "out" / "maps").rglob("*.npy"))) == 12
    assert not list(tmp_path.rglob("*.part"))
    rows = pd.read_csv(outcome.folder / "toy.csv")
    assert tuple(rows.columns) == COLUMNS
    assert list(rows["image"]) == [name for name in TEST for _ in range(3)]
    assert list(rows["rule"][:3]) == ["own", "half", "oracle"]
    written = record(outcome.folder, "toy_gain=2")
    assert written["method"] == "toy(gain=2)" and written["label"] == "Toy (gain=2)"
    assert written["parameters"] == {"gain": "2", "seconds": "0.0", "note": "''"}
    assert written["own"] == "MeanStd(k=3)" == written["rules"]["own"]
    assert (written["split"], written["images"], written["of"]) == ("test", 6, 6)


def test_counts_are_those_of_the_maps_under_the_rules(go, folder, tmp_path):
    outcome = go()
    dataset = open_dataset(f"folder:{folder}")
    store = map_store(tmp_path / "out", read_record(outcome.folder / "toy.json"))
    rows = pd.read_csv(outcome.folder / "toy.csv").set_index(["image", "rule"])
    for name in TEST:
        sample = dataset.load(name)
        score = store.load(name).score
        np.testing.assert_array_equal(score, Toy().score(sample.image).astype(np.float32))
        row = rows.loc[name, "own"]
        mask = Toy.threshold(score)
        assert tuple(row[["tp", "fp", "fn", "tn"]]) == pixel_counts(mask, sample.mask)
        assert row["level"] == pytest.approx(Toy.threshold.level(score), rel=1e-12)
        assert row["targets"] == 1


def test_records_are_strict_json_even_where_an_area_is_undefined(go, folder):
    for name in TEST:
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), np.zeros((24, 32), np.uint8))
    outcome = go()

    def refuse(word):
        raise AssertionError(word)

    written = json.loads((outcome.folder / "toy.json").read_text(), parse_constant=refuse)
    assert written["auc"] is None and written["average_precision"] is None
    summary = Results.load(outcome.folder).summary("own", "image")
    assert np.isnan(summary.loc[0, "auc"]) and np.isnan(summary.loc[0, "pd"])
    assert summary.loc[0, "f1"] == 0


# ---- resuming


def test_a_complete_run_calls_no_method_and_touches_no_file(go, monkeypatch):
    first = go("toy,batch")
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    calls = scored()
    monkeypatch.setattr(runner, "score_all", None)
    again = go("toy,batch", jobs=2)
    assert (again.scored, again.counted, again.done) == (0, 0, ["toy", "batch"])
    assert scored() == calls
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == before


def test_published_results_are_complete_without_their_maps(go, tmp_path):
    go()
    shutil.rmtree(tmp_path / "out" / "maps")
    assert go().scored == 0


def test_another_rule_or_threshold_recounts_but_does_not_score(go, monkeypatch):
    go()
    outcome = go(wanted=("own", "half"))
    assert (outcome.scored, outcome.counted) == (0, 0)
    monkeypatch.setattr(Toy, "threshold", HALF)
    outcome = go(wanted=("own", "half"))
    assert (outcome.scored, outcome.counted) == (0, 1)
    rows = table(outcome.folder)
    own, half = (rows[rows["rule"] == rule].drop(columns="rule") for rule in ("own", "half"))
    np.testing.assert_array_equal(own.to_numpy(), half.to_numpy())


def test_changed_pixels_are_scored_again(go, folder):
    go()
    path = str(folder / "images" / "test_4.png")
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    image[3, 3] += 1
    cv2.imwrite(path, image)
    outcome = go()
    assert (outcome.scored, outcome.counted) == (1, 1)
    assert scored() == [*TEST, "test_4"]


def test_fresh_scores_everything_again_and_keeps_no_old_map(go, tmp_path):
    outcome = go()
    before = maps(tmp_path / "out")
    store = map_store(tmp_path / "out", read_record(outcome.folder / "toy.json"))
    old = store.load("test_1")
    store.forget("test_1")
    store.save("test_1", StoredMap(old.score + 1, old.pixels, 0.5))
    outcome = go(fresh=True)
    assert (outcome.scored, outcome.counted) == (6, 1)
    assert scored() == TEST * 2
    assert maps(tmp_path / "out") == before


@pytest.mark.parametrize(
    "file, scored_again",
    [("folder-toyset/toy.csv", 0), ("folder-toyset/toy.json", 0),
     ("folder-toyset/curves/toy.csv", 0), ("maps/folder-toyset/*/test_3.npy", 1)],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_what_is_damaged_is_made_again(go, tmp_path, file, scored_again, damage):
    outcome = go()
    before = table(outcome.folder)
    stored = maps(tmp_path / "out")
    (path,) = (tmp_path / "out").glob(file)
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.write_bytes(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
    if scored_again:  # its counts are whole, so that nothing else would look at the map
        (outcome.folder / "toy.json").unlink()
    again = go()
    assert again.counted == 1 and again.done == ["toy"]
    assert again.scored <= scored_again
    pd.testing.assert_frame_equal(table(again.folder), before)
    assert maps(tmp_path / "out") == stored
    assert go().counted == 0


def test_a_map_that_vanishes_between_scoring_and_counting_is_not_called_done(
    go, tmp_path, monkeypatch
):
    count = Counting.of

    def lose(self, own, store):
        store.forget("test_1")
        return count(self, own, store)

    monkeypatch.setattr(Counting, "of", lose)
    outcome = go()
    assert LOST in outcome.failed["toy"] and "test_1" in outcome.failed["toy"]
    monkeypatch.setattr(Counting, "of", count)
    outcome = go()
    assert (outcome.scored, outcome.done) == (1, ["toy"])


def test_an_image_that_changes_during_the_run_is_not_counted(go, folder, monkeypatch):
    score_all = runner.score_all
    path = str(folder / "images" / "test_4.png")

    def change(*rest):
        image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        image[3, 3] += 1
        cv2.imwrite(path, image)
        score_all(*rest)

    monkeypatch.setattr(runner, "score_all", change)
    outcome = go()
    assert LOST in outcome.failed["toy"] and "test_4" in outcome.failed["toy"]
    monkeypatch.setattr(runner, "score_all", score_all)
    outcome = go()
    assert (outcome.scored, outcome.done) == (1, ["toy"])


# ---- failures


def test_a_failed_image_fails_its_method_and_no_other(go):
    outcome = go("bad,toy")
    assert outcome.done == ["toy"]
    assert outcome.failed == {
        "bad": f"1 of 6 images failed, the first is {MARKED}: ArithmeticError: no way "
        "(--retry-failed tries them again)"
    }
    assert record(outcome.folder, "bad")["failed"] == {MARKED: "ArithmeticError: no way"}
    assert MARKED not in set(table(outcome.folder, "bad")["image"])
    results = Results.load(outcome.folder)
    summary = results.summary("own", "image").set_index("method")
    assert np.isnan(summary.loc["bad", "f1"]) and summary.loc["toy", "f1"] > 0


def test_a_failure_is_remembered_until_a_retry(go, monkeypatch):
    from toys import Bad

    go("bad")
    again = go("bad")
    assert (again.scored, list(again.failed)) == (0, ["bad"])
    monkeypatch.setattr(Bad, "score", Toy.score)
    monkeypatch.setattr(Bad, "gain", 1, raising=False)
    monkeypatch.setattr(Bad, "seconds", 0, raising=False)
    assert go("bad").failed
    mended = go("bad", retry_failed=True)
    assert (mended.scored, mended.done, mended.failed) == (1, ["bad"], {})
    assert go("bad").done == ["bad"]


def test_a_retry_that_fails_again_is_remembered(go):
    go("bad")
    again = go("bad", retry_failed=True)
    assert again.scored == 1 and "ArithmeticError" in again.failed["bad"]


@pytest.mark.parametrize(
    "name, reason",
    [("absent", "ModuleNotFoundError"), ("notclass", "expected a subclass"),
     ("forgetful", "abstract")],
)  # fmt: skip
def test_a_method_that_cannot_be_made_is_said_and_leaves_no_row(go, name, reason):
    outcome = go(f"{name},toy")
    assert (outcome.done, outcome.unmade) == (["toy"], [name])
    assert reason in outcome.failed[name]
    results = Results.load(outcome.folder)
    assert [*results.records] == ["toy"]
    assert {path.stem for path in outcome.folder.glob("*.json")} == {"toy"}
    alone = go(name, out="others")
    assert alone.failed == outcome.failed and not alone.folder.exists()


def test_a_method_without_weights_fails_only_if_asked_for_by_name(go, folder, tmp_path):
    outcome = go("learner,toy")
    assert outcome.done == ["toy"] and "no weights for folder-toyset" in outcome.failed["learner"]
    assert [*Results.load(outcome.folder).records] == ["toy"]
    outcome = go("toys", out="others")
    assert "learner" in outcome.skipped and "learner" not in outcome.failed


def test_weights_of_another_data_set_that_serve_for_want_of_better_are_said(go, tmp_path):
    outcome = go("acm,toy")
    assert outcome.notes == ["acm: no weights for toyset, those of NUAA-SIRST are used"]
    assert Results.load(outcome.folder).records["acm"].trained.dataset == "nuaa"
    assert go("acm(weights=nuaa)", out="asked").notes == []


def test_weights_count_by_their_content_not_their_place(go, tmp_path, monkeypatch):
    folders = [tmp_path / name / "folder-toyset" for name in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "learner.safetensors").write_text("70")
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path / "a"))
    assert go("learner").scored == 6
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path / "b"))
    assert (go("learner").scored, go("learner").counted) == (0, 0)
    (folders[1] / "learner.safetensors").write_text("71")
    assert go("learner").scored == 6


def test_a_method_whose_hash_fails_is_said_to_be_broken(go, monkeypatch):
    def broken(method):
        raise OSError("weights are gone")

    monkeypatch.setattr(runner, "method_hash", broken)
    assert go().failed == {"toy": "weights are gone"}


# ---- splits, limits, rules


def test_split_and_limit_have_folders_of_their_own(go, tmp_path):
    assert go(limit=2).folder.name == "folder-toyset-first2"
    assert go(split="val").folder.name == "folder-toyset-val"
    assert go(split="val", limit=3).folder.name == "folder-toyset-val-first3"
    assert go(limit=100).folder.name == "folder-toyset"
    assert scored() == ["test_0", "test_1", "val_0", "val_1", "val_2", "val_3", *TEST[2:]]
    assert record(tmp_path / "out" / "folder-toyset-first2")["of"] == 6


def test_tuned_looks_at_validation_images_only(go, folder):
    outcome = go(wanted=("own", "tuned", "oracle"))
    assert sorted(scored()) == sorted(TEST + [f"val_{number}" for number in range(4)])
    dataset = open_dataset(f"folder:{folder}")
    options = candidates(Toy.threshold)

    def best(split):
        counts = sum(
            np.array([pixel_counts(rule(score), sample.mask)[:3] for rule in options])
            for sample in map(dataset.load, dataset.names(split))
            for score in [Toy().score(sample.image).astype(np.float32)]
        )
        return repr(best_rule(counts, options))

    rules = record(outcome.folder)["rules"]
    assert rules["tuned"] == best("val") and rules["oracle"] == best("test")
    for name in TEST:  # what is tuned cannot follow the test masks
        mask = np.zeros((24, 32), np.uint8)
        mask[2, 2] = 255
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)
    changed = record(go(wanted=("own", "tuned", "oracle")).folder)["rules"]
    assert changed["tuned"] == rules["tuned"] and changed["oracle"] != rules["oracle"]


def test_tuned_is_left_out_if_a_validation_image_failed(go, monkeypatch):
    from toys import Bad

    score = Bad.score

    def fail(self, image):
        if image[0, 0] == 5:
            raise ArithmeticError("val_0")
        return Toy().score(image)

    monkeypatch.setattr(Bad, "score", fail)
    outcome = go("bad", wanted=("own", "tuned"))
    assert "val_0" in outcome.failed["bad"]
    summary = Results.load(outcome.folder)
    assert np.isnan(summary.summary("tuned", "image").loc[0, "f1"])
    assert summary.summary("own", "image").loc[0, "f1"] > 0
    assert score is not Bad.score


def test_oracle_is_at_least_as_good_as_own_and_tuned(go):
    outcome = go("toy,bad(how=none),batch", wanted=("own", "tuned", "oracle"))
    for file in ("toy", "batch"):
        rows = table(outcome.folder, file)
        f1 = {
            rule: summarise(rows[rows["rule"] == rule], "pooled")["f1"]
            for rule in ("own", "tuned", "oracle")
        }
        assert f1["oracle"] >= max(f1.values()) > 0


def test_resolve_names_rules_in_the_order_wanted(toys, toy_folder, tmp_path):
    dataset, store = open_dataset(f"folder:{toy_folder}"), MapStore(tmp_path)
    found = resolve(["own", "half"], Toy.threshold, store, dataset, TEST, ())
    assert list(found) == ["own", "half"]
    assert list(resolve(["half", "oracle"], Toy.threshold, store, dataset, TEST, ())) == ["half"]


def test_a_perfect_map_counts_as_perfect_under_each_matching(toy_folder):
    sample = open_dataset(f"folder:{toy_folder}").load("test_0")
    stored = StoredMap(sample.mask.astype(np.float32), sample.pixels, 0.1234567)
    (row,), _ = count_image(sample, stored, {"own": Fixed(0.5)}, Fixed(0.5))
    assert {key: row[key] for key in FIRST_COLUMNS} == {
        "image": "test_0", "rule": "own", "level": 0.5, "tp": 9, "fp": 0, "fn": 0, "tn": 759,
        "targets": 1, "detected": 1, "false_pixels": 0, "false_pixels_area": 0,
        "detected_hungarian": 1, "false_pixels_hungarian": 0, "seconds": 0.123457,
    }  # fmt: skip


# ---- counts of earlier versions


def test_counts_of_an_earlier_version_are_made_again_from_maps(go):
    folder = go().folder
    written = {path.name: path.read_bytes() for path in folder.glob("toy.*")}
    as_earlier(folder, "toy")
    assert "hiou" not in (folder / "toy.csv").read_text()
    assert (folder / "toy.csv").read_bytes() != written["toy.csv"]
    outcome = go()
    assert (outcome.scored, outcome.counted, outcome.notes) == (0, 1, [])
    assert {path.name: path.read_bytes() for path in folder.glob("toy.*")} == written
    assert go().counted == 0


def test_counts_of_an_earlier_version_stay_where_a_map_is_gone(go, tmp_path):
    folder = go().folder
    scored_before = Results.load(folder).summary("own", "image").loc[0]
    as_earlier(folder, "toy")
    old = (folder / "toy.csv").read_bytes()
    next((tmp_path / "out" / "maps").rglob("test_3.npy")).unlink()
    outcome = go()
    assert (outcome.scored, outcome.counted, outcome.done) == (0, 0, ["toy"])
    assert "toy: counted by an earlier version" in outcome.notes[0]
    assert (folder / "toy.csv").read_bytes() == old
    results = Results.load(folder)
    line = results.summary("own", "image").loc[0]
    for score in ("f1", "iou", "pd", "fa", "auc"):
        assert line[score] == scored_before[score]
    blank = ["hiou", "loc", "seg", *HIOU_LOSSES, "pd_shooting", "fa_shooting"]
    blank += ["auc_image", "target_auc"]
    assert line[[*blank, *GAINS]].isna().all() and not scored_before[blank].isna().any()
    assert results.of_earlier("toy", "own")
    (note,) = [note for note in table_vi([results]).notes if "earlier version" in note]
    assert "no hIoU" in note
    outcome = go(fresh=True)
    assert outcome.scored == 6 and not Results.load(folder).of_earlier("toy", "own")


def test_a_failed_image_needs_no_map_to_count_the_others_again(go):
    folder = go("bad").folder
    written = {path.name: path.read_bytes() for path in folder.glob("bad.*")}
    as_earlier(folder, "bad")
    outcome = go("bad")
    assert (outcome.scored, outcome.counted, outcome.notes) == (0, 1, [])
    assert {path.name: path.read_bytes() for path in folder.glob("bad.*")} == written


def test_rules_that_were_not_asked_for_keep_the_counts_of_an_earlier_version(go):
    folder = go(wanted=("own", "half")).folder
    written = (folder / "toy.csv").read_bytes()
    as_earlier(folder, "toy")
    go(wanted=("own",))
    results = Results.load(folder)
    assert not results.of_earlier("toy", "own") and results.of_earlier("toy", "half")
    assert np.isnan(results.summary("half", "image").loc[0, "hiou"])
    assert results.summary("half", "image").loc[0, "f1"] > 0
    assert go(wanted=("own",)).counted == 0
    assert go(wanted=("half",)).counted == 1
    assert not Results.load(folder).of_earlier("toy", "half")
    assert (folder / "toy.csv").read_bytes() == written


def test_the_hash_of_counts_is_that_of_an_earlier_version(go):
    folder = go().folder
    now = counts_hash(folder / "toy.csv")
    as_earlier(folder, "toy")
    assert counts_hash(folder / "toy.csv") == now


# ---- errors before any work


@pytest.mark.parametrize("split", ["tset", "nuaa"])
def test_an_unknown_split_is_said_before_any_work(go, tmp_path, split):
    with pytest.raises(UnknownName, match="unknown split of folder-toyset"):
        go(split=split)
    assert not (tmp_path / "out").exists() and scored() == []


def test_a_damaged_image_is_said_before_any_work(go, folder, tmp_path):
    path = folder / "images" / "test_5.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"test_5\.png"):
        go()
    assert not (tmp_path / "out").exists() and scored() == []


def test_tuned_without_images_to_tune_on_is_said_before_any_work(go, folder, tmp_path):
    for split in ("train", "val"):
        (folder / f"{split}.txt").unlink()
    with pytest.raises(DataError, match="nothing can be tuned"):
        go(wanted=("tuned",))
    assert not (tmp_path / "out").exists()
    assert go().done == ["toy"]


@pytest.mark.parametrize("blocked", ["", "maps", "maps/folder-toyset", "folder-toyset"])
def test_a_folder_that_cannot_be_made_is_said_before_any_work(go, tmp_path, blocked):
    path = tmp_path / "out" / blocked
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("a file in the way")
    with pytest.raises(RunError, match="out.*results cannot be written"):
        go("toy,absent")
    assert scored() == []


def test_too_little_room_is_said_before_any_work(go, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=stores.RESERVE + 6 * 24 * 32 * 4 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RunError, match=r"0\.05 GB are free, this run needs about"):
        go()
    assert scored() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=usage.free + 1))
    assert go().done == ["toy"]


def test_a_disk_that_fills_up_stops_the_run_and_it_continues(go, monkeypatch, tmp_path):
    save = MapStore.save

    def full(self, name, stored):
        if name == MARKED:
            raise OSError(28, "No space left on device")
        save(self, name, stored)

    monkeypatch.setattr(MapStore, "save", full)
    with pytest.raises(RunError, match=r"out.*No space left.*what is done is kept"):
        go("toy,absent")
    monkeypatch.setattr(MapStore, "save", save)
    outcome = go()
    assert (outcome.scored, outcome.done) == (4, ["toy"])


# ---- processes of their own

SCRIPT = """
import sys
from pathlib import Path
from istsbench.data.datasets import open_dataset
from istsbench.runs.run import run
from istsbench.registry import choose

data, out, methods, jobs = sys.argv[1:]
outcome = run(choose(methods), open_dataset(f"folder:{data}"), Path(out), jobs=int(jobs))
sys.exit(1 if outcome.failed else 0)
"""


@pytest.fixture
def start(folder, tmp_path):
    """Start a run in a process of its own."""
    environment = install(tmp_path / "site")
    environment["TOY_LOG"] = os.environ["TOY_LOG"]

    def start(methods="toy(seconds=0.15)", jobs=1, **options):
        command = [sys.executable, "-c", SCRIPT, folder, tmp_path / "out", methods, str(jobs)]
        return subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, **options
        )

    return start


def wait_for_maps(folder, number, process):
    for _ in range(1200):
        if len(list(folder.rglob("*.npy"))) >= number:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_loses_only_what_was_in_flight(go, start, tmp_path, jobs):
    process = start(jobs=jobs, start_new_session=True)
    wait_for_maps(tmp_path / "out", 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    kept = len(list((tmp_path / "out").rglob("*.npy")))
    assert 2 <= kept < 6 and not (tmp_path / "out" / "folder-toyset" / "toy.csv").exists()
    tried = len(scored())
    assert tried <= kept + jobs
    outcome = go("toy(seconds=0.15)")
    assert outcome.done == ["toy(seconds=0.15)"] and outcome.scored == 6 - kept
    assert len(scored()) == tried + 6 - kept
    other = go("toy(seconds=0.15)", out="uninterrupted")
    file = "toy_seconds=0.15"
    pd.testing.assert_frame_equal(table(outcome.folder, file), table(other.folder, file))
    assert maps(tmp_path / "out") == maps(tmp_path / "uninterrupted")
    one, two = (record(folder, file) for folder in (outcome.folder, other.folder))
    own = {"csv", "busy", "seal"}  # the times are in them
    assert {k: v for k, v in one.items() if k not in own} == {
        k: v for k, v in two.items() if k not in own
    }


def test_two_runs_at_once_both_finish_with_the_same_files(go, start, tmp_path):
    methods = "toy(seconds=0.05),toy,bad"
    processes = [start(methods, jobs) for jobs in (1, 2)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1], errors
    folder = tmp_path / "out" / "folder-toyset"
    outcome = go(methods)
    assert (outcome.scored, outcome.counted) == (0, 0)
    assert outcome.done == ["toy(seconds=0.05)", "toy"] and list(outcome.failed) == ["bad"]
    other = go(methods, out="alone")
    for file in ("toy", "toy_seconds=0.05", "bad"):
        pd.testing.assert_frame_equal(table(folder, file), table(other.folder, file))
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_system_that_refuses_bytes_stops_the_run_with_its_reason(start, tmp_path, go):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    process = start("toy", preexec_fn=limit)
    error = process.communicate()[1]
    assert process.returncode == 1 and "RunError" in error and "File too large" in error
    assert not list((tmp_path / "out").rglob("*.n*")) and not list(tmp_path.rglob("*.part"))
    assert go("toy").done == ["toy"]


# ---- real images


def test_nuaa_top_hat_equals_an_independent_implementation(data_root, tmp_path):
    outcome = runner.run(choose("tophat"), open_dataset("nuaa", data_root), tmp_path, show=False)
    results = Results.load(outcome.folder)
    pooled, image = (results.summary("half", reduction).loc[0] for reduction in ("pooled", "image"))
    assert pooled["f1"] == pytest.approx(0.437, abs=0.01)
    assert image["f1"] == pytest.approx(0.576, abs=0.01)


# ---- what is there stays


def test_rules_are_added_to_those_that_are_there(go):
    at_once = go(wanted=("own", "half", "tuned", "oracle")).folder
    expected = [(at_once / name).read_bytes() for name in ("toy.csv", "toy.json")]
    for path in at_once.glob("toy.*"):
        path.unlink()
    go(wanted=("half",))
    outcome = go(wanted=("tuned",))
    assert (outcome.scored, outcome.counted) == (0, 1)
    go(wanted=("own", "oracle"))
    assert [(at_once / name).read_bytes() for name in ("toy.csv", "toy.json")] == expected
    assert go(wanted=("half",)).counted == 0


def test_counts_serve_without_their_maps(go, tmp_path):
    go()
    shutil.rmtree(tmp_path / "out" / "maps")
    outcome = go(wanted=("half",))
    assert (outcome.scored, outcome.counted, outcome.done) == (0, 0, ["toy"])


def test_a_method_that_breaks_later_keeps_its_counts(go, monkeypatch):
    folder = go().folder
    before = (folder / "toy.json").read_bytes()

    def broken(method):
        raise OSError("weights are gone")

    monkeypatch.setattr(runner, "method_hash", broken)
    outcome = go()
    assert outcome.failed == {"toy": "weights are gone"}
    assert outcome.notes == ["toy: the row shown is of an earlier run, not of now"]
    assert (folder / "toy.json").read_bytes() == before


def test_what_replaces_a_row_says_why(go, monkeypatch, folder):
    assert go("toy,batch").notes == [] == go("toy,batch").notes
    monkeypatch.setattr(runner, "method_hash", lambda method: "another")
    (note,) = go("toy,batch").notes
    assert note == (
        "toy, batch: the code, or what it uses, changed since the counts there were made; made "
        "anew now"
    )
    assert go("toy,batch").notes == []
    monkeypatch.setattr(Toy, "threshold", Fixed(9))
    (note,) = go("toy,batch").notes
    assert note.startswith("toy: the own threshold rule changed since")
    path = str(folder / "images" / "test_4.png")
    cv2.imwrite(path, cv2.imread(path, cv2.IMREAD_GRAYSCALE) + 1)
    (note,) = go("toy,batch").notes
    assert note.startswith("toy, batch: the images or masks changed since")
    assert go("toy", wanted=("tuned",)).notes == []  # a rule is added, nothing replaced


def test_a_limit_that_leaves_the_split_whole_leaves_the_tuning_images_whole(go):
    go(wanted=("tuned",))
    assert go(wanted=("tuned",), limit=6).counted == 0
    assert go(wanted=("tuned",), limit=7).counted == 0


def test_another_folder_called_alike_is_refused(go, folder, tmp_path):
    before = (go().folder / "toy.csv").read_bytes()
    other = shutil.copytree(folder, tmp_path / "other" / folder.name)
    path = str(other / "images" / "test_4.png")
    cv2.imwrite(path, cv2.imread(path, cv2.IMREAD_GRAYSCALE) + 1)
    with pytest.raises(RunError, match="results of another folder called toyset"):
        runner.run(choose("toy"), open_dataset(f"folder:{other}"), tmp_path / "out", show=False)
    assert (tmp_path / "out" / "folder-toyset" / "toy.csv").read_bytes() == before


def test_a_record_names_what_made_the_maps_not_what_counted_them(go, tmp_path, monkeypatch):
    go(wanted=("own",))
    here = stores.environment()
    monkeypatch.setattr(stores, "environment", lambda *_: {**here, "cpu": "another"})
    assert record(go(wanted=("half",)).folder)["environment"]["cpu"] == here["cpu"]
    next((tmp_path / "out" / "maps").rglob("test_1.npy")).unlink()
    both = record(go(wanted=("oracle",)).folder)["environment"]["cpu"]
    assert sorted(both.split("; ")) == sorted([here["cpu"], "another"])
    assert record(go(fresh=True).folder)["environment"]["cpu"] == "another"
