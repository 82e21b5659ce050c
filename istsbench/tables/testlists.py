"""The published test lists, and how many targets and pixels each of them holds.

Where masks are scored shrunk, targets are lost or grow together: a list then has several
numbers of targets, by the code that shrinks. They give a printed Pd away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from istsbench.errors import UnknownName
from istsbench.tables.published import read_paper

_WORDS = (  # what the name of a data set holds, in lower case -> its title; the first that fits
    ("nudt", "NUDT-SIRST"), ("irstd", "IRSTD-1K"), ("aug", "SIRST-Aug"), ("nust", "NUST-SIRST"),
    ("mdfa", "NUST-SIRST"), ("nuaa", "NUAA-SIRST"), ("sirst", "NUAA-SIRST"),
)  # fmt: skip
_OTHERS = ("sirst3", "sirstv2", "sirst v2", "sirst-v2", "merged", "nudt-sirst-sea", "nudt sea")


@dataclass(frozen=True)
class TestList:
    """A list of images that papers test on."""

    __test__ = False  # for pytest, which takes the name for a test's

    key: str
    dataset: str
    title: str
    role: str  # "test", or "train" for a training list that is met in place of one
    images: int
    targets: tuple[int, ...]  # by the size at which the masks are read
    pixels: tuple[int, ...]  # of all images at their own sizes

    @property
    def name(self) -> str:
        return f"{self.title} ({self.images} images)"

    def grids(self, side: int = 0) -> tuple[int, ...]:
        """Over how many pixels a false-alarm rate can have been taken.

        `side` is that of the square at which images were scored; 0 if it is not known.
        """
        squares = (side,) if side else (256, 512)
        native = () if side else self.pixels
        return (*native, *(self.images * one * one for one in squares))


@cache
def known_lists() -> dict[str, TestList]:
    """Every known list by its key."""
    frame = read_paper("test_lists", dtype=str)
    return {
        line["list"]: TestList(
            line["list"],
            line["dataset"],
            line["title"],
            line["role"],
            int(line["images"]),
            tuple(map(int, line["targets"].split())),
            tuple(map(int, line["pixels"].split())),
        )
        for line in frame.to_dict("records")
    }


def list_named(key: str) -> TestList:
    """A list by its key; raises `UnknownName`."""
    known = known_lists()
    if key not in known:
        raise UnknownName("test list", key, list(known))
    return known[key]


def lists_of(dataset: str) -> list[TestList]:
    """The test lists of a data set by its title; none if it is not known."""
    return [one for one in known_lists().values() if one.dataset == dataset and one.role == "test"]


def dataset_title(name: str) -> str:
    """The title of the data set that a name speaks of, as in a table's head; empty if none."""
    lower = name.lower()
    if any(other in lower for other in _OTHERS):
        return ""
    return next((title for word, title in _WORDS if word in lower), "")
