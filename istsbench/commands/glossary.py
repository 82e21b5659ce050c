"""`istsbench glossary`."""

from __future__ import annotations

from typing import Annotated

import typer

from istsbench.commands.errors import handle_errors

words = typer.Typer()


@words.command(epilog="Example: `istsbench glossary reduction`")
@handle_errors
def glossary(
    word: Annotated[str, typer.Argument(help="As it stands under a table; none: all.")] = "",
) -> None:
    """Explain a word of tables and messages: rule, own, pooled, match, °, ..., or all of them."""
    from istsbench.tables.glossary import explained, glossary_page

    if not word:
        print(glossary_page(), end="")
        return
    entry = explained(word)
    print(f"{', '.join(entry.words)}: {entry.text}")
