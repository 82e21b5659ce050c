"""Train, score and write the ablations of pixelGame's paper: Tables IV, V and VII.

    python benchmarks/ablations.py IV V VII --dataset nuaa --epochs 16 --seeds 0,1,2

Every variant is trained once a seed by the same recipe on the training images, its epoch chosen on
the validation images, and scored on the test images at their native size; a variant that
tables share is trained once. With --max-minutes the work is done in pieces: run the
same command again until it writes the tables. What `istsbench train` left in the folder of a
variant, by the same plan, is gone on from. The paper's numbers stand beside.

The game is played with the utility "balanced", which replaces the printed one (see
`pixelgame.utility`); the note under each table says so.

IV: terms of the utility, both players fused. V: single objectives against the game, each
player alone. VII: attention in the skips, fused; without any ("none") is Table VI's row.
Rows that the paper does not have follow: both players trained by one loss, without a game.

Beside each table: the pixels of every image (`_counts.csv.xz`) and every epoch (`_log.csv.xz`).
"""

import hashlib
import lzma
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset
from istsbench.files import write_atomic
from istsbench.metrics import image_ratios, pixel_counts
from istsbench.networks.history import output_scores
from istsbench.networks.training import LAST, LOG, train
from istsbench.registry import choose
from istsbench.results.intervals import LEVEL, holm, signed_rank
from istsbench.tables.published import PAPER_SETS, paper_scores, paper_table
from istsbench.tables.table import NOT_APART, Table

GAME, PLAIN = "balanced", "bce-iou"
IV = {"U": f"{GAME}:U", "U+A": f"{GAME}:U+A", "U+G": f"{GAME}:U+G", "U+A+G": GAME}
V = {"IoU loss": "iou", "Dice loss": "dice", "SS loss": "ss", "Ours": GAME}
VII = {"SENet": "se", "GCNet": "gc", "Triplet": "triplet", "MIM": "mim", "none": "none"}
OWN = {"BCE + soft IoU, no game": ("mim", PLAIN)}  # a row that the paper does not have
KEYS = {"IV": "utility", "V": "objective", "VII": "module"}  # columns of the paper's tables
WITHOUT = "pixelGame (w/o MIM)"  # its row of Table VI
UTILITY = (
    f'the utility of the game is "{GAME}", not the paper\'s Eq. 12-16: its U is soft IoU plus a '
    "tilted log loss (not Eq. 12-13), G and A are per target pixel (pixelgame/utility.py)"
)
Variant = tuple[str, str]  # attention, loss

# table -> (label of a row -> variant, outputs that are scored, title, the row of the paper)
TABLES: dict[str, tuple[dict[str, Variant], list[str], str, str]] = {
    "IV": (
        {k: ("mim", v) for k, v in IV.items()} | OWN, ["fusion"], "Terms of the utility", "U+A+G"
    ),
    "V": (
        {k: ("mim", v) for k, v in V.items()} | OWN, ["fns", "fps"], "Single objectives and game",
        "Ours",
    ),
    "VII": ({k: (v, GAME) for k, v in VII.items()}, ["fusion"], "Attention in the skips", "MIM"),
}  # fmt: skip


def counted(
    variant: Variant, seed: int, method: str, device: str, data: Dataset, out: Path, **options
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The pixels of every output on every test image, and the log of the training.

    None if time was over before the end. The pixels stay beside the weights that they are of.
    """
    attention, loss = variant
    (choice,) = choose(method)
    network = replace(choice.create(), attention=attention, device=device)
    folder = out / data.name / f"{attention}-{loss.replace(':', '-').replace('+', '')}-{seed}"
    trained = train(network, data, folder, loss=loss, seed=seed, device=device, **options)
    if not (folder / LAST).is_file():
        return None
    made = folder / f"test-{hashlib.sha256(trained.weights.read_bytes()).hexdigest()[:10]}.csv"
    if not made.is_file():
        names = data.names("test")
        samples = [data.load(name) for name in names]
        lines = [
            (output, name, *pixel_counts(scores > 0.5, sample.mask))
            for name, sample, found in zip(
                names, samples, trained.score_outputs(s.image for s in samples), strict=True
            )
            for output, scores in found.items()
        ]
        frame = pd.DataFrame(lines, columns=["output", "image", "tp", "fp", "fn", "tn"])
        write_atomic(made, frame.to_csv(index=False).encode())
    about = {"attention": attention, "loss": loss, "seed": seed}
    return pd.read_csv(made).assign(**about), pd.read_csv(folder / LOG).assign(**about)


def scores(counts: pd.DataFrame) -> pd.DataFrame:
    """OUTPUT_RATIO_REDUCTION of every seed, a row a seed."""
    seeds = {
        seed: output_scores(dict(iter(part.groupby("output"))))
        for seed, part in counts.groupby("seed")
    }
    return pd.DataFrame(seeds).T


def per_image(counts: pd.DataFrame, output: str, ratio: str) -> pd.Series:
    """A ratio of each image, its mean over the seeds."""
    part = counts[counts["output"] == output]
    return image_ratios(part)[ratio].groupby(part["image"]).mean()


def alike(parts: Mapping[str, pd.DataFrame], reference: str, output: str, ratio: str) -> set[str]:
    """The rows whose mean over images is not distinguishable from that of `reference`."""
    own = per_image(parts[reference], output, ratio)
    others = [label for label in parts if label != reference]
    p = [signed_rank(own - per_image(parts[label], output, ratio)) for label in others]
    return {label for label, value in zip(others, holm(p), strict=True) if value >= LEVEL}


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


def write(table: str, parts: Mapping[str, pd.DataFrame], dataset: str, out: Path, how: str) -> None:
    _, outputs, title, reference = TABLES[table]
    beside, lines = printed(table, dataset), []
    shown = [f"{output}_{ratio}" for output in outputs for ratio in ("f1", "iou")]
    near = {name: alike(parts, reference, *name.rsplit("_", 1)) for name in shown}
    for label, counts in parts.items():
        found = scores(counts)[[f"{name}_{how}" for name in shown for how in ("image", "pooled")]]
        spread = found.std(ddof=1).add_suffix("_sd") if len(found) > 1 else {}
        told = {f"{name}_image_alike": label in near[name] for name in shown}
        lines.append(
            {"label": label, "status": "paper", **found.mean(), **spread, **told}
            | beside.get(label, {})
        )
    frame, blocks = pd.DataFrame(lines), []
    for output in outputs:
        columns = []
        for reduction in ("image", "pooled"):
            for ratio in ("f1", "iou"):
                column = f"{output}_{ratio}_{reduction}"
                columns.append((column, f"{ratio} {reduction}"))
                if f"{column}_paper" in frame:
                    columns.append((f"{column}_paper", "paper"))
        blocks.append((output, tuple(columns)))
    notes = [
        f"{NOT_APART} not distinguishable from {reference}: signed-rank tests on the scores of the "
        "images, means over seeds, Holm's correction, 5 %. The tests are of these trainings: how "
        "far other seeds are apart is what ± tells."
    ]
    made = Table(
        f"Table {table}. {title}", frame, tuple(blocks), (how,), tuple(notes), f"table_{table}"
    )
    for path in made.write(out, f"table_{table.lower()}"):
        print(path)


def _keep(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write the rows of all variants, in the order of their names, compressed."""
    frame = pd.concat(frames).sort_values(["attention", "loss", "seed"], kind="stable")
    first = ["attention", "loss", "seed"]
    frame = frame[[*first, *(c for c in frame if c not in first)]]
    text = frame.to_csv(index=False, float_format="%.6g")
    write_atomic(path, lzma.compress(text.encode()))
    print(path)


def main(
    tables: Annotated[list[str], typer.Argument(help="IV, V, VII")],
    dataset: str = "nuaa",
    out: Annotated[Path, typer.Option(help="folder of the trainings")] = Path("runs/ablations"),
    results: Path = Path("results/ablations"),
    method: Annotated[str, typer.Option(help="the network, with its recipe")] = "pixelgame-slim",
    seeds: Annotated[str, typer.Option(help="by comma")] = "0",
    epochs: int = 60,
    patch: int | None = None,
    validations: int = 2,
    device: str = "auto",
    precision: str | None = None,
    compile: bool = False,
    max_minutes: float | None = None,
    data_root: Path | None = None,
) -> None:
    data = open_dataset(dataset, data_root)
    end = time.monotonic() + 60 * max_minutes if max_minutes else np.inf
    options = dict(
        epochs=epochs, patch=patch, validations=validations, precision=precision, compile=compile,
        show=True,
    )  # fmt: skip
    numbers = [int(seed) for seed in seeds.split(",")]
    variants = dict.fromkeys(v for table in tables for v in TABLES[table][0].values())
    counts: dict[Variant, list[pd.DataFrame]] = {variant: [] for variant in variants}
    logs: dict[Variant, list[pd.DataFrame]] = {variant: [] for variant in variants}
    for seed in numbers:
        for variant in variants:
            options["max_minutes"] = left = max(end - time.monotonic(), 0) / 60
            found = counted(variant, seed, method, device, data, out, **options) if left else None
            if found is None:
                print("time is over: run the same command again to go on")
                raise typer.Exit(3)
            counts[variant].append(found[0])
            logs[variant].append(found[1])
    how = (
        f"{dataset}, {method} trained on its training images for {epochs} epochs, "
        f"{'mean ± sample standard deviation over ' if len(numbers) > 1 else ''}"
        f"seed{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}, epoch chosen on "
        f"validation, scored on {len(data.names('test'))} test images at native size, "
        f"probability > 0.5; {UTILITY}"
    )
    for table in tables:
        rows, folder = TABLES[table][0], results / data.name
        parts = {label: pd.concat(counts[variant]) for label, variant in rows.items()}
        write(table, parts, data.name, folder, how)
        name = f"table_{table.lower()}"
        _keep([one for v in rows.values() for one in counts[v]], folder / f"{name}_counts.csv.xz")
        _keep([one for v in rows.values() for one in logs[v]], folder / f"{name}_log.csv.xz")


if __name__ == "__main__":
    typer.run(main)
