"""The tables of docs/networks.md on other tools are those of benchmarks/other_operations.csv;
`python tests/test_networks_page.py` writes them into the page."""

import re
from pathlib import Path

import pandas as pd
import pytest

from istsbench.networks.cost import cost
from istsbench.registry import create
from istsbench.tables.published import paper_table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "networks.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not installed")
COUNT = ["tool", "version", "backend", "called"]


def stored():
    return pd.read_csv(ROOT / "benchmarks" / "other_operations.csv", keep_default_na=False)


def wide():
    """Operations: a row a count of a tool, a column a network, both in the order of the file."""
    frame = stored()
    found = frame.pivot(index=COUNT, columns="network", values="operations")
    rows = pd.MultiIndex.from_frame(frame[COUNT].drop_duplicates())
    return found.loc[rows, list(frame["network"].unique())]


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def name(key):
    """A tool as the tables call it, such as `ptflops 0.7.5, aten: MACs`."""
    tool, version, backend, called = key
    label = f"{tool} {version}".strip() + f", {backend}" * bool(backend)
    return f"{label}: {called}"


def counts():
    """Billions; bold is what the paper prints of any network, with its two digits."""
    printed = {f"{value:.2f}" for value in paper_table("table_viii")["flops_G"]}
    found = wide()
    cells = (
        [name(key), *(f"**{text}**" if text in printed else text for text in texts)]
        for key, values in found.iterrows()
        for texts in [[f"{value / 1e9:.2f}" for value in values]]
    )
    return markdown(["billions", *found.columns], cells)


def ratios():
    found = wide()
    ours = found.loc[("istsbench", "", "", "operations")]
    cells = (
        [name(key), *(f"{value:.3f}" for value in values)]
        for key, values in (found / ours).iterrows()
    )
    return markdown(["times `operations`", *found.columns], cells)


def changes():
    """What a count has changed in any of the networks, by tool."""
    rows = []
    for (tool, version, backend), part in stored().groupby(COUNT[:3], sort=False):
        if tool != "istsbench":
            label = f"{tool} {version}" + f", {backend}" * bool(backend)
            seen = [
                dict.fromkeys(aspect for text in part[column] for aspect in text.split(", "))
                for column in ("changed", "changed in training")
            ]
            rows.append([label, *(", ".join(filter(None, each)) or "nothing" for each in seen)])
    return markdown(["tool", "ready to use", "in training, its first batch norm frozen"], rows)


BLOCKS = {"counts": counts, "ratios": ratios, "changes": changes}


def block(title):
    """The pattern of a block of the page: its two marks and what is between them."""
    return re.compile(rf"(<!-- {title} -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("title", BLOCKS)
def test_the_page_shows_the_stored_counts(title):
    found = block(title).findall(PAGE.read_text())
    assert [text for _, text, _ in found] == [BLOCKS[title]()], (
        "run `python tests/test_networks_page.py`"
    )


def test_every_tool_has_counted_every_network():
    frame = stored()
    assert frame.groupby(COUNT).size().eq(frame["network"].nunique()).all()
    assert frame.groupby("network")["parameters"].nunique().eq(1).all()


def test_the_counts_beside_are_those_of_today():
    found, today = wide().loc["istsbench"]["ACM"], cost(create("acm").build())
    assert found.tolist() == [today.operations, today.macs, today.flops]


if __name__ == "__main__":
    page = PAGE.read_text()
    for title, make in BLOCKS.items():
        before, _, after = block(title).findall(page)[0]
        page = block(title).sub((before + make() + after).replace("\\", r"\\"), page)
    PAGE.write_text(page)
