"""Every exception that this package raises for a reason that its user can change."""

from __future__ import annotations

import difflib


class WrongUse(ValueError):
    """What was asked for cannot be read or does not exist; the message says what could be."""


class UnknownName(WrongUse, LookupError):
    """No method, data set or group has this name; `meant` is the name that was clearly meant."""

    def __init__(self, kind: str, name: str, known: list[str], meant: str = "") -> None:
        lower = {other.lower(): other for other in known}
        like = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
        close = [meant] if meant else [lower[one] for one in like]
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class BrokenMethod(ImportError):
    """An entry point that cannot be loaded; other methods are not affected."""


class MissingWeights(FileNotFoundError):
    """A method that learns has no weights; the message says which files and which command."""


class DataError(ValueError):
    """A file or folder is not what the data set needs; the message names it."""


class CountsFile(DataError):
    """A file holds the counts of single images, where a table of results was expected."""


class DataGone(DataError):
    """The folder of a data set is not there any more; no image of it is to blame."""


class WeightsError(DataError):
    """A file does not hold the weights that were asked for; the message names it."""


class Stopped(WrongUse):
    """A training cannot start or go on as asked; the message says why."""


class Diverged(RuntimeError):
    """The numbers of a training are finite no more; what was saved before is kept."""


class RunError(RuntimeError):
    """A run cannot start, or cannot go on; what was done before is kept."""


class ProtocolMix(WrongUse):
    """Results of different protocols were asked for in one table."""

    word = "protocol"  # of the glossary, which explains it


class PackError(DataError):
    """A results pack is damaged, does not fit, or is not to be trusted."""

    word = "pack"
