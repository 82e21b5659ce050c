"""The page about every method of the suite, made of cards, docstrings and texts of parameters.

python -m istsbench.plugins.methodpage > docs/methods.md
"""

from __future__ import annotations

import dataclasses
import inspect
from importlib.metadata import entry_points

from istsbench import registry
from istsbench.registry import GROUPS
from istsbench.segmenter import Segmenter, parameter_help
from istsbench.tables.references import of_card

HEAD = """\
# The methods

Made by `python -m istsbench.plugins.methodpage > docs/methods.md` from each method's source: change
that, not this page.

The status says what a method was checked against: `reference-checked`, equal to a public
reference code; `paper`, built from the paper's text; `reconstruction`, the source was not
reachable. The rule is the method's own; `istsbench list rules` has the others.
"""


def page() -> str:
    """The Markdown page: a table of contents, then a section for each method by group."""
    entries = entry_points(group=registry.ENTRY_POINTS)
    ours = {one.name for one in entries if one.dist and one.dist.name == "istsbench"}
    kinds = {name: registry.info(name) for name in sorted(ours)}
    chosen = {
        group: sorted(
            (name for name, kind in kinds.items() if kind.card.group == group),
            key=lambda name: (kinds[name].card.year, name),
        )
        for group in GROUPS
    }
    lines = [HEAD]
    for group, names in chosen.items():
        links = [f"[{kinds[name].card.label}](#{name})" for name in names]
        lines.append(f"- {GROUPS[group].title}: {', '.join(links)}")
    for group, names in chosen.items():
        lines.append(f"\n## {GROUPS[group].title} (`{group}`)")
        lines += [_section(name, kinds[name]) for name in names]
    return "\n".join(lines) + "\n"


def _section(name: str, kind: type[Segmenter]) -> str:
    card = kind.card
    link = card.doi if card.doi.startswith("http") else f"https://doi.org/{card.doi}"
    reference = of_card(card)
    facts = [
        f"{card.label}, {card.venue} {card.year}",
        reference.title if reference.title != card.label else "",
        f"[{card.doi.removeprefix('https://')}]({link})",
    ]
    facts = [", ".join(filter(None, facts)), f"Status: {card.status}"]
    facts.append(f"Rule: `{kind.threshold!r}`")
    facts += [f"Excused from `{check}`: {reason}" for check, reason in kind.excused.items()]
    known, rows = parameter_help(kind), ["| parameter | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        meaning = known.get(field.name, "").replace("|", r"\|")
        rows.append(f"| `{field.name}` | `{field.default!r}` | {meaning} |")
    parts = [
        f'\n<a id="{name}"></a>\n### `{name}`',
        "\n".join(f"- {fact}." for fact in facts),
        _idea(kind),
        *(["\n".join(rows)] if len(rows) > 2 else []),
    ]
    return "\n\n".join(parts)


def _idea(kind: type[Segmenter]) -> str:
    """The docstring of the method's module; of a variant what its class says."""
    base = kind.__mro__[1]
    if base.__module__ == kind.__module__ and issubclass(base, Segmenter):
        return f"As {base.card.label}. {inspect.cleandoc(kind.__doc__ or '')}"
    return inspect.cleandoc(inspect.getmodule(kind).__doc__ or "").strip()  # type: ignore[union-attr]


if __name__ == "__main__":
    print(page(), end="")
