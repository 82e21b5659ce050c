"""What a network costs: weights, operations, time and memory (Table VIII).

Three counts of operations for one image are kept apart, since papers mix them:

- `macs`: multiply-adds of convolutions and matrix products, by torch's flop counter.
- `flops`: two for each of these.
- `operations`: the count that papers print as "FLOPs" or "GMac", by the rules of the tool
  ptflops up to 0.6.9: multiply-adds and biases of convolutions (a transposed one by its
  output, four times too many at stride 2), two for an element of a batch norm, one for an
  element of an activation or of a pooling's input; functions outside modules are free.

Times are of the network alone, on data that is already on the device, after a warm-up.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from istsbench.network import Network, autocast, best_device, place
from istsbench.registry import create

SIZE = 480  # pixels a side, as in the paper's table
BATCHES = (1, 2, 4, 8, 16, 32)
NETWORKS = ("acm", "alcnet", "mdvsfa", "pixelgame-womim", "pixelgame")


@dataclass(frozen=True)
class Cost:
    """Counts for one image of one channel."""

    parameters: int  # trainable
    macs: int
    flops: int
    operations: int


@dataclass(frozen=True)
class Speed:
    """Times of a network on one device."""

    device: str
    precision: str
    fps_single: float  # images a second, one at a time
    latency_ms: float  # median of one image
    latency_p95_ms: float
    fps_batch: float  # images a second at the best batch
    best_batch: int
    memory_mib: float  # peak on the device at the best batch; nan on a CPU


def cost(module: nn.Module, size: int = SIZE) -> Cost:
    """The counts of a module for an input (1, 1, size, size); nothing is computed."""
    module = module.to("meta").eval()
    total = 0

    def count(part: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        total += _operations(part, inputs[0], output)

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(torch.empty(1, 1, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    flops = counter.get_total_flops()
    parameters = sum(p.numel() for p in module.parameters())
    return Cost(parameters, flops // 2, flops, total)


def _operations(part: nn.Module, inputs: torch.Tensor, output: torch.Tensor) -> int:
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        kernel = part.kernel_size[0] * part.kernel_size[1]
        each = kernel * part.in_channels * part.out_channels // part.groups
        bias = 0 if part.bias is None else part.out_channels
        return (each + bias) * output[0, 0].numel()
    if isinstance(part, nn.BatchNorm2d):
        return (2 if part.affine else 1) * inputs.numel()
    if isinstance(part, nn.ReLU | nn.LeakyReLU):
        return output.numel()
    if isinstance(part, nn.MaxPool2d | nn.AdaptiveAvgPool2d):
        return inputs.numel()
    return 0


# ---------------------------------------------------------------------- time


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _times(call: Callable[[], object], device: torch.device, seconds: float) -> np.ndarray:
    """Seconds of each call, for at least five calls and about `seconds`, after a warm-up."""
    for _ in range(3):
        call()
    taken: list[float] = []
    start = _clock(device)
    while len(taken) < 5 or _clock(device) - start < seconds:
        begun = _clock(device)
        call()
        taken.append(_clock(device) - begun)
    return np.array(taken)


def speed(
    network: Network,
    size: int = SIZE,
    batches: Sequence[int] = BATCHES,
    seconds: float = 3.0,
    compile: bool = False,
) -> Speed:
    """Time a network with fresh weights on its device and in its precision."""
    device = best_device(network.device)
    with torch.random.fork_rng(devices=[]):
        module = place(network.build(), device).eval()
    if compile:
        module.compile()
    rates: dict[int, float] = {}
    single, memory = np.array([np.nan]), {}
    for batch in batches:
        inputs = torch.zeros(batch, 1, size, size, device=device)
        inputs = inputs.contiguous(memory_format=torch.channels_last)

        def call(inputs: torch.Tensor = inputs) -> object:
            return network.outputs(module, inputs)

        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        try:
            with torch.inference_mode(), autocast(device, network.precision):
                taken = _times(call, device, seconds)
        except torch.OutOfMemoryError:
            break
        rates[batch] = batch / float(np.median(taken))
        memory[batch] = (
            torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else np.nan
        )
        single = taken if batch == batches[0] else single
    best = max(rates, key=rates.__getitem__)
    return Speed(
        device=device_name(device),
        precision=network.precision + (", compiled" if compile else ""),
        fps_single=rates[batches[0]],
        latency_ms=1e3 * float(np.median(single)) / batches[0],
        latency_p95_ms=1e3 * float(np.quantile(single, 0.95)) / batches[0],
        fps_batch=rates[best],
        best_batch=best,
        memory_mib=memory[best],
    )


def device_name(device: torch.device) -> str:
    """What the times were taken on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def matrix_rate(device: torch.device, precision: str = "bf16", side: int = 8192) -> float:
    """Floating-point operations a second of one large matrix product: what a device can do."""
    side = side if device.type == "cuda" else 1024
    matrix = torch.ones(side, side, device=device)
    with torch.inference_mode(), autocast(device, precision):
        taken = _times(lambda: matrix @ matrix, device, 1.0)
    return 2 * side**3 / float(np.median(taken))


# ---------------------------------------------------------------------- Table VIII


def table(
    methods: Iterable[str] = NETWORKS,
    size: int = SIZE,
    device: str = "auto",
    precision: str = "fp32",
    compile: bool = False,
    time_them: bool = True,
    batches: Sequence[int] = BATCHES,
    seconds: float = 3.0,
) -> pd.DataFrame:
    """Table VIII: a row a network, with the paper's figures beside ours.

    Counts are in millions (`params_M`) and billions (`gmac`, `gflop`, `gop`), for one
    image of `size` pixels a side. The paper's cost of pixelGame is that of the FNs-player
    alone without MIM, which therefore has a row of its own.
    """
    printed = _printed()
    rows = []
    for name in methods:
        network = create(name, device=device, precision=precision)
        if not isinstance(network, Network):
            raise TypeError(f"{name} is no network: it has no weights to count")
        label = network.card.label
        row = {"method": label, **_counts(network.build(), size), **printed.get(label, {})}
        if time_them:
            row |= asdict(speed(network, size, batches, seconds, compile))
        rows.append(row)
        for part, module in network.counted_apart().items():
            rows.append({"method": part, **_counts(module, size)})
    return pd.DataFrame(rows).assign(size=size)


def _counts(module: nn.Module, size: int) -> dict[str, float]:
    found = cost(module, size)
    return {
        "params_M": found.parameters / 1e6,
        "gmac": found.macs / 1e9,
        "gflop": found.flops / 1e9,
        "gop": found.operations / 1e9,
    }


def _printed() -> dict[str, dict[str, float]]:
    with files("istsbench").joinpath("paper/table_viii.csv").open() as file:
        frame = pd.read_csv(file).set_index("method")
    columns = {"params_M": "paper_params_M", "flops_G": "paper_gop", "fps_rtx2080ti": "paper_fps"}
    frame = frame[list(columns)].rename(columns=columns)
    return {str(name): dict(row) for name, row in frame.iterrows()}
