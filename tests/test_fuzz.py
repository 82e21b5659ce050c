"""A few hundred hostile inputs into every reader; `benchmarks/fuzz.py` tries many more."""

import io
import os
import pickle
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import fuzz  # noqa: E402 (benchmarks/ is no package)
import hostile  # noqa: E402
import spoiling  # noqa: E402

from istsbench.data.images import decode, read_file
from istsbench.data.lists import read_list  # noqa: E402
from istsbench.errors import (
    DataError,
    PackError,
    WrongUse,  # noqa: E402
)
from istsbench.networks.checkpoint import read_weights  # noqa: E402
from istsbench.registry import choose, file_name  # noqa: E402
from istsbench.results.masks import Masks  # noqa: E402
from istsbench.results.packcheck import parse
from istsbench.results.packs import import_pack  # noqa: E402
from istsbench.runs.maps import MapStore  # noqa: E402
from istsbench.tables.lint import lint  # noqa: E402

CASES = {"folders": 25, "records": 40, "packs": 25, "predictions": 25, "words": 10}
CORPUS = sorted((Path(__file__).parent / "fuzz").glob("*.png"))


@pytest.mark.parametrize("name", hostile.READERS)
def test_each_case_is_refused_in_words_or_read(name, tmp_path):
    cases = CASES.get(name, 60)
    found = fuzz.fuzz(name, hostile.READERS[name](tmp_path), cases)
    assert not found.findings, "\n".join(found.findings)
    assert found.cases == cases == found.refused + found.read


def test_what_breaks_its_promise_hangs_or_says_nothing_is_found():
    def broken(rng):
        kind = int(rng.integers(4))
        if kind == 0:
            raise KeyError("no such thing")
        if kind == 1:
            raise DataError
        if kind == 2:
            raise fuzz.TooSlow("too slow")
        raise AssertionError("another map")

    found = fuzz.fuzz("broken", broken, 20)
    assert len(found.findings) == 20
    for word in ("KeyError", "without a word", "TooSlow", "another map"):
        assert any(word in text for text in found.findings)


def test_time_and_memory_of_a_case_are_bounded():
    with pytest.raises(fuzz.TooSlow), fuzz.limited(1, 2**30):
        while True:
            pass
    with pytest.raises(MemoryError), fuzz.limited(5, 2**28):
        np.ones(2**28)


def test_a_case_is_drawn_again_by_its_number():
    drawn = []

    def note(rng):
        drawn.append(spoiling.spoilt(b"a line of text", rng))

    for _ in range(2):
        fuzz.fuzz("note", note, 10, seed=4)
    assert drawn[:10] == drawn[10:] and len(set(drawn)) > 5


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_pictures_that_are_none_are_refused(path):
    with pytest.raises(DataError, match=path.name):
        decode(path.read_bytes(), path.name)


@pytest.mark.parametrize("number", ["9" * 5000, "1e" + "9" * 5000, "1e999", "-1e-999"])
def test_numbers_that_nobody_prints_are_none_or_out_of_range(tmp_path, number):
    path = tmp_path / "table.csv"
    path.write_text(f"Method,F1,IoU\nA,0.5,0.4\nB,0.5,{number}\n")
    report = lint(path)
    assert len(report.rows) == 2
    printed = report.rows[1].scores.get("iou")
    assert printed is None or report.findings or printed.high <= 0.5


def test_a_cell_without_end_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"Method,F1,IoU\n{'x' * 140_000},0.5,0.4\n")
    with pytest.raises(DataError, match=r"table\.csv: not a readable table \(field larger"):
        lint(path)


@pytest.mark.parametrize("text", ["[" * 10_000, '{"pixels": ' * 10_000])
def test_a_failure_that_is_nested_without_end_counts_as_none(tmp_path, text):
    (tmp_path / "a.failed.json").write_text(text)
    assert MapStore(tmp_path).failure("a", "pixels") is None


@pytest.mark.parametrize(
    "entry",
    [{}, [], {"size": [2, 3]}, {"size": [2], "runs": [6]}, {"size": [2, 3], "runs": ["x"]},
     {"size": [2, 3], "runs": [float("inf")]}, {"size": [-2, -3], "runs": [6]},
     {"size": [2, 3], "runs": [7, -1]}, {"size": [1, 6], "runs": 6}, {"size": [3, 3], "runs": [9]},
     {"size": [2, 3], "runs": [10**30]}],
)  # fmt: skip
def test_damaged_run_lengths_are_no_mask(tmp_path, entry):
    counted = {"tp": [0], "fp": [0], "fn": [2], "tn": [4], "level": [0.5]}
    rows = pd.DataFrame(counted, index=["a"])
    packed = {"a": {"size": [2, 3], "runs": [6]}}
    assert not Masks(rows, MapStore(tmp_path), packed)("a").any()
    assert Masks(rows, MapStore(tmp_path), {"a": entry})("a") is None


class Bomb:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_reader_unpickles(tmp_path):
    place = tmp_path / "unpickled"
    plain = pickle.dumps(Bomb(place))
    file = io.BytesIO()
    np.save(file, np.array([Bomb(place)], dtype=object), allow_pickle=True)
    array = file.getvalue() + b"\n{}"
    readers = {"a.safetensors": read_weights, "a.png": read_file, "a.csv": lint, "a.txt": named}
    for data in (plain, array):
        for name, reader in readers.items():
            (tmp_path / name).write_bytes(data)
            with pytest.raises(DataError):
                reader(tmp_path / name)
        with pytest.raises(PackError):
            (tmp_path / "a.zip").write_bytes(data)
            import_pack(tmp_path / "a.zip", tmp_path / "out")
        (tmp_path / "a.npy").write_bytes(data + b"%08x" % zlib.crc32(data))
        assert MapStore(tmp_path).load("a") is None
    assert not place.exists()
    pickle.loads(plain)
    assert place.exists()


def named(path):
    return read_list(path, {"a"})


def test_half_a_character_in_a_pack_is_refused():
    with pytest.raises(PackError, match="record.json holds something that cannot be written"):
        parse(b'{"label": "\\ud800"}', "record.json")


def test_the_corpus_is_there():
    assert len(CORPUS) == 2


@given(st.text(max_size=40))
def test_any_text_after_methods_is_a_choice_or_wrong_use(text):
    try:
        chosen = choose(text)
    except WrongUse as error:
        assert str(error)
    else:
        assert chosen


@given(st.lists(st.text(max_size=120), min_size=2, max_size=6, unique=True))
def test_names_of_files_are_safe_and_never_shared(specs):
    found = [file_name(spec) for spec in specs]
    assert len(set(found)) == len(found)
    for name in found:
        assert name and "/" not in name and "\0" not in name and not name.startswith(".")
        assert len(name.encode()) < 200


@given(st.text(max_size=60))
def test_a_list_gives_known_names_or_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("list") / "test.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        names = read_list(path, {"a", "b", "0"})
    except DataError as error:
        assert "test.txt" in str(error)
    else:
        assert set(names) <= {"a", "b", "0"}
