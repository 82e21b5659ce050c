"""How public tools count the operations of the paper's networks; fails if a count changes.

    python benchmarks/other_operations.py            # about six minutes of a core
    python benchmarks/other_operations.py --write

Each tool is pinned and installed in a temporary folder of its own, which comes before the
packages of the running environment (torch is taken from there). Each network is built anew in
a process of its own and runs once, in full, for one image of 480x480, in bfloat16: that halves
the time and changes no count. With `--write` the table is stored as
`benchmarks/other_operations.csv`, from which `docs/networks.md` has it; without, it is compared
with that file, and what differs ends the script with exit code 1.
"""

import argparse
import contextlib
import copy
import csv
import io
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kept import settle

TABLE = Path(__file__).with_suffix(".csv")
SIZE, SMALL = 480, 80  # pixels a side: what is counted, and where side effects are looked for

# Backend, and what is installed for it: the tool itself first, its dependencies after it.
TOOLS = {
    "ptflops 0.6.9": ("pytorch", ("ptflops==0.6.9",)),
    "ptflops 0.7.5, pytorch": ("pytorch", ("ptflops==0.7.5",)),
    "ptflops 0.7.5, aten": ("aten", ("ptflops==0.7.5",)),
    "thop": ("", ("thop==0.1.1.post2209072238",)),
    "fvcore": (
        "",
        (
            "fvcore==0.1.5.post20221221", "iopath==0.1.10", "portalocker==4.4.2",
            "PyYAML==6.0.4", "tabulate==0.10.0", "termcolor==3.3.0", "tqdm==4.70.1",
            "yacs==0.1.8",
        ),
    ),
    "torchinfo": ("", ("torchinfo==1.8.0",)),
    "calflops": ("", ("calflops==0.3.2",)),
}  # fmt: skip
# Name, registered name, parameters; channels beside 1 are those of the published network.
NETWORKS = {
    "ACM": ("acm", {}),
    "ACM, 3 channels": ("acm", {"channels": 3}),
    "ACM, 3 channels, 4 blocks": ("acm", {"channels": 3, "blocks": 4}),
    "ALCNet": ("alcnet", {}),
    "ALCNet, 3 channels": ("alcnet", {"channels": 3}),
    "MDvsFA-cGAN": ("mdvsfa", {}),
    "pixelGame (w/o MIM)": ("pixelgame-womim", {}),
    "pixelGame": ("pixelgame", {}),
    "FNs-player without MIM": ("pixelgame", {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="store the table")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        count_all(options.inside)
        return 0
    found = [row for network in NETWORKS for row in ours(network)]
    print(",".join(found[0]))
    show(found)
    with tempfile.TemporaryDirectory() as folder:
        for tool, (_, pins) in TOOLS.items():
            place = Path(folder) / tool
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            subprocess.run([*install, "--target", place, *pins], check=True)
            for made in apart(tool, place):
                show(made)
                found += made
    return settle(TABLE, found, ("tool", "network"), options.write)


def show(made: list[dict[str, str]]) -> None:
    """Print rows as soon as they are there, as lines of the table."""
    csv.DictWriter(sys.stdout, list(made[0]), lineterminator="\n").writerows(made)
    sys.stdout.flush()


def ours(network: str) -> list[dict[str, str]]:
    """The rows of this package's own count."""
    from istsbench.networks.cost import cost

    found = cost(built(network)[0], SIZE)
    counts = {"operations": found.operations, "MACs": found.macs, "FLOPs": found.flops}
    return rows(("istsbench", "", ""), network, found.parameters, counts, "", "")


def apart(tool: str, place: Path) -> Iterator[list[dict[str, str]]]:
    """The rows of each network by a tool that lies in the folder `place`."""
    paths = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, __file__, "--inside", tool]
    backend, (pin, *_) = TOOLS[tool]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}
    ) as process:
        for network, line in zip(NETWORKS, process.stdout, strict=False):
            yield rows((*pin.split("=="), backend), network, *json.loads(line))
    if process.returncode:
        raise SystemExit(f"{tool}: counting ended with exit code {process.returncode}")


def rows(about, network, parameters, counts, changed, training) -> list[dict[str, str]]:
    """A row for each number that a tool gives, all values as text."""
    head = dict(zip(("tool", "version", "backend"), about, strict=True))
    return [
        head
        | {"network": network, "parameters": str(parameters)}
        | {"operations": str(number), "called": called}
        | {"changed": changed, "changed in training": training}
        for called, number in counts.items()
    ]


# ---------------------------------------------------------------- in a process of its own


def count_all(tool: str) -> None:
    """Print what a tool says of each network, a line of JSON each."""
    with contextlib.redirect_stdout(sys.stderr):
        counter(tool)
    for network in NETWORKS:
        # A fork has the imports already, and nothing of the network before.
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            print(json.dumps(pool.submit(counted, tool, network).result()), flush=True)


def built(network: str):
    """The module of one of `NETWORKS`, with fresh weights and ready to use, and its channels."""
    import torch

    from istsbench.registry import create

    torch.manual_seed(0)
    name, parameters = NETWORKS[network]
    method = create(name, **parameters)
    module = method.counted_apart().get(network) or method.build()
    return module.eval(), parameters.get("channels", 1)


def counted(tool: str, network: str) -> tuple[int, dict[str, int], str, str]:
    """Parameters, counts by name, and what the tool has changed: in use, and in training."""
    import torch

    warnings.simplefilter("ignore")
    logging.disable()
    function = counter(tool)
    module, channels = built(network)
    module.bfloat16()
    before = picture(module, channels)
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        parameters, counts = function(module, (1, channels, SIZE, SIZE))
    changed = differences(before, picture(module, channels, before["state_dict keys"]))

    # Again on a copy that is being trained and whose first batch norm is frozen.
    module, channels = built(network)
    module.bfloat16().train()
    next(part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)).eval()
    before = picture(module, channels)
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        function(module, (2, channels, SMALL, SMALL))
    training = differences(before, picture(module, channels, before["state_dict keys"]))
    counts = {called: int(number) for called, number in counts.items()}
    return int(parameters), counts, changed, training


def picture(module, channels: int, names: Iterable[str] = ()) -> dict[str, object]:
    """All that a count could change, by what it is called; values are those of `names`, or all."""
    import torch

    parts = list(module.modules())
    stream = torch.get_rng_state()
    state = module.state_dict()
    image = torch.linspace(-1, 1, channels * SMALL**2).view(1, channels, SMALL, SMALL).bfloat16()
    with torch.no_grad():
        output = copy.deepcopy(module).eval()(image)
    return {
        "state_dict keys": list(state),
        "values": [state[name].float().numpy().tobytes() for name in names or state],
        "attributes": [sorted(vars(part)) for part in parts],
        "hooks": [
            {name: len(held) for name, held in vars(part).items() if name.endswith("_hooks")}
            for part in parts
        ],
        "modes": [part.training for part in parts],
        "classes": [type(part).__qualname__ for part in parts],
        "output": output.float().numpy().tobytes(),
        "random stream": stream.numpy().tobytes(),
    }


def differences(before: dict[str, object], after: dict[str, object]) -> str:
    """The names of what differs, by comma."""
    return ", ".join(name for name in before if before[name] != after[name])


def counter(tool: str):
    """A function of a module and the shape of its input: parameters, and counts by their name."""
    makers = {"thop": thop, "fvcore": fvcore, "torchinfo": torchinfo, "calflops": calflops}
    return makers[tool]() if tool in makers else ptflops(TOOLS[tool][0])


def ptflops(backend: str):
    from ptflops import get_model_complexity_info

    def count(module, shape):
        # One image, whatever the shape says: this tool makes its own batch.
        operations, parameters = get_model_complexity_info(
            module, shape[1:], as_strings=False, print_per_layer_stat=False, backend=backend
        )
        return parameters, {"MACs": operations}

    return count


def thop():
    import torch
    from thop import profile

    def count(module, shape):
        inputs = (torch.zeros(shape, dtype=torch.bfloat16),)
        operations, parameters = profile(module, inputs, verbose=False)
        return parameters, {"MACs": operations}

    return count


def fvcore():
    import torch
    from fvcore.nn import FlopCountAnalysis, parameter_count

    def count(module, shape):
        inputs = torch.zeros(shape, dtype=torch.bfloat16)
        return parameter_count(module)[""], {"FLOPs": FlopCountAnalysis(module, inputs).total()}

    return count


def torchinfo():
    import torch
    from torchinfo import summary

    def count(module, shape):
        found = summary(module, shape, dtypes=[torch.bfloat16], verbose=0, device="cpu")
        return found.total_params, {"mult-adds": found.total_mult_adds}

    return count


def calflops():
    # It imports these for other functions, the first without naming it as a dependency.
    for name, imported in {
        "transformers": ("AutoTokenizer",),
        "accelerate": ("init_empty_weights",),
        "accelerate.utils": ("is_timm_available", "is_transformers_available"),
        "huggingface_hub": ("model_info",),
        "huggingface_hub.utils": ("GatedRepoError", "RepositoryNotFoundError"),
    }.items():
        stub = sys.modules.setdefault(name, types.ModuleType(name))
        vars(stub).update(dict.fromkeys(imported, lambda: False))
    from calflops import calculate_flops

    def count(module, shape):
        flops, macs, parameters = calculate_flops(
            module, shape, print_results=False, output_as_string=False
        )
        return parameters, {"FLOPs": flops, "MACs": macs}

    return count


if __name__ == "__main__":
    sys.exit(main())
