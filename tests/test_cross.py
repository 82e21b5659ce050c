import pytest
from test_seeds import row
from test_table_vi import write
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.results.results import Results
from istsbench.tables.cross import cross_table

HOMES = {"nuaa": "NUAA-SIRST", "nust": "NUST-SIRST"}


def scored(folder, home, hits, base="net", **changes):
    """A row in `folder` of a network trained on `home`."""
    trained = {
        "method": base, "label": base.upper(), "seed": 0, "plan": "p", "dataset": home,
        "title": HOMES[home], "split": "train", "epochs": 9,
    }  # fmt: skip
    about = {"dataset": folder.name, "title": HOMES[folder.name], "trained": trained}
    return row(folder, 0, hits, plan=home, base=base, **{**about, **changes})


@pytest.fixture
def both(tmp_path):
    nuaa, nust = tmp_path / "nuaa", tmp_path / "nust"
    scored(nuaa, "nuaa", 9)
    scored(nuaa, "nust", 4)
    scored(nust, "nust", 8)
    write(nuaa, "other")
    write(nust, "other", dataset="nust", title=HOMES["nust"])
    return [nuaa, nust]


def test_a_line_for_each_training_data_set_and_columns_for_each_test_set(both):
    table = cross_table([Results.load(folder) for folder in both])
    frame = table.frame.set_index("label")
    assert list(frame.index) == ["NET, weights of NUAA-SIRST", "NET, weights of NUST-SIRST"]
    assert list(frame["f1_nuaa"]) == pytest.approx([0.9, 0.4])
    assert frame["f1_nust"].isna().tolist() == [True, False]
    assert frame.loc["NET, weights of NUST-SIRST", "iou_nust"] == pytest.approx(8 / 12)
    (left,) = [note for note in table.notes if "not run" in note]
    assert left == (
        "NUST-SIRST: 1 of 2 lines were not run: "
        '`istsbench run --methods "net(weights=nuaa)" --dataset nust`'
    )
    told = [note for note in table.notes if "9 epochs" in note]
    assert told == [
        "Weights of NUAA-SIRST, split train: NET (9 epochs).",
        "Weights of NUST-SIRST, split train: NET (9 epochs).",
    ]


def test_parameters_stay_in_the_command_of_what_was_not_run(both):
    scored(both[0], "nust", 3, base="net(width=32)")
    notes = cross_table([Results.load(folder) for folder in both]).notes
    assert any('"net(width=32, weights=nust),net(weights=nuaa)" --dataset nust' in n for n in notes)


def test_the_same_weights_under_two_names_are_one_line_and_other_weights_a_question(both):
    first = scored(both[0], "nuaa", 9)
    same = scored(both[0], "nuaa", 7, method_hash=first)
    assert len(cross_table([Results.load(folder) for folder in both]).frame) == 2
    other = scored(both[0], "nuaa", 6)
    with pytest.raises(WrongUse, match="both NET with weights of NUAA-SIRST; .* --methods") as e:
        cross_table([Results.load(both[0])])
    assert other in str(e.value) and (first in str(e.value)) != (same in str(e.value))


def test_without_networks_or_twice_one_data_set_there_is_no_table(both):
    results = Results.load(both[0])
    with pytest.raises(DataError, match="no row here has weights"):
        cross_table([results.only(["other"])])
    with pytest.raises(ProtocolMix, match="twice"):
        cross_table([results, results])


def test_the_command_prints_it_and_refuses_what_it_does_not_use(both):
    command = ["table", "cross", "--dataset", "nuaa,nust", "--out", str(both[0].parent)]
    found = CliRunner().invoke(app, [*command, "--reduction", "pooled", "--format", "csv"])
    assert found.exit_code == 0, found.output
    assert "f1_nuaa,iou_nuaa,f1_nust,iou_nust" in found.output
    refused = CliRunner().invoke(app, [*command, "--intervals"])
    assert refused.exit_code == 2
    assert "--intervals changes nothing in the table of cross-data scores" in refused.output
