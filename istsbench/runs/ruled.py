"""The rule of a function that names none, by what it returns."""

from __future__ import annotations

import dataclasses

import numpy as np

from istsbench.data.synthetic import scene
from istsbench.segmenter import Segmenter
from istsbench.threshold import Fixed
from istsbench.unregistered import UNRULED, of_function


def ruled(method: Segmenter) -> tuple[Segmenter, tuple[str, ...]]:
    """The method with the rule that fits what it returns, and what is to be said of that rule.

    Nothing is said, or changed, but of functions that name no rule: for masks of type bool it is
    `Fixed(0.5)`, else that of `Segmenter`. It is seen on a drawn scene; a function that fails
    there is taken as one that returns scores.
    """
    found = getattr(type(method), UNRULED, None)
    if found is None:
        return method, ()
    try:
        mask = np.asarray(method.score(scene(64, 64))).dtype == bool
    except (Exception, SystemExit):  # what is wrong shows on the first real image, with its name
        mask = False
    if not mask:
        return method, (f"the function names no threshold rule: {method.threshold!r} is its own",)
    values = {one.name: getattr(method, one.name) for one in dataclasses.fields(method)}
    (function, label), rule = found, Fixed(0.5)
    told = f"the function names no threshold rule and returns masks: {rule!r} is its own"
    return of_function(function, label, rule)(**values), (told,)
