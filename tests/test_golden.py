"""Every method against the stored output of an independent public reference code.

The cases are the lines of `tests/golden/*.toml`; a method joins by one. A case names
the stored maps (`golden`), the method and its parameters, the tolerance relative to
the largest absolute value of the stored map, and the images that are left out with a
reason. Stored maps may be signed: they are cut at zero as our maps are.
"""

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from istsbench import create

HERE = Path(__file__).parent / "golden"
FOLDERS = {
    "synthetic": HERE / "synthetic",
    "nuaa": Path(__file__).resolve().parents[2] / "shared" / "golden" / "nuaa",
}
CASES = [
    case for file in sorted(HERE.glob("*.toml")) for case in tomllib.loads(file.read_text())["case"]
]


def title(case):
    changes = ",".join(f"{key}={value}" for key, value in case.get("params", {}).items())
    return f"{case['golden']}-{case['method']}({changes})"


def test_there_are_cases():
    assert CASES


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("case", CASES, ids=title)
def test_equals_the_reference(case, folder):
    if folder not in case.get("folders", list(FOLDERS)):
        pytest.skip(f"this case has no map in {folder}")
    if not FOLDERS[folder].is_dir():
        pytest.skip(f"the {folder} reference maps are not on this machine")
    method = create(case["method"], **case.get("params", {}))
    maps = np.load(FOLDERS[folder] / f"{case['golden']}.npz")
    left_out = case.get("skip", {})
    assert set(left_out) < set(maps.files) | set(left_out)
    compared = 0
    for name in maps.files:
        if name in left_out:
            continue
        image = cv2.imread(str(FOLDERS[folder] / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        expected = np.maximum(maps[name], 0)
        score = method.score(image.astype(np.float64))
        largest = np.abs(maps[name]).max()
        assert score.shape == expected.shape
        error = np.abs(score - expected).max() / (largest or 1.0)
        assert error <= case["rtol"], f"{name}: {error:.3g} of the largest value"
        compared += 1
    assert compared > 0
