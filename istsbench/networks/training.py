"""The one way to train a network.

`train` runs a recipe on a data set and keeps everything in one folder: the weights that
were best on the validation images (`best.safetensors`), the last ones, a log with a row
an epoch (`log.csv`), a picture of it (`curves.png`) and a checkpoint. The same call goes
on from the checkpoint as if it had never stopped, so a long training can be done in
pieces; on a CPU the result is the same bit for bit (a GPU itself adds in varying order).
No test image is ever looked at.

    istsbench train acm --dataset nuaa --out runs/acm --max-minutes 9
    torchrun --nproc-per-node 4 -m istsbench train acm --dataset nuaa --out runs/acm
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from istsbench.data.samples import Dataset
from istsbench.errors import Diverged, Stopped
from istsbench.files import write_atomic
from istsbench.networks.checkpoint import read_checkpoint, save_checkpoint, save_weights
from istsbench.networks.history import History, draw_history, epoch_scores, line
from istsbench.networks.network import Network
from istsbench.networks.patches import Memory, epoch_batches, images_in_epoch, steps_in_epoch
from istsbench.networks.planning import Plan, check_same, command, prepare
from istsbench.networks.recipe import (
    Recipe,
    best_device,
    best_precision,
    best_threads,
    on_threads,
    place,
)
from istsbench.networks.widening import Start
from istsbench.progress import progress
from istsbench.provenance import environment

if TYPE_CHECKING:
    import torch

    from istsbench.networks.learner import Learner

BEST, LAST, LOG, CURVES = "best.safetensors", "last.safetensors", "log.csv", "curves.png"
FINAL = "final"  # folder of the training on training and validation images
WEIGHTS = (BEST, LAST, f"{FINAL}/{LAST}")
CHOICE = "iou_pooled"  # the validation score of the network's answer that chooses the epoch
CHECKPOINT_SECONDS = 60.0  # seconds between checkpoints

N = TypeVar("N", bound=Network)


def train(
    network: N,
    dataset: Dataset,
    out: Path,
    recipe: Recipe | str | None = None,
    *,
    seed: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    compile: bool = False,
    max_minutes: float | None = None,
    resume: bool = True,
    final: bool = False,
    start: Path | str | None = None,
    show: bool = False,
    **changes: Any,
) -> N:
    """Train and return a copy of `network` that uses the weights found; all files go to `out`.

    `changes` replace fields of the recipe (epochs=40, lr=1e-3); what is not given is the
    recipe "fast", seed 0 and the precision of what `out` already holds, or else bfloat16
    where the device is faster in it. With `max_minutes` the training stops in time after a
    whole epoch (but does one), and the same call goes on. `compile` is for GPUs: on a CPU
    the kernels of `fused` are faster, need no C compiler and are always used.

    The weights are those of the epoch that was best on the images of the split "val", or the
    last ones where there are none. With `final` the finished training in `out` is done once
    more on training and validation images together, by the same plan and over the whole
    schedule; its last weights are kept, and its files go to `out`/final. What then began with
    other weights may begin with others now, such as the final ones of a narrower network.

    `start` is a weight file to begin with, or a data set whose published weights are meant: of the
    same network, to fine-tune it, or of a narrower one, which is widened (see `widening`).

    Raises `Stopped` for what cannot be trained as asked, such as a `final` with another plan.
    """
    out, begun = Path(out), time.monotonic()
    finished = out / LAST if final else None
    if precision is None and not final:
        there = read_checkpoint(out) if resume else None
        precision = there[1]["plan"]["precision"] if there else best_precision(best_device(device))
    begin = None if start is None else Start.read(start, network)
    plan, memory, held_out = prepare(
        network, dataset, recipe, changes, seed, precision, finished, begin.told if begin else None
    )
    folder = out / FINAL if final else out
    run = _Run(network, plan, memory, held_out, folder, device, compile, begin)
    run.start(resume)
    run.go(begun + 60 * (float("inf") if max_minutes is None else max_minutes), show)
    kept = run.out / (BEST if held_out.images else LAST)
    return replace(network, weights=kept) if kept.is_file() else network


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
        begin: Start | None = None,
    ) -> None:
        from istsbench.networks.learner import Ranks

        self.network = replace(network, precision=plan.precision, device=device)
        self.plan, self.memory, self.held_out, self.out = plan, memory, held_out, out
        self.device = best_device(device)
        self.begin = begin
        self.ranks = Ranks.join(self.device)
        self._check_batch()
        self.history = History()
        self.anew = True  # before its first epoch, beside weights of an earlier training
        self.learner = self._learner(compile)
        self.every = max(1, plan.recipe.epochs // plan.recipe.validations)

    def _check_batch(self) -> None:
        images, count = images_in_epoch(self.memory, self.plan.recipe), self.ranks.count
        batch = min(self.plan.recipe.batch, images)
        if batch % count or batch // count < 2:
            raise Stopped(
                f"a batch is {batch} of {images} images, in {count} processes; expected the same "
                "number in each and, for batch normalisation, 2 or more"
            )

    def _learner(self, compile: bool) -> Learner:
        import torch

        from istsbench.networks.fused import fuse

        if self.device.type == "cuda":
            torch.cuda.set_device(self.ranks.rank % torch.cuda.device_count())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.plan.seed)
            try:
                module = self.network.build()
                if self.begin is not None:
                    shapes = {k: tuple(v.shape) for k, v in module.state_dict().items()}
                    given = self.begin.fitted(shapes, self.plan.seed)
                    module.load_state_dict({k: torch.from_numpy(v) for k, v in given.items()})
                module = place(module, self.device)
                learner = self.network.learner(module, self.plan.recipe)
                learner.set_rates(0.0)  # is there such a schedule?
            except ValueError as error:  # a parameter or a loss that the network does not know
                raise Stopped(str(error)) from error
        learner.ranks, learner.precision = self.ranks, self.plan.precision
        if self.device.type == "cpu":
            for trained in learner.modules.values():
                fuse(trained)
        elif compile:
            for part in learner.networks():
                part.compile()
        return learner

    def start(self, resume: bool) -> None:
        """Go back to the checkpoint in the folder, if there is one of the same plan.

        Weights of an earlier training that is given up stay until an epoch is done.
        """
        found = read_checkpoint(self.out) if resume else None
        if found is None:
            left = ", ".join(name for name in WEIGHTS if (self.out / name).is_file())
            if resume and left:
                raise Stopped(
                    f"{self.out} holds {left} but no checkpoint to go on from; use another "
                    "folder, or start anew with --no-resume (resume=False)"
                )
            return
        tensors, state = found
        check_same(state["plan"], self.plan, self.out)
        self.learner.restore(tensors, state["groups"])
        self.history = History(**state["course"])
        self.anew = self.history.epoch == 0

    def go(self, deadline: float, show: bool) -> None:
        """Train until the end, or until the next epoch would end after the deadline.

        One epoch is done in any case, so that every call gets further.
        """
        if self.anew:
            self.save()
        saved, longest = time.monotonic(), 0.0
        todo = range(self.history.epoch, self.plan.recipe.epochs)
        title = f"{self.plan.method} on {self.plan.dataset}"
        telling = progress(title, len(todo), show and self.ranks.rank == 0)
        with on_threads(best_threads()), telling as tell:
            for epoch in todo:
                begun = time.monotonic()
                late = longest > 0 and begun + longest > deadline
                if self.ranks.any(late, self.device):
                    break
                row = self.epoch(epoch)
                spent = time.monotonic() - begun
                longest = max(longest, spent)
                self.history.epoch, self.history.seconds = epoch + 1, self.history.seconds + spent
                self.history.rows.append({**row, "seconds": round(spent, 3)})
                tell(line(row))
                done = self.history.epoch == self.plan.recipe.epochs
                if not done and time.monotonic() - saved > CHECKPOINT_SECONDS:
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
                self.memory, plan.recipe, plan.preprocessing, plan.seed, epoch,
                self.ranks.rank, self.ranks.count,
            )  # fmt: skip
            for step, batch in enumerate(batches):
                position = (epoch + step / steps) / plan.recipe.epochs
                learner.set_rates(position)
                images, masks = self._to_device(batch)
                for name, value in learner.step(images, masks, position).items():
                    sums[name] = sums.get(name, 0) + value
                learner.remember()
        self.ranks.average(b for part in learner.modules.values() for b in part.buffers())
        means = {name: float(total) / steps for name, total in sums.items()}
        complaints = "; ".join(learner.complaints(means, position))
        finite = bool(np.isfinite(list(means.values())).all())
        if self.ranks.any(not finite, self.device):  # all end, none waits for one that has ended
            found = complaints if not finite else "numbers are not finite in another process"
            raise Diverged(
                f"the training diverged in epoch {epoch + 1}: {found}; what {self.out} holds is "
                f"of {self.history.epoch} epochs or fewer; a lower rate (--lr) may help"
            )
        row = {"epoch": epoch + 1, **means, "complaints": complaints}
        last = epoch + 1 == plan.recipe.epochs
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
        from istsbench.networks.fused import fold

        module = fold(self.learner.answering)
        images = (image.astype(np.float64) for image in self.held_out.images)
        outputs = self.network.infer(module, self.plan.preprocessing, images)
        first = next(outputs)
        answer = next(iter(first))
        found = epoch_scores(chain([first], outputs), (mask > 0 for mask in self.held_out.masks))
        row = {f"val_{name}": value for name, value in found.items()}
        score = row[f"val_{answer}_{CHOICE}"]
        if score > self.history.best.get("score", -1.0):
            self.history.best = {"epoch": epoch, "score": score}
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
            "course": asdict(self.history),
        }
        save_checkpoint(self.out, tensors, state)
        if not self.history.epoch:
            return
        if self.anew:
            for name in WEIGHTS:  # BEST may be of this training by now
                if name != BEST or not self.history.best:
                    (self.out / name).unlink(missing_ok=True)
            self.anew = False
        frame = pd.DataFrame(self.history.rows)
        write_atomic(self.out / LOG, frame.to_csv(index=False).encode())
        write_atomic(self.out / CURVES, draw_history(frame))
        if self.history.epoch == self.plan.recipe.epochs:
            row = self.history.rows[-1]
            self._keep(LAST, row["epoch"], {k: v for k, v in row.items() if k.startswith("val_")})

    def _keep(self, name: str, epoch: int, found: dict[str, float]) -> None:
        if self.ranks.rank:
            return
        header = {
            "method": self.plan.method,
            "architecture": dict(self.plan.architecture),
            "preparation": asdict(self.plan.preprocessing),
            "plan": {**self.plan.record(), "epoch": epoch},
            "command": command(self.network, self.plan.record()),
            "images": sorted(
                {*self.memory.pictures, *self.held_out.pictures}
                | (self.begin.images if self.begin else set())
            ),
            "scores": found,
            "versions": environment(str(self.device), best_threads()),
        }
        states = self.learner.answering.state_dict()
        tensors = {key: value.detach().cpu().contiguous().numpy() for key, value in states.items()}
        save_weights(self.out / name, tensors, header)
