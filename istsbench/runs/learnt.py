"""What a method has learnt from, as its record tells it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from istsbench.data.datasets import title_of
from istsbench.data.samples import Dataset, fingerprint, picture_of
from istsbench.errors import DataError, UnknownName
from istsbench.registry import Choice
from istsbench.runs.images import Images
from istsbench.runs.record import Trained
from istsbench.segmenter import Segmenter, Trainable

_APART = ("seed", "epoch", "stop", "command")  # of a plan, what other seeds have otherwise


def trained(choice: Choice, method: Segmenter, images: Images) -> Trained | None:
    """`training`, with `another NAME` for a folder called as the one here, of other images."""
    found = training(choice, method)
    name = images.dataset.name
    if found is None or found.dataset != name or not name.startswith("folder-"):
        return found
    plan = (method.training_plan() or {}) if isinstance(method, Trainable) else {}
    same = _fingerprint(images.dataset, found.split) == plan.get("fingerprint")
    return found if same else replace(found, dataset=f"another {name}")


def training(choice: Choice, method: Segmenter) -> Trained | None:
    """How the weights came to be; None for methods that do not learn, or whose file does
    not say."""
    plan = method.training_plan() if isinstance(method, Trainable) else None
    if plan is None or type(plan.get("seed")) is not int:
        return None
    changes = tuple(pair for pair in choice.changes if pair[0] != "weights")
    alike = {key: value for key, value in plan.items() if key not in _APART}
    digest = hashlib.sha256(json.dumps(alike, sort_keys=True).encode()).hexdigest()
    base, recipe, split = replace(choice, changes=changes), plan.get("recipe"), plan.get("split")
    home = plan.get("dataset") if isinstance(plan.get("dataset"), str) else None
    epochs = recipe.get("epochs") if isinstance(recipe, dict) else None
    start, command = plan.get("start"), plan.get("command")
    return Trained(
        method=base.spec,
        label=base.label(type(method).card.label),
        seed=plan["seed"],
        split=split if isinstance(split, str) else None,
        dataset=home,
        title=title_of(home) if home is not None else None,
        epochs=epochs if type(epochs) is int else None,
        start=start if isinstance(start, str) else None,
        recipe={k: str(v) for k, v in recipe.items()} if isinstance(recipe, dict) else {},
        command=command if isinstance(command, str) else None,
        plan=digest[:8],
    )


def _fingerprint(dataset: Dataset, split: str | None) -> str:
    """The hash of a split's images, empty if they are not all there."""
    try:
        return fingerprint((n, dataset.load(n).pixels) for n in dataset.names(split or ""))
    except (DataError, UnknownName):
        return ""


def seen(method: Segmenter, images: Images) -> list[str]:
    """A note where a method has learnt from images that it is scored on, or may have."""
    if not isinstance(method, Trainable):
        return []
    plan, data = method.training_plan() or {}, images.dataset
    learnt, there = method.learnt_from(), plan.get("dataset", data.name)
    if learnt is not None:
        seen = {name for name in images.names if picture_of(images.pixels[name]) in learnt}
    elif there == data.name:
        seen = {*data.learnt(images.split)} & {*images.names}
    else:
        return [
            f"its weights are of {title_of(there)}, and their file does not say of which images: "
            "some of these may be among them"
        ]
    if not seen:
        return []
    return [f"{len(seen)} of {len(images.names)} images are for training or validation"]
