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
from matplotlib.figure import Figure

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Sample
from istsbench.figures.style import RED, WIDTH, house_style
from istsbench.figures.writing import write_figure
from istsbench.networks.checkpoint import read_weights
from pixelgame.features import layers as feature_maps
from pixelgame.segmenter import PixelGame

PLAYERS = {"fns": "FNs-player", "fps": "FPs-player", "fusion": "pixelGame"}
app = typer.Typer()
Out = Annotated[Path, typer.Option(help="folder of the figures")]


def method_of(weights: Path) -> PixelGame:
    """The network that a weight file was made for."""
    own = dict(read_weights(weights)[1]["architecture"])
    own.pop("network")
    return PixelGame(weights=weights, **own)


@house_style()
def evolution_figure(log: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(WIDTH, WIDTH / 4), layout="constrained")
    axes = figure.subplots(1, 4)
    known = log[log["val_fusion_f1_image"].notna()]
    for place, ratio in zip(axes, ("precision", "recall", "f1"), strict=False):
        for player, label in PLAYERS.items():
            place.plot(known["epoch"], known[f"val_{player}_{ratio}_image"], label=label)
        place.set(title=ratio, xlabel="epoch", ylim=(0, 1))
    for player in ("fns", "fps"):
        axes[3].plot(log["epoch"], log[f"{player}_utility"], label=PLAYERS[player])
    axes[3].set(title="utility", xlabel="epoch")
    axes[0].legend()
    return figure


@house_style()
def maps_figure(sample: Sample, rows: dict[str, dict[str, np.ndarray]]) -> Figure:
    columns = 1 + max(len(maps) for maps in rows.values())
    high, wide = sample.image.shape
    size = (WIDTH, WIDTH / columns * high / wide * len(rows) + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, maps) in zip(axes, rows.items(), strict=True):
        for place, (name, pixels) in zip(line, {label: sample.image, **maps}.items(), strict=False):
            top = np.quantile(pixels, 1 if name == label else 0.999)
            place.imshow(pixels, cmap="gray" if name == label else "viridis", vmax=top)
            place.contour(sample.mask, [0.5], colors=RED, linewidths=0.4)
            place.set_title(name)
        for place in line:
            place.set_axis_off()
    return figure


@app.command()
def evolution(log: Path, out: Out = Path("results/figures")) -> None:
    frame = pd.read_csv(log)
    if "val_fusion_f1_image" not in frame:
        raise typer.BadParameter(
            f"{log} is no log of pixelGame: it has no column val_fusion_f1_image"
        )
    write_figure(evolution_figure(frame), out, "evolution")


@app.command()
def layers(
    image: str,
    weights: Path,
    dataset: str = "nuaa",
    player: str = "fns",
    out: Out = Path("results/figures"),
) -> None:
    sample = open_dataset(dataset).load(image)
    found = feature_maps(method_of(weights), sample.image, player)
    shown = {name: pixels for name, pixels in found.items() if name.startswith("x")}
    write_figure(maps_figure(sample, {image: shown}), out, f"layers-{player}-{image}")


@app.command()
def attentions(
    image: str,
    weights: list[Path],
    dataset: str = "nuaa",
    player: str = "fps",
    out: Out = Path("results/figures"),
) -> None:
    sample = open_dataset(dataset).load(image)
    rows = {}
    for path in weights:
        method = method_of(path)
        found = feature_maps(method, sample.image, player)
        label = f"{method.attention}, {path}" if method.attention in rows else method.attention
        rows[label] = {k: pixels for k, pixels in found.items() if k.startswith("m")}
    write_figure(maps_figure(sample, rows), out, f"attentions-{player}-{image}")


if __name__ == "__main__":
    app()
