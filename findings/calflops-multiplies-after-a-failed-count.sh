#!/usr/bin/env bash
# One count by calflops that ends in an error multiplies all later counts of all models in that
# process; with thop it multiplies those of the same model. No warning comes.
#
# Packages: calflops 0.3.2, thop 0.1.1.post2209072238, torch 2.13.0; as references ptflops 0.7.5,
# fvcore 0.1.5.post20221221, torchinfo 1.8.0. PyPI, November 2026.
#
# A network has a smallest image, and a search for it, or one image too large for the memory, ends a
# count in an error that the caller catches. calflops replaces torch's functions (conv2d, relu, ..) by
# counting ones and puts the old ones back after the forward pass, but not after an error. The next
# count wraps the wrapped ones: after n errors FLOPs and MACs of every model are n + 1 times too large,
# for good, and the factor is a whole number, so that it looks like a rule ("MACs or FLOPs?"). thop
# leaves its hooks on the model: n + 1 times for that model, which then cannot be run any more. Of the
# other three, ptflops prints the error and returns None; all three count right afterwards. Guess before
# it was run: an error leaves nothing behind, and the next count is right, with all five.
#
# Way out: count a fresh copy in a process of its own, and end that process after an error.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/count.py" <<'PYTHON'
import contextlib
import io
import sys
import types
import warnings

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

warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of thop's use of distutils


def network():
    """Two convolutions, the second dilated, with mirrored borders: 5x5 pixels at least."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.Conv2d(8, 1, 3, padding=4, dilation=4, padding_mode="reflect", bias=False),
    )


TOOLS = {
    "thop": lambda model, side: profile(model, (torch.zeros(1, 1, side, side),), verbose=False)[0],
    "ptflops": lambda model, side: get_model_complexity_info(
        model, (1, side, side), as_strings=False, print_per_layer_stat=False
    )[0],
    "fvcore": lambda model, side: FlopCountAnalysis(
        model, torch.zeros(1, 1, side, side)
    ).unsupported_ops_warnings(False).total(),
    "torchinfo": lambda model, side: summary(
        model, (1, 1, side, side), verbose=0
    ).total_mult_adds,
    "calflops": lambda model, side: calculate_flops(
        model, (1, 1, side, side), print_results=False, output_as_string=False
    )[1],  # the last: it would break the others
}
MACS = 10 * 10 * 9 * 8 * 2
seen = {}
for tool, count in TOOLS.items():
    assert count(network(), 10) == MACS, "right at first"
    model = network()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for side in (3, 4):
            try:
                answer = count(model, side)
            except RuntimeError:
                answer = None
            assert answer is None, "too small"
    same, other = count(model, 10) / MACS, count(network(), 10) / MACS
    try:
        runs = bool(model(torch.zeros(1, 1, 10, 10)).numel())
    except AttributeError:
        runs = False
    seen[tool] = same, other, runs
    print(f"{tool:9} after two errors: same model {same:g}x, a new model {other:g}x, "
          f"the model {'runs' if runs else 'is broken'}")
right = (1, 1, True)
assert seen == {
    "calflops": (3, 3, True), "thop": (3, 1, False),
    "ptflops": right, "fvcore": right, "torchinfo": right,
}, seen
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.3.4 setuptools==80.9.0
"$folder/venv/bin/pip" install --quiet fvcore==0.1.5.post20221221
"$folder/venv/bin/pip" install --quiet --no-deps calflops==0.3.2 thop==0.1.1.post2209072238 \
    ptflops==0.7.5 torchinfo==1.8.0
"$folder/venv/bin/python" "$folder/count.py"
# Seen: calflops 3x and 3x; thop 3x, 1x, and the model is broken; ptflops, fvcore and torchinfo 1x.
