"""`istsbench plan`, `env` and `run --protocol`: cost, machine, and a run made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_datasets, complete_methods
from istsbench.commands.errors import given, handle_errors, say
from istsbench.commands.options import DataRoot, Out

scale = typer.Typer()

RERUNS = Path("reruns")
HOW = ("jobs", "fresh", "retry_failed", "timeout", "scheduler", "data_root")  # not what is run


@scale.command(epilog="Example: `istsbench plan --methods all --dataset nust --jobs 64`")
@handle_errors
def plan(
    dataset: Annotated[
        str,
        typer.Option(
            help="A data set, to count and size its images.", autocompletion=complete_datasets
        ),
    ] = "",
    methods: Annotated[
        str, typer.Option(help="Names or groups by comma.", autocompletion=complete_methods)
    ] = "all",
    split: Annotated[str, typer.Option(help="Of the data set.")] = "test",
    jobs: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    images: Annotated[int | None, typer.Option(min=1, help="Instead of the data set's.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Pixels, with --images.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Pixels, with --images.")] = None,
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Forecast a run: seconds an image, hours, disk, and what dominates."""
    from istsbench.data.names import one_name
    from istsbench.runs.forecast import forecast

    size = (images, height, width)
    dataset = one_name(dataset) if dataset else ""
    print(forecast(methods, dataset, split, size, jobs=jobs, out=out, data_root=data_root).text())


@scale.command(epilog="Example: `istsbench env --json`")
@handle_errors
def env(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    data_root: DataRoot = None,
) -> None:
    """Show versions, processor, threads in force, GPU, commit and the data sets here."""
    from istsbench.runs.environment import environment_text, surroundings

    found = surroundings(data_root)
    if as_json:
        import json

        print(json.dumps(found, indent=1))
    else:
        print(environment_text(found))


def rerun(context: typer.Context, protocol: Path) -> None:
    """`run --protocol`: print how the numbers compare; exit 1 if they are not the same."""
    from istsbench.errors import WrongUse
    from istsbench.results import rerun as again

    written = given(context)
    for name in sorted({*written} - {"protocol", "dataset", "out", *HOW}):
        option = {"change": "set"}.get(name, name)
        raise WrongUse(f"--{option} and --protocol together: the file says what is run")
    words = context.params
    out = Path(words["out"]) if "out" in written else RERUNS
    options = {name: words[name] for name in HOW}
    done = again.rerun(protocol, out, dataset=words["dataset"] or None, **options)
    for line in done.lines():
        print(line)
    if not done.good:
        say("failed: the numbers are not those of the protocol file")
        raise typer.Exit(1)
