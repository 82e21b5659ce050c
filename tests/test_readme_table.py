import re
import sys
from pathlib import Path

import pytest

import istsbench

ROOT = Path(istsbench.__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ is not installed"
)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import readme_table

    yield readme_table
    del sys.modules["readme_table"]


def cells(lines):
    """The cells of a table in Markdown, without the marks of the best."""
    plain = re.sub(r"\*|</?u>", "", lines)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in plain.splitlines()]


def test_the_table_of_the_readme_is_of_the_results(script):
    lines = script.table_lines(ROOT / "results" / "nuaa")
    page = (ROOT / "README.md").read_text()
    shown = script._PLACE.search(page)[2]
    assert cells(shown) == cells(lines), "run `python benchmarks/readme_table.py`"


def test_only_the_table_between_the_marks_changes(script):
    page = "| a |\n<!-- table: begin -->\nwords\n| b |\n|---|\n| c |\n\nmore\n| d |\n"
    assert script.refreshed(page, "| new |\n") == page.replace("| b |\n|---|\n| c |\n", "| new |\n")
    with pytest.raises(ValueError, match="no table"):
        script.refreshed("| a |\n", "| new |\n")
