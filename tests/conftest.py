import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("ISTSBENCH_DATA", SHARED / "data"))
    if not (root / "nuaa").is_dir():
        pytest.skip("needs the NUAA-SIRST images: set ISTSBENCH_DATA")
    return root
