"""The examples of the documentation: in docstrings, on pages, and the notebook.

What the pages below docs/api document is what is public; each of it has an example.
"""

import doctest
import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

import istsbench

DOCS = Path(istsbench.__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not installed")
DIRECTIVE = re.compile(r"^\.\. automodule:: (\S+)\n((?:   :.*\n)*)", re.MULTILINE)


def listed(options: str, option: str) -> list[str]:
    found = re.search(rf":{option}: (.*)", options)
    return found[1].split(", ") if found else []


def documented() -> dict[str, tuple[object, str]]:
    """What the pages of the reference show, by its name there, and the text of its page."""
    found = {}
    for page in sorted(DOCS.glob("api/*.md")):
        text = page.read_text()
        for name, options in DIRECTIVE.findall(text):
            module = importlib.import_module(name)
            hidden = listed(options, "exclude-members")
            for member in listed(options, "members") or public(module):
                if member not in hidden:
                    found[f"{name}.{member}"] = getattr(module, member), text
    return found


def public(module: ModuleType) -> list[str]:
    """The functions and classes that a module names in `__all__`, or else defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isfunction(value) or inspect.isclass(value))
    ]


DOCUMENTED = documented() if DOCS.is_dir() else {}


def run(name: str, text: str, names: dict[str, object]) -> list[str]:
    """Run the examples of a text; what went wrong."""
    test = doctest.DocTestParser().get_doctest(text, dict(names), name, None, 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    return said


def test_the_package_is_documented_whole():
    assert {f"istsbench.{name}" for name in istsbench.__all__} <= set(DOCUMENTED)
    assert len(DOCUMENTED) > 50


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_public_has_an_example_that_holds(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value, page = DOCUMENTED[name]
    text = inspect.getdoc(value) or ""
    on_page = re.search(rf"^>>> .*\b{name.rpartition('.')[2]}\b", page, re.MULTILINE)
    assert ">>> " in text or on_page, "expected an example in the docstring or on the page"
    module = importlib.import_module(value.__module__)
    names = {**vars(module), "np": np, "pd": pd, "istsbench": istsbench}
    assert run(name, text, names) == []


@pytest.mark.parametrize(
    "page", [page for page in sorted(DOCS.rglob("*.md")) if ">>> " in page.read_text()], ids=str
)
def test_examples_on_pages_hold(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(page.name, page.read_text(), {}) == []


NOTEBOOK = DOCS.parent / "examples" / "quickstart.ipynb"


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    pyplot.close("all")
    stored = [
        line for cell in cells for out in cell.get("outputs", ()) for line in out.get("text", ())
    ]
    table = [line for line in stored if line.startswith("| ")]
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    first = [line.split("|")[1] for line in table]
    assert len(first) == 5 and [line.split("|")[1] for line in shown] == first
