"""Published rows beside what our maps give under the profile of their source, and our protocol.

A method may also be run on images that are resized as the source does it (`results.resized`).
Where the two differ, the level is looked for at which our maps have the published IoU: if Pd and
Fa are the published ones there too, another level explains the row; if not, or if no level has
that IoU, the maps themselves differ, by parameters, by code or by how they were saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from istsbench.data.samples import Dataset
from istsbench.errors import DataError
from istsbench.progress import progress
from istsbench.results.profile_counts import at_size, profile_scores, taken
from istsbench.results.profiled import count_maps, is_probability, profiled
from istsbench.results.profiles import Profile
from istsbench.results.resized import counts_of_resized, resizes_images
from istsbench.results.results import Results
from istsbench.runs.record import map_store
from istsbench.tables.claims import Claim, claims
from istsbench.tables.published import read_paper

LISTS = {"nuaa-86": "nuaa", "nuaa-214": "nuaa-50_50-test"}
"""The folder below OUT of the results on a published test list."""
_USUAL = "nuaa-86"  # what stands in where the results on a list are not there
_HEADS_OF = {"iou": "IoU", "niou": "nIoU", "pd": "Pd", "fa": "Fa"}
_UNITS = {"iou": 100.0, "niou": 100.0, "pd": 100.0, "fa": 1e6}
NEAR = {"iou": 2.0, "niou": 2.0, "pd": 2.0}  # points that are no disagreement
FACTOR = 1.3  # of Fa that is none
_TENFOLD = 9.5, 10.5  # ratios of Fa that look like a decimal point out of its place
_ROUND = 0.5  # points of IoU that a level must come near to have it
_OTHER_MAPS = "other parameters or another implementation"
_SHARES = np.arange(1, 100) / 100


@dataclass(frozen=True)
class Reproduced:
    """A published row, our scores on the images `images` under its profile, and why they differ.

    `ours` and `protocol` are by `COMPARED`, in percent and in units of 1e-6; `protocol` is under
    the rule `own`, IoU a mean over the images of `usual`.
    """

    claim: Claim
    ours: Mapping[str, float]
    images: str  # key of the list that ours are of
    number: int  # of its images
    protocol: Mapping[str, float]
    agrees: bool
    why: str
    resized: Mapping[str, float] | None = None  # of maps of resized images, where made


@dataclass(frozen=True)
class _Set:
    """The results on one list of images."""

    key: str
    results: Results
    opened: Callable[[], Dataset]
    searched: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)  # name, profile

    def has(self, name: str) -> bool:
        return name in self.results.records and self.results.complete(name, "half")

    def only(self, name: str) -> Results:
        records = {name: self.results.records[name]}
        return replace(self.results, records=records, counts={name: self.results.counts[name]})


def reproduced(
    out: Path,
    title: str,
    opened: Callable[[], Dataset],
    rows: Sequence[Claim] | None = None,
    resized: Iterable[str] = (),
    show: bool = True,
) -> list[Reproduced]:
    """Every published row of a data set, by its title, whose method has results below `out`.

    `opened` gives the data set; `rows` are those of `claims` unless others are given. The methods
    `resized`, by name, are run on images resized as the source does, where that is known. Raises
    `DataError` if there are no such rows or no results, or if maps are missing whose counts are.
    """
    rows = claims(title) if rows is None else rows
    if not rows:
        raise DataError(f"no published row of {title} is of a traditional method that is here")
    sets = _sets(out, opened, [claim.name for claim in rows])
    if _USUAL not in sets:
        raise DataError(
            f"{out / LISTS[_USUAL]}: no results; make some with `istsbench run --methods "
            "traditional --dataset nuaa`"
        )
    usual = sets[_USUAL]
    rows = [claim for claim in rows if usual.has(claim.name)]
    lines = usual.results.summary("own", "image").to_dict("records")
    protocol = {str(line["method"]): _in_units(line) for line in lines}
    found = []
    with progress(f"published rows of {title}", len(rows), show) as report:
        for claim in rows:
            own = sets.get(claim.stated)
            images = own if own is not None and own.has(claim.name) else usual
            again = None
            if claim.name in set(resized) and claim.known == "read" and images.key == claim.stated:
                again = _on_resized(claim, images, show)
            found.append(_compare(claim, images, usual, protocol[claim.name], again))
            report(claim.method)
    return found


def _sets(out: Path, opened: Callable[[], Dataset], names: Sequence[str]) -> dict[str, _Set]:
    found = {}
    for key, folder in LISTS.items():
        if any((out / folder / f"{name}.json").is_file() for name in names):
            found[key] = _Set(key, Results.load(out / folder, names), opened)
    return found


def _under_profile(claim: Claim, images: _Set) -> dict[str, float]:
    under = profiled(images.only(claim.name), claim.profile, images.opened, show=False)
    return _in_units(profile_scores(claim.profile, under.counts[claim.name]))


def _on_resized(claim: Claim, images: _Set, show: bool) -> dict[str, float] | None:
    if not resizes_images(claim.profile):
        return None
    results = images.only(claim.name)
    rows = counts_of_resized(results, claim.name, claim.profile, images.opened(), show)
    return _in_units(profile_scores(claim.profile, rows))


def _compare(
    claim: Claim,
    images: _Set,
    usual: _Set,
    protocol: Mapping[str, float],
    resized: Mapping[str, float] | None = None,
) -> Reproduced:
    ours = _under_profile(claim, images)
    nearest = ours if resized is None else resized  # the source resizes images, not maps
    agrees = all(_near(score, nearest[score], value) for score, value in claim.scores.items())
    parts = [_differences(claim, nearest)]
    if claim.reprints:
        parts.append(f"the row of {claim.reprints}, printed again")
    if claim.stated != images.key:
        stated = f"the list is {claim.stated}" if claim.stated else "the list is not stated"
        parts.append(f"other images: {stated}, ours are {images.key}")
    elif images is not usual:
        there = _under_profile(claim, usual)["iou"]
        parts.append(f"on the images of {usual.key} our IoU is {there:.1f}")
    if not agrees:
        parts.append(_cause(claim, images, nearest))
    if claim.known == "assumed":
        parts.append("the profile is assumed")
    return Reproduced(
        claim, ours, images.key, images.results.any_record.images, protocol, agrees,
        "; ".join([*parts, *_noted(claim)]), resized,
    )  # fmt: skip


def _noted(claim: Claim) -> list[str]:
    """What else is known of a row: other parameters that give it."""
    notes = read_paper("reproduced_notes", dtype=str, keep_default_na=False)
    mine = (notes["source"] == claim.source) & (notes["method"] == claim.method)
    return list(notes.loc[mine, "note"])


def _in_units(scores: Mapping[Any, Any]) -> dict[str, float]:
    return {score: unit * scores[score] for score, unit in _UNITS.items()}


def _near(score: str, ours: float, printed: float) -> bool:
    if score == "fa":
        return max(ours, printed) <= FACTOR * min(ours, printed) or abs(ours - printed) < 1
    return abs(ours - printed) <= NEAR[score]


def _differences(claim: Claim, ours: Mapping[str, float]) -> str:
    """Ours less theirs, of Fa the ratio."""
    parts = []
    for score, printed in claim.scores.items():
        value = f"{ours[score] - printed:+.1f}"
        if score == "fa":
            value = f"x {ours[score] / printed:.3g}" if printed else f"{ours[score]:.0f} for 0"
        parts.append(f"{_HEADS_OF[score]} {value}")
    return ", ".join(parts)


# ------------------------------------------------------------------ causes


def _cause(claim: Claim, images: _Set, ours: Mapping[str, float]) -> str:
    """What most probably makes the difference."""
    others = {score: value for score, value in claim.scores.items() if score != "iou"}
    if "iou" not in claim.scores:
        return "no IoU is printed to look for a level by"
    if _near("iou", ours["iou"], claim.scores["iou"]):
        apart = [s for s, value in others.items() if not _near(s, ours[s], value)]
        low, high = (ratio * ours["fa"] for ratio in _TENFOLD)
        if apart == ["fa"] and low < claim.scores["fa"] < high:
            return (
                "all but Fa, which is ten times ours: a decimal point out of its place would "
                "explain it"
            )
        named = " and ".join(_HEADS_OF[score] for score in apart)
        return f"the same IoU with another {named}: {_OTHER_MAPS}"
    share, best = _level(claim, images)
    if share is None:
        return f"no level of our maps has that IoU (the best has {best:.1f}): {_OTHER_MAPS}"
    there = _in_units(_at_level(claim, images, share))
    told = f"at {share:.2f} instead of {claim.profile.level:g} our maps have that IoU"
    if not others:
        return f"{told}: another level, or other maps; no Pd or Fa is printed to tell"
    if all(_near(score, there[score], value) for score, value in others.items()):
        return f"{told} and the rest of the row: another level"
    rest = ", ".join(f"{_HEADS_OF[score]} {there[score]:.1f}" for score in others)
    return f"{told}, with {rest}: {_OTHER_MAPS}"


def _at_level(claim: Claim, images: _Set, share: float) -> dict[str, float]:
    profile = replace(claim.profile, level=share)
    found = count_maps(images.only(claim.name), claim.name, profile, images.opened())
    return profile_scores(profile, found.rows)


def _level(claim: Claim, images: _Set) -> tuple[float | None, float]:
    """The level 0.01..0.99 whose pooled IoU is nearest to the published one, and the best IoU.

    None if no level comes within half a point.
    """
    key = claim.name, claim.profile.name
    if key not in images.searched:  # several rows are of one method
        results = images.only(claim.name)
        found = _iou_by_level(results, claim.name, claim.profile, images.opened())
        images.searched[key] = found
    values = images.searched[key]
    distance = np.abs(values - claim.scores["iou"])
    place = int(np.argmin(distance))
    return (
        float(_SHARES[place]) if distance[place] <= _ROUND else None,
        float(values.max()),
    )


def _iou_by_level(results: Results, spec: str, profile: Profile, dataset: Dataset) -> np.ndarray:
    """Pooled IoU, percent, at the levels 0.01, 0.02, ..., 0.99 of the scaled maps."""
    record = results.records[spec]
    store, probability = map_store(results.folder.parent, record), is_probability(record)
    total = np.zeros((2, len(_SHARES)))
    targets = 0
    for name in map(str, results.counts[spec]["image"].unique()):
        stored = store.load(name)
        if stored is None:
            raise DataError(f"{store.folder}: no map of {name}")
        score, truth = at_size(
            profile, stored.score.astype(np.float64), dataset.load(name).mask, record.dataset
        )
        values = taken(score, profile.iou_scale, probability)
        for row, part in enumerate((values[truth], values)):
            places = np.searchsorted(np.sort(part, axis=None), _SHARES, side="right")
            total[row] += part.size - places
        targets += int(np.count_nonzero(truth))
    hits, above = total
    return np.asarray(100 * hits / np.maximum(targets + above - hits, 1))
