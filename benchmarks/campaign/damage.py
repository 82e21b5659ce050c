"""Damaged files, as faults of the campaign: each is made again or refused, never used.

A file is cut, emptied, overwritten with zeros in part, or has one bit turned.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from campaign.ground import TAG, Fault, Ground, Trial, copied, difference, made_again, stamps
from istsbench.networks.checkpoint import read_checkpoint, read_weights

WORDS = ("--methods", "tophat,maxmean")
TRAINING = ("--epochs", 3, "--patch", 32, "--batch", 2, "--device", "cpu")
NETWORK = "acm(blocks=1,stem=tiny)"


def damage(path: Path, rng: np.random.Generator) -> str:
    """Damage a file in one of four ways; says how."""
    data = bytearray(path.read_bytes())
    how = str(rng.choice(["bit", "cut", "empty", "zeros"], p=[0.55, 0.2, 0.05, 0.2]))
    place = int(rng.integers(len(data)))
    if how == "bit":
        data[place] ^= 1 << int(rng.integers(8))
    elif how == "zeros":
        part = data[place : place + 64]
        data[place : place + 64] = (b"\0" if any(part) else b"\xff") * len(part)
    else:
        del data[place if how == "cut" else 0 :]
    path.write_bytes(data)
    return f"{path.name}: {how} at {place}"


def _refused(code: int, text: str) -> bool:
    return code in (1, 2) and "Traceback" not in text


def _results(pattern: str, maps: bool = False) -> Callable[[Ground], Trial]:
    """Damage a file of finished results: `table` refuses or says the same, `run` mends."""

    def attempt(ground: Ground) -> Trial:
        reference = ground.reference(*WORDS)[0]
        out = copied(reference, ground.new())
        if maps:  # nothing has to read maps that are counted
            shutil.rmtree(out / TAG)
        how = damage(ground.one_of(out.glob(pattern)), ground.rng)
        right, found = (
            ground.call("table", "VI", "--dataset", TAG, "--out", folder)
            for folder in (reference, out)
        )
        good = maps or found == right or _refused(*found)
        wrong = "" if good else f"{how}: {found[1][-200:]}"
        return ground.finish(out, *WORDS, spoilt=maps, wrong=wrong)

    return attempt


def pictures(ground: Ground) -> Trial:
    path, out = ground.one_of(ground.data.glob("*/*.png")), ground.new()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(ground.rng.integers(len(whole) - 12))])
    code, text = ground.call(*ground.run(out, *WORDS))
    path.write_bytes(whole)
    used = path.stem.startswith("test")
    good = (code == 1 and path.name in text and not out.exists()) if used else code == 0
    return ground.finish(out, *WORDS, wrong="" if good else text[-200:])


def packs(ground: Ground) -> Trial:
    reference, into = ground.reference(*WORDS)[0], ground.new()
    pack = into.parent / "pack.zip"
    ground.call("export", pack, "--dataset", TAG, "--out", reference)
    how = damage(pack, ground.rng)
    code, text = ground.call("import", pack, "--out", into)
    rows = [f"{TAG}/tophat.csv", f"{TAG}/maxmean.csv"]  # the bit may be one that nobody reads
    same = code == 0 and all((reference / r).read_bytes() == (into / r).read_bytes() for r in rows)
    good = same or (_refused(code, text) and not into.exists())
    return Trial(good, 0, good, "" if good else f"{how}: {text[-200:]}")


def failures(ground: Ground) -> Trial:
    words = ("--methods", "faulty,tophat")
    out, whole = ground.new(), ground.new()
    ground.call(*ground.run(out, *words))
    copied(out, whole)
    shutil.rmtree(out / TAG)
    how = damage(ground.one_of(out.glob("maps/*/*/*.failed.json")), ground.rng)
    before = stamps(out)
    code, text = ground.call(*ground.run(out, *words))
    good = code == 1 and "test_05" in text and "Traceback" not in text
    unlike = difference(whole, out)
    note = unlike if good else f"{how}: {text[-200:]}"
    return Trial(good, made_again(before, out), not unlike, note)


# ------------------------------------------------------------------ networks


def _train(ground: Ground, out: Path, *words: object) -> tuple[int, str]:
    data = ("--dataset", f"folder:{ground.data}")
    return ground.call("train", NETWORK, *data, *TRAINING, "--out", out, *words)


def _begun(ground: Ground, done: bool = False) -> Path:
    """A training that has done one epoch, or, from there, all."""
    folder = ground.folder / ("went-on" if done else "begun")
    if not folder.is_dir():
        if done:
            copied(_begun(ground), folder)
        _train(ground, folder, *(() if done else ("--max-minutes", 0)))
    return folder


def checkpoints(ground: Ground) -> Trial:
    whole, out = _begun(ground, done=True), copied(_begun(ground), ground.new())
    path = ground.one_of(out.glob("checkpoint*"))
    kept = path.read_bytes()
    how = damage(path, ground.rng)
    code, text = _train(ground, out)
    if _refused(code, text):
        path.write_bytes(kept)
        code, text = _train(ground, out)
    good = code == 0 and not unlike_training(whole, out)
    return Trial(good, 0, good, "" if good else f"{how}: {text[-200:]}")


def weights(ground: Ground) -> Trial:
    file = ground.folder / "acm.safetensors"
    whole = (_begun(ground) / "best.safetensors").read_bytes()
    file.write_bytes(whole)
    words = ("--methods", f"tophat,acm(blocks=1,stem=tiny,weights='{file}')")
    reference, out = ground.reference(*words)[0], ground.new()
    how = damage(file, ground.rng)
    code, text = ground.call(*ground.run(out, *words))
    file.write_bytes(whole)
    refused = (
        _refused(code, text) and "failed: acm" in text and (out / TAG / "tophat.csv").is_file()
    )
    good = refused or (code == 0 and not difference(reference, out))
    return ground.finish(out, *words, wrong="" if good else f"{how}: {text[-200:]}")


def epochs_done(out: Path) -> int:
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


FAULTS = {
    "damaged-maps": Fault(
        "a damaged map: made again", _results("maps/*/*/*.npy", maps=True), 8, short=2
    ),
    "damaged-counts": Fault(
        "damaged counts (CSV): refused by `table`, made again by `run`",
        _results(f"{TAG}/t*t.csv"), 8, short=2,
    ),
    "damaged-records": Fault(
        "a damaged record (JSON): refused by `table`, made again by `run`",
        _results(f"{TAG}/*.json"), 8, short=2,
    ),
    "damaged-curves": Fault(
        "a damaged curve (CSV): made again", _results(f"{TAG}/curves/*.csv"), 8, short=2
    ),
    "damaged-failures": Fault(
        "a damaged record of a failed image: the image is tried again", failures, 6
    ),
    "damaged-pictures": Fault(
        "a damaged picture of the data set: named before any work, nothing written",
        pictures, 8, short=2,
    ),
    "damaged-packs": Fault("a damaged results pack: refused, nothing written", packs, 8, short=2),
    "damaged-checkpoints": Fault(
        "a damaged checkpoint: refused in one line; the whole one goes on as if nothing was",
        checkpoints, 6,
    ),
    "damaged-weights": Fault(
        "a damaged weight file: the method fails with the reason, the others go on", weights, 6
    ),
}  # fmt: skip
