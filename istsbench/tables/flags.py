"""What is doubtful in printed rows: their Pd, their Fa, and rows that are alike.

A flag is a reason to ask, not an error. Where it can be counted, it has the probability of a
false alarm: that numbers with nothing behind them would get the same flag.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from istsbench.tables.grid import (
    chance,
    counts,
    decimals,
    is_cut,
    pixel_chance,
    whole_pixels,
)
from istsbench.tables.testlists import TestList, list_named, lists_of

WEAK = 0.5  # a number that fits by chance so often says nothing
_TELLING = 3  # digits that equal false-alarm rates must have to be more than chance
_APART = 0.005  # of an IoU; what differs by less was rounded twice
_MIXED = 2  # rows of a table that fit one list alone, on either side


@dataclass(frozen=True)
class PrintedLine:
    """A printed row: IoU and Pd in percent, Fa in units of 1e-6, as texts.

    `stated` is the key of the test list that its table states, `side` that of the square at
    which the masks were scored, 0 if not known. Fields stay empty where nothing is printed.
    """

    table: str
    method: str
    dataset: str
    iou: str = ""
    pd: str = ""
    fa: str = ""
    stated: str = ""
    side: int = 0
    whole: bool = True  # whether Fa is over all pixels of the images

    @property
    def candidates(self) -> list[TestList]:
        """The stated list, or else all of the data set."""
        return [list_named(self.stated)] if self.stated else lists_of(self.dataset)


@dataclass(frozen=True)
class Flag:
    """What is doubtful in one row; `chance` is the probability that luck alone makes it."""

    check: str
    text: str
    chance: float | None = None

    def __str__(self) -> str:
        if self.chance is None:
            return self.text
        return f"{self.text} (by chance: {100 * self.chance:.2g} %)"


def fitting(pd: str, lists: Sequence[TestList]) -> dict[str, int]:
    """The lists whose targets can give a printed Pd, each with that number of targets."""
    found = {}
    for one in lists:
        for targets in one.targets:
            if one.key not in found and counts(pd, targets):
                found[one.key] = targets
    return found


def says_nothing(pd: str, lists: Sequence[TestList]) -> bool:
    """Whether nearly any Pd would fit: 0 and 100 percent, or few digits for many targets."""
    return Decimal(pd) in (0, 100) or luck(pd, lists) >= WEAK


def luck(pd: str, lists: Sequence[TestList]) -> float:
    """The probability that a random Pd with as many digits fits one of the lists."""
    missed = 1.0
    for one in lists:
        for targets in one.targets:
            missed *= 1 - chance(targets, decimals(pd))
    return 1 - missed


def row_flags(line: PrintedLine) -> Iterator[Flag]:
    """What is doubtful in a row by itself."""
    lists = line.candidates
    if line.stated and lists[0].role != "test":
        yield Flag("training list", f"{lists[0].name} of {lists[0].dataset} is for training")
    if line.pd and lists:
        yield from _pd_flags(line, lists)
    if line.fa and line.stated and line.whole and (flag := _fa_flag(line)):
        yield flag


def _pd_flags(line: PrintedLine, lists: Sequence[TestList]) -> Iterator[Flag]:
    most = max(targets for one in lists for targets in one.targets)
    if 0 < Decimal(line.pd) and not counts(line.pd, most) and Decimal(line.pd) * most < 100:
        yield Flag(
            "below one target",
            f"Pd {line.pd} % is less than one of {most} targets, {100 / most:.2f} %",
        )
        return
    fits = fitting(line.pd, lists)
    if fits:
        key, targets = next(iter(fits.items()))
        share = chance(targets, decimals(line.pd))
        if share < WEAK and is_cut(line.pd, targets):
            text = f"Pd {line.pd} fits {targets} targets if its digits were cut off, not rounded"
            yield Flag("cut off", text, share)
        return
    tried = ", ".join(f"{targets}" for one in lists for targets in one.targets)
    others = [one for one in lists_of(line.dataset) if one not in lists]
    elsewhere = fitting(line.pd, others)
    if elsewhere and not says_nothing(line.pd, others):
        names = " or ".join(f"{list_named(k).name}, {n} targets" for k, n in elsewhere.items())
        yield Flag(
            "another split",
            f"Pd {line.pd} is no multiple of 1/{tried}, but fits {names}",
            luck(line.pd, others),
        )
    else:
        yield Flag("no list", f"Pd {line.pd} is no multiple of one over {tried} targets")


def _fa_flag(line: PrintedLine) -> Flag | None:
    grids = list_named(line.stated).grids(line.side)
    if any(whole_pixels(line.fa, pixels) for pixels in grids):
        return None
    over = " or ".join(f"{pixels:,}" for pixels in grids)
    share = 100 * max(pixel_chance(line.fa, pixels) for pixels in grids)
    text = f"Fa {line.fa}e-6 is no whole number of pixels over {over}"
    return Flag("no whole pixels", f"{text}, as {share:.2g} % of random numbers are")


def table_flags(lines: Sequence[PrintedLine]) -> Mapping[int, list[Flag]]:
    """What is doubtful in rows beside others, by the index of the row."""
    found: dict[int, list[Flag]] = defaultdict(list)
    for make in (_mixed, _twins):
        for index, flag in make(lines):
            found[index].append(flag)
    return found


def _mixed(lines: Sequence[PrintedLine]) -> Iterator[tuple[int, Flag]]:
    """Rows of one table and data set that fit one number of targets alone, beside others."""
    tables: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        if line.pd:
            tables[line.table, line.dataset].append(index)
    for (_, dataset), indices in tables.items():
        lists = lists_of(dataset)
        totals = [(one, targets) for one in lists for targets in one.targets]
        only = {
            index: fits[0]
            for index in indices
            if not says_nothing(lines[index].pd, lists)
            and len(fits := [pair for pair in totals if counts(lines[index].pd, pair[1])]) == 1
        }
        tally = Counter(only.values())
        kept = {pair: number for pair, number in tally.items() if number >= _MIXED}
        if len(kept) < 2:
            continue
        check = "mixed splits" if len({one for one, _ in kept}) > 1 else "mixed sizes"
        said = ", ".join(f"{n} rows fit only {one.name}, {targets} targets"
                         for (one, targets), n in kept.items())  # fmt: skip
        for index, pair in only.items():
            if pair in kept:
                yield index, Flag(check, f"{check} in one table: {said}")


def _twins(lines: Sequence[PrintedLine]) -> Iterator[tuple[int, Flag]]:
    """Rows with equal Pd and Fa whose IoU differs, or that stand under two data sets."""
    numbers = [(float(line.pd), float(line.fa)) if line.pd and line.fa else None for line in lines]
    for index, (line, own) in enumerate(zip(lines, numbers, strict=True)):
        others: dict[tuple[str, str], list[PrintedLine]] = defaultdict(list)
        for other, number in zip(lines, numbers, strict=True):
            if own and number and other is not line and _near(own, number):
                if check := _twin(line, other):
                    others[check, f"{float(other.iou):.3g}"].append(other)
        for (check, _), found in others.items():
            where = ", ".join(dict.fromkeys(f"{one.method} of {one.table}" for one in found))
            if check == "two data sets":
                text = f"IoU, Pd and Fa are those of {where} on {found[0].dataset}"
            else:
                text = f"Pd and Fa are those of {where}, IoU is {line.iou} against {found[0].iou}"
            yield index, Flag(check, text, max(_coincidence(line, one) for one in found))


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """What prints of one number are at least; a quick look before the exact one."""
    return abs(one[0] - other[0]) <= 1 and abs(one[1] - other[1]) <= 0.1 * max(one[1], other[1])


def _twin(line: PrintedLine, other: PrintedLine) -> str:
    """The name of the flag that `other` puts on `line`; empty if none."""
    alike = _alike(line.pd, other.pd) and _alike(line.fa, other.fa)
    if not alike or not (line.iou and other.iou) or _significant(line.fa, other.fa) < _TELLING:
        return ""
    if line.dataset != other.dataset:
        return "two data sets" if _alike(line.iou, other.iou) else ""
    one, two = float(line.iou), float(other.iou)
    return "another IoU" if abs(one - two) > _APART * max(one, two) else ""


def _coincidence(line: PrintedLine, other: PrintedLine) -> float:
    """How often two rows that have nothing in common agree in Pd and Fa by chance.

    Fa by its significant digits, spread evenly in their logarithm; Pd over the steps of a
    list, or the digits printed where the list is not known.
    """
    steps = [targets for one in line.candidates for targets in one.targets]
    of_pd = 1 / max(steps) if steps else 10.0 ** -(2 + min(decimals(line.pd), decimals(other.pd)))
    return of_pd * 10.0 ** (1 - _significant(line.fa, other.fa))


def _significant(one: str, other: str) -> int:
    return min(len(Decimal(text).normalize().as_tuple().digits) for text in (one, other))


def _alike(one: str, other: str) -> bool:
    """Whether two prints are of one number, rounded or cut off to the digits of the shorter."""
    short, long = sorted((one, other), key=decimals)
    step = Decimal(1).scaleb(-decimals(short))
    ways = (ROUND_HALF_UP, ROUND_DOWN)
    return any(Decimal(long).quantize(step, way) == Decimal(short) for way in ways)


def reprinted(lines: Sequence[PrintedLine]) -> dict[int, int]:
    """Rows that print again what another row prints with more digits: index -> that row's.

    The same method on the same data set, with the same Pd and Fa.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        if line.pd and line.fa:
            groups[line.method.lower(), line.dataset].append(index)
    found = {}
    for indices in groups.values():
        for index in indices:
            finer = [
                other for other in indices
                if decimals(lines[other].pd) > decimals(lines[index].pd)
                and _alike(lines[other].pd, lines[index].pd)
                and _alike(lines[other].fa, lines[index].fa)
            ]  # fmt: skip
            if finer:
                found[index] = max(finer, key=lambda other: decimals(lines[other].pd))
    return found


def told_by(
    texts: Sequence[str], lists: Sequence[TestList]
) -> dict[tuple[str, int], tuple[int, int]]:
    """How many of a column's Pd fit each list and number of targets, and of how many that tell.

    Only what most of the column fits, and would not by chance in one column of a hundred.
    """
    found = {}
    for one in lists:
        for targets in one.targets:
            telling = [text for text in texts if not says_nothing(text, [one])]
            fits = [text for text in telling if counts(text, targets)]
            odds = 1.0
            for text in fits:
                odds *= chance(targets, decimals(text))
            if len(fits) > len(telling) / 2 and odds < 0.01:
                found[one.key, targets] = len(fits), len(telling)
    return found


def unknown_total(texts: Sequence[str], most: int = 1100) -> int | None:
    """The least number of targets up to `most` that explains nearly all of a table's Pd.

    None if so many would fit some number by chance in more than one table of a hundred.
    """
    telling = [text for text in texts if Decimal(text) not in (0, 100)]
    if len(telling) < _TELLING:
        return None
    for total in range(20, most):
        fits = [text for text in telling if counts(text, total)]
        if len(fits) < 0.8 * len(telling):
            continue
        odds = 1.0
        for text in fits:
            odds *= chance(total, decimals(text))
        if odds * most < 0.01:
            return total
    return None
