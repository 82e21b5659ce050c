"""One way to name a data set, whatever command is given it."""

import shlex
import shutil

import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.names import one_name, quoted, split_names
from istsbench.errors import WrongUse


@pytest.mark.parametrize(
    "text, names",
    [
        ("nuaa", ["nuaa"]),
        (" nuaa , nust ", ["nuaa", "nust"]),
        ('nuaa,"folder:/a, b"', ["nuaa", "folder:/a, b"]),
        ('folder:"/a, b",nust', ["folder:/a, b", "nust"]),
        ("nuaa,", ["nuaa"]),
        ("folder:/with space/x", ["folder:/with space/x"]),
        ('"folder:/a,,b"', ["folder:/a,,b"]),
    ],
)
def test_lists_of_names(text, names):
    assert split_names(text) == names
    assert split_names(",".join(map(quoted, names))) == names


@pytest.mark.parametrize("text", ["", ",", " , ", '""', 'nuaa,"folder:/a'])
def test_what_is_no_list_of_names_is_refused(text):
    with pytest.raises(WrongUse, match="names nothing|without its partner"):
        split_names(text)


def test_one_name_is_not_several():
    assert one_name('"folder:/a,b"') == "folder:/a,b"
    with pytest.raises(WrongUse, match="names 2 data sets, this command takes one"):
        one_name("folder:/a,b")


def call(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def ran(tmp_path_factory, toy_folder):
    """Results of two cheap methods on a folder whose name holds a comma and a space."""
    root = tmp_path_factory.mktemp("names") / "toys, of mine"
    shutil.copytree(toy_folder, root)
    out = root.parent / "out"
    name = quoted(f"folder:{root}")
    code, text = call("run", "--dataset", name, "--methods", "tophat,maxmean", "--out", out)
    assert code == 0, text
    return root, out, name


@pytest.mark.parametrize(
    "words",
    [
        ["table", "VI"],
        ["plot", "bars"],
        ["sensitivity", "--sizes", "native"],
        ["report"],
        ["bundle", "--to", "{out}/paper"],
        ["export", "{out}/pack.zip"],
        ["score", "--pred", "{root}/masks"],
        ["plan", "--methods", "tophat"],
        ["data", "verify", "{name}"],
        ["data", "stats", "{name}", "--out", "{out}/statistics"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_takes_what_run_takes(ran, words):
    root, out, name = ran
    words = [word.format(out=out, root=root, name=name) for word in words]
    if words[0] != "data":
        words += ["--dataset", name, "--out", out]
    code, text = call(*words)
    assert code == 0, text


@pytest.mark.parametrize("command", ["table VI", "report", "export p.zip", "bundle --to p"])
def test_the_folder_of_results_is_a_name_too(ran, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    root, out, _ = ran
    code, text = call(*command.split(), "--out", out, "--dataset", '"folder-toys, of mine"')
    assert code == 0, text


@pytest.mark.parametrize("name", ["NAUA", "NUAA", "nuua"])
@pytest.mark.parametrize(
    "command",
    [
        "run --methods tophat", "table VI", "plot bars", "report", "bundle --to p",
        "sensitivity", "score --pred p", "export p.zip", "train acm --out p", "plan",
        "data verify", "data stats", "data fetch",
    ],
)  # fmt: skip
def test_a_name_that_is_nearly_right_is_answered_by_every_command(command, name, tmp_path):
    words = command.split()
    words += [name] if words[0] == "data" else ["--dataset", name]
    code, text = call(*words, *(["--out", tmp_path] if words[0] not in ("data", "train") else []))
    assert code == 2 and "did you mean nuaa" in text, text


def test_results_of_another_folder_that_is_called_alike_are_not_shown(ran, tmp_path):
    root, out, _ = ran
    other = shutil.copytree(root, tmp_path / root.name)
    name = quoted(f"folder:{other}")
    for words in (["table", "VI"], ["plot", "bars"], ["report"], ["bundle", "--to", tmp_path]):
        code, text = call(*words, "--dataset", name, "--out", out)
        assert code == 1 and "results of another folder called toys, of mine" in text, text


@pytest.mark.parametrize("name", ["folder:", "folder:  "])
def test_a_folder_without_a_path_is_not_the_working_folder(name):
    code, text = call("data", "verify", name)
    assert code == 2 and "names no folder; expected folder:PATH" in text


def test_results_of_some_images_are_found_by_their_folder(toys, toy_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    call = lambda *words: CliRunner().invoke(app, [*map(str, words)])  # noqa: E731
    assert call("run", "--methods", "toy", "--dataset", "synthetic", "--limit", 3).exit_code == 0
    done = call("table", "VI", "--dataset", "synthetic")
    assert done.exit_code == 1 and "there are some in synthetic-first3" in done.output
    assert call("plot", "bars", "--dataset", "synthetic-first3").exit_code == 0
    assert (tmp_path / "results/synthetic-first3/figures/bars-own-image.png").is_file()
    assert call("plot", "bars", "--dataset", "synthetic-first4").exit_code == 2
    data = f"folder:{toy_folder}"
    assert call("run", "--methods", "toy", "--dataset", data, "--limit", 3).exit_code == 0
    done = call("plot", "bars", "--dataset", "folder-toyset-first3")
    assert done.exit_code == 1 and "--dataset folder:PATH --tag folder-toyset-first3" in done.output


def test_a_depth_that_changes_nothing_is_said(toy_folder, tmp_path):
    words = ["--dataset", f"folder:{toy_folder}", "--methods", "tophat", "--out", tmp_path]
    code, text = call("run", *words, "--depth", "full")
    assert code == 0 and "is deeper than 8 bit: --depth changes nothing" in text
    assert [path.name for path in tmp_path.iterdir() if path.name != "maps"] == ["folder-toyset"]


def test_hints_name_a_folder_as_run_takes_it(toys, tmp_path, toy_folder):
    root = shutil.copytree(toy_folder, tmp_path / "a, b")
    code, text = call(
        "run", "--dataset", f'"folder:{root}"', "--methods", "learner", "--out", tmp_path / "out"
    )
    assert code == 1
    hint = next(part for part in text.split("`") if part.startswith("istsbench train"))
    name = shlex.split(hint)[shlex.split(hint).index("--dataset") + 1]
    assert open_dataset(one_name(name)).names() == open_dataset(f"folder:{root}").names()
