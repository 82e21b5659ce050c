import runpy
from pathlib import Path

import pytest
import typer

from pixelgame.segmenter import PixelGame

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "game_figures.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_a_log_of_another_network_is_named(script, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,val_map_f1_image\n1,0.5,0.1\n")
    with pytest.raises(typer.BadParameter, match="log.csv is no log of pixelGame"):
        script["evolution"](log, tmp_path)


def test_each_weight_file_has_a_row(script, tmp_path, monkeypatch):
    drawn = {}
    keep = lambda sample, rows, layout: drawn.update(rows)  # noqa: E731
    monkeypatch.setitem(script["attentions"].__globals__, "maps_figure", keep)
    monkeypatch.setitem(script["attentions"].__globals__, "write_figure", lambda *given: None)
    files = [PixelGame(width=4).untrained(tmp_path, seed).weights for seed in (0, 1)]
    image = script["open_dataset"]("synthetic").names("test")[0]
    script["attentions"](image, files, dataset="synthetic", out=tmp_path)
    assert list(drawn) == ["mim", f"mim, {files[1]}"]
