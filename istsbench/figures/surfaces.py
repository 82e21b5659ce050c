"""Maps of one image as surfaces in space."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from skimage.measure import block_reduce

from istsbench.data.samples import Dataset
from istsbench.errors import DataError
from istsbench.figures.fonts import SMALLEST, shortened, wrapped
from istsbench.figures.pictures import DECADES, by_contrast, load_images, logarithm, stretched
from istsbench.figures.style import GREY, PAGE, Layout, house_style, label_of, stamp
from istsbench.results.results import Results

CELLS = 48  # along the longer side of a surface


def peaks(score: np.ndarray, cells: int = CELLS) -> np.ndarray:
    """The map (H, W) reduced to blocks of pixels, each by its maximum."""
    block = max(1, -(-max(score.shape) // cells))
    return np.asarray(block_reduce(score, block, np.max, cval=float(score.min())))


@house_style()
def surfaces(
    results: Results,
    dataset: Dataset,
    rule: str,
    image: str | None = None,
    layout: Layout = PAGE,
) -> Figure:
    """The maps of one image as surfaces over its pixels, their height on a logarithm.

    An image that nobody names is the hard one of `pictures.by_contrast`: on an easy one, and on
    a linear scale, all methods show the same spike.
    """
    kinds = {} if image else by_contrast(results, dataset, rule)
    name = image or [*kinds][-1]
    (sample,), answers, note = load_images(results, dataset, rule, [name])
    panels = [("Image", stretched(sample.image))]
    panels += [
        (label_of(results.records[spec]), logarithm(shown.score))
        for spec, (shown,) in answers.items()
        if shown.score is not None
    ]
    if len(panels) == 1:
        raise DataError(f"{results.folder}: no map of {sample.name} is stored, only masks")
    columns = min(len(panels), 4 if layout.narrow else 6)
    side = layout.width / columns
    labels = [shortened(text, side - 0.06) for text, _ in panels]
    which = f" ({kinds[name]} by the local SCR of its targets)" if kinds else ""
    text = stamp(
        results, layout,
        f"{name}{which}, {sample.image.shape[1]} x {sample.image.shape[0]} pixels",
        f"height and colour: maps on a logarithm of {DECADES} decades below their maximum, the "
        "image from minimum to maximum; blocks by their maximum",
        note.removeprefix("; "),
    )  # fmt: skip
    words = wrapped(text, layout.width - 0.1)
    foot = 0.115 * (words.count("\n") + 1) + 0.1
    lines = -(-len(panels) // columns)
    head = 0.05 + 0.12 * (1 + max(label.count("\n") for label in labels))
    step = 0.74 * side + head + 0.06
    height = lines * step + foot
    figure = Figure(figsize=(layout.width, height))
    for index, (label, (_, values)) in enumerate(zip(labels, panels, strict=True)):
        row, column = divmod(index, columns)
        top = 1 - row * step / height
        # The upper part of the axes is empty, the name stands there.
        place = (column / columns, top - step / height, 1 / columns, 0.82 * side / height)
        axes: Any = figure.add_axes(place, projection="3d")
        _surface(axes, peaks(values), values.shape)
        figure.text((column + 0.5) / columns, top - 0.1 / height, label, ha="center", va="top")
    figure.text(0.05 / layout.width, 0.06 / height, words, fontsize=SMALLEST, color=GREY)
    return figure


def _surface(axes: Any, values: np.ndarray, shape: tuple[int, ...]) -> None:
    rows = np.linspace(0, shape[0], values.shape[0])
    across = np.linspace(0, shape[1], values.shape[1])
    corners = [values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]]
    axes.plot_surface(
        *np.meshgrid(across, rows), values, rcount=CELLS, ccount=CELLS, linewidth=0,
        facecolors=colormaps["viridis"](np.max(corners, axis=0)), antialiased=False, shade=False,
        rasterized=True,
    )  # fmt: skip
    axes.patch.set_visible(False)  # or it hides what stands beside it
    axes.set(zlim=(0, 1), ylim=(shape[0], 0), xticks=[], yticks=[])
    # Lines at the decades; their names are in the line at the foot, there is no room here.
    axes.set_zticks(np.linspace(0, 1, DECADES + 1), [""] * (DECADES + 1))
    axes.tick_params(length=0)
    axes.set_box_aspect((shape[1], shape[0], 0.7 * max(shape)), zoom=1.12)
