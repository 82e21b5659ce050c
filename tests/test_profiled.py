"""Stored maps scored under a profile by `istsbench table VI --profile`."""

import io
import re
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.commands.table import Match
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.matching import MATCHES
from istsbench.registry import choose
from istsbench.results.profile_counts import count_under, profile_scores
from istsbench.results.profiled import profiled
from istsbench.results.profiles import PROFILES
from istsbench.results.protocol import MATCHED, Protocol
from istsbench.results.results import Results
from istsbench.runs.record import Origin, map_store, write_record
from istsbench.runs.run import run
from istsbench.tables.table_vi import table_vi

METHODS = "tophat,maxmean(length=7)"


@pytest.fixture(scope="module")
def made(tmp_path_factory, toy_folder):
    out = tmp_path_factory.mktemp("made")
    run(choose(METHODS), open_dataset(f"folder:{toy_folder}"), out, show=False)
    return out


@pytest.fixture
def out(made, tmp_path):
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def call(out, toy_folder):
    def called(*words):
        where = ["--dataset", f"folder:{toy_folder}", "--out", str(out)]
        return CliRunner().invoke(app, ["table", "VI", *words, *where])

    return called


@pytest.fixture
def dataset(toy_folder):
    return open_dataset(f"folder:{toy_folder}")


def loaded(out):
    return Results.load(out / "folder-toyset")


def frame(text):
    return pd.read_csv(io.StringIO(text), comment="#")


def no_data():
    raise AssertionError("the images were asked for")


def test_the_command_knows_every_matching():
    assert tuple(Match) == MATCHES == tuple(MATCHED)


@pytest.mark.parametrize("name", PROFILES)
def test_a_table_holds_the_scores_of_the_profile(out, call, dataset, name):
    done = call("--profile", name, "--format", "csv")
    assert done.exit_code == 0, done.output
    line = frame(done.stdout).set_index("method").loc["tophat"]
    record = loaded(out).records["tophat"]
    store = map_store(out, record)
    rows = []
    for image in dataset.names("test"):
        sample = dataset.load(image)
        rows.append(
            count_under(PROFILES[name], image, store.load(image).score, sample.mask, False).row
        )
    for score, value in profile_scores(PROFILES[name], pd.DataFrame(rows)).items():
        if score in ("precision", "recall", "f1", "iou", "niou", "pd", "fa"):
            assert line[f"{score}_folder-toyset"] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("format", ["md", "csv", "tex", "html"])
def test_profile_and_matching_are_stated_in_every_format(call, format):
    text = call("--profile", "rpcanet", "--format", format).stdout
    assert "25da080" in text and "a target is found by any pixel on it" in text
    assert "matched in raster order" in call("--format", format).stdout
    assert "most pairs in reach" in call("--match", "hungarian", "--format", format).stdout


def test_matchings_have_ids_of_their_own(out):
    ids = {Protocol.of(loaded(out), "own", "pooled", match).id for match in MATCHES}
    assert len(ids) == len(MATCHES)


def test_profiles_have_ids_of_their_own(out, dataset):
    results = loaded(out)
    ids = set()
    for name, profile in PROFILES.items():
        under = profiled(results, profile, lambda: dataset, show=False)
        ids.add(Protocol.of(under, name, "pooled").id)
    assert len(ids) == len(PROFILES)
    assert Protocol.of(results, "own", "pooled").id not in ids


def test_profiles_are_not_mixed_in_one_table(out, dataset):
    results = loaded(out)
    one = profiled(results, PROFILES["dnanet"], lambda: dataset, show=False)
    other = profiled(results, PROFILES["mshnet"], lambda: dataset, show=False)
    for pair in ((one, other), (one, results), (results, one)):
        with pytest.raises(ProtocolMix, match="cannot share a table"):
            table_vi(pair, "dnanet", "pooled")


def test_a_table_under_a_profile_has_no_other_matching(out, dataset):
    under = profiled(loaded(out), PROFILES["dnanet"], lambda: dataset, show=False)
    with pytest.raises(WrongUse, match="fixes"):
        table_vi([under], "dnanet", "pooled", match="hungarian")
    with pytest.raises(WrongUse, match="fixes"):
        table_vi([under], "dnanet", "pooled", intervals=True)


@pytest.mark.parametrize(
    "words, told",
    [
        (["--profile", "drpca"], "did you mean drpcanet"),
        (["--profile", "dnanet", "--rule", "half"], "--rule cannot be chosen beside it"),
        (["--profile", "dnanet", "--reduction", "pooled"], "--reduction"),
        (["--profile", "dnanet", "--match", "area"], "--match"),
        (["--profile", "dnanet", "--empty", "one"], "--empty"),
        (["--profile", "dnanet", "--intervals"], "--intervals"),
        (["--data-root", "."], "--data-root changes nothing without --profile"),
        (["--match", "nearest"], "nearest"),
    ],
)
def test_wrong_use_is_told(call, words, told):
    done = call(*words)
    assert done.exit_code == 2 and told in re.sub(r"[│╭╮╰╯─\s]+", " ", done.output)


def test_an_unknown_profile_is_refused_before_results_are_looked_for(tmp_path):
    done = CliRunner().invoke(app, ["table", "VI", "--profile", "dnanett", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "did you mean dnanet" in done.output


def test_other_tables_have_no_profile():
    done = CliRunner().invoke(app, ["table", "IV", "--profile", "dnanet"])
    assert done.exit_code == 2 and "--profile changes nothing in Table IV" in done.output


# ---------------------------------------------------------------- what is kept


def test_counts_are_kept_and_used_without_maps_or_images(out, dataset):
    results = loaded(out)
    first = profiled(results, PROFILES["dnanet"], lambda: dataset, show=False)
    shutil.rmtree(out / "maps")
    again = profiled(results, PROFILES["dnanet"], no_data, show=False)
    for spec in ("tophat", "maxmean(length=7)"):
        pd.testing.assert_frame_equal(first.counts[spec], again.counts[spec])
        assert first.records[spec] == again.records[spec]
    assert first.records["tophat"].auc is not None


def changed_map(out):
    store = map_store(out, loaded(out).records["tophat"])
    stored = store.load("test_0")
    store.forget("test_0")
    store.save("test_0", replace(stored, score=stored.score[::-1]))


def changed_counts(out):
    path = out / "folder-toyset" / "profiles" / "dnanet" / "tophat.csv"
    path.write_text(path.read_text().replace("test_0,dnanet,", "test_0,dnanet,1"))


def changed_stamp(out):
    path = out / "folder-toyset" / "profiles" / "dnanet" / "tophat.json"
    path.write_text(path.read_text().replace('"level": 0.5', '"level": 0.4'))


def cut_stamp(out):
    path = out / "folder-toyset" / "profiles" / "dnanet" / "tophat.json"
    path.write_text(path.read_text()[:40])


@pytest.mark.parametrize("change", [changed_map, changed_counts, changed_stamp, cut_stamp])
def test_counts_of_anything_else_are_made_again(out, dataset, change):
    profiled(loaded(out), PROFILES["dnanet"], lambda: dataset, show=False)
    change(out)
    asked = []
    again = profiled(
        loaded(out), PROFILES["dnanet"], lambda: asked.append(1) or dataset, show=False
    )
    assert asked == [1]
    shutil.rmtree(out / "folder-toyset" / "profiles")
    fresh = profiled(loaded(out), PROFILES["dnanet"], lambda: dataset, show=False)
    pd.testing.assert_frame_equal(again.counts["tophat"], fresh.counts["tophat"])


def test_a_folder_that_cannot_be_written_is_scored_all_the_same(out, dataset):
    (out / "folder-toyset" / "profiles").write_text("a file where the folder would be")
    under = profiled(loaded(out), PROFILES["dnanet"], lambda: dataset, show=False)
    assert under.complete("tophat", "dnanet")


def test_counts_go_with_their_row(out, call, toy_folder):
    assert call("--profile", "dnanet").exit_code == 0
    folder = out / "folder-toyset" / "profiles" / "dnanet"
    words = ["results", "remove", "tophat", "--dataset", "folder-toyset", "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert [path.suffix for path in sorted(folder.iterdir())] == [".csv", ".json"]
    assert not list(folder.glob("tophat*"))


# ---------------------------------------------------------------- what is missing


def test_a_missing_map_is_named_with_the_command_that_makes_it(out, call):
    store = map_store(out, loaded(out).records["tophat"])
    store.forget("test_3")
    refused = call("--profile", "drpcanet")
    assert refused.exit_code == 1
    assert "test_3 of Top-Hat" in refused.output and "--methods shows only" in refused.output
    (command,) = re.findall(r"`istsbench (run [^`]*--maps[^`]*)`", refused.output)
    assert CliRunner().invoke(app, shlex.split(command)).exit_code == 0
    assert call("--profile", "drpcanet").exit_code == 0


def test_rows_with_maps_are_shown_alone(out, call):
    store = map_store(out, loaded(out).records["tophat"])
    shutil.rmtree(store.folder)
    assert call("--profile", "drpcanet", "--methods", "maxmean(length=7)").exit_code == 0


def test_imported_rows_without_maps_are_left_out_by_name(out, call):
    results = loaded(out)
    record = results.records["tophat"]
    shutil.rmtree(map_store(out, record).folder)
    imported = replace(record, imported=Origin(pack="p", verified=True))
    write_record(results.folder, imported)
    done = call("--profile", "dnanet")
    assert done.exit_code == 0 and "maps are not here, are left out: Top-Hat" in done.stderr
    assert "Top-Hat" not in done.stdout and "1 more rows are in" in done.stdout
    alone = call("--profile", "dnanet", "--methods", "tophat")
    assert alone.exit_code == 1 and "those of Top-Hat are not all stored" in alone.stderr


def test_a_row_of_others_without_maps_is_blank_and_says_so(out, call, dataset):
    results = loaded(out)
    shutil.rmtree(map_store(out, results.records["tophat"]).folder)
    record = replace(results.records["tophat"], method="submitted(X)", label="X")
    other = "maxmean(length=7)"
    results = replace(
        results,
        records={"submitted(X)": record, other: results.records[other]},
        counts={"submitted(X)": results.counts["tophat"], other: results.counts[other]},
    )
    under = profiled(results, PROFILES["dnanet"], lambda: dataset, show=False)
    text = table_vi([under], "dnanet", "pooled").markdown()
    assert "its maps are not here" in text
    assert under.summary("dnanet", "pooled").set_index("label")["iou"].isna()["X"]


def test_a_map_of_another_mask_is_refused(out, toy_folder, tmp_path, dataset):
    changed = tmp_path / "toyset"
    shutil.copytree(toy_folder, changed)
    mask = np.zeros((24, 32), np.uint8)
    mask[3, 3] = 255
    Image.fromarray(mask).save(changed / "masks" / "test_0.png")
    other = open_dataset(f"folder:{changed}")
    with pytest.raises(DataError, match="map of test_0"):
        profiled(loaded(out), PROFILES["dnanet"], lambda: other, show=False)


@pytest.mark.parametrize("match", ["opdc", "shooting"])
def test_counts_of_an_earlier_version_have_no_new_matching(out, match):
    for change in (
        lambda rows: rows.drop(columns=f"detected_{match}"),
        lambda rows: rows.assign(**{f"detected_{match}": np.nan}),
    ):
        results = loaded(out)
        results.counts["tophat"] = change(results.counts["tophat"])
        assert results.summary("own", "pooled", "hungarian")["pd"].notna().all()
        with pytest.raises(ProtocolMix, match="counts the stored maps again"):
            results.summary("own", "pooled", match)


@pytest.mark.parametrize("words", [["--profile", "dnanet"], ["--match", "hungarian"]])
def test_pd_and_fa_are_shown_where_they_are_what_is_asked_for(call, words):
    assert "| Method | P | R | F1 | IoU | Pd | Fa" in call(*words).stdout
    assert "| Method | IoU |" in call(*words, "--columns", "iou").stdout


def test_a_matching_changes_pd_and_fa_alone(out, call):
    rows = loaded(out).counts["tophat"].query("rule == 'own'")
    first, other = (
        frame(call("--match", match, "--format", "csv").stdout).set_index("method").loc["tophat"]
        for match in ("first", "area")
    )
    pixels = rows[["tp", "fp", "fn", "tn"]].to_numpy().sum()
    name = "_folder-toyset"
    assert other[f"fa{name}"] == pytest.approx(rows["false_pixels_area"].sum() / pixels, rel=1e-5)
    assert other[f"f1{name}"] == first[f"f1{name}"]
