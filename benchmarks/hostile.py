"""Hostile inputs for every reader, and what each reader promises of what it lets in.

`READERS` maps a name to a function that lays out valid inputs below a folder and returns
the case: it draws one spoilt input, reads it, and asserts the promise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from spoiling import Rng, one_picture, pictures, spoilt, spoilt_json

from istsbench.data.datasets import open_dataset
from istsbench.data.images import decode
from istsbench.data.lists import read_list
from istsbench.data.synthetic import scene
from istsbench.errors import DataError
from istsbench.networks.checkpoint import (
    read_checkpoint,
    read_weights,
    save_checkpoint,
    save_weights,
)
from istsbench.registry import choose
from istsbench.results.masks import Masks
from istsbench.results.packs import export_pack, import_pack
from istsbench.results.predictions import submit
from istsbench.results.results import Results
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.run import run
from istsbench.tables.lint import lint

T = TypeVar("T")
Case = Callable[[Rng], None]
READERS: dict[str, Callable[[Path], Case]] = {}


def reader(lay_out: Callable[[Path], Case]) -> Callable[[Path], Case]:
    """Enter a reader under the name of its function."""
    READERS[lay_out.__name__] = lay_out
    return lay_out


def one_of(choices: Sequence[T], rng: Rng) -> T:
    return choices[rng.integers(len(choices))]


def anew(whole: Path, to: Path) -> Path:
    """A fresh copy of a folder."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(whole, to))


def spoil_one(folder: Path, rng: Rng) -> None:
    """Spoil one of the files below a folder."""
    path = one_of(sorted(path for path in folder.rglob("*") if path.is_file()), rng)
    change = spoilt_json if path.suffix == ".json" else spoilt
    path.write_bytes(change(path.read_bytes(), rng))


def make_set(root: Path) -> Path:
    """A small NUAA-like data set."""
    for part in ("images", "masks", "idx_427"):
        (root / part).mkdir(parents=True)
    mask = np.zeros((24, 32), np.uint8)
    mask[11:14, 15:18] = 255
    for index in range(3):
        name = f"Misc_{index}.png"
        Image.fromarray(scene(24, 32, index).astype(np.uint8)).save(root / "images" / name)
        Image.fromarray(mask).save(root / "masks" / name)
    (root / "idx_427" / "test.txt").write_text("Misc_0\nMisc_1\nMisc_2")
    return root


# ------------------------------------------------------------------ data sets


@reader
def images(folder: Path) -> Case:
    """Bytes of a picture -> grey levels, of 8 bit or deeper."""
    found = pictures()

    def case(rng: Rng) -> None:
        pixels = decode(one_picture(found, rng), "picture")
        assert pixels.dtype.kind in "uif" and pixels.ndim == 2, "not grey levels"
        assert pixels.size and np.isfinite(pixels).all(), "no pixel, or levels that are no number"

    return case


@reader
def lists(folder: Path) -> Case:
    """A split list -> names that are all known."""
    known, path = {f"Misc_{number}" for number in range(20)}, folder / "test.txt"
    ends = ["\n", "\r\n", ".png\n", " \n", "\n\n"]

    def case(rng: Rng) -> None:
        names = (one_of(sorted(known), rng) for _ in range(rng.integers(1, 5)))
        whole = "".join(name + one_of(ends, rng) for name in names).encode()
        path.write_bytes(spoilt(whole, rng, whole) if rng.random() < 0.8 else whole)
        found = read_list(path, known)
        assert len(set(found)) == len(found) and set(found) <= known, "names that are not there"

    return case


@reader
def folders(folder: Path) -> Case:
    """A data-set folder with files and folders renamed, spoilt, doubled, gone."""
    whole, root, found = make_set(folder / "whole"), folder / "case", pictures(small=True)
    odd = ["images", "Masks", "x\n.png", "Misc_1.PNG", "Misc_0_pixels0.png", ".Misc_2.png", "ü.png",
           "train.txt", "-", "a" * 200, "Misc_1.png.png", "image"]  # fmt: skip
    changes: list[Callable[[Path, Path, Rng], object]] = [
        lambda path, target, rng: path.rename(target),
        lambda path, target, rng: shutil.rmtree(path) if path.is_dir() else path.unlink(),
        lambda path, target, rng: shutil.copy(path, target),
        lambda path, target, rng: path.write_bytes(one_picture(found, rng)),
        lambda path, target, rng: target.mkdir(),
        lambda path, target, rng: (path.unlink(), path.symlink_to(target.name)),
    ]

    def case(rng: Rng) -> None:
        anew(whole, root)
        for _ in range(int(rng.integers(1, 4))):
            path = one_of([*sorted(root.rglob("*")), root / "new"], rng)
            with contextlib.suppress(OSError):  # such a change is not possible there
                one_of(changes, rng)(path, path.with_name(one_of(odd, rng)), rng)
        dataset = open_dataset(f"folder:{root}")
        for split in dataset.splits:
            for name in dataset.names(split):
                sample = dataset.load(name)
                assert sample.image.shape == sample.mask.shape, "image and mask differ in size"

    return case


# ------------------------------------------------------------------ results


@reader
def maps(folder: Path) -> Case:
    """A stored map or failure: intact, or absent."""
    store, score = MapStore(folder / "maps"), np.arange(12, dtype=np.float32).reshape(3, 4)
    store.save("a", StoredMap(score, "pixels", 0.5))
    store.fail("b", "pixels", "reason")
    files = [store.folder / "a.npy", store.folder / "b.failed.json"]
    whole = [file.read_bytes() for file in files]

    def case(rng: Rng) -> None:
        files[0].write_bytes(spoilt(whole[0], rng, whole[1]))
        files[1].write_bytes(spoilt_json(whole[1], rng))
        found = store.load("a")
        if found is not None:
            assert np.array_equal(found.score, score), "another map"
            assert (found.pixels, found.seconds) == ("pixels", 0.5), "another map's words"
        assert store.failure("b", "pixels") in (None, "reason"), "another reason"

    return case


def finished(folder: Path) -> tuple[Path, Path]:
    """A data root, and results of two methods with a pack's masks among them."""
    make_set(folder / "data" / "nuaa")
    dataset = open_dataset("nuaa", folder / "data")
    run(choose("tophat,maxmean"), dataset, folder / "made", wanted=("own", "half"), show=False)
    export_pack(folder / "made" / "nuaa", folder / "pack.zip")
    import_pack(folder / "pack.zip", folder / "whole", folder / "data")
    return folder / "data", folder / "whole"


@reader
def records(folder: Path) -> Case:
    """Counts, records and masks of a results folder -> one line a method."""
    whole, ways = finished(folder)[1], [("own", "image"), ("half", "pooled")]
    right = Results.load(whole / "nuaa")
    true = {way: right.summary(*way) for way in ways}

    def case(rng: Rng) -> None:
        out = anew(whole, folder / "case")
        spoil_one(out, rng)
        results, way = Results.load(out / "nuaa"), one_of(ways, rng)
        assert results.summary(*way).equals(true[way]), "another table"
        for spec in results.records:
            results.failure(spec)
            masks = Masks.of(out, results, spec, "own") if spec in results.counts else None
            for name in masks.rows.index if masks else ():
                mask = masks(name)
                assert mask is None or mask.dtype == bool, "no mask"

    return case


@reader
def packs(folder: Path) -> Case:
    """A results pack -> rows as they were, or nothing written."""
    data, _ = finished(folder)
    pack = (folder / "pack.zip").read_bytes()
    with zipfile.ZipFile(folder / "pack.zip") as archive:
        true = {name: archive.read(name) for name in archive.namelist()}

    def sha(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    def rebuilt(rng: Rng) -> bytes:
        """A member spoilt, the sums made again."""
        found, name = dict(true), one_of(sorted(true), rng)
        change = spoilt_json if name.endswith(".json") else spoilt
        found[name] = change(found[name], rng)
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            for file in ("tophat", "maxmean"):
                for part in ("record", "masks"):
                    content = json.loads(found[f"{file}/{part}.json"])
                    content["csv"] = sha(found[f"{file}/counts.csv"])
                    if part == "record":
                        content["curve"] = sha(found[f"{file}/curve.csv"])
                    found[f"{file}/{part}.json"] = json.dumps(content).encode()
            manifest = json.loads(found["manifest.json"])
            manifest["members"] = {
                member: {"bytes": len(found[member]), "sha256": sha(found[member])}
                for member in manifest["members"]
            }
            found["manifest.json"] = json.dumps(manifest).encode()
        if rng.random() < 0.1:
            found["../evil"] = b""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in found.items():
                archive.writestr(name, content)
        return file.getvalue()

    def case(rng: Rng) -> None:
        inside = folder / "inside"
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        path, into = inside / "case.zip", inside / "into"
        path.write_bytes(rebuilt(rng) if rng.random() < 0.7 else spoilt(pack, rng, pack))
        try:
            import_pack(path, into, data)
        except DataError:
            assert list(inside.iterdir()) == [path], "something was written"
            raise
        assert {*inside.iterdir()} == {path, into}, "left its folder"
        for name in into.rglob("*"):
            assert into.resolve() in name.resolve().parents, "left its folder"
        Results.load(into / "nuaa").summary("own", "image")

    return case


# ------------------------------------------------------------------ networks

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4)}


def check_tensors(found: dict[str, np.ndarray]) -> None:
    assert found.keys() == TENSORS.keys(), "other tensors"
    assert all(np.array_equal(found[name], TENSORS[name]) for name in found), "other weights"


@reader
def weights(folder: Path) -> Case:
    """A weight file -> the tensors that were saved."""
    path = folder / "net.safetensors"
    save_weights(path, TENSORS, {"architecture": {"network": "x"}, "scores": {"f1": 0.5}})
    whole = path.read_bytes()

    def case(rng: Rng) -> None:
        path.write_bytes(spoilt(whole, rng, whole))
        found, header = read_weights(path)
        assert isinstance(header, dict), "no header"
        check_tensors(found)

    return case


@reader
def checkpoints(folder: Path) -> Case:
    """A checkpoint -> the tensors and the state that were saved, or none."""
    state = {"plan": {"method": "x", "seed": 3}, "groups": {}, "course": {"epoch": 2}}
    save_checkpoint(folder / "whole", TENSORS, state)

    def case(rng: Rng) -> None:
        out = anew(folder / "whole", folder / "case")
        spoil_one(out, rng)
        found = read_checkpoint(out)
        if found is not None:
            check_tensors(found[0])
            assert found[1] == state, "another state"

    return case


# ------------------------------------------------------------------ tables, predictions, words

TABLES = [
    b"Method,P,R,F1,IoU\nTop-Hat,0.80,0.64,0.67,0.56\nIPI,76.5,81.7,76.2,66.2\n",
    b"Model;F-measure (NUAA);IoU (NUAA);F1 NUST;IoU NUST\nA;0.5;0.3;0.6;0.4\nB;50%;30 %;;\n",
    b"label,metric,value,dataset\nA,f1,0.5,nuaa\nA,iou,0.3,nuaa\nB,precision,.5,nuaa\n",
    b"Method,F1,IoU\nA,0.5e-1,.3\n# more\nB,5e1,0.3\n",
    b"# a note\nname\tprecision\trecall\tf1\nA\t\\textbf{0.9}\t1e-1\t**0.2**\n",
]


@reader
def tables(folder: Path) -> Case:
    """A table of anyone's for `lint` -> rows and findings."""
    path = folder / "table.csv"

    def case(rng: Rng) -> None:
        path.write_bytes(spoilt(one_of(TABLES, rng), rng, one_of(TABLES, rng)))
        report = lint(path, claim=one_of(["unknown", "image", "pooled"], rng))
        assert all(str(finding) for finding in report.findings), "a finding without a word"
        assert report.pooled is not None

    return case


@reader
def predictions(folder: Path) -> Case:
    """A folder of prediction images -> a row of counts."""
    make_set(folder / "data" / "nuaa")
    dataset, out = open_dataset("nuaa", folder / "data"), folder / "out"
    found = pictures()

    def case(rng: Rng) -> None:
        shutil.rmtree(out, ignore_errors=True)
        given = anew(folder / "data" / "nuaa" / "masks", folder / "case")
        path, kind = given / f"Misc_{rng.integers(3)}.png", rng.random()
        if kind < 0.7:
            path.write_bytes(one_picture(found, rng))
        elif kind < 0.8:
            path.rename(path.with_suffix(".tif"))
        elif kind < 0.9:
            path.unlink()
        else:
            shutil.copy(path, path.with_suffix(".bmp"))
        label = spoilt(b"My net, 2", rng).decode("utf-8", "replace")
        where, record = submit(given, dataset, out, label=label)
        assert set(out.iterdir()) == {out / "nuaa", out / "maps"}, "left its folder"
        assert len(Results.load(where).counts[record.method]), "no counts"

    return case


@reader
def words(folder: Path) -> Case:
    """What is typed after --methods and --set -> choices with safe names of files."""
    parts = [b"tophat(size=7)", b"ipi", b"hvs", b"mpcm(wanted='a b')", b"admd",
             b"admd(scales=(3, 5))"]  # fmt: skip
    change = b"tophat.size=7"

    def case(rng: Rng) -> None:
        whole = one_of(parts, rng) + b"," + one_of(parts, rng)
        text = spoilt(whole, rng, change).decode("utf-8", "replace")
        more = [spoilt(change, rng).decode("utf-8", "replace")] if rng.random() < 0.3 else []
        for choice in choose(text, more):
            assert "/" not in choice.file and not choice.file.startswith("."), "an unsafe name"
            assert len(choice.file.encode()) < 200, "too long a name"
            assert dataclasses.replace(choice) == choice and hash(choice), "not a value"

    return case
