"""What stands under a table: images, protocol and notes; for papers in words, without hashes."""

from __future__ import annotations

from collections.abc import Collection

from istsbench import __version__
from istsbench.data.depth import sentence
from istsbench.metrics import EMPTY, HIOU_LOSSES
from istsbench.results.protocol import MATCHED, REDUCED, Protocol, resized_rows
from istsbench.results.results import Results
from istsbench.results.rows import rows_there
from istsbench.results.shipped import shipped_told
from istsbench.results.trained import weights_told
from istsbench.runs.counting import LACKED
from istsbench.suppression import GAINS

LATER = (
    "hiou", "loc", "seg", *HIOU_LOSSES, "pd_shooting", "fa_shooting", "auc_image", "target_auc",
    *GAINS,
)  # fmt: skip
"""Scores that counts of earlier versions do not tell."""
_EXPLAINED = {
    "hIoU: mean IoU of the pairs of OPDC matching, times pairs over all regions, both pooled; an "
    "empty mask has no region (PyIRSTDMetrics 1.0.2 counts one there).": (
        "hiou", "loc", "seg", *HIOU_LOSSES,
    ),
    "Shooting rule: a target is hit within 1 pixel, pixels up to 4 from a target are not false.": (
        "pd_shooting", "fa_shooting",
    ),
    "AUC (images): the mean of the images' own areas.": ("auc_image",),
    "AUC (targets): a target is found by any of its pixels, so it saturates; printed is what it "
    "lacks of 1, in 1e-6.": ("target_auc",),
    "SCRG, BSF and gain: means over the targets for which they are finite, with 20 pixels of "
    "background around each; the share of these targets is in columns of their own.": GAINS,
}  # fmt: skip
"""What scores are, each note with those that it is of."""
_IN_PAPERS = {
    "own": "thresholds by each method's own rule",
    "half": "maps scaled to [0, 1] image by image and cut at 0.5",
    "tuned": "thresholds chosen on validation images",
    "oracle": "thresholds chosen on these images themselves, which is no result",
}
_IN_CAPTIONS = {
    "own": "under each method's own threshold",
    "half": "under half of each image's scaled map",
    "tuned": "under thresholds chosen on validation images",
    "oracle": "under thresholds chosen on these images themselves, which is no result",
}


def meanings(shown: Collection[str]) -> list[str]:
    """What the scores shown are, where that is not plain from their names."""
    return [note for note, scores in _EXPLAINED.items() if {*scores} & {*shown}]


def captioned(rule: str, reduction: str) -> str:
    """Rule and reduction as a caption says them."""
    return f"{_IN_CAPTIONS[rule]}, {REDUCED[reduction]}"


def protocol_line(results: Results, rule: str, reduction: str, match: str = "first") -> str:
    """The protocol of a data set in a line, with its id."""
    record = results.any_record
    some = "first " if record.images < record.of else ""
    of = f" of {record.of}" if some else ""
    how = in_words(results, rule, reduction, match, f"rule {rule}")
    found = Protocol.of(results, rule, reduction, match).id
    return (
        f"{record.title}: split {record.split} ({some}{record.images}{of} images), {how}; "
        f"protocol {found}"
    )


def stamped(results: Results) -> str:
    """Which images and which version, as a file keeps it."""
    record = results.any_record
    return f"{record.title}: data hash {record.data_hash}, istsbench {__version__}"


def in_words(
    results: Results, rule: str, reduction: str, match: str = "first", named: str = ""
) -> str:
    """The protocol in words, as a paper may print it; `named` stands for the rule."""
    if results.profile is not None:
        text = results.profile.text(results.any_record.dataset)
        return f"{text}; {stated(results)}0/0 = 0"
    return (
        f"{named or _IN_PAPERS[rule]}, {REDUCED[reduction]}, native size, {stated(results)}"
        f"{MATCHED[match]}, 0/0 = 0"
    )


def placed(results: Results) -> str:
    """A data set as a caption names it: `NUAA-SIRST (86 test images)`."""
    record = results.any_record
    some = f"the first {record.images} of {record.of}"
    many = some if record.images < record.of else record.images
    return f"{record.title} ({many} {record.split} images)"


def stated(results: Results) -> str:
    """What only some images make a question: their depth, and how those without target count.

    And what only some rows do: maps that were resized.
    """
    record, parts = results.any_record, []
    if record.depth:
        parts.append(sentence(record.depth))
    if number := results.without_target:
        many = f"{number} of {record.images} images have no target"
        parts.append(f"{many}: they {EMPTY[results.empty]}")
    parts += resized_rows(results)
    return "".join(f"{part}, " for part in parts)


def noted(results: Results) -> list[str]:
    """What the records note of images and weights; with labels where it is not of all rows."""
    counted = [record for record in results.records.values() if record.wanted]
    labels: dict[str, list[str]] = {}
    for record in counted:
        for note in record.notes:
            labels.setdefault(note, []).append(record.label)
    return [
        note if len(named) == len(counted) else f"{', '.join(named)}: {note}"
        for note, named in labels.items()
    ]


def notes_told(results: Results, rule: str) -> list[str]:
    """What must be known of the rows of a data set to read them right."""
    notes = []
    if rule == "oracle":
        notes.append(
            "Oracle thresholds are chosen on the test images, for the best pooled F1: not a result."
        )
    record = results.any_record
    notes += noted(results)
    if record.dataset == "nust":
        notes.append(
            "The paper's NUST-SIRST numbers are from its own 80/20 division, ours from the "
            "official 100 test images: they are not comparable row by row."
        )
    if record.dataset == "nust-paper":
        notes.append(
            "The paper's 80/20 division is not published; ours is drawn with a seed of its own."
        )
    notes += shipped_told(results)
    notes += weights_told(results)
    hidden = max(rows_there(results.folder), results.offered) - len(results.records)
    if hidden > 0:
        notes.append(
            f"{record.title}: {hidden} more rows are in {results.folder.name}; marks and tests are "
            "among those shown."
        )
    for spec, one in results.records.items():
        failure = results.failure(spec)
        if failure:
            notes.append(f"{one.label} ({one.title}): {failure}")
    return notes


def notes_of_columns(results: Results, rule: str) -> list[tuple[str, tuple[str, ...]]]:
    """Notes that matter only where a table shows certain scores, each with these."""
    record = results.any_record
    found: list[tuple[str, tuple[str, ...]]] = [
        ("Seconds: of the median image, the method alone.", ("seconds",))
    ]
    told = [
        results.complete(spec, rule) and not results.of_earlier(spec, rule)
        for spec in results.records
    ]
    if any(told) and results.profile is None:
        found += _EXPLAINED.items()
    flat = [one.label for spec, one in results.records.items() if results.two_levels(spec)]
    if flat:
        note = (
            f"{record.title}: maps of two levels: {', '.join(flat)}; AUC is of one operating point."
        )
        found.append((note, ("auc", "auc_image", "target_auc", "average_precision")))
    waited = [one.label for spec, one in results.records.items() if results.waited(spec)]
    if waited:
        note = f"{record.title}: timed while the machine did other work: {', '.join(waited)}."
        found.append((note, ("seconds",)))
    machines: dict[str, list[str]] = {}
    for one in results.records.values():
        if one.ran and one.wanted:
            machines.setdefault(one.machine, []).append(one.label)
    if len(machines) > 1:
        most, *others = sorted(machines, key=lambda name: -len(machines[name]))
        rest = "; ".join(f"{', '.join(machines[name])} on {name}" for name in others)
        note = f"{record.title}: timed on different machines: {rest}; the other rows on {most}."
        found.append((note, ("seconds",)))
    earlier = [one.label for spec, one in results.records.items() if results.of_earlier(spec, rule)]
    if earlier:
        some = len(earlier) < len(results.records)
        more = f" and {len(earlier) - 3} more" if len(earlier) > 3 else ""
        of = f" of {len(earlier)} rows ({', '.join(earlier[:3])}{more})" if some else ""
        note = (
            f"{record.title}: no {LACKED}{of}: counted by an earlier version; "
            "`istsbench run` counts again where the maps are stored."
        )
        # Where no row has them, the columns are not there: said where hIoU would stand, by IoU.
        found.append((note, LATER if some else (*LATER, "iou")))
    return found
