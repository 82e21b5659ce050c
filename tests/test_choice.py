import hashlib
import io
import re
from dataclasses import replace

import pandas as pd
import pytest
from rich.cells import cell_len
from test_latex import check_balance, check_booktabs, made
from toys import as_earlier
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.results.shipped import ShippedRows
from istsbench.runs.record import write_record
from istsbench.tables.choice import arranged, in_order, with_columns
from istsbench.tables.table_vi import table_vi


def table(*datasets, **options):
    return table_vi([made(name) for name in datasets or ("nuaa",)], beside="difference", **options)


def heads(text):
    return [head.strip() for head in text.splitlines()[2].strip("|").split("|")]


def test_columns_come_in_the_order_asked_for():
    chosen = with_columns(table(), ["iou", "F1", "fa", "time", "ap", "f1_paper", "f1_diff"])
    expected = ["IoU", "F1", "Fa 1e-6", "s/image", "AP", "paper F1", "diff. F1"]
    assert heads(chosen.markdown()) == ["Method", *expected]
    frame = pd.read_csv(io.StringIO(chosen.csv()), comment="#")
    numbers = [name for name in frame if name.endswith(("nuaa", "paper", "diff"))]
    assert set(numbers) == {
        "iou_nuaa", "f1_nuaa", "fa_nuaa", "seconds_nuaa", "average_precision_nuaa",
        "f1_nuaa_paper", "f1_nuaa_diff", "rule_nuaa",
    }  # fmt: skip
    check_balance(chosen.latex())
    check_booktabs(chosen.latex())
    assert "$10^{-6}$" in chosen.latex()


def test_false_alarms_are_printed_in_their_unit_and_the_fewest_are_best():
    results = made()
    for number, rows in enumerate(results.counts.values(), 1):
        rows["false_pixels"] = number
    chosen = with_columns(table_vi([results]), ["fa"])
    first = chosen.frame["fa_nuaa"].iloc[0]
    assert chosen.printed(0, "fa_nuaa") == format(first * 1e6, ".0f")
    assert float(chosen.printed(0, "fa_nuaa")) > 100
    assert chosen.marks() == {(0, "fa_nuaa"): 0, (1, "fa_nuaa"): 1, (2, "fa_nuaa"): 2}
    assert pd.read_csv(io.StringIO(chosen.csv()), comment="#")["fa_nuaa"][0] == pytest.approx(
        first, rel=1e-5
    )


def test_a_column_may_be_of_one_data_set_alone():
    chosen = with_columns(table("nuaa", "nust"), ["f1", "iou_nust"])
    shown = [(head, [name for name, _ in columns]) for head, columns in chosen.blocks]
    assert shown == [("nuaa set", ["f1_nuaa"]), ("nust set", ["f1_nust", "iou_nust"])]
    assert len(with_columns(table("nuaa", "nust"), ["iou_nust"]).blocks) == 1


@pytest.mark.parametrize("asked", ["hiuo", "f1_papr", "label", "f1_nuts", ""])
def test_an_unknown_column_is_named_with_those_there_are(asked):
    with pytest.raises(UnknownName, match="unknown column .*(did you mean|known: precision, )"):
        with_columns(table(), ["f1", asked])


def test_a_column_named_twice_is_refused():
    with pytest.raises(WrongUse, match="f1_nuaa is named twice"):
        with_columns(table(), ["f1", "iou", "f1_nuaa"])


def test_intervals_come_along_with_their_column():
    chosen = with_columns(table_vi([made()], beside="nothing", intervals=True), ["f1", "pd"])
    assert re.search(r"\[0\.\d+, 0\.\d+\]", chosen.markdown())
    assert {"f1_nuaa_low", "f1_nuaa_alike"} <= set(chosen.frame)
    assert "iou_nuaa_low" not in chosen.frame


def test_notes_on_times_stand_where_times_are_shown():
    assert "Seconds: " in with_columns(table(), ["f1", "seconds"]).markdown()
    assert "Seconds: " not in with_columns(table(), ["f1"]).csv()
    assert "# Seconds: " in table().csv() and "Seconds: " not in table().markdown()


def test_the_best_rows_stand_first():
    by = in_order(table(), "f1")
    assert by.frame["f1_nuaa"].is_monotonic_decreasing
    assert by.notes[0] == "Rows by F1 on nuaa set, best first."
    fewest = in_order(table(), "fa").frame["fa_nuaa"]
    assert fewest.is_monotonic_increasing
    assert list(in_order(table(), "label").frame["label"])[1:] == ["MPCM", "Top-Hat"]
    assert list(by.marks()[row, "f1_nuaa"] for row in range(3)) == [0, 1, 2]


def test_rows_without_a_number_are_never_among_the_best():
    made_table = table()
    made_table.frame.loc[1, "f1_nuaa"] = float("nan")
    assert list(in_order(made_table, "f1").frame["method"])[-1] == "mpcm"
    few = in_order(made_table, "f1", 5)
    assert len(few.frame) == 2 and "mpcm" not in set(few.frame["method"])
    assert few.notes[0].startswith("The 2 best by F1 on nuaa set of 3 rows")
    with pytest.raises(WrongUse, match="year is none"):
        in_order(made_table, "year", 2)


@pytest.mark.parametrize("spec", ["mine.py:f", "mine.py:f(size=3)", "function(f)"])
def test_ones_own_row_stands_behind_the_best_with_its_rank(spec):
    results = made(specs={spec: "mine", "mpcm": "MPCM", "tophat": "Top-Hat"})
    few = in_order(table_vi([results]), "f1", 1)
    assert list(few.frame["label"]) == ["Top-Hat", "mine"]
    assert "Shown too: mine is 3 of 3." in few.notes[0]
    assert "Shown too" not in in_order(table_vi([results]), "f1", 3).notes[0]


def test_rows_equal_to_the_last_of_the_best_are_named():
    made_table = table()
    made_table.frame["pd_nuaa"] = [0.9, 0.8, 0.8]
    labels = made_table.frame["label"]
    few = in_order(made_table, "pd", 2)
    assert list(few.frame["label"]) == list(labels[:2])
    assert few.notes[0].endswith(f"Not shown, though equal to the last of them: {labels[2]}.")
    assert "though equal" not in in_order(made_table, "pd", 1).notes[0]
    assert "though equal" not in in_order(made_table, "pd", 3).notes[0]


def test_of_how_many_targets_a_mean_is_makes_no_row_the_best():
    made_table = table()
    made_table.frame["bsf_nuaa"] = [9.0, 8.0, 7.0]
    made_table.frame["bsf_share_nuaa"] = [0.2, 0.9, 1.0]
    by = in_order(made_table, "bsf_share")
    assert by.notes[0] == "Rows by BSF of % on nuaa set, highest first."
    assert list(by.frame["bsf_share_nuaa"]) == [1.0, 0.9, 0.2]
    marked = {column for _, column in with_columns(by, ["bsf", "bsf_share"]).marks()}
    assert marked == {"bsf_nuaa"}
    with pytest.raises(WrongUse, match="BSF of % on nuaa set is none"):
        in_order(made_table, "bsf_share", 2)


def test_the_csv_keeps_what_a_saturated_score_lacks_of_1():
    made_table = table()
    areas = [0.999999887, 0.99989205211, float("nan")]
    made_table.frame["target_auc_nuaa"] = areas
    read = pd.read_csv(io.StringIO(made_table.csv()), comment="#")["target_auc_nuaa"]
    assert (1 - read[:2]).to_list() == pytest.approx([1.13e-7, 1.0794789e-4], rel=1e-4)
    assert pd.isna(read[2]) and list(made_table.frame["target_auc_nuaa"])[:2] == areas[:2]


def test_a_score_that_no_row_has_orders_nothing():
    with pytest.raises(DataError, match=r"no row has hIoU on nuaa set.*an earlier version"):
        in_order(table(), "hiou")
    with pytest.raises(DataError, match="no row has F1"):
        made_table = table()
        in_order(replace(made_table, frame=made_table.frame.assign(f1_nuaa=float("nan"))), "f1", 3)


def test_the_rows_of_other_papers_stay_below():
    both = table_vi([made()], reduction="pooled", elsewhere="all")
    others = (both.frame["status"] == "published").sum()
    few = in_order(both, "iou", 1).frame
    assert list(few["status"] == "published") == [False] + [True] * others


def test_best_without_a_column_is_by_the_first_shown():
    assert "by IoU on" in arranged(table(), ["iou", "f1"], top=1).notes[0]
    few = arranged(table(), top=1)
    assert "by F1 on" in few.notes[0] and len(few.frame) == 1
    assert "reconstructed" in few.markdown()  # it is the one
    assert "reconstructed" not in arranged(table(), by="fa", top=1).markdown()


def test_signs_that_no_row_has_any_more_are_not_explained():
    results = made()
    shipped = replace(results.records["tophat"], imported=ShippedRows.of("nuaa").origin)
    table = table_vi([replace(results, records={**results.records, "tophat": shipped})])
    assert "Top-Hat°" in table.plain() and "° nuaa set: shipped with" in table.plain()
    assert "°" not in in_order(table, "f1", 2).plain()


@pytest.mark.parametrize("datasets", [("nuaa",), ("nuaa", "nust")])
def test_text_is_aligned_and_never_cut(datasets):
    results = [made(name, {"tophat": "Top-Hat", "mine": "目标 net"}) for name in datasets]
    text = with_columns(table_vi(results), ["f1", "seconds"]).plain()
    lines = text.split("\n\n")[1].splitlines()
    body = [line for line in lines if line.startswith(("Top-Hat", "目标"))]
    assert len(body) == 2 and len({cell_len(line) for line in body}) == 1
    assert all(len(line) <= 80 for line in text.split("\n\n", 2)[2].splitlines())
    if len(datasets) == 2:
        assert lines[0].split() == ["nuaa", "set", "nust", "set"]


def store(folder):
    """Write the made results as a run would."""
    results = made()
    folder.mkdir()
    for spec, record in results.records.items():
        data = results.counts[spec].to_csv(index=False).encode()
        (folder / f"{record.file}.csv").write_bytes(data)
        write_record(folder, replace(record, csv=hashlib.sha256(data).hexdigest(), auc=0.5))


def call(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.stdout, done.stderr


def test_the_command_takes_columns_rows_and_order(tmp_path):
    store(tmp_path / "nuaa")
    words = ("table", "VI", "--out", tmp_path)
    for form in ("csv", "md", "tex", "html", "text", "macros"):
        code, text, error = call(*words, "--columns", "f1,pd", "--top", 2, "--format", form)
        assert code == 0, error
        assert ("MPCM" in text or "Mpcm" in text) and "Top-Hat" not in text
        assert "iou" not in text.lower()
    assert call(*words, "--columns", "f1", "--sort", "nonsense")[0] == 2
    code, _, error = call(*words, "--columns", "f1", "--beside", "paper")
    assert code == 2 and "f1_paper" in error
    alone = call(*words, "--columns", "f1")
    assert alone[0] == 0 and call(*words, "--columns", "f1", "--beside", "nothing") == alone
    write_record(tmp_path / "nust", replace(made("nust").records["mpcm"], csv=""))
    code, text, _ = call(*words, "--dataset", "nuaa,nust", "--methods", "MPCM,tophat")
    assert code == 0 and "| Top-Hat |" in text
    code, _, error = call(*words, "--dataset", "nuaa,nust", "--methods", "tophat")
    assert code == 1 and "nust: has none of the rows 'tophat'" in error
    code, _, error = call(*words, "--dataset", "nuaa,nust", "--methods", "mpcn")
    assert code == 2 and "did you mean MPCM" in error
    code, _, error = call(*words, "--cite")
    assert code == 2 and "it is for tex" in error
    code, _, error = call("table", "IV", "--columns", "f1", "--out", tmp_path)
    assert code == 2 and "--columns changes nothing in Table IV" in error


def test_tables_that_differ_have_labels_of_their_own(tmp_path):
    store(tmp_path / "nuaa")
    choices = (
        (), ("--reduction", "pooled"), ("--rule", "half"), ("--intervals",), ("--top", 1),
        ("--match", "hungarian"), ("--columns", "f1"), ("--columns", "iou"), ("--sort", "iou"),
        ("--columns", "f1,iou,precision,recall,pd"), ("--columns", "f1,iou,precision,recall,fa"),
        ("--methods", "mpcm"), ("--beside", "nothing"), ("--sort", "label"),
    )  # fmt: skip
    labels = []
    for words in choices:
        words = ("table", "VI", "--out", tmp_path, "--format", "tex", *words)
        code, text, error = call(*words)
        assert code == 0 and call(*words)[1] == text, error
        labels += re.findall(r"\\label\{(tab:[a-z0-9-]+)\}", text)
    assert len(set(labels)) == len(choices) and max(map(len, labels)) < 70


def test_the_bibliography_has_every_key_that_the_table_cites(tmp_path):
    bib = tmp_path / "refs.bib"
    words = ("table", "VI", "--out", tmp_path, "--with-published", "--dataset", "nuaa")
    code, text, error = call(*words, "--format", "tex", "--cite", "--bib", bib)
    assert code == 0, error
    keys = set(re.findall(r"\\cite\{(\w+)\}", text))
    assert len(keys) > 20 and keys == set(re.findall(r"@\w+\{(\w+),", bib.read_text()))
    assert "--bib FILE" in text
    assert call(*words, "--format", "tex", "--bib", bib)[0] == 2
    assert call(*words, "--format", "tex", "--cite", "--bib", tmp_path / "refs.txt")[0] == 2


def test_rows_of_an_earlier_version_are_told_where_such_a_column_is_shown(tmp_path):
    words = ("table", "VI", "--out", tmp_path, "--dataset", "nuaa")
    call("import", "published:nuaa", "--out", tmp_path)
    assert "counted by an earlier version" not in call(*words)[1]
    as_earlier(tmp_path / "nuaa", "tophat")
    table = call(*words)[1]
    assert "of 1 rows (Top-Hat): counted by an earlier version" in table and "hIoU |" in table
