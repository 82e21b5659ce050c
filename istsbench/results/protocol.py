"""The protocol of a number, as a value with a short id.

Two numbers may stand in one column only if their ids are equal: the same images (names
and pixels), threshold rule, reduction, matching of targets, size at which scores were
counted, and format of the counts; or the same profile, which fixes all but the images.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from istsbench.errors import ProtocolMix
from istsbench.results.results import Results

REDUCED = {"image": "means over images", "pooled": "pooled over all pixels"}
MATCHED = {
    "first": "targets matched in raster order",
    "area": "targets matched in raster order, regions of an area that a matched one has not false",
    "hungarian": "targets matched by most pairs in reach, then least distance",
    "opdc": "targets matched by OPDC",
    "shooting": "targets hit, and pixels spared, by the shooting rule",
}
SIZES = {"native": "native size", "512": "maps and masks resized to 512x512"}


@dataclass(frozen=True)
class Protocol:
    """What decides a score besides the method."""

    data_hash: str  # of the names and pixels of the images, hence of the split as well
    rule: str  # one of `RULES`
    reduction: str = "image"  # one of `REDUCTIONS`
    match: str = "first"  # one of `MATCHES`
    size: str = "native"  # one of `SIZES`
    tuning_hash: str | None = None  # of the images that `tuned` looked at
    format: int = 1  # of the counts
    depth: str = ""  # how images deeper than 8 bit came to 0..255; empty if none is
    empty: str = ""  # one of `EMPTY`: how images without a target count; empty if none is
    resized: str = ""  # which rows are of maps that were resized; empty if none is
    profile: str = ""  # of `PROFILES`, with all that it fixes; empty under the suite's protocol

    @classmethod
    def of(
        cls,
        results: Results,
        rule: str,
        reduction: str = "image",
        match: str = "first",
        size: str = "native",
    ) -> Protocol:
        """The protocol of a results folder; raises `ProtocolMix` if its methods differ in it."""
        tuned_on = None
        for spec, record in results.records.items():
            if not record.wanted:  # never ran: it has no number to compare
                continue
            if rule not in record.wanted:
                raise ProtocolMix(
                    f"{results.folder}: {spec} was counted under {', '.join(record.wanted)}, "
                    f"not under {rule!r}; rerun with --rules {rule}"
                )
            if rule == "tuned":
                tuned_on = tuned_on or record.tuning_hash
                if record.tuning_hash != tuned_on:
                    raise ProtocolMix(
                        f"{results.folder}: {spec} was tuned on other images than the methods "
                        "before it; rerun it with --rules tuned"
                    )
        record = results.any_record
        if results.profile is not None:
            profile = results.profile
            side = profile.size_on(record.dataset)
            return cls(
                record.data_hash, rule, profile.reduction, profile.match,
                "native" if side is None else str(side), format=record.format, depth=record.depth,
                resized="; ".join(resized_rows(results)), profile=repr(profile),
            )  # fmt: skip
        empty = results.empty if results.without_target else ""
        return cls(
            record.data_hash, rule, reduction, match, size, tuned_on, record.format, record.depth,
            empty, "; ".join(resized_rows(results)),
        )  # fmt: skip

    @property
    def id(self) -> str:
        """Eight hex digits, equal exactly where the protocols are."""
        told = dataclasses.asdict(self)
        # What changes nothing is left out, so that ids are those of versions that lack it.
        if not self.depth:
            del told["depth"]
        if self.empty in ("", "zero"):
            del told["empty"]
        if not self.resized:
            del told["resized"]
        if not self.profile:
            del told["profile"]
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def resized_rows(results: Results) -> list[str]:
    """A text for each row whose maps were brought to the size of their images before counting."""
    return [
        f"{record.label}: {record.resized} resized to the size of their images (bilinear)"
        for record in results.records.values()
        if record.resized
    ]
