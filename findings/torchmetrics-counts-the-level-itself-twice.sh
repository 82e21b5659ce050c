#!/usr/bin/env bash
# torchmetrics takes a score that lies exactly on the threshold as negative in a metric and as
# positive in a curve, so that recall at 0.5 and the recall curve's point at 0.5 differ.
#
# Packages: torchmetrics 1.9.0, torch 2.13.0, scikit-learn 1.9.0 as reference. PyPI, November 2026.
#
# Guess before it was run: the classification metrics compare by "greater than", and so does
# everything else of that package. Only the first half is right. The metrics that take a threshold
# (recall, F1, Jaccard index, stat scores) call a score positive if it is greater than the threshold;
# the precision-recall curve and the ROC with the same threshold call it positive if it is greater or
# equal. For continuous scores this is nothing. For score maps of few levels it is the whole target: a
# map saved with eleven levels 0, 0.1, .. 1, a vote of ten networks, or a traditional map that was
# divided by its maximum, often has targets at exactly one half. scikit-learn's curve includes the
# threshold as well, so that a curve of one package and a metric of the other do not agree either.
#
# Way out: read a recall at a level from one of the two only, and say which sign it has.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/level.py" <<'PY'
import torch
from sklearn.metrics import precision_recall_curve
from torchmetrics.functional.classification import (
    binary_f1_score,
    binary_jaccard_index,
    binary_precision_recall_curve,
    binary_recall,
    binary_roc,
)

# Ten target pixels, four of which at the level itself, beside twenty of background.
votes = torch.tensor([9, 8, 7, 6, 6, 5, 5, 5, 5, 1] + [5] * 2 + [0] * 18) / 10
truth = torch.tensor([1] * 10 + [0] * 20)
assert (votes == 0.5).sum() == 6

recall = binary_recall(votes, truth, threshold=0.5)
_, curve, levels = binary_precision_recall_curve(votes, truth, thresholds=[0.5])
false, found, _ = binary_roc(votes, truth, thresholds=[0.5])
print(f"recall at 0.5: metric {recall:.2f}, curve {curve[0]:.2f}, ROC {found[0]:.2f}")
print(f"F1 at 0.5 {binary_f1_score(votes, truth):.3f}, "
      f"Jaccard index {binary_jaccard_index(votes, truth):.3f}, ROC false {false[0]:.2f}")
assert levels.tolist() == [0.5]
assert abs(float(recall) - 0.5) < 1e-6, "five of ten are greater"
assert abs(float(curve[0]) - 0.9) < 1e-6, "nine of ten are greater or equal"
assert abs(float(found[0]) - 0.9) < 1e-6 and abs(float(false[0]) - 0.1) < 1e-6
assert abs(float(binary_jaccard_index(votes, truth)) - 0.5) < 1e-6

_, other, levels = precision_recall_curve(truth, votes.double().round(decimals=1))
at = [float(r) for r, level in zip(other, levels) if level == 0.5]
print(f"scikit-learn's curve at 0.5: {at[0]:.2f}")
assert len(at) == 1 and abs(at[0] - 0.9) < 1e-6
PY
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchmetrics==1.9.0 scikit-learn==1.9.0
"$folder/venv/bin/python" "$folder/level.py"
# Seen: recall at 0.5: metric 0.50, curve 0.90, ROC 0.90; F1 at 0.5 0.667, Jaccard index 0.500,
# ROC false 0.10; scikit-learn's curve at 0.5: 0.90.
