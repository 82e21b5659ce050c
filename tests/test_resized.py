"""Methods run on images that are resized as a public code resizes them."""

from dataclasses import replace

import numpy as np
import pytest

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError
from istsbench.registry import choose, create
from istsbench.results.profile_counts import count_under, resized_image
from istsbench.results.profiles import PROFILES
from istsbench.results.resized import counts_of_resized, resizes_images
from istsbench.results.results import Results
from istsbench.runs.run import run

PROFILE = PROFILES["drpcanet"]


@pytest.fixture(scope="module")
def dataset(toy_folder):
    return open_dataset(f"folder:{toy_folder}")


@pytest.fixture
def results(tmp_path, dataset):
    return Results.load(run(choose("tophat"), dataset, tmp_path, show=False).folder)


def test_levels_stay_whole_as_in_pictures_of_8_bit():
    image = np.zeros((512, 512))
    image[:, 1::2] = 3.0  # every new pixel lies between a 0 and a 3
    made = resized_image(PROFILE, image)
    assert made.shape == (256, 256) and made.dtype == np.float64
    assert (made == 2).all()  # 1.5, rounded
    wide = resized_image(PROFILES["dnanet"], image)
    assert wide.shape == (256, 256) and (wide == np.rint(wide)).all()


def test_codes_that_score_native_maps_get_native_images():
    image = np.arange(12.0).reshape(3, 4)
    for name in ("basicirstd", "sctransnet", "l2sknet"):
        assert not resizes_images(PROFILES[name])
        assert resized_image(PROFILES[name], image) is image
    assert all(resizes_images(PROFILES[name]) for name in ("dnanet", "rpcanet", "mshnet"))


def test_the_method_sees_the_resized_image(results, dataset):
    found = counts_of_resized(results, "tophat", PROFILE, dataset, show=False)
    sample = dataset.load("test_3")
    score = create("tophat").score(resized_image(PROFILE, sample.image)).astype(np.float32)
    by_hand = count_under(PROFILE, "test_3", score, sample.mask, False, of_resized=True).row
    assert found.set_index("image").loc["test_3"].to_dict() == {
        key: value for key, value in by_hand.items() if key != "image"
    }
    assert list(found["image"]) == list(dataset.names("test"))


def test_maps_are_kept_and_a_damaged_one_is_made_again(results, dataset):
    first = counts_of_resized(results, "tophat", PROFILE, dataset, show=False)
    paths = sorted(results.folder.parent.glob("maps/folder-toyset-drpcanet/tophat-*/*.npy"))
    assert len(paths) == len(first)
    times = [path.stat().st_mtime_ns for path in paths]
    paths[0].write_bytes(paths[0].read_bytes()[:-100])
    again = counts_of_resized(results, "tophat", PROFILE, dataset, show=False)
    assert first.equals(again)
    changed = [path.stat().st_mtime_ns for path in paths]
    assert changed[0] != times[0] and changed[1:] == times[1:]


def test_other_code_is_refused(results, dataset):
    record = replace(results.records["tophat"], method_hash="0123456789")
    other = replace(results, records={"tophat": record})
    with pytest.raises(DataError, match="by other code than is here"):
        counts_of_resized(other, "tophat", PROFILE, dataset, show=False)
