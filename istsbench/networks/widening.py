"""A start from other weights: those of the same network, or of a narrower one, widened.

Each channel of the narrow network becomes several copies, and what reads it shares its weight
among them, so that the wide network answers as the narrow one does (Net2WiderNet: Chen, Goodfellow
& Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016, Section 2.3). There
the copies share evenly and noise tells them apart; here the shares are random, which needs none.

It holds where a layer is a sum over the channels that it reads. A softmax over channels, as in
pixelGame's MIM, gives each copy a part of what the channel had, and the answer changes by that.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from istsbench.errors import Stopped
from istsbench.networks.checkpoint import read_images, read_weights
from istsbench.networks.network import Network

_LEAST = 0.5  # of the random numbers in _LEAST..1 that the shares of copies are in proportion to


@dataclass(frozen=True)
class Start:
    """Weights that a training begins with; `told` names them in its plan."""

    tensors: Mapping[str, np.ndarray]
    images: frozenset[str]  # hashes of those that they have learnt from
    told: str

    @classmethod
    def read(cls, weights: Path | str, network: Network) -> Start:
        """From a weight file, or the published one for the data set that `weights` names.

        Raises `MissingWeights` if it is neither and `Stopped` if it is of another network.
        """
        path = replace(network, weights=Path(weights)).weights_file()
        tensors, header = read_weights(path)
        own, there = network.architecture(), dict(header.get("architecture", {}))
        if there.get("network") != own["network"]:
            raise Stopped(
                f"{path} holds weights of {there.get('network')}, not of {own['network']}"
            )
        plan, digest = header.get("plan", {}), hashlib.sha256(path.read_bytes()).hexdigest()
        epochs = plan.get("recipe", {}).get("epochs", "?")
        spec = shlex.split(header.get("command", ""))[2:3]  # with its parameters
        told = (
            f"{(spec or [header.get('method', own['network'])])[0]} of {plan.get('dataset', '?')}/"
            f"{plan.get('split', '?')}, {epochs} epochs (sha256 {digest[:10]})"
        )
        return cls(tensors, read_images(path) or frozenset(), told)

    def fitted(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
        """The tensors in these shapes; raises `Stopped` if one is no multiple of what it was."""
        if missing := sorted(set(shapes) ^ set(self.tensors)):
            raise Stopped(
                f"the start ({self.told}) is of other layers: {missing[0]} is in one network only, "
                f"with {len(missing) - 1} more"
            )
        rng = np.random.default_rng(seed)
        return {
            name: widen(self.tensors[name], shape, rng, f"{name} of the start")
            for name, shape in shapes.items()
        }


def widen(
    tensor: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator, name: str = "it"
) -> np.ndarray:
    """A tensor for more channels: axis 0 are those that it gives, axis 1 those that it reads."""
    ratios = [wide / narrow for wide, narrow in zip(shape, tensor.shape, strict=False)]
    fits = tensor.ndim == len(shape) and all(ratio == int(ratio) >= 1 for ratio in ratios[:2])
    if not fits or any(ratio != 1 for ratio in ratios[2:]):
        raise Stopped(
            f"{name} is {tensor.shape}, needed is {shape}; expected a whole multiple of channels"
        )
    given, read = (*(int(ratio) for ratio in ratios[:2]), 1, 1)[:2]
    found = np.repeat(tensor, given, axis=0) if tensor.ndim else tensor
    if read == 1:
        return found
    shares = rng.uniform(_LEAST, 1, (*found.shape[:2], read))
    shares /= shares.sum(2, keepdims=True)
    spread = shares.reshape(len(found), -1, *[1] * (tensor.ndim - 2))
    return (np.repeat(found, read, axis=1) * spread).astype(tensor.dtype)
