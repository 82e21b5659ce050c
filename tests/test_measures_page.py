"""Every number of docs/measures.md is what the code gives; `python tests/test_measures_page.py`
writes them into the page."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from istsbench.curves import Curve
from istsbench.data.samples import Sample
from istsbench.matching import MATCHES, Matching, Regions
from istsbench.metrics import HIOU_LOSSES, summarise
from istsbench.results.profile_counts import count_under, profile_scores
from istsbench.results.profiles import profile_named
from istsbench.runs.counting import count_image
from istsbench.runs.maps import StoredMap
from istsbench.threshold import Fixed

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "measures.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not installed")

TRUTH = """
............
............
..TTT.......
..TTT.......
............
............
............
............
........TT..
............
............
............
"""
LEVELS = """
............
............
..599.......
..499.......
...77.......
............
.........88.
............
........44..
............
.6..........
.6.........2
"""


def truth():
    return np.array([[sign == "T" for sign in line] for line in TRUTH.split()])


def score():
    rows = [[0 if sign == "." else int(sign) for sign in line] for line in LEVELS.split()]
    return np.array(rows) / 10


def image():
    """A background of two grey levels like a chess board, the targets 60 levels above it."""
    rows, columns = np.mgrid[:12, :12]
    return 100.0 + 10 * ((rows + columns) % 2) + 60 * truth()


def rows_of(mask, values):
    sample = Sample("one", image() if mask.any() else np.full((12, 12), 100.0), mask)
    rule = {"half": Fixed(0.5)}
    rows, curve = count_image(sample, StoredMap(np.float32(values), "", 0.0), rule, Fixed(0.5))
    return pd.DataFrame(rows), curve


def example():
    return rows_of(truth(), score())


def pictures():
    predicted = score() > 0.5
    signs = {(True, True): "#", (True, False): "T", (False, True): "x", (False, False): "."}
    both = [
        "".join(signs[bool(t), bool(p)] for t, p in zip(*pair, strict=True))
        for pair in zip(truth(), predicted, strict=True)
    ]
    lines = ["truth         map, tenths  both, above 0.5"]
    for parts in zip(TRUTH.split(), LEVELS.split(), both, strict=True):
        lines.append("  ".join(parts))
    return "\n".join(["```", *lines, "```"])


def pixels():
    rows, _ = example()
    counts = rows.iloc[0]
    lines = [f"tp {counts['tp']}, fp {counts['fp']}, fn {counts['fn']}, tn {counts['tn']}.", ""]
    empty, _ = rows_of(np.zeros((12, 12), bool), np.zeros((12, 12)))
    both = pd.concat([rows, empty])
    heads = ("score", "the example", "with an empty frame: pooled", "image, `zero`", "`one`",
             "`exclude`")  # fmt: skip
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, head in (("precision", "P"), ("recall", "R"), ("f1", "F1"), ("iou", "IoU"),
                       ("niou", "nIoU")):  # fmt: skip
        values = [summarise(rows, "pooled")[name], summarise(both, "pooled")[name]]
        values += [summarise(both, "image", empty=e)[name] for e in ("zero", "one", "exclude")]
        lines.append("| " + " | ".join([head, *(f"{value:.4f}" for value in values)]) + " |")
    return "\n".join(lines)


def targets():
    rules = {
        "first": "both targets find a region within 3 pixels; the third region is false",
        "area": "the false region has 2 pixels like a matched one, and is forgiven",
        "hungarian": "as `first`: no other pairs are in reach",
        "opdc": "the first pair by overlap 1/2, the second by distance",
        "shooting": "the second target has no positive pixel on it or beside it",
    }
    assert set(rules) == set(MATCHES)
    lines = ["| rule | found | Pd | false pixels | Fa, 1e-6 | why |", "|---|---|---|---|---|---|"]
    matching = Matching(Regions.of(score() > 0.5), Regions.of(truth()))
    for rule, why in rules.items():
        found = matching.counts(rule)
        lines.append(
            f"| `{rule}` | {found.detected} of {found.targets} | {found.detected / found.targets:g}"
            f" | {found.false_pixels} | {1e6 * found.false_pixels / 144:.0f} | {why} |"
        )
    profile = replace(profile_named("rpcanet"), size=None)
    counted = count_under(profile, "one", score() / score().max(), truth(), True)
    found = profile_scores(profile, pd.DataFrame([counted.row]))
    lines.append(
        f"| any pixel (profile `rpcanet`) | {round(2 * found['pd'])} of 2 | {found['pd']:g} | "
        f"{round(found['fa'] * 136)} | {1e6 * found['fa']:.0f} | all positive pixels off the "
        "targets, over the 136 of background; the map divided by its maximum |"
    )
    return "\n".join(lines)


def hierarchy():
    scores = summarise(example()[0], "pooled")
    names = {"hiou": "hIoU = loc x seg", "loc": "pairs / (pairs + regions and targets without one)",
             "seg": "mean IoU of the pairs", **HIOU_LOSSES}  # fmt: skip
    lines = ["| term | value | what |", "|---|---|---|"]
    return "\n".join(lines + [f"| `{n}` | {scores[n]:.4f} | {t} |" for n, t in names.items()])


def curves():
    rows, of_targets = example()
    exact = Curve.of(score().ravel(), truth().ravel())
    lines = ["| measure | value |", "|---|---|"]
    lines.append(f"| AUC, exact, over pixels | {exact.auc:.4f} |")
    lines.append(f"| AP | {exact.average_precision:.4f} |")
    lines.append(f"| target AUC | {of_targets.auc:.4f} |")
    assert abs(rows.iloc[0]["auc"] - exact.auc) < 1e-6
    return "\n".join(lines)


def gains():
    scores = summarise(example()[0], "pooled")
    lines = ["| measure | mean over the targets |", "|---|---|"]
    for name, head in (("scrg", "SCRG"), ("bsf", "BSF"), ("gain", "contrast gain")):
        lines.append(f"| {head} | {scores[name]:.4f} |")
    return "\n".join(lines)


def others():
    with (ROOT / "benchmarks" / "other_counts.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    lines = ["| " + " | ".join(found[0]) + " |", "|---" * len(found[0]) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row.values()) + " |" for row in found])


BLOCKS = {
    "pictures": pictures, "pixels": pixels, "targets": targets, "hierarchy": hierarchy,
    "curves": curves, "gains": gains, "others": others,
}  # fmt: skip


def block(name):
    """The pattern of a block of the page: its two marks and what is between them."""
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", BLOCKS)
def test_the_page_shows_what_the_code_gives(name):
    found = block(name).findall(PAGE.read_text())
    assert [text for _, text, _ in found] == [BLOCKS[name]()], (
        "run `python tests/test_measures_page.py`"
    )


def test_the_example_tells_the_rules_apart():
    """By hand: regions of 6, 2 and 2 pixels; the second lies 2.24 pixels from its target."""
    found = Matching(Regions.of(score() > 0.5), Regions.of(truth()))
    assert found.predicted.areas.tolist() == [6, 2, 2] and found.true.areas.tolist() == [6, 2]
    assert found.distance[1, 1] == pytest.approx(5**0.5)
    assert found.counts("first").false_pixels == 2 and found.counts("area").false_pixels == 0
    assert found.counts("shooting").detected == 1
    scores = summarise(example()[0], "pooled")
    assert scores["seg"] == pytest.approx((4 / 8 + 0) / 2) and scores["loc"] == pytest.approx(2 / 3)
    lost = sum(scores[name] for name in ("seg_mrg_err", "seg_itf_err", "seg_pcp_err"))
    assert scores["seg"] + lost == pytest.approx(1)


if __name__ == "__main__":
    page = PAGE.read_text()
    for name, make in BLOCKS.items():
        before, _, after = block(name).findall(page)[0]
        page = block(name).sub((before + make() + after).replace("\\", r"\\"), page)
    PAGE.write_text(page)
