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
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from spoiling import Rng, drawn_picture, pictures, spoilt, spoilt_json

from istsbench.data.datasets import open_dataset
from istsbench.data.images import decode
from istsbench.data.layouts import read_list
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

Case = Callable[[Path, Rng], None]


# ------------------------------------------------------------------ pictures


def images(folder: Path) -> Case:
    """Bytes of a picture -> grey pixels."""
    found = pictures()

    def case(folder: Path, rng: Rng) -> None:
        pixels = decode(drawn_picture(found, rng), "picture")
        assert pixels.dtype == np.uint8 and pixels.ndim == 2, "not grey pixels"

    return case


def lists(folder: Path) -> Case:
    """A split list -> names that are all known."""
    known = {f"Misc_{number}" for number in range(20)}
    lines = sorted(known)
    path = folder / "test.txt"

    def case(folder: Path, rng: Rng) -> None:
        chosen = [lines[place] for place in rng.integers(len(lines), size=rng.integers(1, 5))]
        ends = ["\n", "\r\n", ".png\n", " \n", "\n\n"]
        whole = "".join(name + ends[rng.integers(len(ends))] for name in chosen).encode()
        path.write_bytes(spoilt(whole, rng, whole) if rng.random() < 0.8 else whole)
        names = read_list(path, known)
        assert len(set(names)) == len(names) and set(names) <= known, "names that are not there"

    return case


def make_set(root: Path, number: int = 3) -> Path:
    """A small NUAA-like data set."""
    for part in ("images", "masks", "idx_427"):
        (root / part).mkdir(parents=True)
    names = [f"Misc_{index}" for index in range(number)]
    for index, name in enumerate(names):
        mask = np.zeros((24, 32), np.uint8)
        mask[11:14, 15:18] = 255
        Image.fromarray(scene(24, 32, index).astype(np.uint8)).save(root / f"images/{name}.png")
        Image.fromarray(mask).save(root / f"masks/{name}.png")
    (root / "idx_427" / "test.txt").write_text("\n".join(names))
    return root


def folders(folder: Path) -> Case:
    """A data-set folder with files and folders renamed, spoilt, doubled, gone."""
    whole, found = make_set(folder / "whole"), pictures(small=True)
    odd = ["images", "Masks", "x\n.png", "Misc_1.PNG", "Misc_0_pixels0.png", ".Misc_2.png", "ü.png",
           "train.txt", "-", "a" * 200, "Misc_1.png.png", "image"]  # fmt: skip

    def case(folder: Path, rng: Rng) -> None:
        root = folder / "case"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole, root)
        for _ in range(int(rng.integers(1, 4))):
            paths = sorted(root.rglob("*"))
            path = paths[rng.integers(len(paths))] if paths else root
            target = path.with_name(odd[rng.integers(len(odd))])
            kind = int(rng.integers(6))
            with contextlib.suppress(OSError):  # such a change is not possible there
                if kind == 0:
                    path.rename(target)
                elif kind == 1:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                elif kind == 2:
                    shutil.copy(path, target)
                elif kind == 3 and path.is_file():
                    path.write_bytes(drawn_picture(found, rng))
                elif kind == 4:
                    target.mkdir()
                else:
                    path.unlink()
                    path.symlink_to(target.name)
        dataset = open_dataset(f"folder:{root}")
        for split in dataset.splits:
            for name in dataset.names(split):
                sample = dataset.load(name)
                assert sample.image.shape == sample.mask.shape, "image and mask differ in size"

    return case


# ------------------------------------------------------------------ results


def maps(folder: Path) -> Case:
    """A stored map or failure: intact, or absent."""
    store = MapStore(folder / "maps")
    score = np.arange(12, dtype=np.float32).reshape(3, 4)
    store.save("a", StoredMap(score, "pixels", 0.5))
    store.fail("b", "pixels", "reason")
    files = [store.folder / "a.npy", store.folder / "b.failed.json"]
    whole = [file.read_bytes() for file in files]

    def case(folder: Path, rng: Rng) -> None:
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
    out = folder / "made"
    dataset = open_dataset("nuaa", folder / "data")
    run(choose("tophat,maxmean"), dataset, out, wanted=("own", "half"), show=False)
    export_pack(out / "nuaa", folder / "pack.zip")
    import_pack(folder / "pack.zip", folder / "whole", folder / "data")
    return folder / "data", folder / "whole"


SUMMARIES = ("own", "image"), ("half", "pooled")


def records(folder: Path) -> Case:
    """Counts, records and masks of a results folder -> one line a method."""
    _, whole = finished(folder)
    right = Results.load(whole / "nuaa")
    true = {rule: right.summary(rule, reduction) for rule, reduction in SUMMARIES}

    def case(folder: Path, rng: Rng) -> None:
        out = folder / "case"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        files = sorted(path for path in out.rglob("*") if path.is_file())
        path = files[rng.integers(len(files))]
        change = spoilt_json if path.suffix == ".json" else spoilt
        path.write_bytes(change(path.read_bytes(), rng))
        results = Results.load(out / "nuaa")
        rule, reduction = SUMMARIES[rng.integers(2)]
        assert results.summary(rule, reduction).equals(true[rule]), "another table"
        for spec in results.records:
            results.failure(spec)
            if spec in results.counts:
                masks = Masks.of(out, results, spec, "own")
                for name in masks.rows.index:
                    mask = masks(name)
                    assert mask is None or mask.dtype == bool, "no mask"

    return case


def packs(folder: Path) -> Case:
    """A results pack -> rows as they were, or nothing written."""
    data, whole = finished(folder)
    pack = (folder / "pack.zip").read_bytes()
    with zipfile.ZipFile(folder / "pack.zip") as archive:
        true = {name: archive.read(name) for name in archive.namelist()}

    def rebuilt(rng: Rng) -> bytes:
        """Members spoilt, their sums made again."""
        found = dict(true)
        name = sorted(true)[rng.integers(len(true))]
        change = spoilt_json if name.endswith(".json") else spoilt
        found[name] = change(found[name], rng)
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            for file in ("tophat", "maxmean"):
                record = json.loads(found[f"{file}/record.json"])
                masks = json.loads(found[f"{file}/masks.json"])
                record["csv"] = masks["csv"] = _sha(found[f"{file}/counts.csv"])
                record["curve"] = _sha(found[f"{file}/curve.csv"])
                found[f"{file}/record.json"] = json.dumps(record).encode()
                found[f"{file}/masks.json"] = json.dumps(masks).encode()
            manifest = json.loads(found["manifest.json"])
            for member in manifest["members"]:
                size = {"bytes": len(found[member]), "sha256": _sha(found[member])}
                manifest["members"][member] = size
            found["manifest.json"] = json.dumps(manifest).encode()
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in found.items():
                archive.writestr(name, content)
            if rng.random() < 0.1:
                archive.writestr(f"../evil{rng.integers(9)}", b"")
        return file.getvalue()

    def case(folder: Path, rng: Rng) -> None:
        inside = folder / "inside"
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        path, into = inside / "case.zip", inside / "into"
        path.write_bytes(rebuilt(rng) if rng.random() < 0.7 else spoilt(pack, rng, pack))
        try:
            import_pack(path, into, data)
        except DataError:
            assert sorted(inside.iterdir()) == [path], "something was written"
            raise
        for name in into.rglob("*"):
            assert into.resolve() in name.resolve().parents, "left its folder"
        assert {name.name for name in inside.iterdir()} == {"case.zip", "into"}, "left its folder"
        Results.load(into / "nuaa").summary("own", "image")

    return case


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ------------------------------------------------------------------ networks


def weights(folder: Path) -> Case:
    """A weight file -> the tensors that were saved."""
    path = folder / "net.safetensors"
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float32)}
    save_weights(path, tensors, {"architecture": {"network": "x"}, "scores": {"f1": 0.5}})
    whole = path.read_bytes()

    def case(folder: Path, rng: Rng) -> None:
        path.write_bytes(spoilt(whole, rng, whole))
        found, header = read_weights(path)
        assert isinstance(header, dict), "no header"
        assert found.keys() == tensors.keys(), "other tensors"
        for name in found:
            assert np.array_equal(found[name], tensors[name]), "other weights"

    return case


def checkpoints(folder: Path) -> Case:
    """A checkpoint -> the tensors and the state that were saved, or none."""
    whole, tensors = folder / "whole", {"a": np.arange(50.0), "b": np.ones((2, 2), np.float32)}
    state = {"plan": {"method": "x", "seed": 3}, "groups": {}, "course": {"epoch": 2}}
    save_checkpoint(whole, tensors, state)

    def case(folder: Path, rng: Rng) -> None:
        out = folder / "case"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        files = sorted(out.iterdir())
        path = files[rng.integers(len(files))]
        change = spoilt_json if path.suffix == ".json" else spoilt
        path.write_bytes(change(path.read_bytes(), rng))
        found = read_checkpoint(out)
        if found is not None:
            assert found[0].keys() == tensors.keys(), "other tensors"
            for name in tensors:
                assert np.array_equal(found[0][name], tensors[name]), "other weights"
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


def tables(folder: Path) -> Case:
    """A table of anyone's for `lint` -> rows and findings."""
    path = folder / "table.csv"

    def case(folder: Path, rng: Rng) -> None:
        whole = TABLES[rng.integers(len(TABLES))]
        path.write_bytes(spoilt(whole, rng, TABLES[rng.integers(len(TABLES))]))
        report = lint(path, claim=str(rng.choice(["unknown", "image", "pooled"])))
        assert all(str(finding) for finding in report.findings), "a finding without a word"
        assert report.pooled is not None

    return case


def predictions(folder: Path) -> Case:
    """A folder of prediction images -> a row of counts."""
    make_set(folder / "data" / "nuaa")
    dataset = open_dataset("nuaa", folder / "data")
    whole, found = folder / "data" / "nuaa" / "masks", pictures()

    def case(folder: Path, rng: Rng) -> None:
        given, out = folder / "case", folder / "out"
        for path in (given, out):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, given)
        path = given / f"Misc_{rng.integers(3)}.png"
        kind = rng.random()
        if kind < 0.7:
            path.write_bytes(drawn_picture(found, rng))
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


def words(folder: Path) -> Case:
    """What is typed after --methods and --set -> choices with safe names of files."""
    parts = [
        b"tophat(size=7)",
        b"ipi",
        b"hvs",
        b"mpcm(wanted='a b')",
        b"admd",
        b"admd(scales=(3, 5))",
    ]
    change = b"tophat.size=7"

    def case(folder: Path, rng: Rng) -> None:
        whole = b",".join(parts[place] for place in rng.integers(len(parts), size=2))
        text = spoilt(whole, rng, change).decode("utf-8", "replace")
        more = [spoilt(change, rng).decode("utf-8", "replace")] if rng.random() < 0.3 else []
        for choice in choose(text, more):
            assert "/" not in choice.file and not choice.file.startswith("."), "an unsafe name"
            assert len(choice.file.encode()) < 200, "too long a name"
            assert dataclasses.replace(choice) == choice and hash(choice), "not a value"

    return case


READERS: dict[str, Callable[[Path], Case]] = {
    "images": images,
    "lists": lists,
    "folders": folders,
    "maps": maps,
    "records": records,
    "packs": packs,
    "weights": weights,
    "checkpoints": checkpoints,
    "tables": tables,
    "predictions": predictions,
    "words": words,
}
