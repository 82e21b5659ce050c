import dataclasses
import os

import pytest

from istsbench import create, names
from istsbench.segmenter import Trainable
from istsbench.testing import CHECKS, left_out, prepared

CHOSEN = [name for name in os.environ.get("ISTSBENCH_TEST_METHODS", "").split(",") if name]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


# Not by `conformance`, which needs the methods themselves and so imports all to collect.
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CHOSEN or names())
def test_conformance(name, check, weights):
    method = create(name)
    if check.__name__ in left_out(method):
        pytest.skip(left_out(method)[check.__name__])
    if isinstance(method, Trainable):
        if "width" in {field.name for field in dataclasses.fields(method)}:
            method = dataclasses.replace(method, width=16)  # as deep, but quicker
        method = prepared(method, weights)
    if check.__name__ not in method.excused:
        check(method)
        return
    with pytest.raises(AssertionError):  # an excuse that is no longer needed has to go
        check(method)
