"""Printed rates and the counts that they can come from.

A Pd over N targets is k/N, a false-alarm rate over D pixels k/D. What is printed of it has
been rounded or cut off, for tables do both. A number that no k gives is of another list, a
mean over runs, or a misprint; one that some k gives may be so by chance, the likelier the
more targets there are and the fewer digits are printed.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache


def decimals(text: str) -> int:
    """Digits after the point of a number as printed, or of its mantissa less the exponent."""
    return max(0, -int(Decimal(text).as_tuple().exponent))


def _unit(text: str) -> int:
    return int(10 ** decimals(text))


def counts(text: str, total: int) -> list[int]:
    """The k of 0..`total` for which k/total in percent is printed so, rounded or cut off."""
    unit = _unit(text)
    printed = int(Decimal(text) * unit)
    first = (2 * printed - 1) * total // (200 * unit)
    last = (printed + 1) * total // (100 * unit) + 1
    return [
        k for k in range(max(first, 0), min(last, total) + 1)
        if printed in _prints(100 * unit * k, total)
    ]  # fmt: skip


def is_cut(text: str, total: int) -> bool:
    """Whether the number fits only as one whose further digits were cut off, not rounded."""
    unit = _unit(text)
    printed, found = int(Decimal(text) * unit), counts(text, total)
    return bool(found) and all(abs(100 * unit * k - printed * total) * 2 > total for k in found)


def _prints(over: int, under: int) -> tuple[int, ...]:
    """What over/under is printed as, in whole numbers: cut off, or rounded (a half either way)."""
    below, rest = divmod(over, under)
    return (below, below + 1) if 2 * rest >= under else (below,)


@cache
def chance(total: int, digits: int) -> float:
    """The share of all numbers 0..100 with so many decimals that fit a list of `total` targets."""
    unit = int(10**digits)
    fitting = {value for k in range(total + 1) for value in _prints(100 * unit * k, total)}
    return len(fitting) / (100 * unit + 1)


def whole_pixels(text: str, pixels: int) -> bool:
    """Whether a rate in units of 1e-6, as printed, can be a number of pixels over `pixels`."""
    unit = Fraction(1, _unit(text))
    low = (Fraction(text) - unit / 2) * pixels / 10**6
    high = (Fraction(text) + unit) * pixels / 10**6  # a cut-off number lies above its print
    return math.floor(high) >= math.ceil(max(low, Fraction(0)))


def pixel_chance(text: str, pixels: int) -> float:
    """The share of all numbers with as many decimals that are whole numbers of pixels."""
    return min(1.0, pixels / 10**6 * 1.5 / _unit(text))
