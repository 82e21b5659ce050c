"""`istsbench run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from istsbench.commands.completion import complete_methods
from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import (
    DataRoot,
    Datasets,
    DepthOption,
    Empty,
    EmptyOption,
    Out,
    Reduction,
    Split,
)
from istsbench.commands.scale import rerun

if TYPE_CHECKING:
    from istsbench.registry import Choice

Methods = Annotated[
    str,
    typer.Option(
        help='Names or groups by comma, parameters in brackets: "tophat(size=7),ipi"; or your own: '
        "mine.py:detect, package.module:Class.",
        autocompletion=complete_methods,
    ),
]


@handle_errors
def run(
    context: typer.Context,
    dataset: Datasets = "",
    methods: Methods = "all",
    split: Split = "test",
    rules: Annotated[
        str,
        typer.Option(help="tuned adds it, chosen on validation images; the others always count."),
    ] = "own,half,oracle",
    reduction: Annotated[Reduction, typer.Option(help="Of the table printed.")] = Reduction.image,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="METHOD.PARAMETER=VALUE, repeatable.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help='In tables, of one method of your own: --label "DoG (ours)".'),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N images.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget stored maps first.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed images again.")
    ] = False,
    protocol: Annotated[
        Path | None,
        typer.Option(help="A protocol.toml: run just that again, in reruns/, and compare."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds an image; what takes longer fails.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="i/n: score every n-th image only and count nothing.")
    ] = None,
    maps: Annotated[
        str | None,
        typer.Option(help="Images by comma, or all: make their missing maps, and count nothing."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT of a Dask cluster that scores.")
    ] = None,
    depth: DepthOption = "image",
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Score methods on data sets; write counts, Table VI and figures. Resumes by itself."""
    if protocol is not None:
        return rerun(context, protocol)
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import split_names
    from istsbench.errors import WrongUse
    from istsbench.registry import by_comma, choose
    from istsbench.runs import run as runner
    from istsbench.runs.images import Images
    from istsbench.runs.shards import Named, Shard
    from istsbench.threshold import check_rules

    if not dataset:
        raise WrongUse("--dataset is missing: say what to run on, or --protocol FILE")
    if shard is not None and maps is not None:
        raise WrongUse("--shard and --maps: expected one of them, each says what is scored")
    part: Shard | Named | None = Shard.read(shard) if shard is not None else None
    if maps is not None:
        part = Named.read(maps)
    chosen = choose(methods, change or [])
    if label is not None:
        chosen = _labelled(chosen, label)
    asked = by_comma(rules, "--rules")
    wanted = check_rules([*runner.DEFAULT_RULES, *check_rules(asked)])
    sets = [open_dataset(name, data_root, depth) for name in split_names(dataset)]
    if len({one.name for one in sets}) < len(sets):
        raise WrongUse(f"--dataset {dataset!r} names two data sets that are called alike")
    if len(sets) > 1:  # an error in the last one is found before work on the first starts
        for one in sets:
            Images.load(one, split, limit, wanted, part)
    outcomes = [
        runner.run(
            chosen,
            one,
            out,
            split=split,
            wanted=wanted,
            jobs=jobs,
            limit=limit,
            fresh=fresh,
            retry_failed=retry_failed,
            timeout=timeout,
            shard=part,
            scheduler=scheduler,
        )
        for one in sets
    ]
    presented = [
        _present(out, one, outcome, reduction, empty.value)
        for one, outcome in zip(sets, outcomes, strict=True)
        if part is None
    ]
    if len(presented) > 1 and None not in presented:
        _write_together(out, presented, reduction)
    for one, outcome in zip(sets, outcomes, strict=True):
        if isinstance(part, Named):
            print(f"{one.name}: {outcome.scored} missing maps tried, nothing counted")
        elif part is not None:
            print(
                f"shard {part} of {one.name}: {outcome.scored} images scored; to count, run ",
                end="",
            )
            print("the same command without --shard when all shards are done")
        for note in outcome.notes:
            say(f"note: {one.name}: {note}")
        for spec, reason in outcome.skipped.items():
            say(f"skipped: {spec} on {one.name}: {reason}")
    failed = {
        f"{spec} on {one.name}": reason
        for one, outcome in zip(sets, outcomes, strict=True)
        for spec, reason in outcome.failed.items()
    }
    for spec, reason in failed.items():
        say(f"failed: {spec}: {reason}")
    if failed:
        raise typer.Exit(1)


def _labelled(choices: list[Choice], label: str) -> list[Choice]:
    """The one own function or class that was chosen, called `label` in tables.

    Raises `WrongUse` for several, and for a registered method, whose label is of its paper.
    """
    from istsbench.errors import WrongUse

    label = " ".join(label.split())
    if not label:
        raise WrongUse("--label is empty; expected the label of the row in tables")
    if len(choices) != 1 or choices[0].origin is None:
        named = ", ".join(choice.spec for choice in choices[:3])
        raise WrongUse(
            f"--label is for one method of your own, as mine.py:detect; --methods names {named}"
            f"{', ...' if len(choices) > 3 else ''}"
        )
    return [replace(choices[0], called=label)]


def _present(out: Path, dataset: Any, outcome: Any, reduction: str, empty: str) -> Any:
    """Print one data set's table; write it, and the figures that it makes old.

    Rows that cannot stand together are printed without those of earlier runs; what is
    written is left as it was, and None is returned. So it is where there is no row at all.
    """
    from istsbench.data.depth import OWN
    from istsbench.errors import DataError, ProtocolMix
    from istsbench.results.manifest import write_run_manifest
    from istsbench.results.results import Results
    from istsbench.results.rows import rows_there
    from istsbench.tables.table_vi import console, table_vi

    folder, rule = outcome.folder, "own"
    ran = [spec for spec in (*outcome.done, *outcome.failed) if spec not in outcome.unmade]
    if not (ran or rows_there(folder)):
        return None
    try:
        results = Results.load(folder, empty=empty)
        table = table_vi([results], rule, reduction)
    except (ProtocolMix, DataError) as error:
        shown = "shown are the methods of this run only" if ran else "no table is shown"
        say(f"note: {error}; {shown}, nothing is written")
        if ran:
            console(Results.load(folder, ran, empty), rule, reduction)
        return None
    if str(dataset.depth) != OWN and not results.any_record.depth:
        say(f"note: no image of {dataset.name} is deeper than 8 bit: --depth changes nothing")
    paths = table.write(folder)
    write_run_manifest(results)
    from istsbench.figures.catalogue import Request, refresh

    drawn = refresh(Request(results, dataset, rule, reduction), show=True)
    paths += drawn.paths
    say_of_figures(drawn)
    console(results, rule, reduction)
    kinds = sorted({path.parent for path in paths})
    print("written: " + ", ".join(f"{kind}/" for kind in kinds))
    return results


def _write_together(out: Path, sets: list[Any], reduction: str) -> None:
    from istsbench.tables.combined import write_joint_table

    print("written: " + ", ".join(map(str, write_joint_table(sets, out, "own", reduction))))


def say_of_figures(done: Any) -> None:
    """What figures lack, and which were left out."""
    for note in done.said:
        say(f"note: {note}")
    for figure, reason in done.left_out.items():
        say(f"left out: {figure}: {reason}")
