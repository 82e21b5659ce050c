#!/usr/bin/env bash
# segmentation-models-pytorch returns nan for an empty prediction of an empty mask whatever its
# argument zero_division says, but only with the reduction "micro".
#
# Packages: segmentation-models-pytorch 0.6.0, torch 2.13.0. PyPI, November 2026.
#
# Every score of that package has an argument zero_division, 1.0 unless given, for 0/0. Guess before it
# was run: 1 for two empty masks, or what is given. With the reductions "macro", "micro-imagewise",
# "macro-imagewise" and "none" it is so. With "micro", which pools the pixels of all images as papers
# on small targets do, the argument is taken and has no effect: IoU, F1, precision and recall are nan
# for 0.0, for 1.0 and for "warn", and no warning comes. It needs a whole set without a positive pixel,
# which is a batch of frames without targets in validation, or precision of a network that predicts
# nothing in its first epochs: precision is nan there while the IoU of the same masks is 0.
#
# Way out: torch.nan_to_num on the result, or pool the counts by hand and pass them as one image.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/empty.py" <<'PY'
import importlib.util
import sys
import types
import warnings

import torch

# The package's metrics without its models, which need torchvision for other tasks.
package = types.ModuleType("segmentation_models_pytorch")
package.__path__ = list(importlib.util.find_spec(package.__name__).submodule_search_locations)
sys.modules[package.__name__] = package
from segmentation_models_pytorch import metrics  # noqa: E402

empty = torch.zeros(2, 1, 12, 12, dtype=torch.long)
target = empty.clone()
target[:, :, 4:6, 4:8] = 1
scores = (metrics.iou_score, metrics.f1_score, metrics.precision, metrics.recall)
seen = {}
for reduction in ("micro", "micro-imagewise", "macro", "macro-imagewise", "none"):
    for given in (0.0, 1.0, "warn"):
        counts = metrics.get_stats(empty, empty, mode="binary")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = [one(*counts, reduction=reduction, zero_division=given) for one in scores]
        found = {float(value.flatten()[0]) for value in values}
        seen[reduction, given] = found
        print(f"{reduction:16} zero_division={given!s:5} {sorted(found)} warnings {len(caught)}")
        if reduction == "micro":
            assert all(value != value for value in found) and not caught, (given, found)
        else:
            assert found == {0.0 if given == "warn" else given}, (reduction, given, found)
            assert bool(caught) == (given == "warn")

counts = metrics.get_stats(empty, target, mode="binary")
precision = metrics.precision(*counts, reduction="micro", zero_division=0.0)
iou = metrics.iou_score(*counts, reduction="micro", zero_division=0.0)
print(f"nothing predicted, 16 pixels to find: precision {float(precision)}, IoU {float(iou)}")
assert precision != precision and iou == 0
PY
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.3.4
"$folder/venv/bin/pip" install --quiet --no-deps segmentation-models-pytorch==0.6.0
"$folder/venv/bin/python" "$folder/empty.py"
# Seen: micro: nan for all three, no warning; every other reduction: 0, 1, and 0 with a warning.
# Nothing predicted, 16 pixels to find: precision nan, IoU 0.
