import hashlib
import json
import os
import shutil
import struct
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import as_earlier
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, PackError
from istsbench.registry import choose
from istsbench.results import archive as zipped
from istsbench.results import packcheck
from istsbench.results.masks import Masks, encode, mask_of_runs
from istsbench.results.packs import export_pack, import_pack
from istsbench.results.predictions import submit
from istsbench.results.results import Results
from istsbench.runs.record import read_record, write_record
from istsbench.runs.run import run
from istsbench.tables.table_vi import table_vi

CASES = int(os.environ.get("ISTSBENCH_FUZZ", 60))  # a nightly run may try 10000
TAG = "synthetic-first3"
RULES = ("own", "half")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The results of two methods on three images."""
    folder = tmp_path_factory.mktemp("results")
    run(choose("tophat,admd"), open_dataset("synthetic"), folder, wanted=RULES, limit=3, show=False)
    return folder


@pytest.fixture(scope="module")
def pack(out, tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "two.zip"
    assert export_pack(out / TAG, path) == ["admd", "tophat"]
    return path


def members(pack):
    with zipfile.ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rebuilt(pack, path, edit):
    """A pack in which `edit(file, contents)` changed a method's members, sums made again."""
    found = members(pack)
    manifest = json.loads(found.pop("manifest.json"))
    for file in manifest["methods"]:
        contents = {name: found[f"{file}/{name}"] for name in packcheck.MEMBERS}
        edit(file, contents)
        record = json.loads(contents["record.json"])
        masks = json.loads(contents["masks.json"])
        record["csv"] = masks["csv"] = hashlib.sha256(contents["counts.csv"]).hexdigest()
        record["curve"] = hashlib.sha256(contents["curve.csv"]).hexdigest()
        contents |= {"record.json": dumped(record), "masks.json": dumped(masks)}
        found |= {f"{file}/{name}": data for name, data in contents.items()}
    manifest["members"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in found.items()
    }
    return written(path, {**found, "manifest.json": dumped(manifest)})


def written(path, found):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return path


def dumped(value):
    return json.dumps(value).encode()


def refused(path, into, reason):
    with pytest.raises(PackError, match=reason):
        import_pack(path, into)
    assert not list(into.rglob("*")), "something was written"


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_run_lengths_give_the_mask_back(pixels):
    mask = np.array(pixels).reshape(1, -1)
    runs = encode(mask)
    np.testing.assert_array_equal(mask_of_runs(runs, mask.shape), mask)
    assert sum(runs) == mask.size and 0 not in runs[1:]


def test_run_lengths_by_hand():
    mask = np.array([[False, False, True], [True, False, False]])
    assert encode(mask) == [2, 2, 2]
    assert encode(~mask) == [0, 2, 2, 2]


def test_imported_rows_make_the_same_table_without_maps(out, pack, tmp_path):
    done = import_pack(pack, tmp_path)
    assert done.methods == ("admd", "tophat") and done.verified and not done.present
    mine, theirs = Results.load(out / TAG), Results.load(tmp_path / TAG)
    pd.testing.assert_frame_equal(table_vi([mine]).frame, table_vi([theirs]).frame)
    assert theirs.records["admd"].imported.verified
    for name in mine.counts["admd"]["image"].unique():
        expected = Masks.of(out, mine, "admd", "own")(name)
        np.testing.assert_array_equal(Masks.of(tmp_path, theirs, "admd", "own")(name), expected)
    assert Masks.of(tmp_path, theirs, "admd", "half")(name) is None


def test_masks_of_counts_that_were_made_anew_are_not_used(pack, tmp_path):
    import_pack(pack, tmp_path)
    results = Results.load(tmp_path / TAG)
    results.records["admd"] = replace(results.records["admd"], csv="0" * 64)
    name = results.counts["admd"]["image"][0]
    assert Masks.of(tmp_path, results, "admd", "own")(name) is None
    assert Masks.of(tmp_path, results, "tophat", "own")(name) is not None


def test_rows_of_an_earlier_version_travel_as_they_are(out, tmp_path):
    shutil.copytree(out, tmp_path / "old")
    for file in ("admd", "tophat"):
        as_earlier(tmp_path / "old" / TAG, file)
    export_pack(tmp_path / "old" / TAG, tmp_path / "old.zip")
    done = import_pack(tmp_path / "old.zip", tmp_path / "new")
    assert done.verified and done.methods == ("admd", "tophat")
    counts = (tmp_path / "old" / TAG / "admd.csv").read_bytes()
    assert (tmp_path / "new" / TAG / "admd.csv").read_bytes() == counts
    results = Results.load(tmp_path / "new" / TAG)
    assert results.of_earlier("admd", "own")
    outcome = run(
        choose("tophat,admd"), open_dataset("synthetic"), tmp_path / "new", wanted=RULES, limit=3,
        show=False,
    )  # fmt: skip
    assert outcome.scored == outcome.counted == 0
    assert outcome.notes[0].startswith("tophat, admd: counted by an earlier version")


def test_the_commands_say_what_they_did(out, tmp_path):
    def call(*words):
        answer = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
        return answer.exit_code, answer.output

    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    file = str(tmp_path / "one.zip")
    code, text = call("export", file, "--dataset", TAG, "--methods", "tophat")
    assert code == 0 and "1 methods: tophat" in text
    code, text = call("import", file)
    assert code == 0 and "new: none; there already: tophat" in text and "agree" in text
    (tmp_path / "one.zip").write_bytes(b"<html>")
    assert call("import", file)[0] == 1


def test_a_run_does_not_repeat_an_imported_row(pack, tmp_path):
    import_pack(pack, tmp_path)
    outcome = run(
        choose("tophat,admd,maxmean"), open_dataset("synthetic"), tmp_path, wanted=RULES, limit=3,
        show=False,
    )  # fmt: skip
    assert outcome.scored == 3 and sorted(outcome.done) == ["admd", "maxmean", "tophat"]


def test_same_results_same_pack_and_importing_twice_changes_nothing(out, pack, tmp_path):
    export_pack(out / TAG, tmp_path / "again.zip", ["admd", "tophat", "admd"])
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()
    import_pack(pack, tmp_path)
    done = import_pack(pack, tmp_path)
    assert done.methods == () and done.present == ("admd", "tophat")


def test_an_imported_row_travels_on(pack, tmp_path):
    import_pack(pack, tmp_path / "one")
    export_pack(tmp_path / "one" / TAG, tmp_path / "next.zip", ["admd"])
    assert import_pack(tmp_path / "next.zip", tmp_path / "two").methods == ("admd",)


def test_predictions_of_others_travel(tmp_path):
    root = tmp_path / "data" / "nuaa"
    (tmp_path / "pred").mkdir()
    for folder in ("images", "masks", "idx_427"):
        (root / folder).mkdir(parents=True)
    for name, side in (("a", 3), ("b", 4)):
        mask = np.zeros((20, 30), np.uint8)
        mask[5 : 5 + side, 7 : 7 + side] = 255
        for folder in (root / "masks", tmp_path / "pred"):
            cv2.imwrite(str(folder / f"{name}.png"), mask)
        cv2.imwrite(str(root / "images" / f"{name}.png"), mask // 2 + 50)
    (root / "idx_427" / "test.txt").write_text("a\nb\n")
    dataset = open_dataset("nuaa", tmp_path / "data")
    folder, record = submit(tmp_path / "pred", dataset, tmp_path / "mine", label="My net, 2")
    export_pack(folder, tmp_path / "net.zip", [record.method])
    done = import_pack(tmp_path / "net.zip", tmp_path / "theirs", tmp_path / "data")
    assert done.methods == (record.method,) and done.verified
    done = import_pack(tmp_path / "net.zip", tmp_path / "blind", tmp_path / "nothing")
    assert not done.verified and "tried" in done.why

    def grown(entry):
        entry["runs"][1] += 1
        entry["runs"][2] -= 1

    bad = rebuilt(tmp_path / "net.zip", tmp_path / "bad.zip", edit_masks(grown))
    with pytest.raises(PackError, match="a mask of 10 pixels, 9 were counted"):
        import_pack(bad, tmp_path / "bad", tmp_path / "nothing")
    cv2.imwrite(str(root / "masks" / "b.png"), np.zeros((20, 30), np.uint8))
    with pytest.raises(PackError, match="images of hash"):
        import_pack(tmp_path / "net.zip", tmp_path / "other", tmp_path / "data")
    assert not (tmp_path / "other").exists()


def test_export_says_what_is_missing(out, tmp_path):
    with pytest.raises(DataError, match="no counts of ipi; has admd, tophat"):
        export_pack(out / TAG, tmp_path / "x.zip", ["ipi"])
    shutil.copytree(out / TAG, tmp_path / TAG)  # without maps
    with pytest.raises(DataError, match="2 of 2 methods have neither .*; 6 missing maps"):
        export_pack(tmp_path / TAG, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


# ------------------------------------------------------------------ refusals


def edit_counts(column, value):
    def edit(file, contents):
        if file == "admd":
            lines = contents["counts.csv"].decode().splitlines()
            cells = lines[1].split(",")
            cells[lines[0].split(",").index(column)] = str(value)
            lines[1] = ",".join(cells)
            contents["counts.csv"] = "\n".join(lines).encode() + b"\n"

    return edit


TRAINED = {"method": "a", "label": "b", "seed": 1, "plan": "c"}


def edit_record(**changes):
    def edit(file, contents):
        record = json.loads(contents["record.json"]) | changes
        contents["record.json"] = dumped(record)

    return edit


def edit_masks(change):
    def edit(file, contents):
        masks = json.loads(contents["masks.json"])
        change(next(iter(masks["images"].values())))
        contents["masks.json"] = dumped(masks)

    return edit


def moved(entry):  # one pixel to the right: the same area, other pixels
    entry["runs"][0] += 1
    entry["runs"][-1] -= 1


@pytest.mark.parametrize(
    "edit, reason",
    [
        (edit_counts("detected", 0), "detected of .* is stated as 0, its mask gives 1"),
        (edit_counts("tp", -1), "tp must be whole numbers"),
        (edit_counts("tp", "1.5"), "tp must be whole numbers"),
        (edit_counts("tn", 10**30), "something else than numbers|whole numbers"),
        (edit_counts("fp", 9), "rules disagree"),
        (edit_counts("level", "inf"), "level is not finite"),
        (edit_counts("image", "../../evil"), "not allowed as a name"),
        (edit_counts("rule", "magic"), "not one row for each image and rule"),
        (edit_counts("seconds", "-1"), "time is out of range"),
        (edit_counts("targets", "many"), "something else than numbers"),
        (edit_counts("regions", 5), "regions of .* is stated as 5, its mask gives 1"),
        (edit_counts("regions", ""), "a row lacks some columns"),
        (edit_counts("regions", 10**9), "regions is above what it is of"),
        (edit_counts("missed_opdc", 0.5), "parts of the pairs do not add up"),
        (edit_counts("iou_opdc", "inf"), "iou_opdc must be numbers"),
        (edit_counts("regions_apart", 0.5), "regions_apart must be whole numbers"),
        (edit_counts("detected_shooting", 0), "detected_shooting of .* is stated as 0"),
        (edit_counts("auc", 1.5), "auc must be numbers from 0 to 1"),
        (edit_counts("scrg", -1), "scrg must be numbers"),
        (edit_counts("gain", 77), "rules disagree on what maps come to"),
        (edit_counts("bsf_targets", 5), "bsf_targets is above what it is of"),
        (edit_masks(moved), "is stated as"),
        (edit_masks(lambda entry: entry.update(runs=entry["runs"][:-1])), "do not fill"),
        (edit_masks(lambda entry: entry.update(runs=[-1, 1])), "do not fill"),
        (edit_masks(lambda entry: entry.update(size=[1, 10**18])), "size"),
        (edit_masks(lambda entry: entry.update(runs="pickle")), "do not fill"),
        (edit_record(data_hash="0" * 16), "manifest has"),
        (edit_record(format=99), "counts of format 99"),
        (edit_record(method_hash="../../../tmp"), "not allowed"),
        (edit_record(label="a\x1b[31m"), "short text"),
        (edit_record(label=7), "label is int 7, expected a text"),
        (edit_record(wanted=["half"]), "own among them"),
        (edit_record(auc="1"), "expected a number"),
        (edit_record(auc=2.0), "expected 0..1"),
        (edit_record(failed=[]), "texts by name"),
        (edit_record(file="../evil"), "file is"),
        (edit_record(trained=3), "trained is int"),
        (edit_record(trained={"seed": 1}), "trained: no method"),
        (edit_record(trained=TRAINED | {"seed": True}), "seed is bool True, expected a whole"),
        (edit_record(trained=TRAINED | {"label": "b\x1b"}), "trained: label"),
        (edit_record(trained=TRAINED | {"label": "b" * 501}), "trained: label"),
        (edit_record(trained=TRAINED | {"dataset": 5}), "dataset is int 5, expected a text"),
        (edit_record(trained=TRAINED | {"split": "x\x1b"}), "trained: split"),
        (edit_record(trained=TRAINED | {"dataset": "x" * 501}), "trained: dataset"),
        (edit_record(trained=TRAINED | {"epochs": "9"}), "epochs is str 9, expected a whole"),
    ],
)
def test_tampered_rows_are_refused_although_their_sums_are_right(pack, tmp_path, edit, reason):
    into = tmp_path / "into"
    refused(rebuilt(pack, tmp_path / "bad.zip", edit), into, reason)


def change_manifest(**changes):
    def change(found):
        manifest = json.loads(found["manifest.json"])
        for key, value in changes.items():
            if key in manifest["protocol"]:
                manifest["protocol"][key] = value
            else:
                manifest[key] = value
        return {**found, "manifest.json": dumped(manifest)}

    return change


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda found: {**found, "../../evil.csv": b""}, "not in the manifest"),
        (lambda found: {**found, "admd/evil.pkl": b"\x80\x04."}, "not in the manifest"),
        (lambda found: {**found, "admd/counts.csv": b"image\n"}, "not what the manifest says"),
        (lambda found: {n: d for n, d in found.items() if n != "admd/curve.csv"}, "no member"),
        (lambda found: {n: d for n, d in found.items() if n != "manifest.json"}, "no manifest"),
        (lambda found: {**found, "manifest.json": b"[" * 100_000}, "not JSON"),
        (lambda found: {**found, "manifest.json": b"[]"}, "expected an object"),
        (change_manifest(version=2), "version 2"),
        (change_manifest(kind="zip"), "kind is 'zip'"),
        (change_manifest(methods=["../admd", "tophat"]), "not allowed"),
        (change_manifest(methods=["admd", "ADMD"]), "stands twice"),
        (change_manifest(methods=["admd", 3]), "short text"),
        (change_manifest(methods=[]), "1 to 500"),
        (change_manifest(members={}), "members are not"),
        (change_manifest(dataset="../.."), "not allowed"),
        (change_manifest(dataset="nul"), "not allowed"),
        (change_manifest(split="a/../b"), "not allowed"),
        (change_manifest(data_hash="f" * 16), "images of hash|the manifest has"),
        (change_manifest(images=10**9), "expected 1..1000000"),
        (change_manifest(images=True), "expected 1..1000000"),
    ],
)
def test_what_the_manifest_does_not_allow_is_refused(pack, tmp_path, change, reason):
    path = written(tmp_path / "bad.zip", change(members(pack)))
    refused(path, tmp_path / "into", reason)


def test_sizes_are_bounded_before_anything_is_read(pack, tmp_path, monkeypatch):
    into, bad = tmp_path / "into", tmp_path / "bad.zip"
    zeros = {**members(pack), "manifest.json": b" " * (packcheck.LIMITS["manifest.json"] + 1)}
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in zeros.items():
            archive.writestr(name, data)
    assert bad.stat().st_size < 100_000
    refused(bad, into, "manifest.json of 4000001 bytes")
    data = bytearray(bad.read_bytes())  # the same with a lie about the size
    for place in range(len(data) - 4):
        if data[place : place + 4] == struct.pack("<I", packcheck.LIMITS["manifest.json"] + 1):
            data[place : place + 4] = struct.pack("<I", 10)
    bad.write_bytes(data)
    refused(bad, into, "damaged|not JSON|more than")
    with zipfile.ZipFile(bad, "w") as file:
        for number in range(20_000):
            file.writestr(f"{number:010d}", b"")
    refused(bad, into, "list of members of")
    monkeypatch.setattr(zipped, "MAX_PACK", 1000)
    refused(pack, into, "more than 1000 bytes")


def test_files_that_are_no_packs_are_refused(pack, tmp_path):
    into, bad = tmp_path / "into", tmp_path / "bad.zip"
    refused(tmp_path / "absent.zip", into, "cannot be read")
    for data in (b"", b"<html>", pack.read_bytes()[:-1], pack.read_bytes() + b"\n"):
        bad.write_bytes(data)
        refused(bad, into, "not a results pack, or cut off")
    bad.write_bytes(b"PK\x05\x06" + bytes(18))
    refused(bad, into, "no manifest")


def test_a_row_never_takes_the_place_of_another(out, pack, tmp_path):
    shutil.copytree(out / TAG, tmp_path / TAG)
    path = tmp_path / TAG / "admd.json"
    write_record(path.parent, replace(read_record(path), csv="0" * 64))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(PackError, match="another row 'admd'"):
        import_pack(pack, tmp_path)
    write_record(path.parent, replace(read_record(path), data_hash="0" * 16))
    with pytest.raises(PackError, match="admd there has data_hash '0000"):
        import_pack(pack, tmp_path)
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == set(before)


@pytest.mark.parametrize("order", [("admd", "tophat"), ("tophat", "admd")])
def test_a_disk_that_fills_up_at_any_row_leaves_nothing(out, tmp_path, order):
    export_pack(out / TAG, tmp_path / "two.zip", order)
    resource = pytest.importorskip("resource", reason="limits the size of files on Unix")
    import_pack(tmp_path / "two.zip", tmp_path / "whole")
    whole = {p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.*")}
    largest = max((tmp_path / "whole" / p).stat().st_size for p in whole)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, before[1]))
    try:
        with pytest.raises(PackError, match="too large.*nothing was"):
            import_pack(tmp_path / "two.zip", tmp_path / "into")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path for path in (tmp_path / "into").rglob("*") if path.is_file()]
    assert len(import_pack(tmp_path / "two.zip", tmp_path / "into").methods) == 2


def test_an_import_that_was_killed_is_taken_up(pack, tmp_path):
    import_pack(pack, tmp_path)
    (tmp_path / TAG / "admd.json").unlink()  # a row counts from its record on
    assert import_pack(pack, tmp_path).methods == ("admd",)
    (tmp_path / TAG / "admd.json").unlink()
    with (tmp_path / TAG / "admd.csv").open("a") as file:
        file.write("x")
    with pytest.raises(PackError, match="another row 'admd'"):
        import_pack(pack, tmp_path)


# ------------------------------------------------------------------ fuzz

quick = settings(
    max_examples=CASES, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(scope="module")
def small(out, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "one.zip"
    export_pack(out / TAG, path, ["tophat"])
    return path


def whole_or_nothing(path, small):
    """Import; whatever was written must be what the untouched pack holds."""
    into = path.parent / "fuzzed"
    shutil.rmtree(into, ignore_errors=True)
    try:
        import_pack(path, into)
    except PackError:
        assert not into.exists()
        return
    true = members(small)
    for name, member in (("tophat.csv", "counts.csv"), ("masks/tophat.json", "masks.json")):
        assert (into / TAG / name).read_bytes() == true[f"tophat/{member}"]


@quick
@given(st.data())
def test_flipped_and_missing_bytes(small, tmp_path, data):
    content = bytearray(small.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    start = data.draw(st.integers(0, len(content)) | st.just(0))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path = tmp_path / "flipped.zip"
    path.write_bytes(content[start:end])
    whole_or_nothing(path, small)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@quick
@given(st.data())
def test_wrong_json_types(small, tmp_path, data):
    """Any value at any place of the JSON members; sums are right."""
    member = data.draw(st.sampled_from(["record.json", "masks.json", "manifest.json"]))

    def spoil(value):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            deeper = isinstance(place[key], dict | list) and len(place[key])
            if not deeper or data.draw(st.booleans()):
                place[key] = data.draw(JSON)
                return value
            place = place[key]

    def edit(file, contents):
        contents[member] = dumped(spoil(json.loads(contents[member])))

    path = tmp_path / "spoilt.zip"
    if member == "manifest.json":
        found = members(small)
        found[member] = dumped(spoil(json.loads(found[member])))
        written(path, found)
    else:
        try:
            rebuilt(small, path, edit)
        except TypeError:  # no longer an object to put the new sums into
            return
    into = tmp_path / "fuzzed"
    shutil.rmtree(into, ignore_errors=True)
    try:
        import_pack(path, into)
    except PackError:
        assert not into.exists()
        return
    assert {p.parent for p in into.rglob("*.csv")} <= {into / TAG, into / TAG / "curves"}
    table_vi([Results.load(into / TAG)])
