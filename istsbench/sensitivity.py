"""How far a ranking depends on the protocol: rule, reduction and size of the maps.

Every method is scored under each threshold rule, each reduction, and at the native size
as well as with map and mask resized to 512x512, as one camp of the field scores (maps
bilinearly, masks by the nearest pixel; the method itself still sees the native image).
All of it follows from stored maps. Rankings are compared by Kendall's tau (tau-b: 1 is the
same order, 0 none, -1 the reverse), all of them together by Kendall's W (1: all agree).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from istsbench import threshold
from istsbench.counting import resolve
from istsbench.data import Dataset, Sample
from istsbench.images import DataError
from istsbench.maps import MapStore, StoredMap, write_atomic
from istsbench.metrics import RATIOS, REDUCTIONS, pixel_counts, summarise
from istsbench.protocol import SIZES, Protocol
from istsbench.results import Results
from istsbench.runner import map_store
from istsbench.threshold import Threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 512
AXES = ("rule", "reduction", "size")  # what protocols differ in here


@dataclass(frozen=True)
class ResizedMaps(MapStore):
    """A store that gives its maps at 512x512."""

    def load(self, name: str) -> StoredMap | None:
        stored = super().load(name)
        if stored is None:
            return None
        score = cv2.resize(stored.score, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        return replace(stored, score=score)


@dataclass(frozen=True)
class ResizedData(Dataset):
    """A data set that gives its masks at 512x512; images stay as they are."""

    whole: Dataset

    @classmethod
    def of(cls, dataset: Dataset) -> ResizedData:
        return cls(dataset.name, dataset.title, dataset.splits, dataset)

    def load(self, name: str) -> Sample:
        sample = self.whole.load(name)
        pixels = sample.mask.astype(np.uint8)
        mask = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
        return replace(sample, mask=mask.astype(bool))


def read_rule(text: str) -> Threshold:
    """The rule that a record states, e.g. `AtLeast(floor=1, rule=MeanStd(k=3))`."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = getattr(threshold, node.func.id, None)
            if isinstance(kind, type) and issubclass(kind, Threshold):
                return kind(
                    *map(value, node.args), **{k.arg: value(k.value) for k in node.keywords}
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
    maps, masks = ResizedMaps(store.folder), ResizedData.of(dataset)
    chosen = resolve(wanted, own, maps, masks, names, tuning)
    rows = []
    for name in names:
        stored, sample = maps.load(name), dataset.load(name)
        if stored is None or stored.pixels != sample.pixels:
            raise DataError(f"{store.folder}: no map of {name} as it is now; run the method again")
        mask = masks.load(name).mask
        for rule, one in chosen.items():
            rows.append((name, rule, *pixel_counts(one(stored.score), mask)))
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
            for one, other in combinations(tau, 2):
                first, second = one.split("/"), other.split("/")
                differ = [index for index in range(len(AXES)) if first[index] != second[index]]
                if differ == [place]:
                    found.append(tau.loc[one, other])
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
        title = f"**Ranks by {self.score} under {len(table.columns) - 5} protocols**"
        return "\n".join([title, "", *lines, "", *(f"- {note}" for note in self.foot()), ""])

    def foot(self) -> tuple[str, ...]:
        record = self.results.any_record
        return (
            f"{record['title']}: split {record['split']} ({record['images']} images, hash "
            f"{record['data_hash']}); protocols are rule/reduction/size.",
            f"Kendall's W over all protocols: {self.concordance:.2f} (1: all rank alike).",
            *self.notes,
        )

    def write(self, folder: Path) -> list[Path]:
        """Write scores.csv, ranks.csv, ranks.md, tau.csv; returns their paths."""
        texts = {
            "scores.csv": self.scores.to_csv(index=False, float_format="%.6g"),
            "ranks.csv": self.stability().to_csv(),
            "ranks.md": self.markdown(),
            "tau.csv": self.tau().to_csv(float_format="%.6g"),
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
) -> Sensitivity:
    """Rank the methods of a results folder under every protocol; `out` holds the maps.

    Methods that failed, and those without maps, are left out and named in the notes.
    """
    if score not in RATIOS:
        raise ValueError(f"score is {score!r}, expected one of {', '.join(RATIOS)}")
    ranked = {spec: r for spec, r in results.records.items() if "wanted" in r}
    wanted = Results(results.folder, ranked, results.counts).rules if ranked else []
    specs, notes = [], []
    for spec, record in results.records.items():
        reason = _missing(results, spec, wanted, map_store(out, record) if spec in ranked else None)
        if reason and not ("map" in reason and "512" not in sizes):
            notes.append(f"{record['label']} is left out: {reason}")
        else:
            specs.append(spec)
    if len(specs) < 2 or not wanted:
        raise DataError(f"{results.folder}: nothing to rank: {'; '.join(notes) or 'one method'}")
    kept = Results(results.folder, {spec: ranked[spec] for spec in specs}, results.counts)
    counts = {"native": kept.counts}
    if "512" in sizes:
        counts["512"] = _resized(kept, dataset, out, wanted, jobs)
    lines = []
    for rule in wanted:
        for reduction in REDUCTIONS:
            for size in sizes:
                protocol = Protocol.of(kept, rule, reduction, size=size).id
                for spec in kept.summary(rule, reduction)["method"]:
                    rows = counts[size][spec].query("rule == @rule")
                    record = ranked[spec]
                    value = summarise(_complete_columns(rows), reduction)[score]
                    lines.append((spec, record["label"], record["group"], rule, reduction, size,
                                  protocol, value))  # fmt: skip
    columns = ["method", "label", "group", *AXES, "protocol", "value"]
    frame = pd.DataFrame(lines, columns=columns)
    ranks = frame.groupby(list(AXES))["value"].rank(method="min", ascending=False)
    return Sensitivity(kept, score, frame.assign(rank=ranks.astype(int)), tuple(notes))


def _missing(
    results: Results, spec: str, wanted: Sequence[str], store: MapStore | None
) -> str | None:
    """Why a method cannot be ranked, if so."""
    if store is None:
        return results.failure(spec) or "it never ran"
    for rule in wanted:
        if not results.complete(spec, rule):
            return results.failure(spec) or f"not every image was counted under {rule}"
    if not store.folder.is_dir():
        return "its maps are not here"
    return None


def _resized(
    results: Results, dataset: Dataset, out: Path, wanted: Sequence[str], jobs: int
) -> dict[str, pd.DataFrame]:
    from joblib import Parallel, delayed

    images = results.any_record["images"]
    tuning: tuple[str, ...] = ()
    if "tuned" in wanted:
        limited = images < results.any_record["of"]
        tuning = dataset.tuning_names()[: images if limited else None]
    tasks = []
    for spec, record in results.records.items():
        names = tuple(results.counts[spec]["image"].unique())
        store, own = map_store(out, record), read_rule(record["rules"]["own"])
        needed = dataset.subset(dict.fromkeys((*names, *tuning)))
        tasks.append(delayed(resized_counts)(own, store, needed, names, tuning, wanted))
    return dict(zip(results.records, Parallel(n_jobs=min(jobs, len(tasks)))(tasks), strict=True))


def _complete_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as `summarise` takes them; target counts are not compared here."""
    if "targets" in rows:
        return rows
    return rows.assign(targets=0, detected=0, false_pixels=0)


def draw(found: Sensitivity) -> Figure:
    """Rank against protocol, a line a method, beside the agreement of the protocols."""
    from istsbench.drawing import house_style

    with house_style():
        return _drawn(found)


def _drawn(found: Sensitivity) -> Figure:
    from matplotlib.figure import Figure

    from istsbench.drawing import WIDTH, foot, looks, stamp

    ranks, drawn = found.wide("rank"), looks(found.results.records)
    methods, protocols = ranks.shape
    figure = Figure(figsize=(WIDTH, max(3.2, 0.16 * methods + 1.6)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    places = np.arange(protocols)
    order = ranks.rank(method="first").astype(int)  # equals apart, so that labels are too
    for spec, line in order.iterrows():
        look = drawn[str(spec)]
        left.plot(places, line, color=look.colour, linestyle=look.line, marker=look.marker,
                  markersize=3.2, markeredgewidth=0.4, markeredgecolor="white")  # fmt: skip
        for at, side, value in ((-0.35, "right", line.iloc[0]), (protocols - 0.65, "left",
                                                                line.iloc[-1])):  # fmt: skip
            left.text(at, value, look.label, color=look.colour, fontsize=6, ha=side, va="center")
    left.set(xlim=(-0.6, protocols - 0.4), ylim=(methods + 0.6, 0.4), ylabel="")
    left.set_yticks([])
    left.set_xticks(places, ranks.columns, rotation=90)
    left.spines[["left", "bottom"]].set_visible(False)
    left.set_title(f"Rank by {found.score}, the best on top", loc="left")
    tau = found.tau()
    image = right.imshow(tau, cmap="cividis", vmin=min(0.0, float(tau.min(axis=None))), vmax=1)
    right.set_xticks(places, tau.columns, rotation=90)
    right.set_yticks(places, [])
    right.grid(visible=False)
    right.set_title("Kendall's tau", loc="left")
    figure.colorbar(image, ax=right, shrink=0.6)
    foot(figure, stamp(found.results, f"Kendall's W {found.concordance:.2f}"))
    return figure
