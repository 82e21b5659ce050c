import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from toys import scored
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, RunError, UnknownName, WrongUse
from istsbench.provenance import environment
from istsbench.registry import choose
from istsbench.results import manifest
from istsbench.results import rerun as again
from istsbench.results.manifest import counts_hash, read_run_manifest, write_run_manifest
from istsbench.results.predictions import submit
from istsbench.results.rerun import TOLERANCE, rerun
from istsbench.results.results import Results
from istsbench.runs import run as runner
from istsbench.runs.record import Origin, read_record, write_record

TAG = "folder-toyset"


# ---- the file


@pytest.fixture
def go(toys, toy_folder, tmp_path):
    """Run methods on the toy data set and write the protocol of the folder; its path."""

    def go(methods="toy,toy(gain=2),batch", out="out", **options):
        data = open_dataset(f"folder:{toy_folder}")
        done = runner.run(choose(methods), data, tmp_path / out, show=False, **options)
        return write_run_manifest(Results.load(done.folder))

    return go


@pytest.fixture
def once_more(toy_folder, tmp_path):
    def once_more(path, out="fresh"):
        return rerun(path, tmp_path / out, dataset=f"folder:{toy_folder}", show=False)

    return once_more


def edit(path, change):
    """Write the file anew from its manifest, changed."""
    path.write_text(manifest.manifest_text(change(read_run_manifest(path))), encoding="utf-8")


def each(**values):
    return lambda found: replace(
        found, entries=tuple(replace(entry, **values) for entry in found.entries)
    )


def test_the_file_says_what_was_run(go):
    path = go(limit=4, wanted=("own", "tuned"))
    found = read_run_manifest(path)
    assert path.name == "protocol.toml"
    assert (found.dataset, found.split, found.images, found.of, found.limit) == (
        TAG, "test", 4, 6, 4,
    )  # fmt: skip
    assert [entry.spec for entry in found.entries] == ["batch", "toy", "toy(gain=2)"]
    record = json.loads((path.parent / "toy_gain=2.json").read_text())
    entry = found.entries[2]
    assert (entry.code, entry.own, entry.failed) == (record["method_hash"], record["own"], 0)
    assert entry.parameters == {"gain": "2", "seconds": "0.0", "note": "''"}
    assert entry.tuning_hash == record["tuning_hash"]
    assert entry.machine == environment()
    summary = Results.load(path.parent).summary("tuned", "pooled").set_index("method")
    assert entry.f1["pooled"]["tuned"] == pytest.approx(summary.loc[entry.spec, "f1"], abs=1e-6)
    assert manifest.manifest_text(found) == path.read_text()


def test_equal_results_give_equal_bytes_and_an_unchanged_file_is_left_alone(go):
    one, other = go(), go(out="other")
    assert one.read_bytes() == other.read_bytes()
    before = one.stat().st_mtime_ns
    go()
    assert one.stat().st_mtime_ns == before


def test_runs_add_up_in_the_file(go):
    go("toy")
    assert [entry.spec for entry in read_run_manifest(go("batch")).entries] == ["batch", "toy"]


def test_rows_that_no_run_made_are_left_out(go, toy_folder, tmp_path):
    path = go("toy")
    data = open_dataset(f"folder:{toy_folder}")
    folder, _ = submit(toy_folder / "masks", data, tmp_path / "out", label="mine")
    origin = Origin(pack="0" * 64, verified=False)
    record = read_record(folder / "toy.json")
    write_record(folder, replace(record, method="theirs", file="theirs", imported=origin))
    (folder / "theirs.csv").write_bytes((folder / "toy.csv").read_bytes())
    results = Results.load(folder)
    assert set(results.counts) == {"toy", "theirs", "submitted(mine)"}
    assert write_run_manifest(results) == path
    assert [entry.spec for entry in read_run_manifest(path).entries] == ["toy"]
    mine = {"submitted(mine)"}
    assert write_run_manifest(Results.load(folder, mine)) is None


def test_only_times_are_left_out_of_the_hash_of_counts(go, tmp_path):
    path = go("toy").with_name("toy.csv")
    rows, other = pd.read_csv(path), tmp_path / "other.csv"
    for column, same in (("seconds", True), ("tp", False), ("level", False), ("fn", False)):
        rows.assign(**{column: rows[column] + 1}).to_csv(other, index=False)
        assert (counts_hash(other) == counts_hash(path)) == same


@pytest.mark.parametrize(
    "text, what",
    [("=", "not a protocol file"), ("", "it has no 'format'"), ("format = 9", "reads 1"),
     ("format = 1\ndata = 3", "not a protocol file"), (None, "cannot be read")],
)  # fmt: skip
def test_what_is_no_protocol_file_is_said(tmp_path, text, what):
    path = tmp_path / "protocol.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=what) as error:
        read_run_manifest(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "old, new",
    [("machine = 1", "machine = 7"), ("images = 6", 'images = "six"'), ('spec = "toy"', "spec = 1"),
     ("own = 1.0", 'own = "x"'), ("[data]", "[other]"), ("rules = [", "rules = [1, ")],
)  # fmt: skip
def test_a_file_with_a_wrong_value_is_refused(go, old, new):
    path = go("toy")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match="not a protocol file"):
        read_run_manifest(path)


# ---- run again


def test_a_rerun_gives_the_same_numbers(go, once_more, tmp_path):
    path = go(limit=4, wanted=("own", "tuned"))
    before = len(scored())
    done = once_more(path)
    assert done.good and len(scored()) > before
    assert done.folder == tmp_path / "fresh" / f"{TAG}-first4"
    assert done.lines() == [
        f"3 of 3 methods equal bit for bit ({done.scored} images scored now, in {done.folder})"
    ]
    assert done.scored == 3 * 8
    assert once_more(path).scored == 0


def test_methods_with_different_rules_are_run_by_theirs(go, once_more):
    go("toy", wanted=("own",))
    path = go("batch", wanted=("own", "half"))
    done = once_more(path)
    assert done.good
    assert [entry.rules for entry in read_run_manifest(path).entries] == [("own", "half"), ("own",)]


def test_other_images_are_refused(go, once_more, tmp_path):
    path = go()
    edit(path, lambda found: replace(found, data_hash="0" * 16))
    with pytest.raises(RunError, match=r"6 images .* hash 0{16}; here are 6 with hash"):
        once_more(path)
    assert not (tmp_path / "fresh").exists()


def test_other_code_is_refused_by_name(go, once_more, tmp_path, monkeypatch):
    path = go()
    edit(path, lambda found: replace(
        found, entries=(found.entries[0], replace(found.entries[1], code="0"), found.entries[2])
    ))  # fmt: skip
    with pytest.raises(RunError, match=r"rule of toy differ .* version is .* in both"):
        once_more(path)
    go("toy")  # writes it anew
    edit(path, each(own="MeanStd(k=99)"))
    with pytest.raises(RunError, match=r"rule of batch, toy, toy\(gain=2\) differ"):
        once_more(path)
    assert not (tmp_path / "fresh").exists()


def test_code_of_another_version_runs_and_is_named(go, once_more):
    path = go("toy,batch")
    machine = {**environment(), "istsbench": "0.0.1"}
    edit(path, each(code="0", machine=machine))
    done = once_more(path)
    assert done.good and done.changed == ("batch", "toy")
    assert "code of another version: batch, toy" in done.lines()
    assert "istsbench 0.0.1, here" in done.lines()[1]


def test_counts_that_differ_are_named_and_by_how_much(go, once_more):
    path = go("toy,batch")
    f1 = read_run_manifest(path).entries[1].f1
    moved = {**f1, "pooled": {**f1["pooled"], "half": f1["pooled"]["half"] - TOLERANCE / 2}}
    edit(path, lambda found: replace(
        found, entries=(found.entries[0], replace(found.entries[1], counts="0", f1=moved))
    ))  # fmt: skip
    done = once_more(path)
    assert not done.good  # the same machine owes the same bits
    assert done.lines()[0] == "toy: counts or levels differ, F1 by up to 0.0005"
    assert "1 of 2 methods equal bit for bit, 1 not, with the same versions" in done.lines()[1]

    edit(path, each(machine={**environment(), "cpu": "Another"}))
    done = once_more(path)
    assert done.good and done.elsewhere[0].startswith("cpu Another, here ")
    assert "1 within 0.001 in F1, 0 further off" in done.lines()[-1]

    edit(path, each(f1={"image": {"own": 0.0}}, counts="0"))
    done = once_more(path)
    assert not done.good
    assert (
        "0 of 2 methods equal bit for bit, 0 within 0.001 in F1, 2 further off"
        in (done.lines()[-1])
    )


def test_an_f1_that_is_missing_now_is_no_small_difference(go, once_more):
    path = go("toy")
    own = read_run_manifest(path).entries[0].f1["image"]["own"]
    edit(path, each(machine={**environment(), "cpu": "Another"}))
    for more in ({"own": own, "gone": 0.5}, {"gone": 0.5, "own": own}):
        edit(path, each(counts="0", f1={"image": more}))
        done = once_more(path)
        assert not done.good and math.isnan(done.compared[0].apart)
        assert done.lines()[0] == "toy: counts or levels differ, and an F1 is missing"


def test_a_difference_without_a_change_of_f1_is_one_on_the_same_machine(go, once_more):
    path = go("toy")
    edit(path, each(counts="0"))
    assert not once_more(path).good


def test_a_method_that_fails_now_is_not_equal(go, once_more, monkeypatch):
    path = go("toy,bad(how=none)")
    found = read_run_manifest(path).entries[0]
    assert (found.failed, found.f1) == (1, {})
    assert once_more(path).good  # it fails again, on the same image
    edit(path, lambda one: replace(one, entries=(replace(found, failed=0, counts="0"),)))
    done = once_more(path)
    assert not done.good and math.isnan(done.compared[0].apart)
    assert done.lines()[0] == "bad(how='none'): 0 images had failed, now 1"


def test_a_method_that_cannot_be_made_now_is_not_equal_to_a_row_of_before(go, once_more):
    path = go("toy")
    assert once_more(path).good
    edit(path, each(spec="absent"))
    done = once_more(path)
    assert not done.good and "no counts: method 'absent' (no_such_pack" in done.lines()[0]


def test_what_is_not_here_is_said(go, once_more, toy_folder, tmp_path):
    path = go("toy")
    with pytest.raises(WrongUse, match="--dataset folder:PATH"):
        rerun(path, tmp_path / "fresh")
    with pytest.raises(WrongUse, match="is synthetic, the protocol folder-toyset"):
        rerun(path, tmp_path / "fresh", dataset="synthetic")
    edit(path, each(spec="nosuch"))
    with pytest.raises(UnknownName):
        once_more(path)
    edit(path, each(spec="hvs"))
    with pytest.raises(WrongUse, match="no single method"):
        once_more(path)


# ---- the command, with three real methods


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    return lambda text: CliRunner().invoke(app, text.split())


def test_run_then_run_by_its_protocol(cli):
    words = "run --methods tophat,mpcm,wsnmstipt --dataset synthetic --limit 3"
    assert cli(words).exit_code == 0
    path = Path("results/synthetic-first3/protocol.toml")
    before = path.read_bytes()
    done = cli(f"run --protocol {path}")
    assert done.exit_code == 0
    assert "3 of 3 methods equal bit for bit (9 images scored now, in reruns" in done.output
    assert cli(words).exit_code == 0
    assert path.read_bytes() == before

    path.write_bytes(before.replace(b'counts = "', b'counts = "f'))
    done = cli(f"run --protocol {path} --out other")
    assert done.exit_code == 1
    assert "tophat: counts or levels differ, F1 by up to 0\n" in done.output
    assert "failed: the numbers are not those of the protocol file" in done.output

    path.write_bytes(before.replace(b'code = "', b'code = "f'))
    done = cli(f"run --protocol {path}")
    assert done.exit_code == 1
    assert "mpcm, tophat, wsnmstipt differ from those that it was made with" in done.output


@pytest.mark.parametrize(
    "option",
    ["--methods all", "--split test", "--rules own", "--limit 3", "--set a.b=1", "--shard 1/2"],
)
def test_what_the_file_says_cannot_be_said_otherwise(cli, option):
    done = cli(f"run --protocol any.toml {option}")
    assert done.exit_code == 2
    assert f"{option.split()[0]} and --protocol together" in done.output


def test_run_needs_a_data_set_or_a_protocol(cli):
    done = cli("run --methods tophat")
    assert done.exit_code == 2 and "--dataset is missing" in done.output


def test_the_tolerance_is_for_other_machines_only():
    one = again.Compared("m", False, TOLERANCE / 2)
    done = again.Rerun(Path("x"), 0, (one,), (), ())
    assert not done.good
    assert replace(done, elsewhere=("cpu A, here B",)).good
