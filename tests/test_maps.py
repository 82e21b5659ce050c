import json
import os
import zlib

import numpy as np
import pytest

from istsbench.files import write_atomic
from istsbench.runs import maps
from istsbench.runs.maps import MapStore, StoredMap, read_map

SCORE = np.arange(12, dtype=np.float32).reshape(3, 4) / 7
STORED = StoredMap(SCORE, "pixels", 0.25)


@pytest.fixture
def store(tmp_path):
    return MapStore(tmp_path / "maps" / "method-1a")


def same(found):
    return (
        found is not None
        and found.score.dtype == np.float32
        and np.array_equal(found.score, SCORE)
        and (found.pixels, found.seconds) == ("pixels", 0.25)
    )


def test_what_is_saved_is_loaded(store):
    assert store.load("a") is None
    store.save("a", STORED)
    assert same(store.load("a"))
    assert [path.name for path in store.folder.iterdir()] == ["a.npy"]


def test_the_file_opens_without_us(store):
    store.save("a", STORED)
    path = store.folder / "a.npy"
    np.testing.assert_array_equal(np.load(path), SCORE)
    data = path.read_bytes()
    assert int(data[-8:], 16) == zlib.crc32(data[:-8])


def test_a_map_that_is_there_stays(store):
    store.save("a", STORED)
    store.save("a", StoredMap(SCORE + 1, "pixels", 9.0))
    assert same(store.load("a"))


def test_every_changed_bit_and_every_cut_is_noticed(store):
    store.save("a", STORED)
    path = store.folder / "a.npy"
    whole = path.read_bytes()
    refused = 0
    for bit in range(0, 8 * len(whole), 3):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = store.load("a")
        assert found is None or same(found)
        refused += found is None
    assert refused > 2.6 * len(whole)  # the others turn a into A in the last digits
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        assert store.load("a") is None


def test_a_map_of_other_pixels_is_stale(store):
    store.save("a", STORED)
    assert store.has("a", "pixels")
    assert not store.has("a", "others")
    store.save("a", StoredMap(SCORE, "others", 1.0))
    assert store.has("a", "others") and not store.has("a", "pixels")


@pytest.mark.parametrize("before", [b"damaged", None])
def test_to_look_at_a_map_never_removes_what_another_process_writes(store, monkeypatch, before):
    """Another process replaces a stale or damaged map while this one reads it."""
    store.save("a", StoredMap(SCORE, "stale", 1.0))
    if before is not None:
        (store.folder / "a.npy").write_bytes(before)

    def read(data):
        try:
            return read_map(data)
        finally:
            monkeypatch.undo()
            store.save("a", STORED)

    monkeypatch.setattr(maps, "read_map", read)
    assert not store.has("a", "pixels")
    assert same(store.load("a"))


def test_failures_hold_for_their_pixels_until_forgotten_or_mended(store):
    store.fail("a", "pixels", "no way")
    assert store.failure("a", "pixels") == "no way"
    assert store.failure("a", "others") is None
    assert store.failure("b", "pixels") is None
    store.save("a", STORED)
    assert store.failure("a", "pixels") is None
    store.fail("b", "pixels", "no way")
    store.save("b", STORED)
    store.forget("b")
    assert store.load("b") is None and store.failure("b", "pixels") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"pixels": "pixels"}',
    '{"pixels": "pixels", "reason": "a guess"}', "\xff"])  # fmt: skip
def test_a_damaged_failure_counts_as_none(store, text):
    store.fail("a", "pixels", "no way")
    (store.folder / "a.failed.json").write_bytes(text.encode("latin-1"))
    assert store.failure("a", "pixels") is None


def test_a_failure_is_json(store):
    store.fail("a", "pixels", 'a "quoted" ü')
    assert json.loads((store.folder / "a.failed.json").read_text())["reason"] == 'a "quoted" ü'


def test_an_interrupted_write_leaves_the_old_file_and_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "file"
    write_atomic(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file"]
