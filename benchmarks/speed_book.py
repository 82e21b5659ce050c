"""The speed book: from `sizes.csv` and `speed.csv` the table, the figure and the cost model.

    python benchmarks/speed_book.py

Reads what rows there are beside this file, prints the table and writes `sizes.md`,
`figures/sizes.png` and `.pdf` (open marks: the reference codes at 256x320, from `speed.csv`),
and istsbench/runs/costs.csv, from which `istsbench plan` forecasts.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from istsbench import registry
from istsbench.figures.style import WIDTH, foot, house_style, power_of_ten, registered_looks
from istsbench.figures.writing import write_figure
from istsbench.files import write_atomic
from istsbench.registry import group_named, group_order
from istsbench.runs import forecast as plan
from istsbench.segmenter import Card

HERE = Path(__file__).parent
LEAST = 0.1  # MiB that the panels of memory begin with
COSTS = HERE.parent / "istsbench" / "runs" / "costs.csv"


def table(sizes: pd.DataFrame, costs: dict[str, plan.Cost]) -> str:
    """Markdown: a row a method, seconds and MiB by side, the exponent of the pixels."""
    sides = sorted(sizes["side"].unique())
    heads = ["method", *(f"{side} s" for side in sides), "exponent"]
    heads += [f"{side} MiB" for side in sides]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for method, part in sizes.groupby("method", sort=True):
        rows = part.set_index("side")
        cells = [str(method)]
        cells += [cell(rows, side, "cpu", "{:.3g}") for side in sides]
        cells.append(exponent(costs.get(str(method))))
        cells += [cell(rows, side, "memory", "{:.0f}") for side in sides]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(rows: pd.DataFrame, side: int, column: str, form: str) -> str:
    if side not in rows.index:
        return ""
    row = rows.loc[side]
    if pd.notna(row[column]):
        return form.format(row[column])
    note = str(row["note"])
    return "left out" if note.startswith("left out") else "failed"


def exponent(cost: plan.Cost | None) -> str:
    if cost is None:
        return ""
    return f"{cost.exponent:.2f}" if cost.sizes > 1 else "(1)"


@house_style()
def sizes_figure(
    sizes: pd.DataFrame, costs: dict[str, plan.Cost], reference: dict[str, tuple[int, float]]
) -> Figure:
    """Seconds above, memory below, against the side; a column a group of methods."""
    cards = {name: card for name, card in registry.cards().items() if isinstance(card, Card)}
    drawn = sizes[sizes["cpu"].notna() & sizes["method"].isin(cards)]
    names = sorted(drawn["method"].unique())
    groups = sorted({column(cards[name]) for name in names}, key=group_order)
    styles = registered_looks()
    figure = Figure(figsize=(WIDTH, WIDTH * 1.1), layout="constrained")
    axes = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)
    for (upper, lower), group in zip(axes.T, groups, strict=True):
        upper.set_title(group_named(group).title)
        for name in [name for name in names if column(cards[name]) == group]:
            part, look = drawn[drawn["method"] == name].sort_values("side"), styles[name]
            fitted = [costs[name].of(side**2) for side in part["side"]]
            points = {"ls": "", "marker": look.marker, "ms": 3.6}
            upper.plot(part["side"], part["cpu"], color=look.colour, **points)
            upper.plot(part["side"], fitted, color=look.colour, ls=look.line)
            lower.plot(
                part["side"], part["memory"].clip(lower=LEAST), color=look.colour, ls=look.line,
                marker=look.marker, ms=3.6, label=look.label,
            )  # fmt: skip
            if name in reference:
                pixels, seconds = reference[name]
                points |= {"mfc": "none", "ms": 5}
                upper.plot(pixels**0.5, seconds, color=look.colour, **points)
        finish(upper, lower, sorted(drawn["side"].unique()))
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("memory, MiB")
    machines = " and ".join(sorted(drawn["machine"].unique()))
    foot(
        figure,
        f"one thread of {machines}; lines of seconds: a times pixels to the power b; open marks: "
        f"reference codes; memory of less than {LEAST} MiB is drawn as {LEAST}",
    )
    return figure


def column(card: Card) -> str:
    """The group that a method is drawn with: games are networks, too."""
    return "cnn" if card.group == "game" else card.group


def finish(upper: Axes, lower: Axes, sides: list[int]) -> None:
    for axes in (upper, lower):
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(sides, [str(side) for side in sides], minor=False)
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: power_of_ten(value)))
    lower.set_xlabel("side, pixels")
    lower.tick_params(axis="x", rotation=45)
    lower.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25))


def references(path: Path) -> dict[str, tuple[int, float]]:
    """Pixels and seconds of the reference codes, as far as `speed.csv` has them."""
    if not path.is_file():
        return {}
    rows = pd.read_csv(path).dropna(subset="reference")
    pixels = (rows["height"] * rows["width"]).astype(int)
    return dict(zip(rows["method"], zip(pixels, rows["reference"], strict=True), strict=True))


def main(
    sizes: Annotated[Path, typer.Option(help="what speed.py --sizes wrote")] = HERE / "sizes.csv",
    speed: Annotated[Path, typer.Option(help="what speed.py wrote")] = HERE / "speed.csv",
    out: Annotated[Path, typer.Option(help="folder of sizes.md and figures/")] = HERE,
    costs: Annotated[Path, typer.Option(help="the cost model to write")] = COSTS,
) -> None:
    measured = pd.read_csv(sizes)
    known = {cost.method: cost for cost in plan.fit_costs(measured)}
    if not known:
        raise SystemExit(f"{sizes} holds no time")
    write_atomic(costs, plan.as_csv(known.values()).encode())
    text = table(measured, known)
    write_atomic(out / "sizes.md", text.encode())
    print(text)
    paths = write_figure(sizes_figure(measured, known, references(speed)), out / "figures", "sizes")
    print("written: " + ", ".join(map(str, [costs, out / "sizes.md", *paths])))


if __name__ == "__main__":
    typer.run(main)
