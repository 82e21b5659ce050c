import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import istsbench
from istsbench.cli import app
from istsbench.errors import PackError, ProtocolMix
from istsbench.figures.roc import roc
from istsbench.results import shipped
from istsbench.results.results import Results
from istsbench.results.shipped import ShippedRows, differing, import_shipped, ship, with_shipped
from istsbench.runs.record import sound, write_record
from istsbench.tables.table_vi import table_vi

RESULTS = Path(istsbench.__file__).parents[1] / "results"


def call(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def mine(tmp_path):
    """A results folder with a row of one's own on NUAA-SIRST, of the shipped protocol."""
    out = tmp_path / "my results"
    import_shipped("nuaa", out)
    folder = out / "nuaa"
    record = replace(
        sound(folder, "ipi"), method="mynet", label="My net", file="mynet", imported=None
    )
    shutil.copy(folder / "ipi.csv", folder / "mynet.csv")
    shutil.copy(folder / "curves" / "ipi.csv", folder / "curves" / "mynet.csv")
    for path in [*folder.glob("*.json"), *folder.glob("*.csv"), *folder.glob("curves/*.csv")]:
        if path.stem != "mynet":
            path.unlink()
    write_record(folder, record)
    return folder


@pytest.mark.skipif(not (RESULTS / "nuaa").is_dir(), reason="results/ is not installed")
def test_the_shipped_rows_are_those_of_the_results():
    assert differing(RESULTS) == [], f"run `{shipped.MAKE}`"


def test_every_shipped_file_is_small_and_whole():
    assert shipped.shipped_names() == list(shipped.SHIPPED_SETS)
    for name in shipped.SHIPPED_SETS:
        assert (shipped.PLACE / f"{name}.tar.xz").stat().st_size < 1_500_000
        results = ShippedRows.of(name).results
        assert len(results.records) >= 26
        assert all(results.complete(spec, "own") for spec in results.records)


def test_my_row_stands_beside_the_shipped_ones(mine):
    code, text, _ = call("table", "VI", "--with-published", "--out", mine.parent, "--format", "csv")
    assert code == 0
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert sum(line.startswith("mynet,My net,") for line in lines) == 1
    rows = ShippedRows.of("nuaa")
    assert f"# ° NUAA-SIRST: shipped with {rows.name}, not run here." in text
    assert len(lines) == 2 + len(rows.results.records)
    code, text, _ = call(
        "table", "VI", "--with-published", "--out", mine.parent, "--methods", "My net,IPI"
    )
    labels = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert labels == ["| Method", "| IPI°", "| My net"]
    assert f"{len(rows.results.records) - 1} more rows" in text


def test_a_row_of_my_own_goes_before_the_shipped_one(mine):
    record = sound(mine, "mynet")
    shutil.copy(mine / "mynet.csv", mine / "ipi.csv")
    write_record(mine, replace(record, method="ipi", label="IPI", file="ipi"))
    results = with_shipped(mine)
    assert results.records["ipi"].imported is None
    assert results.records["mpcm"].imported.name == ShippedRows.of("nuaa").name
    assert "IPI°" not in table_vi([results]).markdown()


@pytest.mark.parametrize(
    ("key", "value"),
    [("split", "val"), ("depth", "full"), ("format", 99), ("data_hash", "0123456789abcdef")],
)
def test_another_protocol_is_refused_by_name(mine, key, value):
    write_record(mine, replace(sound(mine, "mynet"), **{key: value}))
    before = sorted(mine.rglob("*"))
    with pytest.raises(ProtocolMix, match=rf"mynet has {key} {value!r}.*published:nuaa have"):
        with_shipped(mine)
    with pytest.raises(ProtocolMix, match=f"mynet has {key}"):
        import_shipped("nuaa", mine.parent)
    assert sorted(mine.rglob("*")) == before


def test_a_rule_that_the_shipped_rows_lack_is_refused(tmp_path):
    code, _, error = call("table", "VI", "--with-published", "--rule", "tuned", "--out", tmp_path)
    assert code == 2
    assert "published:nuaa: aagd was counted under own, half, oracle, not under 'tuned'" in error


def test_what_is_not_shipped_is_named(tmp_path):
    code, _, error = call("table", "VI", "--with-published", "--dataset", "synthetic",
                          "--out", tmp_path)  # fmt: skip
    assert code == 2
    assert "'synthetic'; known: nuaa, nust" in error
    code, _, error = call("import", "published:nua", "--out", tmp_path)
    assert code == 2
    assert "did you mean nuaa" in error
    code, _, error = call("import", "published:nuaa", "--dataset", "nuaa", "--out", tmp_path)
    assert code == 2
    assert "no masks" in error
    assert not list(tmp_path.iterdir())


def test_an_import_leaves_what_is_there(mine):
    shutil.copy(mine / "mynet.csv", mine / "lcm.csv")  # of a run that is at work
    code, text, _ = call("import", "published:nuaa", "--out", mine.parent)
    assert code == 0
    assert "there already, not touched: lcm\n" in text
    assert not (mine / "lcm.json").exists()
    results = Results.load(mine)
    rows = ShippedRows.of("nuaa")
    assert len(results.counts) == len(rows.results.records)  # mine, and all but lcm
    for file in ("ipi.csv", "curves/ipi.csv"):
        assert (mine / file).read_bytes() == rows.members[file]
    assert "° NUAA-SIRST: shipped with" in table_vi([results]).csv()
    code, text, _ = call("import", "published:nuaa", "--out", mine.parent)
    assert code == 0
    assert "new: none" in text


def test_figures_of_counts_work_and_those_of_maps_name_the_command(tmp_path, data_root):
    folder, new, left = import_shipped("nuaa", tmp_path)
    assert left == []
    assert roc(Results.load(folder).only(new[:3])).axes
    code, text, error = call(
        "plot", "gallery", "--dataset", "nuaa", "--out", tmp_path, "--data-root", data_root
    )
    assert "istsbench run --dataset nuaa --methods" in text + error
    assert not list(folder.glob("figures/*"))


def test_a_figure_of_my_rows_alone_says_how_the_shipped_ones_join(mine, data_root):
    record = replace(sound(mine, "mynet"), method="mine.py:f")
    write_record(mine, record)
    words = ("plot", "bars", "--dataset", "nuaa", "--out", mine.parent, "--data-root", data_root)
    code, _, error = call(*words)
    number = len(ShippedRows.of("nuaa").results.records)
    assert code == 0, error
    assert f"the {number} shipped rows join by `istsbench import published:nuaa`" in error
    for other in (replace(record, method="mynet"), replace(record, data_hash="other")):
        write_record(mine, other)
        assert "shipped rows join" not in call(*words)[2]


def test_ship_carries_every_column_and_writes_only_what_changed(tmp_path, monkeypatch):
    out, to = tmp_path / "results", tmp_path / "packed"
    monkeypatch.setattr(shipped, "SHIPPED_SETS", ("nuaa",))
    import_shipped("nuaa", out)
    folder = out / "nuaa"
    assert shipped.rows_to_ship(folder) == {}  # they were imported, not run
    record = sound(folder, "ipi")
    text = pd.read_csv(folder / "ipi.csv").assign(another=7).to_csv(index=False).encode()
    (folder / "ipi.csv").write_bytes(text)
    digest = shipped.hashlib.sha256(text).hexdigest()
    write_record(folder, replace(record, imported=None, csv=digest))
    (written,) = ship(out, to)
    rows = ShippedRows.of("nuaa", to)
    assert [*rows.results.counts] == ["ipi"]
    assert (rows.results.counts["ipi"]["another"] == 7).all()
    assert ship(out, to) == []
    (folder / "ipi.json").write_text(
        json.dumps({**json.loads((folder / "ipi.json").read_text()), "seal": None})
    )
    with pytest.raises(ValueError, match="damaged"):
        ship(out, to)
    written.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(PackError, match="damaged"):
        ShippedRows.of("nuaa", to)


def test_a_bundle_says_how_its_figures_come_to_show_the_shipped_rows(mine, tmp_path):
    done = call("bundle", "--with-published", "--out", mine.parent, "--to", tmp_path / "paper")
    assert done[0] == 0
    assert f"before that: istsbench import published:nuaa --out '{mine.parent}'" in done[2]
