import re

import numpy as np
import pytest
import torch
from torch import nn

from baselines.cnn.acm import ACM
from baselines.cnn.acm_net import FPN, UNet
from baselines.cnn.alcnet_net import ContrastNet
from baselines.cnn.mdvsfa_net import Generators, Plain, Skipping
from istsbench.networks import cost as complexity
from istsbench.networks.cost import SIZE, Speed, cost, matrix_rate, speed, table_viii
from istsbench.networks.winograd import Winograd
from pixelgame.players import FDCN, Players
from pixelgame.segmenter import PixelGame, SlimPixelGame


def test_a_convolution_by_hand():
    found = cost(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()), 10)
    assert found.parameters == 36 + 4 + 8
    assert found.macs == 100 * 36
    assert found.flops == 2 * found.macs
    assert found.operations == 100 * (36 + 4) + 2 * 400 + 400


def test_a_transposed_convolution_counts_once_in_macs_and_by_output_in_operations():
    found = cost(nn.ConvTranspose2d(1, 2, 4, 2, 1, bias=False), 10)
    assert found.macs == 100 * 2 * 16
    assert found.operations == 400 * 2 * 16


def one_of_each():
    """Modules that the networks here do not have, and those of other packages may."""
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.PReLU(), nn.GroupNorm(2, 4), nn.ReLU6(), nn.AvgPool2d(2)),
        *(nn.InstanceNorm2d(4), nn.ELU(), nn.Upsample(scale_factor=2), nn.GELU()),
        *(nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(36, 5), nn.Sigmoid()),
    )


# Counted by ptflops 0.6.9 on these modules, one channel of 96x96.
COUNTED = [
    (one_of_each, 654_049),
    (lambda: UNet(3, 4, "down4"), 70_121_344),
    (lambda: FPN(3, 4, "down4"), 39_750_016),
    (lambda: ContrastNet(3, 4, "tiny"), 516_897_792),
    (lambda: FDCN(4, 16, "mim"), 177_215_232),
    (lambda: FDCN(4, 16, "se"), 177_103_971),
    (lambda: FDCN(4, 16, "triplet"), 180_347_904),
]


@pytest.mark.parametrize("build, operations", COUNTED)
def test_the_usual_tool_gives_the_same(build, operations):
    assert cost(build(), 96).operations == operations


# Counted by the same tool on independent builds at 480x480, billions.
ELSEWHERE = [
    (lambda: Plain(64), 3_138_497, 723.4489),
    (lambda: Skipping(64), 629_825, 145.3034),
    (lambda: FDCN(4, 128, "none"), 1_184_385, 273.1477),
    (lambda: FDCN(6, 64, "none"), 445_505, 102.836),
]


@pytest.mark.parametrize("build, parameters, billions", ELSEWHERE)
def test_independent_builds_cost_the_same(build, parameters, billions):
    found = cost(build())
    assert found.parameters == parameters
    assert found.operations / 1e9 == pytest.approx(billions, rel=0, abs=1e-4)


def test_the_figures_of_the_paper_are_recognised():
    made = table_viii(size=SIZE, batches=(), seconds=0)
    rows = made.frame.set_index("label")
    game, adversaries = rows.loc["pixelGame"], rows.loc["MDvsFA-cGAN"]
    assert f"{game['params_M']:.2f}" == f"{game['params_M_paper']:.2f}" == "1.69"
    assert f"{adversaries['operations_G']:.2f}" == "868.75"
    assert f"{adversaries['operations_G_paper']:.2f}" == "868.75"
    assert game["operations_G_paper"] == 273.15
    assert "pixelGame: FNs-player without MIM: 1.184 M weights, 273.15 G operations" in made.notes
    assert (
        list(rows["status"].index[:2]) == ["ACM", "ALCNet"] and "pixelGame (w/o MIM)" in rows.index
    )
    assert game["flops_G"] == 2 * game["macs_G"]


def test_the_table_is_written(tmp_path):
    made = table_viii(["acm", "pixelgame-slim"], size=32, device="cpu", batches=(1, 2), seconds=0)
    paths = made.write(tmp_path)
    text = paths[1].read_text()
    assert "32x32" in text and "ACM" in text and re.search(r"\d threads?, fp32", text)
    assert (made.frame["fps_single"] > 0).all()
    assert made.frame["rate_share"].isna().all() and "matrix rate" not in text
    assert "ACM: 0.398 M weights here, 0.63 M in the paper" in text


def test_counting_leaves_the_module_alone_and_needs_no_memory():
    module = Players(8, "mim").train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    cost(module, 64)
    assert not any(part._forward_hooks for part in module.modules())
    assert all(part.training for part in module.modules())
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    assert cost(Generators(64), 4096).macs > 1e13


def test_what_has_no_rule_is_refused():
    with pytest.raises(NotImplementedError, match="LSTM"):
        cost(nn.Sequential(nn.Flatten(0, 1), nn.LSTM(8, 4)), 8)


def test_the_clock_is_for_the_module_that_scores(monkeypatch):
    timed = []
    outputs = PixelGame.outputs

    def spy(self, module, inputs):
        timed.append(module)
        return outputs(self, module, inputs)

    monkeypatch.setattr(PixelGame, "outputs", spy)
    speed(SlimPixelGame(device="cpu"), size=32, batches=(1,), seconds=0)
    assert any(isinstance(part, Winograd) for part in timed[0].modules())


def test_a_clock_runs():
    found = speed(ACM(device="cpu", blocks=1), size=32, batches=(1, 2), seconds=0)
    assert 0 < found.latency_ms <= found.latency_p95_ms
    assert found.fps_batch == found.fps_single == pytest.approx(1e3 / found.latency_ms)
    assert found.best_batch == 1
    assert np.isnan(found.memory_mib)
    assert matrix_rate(torch.device("cpu"), "fp32") > 0


def test_batches_are_shown_where_they_gain(monkeypatch):
    found = {"acm": (2, 30.0, 512.4), "alcnet": (1, 20.0, np.nan)}

    def timed(network, *_):
        batch, rate, memory = found[type(network).__name__.lower()]
        return Speed("a device", "fp32", 20.0, 50.0, 50.0, rate, batch, memory)

    monkeypatch.setattr(complexity, "speed", timed)
    both = table_viii(["acm", "alcnet"], size=32, device="cpu", batches=(1, 2)).markdown()
    assert "images/s batch" in both and "| 512 |" in both
    assert "Best batch: ACM 2, ALCNet 1." in both
    alone = table_viii(["alcnet"], size=32, device="cpu", batches=(1, 2)).markdown()
    assert "batch" not in alone and "MiB" not in alone and "| 20 |" in alone
