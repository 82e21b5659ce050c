"""What a training is to do, decided before it begins: recipe, images, preprocessing, seed."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from istsbench.data.samples import Dataset
from istsbench.errors import Stopped
from istsbench.networks.checkpoint import read_weights
from istsbench.networks.network import Network
from istsbench.networks.patches import TURNS, Memory
from istsbench.networks.recipe import PRECISIONS, Preprocessing, Recipe, held

GRAIN = 32  # patches are a multiple of this, pixels
_LEAST = 16  # side of patches, and of images that are resized first, pixels
_NATIVE = ("side", "images")  # fields of a recipe where None is a value


@dataclass(frozen=True)
class Plan:
    """All that decides what a training comes to; a checkpoint is bound to it."""

    method: str
    architecture: Mapping[str, Any]
    recipe: Recipe
    dataset: str
    split: str
    fingerprint: str
    preprocessing: Preprocessing
    seed: int
    precision: str
    start: str | None = None  # the weights that it begins with, None for random ones

    def record(self) -> dict[str, Any]:
        """As JSON gives it back, with the key that files have had from the start."""
        found = asdict(self)
        found["preparation"] = found.pop("preprocessing")
        if self.start is None:  # as in files from before there was a choice
            del found["start"]
        return dict(json.loads(json.dumps(found)))


OPTIONS = ("epochs", "batch", "lr", "patch", "side", "validations", "loss", "images")  # of `train`


def command(network: Network, plan: Mapping[str, Any]) -> str:
    """The command that does the training of a plan, as a record, again."""
    kind, recipe = type(network), asdict(Recipe(**plan["recipe"]))
    own = {f.name: getattr(network, f.name) for f in fields(kind) if f.name in plan["architecture"]}
    usual = {f.name: f.default for f in fields(kind)}
    changed = ",".join(f"{key}={value}" for key, value in own.items() if value != usual[key])
    words = ["istsbench", "train", plan["method"] + (f"({changed})" if changed else "")]
    words += ["--dataset", plan["dataset"]]
    bases = {"fast": Recipe(1, 1, 1.0, 1, ""), **network.recipes}
    departs = {
        name: {key: value for key, value in recipe.items() if value != getattr(base, key)}
        for name, base in bases.items()
    }
    name = min(departs, key=lambda name: len(departs[name].keys() - OPTIONS))
    words += ["--recipe", name] if name != "fast" else []
    rest = []
    for key, value in departs[name].items():
        if key in OPTIONS and value is not None:
            words += [f"--{key}", str(value)]
        else:
            rest.append(f"{key}={value if isinstance(value, str) else json.dumps(value)}")
    words += ["--set", ",".join(rest)] if rest else []
    words += ["--start", "FILE"] if plan.get("start") else []
    words += ["--seed", str(plan["seed"]), "--precision", plan["precision"], "--out", "DIR"]
    return shlex.join(words) + (" --final" if plan["split"] == "trainval" else "")


def fit_recipe(recipe: Recipe, memory: Memory) -> Recipe:
    """The recipe with patches no larger than nearly all of the images (NUST: 128)."""
    sides = [max(image.shape) for image in memory.images]
    usual = int(np.ceil(np.quantile(sides, 0.95) / GRAIN)) * GRAIN
    return replace(recipe, patch=min(recipe.patch, usual))


def prepare(
    network: Network,
    dataset: Dataset,
    recipe: Recipe | str | None,
    changes: Mapping[str, Any],
    seed: int | None,
    precision: str | None,
    finished: Path | None,
    start: str | None = None,
) -> tuple[Plan, Memory, Memory]:
    """The plan, the images to train on and those to choose the epoch on; the last may be none.

    With the last weights of a finished training the plan is to do that once more on training
    and validation images; what is given besides must be as it was there. `start` tells which
    weights it begins with: if any did then, it may be others now. None changes nothing, but
    for `side` and `images`.
    """
    earlier = _plan_of(finished) if finished is not None else {}
    if recipe is None:
        recipe = Recipe(**earlier["recipe"]) if earlier else "fast"
    if isinstance(recipe, str):
        if recipe not in network.recipes:
            known = ", ".join(network.recipes)
            raise Stopped(f"no recipe {recipe!r} for {network.card.label}; it has: {known}")
        recipe = network.recipes[recipe]
    given = {k: v for k, v in changes.items() if v is not None or k in _NATIVE}
    recipe = Recipe(**{k: held(k, v) for k, v in {**vars(recipe), **given}.items()})
    seed = earlier.get("seed", 0) if seed is None else seed
    precision = earlier["precision"] if precision is None else precision
    _check_values(recipe, seed, precision)
    plan, memory = _plan(network, dataset, "train", recipe, seed, precision)
    plan = replace(plan, start=start)
    if finished is None:
        chosen = dataset.tuning_names() if dataset.splits.get("val") else ()
        return plan, memory, Memory.of(dataset, chosen)
    then = earlier.get("start")
    check_same(earlier, replace(plan, start=then if then and start else start), finished.parent)
    whole, memory = _plan(network, dataset, "trainval", plan.recipe, seed, precision)
    return replace(whole, start=start), memory, Memory((), (), "")


def _plan_of(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise Stopped(
            f"the training in {path.parent} is not finished ({path.name} is not there); a final "
            "training repeats a finished one"
        )
    return dict(read_weights(path)[1]["plan"])


def _check_values(recipe: Recipe, seed: int, precision: str) -> None:
    for name, value, least, most in (
        ("epochs", recipe.epochs, 1, math.inf),
        ("validations", recipe.validations, 1, math.inf),
        ("images", recipe.images, 2, math.inf),
        ("seed", seed, 0, math.inf),
        ("patch", recipe.patch, _LEAST, math.inf),
        ("side", recipe.side, _LEAST, math.inf),
        ("weight_decay", recipe.weight_decay, 0, math.inf),
        ("centred", recipe.centred, 0, 1),
        ("blur", recipe.blur, 0, 32),
        ("rescale", recipe.rescale, 1, 8),
        ("jitter", recipe.jitter, 1, 8),
    ):
        if value is not None and not least <= value <= most:
            expected = f"{least} or more" if math.isinf(most) else f"{least}..{most}"
            raise Stopped(f"{name} is {value}, expected {expected}")
    if not 0 <= recipe.average < 1:
        raise Stopped(f"average is {recipe.average}, expected 0 or more and less than 1")
    if recipe.turns not in TURNS:
        raise Stopped(f"turns is {recipe.turns!r}, expected one of {', '.join(TURNS)}")
    if not recipe.lr > 0:
        raise Stopped(f"lr is {recipe.lr}, expected more than 0")
    if precision not in PRECISIONS:
        raise Stopped(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")


def _plan(
    network: Network, dataset: Dataset, split: str, recipe: Recipe, seed: int, precision: str
) -> tuple[Plan, Memory]:
    """The plan of a training on a split, and its images."""
    names = dataset.names(split)
    if both := set(names).intersection(dataset.splits.get("test", ())):
        raise Stopped(
            f"{len(both)} of {len(names)} images of the split {split} of {dataset.name} are test "
            f"images, the first is {min(both)}; expected none in both"
        )
    memory = Memory.of(dataset, names, recipe.side)
    if not memory.images:
        raise Stopped(f"the split {split} of {dataset.name} has no images to train on")
    recipe = fit_recipe(recipe, memory)
    if recipe.patch < 1 or recipe.patch % network.multiple:
        raise Stopped(f"patch is {recipe.patch}, expected a multiple of {network.multiple}")
    preprocessing = network.preprocessing or Preprocessing(*memory.levels())
    plan = Plan(
        network.registered_name(), network.architecture(), recipe, dataset.name, split,
        memory.fingerprint, replace(preprocessing, side=recipe.side), seed, precision,
    )  # fmt: skip
    return plan, memory


def check_same(there: Mapping[str, Any], asked: Plan, out: Path) -> None:
    """Raise `Stopped` if the plan of the training in a folder, as JSON, is another one."""
    own = {"start": None, **asked.record()}
    # What a recipe has gained since is in older ones by its default.
    there = {**there, "recipe": asdict(Recipe(**there["recipe"]))}
    differ = {
        key: _parts(there.get(key), value) for key, value in own.items() if there.get(key) != value
    }
    if differ:
        raise Stopped(
            f"{out} holds another training: (there, asked for) are {differ}; "
            "use another folder, or start anew with --no-resume (resume=False)"
        )


def _parts(there: Any, asked: Any) -> tuple[Any, Any]:
    """Two values that differ; of two dicts what differs in them."""
    if not (isinstance(there, dict) and isinstance(asked, dict)):
        return there, asked
    keys = [key for key in {**there, **asked} if there.get(key) != asked.get(key)]
    first, second = ({key: one[key] for key in keys if key in one} for one in (there, asked))
    return first, second
