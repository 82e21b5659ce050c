"""Trainings that differ by their seed alone, and their mean and spread as one row.

The seed and the plan of a training stand in the header of a weight file. A run copies
them into the record of its row, so rows can be put together without the weights at hand,
those of a pack too.
"""

from __future__ import annotations

import pandas as pd

from istsbench.metrics import RATIOS
from istsbench.results.results import SUMMARY, Results
from istsbench.runs.record import Trained

SPREAD = (  # given a standard deviation
    *RATIOS, "niou", "pd", "fa", "hiou", "loc", "seg", "pd_shooting", "fa_shooting", "auc",
    "auc_image", "target_auc",
)  # fmt: skip
_TEXTS = ("method", "label", "group", "year", "status", "rule")
NUMBERS = tuple(column for column in SUMMARY if column not in _TEXTS)


def averaged(
    part: pd.DataFrame, results: Results
) -> tuple[pd.DataFrame, list[str], dict[str, list[str]]]:
    """A summary with one row in place of those that differ by their seed alone, notes, and
    the rows of before that each row stands for.

    The row holds means, `SCORE_sd` (sample standard deviations, n - 1) and `seeds`, their
    number; both are nan in other rows. Rows that are not complete stay as they are. Two
    trainings with one seed are no sample of seeds: such rows stay too, and a note says why.
    """
    trainings = {spec: one.trained for spec, one in results.records.items() if one.trained}
    kinds: dict[tuple[str, str], list[str]] = {}  # what rows that may share a mean have in common
    for spec in part["method"][part["f1"].notna()]:
        if spec in trainings:
            kind = trainings[spec].method, trainings[spec].plan
            kinds.setdefault(kind, []).append(spec)
    methods = [method for method, _ in kinds]
    firsts = [trainings[specs[0]] for specs in kinds.values()]
    frame, notes = part.set_index("method", drop=False), list[str]()
    members = {spec: [spec] for spec in part["method"]}
    frame = frame.assign(seeds=float("nan"), **{f"{s}_sd": float("nan") for s in SPREAD})
    for (method, plan), specs in kinds.items():
        same_weights = {results.records[spec].method_hash: spec for spec in reversed(specs)}
        runs = [spec for spec in specs if spec in same_weights.values()]
        if len(runs) < 2:
            continue
        seeds = [trainings[spec].seed for spec in runs]
        title, label = results.any_record.title, trainings[runs[0]].label
        if len(set(seeds)) < len(seeds):
            twice = [s for s, n in zip(runs, seeds, strict=True) if seeds.count(n) > 1]
            notes.append(
                f"{label} ({title}): not averaged, {' and '.join(twice)} were trained with one seed"
            )
            continue
        if methods.count(method) > 1:  # trained in several ways
            label += _way(trainings[runs[0]], [one for one in firsts if one.method == method])
        values = frame.loc[runs]
        first = runs[0]
        # A score that one training lacks, as counts of an earlier version do, is no mean over n.
        whole = values.notna().all()
        means, spreads = values[[*NUMBERS]].mean(), values[[*SPREAD]].std(ddof=1)
        frame.loc[first, [*NUMBERS]] = means.where(whole[[*NUMBERS]])
        frame.loc[first, [f"{s}_sd" for s in SPREAD]] = spreads.where(whole[[*SPREAD]]).to_numpy()
        frame.loc[first, "label"] = label
        frame.loc[first, "seeds"] = len(runs)
        frame.loc[first, "method"] = f"{method} over seeds" + (
            f", plan {plan}" if methods.count(method) > 1 else ""
        )
        if values["rule"].nunique() > 1:  # a level chosen for each
            frame.loc[first, "rule"] = ""
        members[str(frame.loc[first, "method"])] = runs
        frame = frame.drop(index=[spec for spec in specs if spec != first])
        named = ", ".join(map(str, sorted(seeds)))
        notes.append(
            f"{label} ({title}): mean ± sample standard deviation over n = {len(runs)} trainings "
            f"that differ by their seed alone ({named})."
        )
        if command := trainings[first].command:
            notes[-1] += f" The first: `{command}`."
    return frame.reset_index(drop=True), notes, {name: members[name] for name in frame["method"]}


def _way(own: Trained, ways: list[Trained]) -> str:
    """What tells a way of training from others of a method: of its recipe, else its hash."""
    recipes = [one.recipe for one in ways if one.recipe]
    names = dict.fromkeys(name for one in recipes for name in one)
    told = [
        f"{name} {own.recipe[name]}" if name in own.recipe else f"no {name}"
        for name in names
        if own.recipe and len({one.get(name) for one in recipes}) > 1
    ]
    alike = sum(one.recipe == own.recipe for one in ways) > 1
    return ", " + ", ".join(told if told and not alike else [f"plan {own.plan}"])


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """A table's rows with the number of seeds in the labels of those that are means."""
    counts = frame[[column for column in map(str, frame) if column.startswith("seeds_")]]
    labels = []
    for label, numbers in zip(frame["label"], counts.to_numpy(float), strict=True):
        different = dict.fromkeys(int(number) for number in numbers if number == number)
        text = " and ".join(map(str, different))
        labels.append(f"{label} ({text} seeds)" if different else label)
    return frame.assign(label=labels)
