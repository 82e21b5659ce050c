"""Methods that nobody registered: by file, by module, as a function."""

import pickle
import sys

import numpy as np
import pytest
from toys import Toy

from istsbench import Fixed
from istsbench.errors import BrokenMethod, WrongUse
from istsbench.provenance import method_hash, parameters
from istsbench.registry import choose
from istsbench.runs.handed_in import chosen
from istsbench.runs.pool import in_processes
from istsbench.unregistered import as_method

MINE = """
import numpy as np
from dataclasses import dataclass
from beside_mine import above
from istsbench import Card, Segmenter

def detect(image, k=1):
    return above(image) * k

@dataclass(frozen=True)
class Mine(Segmenter):
    card = Card("Mine", "mine", "here", 2020, "none", "paper")
    k: float = 1.0

    def score(self, image):
        return np.maximum(image - np.median(image), 0) * self.k

ready = Mine(3.0)
number = 3

def two(image, other):
    return image
"""
BESIDE = "def above(image):\n    return (image - image.mean()).clip(0)\n"
IMAGE = np.arange(48.0).reshape(6, 8)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder, with a space in its name, with a file of methods and one that it imports."""
    folder = tmp_path / "my place"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "beside_mine.py").write_text(BESIDE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("istsbench.unregistered._neighbours", {})
    yield folder
    sys.modules.pop("beside_mine", None)


def made(place, name="detect"):
    (choice,) = choose(f"{place}/mine.py:{name}")
    return choice.create()


def test_a_function_a_class_and_an_instance_of_a_file_are_methods_beside_names(place):
    text = f"tophat,{place}/mine.py:detect(k=2),{place}/mine.py:Mine,{place}/mine.py:ready"
    chosen = choose(text, ["mine.py:Mine.k=5"])
    assert [choice.spec for choice in chosen] == [
        "tophat", "mine.py:detect(k=2)", "mine.py:Mine(k=5)", "mine.py:ready",
    ]  # fmt: skip
    _, detect, mine, ready = (choice.create() for choice in chosen)
    np.testing.assert_array_equal(detect.score(IMAGE), 2 * (IMAGE - IMAGE.mean()).clip(0))
    assert (mine.k, ready.k) == (5, 3.0)
    assert type(detect).card.label == "mine.py:detect"


def test_a_path_with_a_comma_stands_in_quotes(place):
    folder = place.rename(place.with_name("a, b"))
    (choice,) = choose(f'"{folder}/mine.py:detect"')
    assert choice.spec == "mine.py:detect"


def test_two_files_of_one_name_are_refused_together(place, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    with pytest.raises(WrongUse, match="both called mine.py:detect; rename one"):
        choose(f"{place}/mine.py:detect,{tmp_path}/mine.py:detect")


@pytest.mark.parametrize(
    "text, message",
    [
        ("function(my net)", "are of functions that a Python session handed to istsbench.evaluate"),
        ("absent.py:detect", "there is no file .*absent.py; expected"),
        ("mine.py:", "names no class or function; expected package.module:Class or FILE.py:NAME"),
        ("mine.py:detect(q=1)", "has no parameter 'q'; it has: k"),
        ("mine.py:detect(k=abc)", "k is 'abc', expected float"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(place, monkeypatch, text, message):
    monkeypatch.chdir(place)
    with pytest.raises(WrongUse, match=message):
        choose(text)


@pytest.mark.parametrize(
    "name, message",
    [
        ("nothing", "mine.py defines no|the file defines no 'nothing'; it has: np, dataclass"),
        ("number", "is 3, expected a subclass of Segmenter, an instance of one, or a function"),
        ("two", "it needs other by name; expected a function that can be called with an image"),
    ],
)
def test_what_is_no_method_is_said_with_its_file(place, name, message):
    with pytest.raises(BrokenMethod, match=message) as caught:
        made(place, name)
    assert str(place / "mine.py") in str(caught.value)


def test_a_file_that_cannot_be_read_as_python_says_the_line(place):
    (place / "mine.py").write_text("x = 1\ndef detect(image) return 1\n")
    with pytest.raises(BrokenMethod, match=r"mine.py\) cannot be loaded: SyntaxError: .*line 2"):
        made(place)


def test_the_hash_covers_the_file_and_what_it_imports_from_beside(place):
    first = method_hash(made(place))
    assert method_hash(made(place)) == first
    (place / "mine.py").write_text(MINE.replace("* k", "* k * k"))
    assert method_hash(made(place)) != first
    (place / "mine.py").write_text(MINE + "\n# a remark\n")
    assert method_hash(made(place)) == first
    sys.modules.pop("beside_mine")  # as in a new session
    (place / "beside_mine.py").write_text(BESIDE.replace("mean", "min"))
    with pytest.raises(BrokenMethod, match="changed after it was imported in this session"):
        made(place)
    sys.modules["istsbench.unregistered"]._neighbours.clear()
    assert method_hash(made(place)) != first


def test_the_hash_is_the_same_in_another_folder(place):
    first = method_hash(made(place))
    sys.modules.pop("beside_mine")
    sys.path.remove(str(place))
    assert method_hash(made(place.rename(place.with_name("elsewhere")))) == first


def test_a_file_beside_that_a_library_hides_is_refused(place):
    (place / "json.py").write_text("")
    (place / "mine.py").write_text("import json\n" + MINE)
    with pytest.raises(BrokenMethod, match="json.py is hidden by"):
        made(place)


def _score(shared, number, begin):
    return shared.score(IMAGE)


def test_another_process_scores_by_a_file_and_by_a_closure(place):
    gain = 3

    def closed(image):
        return gain * image

    for method in (made(place), as_method(closed, "closed", "it")()):
        ((_, found),) = in_processes(_score, method, [(0,)], 1)
        np.testing.assert_array_equal(found, method.score(IMAGE))


def test_a_function_has_its_own_rule_and_parameters():
    def detect(image, size=3, words=None, table=IMAGE):
        return image

    detect.threshold = Fixed(0.5)
    method = as_method(detect, "mine", "it")(size=4)
    assert parameters(method) == {"size": 4, "words": None}
    assert method.threshold == Fixed(0.5)
    detect.threshold = 0.5
    with pytest.raises(BrokenMethod, match="its threshold is 0.5, expected a Threshold"):
        as_method(detect, "other", "it")


def test_closures_differ_by_what_they_close_over():
    def gain(factor):
        return lambda image: factor * image

    once, again, other = (as_method(gain(one), "gain", "it")() for one in (2, 2, 3))
    assert method_hash(once) == method_hash(again) != method_hash(other)


def test_a_function_whose_values_changed_since_the_last_call_is_another_method():
    used = {"factor": 2}

    def gain(image):
        return used["factor"] * image

    before = as_method(gain, "gain", "it")()
    used["factor"] = 3
    after = as_method(gain, "gain", "it")()
    assert method_hash(after) != method_hash(before)
    gain.threshold = Fixed(0.25)
    assert as_method(gain, "gain", "it")().threshold == Fixed(0.25)


def test_what_cannot_be_pickled_never_has_an_old_hash():
    lines = (line for line in "ab")
    one, other = (as_method(lambda image, at=n: (lines, image)[1], "x", "it")() for n in (1, 1))
    assert method_hash(one) != method_hash(other)


def test_a_class_of_no_file_is_hashed_by_itself():
    def define(factor):
        kind = type("Mine", (Toy,), {"score": lambda self, image: factor * image})
        kind.__module__ = "a_notebook"
        return kind()

    assert method_hash(define(2)) != method_hash(define(3))


def test_a_class_of_a_session_whose_values_changed_is_scored_anew():
    used = {"factor": 2}
    kind = type("Mine", (Toy,), {"score": lambda self, image: used["factor"] * image})
    kind.__module__ = "a_notebook"
    hashes = []
    for factor in (2, 2, 3):
        used["factor"] = factor
        method = chosen(kind)[0].create()
        hashes.append(method_hash(method))
        assert method_hash(method) == hashes[-1]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_torch_module_is_refused_with_a_hint():
    torch = pytest.importorskip("torch")
    with pytest.raises(BrokenMethod, match="it is a torch module, .*write one that makes the ten"):
        as_method(torch.nn.Identity(), "net", "it")


def test_a_method_of_a_file_pickles_and_compares(place):
    method = made(place)
    assert pickle.loads(pickle.dumps(method)) == method
