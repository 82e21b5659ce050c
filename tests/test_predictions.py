import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, WrongUse
from istsbench.registry import choose
from istsbench.results.predictions import submit
from istsbench.results.results import Results
from istsbench.runs import run as runner
from istsbench.runs.record import map_store
from istsbench.tables.table_vi import table_vi


@pytest.fixture
def dataset(toy_folder):
    return open_dataset(f"folder:{toy_folder}")


@pytest.fixture
def pred(toy_folder, tmp_path):
    """The masks of the toy data set as predictions."""
    return Path(shutil.copytree(toy_folder / "masks", tmp_path / "pred"))


def change(pred, name, function):
    path = str(pred / f"{name}.png")
    cv2.imwrite(path, function(cv2.imread(path, cv2.IMREAD_GRAYSCALE)))


def test_perfect_masks_score_one(dataset, pred, tmp_path):
    folder, record = submit(pred, dataset, tmp_path / "out", label="Mine")
    assert folder == tmp_path / "out" / "folder-toyset"
    assert [record.label, record.group, record.status] == ["Mine", *["submitted"] * 2]
    results = Results.load(folder)
    for reduction in ("image", "pooled"):
        row = results.summary("own", reduction).loc[0]
        for score in ("precision", "recall", "f1", "iou", "niou", "pd", "auc"):
            assert row[score] == 1, score
        assert row["fa"] == 0 and math.isnan(row["seconds"])


def test_what_lies_above_half_of_full_scale_is_the_mask(dataset, pred, tmp_path):
    grey = {"test_0": 127, "test_1": 128}
    for name, level in grey.items():
        change(pred, name, lambda mask, level=level: np.where(mask > 0, level, 0))
    folder, record = submit(pred, dataset, tmp_path / "out")
    rows = pd.read_csv(folder / f"{record.file}.csv").set_index(["image", "rule"])
    assert tuple(rows.loc["test_0", "own"][["tp", "fp", "fn"]]) == (0, 0, 9)
    assert tuple(rows.loc["test_1", "own"][["tp", "fp", "fn"]]) == (9, 0, 0)
    assert rows.loc["test_0", "oracle"]["tp"] == 9


def test_it_stands_among_methods_run_here(toys, dataset, pred, tmp_path):
    outcome = runner.run(choose("toy"), dataset, tmp_path / "out", show=False)
    folder, _ = submit(pred, dataset, tmp_path / "out", label="toy")
    assert folder == outcome.folder
    table = table_vi([Results.load(folder)])
    assert list(table.frame["method"]) == ["toy", "submitted(toy)"]
    assert table.frame["f1_folder-toyset"].iloc[1] == 1


def test_a_row_never_takes_the_place_of_another(dataset, pred, tmp_path):
    out = tmp_path / "out"
    folder, record = submit(pred, dataset, out)
    _, again = submit(pred, dataset, out)
    assert again == record
    files = sorted(path for path in out.rglob("*") if path.is_file())
    change(pred, "test_0", lambda mask: 0 * mask)
    with pytest.raises(WrongUse, match=r"row 'submitted' with other pred.* --label, or --replace"):
        submit(pred, dataset, out)
    assert sorted(path for path in out.rglob("*") if path.is_file()) == files
    assert Results.load(folder).summary("own", "image").loc[0, "recall"] == 1
    assert submit(pred, dataset, out, replace=True)[1].method == record.method
    results = Results.load(folder)
    assert len(results.records) == 1
    assert results.summary("own", "image").loc[0, "recall"] == pytest.approx(5 / 6)


def test_changed_masks_recount_old_predictions(toy_folder, pred, tmp_path):
    data = Path(shutil.copytree(toy_folder, tmp_path / "toyset"))
    for _ in range(2):
        folder, _ = submit(pred, open_dataset(f"folder:{data}"), tmp_path / "out")
        change(data / "masks", "test_0", lambda mask: np.roll(mask, 12, axis=1))
    results = Results.load(folder)
    assert results.complete("submitted(submitted)", "own")
    assert results.summary("own", "image").loc[0, "recall"] == pytest.approx(5 / 6)


def test_a_missing_prediction_is_named(dataset, pred, tmp_path):
    (pred / "test_3.png").unlink()
    with pytest.raises(
        DataError, match=r"no prediction for 1 of 6 images: test_3 \(expected test_3\.png"
    ):
        submit(pred, dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_prediction_of_another_size_is_named(dataset, pred, tmp_path):
    change(pred, "test_3", lambda mask: mask[:, :-1])
    with pytest.raises(DataError, match=r"test_3\.png: 31x24, expected the size.*32x24"):
        submit(pred, dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_missing_predictions_are_counted_in_one_refusal(dataset, pred, tmp_path):
    for name in ("test_1", "test_3", "test_4"):
        (pred / f"{name}.png").unlink()
    with pytest.raises(DataError, match="for 3 of 6 images: test_1, test_3, test_4 "):
        submit(pred, dataset, tmp_path / "out")


# ------------------------------------------------------------------ as codes of the field write


def written(pred, write):
    """The masks of `pred` written anew by `write(mask, path without an ending)`."""
    for path in sorted(pred.glob("*.png")):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0
        path.unlink()
        write(mask, path.with_suffix(""))
    return pred


WAYS = {
    "0 and 1": lambda m, p: cv2.imwrite(f"{p}.png", m.astype(np.uint8)),
    "_Pred": lambda m, p: cv2.imwrite(f"{p}_Pred.png", m * np.uint8(255)),
    "npy": lambda m, p: np.save(f"{p}.npy", m.astype(np.float32)),
    "npy of bool": lambda m, p: np.save(f"{p}.npy", m),
    "npy of int64": lambda m, p: np.save(f"{p}.npy", m.astype(np.int64)),
    "npy of int64 to 255": lambda m, p: np.save(f"{p}.npy", m.astype(np.int64) * 255),
    "npy, foreign bytes": lambda m, p: np.save(f"{p}.npy", m.astype(">f8")),
    "npy with channel": lambda m, p: np.save(f"{p}.npy", m.astype(np.float32)[None, None]),
    "mat": lambda m, p: savemat(f"{p}.mat", {"T": m.astype(float), "B": 1 - m.astype(float)}),
    "mat of one": lambda m, p: savemat(f"{p}.mat", {"out": m.astype(float)}),
    "16 bit": lambda m, p: cv2.imwrite(f"{p}.png", m * np.uint16(65535)),
    "tif of floats": lambda m, p: cv2.imwrite(f"{p}.tif", m.astype(np.float32)),
}


@pytest.mark.parametrize("way", WAYS)
def test_perfect_predictions_score_one_however_they_are_written(dataset, pred, tmp_path, way):
    folder, record = submit(written(pred, WAYS[way]), dataset, tmp_path / "out", label="Mine")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1
    said = ("predictions of 0 and 1: 1 is taken as full scale",)
    assert record.notes == (said if way in ("0 and 1", "npy of int64") else ())


def test_all_levels_of_16_bit_scores_are_kept(dataset, pred, tmp_path):
    levels = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) + 30_000
    written(pred, lambda mask, path: cv2.imwrite(f"{path}.png", levels))
    folder, record = submit(pred, dataset, tmp_path / "out")
    score = map_store(tmp_path / "out", record).load("test_0").score
    assert len(np.unique(score)) == levels.size
    np.testing.assert_allclose(score, levels / 65535, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda m, p: np.save(f"{p}.npy", m * 3.5), "floats up to 3.5; expected scores from 0 to"),
        (lambda m, p: np.save(f"{p}.npy", m - 0.5), "from -0.5 to 0.5; expected"),
        (lambda m, p: np.save(f"{p}.npy", m * np.nan), "NaN or infinite"),
        (lambda m, p: np.save(f"{p}.npy", m * 1j), "an array of complex128"),
        (lambda m, p: np.save(f"{p}.npy", m.astype(np.int32) * 700), "of int32 up to 700"),
        (lambda m, p: np.save(f"{p}.npy", np.stack([m, m])), r"array of shape \(2, 24, 32\)"),
        (lambda m, p: np.save(f"{p}.npy", np.array([m], object)), "not a readable array"),
        (lambda m, p: savemat(f"{p}.mat", {"A": m, "B": m}), "holds A, B; expected the map as T"),
        (lambda m, p: Path(f"{p}.mat").write_bytes(b"MATLAB 7.3"), "not a readable array"),
        (
            lambda m, p: cv2.imwrite(f"{p}.png", np.dstack([m * np.uint8(255)] * 3 + [m * 9])),
            "alpha channel that varies",
        ),
    ],
)
def test_scores_of_no_known_scale_are_refused_before_any_is_counted(
    dataset, pred, tmp_path, write, message
):
    with pytest.raises(DataError, match=message):
        submit(written(pred, write), dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_the_colours_of_a_map_are_no_scores(dataset, pred, tmp_path, depth):
    def coloured(mask, path):  # as a heat map is saved
        full = np.iinfo(depth).max
        cv2.imwrite(f"{path}.png", np.dstack([full * ~mask, 0 * mask, full * mask]).astype(depth))

    with pytest.raises(DataError, match="test_0.png: a coloured picture .* expected grey levels"):
        submit(written(pred, coloured), dataset, tmp_path / "out")


def test_grey_kept_as_colour_is_read(dataset, pred, tmp_path):
    def grey(mask, path):
        cv2.imwrite(f"{path}.png", np.dstack([mask * np.uint8(255)] * 3))

    folder, _ = submit(written(pred, grey), dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1


def test_the_images_themselves_are_no_predictions(dataset, toy_folder, tmp_path):
    with pytest.raises(DataError, match="these are the images of folder-toyset, not predictions"):
        submit(toy_folder / "images", dataset, tmp_path / "out")


def test_types_that_differ_are_refused(dataset, pred, tmp_path):
    np.save(pred / "test_0.npy", np.zeros((24, 32)))
    (pred / "test_0.png").unlink()
    with pytest.raises(DataError, match="predictions of float64 and uint8"):
        submit(pred, dataset, tmp_path / "out")


def test_two_predictions_of_one_image_are_refused(dataset, pred, tmp_path):
    shutil.copy(pred / "test_0.png", pred / "test_0_Pred.png")
    with pytest.raises(DataError, match=r"several predictions for test_0 \(test_0.png, test_0_P"):
        submit(pred, dataset, tmp_path / "out")


def test_an_unreadable_prediction_and_folder_are_named(dataset, pred, tmp_path):
    (pred / "test_3.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"test_3\.png: not a readable image"):
        submit(pred, dataset, tmp_path / "out")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        submit(tmp_path / "nowhere", dataset, tmp_path / "out")


@pytest.mark.parametrize("label", ["", "  \n"])
def test_an_empty_label_is_refused(dataset, pred, tmp_path, label):
    with pytest.raises(WrongUse, match="label"):
        submit(pred, dataset, tmp_path / "out", label=label)


@pytest.mark.parametrize("label", ["../../etc", "a/b", "ü & <b>", "x" * 300, "a\nb", "con:1?*"])
def test_any_label_is_a_file_inside_the_folder(dataset, pred, tmp_path, label):
    folder, record = submit(pred, dataset, tmp_path / "out", label=label)
    assert record.label == " ".join(label.split())
    (found,) = folder.glob("*.json")
    assert json.loads(found.read_text(encoding="utf-8"))["label"] == record.label
    assert Results.load(folder).complete(record.method, "own")
    table_vi([Results.load(folder)]).write(folder)


def test_labels_that_differ_do_not_share_files(dataset, pred, tmp_path):
    for label in ("a b", "a_b", "a/b"):
        folder, _ = submit(pred, dataset, tmp_path / "out", label=label)
    assert len(Results.load(folder).records) == 3
