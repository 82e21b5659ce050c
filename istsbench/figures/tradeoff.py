"""Score against what it costs: seconds per image, or trained parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from istsbench.errors import BrokenMethod, DataError, WrongUse
from istsbench.figures.charts import SHORT
from istsbench.figures.labels import write_labels
from istsbench.figures.style import (
    GREY,
    PAGE,
    Layout,
    foot,
    group_colour,
    group_marker,
    house_style,
    label_of,
    logarithmic_ticks,
    stamp,
)
from istsbench.metrics import summarise
from istsbench.networks.network import Network
from istsbench.registry import TRADITIONAL, choose, group_named, group_order
from istsbench.results.intervals import paired_rows
from istsbench.results.protocol import REDUCED
from istsbench.results.results import Results
from istsbench.results.shipped import is_shipped
from istsbench.runs.record import Record
from istsbench.segmenter import Segmenter, Trainable

_SHIPPED, _PACKED = "timed elsewhere (shipped rows)", "timed elsewhere (packs)"
_NEVER = "never timed"
_NO_TIME = (_SHIPPED, _PACKED, _NEVER)
_KEY_COLUMNS, _KEY_LINE = 2, 0.125  # of the list of names in a column; inches


def _valued(results: Results, rule: str, reduction: str, score: str) -> pd.DataFrame:
    """A row a complete method: method, label, group, seconds (or nan), value."""
    lines = []
    for spec, rows in paired_rows(results, rule).items():
        record = results.records[spec]
        line = {"method": spec, "label": label_of(record), "group": record.group}
        value = summarise(rows, reduction, empty=results.empty)[score]
        lines.append(line | {"seconds": results.seconds(spec), "value": value})
    return pd.DataFrame(lines, columns=["method", "label", "group", "seconds", "value"])


def _with_front(frame: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Sorted by cost; on the `front` are those that no other beats in one and equals in the
    other."""
    frame = frame.sort_values([cost, "value"], ascending=[True, False], ignore_index=True)
    before = frame["value"].cummax().shift(fill_value=-np.inf)
    return frame.assign(front=frame["value"] > before)


def _staircase(x: Iterable[float], y: Iterable[float], end: float) -> np.ndarray:
    """Corners (n, 2) of a line that keeps each y until the next x, up to `end`."""
    xs, ys = np.repeat([*x, end], 2)[1:], np.repeat([*y], 2)
    return np.column_stack([xs[: len(ys)], ys])


def _scatter(axes: Axes, x: np.ndarray, data: pd.DataFrame) -> None:
    """The methods as points, group by group, those on the front with a black edge."""
    for group in sorted(data["group"].unique(), key=group_order):
        member = (data["group"] == group).to_numpy()
        front = data["front"].to_numpy(dtype=bool)[member]
        axes.scatter(
            x[member], data["value"][member], s=26, marker=group_marker(group),
            color=group_colour(group), edgecolor=np.where(front, "black", "white"),
            linewidth=np.where(front, 0.9, 0.4), zorder=3,
        )  # fmt: skip


def _legend(figure: Figure, groups: Iterable[str], layout: Layout) -> None:
    """A mark a group, all alike; and what black edges and the line mean."""
    handles = [
        Line2D([], [], linestyle="none", marker=group_marker(group), color=group_colour(group),
               markersize=5, markeredgecolor="white", markeredgewidth=0.4,
               label=group_named(group).title)
        for group in sorted(set(groups), key=group_order)
    ]  # fmt: skip
    handles.append(
        Line2D([], [], color=GREY, linewidth=0.8, marker="o", markerfacecolor="white", markersize=5,
               markeredgecolor="black", markeredgewidth=0.9, label="not surpassed in both")
    )  # fmt: skip
    figure.legend(
        handles=handles, loc="outside upper left", ncols=2 if layout.narrow else 6,
        handlelength=1.8, columnspacing=1.2,
    )  # fmt: skip


def _panels(
    layout: Layout, widths: Sequence[float], methods: int
) -> tuple[Figure, list[Axes], Axes | None]:
    """A figure, its panels beside each other, and in a column one below for names of methods."""
    if not layout.narrow:
        figure = Figure(figsize=(layout.width, 4.2), layout="constrained")
        shown = figure.subplots(1, len(widths), sharey=True, width_ratios=widths, squeeze=False)
        return figure, list(shown[0]), None
    below = _KEY_LINE * -(-methods // _KEY_COLUMNS)
    figure = Figure(figsize=(layout.width, 4.1 + below), layout="constrained")
    places = figure.add_gridspec(2, len(widths), height_ratios=(3, below), width_ratios=widths)
    panels = [figure.add_subplot(places[0, 0])]
    panels += [
        figure.add_subplot(places[0, column], sharey=panels[0]) for column in range(1, len(widths))
    ]
    for axes in panels[1:]:
        axes.tick_params(labelleft=False)
    key = figure.add_subplot(places[1, :])
    key.set_axis_off()
    return figure, panels, key


def _names(
    panels: Sequence[tuple[Axes, np.ndarray, pd.DataFrame, np.ndarray | None]], key: Axes | None
) -> None:
    """Name the points of panels (axes, x, rows, corners of a line to keep clear of).

    With axes for a `key` each point has a number, and there is written whose it is.
    """
    number = 0
    rows = pd.concat([rows for _, _, rows, _ in panels])
    lines = -(-len(rows) // _KEY_COLUMNS)
    for axes, x, part, path in panels:
        labels = list(part["label"])
        if key is not None:
            for index, (label, group) in enumerate(zip(part["label"], part["group"], strict=True)):
                labels[index] = str(number + 1)
                column, line = divmod(number, lines)
                _write_key(key, column / _KEY_COLUMNS, 1 - (line + 0.5) / lines,
                           f"{number + 1}  {label}", group)  # fmt: skip
                number += 1
        write_labels(axes, np.column_stack([x, part["value"]]), labels, path)


def _write_key(key: Axes, x: float, y: float, text: str, group: str) -> None:
    """`x` is a share of the figure's width, `y` of the height of the axes."""
    figure = key.figure
    assert isinstance(figure, Figure)
    across = blended_transform_factory(figure.transFigure, key.transAxes)
    (mark,) = key.plot(
        x + 0.03, y, transform=across, marker=group_marker(group), color=group_colour(group),
        markersize=4, linestyle="none", clip_on=False,
    )  # fmt: skip
    written = key.text(x + 0.06, y, text, transform=across, va="center")
    for artist in (mark, written):
        artist.set_in_layout(False)  # they begin left of the axes


def _logarithmic(axes: Axes, values: np.ndarray) -> None:
    """Whole decades around the values, with room for a label behind the last."""
    low, high = np.floor(np.log10(values.min() / 1.3)), np.ceil(np.log10(1.6 * values.max()))
    axes.set(xscale="log", xlim=(10**low, 10**high))
    logarithmic_ticks(axes.xaxis, 6)


def _top(data: pd.DataFrame) -> float:
    return min(1.02, float(1.12 * data["value"].max() + 0.02))


# ------------------------------------------------------------------ seconds


def seconds_data(
    results: Results, rule: str, reduction: str, score: str = "f1"
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A row a method timed here, fastest first: seconds, value, `front`; the complete methods
    that have no time of here; and what there is to say of times.

    On the front are the methods that no other beats in one and equals in the other. A * follows
    the label of those timed while the machine did other work: with their true time they would be
    on the front as well. Times in packs are of other machines. Raises `DataError` if no complete
    method was timed here.
    """
    frame = _valued(results, rule, reduction, score)
    pairs = zip(frame["method"], frame["seconds"], strict=True)
    without = np.array([_no_time(results.records[spec], taken) for spec, taken in pairs], str)
    timed = frame[without == ""]
    if timed.empty:
        reasons = [f"{many} {why}" for why, many in Counter(without).items()]
        raise DataError(
            f"{results.folder}: no method with every image counted under {rule!r} was timed here "
            f"({', '.join(reasons) or 'none is complete'}); times of other machines are not "
            "compared: `istsbench run` times a method"
        )
    machines = sorted({results.records[spec].machine for spec in timed["method"]})
    reasons = [why for why in _NO_TIME if why in [*without]]
    said: dict[str, list[str]] = {
        **{f"no time, as {why}": [*frame["label"][without == why]] for why in reasons},
        "timed on different machines": machines if len(machines) > 1 else [],
    }
    notes = [f"{what}: {', '.join(which)}" for what, which in said.items() if which]
    waited = timed["method"].map(results.waited).astype(bool)
    if waited.any():
        notes.append("* timed while the machine did other work: faster in truth")
    labels = timed["label"].where(~waited, timed["label"] + "*")
    rest = frame[without != ""].assign(front=False).reset_index(drop=True)
    return _with_front(timed.assign(label=labels), "seconds"), rest, notes


def _no_time(record: Record, seconds: float) -> str:
    """Why a row has no time that was taken here, one of `_NO_TIME`; "" if it has."""
    if record.imported is not None:
        return _SHIPPED if is_shipped(record) else _PACKED
    return _NEVER if np.isnan(seconds) else ""


@house_style()
def seconds(
    results: Results, rule: str, reduction: str, score: str = "f1", layout: Layout = PAGE
) -> Figure:
    """Score against the seconds of a median image; a line joins the methods that none surpasses
    in both. Methods without a time, such as submitted predictions, stand in a band at the right.
    """
    data, rest, notes = seconds_data(results, rule, reduction, score)
    widths = (4.5, 1) if len(rest) else (1,)
    figure, (axes, *bands), key = _panels(layout, widths, len(data) + len(rest))
    x = data["seconds"].clip(lower=1e-7).to_numpy()
    front = data["front"].to_numpy()
    _logarithmic(axes, x)
    axes.set_ylim(0, _top(pd.concat([data, rest])))
    path = _staircase(x[front], data["value"][front], axes.get_xlim()[1])
    axes.plot(*path.T, color=GREY, linewidth=0.8, zorder=1)
    _scatter(axes, x, data)
    axes.set(xlabel="Seconds of a median image", ylabel=SHORT.get(score, score))
    _legend(figure, [*data["group"], *rest["group"]], layout)
    foot(figure, stamp(results, layout, f"rule {rule}", REDUCED[reduction], *notes))
    panels: list[tuple[Axes, np.ndarray, pd.DataFrame, np.ndarray | None]]
    panels = [(axes, x, data, path)]
    for band in bands:
        _plain_band(band, "No time")
        places = np.zeros(len(rest))
        _scatter(band, places, rest)
        panels.append((band, places, rest, None))
    _names(panels, key)
    return figure


def _plain_band(axes: Axes, name: str) -> None:
    """A panel of methods that have no place on the axis of costs."""
    axes.set(xlim=(-1, 1), xticks=[], xlabel=name)
    axes.set_facecolor("#f4f4f4")


# ------------------------------------------------------------------ parameters


def trained_parameters(spec: str, group: str) -> int | None:
    """How many numbers the method behind a row learnt: 0 for one that learns nothing, None
    if it is not known here (a stranger's network, or predictions)."""
    try:
        (choice,) = choose(spec)
        method: Segmenter | None = choice.create()
    except (WrongUse, BrokenMethod, TypeError, ValueError):
        method = None
    if method is None or method.card.group != group:  # unknown, or only called alike
        return 0 if group in TRADITIONAL else None
    if not isinstance(method, Trainable):
        return 0
    if not isinstance(method, Network):
        return None
    import torch

    with torch.random.fork_rng(devices=[]):
        return sum(weights.numel() for weights in method.build().parameters())


def parameters_data(
    results: Results, rule: str, reduction: str, score: str = "f1"
) -> tuple[pd.DataFrame, list[str]]:
    """A row a method, fewest parameters first: parameters, value, `front`; then the labels of
    complete methods whose parameters are not known.

    Raises `DataError` if there is no network among the rows.
    """
    frame = _valued(results, rule, reduction, score)
    counted = [trained_parameters(spec, results.records[spec].group) for spec in frame["method"]]
    frame = frame.assign(parameters=pd.Series(counted, dtype="Int64"))
    unknown = frame["parameters"].isna()
    known = frame[~unknown]
    if not (known["parameters"] > 0).any():
        raise DataError(
            f"{results.folder}: no network with every image counted under {rule!r}, so there are "
            "no parameters to compare; run one with `istsbench run --methods cnn`"
        )
    return _with_front(known, "parameters"), list(frame["label"][unknown])


@house_style()
def parameters_figure(
    results: Results, rule: str, reduction: str, score: str = "f1", layout: Layout = PAGE
) -> Figure:
    """Score against trained parameters; methods that learn nothing stand in a band at the left.

    The line joins the methods that none surpasses in both, those without parameters included.
    """
    data, unknown = parameters_data(results, rule, reduction, score)
    plain, network = data[data["parameters"] == 0], data[data["parameters"] > 0]
    groups = sorted(plain["group"].unique(), key=group_order)
    widths = (max(len(groups), 0.4), 2.4 if layout.narrow else 3.4)
    figure, (left, right), key = _panels(layout, widths, len(data))
    _plain_band(left, "No parameters" if layout.narrow else "No trained parameters")
    left.set(xlim=(-0.45, max(len(groups), 1) - 0.1), xticks=[], ylim=(0, _top(data)))
    left.set_ylabel(SHORT.get(score, score))
    x = network["parameters"].to_numpy(float)
    _logarithmic(right, x)
    right.set(xlabel="Trained parameters")
    # Equals of a group side by side, so that their marks and labels stay apart.
    aside = 0.14 * (plain.groupby("group").cumcount().to_numpy() % 3 - 1)
    places = np.array([groups.index(group) for group in plain["group"]], dtype=float) + aside
    _scatter(left, places, plain)
    _scatter(right, x, network)
    start, end = right.get_xlim()
    best = plain[plain["front"]]["value"].iloc[-1:]
    front = network[network["front"]]
    steps = _staircase(
        [*([start] * len(best)), *front["parameters"]], [*best, *front["value"]], end
    )
    right.plot(*steps.T, color=GREY, linewidth=0.8, zorder=1)
    level = np.empty((0, 2))
    if len(best):
        level = np.array(
            [[places[best.index[0]], best.iloc[0]], [left.get_xlim()[1], best.iloc[0]]]
        )
        left.plot(*level.T, color=GREY, linewidth=0.8, zorder=1)
    _legend(figure, data["group"], layout)
    note = [f"parameters not known: {', '.join(unknown)}"] if unknown else []
    foot(figure, stamp(results, layout, f"rule {rule}", REDUCED[reduction], *note))
    _names([(left, places, plain, level), (right, x, network, steps)], key)
    return figure
