"""Folders as data sets are published, made of tiny pictures, and frames in folders of sequences."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import SOURCES, open_dataset
from istsbench.data.names import quoted
from istsbench.data.verify import verify
from istsbench.errors import DataError, UnknownName
from istsbench.results.predictions import submit
from istsbench.results.results import Results


def put(root, names, images="images", masks="masks", end="", kind="png"):
    """Pictures of 12x16 that all differ, with one target of 3x3 pixels."""
    for number, name in enumerate(names):
        image = np.random.default_rng(number + len(str(root))).integers(0, 90, (12, 16), np.uint8)
        mask = np.zeros((12, 16), np.uint8)
        mask[4:7, 5:8] = image[4:7, 5:8] = 255
        for path, pixels in (
            (root / images / f"{name}.{kind}", image),
            (root / masks / f"{name}{end}.{kind}", mask),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def checked(name, root):
    """The data set, opened, with every image of the default test split loaded; it is sound."""
    data = open_dataset(name, root)
    for one in data.names():
        assert data.load(one).mask.sum() == 9
    assert verify(name, root).ok, verify(name, root).findings
    return data


# ------------------------------------------------------------------ published folders


@pytest.mark.parametrize("end", ["", "_mask"])
def test_sirst_aug_whose_parts_number_their_images_alike(tmp_path, end):
    for part, number in (("trainval", 7), ("test", 2)):
        put(tmp_path / "sirst_aug" / part, [f"{i:06d}" for i in range(number)], end=end)
    data = checked("sirst-aug", tmp_path)
    assert data.names("test") == ("test/000000", "test/000001")
    assert len(data.names("train")) == 6 and len(data.names("val")) == 1
    assert data.notes == ("sirst_aug: images of two parts have one name, so they are called "
                          "PART/NAME",)  # fmt: skip
    put(tmp_path, ["000000", "000001"], masks="pred")
    folder, _ = submit(tmp_path / "pred", data, tmp_path / "out")
    assert Results.load(folder).summary("own", "image").loc[0, "f1"] == 1


def test_an_image_of_two_parts_would_be_learnt_and_tested(tmp_path):
    for part in ("trainval", "test"):
        put(tmp_path / "sirst-aug" / part, ["a", "b"])
    path = tmp_path / "sirst-aug" / "trainval" / "images" / "b.png"
    path.write_bytes((tmp_path / "sirst-aug" / "test" / "images" / "b.png").read_bytes())
    with pytest.raises(DataError, match="trainval/images/b.png: the same image as .*test/images/b"):
        open_dataset("sirst-aug", tmp_path)


def test_nudt_sirst_sea(tmp_path):
    root = put(tmp_path / "NUDT-SIRST-Sea", ["1_0", "1_1", "2_0"])
    write(root / "idx_4961+847" / "train.txt", "1_0", "1_1")
    write(root / "idx_4961+847" / "test.txt", "2_0")
    data = checked("nudt-sea", tmp_path)
    assert data.names() == data.names("idx_4961+847/test") == ("2_0",)


def test_sirst_v2(tmp_path):
    names = ["Misc_1", "Misc_2", "S1_1", "TH_1"]
    root = put(tmp_path / "open-sirst-v2", names, "mixed", "annotations/masks", "_pixels0")
    write(root / "annotations" / "masks" / "Misc_1.xml", "<annotation/>")
    write(root / "annotations" / "bboxes" / "Misc_1.xml", "<annotation/>")
    for split, members in (("train", names[:1]), ("val", names[1:2]), ("trainval", names[:2])):
        write(root / "splits" / f"{split}_full.txt", *members)
    write(root / "splits" / "test_full.txt", *names[2:])
    write(root / "splits" / "test_v1fullv2target.txt", "Misc_2")
    write(root / "splits" / "v2background.txt", "TH_1")
    data = checked("sirst-v2", tmp_path)
    assert data.names() == ("S1_1", "TH_1") and data.names("val") == ("Misc_2",)


def test_the_wrong_mask_of_nuaa_is_mended_in_sirst_v2_too(tmp_path):
    root = put(tmp_path / "sirst-v2", ["Misc_111"], "mixed", "annotations/masks", "_pixels0")
    path = root / "annotations" / "masks" / "Misc_111_pixels0.png"
    Image.fromarray(np.kron(np.asarray(Image.open(path)), np.ones((2, 2), np.uint8))).save(path)
    write(root / "splits" / "test_full.txt", "Misc_111")
    assert "resized to 16x12" in checked("sirst-v2", tmp_path).load("Misc_111").notes[0]


@pytest.mark.parametrize("part", ["real", "simulation"])
@pytest.mark.parametrize("listed", ["{}.txt", "{}_IRDST-{part}.txt", "img_idx/{}_IRDST-{part}.txt"])
def test_irdst_with_frames_of_the_same_number(tmp_path, part, listed):
    names = ["1/1", "1/2", "2/1", "10/1 (1)"]
    root = put(tmp_path / "IRDST" / part, names)
    write(root / listed.format("train", part=part), "/1/1", "/10/1 (1)")
    write(root / listed.format("test", part=part), "/2/1", "/1/2")
    data = checked(f"irdst-{part}", tmp_path)
    assert data.names() == ("2/1", "1/2")


def test_nuaa_as_the_kit_of_its_authors(data_root, tmp_path):
    root = tmp_path / "SIRSTdevkit"
    for folder in ("PNGImages", "SIRST/BinaryMask"):
        (root / folder).mkdir(parents=True)
    home = data_root / "nuaa"
    for path in (home / "images").glob("*.png"):
        (root / "PNGImages" / path.name).symlink_to(path)
        mask = f"{path.stem}_pixels0.png"
        (root / "SIRST" / "BinaryMask" / mask).symlink_to(home / "masks" / mask)
    for split in ("trainval", "test"):
        names = (home / "idx_427" / f"{split}.txt").read_text()
        write(root / "Splits" / f"{split}_v1.txt", names)
    data = open_dataset("nuaa", tmp_path)
    assert len(data.names()) == 86 and len(data.names("50_50/test")) == 214
    assert data.load("Misc_111").mask.any()


@pytest.mark.parametrize("name", SOURCES)
def test_every_data_set_says_how_its_folder_is_got(name, tmp_path):
    with pytest.raises(DataError, match="is not here; tried .*istsbench data fetch"):
        open_dataset(name, tmp_path)
    if name != "nuaa":  # the one that is fetched
        done = CliRunner().invoke(app, ["data", "fetch", name, "--data-root", str(tmp_path)])
        assert done.exit_code == 1 and f"istsbench data verify {name}" in done.output


# ------------------------------------------------------------------ frames of sequences


def opened(root):
    assert verify(f"folder:{root}").ok, verify(f"folder:{root}").findings
    return open_dataset(f"folder:{root}")


def test_frames_in_folders_of_sequences_are_samples(tmp_path):
    root = put(tmp_path / "mine", ["seq1/0001", "seq1/0002", "seq2/0001", "alone"])
    data = opened(root)
    assert data.names() == ("alone", "seq1/0001", "seq1/0002", "seq2/0001")
    assert data.load("seq2/0001").pixels != data.load("seq1/0001").pixels


def test_sequences_with_images_and_masks_in_each(tmp_path):
    for sequence in ("seq1", "seq2"):
        put(tmp_path / "mine" / sequence, ["0001", "0002"])
    write(tmp_path / "mine" / "train.txt", "seq1/0001", "seq1/0002")
    write(tmp_path / "mine" / "test.txt", "seq2/0002")
    data = opened(tmp_path / "mine")
    assert data.names() == ("seq2/0002",) and data.names("train") == ("seq1/0001", "seq1/0002")


def test_a_list_of_sequences_names_all_of_their_frames(tmp_path):
    root = put(tmp_path / "mine", ["seq1/0001", "seq1/0002", "seq2/0001"])
    write(root / "train.txt", "seq2")
    write(root / "test.txt", "images/seq1/")
    assert opened(root).names() == ("seq1/0001", "seq1/0002")


@pytest.mark.parametrize("line", ["seq3/0001", "0001", "other/seq1/0001"])
def test_a_frame_of_an_unknown_sequence_is_not_taken_for_another(tmp_path, line):
    root = put(tmp_path / "mine", ["seq1/0001", "seq2/0001"])
    write(root / "test.txt", "seq1/0001", line)
    with pytest.raises(DataError, match=f"test.txt: 1 of 2 names have no image, .* '{line}'"):
        open_dataset(f"folder:{root}")


def test_a_folder_beside_parts_is_not_left_out_in_silence(tmp_path):
    for part in ("train", "test", "more"):
        put(tmp_path / "mine" / part, [part])
    with pytest.raises(DataError, match="images in test, train and in more, which is no part"):
        open_dataset(f"folder:{tmp_path / 'mine'}")


def test_a_link_to_a_folder_of_frames_is_followed_and_a_circle_ends(tmp_path):
    root = put(tmp_path / "mine", ["a"])
    for folder in ("images", "masks"):
        (tmp_path / "far" / folder).mkdir(parents=True)
        (root / folder / "a.png").rename(tmp_path / "far" / folder / "a.png")
        (root / folder / "seq").symlink_to(tmp_path / "far" / folder)
        (root / folder / "round").symlink_to(root / folder)
    assert open_dataset(f"folder:{root}").names() == ("seq/a",)


def test_sequences_go_through_the_commands(tmp_path):
    root = put(tmp_path / "mine", ["seq1/0001", "seq1/0002", "seq2/0001"])
    out, data = tmp_path / "out", ["--dataset", quoted(f"folder:{root}")]

    def call(*words):
        done = CliRunner().invoke(app, [*map(str, words)])
        assert done.exit_code == 0, done.output
        return done.output

    call("run", *data, "--methods", "tophat", "--out", out)
    assert len(list((out / "maps").rglob("seq?/*.npy"))) == 3
    call("score", *data, "--pred", root / "masks", "--label", "Mine", "--out", out)
    call("plot", "gallery", *data, "--images", "seq2/0001", "--out", out)
    call("export", tmp_path / "p.zip", *data, "--out", out)
    told = call("import", tmp_path / "p.zip", *data, "--out", tmp_path / "theirs")
    assert "were made again from the masks and agree" in told
    told = call("plan", *data, "--methods", "tophat", "--out", out)
    assert "counted out: 3 maps that are there" in told


def test_flat_predictions_of_frames_are_refused(tmp_path):
    data = opened(put(tmp_path / "mine", ["seq1/0001", "seq2/0001"]))
    put(tmp_path, ["0001"], masks="pred")
    with pytest.raises(DataError, match="for 2 of 2 images: seq1/0001, seq2/0001 .expected seq1/"):
        submit(tmp_path / "pred", data, tmp_path / "out")


# ------------------------------------------------------------------ names that are nearly right


@pytest.mark.parametrize(
    "given, meant",
    [
        ("NUAA-SIRST", "nuaa"), ("SIRST", "nuaa"), ("IRSTD-1K", "irstd1k"), ("nudt_sirst", "nudt"),
        ("NUDT-SIRST-Sea", "nudt-sea"), ("SIRST_Aug", "sirst-aug"), ("SIRSTv2", "sirst-v2"),
    ],
)  # fmt: skip
def test_titles_and_folders_of_data_sets_are_answered_with_their_names(given, meant, tmp_path):
    for words in (["run", "--methods", "tophat"], ["table", "VI"], ["results", "remove", "ipi"]):
        done = CliRunner().invoke(app, [*words, "--dataset", given, "--out", str(tmp_path)])
        assert done.exit_code == 2 and f"did you mean {meant}?" in done.output, done.output


def test_a_path_is_answered_with_how_it_is_named(tmp_path):
    with pytest.raises(UnknownName, match=f"did you mean folder:{tmp_path}"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize(
    "given, meant", [("Test", "test"), ("training", "train"), ("idx_427", "idx_427/test"),
                     ("50-50/test", "50_50/test"), ("al", "all")]
)  # fmt: skip
def test_splits_that_are_nearly_right(data_root, given, meant):
    with pytest.raises(UnknownName, match=f"split of nuaa '{given}'; did you mean .*{meant}"):
        open_dataset("nuaa", data_root).names(given)
