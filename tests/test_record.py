"""The record of a method: what it looks like on disk, and what is refused."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from toys import make_record

from istsbench.runs.record import Origin, Trained, from_json, read_record, sealed, write_record

RESULTS = Path(__file__).parents[1] / "results"


def test_published_records_are_read_and_written_byte_by_byte(tmp_path):
    """Those of before there were seals too."""
    published = sorted(RESULTS.glob("n*/*.json"))
    assert published or not RESULTS.is_dir()
    for path in published:
        data = path.read_bytes()
        record = read_record(path)
        assert record is not None, path
        write_record(tmp_path, record)
        written = (tmp_path / path.name).read_bytes()
        if b'"seal"' in data:
            assert written == data
        else:
            assert json.loads(written) == sealed(json.loads(data))


def test_every_field_survives_the_disk(tmp_path):
    record = make_record(
        folder="0a1b", tuning_hash="t", notes=("n",), parameters={"a": "1"}, failed={"x": "y"},
        environment={"cpu": "c"}, auc=None, imported=Origin(pack="p", verified=False),
        trained=Trained(method="a", label="A", seed=3, split=None, epochs=7, plan="p"),
        depth="full", resized="r", busy=0.5, csv="c", curve="d", method_hash="m", venue="v",
        status="paper", format=2, target_auc=0.9,
    )  # fmt: skip
    plain = make_record("other", wanted=())
    unlike = [f.name for f in fields(record) if getattr(record, f.name) == getattr(plain, f.name)]
    assert set(unlike) <= {"year", "own", "dataset", "title", "split", "images", "of", "data_hash",
                           "rules", "average_precision", "group", "status"}  # fmt: skip
    for one in (record, plain, replace(plain, rules={}, auc=None, average_precision=None)):
        write_record(tmp_path, one)
        assert read_record(tmp_path / f"{one.file}.json") == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": True}, "images is bool True, expected a whole number"),
        ({"images": 2.0}, "images is float 2.0, expected a whole number"),
        ({"auc": float("nan")}, "it holds NaN"),
        ({"notes": [1]}, r"notes is list \[1\], expected texts"),
        ({"rules": {"own": 3}}, "rules is dict .*expected texts by name"),
        ({"imported": {"pack": "p", "verified": 1}}, "imported: verified is int 1, expected true"),
        ({"imported": "a pack"}, "imported is str"),
    ],
)
def test_what_is_of_another_type_is_refused(tmp_path, change, message):
    path = tmp_path / "toy.json"
    values = {"method": "toy", "label": "Toy", "file": "toy", "dataset": "d", "title": "D",
              "split": "test", "images": 2, "of": 2, "data_hash": "h"}  # fmt: skip
    assert from_json(values).label == "Toy"
    path.write_text(json.dumps(values | change))
    with pytest.raises(ValueError, match=message):
        read_record(path)
    for key in values.keys() - {"method"}:
        with pytest.raises(ValueError, match=f"no {key}"):
            from_json({k: v for k, v in values.items() if k != key})
