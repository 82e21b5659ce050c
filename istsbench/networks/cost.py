"""What a network costs: weights, operations, time and memory (Table VIII).

Three counts of operations for one image are kept apart, since papers mix them:

- `macs`: multiply-adds of convolutions and matrix products, by torch's flop counter.
- `flops`: two for each of these.
- `operations`: the count that papers print as "FLOPs" or "GMac", by the rules of the tool
  ptflops up to 0.6.9: multiply-adds and biases of convolutions (a transposed one by its
  output, four times too many at stride 2) and linear layers, two for an element of a norm, one
  for an element of an activation, of a pooling's input or of what is upsampled; other modules,
  and functions outside modules, are free.

Times are of the network alone, on data that is already on the device, after a warm-up.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from istsbench.networks.fused import fold
from istsbench.networks.network import Network
from istsbench.networks.recipe import autocast, best_device, place
from istsbench.provenance import environment
from istsbench.registry import cards, create, group_order, info
from istsbench.segmenter import Card
from istsbench.tables.published import paper_table
from istsbench.tables.table import Table

SIZE = 480  # pixels a side, as in the paper's table
BATCHES = (1, 2, 4, 8, 16, 32)

# What the tool knows of each kind; it counts nothing for other activations, such as a sigmoid.
ACTIVATIONS = (nn.ReLU, nn.PReLU, nn.ELU, nn.LeakyReLU, nn.ReLU6, nn.GELU)
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class NetworkCost:
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


def registered_networks() -> list[str]:
    """The names of all networks that are installed, by group and name."""
    found = {name: card for name, card in cards().items() if isinstance(card, Card)}
    networks = [name for name in found if issubclass(info(name), Network)]
    return sorted(networks, key=lambda name: (group_order(found[name].group), name))


def cost(module: nn.Module, size: int = SIZE) -> NetworkCost:
    """The counts of a module for an input (1, 1, size, size); nothing is computed.

    A copy is counted: the module keeps its weights, its mode and its device.
    """
    module = copy.deepcopy(module).to("meta").eval()
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
    return NetworkCost(parameters, flops // 2, flops, total)


def _operations(part: nn.Module, inputs: torch.Tensor, output: torch.Tensor) -> int:
    if isinstance(part, nn.modules.conv._ConvNd):
        each = math.prod(part.kernel_size) * part.in_channels * part.out_channels // part.groups
        bias = 0 if part.bias is None else part.out_channels
        return (each + bias) * output[0, 0].numel()
    if isinstance(part, nn.Linear):
        bias = 0 if part.bias is None else part.out_features
        return inputs.numel() * part.out_features + bias
    if isinstance(part, nn.modules.batchnorm._NormBase | nn.GroupNorm):
        return (2 if part.affine else 1) * inputs.numel()
    if isinstance(part, ACTIVATIONS):
        return output.numel()
    if isinstance(part, POOLINGS):
        return inputs.numel()
    if isinstance(part, nn.Upsample):
        return output.numel()
    if isinstance(part, nn.RNNBase | nn.RNNCellBase | nn.MultiheadAttention):
        raise NotImplementedError(f"operations of {type(part).__name__} are not counted here")
    return 0


# ---------------------------------------------------------------------- time


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _times(call: Callable[[], object], device: torch.device, seconds: float) -> np.ndarray:
    """Seconds of each call, for at least five calls and about `seconds`, after a warm-up."""
    start = _clock(device)
    for _ in range(3):
        call()
        if _clock(device) - start > max(seconds, 1):
            break
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
    """Time a network with fresh weights on its device and in its precision, as it scores.

    On a CPU only the first of `batches` is timed: more images at a time gain nothing there.
    """
    device = best_device(network.device)
    batches = batches if device.type == "cuda" else batches[:1]
    with torch.random.fork_rng(devices=[]):
        module = place(fold(network.build()), device)
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
    threads = torch.get_num_threads()
    return f"{environment()['cpu']}, {threads} thread{'s' * (threads > 1)}"


def matrix_rate(device: torch.device, precision: str = "bf16", side: int = 8192) -> float:
    """Floating-point operations a second of one large matrix product: what a device can do."""
    side = side if device.type == "cuda" else 1024
    matrix = torch.ones(side, side, device=device)
    with torch.inference_mode(), autocast(device, precision):
        taken = _times(lambda: matrix @ matrix, device, 1.0)
    return 2 * side**3 / float(np.median(taken))


# ---------------------------------------------------------------------- Table VIII

BLOCKS = (
    ("weights, M", (("params_M", "ours"), ("params_M_paper", "paper"))),
    ("operations, G", (("operations_G", "ours"), ("operations_G_paper", "paper"))),
    ("", (("macs_G", "GMAC"), ("flops_G", "GFLOP"))),
    ("images/s", (("fps_single", "one"), ("fps_batch", "batch"), ("fps_paper", "paper"))),
    ("ms", (("latency_ms", "median"), ("latency_p95_ms", "p95"))),
    ("MiB", (("memory_mib", "peak"),)),
    ("", (("rate_share", "of the matrix rate"),)),
)


def table_viii(
    methods: Iterable[str] | None = None,
    size: int = SIZE,
    device: str = "auto",
    precision: str = "fp32",
    compile: bool = False,
    batches: Sequence[int] = BATCHES,
    seconds: float = 3.0,
) -> Table:
    """Counts and times of networks for one image of `size` pixels a side; None: all of them.

    Without `batches` nothing is timed.
    """
    printed = _printed()
    rows, notes = list[dict[str, Any]](), []
    where = best_device(device)
    # On a CPU convolutions can be faster than the product of a library that knows it less well.
    rate = matrix_rate(where, precision) if batches and where.type == "cuda" else float("nan")
    for name in registered_networks() if methods is None else methods:
        network = create(name, device=device, precision=precision)
        if not isinstance(network, Network):
            raise TypeError(f"{name} is no network: it has no weights to count")
        label = network.card.label
        timed = asdict(speed(network, size, batches, seconds, compile)) if batches else {}
        counted = _counts(network.build(), size)
        if timed:
            timed["rate_share"] = timed["fps_batch"] * counted["flops_G"] * 1e9 / rate
        paper = printed.get(label, {}).get("params_M_paper", counted["params_M"])
        if abs(counted["params_M"] / paper - 1) > 0.05:
            notes.append(
                f"{label}: {counted['params_M']:.3f} M weights here, {paper:g} M in the paper, "
                "which does not say of which variant; `istsbench info` says what ours is."
            )
        rows.append(
            {"label": label, "status": network.card.status}
            | counted
            | timed
            | printed.get(label, {})
        )
        for part, module in network.counted_apart().items():
            alone = _counts(module, size)
            notes.append(
                f"{label}: {part}: {alone['params_M']:.3f} M weights, "
                f"{alone['operations_G']:.2f} G operations"
            )
    frame = pd.DataFrame(rows)
    several = bool(batches) and bool((frame["best_batch"] > 1).any())
    shown = {name for name in frame if frame[name].notna().any()}
    shown -= set() if several else {"fps_batch"}
    blocks = tuple(
        (head, tuple(column for column in columns if column[0] in shown))
        for head, columns in BLOCKS
    )
    protocol = f"One grey image of {size}x{size} pixels"
    if batches:
        protocol += f"; times on {rows[0]['device']}, {rows[0]['precision']}"
        if several:
            best = ", ".join(f"{row['label']} {row['best_batch']}" for row in rows)
            notes.append(f"Best batch: {best}. Peak memory: on the device at that batch.")
        if rate > 0:
            notes.append(f"Matrix rate: {rate / 1e9:.0f} GFLOP/s of one large product there.")
    return Table(
        "Table VIII. Cost of the networks",
        frame,
        tuple(block for block in blocks if block[1]),
        (protocol,),
        (
            "Operations as the paper counts them (ptflops): multiply-adds, biases, norms and "
            "activations of modules, each once. GMAC: multiply-adds alone; GFLOP: twice that.",
            *notes,
            "Images/s of the paper: on an RTX 2080 Ti.",
        ),
        "table_viii",
        dict.fromkeys(("fps_single", "fps_batch"), ".3g") | {"memory_mib": ".0f"},
    )


def _counts(module: nn.Module, size: int) -> dict[str, float]:
    found = cost(module, size)
    return {
        "params_M": found.parameters / 1e6,
        "macs_G": found.macs / 1e9,
        "flops_G": found.flops / 1e9,
        "operations_G": found.operations / 1e9,
    }


def _printed() -> dict[str, dict[str, float]]:
    columns = {
        "params_M": "params_M_paper",
        "flops_G": "operations_G_paper",
        "fps_rtx2080ti": "fps_paper",
    }
    frame = paper_table("table_viii").set_index("method")[list(columns)].rename(columns=columns)
    return {str(label): dict(row) for label, row in frame.iterrows()}
