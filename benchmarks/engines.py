"""What the score of an image costs a network here, by ONNX Runtime and by OpenVINO.

    pip install onnx onnxscript onnxruntime openvino
    python benchmarks/engines.py --networks pixelgame,acm --repeats 3

All are measured in turns on one thread of a CPU: processor seconds of the network alone, the
least of all turns, after a warm-up, on an image of 256x320. The last column is the largest
difference from our map in float32.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from istsbench.data.synthetic import scene
from istsbench.networks.fused import fold
from istsbench.networks.recipe import Preprocessing, autocast, place
from istsbench.registry import create


class Answer(torch.nn.Module):
    """The map of a network, without the other outputs."""

    def __init__(self, network, module):
        super().__init__()
        self.network, self.module = network, module

    def forward(self, x):
        return next(iter(self.network.outputs(self.module, x).values()))


def torch_engine(network, module, precision):
    ready = Answer(network, place(fold(module), torch.device("cpu")))

    def score(x):
        with torch.inference_mode(), autocast(torch.device("cpu"), precision):
            given = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
            return ready(given).float().numpy()

    return score


def onnx_engine(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def openvino_engine(path, hint):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": hint}
    model = openvino.Core().compile_model(path, "CPU", settings)
    return lambda x: model(x)[0]


def main(
    networks: Annotated[str, typer.Option(help="By comma.")] = "pixelgame,pixelgame-slim,acm",
    repeats: int = 3,
) -> None:
    torch.set_num_threads(1)
    print("| network | engine | CPU s | difference |\n|---|---|---:|---:|")
    for name in networks.split(","):
        network = create(name).pretrained("nuaa")
        module, header = network.load(network.weights)
        x = Preprocessing(**header["preparation"])(scene(256, 320))[None, None]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "network.onnx"))
            torch.onnx.export(
                Answer(network, module), (torch.from_numpy(x),), path, dynamo=True, verbose=False
            )
            engines = {
                "here, fp32": torch_engine(network, module, "fp32"),
                "here, bf16": torch_engine(network, module, "bf16"),
                "ONNX Runtime, fp32": onnx_engine(path),
                "OpenVINO, fp32": openvino_engine(path, "f32"),
                "OpenVINO, bf16": openvino_engine(path, "bf16"),
            }
            maps = {label: engine(x) for label, engine in engines.items()}
            spent = dict.fromkeys(engines, np.inf)
            for _ in range(repeats):
                for label, engine in engines.items():
                    begun = time.process_time()
                    engine(x)
                    spent[label] = min(spent[label], time.process_time() - begun)
        for label, seconds in spent.items():
            difference = np.abs(maps[label] - maps["here, fp32"]).max()
            print(f"| {name} | {label} | {seconds:.3g} | {difference:.1g} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
