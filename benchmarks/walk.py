"""How far it is from `istsbench run` to the written record: files and functions of the package.

    python benchmarks/walk.py [--jobs 2]

Runs Top-Hat on two synthetic images in a folder of its own and notes each function of
`istsbench/` that is entered, in this process and in those that it starts, from the command's
first line until METHOD.json is written. A comprehension or lambda belongs to the function around
it and does not count, nor does what only happens when a module is imported.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import istsbench

# Python imports a module of this name first in every process, so those of a pool are watched too.
WATCH = """
import os, sys, threading
root, notes = os.environ["WALK_ROOT"], os.environ["WALK_NOTES"]
file = open(os.path.join(notes, str(os.getpid())), "a", buffering=1)
seen, importing = set(), set()
def watch(frame, event, _):
    code = frame.f_code
    if event != "call" or code in seen or not code.co_flags & 1 or code.co_name[0] == "<":
        return  # no call, known, the body of a class, or a part of another function
    seen.add(code)
    if code.co_filename.startswith(root):
        caller = frame.f_back
        while caller is not None and caller.f_code.co_name != "<module>":
            caller = caller.f_back
        if caller is None or caller.f_globals.get("__name__") in ("__main__", "__mp_main__"):
            print(code.co_filename[len(root):], code.co_qualname, file=file)
        else:
            seen.discard(code)
def stop(event, args):
    if event == "os.rename" and str(args[1]).endswith("tophat.json"):
        sys.setprofile(None)
sys.addaudithook(stop)
sys.setprofile(watch)
threading.setprofile(watch)
"""


def walk(jobs: int) -> set[tuple[str, str]]:
    """(file, function) of each that was entered."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        notes.mkdir()
        Path(folder, "sitecustomize.py").write_text(WATCH)
        package = Path(istsbench.__file__).parent
        known = {
            "PYTHONPATH": os.pathsep.join([folder, str(package.parent)]),
            "WALK_ROOT": f"{package}{os.sep}",
            "WALK_NOTES": str(notes),
        }
        words = ["-m", "istsbench", "run", "--methods", "tophat", "--dataset", "synthetic"]
        subprocess.run(
            [sys.executable, *words, "--limit", "2", "--jobs", str(jobs), "--out", f"{folder}/out"],
            env={**os.environ, **known},
            check=True,
            capture_output=True,
        )
        lines = [line for note in notes.iterdir() for line in note.read_text().splitlines()]
        found = set()
        for line in lines:
            file, _, function = line.rpartition(" ")
            found.add((file, function))
        return found


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--jobs", type=int, default=1)
    words.add_argument("--names", action="store_true", help="each function, not only how many")
    asked = words.parse_args()
    found = walk(asked.jobs)
    for file, number in sorted(Counter(file for file, _ in found).items()):
        print(f"{number:>4}  {file}")
        if asked.names:
            print("".join(f"        {name}\n" for name in sorted(n for f, n in found if f == file)))
    print(f"{len(found)} functions in {len({file for file, _ in found})} files")


if __name__ == "__main__":
    main()
