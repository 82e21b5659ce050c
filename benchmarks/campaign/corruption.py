"""Damaged files, as faults of the campaign: each is made again or refused, never used.

A file is cut, emptied, overwritten with zeros in part, or has one bit turned.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from campaign.ground import TAG, Ground, Trial, copied, difference, stamps
from istsbench.networks.checkpoint import read_checkpoint, read_weights

METHODS = "tophat,maxmean"
TRAINING = ("--epochs", 2, "--patch", 32, "--batch", 2, "--device", "cpu")
NETWORK = "acm(blocks=1,stem=tiny)"


def damage(path: Path, rng: np.random.Generator) -> str:
    """Damage a file in one of four ways; says how."""
    data = bytearray(path.read_bytes())
    how = str(rng.choice(["bit", "cut", "empty", "zeros"], p=[0.55, 0.2, 0.05, 0.2]))
    place = int(rng.integers(len(data)))
    if how == "bit":
        data[place] ^= 1 << int(rng.integers(8))
    elif how == "cut":
        data = data[:place]
    elif how == "empty":
        data = bytearray()
    else:
        length = min(64, len(data) - place)
        if not any(data[place : place + length]):
            data[place] ^= 1
        data[place : place + length] = bytes(length)
    path.write_bytes(data)
    return f"{path.name}: {how} at {place}"


def _table(ground: Ground, out: Path) -> tuple[int, str]:
    return ground.call("table", "VI", "--dataset", TAG, "--out", out)


def _results(pattern: str, spoilt: int, uncounted: bool = False) -> Callable:
    """Damage a file of finished results: `table` refuses or says the same, `run` mends."""

    def fault(ground: Ground) -> Iterator[Trial]:
        words = ("--methods", METHODS)
        reference = ground.reference(*words)[0]
        right = _table(ground, reference)
        for _ in ground.times(8, 2):
            out = copied(reference, ground.new())
            if uncounted:  # else nothing has to read the maps
                shutil.rmtree(out / TAG)
            path = ground.rng.choice(sorted(map(str, out.glob(pattern))))
            how = damage(Path(path), ground.rng)
            code, text = _table(ground, out)
            used = not uncounted and (code, text) != right and code != 1
            trial = ground.finish(out, *words, spoilt=spoilt)
            used = used or "Traceback" in text
            note = f"{how}: {text[-200:] if used else trial.note}" if used or trial.note else ""
            yield Trial(trial.survived, trial.lost, trial.equal and not used, note)

    return fault


def maps(ground: Ground) -> Iterator[Trial]:
    """a damaged map: made again"""
    yield from _results("maps/*/*/*.npy", spoilt=1, uncounted=True)(ground)


def counts(ground: Ground) -> Iterator[Trial]:
    """damaged counts (CSV): refused by `table`, made again by `run`"""
    yield from _results(f"{TAG}/t*t.csv", spoilt=0)(ground)


def records(ground: Ground) -> Iterator[Trial]:
    """a damaged record (JSON): refused by `table`, made again by `run`"""
    yield from _results(f"{TAG}/*.json", spoilt=0)(ground)


def curves(ground: Ground) -> Iterator[Trial]:
    """a damaged curve (CSV): made again"""
    yield from _results(f"{TAG}/curves/*.csv", spoilt=0)(ground)


def pictures(ground: Ground) -> Iterator[Trial]:
    """a damaged picture of the data set: named before any work, nothing written"""
    words = ("--methods", METHODS)
    for _ in ground.times(8, 2):
        path = Path(ground.rng.choice(sorted(map(str, ground.data.glob("*/*.png")))))
        whole, out = path.read_bytes(), ground.new()
        path.write_bytes(whole[: int(ground.rng.integers(len(whole) - 12))])
        code, text = ground.call(*ground.run_words(out, *words))
        used = path.stem.startswith("test")
        said = (code == 1 and path.name in text and not out.exists()) if used else code == 0
        path.write_bytes(whole)
        trial = ground.finish(out, *words)
        yield Trial(trial.survived and said, trial.lost, trial.equal, "" if said else text[-200:])


def packs(ground: Ground) -> Iterator[Trial]:
    """a damaged results pack: refused, nothing written"""
    words = ("--methods", METHODS)
    reference = ground.reference(*words)[0]
    pack = ground.folder / "pack.zip"
    if not pack.is_file():
        ground.call("export", pack, "--dataset", TAG, "--out", reference)
    for _ in ground.times(8, 2):
        bad, into = ground.folder / "bad.zip", ground.new()
        shutil.copy(pack, bad)
        how = damage(bad, ground.rng)
        code, text = ground.call("import", bad, "--out", into)
        refused = code == 1 and "Traceback" not in text and not into.exists()
        same = code == 0 and not _unlike_rows(reference, into)  # what no reader looks at
        yield Trial(refused or same, 0, refused or same, "" if refused or same else how)


def _unlike_rows(one: Path, other: Path) -> bool:
    files = [f"{TAG}/{name}.csv" for name in ("tophat", "maxmean")]
    return any((one / file).read_bytes() != (other / file).read_bytes() for file in files)


# ------------------------------------------------------------------ networks


def _trained(ground: Ground) -> Path:
    """A training of two epochs that has done one."""
    folder = ground.folder / "trained"
    if not folder.is_dir():
        _train(ground, folder, "--max-minutes", 0)
    return folder


def _train(ground: Ground, out: Path, *words: object) -> tuple[int, str]:
    data = ("--dataset", f"folder:{ground.data}")
    return ground.call("train", NETWORK, *data, *TRAINING, "--out", out, *words)


def checkpoints(ground: Ground) -> Iterator[Trial]:
    """a damaged checkpoint: refused in one line; the whole one goes on as if nothing was"""
    whole = ground.folder / "went-on"
    if not whole.is_dir():
        _train(ground, copied(_trained(ground), whole))
    for _ in ground.times(6):
        out = copied(_trained(ground), ground.new())
        path = Path(ground.rng.choice(sorted(map(str, out.glob("checkpoint*")))))
        kept = path.read_bytes()
        how = damage(path, ground.rng)
        code, text = _train(ground, out)
        refused = code in (1, 2) and "Traceback" not in text
        same = code == 0 and not unlike_training(whole, out)
        if refused:
            path.write_bytes(kept)
            code, text = _train(ground, out)
            same = code == 0 and not unlike_training(whole, out)
        yield Trial(same, 0, same, "" if same else f"{how}: {text[-200:]}")


def weights(ground: Ground) -> Iterator[Trial]:
    """a damaged weight file: the method fails with the reason, the others go on"""
    file = ground.folder / "acm.safetensors"
    shutil.copy(_trained(ground) / "best.safetensors", file)
    whole = file.read_bytes()
    words = ("--methods", f"tophat,acm(blocks=1,stem=tiny,weights='{file}')")
    reference = ground.reference(*words)[0]
    for _ in ground.times(6):
        out = ground.new()
        how = damage(file, ground.rng)
        code, text = ground.call(*ground.run_words(out, *words))
        refused = code == 1 and "failed: acm" in text and "Traceback" not in text
        beside = (out / TAG / "tophat.csv").is_file()
        same = code == 0 and not difference(reference, out)
        file.write_bytes(whole)
        trial = ground.finish(out, *words)
        good = (refused and beside) or same
        yield Trial(trial.survived and good, 0, trial.equal and good, "" if good else how)


def epoch_of(out: Path) -> int:
    """Epochs that the checkpoint of a training holds; reading it verifies it."""
    found = read_checkpoint(out)
    return 0 if found is None else int(found[1]["course"]["epoch"])


def unlike_training(one: Path, other: Path) -> str:
    """What differs between the weights of two trainings, in words."""
    for name in ("best.safetensors", "last.safetensors"):
        first, second = (read_weights(folder / name)[0] for folder in (one, other))
        for key in first:
            if not np.array_equal(first[key], second[key]):
                return f"{name}: {key} differs"
    plans = [(read_checkpoint(folder) or ({}, {}))[1].get("plan") for folder in (one, other)]
    return "" if plans[0] == plans[1] else "the plans differ"


def failures(ground: Ground) -> Iterator[Trial]:
    """a damaged record of a failed image: the image is tried again"""
    words = ("--methods", "faulty,tophat")
    out = ground.new()
    ground.call(*ground.run_words(out, *words))
    whole = copied(out, ground.new())
    for _ in ground.times(6):
        out = copied(whole, ground.new())
        shutil.rmtree(out / TAG)
        (path,) = out.glob("maps/*/*/*.failed.json")
        how = damage(path, ground.rng)
        before = stamps(out)
        code, text = ground.call(*ground.run_words(out, *words))
        again = stamps(out)
        good = code == 1 and "test_05" in text and "Traceback" not in text and before == again
        same = not difference(whole, out)
        yield Trial(good, 0, same, "" if good and same else f"{how}: {text[-200:]}")


FAULTS = {
    "damaged-maps": maps,
    "damaged-counts": counts,
    "damaged-records": records,
    "damaged-curves": curves,
    "damaged-failures": failures,
    "damaged-pictures": pictures,
    "damaged-packs": packs,
    "damaged-checkpoints": checkpoints,
    "damaged-weights": weights,
}
