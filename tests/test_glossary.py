import re
from dataclasses import replace
from pathlib import Path

import pytest
from test_latex import made
from typer.testing import CliRunner

import istsbench
from istsbench.cli import app
from istsbench.errors import PackError, ProtocolMix, UnknownName
from istsbench.matching import MATCHES
from istsbench.metrics import REDUCTIONS
from istsbench.results.protocol import SIZES
from istsbench.results.shipped import ShippedRows
from istsbench.runs.record import Trained
from istsbench.runs.targets import TARGET_COLUMNS
from istsbench.tables.glossary import POINTER, explained, glossary_entries, glossary_page
from istsbench.tables.markup import LEGEND
from istsbench.tables.scores import SCORES
from istsbench.tables.table_vi import table_vi
from istsbench.threshold import RULES

DOCS = Path(istsbench.__file__).parents[1] / "docs"
PLAIN = {
    *"""a about again all among an and another are as at background be below beside best between
    brackets by comparable correction count counted data deep did distance distinguishable
    division earlier epochs false file for from full glossary has have here how in is
    istsbench it its least machine maps mean more most no not number numbers nust of
    official on one or other our ours out over pairs pixels rank reachable regions row
    rows run same scale scores second set shown signed sirst source stored suppression
    table target test tests that the their them then there they third this those timed to
    trained type version was were where which while with words""".split()
}
"""Everyday words of footers; any other is to be explained in the glossary."""


def call(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not installed")
def test_the_page_is_what_the_command_prints():
    code, text, _ = call("glossary")
    assert code == 0
    assert (DOCS / "glossary.md").read_text() == text, "run `istsbench glossary > docs/glossary.md`"


def test_every_choice_of_a_protocol_and_every_head_is_explained():
    heads = [re.sub(r"^1 - | of %| 1e-6| \(.*", "", score.head) for score in SCORES.values()]
    for word in (*RULES, *REDUCTIONS, *MATCHES, *SIZES, *heads, *"†‡°≈±"):
        assert explained(word).text


def test_every_column_and_rule_of_apply_is_explained():
    for word in (*TARGET_COLUMNS, "boxes", "overlay", "MeanStd", "PeakRatio", "Fixed"):
        assert explained(word).text
    assert "istsbench glossary targets.csv" in " ".join(call("apply", "--help")[1].split())


def test_no_word_has_two_entries():
    names = [name.casefold() for entry in glossary_entries() for name in entry.words]
    assert len(names) > 60 and len(set(names)) == len(names)
    assert glossary_page().count("- **") == len(glossary_entries())


def footers():
    """Footers of many kinds of table, without the names in them."""
    results = made()
    trained = Trained(method="m", label="m", seed=0, plan="p", dataset="nust", split="train",
                      epochs=3)  # fmt: skip
    records = {spec: replace(one, depth="full") for spec, one in results.records.items()}
    records["mpcm"] = replace(records["mpcm"], trained=trained, busy=0.1)
    records["tophat"] = replace(records["tophat"], imported=ShippedRows.of("nuaa").origin)
    rich = replace(results, records=records)
    bare = {spec: rows.assign(tp=0, fn=0) for spec, rows in results.counts.items()}
    for kept in (rich, replace(results, counts=bare), made("nust")):
        for rule in ("own", "half"):
            for reduction in REDUCTIONS:
                for match in MATCHES[:3]:
                    yield table_vi([kept], rule, reduction, match=match)
    yield table_vi([rich], intervals=True)


def test_the_words_of_footers_are_plain_or_explained():
    known = {word for entry in glossary_entries() for name in entry.words
             for word in re.findall(r"[a-z]+", name.lower())}  # fmt: skip
    strange: set[str] = set()
    for table in footers():
        names = " ".join([*table.frame["label"], *table.titles.values()])
        for line in (*table.foot(), LEGEND, POINTER):
            for word in re.findall(r"(?<!\w)[^\W\d_]{2,}(?!\w)", line):
                if word not in names and word.lower() not in known | PLAIN:
                    strange.add(word.lower())
    assert sorted(strange) == []


def test_a_word_is_found_as_it_is_written_and_a_slip_is_helped():
    assert explained("Means  over images") is explained("image")
    assert explained("f1").words == ("F1",)
    code, text, _ = call("glossary", "POOLED")
    assert (code, text[:8]) == (0, "pooled: ")
    assert "**" not in "".join(entry.text for entry in glossary_entries())
    with pytest.raises(UnknownName, match="did you mean reduction"):
        explained("redction")
    code, _, error = call("glossary", "pooling")
    assert code == 2 and "or pooled" in error


def test_tables_and_messages_point_to_it(tmp_path):
    table = table_vi([made()])
    assert POINTER in table.markdown() and POINTER in table.plain() and POINTER in table.html()
    assert POINTER not in table.latex()
    for error in (ProtocolMix, PackError):
        assert explained(error.word).text
    (tmp_path / "no.zip").write_bytes(b"no pack")
    code, _, error = call("import", str(tmp_path / "no.zip"), "--out", str(tmp_path))
    assert code == 1 and "istsbench glossary pack" in error
