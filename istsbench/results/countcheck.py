"""What the counts and the curve of a pack must look like; every doubt is a `PackError`.

Counts are as this version writes them, or as earlier ones did, without the columns `OF_MASK` and
`OF_MAP`; single rules may lack these too, where a run of this version counted others again.
"""

from __future__ import annotations

import io
import re
import warnings

import numpy as np
import pandas as pd

from istsbench.errors import PackError
from istsbench.runs.counting import COLUMNS, FIRST_COLUMNS, OF_MAP, OF_MASK, SUMS
from istsbench.runs.record import Record

MAX_COUNT = 2**40  # no column of counts comes near
MAX_SUM = 1e300  # a gain over a map that is nearly flat is large, but a number
INTEGERS = tuple(c for c in FIRST_COLUMNS if c not in ("image", "rule", "level", "seconds"))
_LATER = (*OF_MASK, *OF_MAP)
_PART = r"""[^./\\:*?"<>|\x00-\x1f][^/\\:*?"<>|\x00-\x1f]{0,199}"""
_IMAGE = re.compile(f"{_PART}(/{_PART}){{0,7}}")  # frames of sequences are SEQUENCE/NAME


def _frame(
    data: bytes, what: str, columns: tuple[str, ...], texts: tuple[str, ...]
) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame = pd.read_csv(
                io.BytesIO(data), dtype=dict.fromkeys(texts, str), index_col=False,
                keep_default_na=False, na_values=dict.fromkeys(set(columns) - set(texts), [""]),
                low_memory=False,
            )  # fmt: skip
    except (ValueError, OverflowError, Warning) as error:
        raise PackError(f"{what} cannot be read as CSV ({error})") from None
    expect(
        tuple(frame.columns) == columns,
        f"{what}: columns {short(list(frame.columns))}, expected {', '.join(columns)}",
    )
    for column in set(columns) - set(texts):
        kind = frame[column].dtype.kind
        expect(
            kind in "if" or not len(frame), f"{what}: {column} holds something else than numbers"
        )
    return frame


def checked_counts(data: bytes, record: Record, what: str) -> pd.DataFrame:
    """The rows of METHOD.csv, with blanks for what an earlier version did not count."""
    old = data.split(b"\n", 1)[0].strip() == ",".join(FIRST_COLUMNS).encode()
    rows = _frame(data, what, FIRST_COLUMNS if old else COLUMNS, ("image", "rule"))
    rows = rows.reindex(columns=COLUMNS)
    for name in rows["image"].unique():
        expect(
            bool(_IMAGE.fullmatch(name)), f"{what}: image {short(name)} is not allowed as a name"
        )
    names, failed, rules = set(rows["image"]), {*record.failed}, {*record.rules}
    expect(
        not rows.duplicated(["image", "rule"]).any()
        and set(rows["rule"]) <= rules
        and len(rows) == len(names) * len(rules),
        f"{what}: not one row for each image and rule",
    )
    expect(
        len(names) + len(failed - names) >= record.images >= len(names) > 0,
        f"{what}: counts of {len(names)} images, the record has {record.images}",
    )
    for column in INTEGERS:
        values = rows[column]
        expect(
            values.dtype.kind == "i" and values.between(0, MAX_COUNT).all(),
            f"{what}: {column} must be whole numbers from 0",
        )
    expect(bool(np.isfinite(rows["level"].astype(float)).all()), f"{what}: a level is not finite")
    seconds = rows["seconds"].astype(float)
    expect(
        bool((seconds.isna() | seconds.between(0, 1e9)).all()), f"{what}: a time is out of range"
    )
    sums = rows.assign(
        pixels=rows[["tp", "fp", "fn", "tn"]].sum(axis=1), positives=rows["tp"] + rows["fn"]
    )
    same = sums.groupby("image")[["pixels", "positives", "targets"]].nunique()
    expect(bool((same == 1).all(axis=None)), f"{what}: rules disagree on an image's truth")
    for suffix in ("", "_hungarian"):
        expect(
            bool((rows[f"detected{suffix}"] <= rows["targets"]).all()),
            f"{what}: more targets detected than there are",
        )
    predicted = rows["tp"] + rows["fp"]
    for column in ("false_pixels", "false_pixels_area", "false_pixels_hungarian"):
        expect(bool((rows[column] <= predicted).all()), f"{what}: {column} above the mask's size")
    _check_later(rows, what)
    return rows


def _check_later(rows: pd.DataFrame, what: str) -> None:
    """The columns that earlier versions lack: each row has all or none of them."""
    later = rows[[*_LATER]].astype(float)
    blank = later.drop(columns="auc").isna()  # an image without a target has no area
    some = blank.any(axis=1) & ~blank.all(axis=1)
    expect(not some.any(), f"{what}: a row lacks some columns")
    expect(
        bool((later["auc"].isna() | ~blank["regions"]).all()), f"{what}: an area without regions"
    )
    found = later[~blank["regions"]]
    targets, predicted = rows["targets"][found.index], (rows["tp"] + rows["fp"])[found.index]
    for column in _LATER:
        values = found[column].dropna() if column == "auc" else found[column]
        most = 1 if column == "auc" else MAX_SUM if column in SUMS else MAX_COUNT
        expect(values.between(0, most).all(), f"{what}: {column} must be numbers from 0 to {most}")
        expect(column in SUMS or (values % 1 == 0).all(), f"{what}: {column} must be whole numbers")
    pairs = found["detected_opdc"]
    parts = found[["iou_opdc", "merged_opdc", "spilled_opdc", "missed_opdc"]].sum(axis=1)
    bounds = {
        "regions": predicted,
        "regions_apart": found["regions"] - pairs,
        "targets_apart": targets - pairs,
        "detected_shooting": targets,
        "false_pixels_opdc": predicted,
        "false_pixels_shooting": predicted,
        **{column: targets for column in OF_MAP if column.endswith("_targets")},
    }
    for column, whole in bounds.items():
        expect(bool((found[column] <= whole).all()), f"{what}: {column} is above what it is of")
    expect(
        bool((parts - pairs).abs().le(1e-9 * (1 + pairs)).all()),
        f"{what}: the parts of the pairs do not add up to their number",
    )
    same = found[[*OF_MAP]].groupby(rows["image"][found.index]).nunique()
    expect(bool((same <= 1).all(axis=None)), f"{what}: rules disagree on what maps come to")


def checked_curve(data: bytes, what: str) -> None:
    """The points of the ROC and PR curve."""
    columns = ("fpr", "tpr", "precision")
    points = _frame(data, what, columns, ()).astype(float)
    inside = points.apply(lambda column: column.between(0, 1 + 1e-9))
    expect(bool(inside.all(axis=None)), f"{what}: a rate is outside 0..1")
    rising = all(points[column].is_monotonic_increasing for column in ("fpr", "tpr"))
    expect(rising, f"{what}: the points are not in order")


def short(value: object) -> str:
    """A value as a message names it, however long it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or deep nesting
        return type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def expect(true: object, reason: str) -> None:
    """Raise `PackError` with the reason unless it is true."""
    if not true:
        raise PackError(reason)
