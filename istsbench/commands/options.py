"""Options that several commands share: how data sets are named, and what decides their scores."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_datasets

KNOWN = "nuaa, nust, another name of `istsbench list datasets`, or folder:PATH"
SEVERAL = f'{KNOWN}; several by comma, a path with a comma in double quotes: nuaa,"folder:A, B".'

OneDataset = Annotated[
    str, typer.Option("--dataset", help=f"{KNOWN}.", autocompletion=complete_datasets)
]
Datasets = Annotated[str, typer.Option("--dataset", help=SEVERAL, autocompletion=complete_datasets)]
Tags = Annotated[
    str,
    typer.Option(
        "--dataset",
        help=f"Results to show: {SEVERAL[:-1]}; or folders below OUT.",
        autocompletion=complete_datasets,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder above the data sets; else $ISTSBENCH_DATA, else the user cache."),
]
Out = Annotated[Path, typer.Option(help="Results folder.")]
Split = Annotated[str, typer.Option(help="test, val, train, trainval, or a named split.")]
DepthOption = Annotated[
    str,
    typer.Option(
        help="Of images deeper than 8 bit: `image` (minimum and maximum of each to 0..255), `full` "
        "(scale of the file's type) or two levels, LO:HI."
    ),
]


class Rule(StrEnum):
    own = "own"
    half = "half"
    tuned = "tuned"
    oracle = "oracle"


class Reduction(StrEnum):
    image = "image"
    pooled = "pooled"


class Empty(StrEnum):
    """As `metrics.EMPTY`."""

    zero = "zero"
    one = "one"
    exclude = "exclude"


EmptyOption = Annotated[
    Empty,
    typer.Option(
        "--empty",
        help="How images without a target count in means over images: zero, one where nothing is "
        "predicted, or exclude.",
    ),
]


class Width(StrEnum):
    """As `figures.style.WIDTHS`."""

    page = "page"
    column = "column"


WidthOption = Annotated[
    Width,
    typer.Option("--width", help="Of a journal: page 17.8 cm, column 8.5 cm; letters have 7 pt."),
]
