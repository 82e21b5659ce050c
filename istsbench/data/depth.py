"""How pictures deeper than 8 bit come to the grey scale of the methods, 0..255.

A choice that decides scores: it is part of the protocol wherever a deep picture is scored.

    image   each image's own minimum and maximum become 0 and 255 (the default)
    full    the range of the file's type becomes 0..255
    LO:HI   these levels become 0 and 255; what lies beyond is cut off, and counted

Pictures of 8 bit stay as they are under each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from istsbench.data.images import Picture
from istsbench.errors import DataError, WrongUse

OWN, FULL = "image", "full"
LARGE = 1e300


@dataclass(frozen=True)
class Depth:
    """One such choice; `str` gives the text that `read` takes."""

    low: float | None = None
    high: float | None = None
    full: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """From `image`, `full` or `LO:HI`; raises `WrongUse`."""
        text = text.strip()
        if text in (OWN, FULL):
            return cls(full=text == FULL)
        try:
            low, high = (float(number) for number in text.split(":"))
        except ValueError:
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise WrongUse(
                f"depth is {text!r}; expected image, full, or two levels LO:HI with LO below HI, "
                "as 0:16383"
            )
        return cls(low + 0.0, high + 0.0)  # -0.0 would be another text

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return FULL if self.full else OWN
        return f"{self.low:.12g}:{self.high:.12g}"

    def scaled(self, picture: Picture, what: object) -> tuple[np.ndarray, int]:
        """The image, float64 (H, W) in 0..255, and how many pixels were cut off.

        Raises `DataError` for `full` of a picture of floats, which have no full scale, and for
        a picture that varies in its alpha channel alone.
        """
        image, cut = self._scaled(picture, what)
        if picture.alpha is not None and image.min() == image.max():
            raise DataError(
                f"{what}: every pixel is {picture.pixels[0, 0]:g} and only the alpha channel "
                f"varies (mode {picture.mode}); expected an image of grey levels"
            )
        return image, cut

    def _scaled(self, picture: Picture, what: object) -> tuple[np.ndarray, int]:
        levels = picture.pixels.astype(np.float64)
        if not picture.deep:
            return levels, 0
        if self.low is not None and self.high is not None:
            low, high = self.low, self.high
        elif not self.full:
            low, high = float(levels.min()), float(levels.max())
        elif picture.full is not None:
            low, high = picture.full
        else:
            raise DataError(
                f"{what}: floats ({picture.mode}) have no full scale; give --depth image or the "
                "levels of black and white, --depth LO:HI"
            )
        if low == high:
            return np.zeros_like(levels), 0
        cut = int(np.count_nonzero((levels < low) | (levels > high)))
        # The span of two very large levels may be no float.
        unit = 2.0**-12 if max(abs(low), abs(high)) > LARGE else 1.0
        low, high, levels = low * unit, high * unit, levels * unit
        # Division last: levels that are 257 times those of 8 bit come to just these.
        return (levels.clip(low, high) - low) * 255 / (high - low), cut


def sentence(depth: str) -> str:
    """What a depth does, for the line under a table."""
    how = {
        OWN: "each image's own minimum and maximum to 0..255",
        FULL: "the full scale of the file's type to 0..255",
    }
    return f"deep images: {how.get(depth, f'levels {depth} to 0..255')}"


def folder_ending(depth: str) -> str:
    """What the names of results folders end in, empty for the default depth."""
    return "" if depth in ("", OWN) else f"-depth-{depth.replace(':', '-')}"
