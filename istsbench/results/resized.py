"""Methods run on images that are resized as the code of a profile resizes them.

A profile otherwise scores maps of native images, resized. Here it scores what the method makes of
the resized image, as that code does. The maps are kept in OUT/maps/DATASET-PROFILE, an image a
file, so that a run that is stopped goes on.
"""

from __future__ import annotations

import time

import pandas as pd

from istsbench.data.samples import Dataset
from istsbench.errors import DataError
from istsbench.progress import progress
from istsbench.provenance import method_hash
from istsbench.registry import choose
from istsbench.results.profile_counts import PROFILE_COLUMNS, count_under, resized_image
from istsbench.results.profiled import is_probability
from istsbench.results.profiles import NATIVE, Profile
from istsbench.results.results import Results
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.scoring import checked


def resizes_images(profile: Profile) -> bool:
    """Whether a code brings images to another size before its network."""
    return profile.image != NATIVE


def counts_of_resized(
    results: Results, spec: str, profile: Profile, dataset: Dataset, show: bool = True
) -> pd.DataFrame:
    """Rows as `PROFILE_COLUMNS` of the images of `results`, each scored at the profile's size.

    Raises `DataError` if the method here is not the one that the results are of.
    """
    record = results.records[spec]
    (choice,) = choose(spec)
    method = choice.create()
    if method_hash(method) != record.method_hash:
        raise DataError(
            f"{results.folder}: the counts of {record.label} are by other code than is here; run "
            "it again before it is run on resized images"
        )
    place = f"{record.dataset}-{profile.name}"
    store = MapStore.of(results.folder.parent, place, record.file, record.method_hash, record.depth)
    names = list(map(str, results.counts[spec]["image"].unique()))
    rows = []
    with progress(f"{profile.name}: {record.label} on resized images", len(names), show) as report:
        for name in names:
            sample = dataset.load(name)
            stored = store.load(name)
            if stored is None or stored.pixels != sample.pixels:
                image = resized_image(profile, sample.image, record.dataset)
                start = time.perf_counter()
                try:
                    score = checked(method.score(image), image)
                except Exception as error:  # methods raise many kinds
                    raise DataError(f"{record.label}: {name}, resized: {error}") from error
                stored = StoredMap(score, sample.pixels, time.perf_counter() - start)
                store.save(name, stored)
            counted = count_under(
                profile, name, stored.score, sample.mask, is_probability(record), record.dataset,
                of_resized=True,
            )  # fmt: skip
            rows.append(counted.row)
            report(name)
    return pd.DataFrame(rows, columns=[*PROFILE_COLUMNS])
