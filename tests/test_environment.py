import json
import os

import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.runs import environment as env


@pytest.fixture
def root(tmp_path, toy_folder):
    """A data root in which nudt is sound, irstd1k is damaged, and nothing else is."""
    (tmp_path / "nudt").symlink_to(toy_folder)
    (tmp_path / "irstd1k").mkdir()
    return tmp_path


def test_the_state_of_a_data_set(root):
    assert env.state("nudt", root) == f"13 images (test 6, train 3, val 4), {root / 'nudt'}"
    assert env.state("nuaa", root) == "not here"
    assert env.state("irstd1k", root).startswith("damaged: ")
    assert env.state("synthetic", root).endswith("embedded")


def test_env_prints_what_a_result_depends_on(root):
    done = CliRunner().invoke(app, ["env", "--data-root", str(root)])
    assert done.exit_code == 0
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.output.splitlines()}
    assert lines["OMP_NUM_THREADS"] == os.environ["OMP_NUM_THREADS"]
    assert lines["root"] == str(root)
    assert lines["nuaa"] == "not here"
    assert {"istsbench", "commit", "cpu", "cores", "gpu", "python", "numpy"} <= set(lines)


def test_env_as_json_for_programs(root):
    done = CliRunner().invoke(app, ["env", "--json", "--data-root", str(root)])
    found = json.loads(done.output)
    assert list(found) == ["package", "hardware", "threads", "versions", "data"]
    assert found["data"]["root"] == [str(root)]
    assert any("openblas" in key or "mkl" in key for key in found["threads"])
    assert all(isinstance(found["threads"][key], int) for key in ("OpenCV", "torch"))
