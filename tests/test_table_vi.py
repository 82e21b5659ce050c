import hashlib
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest
from toys import make_record

from istsbench.errors import ProtocolMix
from istsbench.metrics import RATIOS, REDUCTIONS
from istsbench.report import page as report
from istsbench.results.results import Results
from istsbench.runs.record import write_record
from istsbench.tables import latex
from istsbench.tables.markup import PLAIN, Markup
from istsbench.tables.published import paper_table
from istsbench.tables.table import RECONSTRUCTION, Table
from istsbench.tables.table_vi import BESIDE, console, table_vi

RECORD = {
    "format": 1, "group": "spatial", "venue": "V", "year": 2000, "status": "paper",
    "parameters": {}, "own": "MeanStd(k=3)", "dataset": "nuaa", "title": "NUAA-SIRST",
    "split": "test", "images": 2, "of": 2, "data_hash": "abc", "method_hash": "0a",
    "tuning_hash": None, "wanted": ["own", "oracle"], "notes": [],
    "rules": {"own": "MeanStd(k=3)", "oracle": "MeanStd(k=4)"}, "auc": 0.75,
    "average_precision": None, "failed": {}, "curve": "",
}  # fmt: skip
COUNTS = pd.DataFrame(
    [
        ("a", "own", 4, 0, 0, 96), ("NA", "own", 2, 2, 2, 94),
        ("a", "oracle", 4, 0, 0, 96), ("NA", "oracle", 4, 0, 0, 96),
    ],
    columns=["image", "rule", "tp", "fp", "fn", "tn"],
).assign(
    targets=1, detected=1, false_pixels=0, false_pixels_area=0, detected_hungarian=1,
    false_pixels_hungarian=0, seconds=[0.2, 0.4, 0.2, 0.4],
)  # fmt: skip


def write(folder, method, counts=COUNTS, **changes):
    """Write a results folder's files for one method."""
    folder.mkdir(exist_ok=True, parents=True)
    text = counts.to_csv(index=False).encode()
    names = {"method": method, "label": method, "file": method}
    sha = {"csv": hashlib.sha256(text).hexdigest()}
    (folder / f"{method}.json").write_text(json.dumps({**RECORD, **names, **sha, **changes}))
    (folder / f"{method}.csv").write_bytes(text)


def six(**changes):
    """Six methods with one block of two columns."""
    frame = pd.DataFrame(
        {
            "method": list("abcdef"),
            "label": ["A", "B_1 & 50%", "C|d*e", "D <f>", "E", "F~g^h\\i"],
            "group": "spatial",
            "year": range(2000, 2006),
            "status": ["paper", "paper", "reconstruction", "paper", "paper", "paper"],
            "f1_x": [0.1, 0.9, 0.5004, 0.4996, 0.0, float("nan")],
            "iou_x": [0.0, 0.0, 0.0, 0.25, 0.0, float("nan")],
            "f1_x_paper": [0.9, 0.8, 0.7, 0.6, float("nan"), float("nan")],
        }
    )
    blocks = (("X#1", (("f1_x", "F1"), ("iou_x", "IoU"))), ("X, paper", (("f1_x_paper", "F1"),)))
    return Table(
        "Table of 6 & more", frame.assign(**changes), blocks, ("one, rule own",), ("n > 1",)
    )


# ---- marks and cells


def test_best_second_and_third_by_printed_value_and_never_zero():
    assert six().marks() == {
        (1, "f1_x"): 0, (2, "f1_x"): 1, (3, "f1_x"): 1, (3, "iou_x"): 0,
    }  # fmt: skip
    places = six(f1_x=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).marks()
    assert [places.get((row, "f1_x")) for row in range(6)] == [None, None, None, 2, 1, 0]


def test_cells_are_blank_where_there_is_no_number():
    cells = six().cells(Markup(str, ("<{}>", "({})", "[{}]")))
    assert cells[0] == ["A", "0.100", "0.000", "0.90"]
    assert cells[1] == ["B_1 & 50%", "<0.900>", "0.000", "0.80"]
    assert cells[2][0] == f"C|d*e{RECONSTRUCTION}"
    assert cells[4] == ["E", "0.000", "0.000", ""]
    assert cells[5] == ["F~g^h\\i", "", "", ""]


def test_marks_are_of_what_is_printed():
    finer = six(f1_x=[0.1, 0.9001, 0.9004, 0.90041, 0.0, float("nan")])
    assert [finer.marks().get((row, "f1_x")) for row in range(1, 4)] == [0, 0, 0]
    finer = replace(finer, forms={"f1_x": ".4f"})
    assert [finer.marks().get((row, "f1_x")) for row in range(1, 4)] == [2, 0, 0]
    coarser = replace(finer, forms={"f1_x": ".1f"})
    assert [coarser.marks().get((row, "f1_x")) for row in range(4)] == [None, 0, 0, 0]


# ---- CSV, Markdown, LaTeX


def test_csv_states_its_protocol_and_keeps_full_numbers():
    text = six().csv()
    assert text.startswith("# Table of 6 & more\n# one, rule own\n# n > 1\nmethod,label,")
    back = pd.read_csv(io.StringIO(text), skiprows=3)
    assert list(back["label"]) == list(six().frame["label"])
    assert list(back["f1_x"][:4]) == [0.1, 0.9, 0.5004, 0.4996]


def markdown_cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_as_many_cells_in_each_line():
    lines = [line for line in six().markdown().splitlines() if line.startswith("|")]
    assert {len(markdown_cells(line)) for line in lines} == {4}
    assert markdown_cells(lines[0]) == ["Method", "X#1 F1", "X#1 IoU", "X, paper F1"]
    assert lines[1] == "|---|---:|---:|---:|"
    assert markdown_cells(lines[3]) == [r"B\_1 &amp; 50%", "**0.900**", "0.000", "0.80"]
    assert markdown_cells(lines[4])[0] == rf"C\|d\*e{RECONSTRUCTION}"
    assert markdown_cells(lines[4])[1] == "<u>0.500</u>" == markdown_cells(lines[5])[1]
    assert markdown_cells(lines[5])[0] == "D &lt;f>"
    assert "- one, rule own\n- n > 1\n" in six().markdown()


def test_latex_is_a_booktabs_table_with_escaped_text():
    text = six().latex()
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{l*{3}{r}}"):
        assert text.count(part) == 1
    for environment in ("table*", "tabular"):
        begin, end = (text.index(rf"\{word}{{{environment}}}") for word in ("begin", "end"))
        assert begin < end
    assert r"\multicolumn{2}{c}{X\#1} & \multicolumn{1}{c}{X}" in text
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}" in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 6
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == 3 and line.endswith(r" \\")
    assert body[1] == r"B\_1 \& 50\% & \textbf{0.900} & 0.000 & 0.80 \\"
    assert body[2].startswith(r"C$|$d*e$^\dagger$ & \underline{0.500}")
    assert body[3].startswith(r"D $<$f$>$ & \underline{0.500} & \textbf{0.250}")
    assert body[5] == r"F\textasciitilde{}g\textasciicircum{}h\textbackslash{}i &  &  &  \\"
    assert r"\caption{Table of 6 \& more.}" in text and r"n $>$ 1" in text


def test_braces_and_dollars_of_latex_balance():
    text = six(label=["{", "}", "$", "\\", "~", "line\nend"]).latex()
    bare = re.sub(r"\\[\\{}$&#_%]", "", text)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert "line end" in text


def test_files_are_written_only_where_something_is_new(tmp_path):
    paths = six().write(tmp_path)
    assert [path.name for path in paths] == ["table_vi.csv", "table_vi.md", "table_vi.tex"]
    times = [path.stat().st_mtime_ns for path in paths]
    paths[1].write_text("other")
    assert six().write(tmp_path) == paths
    assert [path.stat().st_mtime_ns == time for path, time in zip(paths, times, strict=True)] == [
        True, False, True,
    ]  # fmt: skip
    assert paths[1].read_text() == six().markdown()


# ---- Table VI


def test_table_vi_joins_the_paper_and_states_the_protocol(tmp_path):
    write(tmp_path, "tophat", label="Top-Hat", year=1996)
    write(tmp_path, "mine", label="Mine")
    table = table_vi([Results.load(tmp_path)])
    assert [head for head, _ in table.blocks] == ["NUAA-SIRST", "NUAA-SIRST, paper"]
    row = table.frame.set_index("method").loc["tophat"]
    printed = paper_table().query("label == 'Top-Hat' and dataset == 'nuaa'").set_index("metric")
    for ratio in RATIOS:
        assert row[f"{ratio}_nuaa_paper"] == printed.loc[ratio, "value"]
    assert table.frame.set_index("method").loc["mine"][["f1_nuaa_paper"]].isna().all()
    assert row["f1_nuaa"] == pytest.approx(0.75)
    (protocol,) = table.protocol
    for part in ("NUAA-SIRST", "split test", "2 images", "rule own",
                 "means over images", "native size", "targets matched in raster order",
                 "0/0 = 0"):  # fmt: skip
        assert part in protocol
    assert "hash" not in table.markdown()
    assert "# NUAA-SIRST: data hash abc, istsbench " in table.csv()
    pooled = table_vi([Results.load(tmp_path)], "oracle", "pooled")
    assert "pooled over all pixels" in pooled.protocol[0]
    assert any("not a result" in note for note in pooled.notes)


def test_data_sets_stand_side_by_side_and_gaps_stay_blank(tmp_path):
    for dataset, methods in (("nuaa", "ab"), ("nust", "bc")):
        for method in methods:
            write(tmp_path / dataset, method, dataset=dataset, title=dataset.upper())
    table = table_vi([Results.load(tmp_path / name) for name in ("nuaa", "nust")])
    frame = table.frame.set_index("method")
    assert list(frame.index) == ["a", "b", "c"]
    assert frame["f1_nuaa"].isna().tolist() == [False, False, True]
    assert frame["f1_nust"].isna().tolist() == [True, False, False]
    assert len(table.protocol) == 2
    assert any("not comparable row by row" in note for note in table.notes)
    assert "| a | " in table.markdown() and table.latex().count(r"\\" + "\n") > 3


WORSE = COUNTS.assign(tp=[3, 1, 4, 3], fn=[1, 3, 0, 1])


@pytest.mark.parametrize("dataset", ["my_paper", "a_diff", "f1", "x_low", "paper", "e"])
@pytest.mark.parametrize(
    "options", [{"beside": "nothing", "intervals": True}, {"beside": "difference"}], ids=str
)
def test_the_name_of_a_data_set_says_nothing_of_its_columns(tmp_path, dataset, options):
    made = []
    for name in ("plain", dataset):
        write(tmp_path / name, "one", dataset=name)
        write(tmp_path / name, "two", WORSE, dataset=name)
        made.append(table_vi([Results.load(tmp_path / name)], **options))
    plain, odd = made
    assert odd.cells(PLAIN) == plain.cells(PLAIN)
    assert list(odd.frame) == [
        re.sub(r"_plain(?=_|$)", f"_{dataset}", column) for column in plain.frame
    ]
    start, expected = f"ists{latex.letters(dataset)}", latex.macros(plain)
    assert latex.macros(odd) == {
        name.replace("istsPlain", start, 1): value for name, value in expected.items()
    }


@pytest.mark.parametrize("dataset", ["paper", "e", "p"])
def test_the_page_shows_a_data_set_of_any_name(tmp_path, dataset):
    rows = []
    for name in ("plain", dataset):
        write(tmp_path / name, "one", dataset=name, method_hash="0")
        results = Results.load(tmp_path / name)
        rows.append(report._table(results, "own", "image", True)["rows"])
    assert rows[0] == rows[1]


def test_data_sets_whose_columns_would_be_called_alike(tmp_path):
    for name in ("my", "my_paper", "my_low"):
        write(tmp_path / name, "one", dataset=name, title=name)
    my, paper, low = (Results.load(tmp_path / name) for name in ("my", "my_paper", "my_low"))
    table = table_vi([my, paper, low], beside="difference")
    assert [head for head, _ in table.blocks] == ["my", "my_paper", "my_low"]
    assert table.frame.columns.is_unique and table.frame["f1_my_paper"].item() == 0.75
    table_vi([my, paper], intervals=True)
    with pytest.raises(ProtocolMix, match="my and my_low cannot share.*column f1_my_low"):
        table_vi([my, low], intervals=True)


def test_one_data_set_cannot_stand_twice(tmp_path):
    write(tmp_path, "one")
    with pytest.raises(ProtocolMix, match="nuaa would stand in this table twice"):
        table_vi([Results.load(tmp_path)] * 2)


def test_a_rule_that_was_not_counted_is_refused(tmp_path):
    write(tmp_path, "one")
    with pytest.raises(ProtocolMix, match="counted under own, oracle, not under 'half'; rerun"):
        table_vi([Results.load(tmp_path)], "half")


def test_methods_tuned_on_different_images_do_not_mix(tmp_path):
    for method in "ab":
        write(tmp_path, method, wanted=["own", "tuned"], tuning_hash=method)
    table_vi([Results.load(tmp_path)], "own")
    with pytest.raises(ProtocolMix, match="tuned on other images"):
        table_vi([Results.load(tmp_path)], "tuned")


def test_an_incomplete_method_is_a_blank_row_with_its_reason(tmp_path):
    write(tmp_path, "one", status="reconstruction")
    write(
        tmp_path,
        "two",
        COUNTS[COUNTS["image"] == "a"],
        failed={"NA": "ValueError: no <way> | at_all"},
    )
    table = table_vi([Results.load(tmp_path)])
    frame = table.frame.set_index("method")
    assert frame.loc["two", [f"{ratio}_nuaa" for ratio in RATIOS]].isna().all()
    reason = "two (NUAA-SIRST): 1 of 2 images failed: ValueError: no <way> | at_all"
    assert reason in table.notes
    assert any(note.startswith(RECONSTRUCTION) for note in table.notes)
    assert r"no $<$way$>$ $|$ at\_all" in table.latex()


def test_a_limited_run_says_so(tmp_path):
    write(tmp_path, "one", of=86)
    assert "first 2 of 86 images" in table_vi([Results.load(tmp_path)]).protocol[0]


def test_a_name_between_colons_is_no_emoji_on_the_terminal(tmp_path, capsys):
    write(tmp_path, "dog", label="mine.py:dog", notes=["no rule"])
    write(tmp_path, "other", label="a :cat: b")
    console(Results.load(tmp_path), "own", "image")
    shown = capsys.readouterr().out
    assert "mine.py:dog: no rule" in shown and "a :cat: b" in shown


def test_console_prints_labels_as_they_are(tmp_path, capsys):
    write(tmp_path, "one", label="A [red]b[/red] [/] c")
    console(Results.load(tmp_path), "own", "image")
    printed = capsys.readouterr().out
    assert "A [red]b[/red] [/] c" in printed and "0.750" in printed and "split test" in printed


def test_the_paper_is_complete():
    frame = paper_table()
    assert frame.groupby(["dataset", "metric"]).size().eq(27).all()
    assert not frame.duplicated(["label", "dataset", "metric"]).any()
    assert frame["value"].between(0, 1).all()


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_only_our_numbers_have_intervals(tmp_path, beside, reduction):
    """The paper's numbers are fixed, and a difference to them moves as ours does."""
    for dataset, title in (("nuaa", "NUAA-SIRST"), ("nust", "NUST-SIRST")):
        for name, label in (("a", "IPI"), ("b", "ACM")):
            write(tmp_path / dataset, name, label=label, dataset=dataset, title=title)
    sets = [Results.load(tmp_path / dataset) for dataset in ("nuaa", "nust")]
    made = table_vi(sets, "own", reduction, beside=beside, intervals=True)
    columns = [column for _, block in made.blocks for column, _ in block]
    for row in made.cells(PLAIN):
        for column, cell in zip(columns, row[1:], strict=True):
            held = made.column(column)
            assert ("[" in cell) == (held.kind == "" and held.score in ("f1", "iou")), column
    names = [name for name in latex.macros(made) if name.endswith("Low")]
    assert sorted(names) == sorted(
        f"ists{data}{method}{score}Low"
        for data in ("Nuaa", "Nust") for method in "AB" for score in ("Fone", "Iou")
    )  # fmt: skip


def test_only_our_numbers_have_deviations(tmp_path):
    for seed in (1, 2):
        trained = {"method": "acm", "label": "ACM", "seed": seed, "plan": "a"}
        write(tmp_path, f"acm{seed}", COUNTS.assign(fp=seed), trained=trained,
              method_hash=f"{seed}")  # fmt: skip
    made = table_vi([Results.load(tmp_path)], beside="difference", over_seeds=True)
    columns = [column for _, block in made.blocks for column, _ in block]
    (row,) = made.cells(PLAIN)
    assert [column for column, cell in zip(columns, row[1:], strict=True) if "±" in cell] == [
        f"{score}_nuaa" for score in RATIOS
    ]


# ---- labels of any kind


ODD = (
    "#1 net", 'a "b", c', "x|y & 50 %_{z}", "$5 ~ ^2 \\ #", "网络-é", "<b>*bold*</b>", "1. `code`",
)  # fmt: skip


@pytest.fixture
def odd(tmp_path):
    for number, label in enumerate(ODD):
        write(tmp_path, f"m{number}", COUNTS.assign(fp=number), label=label, year=2000 + number,
              title="A|b_c & d", notes=["one,\ntwo lines"] if number == 5 else [])  # fmt: skip
    return table_vi([Results.load(tmp_path)], beside="nothing")


def test_csv_keeps_odd_labels_for_readers_that_skip_comments(odd):
    back = pd.read_csv(io.StringIO(odd.csv()), comment="#")
    assert list(back["label"]) == list(ODD)
    assert back["f1_nuaa"].to_numpy() == pytest.approx(odd.frame["f1_nuaa"].to_numpy(), abs=1e-5)
    assert all(line.startswith("# ") for line in odd.csv().split("method")[0].splitlines()[:3])


def test_markdown_has_odd_labels_in_one_cell_and_notes_as_they_are(odd):
    lines = odd.markdown().splitlines()
    rows = [markdown_cells(line) for line in lines if line.startswith("|")]
    assert {len(row) for row in rows} == {5}
    assert rows[0][1] == r"A\|b\_c &amp; d P"
    signs = {"&lt;": "<", "&amp;": "&"}
    plain = [re.sub(r"\\(.)", r"\1", row[0]) for row in rows[2:]]
    assert [re.sub("&[a-z]+;", lambda m: signs[m[0]], text) for text in plain] == list(ODD)
    assert r"- &lt;b>\*bold\*&lt;/b>: one, two lines" in lines


def test_html_has_odd_labels_as_text(odd):
    root = ElementTree.fromstring(f"<div>{odd.html()}</div>")
    assert [cell.text for cell in root.iter("th") if cell.get("scope") == "row"] == list(ODD)


def test_latex_says_which_letters_need_another_compiler(odd):
    assert "\n% needs XeLaTeX or LuaLaTeX and a font that has 网络\n" in odd.latex()
    assert "XeLaTeX" not in six(label=["é", "†", "±", "≈", "ü", "ß"]).latex()


def test_a_note_on_some_rows_stands_under_the_table_with_their_labels(tmp_path):
    write(tmp_path, "a", notes=["mended"])
    write(tmp_path, "b", notes=["mended", "2 of 2 images are for training"])
    notes = table_vi([Results.load(tmp_path)]).notes
    assert notes[:2] == ("mended", "b: 2 of 2 images are for training")


def test_one_row_is_not_marked_as_the_best(tmp_path):
    write(tmp_path, "alone")
    made = table_vi([Results.load(tmp_path)])
    assert not made.marks() and "Best" not in made.markdown()


def test_a_table_of_some_rows_says_how_many_it_leaves_out(tmp_path):
    for name in "abc":
        write(tmp_path / "mine", name)
    told = "NUAA-SIRST: 1 more rows are in mine; marks and tests are among those shown."
    assert told in table_vi([Results.load(tmp_path / "mine", ["a", "c"])]).notes
    assert not [n for n in table_vi([Results.load(tmp_path / "mine")]).notes if "more rows" in n]


def test_the_sign_of_equals_is_explained_where_it_stands(tmp_path):
    write(tmp_path, "a")
    assert not [n for n in table_vi([Results.load(tmp_path)], intervals=True).notes if "≈" in n]
    write(tmp_path, "b", COUNTS.assign(fp=COUNTS["fp"] + 1))
    assert [n for n in table_vi([Results.load(tmp_path)], intervals=True).notes if "≈" in n]


def test_a_method_has_one_row_although_records_of_it_differ(tmp_path):
    write(tmp_path / "nuaa", "a", label="A")
    write(tmp_path / "nuaa", "b", label="B")
    write(tmp_path / "nust", "a", label="A", status="reconstruction", dataset="nust", title="N")
    sets = [Results.load(tmp_path / dataset) for dataset in ("nuaa", "nust")]
    for order in (sets, sets[::-1]):
        table = table_vi(order, beside="nothing")
        assert [row[0] for row in table.cells(PLAIN)] == ["A†", "B"]
        assert all(table.cells(PLAIN)[0])
        (told,) = [note for note in table.notes if "differ" in note]
        assert told.startswith("A: records of it differ, status is ")


def test_a_method_that_never_ran_on_a_data_set_has_one_row(tmp_path):
    write(tmp_path / "nuaa", "net", label="Net", group="cnn", year=2020)
    write(tmp_path / "nuaa", "a", label="A")
    write(tmp_path / "nust", "a", label="A", dataset="nust", title="N")
    broken = make_record(
        "net", label="net", dataset="nust", title="N", data_hash="abc", images=2, of=2, group="",
        year=0, status="", wanted=(), failed={"": "no weights"},
    )  # fmt: skip
    write_record(tmp_path / "nust", broken)
    sets = [Results.load(tmp_path / dataset) for dataset in ("nuaa", "nust")]
    for order in (sets, sets[::-1]):
        table = table_vi(order, beside="nothing")
        assert [row[0] for row in table.cells(PLAIN)] == ["A", "Net"]
        assert "net (N): no weights" in table.notes


def test_rows_that_are_called_alike_are_told_apart(tmp_path):
    write(tmp_path, "ipi", label="IPI")
    write(tmp_path, "submitted(IPI)", label="IPI", group="submitted", year=9999)
    write(tmp_path, "acm", label="ACM")
    table = table_vi([Results.load(tmp_path)])
    assert sorted(row[0] for row in table.cells(PLAIN)) == [
        "ACM", "IPI (ipi)", "IPI (submitted(IPI))",
    ]  # fmt: skip
