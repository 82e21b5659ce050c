"""Training by several processes, as `torchrun` starts them, with gloo on the CPU."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from istsbench.networks.checkpoint import read_weights

SCRIPT = """
import dataclasses, sys
from pathlib import Path
import numpy as np, torch
from baselines.cnn.acm import ACM
from istsbench.networks.learner import SupervisedLearner, Ranks
from istsbench.networks.recipe import Recipe
from istsbench.data.synthetic import synthetic
from istsbench.errors import Diverged, Stopped
from istsbench.networks.training import train

@dataclasses.dataclass(frozen=True)
class Breaking(ACM):
    # Without a batch norm; its loss is not finite in the second process.

    def build(self):
        return torch.nn.Conv2d(1, 1, 3, padding=1)

    def learner(self, module, recipe):
        def loss(logits, masks):
            return logits.mean() * (np.nan if torch.distributed.get_rank() else 1)

        return SupervisedLearner(module, recipe, loss)


out = Path(sys.argv[1])
whole = synthetic()
splits = {"train": whole.splits["train"][:4], "val": whole.splits["val"][:2], "test": ()}
toy = dataclasses.replace(whole, splits=splits)
out.mkdir(exist_ok=True)
ranks = Ranks.join(torch.device("cpu"))
if ranks.count > 1:
    for batch in (2, 3):  # one patch in each process; not the same number in each
        try:
            train(ACM(blocks=1), toy, out / "never", epochs=1, patch=32, batch=batch)
        except Stopped as error:
            assert f"a batch is {batch} of 4 images, in 2 processes" in str(error)
        else:
            raise AssertionError(batch)
    train(ACM(blocks=1), toy, out, epochs=1, patch=32, batch=4)
    try:  # what one process alone sees
        train(Breaking(), toy, out / "broken", epochs=1, patch=32, batch=4)
    except Diverged as error:
        found = "loss is nan" if ranks.rank else "numbers are not finite in another process"
        assert found in str(error), error
    else:
        raise AssertionError("a training with numbers that are not finite went on")

torch.manual_seed(0)
network = torch.nn.Conv2d(1, 1, 3, padding=1)
recipe = Recipe(1, 8, 1e-2, 16, "iou", weight_decay=0.1)
learner = SupervisedLearner(network, recipe, torch.nn.functional.mse_loss)
learner.ranks = ranks
images, masks = torch.rand(2, 8, 1, 16, 16)
mine = slice(learner.ranks.rank, None, learner.ranks.count)
for _ in range(5):
    learner.step(images[mine], masks[mine], 0.0)
np.save(out / f"plain{learner.ranks.rank}.npy", network.weight.detach().numpy())
Ranks.leave()
Ranks.done()
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one process and two processes come to."""
    root = tmp_path_factory.mktemp("ranks")
    script = root / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, start in (("one", []), ("two", launcher)):
        done = subprocess.run(
            [sys.executable, *start, script, root / name],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return root / "one", root / "two"


def test_two_processes_take_the_steps_of_one(folders):
    one, two = folders
    weights = np.load(one / "plain0.npy")
    for rank in (0, 1):
        np.testing.assert_allclose(np.load(two / f"plain{rank}.npy"), weights, rtol=0, atol=1e-6)


def test_a_training_by_two_processes_leaves_the_files_of_one(folders):
    two = folders[1]
    assert list(pd.read_csv(two / "log.csv")["epoch"]) == [1]
    weights = read_weights(two / "last.safetensors")[0]
    assert weights and all(np.isfinite(value).all() for value in weights.values())
