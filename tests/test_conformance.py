import dataclasses
import os

import pytest

from istsbench import create, names
from istsbench.segmenter import Trainable
from istsbench.testing import CHECKS

CHOSEN = [name for name in os.environ.get("ISTSBENCH_TEST_METHODS", "").split(",") if name]
UNTRAINED = {"finds_a_bright_target", "flat_images_have_no_target", "rule_makes_a_mask"}
"""What random weights cannot promise."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CHOSEN or names())
def test_conformance(name, check, weights):
    method = create(name)
    if isinstance(method, Trainable):
        if check.__name__ in UNTRAINED:
            pytest.skip("a promise of trained weights")
        if "width" in {field.name for field in dataclasses.fields(method)}:
            method = dataclasses.replace(method, width=16)  # as deep, but quicker
        method = method.untrained(weights)
    if check.__name__ not in method.excused:
        check(method)
        return
    with pytest.raises(AssertionError):  # an excuse that is no longer needed has to go
        check(method)
