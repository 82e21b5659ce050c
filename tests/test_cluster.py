"""Runs on a Dask cluster of processes on this machine."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from test_shards import files
from toys import MARKED, install

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import FolderDataset
from istsbench.errors import RunError
from istsbench.registry import choose
from istsbench.runs import cluster as ours
from istsbench.runs import run as runner
from istsbench.runs.maps import STAMPS
from istsbench.runs.pool import DIED

dask = pytest.importorskip("dask", reason="needs Dask: pip install 'istsbench[cluster]'")
distributed = pytest.importorskip("distributed")
LocalCluster = distributed.LocalCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers of one thread that see the toy methods."""
    before = dict(os.environ)
    folder = tmp_path_factory.mktemp("cluster")
    environment = {key: value for key, value in install(folder).items() if key != "TOY_LOG"}
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.nanny.pre-spawn-environ": {"PYTHONPATH": environment["PYTHONPATH"]},
        "temporary-directory": str(folder),
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
        ) as cluster,
    ):
        yield cluster
    for name in set(os.environ) - set(before):  # a nanny sets them in this process too
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def go(toys, toy_folder, tmp_path, cluster):
    def go(out, methods, scheduler=cluster.scheduler_address, **options):
        dataset = open_dataset(f"folder:{toy_folder}")
        chosen = choose(methods)
        return runner.run(
            chosen, dataset, tmp_path / out, scheduler=scheduler, show=False, **options
        )

    return go


def test_a_run_on_a_cluster_that_loses_a_worker_equals_a_serial_run(go, cluster, tmp_path):
    methods = "toy(seconds=0.2),bad,batch"
    victim = cluster.workers[0].pid

    def kill():
        while len(list((tmp_path / "cluster").rglob("toy_*/*.npy"))) < 2:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    outcome = go("cluster", methods)
    killer.join(1)
    assert not killer.is_alive() and outcome.scored == 18
    assert go("serial", methods, scheduler=None).failed == outcome.failed
    assert files(tmp_path / "cluster") == files(tmp_path / "serial")
    assert go("cluster", methods).scored == 0


RETRY = "(--retry-failed tries them again)"


def test_a_method_that_hangs_or_dies_loses_its_image_only(go):
    outcome = go("out", "bad(how=hang),bad(how=die),toy", timeout=1.0)
    assert outcome.done == ["toy"]
    assert outcome.failed == {
        f"bad(how='{how}')": f"1 of 6 images failed, the first is {MARKED}: {reason} {RETRY}"
        for how, reason in (("hang", "took longer than 1 s"), ("die", DIED))
    }


def test_a_worker_is_left_as_it_was(go, cluster, monkeypatch, tmp_path):
    """It is the cluster's, and works for others too."""
    monkeypatch.chdir(tmp_path)

    def state():
        import cv2

        return os.getcwd(), cv2.getNumThreads()

    with distributed.Client(cluster) as client:
        before = client.run(state)
        assert go("out", "toy").done == ["toy"]
        after = client.run(state)
    assert after == before


def test_an_error_disarms_the_watchdog(tmp_path):
    """Else it ends, later, a process that is not ours."""
    code = (
        "import sys, time; from pathlib import Path; from istsbench.runs.cluster import _watched\n"
        "try:\n"
        "    with _watched(Path(sys.argv[1]), 0.2) as begin:\n"
        "        begin(); raise OSError\n"
        "except OSError:\n"
        "    time.sleep(1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "note")]).returncode == 0


def test_a_folder_that_the_workers_do_not_see_ends_the_run(go, monkeypatch, tmp_path):
    monkeypatch.setattr(ours, "write_atomic", lambda *_: None)
    with pytest.raises(RunError, match="does not see what the run wrote .*--out must lie on"):
        go("out", "toy")
    assert not list((tmp_path / "out").rglob("*.failed.json"))


def test_data_that_the_workers_cannot_read_end_the_run(go, monkeypatch, tmp_path):
    subset = FolderDataset.subset

    def elsewhere(self, names):
        other = {name: (tmp_path / "absent.png",) * 2 for name in names}
        return runner.replace(subset(self, names), pairs=other)

    monkeypatch.setattr(FolderDataset, "subset", elsewhere)
    with pytest.raises(RunError, match=r"the worker tcp://.* cannot read the data: .*absent\.png"):
        go("out", "toy")
    assert not list((tmp_path / "out").rglob("*.failed.json"))
    assert all(path.match(STAMPS) for path in (tmp_path / "out").rglob(".*"))


def test_a_cluster_that_loses_its_last_worker_for_good_ends_the_run(go, tmp_path, monkeypatch):
    monkeypatch.setattr(ours, "PATIENCE", 1.0)
    monkeypatch.setattr(ours, "REFRESH", 0.2)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as short:

        def dismiss():
            while not list((tmp_path / "out").rglob("*.npy")):
                time.sleep(0.01)
            short.scale(0)

        thread = threading.Thread(target=dismiss, daemon=True)
        thread.start()
        with pytest.raises(RunError, match="no worker for 1 s; what is done is kept"):
            go("out", "toy(seconds=0.5)", scheduler=short.scheduler_address)
        thread.join()
    assert list((tmp_path / "out").rglob("*.npy"))


def test_a_task_whose_answer_left_with_its_worker_counts_as_done():
    """Dask would do it again, and has nobody left who could."""
    answers = []
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as short,
        distributed.Client(short, set_as_default=False) as client,
    ):
        task = client.submit(int)
        assert task.result() == 0
        short.scale(0)
        while task.status == "finished":
            time.sleep(0.01)
        asking = threading.Thread(target=lambda: answers.append(ours._died(task)), daemon=True)
        asking.start()
        asking.join(10)
    assert answers == [False]


def test_workers_of_several_threads_are_refused(go):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as wide,
        pytest.raises(RunError, match="has 2 threads, expected one.*--nthreads 1"),
    ):
        go("out", "toy", scheduler=wide.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense:x:y"])
def test_a_scheduler_that_does_not_answer_is_named(go, monkeypatch, address):
    monkeypatch.setattr(ours, "WAIT", 0.5)
    with pytest.raises(RunError, match=f"no Dask scheduler answers at '{address}'"):
        go("out", "toy", scheduler=address)


def test_without_dask_the_error_says_what_to_install(go, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RunError, match=r'pip install "istsbench\[cluster\]"'):
        go("out", "toy")
