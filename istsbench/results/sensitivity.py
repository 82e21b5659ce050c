"""How far a ranking depends on the protocol: rule, reduction and size of the maps.

Every method is scored under each threshold rule, each reduction, and at the native size
as well as with map and mask resized to 512x512, as one camp of the field scores (maps
bilinearly, masks by the nearest pixel; the method itself still sees the native image).
All of it follows from stored maps. Rankings are compared by Kendall's tau (tau-b: 1 is the
same order, 0 none, -1 the reverse), all of them together by Kendall's W (1: all agree).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from istsbench import threshold
from istsbench.data.samples import Dataset
from istsbench.errors import DataError, WrongUse
from istsbench.files import write_atomic
from istsbench.metrics import HEADS, RATIOS, REDUCTIONS, best_rule, pixel_counts, summarise, sweep
from istsbench.progress import progress
from istsbench.results.areas import side_by_side
from istsbench.results.missing import can_be_made, how_to_make, missing_maps
from istsbench.results.protocol import SIZES, Protocol
from istsbench.results.results import Results
from istsbench.runs.maps import MapStore
from istsbench.runs.pool import Begin, each
from istsbench.runs.record import map_store
from istsbench.threshold import HALF, Threshold, candidates

RESIZED_TO = 512
AXES = ("rule", "reduction", "size")  # what protocols differ in here


def resized(score: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map (H, W) and bool mask (H, W) at 512x512: bilinear, and by the nearest pixel."""
    size = (RESIZED_TO, RESIZED_TO)
    score = cv2.resize(score, size, interpolation=cv2.INTER_LINEAR)
    nearest = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    return score, nearest.astype(bool)


def _pairs(
    store: MapStore, dataset: Dataset, names: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, map and mask at 512x512; raises `DataError` if a map is missing or stale."""
    for name in names:
        stored, sample = store.load(name), dataset.load(name)
        if stored is None or stored.pixels != sample.pixels:
            raise DataError(f"{store.folder}: no map of {name} as it is now, its image changed")
        yield name, *resized(stored.score, sample.mask)


def _best(own: Threshold, pairs: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> Threshold:
    options = candidates(own)
    total = np.zeros((len(options), 3), dtype=np.int64)
    for _, score, mask in pairs:
        total += sweep(score, mask, options)
    return best_rule(total, options)


def read_rule(text: str) -> Threshold:
    """The rule that a record states, e.g. `AtLeast(floor=1, rule=MeanStd(k=3))`."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = getattr(threshold, node.func.id, None)
            if isinstance(kind, type) and issubclass(kind, Threshold):
                return kind(
                    *map(value, node.args), **{str(k.arg): value(k.value) for k in node.keywords}
                )
        return ast.literal_eval(node)

    try:
        rule = value(ast.parse(text, mode="eval").body)
        if isinstance(rule, Threshold):
            return rule
    except (SyntaxError, ValueError, TypeError):
        pass
    raise DataError(f"{text!r} is no threshold rule of istsbench")


def resized_counts(
    own: Threshold,
    store: MapStore,
    dataset: Dataset,
    names: Sequence[str],
    tuning: Sequence[str],
    wanted: Sequence[str],
) -> pd.DataFrame:
    """Rows image, rule, tp, fp, fn, tn of the stored maps at 512x512.

    Rules are applied to, and chosen on, the resized maps.
    """
    chosen: dict[str, Threshold] = {"own": own, "half": HALF}
    for rule, images in (("tuned", tuning), ("oracle", names)):
        if rule in wanted:
            chosen[rule] = _best(own, _pairs(store, dataset, images))
    rows = [
        (name, rule, *pixel_counts(chosen[rule](score), mask))
        for name, score, mask in _pairs(store, dataset, names)
        for rule in wanted
    ]
    return pd.DataFrame(rows, columns=["image", "rule", "tp", "fp", "fn", "tn"])


@dataclass(frozen=True)
class Sensitivity:
    """Scores and ranks of every method under every protocol.

    `scores` has columns method, label, group, rule, reduction, size, protocol (its id),
    value and rank (1 is best, equals share the better one).
    """

    results: Results
    score: str
    scores: pd.DataFrame
    notes: tuple[str, ...]
    sizes: tuple[str, ...] = tuple(SIZES)

    @property
    def name(self) -> str:
        """Of its files: another score, or fewer sizes, never take the place of the usual ones."""
        parts = [] if self.score == "iou" else [self.score]
        parts += [] if set(self.sizes) == set(SIZES) else self.sizes
        parts += ["empty", self.results.empty_choice] if self.results.empty_choice else []
        return "-".join(["sensitivity", *parts])

    def wide(self, column: str) -> pd.DataFrame:
        """`rank` or `value` as methods x protocols, named rule/reduction/size."""
        keys = self.scores[list(AXES)].agg("/".join, axis=1)
        frame = self.scores.assign(key=keys)
        wide = frame.pivot(index="method", columns="key", values=column)
        return wide.loc[frame["method"].unique(), frame["key"].unique()]

    def stability(self) -> pd.DataFrame:
        """A row a method: its ranks, then best, worst, median, and how far apart they are."""
        ranks = self.wide("rank").astype(int)
        labels = self.scores.drop_duplicates("method").set_index("method")["label"]
        frame = ranks.assign(
            best=ranks.min(axis=1),
            worst=ranks.max(axis=1),
            median=ranks.median(axis=1),
            spread=ranks.max(axis=1) - ranks.min(axis=1),
        )
        frame.insert(0, "label", labels)
        return frame.sort_values(["median", "best"], kind="stable").rename_axis(columns=None)

    def tau(self) -> pd.DataFrame:
        """Kendall's tau-b between the rankings of every two protocols."""
        values = self.wide("value")
        names = list(values)
        table = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
        for one, other in combinations(names, 2):
            found = kendalltau(values[one], values[other]).statistic
            table.loc[one, other] = table.loc[other, one] = found
        return table

    def effects(self) -> pd.DataFrame:
        """What a change of one thing alone does: mean and least tau over all such pairs."""
        tau = self.tau()
        lines = []
        for place, axis in enumerate(AXES):
            found = []
            for one, other in combinations(map(str, tau), 2):
                first, second = one.split("/"), other.split("/")
                differ = [index for index in range(len(AXES)) if first[index] != second[index]]
                if differ == [place]:
                    found.append(tau[one][other])
            if found:
                lines.append((axis, len(found), float(np.mean(found)), float(np.min(found))))
        return pd.DataFrame(lines, columns=["changed", "pairs", "mean tau", "least tau"])

    @property
    def concordance(self) -> float:
        """Kendall's W over all protocols, without correction for the few ties."""
        ranks = self.wide("value").rank(ascending=False)
        methods, protocols = ranks.shape
        sums = ranks.sum(axis=1)
        most = protocols**2 * (methods**3 - methods) / 12
        return float(((sums - sums.mean()) ** 2).sum() / most)

    def markdown(self) -> str:
        """The table of ranks, and what each change does to the order."""
        table = self.stability().reset_index(drop=True)
        heads = ["Method", *table.columns[1:]]
        lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
        for record in table.itertuples(index=False):
            label, *numbers = record
            lines.append("| " + " | ".join([label, *(f"{n:g}" for n in numbers)]) + " |")
        effects = self.effects()
        lines += ["", "| changed alone | pairs | mean tau | least tau |", "|---|---:|---:|---:|"]
        for axis, pairs, mean, least in effects.itertuples(index=False):
            lines.append(f"| {axis} | {pairs} | {mean:.2f} | {least:.2f} |")
        title = f"**Ranks by {HEADS[self.score]} under {len(table.columns) - 5} protocols**"
        return "\n".join([title, "", *lines, "", *(f"- {note}" for note in self.foot()), ""])

    def foot(self) -> tuple[str, ...]:
        record = self.results.any_record
        return (
            f"{record.title}: split {record.split} ({record.images} images, hash "
            f"{record.data_hash}); protocols are rule/reduction/size.",
            f"Kendall's W over all protocols: {self.concordance:.2f} (1: all rank alike).",
            *self.notes,
        )

    def write(self, folder: Path) -> list[Path]:
        """Write scores.csv, ranks.csv, ranks.md, tau.csv, and areas.csv and areas.md where the
        counts tell of areas; returns their paths."""
        texts = {
            "scores.csv": self.scores.to_csv(index=False, float_format="%.6g"),
            "ranks.csv": self.stability().to_csv(),
            "ranks.md": self.markdown(),
            "tau.csv": self.tau().to_csv(float_format="%.6g"),
            **side_by_side(self.results, self.results.rules[0]),
        }
        for name, text in texts.items():
            write_atomic(folder / name, text.encode())
        return [folder / name for name in texts]


def sensitivity(
    results: Results,
    dataset: Dataset,
    out: Path,
    *,
    score: str = "iou",
    sizes: Sequence[str] = tuple(SIZES),
    jobs: int = 1,
    show: bool = True,
) -> Sensitivity:
    """Rank the methods of a results folder under every protocol; `out` holds the maps.

    Methods that failed are left out and named in the notes; for the size 512 also those whose
    maps cannot be made here. Raises `DataError` if others lack maps.
    """
    if score not in RATIOS:
        raise WrongUse(f"score is {score!r}, expected one of {', '.join(RATIOS)}")
    ranked = {spec: r for spec, r in results.records.items() if r.wanted}
    wanted = Results(results.folder, ranked, results.counts).rules if ranked else []
    tuning = _tuning(results, dataset) if "tuned" in wanted else ()
    specs, notes, gone = [], [], {}
    for spec, record in results.records.items():
        reason = _incomplete(results, spec, wanted)
        if not reason and "512" in sizes:
            names = (*results.counts[spec]["image"].unique(), *tuning)
            missing = missing_maps(results, spec, dict.fromkeys(names))
            if missing and can_be_made(results, spec):
                gone[spec] = missing
            reason = "its maps are not here" if missing else None
        if reason:
            notes.append(f"{record.label} is left out: {reason}")
        else:
            specs.append(spec)
    if gone:
        raise DataError(
            f"{results.folder}: the size 512 needs maps of {len(gone)} methods that are not "
            f"stored; {how_to_make(results, gone, dataset)}; --sizes native needs none"
        )
    if len(specs) < 2 or not wanted:
        raise DataError(f"{results.folder}: nothing to rank: {'; '.join(notes) or 'one method'}")
    kept = Results(
        results.folder, {spec: ranked[spec] for spec in specs}, results.counts, results.empty
    )
    counts = {"native": kept.counts}
    if "512" in sizes:
        counts["512"] = _resized(kept, dataset, out, wanted, tuning, jobs, show)
    lines = []
    for rule in wanted:
        for reduction in REDUCTIONS:
            for size in sizes:
                protocol = Protocol.of(kept, rule, reduction, size=size).id
                for spec in kept.summary(rule, reduction)["method"]:
                    rows = counts[size][spec].query("rule == @rule")
                    record = ranked[spec]
                    value = summarise(_complete_columns(rows), reduction, empty=results.empty)[
                        score
                    ]
                    lines.append((spec, record.label, record.group, rule, reduction, size,
                                  protocol, value))  # fmt: skip
    columns = ["method", "label", "group", *AXES, "protocol", "value"]
    frame = pd.DataFrame(lines, columns=columns)
    ranks = frame.groupby(list(AXES))["value"].rank(method="min", ascending=False)
    return Sensitivity(
        kept, score, frame.assign(rank=ranks.astype(int)), tuple(notes), tuple(sizes)
    )


def _incomplete(results: Results, spec: str, wanted: Sequence[str]) -> str | None:
    """Why a method cannot be ranked, if so."""
    record = results.records[spec]
    if not record.wanted:
        return results.failure(spec) or "it never ran"
    for rule in wanted:
        if not results.complete(spec, rule):
            return results.failure(spec) or f"not every image was counted under {rule}"
    return None


def _tuning(results: Results, dataset: Dataset) -> tuple[str, ...]:
    """The images that `tuned` was chosen on."""
    record = results.any_record
    limit = record.images if record.images < record.of else None
    return dataset.tuning_names(record.split)[:limit]


def _resized(
    results: Results,
    dataset: Dataset,
    out: Path,
    wanted: Sequence[str],
    tuning: Sequence[str],
    jobs: int,
    show: bool,
) -> dict[str, pd.DataFrame]:
    tasks = []
    for spec, record in results.records.items():
        names = tuple(results.counts[spec]["image"].unique())
        store, own = map_store(out, record), read_rule(record.rules["own"])
        needed = dataset.subset(dict.fromkeys((*names, *tuning)))
        tasks.append((own, store, needed, names, tuning, wanted))
    specs, found = list(results.records), {}
    with (
        closing(each(_resize, tasks, specs, jobs)) as answers,
        progress(f"resizing {dataset.name}", len(tasks), show) as report,
    ):
        for number, counts in answers:
            found[specs[number]] = counts
            report(specs[number])
    return found


def _resize(tasks: Sequence[tuple], number: int, begin: Begin) -> pd.DataFrame:
    return resized_counts(*tasks[number])


def _complete_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as `summarise` takes them; target counts are not compared here."""
    if "targets" in rows:
        return rows
    return rows.assign(targets=0, detected=0, false_pixels=0)
