"""Target statistics against hand-computed answers and the counts known of NUAA-SIRST."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset, Sample
from istsbench.data.statistics import measure, statistics, summary
from istsbench.figures.statistics import distributions, save
from istsbench.figures.style import Layout


def only(sample, margin=None):
    (target,) = measure(sample, margin)
    return target


def scene(shape, *boxes, background=None):
    image = np.zeros(shape) if background is None else background.astype(float).copy()
    mask = np.zeros(shape, bool)
    for rows, columns, level in boxes:
        image[rows, columns], mask[rows, columns] = level, True
    return Sample("a", image, mask)


@dataclass(frozen=True)
class Scenes(Dataset):
    samples: tuple[Sample, ...] = ()

    def load(self, name):
        return next(sample for sample in self.samples if sample.name == name)


def scenes(*samples):
    names = tuple(sample.name for sample in samples)
    return Scenes("made", "Made [1]", {"train": names[:1], "test": names[1:]}, samples)


def test_by_hand():
    background = np.indices((9, 12)).sum(axis=0) % 2 * 4.0 + 10  # 10 and 14 in turn
    target = only(scene((9, 12), (slice(3, 6), slice(4, 8), 32.0), background=background))
    assert (target["row"], target["column"]) == (4, 5.5)
    assert (target["area"], target["width"], target["height"]) == (12, 4, 3)
    # 9 x 12 pixels are three times the box; the target is 12 of them, six of each level.
    assert target["contrast"] == 20 and target["scr"] == 10


def test_neighbourhood_is_three_times_the_box_or_a_margin():
    image = scene((40, 40), (slice(20, 22), slice(20, 21), 50.0))
    image.image[17, 20] = 90  # three rows above: outside of 2 + 2 + 2 rows, inside of a margin of 3
    assert only(image)["contrast"] == 50
    pixels = 8 * 7 - 2
    assert only(image, margin=3)["contrast"] == pytest.approx(50 - 90 / pixels, rel=1e-12)


def test_neighbourhood_is_cut_at_the_border():
    image = scene((6, 6), (slice(0, 2), slice(0, 2), 80.0))
    image.image[:4, 2] = 16  # 4 of the 12 pixels that are left
    assert only(image)["contrast"] == pytest.approx(80 - 16 / 3, rel=1e-12)


def test_pixels_of_other_targets_are_no_background():
    image = scene((9, 9), (4, 4, 100.0), (4, 6, 200.0), background=np.eye(9))
    near = next(measure(image, margin=2))
    assert near["contrast"] == pytest.approx(100 - 4 / 23, rel=1e-12)


def test_diagonal_neighbours_are_one_target():
    assert only(scene((5, 5), (1, 1, 9.0), (2, 2, 9.0)))["area"] == 2


def test_flat_neighbourhood_is_infinite_and_no_contrast_is_undefined():
    assert only(scene((5, 5), (2, 2, 9.0)))["scr"] == np.inf
    assert np.isnan(only(scene((5, 5), (2, 2, 0.0)))["scr"])
    alone = only(scene((1, 1), (0, 0, 9.0)))
    assert np.isnan(alone["scr"]) and np.isnan(alone["contrast"])


def test_dark_target_has_negative_contrast_and_positive_scr():
    background = np.indices((9, 12)).sum(axis=0) % 2 * 2.0 + 50
    target = only(scene((9, 12), (slice(3, 6), slice(4, 8), 31.0), background=background))
    assert target["contrast"] == -20 and target["scr"] == 20


@pytest.fixture
def measured():
    noise = np.random.default_rng(0).normal(50, 5, (30, 30))
    return statistics(
        scenes(
            Sample("empty", noise, np.zeros((30, 30), bool)),
            scene((30, 30), (4, 4, 90.0), (slice(9, 20), slice(9, 20), 90.0), background=noise),
            Sample("flat", np.zeros((9, 20)), np.indices((9, 20))[1] == 3),
        )
    )


def test_frames_and_summary(measured):
    assert measured.images["targets"].tolist() == [0, 2, 1]
    assert measured.targets["image"].tolist() == ["a", "a", "flat"]
    row = summary([measured]).iloc[0]
    assert (row["trainval"], row["test"], row["images"], row["targets"]) == (1, 2, 3, 3)
    assert (row["width"], row["height"]) == ("20..30", "9..30")
    assert row["images_with_one"] == pytest.approx(1 / 3)
    assert row["area_below_100"] == pytest.approx(2 / 3)
    assert row["scr_undefined"] == pytest.approx(1 / 3) and row["scr_infinite"] == 0


def test_summary_of_nothing_and_of_infinite_values():
    nothing = statistics(scenes(Sample("a", np.zeros((3, 3)), np.zeros((3, 3), bool))), "train")
    row = summary([nothing]).iloc[0]
    assert row["targets"] == 0 and np.isnan(row["scr_median"])
    distributions([nothing])
    infinite = statistics(scenes(scene((5, 5), (2, 2, 9.0))), "train")
    row = summary([infinite]).iloc[0]
    assert row["scr_median"] == np.inf and row["scr_infinite"] == 1


def test_shares_of_the_picture(measured):
    number, area, scr = distributions([measured, measured]).axes
    for axes, expected in (
        (number, [100 / 3] * 3 + [0] * 4),
        (area, [200 / 3] + [0] * 9 + [100 / 3]),  # 1, 9 and 121 pixels
    ):
        for bars in axes.containers:
            heights = [bar.get_height() for bar in bars]
            np.testing.assert_allclose(heights, expected, rtol=0, atol=1e-9)
    assert [line.get_ydata()[-1] for line in scr.lines] == pytest.approx([100, 100])


@pytest.mark.parametrize("width", ["page", "column"])
def test_names_of_classes_stay_apart_and_the_last_has_no_end(measured, width):
    figure = distributions([measured, measured], Layout(width))
    figure.draw_without_rendering()
    for axes, last in zip(figure.axes, ("≥6", "≥100", "≥20"), strict=True):
        names = [text for text in axes.get_xticklabels() if text.get_text()]
        assert names[-1].get_text() == last
        extents = [text.get_window_extent() for text in names]
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(extents))


def test_numbers_above_bars_stay_apart_and_the_legend_outside():
    def split(counts):
        samples = [
            scene((9, 40), *((4, 3 * place + 1, 50.0) for place in range(count)))
            for count in counts
        ]
        named = [replace(sample, name=str(index)) for index, sample in enumerate(samples)]
        return statistics(scenes(*named))

    figure = distributions([split([1, 2, 3]), split([1, 2, 8]), split([1, 3, 8])])
    figure.draw_without_rendering()
    number, area, scr = figure.axes
    extents = [text.get_window_extent() for text in number.texts if text.get_text()]
    for index, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[:index])
        assert one.y1 <= number.get_window_extent().y1
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 6 and not any(axes.get_legend() for axes in figure.axes)
    assert not any(legend.get_window_extent().overlaps(a.get_window_extent()) for a in figure.axes)


def test_files(measured, tmp_path):
    files = save([measured], tmp_path / "new")
    assert [file.name for file in files] == [
        "statistics-made.csv",
        "made_all_images.csv",
        "made_all_targets.csv",
        "statistics-made.png",
        "statistics-made.pdf",
    ]
    assert files[3].read_bytes().startswith(b"\x89PNG") and files[4].read_bytes()[:4] == b"%PDF"
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in save([measured], tmp_path / "new")] == before


def test_fewer_sets_and_another_margin_take_no_name_of_more(measured, tmp_path):
    whole = save([measured, replace(measured, name="other")], tmp_path)
    before = {file: file.read_bytes() for file in whole}
    part = save([replace(measured, split="test")], tmp_path)
    shifted = save([replace(measured, targets=measured.targets[:1])], tmp_path, 5)
    assert "statistics-made-test.csv" in {file.name for file in part}
    assert "made_all_targets-margin5.csv" in {file.name for file in shifted}
    assert all(file.read_bytes() == content for file, content in before.items())


def test_a_margin_that_leaves_no_neighbourhood_is_refused(tmp_path):
    words = ["data", "stats", "synthetic", "--margin", "-3", "--out", str(tmp_path / "new")]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2 and not (tmp_path / "new").exists()
    assert "margin" in answer.stderr


def test_real_nuaa_has_the_known_targets(data_root):
    dataset = open_dataset("nuaa", data_root)
    row = summary([statistics(dataset)]).iloc[0]
    assert row["targets"] == 533
    assert (row["trainval"], row["test"]) == (341, 86)  # the paper's Table I
    assert row["width"] == "135..456"
    # What the paper says of its Fig. 4: more than 80 % and 90 %, and about 20 pixels.
    assert row["images_with_one"] > 0.8 and row["area_below_100"] > 0.9
    assert row["area_median"] == 20
    assert summary([statistics(dataset, "test")]).iloc[0]["targets"] == 109
