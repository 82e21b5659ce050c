"""Table VIII: what the networks cost here, in weights, operations, time and memory.

    python benchmarks/cost.py --out results

Writes OUT/table_viii.csv, .md and .tex, which `istsbench table VIII` puts beside the paper's
numbers. Run it on a machine that does nothing else.
"""

from pathlib import Path
from typing import Annotated

import typer

from istsbench.networks.cost import BATCHES, SIZE, table_viii
from istsbench.registry import by_comma


def main(
    methods: Annotated[str, typer.Option(help="Networks, by comma; all if none.")] = "",
    size: Annotated[int, typer.Option(help="Pixels a side of the image.")] = SIZE,
    device: str = "auto",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    compile: bool = False,
    seconds: Annotated[float, typer.Option(help="Of timing, a network and batch.")] = 3.0,
    out: Path = Path("results"),
) -> None:
    names = by_comma(methods, "--methods") if methods else None
    made = table_viii(names, size, device, precision, compile, BATCHES, seconds)
    for path in made.write(out):
        print(path)


if __name__ == "__main__":
    typer.run(main)
