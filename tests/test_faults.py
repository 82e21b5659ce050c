"""The short form of the fault campaign: runs that are disturbed in processes of their own."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from toys import make_record

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import faults  # noqa: E402 (benchmarks/ is no package)
from campaign.damage import damage  # noqa: E402
from campaign.ground import (  # noqa: E402
    METHODS,
    Ground,
    Skipped,
    Trial,
    copied,
    difference,
    stamps,
)

from istsbench.data.images import decode  # noqa: E402
from istsbench.errors import DataError, WeightsError  # noqa: E402
from istsbench.files import DAY, tidy  # noqa: E402
from istsbench.networks.checkpoint import (  # noqa: E402
    read_checkpoint,
    read_weights,
    save_checkpoint,
    save_weights,
)
from istsbench.runs.maps import MapStore, StoredMap  # noqa: E402
from istsbench.runs.record import as_json, read_record, sealed  # noqa: E402

SHORT = ("kill-run", "disk-full", "damaged-counts")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("faults"), seed=5, short=True)


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_and_results_are_equal(ground, name):
    try:
        trials = faults.attempt(name, ground)
    except Skipped as why:
        pytest.skip(str(why))
    assert trials
    for trial in trials:
        assert trial.survived and trial.equal and not trial.lost, trial


def test_the_campaign_sees_what_is_lost(ground):
    """A campaign that could not fail would prove nothing."""
    reference = ground.reference("--methods", METHODS)[0]
    out = copied(reference, ground.new())
    path = sorted(out.glob("maps/*/tophat*/*.npy"))[3]
    store, name = MapStore(path.parent), str(path.relative_to(out))
    before, old = stamps(out), store.load(path.stem)
    path.rename(out / "aside")
    assert difference(reference, out) == f"{name} is missing"
    store.save(path.stem, old)
    assert not difference(reference, out) and stamps(out)[name] != before[name]
    store.forget(path.stem)
    store.save(path.stem, StoredMap(old.score + 1, old.pixels, old.seconds))
    assert difference(reference, out) == f"{name} differs"


def test_all_ways_of_damage_change_the_file(tmp_path):
    path, rng = tmp_path / "file", np.random.default_rng(0)
    ways = set()
    for _ in range(80):
        whole = bytes(range(200)) if len(ways) < 4 else bytes(200)
        path.write_bytes(whole)
        ways.add(damage(path, rng).split()[1])
        assert path.read_bytes() != whole
    assert ways == {"bit", "cut", "empty", "zeros"}


# ---- what the campaign found, each held here


def test_unfinished_files_go_after_a_day_and_others_stay(tmp_path):
    old, young = (tmp_path / f".{digit * 32}.part" for digit in "ab")
    mine = tmp_path / ".notes.part"
    for path in (old, young, mine):
        path.touch()
    for path in (old, mine):
        os.utime(path, (path.stat().st_mtime - DAY - 60,) * 2)
    tidy(tmp_path)
    assert not old.exists() and young.exists() and mine.exists()
    tidy(tmp_path / "nowhere")


TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4)}


def test_no_changed_bit_of_a_weight_file_is_used(tmp_path):
    path = tmp_path / "net.safetensors"
    save_weights(path, TENSORS, {"scores": {"f1": 0.1 + 0.2}, "seed": 3})
    assert read_weights(path)[1] == {"scores": {"f1": 0.1 + 0.2}, "seed": 3}
    whole, used = path.read_bytes(), 0
    bits = range(0, 8 * len(whole), 5)
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found, header = read_weights(path)
        except WeightsError:
            continue
        used += 1  # a bit in the word sha256, say: then there is no sum to compare with
        assert header["scores"] == {"f1": 0.1 + 0.2} and header["seed"] == 3
        assert all(np.array_equal(found[name], TENSORS[name]) for name in TENSORS)
    assert used < 0.03 * len(bits)


def test_no_changed_bit_of_a_checkpoint_is_used(tmp_path):
    save_checkpoint(tmp_path, TENSORS, {"epoch": 1})
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for bit in range(0, 8 * len(whole), 7):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            with pytest.raises(DataError):  # which the command line prints as one line
                read_checkpoint(tmp_path)
        path.write_bytes(whole)
    assert read_checkpoint(tmp_path)[1] == {"epoch": 1}


def test_a_sealed_record_shows_any_change(tmp_path):
    import json

    path = tmp_path / "one.json"
    made = make_record("one", label="One")
    record = as_json(made)
    path.write_text(json.dumps(sealed(record)))
    assert read_record(path) == made
    path.write_text(json.dumps(sealed(sealed(record))))
    assert read_record(path) == made
    path.write_text(json.dumps({**sealed(record), "auc": 0.8}))
    with pytest.raises(ValueError, match="not as it was written"):
        read_record(path)
    path.write_text(json.dumps({**record, "label": ["One"]}))
    with pytest.raises(ValueError, match="label is list"):
        read_record(path)
    path.rename(tmp_path / "two.json")
    with pytest.raises(ValueError, match="label is list|record of one"):
        read_record(tmp_path / "two.json")


def test_a_picture_that_a_program_would_have_to_draw_is_refused(tmp_path):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "EPS")
    with pytest.raises(DataError, match=r"x\.png: .*cannot identify image file"):
        decode(file.getvalue(), "x.png")


def test_lines_take_the_place_of_those_of_the_same_faults(tmp_path):
    page, good = tmp_path / "faults.md", Trial(True, 0, True)
    page.write_text(f"before\n{faults.BEGIN}{faults.END}after\n")
    for name, trials in (("clock", [good]), ("kill-run", [good] * 2), ("clock", [good] * 3)):
        faults.write_page({name: faults.row(name, trials)}, page)
    lines = page.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and len(lines) == 8
    assert lines[4] == "| kill -9 of a run, one process | 2 | 2 | 0 | 2 |"
    assert lines[5].endswith(" half-way | 3 | 3 | 0 | 3 |")


@pytest.mark.parametrize("text", ["null", "{}", '{"label": "One"}'])
def test_a_record_of_nothing_is_noticed_where_there_was_one(tmp_path, text):
    path = tmp_path / "one.json"
    path.write_text(text)
    assert read_record(path) is None
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "one.csv").touch()
    with pytest.raises(ValueError, match="its curve is there"):
        read_record(path)
