"""The table of README.md, from the rows of results/nuaa: `python benchmarks/readme_table.py`.

It is what `istsbench table VI --dataset nuaa --columns p,r,f1,iou,pd,fa,auc,f1_paper,iou_paper`
prints, without the title and the notes, for which the README has words of its own. It stands
between the lines `<!-- table: begin -->` and `<!-- table: end -->`; all else there stays.
"""

import re
import sys
from pathlib import Path

from istsbench.results.results import Results
from istsbench.tables.choice import with_columns
from istsbench.tables.table_vi import table_vi

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("p", "r", "f1", "iou", "pd", "fa", "auc", "f1_paper", "iou_paper")
_PLACE = re.compile(r"(<!-- table: begin -->\n(?:(?!\|).*\n)*?)((?:\|.*\n)+)")


def table_lines(results: Path) -> str:
    """The lines of the table from a folder of results on NUAA-SIRST."""
    made = with_columns(table_vi([Results.load(results)], beside="difference"), COLUMNS)
    lines = made.markdown().splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("|"))


def refreshed(page: str, lines: str) -> str:
    """The page with these lines in place of its table; raises `ValueError` if it has none."""
    if not _PLACE.search(page):
        raise ValueError("no table after <!-- table: begin -->")
    return _PLACE.sub(lambda found: found[1] + lines, page, count=1)


def main() -> None:
    """Write README.md anew."""
    page = ROOT / "README.md"
    before = page.read_text(encoding="utf-8")
    after = refreshed(before, table_lines(ROOT / "results" / "nuaa"))
    page.write_text(after, encoding="utf-8")
    print(f"{page}: {'as it was' if after == before else 'table written'}", file=sys.stderr)


if __name__ == "__main__":
    main()
