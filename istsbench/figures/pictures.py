"""What figures of images show: which images, their maps and masks, and in what grey levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from istsbench.data.difficulty import describe
from istsbench.data.samples import Dataset, Sample
from istsbench.errors import DataError, UnknownName
from istsbench.figures.style import label_of
from istsbench.registry import group_order
from istsbench.results.intervals import complete_rows
from istsbench.results.masks import Masks
from istsbench.results.missing import how_to_make, missing_maps
from istsbench.results.results import Results
from istsbench.runs.record import map_store

DIFFICULTIES = (
    (0.9, "easy"),
    (0.5, "median"),
    (0.1, "hard"),
)  # of the images, in order of their SCR
DECADES = 3  # of a map that its picture shows


# ------------------------------------------------------------------ what is shown


def by_contrast(results: Results, dataset: Dataset, rule: str) -> dict[str, str]:
    """An easy, a median and a hard image: name -> which, at the 90, 50 and 10 % quantile of the
    local SCR of its targets.

    Chosen by the truth alone, never by how well a method does. Images whose SCR is undefined
    stand behind; fewer than three images with a target give fewer.
    """
    rows = next(iter(complete_rows(results, rule).values()))
    names = list(rows.index[rows["targets"] > 0])
    if not names:
        raise DataError(f"{results.folder}: no image has a target; name one to draw")
    ratio = describe(dataset, names)["scr"]
    order = list(ratio[ratio.notna()].sort_values(kind="stable").index) or names
    return {order[round(share * (len(order) - 1))]: which for share, which in DIFFICULTIES}


def representatives(results: Results, rule: str, number: int = 4) -> list[str]:
    """Images spread evenly over the number of targets and their mean size, small to large.

    Chosen by the truth alone, never by how well a method does.
    """
    rows = next(iter(complete_rows(results, rule).values()))
    rows = rows[rows["targets"] > 0]
    if rows.empty:
        raise DataError(f"{results.folder}: no image has a target; name one to draw")
    size = (rows["tp"] + rows["fn"]) / rows["targets"]
    order = np.lexsort((rows.index, size, rows["targets"]))
    places = (np.arange(number) + 0.5) / number * len(order)
    return list(rows.index[order[np.unique(places.astype(int))]])


@dataclass(frozen=True)
class Answer:
    """What one method answered to one image."""

    score: np.ndarray | None  # the map (H, W); None for a row of a pack, which has none
    mask: np.ndarray  # bool (H, W)


def load_images(
    results: Results, dataset: Dataset, rule: str, names: Sequence[str]
) -> tuple[list[Sample], dict[str, list[Answer]], str]:
    """Samples, spec -> its maps and masks group by group, and a note on what is missing.

    Rows from a pack have masks of their own rule alone. Methods with neither all these maps
    nor all these masks are left out. Raises `UnknownName` for an image that was not counted,
    `DataError` if no method is left.
    """
    rows = complete_rows(results, rule)
    for name in names:
        if name not in next(iter(rows.values())).index:
            raise UnknownName("image", name, list(next(iter(rows.values())).index))
    samples = [dataset.load(name) for name in names]
    found: dict[str, list[Answer]] = {}
    gone: list[str] = []
    packed: list[str] = []
    for spec in sorted(rows, key=lambda spec: group_order(results.records[spec].group)):
        label = label_of(results.records[spec])
        shown = _maps(results, spec, samples, rows[spec])
        if shown is None:
            shown = _masks(results, spec, samples, rule)
            (gone if shown is None else packed).append(label)
        if shown is not None:
            found[spec] = shown
    if not found:
        advice = how_to_make(results, images_without_mask(results, dataset, rule, names), dataset)
        raise DataError(f"{results.folder}: no map of {', '.join(names)} is stored; {advice}")
    note = f"; masks only, from a pack: {', '.join(packed)}" if packed else ""
    note += f"; maps not stored: {', '.join(gone)}" if gone else ""
    return samples, found, note


def images_without_mask(
    results: Results, dataset: Dataset, rule: str, images: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Of the methods without all maps and without all masks of these images: the images.

    No images: those of `representatives`.
    """
    rows = complete_rows(results, rule)
    samples = [dataset.load(name) for name in images or representatives(results, rule)]
    return {
        spec: gone
        for spec in rows
        if (gone := missing_maps(results, spec, {one.name: one.pixels for one in samples}))
        and _masks(results, spec, samples, rule) is None
    }


def _maps(
    results: Results, spec: str, samples: Sequence[Sample], rows: pd.DataFrame
) -> list[Answer] | None:
    """From stored maps, all or none."""
    store = map_store(results.folder.parent, results.records[spec])
    shown = []
    for sample in samples:
        stored = store.load(sample.name)
        if stored is None or stored.pixels != sample.pixels:
            return None
        level = float(rows["level"][sample.name])
        shown.append(Answer(stored.score, stored.score.astype(np.float64) > level))
    return shown


def _masks(
    results: Results, spec: str, samples: Sequence[Sample], rule: str
) -> list[Answer] | None:
    """From the run lengths of a pack, all or none."""
    stored = Masks.of(results.folder.parent, results, spec, rule)
    found = [stored(sample.name) for sample in samples]
    shown = [
        Answer(None, mask)
        for mask, sample in zip(found, samples, strict=True)
        if mask is not None and mask.shape == sample.mask.shape
    ]
    return shown if len(shown) == len(samples) else None


# ------------------------------------------------------------------ grey levels


def grey_scene(image: np.ndarray) -> np.ndarray:
    """An image (H, W) as grey 0..1, from its 1 % to its 99.5 % quantile.

    From minimum to maximum, one hot target would leave its surroundings black. A tenth of that
    range is shown at least, or the noise of an empty sky would be black and white.
    """
    low, high = np.quantile(image, [0.01, 0.995])
    high = max(high, low + 0.1 * float(np.ptp(image)))
    if high <= low:
        return np.zeros(image.shape)
    return np.asarray(np.clip((image - low) / (high - low), 0, 1))


def stretched(score: np.ndarray) -> np.ndarray:
    """A map or image (H, W) from its minimum to its maximum as 0..1; zeros if flat."""
    low, high = float(score.min()), float(score.max())
    return (score - low) / (high - low) if high > low else np.zeros(score.shape)


def logarithm(score: np.ndarray) -> np.ndarray:
    """A map (H, W) as 0..1 on a logarithm: 1 is its maximum, 0 all that is `DECADES` below it.

    Distances are from the minimum. On a linear scale what clutter leaves in a map is black.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(1 + np.log10(stretched(score)) / DECADES, 0, 1))
