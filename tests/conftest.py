import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from toys import install, make_folder

from istsbench import registry

settings.register_profile("suite", deadline=None, max_examples=40)  # machines may be busy
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("ISTSBENCH_DATA", SHARED / "data"))
    if not (root / "nuaa").is_dir():
        pytest.skip("needs the NUAA-SIRST images: set ISTSBENCH_DATA")
    return root


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set on disk; tests that change it copy it first."""
    return make_folder(tmp_path_factory.mktemp("data") / "toyset")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the toys are installed."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    return folder


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Adds a folder to those that Python imports from, where the registry looks anew."""

    def add(folder: Path) -> None:
        monkeypatch.syspath_prepend(folder)
        registry._entries.cache_clear()

    yield add
    monkeypatch.undo()
    registry._entries.cache_clear()


@pytest.fixture
def toys(
    on_path: Callable[[Path], None], site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Toy methods beside the installed ones, and an empty log of their calls."""
    on_path(site)
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "toy.log"))
