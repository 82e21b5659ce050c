"""The one way to train a network.

`train` runs a recipe on a data set and keeps everything in one folder: the weights that
were best on the validation images (`best.safetensors`), the last ones, a log with a row
an epoch (`log.csv`), a picture of it (`curves.png`) and a checkpoint. The same call goes
on from the checkpoint as if it had never stopped, so a long training can be done in
pieces; on a CPU the result is the same bit for bit (a GPU itself adds in varying order).
No test image is ever looked at.

    python -m istsbench.training acm --dataset nuaa --out runs/acm --max-minutes 9
    torchrun --nproc-per-node 4 -m istsbench.training acm --dataset nuaa --out runs/acm
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from istsbench.data import Dataset, open_dataset
from istsbench.learning.checkpoint import (
    read_checkpoint,
    read_weights,
    save_checkpoint,
    save_weights,
)
from istsbench.learning.course import Course, draw, line, scores
from istsbench.learning.crops import Memory, epoch_batches, steps_in_epoch
from istsbench.network import Network, Preparation, Recipe, best_device, place
from istsbench.progress import progress
from istsbench.provenance import environment
from istsbench.registry import WrongUse
from istsbench.runs.maps import write_atomic
from istsbench.selection import choose

if TYPE_CHECKING:
    import torch

    from istsbench.learner import Learner

BEST, LAST, LOG, CURVES = "best.safetensors", "last.safetensors", "log.csv", "curves.png"
CHOICE = "iou_pooled"  # the validation score that chooses the epoch
PAUSE = 60.0  # seconds between checkpoints
VALIDATIONS = 40  # in a whole training
GRAIN = 32  # patches are a multiple of this, pixels


N = TypeVar("N", bound=Network)


class Stopped(WrongUse):
    """A training cannot start or go on as asked; the message says why."""


@dataclass(frozen=True)
class Plan:
    """All that decides what a training comes to; a checkpoint is bound to it."""

    method: str
    architecture: Mapping[str, Any]
    recipe: Recipe
    dataset: str
    split: str
    fingerprint: str
    preparation: Preparation
    seed: int
    precision: str
    stop: int  # epochs to do; fewer than the recipe's where an earlier epoch was chosen

    def record(self) -> dict[str, Any]:
        """As JSON gives it back."""
        return dict(json.loads(json.dumps(asdict(self))))


def fit_recipe(recipe: Recipe, memory: Memory) -> Recipe:
    """The recipe with patches no larger than nearly all of the images (NUST: 128)."""
    sides = [max(image.shape) for image in memory.images]
    usual = int(np.ceil(np.quantile(sides, 0.95) / GRAIN)) * GRAIN
    return replace(recipe, patch=min(recipe.patch, usual))


def train(
    network: N,
    dataset: Dataset,
    out: Path,
    recipe: Recipe | str = "fast",
    *,
    seed: int = 0,
    device: str = "auto",
    precision: str = "fp32",
    compile: bool = False,
    max_minutes: float | None = None,
    resume: bool = True,
    final: bool = False,
    show: bool = False,
    **changes: Any,
) -> N:
    """Train and return a copy of `network` that uses the weights found; all files go to `out`.

    `changes` replace fields of the recipe (epochs=40, lr=1e-3). With `max_minutes` the
    training stops in time after a whole epoch (but does one), and the same call goes on.
    With `final` the network is trained anew on training and validation images together, by
    the plan and up to the epoch that an earlier training in `out` chose; files go to
    `out`/final.
    """
    out, begun = Path(out), time.monotonic()
    plan, memory, held_out = _prepare(
        network, dataset, out, recipe, changes, seed, precision, final
    )
    run = _Run(network, plan, memory, held_out, out / "final" if final else out, device, compile)
    run.start(resume)
    run.go(begun + 60 * (float("inf") if max_minutes is None else max_minutes), show)
    kept = run.out / (LAST if final or not held_out.images else BEST)
    return replace(network, weights=kept) if kept.is_file() else network


def _prepare(
    network: Network,
    dataset: Dataset,
    out: Path,
    recipe: Recipe | str,
    changes: dict[str, Any],
    seed: int,
    precision: str,
    final: bool,
) -> tuple[Plan, Memory, Memory]:
    if isinstance(recipe, str):
        if recipe not in network.recipes:
            known = ", ".join(network.recipes)
            raise Stopped(f"no recipe {recipe!r} for {network.card.label}; it has: {known}")
        recipe = network.recipes[recipe]
    recipe = replace(recipe, **{key: value for key, value in changes.items() if value is not None})
    if final:
        recipe, seed, precision, stop = _chosen(out / BEST)
        split, held_out = "trainval", Memory((), (), "")
    else:
        split, stop = "train", recipe.epochs
        held_out = Memory.of(dataset, dataset.tuning_names())
    memory = Memory.of(dataset, dataset.names(split), recipe.side)
    if network.preparation is None:
        preparation = Preparation(*memory.levels(), recipe.side)
    else:
        preparation = replace(network.preparation, side=recipe.side)
    plan = Plan(
        network.registered_name(), network.architecture(), fit_recipe(recipe, memory),
        dataset.name, split, memory.fingerprint, preparation, seed, precision, stop,
    )  # fmt: skip
    return plan, memory, held_out


def _chosen(path: Path) -> tuple[Recipe, int, str, int]:
    if not path.is_file():
        raise Stopped(f"{path} is not there: a final training needs one that chose an epoch first")
    plan = read_weights(path)[1]["plan"]
    return Recipe(**plan["recipe"]), plan["seed"], plan["precision"], plan["epoch"]


class _Run:
    """One training on its way."""

    def __init__(
        self,
        network: Network,
        plan: Plan,
        memory: Memory,
        held_out: Memory,
        out: Path,
        device: str,
        compile: bool,
    ) -> None:
        from istsbench.learner import Ranks

        self.network = replace(network, precision=plan.precision, device=device)
        self.plan, self.memory, self.held_out, self.out = plan, memory, held_out, out
        self.device = best_device(device)
        self.ranks = Ranks.join(self.device)
        self.course = Course()
        self.learner = self._learner(compile)
        self.every = max(1, plan.recipe.epochs // VALIDATIONS)

    def _learner(self, compile: bool) -> Learner:
        import torch

        if self.device.type == "cuda":
            torch.cuda.set_device(self.ranks.rank % torch.cuda.device_count())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.plan.seed)
            module = self.network.build()
            learner = self.network.learner(place(module, self.device), self.plan.recipe)
        learner.ranks, learner.precision = self.ranks, self.plan.precision
        for part in learner.networks() if compile else []:
            part.compile()
        return learner

    def start(self, resume: bool) -> None:
        """Go back to the checkpoint in the folder, if there is one of the same plan."""
        found = read_checkpoint(self.out) if resume else None
        if found is None:
            for name in (BEST, LAST):  # of a training that is given up
                (self.out / name).unlink(missing_ok=True)
            return
        tensors, state = found
        own = self.plan.record()
        if state["plan"] != own:
            differ = {
                key: (state["plan"].get(key), own[key])
                for key in own
                if state["plan"].get(key) != own[key]
            }
            raise Stopped(
                f"{self.out} holds another training: (there, asked for) are {differ}; "
                "use another folder, or start anew with resume=False"
            )
        self.learner.restore(tensors, state["groups"])
        self.course = Course(**state["course"])

    def go(self, deadline: float, show: bool) -> None:
        """Train until the end, or until the next epoch would end after the deadline.

        One epoch is done in any case, so that every call gets further.
        """
        saved, longest = time.monotonic(), 0.0
        todo = range(self.course.epoch, self.plan.stop)
        title = f"{self.plan.method} on {self.plan.dataset}"
        with progress(title, len(todo), show and self.ranks.rank == 0) as tell:
            for epoch in todo:
                begun = time.monotonic()
                late = longest > 0 and begun + longest > deadline
                if self.ranks.any(late, self.device):
                    break
                row = self.epoch(epoch)
                spent = time.monotonic() - begun
                longest = max(longest, spent)
                self.course.epoch, self.course.seconds = epoch + 1, self.course.seconds + spent
                self.course.rows.append({**row, "seconds": round(spent, 3)})
                tell(line(row))
                done = self.course.epoch == self.plan.stop
                if not done and time.monotonic() - saved > PAUSE:
                    self.save()
                    saved = time.monotonic()
        self.save()

    # ------------------------------------------------------------------ an epoch

    def epoch(self, epoch: int) -> dict[str, Any]:
        import torch

        plan, learner = self.plan, self.learner
        steps = steps_in_epoch(self.memory, plan.recipe)
        sums: dict[str, torch.Tensor] = {}
        learner.module.train()
        # Dropout draws from the seed and the epoch alone, so no generator has to be stored.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            own = np.random.SeedSequence([plan.seed, epoch, self.ranks.rank])
            torch.manual_seed(int(own.generate_state(1)[0]))
            batches = epoch_batches(
                self.memory, plan.recipe, plan.preparation, plan.seed, epoch,
                self.ranks.rank, self.ranks.count,
            )  # fmt: skip
            for step, batch in enumerate(batches):
                position = (epoch + step / steps) / plan.recipe.epochs
                learner.set_rates(position)
                images, masks = self._to_device(batch)
                for name, value in learner.step(images, masks, position).items():
                    sums[name] = sums.get(name, 0) + value
        self.ranks.average(b for part in learner.modules.values() for b in part.buffers())
        means = {name: float(total) / steps for name, total in sums.items()}
        complaints = "; ".join(learner.complaints(means, position))
        if not np.isfinite(list(means.values())).all():
            raise Stopped(f"epoch {epoch + 1}: {complaints}")
        row = {"epoch": epoch + 1, **means, "complaints": complaints}
        last = epoch + 1 == plan.stop
        if self.held_out.images and (last or (epoch + 1) % self.every == 0):
            with torch.compiler.set_stance("force_eager"):  # every image has another size
                row |= learner.diagnose(images, masks, position)
                row |= self.validate(epoch + 1)
        return row

    def _to_device(self, batch: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        pair = torch.from_numpy(np.ascontiguousarray(batch))
        if self.device.type == "cuda":
            pair = pair.pin_memory().to(self.device, non_blocking=True)
        return pair[:, :1], pair[:, 1:]

    def validate(self, epoch: int) -> dict[str, float]:
        """Scores on the validation images at their native size; keeps the best weights."""
        module = self.learner.module.eval()
        images = (image.astype(np.float64) for image in self.held_out.images)
        outputs = self.network.infer(module, self.plan.preparation, images)
        found = scores(outputs, (mask > 0 for mask in self.held_out.masks))
        row = {f"val_{name}": value for name, value in found.items()}
        score = next(value for name, value in row.items() if name.endswith(CHOICE))
        if score > self.course.best.get("score", -1.0):
            self.course.best = {"epoch": epoch, "score": score}
            self._keep(BEST, epoch, row)
        return row

    # ------------------------------------------------------------------ files

    def save(self) -> None:
        """The checkpoint, the log, its picture and, at the end, the last weights."""
        if self.ranks.rank:
            return
        tensors, groups = self.learner.state()
        state = {
            "plan": self.plan.record(),
            "groups": groups,
            "course": asdict(self.course),
        }
        save_checkpoint(self.out, tensors, state)
        frame = pd.DataFrame(self.course.rows)
        write_atomic(self.out / LOG, frame.to_csv(index=False).encode())
        if len(frame):
            write_atomic(self.out / CURVES, draw(frame))
        if self.course.epoch == self.plan.stop:
            row = self.course.rows[-1]
            self._keep(LAST, row["epoch"], {k: v for k, v in row.items() if k.startswith("val_")})

    def _keep(self, name: str, epoch: int, found: dict[str, float]) -> None:
        if self.ranks.rank:
            return
        header = {
            "method": self.plan.method,
            "architecture": dict(self.plan.architecture),
            "preparation": asdict(self.plan.preparation),
            "plan": {**self.plan.record(), "epoch": epoch},
            "scores": found,
            "versions": environment(),
        }
        states = self.learner.module.state_dict()
        tensors = {key: value.detach().cpu().contiguous().numpy() for key, value in states.items()}
        save_weights(self.out / name, tensors, header)


def train_command(
    method: str,
    dataset: str = "nuaa",
    out: Path = Path("runs"),
    recipe: str = "fast",
    epochs: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    patch: int | None = None,
    loss: str | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "fp32",
    max_minutes: float | None = None,
    resume: bool = True,
    final: bool = False,
    compile: bool = False,
    data_root: Path | None = None,
) -> None:
    """Train METHOD on a data set; the same command goes on with what OUT holds.

    METHOD may carry parameters, as in "acm(blocks=4)". Run it again with --final to train
    on training and validation images up to the chosen epoch.
    """
    from istsbench.learner import Ranks

    chosen = choose(method)
    network = chosen[0].create()
    if len(chosen) > 1 or not isinstance(network, Network):
        raise Stopped(f"{method!r} is not one network: there is nothing to train")
    trained = train(
        network, open_dataset(dataset, data_root), out, recipe, seed=seed, device=device,
        precision=precision, compile=compile, max_minutes=max_minutes, resume=resume,
        final=final, show=True, epochs=epochs, batch=batch, lr=lr, patch=patch, loss=loss,
    )  # fmt: skip
    Ranks.leave()
    folder = out / "final" if final else out
    state = "done" if (folder / LAST).is_file() else "time is over, the same command goes on"
    print(f"{state}: {trained.weights or 'no weights yet'}", file=sys.stderr)


if __name__ == "__main__":
    import typer

    typer.run(train_command)
