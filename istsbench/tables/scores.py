"""How a table writes a score: its head, its digits, its unit, and which end is the better one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """`unit` is how many of the printed unit make 1; `form` is a format of Python.

    A score that saturates is printed as what it lacks of 1. What tells only how far another
    number can be trusted is no merit: neither end of it is the better one.
    """

    head: str
    form: str = ".3f"
    unit: float = 1.0
    fewer: bool = False  # whether less is better, as printed
    lacking: bool = False  # whether it is printed as what it lacks of 1
    merit: bool = True  # whether more, or less, of it is better

    def printed(self, value: float, kind: str = "") -> float:
        """The number that is written; `kind` as of a column (a deviation is of both alike)."""
        apart = self.lacking and kind in ("", "paper", "low", "high")
        return (1 - value if apart else value) * self.unit


SCORES = {
    "precision": Score("P"),
    "recall": Score("R"),
    "f1": Score("F1"),
    "iou": Score("IoU"),
    "niou": Score("nIoU"),
    "pd": Score("Pd"),
    "fa": Score("Fa 1e-6", ".0f", 1e6, fewer=True),
    "auc": Score("AUC"),
    "average_precision": Score("AP"),
    "hiou": Score("hIoU"),
    "pd_shooting": Score("Pd (shooting)"),
    "fa_shooting": Score("Fa (shooting) 1e-6", ".0f", 1e6, fewer=True),
    "auc_image": Score("AUC (images)"),
    "target_auc": Score("1 - AUC (targets) 1e-6", ".0f", 1e6, fewer=True, lacking=True),
    "loc": Score("loc"),
    "seg": Score("seg"),
    "scrg": Score("SCRG", ".2f"),
    "bsf": Score("BSF", ".2f"),
    "gain": Score("gain", ".2f"),
    "scrg_share": Score("SCRG of %", ".0f", 100, merit=False),
    "bsf_share": Score("BSF of %", ".0f", 100, merit=False),
    "gain_share": Score("gain of %", ".0f", 100, merit=False),
    "seconds": Score("s/image", ".3g", fewer=True),
}
SPELLINGS = {"p": "precision", "r": "recall", "ap": "average_precision", "time": "seconds"}


def score_named(name: str) -> Score:
    """The score of a column; one without an entry is written under its own name."""
    known = SCORES.get(name)
    return known or Score(name, fewer=name.endswith("_err"))
