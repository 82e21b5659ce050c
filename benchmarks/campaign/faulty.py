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

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

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
        if image.shape == SHAPE and "FAULT_LOG" in os.environ:
            with open(os.environ["FAULT_LOG"], "a") as file:
                file.write("scored\n")
        return np.maximum(image - np.median(image), 0) * (1 + np.exp(-20 * image))


@dataclass(frozen=True)
class Faulty(Segmenter):
    """Goes wrong in the way of `how`, on one image or, if it changes state, on all."""

    card = Card("Faulty", "faults", "none", 2025, "none", "paper")
    threshold = MeanStd(3)

    how: str = parameter("raise", "one of ACTS or STATES")

    def score(self, image):
        if image.shape == SHAPE and (self.how in STATES or image[0, 0] == MARK):
            {**ACTS, **STATES}[self.how]()
        return np.maximum(image - np.median(image), 0)


def _raise() -> None:
    raise ArithmeticError("no way")


def _eat() -> None:
    hoard = []
    while True:  # until the limit on the process refuses more
        hoard.append(np.ones(2**25))


def _print() -> None:
    print("a word to stdout", flush=True)
    print("a word to stderr", file=sys.stderr, flush=True)
    os.write(1, b"and one past Python\n")


ACTS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "exit": lambda: sys.exit(3),
    "hang": lambda: time.sleep(3600),
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),  # as the kernel does without memory
    "eat": _eat,
}
STATES: dict[str, Callable[[], object]] = {
    "print": _print,
    "close": lambda: sys.stdout.close(),
    "random": lambda: np.random.seed(0),  # noqa: NPY002 (what it is there to do)
    "errors": lambda: np.seterr(all="raise"),
    "warnings": lambda: warnings.simplefilter("error"),
    "threads": lambda: (cv2.setNumThreads(4), threadpool_limits(4)),
    "folder": lambda: os.chdir(os.path.dirname(os.environ["FAULT_LOG"]) + "/site"),
    "environment": lambda: os.environ.update(
        OMP_NUM_THREADS="7", ISTSBENCH_DATA="/nowhere", HOME="/nowhere"
    ),
}
