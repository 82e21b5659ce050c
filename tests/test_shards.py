import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from test_cli import cli  # noqa: F401
from toys import MARKED, Bad, Toy, scored

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import FolderDataset
from istsbench.errors import DataError, WrongUse
from istsbench.registry import choose
from istsbench.runs import run as runner
from istsbench.runs.maps import MapStore
from istsbench.runs.shards import Shard, merge


@pytest.fixture
def go(toys, toy_folder, tmp_path):
    """Run methods on the toy data set into a results folder of the test."""
    dataset = open_dataset(f"folder:{toy_folder}")

    def go(out, methods="toy,batch", shard=None, **options):
        part = Shard.read(shard) if shard else None
        chosen = choose(methods)
        return runner.run(chosen, dataset, tmp_path / out, shard=part, show=False, **options)

    return go


def files(folder):
    """The files of a results folder by name: bytes, but tables without their times."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix == ".npy":
            found[name] = path.read_bytes().rpartition(b"\n")[0]
        elif path.suffix == ".json":
            record = json.loads(path.read_bytes())
            found[name] = {
                k: v for k, v in record.items() if k not in ("csv", "busy", "seal")
            }  # times
        elif path.parent.name == "curves":
            found[name] = path.read_bytes()
        else:
            found[name] = pd.read_csv(path).drop(columns="seconds").to_csv()
    return found


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1.0/2"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(WrongUse, match="expected i/n with i from 1 to n"):
        Shard.read(text)


def test_shards_divide_the_images():
    names = [str(number) for number in range(11)]
    parts = [Shard(number, 4).of(names) for number in (1, 2, 3, 4)]
    assert parts[0] == ("0", "4", "8") and sorted(sum(parts, ())) == sorted(names)
    assert str(Shard.read("3/4")) == "3/4"


def test_shards_in_one_folder_and_a_last_run_equal_a_serial_run(go, tmp_path, monkeypatch):
    options = {"methods": "toy,batch,bad", "wanted": ("own", "tuned", "oracle")}
    go("serial", **options)
    calls = scored()
    for number in (3, 1, 2):
        outcome = go("shared", shard=f"{number}/3", **options)
        assert outcome.counted == 0 and 9 <= outcome.scored <= 12
        assert ("bad" in outcome.failed) == (number == 3)  # test_2 is the third image
        assert not list((tmp_path / "shared").glob("folder-toyset*"))
    assert sorted(scored()[len(calls) :]) == sorted(calls)
    calls = scored()
    outcome = go("shared", **options)
    assert (outcome.scored, outcome.counted, scored()) == (0, 3, calls)
    assert files(tmp_path / "shared") == files(tmp_path / "serial")


def test_a_shard_looks_at_its_own_images_only(go, monkeypatch):
    loaded = []
    load = FolderDataset.load
    monkeypatch.setattr(FolderDataset, "load", lambda s, n: (loaded.append(n), load(s, n))[1])
    go("out", shard="2/3")
    assert set(loaded) == {"test_1", "test_4"}
    assert go("out", shard="2/3").scored == 0
    assert go("out", shard="9/9").scored == 0  # more shards than images


def test_shards_of_separate_folders_are_merged(go, tmp_path):
    go("serial", "toy,bad")
    for number in (1, 2, 3):
        go(f"node{number}", "toy,bad", shard=f"{number}/3")
    sources = [tmp_path / f"node{number}" for number in (1, 2, 3)]
    done = merge(sources, tmp_path / "out")
    assert (done.copied, done.present, done.refused) == (12, 0, {})
    assert (tmp_path / "out").is_dir()
    again = merge(sources, tmp_path / "out")
    assert (again.copied, again.present, again.refused) == (0, 12, {})
    assert go("out", "toy,bad").scored == 0
    assert files(tmp_path / "out") == files(tmp_path / "serial")


def test_a_merge_takes_no_damaged_map_and_leaves_intact_ones(go, tmp_path):
    for out in ("one", "two"):
        go(out, "toy", shard="1/2")
    one, two = (sorted((tmp_path / out).rglob("*.npy")) for out in ("one", "two"))
    kept = one[1].read_bytes()
    two[0].write_bytes(two[0].read_bytes()[:-20])
    one[2].write_bytes(b"half")
    done = merge([tmp_path / "two"], tmp_path / "one")
    assert done.refused == {two[0]: "it is damaged"}
    assert (done.copied, done.present) == (1, 1)
    assert one[1].read_bytes() == kept and one[2].read_bytes() == two[2].read_bytes()
    assert two[0].exists()
    assert go("one", "toy").scored == 3  # the images of the other shard


def test_maps_of_other_pixels_are_not_mixed(go, toy_folder, tmp_path):
    go("one", "toy", shard="1/2")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (path,) = (tmp_path / "two").rglob("test_2.npy")
    store = MapStore(path.parent)
    stored = store.load("test_2")
    path.unlink()
    store.save("test_2", replace(stored, pixels="other"))
    done = merge([tmp_path / "two"], tmp_path / "one")
    (reason,) = done.refused.values()
    assert "was made from other pixels" in reason and done.present == 2


def test_a_map_replaces_a_failure_wherever_they_come_from(go, tmp_path, monkeypatch):
    go("one", "bad")
    monkeypatch.setattr(Bad, "score", Toy.score)
    monkeypatch.setattr(Bad, "gain", 1, raising=False)
    monkeypatch.setattr(Bad, "seconds", 0, raising=False)
    go("two", "bad")
    for number, order in enumerate((["one", "two"], ["two", "one"])):
        out = tmp_path / f"out{number}"
        for name in order:
            merge([tmp_path / name], out)
        assert len(list(out.rglob("*.npy"))) == 6 and not list(out.rglob("*.failed.json"))
    assert MARKED in {path.stem for path in out.rglob("*.npy")}


def test_a_folder_without_maps_is_said_before_anything_is_copied(go, tmp_path):
    go("one", "toy", shard="1/2")
    with pytest.raises(DataError, match=r"two: no folder maps/ in it"):
        merge([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shards_and_merge_on_the_command_line(cli, toy_folder, tmp_path):  # noqa: F811
    options = ["run", "--methods", "toy", "--dataset", f"folder:{toy_folder}"]
    for number in (1, 2):
        done = cli(*options, "--shard", f"{number}/2", "--out", f"node{number}")
        assert done.exit_code == 0, done.output
        assert f"shard {number}/2 of folder-toyset: 3 images scored" in done.output
    done = cli("merge", "node1", "node2")
    assert done.exit_code == 0 and "results: 6 files copied, 0 were there already" in done.output
    done = cli(*options)
    assert done.exit_code == 0 and len(scored()) == 6
    assert (tmp_path / "results" / "folder-toyset" / "table_vi.csv").is_file()
    done = cli(*options, "--shard", "3/2")
    assert done.exit_code == 2 and "shard is '3/2', expected i/n" in done.output
