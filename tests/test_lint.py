import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import DataError, WrongUse
from istsbench.tables.lint import lint
from istsbench.tables.published import paper_table

IOU_ABOVE_F1 = {
    ("MDWCM", "nust"), ("MDWCM", "nuaa"), ("Top-Hat", "nuaa"), ("MNWTH", "nuaa"),
    ("TV-PCP", "nuaa"), ("WSNMSTIPT", "nuaa"),
}  # fmt: skip
F1_ABOVE_MEAN = {
    *((label, "nust") for label in ("ILCM", "TV-PCP", "SRWS", "NTFRA")),
    *((label, "nuaa") for label in ("LCM", "ILCM", "MPCM", "NIPPS", "MoG-MRF", "WSLCM")),
}
"""The rows of the paper's Table VI that no reduction of shared counts can give."""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows_by_check(path: Path) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for finding in lint(path).findings:
        row = (finding.row.label, finding.row.part)
        found.setdefault(finding.check, set()).add(row)
    return found


def check_paper(found: dict[str, set[tuple[str, str]]]) -> None:
    assert found.pop("iou > f1") == IOU_ABOVE_F1
    assert found.pop("f1 > 2pr/(p+r)") == F1_ABOVE_MEAN
    assert {row for rows in found.values() for row in rows} <= IOU_ABOVE_F1
    assert set(found) == {"iou > precision", "iou > recall"}


def test_finds_the_impossible_rows_of_the_papers_table():
    import istsbench

    path = Path(istsbench.__file__).parent / "tables" / "table_vi.csv"
    assert len(lint(path).rows) == 54
    check_paper(rows_by_check(path))


def test_a_wide_table_says_the_same(tmp_path):
    frame = paper_table().assign(column=lambda f: f["dataset"] + "_" + f["metric"])
    wide = frame.pivot(index="label", columns="column", values="value")
    wide.to_csv(tmp_path / "wide.csv", float_format="%.2f")
    check_paper(rows_by_check(tmp_path / "wide.csv"))


def test_other_columns_of_a_wide_table_are_left_alone():
    path = SHARED / "paper" / "tables" / "table_vi.csv"
    if not path.is_file():
        pytest.skip("the table with columns such as nuaa_iou_le_f1 is not here")
    assert len(lint(path).rows) == 54
    check_paper(rows_by_check(path))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans(), st.integers(1, 6))
def test_scores_of_real_counts_are_never_flagged(tmp_path_factory, seed, digits, percent, images):
    rng = np.random.default_rng(seed)
    tp, fp, fn = rng.integers(0, [[3], [6], [6]], (3, images)).astype(float)
    divide = lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b > 0)  # noqa: E731
    scores = lambda tp, fp, fn: [  # noqa: E731
        divide(tp, tp + fp), divide(tp, tp + fn), divide(2 * tp, 2 * tp + fp + fn),
        divide(tp, tp + fp + fn),
    ]  # fmt: skip
    means = [values.mean() for values in scores(tp, fp, fn)]
    pooled = [float(v[0]) for v in scores(*(x.sum(keepdims=True) for x in (tp, fp, fn)))]
    for claim, values in (("image", means), ("pooled", pooled)):
        line = ",".join(f"{value * (100 if percent else 1):.{digits}f}" for value in values)
        path = tmp_path_factory.mktemp("lint") / "t.csv"
        path.write_text(f"method,P,R,F1,IoU\nmine,{line}\n")
        scale = "percent" if percent else "fraction"
        assert not lint(path, claim=claim, scale=scale).findings
        assert not lint(path, scale=scale).findings


@given(st.integers(0, 2**32 - 1), st.integers(1, 17), st.sampled_from("gf"))
def test_pooled_scores_with_any_digits_pass_as_pooled(tmp_path_factory, seed, digits, form):
    rng = np.random.default_rng(seed)
    lines = ["method,P,R,F1,IoU"]
    for tp, fp, fn in rng.integers(1, 10 ** rng.integers(1, 6, (12, 3))).astype(float):
        scores = tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)
        lines.append(",".join(["mine", *(f"{score:.{digits}{form}}" for score in scores)]))
    path = tmp_path_factory.mktemp("lint") / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    report = lint(path, claim="pooled", scale="fraction")
    assert not report.findings and len(report.pooled) == 12


def checks(tmp_path: Path, text: str, **options) -> list[str]:
    return [finding.check for finding in lint(write(tmp_path, text), **options).findings]


def test_rounding_is_allowed_for(tmp_path):
    assert checks(tmp_path, "m,F1,IoU\na,0.12,0.12\n") == []
    assert checks(tmp_path, "m,F1,IoU\na,0.12,0.13\n") == ["iou > f1"]  # rounding keeps order
    assert checks(tmp_path, "m,F1,IoU\na,0.12,0.125\n") == []  # both may be 0.1248
    assert checks(tmp_path, "m,P,R,F1\na,0.50,0.50,0.50\n") == []
    assert checks(tmp_path, "m,P,R,F1\na,0.50,0.50,0.52\n") == ["f1 > 2pr/(p+r)"]
    assert checks(tmp_path, "m,P,R,F1\na,0.5,0.5,0.50\n") == []


def test_digits_that_are_cut_off_are_allowed_for(tmp_path):
    assert checks(tmp_path, "m,F1,IoU\na,0.8088,0.6789\n") == []  # rounded; 0.67895
    assert checks(tmp_path, "m,F1,IoU\na,0.80,0.66\n", claim="pooled") == []
    cut = "m,F1,IoU\na,0.80,0.67\nb,0.80,0.68\nc,0.80,0.69\n"  # of F1 0.809 IoU is 0.679
    assert checks(tmp_path, cut, claim="pooled") == ["pooled iou"]


def test_a_number_is_as_long_as_its_column_by_decimals_or_by_digits(tmp_path):
    text = "m,F1,IoU\na,0.583804,0.412233\nb,0.133395,0.0714638\n"
    assert checks(tmp_path, text, claim="pooled") == []
    assert len(lint(write(tmp_path, text)).pooled) == 2


def test_numbers_in_full_precision_may_be_equal(tmp_path):
    assert checks(tmp_path, "m,P,R,F1,IoU\na,1,0.3333333333333333,0.5,0.33333333333333337\n") == []
    assert checks(tmp_path, "m,P,IoU\na,0.333333310000,0.333333340000\n") == []  # float32
    assert checks(tmp_path, "m,P,IoU\na,0.333333310000,0.333334310000\n") == ["iou > precision"]


def test_a_message_has_the_digits_that_show_the_contradiction(tmp_path):
    (one,) = lint(write(tmp_path, "m,F1,IoU\na,0.812224,0.683810\n")).findings
    low, high = re.findall(r"IoU <= (\S+) < (\S+) <= F1", one.text)[0]
    assert float(low) < float(high)
    (one,) = lint(write(tmp_path, "m,P,R,F1\na,0.50000,0.50000,0.50002\n")).findings
    low, high = re.findall(r"\) <= (\S+) < (\S+) <= F1", one.text)[0]
    assert float(low) < float(high)


def test_zeros_at_the_end_may_be_missing(tmp_path):
    assert checks(tmp_path, "m,F1,IoU\na,0.4,0.43\nb,0.61,0.5\n") == ["iou > f1"]


def test_iou_has_a_least_value(tmp_path):
    assert checks(tmp_path, "m,F1,IoU\na,0.80,0.66\n") == []
    assert checks(tmp_path, "m,F1,IoU\na,0.80,0.65\n") == ["iou < f1/(2-f1)"]


def test_iou_against_precision_and_recall(tmp_path):
    assert checks(tmp_path, "m,P,R,IoU\na,0.30,0.60,0.31\n") == ["iou > precision"]
    assert checks(tmp_path, "m,P,R,IoU\na,0.60,0.30,0.31\n") == ["iou > recall"]


def test_a_table_that_says_pooled_must_fit_the_identities(tmp_path):
    means = "m,P,R,F1,IoU\na,0.60,0.60,0.50,0.40\n"
    assert checks(tmp_path, means) == []
    assert checks(tmp_path, means, claim="pooled") == ["pooled f1", "pooled iou"]
    assert lint(write(tmp_path, means)).pooled == []
    assert len(lint(write(tmp_path, "m,P,R,F1,IoU\na,0.5,0.5,0.5,0.33\n")).pooled) == 1


def test_nIoU_beside_IoU(tmp_path):
    both = "m,F1,IoU,nIoU\na,0.50,0.40,0.55\n"
    assert checks(tmp_path, both) == []  # IoU may be pooled
    assert checks(tmp_path, both, claim="image") == ["iou != niou"]
    alone = "m,F1,nIoU\na,0.50,0.55\n"
    assert checks(tmp_path, alone, claim="image") == ["niou > f1"]
    assert checks(tmp_path, alone) == []  # F1 may be pooled, nIoU never is


def test_percent_is_seen(tmp_path):
    assert checks(tmp_path, "m,F1 (%),mIoU (%)\na,40,43\nb,50,40\n") == ["iou > f1"]
    assert checks(tmp_path, "m,F1,IoU\na,40%,43%\n") == ["iou > f1"]
    assert checks(tmp_path, "m,F1,IoU\na,40.00,39.99\nb,1.10,1.00\n") == []
    assert checks(tmp_path, "m,F1,IoU\na,40,30\n", scale="fraction") == ["range"]


@pytest.mark.parametrize("low", ["0.45,0.31", "0,0.31", "1,1"])
def test_percent_and_fractions_in_one_column_are_refused(tmp_path, low):
    text = f"m,F1,IoU\na,85.20,74.20\nb,{low}\n"
    with pytest.raises(DataError, match="line 3: b has .* percent and fractions in one column"):
        lint(write(tmp_path, text))
    assert len(lint(write(tmp_path, text), scale="percent").rows) == 2


def test_small_numbers_in_percent_are_seen_by_the_others_of_their_row(tmp_path):
    text = "m,P,R,F1,IoU\na,90.0,80.0,84.7,73.5\nb,0.5,40.0,1.0,0.5\nc,0,0,0,0\n"
    assert checks(tmp_path, text) == []
    assert checks(tmp_path, "m,F1,IoU\na,40%,30%\nb,0.4%,0.3%\n") == []
    each = "m,F1 nuaa,IoU nuaa,F1 nust,IoU nust\na,40,30,0.4,0.3\nb,50,40,0.5,0.4\n"
    assert checks(tmp_path, each) == []  # a data set in percent, another one in fractions


def test_a_score_outside_its_range(tmp_path):
    assert checks(tmp_path, "m,P,R\na,0.50,1.02\n") == ["range"]
    assert checks(tmp_path, "m,P,R\na,0.50,-0.02\n") == ["range"]
    assert checks(tmp_path, "m,P,R\na,0.50,1.00\n") == []


@pytest.mark.parametrize(
    "head",
    [
        "Method,Pre.,Rec.,F-measure,Jaccard",
        "Network,precision ↑,recall ↑,F_1,mIoU",
        "model,P_nuaa,R_nuaa,F1_nuaa,IoU_nuaa",
        "name,NUAA-SIRST P,NUAA-SIRST R,NUAA-SIRST F1 score,NUAA-SIRST IoU",
        "Method;Prec;Recall;Dice;IoU",
    ],
)
def test_columns_are_guessed(tmp_path, head):
    text = f"# a comment, with commas\n{head}\nmine,0.4,0.5,0.4,0.2\n"
    report = lint(write(tmp_path, text.replace(",", ";") if ";" in head else text))
    (row,) = report.rows
    assert set(row.scores) == {"precision", "recall", "f1", "iou"}
    assert (row.label, row.line) == ("mine", 3)
    assert [row.scores[s].text for s in ("precision", "iou")] == ["0.4", "0.2"]


def test_differences_and_spreads_are_no_scores(tmp_path):
    text = "m,f1_nuaa,f1_nuaa_diff,f1_nuaa_low,iou_le_f1,iou_nuaa\na,0.5,0.9,0.1,1,0.4\n"
    (row,) = lint(write(tmp_path, text)).rows
    assert (
        set(row.scores) == {"f1", "iou"} and row.part == "nuaa" and row.scores["f1"].text == "0.5"
    )


def test_columns_can_be_named(tmp_path):
    path = write(tmp_path, "m,score a,score b,F1\na,0.3,0.5,0.9\n")
    (finding,) = lint(path, columns={"f1": "score a", "iou": "score b"}).findings
    assert finding.check == "iou > f1"
    with pytest.raises(DataError, match="no column 'score c'"):
        lint(path, columns={"f1": "score c"})
    with pytest.raises(WrongUse, match="'auc' is no score"):
        lint(path, columns={"auc": "score a"})


def test_marks_around_numbers(tmp_path):
    text = "m,F1,IoU\na,\\textbf{0.40},**0.43**\nb,-,0.3\n"
    assert checks(tmp_path, text) == ["iou > f1"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "image,tp,fp\na,1,2\n", "m,F1\na,0.5\n"])
def test_a_file_without_two_scores_is_refused(tmp_path, text):
    with pytest.raises(DataError):
        lint(write(tmp_path, text))


def test_unknown_claim_and_scale(tmp_path):
    path = write(tmp_path, "m,F1,IoU\na,0.4,0.3\n")
    with pytest.raises(WrongUse, match="claim is 'micro'"):
        lint(path, claim="micro")
    with pytest.raises(WrongUse, match="scale is 'permille'"):
        lint(path, scale="permille")


def test_the_command_tells_by_its_exit_code(tmp_path):
    run = lambda *words: CliRunner().invoke(app, ["lint", *map(str, words)])  # noqa: E731
    path = write(tmp_path, "m,F1,IoU\ngood,0.4,0.3\n")
    assert run(path).exit_code == 0
    assert run(path, "--columns", "f1=").exit_code == 2
    done = run(tmp_path / "absent.csv")
    assert done.exit_code == 1 and "there is no such file" in done.output
    assert "Errno" not in done.output
    path = write(tmp_path, "m,F1,IoU\ngood,0.4,0.3\nwrong,0.4,0.5\n")
    done = run(path)
    assert done.exit_code == 1
    assert f"{path}:3: wrong: IoU 0.5 > F1 0.4" in done.output
    assert "2 table rows read, scores checked in 2 of them: 1 impossible" in done.output


@pytest.mark.parametrize("reduction", ["image", "pooled"])
@pytest.mark.parametrize(
    "words", [[], ["--columns", "f1,iou,pd,fa"], ["--columns", "f1,niou,precision"],
              ["--match", "hungarian"], ["--published", "all", "--rule", "half"]],
)  # fmt: skip
def test_tables_of_our_own_rows_pass(tmp_path, reduction, words):
    table = ["table", "VI", "--with-published", "--dataset", "nuaa,nust", "--format", "csv"]
    words = [*table, "--reduction", reduction, *words, "--out", str(tmp_path)]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    path = write(tmp_path, made.stdout)
    done = CliRunner().invoke(app, ["lint", str(path)])
    assert done.exit_code == 0, done.output
    if reduction == "pooled":
        report = lint(path, claim="pooled")
        assert report.impossible() == 0 and len(report.pooled) > 50


def test_numbers_of_the_paper_beside_ours_are_counted_apart(tmp_path):
    text = "label,f1_nuaa,iou_nuaa,f1_nuaa_paper,iou_nuaa_paper\na,0.4,0.3,0.40,0.43\n"
    done = CliRunner().invoke(app, ["lint", str(write(tmp_path, text))])
    assert done.exit_code == 0
    assert "table.csv: 1 table row read, scores checked in 1 of them on nuaa: 0 " in done.output
    assert "beside them 1 row of other papers: 1 impossible" in done.output
    alone = write(tmp_path, "label,f1_nuaa_paper,iou_nuaa_paper\na,0.40,0.43\n")
    assert CliRunner().invoke(app, ["lint", str(alone)]).exit_code == 1
    below = "label,status,F1,IoU\na,paper,0.4,0.3\nb [1],published,0.40,0.43\n"
    report = lint(write(tmp_path, below))
    assert (report.impossible(), report.impossible(quoted=True)) == (0, 1)


@pytest.mark.parametrize(
    "text, told",
    [
        (
            "m,F1 nuaa,IoU nuaa,F1 nust,Pd nust\na,0.4,0.3,0.5,0.4\nb,0.4,0.5,0.5,0.4\nc,,,,\n",
            "3 table rows read, scores checked in 2 of them on nuaa: 1 impossible, 1 as if pooled",
        ),
        ("m,F1,IoU,R\na,0.4,0.25,\nb,0.4,,0.5\nc,,0.2,\n",
         "3 table rows read, scores checked in 1 of them: 0 impossible, 2 as if pooled"),
        ("m,set,metric,value\na,x,f1,0.4\na,x,iou,0.3\na,y,iou,0.3\na,y,r,0.3\nb,x,iou,0.5\nb,x,p,0.6\n",
         "2 table rows read, scores checked in 2 of them on x and 1 of them on y: 0 impossible"),
        ("m,Pd,Fa\na,0.9,12\n", "1 table row read, scores checked in none of them: 0 imp"),
    ],
)  # fmt: skip
def test_the_summary_says_what_was_read_and_what_could_be_checked(tmp_path, text, told):
    done = CliRunner().invoke(app, ["lint", str(write(tmp_path, text))])
    assert told in done.output, done.output


def test_counts_of_images_among_tables_are_skipped_and_said(tmp_path):
    counts = tmp_path / "mine.csv"
    counts.write_text("image,rule,tp,fp,fn\na,own,1,2,3\n")
    good = write(tmp_path, "m,F1,IoU\ngood,0.4,0.3\n")
    done = CliRunner().invoke(app, ["lint", str(counts), str(good)])
    assert done.exit_code == 2 and "table.csv: 1 table row read, scores checked in 1" in done.output
    assert "mine.csv: counts of single images, not a table of results" in done.output


def test_the_numbers_of_a_long_table_meet_by_all_other_columns(tmp_path):
    rows = [("a", "x", "F1", 0.4), ("a", "y", "F1", 0.91), ("a", "x", "IoU", 0.3)]
    rows += [("a", "y", "IoU", 0.97), ("a", "x", "AUC", 0.2)]
    frame = pd.DataFrame(rows, columns=["method", "dataset", "metric", "value"])
    frame.to_csv(tmp_path / "long.csv", index=False)
    (finding,) = lint(tmp_path / "long.csv").findings
    assert (finding.row.part, finding.check) == ("y", "iou > f1")


def test_two_columns_of_one_score_are_refused_until_one_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("method,F1,Dice,IoU\na,0.5,0.9,0.8\n")
    with pytest.raises(DataError, match="'F1' and 'Dice' both read as f1; say which"):
        lint(path)
    assert lint(path, columns={"f1": "F1"}).findings
    assert not lint(path, columns={"f1": "Dice"}).findings


def test_pd_and_fa_are_flagged_and_change_no_exit_code(tmp_path):
    text = "m,IoU,Pd (%),Fa (10^-6)\na,70.1,98.17,7.10\nb,60.2,96.95,8.20\nc,50.3,71.13,9.1\n"
    path = write(tmp_path, text)
    report = lint(path, stated="nuaa-86")
    assert [flag.check for _, flag in report.flags] == ["another split", "no list"]
    assert report.findings == () and report.rows[0].scores["fa"].high < 1e-4
    done = CliRunner().invoke(app, ["lint", str(path), "--list", "nuaa-86"])
    assert done.exit_code == 0 and "doubtful: Pd 96.95 is no multiple" in done.output
    assert CliRunner().invoke(app, ["lint", str(path), "--list", "nuaa-8"]).exit_code == 2
    assert CliRunner().invoke(app, ["lint", str(path), "--dataset", "coco"]).exit_code == 2
    clash = ["lint", str(path), "--list", "nuaa-86", "--dataset", "nudt"]
    assert "is a list of NUAA-SIRST, not of NUDT-SIRST" in CliRunner().invoke(app, clash).output


def test_a_table_in_fractions_speaks_for_its_list(tmp_path):
    rows = "\n".join(f"m{k},0.5,{k / 109:.6g},{k * 1e-6 / 5.636096:.6g}" for k in (90, 97, 104))
    report = lint(write(tmp_path, "label,iou_nuaa,pd_nuaa,fa_nuaa\n" + rows + "\n"))
    assert report.flags == () and report.rows[0].part == "nuaa"
    (note,) = report.notes
    assert note.startswith("3 of 3 Pd fit 109 targets, those of idx_427 test of NUAA-SIRST")


@pytest.mark.parametrize(
    "head, value, digits",
    [
        ("Fa", "182.7", "182.7"), ("Fa (1e-6)", "0.01", "0.01"), ("Fa (10-5)", "1.25", "12.5"),
        ("Fa ×10⁻⁵", "1.25", "12.5"), ("Fa", "6.86031e-05", "68.6031"), ("NUAA Fa", "3.7", "3.7"),
    ],
)  # fmt: skip
def test_the_unit_of_false_alarms(tmp_path, head, value, digits):
    (row,) = lint(write(tmp_path, f"m,{head.replace('Fa', 'Pd')},{head}\na,98.17,{value}\n")).rows
    assert row.scores["fa"].digits == digits


def test_false_alarms_do_not_decide_whether_others_are_percent(tmp_path):
    report = lint(write(tmp_path, "m,F1,IoU,Fa\na,0.40,0.30,18.27\nb,0.40,0.30,0.53\n"))
    assert report.findings == () and report.rows[0].scores["f1"].high < 0.5


@pytest.mark.parametrize(
    "row, found",
    [
        ("0.50,0.80,0.62", []), ("0.50,0.80,0.60", ["hiou != loc x seg"]),
        ("0.50,0.48,", ["hiou != loc x seg"]), ("0.50,,0.51", []), ("0.45,0.80,0.62", [
            "hiou != loc x seg"]),
    ],
)  # fmt: skip
def test_hiou_is_the_product_of_its_factors(tmp_path, row, found):
    assert checks(tmp_path, f"m,hIoU,loc,seg\na,{row}\n") == found


def test_errors_of_hiou_are_no_scores(tmp_path):
    text = "m,hiou_nuaa,loc_nuaa,seg_nuaa,loc_itf_err_nuaa,seg_itf_err_nuaa\na,.4,.8,.5,.1,.2\n"
    (row,) = lint(write(tmp_path, text)).rows
    assert set(row.scores) == {"hiou", "loc", "seg"}
