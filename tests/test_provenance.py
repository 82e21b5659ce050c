import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from toys import Bad, Learner, Toy

import istsbench
from istsbench import create
from istsbench.provenance import (
    _sources_hash,
    code_hash,
    commit,
    environment,
    method_hash,
    parameters,
    run_hash,
)
from istsbench.segmenter import Card, Segmenter


@dataclass(frozen=True)
class Device(Segmenter):
    card = Card("D", "toys", "V", 2000, "d", "paper")

    weights: Path | None = None
    device: str = field(default="cpu", compare=False)

    def score(self, image):
        return image


def test_parameters_are_the_fields_that_change_results():
    assert parameters(Device(Path("x"))) == {"weights": Path("x")}
    assert method_hash(Device(device="cuda")) == method_hash(Device())


def test_hash_follows_class_and_parameters():
    hashes = [method_hash(method) for method in (Toy(), Toy(gain=2.0), Toy(note="a"), Bad())]
    assert len(set(hashes)) == 4
    assert method_hash(Toy(gain=2.0)) == hashes[1]


def test_hash_follows_the_content_of_weights_not_their_name(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a")
    other.write_bytes(b"a")
    assert method_hash(Device(one)) == method_hash(Device(other))
    before = method_hash(Device(one))
    one.write_bytes(b"b")
    assert method_hash(Device(one)) != before


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a method, a module that it imports, one that this imports, and one not."""
    files = {
        "__init__.py": "",
        "method.py": "from istsbench import Segmenter\nfrom . import near\nimport json\n"
        "class M(Segmenter):\n    card = 1\n    def score(self, image):\n"
        "        from methodpack.deep.far import x",
        "near.py": "from .deep import far",
        "deep/__init__.py": "from . import inner",
        "deep/far.py": "x = 1",
        "deep/inner.py": "y = 1",
        "other.py": "z = 1",
    }
    for name, text in files.items():
        path = tmp_path / "methodpack" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    _sources_hash.cache_clear()
    yield tmp_path / "methodpack"
    for name in [name for name in sys.modules if name.partition(".")[0] == "methodpack"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "file, matters",
    [("method.py", True), ("near.py", True), ("deep/far.py", True), ("deep/inner.py", True),
     ("deep/__init__.py", True), ("other.py", False)],
)  # fmt: skip
def test_code_hash_follows_what_the_method_imports_from_its_package(package, file, matters):
    kind = importlib.import_module("methodpack.method").M
    before = code_hash(kind)
    (package / file).write_text((package / file).read_text() + "\nmore = 1\n")
    _sources_hash.cache_clear()
    assert (code_hash(kind) != before) == matters


def test_code_hash_ignores_what_no_map_depends_on(package):
    kind = importlib.import_module("methodpack.method").M
    before = code_hash(kind)
    text = (package / "method.py").read_text()
    text = f'"""Essay."""\n{text}  # why'.replace("card = 1", '"""Idea."""\n    card = 2')
    (package / "method.py").write_text(text)
    _sources_hash.cache_clear()
    assert code_hash(kind) == before


CLASSES = """
from istsbench import Segmenter

class Options:
    threshold: float = 0.0

class Base(Segmenter):
    threshold = 1
    excused = {"a": "b"}

class M(Base):
    threshold = 2

class Other(Segmenter):
    card = 3
    threshold = 3
"""


@pytest.mark.parametrize(
    "old, new, matters",
    [("threshold: float = 0.0", "threshold: float = 40.0", True), ("= 1", "= 10", False),
     ('"b"', '"c"', False), ("= 2", "= 20", False), ("= 3", "= 30", False)],
)  # fmt: skip
def test_a_threshold_is_a_rule_in_classes_of_methods_alone(package, old, new, matters):
    (package / "method.py").write_text(CLASSES)
    kind = importlib.import_module("methodpack.method").M
    before = code_hash(kind)
    assert old in CLASSES
    (package / "method.py").write_text(CLASSES.replace(old, new))
    _sources_hash.cache_clear()
    assert (code_hash(kind) != before) == matters


@pytest.mark.parametrize(
    "size, same",
    [("5", True), ('parameter(5, "pixels")', True), ('parameter(6, "pixels")', False)],
)
def test_what_a_parameter_means_changes_no_hash(package, size, same):
    text = "from istsbench.segmenter import Segmenter\nclass M(Segmenter):\n    size: int = 5\n"
    (package / "method.py").write_text(text)
    kind = importlib.import_module("methodpack.method").M
    before = code_hash(kind)
    text = text.replace("import Segmenter", "import Segmenter, parameter").replace(
        "= 5", f"= {size}"
    )
    (package / "method.py").write_text(text)
    _sources_hash.cache_clear()
    assert (code_hash(kind) == before) == same


def test_the_hash_of_a_run_is_that_of_the_published_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path))
    assert run_hash(Learner(), "sky") == method_hash(Learner())
    weights = tmp_path / "sky" / "learner.safetensors"
    weights.parent.mkdir()
    weights.write_text("3")
    assert run_hash(Learner(), "sky") == method_hash(Learner(weights=weights))
    assert run_hash(Toy(), "sky") == method_hash(Toy())


def test_a_compiled_module_counts_by_its_bytes(package):
    kind = importlib.import_module("methodpack.method").M
    (package / "near.py").write_bytes(b"\x7fELF\x00\x01")
    _sources_hash.cache_clear()
    before = code_hash(kind)
    (package / "near.py").write_bytes(b"\x7fELF\x00\x02")
    _sources_hash.cache_clear()
    assert code_hash(kind) != before


def test_our_methods_depend_on_their_shared_modules_only():
    tophat, mpcm = type(create("tophat")), type(create("mpcm"))
    assert code_hash(tophat) != code_hash(mpcm)


def test_a_class_without_a_file_has_a_hash():
    space: dict = {"__name__": "nowhere"}
    exec("from istsbench import Segmenter\nclass M(Segmenter): pass", space)
    assert len(code_hash(space["M"])) == 16


def test_environment_is_json_and_names_the_versions():
    found = environment()
    assert {"python", "system", "cpu", "cores", "numpy", "scipy"} <= set(found)
    assert any(name.startswith("opencv") for name in found)
    assert found["istsbench"] == istsbench.__version__
    json.dumps(found)
    assert found["threads"] == "1" and "device" not in found
    assert environment(threads=3)["threads"] == "3"
    elsewhere = environment("cuda:0")  # its time has nothing to do with threads of the processor
    assert elsewhere["device"] == "cuda:0" and "threads" not in elsewhere
    assert len(found["blas"].split()) == 3


@pytest.fixture
def checkout(tmp_path):
    """A git checkout with a package that is tracked and one that is only there."""

    def git(*words):
        done = subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=b", *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    if shutil.which("git") is None:
        pytest.skip("needs git")
    for name in ("tracked", "installed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("a")
    git("init", "-q")
    git("add", "tracked", "notes.txt")
    git("commit", "-qm", "first")
    commit.cache_clear()
    yield tmp_path, git("rev-parse", "HEAD")
    commit.cache_clear()


def test_the_commit_of_a_checkout_and_whether_its_code_was_changed(checkout):
    folder, head = checkout
    assert commit(folder / "tracked") == head
    (folder / "notes.txt").write_text("b")
    commit.cache_clear()
    assert commit(folder / "tracked") == head
    (folder / "tracked" / "__init__.py").write_text("x = 2\n")
    commit.cache_clear()
    assert commit(folder / "tracked") == f"{head} with changes"


def test_an_installed_copy_in_somebodys_checkout_has_no_commit(checkout):
    assert commit(checkout[0] / "installed") is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout[0]))
    assert commit(checkout[0] / "tracked") is None
