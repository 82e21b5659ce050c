"""A table that a script here makes: stored, or compared with what is stored."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path


def settle(table: Path, found: Sequence[Mapping[str, str]], of: Sequence[str], write: bool) -> int:
    """Store the rows if `write`; else print what differs from the stored ones, named by `of`.

    Returns the exit code of the script, 1 if anything differs.
    """
    if write:
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
        return 0
    with table.open(newline="") as file:
        stored = list(csv.DictReader(file))
    changed = [
        f"{', '.join(one[name] for name in of)}, {key}: {one[key]}, was {other[key]}"
        for one, other in zip(found, stored, strict=True)
        for key in one
        if one[key] != other[key]
    ]
    print("\n".join(changed) or "as stored")
    return int(bool(changed))
