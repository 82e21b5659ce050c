"""Published rows beside ours, as a page in Markdown and as a CSV file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from istsbench.files import write_atomic
from istsbench.tables.claims import COMPARED
from istsbench.tables.markup import markdown
from istsbench.tables.reproduced import FACTOR, NEAR, Reproduced

_COLUMNS = ("source", "method", "list", "profile", "known", "images")


def reproduced_frame(found: Sequence[Reproduced]) -> pd.DataFrame:
    """A row a published row: what is printed, ours under its profile, our protocol."""
    lines = []
    for one in found:
        claim = one.claim
        line: dict[str, object] = dict(
            zip(
                _COLUMNS,
                (
                    claim.source, claim.method, claim.stated, claim.profile.name, claim.known,
                    one.images,
                ),
                strict=True,
            )
        )  # fmt: skip
        for head, scores in (
            ("published", claim.scores), ("ours", one.ours), ("resized", one.resized or {}),
            ("protocol", one.protocol),
        ):  # fmt: skip
            line |= {f"{score}_{head}": scores.get(score, math.nan) for score in COMPARED}
        lines.append(line | {"agrees": one.agrees, "why": one.why})
    return pd.DataFrame(lines)


_HOW = """\
What papers and repositories print of traditional methods, beside what the maps of this suite give
under the profile of that source ([docs/profiles.md](../docs/profiles.md)), and beside the suite's
own protocol (rule `own`, means over images, native size). A cell is IoU / nIoU / Pd in percent / Fa
in units of 1e-6; a dash is a score that the source does not print. Under a profile of 256x256 the
*maps* are resized; **image resized** is what the method gives on *images* resized as the source
does it, where its code was read. The numbers compare implementations under one way of counting;
none of it says which of two implementations is better.

A row **agrees** if IoU, nIoU and Pd are within {points:g} points and Fa within a factor of
{factor:g}, on resized images where these were made. Where it does not, the level is looked for at
which our maps have the published IoU. If Pd and Fa are the published ones there too, the source
took another level; if they are not, or no level has that IoU, the maps are others: by parameters,
by code, or by the way they were saved. Differences are ours less theirs, for Fa the ratio.
"""
_HEADS = (
    "Method", "published", "ours, its profile", "image resized", "images", "our protocol",
    "what differs, why",
)  # fmt: skip


def reproduced_page(found: Sequence[Reproduced]) -> str:
    """The comparison in Markdown."""
    title = found[0].claim.dataset
    sources = dict.fromkeys(one.claim.source for one in found)
    lines = [
        f"# Published rows of {title}, counted again",
        "",
        _HOW.format(points=NEAR["iou"], factor=FACTOR),
        _counted(found),
        "",
    ]
    for source in sources:
        mine = [one for one in found if one.claim.source == source]
        lines += [f"## {markdown(source)}", "", _profiles_told(mine), ""]
        lines += ["| " + " | ".join(_HEADS) + " |", "|---|---|---|---|---:|---|---|"]
        for one in mine:
            agrees = "agrees: " if one.agrees else ""
            lines.append(
                f"| {markdown(one.claim.method)} | {_cells(one.claim.scores)} | "
                f"{_cells(one.ours, one.claim.scores)} | "
                f"{_cells(one.resized, one.claim.scores) if one.resized else ''} | {one.number} | "
                f"{_cells(one.protocol, ('iou', 'pd', 'fa'))} | "
                f"{markdown(agrees + one.why)} |"
            )
        lines.append("")
    return "\n".join(lines)


def _counted(found: Sequence[Reproduced]) -> str:
    sources = {one.claim.source for one in found}
    named = [f"{one.claim.method} ({one.claim.source})" for one in found if one.agrees]
    told = f": {', '.join(named)}" if named else ""
    return f"{len(found)} rows of {len(sources)} sources; {len(named)} agree{told}."


def _profiles_told(mine: Sequence[Reproduced]) -> str:
    told = dict.fromkeys(
        f"`{one.claim.profile.name}` ({one.claim.known}: {one.claim.why})" for one in mine
    )
    return "Profile: " + "; ".join(told) + "."


def _cells(scores: Mapping[str, float], shown: Collection[str] | None = None) -> str:
    parts = []
    for score in COMPARED:
        value = scores.get(score, math.nan)
        if math.isnan(value) or (shown is not None and score not in shown):
            parts.append("-")
        else:
            parts.append(f"{value:.0f}" if score == "fa" and value >= 100 else f"{value:.1f}")
    return " / ".join(parts)


def write_reproduced(
    found: Sequence[Reproduced], out: Path, notes: Sequence[str] = ()
) -> list[Path]:
    """Write OUT/reproduced.md and OUT/reproduced.csv; returns their paths."""
    texts = {
        "reproduced.md": reproduced_page(found),
        "reproduced.csv": reproduced_frame(found).to_csv(index=False, float_format="%.6g"),
    }
    for name, text in texts.items():
        write_atomic(out / name, text.encode())
    return [out / name for name in texts]
