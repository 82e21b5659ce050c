"""benchmarks/recipes.py: each recipe trained, and what the validation images say of it."""

import runpy
from pathlib import Path

import pandas as pd
import pytest
from toys import few

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "recipes.py"


@pytest.fixture
def script(monkeypatch):
    small = few(train=2, val=2, test=2)
    monkeypatch.setattr("istsbench.data.datasets.open_dataset", lambda *given: small)
    return runpy.run_path(str(SCRIPT))


def test_fields_are_numbers_texts_or_nothing(script):
    assert script["changes_of"]("lr=1e-3,turns=none,side=null,batch=4") == {
        "lr": 1e-3, "turns": "none", "side": None, "batch": 4,
    }  # fmt: skip
    assert script["changes_of"]("") == {}


@pytest.mark.parametrize("method", ["acm(blocks=1)", "pixelgame(width=4)"])
def test_each_recipe_has_its_line(script, method, tmp_path, capsys):
    tries = ["patch=32", "patch=32,rescale=1.5"]
    script["main"](method, "synthetic", 2, tries, "0", 1, "fp32", tmp_path)
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| as it is", *(f"| {t}" for t in tries)]
    log = pd.read_csv(tmp_path / "patch=32-0" / "log.csv").set_index("epoch")
    told = lines[1].strip("| ").split(" | ")
    column = next(c for c in log if c in ("val_map_f1_image", "val_fusion_f1_image"))
    assert told[3] == f"{log[column][int(told[2])]:.3f}"
