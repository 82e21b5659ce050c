"""Errors of a command as one line and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

STOPPED = 130  # 128 and the number of the signal, as shells have it


def say(text: str) -> None:
    """Print to standard error, where it does not mix with a table."""
    print(text, file=sys.stderr)


def handle_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the errors that a user can mend into one line and an exit code.

    `istsbench --traceback COMMAND` shows above the line where in the code it was raised.
    """

    @wraps(command)
    def inner(*args: Any, **kwargs: Any) -> Any:
        from istsbench.errors import DataError, WrongUse

        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            say("stopped; what is done is kept, the same command continues from there")
            raise typer.Exit(STOPPED) from None
        except WrongUse as error:
            _explain(error)
            raise typer.Exit(2) from None
        except (DataError, OSError, RuntimeError, ImportError) as error:
            _explain(error)
            raise typer.Exit(1) from None

    return inner


_shown = {"traceback": False}


def show_traceback(wanted: bool) -> None:
    """Whether errors of the command that follows are printed with their traceback."""
    _shown["traceback"] = wanted


def _explain(error: Exception) -> None:
    if _shown["traceback"]:
        traceback.print_exception(error)
    say(f"error: {error}")
    if word := getattr(error, "word", ""):
        say(f"what is meant: istsbench glossary {word}")


def given(context: typer.Context) -> list[str]:
    """The parameters of a command that its user wrote, in their order."""
    return [
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
