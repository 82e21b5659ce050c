"""Methods that go wrong, as faults of the campaign: what stands beside them stays the same."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from campaign.ground import TAG, Fault, Ground, Skipped, Trial, copied, difference, stamps

VICTIMS = "steady,tophat,maxmean,mpcm,pstnn"


def _beside(ground: Ground, how: str, *words: object, code: int = 1, **options: object) -> Trial:
    """A run of the victims beside `faulty`: their results are those of a run without it."""
    methods = f"faulty(how={how}),{VICTIMS}"
    reference = without(ground.reference("--methods", VICTIMS)[0], ground.folder / "alone")
    out = ground.new()
    command = [
        *ground.run_words(Path(out.name), "--methods", methods, *words)
    ]  # by a relative path
    found, text = ground.call(*command, **options)
    before = stamps(out)
    undisturbed = without(reference, ground.folder / "undisturbed")
    unlike = difference(undisturbed, without(out, ground.folder / "victims"))
    again, _ = ground.call(*command, **options)
    after = stamps(out)
    redone = sum(after.get(path) != stamp for path, stamp in before.items())
    fine = found == again == code and "Traceback" not in text
    return Trial(fine, redone, not unlike, unlike or ("" if fine else f"{found}: {text[-300:]}"))


def without(out: Path, to: Path) -> Path:
    """A copy of results without the row and the maps of `faulty`."""
    shutil.rmtree(to, ignore_errors=True)
    if out.is_dir():
        copied(out, to)
    for path in [*to.glob(f"maps/{TAG}/faulty*"), *to.glob(f"{TAG}/**/faulty*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in to.glob(f"{TAG}/figures/*"):  # which figures there are is compared elsewhere
        path.unlink()
    return to


@dataclass(frozen=True)
class Bad:
    """A way to go wrong, the words of the command, and the exit code that is in order."""

    how: str
    words: tuple[object, ...] = ()
    code: int = 1
    limit: int = 0  # bytes of address space

    @property
    def options(self) -> dict[str, object]:
        if not self.limit:
            return {}
        return {
            "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (self.limit, self.limit))
        }


BAD = {
    "raises": Bad("raise"),
    "exits": Bad("exit"),
    "hangs": Bad("hang", ("--timeout", 2)),
    "dies": Bad("die", ("--jobs", 2)),
    "eats-memory": Bad("eat", ("--jobs", 2), limit=6 * 2**30),
    "prints": Bad("print", code=0),
    "closes-stdout": Bad("close", code=0),
    "seeds": Bad("random", code=0),
    "seterr": Bad("errors", code=0),
    "filters-warnings": Bad("warnings", code=0),
    "threads": Bad("threads", code=0),
    "leaves-folder": Bad("folder", code=0),
    "environment": Bad("environment", code=0),
}


def _bad(name: str) -> Fault:
    def fault(ground: Ground) -> Iterator[Trial]:
        bad = BAD[name]
        if "--timeout" in bad.words and "--timeout" not in ground.call("run", "--help")[1]:
            raise Skipped("this version of the command line has no --timeout")
        for _ in ground.times(2):
            yield _beside(ground, bad.how, *bad.words, code=bad.code, **bad.options)

    fault.__doc__ = f"a method that {SAID[name]}"
    return fault


SAID = {
    "raises": "raises on one image",
    "exits": "calls sys.exit",
    "hangs": "hangs (`--timeout 2`)",
    "dies": "is killed for its memory (`--jobs 2`)",
    "eats-memory": "allocates until nothing is left (RLIMIT_AS)",
    "prints": "prints to stdout and stderr",
    "closes-stdout": "closes stdout",
    "seeds": "seeds numpy's global generator",
    "seterr": "makes numpy raise on underflow",
    "filters-warnings": "turns warnings into errors",
    "threads": "changes the number of BLAS threads",
    "leaves-folder": "changes the working directory",
    "environment": "changes the environment",
}

FAULTS = {name: _bad(name) for name in BAD}
