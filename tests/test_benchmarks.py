"""The short form of what `benchmarks/README.md` has figures of; no time is asserted."""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def lines(script, *words):
    command = [sys.executable, str(FOLDER / script), *words]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_scaling_compares_one_job_with_two():
    words = ["--methods", "tophat,pstnn", "--limit", "3", "--rounds", "1"]
    printed = lines("scaling.py", *words)
    rows = [line.strip("| ").split(" | ") for line in printed if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == ["tophat", "pstnn", "all in one run"]
    for _, one, two, ratio in rows:
        assert float(one) > 0 and float(two) > 0 and float(ratio) > 0


def test_overhead_is_told_by_both_clocks():
    words = ["--dataset", "synthetic", "--rounds", "1", "--processes", "1"]
    printed = lines("overhead.py", *words)
    assert printed[0].startswith("24 images, 1 processes")
    for kind, line in zip(("CPU", "wall"), printed[1:], strict=True):
        assert re.match(rf"{kind}: bare loop [\d.]+ s, runner [\d.]+ s, overhead [+-]", line)
