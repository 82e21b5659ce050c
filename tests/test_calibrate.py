import runpy
from pathlib import Path

import pandas as pd

from istsbench.data.datasets import open_dataset

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "calibrate.py"
COLUMNS = ["method", "images", "data_hash", "best_rule", "best_f1_pooled", "best_f1_image"]


def test_the_best_rule_joins_those_that_are_there(toys, toy_folder, tmp_path, monkeypatch):
    data = open_dataset(f"folder:{toy_folder}")
    monkeypatch.setattr("istsbench.data.datasets.open_dataset", lambda name: data)
    old = pd.DataFrame([["admd", *"abcd", "1"], ["toy", *"abcd", "1"]], columns=COLUMNS)
    old.assign(own_rule="x").to_csv(tmp_path / "calibration.csv", index=False)
    runpy.run_path(str(SCRIPT))["main"]("toy", "val", None, 1, tmp_path)
    frame = pd.read_csv(tmp_path / "calibration.csv").set_index("method")
    assert list(frame.reset_index()) == COLUMNS
    assert list(frame.index) == ["admd", "toy"] and frame.loc["admd", "best_rule"] == "c"
    assert frame.loc["toy", "images"] == "4" and frame.loc["toy", "best_rule"].startswith("MeanStd")
