"""Folders, lists and pairs: every trap of the public data sets on tiny made files."""

import shutil

import numpy as np
import pytest
from PIL import Image

from istsbench.data.datasets import open_dataset, set_aside
from istsbench.data.images import pixel_hash, read_file
from istsbench.data.layouts import NUST_DAMAGED
from istsbench.data.manifest import read_manifest
from istsbench.data.samples import Sample, fingerprint
from istsbench.errors import DataError, UnknownName, WrongUse

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
MASK = np.zeros((4, 5), np.uint8)
MASK[1, 2] = 255


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make(root, names, suffix="", images="images", masks="masks"):
    for name in names:
        save(root / images / f"{name}.png", GREY)
        save(root / masks / f"{name}{suffix}.png", MASK)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def nuaa(tmp_path):
    root = tmp_path / "nuaa"
    make(root, ["Misc_1", "Misc_2", "Misc_3"], suffix="_pixels0")
    for split, number in (("train", 1), ("val", 2), ("test", 3)):
        write(root / "idx_427" / f"{split}.txt", f"Misc_{number}")
    return root


@pytest.fixture
def nust(tmp_path):
    root = tmp_path / "nust"
    for number in range(10):
        save(root / "training" / f"{number:06d}_1.png", GREY)
        save(root / "training" / f"{number:06d}_2.png", MASK)
    make(root, ["00000", "00001"], images="test_org", masks="test_gt")
    return root


# ------------------------------------------------------------------ samples


@pytest.mark.parametrize(
    "mask", [MASK, MASK > 0, np.dstack([MASK] * 3), MASK.astype(np.uint16) * 257]
)
def test_masks_of_any_depth_hold_the_target(nuaa, mask):
    save(nuaa / "masks" / "Misc_3_pixels0.png", mask)
    sample = open_dataset("nuaa", nuaa.parent).load("Misc_3")
    assert sample.image.dtype == np.float64 and sample.mask.dtype == bool
    np.testing.assert_array_equal(sample.image, GREY)
    np.testing.assert_array_equal(sample.mask, MASK > 0)


def test_mask_is_cut_at_half_of_full_scale(nuaa):
    save(nuaa / "masks" / "Misc_3_pixels0.png", np.array([[0, 127, 128, 255, 1]] * 4, np.uint8))
    mask = open_dataset("nuaa", nuaa.parent).load("Misc_3").mask
    np.testing.assert_array_equal(mask[0], [False, False, True, True, False])


def _indexed():
    picture = Image.fromarray(MASK // 255, "L").convert("P")
    picture.putpalette([0, 0, 0, 128, 0, 0])  # the second colour of many annotation tools
    return picture


@pytest.mark.parametrize(
    "mask, largest",
    [(Image.fromarray(MASK // 255), 1), (Image.fromarray(MASK // 2), 127), (_indexed(), 38)],
    ids=["0 and 1", "0 and 127", "palette"],
)
def test_a_mask_that_nobody_would_see_as_white_is_refused(nuaa, mask, largest):
    mask.save(nuaa / "masks" / "Misc_3_pixels0.png")
    message = f"Misc_3_pixels0.png: no mask pixel .* value is {largest}; expected 0 and 255"
    with pytest.raises(DataError, match=message):
        open_dataset("nuaa", nuaa.parent).load("Misc_3")


def test_a_mask_without_a_target_is_read(nuaa):
    save(nuaa / "masks" / "Misc_3_pixels0.png", 0 * MASK)
    assert not open_dataset("nuaa", nuaa.parent).load("Misc_3").mask.any()


def test_mask_of_another_size_is_refused(nuaa):
    save(nuaa / "masks" / "Misc_3_pixels0.png", np.zeros((8, 10), np.uint8))
    with pytest.raises(DataError, match=r"Misc_3_pixels0.png: mask of 10x8 .* 5x4 \(Misc_3.png\)"):
        open_dataset("nuaa", nuaa.parent).load("Misc_3")


def test_the_known_wrong_mask_is_resized_and_said(nuaa):
    make(nuaa, ["Misc_111"])
    save(nuaa / "masks" / "Misc_111.png", np.kron(MASK, np.ones((2, 2), np.uint8)))
    sample = open_dataset("nuaa", nuaa.parent).load("Misc_111")
    np.testing.assert_array_equal(sample.mask, MASK > 0)
    assert sample.notes == ("Misc_111: mask 10x8 resized to 5x4 by nearest neighbour",)


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_damaged_file_is_named_when_loaded(nuaa, folder):
    path = next((nuaa / folder).glob("Misc_3*"))
    path.write_bytes(path.read_bytes()[:40])
    dataset = open_dataset("nuaa", nuaa.parent)
    with pytest.raises(DataError, match=path.name):
        dataset.load("Misc_3")
    assert dataset.load("Misc_2").mask.any()


def test_one_pixel(tmp_path):
    save(tmp_path / "images" / "a.png", GREY[:1, :1])
    save(tmp_path / "masks" / "a.png", MASK[1:2, 2:3])
    sample = open_dataset(f"folder:{tmp_path}").load("a")
    assert sample.image.shape == (1, 1) and sample.mask.all()


def test_unknown_sample(nuaa):
    with pytest.raises(DataError, match="no image and mask called 'Misc_9'"):
        open_dataset("nuaa", nuaa.parent).load("Misc_9")


# ------------------------------------------------------------------ pairs


def test_image_without_a_mask(nuaa):
    (nuaa / "masks" / "Misc_2_pixels0.png").unlink()
    with pytest.raises(DataError, match=r"Misc_2.png: image without a mask \(1 such"):
        open_dataset("nuaa", nuaa.parent)


def test_mask_without_an_image(nuaa):
    (nuaa / "images" / "Misc_2.png").unlink()
    with pytest.raises(DataError, match=r"Misc_2_pixels0.png: mask without an image \(1 such"):
        open_dataset("nuaa", nuaa.parent)


def test_two_pictures_of_one_name(nuaa):
    save(nuaa / "images" / "Misc_2.bmp", GREY)
    with pytest.raises(DataError, match="a second picture called Misc_2"):
        open_dataset("nuaa", nuaa.parent)


def test_other_files_and_hidden_files_are_no_pictures(nuaa):
    for name in ("Thumbs.db", "readme.txt", "._Misc_1.png", ".DS_Store"):
        (nuaa / "images" / name).write_bytes(b"x")
    assert len(open_dataset("nuaa", nuaa.parent).names("all")) == 3


def test_partners_are_found_by_name_not_by_order(tmp_path):
    for number in (1, 2, 10):
        save(tmp_path / "images" / f"{number}.PNG", np.full((3, 3), number, np.uint8))
        save(tmp_path / "masks" / f"{number}_mask.bmp", np.full((3, 3), number == 10))
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.load("10").mask.all() and dataset.load("10").image[0, 0] == 10
    assert not dataset.load("2").mask.any()


# ------------------------------------------------------------------ lists


def test_list_without_a_final_end_of_line_and_with_foreign_ones(nuaa):
    (nuaa / "idx_427" / "test.txt").write_bytes(b"\xef\xbb\xbfMisc_3.png\r\n\r\nimages/Misc_2")
    assert open_dataset("nuaa", nuaa.parent).names("test") == ("Misc_3", "Misc_2")


def test_a_name_may_hold_a_dot(tmp_path):
    make(tmp_path, ["scene.001", "scene.002"])
    write(tmp_path / "test.txt", "scene.001\n")
    assert open_dataset(f"folder:{tmp_path}").names() == ("scene.001",)


def test_list_names_a_missing_image(nuaa):
    write(nuaa / "idx_427" / "test.txt", "Misc_3\nMisc_7\n")
    with pytest.raises(DataError, match="test.txt: 1 of 2 names have no image.*'Misc_7'"):
        open_dataset("nuaa", nuaa.parent)


def test_list_names_an_image_twice(nuaa):
    write(nuaa / "idx_427" / "test.txt", "Misc_3\nMisc_3\n")
    with pytest.raises(DataError, match="test.txt: 1 names stand twice"):
        open_dataset("nuaa", nuaa.parent)


def test_list_that_is_no_text(nuaa):
    (nuaa / "idx_427" / "test.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(DataError, match="test.txt: not a readable list"):
        open_dataset("nuaa", nuaa.parent)


def test_nuaa_without_lists_is_refused(nuaa):
    shutil.rmtree(nuaa / "idx_427")
    with pytest.raises(DataError, match="no list of the test images of NUAA-SIRST; expected"):
        open_dataset("nuaa", nuaa.parent)


def test_nuaa_without_a_test_list_is_refused(nuaa):
    for path in (nuaa / "idx_427").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no list of the test images of NUAA-SIRST; expected"):
        open_dataset("nuaa", nuaa.parent)


def test_further_lists_are_named_splits(nuaa):
    write(nuaa / "idx_320" / "test.txt", "Misc_1\nMisc_2")
    dataset = open_dataset("nuaa", nuaa.parent)
    assert dataset.names("test") == dataset.names("idx_427/test") == ("Misc_3",)
    assert dataset.names("idx_320/test") == ("Misc_1", "Misc_2")
    assert dataset.names("trainval") == ("Misc_1", "Misc_2")
    assert sorted(dataset.names("all")) == ["Misc_1", "Misc_2", "Misc_3"]
    with pytest.raises(UnknownName, match="split of nuaa 'tset'; did you mean test"):
        dataset.names("tset")


def test_validation_is_taken_from_training_where_no_list_says_so(tmp_path):
    names = [f"{number:03d}" for number in range(12)]
    make(tmp_path, names)
    write(tmp_path / "trainval.txt", "\n".join(names[:10]))
    write(tmp_path / "test.txt", "\n".join(names[10:]))
    dataset = open_dataset(f"folder:{tmp_path}")
    assert len(dataset.names("train")) == 8 and len(dataset.names("val")) == 2
    assert sorted(dataset.names("trainval")) == names[:10]
    assert dataset.tuning_names() == dataset.names("val")


def test_training_images_hold_no_validation_image(tmp_path):
    make(tmp_path, "abcdef")
    for folder in ("", "other"):
        write(tmp_path / folder / "trainval.txt", "d\na\nc\nb")
        write(tmp_path / folder / "val.txt", "b\nc")
        write(tmp_path / folder / "test.txt", "e\nf")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.names("train") == dataset.names("other/train") == ("d", "a")
    assert dataset.names("val") == ("b", "c") and dataset.names("trainval") == ("d", "a", "c", "b")


def test_what_is_tuned_on_belongs_to_the_lists_that_are_scored(nuaa):
    make(nuaa, ["Misc_4"])
    write(nuaa / "idx_320" / "test.txt", "Misc_1\nMisc_2")
    write(nuaa / "idx_320" / "train.txt", "Misc_3\nMisc_4")
    dataset = open_dataset("nuaa", nuaa.parent)
    assert dataset.tuning_names() == dataset.tuning_names("idx_427/test") == ("Misc_2",)
    assert dataset.tuning_names("idx_320/test") == ("Misc_3", "Misc_4")
    assert dataset.tuning_names("train") == ("Misc_2",)
    assert dataset.learnt("idx_320/test") == ("Misc_1", "Misc_2") and not dataset.learnt("test")
    assert dataset.learnt("all") == ("Misc_1", "Misc_2")


@pytest.mark.parametrize("split", ["idx_320/test", "val", "trainval", "all"])
def test_nothing_is_tuned_on_what_is_scored(nuaa, split):
    write(nuaa / "idx_320" / "test.txt", "Misc_2\nMisc_3")
    dataset = open_dataset("nuaa", nuaa.parent)
    message = f"1 of 1 images of val, .* are in the split {split} of nuaa .* first is Misc_2"
    with pytest.raises(WrongUse, match=message):
        dataset.tuning_names(split)


def test_a_validation_list_that_is_the_test_list_is_not_tuned_on(tmp_path):
    make(tmp_path, "abc")
    for split, names in (("train", "a"), ("val", "b\nc"), ("test", "b\nc")):
        write(tmp_path / f"{split}.txt", names)
    with pytest.raises(WrongUse, match="2 of 2 images of val, .* expected none in both"):
        open_dataset(f"folder:{tmp_path}").tuning_names()
    (tmp_path / "test.txt").unlink()  # as for one who trains only
    assert open_dataset(f"folder:{tmp_path}").tuning_names() == ("b", "c")


def test_set_aside_is_a_division_that_its_seed_fixes():
    names = tuple("abcdefghij")
    rest, aside = set_aside(names, 3)
    assert (rest, aside) == set_aside(names, 3) != set_aside(names, 3, seed=1)
    assert len(aside) == 3 and sorted(rest + aside) == list(names)


# ------------------------------------------------------------------ layouts


def test_nuaa_in_the_other_public_layout(tmp_path):
    root = tmp_path / "NUAA-SIRST"
    make(root, ["Misc_1", "Misc_2", "Misc_3"])
    write(root / "50_50" / "train.txt", "Misc_1\nMisc_2\n")
    write(root / "50_50" / "test.txt", "Misc_3\n")
    dataset = open_dataset("nuaa", tmp_path)
    assert dataset.names("test") == ("Misc_3",)
    assert dataset.names("50_50/train") == ("Misc_1", "Misc_2")


def test_nudt(tmp_path):
    make(tmp_path / "NUDT-SIRST", ["000001", "000002"])
    write(tmp_path / "NUDT-SIRST" / "50_50" / "train.txt", "000001\n")
    write(tmp_path / "NUDT-SIRST" / "50_50" / "test.txt", "000002\n")
    assert open_dataset("nudt", tmp_path).names() == ("000002",)


@pytest.mark.parametrize("folder", ["nudt", "NUDT-SIRST"])
@pytest.mark.parametrize("place", [".", "img_idx", "division/50_50", "a/b/c"])
@pytest.mark.parametrize("ending", ["", "_NUDT-SIRST", "_nudt-sirst"])
def test_published_lists_are_found_below_the_folder(tmp_path, folder, place, ending):
    root = tmp_path / folder
    make(root, ["000001", "000002"])
    write(root / place / f"train{ending}.txt", "000001\n")
    write(root / place / f"test{ending}.txt", "000002\n")
    dataset = open_dataset("nudt", tmp_path)
    assert (dataset.names("train"), dataset.names("test")) == (("000001",), ("000002",))
    assert dataset.names(f"{place}/test") == ("000002",)


def test_the_nearest_lists_are_taken(tmp_path):
    root = tmp_path / "nudt"
    make(root, ["1", "2"])
    write(root / "z" / "y" / "test.txt", "2\n")
    write(root / "a" / "b" / "c" / "test.txt", "of another data set\n")
    assert open_dataset("nudt", tmp_path).names() == ("2",)
    write(root / "lists" / "test.txt", "1\n")
    assert sorted(open_dataset("nudt", tmp_path).splits) == ["lists/test", "test"]


@pytest.mark.parametrize("name, title", [("nudt", "NUDT-SIRST"), ("irstd1k", "IRSTD-1k")])
@pytest.mark.parametrize("lists", [(), ("train",), ("trainval", "trainvaltest"), ("test_50",)])
def test_a_published_set_without_its_test_list_is_refused(tmp_path, name, title, lists):
    make(tmp_path / name, ["1", "2"])
    for kind in lists:
        write(tmp_path / name / f"{kind}.txt", "1\n")
    message = f"{name}: no list of the test images of {title}; expected .* test_{title}.txt"
    with pytest.raises(DataError, match=message):
        open_dataset(name, tmp_path)


def test_irstd1k_in_the_other_public_layout(tmp_path):
    root = tmp_path / "IRSTD-1K"
    make(root, ["XDU0", "XDU1"])
    write(root / "img_idx" / "train_IRSTD-1K.txt", "XDU0\n")
    write(root / "img_idx" / "test_IRSTD-1K.txt", "XDU1\n")
    assert open_dataset("irstd1k", tmp_path).names() == ("XDU1",)


def test_irstd1k(tmp_path):
    root = tmp_path / "IRSTD-1k"
    make(root, ["XDU0", "XDU1", "XDU2"], images="IRSTD1k_Img", masks="IRSTD1k_Label")
    write(root / "trainval.txt", "XDU0.png\nXDU1.png\n")
    write(root / "test.txt", "XDU2.png\n")
    dataset = open_dataset("irstd1k", tmp_path)
    assert dataset.names("test") == ("XDU2",)
    assert dataset.names("train") == ("XDU0", "XDU1")


def test_lists_that_carry_the_name_of_the_folder(tmp_path):
    root = tmp_path / "mine"
    make(root, ["a", "b"])
    write(root / "img_idx" / "train_mine.txt", "a")
    write(root / "img_idx" / "test_mine.txt", "b")
    assert open_dataset(f"folder:{root}").names() == ("b",)


def test_folder_without_lists_is_all_test(tmp_path):
    make(tmp_path / "mine", ["b", "a"])
    dataset = open_dataset(f"folder:{tmp_path / 'mine'}")
    assert dataset.name == "folder-mine" and dataset.names("test") == ("a", "b")
    with pytest.raises(DataError, match="neither a validation nor a training split"):
        dataset.tuning_names()


def test_folder_without_masks(tmp_path):
    make(tmp_path, ["a"], masks="labels")
    with pytest.raises(DataError, match="no folder masks/; found images, labels"):
        open_dataset(f"folder:{tmp_path}")


def test_folder_without_pictures(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="no picture in the image folder"):
        open_dataset(f"folder:{tmp_path}")


def test_missing_folders_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such folder; expected one with images/ and masks/"):
        open_dataset(f"folder:{tmp_path / 'gone'}")
    monkeypatch.setenv("ISTSBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"not here; tried {tmp_path}.*istsbench data fetch nudt"):
        open_dataset("nudt")
    with pytest.raises(UnknownName, match="did you mean nuaa"):
        open_dataset("nua")


def test_nust(nust):
    dataset = open_dataset("nust", nust.parent)
    assert dataset.names("test") == ("test_00000", "test_00001")
    assert len(dataset.names("train")) == 8 and len(dataset.names("val")) == 2
    assert dataset.load("000003").mask.sum() == dataset.load("test_00001").mask.sum() == 1


@pytest.mark.parametrize("part", [1, 2])
def test_nust_with_half_a_pair(nust, part):
    (nust / "training" / f"000004_{part}.png").unlink()
    with pytest.raises(DataError, match=f"000004_{part}.png is missing from its pair"):
        open_dataset("nust", nust.parent)


def test_nust_leaves_the_damaged_ids_out(nust):
    for number in NUST_DAMAGED[:3]:
        (nust / "training" / f"{number:06d}_1.png").write_bytes(b"damaged")
    assert len(open_dataset("nust", nust.parent).names("trainval")) == 10


def test_nust_paper_moves_a_fifth_of_the_patches_to_the_test(nust):
    dataset = open_dataset("nust-paper", nust.parent)
    assert len(dataset.names("test")) == 2
    assert {"test_00000", "test_00001"} < set(dataset.names("trainval"))
    assert not set(dataset.names("trainval")) & set(dataset.names("test"))


# ------------------------------------------------------------------ values


def test_subset_is_smaller_and_loads_the_same(nuaa):
    dataset = open_dataset("nuaa", nuaa.parent)
    part = dataset.subset(["Misc_3"])
    assert part.names("all") == ("Misc_3",) and set(part.pairs) == {"Misc_3"}
    assert part.load("Misc_3").pixels == dataset.load("Misc_3").pixels


def test_fingerprint_depends_on_content_not_on_order():
    pairs = [("a", "1"), ("b", "2")]
    assert fingerprint(pairs) == fingerprint(reversed(pairs))
    assert fingerprint(pairs) != fingerprint([("a", "2"), ("b", "1")])


# ------------------------------------------------------------------ the real data sets


@pytest.fixture
def with_nust(data_root):
    if not (data_root / "nust").is_dir():
        pytest.skip("needs the NUST-SIRST images: set ISTSBENCH_DATA")
    return data_root


def test_real_nuaa_splits(data_root):
    dataset = open_dataset("nuaa", data_root)
    sizes = [len(dataset.names(split)) for split in ("train", "val", "test", "trainval")]
    assert sizes == [256, 85, 86, 341]
    sizes = [len(dataset.names(f"idx_320/{split}")) for split in ("train", "val", "test")]
    assert sizes == [160, 64, 96]


def test_real_nuaa_named_lists_hold_images_of_the_default_ones(data_root):
    dataset = open_dataset("nuaa", data_root)
    assert (len(dataset.learnt("idx_320/test")), dataset.learnt("test")) == (77, ())
    assert dataset.tuning_names("idx_320/test") == dataset.names("idx_320/val")


def test_real_nuaa_has_no_empty_mask_and_one_resized(data_root):
    dataset = open_dataset("nuaa", data_root)
    notes = []
    for name in dataset.names("all"):
        sample = dataset.load(name)
        assert sample.mask.any() and sample.mask.shape == sample.image.shape, name
        notes += sample.notes
    assert notes == ["Misc_111: mask 592x400 resized to 325x220 by nearest neighbour"]


@pytest.mark.parametrize(
    "name, train, val, test", [("nust", 9778, 200, 100), ("nust-paper", 7882, 200, 1996)]
)
def test_real_nust_splits(with_nust, name, train, val, test):
    dataset = open_dataset(name, with_nust)
    assert [len(dataset.names(split)) for split in ("train", "val", "test")] == [train, val, test]
    assert len(dataset.names("trainval")) == train + val


@pytest.mark.parametrize("name", ["nuaa", "nust"])
def test_real_pixels_are_those_of_the_manifest(with_nust, name):
    dataset, manifest = open_dataset(name, with_nust), read_manifest(name)
    assert set(manifest) == set(dataset.names("all"))
    for sample in [*dataset.names("all")[::97], *dataset.names("test")[:5]]:
        image, mask = (read_file(path).pixels for path in dataset.pairs[sample])
        entry = manifest[sample]
        assert (entry.image, entry.mask) == (pixel_hash(image), pixel_hash(mask))
        assert (entry.height, entry.width) == image.shape


# ---- samples of a data set of one's own


def test_a_sample_is_plain_whatever_its_data_set_hands_in():
    image, mask = np.arange(12.0).reshape(3, 4), np.eye(3, 4, dtype=bool)
    plain = Sample("a", image, mask)
    assert plain.image is image and plain.mask is mask
    foreign = Sample("a", image.astype(">u2"), 255 * mask.astype(np.uint8))
    assert foreign.image.dtype == np.float64 and foreign.mask.dtype == bool
    assert foreign.pixels == plain.pixels


@pytest.mark.parametrize(
    "image, mask, message",
    [
        (np.zeros((3, 4, 3)), np.zeros((3, 4)), "a: the image has 3 dimensions"),
        (np.full((3, 4), np.nan), np.zeros((3, 4)), "a: the image has 12 NaN"),
        (np.zeros((3, 4)), np.arange(12).reshape(3, 4), "a: the mask has 12 levels"),
        (np.zeros((3, 4)), np.zeros((4, 3)), r"a: mask of \(4, 3\) for an image of \(3, 4\)"),
    ],
)
def test_what_is_no_sample_is_refused_with_its_name(image, mask, message):
    with pytest.raises(DataError, match=message):
        Sample("a", image, mask)
