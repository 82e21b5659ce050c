"""Methods that go wrong, as faults of the campaign: what stands beside them stays the same."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

from campaign.ground import TAG, Fault, Ground, Trial, copied, difference, made_again, stamps

BESIDE = "steady,tophat,maxmean,mpcm,pstnn"


def _fault(text: str, how: str, *words: object, code: int = 1, memory: int = 0) -> Fault:
    """A run beside `faulty`: the others' results are those of a run without it."""

    def attempt(ground: Ground) -> Trial:
        reference = ground.reference("--methods", BESIDE)[0]
        out, options = ground.new(), {}
        if memory:
            options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_AS, (memory,) * 2)
        relative = out.relative_to(ground.folder)  # some change the working directory
        command = ground.run(relative, "--methods", f"faulty(how={how}),{BESIDE}", *words)
        first, text = ground.call(*command, **options)
        before = stamps(out)
        unlike = difference(without(reference, ground.new()), without(out, ground.new()))
        again, _ = ground.call(*command, **options)
        fine = first == again == code and "Traceback" not in text
        note = unlike or ("" if fine else f"{first}: {text[-300:]}")
        return Trial(fine, made_again(before, out), not unlike, note)

    return Fault(f"a method that {text}", attempt, 2)


def without(out: Path, to: Path) -> Path:
    """A copy of results without figures and without the row and the maps of `faulty`."""
    if out.is_dir():
        copied(out, to)
    for path in [*to.glob(f"maps/{TAG}/faulty*"), *to.glob(f"{TAG}/**/faulty*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(to / TAG / "figures", ignore_errors=True)
    return to


FAULTS = {
    "raises": _fault("raises on one image", "raise"),
    "exits": _fault("calls sys.exit", "exit"),
    "hangs": _fault("hangs (`--timeout 2`)", "hang", "--timeout", 2),
    "dies": _fault("is killed for its memory (`--jobs 2`)", "die", "--jobs", 2),
    "eats-memory": _fault(
        "allocates until nothing is left (RLIMIT_AS)", "eat", "--jobs", 2, memory=6 * 2**30
    ),
    "prints": _fault("prints to stdout and stderr", "print", code=0),
    "closes-stdout": _fault("closes stdout", "close", code=0),
    "seeds": _fault("seeds numpy's global generator", "random", code=0),
    "seterr": _fault("makes numpy raise on underflow", "errors", code=0),
    "filters-warnings": _fault("turns warnings into errors", "warnings", code=0),
    "threads": _fault("changes the number of BLAS threads", "threads", code=0),
    "leaves-folder": _fault("changes the working directory", "folder", code=0),
    "environment": _fault("changes the environment", "environment", code=0),
}
