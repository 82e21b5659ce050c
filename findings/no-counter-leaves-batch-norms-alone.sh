#!/usr/bin/env bash
# None of five counters of operations leaves the batch norms of a network in training as they were:
# a count between two steps freezes all of them, thaws the frozen ones, or moves their statistics.
#
# Packages: ptflops 0.7.5, thop 0.1.1.post2209072238, fvcore 0.1.5.post20221221, torchinfo 1.8.0,
# calflops 0.3.2, torch 2.13.0. PyPI, November 2026.
#
# A network is trained from a pretrained trunk: its first batch norm is frozen by eval(), the second
# learns its statistics. Its operations are counted, and training goes on. ptflops (both backends) and
# calflops leave all in evaluation mode: the second stops to learn its statistics. thop and torchinfo
# restore the mode of the root alone, by root.train(): the frozen one thaws, and the next steps
# overwrite the pretrained statistics. fvcore leaves the modes and runs the dummy image in training
# mode: the second moves a tenth of the way to the statistics of an empty image. No error, no warning
# (fvcore's "Unsupported operator aten::add_" is the batch norm's counter); validation differs. Only
# torchinfo's README warns of it (layers in different modes "may have side effects"). Guess before it
# was run: each restores the modes part by part, or at least one of five does.
#
# Way out: count copy.deepcopy(network).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/count.py" <<'PYTHON'
import copy
import sys
import types

# calflops without its functions for models of Hugging Face, which need three large packages.
for name, imported in {
    "transformers": ["AutoTokenizer"],
    "accelerate": ["init_empty_weights"],
    "accelerate.utils": ["is_timm_available", "is_transformers_available"],
    "huggingface_hub": ["model_info"],
    "huggingface_hub.utils": ["GatedRepoError", "RepositoryNotFoundError"],
}.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(dict.fromkeys(imported, lambda: False))

import torch
from calflops import calculate_flops
from fvcore.nn import FlopCountAnalysis
from ptflops import get_model_complexity_info
from thop import profile
from torch import nn
from torchinfo import summary

SHAPE = (1, 1, 32, 32)


def ptflops(backend):
    return lambda network: get_model_complexity_info(
        network, SHAPE[1:], print_per_layer_stat=False, backend=backend
    )


COUNTERS = {
    "none": lambda network: None,
    "ptflops, pytorch": ptflops("pytorch"),
    "ptflops, aten": ptflops("aten"),
    "thop": lambda network: profile(network, (torch.zeros(SHAPE),), verbose=False),
    "fvcore": lambda network: FlopCountAnalysis(network, torch.zeros(SHAPE)).total(),
    "torchinfo": lambda network: summary(network, SHAPE, verbose=0),
    "calflops": lambda network: calculate_flops(network, SHAPE, print_results=False),
}
torch.manual_seed(0)
start = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
    nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1),
)
images = torch.rand(10, 4, *SHAPE[1:])
masks = (images > 0.9).float()


def trained(count):
    """Modes and a shift of the statistics after the count, and the statistics after ten steps."""
    network = copy.deepcopy(start).train()
    frozen, learning = network[1].eval(), network[4]
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    count(network)
    state = frozen.training, learning.training, int(learning.num_batches_tracked)
    for image, mask in zip(images, masks):
        loss = nn.functional.binary_cross_entropy_with_logits(network(image), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    steps = int(frozen.num_batches_tracked), int(learning.num_batches_tracked)
    with torch.no_grad():
        return *state, *steps, network.eval()(images[0])


modes = {True: "training", False: "evaluation"}
seen = {}
for name, count in COUNTERS.items():
    *state, output = trained(count)
    seen[name] = tuple(state)
    answers = output if name == "none" else answers
    differs = float((output - answers).abs().max())
    print(f"{name:16} the frozen one in {modes[state[0]]:10} the other in {modes[state[1]]:10} "
          f"updates by the count {state[2]}, after ten steps {state[3]} and {state[4]}; "
          f"logits differ by {differs:.3f}")
    assert (differs > 1e-3) == (name != "none")
everything_frozen, thawed = (False, False, 0, 0, 0), (True, True, 0, 10, 10)
assert seen == {
    "none": (False, True, 0, 0, 10),
    "ptflops, pytorch": everything_frozen,
    "ptflops, aten": everything_frozen,
    "thop": thawed,
    "fvcore": (False, True, 1, 0, 11),
    "torchinfo": thawed,
    "calflops": everything_frozen,
}, seen
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.3.4 setuptools==80.9.0
"$folder/venv/bin/pip" install --quiet fvcore==0.1.5.post20221221
"$folder/venv/bin/pip" install --quiet --no-deps calflops==0.3.2 thop==0.1.1.post2209072238 \
    ptflops==0.7.5 torchinfo==1.8.0
"$folder/venv/bin/python" "$folder/count.py"
# Seen: without a count the frozen one in evaluation, the other in training, after ten steps 0 and 10
# updates. ptflops (both) and calflops: both in evaluation, 0 and 0. thop and torchinfo: both in
# training, 10 and 10. fvcore: modes as they were, one update by the count, 0 and 11. Logits differ
# from those without a count by 0.27, 0.23 and 0.02.
