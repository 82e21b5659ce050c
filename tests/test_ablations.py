import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys import few

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "ablations.py"


@pytest.fixture
def script(monkeypatch):
    small = few(train=2, val=1, test=2)
    monkeypatch.setattr("istsbench.data.datasets.open_dataset", lambda *given: small)
    return runpy.run_path(str(SCRIPT))


def test_tables_are_written_and_shared_variants_trained_once(script, tmp_path):
    script["main"](
        ["V", "VII"], "synthetic", tmp_path / "runs", tmp_path / "results", "pixelgame(width=4)",
        "0,1", epochs=1, patch=32, device="cpu",
    )  # fmt: skip
    runs = {path.name for path in (tmp_path / "runs" / "synthetic").iterdir()}
    single = [f"mim-{loss}" for loss in ("iou", "dice", "ss", "balanced", "bce-iou")]
    game = [f"{attention}-balanced" for attention in ("se", "gc", "triplet", "none")]
    assert runs == {f"{variant}-{seed}" for variant in (*single, *game) for seed in (0, 1)}
    fifth, seventh = (
        pd.read_csv(tmp_path / "results" / "synthetic" / f"table_{name}.csv", comment="#")
        for name in ("v", "vii")
    )
    note = (tmp_path / "results" / "synthetic" / "table_v.md").read_text()
    assert 'the utility of the game is "balanced", not the paper\'s Eq. 12-16' in note
    plain = "BCE + soft IoU, no game"
    assert list(fifth["label"]) == ["IoU loss", "Dice loss", "SS loss", "Ours", plain]
    assert fifth[["fns_f1_image", "fps_iou_pooled"]].notna().all().all()
    assert list(seventh["label"]) == ["SENet", "GCNet", "Triplet", "MIM", "none"]
    kept = pd.read_csv(tmp_path / "results" / "synthetic" / "table_v_counts.csv.xz")
    part = kept[(kept["loss"] == "iou") & (kept["output"] == "fps")]
    assert list(part["seed"]) == [0, 0, 1, 1]
    seeds = 2 * part["tp"] / (2 * part["tp"] + part["fp"] + part["fn"])
    means = seeds.groupby(part["seed"]).mean()
    ours = fifth.set_index("label").loc["IoU loss"]
    assert ours["fps_f1_image"] == pytest.approx(means.mean(), rel=1e-5)
    assert ours["fps_f1_image_sd"] == pytest.approx(means.std(ddof=1), rel=1e-5, abs=1e-9)
    log = pd.read_csv(tmp_path / "results" / "synthetic" / "table_vii_log.csv.xz")
    assert len(log) == 2 * len(seventh)


def test_a_row_is_alike_unless_its_images_differ_throughout(script):
    def row(hits):
        return pd.DataFrame(
            {"image": range(20), "output": "fusion", "seed": 0, "tp": hits, "fp": 1, "fn": 1}
        ).assign(fn=10)

    rng = np.random.default_rng(0)
    own = rng.integers(20, 60, 20)
    shuffled = np.where(np.arange(20) % 2, own + 1, own - 1)
    parts = {"game": row(own), "near": row(shuffled), "worse": row(own // 2)}
    assert script["alike"](parts, "game", "fusion", "f1") == {"near"}


def test_the_paper_s_numbers_stand_beside(script):
    assert script["printed"]("IV", "nuaa")["U+A+G"] == pytest.approx(
        {"fusion_f1_image_paper": 0.8659, "fusion_iou_image_paper": 0.7452}
    )
    assert script["printed"]("V", "nust")["Ours"]["fns_f1_image_paper"] == 0.27
    seventh = script["printed"]("VII", "nuaa")
    assert seventh["MIM"]["fusion_iou_image_paper"] == 0.75
    assert seventh["none"]["fusion_iou_image_paper"] == 0.74
    assert script["printed"]("VII", "synthetic")["MIM"] == {}
