"""What moves the weights of a network: one training step, and the state that it keeps.

`SupervisedLearner` minimises one loss of one network. A game of several players is a learner too:
its step moves each player by its own utility. The loop around the step is `training`.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from istsbench.networks.recipe import Recipe, autocast

Loss = Callable[[Tensor, Tensor], Tensor]


def _follow(decay: float, mean: Tensor, value: Tensor, steps: Tensor) -> Tensor:
    """A running mean of a weight after one more step; at first over the last tenth or so.

    With the decay alone the random weights of the start would long be seen. Counts of a batch
    norm are not averaged: as whole numbers they would not move at all.
    """
    if not mean.is_floating_point():
        return value
    return mean.lerp(value, 1 - min(decay, float((1 + steps) / (10 + steps))))


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, started by `torchrun`; one alone without it."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Ranks:
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())

    @staticmethod
    def leave() -> None:
        """End the group that `join` began."""
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    @staticmethod
    def first() -> bool:
        """Whether this process is the first one, also before and after the group is there."""
        return os.environ.get("RANK", "0") == "0"

    @staticmethod
    def done() -> None:
        """End this process with success at once, if it is one of several.

        Now and then torch aborts such a process in its own clean-up, after all work is done.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the ranks, in one exchange."""
        if self.count == 1:
            return
        listed = [tensor for tensor in tensors if tensor.is_floating_point()]
        if not listed:  # a network without a batch norm has no buffers
            return
        flat = torch.cat([tensor.flatten().float() for tensor in listed])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        means = torch.split(flat, [tensor.numel() for tensor in listed])
        with torch.no_grad():
            for tensor, mean in zip(listed, means, strict=True):
                tensor.copy_(mean.view_as(tensor))

    def any(self, flag: bool, device: torch.device) -> bool:
        """True on all ranks if it is true on one."""
        if self.count == 1:
            return flag
        vote = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(vote)
        return bool(vote > 0)


class Learner(ABC):
    """Trains a module by a recipe; `optimizers` hold all that has to survive a break."""

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self.module = module
        self.recipe = recipe
        self.ranks = Ranks()
        self.precision = "fp32"
        self.modules: dict[str, nn.Module] = {"network": module}  # what a checkpoint holds
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.mean: AveragedModel | None = None
        if recipe.average:
            following = partial(_follow, recipe.average)
            self.mean = AveragedModel(module, avg_fn=following, use_buffers=True)
            self.modules["mean"] = self.mean

    @property
    def answering(self) -> nn.Module:
        """The module that is scored and kept: of running means, if the recipe asks for them."""
        return self.module if self.mean is None else self.mean.module

    def remember(self) -> None:
        """Move the running means, if there are any, towards the weights after a step."""
        if self.mean is not None:
            self.mean.update_parameters(self.module)

    @abstractmethod
    def step(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, Tensor]:
        """Move the weights by one batch (N, 1, h, w); return what the log should show.

        `progress` is the share of the training that is over, 0..1.
        """

    def complaints(self, means: dict[str, float], progress: float) -> list[str]:
        """What is wrong after an epoch, judged by the means of what `step` returned."""
        return [f"{name} is {value}" for name, value in means.items() if not np.isfinite(value)]

    def diagnose(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, float]:
        """What the log should show besides, now and then; changes nothing."""
        return {}

    def networks(self) -> list[nn.Module]:
        """The modules that are called as a whole, for `torch.compile`."""
        return [self.module]

    def rate(self, name: str, progress: float) -> float:
        """The learning rate of an optimizer, as a share of the rate at the start."""
        if self.recipe.schedule == "constant":
            return 1.0
        if self.recipe.schedule == "cosine":
            return 0.5 * (1 + float(np.cos(np.pi * progress)))
        if self.recipe.schedule == "steps":
            return 0.2 ** min(int(3 * progress), 2)
        raise ValueError(
            f"schedule is {self.recipe.schedule!r}, expected 'constant', 'cosine' or 'steps'"
        )

    def set_rates(self, progress: float) -> None:
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = group["start"] * self.rate(name, progress)

    def optimizer(
        self, parameters: Iterable[nn.Parameter], lr: float | None = None, **options: Any
    ) -> torch.optim.Optimizer:
        """The optimizer that the recipe names."""
        kinds: dict[str, type[torch.optim.Optimizer]] = {
            "adam": torch.optim.Adam,
            "adagrad": torch.optim.Adagrad,
        }
        if self.recipe.optimizer not in kinds:
            raise ValueError(
                f"optimizer is {self.recipe.optimizer!r}, expected 'adam' or 'adagrad'"
            )
        made = kinds[self.recipe.optimizer](
            list(parameters),
            lr=self.recipe.lr if lr is None else lr,  # type: ignore[call-arg]
            weight_decay=self.recipe.weight_decay,
            **options,
        )
        for group in made.param_groups:
            group["start"] = group["lr"]
        return made

    def cast(self, images: Tensor) -> torch.autocast:
        """Mixed precision, for a `with` block around a forward pass."""
        return autocast(images.device, self.precision)

    def descend(self, name: str, loss: Tensor) -> None:
        """One step of an optimizer down the gradient of `loss`, averaged over the ranks."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.ranks.average(p.grad for p in parameters if p.grad is not None)
        optimizer.step()

    # ------------------------------------------------------------------ state

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Every tensor by name, and the rest as JSON."""
        tensors = {
            f"module/{name}/{key}": _array(value)
            for name, module in self.modules.items()
            for key, value in module.state_dict().items()
        }
        groups = {}
        for name, optimizer in self.optimizers.items():
            state = optimizer.state_dict()
            groups[name] = state["param_groups"]
            for index, values in state["state"].items():
                for key, value in values.items():
                    tensors[f"optimizer/{name}/{index}/{key}"] = _array(value)
        return tensors, groups

    def restore(self, tensors: dict[str, np.ndarray], groups: dict[str, Any]) -> None:
        """Go back to a state; the inverse of `state`, bit for bit."""
        for name, module in self.modules.items():
            prefix = f"module/{name}/"
            own = {
                key.removeprefix(prefix): torch.from_numpy(value)
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
            module.load_state_dict(own)
        for name, optimizer in self.optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer/{name}/"):
                    *_, index, part = key.split("/")
                    state.setdefault(int(index), {})[part] = torch.from_numpy(value)
            optimizer.load_state_dict({"state": state, "param_groups": groups[name]})


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().numpy()


class SupervisedLearner(Learner):
    """One network, one loss of its logits."""

    def __init__(self, module: nn.Module, recipe: Recipe, loss: Loss) -> None:
        super().__init__(module, recipe)
        self.loss = loss
        self.optimizers = {"network": self.optimizer(module.parameters())}

    def step(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, Tensor]:
        with self.cast(images):
            logits = self.module(images)
        loss = self.loss(logits.float(), masks)
        self.descend("network", loss)
        return {"loss": loss.detach()}
