"""The base of every network: preprocessing, batches, padding, weights, device.

A network is a method whose map is a probability. A subclass says how its module is built
and how it was trained; everything between an image and its map is here. torch is imported
only when a network is built, so that a listing stays quick.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from istsbench.arrays import picture
from istsbench.errors import MissingWeights, WeightsError
from istsbench.networks.checkpoint import read_images, read_plan, read_weights, save_weights
from istsbench.networks.recipe import (
    Preprocessing,
    Recipe,
    autocast,
    best_device,
    completed,
    on_threads,
    place,
)
from istsbench.segmenter import Image, Map, Trainable, parameter
from istsbench.threshold import Fixed

if TYPE_CHECKING:
    import torch

    from istsbench.data.samples import Dataset
    from istsbench.networks.learner import Learner

BATCHES_AHEAD = 8  # batches of images that are read ahead to find equal sizes


@dataclass(frozen=True)
class Network(Trainable):
    """A method that is a trained network.

    A subclass writes `build`, and `recipes` with at least `paper` and `fast`; its own
    fields are its architecture and are stored with its weights.
    """

    batched: ClassVar[bool] = True
    threshold = Fixed(0.5)
    recipes: ClassVar[Mapping[str, Recipe]] = {}
    multiple: ClassVar[int] = 1  # sides are padded to a multiple of this, pixels
    smallest: ClassVar[int] = 1  # and to at least this
    preprocessing: ClassVar[Preprocessing | None] = None  # None: mean and std of the training set

    device: str = parameter("auto", '"auto": the GPU if there is one', compare=False)
    batch: int = parameter(8, "images of equal size at a time, GPU only", compare=False)
    precision: str = parameter(
        "fp32", 'or "bf16": faster where the hardware has it, maps differ by 0.01'
    )

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """The network with fresh weights; (N, 1, h, w) in, the same size out."""

    def outputs(self, module: torch.nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Probability maps (N, 1, h, w) by name; the first is the network's answer."""
        return {"map": module(inputs).float().sigmoid()}

    @abstractmethod
    def learner(self, module: torch.nn.Module, recipe: Recipe) -> Learner:
        """What trains `module`: a `SupervisedLearner` with a loss, or one of its own."""

    def counted_apart(self) -> dict[str, torch.nn.Module]:
        """Parts with rows of their own in a table of costs, by label."""
        return {}

    def computes_on(self) -> str:
        return str(best_device()) if self.device == "auto" else self.device

    # ------------------------------------------------------------------ images to maps

    def images_at_once(self) -> int:
        # On a CPU a batch gains nothing, and a map may take seconds that a kill would lose.
        on_cpu = best_device(self.device).type == "cpu"
        return 1 if on_cpu else self.batch * BATCHES_AHEAD

    def score(self, image: Image) -> Map:
        return next(self.score_many([image]))

    def score_many(self, images: Iterable[Image]) -> Iterator[Map]:
        for outputs in self.score_outputs(images):
            yield next(iter(outputs.values()))

    def score_outputs(self, images: Iterable[Image]) -> Iterator[dict[str, Map]]:
        """As `score_many`, with every output by its name (the players of a game).

        On a CPU one thread computes, as for every method: maps and times do not depend on
        the cores of the machine.
        """
        module, preprocessing = self._ready()
        answers = self.infer(module, preprocessing, map(picture, images))
        while True:
            with on_threads(1):
                maps = next(answers, None)
            if maps is None:
                return
            yield maps

    def infer(
        self, module: torch.nn.Module, preprocessing: Preprocessing, images: Iterable[Image]
    ) -> Iterator[dict[str, Map]]:
        """The maps of `module`, which is in evaluation mode, for images in their order.

        On a CPU images go one by one: a batch gains nothing there, and without it a map is
        bit for bit the same in any company. On a GPU it differs by rounding only.
        """
        size = self.batch if next(module.parameters()).is_cuda else 1
        waiting = iter(images)
        while window := list(islice(waiting, size * (BATCHES_AHEAD if size > 1 else 1))):
            found: dict[int, dict[str, Map]] = {}
            for indexes in _equal_shapes(window, size):
                maps = self._infer_equal(module, preprocessing, [window[i] for i in indexes])
                found.update(zip(indexes, maps, strict=True))
            yield from (found[index] for index in range(len(window)))

    def _infer_equal(
        self, module: torch.nn.Module, preprocessing: Preprocessing, images: Sequence[Image]
    ) -> list[dict[str, Map]]:
        import torch

        shape = images[0].shape
        prepared = np.stack([preprocessing(image) for image in images])[:, None]
        height, width = prepared.shape[2:]
        device = next(module.parameters()).device
        inputs = torch.from_numpy(prepared).to(device)
        with torch.inference_mode(), autocast(device, self.precision):
            margin = (0, self._missing(width), 0, self._missing(height))
            inputs = torch.nn.functional.pad(inputs, margin, "replicate")
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            outputs = {
                name: output[:, 0, :height, :width].float().cpu().numpy()
                for name, output in self.outputs(module, inputs).items()
            }
        return [
            {name: preprocessing.back(output[i], shape) for name, output in outputs.items()}
            for i in range(len(images))
        ]

    def _missing(self, side: int) -> int:
        return max(-side % self.multiple, self.smallest - side)

    # ------------------------------------------------------------------ weights

    def architecture(self) -> dict[str, object]:
        """What weights must have been made for: the class and its own fields."""
        kind = next(k for k in reversed(type(self).__mro__) if _is_own(k))
        common = {item.name for item in fields(Network)}
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in common}
        return {"network": kind.__name__, **own}

    def load(self, path: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
        """The module with the weights of a file, in evaluation mode on the CPU; the header."""
        import torch

        tensors, header = read_weights(path)
        found, expected = header.get("architecture"), self.architecture()
        if found != expected:
            raise WeightsError(f"{path}: weights of {found}, expected weights of {expected}")
        with torch.device("meta"):  # no random start that the file would overwrite
            module = self.build()
        states = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        try:
            module.load_state_dict(states, assign=True)
        except RuntimeError as error:
            raise WeightsError(f"{path}: tensors do not fit {expected}: {error}") from error
        return module.eval().requires_grad_(False), header

    def training_plan(self) -> dict[str, Any] | None:
        plan = None if self.weights is None else read_plan(self.weights)
        if plan is not None and isinstance(plan.get("recipe"), dict):
            plan["recipe"] = completed(plan["recipe"])
        return plan

    def learnt_from(self) -> frozenset[str] | None:
        return None if self.weights is None else read_images(self.weights)

    def weights_file(self) -> Path:
        """The file of the weights; raises `MissingWeights` if there is none."""
        found = None if self.weights is None else self.pretrained("").weights
        if found is None or not found.is_file():
            raise MissingWeights(self._what_is_missing())
        return found.resolve()

    def _ready(self) -> tuple[torch.nn.Module, Preprocessing]:
        path = self.weights_file()
        state = path.stat()
        plain = replace(self, weights=path)
        return _loaded(plain, str(best_device(self.device)), state.st_mtime_ns, state.st_size)

    def _what_is_missing(self) -> str:
        name = self.registered_name()
        if self.weights is not None:
            looked = str(self.weights)
        else:
            files = (folder / "DATASET" / f"{name}.safetensors" for folder in self.weight_folders())
            looked = ", ".join(dict.fromkeys(str(path.absolute()) for path in files))
        return (
            f"{type(self).card.label} has no weights; looked for {looked}. Train them with "
            f"`istsbench train {name} --dataset nuaa --out DIR`, then give the file that it "
            "writes as the parameter `weights`"
        )

    def untrained(self, folder: Path, seed: int = 0) -> Self:
        """A copy with random weights, written below `folder`.

        For what needs no skill: conformance, timing, the command line in a test.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self.build()
            for part in module.modules():
                if isinstance(part, torch.nn.BatchNorm2d):
                    part.momentum = None  # the mean over what is seen: one batch of noise
            with torch.no_grad():
                module.train()(torch.randn(4, 1, 96, 96))
        path = Path(folder) / f"{self.registered_name()}-untrained-{seed}.safetensors"
        states = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
        preprocessing = self.preprocessing or Preprocessing()
        header = {"architecture": self.architecture(), "preparation": vars(preprocessing)}
        save_weights(path, states, header)
        return replace(self, weights=path)

    def fit(self, dataset: Dataset, out: Path, **options: Any) -> Self:
        from istsbench.networks.training import train

        return train(self, dataset, out, **options)


def _is_own(kind: type) -> bool:
    return issubclass(kind, Network) and kind is not Network


def _equal_shapes(images: Sequence[Image], size: int) -> Iterator[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image.shape, []).append(index)
    for indexes in groups.values():
        for start in range(0, len(indexes), size):
            yield indexes[start : start + size]


@lru_cache(maxsize=4)
def _loaded(
    network: Network, device: str, changed: int, size: int
) -> tuple[torch.nn.Module, Preprocessing]:
    """The module on its device; `changed` and `size` of the file tell an old one apart."""
    import torch

    from istsbench.networks.fused import fold

    assert network.weights is not None
    module, header = network.load(network.weights)
    return place(fold(module), torch.device(device)), Preprocessing(**header["preparation"])
