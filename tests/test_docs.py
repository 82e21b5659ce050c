"""The pages for developers say what the code is."""

import ast
import re
from pathlib import Path

import pytest

import istsbench
from istsbench.plugins.methodpage import page
from istsbench.registry import cards
from istsbench.testing import CHECKS

PACKAGE = Path(istsbench.__file__).parent
DOCS = PACKAGE.parent / "docs"
SETUP = (PACKAGE.parent / "setup.cfg").read_text() if DOCS.is_dir() else ""
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not installed")


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


def test_every_page_is_in_the_index():
    named = re.findall(r"^[\w/]+$", (DOCS / "index.md").read_text(), re.MULTILINE)
    pages = [str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")]
    built = [name for name in pages if name.startswith("_build/")]
    assert sorted(named) == sorted({*pages} - {"index", *built})


def test_links_of_readme_and_pages_lead_to_files():
    for path in (DOCS.parent / "README.md", *DOCS.glob("*.md"), *DOCS.glob("api/*.md")):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_page_of_plugins_counts_the_checks():
    text = (DOCS / "plugins.md").read_text()
    assert f"# {len(CHECKS)} run, {len(CHECKS)} passed, 0 excused" in text


# From the ground up; what stands on a floor imports from lower ones and its own folder.
FLOORS = (
    {"arrays", "compiled", "errors", "files", "progress", "side_effects"},
    {"matching", "threshold"},
    {"curves", "suppression"},
    {"metrics", "segmenter"},
    {"provenance", "data"},
    {"unregistered"},
    {"registry"},
    {"runs"},
    {"results"},
    {"tables"},
    {"networks"},
    {"figures", "testing"},
    {"plugins"},
    {"report"},
    {"commands"},
    {"cli"},
)


def imports(path):
    """What a module imports of the package, anywhere in it, other than for types alone."""
    waiting = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("istsbench"):
            inside = node.module.partition(".")[2]
            yield from [inside] if inside else [alias.name for alias in node.names]
        waiting += ast.iter_child_nodes(node)


def folder(module):
    return module.partition(".")[0]


def test_imports_point_down():
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in PACKAGE.rglob("[!_]*.py")
    }
    assert {folder(name) for name in modules} == set(height)
    wrong = [
        f"{name} imports {other}"
        for name, path in modules.items()
        for other in imports(path)
        if folder(other) in height
        and folder(other) != folder(name)
        and height[folder(other)] >= height[folder(name)]
    ]
    assert wrong == []


def test_the_picture_shows_the_floors():
    text = (DOCS / "architecture.md").read_text()
    drawn = [
        set(re.split(r" {3,}", line)[0].split())
        for line in text.split("## The floors")[1].split("```")[1].strip().splitlines()
    ]
    assert drawn == list(reversed(FLOORS))


def test_every_module_and_name_in_the_page_is_there():
    text = (DOCS / "architecture.md").read_text()
    named = [name.split(".") for name in re.findall(r"`((?:\w+\.)+\w+)`", text)]
    named = [parts for parts in named if {parts[0]} & set.union(*FLOORS)]
    assert len(named) > 20
    for first, second, *more in named:
        inside = (PACKAGE / first).is_dir()
        module = PACKAGE / first / f"{second}.py" if inside else PACKAGE / f"{first}.py"
        names = more if inside else [second]
        assert module.is_file() and set(names) <= set(defined(module)), (first, second, more)


def test_the_docstring_of_a_folder_has_a_line_for_each_module():
    for folder in (path.parent for path in PACKAGE.glob("*/__init__.py")):
        lines = (folder / "__init__.py").read_text().splitlines()[2:]
        said = [line.split()[0] for line in lines if line[:1].isalpha()]
        assert said == sorted(path.stem for path in folder.glob("[!_]*.py")), folder


def defined(path):
    """The public names that a module defines: classes, functions, constants."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            inside = [name for target in targets for name in ast.walk(target)]
            yield from (name.id for name in inside if isinstance(name, ast.Name))


def test_one_name_is_one_thing():
    """A command has the name of what it calls, and a module that is a program a `main`."""
    modules = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "commands" and path.name not in ("cli.py", "__init__.py")
    ]
    names = [
        name
        for path in modules
        for name in sorted(set(defined(path)))
        if not name.startswith("_") and name != "main"
    ]
    assert {name for name in names if names.count(name) > 1} == set()


def test_nothing_but_the_registry_loads_a_method():
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) (baselines|pixelgame)", path.read_text(), re.M), (
            path
        )


def test_readme_fits_three_screens():
    assert len((DOCS.parent / "README.md").read_text().splitlines()) <= 130
