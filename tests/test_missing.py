"""Counts without maps: what is missing is named with the command that makes just that."""

import re
import shlex
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.registry import choose
from istsbench.results.missing import can_be_made, how_to_make
from istsbench.results.results import Results
from istsbench.runs.run import run

METHODS = "tophat,maxmean(length=7)"


@pytest.fixture(scope="module")
def counted(tmp_path_factory, toy_folder):
    """Results as a repository keeps them: all but the maps."""
    out = tmp_path_factory.mktemp("counted")
    rules = ("own", "half", "tuned")
    data = open_dataset(f"folder:{toy_folder}")
    folder = run(choose(METHODS), data, out, wanted=rules, show=False).folder
    shutil.rmtree(out / "maps")
    return folder


@pytest.fixture
def fresh(counted, tmp_path):
    shutil.copytree(counted, tmp_path / counted.name)
    return tmp_path


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def maps(out):
    return {path.stem for path in out.glob("maps/*/*/*.npy")}


def command_in(text):
    (command,) = re.findall(r"`istsbench (run [^`]*--maps[^`]*)`", text)
    return shlex.split(command)


@pytest.mark.parametrize("words", [
    ["plot", "gallery"], ["plot", "grid"], ["plot", "surfaces"], ["sensitivity"],
    ["export", "PACK"],
])  # fmt: skip
def test_the_message_names_a_command_that_helps(fresh, toy_folder, words):
    name = "folder-toyset" if words[0] == "export" else f"folder:{toy_folder}"
    words = [str(fresh / "x.zip") if word == "PACK" else word for word in words]
    words = [*words, "--dataset", name, "--out", fresh]
    before = {path: path.read_bytes() for path in fresh.glob("folder-toyset/*.*")}
    refused = call(*words)
    assert refused.exit_code == 1
    command = [word.replace("folder:PATH", f"folder:{toy_folder}")
               for word in command_in(refused.stderr)]  # fmt: skip
    assert maps(fresh) == set()
    done = call(*command)
    assert done.exit_code == 0, done.output
    assert call(*words).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before  # nothing is counted again


def test_just_the_missing_maps_are_made(fresh, toy_folder):
    words = ["plot", "surfaces", "--dataset", f"folder:{toy_folder}", "--out", fresh]
    command = command_in(call(*words).stderr)
    call(*command)
    assert len(maps(fresh)) == 1 and "2 missing maps tried" not in call(*command).stdout
    assert len(list(fresh.glob("maps/*/*"))) == 2  # both methods


def test_counts_of_other_code_are_made_again(fresh, toy_folder):
    results = Results.load(fresh / "folder-toyset")
    results.records["tophat"] = replace(results.records["tophat"], method_hash="older")
    text = how_to_make(results, {"tophat": ("test_1",)}, open_dataset(f"folder:{toy_folder}"))
    assert "--maps" not in text and "counts of 1 are by other code" in text
    assert f"`istsbench run --dataset folder:{toy_folder} --methods tophat" in text


def test_what_cannot_be_made_here_is_said(fresh):
    results = Results.load(fresh / "folder-toyset")
    results.records["stranger"] = replace(results.records["tophat"], label="Their net")
    assert not can_be_made(results, "stranger")
    text = how_to_make(results, {"stranger": ("test_1",)})
    assert text == "not installed here, or rows of others: Their net"


def test_maps_of_unknown_images_are_refused(fresh, toy_folder):
    words = ["run", "--dataset", f"folder:{toy_folder}", "--methods", "tophat", "--out", fresh]
    done = call(*words, "--maps", "test_99")
    assert done.exit_code == 2 and "unknown image 'test_99'" in done.stderr
    assert call(*words, "--maps", ",").exit_code == 2
    both = call(*words, "--maps", "all", "--shard", "1/2")
    assert both.exit_code == 2 and "expected one of them" in both.stderr
