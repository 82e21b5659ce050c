"""How far a training is: a row an epoch, and what is shown of it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from istsbench.metrics import RATIOS, pixel_counts, ratios
from istsbench.segmenter import Map, Mask


@dataclass
class History:
    """The epochs done, the seconds they took, the log, and the best epoch on validation."""

    epoch: int = 0
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)


def epoch_scores(outputs: Iterable[Mapping[str, Map]], masks: Iterable[Mask]) -> dict[str, float]:
    """`OUTPUT_RATIO_REDUCTION` of probability maps above 1/2 against their truths."""
    counts: dict[str, list[tuple[int, int, int, int]]] = {}
    for maps, mask in zip(outputs, masks, strict=True):
        for name, score in maps.items():
            counts.setdefault(name, []).append(pixel_counts(score > 0.5, mask))
    columns = ["tp", "fp", "fn", "tn"]
    return output_scores({k: pd.DataFrame(v, columns=columns) for k, v in counts.items()})


def output_scores(counts: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """`OUTPUT_RATIO_REDUCTION` of the pixels of each output, a row (tp, fp, fn, tn) an image."""
    row: dict[str, float] = {}
    for name, frame in counts.items():
        reduced = {
            "image": ratios(frame).mean(),
            "pooled": ratios(frame[["tp", "fp", "fn"]].sum().to_frame().T).iloc[0],
        }
        for reduction, values in reduced.items():
            row |= {f"{name}_{ratio}_{reduction}": float(values[ratio]) for ratio in RATIOS}
    return row


def line(row: Mapping[str, Any]) -> str:
    """An epoch in a few words."""
    shown = [f"epoch {row['epoch']}"]
    shown += [f"{k} {v:.3f}" for k, v in row.items() if k == "loss" or k.endswith("_utility")]
    shown += [
        f"{k.removeprefix('val_')} {v:.3f}"
        for k, v in row.items()
        if k.startswith("val_") and k.endswith(("f1_image", "iou_pooled"))
    ]
    return ", ".join([*shown, row["complaints"]] if row["complaints"] else shown)


def draw_history(log: pd.DataFrame) -> bytes:
    """A PNG of a log: what was minimised, and the pooled F1 of each output if it was validated."""
    from matplotlib.figure import Figure

    names = [str(name) for name in log]
    minimised = [name for name in names if name == "loss" or name.endswith("_utility")]
    scores = [n for n in names if n.startswith("val_") and n.endswith("_f1_pooled")]
    panels = {"training": minimised, "pooled F1 on validation images": scores}
    shown = {title: columns for title, columns in panels.items() if columns}
    figure = Figure(figsize=(5 * max(len(shown), 1), 4), layout="constrained")
    for place, (title, columns) in enumerate(shown.items(), 1):
        axes = figure.add_subplot(1, len(shown), place)
        for name in columns:
            known = log[name].notna()
            label = name.removeprefix("val_").removesuffix("_f1_pooled")
            axes.plot(log["epoch"][known], log[name][known], label=label)
        axes.set(title=title, xlabel="epoch")
        axes.legend()
        if columns is scores:
            axes.set_ylim(0, 1)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return stream.getvalue()
