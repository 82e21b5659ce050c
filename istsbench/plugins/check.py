"""`istsbench check`: the conformance suite on methods, as lines to read and a count."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from istsbench.errors import BrokenMethod, UnknownName, WrongUse
from istsbench.registry import Choice, choose
from istsbench.segmenter import Segmenter
from istsbench.testing import CHECKS, Check, left_out, prepared

OUTCOMES = "passed", "failed", "excused", "left out"


@dataclass(frozen=True)
class CheckResult:
    """What came of one check."""

    check: str
    outcome: str  # one of OUTCOMES; "left out" was not run
    reason: str = ""


@dataclass(frozen=True)
class MethodReport:
    """What came of all checks of one method."""

    title: str
    verdicts: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        return all(verdict.outcome != "failed" for verdict in self.verdicts)

    def __str__(self) -> str:
        """A line for each check that did not simply pass, and the count."""
        found = [verdict.outcome for verdict in self.verdicts]
        counts = [f"{len(found) - found.count('left out')} run"]
        counts += [
            f"{found.count(outcome)} {outcome}"
            for outcome in OUTCOMES
            if outcome in ("passed", "excused") or outcome in found
        ]
        lines = [
            f"  {verdict.outcome:8}  {verdict.check}: {verdict.reason}"
            for verdict in self.verdicts
            if verdict.outcome != "passed"
        ]
        return "\n".join([self.title, *lines, f"  {', '.join(counts)}"])


def check_all(methods: str) -> Iterator[MethodReport]:
    """Run every check on the methods that a text names, each as its report is asked for.

    These are names, groups, files and modules as in `choose`. Raises `WrongUse` where a
    text names none or a parameter does not fit, and for a method that learns and can have no
    random weights.
    """
    for choice in _find(methods):
        title = choice.spec
        try:
            method = choice.create()
        except (BrokenMethod, TypeError) as error:
            yield MethodReport(title, (CheckResult("can_be_created", "failed", str(error)),))
            continue
        yield check_method(method, title)


def check_method(method: Segmenter, title: str) -> MethodReport:
    """Run every check on a method; a network without weights gets random ones."""
    skipped = left_out(method)
    with TemporaryDirectory(prefix="istsbench-") as folder:
        ready = prepared(method, Path(folder))
        verdicts = tuple(
            CheckResult(check.__name__, "left out", skipped[check.__name__])
            if check.__name__ in skipped
            else _judge(ready, check)
            for check in CHECKS
        )
    return MethodReport(title if ready is method else f"{title}, random weights", verdicts)


def _find(methods: str) -> list[Choice]:
    try:
        return choose(methods)
    except UnknownName as error:
        raise WrongUse(
            f"{error}. Is it one of yours, not installed? `pip install -e` its folder, or give "
            "its class, as in mymethod:Mymethod or mymethod.py:Mymethod"
        ) from error


def _judge(method: Segmenter, check: Check) -> CheckResult:
    name, excuse = check.__name__, method.excused.get(check.__name__)
    try:
        check(method)
    except (Exception, SystemExit) as error:
        if excuse is not None:
            return CheckResult(name, "excused", excuse)
        return CheckResult(name, "failed", _reason(error, type(method)))
    if excuse is not None:
        return CheckResult(name, "failed", f"it passes; remove the excuse {excuse!r}")
    return CheckResult(name, "passed")


def _reason(error: BaseException, kind: type[Segmenter]) -> str:
    """What happened, and the last line of the method's own file that it came through."""
    text = " ".join(str(error).split())
    if not isinstance(error, AssertionError):
        text = f"{type(error).__name__}: {text}"
    file = inspect.getsourcefile(kind)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{text} ({Path(file).name}, line {lines[-1].lineno})" if file and lines else text
