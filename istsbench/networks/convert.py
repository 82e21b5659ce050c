"""Weights of another implementation of a network of ours, as a weight file of ours.

Names do not count, structure does: the tensors of a checkpoint, in its order, must have the kinds
and shapes of ours, in ours. So it is the same network, or it is refused with what does not fit.
The size of the network (blocks, host, channels, ...) is found by trying. Two things are mended
exactly: how the grey levels were normalised, and a first batch norm with weights of its own, are
both folded into the first batch norm of ours, which has none.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from istsbench.errors import WeightsError, WrongUse
from istsbench.networks.checkpoint import save_weights
from istsbench.networks.foreign import read_foreign
from istsbench.networks.greylevels import IMAGENET, Layer, folded_norm, read_normalisation
from istsbench.networks.network import Network
from istsbench.registry import Choice
from istsbench.segmenter import parameter_help

LARGEST = 5  # number that is tried for blocks or channels
ROUNDS = 2  # over all parameters
TOLD = 6  # tensors that a refusal names
_UNUSED = "num_batches_tracked"  # counts steps of training; the maps do not depend on it


@dataclass(frozen=True)
class Converted:
    """A weight file that was made, and the network that it is of."""

    path: Path
    spec: str  # name(parameter=value, ...) with the weights
    tensors: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Fit:
    """A network of ours whose tensors are those of the checkpoint, pair by pair."""

    network: Network
    module: torch.nn.Module  # with random values
    first: tuple[str, Sequence[Layer]] | None  # our first batch norm, and theirs (empty: none)
    pairs: list[tuple[str, Layer]]  # our name, their tensor


def convert(
    path: Path, choice: Choice, normalised: str, out: Path, *, side: int | None = None,
    key: str | None = None,
) -> Converted:  # fmt: skip
    """Write the weights of a checkpoint as the weight file `out` of a network.

    `choice` names the network; parameters that it does not change are found by trying.
    `normalised` is what the code did to grey levels: MEAN,STD in grey levels 0..255, or
    "imagenet". `side` is the square that images were resized to, None for their own size.

    Raises `WeightsError` if the checkpoint is of another network, `WrongUse` for a method that is
    no network and for a normalisation that cannot be read.
    """
    mean, std = read_normalisation(normalised)
    if out.resolve() == path.resolve():
        raise WrongUse(f"{out}: the checkpoint itself; expected another file for the weights")
    kind = type(choice.create())
    if not issubclass(kind, Network):
        raise WrongUse(f"{choice.name} is no network: it has no weights")
    theirs = _layers(read_foreign(path, key))
    fit = _fitting(path, kind, dict(choice.changes), theirs)
    label = kind.card.label
    notes = [
        f"what has no weights, as resizing and padding, is that of {label} here: not compared",
        *_told_apart(path, fit),
    ]
    state = {ours: tensor.float() for ours, (_, _, tensor) in fit.pairs}
    if mean.size > 1 and (fit.first is None or mean.size != _channels(fit)):
        raise WrongUse(
            f"{IMAGENET} normalises 3 channels, this network takes {_channels(fit) or 1}; expected "
            "MEAN,STD in grey levels"
        )
    preparation = {"mean": float(mean.mean()), "std": float(std.mean()), "side": side}
    if fit.first is not None:
        ours, batch_norm = fit.first
        folded, turned = folded_norm(path, batch_norm, _channels(fit), mean, std)
        state[f"{ours}.running_mean"], state[f"{ours}.running_var"] = folded
        weight = fit.pairs[0][0]
        state[weight] = state[weight] * torch.from_numpy(turned)[None, :, None, None]
        if batch_norm:
            notes.append(f"{batch_norm[0][0]}, a batch norm of the input, is folded into ours")
    for name, tensor in fit.module.state_dict().items():
        if name.endswith(_UNUSED):
            state[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    bad = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise WeightsError(f"{path}: NaN or infinite values in what is {bad[0]} here")
    fit.module.load_state_dict(state, assign=True)  # strict: each tensor, and no other
    header = {
        "architecture": fit.network.architecture(),
        "preparation": preparation,
        "converted": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "from": path.name},
    }
    tensors = {name: tensor.numpy() for name, tensor in state.items()}
    save_weights(out, tensors, header, halved=False)
    return Converted(out, _spec(choice.name, fit.network, out), len(theirs), tuple(notes))


# ------------------------------------------------------------------ which network it is


def _layers(state: Mapping[str, torch.Tensor]) -> list[Layer]:
    split = ((*name.rpartition(".")[::2], tensor) for name, tensor in state.items())
    return [layer for layer in split if layer[1] != _UNUSED]


def _values(kind: type[Network], given: Mapping[str, object]) -> dict[str, list[object]]:
    """What may be tried for each parameter that makes the network what it is, the default first.

    Of a text those in double quotes in its description, of a number those up to `LARGEST`.
    """
    common = {one.name for one in fields(Network)}
    texts = parameter_help(kind)
    values: dict[str, list[object]] = {}
    for one in fields(kind):
        if one.name in common or one.name in given:
            continue
        others: Sequence[object] = ()
        if isinstance(one.default, str):
            others = re.findall(r'"(\w+)"', texts[one.name])
        elif type(one.default) is int:
            others = range(1, LARGEST + 1)
        values[one.name] = list(dict.fromkeys([one.default, *others]))
    return values


def _fitting(
    path: Path, kind: type[Network], given: Mapping[str, object], theirs: list[Layer]
) -> _Fit:
    """The network whose tensors are these: one parameter after the other is set to what is closest.

    Each of them decides other tensors, so that a few rounds are enough.
    """
    values = _values(kind, given)
    best = _compared(_changed(kind(), given), theirs)
    for key in [*values] * ROUNDS:
        if best.whole:
            break
        changes = [{key: value} for value in values[key]]
        tried = [_compared(_changed(best.network, one), theirs) for one in changes]
        best = max([best, *tried], key=lambda one: one.likeness)
    if not best.whole:
        raise WeightsError(
            f"{path}: {len(theirs)} tensors of another network than {kind.card.label}; "
            f"{_differences(best)}"
        )
    names = [f"{layer}.{tensor}" for layer, tensor, _ in best.ours]
    pairs = list(zip(names, best.theirs, strict=True))
    return _Fit(best.network, best.module, best.first, pairs)


@dataclass(frozen=True)
class _Compared:
    """A network of ours beside the tensors of a checkpoint, both without the first batch norm."""

    network: Network
    module: torch.nn.Module
    first: tuple[str, Sequence[Layer]] | None
    ours: list[Layer]
    theirs: list[Layer]

    @property
    def whole(self) -> bool:
        return _kinds(self.ours) == _kinds(self.theirs)

    @property
    def likeness(self) -> tuple[float, float]:
        """The share of kinds and shapes that both have, then that of tensors, in any order.

        The first tells what a network is made of, whatever the number of its blocks.
        """
        mine, yours = Counter(_kinds(self.ours)), Counter(_kinds(self.theirs))
        return len(mine & yours) / len(mine | yours), (mine & yours).total() / (
            mine | yours
        ).total()


def _changed(network: Network, changes: Mapping[str, Any]) -> Network:
    return replace(network, **changes)


def _compared(network: Network, theirs: list[Layer]) -> _Compared:
    try:
        with torch.random.fork_rng(devices=[]):
            module = network.build()
    except ValueError as error:  # of a parameter that was given
        raise WrongUse(str(error)) from error
    first, mine, yours = _without_first(_layers(module.state_dict()), theirs)
    return _Compared(network, module, first, mine, yours)


def _kinds(layers: Sequence[Layer]) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(tensor.shape)) for _, name, tensor in layers]


def _without_first(
    ours: list[Layer], theirs: list[Layer]
) -> tuple[tuple[str, Sequence[Layer]] | None, list[Layer], list[Layer]]:
    """Both without a batch norm of the input: ours has no weights, theirs may be none."""
    if [name for _, name, _ in ours[:2]] != ["running_mean", "running_var"]:
        return None, ours, theirs
    head = [layer for layer in theirs[:4] if layer[0] == theirs[0][0]]
    if not {"running_mean", "running_var"} <= {name for _, name, _ in head}:
        head = []
    elif head[0][2].shape != ours[0][2].shape:  # of other channels: it is told as what differs
        return (ours[0][0], ()), ours[2:], theirs
    return (ours[0][0], head), ours[2:], theirs[len(head) :]


def _differences(compared: _Compared) -> str:
    ours, theirs = compared.ours, compared.theirs
    matcher = difflib.SequenceMatcher(None, _kinds(ours), _kinds(theirs), autojunk=False)
    missing: list[Layer] = []
    extra: list[Layer] = []
    for what, start, end, begin, stop in matcher.get_opcodes():
        if what != "equal":
            missing += ours[start:end]
            extra += theirs[begin:stop]
    told = compared.network.architecture().items()
    parameters = ", ".join(f"{key}={value}" for key, value in told if key != "network")
    return (
        f"closest is {parameters}; only in the file: {_told(extra)}; only expected: "
        f"{_told(missing)}"
    )


def _told(layers: Sequence[Layer]) -> str:
    texts = [
        f"{layer}.{name} ({'x'.join(map(str, tensor.shape)) or 'one number'})"
        for layer, name, tensor in layers[:TOLD]
    ]
    more = f" and {len(layers) - TOLD} more" if len(layers) > TOLD else ""
    return (", ".join(texts) + more) or "nothing"


def _channels(fit: _Fit) -> int:
    return (
        0 if fit.first is None else fit.module.state_dict()[f"{fit.first[0]}.running_mean"].numel()
    )


# ------------------------------------------------------------------ what shapes do not tell


def _told_apart(path: Path, fit: _Fit) -> Iterator[str]:
    """Notes on parts of equal shapes, which only the order of the file tells apart.

    Raises `WeightsError` if the names there say that they are in another order.
    """
    theirs = {ours: f"{layer}.{tensor}" for ours, (layer, tensor, _) in fit.pairs}
    for parent, module in fit.module.named_modules():
        alike: dict[tuple[object, ...], list[str]] = {}
        for name, child in module.named_children():
            shapes = tuple(_kinds(_layers(child.state_dict())))
            if shapes and not name.isdigit():
                alike.setdefault(shapes, []).append(name)
        for names in alike.values():
            if len(names) < 2:
                continue
            known = {name: _first(theirs, f"{parent}.{name}".lstrip(".")) for name in names}
            words = {name: set(name.split("_")) for name in names}
            for name, there in known.items():
                others = set().union(*(words[one] for one in names)) - words[name]
                of_own, of_others = (
                    any(word in there.lower() for word in some) for some in (words[name], others)
                )
                if of_others and not of_own:
                    raise WeightsError(
                        f"{path}: {there} stands where {parent}.{name} was expected: parts of "
                        "equal shapes are in another order there"
                    )
            if not all(words[n] & {w for w in words[n] if w in known[n].lower()} for n in names):
                told = ", ".join(f"{name} is {there}" for name, there in known.items())
                where = parent or "the network"
                yield f"parts of equal shapes in {where}, told apart by their order: {told}"


def _first(theirs: Mapping[str, str], part: str) -> str:
    return next(there for ours, there in theirs.items() if ours.startswith(f"{part}."))


def _spec(name: str, network: Network, out: Path) -> str:
    told = {key: value for key, value in network.architecture().items() if key != "network"}
    default = type(network)()
    changed = [(key, value) for key, value in told.items() if value != getattr(default, key)]
    return Choice(name, (*changed, ("weights", str(out)))).spec
