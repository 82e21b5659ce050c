import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from toys import MARKED, install, scored
from typer.testing import CliRunner

from istsbench import __version__
from istsbench.cli import app
from istsbench.results.results import Results

PLUGIN = Path(__file__).parent / "plugin"
COMMAND = Path(sys.executable).with_name("istsbench")


@pytest.fixture
def cli(toys, tmp_path, monkeypatch):
    """Call the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    monkeypatch.delenv("ISTSBENCH_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(word) for word in arguments])


def command(*arguments, **options):
    """Call the installed command in a process of its own."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )


# ---- help and start


def commands():
    """Every command as the words that call it."""
    found = []
    for name, one in typer.main.get_command(app).commands.items():
        below = getattr(one, "commands", None)
        found += [[name]] if below is None else [[name, sub] for sub in below]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_of_every_command_has_an_example(cli, words):
    done = cli(*words, "--help")
    assert done.exit_code == 0
    assert f"istsbench {' '.join(words)}" in done.output.split("Example")[1]


def test_without_a_command_it_shows_what_there_is(cli):
    for arguments in ([], ["--help"]):
        done = cli(*arguments)
        assert done.exit_code in (0, 2)
        for name in ("run", "list", "info", "data", "table", "score"):
            assert name in done.output


def test_version(cli):
    done = cli("--version")
    assert (done.exit_code, done.output) == (0, f"istsbench {__version__}\n")


@pytest.mark.parametrize(
    "words, offered",
    [
        (["inf"], ["info"]),
        (["info", "pixelgame-s"], ["pixelgame-slim"]),
        (["run", "--methods", "tophat,mp"], ["tophat,mpcm"]),
        (["run", "--methods", "low"], ["lowrank"]),
        (["plan", "--dataset", "nua"], ["nuaa"]),
        (["data", "verify", "synthetic,irs"], ["synthetic,irstd1k"]),
        (["data", "verify", "fold"], ["folder:"]),
    ],
    ids=" ".join,
)
def test_a_shell_completes_commands_and_names(words, offered):
    asked = {"COMP_WORDS": " ".join(["istsbench", *words]), "COMP_CWORD": str(len(words))}
    done = command(env={**os.environ, "_ISTSBENCH_COMPLETE": "complete_bash", **asked})
    assert done.stdout.split() == offered, done.stderr


def test_a_publication_as_bibtex(cli):
    done = cli("info", "ipi", "--bibtex")
    assert done.exit_code == 0 and done.output.startswith("@article{gao2013,\n  author = {C. Gao")
    assert "doi = {10.1109/TIP.2013.2281420},\n}\n" in done.output
    toy = cli("info", "toy", "--bibtex")  # of its card alone
    assert toy.output.startswith("@misc{toy2001,\n  title = {{Toy}},")
    wrong = cli("info", "ipx", "--bibtex")
    assert wrong.exit_code == 2 and "did you mean ipi" in wrong.stderr


def test_help_and_list_start_without_heavy_libraries():
    code = (
        "import sys; sys.argv = ['istsbench', *{}]; from istsbench.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "heavy = {} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    )
    methods = {"cv2", "skimage", "baselines.spatial.tophat"}  # what a listing of methods needs
    for words in (["--help"], ["list"], ["list", "rules"], ["run", "--help"]):
        heavy = {"torch", "numba", "pandas", "matplotlib", "joblib"}
        heavy |= methods if words != ["list"] else set()
        done = subprocess.run(
            [sys.executable, "-c", code.format(words, heavy)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_a_refused_command_says_one_line_and_its_traceback_on_demand(cli):
    plain, shown = cli("info", "tophatt"), cli("--traceback", "info", "tophatt")
    assert plain.exit_code == shown.exit_code == 2
    assert plain.stderr.startswith("error: unknown method") and plain.stderr.count("\n") == 1
    assert shown.stderr.endswith(plain.stderr)
    assert "Traceback" in shown.stderr and "registry.py" in shown.stderr


@pytest.mark.parametrize(
    "words",
    [("report", "--dataset", ","), ("table", "VI", "--dataset", " "), ("data", "stats", ",")],
)
def test_a_list_that_names_nothing_is_refused(cli, words):
    done = cli(*words)
    assert done.exit_code == 2 and "names nothing" in done.output


# ---- listings


@pytest.mark.parametrize(
    "what, words",
    [
        ("methods", ["tophat", "Top-Hat", "toy", "Nowhere", "broken: method 'absent'"]),
        ("datasets", ["nuaa", "NUAA-SIRST", "synthetic", "folder:PATH"]),
        ("rules", ["own", "half", "tuned", "oracle"]),
        ("groups", ["all", "spatial", "toys", "table-vi"]),
    ],
)
def test_listings(cli, what, words):
    done = cli("list", what)
    assert done.exit_code == 0
    for word in words:
        assert word in done.output


def test_info_shows_citation_parameters_rule_and_the_papers_row(cli):
    done = cli("info", "tophat")
    assert done.exit_code == 0
    for words in ("Top-Hat", "OE 1996", "10.1117/12.240773", "reference-checked", "MeanStd(k=15)",
                  "Rivest & Fortin", "side of the square, pixels", "nuaa", "0.13"):  # fmt: skip
        assert words in done.output, words
    assert "factor of the map" in cli("info", "toy").output


ODD = """
from istsbench import Card, Segmenter

class Odd(Segmenter):
    card = Card("[bold]x[/bold] [/] :dog:", "[red]", "[b]", 2000, "[i]", "paper")
    def score(self, image): return image
"""


def test_labels_and_reasons_are_printed_as_they_are(cli, tmp_path, on_path):
    (tmp_path / "odd.py").write_text(ODD)
    install(tmp_path / "site", {"odd": "odd:Odd", "a[/i]": "absent:Bad"}, "odd")
    for folder in (tmp_path, tmp_path / "site"):
        on_path(folder)
    done = cli("list")
    assert done.exit_code == 0
    for words in ("[bold]x[/bold] [/] :dog:", "[red]", "[b]", "broken: method 'a[/i]'"):
        assert words in done.output, words


# ---- wrong use: exit code 2, with close matches


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["info", "tophatt"], "unknown method 'tophatt'; did you mean tophat"),
        (["run", "--dataset", "nua"], "unknown data set 'nua'; did you mean nuaa"),
        (["run", "--dataset", "DATA", "--methods", "tophatt"], "did you mean tophat"),
        (["run", "--dataset", "DATA", "--methods", "spatail"], "did you mean spatial"),
        (["run", "--dataset", "DATA", "--methods", "toy(gian=1)"], "did you mean gain?"),
        (["run", "--dataset", "DATA", "--methods", "toy(", "--jobs", "2"], "cannot read 'toy('"),
        (["run", "--dataset", "DATA", "--methods", "toy", "--set", "toy.gian=1"], "mean gain?"),
        (["run", "--dataset", "DATA", "--methods", "toy", "--set", "gain=1"], "METHOD.PARAMETER"),
        (["run", "--dataset", "DATA", "--rules", "orcale"], "did you mean oracle"),
        (["run", "--dataset", "DATA", "--rules", ","], "--rules ',' names nothing"),
        (["run", "--dataset", "DATA", "--methods", "toy", "--split", "tset"], "did you mean test"),
        (["run", "--dataset", "DATA,DATA", "--methods", "toy"], "called alike"),
        (["run", "--dataset", "DATA", "--jobs", "0"], "--jobs"),
        (["run", "--dataset", "DATA", "--limit", "0"], "--limit"),
        (["run", "--dataset", "DATA", "--reduction", "micro"], "'pooled'"),
        (["run"], "--dataset"),
        (["run", "--dataset", "DATA", "--frsh"], "--fresh"),
        (["rnu"], "run"),
        (["list", "method"], "'methods'"),
        (["table", "IX"], "IX"),
        (["table", "VIII", "--intervals"], "--intervals changes nothing in Table VIII"),
        (["table", "IV", "--rule", "half"], "--rule changes nothing in Table IV"),
        (["score", "--pred", "nowhere"], "--dataset"),
    ],
)
def test_wrong_use_says_what_was_expected(cli, toy_folder, tmp_path, arguments, message):
    done = cli(*[word.replace("DATA", f"folder:{toy_folder}") for word in arguments])
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert not (tmp_path / "results").exists() and scored() == []


# ---- what fails: exit code 1


@pytest.mark.parametrize(
    "arguments, messages",
    [
        (["run", "--dataset", "nuaa", "--methods", "toy", "--data-root", "nowhere"],
         ["NUAA-SIRST is not here; tried nowhere", "istsbench data fetch nuaa"]),
        (["run", "--dataset", "folder:nowhere", "--methods", "toy"], ["nowhere: no such folder"]),
        (["score", "--pred", "nowhere", "--dataset", "DATA"], ["nowhere: no such folder"]),
        (["table", "VI", "--dataset", "nuaa"], ["results/nuaa: no results", "istsbench run"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(cli, toy_folder, tmp_path, arguments, messages):
    done = cli(*[word.replace("DATA", f"folder:{toy_folder}") for word in arguments])
    assert done.exit_code == 1, done.output
    for message in messages:
        assert message in done.output
    assert not (tmp_path / "results").exists()


def test_an_error_of_our_own_is_not_called_wrong_use(cli, monkeypatch):
    def broken(what):
        raise ValueError("a bug")

    monkeypatch.setattr("istsbench.commands.listings.show", broken)
    done = cli("list")
    assert done.exit_code == 1 and isinstance(done.exception, ValueError)


# ---- run, table, score


def test_run_prints_the_table_and_where_files_are(cli, toy_folder, tmp_path):
    done = cli("run", "--methods", "toy,batch", "--dataset", f"folder:{toy_folder}")
    assert done.exit_code == 0, done.output
    for words in ("Toy", "Batch", "F1", "IoU", "split test (6 images", "rule own",
                  "written: results/folder-toyset/"):  # fmt: skip
        assert words in done.output
    folder = tmp_path / "results" / "folder-toyset"
    for name in ("toy.csv", "batch.json", "table_vi.csv", "table_vi.md", "table_vi.tex"):
        assert (folder / name).stat().st_size > 0
    for kind, words in (("md", "| Toy |"), ("csv", "toy,Toy,toys"), ("tex", r"\toprule")):
        shown = cli("table", "VI", "--dataset", "folder-toyset", "--format", kind)
        assert shown.exit_code == 0 and words in shown.output
    calls = scored()
    assert cli("run", "--methods", "toy,batch", "--dataset", f"folder:{toy_folder}").exit_code == 0
    assert scored() == calls


def test_a_failed_method_is_printed_and_the_exit_code_is_one(cli, toy_folder):
    arguments = ("run", "--methods", "toy,bad,absent", "--dataset", f"folder:{toy_folder}")
    for _ in range(2):
        done = cli(*arguments)
        assert done.exit_code == 1
        for words in (
            f"failed: bad on folder-toyset: 1 of 6 images failed, the first is {MARKED}: "
            "ArithmeticError: no way",
            "failed: absent on folder-toyset: method 'absent'",
            "Toy",
        ):
            assert words in done.output
    assert scored().count(MARKED) == 2
    assert cli(*arguments, "--retry-failed").exit_code == 1
    assert scored().count(MARKED) == 3


def test_a_run_in_which_everything_fails_still_says_why(cli, toy_folder):
    done = cli("run", "--methods", "absent", "--dataset", f"folder:{toy_folder}")
    assert done.exit_code == 1
    assert "failed: absent on folder-toyset: method 'absent' (no_such_package" in done.output
    assert "error" not in done.output.lower().replace("modulenotfounderror", "")


def test_a_misspelt_function_leaves_nothing_in_the_tables(cli, toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    (tmp_path / "mine.py").write_text("def f(image):\n    return image\n")
    data, folder = f"folder:{toy_folder}", tmp_path / "results" / "folder-toyset"
    done = cli("run", "--methods", "mine.py:g", "--dataset", data)
    assert done.exit_code == 1 and "the file defines no 'g'; it has: f" in done.output
    assert cli("run", "--methods", "toy", "--dataset", data).exit_code == 0
    done = cli("run", "--methods", "mine.py:g", "--dataset", data)
    assert done.exit_code == 1 and "failed: mine.py:g on folder-toyset" in done.output
    assert "mine.py" not in (folder / "table_vi.csv").read_text()
    assert {path.stem for path in folder.glob("*.json")} == {"toy"}


def test_changed_code_is_said_once(cli, toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    path, words = tmp_path / "mine.py", ("run", "--methods", "mine.py:f", "--dataset")
    path.write_text("def f(image):\n    return image\n")
    told = "mine.py:f: the code, or what it uses, changed since the counts there were made"
    assert told not in cli(*words, f"folder:{toy_folder}").output
    path.write_text("def f(image):\n    return 2 * image\n")
    assert cli(*words, f"folder:{toy_folder}").output.count(told) == 1
    assert told not in cli(*words, f"folder:{toy_folder}").output


def test_two_data_sets_make_one_table_beside_their_own(cli, toy_folder, tmp_path):
    other = shutil.copytree(toy_folder, tmp_path / "other")
    both = f"folder:{toy_folder},folder:{other}"
    arguments = ("run", "--methods", "toy", "--dataset")
    done = cli(*arguments, both, "--rules", "half")
    assert done.exit_code == 0, done.output
    results = tmp_path / "results"
    path = results / "table_vi.csv"
    table = pd.read_csv(path, comment="#")
    assert {"f1_folder-toyset", "f1_folder-other"} <= set(table.columns)

    # What shows less has a place of its own.
    before = path.read_bytes()
    assert cli(*arguments, both, "--limit", 2).exit_code == 0
    assert path.read_bytes() == before
    assert (results / "table_vi-folder-toyset-first2-folder-other-first2.csv").is_file()
    assert cli(*arguments, f"folder:{other},synthetic", "--split", "val").exit_code == 0
    assert path.read_bytes() == before
    assert (results / "table_vi-folder-other-val-synthetic-val.csv").is_file()


def test_networks_keep_no_limit_of_time_and_a_run_says_so(cli, toy_folder):
    data = f"folder:{toy_folder}"
    done = cli("run", "--methods", "toy,batch", "--dataset", data, "--timeout", 30)
    assert done.exit_code == 0, done.output
    assert "note: folder-toyset: --timeout does not hold for batch: networks" in done.output
    assert "does not hold" not in cli("run", "--methods", "toy,batch", "--dataset", data).output
    for wrong in ("nan", "-1", "0"):
        assert cli("run", "--methods", "toy", "--dataset", data, "--timeout", wrong).exit_code == 2


# ---- rows taken out and renamed


def test_a_failed_row_stays_until_it_is_removed(cli, toy_folder, tmp_path):
    data, folder = f"folder:{toy_folder}", tmp_path / "results" / "folder-toyset"
    cli("run", "--methods", "toy,bad", "--dataset", data)
    assert (folder / "bad.json").is_file() and "Bad" in (folder / "table_vi.md").read_text()
    done = cli("results", "remove", "bad", "--dataset", "folder-toyset")
    assert done.exit_code == 0 and "removed: bad (3 files)" in done.output, done.output
    assert not (folder / "bad.json").exists()
    assert "Bad" not in (folder / "table_vi.md").read_text()
    calls = scored()
    assert (
        "removed: toy (3 files)" in cli("results", "remove", "Toy", "--dataset", folder.name).output
    )
    assert not list(folder.glob("t*")) and not (folder / "protocol.toml").exists()
    assert cli("run", "--methods", "toy", "--dataset", data).exit_code == 0
    assert scored() == calls  # its maps are kept
    assert cli("results", "remove", "nobody", "--dataset", folder.name).exit_code == 2


def test_a_submitted_row_gets_another_label(cli, toy_folder, tmp_path):
    data, folder = f"folder:{toy_folder}", tmp_path / "results" / "folder-toyset"
    cli("run", "--methods", "toy", "--dataset", data)
    cli("score", "--pred", toy_folder / "masks", "--dataset", data, "--label", "one")
    before = Results.load(folder).counts["submitted(one)"]
    arguments = ("results", "rename", "one", "My net, 2", "--dataset", folder.name)
    assert cli(*arguments).exit_code == 0
    after = Results.load(folder)
    assert set(after.counts) == {"toy", "submitted(My net, 2)"}
    pd.testing.assert_frame_equal(after.counts["submitted(My net, 2)"], before)
    assert "My net, 2" in (folder / "table_vi.md").read_text()
    again = ("score", "--pred", toy_folder / "masks", "--dataset", data, "--label", "My net, 2")
    assert cli(*again).exit_code == 0  # its maps went along
    assert not list((tmp_path / "results" / "maps").rglob("submitted_one*"))
    assert cli("results", "rename", "toy", "Mine", "--dataset", folder.name).exit_code == 2
    taken = ("results", "rename", "My net, 2", "Toy", "--dataset", folder.name)
    assert cli(*taken).exit_code == 2


def test_a_function_of_ones_own_gets_a_label(cli, toy_folder, tmp_path):
    (tmp_path / "mine.py").write_text("def f(image, gain=1):\n    return image - image.min()\n")
    mine, data = f"{tmp_path}/mine.py:f", ("--dataset", f"folder:{toy_folder}")
    done = cli("run", "--methods", f"{mine}(gain=2)", *data, "--label", "DoG  (ours)")
    assert done.exit_code == 0, done.output
    assert "DoG (ours): F1 " in done.stderr and "median 0." in done.stderr
    folder = tmp_path / "results" / "folder-toyset"
    assert "| DoG (ours) |" in (folder / "table_vi.md").read_text()
    refused = cli("results", "rename", "DoG (ours)", "Mine", "--dataset", folder.name)
    assert refused.exit_code == 2 and "run --methods mine.py:f(gain=2) --label" in refused.stderr
    for methods, label in (("toy", "x"), (f"{mine},toy", "x"), (mine, " ")):
        assert cli("run", "--methods", methods, *data, "--label", label).exit_code == 2


def test_a_function_of_ones_own_is_shown_as_run_takes_it(cli, tmp_path):
    (tmp_path / "mine.py").write_text('"""Mine."""\ndef f(image, gain=1):\n    return image\n')
    done = cli("info", f"{tmp_path}/mine.py:f")
    assert done.exit_code == 0 and "unpublished" in done.output and "9999" not in done.output
    assert "gain" in done.output and "own rule MeanStd(k=3)" in done.output
    assert cli("info", f"{tmp_path}/mine.py:g").exit_code == 1


def test_a_bad_second_data_set_is_said_before_work_on_the_first(cli, toy_folder, tmp_path):
    other = Path(shutil.copytree(toy_folder, tmp_path / "other"))
    (other / "masks" / "test_0.png").write_bytes(b"")
    both = f"folder:{toy_folder},folder:{other}"
    done = cli("run", "--methods", "toy", "--dataset", both)
    assert done.exit_code == 1 and "test_0.png" in done.output
    assert scored() == []


def test_old_results_of_another_protocol_or_damaged_do_not_stop_a_run(cli, toy_folder, tmp_path):
    data = f"folder:{toy_folder}"
    assert cli("run", "--methods", "toy", "--dataset", data).exit_code == 0
    folder = tmp_path / "results" / "folder-toyset"
    for text in (
        (folder / "toy.json").read_text().replace('"data_hash": "', '"data_hash": "0'),
        "{",
    ):
        (folder / "old.json").write_text(text.replace('"toy"', '"old"'))
        done = cli("run", "--methods", "toy", "--dataset", data)
        assert done.exit_code == 0, done.output
        assert (
            "note: " in done.output
            and "shown are the methods of this run only, nothing is written" in done.output
        )


def test_score_makes_a_row_of_prediction_images(cli, toy_folder, tmp_path):
    arguments = ("--dataset", f"folder:{toy_folder}", "--label", "Mine & yours")
    done = cli("score", "--pred", toy_folder / "masks", *arguments)
    assert done.exit_code == 0, done.output
    assert "Mine & yours" in done.output and "1.000" in done.output
    table = cli("table", "VI", "--dataset", "folder-toyset", "--format", "tex")
    assert r"Mine \& yours" in table.output
    pred = Path(shutil.copytree(toy_folder / "masks", tmp_path / "pred"))
    (pred / "test_1.png").unlink()
    done = cli("score", "--pred", pred, *arguments)
    assert done.exit_code == 1 and "for 1 of 6 images: test_1 " in done.output


# ---- a data set of one's own


def test_a_report_of_a_folder_has_its_pictures(cli, toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("istsbench.report.page.FIGURES", ())
    data = f"folder:{toy_folder}"
    assert cli("run", "--methods", "toy", "--dataset", data).exit_code == 0
    page = tmp_path / "results" / "folder-toyset" / "report.html"
    for name, there in (("folder-toyset", False), (data, True)):
        done = cli("report", "--dataset", name)
        assert done.exit_code == 0, done.output
        text = page.read_text(encoding="utf-8")
        assert ("<image" in text) is there and ("has no pictures" in text) is not there
    done = cli("report", "--dataset", "folder:nowhere")
    assert done.exit_code == 1 and "nowhere: no such folder" in done.output


def test_a_pack_is_checked_against_a_folder(cli, toy_folder, tmp_path):
    other = Path(shutil.copytree(toy_folder, tmp_path / "other"))
    assert cli("run", "--methods", "toy", "--dataset", f"folder:{toy_folder}").exit_code == 0
    assert cli("export", "p.zip", "--dataset", "folder-toyset").exit_code == 0
    done = cli("import", "p.zip", "--out", "unchecked")
    assert done.exit_code == 0 and "not checked against the data set" in done.output
    done = cli("import", "p.zip", "--out", "checked", "--dataset", f"folder:{other}")
    assert done.exit_code == 0, done.output
    assert "made again from the masks and agree" in done.output
    assert (tmp_path / "checked" / "folder-toyset" / "toy.csv").is_file()
    shutil.copy(other / "masks" / "test_0.png", other / "images" / "test_0.png")
    done = cli("import", "p.zip", "--out", "third", "--dataset", f"folder:{other}")
    assert done.exit_code == 1 and "was made on images of hash" in done.output
    (other / "images" / "test_0.png").write_bytes(b"no picture")
    done = cli("import", "p.zip", "--out", "third", "--dataset", f"folder:{other}")
    assert done.exit_code == 1 and "test_0.png: not a readable image" in done.output
    assert not (tmp_path / "third").exists()


# ---- the installed command


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The environment of a machine on which the plug-in is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")
    if find_spec("setuptools"):
        flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *flags, "--target", folder / "site", source],
            check=True,
        )
    else:
        install(folder / "site", {"brightest": "brightest:Brightest"})
        shutil.copy(source / "brightest.py", folder / "site")
    path = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "COLUMNS": "200"}


def test_a_third_partys_method_is_listed_run_and_tabulated(plugin, toy_folder, tmp_path):
    options = {"cwd": tmp_path, "env": plugin}
    listed = command("list", **options)
    assert listed.returncode == 0 and "Brightest & Best_1" in listed.stdout
    arguments = ("--methods", "ours,tophat(size=7)", "--dataset", f"folder:{toy_folder}")
    done = command("run", *arguments, "--limit", 2, **options)
    assert done.returncode == 0, done.stderr
    assert "Brightest & Best_1" in done.stdout
    assert "scoring folder-toyset: 6/6" in done.stderr  # four images, two methods counted
    folder = tmp_path / "results" / "folder-toyset-first2"
    assert r"Brightest \& Best\_1" in (folder / "table_vi.tex").read_text()
    assert list((folder / "figures").glob("*.p*"))
    table = pd.read_csv(folder / "table_vi.csv", comment="#").set_index("method")
    assert table.loc["brightest", "f1_folder-toyset"] > 0
    assert "tophat(size=7)" in table.index


@pytest.mark.parametrize(
    "arguments, code",
    [(["list", "rules"], 0), (["info", "nosuch"], 2), (["table", "VI"], 1)],
)
def test_exit_codes_of_the_installed_command(tmp_path, arguments, code):
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and bool(done.stderr) == (code != 0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_leaves_everything_consistent_and_says_how_to_go_on(
    toys, toy_folder, tmp_path, jobs
):
    environment = {**install(tmp_path / "site"), "TOY_LOG": os.environ["TOY_LOG"]}
    method, data = "toy(seconds=0.2)", f"folder:{toy_folder}"
    arguments = [COMMAND, "run", "--methods", method, "--dataset", data, "--jobs", str(jobs)]
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A test run in the background of a shell ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    store = tmp_path / "results" / "maps"
    for _ in range(1500):
        if len(list(store.rglob("*.npy"))) >= 2:
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; what is done is kept, the same command continues from there" in error
    assert "Traceback" not in error
    kept = sorted(store.rglob("*.npy"))
    assert 2 <= len(kept) < 6
    for path in kept:
        assert np.load(path).shape == (24, 32)
    assert not list(tmp_path.rglob("*.part")) and not list(store.rglob("*.failed.json"))
    before = len(scored())
    from istsbench.data.datasets import open_dataset
    from istsbench.registry import choose
    from istsbench.runs import run as runner

    outcome = runner.run(choose(method), open_dataset(data), tmp_path / "results", show=False)
    assert outcome.done == [method] and len(scored()) - before == 6 - len(kept)
