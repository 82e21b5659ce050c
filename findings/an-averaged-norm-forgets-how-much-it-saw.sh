#!/usr/bin/env bash
# A running mean of a network's weights that takes the buffers along gets the statistics of its batch
# norms right and their number of batches wrong: by ema-pytorch it is never counted at all, by torch's
# AveragedModel(use_buffers=True) it hangs behind by a time that grows with the decay.
#
# Packages: torch 2.13.0, ema-pytorch 0.8.3, numpy 2.4.1. PyPI, November 2026.
#
# Guess before it was run: whole numbers cannot be averaged, so both copy them from the network.
# Neither does. torch averages them as real numbers and cuts off what is behind the point, at every step:
# with decay 0.99 the count of the mean stays at 1 for the first hundred steps and is 99 behind for
# good, with 0.999 it stays at 1 for a thousand. ema-pytorch leaves out what is no real number, so
# that the count stays what it was when the mean was made. A norm with a fixed momentum never looks at
# it. One with momentum=None, the plain mean over all batches, does: to begin a fine-tuning with the
# means of ema-pytorch, its first batch counts as the first ever and replaces the statistics of a
# thousand. Without use_buffers AveragedModel copies buffers, counts among them.
#
# Way out: set num_batches_tracked of the mean from the network's, or do not average buffers.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/averaged.py" <<'PY'
import torch
from ema_pytorch import EMA
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def after(steps, decay):
    """Of a norm and its means after so many batches around 100: count, mean, mean one batch later."""
    torch.manual_seed(0)
    norm = nn.Sequential(nn.BatchNorm2d(1, momentum=None))
    follow = get_ema_multi_avg_fn(decay)
    averaged = AveragedModel(norm, multi_avg_fn=follow, use_buffers=True)
    copied = AveragedModel(norm, multi_avg_fn=follow)
    lucid = EMA(norm, beta=decay, update_every=1, update_after_step=0)
    for _ in range(steps):
        norm(torch.randn(4, 1, 8, 8) + 100)
        averaged.update_parameters(norm)
        copied.update_parameters(norm)
        lucid.update()
    found = {}
    for name, part in {
        "the network": norm, "use_buffers=True": averaged.module, "default": copied.module,
        "ema-pytorch": lucid.ema_model,
    }.items():
        count, mean = int(part[0].num_batches_tracked), float(part[0].running_mean)
        part.train()(torch.zeros(4, 1, 8, 8))
        found[name] = count, mean, float(part[0].running_mean)
        print(f"{steps} steps, {decay}: {name:16} count {count:4}, mean {mean:.2f}, "
              f"after a black batch {found[name][2]:.2f}")
    return found


long = after(1000, 0.99)
assert {name: count for name, (count, _, _) in long.items()} == {
    "the network": 1000, "use_buffers=True": 901, "default": 1000, "ema-pytorch": 0,
}
assert all(abs(mean - 100) < 0.1 for _, mean, _ in long.values())
assert long["ema-pytorch"][2] == 0, "the black batch replaces a thousand"
assert long["the network"][2] > 99.8

short = after(100, 0.99)
assert short["use_buffers=True"][0] == 1 and short["the network"][0] == 100
assert abs(short["use_buffers=True"][2] - short["use_buffers=True"][1] / 2) < 0.01, "one half"
assert after(500, 0.999)["use_buffers=True"][0] == 1
print("ok")
PY
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet ema-pytorch==0.8.3 numpy==2.4.1  # it imports numpy, but does not name it
"$folder/venv/bin/python" "$folder/averaged.py"
# Seen: 1000 steps at 0.99: count 1000, use_buffers=True 901, default 1000, ema-pytorch 0; means all 100.00,
# after a black batch 99.90, 99.89, 99.90 and 0.00. 100 steps at 0.99: use_buffers=True 1, after a black
# batch 50.00; 500 steps at 0.999: 1, 50.01.
