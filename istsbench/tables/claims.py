"""Published rows of methods that are here too, each with the profile that it was counted under.

`reproduced_sources.csv` tells of each source which profile that is, and how far it is known:
`read` in its code, `derived` from a code that is known, or `assumed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from istsbench.registry import TRADITIONAL, cards
from istsbench.results.profiles import Profile, profile_named
from istsbench.segmenter import Card
from istsbench.tables.collected import collected
from istsbench.tables.published import read_paper

COMPARED = ("iou", "niou", "pd", "fa")
_OTHER_NAMES = {"nwmth": "mnwth"}  # New White Top-Hat is that paper's first form of it
_OLDER = {  # sources of `published_scores.csv`, by what their names begin with
    "open-acm README, ACM paper": "ACM paper Table 3",
    "YuChuang1205/MSDA-Net": "MSDA-Net tables",
}
_SPLITS = {"idx_427 341/86": "nuaa-86"}


@dataclass(frozen=True)
class Claim:
    """A published row; `scores` in percent and in units of 1e-6 by `COMPARED`, as far as given."""

    source: str
    method: str  # as printed
    name: str  # the method here
    dataset: str  # title
    stated: str  # key of the test list, empty if none is stated
    profile: Profile
    known: str  # how far the profile is known: read, derived or assumed
    why: str
    scores: Mapping[str, float]
    reprints: str = ""  # the source that it repeats, if any

    def equals(self, other: Claim) -> bool:
        """Whether one row may be a print of the other: the same but for digits cut off."""
        if self.name != other.name:
            return False
        both = [score for score in ("iou", "pd", "fa") if {score} <= {*self.scores, *other.scores}]
        pairs = [(self.scores.get(score), other.scores.get(score)) for score in both]
        given = [(one, two) for one, two in pairs if one is not None and two is not None]
        return len(given) > 1 and all(abs(one - two) <= max(0.01, 1e-3 * two) for one, two in given)


def claims(dataset: str) -> list[Claim]:
    """The rows of a data set, by its title, of traditional methods that are here.

    A row that repeats one of a source whose code is known has that source's list and profile.
    """
    named = {
        _plain(card.label): name
        for name, card in cards().items()
        if isinstance(card, Card) and card.group in TRADITIONAL  # of networks, weights decide
    }
    known = {line["source"]: line for line in _sources().to_dict("records")}
    found = []
    for source, method, stated, scores in [*_recent(dataset), *_older(dataset)]:
        name = named.get(_OTHER_NAMES.get(_plain(method), _plain(method)))
        if source not in known or name is None:
            continue
        line = known[source]
        profile = profile_named(str(line["profile"]))
        found.append(
            Claim(
                source, method, name, dataset, stated, profile, str(line["known"]),
                str(line["why"]), scores,
            )
        )  # fmt: skip
    first = [claim for claim in found if claim.known != "assumed"]
    return [_traced(claim, first) for claim in found]


def _traced(claim: Claim, first: Iterable[Claim]) -> Claim:
    if claim.known != "assumed":
        return claim
    for other in first:
        if claim.equals(other):
            return replace(
                claim, stated=other.stated, profile=other.profile, known=other.known,
                why=other.why, reprints=other.source,
            )  # fmt: skip
    return claim


def _sources() -> pd.DataFrame:
    return read_paper("reproduced_sources", dtype=str, keep_default_na=False)


def _recent(dataset: str) -> Iterable[tuple[str, str, str, dict[str, float]]]:
    for row in collected():
        if row.kind == "classical" and row.dataset == dataset:
            scores = {key: float(row.scores[key]) for key in COMPARED if row.scores[key]}
            yield row.source.name, row.method, row.stated, scores


def _older(dataset: str) -> Iterable[tuple[str, str, str, dict[str, float]]]:
    frame = read_paper("published_scores", dtype=str, keep_default_na=False)
    frame = frame[(frame["dataset"] == dataset) & frame["split"].isin([*_SPLITS])]
    for start, source in _OLDER.items():
        rows = frame[frame["source"].str.startswith(start)]
        for (method, split), part in rows.groupby(["method", "split"], sort=False):
            units = {"iou": 100.0, "niou": 100.0, "pd": 100.0, "fa": 1e6}
            scores = {
                key: round(float(value) * units[key], 6)
                for key, value in zip(part["metric"].str.lower(), part["value"], strict=True)
                if key in units
            }
            yield source, str(method), _SPLITS[str(split)], scores


def _plain(label: str) -> str:
    return "".join(sign for sign in label.lower() if sign.isalnum())
