"""What the doctor found, and how it is printed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_LEVELS = ("error", "warning", "note")
_SHOWN = 5  # findings of one kind that a printed report spells out


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    level: str  # one of LEVELS
    check: str  # what was looked at: damaged, size, pixels, ...
    name: str  # the sample or file; empty for the data set as a whole
    text: str


@dataclass(frozen=True)
class Report:
    """All that was found in one data set."""

    dataset: str
    folder: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the data set can be used as it is: no finding is an error."""
        return not any(finding.level == "error" for finding in self.findings)

    def groups(self) -> list[tuple[str, str, list[Finding]]]:
        """The findings as (level, check, findings), errors first."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda f: _LEVELS.index(f.level)):
            found.setdefault((finding.level, finding.check), []).append(finding)
        return [(level, check, members) for (level, check), members in found.items()]

    def verdict(self) -> str:
        """One line: sound or not, and how many findings of each level."""
        counts = Counter(finding.level for finding in self.findings)
        numbers = ", ".join(f"{level}s: {counts[level]}" for level in _LEVELS)
        return f"{self.dataset} ({self.folder}): {'sound' if self.ok else 'NOT SOUND'}; {numbers}"

    def text(self, shown: int = _SHOWN) -> str:
        """The report as plain lines, at most `shown` findings of a kind."""
        lines = [self.verdict()]
        for level, check, members in self.groups():
            lines.append(f"{level}: {check} ({len(members)})")
            lines += [f"  {line}" for line in _lines(members, shown)]
        return "\n".join(lines)

    def table(self, shown: int = _SHOWN) -> Table:
        """The report as a table for the terminal, at most `shown` findings of a kind."""
        from rich.table import Table
        from rich.text import Text

        # Text, not markup: file names may hold brackets.
        table = Table("level", "check", "number", "finding", title=Text(self.verdict()))
        colours = {"error": "red", "warning": "yellow", "note": ""}
        for level, check, members in self.groups():
            lines = Text("\n".join(_lines(members, shown)))
            table.add_row(Text(level, colours[level]), check, str(len(members)), lines)
        return table


def _lines(members: list[Finding], shown: int) -> list[str]:
    lines = [f"{f.name}: {f.text}" if f.name else f.text for f in members[:shown]]
    return lines + ([f"and {len(members) - shown} more"] if len(members) > shown else [])
