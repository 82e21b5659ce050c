"""Choose k of mean + k std on NUAA-SIRST training and validation images, never on test.

    python benchmarks/calibrate.py --methods traditional --jobs 2

The k with the best pooled F1 over the images of `--split` is what a method whose paper
states no rule carries as its own. Writes that rule and its F1 to OUT/calibration.csv, merging
with what is there.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from istsbench.data.datasets import open_dataset
from istsbench.files import write_atomic
from istsbench.metrics import summarise
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.runs.run import run


def main(
    methods: str = "traditional",
    split: Annotated[str, typer.Option(help="trainval, or val for methods that are slow")] = (
        "trainval"
    ),
    limit: Annotated[int | None, typer.Option(help="the first N images, for the slowest")] = None,
    jobs: int = 1,
    out: Path = Path("results"),
) -> None:
    if split not in ("train", "val", "trainval"):
        raise typer.BadParameter(f"{split!r} is not made of training and validation images")
    outcome = run(
        choose(methods),
        open_dataset("nuaa"),
        out,
        split=split,
        wanted=("oracle",),
        jobs=jobs,
        limit=limit,
    )
    results = Results.load(outcome.folder, outcome.done)
    lines = []
    for spec, record in results.records.items():
        rows = results.counts[spec].query("rule == 'oracle'")
        line = {"method": spec, "images": record.images, "data_hash": record.data_hash}
        line["best_rule"] = record.rules["oracle"]
        for reduction in ("pooled", "image"):
            line[f"best_f1_{reduction}"] = round(summarise(rows, reduction)["f1"], 4)
        lines.append(line)
    frame, path = pd.DataFrame(lines), out / "calibration.csv"
    if path.is_file():
        old = pd.read_csv(path)
        frame = pd.concat([old.loc[~old["method"].isin(frame["method"]), list(frame)], frame])
    frame = frame.sort_values("method")
    write_atomic(path, frame.to_csv(index=False).encode())
    print(frame.to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
