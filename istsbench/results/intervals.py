"""How far scores can be trusted: intervals over images, and paired comparisons.

The images are the sampling unit. An interval says how a score would move had other
images of the same kind been drawn; it says nothing of other scenes or other seeds.
Two methods are compared on the same images, so a difference may be certain although
the intervals of the two overlap.

- `intervals`: percentile bootstrap over images (Efron & Tibshirani, "An Introduction to
  the Bootstrap", 1993), every method on the same resamples.
- `against_best`: tests of the best method against each other one, with Holm's correction (Holm,
  "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70, 1979).
  Means over images are compared by Wilcoxon's signed-rank test on the scores of the images;
  pooled scores, which are no mean of anything an image has, by their difference over its
  standard error on the resamples of the paired bootstrap.
- `ranking`: Friedman's test and Nemenyi's critical difference of mean ranks (Demsar,
  "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 1-30, 2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, studentized_range, t, wilcoxon

from istsbench.errors import DataError
from istsbench.metrics import RATIOS, REDUCTIONS, image_ratios
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.results.rows import row_order

LEVEL = 0.05  # of every test; intervals cover 1 - LEVEL
RESAMPLES = 2000
CHUNK = 20_000_000  # draws held at once by the bootstrap

_PARTS = {
    "precision": (("tp",), ("tp", "fp")),
    "recall": (("tp",), ("tp", "fn")),
    "f1": (("tp", "tp"), ("tp", "tp", "fp", "fn")),
    "iou": (("tp",), ("tp", "fp", "fn")),
    "pd": (("detected",), ("targets",)),
    "fa": (("false_pixels",), ("tp", "fp", "fn", "tn")),
    "hiou": (("iou_opdc",), ("targets", "regions", "-detected_opdc")),
    "loc": (("detected_opdc",), ("targets", "regions", "-detected_opdc")),
    "seg": (("iou_opdc",), ("detected_opdc",)),
    "pd_shooting": (("detected_shooting",), ("targets",)),
    "fa_shooting": (("false_pixels_shooting",), ("tp", "fp", "fn", "tn")),
}
"""Score -> columns whose sums, or less these, are its numerator and denominator."""
_WITHOUT = ("pd", "pd_shooting", "hiou", "loc")
"""Scores that are nan, not 0, where there is nothing to divide by, as in `metrics.summarise`."""
BOOTSTRAPPED = (*_PARTS, "niou")


def paired_rows(results: Results, rule: str) -> dict[str, pd.DataFrame]:
    """Spec -> rows of the rule, indexed by image, the same images in the same order.

    Only methods of which every image was counted, in the order of tables; may be empty.
    Raises `ProtocolMix` if the rule is one of some methods only, as tables do.
    """
    if any(rule in record.wanted for record in results.records.values()):
        Protocol.of(results, rule)
    found: dict[str, pd.DataFrame] = {}
    records = results.records.items()
    order = {spec: row_order(one.group, one.year, one.label) for spec, one in records}
    for spec in sorted(order, key=order.__getitem__):
        if results.complete(spec, rule):
            rows = results.counts[spec]
            rows = rows[rows["rule"] == rule].set_index("image")
            found[spec] = rows if not found else rows.loc[next(iter(found.values())).index]
    return found


def complete_rows(results: Results, rule: str) -> dict[str, pd.DataFrame]:
    """`paired_rows` of at least one method; raises `DataError` if there is none."""
    rows = paired_rows(results, rule)
    if not rows:
        raise DataError(f"{results.folder}: no method with every image counted under {rule!r}")
    return rows


def per_image(results: Results, rule: str, score: str = "f1") -> pd.DataFrame:
    """A score of `RATIOS`, or `hiou`, as images x methods; for `hiou`, each image's own.

    Methods whose counts are of an earlier version have no `hiou` and are left out. Raises
    `DataError` if no method is left.
    """
    rows = complete_rows(results, rule)
    told = {spec: frame for spec, frame in rows.items() if score != "hiou" or _tells(frame)}
    if not told:
        raise DataError(f"{results.folder}: counts of earlier versions, which do not tell {score}")
    return pd.DataFrame(
        {spec: image_ratios(frame, results.empty)[score] for spec, frame in told.items()}
    )


def _tells(frame: pd.DataFrame) -> bool:
    """Whether rows tell of hIoU."""
    return "iou_opdc" in frame and not frame["iou_opdc"].isna().any()


def intervals(
    results: Results,
    rule: str,
    score: str = "f1",
    reduction: str = "image",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """A row a complete method, indexed by spec: `value` and its 95 % interval `low`, `high`.

    `score` is one of `BOOTSTRAPPED`. As in tables, `niou` is always an image mean; `RATIOS` are
    what the reduction says, and all others are always pooled. With one image the interval has no
    width. Scores that the counts of an earlier version do not tell are nan, and so is what is
    nothing to divide by in tables: Pd without a target, hIoU without a region. Resamples without
    one have no such score and are left out.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    if score not in BOOTSTRAPPED:
        raise ValueError(f"score is {score!r}, expected one of {', '.join(BOOTSTRAPPED)}")
    rows = paired_rows(results, rule)
    if not rows:
        return pd.DataFrame(columns=["value", "low", "high"])
    over, under = _terms(rows.values(), score, reduction, results.empty)
    nothing = float("nan") if score in _WITHOUT else 0.0
    value = _ratio(over.sum(axis=0), under.sum(axis=0), nothing)
    drawn = pd.DataFrame(_resampled(over, under, resamples, seed, nothing))
    low, high = drawn.quantile([LEVEL / 2, 1 - LEVEL / 2]).to_numpy()
    return pd.DataFrame({"value": value, "low": low, "high": high}, index=list(rows))


def _terms(
    rows: Iterable[pd.DataFrame], score: str, reduction: str, empty: str
) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators, (images, methods), whose sums' ratio is the score."""
    name = "iou" if score == "niou" else score
    rows = list(rows)
    if score == "niou" or (reduction == "image" and score in RATIOS):
        means = np.stack([image_ratios(frame, empty)[name] for frame in rows], axis=1)
        return means, np.ones_like(means)
    pairs = []
    for frame in rows:
        pairs.append(tuple(_summed(frame, columns) for columns in _PARTS[name]))
    over, under = (np.stack(terms, axis=1) for terms in zip(*pairs, strict=True))
    return over, under


def _summed(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The columns added up image by image, less those with a minus before their name."""
    added = [frame[c].to_numpy(float) for c in columns if c[0] != "-"]
    taken = [frame[c[1:]].to_numpy(float) for c in columns if c[0] == "-"]
    return np.asarray(np.sum(added, axis=0) - np.sum([*taken, np.zeros(len(frame))], axis=0))


def _ratio(over: np.ndarray, under: np.ndarray, nothing: float) -> np.ndarray:
    """The ratios, `nothing` where there is nothing to divide by."""
    found: np.ndarray = np.divide(over, under, out=np.full_like(over, nothing), where=under != 0)
    return found


def _resampled(
    over: np.ndarray, under: np.ndarray, resamples: int, seed: int, nothing: float
) -> np.ndarray:
    """The score of each resample of the images, (resamples, methods)."""
    rng, images = np.random.default_rng(seed), len(over)
    step, parts = max(1, CHUNK // images), []
    for start in range(0, resamples, step):
        number = min(step, resamples - start)
        times = rng.multinomial(images, np.full(images, 1 / images), size=number).astype(float)
        parts.append(_ratio(times @ over, times @ under, nothing))
    return np.concatenate(parts)


def holm(values: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number by Holm's step-down procedure, in their order."""
    given = np.asarray(values, dtype=float)
    order = np.argsort(given, kind="stable")
    raised = given[order] * np.arange(given.size, 0, -1)
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return corrected


def against_best(
    results: Results,
    rule: str,
    score: str = "f1",
    reduction: str = "image",
    rows: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """The best method by `score`, as tables print it, against each other one.

    Indexed by spec, best first: `value`, `difference` to the best, `p` of a two-sided test,
    `corrected` p, and `alike`: not distinguishable from the best. The test fits what is compared:
    a signed-rank test for means over images, the paired bootstrap for what is pooled, as hIoU
    always is. Methods whose counts are of an earlier version have no `hiou` and are left out.
    `rows`, for means over images alone, has what is compared in place of methods: by its name,
    the methods whose scores of an image it is the mean of.
    """
    if reduction == "image" and score in RATIOS:
        images = per_image(results, rule, score)
        if rows is not None:
            there = {row: [*specs] for row, specs in rows.items() if {*specs} <= {*images}}
            images = pd.DataFrame({row: images[specs].mean(axis=1) for row, specs in there.items()})
        values = images.mean().sort_values(ascending=False, kind="stable")
        best = images[values.index[0]]
        p = [signed_rank(best - images[spec]) for spec in values.index[1:]]
    else:
        values, p = _pooled_tests(results, rule, score, reduction)
    frame = pd.DataFrame({"value": values, "difference": values - values.iloc[0]})
    frame["p"] = [np.nan, *p]
    frame["corrected"] = [np.nan, *holm(p)]
    frame["alike"] = ~(frame["corrected"] < LEVEL)
    return frame


def _pooled_tests(
    results: Results, rule: str, score: str, reduction: str
) -> tuple[pd.Series, list[float]]:
    """Pooled values, best first, and p of each behind the first against it."""
    rows = complete_rows(results, rule)
    rows = {spec: frame for spec, frame in rows.items() if score != "hiou" or _tells(frame)}
    if not rows:
        raise DataError(f"{results.folder}: counts of earlier versions, which do not tell {score}")
    nothing = float("nan") if score in _WITHOUT else 0.0
    over, under = _terms(rows.values(), score, reduction, results.empty)
    values = pd.Series(_ratio(over.sum(axis=0), under.sum(axis=0), nothing), index=list(rows))
    values = values.sort_values(ascending=False, kind="stable")
    drawn = pd.DataFrame(_resampled(over, under, RESAMPLES, 0, nothing), columns=list(rows))
    differences = drawn.rsub(drawn[values.index[0]], axis=0)
    number = len(over)
    # Resamples of few images spread too little, by this factor.
    wider = np.sqrt(number / (number - 1)) if number > 1 else np.nan
    p = []
    for spec in values.index[1:]:
        apart = float(values.iloc[0] - values[spec])
        error = float(differences[spec].std()) * wider
        if apart == 0 or number < 2:
            p.append(1.0)
        else:
            with np.errstate(divide="ignore"):  # the same difference on every image
                p.append(float(2 * t.sf(np.divide(apart, error), number - 1)))
    return values, p


def signed_rank(difference: pd.Series) -> float:
    """p of the signed-rank test.

    Images on which two methods score the same count half for each (Pratt's and the plain
    rule drop them, and most images of two poor methods are such).
    """
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference.to_numpy(float), zero_method="zsplit", method="approx").pvalue)


@dataclass(frozen=True)
class Ranking:
    """Mean ranks over images, and how far apart they must be to differ."""

    ranks: pd.Series  # spec -> mean rank, 1 is best, ascending
    critical: float  # Nemenyi's critical difference at LEVEL
    p: float  # of Friedman's test that all methods are alike
    images: int

    @property
    def ties(self) -> list[tuple[int, int]]:
        """Longest runs (first, last) of methods in rank order that do not differ."""
        values = self.ranks.to_numpy()
        runs: list[tuple[int, int]] = []
        for first in range(len(values)):
            last = int(np.searchsorted(values, values[first] + self.critical, side="right")) - 1
            if last > first and (not runs or last > runs[-1][1]):
                runs.append((first, last))
        return runs


def ranking(results: Results, rule: str, score: str = "f1") -> Ranking:
    """Rank the methods on each image, ties shared; raises `DataError` for fewer than three."""
    scores = per_image(results, rule, score)
    images, methods = scores.shape
    if methods < 3 or images < 2:
        raise DataError(
            f"{results.folder}: {methods} complete methods and {images} images; ranks are "
            "compared from three methods and two images on"
        )
    ranks = pd.Series(rankdata(-scores.to_numpy(), axis=1).mean(axis=0), index=scores.columns)
    alike = (scores.to_numpy() == scores.to_numpy()[:, :1]).all()
    p = 1.0 if alike else float(friedmanchisquare(*scores.to_numpy().T).pvalue)
    quantile = studentized_range.ppf(1 - LEVEL, methods, np.inf) / np.sqrt(2)
    critical = float(quantile * np.sqrt(methods * (methods + 1) / (6 * images)))
    return Ranking(ranks.sort_values(kind="stable"), critical, p, images)
