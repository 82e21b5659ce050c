"""Train, score and write the ablations of pixelGame's paper: Tables IV, V and VII.

    python benchmarks/ablations.py IV V VII --dataset nuaa --compile --precision bf16

Every variant is trained by the same recipe on the training images, its epoch chosen on
the validation images, and scored on the test images at their native size; a variant that
two tables share is trained once. With --max-minutes the work is done in pieces: run the
same command again until it writes the tables. The paper's numbers stand beside.

The game is played with the utility "balanced", which replaces the printed one (see
`pixelgame.utility`); the note under each table says so.

IV: terms of the utility, both players fused. V: single objectives against the game, each
player alone. VII: attention in the skips, fused; without any ("none") is Table VI's row.
"""

import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset
from istsbench.networks.history import epoch_scores
from istsbench.networks.training import LAST, train
from istsbench.registry import create
from istsbench.tables.published import PAPER_SETS, paper_scores, paper_table
from istsbench.tables.table import Table

GAME = "balanced"
IV = {"U": f"{GAME}:U", "U+A": f"{GAME}:U+A", "U+G": f"{GAME}:U+G", "U+A+G": GAME}
V = {"IoU loss": "iou", "Dice loss": "dice", "SS loss": "ss", "Ours": GAME}
VII = {"SENet": "se", "GCNet": "gc", "Triplet": "triplet", "MIM": "mim", "none": "none"}
KEYS = {"IV": "utility", "V": "objective", "VII": "module"}  # columns of the paper's tables
WITHOUT = "pixelGame (w/o MIM)"  # its row of Table VI
UTILITY = (
    f'the utility of the game is "{GAME}", not the paper\'s Eq. 12-16: its U is soft IoU plus a '
    "tilted log loss (not Eq. 12-13), G and A are per target pixel (pixelgame/utility.py)"
)

# table -> (label of a row -> (attention, loss)), outputs that are scored, title
TABLES = {
    "IV": ({k: ("mim", v) for k, v in IV.items()}, ["fusion"], "Terms of the utility"),
    "V": ({k: ("mim", v) for k, v in V.items()}, ["fns", "fps"], "Single objectives and game"),
    "VII": ({k: (v, GAME) for k, v in VII.items()}, ["fusion"], "Attention in the skips"),
}


def variant(
    attention: str, loss: str, width: int, device: str, data: Dataset, out: Path, **options: object
) -> dict[str, float] | None:
    """Scores on the test images, None if the training is not finished in its time."""
    network = create("pixelgame", attention=attention, width=width, device=device)
    folder = out / data.name / f"{attention}-{loss.replace(':', '-').replace('+', '')}"
    trained = train(network, data, folder, loss=loss, device=device, show=True, **options)
    if not (folder / LAST).is_file():
        return None
    samples = [data.load(name) for name in data.names("test")]
    outputs = trained.score_outputs(sample.image for sample in samples)
    return epoch_scores(outputs, (sample.mask for sample in samples))


def printed(table: str, dataset: str) -> dict[str, dict[str, float]]:
    """The paper's numbers: row -> column of ours + "_paper" -> value."""
    own = PAPER_SETS.get(dataset)
    frame = paper_table(f"table_{table.lower()}").set_index(KEYS[table])
    found = {}
    for label, row in frame.iterrows():
        named = {
            (name.removeprefix(f"{own}_") if table == "V" else f"fusion_{name[len(own) + 1 :]}"): v
            for name, v in row.items()
            if own and name.startswith(f"{own}_")
        }
        found[label] = {f"{name}_image_paper": value for name, value in named.items()}
    if table == "VII" and own:
        row = paper_scores(dataset).loc[WITHOUT]
        found["none"] = {f"fusion_{name}_image_paper": row[name] for name in ("f1", "iou")}
    return found


def write(table: str, rows: dict[str, dict[str, float]], dataset: str, out: Path, how: str):
    _, outputs, title = TABLES[table]
    beside = printed(table, dataset)
    frame = pd.DataFrame(
        [
            {"label": label, "status": "paper", **row, **beside.get(label, {})}
            for label, row in rows.items()
        ]
    )
    blocks = []
    for output in outputs:
        columns = []
        for reduction in ("image", "pooled"):
            for ratio in ("f1", "iou"):
                column = f"{output}_{ratio}_{reduction}"
                columns.append((column, f"{ratio} {reduction}"))
                if f"{column}_paper" in frame:
                    columns.append((f"{column}_paper", "paper"))
        blocks.append((output, tuple(columns)))
    made = Table(f"Table {table}. {title}", frame, tuple(blocks), (how,), (), f"table_{table}")
    for path in made.write(out / dataset, f"table_{table.lower()}"):
        print(path)


def main(
    tables: Annotated[list[str], typer.Argument(help="IV, V, VII")],
    dataset: str = "nuaa",
    out: Path = Path("runs/ablations"),
    results: Path = Path("results/ablations"),
    width: int = 128,
    epochs: int = 60,
    patch: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "fp32",
    compile: bool = False,
    max_minutes: float | None = None,
    data_root: Path | None = None,
) -> None:
    data = open_dataset(dataset, data_root)
    end = time.monotonic() + 60 * max_minutes if max_minutes else None
    options = dict(epochs=epochs, patch=patch, seed=seed, precision=precision, compile=compile)
    how = (
        f"{dataset}, trained on its training images for {epochs} epochs (width {width}, seed "
        f"{seed}), epoch chosen on validation, scored on {len(data.names('test'))} test images "
        f"at native size, probability > 0.5; {UTILITY}"
    )
    done: dict[tuple[str, str], dict[str, float]] = {}
    for table in tables:
        chosen = TABLES[table][0]
        for key in chosen.values():
            left = max(end - time.monotonic(), 0) / 60 if end else None
            if left == 0:
                raise typer.Exit(3)
            found = done.get(key) or variant(
                *key, width, device, data, out, max_minutes=left, **options
            )
            if found is None:
                print("time is over: run the same command again to go on")
                raise typer.Exit(3)
            done[key] = found
        write(table, {k: done[v] for k, v in chosen.items()}, data.name, results, how)


if __name__ == "__main__":
    typer.run(main)
