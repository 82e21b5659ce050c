"""`istsbench new`: the package that it writes is installed, checked, tested and run."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from toys import install
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import WrongUse
from istsbench.plugins.scaffold import write_package

COMMAND = Path(sys.executable).with_name("istsbench")
FILES = {"README.md", "pyproject.toml", "edge_finder.py", "test_edge_finder.py"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of a new package, and the environment of a machine that has it installed."""
    out = tmp_path_factory.mktemp("new")
    done = CliRunner().invoke(app, ["new", "edge_finder", "--out", str(out)])
    assert done.exit_code == 0, done.output
    folder, site = out / "edge_finder", out / "site"
    assert f"next: pip install -e {folder} && istsbench check edge_finder" in done.output
    if find_spec("setuptools"):
        flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        source = shutil.copytree(folder, out / "source")  # building leaves files there
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *flags, "--target", site, source], check=True
        )
    else:
        install(site, {"edge_finder": "edge_finder:EdgeFinder"})
        shutil.copy(folder / "edge_finder.py", site)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return folder, {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "COLUMNS": "200"}


def call(*words, **options):
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, **options
    )


def test_it_passes_every_check_at_once(installed, tmp_path):
    _, environment = installed
    done = call(COMMAND, "check", "edge_finder", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    title, count = done.stdout.splitlines()
    assert title == "edge_finder"
    run, passed, excused = count.split(", ")
    assert passed == f"{run.split()[0]} passed" and excused == "0 excused"


def test_its_own_tests_pass(installed):
    folder, environment = installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = call(*command, cwd=folder, env={**environment, "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout and "skipped" not in done.stdout


def test_it_is_listed_and_appears_in_a_run(installed, tmp_path):
    _, environment = installed
    options = {"cwd": tmp_path, "env": environment}
    listed = call(COMMAND, "list", "groups", **options)
    assert "edge_finder" in listed.stdout and "ours" in listed.stdout
    words = ("--methods", "edge_finder", "--dataset", "synthetic", "--limit", 2)
    done = call(COMMAND, "run", *words, **options)
    assert done.returncode == 0, done.stderr
    assert "EdgeFinder" in done.stdout
    [table] = (tmp_path / "results").glob("*/table_vi.csv")
    row = pd.read_csv(table, comment="#").set_index("method").loc["edge_finder"]
    assert row.filter(like="f1_").iloc[0] > 0


def test_what_is_written_is_in_the_house_style(installed):
    folder, _ = installed
    assert {path.name for path in folder.iterdir() if path.is_file()} == FILES
    if shutil.which("ruff") is None:
        pytest.skip("needs ruff")
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        config = Path(__file__).resolve().parents[1] / "pyproject.toml"
        done = call("ruff", *words, "--config", config, ".", cwd=folder)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name, message",
    [
        ("", "cannot be the name of a method"),
        ("My-Method", "'My-Method' cannot be the name"),
        ("3d", "a letter first"),
        ("../up", "cannot be the name"),
        ("a__b", "single underscores"),
        ("lambda", "cannot be the name"),
        ("tophat", "'tophat' is a method or a group already"),
        ("hvs", "is a method or a group already"),
        ("numpy", "'numpy' is a module already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path, name, message):
    with pytest.raises(WrongUse, match=message):
        write_package(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_as_it_is(tmp_path):
    (tmp_path / "newpack").mkdir()
    done = CliRunner().invoke(app, ["new", "newpack", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "newpack exists; expected a new folder" in done.output
    assert list(tmp_path.rglob("*")) == [tmp_path / "newpack"]


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    real = Path.write_text

    def full(path, text, **options):
        if path.suffix == ".toml":
            raise OSError(28, "No space left on device")
        return real(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    done = CliRunner().invoke(app, ["new", "newpack", "--out", str(tmp_path)])
    assert done.exit_code == 1 and "No space left" in done.output
    assert list(tmp_path.iterdir()) == []
