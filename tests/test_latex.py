import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys import make_record

from istsbench.results.results import Results
from istsbench.tables import latex
from istsbench.tables.choice import arranged, with_columns
from istsbench.tables.counterparts import measured, paper_beside
from istsbench.tables.markup import PLAIN, markdown
from istsbench.tables.markup import latex as escape
from istsbench.tables.published import published
from istsbench.tables.scores import SCORES
from istsbench.tables.table import Table
from istsbench.tables.table_vi import table_vi

NASTY = r"A&B_100% #1 {x} [y] ~^\ <b> †|$"


def made(dataset: str = "nuaa", specs: dict[str, str] | None = None, images: int = 12) -> Results:
    """A results folder in memory: spec -> label; later methods are better."""
    specs = specs or {"tophat": "Top-Hat", "mpcm": "MPCM", "mine": NASTY}
    rng, records, counts = np.random.default_rng(0), {}, {}
    for number, (spec, label) in enumerate(specs.items()):
        rules = {"own": "MeanStd(k=3)", "half": "PeakRatio(ratio=0.5)"}
        records[spec] = make_record(
            spec, label=label, venue="OE", year=1996 + number, dataset=dataset,
            title=f"{dataset} set", images=images, of=images, data_hash="d" * 16,
            status="reconstruction" if number == 2 else "paper",
        )  # fmt: skip
        rows = []
        for rule in rules:
            for image in range(images):
                tp = int(rng.integers(5 + 10 * number, 10 + 10 * number))
                fp, fn = rng.integers(0, 12, 2)
                rows.append((f"i{image}", rule, 1.0, tp, fp, fn, 900, 1, 1, 0, 0, 1, 0, 0.1))
        columns = ["image", "rule", "level", "tp", "fp", "fn", "tn", "targets", "detected",
                   "false_pixels", "false_pixels_area", "detected_hungarian",
                   "false_pixels_hungarian", "seconds"]  # fmt: skip
        counts[spec] = pd.DataFrame(rows, columns=columns)
    return Results(Path("made"), records, counts)


@cache
def tables() -> dict[str, Table]:
    ours = pd.DataFrame({"utility": ["U", "U+A+G"], "nuaa_f1": [0.7, 0.9], "nust_f1": [0.5, 0.4]})
    costs = pd.DataFrame({"method": ["ACM"], "params_M": [0.4], "fps_h200": [300.0]})
    return {
        "plain": table_vi([made()]),
        "both": table_vi([made(), made("nust")], beside="difference"),
        "intervals": table_vi([made(), made("nust")], beside="nothing", intervals=True),
        "published": table_vi([made()], reduction="pooled", elsewhere="all"),
        "iv": paper_beside("table_iv", ours, protocol=("on a test",)),
        "v": paper_beside("table_v"),
        "viii": paper_beside("table_viii", costs),
    }


def without_escapes(text: str) -> str:
    return re.sub(r"\\[&%$#_{}\\]", "", text)


def check_balance(text: str) -> None:
    """Braces and environments close in order, and no special sign is left bare."""
    depth = 0
    for sign in without_escapes(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack


def check_booktabs(text: str) -> None:
    """The rules stand in order, none is upright, and every row has every column."""
    bodies = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.S)
    assert bodies
    for body in bodies:
        check_tabular(body)


def check_tabular(text: str) -> None:
    body = re.search(r"\\begin\{tabular\}\{l\*\{(\d+)\}\{r\}\}(.*)\\end\{tabular\}", text, re.S)
    assert body
    columns, lines = int(body[1]) + 1, body[2].strip().splitlines()
    rules = [line for line in lines if line in (r"\toprule", r"\midrule", r"\bottomrule")]
    assert rules[0] == r"\toprule" and rules[-1] == r"\bottomrule"
    assert set(rules[1:-1]) == {r"\midrule"}
    assert lines[0] == r"\toprule" and lines[-1] == r"\bottomrule"
    assert r"\hline" not in text and "|" not in body[0].replace(NASTY, "").split("}", 2)[1]
    for line in lines:
        if line in rules:
            continue
        if line.startswith(r"\cmidrule"):
            spans = re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", line)
            assert spans and int(spans[0][0]) == 2 and int(spans[-1][1]) == columns
            continue
        assert line.endswith(r" \\")
        wide = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
        assert without_escapes(line).count("&") + wide == columns - 1, line


@pytest.mark.parametrize("name", tables())
def test_tables_follow_the_rules_of_booktabs(name):
    text = tables()[name].latex()
    check_balance(text)
    check_booktabs(text)
    lines = [line for line in text.splitlines() if not line.startswith("% ")]
    assert not re.search(r"(?<!\\)[&%#_]", re.sub(r" & ", " ", "\n".join(lines)))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_tables_and_macros_compile(tmp_path):
    macros = latex.macros(tables()["both"])
    parts = [latex.macro_file(macros), *(table.latex() for table in tables().values())]
    parts += [rf"\{name}" for name in macros]
    (tmp_path / "t.tex").write_text(latex.document(*parts), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_nothing_is_shrunk_and_a_table_wider_than_a_page_becomes_one_a_data_set():
    floats = {name: table.latex().count(r"\begin{table*}") for name, table in tables().items()}
    assert {name for name, number in floats.items() if number > 1} == {"both", "intervals"}
    assert not any("resizebox" in table.latex() for table in tables().values())
    first, second = tables()["both"].latex().split("\n\n")
    assert "nust set" not in first and "nuaa set" not in second
    rows = [line for line in second.splitlines() if line.startswith("MPCM & ")]
    assert len(rows) == 1 and rows[0].count("&") == 12


def test_a_journal_takes_the_table_as_it_is():
    for table in tables().values():
        text = table.latex()
        caption = re.search(r"\\caption\{(.*)\}\n\\label\{(tab:[a-z0-9-]+)\}", text)
        assert caption and not caption[1].startswith("Table VI") and "d" * 16 not in text
        assert "arraystretch" in text
    plain = tables()["plain"]
    assert "dddd" in plain.csv() and "protocol " in plain.csv()
    caption = "nuaa set (12 test images), under each method's own threshold, means over images."
    assert rf"\caption{{Comparison on {caption}}}" in plain.latex()
    assert (
        "own rule, means over images, native size, targets matched in raster order, 0/0 = 0."
        in plain.latex()
    )


def test_a_table_of_one_data_set_that_is_too_wide_says_so():
    scores = [name for name in SCORES if f"{name}_nuaa" in tables()["plain"].frame]
    names = [f"{score}_nuaa" for score in scores] * 2
    wide = replace(tables()["plain"], blocks=(("nuaa set", tuple((n, n) for n in names)),))
    assert wide.latex().count("table*") == 2 and latex.TOO_WIDE in wide.latex()
    assert not any(latex.TOO_WIDE in table.latex(cite=True) for table in tables().values())


def test_citations_stand_beside_the_names():
    text = tables()["published"].latex(cite=True)
    keys = re.findall(r"^(\S.*?)~\\cite\{(\w+)\} &", text, re.M)
    assert [name for name, _ in keys] == ["Top-Hat", "MPCM"]
    check_balance(text)
    check_booktabs(text)
    assert r"\cite" not in tables()["published"].latex()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_no_table_is_wider_than_its_page(tmp_path):
    names = {f"m{number}": f"Method {number}" for number in range(5)} | {"ipi": "WSNMSTIPT"}
    sets = [made(specs=names), made("nust", names)]
    wide = [table_vi(sets), table_vi(sets, beside="difference"), table_vi(sets, intervals=True)]
    text = latex.document(*(table.latex() for table in wide))
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Overfull" not in done.stdout, done.stdout[-2000:]


def test_no_difference_is_minus_nothing():
    results = made(specs={"tophat": "Top-Hat"})
    table = table_vi([results], beside="difference")
    table.frame.loc[0, "f1_nuaa_diff"] = -0.004
    assert table.printed(0, "f1_nuaa_diff") == "+0.00"
    ours = pd.DataFrame({"utility": ["U"], "nuaa_f1": [0.74179]})
    table = paper_beside("table_iv", ours)
    assert table.printed(0, "nuaa_f1_diff") == "+0.0000"


def test_text_is_escaped():
    assert escape("a_b & 5% <x>") == r"a\_b \& 5\% $<$x$>$"
    assert escape("mask 592x400, 0x1f, a2x3") == r"mask $592\times400$, 0x1f, a2x3"
    assert escape("ours†°") == r"ours$^{\dagger\circ}$"
    assert escape("`table_vi --cite` & `") == r"\texttt{table\_vi --cite} \& `"
    assert markdown("`a_b|c`, d_e") == r"`a_b\|c`, d\_e"
    assert escape("[1]") == "{[}1]"  # after a line break [ would begin an option
    assert escape("\\") == r"\textbackslash{}"


def test_signs_of_numbers():
    assert latex.number("-0.03") == "$-$0.03" and latex.number("+0.50") == "$+$0.50"
    assert latex.number("0.50 [0.40, 0.60]") == "0.50 [0.40, 0.60]"


def test_macros_hold_the_numbers_that_the_table_prints():
    table = table_vi([made()], beside="difference")
    macros = latex.macros(table)
    assert macros["istsNuaaTophatFone"] == table.printed(0, "f1_nuaa")
    assert macros["istsNuaaTophatIouPaper"] == "0.13"
    assert macros["istsNuaaMpcmFoneDiff"] == latex.number(table.printed(1, "f1_nuaa_diff"))
    assert "istsNuaaMineFonePaper" not in macros  # the paper has no such row
    numbers = sum(
        bool(table.printed(row, column)) for row in table.frame.index for column in table.numbers()
    )
    assert len(macros) == numbers
    assert all(re.fullmatch("[A-Za-z]+", name) for name in macros)


def test_a_method_of_ones_own_has_macros_by_its_label():
    specs = {
        "mine.py:f": "DoG (ours)",
        "pkg.mod:Net(k=2)": "Net 2",
        "function(g)": "g",
        "ipi": "IPI",
    }
    specs["mine.py:h"] = "\u65b9"  # no letter that a macro may have
    names = latex.macros(table_vi([made(specs=specs)], beside="nothing"))
    rows = {name.removeprefix("istsNuaa").removesuffix("Fone") for name in names if "Fone" in name}
    assert rows == {"DoGOurs", "NetTwo", "G", "Ipi", "MinePyH"}


def test_macros_say_which_numbers_are_in_a_unit_of_their_own():
    table = with_columns(table_vi([made()], beside="nothing"), ["f1", "fa", "target_auc"])
    assert latex.macro_units(table) == [
        "...Fa is Fa 1e-6", "...TargetAuc is 1 - AUC (targets) 1e-6"
    ]  # fmt: skip


def test_intervals_are_macros_too():
    table = table_vi([made()], beside="nothing", intervals=True)
    macros = latex.macros(table)
    low, value, high = (float(macros[f"istsNuaaMpcmFone{end}"]) for end in ("Low", "", "High"))
    assert low < value < high


def test_names_that_would_be_the_same_are_told_apart():
    specs = {"top(size=7)": "a", "top(size=seven)": "b", "top-size-7": "c", "top8": "d"}
    macros = latex.macros(table_vi([made(specs=specs)]))
    assert len(macros) == 16
    alike = [name for name in macros if name.startswith("istsNuaaTopSizeSevenFone")]
    assert len(alike) == 3 and "istsNuaaTopEightFone" in macros
    again = latex.macros(table_vi([made(specs=dict(reversed(specs.items())))]))
    assert set(again) == set(macros)
    assert all(re.fullmatch("[A-Za-z]+", name) for name in macros)


def test_a_second_table_has_names_of_its_own():
    first = latex.macros(table_vi([made()]))
    second = latex.macros(table_vi([made()], reduction="pooled"), "pooled")
    assert not set(first) & set(second)
    assert second["istsNuaaTophatFonePooled"] != first["istsNuaaTophatFone"]
    assert not set(first) & set(latex.macros(paper_beside("table_iv")))


def test_differences_are_ours_less_the_papers():
    frame = table_vi([made()], beside="difference").frame
    expected = frame["f1_nuaa"] - frame["f1_nuaa_paper"]
    pd.testing.assert_series_equal(frame["f1_nuaa_diff"], expected, check_names=False)
    assert frame["f1_nuaa_paper"].notna().sum() == 2


def test_intervals_and_what_equals_the_best():
    table = table_vi([made()], beside="nothing", intervals=True)
    frame = table.frame.set_index("method")
    for score in ("f1_nuaa", "iou_nuaa"):
        assert (frame[f"{score}_low"] <= frame[score]).all()
        assert (frame[score] <= frame[f"{score}_high"]).all()
    assert not frame.loc[frame["f1_nuaa"].idxmax(), "f1_nuaa_alike"]
    rows = {"tophat": "a", "twin": "b"}
    results = made(specs=rows)
    results.counts["twin"] = results.counts["tophat"].copy()
    twins = table_vi([results], intervals=True)
    assert "≈" not in twins.markdown()  # both are in bold
    results.counts["twin"].loc[results.counts["twin"]["image"] == "i0", "tp"] += 1
    alike = table_vi([results], intervals=True)
    assert sorted(alike.frame["f1_nuaa_alike"]) == [False, True]
    assert "≈ [" in alike.markdown()


@pytest.mark.parametrize("reduction", ["image", "pooled"])
def test_the_best_of_a_column_never_has_the_sign_of_equals(reduction):
    results = made(specs=dict.fromkeys(["a", "b"], "x") | {"c": "y"}, images=30)
    rows = results.counts["a"]
    results.counts["b"] = rows.assign(fp=rows["fp"].to_numpy()[::-1])
    results.counts["c"] = rows.assign(fp=rows["fp"] + 600 * (rows["image"] == "i3"))
    for rows in results.counts.values():
        rows[["regions", "regions_apart", "detected_opdc"]] = 2, 1, 1
        rows["iou_opdc"] = rows["tp"] / (rows["tp"] + rows["fp"] + rows["fn"])
    table = table_vi([results], reduction=reduction, beside="nothing", intervals=True)
    text = table.markdown()
    assert "≈ [" in text and not [cell for cell in text.split("|") if "**" in cell and "≈" in cell]
    few = arranged(table, (), "f1", 2)
    assert "≈ is against the best of all" in few.markdown()


def test_marks_of_a_column_that_some_rows_lack_say_so():
    results = made(specs=dict.fromkeys("abc", "x"))
    for spec in "ab":
        results.counts[spec][["regions", "regions_apart", "detected_opdc"]] = 2, 1, 1
        results.counts[spec]["iou_opdc"] = 0.2 if spec == "a" else 0.4
    table = table_vi([results])
    assert "hIoU: best of the 2 of 3 rows that have it." in table.foot(legend=True)
    assert not [line for line in table.foot(legend=True) if line.startswith("F1: best")]


def test_other_papers_rows_stand_apart_with_their_source():
    table = table_vi([made()], reduction="pooled", elsewhere="same")
    others = table.frame[table.frame["status"] == "published"]
    assert {label.partition(" [")[0] for label in others["label"]} == {"Top-Hat", "MPCM"}
    assert all(row not in others.index for row, _ in table.marks())
    assert any("ACM paper Table 3" in note and note.startswith("[1]") for note in table.notes)
    assert len(table.sections(PLAIN)) == 2
    text = table.markdown()
    assert text.index("MPCM |") < text.index("Published elsewhere") < text.index(r"| Top-Hat \[1\]")
    plain = table_vi([made()], reduction="pooled").frame
    pd.testing.assert_frame_equal(
        table.frame[: len(plain)][plain.columns], plain, check_dtype=False
    )


@pytest.mark.parametrize("dataset", ["nuaa", "nust", "nust-paper", "synthetic"])
@pytest.mark.parametrize("reduction", ["image", "pooled"])
def test_published_numbers_keep_their_reduction(dataset, reduction):
    frame = published(dataset, reduction)
    assert not frame["source"].str.startswith("pixelGame").any()
    assert frame[["precision", "recall", "f1", "iou"]].notna().any(axis=1).all()
    if dataset == "nuaa":
        ipi = frame[(frame["method"] == "IPI") & frame["source"].str.contains("ACM paper")]
        assert ipi["iou"].tolist() == [{"pooled": 0.466, "image": 0.607}[reduction]]
    if dataset == "synthetic":
        assert frame.empty


def test_ours_beside_a_table_of_the_paper():
    table = tables()["iv"]
    frame = table.frame.set_index("label")
    assert list(frame.index) == ["U", "U+A", "U+G", "U+A+G"]
    assert frame.loc["U", "nuaa_f1_paper"] == 0.7418
    assert frame.loc["U", "nuaa_f1_diff"] == pytest.approx(0.7 - 0.7418)
    row = table.frame.index[table.frame["label"] == "U+A"][0]
    assert table.printed(row, "nuaa_iou_paper") == "0.7400"  # as many digits as in print
    assert table.printed(row, "nuaa_f1") == ""
    assert table.marks()[0, "nust_f1"] == 0 and (1, "nust_f1") not in table.marks()
    assert "on a test" in table.markdown()


def test_less_is_better_for_costs():
    ours = pd.DataFrame({"method": ["ACM", "ALCNet"], "params_M": [0.6, 0.5]})
    table = paper_beside("table_viii", ours)
    assert table.marks() == {(1, "params_M"): 0, (0, "params_M"): 1}
    assert table.printed(0, "fps_rtx2080ti_paper") == "100"
    assert table.printed(2, "fps_rtx2080ti_paper") == "2.63"


def test_a_frame_that_does_not_fit_the_papers_table():
    with pytest.raises(ValueError, match="no column 'utility'"):
        paper_beside("table_iv", pd.DataFrame({"label": ["U"]}))
    with pytest.raises(ValueError, match="'U' is twice"):
        paper_beside("table_iv", pd.DataFrame({"utility": ["U", "U"]}))


def test_html_holds_every_cell():
    table = table_vi([made()])
    text = table.html()
    assert text.count("<td") == len(table.frame) * 8 and "<b>" in text
    assert "A&amp;B" in text and "<b>†" not in text


def test_measurements_are_found_beside_the_papers_numbers(tmp_path):
    assert measured("table_iv", tmp_path) == (None, ())
    head = "label,status,{0}_f1_image,{0}_iou_image,{0}_f1_pooled,{0}_f1_image_sd\n"
    text = f"# Table IV\n# how\n# of its marks\n{head}"
    for dataset, value in (("nuaa", 0.8), ("nust", 0.6)):
        folder = tmp_path / "ablations" / dataset
        folder.mkdir(parents=True)
        rows = f"U,paper,{value},0.5,0.1,0.02\nmine,paper,0.1,0.1,0.1,0.03\n"
        (folder / "table_iv.csv").write_text(text.format("fusion") + rows)
        (folder / "table_v.csv").write_text(text.format("fps") + rows)
    ours, notes = measured("table_iv", tmp_path)
    table = paper_beside("table_iv", ours, protocol=notes)
    assert "**0.8000** ± 0.0200 |" in table.markdown() and table.markdown().count("±") == 4
    assert "difference" not in table.markdown() and "nuaa_f1_diff" in table.frame
    frame = table.frame.set_index("label")
    assert frame.loc["U", ["nuaa_f1", "nust_f1", "nuaa_f1_paper"]].tolist() == [0.8, 0.6, 0.7418]
    assert frame.loc["mine", "nuaa_iou"] == 0.1
    assert notes == ("how, means over images",) * 2
    assert measured("table_iv", tmp_path, "pooled")[0]["nuaa_f1"].tolist() == [0.1, 0.1]
    ours, _ = measured("table_v", tmp_path)
    assert set(ours) == {"objective"} | {
        f"{d}_fps_{r}" for d in ("nuaa", "nust") for r in ("f1", "iou", "f1_sd")
    }


def test_beside_deviations_only_what_was_measured_is_shown():
    ours = pd.DataFrame({"objective": ["Ours", "IoU loss"], "nuaa_fns_f1": [0.4, 0.8]})
    whole = paper_beside("table_v", ours).markdown()
    assert "NUST-SIRST" in whole and "difference" in whole
    table = paper_beside("table_v", ours.assign(nuaa_fns_f1_sd=0.01))
    assert "NUST-SIRST" not in table.markdown() and "difference" not in table.markdown()
    assert table.frame["nust_fns_f1_paper"].notna().all()
    assert latex.TOO_WIDE not in table.latex()


def test_costs_are_found_beside_the_papers(tmp_path):
    text = "# Table VIII\n# how\nlabel,params_M,operations_G,flops_G,fps_single\nACM,0.4,2,9,50\n"
    (tmp_path / "table_viii.csv").write_text(text)
    ours, notes = measured("table_viii", tmp_path)
    frame = paper_beside("table_viii", ours, protocol=notes).frame.set_index("label")
    assert frame.loc["ACM", ["params_M", "flops_G", "fps_ours"]].tolist() == [0.4, 2, 50]
    assert frame.loc["ACM", "flops_G_diff"] == pytest.approx(2 - 1.75)
