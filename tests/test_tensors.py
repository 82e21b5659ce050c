import subprocess
import sys

import numpy as np
import pytest
import tensorly

from baselines.lowrank.tensors import fold, unfold


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_unfolding_holds_fibres_as_columns(mode):
    tensor = np.arange(24.0).reshape(2, 3, 4)
    matrix = unfold(tensor, mode)
    assert matrix.shape == (tensor.shape[mode], 24 // tensor.shape[mode])
    fibre = np.moveaxis(tensor, mode, 0)[:, 1, 1]
    assert (matrix == fibre[:, None]).all(axis=0).sum() == 1
    np.testing.assert_array_equal(fold(matrix, mode, tensor.shape), tensor)


def test_another_backend_of_the_process_changes_nothing():
    values = np.array([[-3.0, 0.5], [1.0, 2.5]])
    torch = pytest.importorskip("torch")
    with tensorly.backend_context("pytorch"):
        matrix = unfold(values, 1)
        np.testing.assert_array_equal(matrix, values.T, strict=True)
        np.testing.assert_array_equal(fold(matrix, 1, (2, 2)), values, strict=True)
        assert tensorly.get_backend() == "pytorch"
        assert isinstance(tensorly.tensor([1.0]), torch.Tensor)


def test_tensorly_is_not_imported_to_list_the_methods():
    code = (
        "import sys; from istsbench import create, names\n"
        "for name in names(): create(name)\n"
        "assert 'tensorly' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
