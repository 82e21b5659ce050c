"""Figures of a trained pixelGame, after Figs. 2, 6, 8 and 9 of its paper.

    python benchmarks/game_figures.py evolution runs/nuaa/pixelgame/log.csv
    python benchmarks/game_figures.py layers Misc_1 best.safetensors --dataset nuaa
    python benchmarks/game_figures.py attentions Misc_1 mim.safetensors se.safetensors

`evolution` draws scores of both players and of their fusion on the validation images, and
their utilities, over the epochs of a log; `layers` the strongest channel of each encoder
layer; `attentions` that of what each attention hands to the decoder, a row a weight file.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from istsbench.commands.options import Width, WidthOption
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Sample
from istsbench.figures.fonts import wrapped
from istsbench.figures.style import PAGE, RED, Layout, foot, house_style
from istsbench.figures.writing import write_figure
from istsbench.networks.checkpoint import read_weights
from pixelgame.features import layers as feature_maps
from pixelgame.segmenter import PixelGame

PLAYERS: dict[str, tuple[str, str, str, str]] = {  # label, hue of Okabe and Ito, dashes, mark
    "fns": ("FNs-player", "#0072b2", "--", "s"),
    "fps": ("FPs-player", "#d55e00", ":", "^"),
    "fusion": ("pixelGame", "#000000", "-", "o"),
}
RATIO_TITLES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
app = typer.Typer()
Out = Annotated[Path, typer.Option(help="folder of the figures")]


def method_of(weights: Path) -> PixelGame:
    """The network that a weight file was made for."""
    own = dict(read_weights(weights)[1]["architecture"])
    own.pop("network")
    return PixelGame(weights=weights, **own)


@house_style()
def evolution_figure(log: pd.DataFrame, layout: Layout = PAGE) -> Figure:
    """Four panels beside each other, or two by two in a column, with one legend."""
    across = 2 if layout.narrow else 4
    height = 3.4 if layout.narrow else 2.1
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    axes = figure.subplots(4 // across, across).ravel()
    known = log[log["val_fusion_f1_image"].notna()]
    for place, (ratio, title) in zip(axes, RATIO_TITLES.items(), strict=False):
        for player in PLAYERS:
            _line(place, player, known["epoch"], known[f"val_{player}_{ratio}_image"])
        place.set(title=title, xlabel="epoch", ylim=(0, 1))
    for player in ("fns", "fps"):
        _line(axes[3], player, log["epoch"], log[f"{player}_utility"])
    axes[3].set(title="Utility", xlabel="epoch")
    axes[3].set_ylim(bottom=0)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, handlelength=3)
    return figure


def _line(axes: Axes, player: str, epochs: pd.Series, values: pd.Series) -> None:
    """Told by hue, dashes and marks, so that they stay apart in grey as well."""
    label, colour, dashes, mark = PLAYERS[player]
    order = list(PLAYERS).index(player)
    axes.plot(
        epochs, values, label=label, color=colour, linestyle=dashes, marker=mark, markersize=3.4,
        markevery=(0.05 + 0.08 * order, 0.3), markeredgecolor="white", markeredgewidth=0.4,
    )  # fmt: skip


@house_style()
def maps_figure(
    sample: Sample, rows: dict[str, dict[str, np.ndarray]], layout: Layout = PAGE
) -> Figure:
    """The image and channels of layers, a row a label; below each channel the levels that its
    colours reach from and to."""
    most = 1 + max(len(maps) for maps in rows.values())
    columns = min(most, 3) if layout.narrow else most
    lines = {label: -(-(1 + len(maps)) // columns) for label, maps in rows.items()}
    high, wide = sample.image.shape
    number = sum(lines.values())
    height = number * (layout.width / columns * high / wide + 0.42) + 0.45
    figure = Figure(figsize=(layout.width, height), layout="constrained")
    axes = figure.subplots(number, columns, squeeze=False)
    start = 0
    for label, maps in rows.items():
        places = axes[start : start + lines[label]].ravel()
        start += lines[label]
        shown = {"": sample.image, **maps}
        for place, (name, pixels) in zip(places, shown.items(), strict=False):
            low, top = float(pixels.min()), float(np.quantile(pixels, 0.999 if name else 1))
            place.imshow(pixels, cmap="viridis" if name else "gray", vmin=low, vmax=top)
            place.contour(sample.mask, [0.5], colors=RED, linewidths=0.6)
            place.set_title(name or wrapped(label, layout.width / columns, 8))
            place.set_xlabel(f"{round(low, 3):.3g} to {round(top, 3):.3g}")
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        for place in places[len(shown) :]:
            place.set_visible(False)
    foot(
        figure,
        "below each picture: the levels of its darkest and its brightest colour (of channels the "
        "99.9 % quantile); red: outline of the targets",
    )
    return figure


def write(figure: Figure, out: Path, name: str, width: Width) -> None:
    write_figure(figure, out, f"{name}-column" if width is Width.column else name)


@app.command()
def evolution(
    log: Path, width: WidthOption = Width.page, out: Out = Path("results/figures")
) -> None:
    frame = pd.read_csv(log)
    if "val_fusion_f1_image" not in frame:
        raise typer.BadParameter(
            f"{log} is no log of pixelGame: it has no column val_fusion_f1_image"
        )
    write(evolution_figure(frame, Layout(width.value)), out, "evolution", width)


@app.command()
def layers(
    image: str,
    weights: Path,
    dataset: str = "nuaa",
    player: str = "fns",
    width: WidthOption = Width.page,
    out: Out = Path("results/figures"),
) -> None:
    sample = open_dataset(dataset).load(image)
    found = feature_maps(method_of(weights), sample.image, player)
    shown = {name: pixels for name, pixels in found.items() if name.startswith("x")}
    figure = maps_figure(sample, {image: shown}, Layout(width.value))
    write(figure, out, f"layers-{player}-{image}", width)


@app.command()
def attentions(
    image: str,
    weights: list[Path],
    dataset: str = "nuaa",
    player: str = "fps",
    width: WidthOption = Width.page,
    out: Out = Path("results/figures"),
) -> None:
    sample = open_dataset(dataset).load(image)
    rows = {}
    for path in weights:
        method = method_of(path)
        found = feature_maps(method, sample.image, player)
        label = f"{method.attention}, {path}" if method.attention in rows else method.attention
        rows[label] = {k: pixels for k, pixels in found.items() if k.startswith("m")}
    figure = maps_figure(sample, rows, Layout(width.value))
    write(figure, out, f"attentions-{player}-{image}", width)


if __name__ == "__main__":
    app()
