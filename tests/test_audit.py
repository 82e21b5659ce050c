import io

import pandas as pd
import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import DataError, UnknownName
from istsbench.tables.audit import VERDICTS, audit, audited_rows, frame
from istsbench.tables.auditpage import audit_page, tally
from istsbench.tables.collected import collected, datasets, sources
from istsbench.tables.ours import Ours, own_scores
from istsbench.tables.testlists import known_lists


@pytest.fixture(scope="module")
def everything():
    return audit()


def one(everything, source, method, dataset="NUAA-SIRST"):
    found = [
        item for item in everything
        if (item.row.source.name, item.row.method, item.row.dataset) == (source, method, dataset)
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def test_every_row_has_a_source_a_data_set_and_numbers():
    rows = collected()
    assert len(rows) == 661 and len({row.source.name for row in rows}) == len(sources())
    for row in rows:
        assert row.kind in ("classical", "learned") and row.scores["iou"]
        assert row.stated in ("", *known_lists()), row
        assert not row.stated or known_lists()[row.stated].dataset == row.dataset
        for text in row.scores.values():
            assert not text or float(text) >= 0
        assert row.source.where and int(row.source.year) >= 2022
    counted = pd.Series([row.dataset for row in rows]).value_counts()
    assert dict(counted.head(3)) == {"IRSTD-1K": 218, "NUAA-SIRST": 214, "NUDT-SIRST": 184}


@pytest.mark.parametrize(
    "source, method, verdict, said",
    [
        ("DRPCA-Net leaderboard", "Top-Hat", "fits", "Pd 88.99 fits idx_427 test (86 images)"),
        ("DRPCA-Net leaderboard", "Max-Median", "impossible", "94.46 is no multiple"),
        ("DGNet paper Table 1", "SCTransNet", "fits another split", "213/214 test"),
        ("DGNet paper Table 1", "MSLSTIPT", "impossible", "less than one of 109 targets"),
        ("SAMamba README, earlier version", "SAMamba", "impossible", "F1 98.55"),
        ("SeRankDet leaderboard", "ACM", "cannot tell", "no Pd is printed"),
        ("SEG-UNet README", "NRAM", "impossible", "3 rows print its IoU, Pd and Fa under another"),
        ("FLSCNet README", "FLSCNet", "cannot tell", "fits every list"),
    ],
)
def test_verdicts_that_can_be_checked_by_hand(everything, source, method, verdict, said):
    found = one(everything, source, method)
    assert (found.verdict, said in found.reason) == (verdict, True), found.reason


def test_a_reprint_is_judged_by_the_longer_digits(everything):
    # 79.84 is 210/263 cut off, but the table it repeats prints 79.841.
    found = one(everything, "LW-DSTransNet README", "Top-Hat")
    assert found.reprint_of.scores["pd"] == "79.841"
    assert found.verdict == "cannot tell" and "79.841" in found.reason


def test_f1_beside_its_iou_decides_only_from_a_point_on(everything):
    near = one(everything, "DRPCA-Net leaderboard", "UIU-Net", "IRSTD-1K")
    assert near.verdict == "fits" and any("pooled" in flag.check for flag in near.flags)
    far = one(everything, "DRPCA-Net leaderboard", "HBMLCM", "SIRST-Aug")
    assert far.verdict == "impossible"


def test_one_data_set_is_judged_as_among_all(everything):
    alone = audit("nuaa")
    assert alone == [item for item in everything if item.row.dataset == "NUAA-SIRST"]
    assert audit("IRSTD-1K") and audit("sirst-aug")
    with pytest.raises(UnknownName, match="known: "):
        audit("coco")


def test_the_page_and_the_table_have_every_row(everything):
    text = audit_page(everything, Ours("Nothing."))
    assert sum(tally(everything).values()) == 661
    rows = text.split("## Every row")[1]
    assert rows.count("\n| ") == 661 + len(datasets())
    assert all(verdict in text for verdict in VERDICTS)
    table = frame(everything)
    assert list(table["verdict"]) == [item.verdict for item in everything]
    assert "## Every row" not in audit_page(everything, Ours("Nothing."), rows=False)


def test_every_line_of_a_table_has_as_many_cells_as_its_head(everything):
    text = audit_page(everything, Ours("Nothing.")).replace("\\|", "")
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1, block[:200]


def test_no_search_index_and_no_person_is_named():
    said = " ".join(source.where + source.profile for source in sources().values())
    assert "stored" not in said and "et al" not in said


def test_rows_for_table_vi_are_of_our_split():
    fitting = audited_rows("nuaa", "pooled", fitting=True)
    assert len(fitting) > 20 and fitting["split"].str.endswith("; fits").all()
    top = fitting[fitting["method"] == "Top-Hat"].iloc[0]
    assert top["iou"] == pytest.approx(0.2693) and top["f1"] == pytest.approx(0.4244)
    recent = audited_rows("nuaa", "pooled", fitting=False)
    assert len(recent) == 214
    assert audited_rows("nuaa", "image", fitting=False)["f1"].isna().all()
    assert audited_rows("synthetic", "pooled", fitting=False).empty


def test_the_command_writes_page_and_table(tmp_path):
    run = lambda *words: CliRunner().invoke(app, ["audit", *map(str, words)])  # noqa: E731
    path = tmp_path / "made here" / "audit.md"
    done = run("--dataset", "nust", "--to", path, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "written: " in done.output and "No results of ours" in path.read_text()
    assert len(pd.read_csv(io.StringIO(path.with_suffix(".csv").read_text()))) == 2
    printed = run("--dataset", "nust", "--out", tmp_path)
    assert printed.output.startswith("# Published rows") and "Every row" not in printed.output
    assert "Made by" not in printed.output and "Made by" in path.read_text()
    nuaa = run("--dataset", "nuaa", "--out", tmp_path).output
    assert "idx_427" in nuaa and "\\_" not in nuaa and "&lt;" not in nuaa
    last = nuaa[nuaa.index("| data set | list | targets |") :]
    assert "NUAA-SIRST" in last and "NUDT" not in last and "IRSTD" not in last
    assert run("--to", tmp_path / "audit.txt").exit_code == 2
    assert run("--dataset", "coco").exit_code == 2


def test_our_scores_stand_beside_classical_rows(tmp_path, everything):
    assert own_scores(tmp_path).by_method == {}
    head = "source,method,list,profile,known,images,iou_ours,pd_ours,fa_ours\n"
    line = "DRPCA-Net leaderboard,Top-Hat,nuaa-86,drpcanet,read,nuaa-86,28.21,89.9,188\n"
    (tmp_path / "reproduced.csv").write_text(head + line)
    ours = own_scores(tmp_path)
    mine = ours.of(one(everything, "DRPCA-Net leaderboard", "Top-Hat").row)
    assert mine.scores["iou"] == 28.21 and mine.under == "drpcanet (read), nuaa-86"
    assert ours.of(one(everything, "DRPCA-Net leaderboard", "Top-Hat", "NUDT-SIRST").row) is None
    text = audit_page(audit("nuaa"), ours)
    assert "| 26.93 / 28.21 | 42.44 / - | 88.99 / 89.90 | 182.7 / 188.0 |" in text
    (tmp_path / "reproduced.csv").write_text((head + line).replace("pd_ours", "pd"))
    with pytest.raises(DataError, match="no column 'pd_ours'; make it by `istsbench reproduce`"):
        own_scores(tmp_path)
