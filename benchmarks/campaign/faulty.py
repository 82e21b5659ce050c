"""Methods for the fault campaign: one that behaves, and one that goes wrong as it is told.

`steady` adds a line to the file that FAULT_LOG names whenever it has scored an image, so that
the campaign knows what was done before a process died.
"""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from istsbench.segmenter import Card, Segmenter, parameter
from istsbench.threshold import MeanStd

SHAPE = (32, 40)
MARK = 77  # corner pixel of the image that `faulty` goes wrong on


@dataclass(frozen=True)
class Steady(Segmenter):
    """What rises above the median; leans on numpy's usual silence about underflow."""

    card = Card("Steady", "faults", "none", 2025, "none", "paper")
    threshold = MeanStd(3)

    seconds: float = parameter(0.0, "how long an image takes")

    def score(self, image):
        time.sleep(self.seconds)
        score = np.maximum(image - np.median(image), 0) * (1 + np.exp(-20 * image))
        if image.shape == SHAPE and "FAULT_LOG" in os.environ:
            with open(os.environ["FAULT_LOG"], "a") as file:
                file.write("scored\n")
        return score


@dataclass(frozen=True)
class Faulty(Segmenter):
    """Goes wrong in the way of `how`, on one image or, if it changes state, on all."""

    card = Card("Faulty", "faults", "none", 2025, "none", "paper")
    threshold = MeanStd(3)

    how: str = "raise"

    def score(self, image):
        if image.shape == SHAPE and (self.how in STATES or image[0, 0] == MARK):
            ACTS[self.how]()
        return np.maximum(image - np.median(image), 0)


def _raise() -> None:
    raise ArithmeticError("no way")


def _hang() -> None:
    time.sleep(3600)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does that has no memory left


def _eat() -> None:
    hoard = []
    while True:  # until the limit on the process refuses more
        hoard.append(np.ones(2**25))


def _print() -> None:
    print("a word to stdout", flush=True)
    print("a word to stderr", file=sys.stderr, flush=True)
    os.write(1, b"and one past Python\n")


def _close() -> None:
    sys.stdout.close()


def _threads() -> None:
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(4)
    threadpool_limits(4)


def _environment() -> None:
    os.environ["OMP_NUM_THREADS"] = "7"
    os.environ["ISTSBENCH_DATA"] = os.environ["HOME"] = "/nowhere"


ACTS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "exit": lambda: sys.exit(3),
    "hang": _hang,
    "die": _die,
    "eat": _eat,
    "print": _print,
    "close": _close,
    "random": lambda: np.random.seed(0),  # noqa: NPY002 (what it is there to do)
    "errors": lambda: np.seterr(all="raise"),
    "warnings": lambda: warnings.simplefilter("error"),
    "threads": _threads,
    "folder": lambda: os.chdir(os.path.join(os.path.dirname(os.environ["FAULT_LOG"]), "site")),
    "environment": _environment,
}
STATES = ("print", "close", "random", "errors", "warnings", "threads", "folder", "environment")
