"""The pages for developers say what the code is."""

import ast
import re
from pathlib import Path

import pytest

import istsbench
from istsbench.plugins.methodpage import page
from istsbench.registry import cards

PACKAGE = Path(istsbench.__file__).parent
DOCS = PACKAGE.parent / "docs"
SETUP = (PACKAGE.parent / "setup.cfg").read_text() if DOCS.is_dir() else ""
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not installed")


@pytest.fixture(scope="module")
def layers():
    """The modules of each layer, from the bottom up, as the page states them."""
    text = (DOCS / "architecture.md").read_text().split("| layer | modules |")[1]
    rows = text.split("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`([\w.]+)`", row) for row in rows]


def test_the_page_of_methods_is_what_the_command_makes():
    assert (DOCS / "methods.md").read_text() == page(), (
        "run `python -m istsbench.plugins.methodpage > docs/methods.md`"
    )


def test_the_page_of_methods_has_a_section_for_each():
    text, known = page(), cards()
    names = re.findall(r"^    ([\w-]+) = (?:baselines|pixelgame)\.", SETUP, re.MULTILINE)
    assert len(names) > 30
    for name in names:
        card = known[name]
        assert f'<a id="{name}"></a>\n### `{name}`\n\n- {card.label}, ' in text
        assert f"]({'' if card.doi.startswith('http') else 'https://doi.org/'}{card.doi})" in text


def test_every_module_has_a_place_and_every_place_a_module(layers):
    named = [name for layer in layers for name in layer]
    assert sorted(named) == sorted(modules())


def modules():
    """Every module by its name below the package, as in `runs.maps`."""
    paths = {path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("[!_]*.py")}
    return {".".join(path.parts): PACKAGE / path.with_suffix(".py") for path in paths}


def imported_at_start(path):
    """The modules of the package that a module imports when it is loaded."""
    for node in ast.parse(path.read_text()).body:
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").partition(".")[0] == "istsbench"
        ):
            source = node.module.partition(".")[2]
            inside = [f"{source}.{alias.name}".lstrip(".") for alias in node.names]
            yield from (name for name in (source, *inside) if name in modules())


def test_imports_point_down(layers):
    height = {name: number for number, layer in enumerate(layers) for name in layer}
    wrong = [
        f"{name} imports {lower}"
        for name, path in modules().items()
        for lower in imported_at_start(path)
        if height[lower] > height[name]
    ]
    assert wrong == []
    assert sum(len(list(imported_at_start(path))) for path in modules().values()) > 100
