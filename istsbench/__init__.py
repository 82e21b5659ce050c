"""A benchmark for infrared small target segmentation under one stated protocol."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from istsbench.registry import cards, create, info, names
from istsbench.segmenter import Card, Segmenter, Trainable, parameter
from istsbench.threshold import AtLeast, Fixed, MeanStd, MeanToPeak, PeakRatio

if TYPE_CHECKING:
    from istsbench.results.evaluation import evaluate, load_results
    from istsbench.runs.apply import apply

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
    "apply",
    "cards",
    "create",
    "evaluate",
    "info",
    "load_results",
    "names",
    "parameter",
]
_LATE = {  # what needs pandas, and is imported when it is asked for
    "apply": "istsbench.runs.apply",
    "evaluate": "istsbench.results.evaluation",
    "load_results": "istsbench.results.evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
