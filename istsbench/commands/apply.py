"""`istsbench apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from istsbench.commands.completion import complete_methods
from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import DepthOption

MANY = 20  # lines of pictures that failed


@handle_errors
def apply(
    methods: Annotated[
        str,
        typer.Argument(
            help='Names or groups by comma, "tophat,ipi(step=15)"; or your own: mine.py:detect.',
            autocompletion=complete_methods,
        ),
    ],
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Pictures, TIFF files of many pages, videos, and folders of them."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for OUT/METHOD/masks, targets.csv, ...")],
    threshold: Annotated[
        str,
        typer.Option(
            help="own (the rule of the method), half (min-max > 0.5), or a level in the unit of "
            "the map: 0.5 for networks."
        ),
    ] = "own",
    maps: Annotated[bool, typer.Option("--maps", help="Score maps too: .npy, float32.")] = False,
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Pictures with a box around each target too.")
    ] = False,
    boxes: Annotated[
        list[str] | None,
        typer.Option(
            help="Boxes too: coco (a json; score and peak as in targets.csv) or yolo (a txt a "
            "frame), or both by comma."
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="METHOD.PARAMETER=VALUE, repeatable; acm.weights=FILE."),
    ] = None,
    depth: DepthOption = "image",
    jobs: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    device: Annotated[
        str | None, typer.Option(help="Of networks: auto, cpu, cuda, cuda:1.")
    ] = None,
) -> None:
    """Find targets in pictures without labels: masks and a table. Resumes by itself.

    The columns of targets.csv and the boxes: `istsbench glossary targets.csv`, and each column by
    its name.
    """
    from istsbench.registry import by_comma, choose
    from istsbench.runs.apply_files import apply_files

    results, notes = apply_files(
        choose(methods, change or []),
        inputs,
        out,
        threshold=threshold,
        depth=depth,
        maps=maps,
        overlays=overlays,
        boxes=[box for text in boxes or [] for box in by_comma(text, "--boxes")],
        jobs=jobs,
        device=device,
    )
    for note in notes:
        say(f"note: {note}" if not note.startswith("skipped") else note)
    for result in results:
        for note in [*result.notes, *_hints(result, threshold)]:
            say(f"note: {note}")
        _tell(result, depth, threshold)
    failed = dict.fromkeys(pair for result in results for pair in result.failed.items())
    for line in _failures(list(failed)):
        say(f"failed: {line}")
    if failed:
        raise typer.Exit(1)


def _hints(result: Any, threshold: str) -> list[str]:
    """Of levels that sort out nothing, or everything."""
    found = []
    if threshold not in ("own", "half"):
        if result.frames and result.beyond == result.frames:
            found.append(
                f"{result.spec}: the level {threshold} is above every value of the maps, the "
                f"highest of which is {result.highest:g}: nothing can be found"
            )
    elif result.beyond:
        found.append(
            f"{result.spec}: {_many(result.beyond, 'image')} where the level ({result.rule}) is "
            "above every value of the map: nothing can be found"
        )
    if result.full:
        found.append(
            f"{result.spec}: {_many(result.full, 'image')} where every pixel exceeds the level: "
            "the whole picture is one target"
        )
    return found


def _tell(result: Any, depth: str, threshold: str) -> None:
    """What came of one method, and where it lies."""
    from istsbench.data.depth import sentence

    before = f" ({result.before} done before)" if result.before else ""
    told = f"{_many(result.frames, 'image')}{before}, {_many(result.targets, 'target')}"
    print(f"{result.spec}: {told}", end="")
    if result.empty:
        print(f", {_many(result.empty, 'image')} with nothing above the threshold", end="")
    if result.deep:
        how = sentence(depth).partition(": ")[2]
        print(f"; {result.deep} of more than 8 bit: {how}", end="")
    if result.cut:
        beyond = f"{_many(result.cut, 'image')} with levels beyond {depth}"
        print(f", {beyond}, which are cut off", end="")
    if threshold == "own" and result.frames:
        print(f"; own rule: {result.rule}", end="")
    print(f"\nwritten: {result.folder}/ ({', '.join(result.names)})")


def _failures(failed: list[tuple[str, str]]) -> list[str]:
    """A line for each reason in a file, and no more than `MANY`."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for place, why in failed:
        kinds.setdefault((place.partition(", frame ")[0], why), []).append(place)
    lines = [
        f"{places[0]}{f' and {len(places) - 1} more frames' if places[1:] else ''}: {why}"
        for (_, why), places in kinds.items()
    ]
    if len(lines) > MANY:
        lines = [*lines[:MANY], f"and {len(lines) - MANY} more"]
    return lines


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
