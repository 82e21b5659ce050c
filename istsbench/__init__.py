"""A benchmark for infrared small target segmentation under one stated protocol."""

from istsbench.registry import cards, create, info, names
from istsbench.segmenter import Card, Segmenter, Trainable, parameter
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio

__version__ = "0.2.0"
__all__ = [
    "AtLeast",
    "Card",
    "Fixed",
    "MeanStd",
    "MeanToPeak",
    "PeakRatio",
    "Segmenter",
    "Trainable",
    "cards",
    "create",
    "info",
    "names",
    "parameter",
]
