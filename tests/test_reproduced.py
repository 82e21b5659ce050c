"""Published rows beside our maps: whose rows, under which profile, and why they differ."""

from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError
from istsbench.registry import choose
from istsbench.results.profile_counts import profile_scores
from istsbench.results.profiled import count_maps
from istsbench.results.profiles import PROFILES
from istsbench.results.results import Results
from istsbench.runs.run import run
from istsbench.tables.claims import Claim, claims
from istsbench.tables.collected import sources
from istsbench.tables.published import read_paper
from istsbench.tables.reproduced import reproduced
from istsbench.tables.reproducedpage import reproduced_frame, reproduced_page

TITLE = "NUAA-SIRST"


@pytest.fixture(scope="module")
def dataset(toy_folder):
    """The toy images under the name of a data set that papers print rows of."""
    return replace(open_dataset(f"folder:{toy_folder}"), name="nuaa", title=TITLE)


@pytest.fixture(scope="module")
def out(tmp_path_factory, dataset):
    out = tmp_path_factory.mktemp("out")
    run(choose("tophat"), dataset, out, show=False)
    return out


def at_level(out, dataset, level=0.5, profile="basicirstd"):
    """What the maps give at a level, in the units of tables."""
    under = replace(PROFILES[profile], level=level)
    rows = count_maps(Results.load(out / "nuaa"), "tophat", under, dataset).rows
    found = profile_scores(under, rows)
    units = {"iou": 100, "niou": 100, "pd": 100, "fa": 1e6}
    return {score: unit * found[score] for score, unit in units.items()}


def printed(scores, stated="nuaa-86", known="read"):
    profile = PROFILES["basicirstd"]
    return Claim("A", "Top-Hat", "tophat", TITLE, stated, profile, known, "its code", scores)


def compared(out, dataset, claim):
    (one,) = reproduced(out, TITLE, lambda: dataset, [claim], show=False)
    return one


def test_a_row_of_our_own_maps_agrees(out, dataset):
    one = compared(out, dataset, printed(at_level(out, dataset)))
    assert one.agrees and one.why == "IoU +0.0, nIoU +0.0, Pd +0.0, Fa 0 for 0"
    assert one.ours == pytest.approx(at_level(out, dataset))


def test_a_row_of_our_maps_at_another_level_is_known_as_such(out, dataset):
    scores = at_level(out, dataset, 0.8)
    one = compared(out, dataset, printed({key: scores[key] for key in ("iou", "pd", "fa")}))
    assert not one.agrees
    assert "and the rest of the row: another level" in one.why


def test_a_row_of_other_maps_is_known_as_such(out, dataset):
    scores = at_level(out, dataset, 0.8)
    one = compared(out, dataset, printed({"iou": scores["iou"], "pd": 1.0, "fa": 9e5}))
    assert "with Pd 100.0, Fa 0.0: other parameters or another implementation" in one.why
    one = compared(out, dataset, printed({"iou": 55.0, "pd": 50.0}))
    assert "no level of our maps has that IoU (the best has 100.0)" in one.why
    one = compared(out, dataset, printed({"iou": 100.0, "fa": 100.0}))
    assert "the same IoU with another Fa" in one.why


def test_other_images_are_said(out, dataset):
    one = compared(out, dataset, printed(at_level(out, dataset), stated="nuaa-214"))
    assert "other images: the list is nuaa-214, ours are nuaa-86" in one.why
    one = compared(out, dataset, printed(at_level(out, dataset), stated="", known="assumed"))
    assert "the list is not stated" in one.why and one.why.endswith("the profile is assumed")


def test_rows_of_a_list_are_beside_results_on_that_list(tmp_path, dataset):
    splits = {**dataset.splits, "50_50/test": dataset.names("test")[:2]}
    both = replace(dataset, splits=splits)
    for split in ("test", "50_50/test"):
        run(choose("tophat"), both, tmp_path, split=split, show=False)
    claim = printed({"iou": 100.0}, stated="nuaa-214")
    (one,) = reproduced(tmp_path, TITLE, lambda: both, [claim], show=False)
    assert (one.images, one.number) == ("nuaa-214", 2)
    assert "on the images of nuaa-86 our IoU is 100.0" in one.why


def test_page_and_frame_hold_every_row(out, dataset):
    found = reproduced(out, TITLE, lambda: dataset, show=False)
    mine = [claim for claim in claims(TITLE) if claim.name == "tophat"]
    assert [one.claim for one in found] == mine and len(mine) > 3
    text, frame = reproduced_page(found), reproduced_frame(found)
    assert text.count("\n| Top-Hat |") == len(mine) == len(frame)
    assert {claim.source for claim in mine} == set(frame["source"])
    drpca = frame.set_index("source").loc["DRPCA-Net leaderboard"]
    assert drpca["fa_published"] == 182.7 and drpca["profile"] == "drpcanet"
    assert pd.isna(drpca["niou_published"])


def test_what_is_not_there_is_named(tmp_path, dataset):
    with pytest.raises(DataError, match="no results; make some with `istsbench run"):
        reproduced(tmp_path, TITLE, lambda: dataset, show=False)
    with pytest.raises(DataError, match="no published row of NUST-SIRST"):
        reproduced(tmp_path, "NUST-SIRST", lambda: dataset, show=False)
    done = CliRunner().invoke(app, ["reproduce", "--dataset", "nuua"])
    assert done.exit_code == 2 and "did you mean nuaa" in done.output


def drpcanet(scores):
    return replace(printed(scores), profile=PROFILES["drpcanet"])


def test_a_method_is_run_on_resized_images_where_asked(out, dataset):
    claim = drpcanet({"iou": 50.0, "pd": 50.0})
    (plain,) = reproduced(out, TITLE, lambda: dataset, [claim], show=False)
    (again,) = reproduced(out, TITLE, lambda: dataset, [claim], ["tophat"], show=False)
    assert plain.resized is None and again.resized is not None
    assert again.ours == plain.ours
    scores = {key: again.resized[key] for key in ("iou", "pd", "fa")}
    (equal,) = reproduced(out, TITLE, lambda: dataset, [drpcanet(scores)], ["tophat"], show=False)
    assert equal.agrees and "IoU +0.0" in equal.why
    assumed = replace(claim, known="assumed")
    (other,) = reproduced(out, TITLE, lambda: dataset, [assumed], ["tophat"], show=False)
    assert other.resized is None


def test_a_decimal_point_out_of_its_place_is_suggested(out, dataset):
    claim = drpcanet({"iou": 1.0, "fa": 1.0})
    (one,) = reproduced(out, TITLE, lambda: dataset, [claim], ["tophat"], show=False)
    resized = one.resized
    assert resized["fa"] > 1
    claim = drpcanet({"iou": resized["iou"], "pd": resized["pd"], "fa": 10.1 * resized["fa"]})
    (one,) = reproduced(out, TITLE, lambda: dataset, [claim], ["tophat"], show=False)
    assert not one.agrees and "a decimal point out of its place" in one.why


def test_every_note_is_of_a_row():
    notes = read_paper("reproduced_notes", dtype=str, keep_default_na=False)
    rows = {(claim.source, claim.method) for claim in claims(TITLE)}
    assert set(zip(notes["source"], notes["method"], strict=True)) <= rows


# ---------------------------------------------------------------- the rows


def test_there_are_enough_rows_of_enough_sources():
    rows = claims(TITLE)
    assert len(rows) >= 20
    assert len({claim.source for claim in rows if claim.known != "assumed"}) >= 4


def test_a_reprinted_row_has_list_and_profile_of_the_first():
    row = next(c for c in claims(TITLE) if c.source == "SEG-UNet README" and c.name == "ipi")
    assert row.reprints == "BasicIRSTD benchmark (classical rows)"
    assert row.stated == "nuaa-214" and row.profile.name == "basicirstd"
    other = next(c for c in claims(TITLE) if c.source == "SEG-UNet README" and c.name == "wslcm")
    assert not other.reprints and not other.stated and other.known == "assumed"


def test_equal_pd_alone_is_no_reprint():
    one, other = printed({"iou": 20.0, "pd": 90.0}), printed({"iou": 25.0, "pd": 90.0})
    assert not one.equals(other) and one.equals(one)
    assert not printed({"pd": 90.0}).equals(other)


def test_every_source_is_one_of_a_collection():
    lines = read_paper("reproduced_sources", dtype=str, keep_default_na=False)
    older = {"ACM paper Table 3", "MSDA-Net tables"}
    assert set(lines["source"]) <= {*sources(), *older}
    assert set(lines["profile"]) <= {*PROFILES}
    assert set(lines["known"]) <= {"read", "derived", "assumed"}
