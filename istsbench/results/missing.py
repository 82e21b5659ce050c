"""Score maps that are not stored although their counts are, and the command that makes them.

Counts, curves and figures travel with a repository or a pack; maps do not.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from istsbench.data.samples import Dataset, FolderDataset
from istsbench.errors import BrokenMethod, MissingWeights, WrongUse
from istsbench.provenance import method_hash
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.runs.record import Record, map_store
from istsbench.segmenter import Trainable


def missing_maps(results: Results, spec: str, images: Mapping[str, str | None]) -> tuple[str, ...]:
    """Those of the images, name -> hash of its pixels, that have no map here.

    A map of other pixels is none; without a hash any file will do.
    """
    store = map_store(results.folder.parent, results.records[spec])

    def there(name: str, pixels: str | None) -> bool:
        if pixels is None:
            return (store.folder / f"{name}.npy").is_file()
        stored = store.load(name)
        return stored is not None and stored.pixels == pixels

    return tuple(name for name, pixels in images.items() if not there(name, pixels))


def how_to_make(
    results: Results, missing: Mapping[str, tuple[str, ...]], dataset: Dataset | None = None
) -> str:
    """What to do about missing maps, spec -> images: the command that makes just these.

    Where the counts were made by other code than is here, a map would not be that of the counts,
    so that the command counts again; where the method is not here, nothing can be done.
    """
    same = {spec: _same_code(spec, results.records[spec]) for spec in missing}
    making = [spec for spec in missing if same[spec]]
    counting = [spec for spec in missing if same[spec] is False]
    neither = [results.records[spec].label for spec in missing if same[spec] is None]
    parts = []
    if making:
        images = list(dict.fromkeys(name for spec in making for name in missing[spec]))
        maps = sum(len(missing[spec]) for spec in making)
        command = _command(results, dataset, making, images)
        parts.append(f"{maps} missing {'map is' if maps == 1 else 'maps are'} made by {command}")
    if counting:
        command = _command(results, dataset, counting)
        parts.append(
            f"the counts of {len(counting)} are by other code or weights than those here, "
            f"{command} makes maps and counts again"
        )
    if neither:
        parts.append(f"not installed here, or rows of others: {', '.join(neither)}")
    return "; ".join(parts)


def can_be_made(results: Results, spec: str) -> bool:
    """Whether `how_to_make` has a command for the maps of a method."""
    return _same_code(spec, results.records[spec]) is not None


def _same_code(spec: str, record: Record) -> bool | None:
    """Whether the method here makes the maps that were counted; None if it is not here."""
    try:
        (choice,) = choose(spec)
        method = choice.create()
        if isinstance(method, Trainable):
            method = method.pretrained(record.dataset)
        same = method_hash(method) == record.method_hash
    except (WrongUse, BrokenMethod, MissingWeights, TypeError, ValueError, OSError):
        return None
    return same or (None if record.imported else False)


def _command(
    results: Results, dataset: Dataset | None, specs: list[str], images: list[str] | None = None
) -> str:
    record, out = results.any_record, results.folder.parent
    name = record.dataset
    if name.startswith("folder-"):
        known = isinstance(dataset, FolderDataset)
        name = f"folder:{dataset.root if known else 'PATH'}"  # type: ignore[union-attr]
    words = ["istsbench", "run", "--dataset", name, "--methods", ",".join(specs)]
    if record.split != "test":
        words += ["--split", record.split]
    if record.images < record.of:
        words += ["--limit", str(record.images)]
    if images is not None:
        counted = set(results.counts[specs[0]]["image"])
        if not counted.issuperset(images):  # those that `tuned` was chosen on
            words += ["--rules", "tuned"]
        between = ";" if any("," in name for name in images) else ","
        words += ["--maps", "all" if counted.issubset(images) else between.join(images)]
    if str(out) != "results":
        words += ["--out", str(out)]
    return f"`{shlex.join(words)}`"
