"""What a shell offers for a half-typed name of a method or data set, also after a comma."""

from __future__ import annotations

from collections.abc import Iterable


def complete_methods(incomplete: str) -> list[str]:
    """Names and groups of methods, in a list by comma those for its last part."""
    from istsbench import registry

    return _last(incomplete, [*registry.names(), *registry.groups()])


def complete_datasets(incomplete: str) -> list[str]:
    """Names of data sets, in a list by comma those for its last part."""
    from istsbench.data.datasets import NAMES
    from istsbench.data.names import FOLDER

    return _last(incomplete, [*NAMES, FOLDER])


def _last(incomplete: str, known: Iterable[str]) -> list[str]:
    before, comma, part = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in known if name.startswith(part)]
