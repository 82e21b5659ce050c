import dataclasses
import runpy
from pathlib import Path

import pandas as pd
import pytest

from istsbench.data.synthetic import synthetic

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "ablations.py"


@pytest.fixture
def script(monkeypatch):
    whole = synthetic()
    names = whole.splits
    splits = {"train": names["train"][:2], "val": names["val"][:1], "test": names["test"][:2]}
    monkeypatch.setattr(
        "istsbench.data.datasets.open_dataset",
        lambda *given: dataclasses.replace(whole, splits=splits),
    )
    return runpy.run_path(str(SCRIPT))


def test_tables_are_written_and_shared_variants_trained_once(script, tmp_path):
    script["main"](
        ["V", "VII"], "synthetic", tmp_path / "runs", tmp_path / "results", width=4, epochs=1,
        patch=32, device="cpu",
    )  # fmt: skip
    runs = {path.name for path in (tmp_path / "runs" / "synthetic").iterdir()}
    assert runs == {
        "mim-iou", "mim-dice", "mim-ss", "mim-balanced",
        "se-balanced", "gc-balanced", "triplet-balanced", "none-balanced",
    }  # fmt: skip
    fifth, seventh = (
        pd.read_csv(tmp_path / "results" / "synthetic" / f"table_{name}.csv", comment="#")
        for name in ("v", "vii")
    )
    note = (tmp_path / "results" / "synthetic" / "table_v.md").read_text()
    assert 'the utility of the game is "balanced", not the paper\'s Eq. 12-16' in note
    assert list(fifth["label"]) == ["IoU loss", "Dice loss", "SS loss", "Ours"]
    assert fifth[["fns_f1_image", "fps_iou_pooled"]].notna().all().all()
    assert list(seventh["label"]) == ["SENet", "GCNet", "Triplet", "MIM", "none"]


def test_the_paper_s_numbers_stand_beside(script):
    assert script["printed"]("IV", "nuaa")["U+A+G"] == pytest.approx(
        {"fusion_f1_image_paper": 0.8659, "fusion_iou_image_paper": 0.7452}
    )
    assert script["printed"]("V", "nust")["Ours"]["fns_f1_image_paper"] == 0.27
    seventh = script["printed"]("VII", "nuaa")
    assert seventh["MIM"]["fusion_iou_image_paper"] == 0.75
    assert seventh["none"]["fusion_iou_image_paper"] == 0.74
    assert script["printed"]("VII", "synthetic")["MIM"] == {}
