import os

import pytest

from istsbench import create, names
from istsbench.testing import CHECKS

CHOSEN = [name for name in os.environ.get("ISTSBENCH_TEST_METHODS", "").split(",") if name]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CHOSEN or names())
def test_conformance(name, check):
    method = create(name)
    if check.__name__ not in method.excused:
        check(method)
        return
    with pytest.raises(AssertionError):  # an excuse that is no longer needed has to go
        check(method)
