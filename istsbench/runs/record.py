"""What a run writes of a method: its record, its counts, its curve; and whether they are whole.

Counts under a rule that was not asked for this time stay: a run adds rules to what the same
code, parameters and images have left, and takes none away.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from istsbench.data.datasets import FolderDataset, picture_of, title_of
from istsbench.files import write_atomic
from istsbench.provenance import environment, method_hash, parameters
from istsbench.registry import Choice
from istsbench.runs.counting import Counted
from istsbench.runs.images import Images
from istsbench.runs.maps import STAMPS, MapStore
from istsbench.runs.seal import read_counts, read_record, sealed
from istsbench.segmenter import Segmenter, Trainable
from istsbench.threshold import RULES

REASONS = 3  # that a message names; a method can fail on each image in another way
_BY_SEED = ("seed", "epoch", "stop")  # of a plan: what trainings of one kind may differ in
FORMAT = 1  # of the counts; a change makes stored counts stale, not stored maps
LOST = "not tried after others were lost, or its map is gone, or its image changed; run again"
_OF_RULES = ("wanted", "tuning_hash", "notes")  # what differs by the rules that were asked for
_FREE = (*_OF_RULES, "folder")


def map_store(out: Path, record: dict) -> MapStore:
    """Where the maps behind a record lie in the results folder `out`."""
    name = f"{record['file']}-{record['method_hash']}"
    return MapStore(out / "maps" / record["dataset"] / name)


def of_method(choice: Choice, method: Segmenter, images: Images, wanted: Sequence[str]) -> dict:
    """What identifies the counts of a method; equal records mean equal counts."""
    return {
        "format": FORMAT,
        "method": choice.spec,
        "label": choice.label(type(method).card.label),
        "group": type(method).card.group,
        "venue": type(method).card.venue,
        "year": type(method).card.year,
        "status": type(method).card.status,
        "parameters": {
            # What a file holds is part of `method_hash`; where it lies differs by machine.
            key: value.name if isinstance(value, Path) else repr(value)
            for key, value in parameters(method).items()
        },
        "own": repr(method.threshold),
        "file": choice.file,
        "method_hash": method_hash(method),
        **_of_images(images),
        "tuning_hash": images.hash(images.tuning) if images.tuning else None,
        "wanted": list(wanted),
        "notes": [*images.notes, *_seen(method, images)],
        **training(choice, method),
    }


def _seen(method: Segmenter, images: Images) -> list[str]:
    """A note where a method has learnt from images that it is scored on, or may have."""
    if not isinstance(method, Trainable):
        return []
    plan, data = method.training_plan() or {}, images.dataset
    learnt, there = method.learnt_from(), plan.get("dataset", data.name)
    if learnt is not None:
        seen = {name for name in images.names if picture_of(images.pixels[name]) in learnt}
    elif there == data.name:
        seen = {*data.learnt(images.split)} & {*images.names}
    else:
        return [
            f"its weights are of {title_of(there)}, and their file does not say of which images: "
            "some of these may be among them"
        ]
    if not seen:
        return []
    return [f"{len(seen)} of {len(images.names)} images are for training or validation"]


def of_broken(choice: Choice, images: Images, reason: str) -> dict:
    """The record of a method that could not even be made."""
    return {
        "format": FORMAT,
        "method": choice.spec,
        "file": choice.file,
        "label": choice.spec,
        "group": "",
        "venue": "",
        "year": 0,
        "status": "",
        **_of_images(images),
        "failed": {"": reason},
    }


def _of_images(images: Images) -> dict:
    data = images.dataset
    path = data.root if isinstance(data, FolderDataset) else None
    named = data.name.startswith("folder-")
    return {
        # Folders may be called alike; of the path a hash is enough.
        **({"folder": _short(str(path.resolve()))} if path and named else {}),
        "dataset": data.name,
        "title": data.title,
        "split": images.split,
        "images": len(images.names),
        "of": len(data.names(images.split)),
        "data_hash": images.hash(images.names),
    }


def stored(folder: Path, file: str) -> dict:
    """The record of a method in a results folder; empty if there is no sound one."""
    try:
        return read_record(folder / f"{file}.json")
    except (OSError, ValueError):
        return {}


def write_record(folder: Path, record: dict) -> None:
    """Write OUT/TAG/METHOD.json."""
    text = json.dumps(sealed(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / f"{record['file']}.json", f"{text}\n".encode())


def whole(folder: Path, record: dict, retry_failed: bool) -> bool:
    """Whether these counts are on disk, undamaged, and perhaps those of other rules too."""
    found = stored(folder, record["file"])
    if not _alike(found, record) or not set(record["wanted"]) <= set(found["wanted"]):
        return False
    if "tuned" in record["wanted"] and found["tuning_hash"] != record["tuning_hash"]:
        return False
    failed = found.get("failed")
    if not isinstance(failed, dict) or LOST in failed.values() or (retry_failed and failed):
        return False
    return found.get("csv") == _sha(folder / f"{record['file']}.csv") and (
        found.get("curve") == _sha(folder / "curves" / f"{record['file']}.csv")
    )


def _alike(found: dict, record: dict) -> bool:
    """Whether two records differ at most by the rules that were asked for."""
    return all(k in found for k in _OF_RULES) and all(
        found.get(key) == value for key, value in record.items() if key not in _FREE
    )


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def write_counts(
    folder: Path,
    record: dict,
    counted: Counted,
    store: MapStore,
    failed: Mapping[str, str] | None = None,
) -> dict:
    """Write a method's counts, curve and completed record; return the record.

    `store` holds the maps that were counted.
    """
    found = stored(folder, record["file"])
    csv, kept = _joined(folder, record, counted, found)
    curve = counted.points.to_csv(index=False, float_format="%.9g").encode()
    write_atomic(folder / f"{record['file']}.csv", csv)
    write_atomic(folder / "curves" / f"{record['file']}.csv", curve)
    record = {
        **record,
        "rules": counted.rules,
        "auc": _number(counted.auc),
        "average_precision": _number(counted.average_precision),
        "failed": dict(failed or {}),
        "csv": hashlib.sha256(csv).hexdigest(),
        "curve": hashlib.sha256(curve).hexdigest(),
        "environment": _made_by(store),
    }
    if kept:
        record["wanted"] = [rule for rule in RULES if rule in (*record["wanted"], *kept)]
        both = {**found["rules"], **counted.rules}
        record["rules"] = {rule: both[rule] for rule in record["wanted"] if rule in both}
        record["tuning_hash"] = found["tuning_hash"] if "tuned" in kept else record["tuning_hash"]
        record["notes"] = list(dict.fromkeys([*record["notes"], *found["notes"]]))
    write_record(folder, record)
    return record


def _joined(folder: Path, record: dict, counted: Counted, found: dict) -> tuple[bytes, list[str]]:
    """The counts as a file, and the rules in it that are only in the file `found` speaks of."""
    new = counted.rows.to_csv(index=False).encode()
    kept = [rule for rule in found.get("wanted", ()) if rule not in record["wanted"]]
    if not kept or not found.get("csv") or not _alike(found, record):
        return new, []
    try:
        old = read_counts(folder / f"{record['file']}.csv", found)
    except (OSError, ValueError):
        return new, []
    ours, theirs = (
        pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False) for data in (new, old)
    )
    rows = pd.concat([ours, theirs[theirs["rule"].isin(kept)]])
    images = {name: place for place, name in enumerate(dict.fromkeys(rows["image"]))}
    order = {"image": images, "rule": {name: place for place, name in enumerate(RULES)}}
    rows = rows.sort_values(list(order), key=lambda column: column.map(order[str(column.name)]))
    return rows.to_csv(index=False).encode(), kept


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value


def stamp(store: MapStore, fresh: bool, device: str) -> None:
    """Leave beside the maps what makes them from now on; if that is all of them, alone.

    `device` is what the method computes on.
    """
    if fresh and not any(store.folder.glob("*.npy")):
        for path in store.folder.glob(STAMPS):
            path.unlink(missing_ok=True)
    text = json.dumps(environment(device), sort_keys=True)
    path = store.folder / STAMPS.replace("*", _short(text))
    if not path.is_file():
        write_atomic(path, text.encode())


def _made_by(store: MapStore) -> dict[str, str]:
    """What made the maps: where several machines or versions did, each of their names."""
    stamps = []
    for path in sorted(store.folder.glob(STAMPS)):
        try:
            stamps.append(dict(json.loads(path.read_bytes())))
        except (OSError, ValueError):
            continue
    stamps = stamps or [environment()]
    keys = dict.fromkeys(key for one in stamps for key in one)
    return {
        key: "; ".join(dict.fromkeys(str(one[key]) for one in stamps if key in one)) for key in keys
    }


def training(choice: Choice, method: Segmenter) -> dict[str, Any]:
    """What a record tells of how the weights of a method came to be.

    `trained`: the method and label without its weights, the seed, the split of the images, the
    epochs planned, and a hash of all else that decided the training. Nothing for methods that do
    not learn, and for weights whose file does not say.
    """
    plan = method.training_plan() if isinstance(method, Trainable) else None
    if plan is None:
        return {}
    changes = tuple(pair for pair in choice.changes if pair[0] != "weights")
    alike = {key: value for key, value in plan.items() if key not in _BY_SEED}
    digest = hashlib.sha256(json.dumps(alike, sort_keys=True).encode()).hexdigest()
    base, recipe = replace(choice, changes=changes), plan.get("recipe")
    return {
        "trained": {
            "method": base.spec,
            "label": base.label(type(method).card.label),
            "seed": plan["seed"],
            "split": plan.get("split"),
            **_home(plan.get("dataset")),
            "epochs": recipe.get("epochs") if isinstance(recipe, dict) else None,
            "plan": digest[:8],
        }
    }


def _home(dataset: object) -> dict[str, str]:
    """The data set that weights were trained on, by name and title."""
    return {"dataset": dataset, "title": title_of(dataset)} if isinstance(dataset, str) else {}


def by_reason(failed: Mapping[str, str]) -> str:
    """The reasons why images failed, with how many if they are several, in their order.

    `failed` holds the reason of each image by name.
    """
    counts = list(Counter(failed.values()).items())
    if len(counts) == 1:
        return counts[0][0]
    told = [f"{reason} ({number})" for reason, number in counts[:REASONS]]
    others = sum(number for _, number in counts[REASONS:])
    return "; ".join([*told, *([f"other reasons ({others})"] if others else [])])
