"""`istsbench lint` and `audit`: what can be told of tables that are printed."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from istsbench.commands.errors import handle_errors, say

if TYPE_CHECKING:
    from istsbench.tables.lint import Verdict

printed = typer.Typer()


class Claim(StrEnum):
    unknown = "unknown"
    image = "image"
    pooled = "pooled"


class Scale(StrEnum):
    auto = "auto"
    fraction = "fraction"
    percent = "percent"


@printed.command(epilog="Example: `istsbench lint table.csv`")
@handle_errors
def lint(
    files: Annotated[list[Path], typer.Argument(help="CSV files of results, wide or long.")],
    columns: Annotated[
        str, typer.Option(help='Columns that are not guessed: "f1=F-measure,iou=mIoU".')
    ] = "",
    claim: Annotated[
        Claim, typer.Option(help="The reduction that the table says it has.")
    ] = Claim.unknown,
    scale: Annotated[Scale, typer.Option(help="Of the numbers.")] = Scale.auto,
    dataset: Annotated[
        str, typer.Option(help="Of columns whose names speak of none: nuaa, nudt, irstd1k, ...")
    ] = "",
    stated: Annotated[
        str, typer.Option("--list", help="The test list that the table states: nuaa-86, ...")
    ] = "",
) -> None:
    """Find the rows of a results table that no masks can produce.

    Exit code 1 if the table has any, 2 if a file holds counts of images and is no table. What
    is merely doubtful in Pd and Fa is printed as well, and what is impossible in the numbers of
    other papers beside the table's own: both change no exit code.
    """
    from istsbench.errors import CountsFile, WrongUse
    from istsbench.registry import by_comma
    from istsbench.tables.lint import lint as examine

    pairs = [pair.partition("=") for pair in by_comma(columns, "--columns")] if columns else []
    if any(not column for _, _, column in pairs):
        raise WrongUse(f"--columns {columns!r} cannot be read, expected score=column by comma")
    named = {score.strip(): column.strip() for score, _, column in pairs}
    wrong = skipped = 0
    for path in files:
        try:
            report = examine(
                path,
                columns=named,
                claim=claim.value,
                scale=scale.value,
                dataset=dataset,
                stated=stated,
            )
        except CountsFile as error:
            say(f"skipped: {error}")
            skipped += 1
            continue
        _print_verdict(path, report)
        wrong += report.impossible()
    if wrong:
        raise typer.Exit(1)
    if skipped:
        raise typer.Exit(2)


def _print_verdict(path: Path, report: Verdict) -> None:
    for finding in report.findings:
        print(f"{path}:{finding.row.line}: {finding.row.title}: {finding.text}")
    for row, flag in report.flags:
        print(f"{path}:{row.line}: {row.title}: doubtful: {flag}")
    for note in report.notes:
        print(f"{path}: {note}")
    parts = Counter(row.part for row in report.checked)
    where = [f"{many} of them{part and f' on {part}'}" for part, many in parts.items()]
    doubts = len(report.flags)
    print(
        f"{path}: {_number(report.read, 'table row')} read, scores checked in "
        f"{' and '.join(where) or 'none of them'}: {report.impossible()} impossible, "
        f"{len(report.pooled)} as if pooled over pixels"
        + (f"; Pd and Fa: {_number(doubts, 'doubt')}" if doubts else "")
    )
    if others := len(report.rows) - len(report.own):
        print(
            f"{path}: beside them {_number(others, 'row')} of other papers: "
            f"{report.impossible(quoted=True)} impossible, which changes no exit code"
        )


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@printed.command(epilog="Example: `istsbench audit --dataset nuaa --to results/audit.md`")
@handle_errors
def audit(
    dataset: Annotated[
        str | None, typer.Option(help="nuaa, nudt, irstd1k, nust or sirst-aug; else all.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Write FILE.md and FILE.csv, with every row, instead.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Results folder: our own scores.")] = Path("results"),
) -> None:
    """Hold the rows that papers of 2022 to 2026 print to the test lists they state."""
    from istsbench.errors import WrongUse
    from istsbench.tables import auditpage
    from istsbench.tables.audit import audit as judge
    from istsbench.tables.ours import own_scores

    if to is not None and to.suffix != ".md":
        raise WrongUse(f"--to {to} does not end in .md")
    found, ours = judge(dataset), own_scores(out)
    if to is None:
        print(auditpage.for_terminal(auditpage.audit_page(found, ours, rows=False)), end="")
        return
    paths = auditpage.write_audit(found, ours, to)
    counts = auditpage.tally(found)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    print("written: " + ", ".join(map(str, paths)))
