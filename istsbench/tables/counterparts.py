"""The paper's tables IV, V, VII and VIII with our measurements beside the printed numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from istsbench.errors import WrongUse
from istsbench.results.protocol import REDUCED
from istsbench.tables.published import paper_table, printed_digits
from istsbench.tables.table import Block, Table

OTHER_TABLES = {"IV": "table_iv", "V": "table_v", "VII": "table_vii", "VIII": "table_viii"}


def paper_beside(
    name: str,
    ours: pd.DataFrame | None = None,
    *,
    protocol: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """One of the paper's tables IV, V, VII, VIII with our numbers, the paper's, the difference.

    `name` is e.g. "table_iv". `ours` has the paper's first column as its key and any of its
    other columns by their names (see `paper_table`), a column of standard deviations by such a
    name and `_sd`; rows and columns of its own follow after the paper's.
    """
    paper = paper_table(name)
    key, *columns = map(str, paper.columns)
    if ours is None:
        ours = pd.DataFrame({key: []})
    if key not in ours:
        raise WrongUse(
            f"{name}: our frame has no column {key!r}, it has {', '.join(map(str, ours))}"
        )
    if ours[key].duplicated().any():
        raise WrongUse(f"{name}: {key} {ours[key][ours[key].duplicated()].iloc[0]!r} is twice")
    spreads = [f"{column}_sd" for column in columns]
    own = [column for column in map(str, ours) if column not in (key, *columns, *spreads)]
    labels = list(dict.fromkeys([*paper[key], *ours[key]]))
    measured = ours.set_index(key).reindex(labels)
    printed = paper.set_index(key).reindex(labels)
    frame, forms = pd.DataFrame({"label": labels, "status": ""}), dict[str, str]()
    digits = printed_digits(name)
    for column in [*columns, *own]:
        frame[column] = measured[column].to_numpy(float) if column in ours else float("nan")
        if column in own:
            rate = column.startswith("fps_")
            forms[column] = ".3f" if _is_ratio(column) else ".3g" if rate else ".6g"
            continue
        frame[f"{column}_paper"] = printed[column].to_numpy(float)
        frame[f"{column}_diff"] = frame[column] - frame[f"{column}_paper"]
        most = max(digits[column])
        forms[column] = f".{max(most, 3) if _is_ratio(column) else most}f"
        forms[f"{column}_paper"] = f".{most}f" if len(digits[column]) == 1 else ".6g"
        forms[f"{column}_diff"] = f"+z.{most}f"
        if f"{column}_sd" in ours:
            frame[f"{column}_sd"] = measured[f"{column}_sd"].to_numpy(float)
    blocks: list[Block] = []
    measured_of = {_prefix(c) for c in columns if frame[c].notna().any()}
    for prefix, title in {**_TITLES, "": "Cost"}.items():
        mine = [c for c in columns if _prefix(c) == prefix]
        # With deviations the whole is wider than a page: what tells nothing new is left to the CSV.
        spread = any(f"{c}_sd" in frame for c in columns)
        if mine and (not spread or prefix in measured_of):
            extra = [c for c in own if _prefix(c) == prefix]
            for head, end, group in (
                ("ours", "", mine + extra), ("paper", "_paper", mine), ("difference", "_diff", mine)
            ):  # fmt: skip
                if not (spread and end == "_diff"):
                    blocks.append((f"{title}, {head}", tuple((c + end, _short(c)) for c in group)))
    filled = [
        (head, kept)
        for head, block in blocks
        if (kept := tuple(pair for pair in block if frame[pair[0]].notna().any()))
    ]
    title = f"Table {name.removeprefix('table_').upper()} of the paper, beside our measurements"
    return Table(title, frame, tuple(filled), tuple(protocol), tuple(notes), name, forms)


_TITLES = {"nust": "NUST-SIRST", "nuaa": "NUAA-SIRST"}
_SHORT = {"f1": "F1", "iou": "IoU", "params": "Params", "flops": "FLOPs"}


def _is_ratio(column: str) -> bool:
    return column.endswith(("_f1", "_iou"))


def _prefix(column: str) -> str:
    first = column.partition("_")[0]
    return first if first in _TITLES else ""


def _short(column: str) -> str:
    """`nust_fps_f1` is "FPs F1" (of the FPs-player), `fps_rtx2080ti` "FPS (rtx2080ti)"."""
    prefix = _prefix(column)
    if prefix:
        players = {"fns": "FNs", "fps": "FPs"}
        words = column.removeprefix(f"{prefix}_").split("_")
        return " ".join((_SHORT | players).get(word, word) for word in words)
    quantity, _, unit = column.partition("_")
    name = _SHORT.get(quantity, quantity.upper())
    return f"{name} ({unit})" if unit else name


def measured(
    name: str, out: Path, reduction: str = "image"
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Our numbers for `paper_beside` from the results folder `out`, and their protocol.

    Tables IV, V and VII are read from OUT/ablations/DATASET, where benchmarks/ablations.py
    writes them, Table VIII from OUT/table_viii.csv. None if nothing is there.
    """
    key = str(paper_table(name).columns[0])
    if name == "table_viii":
        parts = [_costs(*_commented(path)) for path in [out / f"{name}.csv"] if path.is_file()]
    else:
        folders = [(out / "ablations" / dataset, dataset) for dataset in _TITLES]
        parts = [
            _ablation(*_commented(folder / f"{name}.csv"), dataset, reduction)
            for folder, dataset in folders
            if (folder / f"{name}.csv").is_file()
        ]
    if not parts:
        return None, ()
    frames = [frame.set_index("label") for frame, _ in parts]
    ours = pd.concat(frames, axis=1).rename_axis(key).reset_index()
    return ours, tuple(note for _, notes in parts for note in notes)


def _commented(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A CSV file of a table, and the # lines above it but the title."""
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = tuple(line.removeprefix("# ") for line in lines if line.startswith("#"))
    rows = "\n".join(line for line in lines if not line.startswith("#"))
    return pd.read_csv(io.StringIO(rows)), notes[1:]


def _ablation(
    frame: pd.DataFrame, notes: tuple[str, ...], dataset: str, reduction: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """`fusion_f1_image` is `nuaa_f1`, `fns_f1_image_sd` is `nuaa_fns_f1_sd`."""
    names = {
        f"{output}_{ratio}_{reduction}{end}": f"{dataset}_{output}_{ratio}{end}".replace(
            "_fusion", ""
        )
        for output in ("fusion", "fns", "fps")
        for ratio in ("f1", "iou")
        for end in ("", "_sd")
    }
    kept = [column for column in names if column in frame]
    how = tuple(f"{note}, {REDUCED[reduction]}" for note in notes[:1])  # others are of its marks
    return frame[["label", *kept]].rename(columns=names), how


def _costs(frame: pd.DataFrame, notes: tuple[str, ...]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Operations counted as the paper does stand beside its FLOPs, times by themselves."""
    names = {"params_M": "params_M", "operations_G": "flops_G", "fps_single": "fps_ours"}
    kept = [column for column in names if column in frame]
    return frame[["label", *kept]].rename(columns=names), notes
