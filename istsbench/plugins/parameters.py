"""What the parameters of a method mean: the comments behind the fields of its class."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import tokenize

from istsbench.segmenter import Segmenter


def meanings(kind: type[Segmenter]) -> dict[str, str]:
    """The comments behind the fields of a method's class, by field."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(owner))
        except OSError:  # a class without a source file
            continue
        comments: dict[int, str] = {}
        for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
            if token.type == tokenize.COMMENT:
                comments[token.start[0]] = token.string.lstrip("# ")
        for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                said = " ".join(comments[n] for n in lines if n in comments)
                found[node.target.id] = said or found.get(node.target.id, "")
    return found
