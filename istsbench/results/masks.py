"""The masks behind stored counts, from score maps or, for rows of a pack, as run lengths.

Run lengths are counted along the rows of a mask, one row after the other, beginning with
background: [3, 2, 4] is three pixels of background, two of target, four of background.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from istsbench.results.results import Results
from istsbench.runs.maps import MapStore
from istsbench.runs.record import Record, map_store

MASK_FOLDER = "masks"  # below a results folder: METHOD.json, masks of the own rule


def encode(mask: np.ndarray) -> list[int]:
    """Run lengths of a bool (H, W) mask."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of_runs(runs: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """The bool (H, W) mask of run lengths."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(shape)


@dataclass(frozen=True)
class Masks:
    """The masks of one method under one rule, by image."""

    rows: pd.DataFrame  # of the rule, indexed by image
    store: MapStore
    packed: dict[str, dict] = field(default_factory=dict)  # image -> size and runs

    @classmethod
    def of(cls, out: Path, results: Results, spec: str, rule: str) -> Masks:
        """`out` is the folder that holds `maps/`, above that of the results."""
        record = results.records[spec]
        rows = results.counts[spec].query("rule == @rule").set_index("image")
        packed = _packed(results.folder, record) if rule == "own" else {}
        return cls(rows, map_store(out, record), packed)

    def __call__(self, name: str) -> np.ndarray | None:
        """The mask of an image, bool (H, W); None if nothing here gives the counts' pixels."""
        row = self.rows.loc[name]
        if name in self.packed:
            found = _unpacked(self.packed[name], row)
            if found is None:
                return None
            mask = found
        else:
            stored = self.store.load(name)
            if stored is None:
                return None
            mask = stored.score.astype(np.float64) > row["level"]
        return mask if np.count_nonzero(mask) == row["tp"] + row["fp"] else None


def _unpacked(entry: dict, row: Any) -> np.ndarray | None:
    """The mask of run lengths in a file; None unless they are of as many pixels as counted."""
    pixels = int(row["tp"] + row["fp"] + row["fn"] + row["tn"])
    try:
        height, width = (int(side) for side in entry["size"])
        runs = [int(run) for run in entry["runs"]]
    except (KeyError, TypeError, ValueError, OverflowError):  # damaged
        return None
    whole = min([height, width, *runs], default=-1) >= 0 and sum(runs) == pixels
    return mask_of_runs(runs, (height, width)) if whole and height * width == pixels else None


def _packed(folder: Path, record: Record) -> dict[str, dict]:
    """Masks that came with a pack, unless the counts were made anew since."""
    try:
        stored = json.loads((folder / MASK_FOLDER / f"{record.file}.json").read_bytes())
        images = stored["images"] if stored["csv"] == record.csv else {}
        return images if isinstance(images, dict) else {}
    except (FileNotFoundError, KeyError, TypeError, ValueError, RecursionError):
        return {}
