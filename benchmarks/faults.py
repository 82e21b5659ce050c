"""The fault campaign: runs and trainings that are disturbed for real, and what was lost.

    python benchmarks/faults.py                      # all faults, about half an hour on two cores
    python benchmarks/faults.py kill-run disk-full   # some of them
    python benchmarks/faults.py --short --seed 3     # a few tries of each, without figures

Each try disturbs the command line in processes of its own, then gives the same command
again and compares everything with an undisturbed run (`campaign/ground.py` says what).
Without --short the lines are written into benchmarks/README.md, in place of those of the same
faults. Exit code 1 if a map was lost, a result differs, or a run did not survive.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from campaign import damage, methods, places, signals
from campaign.ground import Fault, Ground, Skipped, Trial

from istsbench.files import write_atomic

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"
HEAD = """\
| fault | tried | survived | maps lost | equal to an undisturbed run |
|---|---:|---:|---:|---:|
"""
FAULTS: dict[str, Fault] = {
    **signals.FAULTS, **places.FAULTS, **damage.FAULTS, **methods.FAULTS
}  # fmt: skip


def attempt(name: str, ground: Ground) -> list[Trial]:
    """Try a fault as often as it is to be; raises `Skipped` if this machine does not allow it."""
    fault = FAULTS[name]
    return [fault.attempt(ground) for _ in range(fault.short if ground.short else fault.times)]


def row(name: str, trials: list[Trial]) -> str:
    """A line of the table."""
    survived = sum(trial.survived for trial in trials)
    lost, equal = sum(trial.lost for trial in trials), sum(trial.equal for trial in trials)
    return f"| {FAULTS[name].text} | {len(trials)} | {survived} | {lost} | {equal} |\n"


def write_page(lines: dict[str, str], page: Path = PAGE) -> None:
    """Put lines of the table, by fault, in the place of those of the same faults."""
    before, _, rest = page.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    known = {fault.text: name for name, fault in FAULTS.items()}
    old = {line.split(" | ")[0].removeprefix("| "): f"{line}\n" for line in table.splitlines()}
    merged = {known[text]: line for text, line in old.items() if text in known} | lines
    table = HEAD + "".join(merged[name] for name in FAULTS if name in merged)
    write_atomic(page, f"{before}{BEGIN}{table}{END}{after}".encode())


def main(
    faults: Annotated[list[str] | None, typer.Argument(help="Names; none means all.")] = None,
    short: Annotated[bool, typer.Option("--short", help="Few tries, no figures.")] = False,
    seed: int = 0,
) -> None:
    """Disturb runs, print the table, exit 1 if anything was lost."""
    chosen = faults or list(FAULTS)
    if unknown := [name for name in chosen if name not in FAULTS]:
        raise typer.BadParameter(f"no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    bad = 0
    print(HEAD, end="")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        ground = Ground(Path(folder), seed, short)
        for name in chosen:
            trials: list[Trial] = []
            try:
                trials = attempt(name, ground)
                line = row(name, trials)
            except Skipped as why:
                line = f"| {FAULTS[name].text} | skipped: {why} | | | |\n"
            print(line, end="", flush=True)
            for trial in trials:
                good = trial.survived and trial.equal and not trial.lost
                bad += not good
                if trial.note or not good:
                    print(f"  {name}: {trial}", file=sys.stderr, flush=True)
            if not short:
                write_page({name: line})
    if bad:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
