"""How public packages count the same hand-made masks, as a table; fails if a value changes.

    python benchmarks/other_counts.py            # installs them in a temporary folder
    python benchmarks/other_counts.py --python DIR/bin/python --write

The packages are pinned, and none of them is a dependency of this one. With `--write` the table
is stored as `benchmarks/other_counts.csv`, from which `docs/measures.md` has it; without, it is
compared with that file, and what differs ends the script with exit code 1. `--python` names an
environment that has the packages already.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import types
import venv
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from kept import settle

TABLE = Path(__file__).with_suffix(".csv")
PINS = (
    "torch==2.13.0", "numpy==2.3.4", "scipy==1.17.1", "scikit-learn==1.9.0",
    "scikit-image==0.25.2", "torchmetrics==1.9.0", "pytorch-ignite==0.5.5", "monai==1.6.1",
    "kornia==0.9.0", "SimpleITK==2.5.7", "pycocotools==2.0.11", "pysodmetrics==1.6.2",
    "torcheval==0.0.7", "setuptools==80.9.0",
)  # fmt: skip
ALONE = (  # the models of the first need torchvision, the second asks for an old numpy
    "segmentation-models-pytorch==0.6.0", "pyirstdmetrics==1.0.2", "MedPy==0.5.2",
)  # fmt: skip
CASES = {
    "empty on empty": "nothing predicted, nothing to find",
    "none found": "nothing predicted, one target of 8 pixels",
    "none to find": "8 pixels predicted, nothing to find",
    "half": "4 of the 8 pixels of a target predicted: IoU 1/2",
    "half, empty": "a set of the two: half a target found, and nothing on an image without",
    "half, false": "a set: half a target found, and 8 pixels on an image without",
    "at the level": "a map of exactly 0.5 on the target, level 0.5: is the target found?",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="of an environment with the packages")
    parser.add_argument("--write", action="store_true", help="store the table")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(rows()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        python = options.python or install(Path(folder))
        done = subprocess.run(
            [python, __file__, "--inside"], check=True, capture_output=True, text=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(markdown(found))
    return settle(TABLE, found, ("package", "function"), options.write)


def install(folder: Path) -> str:
    """A fresh environment with the packages; returns its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *PINS], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", *ALONE], check=True)
    return python


def markdown(found: list[dict[str, str]]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| " + " | ".join(found[0]) + " |", "|---" * len(found[0]) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row.values()) + " |" for row in found])


def rows() -> list[dict[str, str]]:
    """A row a function: package, version, function and what it gives in each of `CASES`."""
    import numpy as np

    warnings.simplefilter("ignore")
    logging.disable()
    empty = np.zeros((12, 12), bool)
    target = empty.copy()
    target[4:6, 4:8] = True
    half = empty.copy()
    half[4:6, 4:6] = True
    pairs = {
        "empty on empty": [(empty, empty)],
        "none found": [(empty, target)],
        "none to find": [(target, empty)],
        "half": [(half, target)],
        "half, empty": [(half, target), (empty, empty)],
        "half, false": [(half, target), (target, empty)],
    }
    found = []
    for package, name, of_set, at_level in functions():
        row = {"package": package, "version": version(package), "function": name}
        for case, masks in pairs.items():
            predicted, truth = (np.stack(side) for side in zip(*masks, strict=True))
            row[case] = shown(of_set, predicted, truth) if of_set else ""
        map_ = np.where(target, 0.5, 0.0)
        level = at_level and shown(at_level, map_, target)
        row["at the level"] = {None: "", "1": "yes", "0": "no"}.get(level, str(level))
        found.append(row)
    return found


def shown(function, *masks) -> str:
    """What a function gives, with four digits, or the name of the error it raises."""
    try:
        return f"{float(function(*masks)):.4g}"
    except Exception as error:
        return type(error).__name__


def functions():
    """Package, what is called, IoU of stacks of masks (N, H, W), found at the level or None."""
    import numpy as np
    import torch
    from torch import as_tensor as tensor

    each = lambda one: lambda p, t: np.mean([one(a, b) for a, b in zip(p, t, strict=True)])  # noqa: E731

    from sklearn.metrics import jaccard_score

    flat = lambda masks: masks.reshape(len(masks), -1)  # noqa: E731
    yield (
        "scikit-learn", "jaccard_score, binary",
        lambda p, t: jaccard_score(t.ravel(), p.ravel()), None,
    )  # fmt: skip
    yield (
        "scikit-learn", "jaccard_score, samples",
        lambda p, t: jaccard_score(flat(t), flat(p), average="samples"), None,
    )  # fmt: skip

    from torchmetrics.functional.classification import (
        binary_jaccard_index,
        binary_precision_recall_curve,
        binary_recall,
    )
    from torchmetrics.segmentation import MeanIoU

    yield (
        "torchmetrics", "binary_jaccard_index",
        lambda p, t: binary_jaccard_index(tensor(p).int(), tensor(t).int()),
        lambda m, t: binary_recall(tensor(m[t]), tensor(t[t]).int()),
    )  # fmt: skip

    def mean_iou(background):
        def score(p, t):
            metric = MeanIoU(2, include_background=background, input_format="index")
            metric.update(tensor(p).long(), tensor(t).long())
            return metric.compute()

        return score

    def recall_of_curve(m, t):
        _, recall, _ = binary_precision_recall_curve(
            tensor(m[t]), tensor(t[t]).int(), thresholds=[0.5]
        )
        return recall[0]

    yield "torchmetrics", "MeanIoU, without background", mean_iou(False), None
    yield "torchmetrics", "MeanIoU, with background", mean_iou(True), None
    yield (
        "torchmetrics", "binary_precision_recall_curve, thresholds=[0.5]",
        None, recall_of_curve,
    )  # fmt: skip

    from torcheval.metrics.functional import binary_recall as other_recall

    yield (
        "torcheval", "binary_recall",
        None,
        lambda m, t: other_recall(tensor(m[t]), tensor(t[t]).long()),
    )  # fmt: skip

    from ignite.metrics import ConfusionMatrix, IoU, Recall

    def ignite_iou(p, t):
        metric = IoU(ConfusionMatrix(num_classes=2))
        metric.update((tensor(np.stack([~p, p], axis=1).astype("float32")), tensor(t).long()))
        return metric.compute()[1]

    def ignite_recall(m, t):
        metric = Recall(output_transform=lambda pair: (torch.round(pair[0]), pair[1]))
        metric.update((torch.round(tensor(m[t])), tensor(t[t]).long()))
        return metric.compute()

    yield "pytorch-ignite", "IoU, of the foreground; torch.round", ignite_iou, ignite_recall

    stub = types.ModuleType("segmentation_models_pytorch")  # its metrics, without its models
    stub.__path__ = list(find_spec(stub.__name__).submodule_search_locations)
    sys.modules[stub.__name__] = stub
    from segmentation_models_pytorch.metrics import get_stats, iou_score

    def smp(reduction):
        def score(p, t):
            counts = get_stats(tensor(p).int()[:, None], tensor(t).int()[:, None], mode="binary")
            return iou_score(*counts, reduction=reduction)

        return score

    def smp_level(m, t):
        counts = get_stats(
            tensor(m)[None, None], tensor(t).int()[None, None], "binary", threshold=0.5
        )
        return counts[0].sum() > 0

    yield "segmentation-models-pytorch", "iou_score, micro", smp("micro"), smp_level
    yield (
        "segmentation-models-pytorch", "iou_score, micro-imagewise", smp("micro-imagewise"), None
    )  # fmt: skip

    from monai.metrics import MeanIoU as MonaiIoU
    from monai.transforms import AsDiscrete

    def monai(ignore):
        def score(p, t):
            metric = MonaiIoU(ignore_empty=ignore)
            metric(tensor(p).float()[:, None], tensor(t).float()[:, None])
            return metric.aggregate()

        return score

    yield (
        "monai", "MeanIoU; AsDiscrete", monai(True),
        lambda m, t: AsDiscrete(threshold=0.5)(tensor(m)).max(),
    )  # fmt: skip
    yield "monai", "MeanIoU, ignore_empty=False", monai(False), None

    import kornia

    yield (
        "kornia", "mean_iou, of the foreground",
        lambda p, t: kornia.metrics.mean_iou(tensor(p).long(), tensor(t).long(), 2)[:, 1].mean(),
        None,
    )  # fmt: skip

    from medpy.metric import binary

    yield "MedPy", "jc, mean over images", each(binary.jc), None
    yield (
        "MedPy", "dc as an IoU, mean over images",
        each(lambda a, b: (dice := binary.dc(a, b)) / (2 - dice)), None,
    )  # fmt: skip

    from scipy.spatial.distance import jaccard

    yield (
        "scipy", "1 - distance.jaccard, mean over images",
        each(lambda a, b: 1 - jaccard(a.ravel(), b.ravel())), None,
    )  # fmt: skip

    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

    def itk(*label):
        def score(a, b):
            filter_ = SimpleITK.LabelOverlapMeasuresImageFilter()
            filter_.Execute(*(SimpleITK.GetImageFromArray(m.astype("uint8")) for m in (a, b)))
            return filter_.GetJaccardCoefficient(*label)

        return score

    yield "SimpleITK", "GetJaccardCoefficient(), mean over images", each(itk()), None
    yield "SimpleITK", "GetJaccardCoefficient(1), mean over images", each(itk(1)), None

    from pycocotools import mask

    def coco(a, b):
        encoded = ([mask.encode(np.asfortranarray(m.astype("uint8")))] for m in (a, b))
        return mask.iou(*encoded, [0])[0][0]

    yield "pycocotools", "mask.iou, mean over images", each(coco), None

    from py_sod_metrics import FmeasureV2, IOUHandler

    def sod(sample_based):
        def score(p, t):
            options = {"with_dynamic": False, "with_adaptive": False, "with_binary": True}
            handler = IOUHandler(**options, sample_based=sample_based)
            metric = FmeasureV2(metric_handlers={"iou": handler})
            for a, b in zip(p, t, strict=True):
                metric.step(pred=a.astype("uint8") * 255, gt=b.astype("uint8") * 255)
            return metric.get_results()["iou"]["binary"]

        return score

    yield "pysodmetrics", "IOUHandler, by sample", sod(True), None
    yield "pysodmetrics", "IOUHandler, pooled", sod(False), None

    from py_irstd_metrics import CMMetrics, IoUHandler

    def irstd(sample_based):
        def score(p, t):
            handler = IoUHandler(with_binary=True, sample_based=sample_based)
            metric = CMMetrics(metric_handlers={"iou": handler})
            for a, b in zip(p, t, strict=True):
                metric.update(prob=a.astype(float), mask=b)
            return metric.get()["iou"]["binary"]

        return score

    yield (
        "pyirstdmetrics", "IoUHandler, by sample", irstd(True),
        lambda m, t: irstd(True)(m[None], t[None]) > 0,
    )  # fmt: skip
    yield "pyirstdmetrics", "IoUHandler, pooled", irstd(False), None


if __name__ == "__main__":
    sys.exit(main())
