import json

import numpy as np
import pandas as pd
import pytest
from test_table_vi import COUNTS, RECORD, write

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.runs.record import by_reason
from istsbench.runs.run import run
from istsbench.tables.choice import with_columns
from istsbench.tables.table_vi import table_vi


def test_what_was_written_is_read_back(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "two")
    found = Results.load(tmp_path)
    assert list(found.records) == ["one", "two"]
    assert list(found.counts["one"]["image"]) == ["a", "NA", "a", "NA"]
    assert found.rules == ["own", "oracle"]
    assert list(Results.load(tmp_path, ["two"]).records) == ["two"]
    assert list(Results.load(tmp_path, iter(["two", "one"])).records) == ["one", "two"]


def test_no_results_says_how_to_make_some(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"no results; make some with `istsbench run`"):
            Results.load(folder)
    write(tmp_path, "one")
    with pytest.raises(DataError, match="no results"):
        Results.load(tmp_path, ["two"])


@pytest.mark.parametrize("key", ["format", "dataset", "split", "data_hash"])
def test_results_of_other_protocols_do_not_mix(tmp_path, key):
    other = 2 if key == "format" else "other"
    write(tmp_path, "one")
    write(tmp_path, "two", **{key: other})
    with pytest.raises(ProtocolMix, match=f"two has {key} {other!r} and one has"):
        Results.load(tmp_path)
    assert list(Results.load(tmp_path, ["two"]).records) == ["two"]
    assert issubclass(ProtocolMix, WrongUse)


@pytest.mark.parametrize("text", ["", '{"method": "one"', "\x80"])
def test_a_damaged_record_is_named(tmp_path, text):
    write(tmp_path, "one")
    (tmp_path / "one.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"one\.json: damaged.*run the method again"):
        Results.load(tmp_path)
    write(tmp_path, "two")
    assert list(Results.load(tmp_path, ["two"]).records) == ["two"]


@pytest.mark.parametrize("text", ["", "image,rule\na,own\n", 'image,rule,tp,fp,fn,tn\n"a'])
def test_damaged_counts_are_named(tmp_path, text):
    write(tmp_path, "one")
    (tmp_path / "one.csv").write_text(text)
    with pytest.raises(DataError, match=r"one\.csv: damaged"):
        Results.load(tmp_path)


def test_other_json_files_are_no_results(tmp_path):
    write(tmp_path, "one")
    for name, value in (("a", []), ("b", 3), ("c", {"title": "x"})):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    assert list(Results.load(tmp_path).records) == ["one"]


def test_a_method_with_a_missing_image_is_blank(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "two", COUNTS[COUNTS["image"] != "a"], failed={"a": "no way"})
    found = Results.load(tmp_path)
    assert found.complete("one", "own") and not found.complete("two", "own")
    assert not found.complete("one", "half")
    summary = found.summary("own", "image").set_index("method")
    assert summary.loc["one", "f1"] > 0
    assert summary.loc["two"][["precision", "f1", "pd", "auc", "seconds"]].isna().all()
    assert found.failure("one") is None
    assert found.failure("two") == "1 of 2 images failed: no way"


def test_failures_are_counted_by_reason(tmp_path):
    reasons = ["no way", "too slow", "too slow", "gone", "lost", "no way", "too slow"]
    failed = {f"test_{number}": reason for number, reason in enumerate(reasons)}
    write(tmp_path, "one", failed=failed, images=8)
    found = Results.load(tmp_path).failure("one")
    assert found == ("7 of 8 images failed: no way (2); too slow (3); gone (1); other reasons (1)")
    assert by_reason({"a": "gone", "b": "gone"}) == "gone"


def test_a_broken_method_does_not_hide_the_rules_of_others(tmp_path):
    write(tmp_path, "one")
    broken = {key: RECORD[key] for key in ("format", "dataset", "split", "data_hash", "title")}
    broken |= dict.fromkeys(("method", "file", "label"), "broken")
    broken |= {"failed": {"": "cannot be loaded"}, "images": 2, "of": 2}
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    found = Results.load(tmp_path)
    assert found.rules == ["own", "oracle"]
    assert found.failure("broken") == "cannot be loaded"


def test_rules_are_those_that_all_methods_share(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "two", wanted=["half", "oracle"])
    assert Results.load(tmp_path).rules == ["oracle"]


def test_summary_is_in_order_of_publication_with_the_game_last(tmp_path):
    for name, group, year in (("b", "hvs", 2001), ("a", "game", 1990), ("c", "cnn", 1999)):
        write(tmp_path, name, group=group, year=year, label=name.upper())
    write(tmp_path, "d", group="hvs", year=2001, label="AA")
    summary = Results.load(tmp_path).summary("own", "image")
    assert list(summary["method"]) == ["c", "d", "b", "a"]


def test_summary_by_hand(tmp_path):
    write(tmp_path, "one")
    found = Results.load(tmp_path)
    image, pooled = (found.summary("own", reduction).loc[0] for reduction in ("image", "pooled"))
    assert image["f1"] == pytest.approx((1 + 0.5) / 2)
    assert pooled["f1"] == pytest.approx(2 * 6 / (2 * 6 + 2 + 2))
    assert image["seconds"] == pytest.approx(0.3)
    assert image["auc"] == 0.75 and np.isnan(image["average_precision"])
    assert image["rule"] == "MeanStd(k=3)"
    assert found.summary("oracle", "image").loc[0, "f1"] == 1


def test_published_tables_survive_other_line_ends(tmp_path):
    write(tmp_path, "one")
    path = tmp_path / "one.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    found = Results.load(tmp_path).counts["one"][[*COUNTS]]
    pd.testing.assert_frame_equal(found, COUNTS, check_dtype=False, check_index_type=False)


def test_a_row_without_its_counts_says_so(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "two")
    (tmp_path / "two.csv").unlink()
    results = Results.load(tmp_path)
    assert results.failure("one") is None
    assert results.failure("two") == "its counts, two.csv, are not there; run it again"
    assert any("two.csv, are not there" in note for note in table_vi([results]).notes)


# ---- times


def test_seconds_are_those_of_the_median_image(tmp_path):
    third = COUNTS[COUNTS["image"] == "a"].assign(image="slow", seconds=90.0)
    write(tmp_path, "one", pd.concat([COUNTS, third]), images=3, of=3)
    results = Results.load(tmp_path)
    assert results.seconds("one") == 0.4
    assert list(results.summary("own", "image")["seconds"]) == [0.4]
    made = table_vi([results])
    assert "# Seconds: of the median image" in made.csv()
    assert "median" not in made.markdown()


def test_times_of_a_machine_at_other_work_are_marked(tmp_path):
    for name, busy, more in (
        ("alone", 0.99, {}), ("crowded", 0.4, {}), ("older", None, {}),
        ("elsewhere", 0.1, {"environment": {"device": "cuda"}}),
    ):  # fmt: skip
        write(tmp_path, name, busy=busy, **more)
    results = Results.load(tmp_path)
    assert [spec for spec in results.records if results.waited(spec)] == ["crowded"]
    told = "NUAA-SIRST: timed while the machine did other work: crowded."
    table = table_vi([results])
    assert f"# {told}" in table.csv() and told not in table.notes  # it shows no times
    assert told in with_columns(table, ["seconds"]).notes


def test_rows_of_another_machine_are_named_where_seconds_are_shown(tmp_path):
    machine = {"cpu": "EPYC", "blas": "openblas 0.3 SkylakeX"}
    other = {"cpu": "EPYC", "blas": "openblas 0.3 Haswell"}  # another one of the same name
    gpu = {"cpu": "EPYC", "device": "cuda", "gpu": "H200"}
    rows = {"a": machine, "b": {**machine, "blas": "openblas 0.4 SkylakeX"}, "c": other, "d": gpu}
    for name, known in rows.items():
        write(tmp_path, name, environment=known)
    write(tmp_path, "e", environment={}, imported={"pack": "0" * 64, "verified": True})
    table = table_vi([Results.load(tmp_path)])
    told = (
        "NUAA-SIRST: timed on different machines: c on EPYC (Haswell); d on H200; the other rows "
        "on EPYC (SkylakeX)."
    )
    assert f"# {told}" in table.csv() and told not in table.notes
    assert told in with_columns(table, ["seconds"]).notes


def test_a_run_measures_how_long_a_method_waits(toys, toy_folder, tmp_path):
    dataset = open_dataset(f"folder:{toy_folder}")
    choices = choose("toy(seconds=0.05)")
    folder = run(choices, dataset, tmp_path, limit=2, show=False).folder
    results = Results.load(folder)
    (spec,) = results.records
    assert results.records[spec].busy < 0.7 and results.waited(spec)
