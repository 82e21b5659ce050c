"""What numba compiles is kept in the user's cache folder, never beside the modules."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import istsbench

ROOT = Path(istsbench.__file__).parents[1]
PACKAGES = "istsbench", "baselines", "pixelgame"
RUN = "-m", "istsbench", "run", "--methods", "tophat,dpir", "--dataset", "synthetic", "--limit", "1"


@pytest.fixture
def copy(tmp_path):
    """A copy of the packages, with an empty home and working folder beside it."""
    for name in PACKAGES:
        copytree(ROOT / name, tmp_path / "site" / name, ignore=ignore_patterns("__pycache__"))
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    return tmp_path


def run(copy, *arguments, **variables):
    unset = "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"
    environment = {
        **{key: value for key, value in os.environ.items() if key not in unset},
        "HOME": str(copy / "home"),
        "PYTHONPATH": str(copy / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLCONFIGDIR": str(copy / "home"),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy / "work", env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def kept(folder):
    """The functions whose machine code is below a folder."""
    return {path.name.split("-")[0] for path in folder.rglob("*.nbi")}


def test_a_run_writes_nothing_beside_the_modules(copy):
    before = files(copy / "site")
    run(copy, *RUN)
    assert files(copy / "site") == before
    assert kept(copy / "home") == {"dpir.grow"}
    assert kept(copy / "work") == set() and (copy / "work" / "results").is_dir()


GROW = """
import os, numba, numpy, istsbench
import baselines.spatial.dpir as dpir
assert istsbench.__file__.startswith(os.environ["PYTHONPATH"]), istsbench.__file__
print(dpir.grow(numpy.arange(12.0).reshape(3, 4), 0, 3).tolist())
print(repr(numba.config.CACHE_DIR), sum(dpir.grow.dispatcher.stats.cache_hits.values()))
"""


@pytest.mark.parametrize("chosen", ["absolute", "relative"])
def test_the_folder_that_the_user_chose_is_used(copy, chosen):
    folder = str(copy / "mine") if chosen == "absolute" else "mine"
    for hits in (0, 1):
        said = run(copy, "-c", GROW, NUMBA_CACHE_DIR=folder)
        assert said == f"[0, 5, 10]\n{folder!r} {hits}\n"
    assert kept(copy / ("mine" if chosen == "absolute" else "work/mine")) == {"dpir.grow"}
    assert kept(copy / "home") == kept(copy / "site") == set()


@pytest.mark.parametrize("variable", ["HOME", "NUMBA_CACHE_DIR"])
def test_a_folder_that_cannot_be_written_costs_the_cache_alone(copy, variable):
    (copy / "file").write_text("no folder")
    nowhere = str(copy / "file" / "below")
    before = files(copy)
    said = run(copy, "-c", GROW, **{variable: nowhere})
    unchanged = nowhere if variable == "NUMBA_CACHE_DIR" else ""  # for functions of others
    assert said == f"[0, 5, 10]\n{unchanged!r} 0\n"
    assert files(copy) == before


def test_the_home_of_nobody_makes_no_folder_called_tilde(copy):
    before = files(copy)
    run(copy, "-c", GROW, HOME="~")
    assert files(copy) == before


def test_nothing_of_ours_is_compiled_by_numba_itself():
    """Its own `njit` and the like would write beside the module; its types write nothing."""
    compilers = {"jit", "njit", "vectorize", "guvectorize", "cfunc"}
    found = set()
    for path in (path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")}
            if isinstance(node, ast.Import) and "numba" in names:
                found.add(path.relative_to(ROOT).as_posix())
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numba"):
                if names & compilers:
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == {"istsbench/compiled.py"}
