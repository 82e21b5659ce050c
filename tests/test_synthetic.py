"""The embedded data set: the same everywhere, and as hard as its description says."""

import pickle

import numpy as np
import pytest

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import fingerprint
from istsbench.data.statistics import statistics
from istsbench.data.synthetic import BACKGROUNDS, COUNTS, synthetic

# A change of these changes every published number on the synthetic data set.
FINGERPRINT = "e3b45a3fbeb7b023"


@pytest.fixture(scope="module")
def dataset():
    return synthetic()


@pytest.fixture(scope="module")
def measured(dataset):
    return statistics(dataset, "all")


def test_is_the_same_on_every_machine(dataset):
    samples = [dataset.load(name) for name in dataset.names("all")]
    assert fingerprint((sample.name, sample.pixels) for sample in samples) == FINGERPRINT


def test_a_sample_depends_on_nothing_but_its_name_and_the_seed(dataset):
    alone = pickle.loads(pickle.dumps(open_dataset("synthetic"))).load("test_007")
    np.testing.assert_array_equal(alone.image, dataset.load("test_007").image)
    other = synthetic(seed=1).load("test_007")
    assert other.pixels != alone.pixels
    assert dataset.load("val_007").pixels != alone.pixels


def test_splits_and_backgrounds(dataset):
    assert {split: len(names) for split, names in dataset.splits.items()} == COUNTS
    assert len(dataset.names("all")) == sum(COUNTS.values())
    assert min(COUNTS.values()) >= len(BACKGROUNDS)  # each split shows each of them


def test_images_are_grey_levels(dataset):
    for name in dataset.names("test"):
        sample = dataset.load(name)
        assert sample.image.dtype == np.float64 and sample.mask.dtype == bool
        assert sample.image.shape == sample.mask.shape
        np.testing.assert_array_equal(sample.image, np.clip(np.round(sample.image), 0, 255))


def test_every_image_has_a_target_or_a_few(measured):
    assert measured.images["targets"].between(1, 3).all()


def test_targets_are_small(measured):
    areas = measured.targets["area"]
    assert areas.min() >= 5  # the plus
    assert 10 <= areas.median() <= 30
    assert (areas < 100).mean() > 0.9


def test_targets_are_bright_but_not_easy(measured):
    contrast, scr = measured.targets["contrast"], measured.targets["scr"]
    assert (contrast > 0).mean() > 0.97
    assert 25 <= contrast.median() <= 50
    assert np.isfinite(scr).all()
    assert 3 <= scr.median() <= 10
    assert (scr < 5).mean() > 0.2


def test_unknown_sample(dataset):
    with pytest.raises(KeyError, match="test_024"):
        dataset.load("test_024")
