"""The areas under the ROC that the field prints, side by side: of pixels, images and targets.

All are of the same maps and need no threshold, and yet they rank methods differently. The area
over targets counts one as found by any of its pixels (`curves.TargetCurve`), so that nearly every
map comes close to 1; what it lacks of 1 is told in units of 1e-6, which do not hide that.
"""

from __future__ import annotations

import pandas as pd
from scipy.stats import kendalltau

from istsbench.results.results import Results

AREAS = {"auc": "pixels", "auc_image": "images", "target_auc": "targets"}
UNIT = 1e-6


def areas(results: Results, rule: str) -> pd.DataFrame:
    """A row a method, the best area over pixels first: `label`, `AREAS` and their ranks, and IoU.

    IoU is the mean over images under the rule. Methods without one of them, as those counted by an
    earlier version, are left out; the frame may be empty.
    """
    frame = results.summary(rule, "image").set_index("method")
    frame = frame[["label", *AREAS, "iou"]].dropna()
    ranks = frame[[*AREAS, "iou"]].astype(float).rank(method="min", ascending=False).astype(int)
    frame = frame.join(ranks.add_suffix("_rank"))
    return frame.sort_values(["auc_rank", "target_auc_rank"], kind="stable")


def side_by_side(results: Results, rule: str) -> dict[str, str]:
    """The texts of areas.csv and areas.md by name; none without such areas."""
    frame = areas(results, rule)
    if frame.empty:
        return {}
    return {"areas.csv": frame.to_csv(float_format="%.9g"), "areas.md": _markdown(frame, rule)}


def _markdown(frame: pd.DataFrame, rule: str) -> str:
    heads = ["Method", "AUC (pixels)", "rank", "AUC (images)", "rank",
             "1 - AUC (targets) 1e-6", "rank", f"IoU ({rule})", "rank"]  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for _, one in frame.iterrows():
        label = str(one["label"]).replace("|", "\\|")
        lacking = (1 - one["target_auc"]) / UNIT
        values = [f"{one['auc']:.4f}", f"{one['auc_image']:.4f}", f"{lacking:.0f}"]
        cells = [
            part
            for value, name in zip([*values, f"{one['iou']:.3f}"], [*AREAS, "iou"], strict=True)
            for part in (value, str(one[f"{name}_rank"]))
        ]
        lines.append("| " + " | ".join([label, *cells]) + " |")
    near = int((frame["target_auc"] > 0.999).sum())
    notes = [
        "AUC (pixels): exact, over the pixels of all images at once; AUC (images): the mean of the "
        "images' own areas.",
        "AUC (targets): found is a target with any pixel at the level. Up to binning it lacks of 1 "
        "the share of background at least as bright as the brightest pixel of the target; 100e-6 "
        "are six pixels of 256x256. Shape, size and threshold play no part: "
        f"{near} of {len(frame)} methods are above .999.",
    ]
    if len(frame) > 1:
        tau = [
            f"{text} {kendalltau(frame[one], frame[other]).statistic:.2f}"
            for text, one, other in (
                ("pixels and targets", "auc", "target_auc"),
                ("pixels and IoU", "auc", "iou"),
                ("targets and IoU", "target_auc", "iou"),
            )
        ]
        notes.append(f"Kendall's tau of the rankings: {', '.join(tau)}.")
    title = "**Areas under the ROC of the same maps**"
    return "\n".join([title, "", *lines, "", *(f"- {note}" for note in notes), ""])
