"""Predictions as each code base of the field leaves them: every folder by one command."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.errors import DataError, WrongUse
from istsbench.results.predictions import submit, submit_all
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.tables.table_vi import table_vi

NAMES = [f"test_{number}" for number in range(6)]


@pytest.fixture
def dataset(toy_folder):
    return open_dataset(f"folder:{toy_folder}")


@pytest.fixture
def masks(dataset):
    """The truth of the test images, bool (24, 32): one target of 3x3 pixels in each."""
    return {name: dataset.load(name).mask for name in NAMES}


@pytest.fixture
def score(toy_folder, tmp_path):
    """`istsbench score --pred FOLDER ...` on the toys: exit code, text, F1 by label."""

    def call(folder, *words):
        out = tmp_path / "out"
        words = ["--dataset", f"folder:{toy_folder}", "--out", out, *words]
        done = CliRunner().invoke(app, ["score", "--pred", str(folder), *map(str, words)])
        if done.exit_code:
            return done.exit_code, done.output, {}
        found = Results.load(out / "folder-toyset").summary("own", "pooled")
        return 0, " ".join(done.output.split()), dict(zip(found["label"], found["f1"], strict=True))

    return call


def picture(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)


def matlab(path, **variables):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def byte(mask):
    return mask * np.uint8(255)


def doubled(mask):
    """At twice the size: each pixel four times."""
    return np.kron(mask, np.ones((2, 2), mask.dtype))


def halved(mask):
    """At half of the size. Of the 3x3 target 2x2 pixels are left, which come back as 4x4."""
    return mask[1::2, 1::2]


HALVED = 2 * 9 / (9 + 16)  # F1 of 4x4 pixels that hold the target of 3x3


# ------------------------------------------------------------------ the five code bases


def test_basicirstd_and_sctransnet_a_folder_of_each_method(score, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "results" / "toyset" / "ACM" / f"{name}.png", byte(mask))
        picture(tmp_path / "results" / "toyset" / "SCTransNet" / f"{name}.png", 0 * byte(mask))
        # Results of another data set whose images happen to have the same names.
        picture(tmp_path / "results" / "NUDT-SIRST" / "ACM" / f"{name}.png", 0 * byte(mask))
    code, text, found = score(tmp_path / "results")
    assert code == 0, text
    assert found == {"ACM": 1, "SCTransNet": 0}


def dnanet(folder, masks, fitted):
    for name, mask in masks.items():
        picture(folder / f"{name}_Pred.png", byte(fitted(mask)))
        picture(folder / f"{name}_GT.png", byte(fitted(mask)))
        picture(folder / f"{name}.png", np.full((*fitted(mask).shape, 3), 77, np.uint8))
    return folder


@pytest.mark.parametrize("fitted, f1", [(doubled, 1), (halved, HALVED)])
def test_dnanet_pred_beside_truth_and_image_at_another_size(score, masks, tmp_path, fitted, f1):
    folder = dnanet(tmp_path / "visulization_result" / "run", masks, fitted)
    code, text, _ = score(folder)
    size = {doubled: "64x48", halved: "16x12"}[fitted]
    assert code == 1 and f"test_0_Pred.png: {size}, expected the size of the image, 32x24" in text
    assert "--resize brings maps to the size of their images" in text
    assert not (tmp_path / "out").exists()
    code, text, found = score(folder, "--resize", "--label", "DNANet")
    assert code == 0, text
    assert found == {"DNANet": pytest.approx(f1, rel=1e-12)}
    assert f"DNANet: 6 of 6 maps from {size} resized to the size of their images (bilinear)" in text
    assert "NAME_Pred files are taken; NAME and NAME_GT beside them are image and truth" in text


def test_dnanet_never_takes_an_image_for_a_prediction(score, masks, tmp_path):
    folder = dnanet(tmp_path / "run", masks, doubled)
    (folder / "test_3_Pred.png").unlink()
    code, text, _ = score(folder, "--resize")
    assert code == 1 and "no prediction for 1 of 6 images: test_3 (expected test_3.png" in text


def test_l2sknet_arrays_and_pictures_of_several_methods(score, masks, tmp_path):
    for name, mask in masks.items():
        for model, fade in (("L2SKNet_UNet", 0.9), ("L2SKNet_FPN", 0.4)):
            scores = mask * fade
            matlab(tmp_path / "result" / "toyset" / "mat" / model / f"{name}.mat", T=scores)
            preview = (255 * scores).astype(np.uint8)
            picture(tmp_path / "result" / "toyset" / "img" / model / f"{name}.png", preview)
    code, text, found = score(tmp_path / "result")
    assert code == 0, text
    assert found == {"L2SKNet_UNet": 1, "L2SKNet_FPN": 0}
    assert "toyset/mat/L2SKNet_UNet: arrays are taken, the pictures in toyset/img/L2SK" in text


def test_rpcanet_arrays_and_pictures_below_the_method(score, masks, tmp_path):
    for name, mask in masks.items():
        place = tmp_path / "pngResult" / "toyset" / "RPCANet"
        matlab(place / "mat" / f"{name}.mat", T=doubled(mask).astype(np.float32))
        picture(place / "img" / f"{name}.png", byte(doubled(mask)))
    code, text, found = score(tmp_path / "pngResult", "--resize")
    assert code == 0, text
    assert found == {"RPCANet": 1}


def test_drpcanet_arrays_and_pictures_of_one_method(score, masks, tmp_path):
    for name, mask in masks.items():
        matlab(tmp_path / "result" / "toyset" / "mat1" / f"{name}.mat", T=halved(mask) * 1.0)
        picture(tmp_path / "result" / "toyset" / "img1" / f"{name}.png", byte(halved(mask)))
    code, text, found = score(tmp_path / "result", "--resize", "--label", "DRPCA-Net")
    assert code == 0, text
    assert found == {"DRPCA-Net": pytest.approx(HALVED, rel=1e-12)}


# ------------------------------------------------------------------ which files are meant


def test_any_suffix_by_its_name(score, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}_out.png", byte(mask))
        picture(tmp_path / "p" / f"{name}.png", 0 * byte(mask))
    code, text, found = score(tmp_path / "p", "--suffix", "_Out", "--label", "out")
    assert code == 0 and found == {"out": 1}, text
    code, text, found = score(tmp_path / "p", "--suffix", "", "--label", "plain")
    assert code == 0 and found == {"out": 1, "plain": 0}, text
    code, text, _ = score(tmp_path / "p", "--suffix", "_pred")
    assert code == 1 and "(expected test_0_pred.png" in text


def test_two_files_of_one_image_ask_for_the_suffix(score, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}_Pred.png", byte(mask))
        picture(tmp_path / "p" / f"{name}.png", 0 * byte(mask))
    code, text, _ = score(tmp_path / "p")
    assert code == 1 and "several predictions for test_0 (test_0.png, test_0_Pred.png)" in text
    code, text, found = score(tmp_path / "p", "--suffix", "_Pred")
    assert code == 0 and found == {"submitted": 1}, text


def test_what_is_missing_is_said_of_every_method_at_once(score, masks, tmp_path):
    for name, mask in masks.items():
        for model, without in (("A", ()), ("B", ("test_1", "test_4")), ("C", ("test_0",))):
            if name not in without:
                picture(tmp_path / "p" / model / f"{name}.png", byte(mask))
    code, text, _ = score(tmp_path / "p")
    assert code == 1 and not (tmp_path / "out").exists()
    assert "B: no prediction for 2 of 6 images: test_1, test_4 (exp" in text
    assert "C: no prediction for 1 of 6 images: test_0 (exp" in text


def test_a_folder_of_something_else_says_what_is_there(score, masks, tmp_path):
    picture(tmp_path / "p" / "sub" / "other.png", byte(masks["test_0"]))
    code, text, _ = score(tmp_path / "p")
    assert code == 1 and "no prediction for 6 of 6 images: test_0, test_1" in text
    assert "found 1 other files, sub/other.png" in text


def test_one_label_is_not_for_several_methods(dataset, masks, tmp_path):
    for model in "AB":
        for name, mask in masks.items():
            picture(tmp_path / "p" / model / f"{name}.png", byte(mask))
    with pytest.raises(WrongUse, match="predictions of 2 methods, A, B; .* leave --label out"):
        submit_all(tmp_path / "p", dataset, tmp_path / "out", label="Mine")
    assert not (tmp_path / "out").exists()


def test_methods_of_one_name_are_told_apart_by_their_folders(dataset, masks, tmp_path):
    for run in ("may", "june"):
        for name, mask in masks.items():
            picture(tmp_path / "p" / run / "ACM" / f"{name}.png", byte(mask))
    _, records = submit_all(tmp_path / "p", dataset, tmp_path / "out")
    assert [record.label for record in records] == ["june/ACM", "may/ACM"]


def test_a_row_takes_the_place_of_another_if_asked_to(score, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}.png", byte(mask))
    assert score(tmp_path / "p")[2] == {"submitted": 1}
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}.png", 0 * byte(mask))
    code, text, _ = score(tmp_path / "p")
    assert code == 2 and "--replace" in text
    code, text, found = score(tmp_path / "p", "--replace")
    assert code == 0 and found == {"submitted": 0}, text


# ------------------------------------------------------------------ sizes


def test_what_was_resized_is_part_of_what_identifies_results(dataset, masks, tmp_path):
    ids, out = [], tmp_path / "out"
    for label, fitted in (("plain", np.copy), ("large", doubled)):
        for name, mask in masks.items():
            picture(tmp_path / label / f"{name}.png", byte(fitted(mask)))
        folder, record = submit(tmp_path / label, dataset, out, label=label, resize=True)
        assert record.resized == ("" if label == "plain" else "6 of 6 maps from 64x48")
        results = Results.load(folder)
        ids.append(Protocol.of(results, "own").id)
        said = "large: 6 of 6 maps from 64x48 resized to the size of their images (bilinear)"
        assert (said in table_vi([results]).protocol[0]) == (label == "large")
    assert ids[0] != ids[1]
    assert Protocol.of(Results.load(folder, ["submitted(plain)"]), "own").id == ids[0]


def test_only_the_maps_of_another_size_are_resized(dataset, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}.png", byte(doubled(mask) if name == "test_2" else mask))
    folder, record = submit(tmp_path / "p", dataset, tmp_path / "out", resize=True)
    assert record.resized == "1 of 6 maps from 64x48"
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1


def test_rows_and_columns_exchanged_are_not_resized(dataset, masks, tmp_path):
    for name, mask in masks.items():
        matlab(tmp_path / "p" / f"{name}.mat", T=mask.T * 1.0)
    with pytest.raises(DataError, match="test_0.mat: 24x32, the image is 32x24: rows and columns"):
        submit(tmp_path / "p", dataset, tmp_path / "out", resize=True)


# ------------------------------------------------------------------ arrays


def test_npz_with_one_array_or_t(dataset, masks, tmp_path):
    for number, (name, mask) in enumerate(masks.items()):
        more = {"T": mask * 1.0, "time": np.zeros(3)} if number % 2 else {"any": mask * 1.0}
        (tmp_path / "p").mkdir(exist_ok=True)
        np.savez(tmp_path / "p" / f"{name}.npz", **more)
    folder, _ = submit(tmp_path / "p", dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1
    np.savez(tmp_path / "p" / "test_0.npz", a=mask, b=mask)
    with pytest.raises(DataError, match="test_0.npz: it holds a, b; expected the map as T"):
        submit(tmp_path / "p", dataset, tmp_path / "out")


def as_matlab_saves(values, kind):
    """A file of version 5 as MATLAB writes it: whole doubles (or truth values) kept as bytes."""

    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    flags = {"double": 6, "logical": 9 | 0x200}[kind]
    body = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack("<ii", *values.shape))
    body += struct.pack("<HH", 1, 1) + b"T\0\0\0" + element(2, values.astype("u1").tobytes("F"))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return head + element(14, body)


def test_an_empty_map_of_matlab_is_of_the_type_of_the_others(dataset, masks, tmp_path):
    for name, mask in masks.items():
        if name == "test_0":
            (tmp_path / "p").mkdir()
            (tmp_path / "p" / f"{name}.mat").write_bytes(as_matlab_saves(mask * 0, "double"))
        else:
            matlab(tmp_path / "p" / f"{name}.mat", T=mask * 0.75)
    folder, record = submit(tmp_path / "p", dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "recall"] == pytest.approx(5 / 6)
    assert not record.notes


@pytest.mark.parametrize("kind", ["double", "logical"])
def test_masks_that_matlab_keeps_as_bytes(dataset, masks, tmp_path, kind):
    (tmp_path / "p").mkdir()
    for name, mask in masks.items():
        (tmp_path / "p" / f"{name}.mat").write_bytes(as_matlab_saves(mask, kind))
    folder, record = submit(tmp_path / "p", dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1
    assert not record.notes  # nothing had to be guessed: the file says what 1 is


def test_a_new_kind_of_mat_file_says_what_to_do(dataset, masks, tmp_path):
    (tmp_path / "p").mkdir()
    head = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM"
    for name in masks:
        (tmp_path / "p" / f"{name}.mat").write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match="test_0.mat: a MATLAB file of version 7.3, .* '-v7'"):
        submit(tmp_path / "p", dataset, tmp_path / "out")


@pytest.mark.parametrize("shape", [(1, 1, 24, 32), (24, 32, 1), (1, 24, 32)])
def test_axes_of_batch_and_channel_are_dropped(dataset, masks, tmp_path, shape):
    (tmp_path / "p").mkdir()
    for name, mask in masks.items():
        np.save(tmp_path / "p" / f"{name}.npy", mask.astype(np.float32).reshape(shape))
    folder, _ = submit(tmp_path / "p", dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1


def test_bool_of_tifffile_is_refused_for_readers_see_it_inverted(dataset, masks, tmp_path):
    (tmp_path / "p").mkdir()
    for name, mask in masks.items():
        tifffile.imwrite(tmp_path / "p" / f"{name}.tif", mask)
    with pytest.raises(DataError, match="test_0.tif: written by tifffile from an array of bool"):
        submit(tmp_path / "p", dataset, tmp_path / "out")
    for name, mask in masks.items():
        Image.fromarray(mask).save(tmp_path / "p" / f"{name}.tif")  # 1 bit as well
    folder, _ = submit(tmp_path / "p", dataset, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1


def test_links_to_folders_of_methods_are_followed(dataset, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "far" / "run7" / f"{name}.png", byte(mask))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "ACM").symlink_to(tmp_path / "far" / "run7")
    (tmp_path / "p" / "round").symlink_to(tmp_path / "p")
    _, records = submit_all(tmp_path / "p", dataset, tmp_path / "out")
    assert [record.label for record in records] == ["ACM"]


def test_hidden_files_and_previews_of_file_managers_are_no_predictions(dataset, masks, tmp_path):
    for name, mask in masks.items():
        picture(tmp_path / "p" / f"{name}.png", byte(mask))
        picture(tmp_path / "p" / ".cache" / f"{name}.png", 0 * byte(mask))
        (Path(tmp_path) / "p" / f"._{name}.png").write_bytes(b"not a picture")
    _, records = submit_all(tmp_path / "p", dataset, tmp_path / "out")
    assert [record.label for record in records] == ["submitted"]
