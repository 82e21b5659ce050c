"""Data sets as people have them: each is read in the right way, or refused with what was found."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.manifest import published_lists
from istsbench.data.verify import verify
from istsbench.errors import DataError, ProtocolMix, UnknownName, WrongUse
from istsbench.metrics import image_ratios, pixel_counts, ratios
from istsbench.networks.patches import Memory
from istsbench.registry import choose, create
from istsbench.results.manifest import gather
from istsbench.results.predictions import submit
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.runs import run as runner
from istsbench.runs.images import Images
from istsbench.runs.record import as_json, write_record
from istsbench.tables.table_vi import table_vi


def scene(seed, targets=((30, 40), (60, 90)), shape=(96, 128), peak=70):
    """Clutter with Gaussian targets: float (H, W) in 0..255, and the mask."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = 90 + 20 * np.sin(columns / 25) + 15 * np.cos(rows / 18) + rng.normal(0, 2, shape)
    mask = np.zeros(shape, bool)
    for r, c in targets:
        mask[r - 1 : r + 2, c - 1 : c + 2] = True
        image += peak * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 2.88)
    return image.clip(0, 255), mask


def byte(values):
    return np.asarray(values).astype(np.uint8)


def put(root, image=byte, mask=lambda m: byte(m * 255), count=3, kind="png", **how):
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for k in range(count):
        pixels, truth = scene(k, **how)
        Image.fromarray(image(pixels)).save(root / "images" / f"a{k}.{kind}")
        Image.fromarray(mask(truth)).save(root / "masks" / f"a{k}.png")
    return root


def deep(low, span):
    return lambda pixels: (low + pixels / 255 * span).round().astype(np.uint16)


def kelvin(pixels):
    return (280 + pixels / 12).astype(np.float32)


def opened(root, depth="image"):
    return open_dataset(f"folder:{root}", depth=depth)


# ------------------------------------------------------------------ deeper than 8 bit


@pytest.mark.parametrize(
    "image, kind",
    [
        (byte, "png"),
        (deep(0, 65535), "png"),
        (deep(0, 16383), "png"),
        (deep(7400, 700), "png"),
        (deep(7400, 700), "tif"),
        (kelvin, "tif"),
    ],
    ids=["eight", "full", "fourteen", "radiometric", "radiometric tif", "float"],
)
def test_the_part_of_the_scale_that_is_used_does_not_decide_scores(tmp_path, image, kind):
    data = opened(put(tmp_path, image, kind=kind))
    for name, expected in (("ipi", 0.990), ("tophat", 0.714)):
        method = create(name)
        samples = [data.load(f"a{k}") for k in range(3)]
        counts = [pixel_counts(method.segment(sample.image), sample.mask) for sample in samples]
        tp, fp, fn, _ = np.transpose(counts)
        assert np.mean(2 * tp / (2 * tp + fp + fn)) == pytest.approx(expected, rel=0, abs=0.01)


def test_all_levels_of_a_deep_image_are_kept(tmp_path):
    levels = np.arange(96 * 128, dtype=np.uint16).reshape(96, 128)
    image = opened(put(tmp_path, lambda _: levels + 5000)).load("a0").image
    assert image.dtype == np.float64 and len(np.unique(image)) == levels.size
    np.testing.assert_allclose(image, levels / levels.max() * 255, rtol=1e-15, atol=0)


def test_each_depth_is_a_linear_scale(tmp_path):
    levels = np.linspace(0, 60000, 96 * 128).astype(np.uint16).reshape(96, 128)
    root = put(tmp_path, lambda _: levels)
    full = opened(root, "full").load("a0")
    np.testing.assert_allclose(full.image, levels / 65535 * 255, rtol=1e-15, atol=0)
    given = opened(root, "1000:2000.5").load("a0")
    expected = ((levels - 1000.0) / 1000.5 * 255).clip(0, 255)
    np.testing.assert_allclose(given.image, expected, rtol=0, atol=1e-12)
    assert given.cut == np.count_nonzero((levels < 1000) | (levels > 2000.5)) and not full.cut
    assert (full.depth, given.depth) == ("full", "1000:2000.5")


def test_images_of_8_bit_are_the_same_under_every_depth(tmp_path):
    root = put(tmp_path)
    samples = [opened(root, depth).load("a0") for depth in ("image", "full", "10:20")]
    np.testing.assert_array_equal(samples[0].image, byte(scene(0)[0]))
    assert len({sample.pixels for sample in samples}) == 1
    assert [sample.depth for sample in samples] == [""] * 3


def test_full_scale_of_eight_bit_content_gives_just_its_levels(tmp_path):
    eight, sixteen = put(tmp_path / "a"), put(tmp_path / "b", lambda i: byte(i) * np.uint16(257))
    assert opened(sixteen, "full").load("a0").pixels == opened(eight).load("a0").pixels


@pytest.mark.parametrize("depth", ["", "half", "5", "9:3", "3:3", "1:nan", "0:inf", "1:2:3"])
def test_a_depth_that_is_none_is_refused(tmp_path, depth):
    with pytest.raises(WrongUse, match="expected image, full, or two levels LO:HI"):
        opened(put(tmp_path), depth)


def test_floats_have_no_full_scale(tmp_path):
    data = opened(put(tmp_path, kelvin, kind="tif"), "full")
    with pytest.raises(DataError, match=r"a0.tif: floats \(TIFF float32\) have no full scale"):
        data.load("a0")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_number_are_refused_by_name(tmp_path, value):
    def broken(pixels):
        pixels = kelvin(pixels)
        pixels[3, 4] = value
        return pixels

    data = opened(put(tmp_path, broken, kind="tif"))
    with pytest.raises(DataError, match="a0.tif: 1 of 12288 pixels are NaN or infinite"):
        data.load("a0")


def test_a_flat_deep_image_is_black(tmp_path):
    image = opened(put(tmp_path, lambda i: np.full(i.shape, 7000, np.uint16))).load("a0").image
    assert not image.any()


def test_levels_at_the_end_of_floats_do_not_overflow(tmp_path):
    big = np.linspace(-1, 1, 96 * 128).reshape(96, 128) * 1.7e308
    root = put(tmp_path)
    (root / "images" / "a0.png").unlink()
    tifffile.imwrite(root / "images" / "a0.tif", big)
    image = opened(root).load("a0").image
    np.testing.assert_allclose(
        image, np.linspace(0, 255, big.size).reshape(big.shape), rtol=0, atol=1e-9
    )


def test_the_depth_is_part_of_what_identifies_results(toys, tmp_path):
    root, out = put(tmp_path / "deep", deep(7400, 700)), tmp_path / "out"
    found = {}
    for depth in ("image", "full", "7000:8200"):
        outcome = runner.run(choose("toy"), opened(root, depth), out, show=False)
        results = Results.load(outcome.folder)
        assert results.records["toy"].depth == depth
        assert gather(results).depth == depth
        assert f"{depth}" in table_vi([results]).protocol[0] or depth == "image"
        assert "deep images: " in table_vi([results]).protocol[0]
        found[outcome.folder.name] = Protocol.of(results, "own").id
    assert list(found) == [
        "folder-deep", "folder-deep-depth-full", "folder-deep-depth-7000-8200",
    ]  # fmt: skip
    assert len({*found.values()}) == 3
    assert len(list((out / "maps").iterdir())) == 3  # no map of one depth takes another's place
    other = Results.load(out / "folder-deep-depth-full").records["toy"]
    write_record(out / "folder-deep", replace(other, method="other", file="other"))
    with pytest.raises(ProtocolMix, match="other has depth 'full' and toy has 'image'|and other"):
        Results.load(out / "folder-deep")


def test_records_of_8_bit_images_say_nothing_of_depth(toys, tmp_path):
    outcome = runner.run(choose("toy"), opened(put(tmp_path / "a")), tmp_path / "out", show=False)
    results = Results.load(outcome.folder)
    assert "depth" not in as_json(results.records["toy"]) and not gather(results).depth
    assert "deep" not in table_vi([results]).protocol[0]


def test_levels_that_are_cut_off_are_said(tmp_path):
    images = Images.load(
        opened(put(tmp_path, deep(0, 16383)), "5000:16383"), "test", None, ("own",)
    )
    assert images.notes == (
        f"{tmp_path.name}: 3 of 3 images have levels beyond 5000:16383, which are cut off",
    )


def test_the_doctor_tells_range_and_number_of_levels(tmp_path):
    root = put(tmp_path, lambda i: (i > 99).astype(np.uint16) * 50 + 7400)
    said = [finding.text for finding in verify(f"folder:{root}").findings]
    assert any(
        text.startswith("3 of 3 images are deeper than 8 bit (uint16): levels 7400 to 7450, 2 to 2")
        for text in said
    )


def test_the_doctor_warns_where_one_pixel_sets_the_scale(tmp_path):
    def hot(pixels):
        levels = (7400 + pixels).astype(np.uint16)
        levels[3, 3] = 65535
        return levels

    report = verify(f"folder:{put(tmp_path, hot)}")
    found = [finding for finding in report.findings if finding.level == "warning"]
    assert [finding.check for finding in found] == ["depth"] * 3
    assert "to 65535, but all except 0.1% of the pixels lie in" in found[0].text


def test_colours_of_another_meaning_are_refused(tmp_path):
    root = put(tmp_path)
    (root / "images" / "a0.png").unlink()
    Image.new("LAB", (128, 96), (100, 0, 0)).save(root / "images" / "a0.tif")
    with pytest.raises(DataError, match="a0.tif: mode LAB; expected one of 1, L, LA"):
        opened(root).load("a0")


# ------------------------------------------------------------------ masks


def graded(mask):
    """One grey level an instance, as labelling tools export them."""
    levels = np.zeros(mask.shape, np.uint8)
    levels[:48][mask[:48]], levels[48:][mask[48:]] = 100, 200
    return levels


def test_one_level_an_instance_is_refused(tmp_path):
    data = opened(put(tmp_path, mask=graded))
    with pytest.raises(
        DataError, match=r"a0.png: 1 of 2 regions .* no more than 100 of 255 .*level 100, 200"
    ):
        data.load("a0")


def test_specks_of_a_lossy_mask_are_background_and_said(tmp_path):
    def lossy(mask):
        levels = byte(mask * 255)
        levels[5, 5:8] = 3, 9, 4
        return levels

    sample = opened(put(tmp_path, mask=lossy)).load("a0")
    np.testing.assert_array_equal(sample.mask, scene(0)[1])
    assert sample.notes == ("a0: 1 specks of the mask, none above 9 of 255, are background",)


@pytest.mark.parametrize(
    "mask, found",
    [
        (byte, r"value is 1; expected 0 and 255 \(mode L\)"),
        (lambda m: m.astype(np.uint16), r"value is 1; expected 0 and 65535 \(mode uint16\)"),
        (lambda m: m.astype(np.uint16) * 255, "value is 255; expected 0 and 65535"),
    ],
    ids=["8 bit", "16 bit", "8 bit in 16"],
)
def test_masks_that_are_dark_are_refused(tmp_path, mask, found):
    with pytest.raises(DataError, match=found):
        opened(put(tmp_path, mask=mask)).load("a0")


def test_the_index_of_a_palette_is_named(tmp_path):
    root = put(tmp_path)
    picture = Image.fromarray(byte(scene(0)[1]) * 7).convert("P")
    picture.putpalette([0, 0, 0] * 7 + [128, 0, 0])
    picture.save(root / "masks" / "a0.png")
    with pytest.raises(DataError, match=r"value is 38; .*\(mode P, palette index 7 in the file\)"):
        opened(root).load("a0")


def test_a_target_in_the_alpha_channel_alone_is_refused(tmp_path):
    def hidden(mask):
        return byte(np.dstack([np.zeros((*mask.shape, 3)), mask * 255]))

    with pytest.raises(DataError, match="alpha channel marks 18 pixels and the grey levels 0"):
        opened(put(tmp_path, mask=hidden)).load("a0")


def test_white_under_a_transparent_background_is_refused(tmp_path):
    def cut_out(mask):
        return byte(np.dstack([np.full((*mask.shape, 3), 255), mask * 255]))

    with pytest.raises(DataError, match="alpha channel marks 18 pixels and the grey levels 12288"):
        opened(put(tmp_path, mask=cut_out)).load("a0")


def test_an_alpha_channel_that_says_the_same_is_read(tmp_path):
    data = opened(put(tmp_path, mask=lambda m: byte(np.dstack([m * 255] * 4))))
    np.testing.assert_array_equal(data.load("a0").mask, scene(0)[1])


def test_an_image_in_its_alpha_channel_is_refused(tmp_path):
    data = opened(put(tmp_path, lambda i: byte(np.dstack([0 * i, 0 * i, 0 * i, i]))))
    with pytest.raises(DataError, match="a0.png: every pixel is 0 and only the alpha channel"):
        data.load("a0")


@pytest.mark.parametrize("white", [1, 255])
def test_masks_of_floats(tmp_path, white):
    root = put(tmp_path)
    (root / "masks" / "a0.png").unlink()
    tifffile.imwrite(root / "masks" / "a0.tif", (scene(0)[1] * white).astype(np.float32))
    np.testing.assert_array_equal(opened(root).load("a0").mask, scene(0)[1])
    tifffile.imwrite(root / "masks" / "a0.tif", (scene(0)[1] * 0.3).astype(np.float32))
    with pytest.raises(DataError, match=r"a mask of TIFF float32 with 2 levels \(0, 0.3\)"):
        opened(root).load("a0")


def test_a_label_of_one_beside_an_ignored_region_is_refused(tmp_path):
    def classes(mask):
        labels = byte(mask)
        labels[20:24, 20:24] = 255
        return labels

    with pytest.raises(DataError, match=r"2 of 3 regions .* no more than 1 of 255 .*level 1, 255"):
        opened(put(tmp_path, mask=classes)).load("a0")


def test_a_region_of_another_bright_level_is_said(tmp_path):
    def ignored(mask):
        labels = byte(mask * 255)
        labels[20:24, 20:24] = 128
        return labels

    sample = opened(put(tmp_path, mask=ignored)).load("a0")
    assert np.count_nonzero(sample.mask) == 18 + 16
    assert sample.notes == ("a0: regions of the mask at level 128 of 255 count as targets",)


def test_black_targets_on_white_are_refused(tmp_path):
    data = opened(put(tmp_path, mask=lambda m: byte(255 - m * 255)))
    with pytest.raises(DataError, match="a0.png: the mask covers 100% of the image: inverted"):
        data.load("a0")


def test_notes_of_many_images_are_one(tmp_path):
    def lossy(mask):
        levels = byte(mask * 255)
        levels[5, 5:8] = 3, 9, 4
        return levels

    images = Images.load(opened(put(tmp_path, mask=lossy)), "test", None, ("own",))
    text = "a0: 1 specks of the mask, none above 9 of 255, are background (and 2 images more)"
    assert images.notes == (text,)


# ------------------------------------------------------------------ several frames


@pytest.mark.parametrize("kind", ["tif", "png", "imagej"])
def test_a_stack_is_refused_with_its_number_of_frames(tmp_path, kind):
    root = put(tmp_path)
    frames = [Image.fromarray(byte(scene(k)[0])) for k in range(4)]
    (root / "images" / "a0.png").unlink()
    if kind == "imagej":  # all frames behind one structure
        stack = np.stack([np.asarray(frame) for frame in frames]).astype(np.uint16)
        tifffile.imwrite(root / "images" / "a0.tif", stack, imagej=True)
    else:
        path = root / "images" / f"a0.{kind}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"a0\.\w+: 4 frames in one file; expected one picture"):
        opened(root).load("a0")


def test_a_thumbnail_is_no_frame(tmp_path):
    root = put(tmp_path)
    (root / "images" / "a0.png").unlink()
    image = byte(scene(0)[0])
    with tifffile.TiffWriter(root / "images" / "a0.tif") as file:
        file.write(image)
        file.write(image[::4, ::4], subfiletype=1)
    np.testing.assert_array_equal(opened(root).load("a0").image, image)


# ------------------------------------------------------------------ lists


def listed(root, lists):
    for name, text in lists.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    "test, train",
    [
        ("img_idx/test_NUDT-SIRST.txt", "img_idx/train_NUDT-SIRST.txt"),
        ("test_list.txt", "train_list.txt"),
        ("Test_List.TXT", "TRAIN_list.txt"),
        ("splits/test-x.txt", "splits/train-x.txt"),
        ("ImageSets/Main/test.txt", "ImageSets/Main/train.txt"),
    ],
)
def test_lists_of_another_name_divide_the_folder_and_are_said(tmp_path, test, train):
    root = listed(put(tmp_path / "MyCopy", count=4), {test: "a0\na1\n", train: "a2\na3\n"})
    data = opened(root)
    assert data.names("test") == ("a0", "a1") and data.names("train") == ("a2", "a3")
    (said,) = data.notes or ("",)
    assert said == "" if "Main" in test else {test, train.rpartition("/")[2]} <= _words(said)
    assert Images.load(data, "test", None, ("own",)).notes == data.notes


def _words(text):
    """Names of files, with their folder and without."""
    words = text.replace(",", "").split()
    return {*words, *(word.rpartition("/")[2] for word in words), *_with_folder(words)}


def _with_folder(words):
    folder = next(word for word in words if word.lower().endswith(".txt")).rpartition("/")[0]
    return {f"{folder}/{word}" for word in words} if folder else set()


def test_lists_of_two_names_are_refused(tmp_path):
    lists = {"test_A.txt": "a0", "train_A.txt": "a1", "test_B.txt": "a1", "train_B.txt": "a0"}
    with pytest.raises(DataError, match=r"lists of 2 names \(test_A.txt, train_A.txt, test_B"):
        opened(listed(put(tmp_path / "MyCopy"), lists))


@pytest.mark.parametrize(
    "name, text",
    [
        ("mytest.txt", "a0\na1\n"),
        ("holdout/names.txt", "images/a0.png\nimages/a1.png\n"),
        ("split.csv", "a0,train\na1,test\na2,test\n"),
        ("split.json", '{"train": ["a0", "a1"], "test": ["a2"]}'),
    ],
)
def test_lists_that_divide_nothing_are_refused_by_name(tmp_path, name, text):
    with pytest.raises(DataError, match=f"{name}: names of images, but not a division"):
        opened(listed(put(tmp_path / "MyCopy"), {name: text}))


def test_other_texts_are_no_lists(tmp_path):
    data = opened(listed(put(tmp_path / "MyCopy"), {"README.txt": "Taken in May; a0 is noisy.\n"}))
    assert data.names() == ("a0", "a1", "a2")


def test_lists_made_on_windows(tmp_path):
    root = listed(put(tmp_path / "MyCopy"), {"test.txt": "images\\a0.png\r\nimages\\a2.png\r\n"})
    assert opened(root).names() == ("a0", "a2")


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_pictures_in_a_folder_below_are_not_left_out_in_silence(tmp_path, folder):
    root = put(tmp_path / "MyCopy")
    (root / folder / "seq1").mkdir()
    (root / folder / "a2.png").rename(root / folder / "seq1" / "a2.png")
    alone = "images/a2.png: image without" if folder == "masks" else "seq1/a2.png: image without"
    with pytest.raises(DataError, match=alone):
        opened(root)


@pytest.mark.parametrize("kind", ["gif", "PGM", "npy", "fits", "webp"])
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_pictures_of_a_kind_that_is_not_read_are_not_left_out_in_silence(tmp_path, folder, kind):
    root = put(tmp_path / "MyCopy")
    for one in ("images", "masks"):
        (root / one / "a2.png").unlink()
    (root / folder / f"a2.{kind}").write_bytes(b"anything")
    with pytest.raises(DataError, match=f"a2.{kind}: files of this kind are not read"):
        opened(root)


def test_two_lists_that_differ_by_capitals_are_refused(tmp_path):
    with pytest.raises(DataError, match="a second list of test"):
        opened(listed(put(tmp_path / "MyCopy"), {"test.txt": "a0", "TEST.txt": "a1"}))


@pytest.mark.parametrize("both", [False, True])
def test_a_folder_for_each_split(tmp_path, both):
    for split in ("train", "test"):
        put(tmp_path / split, count=2)
        if not both:
            for path in list((tmp_path / split).rglob("*.png")):
                path.rename(path.with_name(f"{split}_{path.name}"))
    if both:
        with pytest.raises(DataError, match="train/images/a0.png: the same image as .*test/images"):
            opened(tmp_path)
        return
    data = opened(tmp_path)
    assert data.names("test") == ("test_a0", "test_a1")
    assert data.names("train") == ("train_a0", "train_a1")
    assert verify(f"folder:{tmp_path}").ok


# ------------------------------------------------------------------ copies of NUAA-SIRST


@pytest.fixture(scope="module")
def nuaa(data_root, tmp_path_factory):
    """Folders with the published names; pixels only where a test loads them."""
    home = data_root / "nuaa"
    lists = {
        split: (home / "50_50" / f"{split}.txt").read_text().split() for split in ("train", "test")
    }
    return home, lists


def _copy(root, home, names, suffix, images="images", masks="masks"):
    for folder in (images, masks):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / images / f"{name}.png").symlink_to(home / "images" / f"{name}.png")
        mask = home / "masks" / f"{name}_pixels0.png"
        (root / masks / f"{name}{suffix}.png").symlink_to(mask)


@pytest.mark.parametrize("layout", ["official", "DNANet", "BasicIRSTD", "MSHNet", "RPCANet"])
def test_every_public_copy_of_nuaa_opens(nuaa, tmp_path, layout):
    home, lists = nuaa
    every = [*lists["train"], *lists["test"]]
    root = tmp_path / "NUAA-SIRST"
    if layout == "RPCANet":
        _copy(root, home, lists["train"], "", "trainval/images", "trainval/masks")
        _copy(root, home, lists["test"], "", "test/images", "test/masks")
    else:
        _copy(root, home, every, "_pixels0" if layout == "official" else "")
    if layout == "official":
        shutil.copytree(home / "idx_427", root / "idx_427")
    names = {
        "DNANet": ("50_50/train.txt", "50_50/test.txt", ""),
        "BasicIRSTD": ("img_idx/train_NUAA-SIRST.txt", "img_idx/test_NUAA-SIRST.txt", ""),
        "MSHNet": ("trainval.txt", "test.txt", ".png"),
    }.get(layout)
    if names:
        for split, path in zip(("train", "test"), names[:2], strict=True):
            listed(root, {path: "\n".join(name + names[2] for name in lists[split])})
    data = open_dataset("nuaa", tmp_path)
    sample = data.load("Misc_111")
    assert sample.mask.any() and "592x400 resized to 325x220" in sample.notes[0]
    assert len(data.names("all")) == 427
    assert sorted(data.names("50_50/test")) == sorted(lists["test"])
    learnt = [*data.names("50_50/train"), *data.names("50_50/val")]
    assert sorted(learnt) == sorted(lists["train"])
    assert len(data.names("idx_427/test")) == 86
    assert len(data.names("test")) == (86 if layout == "official" else 214)


def test_a_copy_of_nuaa_without_lists_is_divided_as_published_and_says_so(nuaa, tmp_path):
    home, lists = nuaa
    _copy(tmp_path / "nuaa", home, [*lists["train"], *lists["test"]], "")
    data = open_dataset("nuaa", tmp_path)
    assert sorted(data.names()) == sorted(published_lists("nuaa")["idx_427"]["test"])
    assert data.notes == ("NUAA-SIRST: no list in the folder; divided by the published idx_427",)


def test_the_shipped_lists_are_the_published_ones(data_root):
    for folder, splits in published_lists("nuaa").items():
        for split, names in splits.items():
            published = (data_root / "nuaa" / folder / f"{split}.txt").read_text().split()
            assert sorted(names) == sorted(published)
            assert folder != "50_50" or list(names) == published


# ------------------------------------------------------------------ images without a target


@pytest.fixture
def bare(tmp_path):
    """Four images, two of them without a target."""
    root = put(tmp_path / "bare", count=2)
    for k in (2, 3):
        pixels, truth = scene(k, targets=())
        Image.fromarray(byte(pixels)).save(root / "images" / f"a{k}.png")
        Image.fromarray(byte(truth)).save(root / "masks" / f"a{k}.png")
    return root


def test_images_without_a_target_count_as_asked_and_as_said(bare, tmp_path):
    folder, record = submit(bare / "masks", opened(bare), tmp_path / "out")
    ids = set()
    for empty, f1, said in (
        ("zero", 0.5, "count as 0 in means over images"),
        ("one", 1.0, "count as 1 in means over images where nothing is predicted"),
        ("exclude", 1.0, "are left out of means over images"),
    ):
        results = Results.load(folder, empty=empty)
        line = results.summary("own", "image").loc[0]
        assert [line[score] for score in ("f1", "iou", "niou")] == [f1] * 3
        assert results.summary("own", "pooled").loc[0, "f1"] == 1
        table = table_vi([results], intervals=True)
        assert f"2 of 4 images have no target: they {said}" in table.protocol[0]
        assert table.frame["f1_folder-bare"].iloc[0] == f1
        (low,) = (c.name for c in table.columns.values() if (c.score, c.kind) == ("f1", "low"))
        assert table.frame[low].iloc[0] <= f1
        ids.add(Protocol.of(results, "own").id)
    assert len(ids) == 3


def test_a_false_alarm_where_nothing_is_counts_under_each_choice(bare, tmp_path):
    pred = shutil.copytree(bare / "masks", tmp_path / "pred")
    wrong = byte(np.pad([[255]], ((0, 95), (0, 127))))
    Image.fromarray(wrong).save(pred / "a3.png")
    folder, _ = submit(pred, opened(bare), tmp_path / "out")
    for empty, f1 in (("zero", 0.5), ("one", 0.75), ("exclude", 1.0)):
        line = Results.load(folder, empty=empty).summary("own", "image").loc[0]
        assert line["f1"] == f1
        assert line["fa"] == pytest.approx(1 / (4 * 96 * 128))


def test_where_no_image_has_a_target_none_can_be_excluded(tmp_path):
    root = put(tmp_path / "bare", targets=())
    folder, _ = submit(root / "masks", opened(root), tmp_path / "out")
    with pytest.raises(DataError, match="none of the 3 images has a target: --empty exclude"):
        Results.load(folder, empty="exclude")
    assert Results.load(folder, empty="one").summary("own", "image").loc[0, "f1"] == 1


def test_image_ratios_change_nothing_where_every_image_has_a_target(tmp_path):
    data = opened(put(tmp_path / "a"))
    folder, _ = submit(tmp_path / "a" / "masks", data, tmp_path / "out")
    results = Results.load(folder)
    (rows,) = results.counts.values()
    for empty in ("zero", "one", "exclude"):
        assert image_ratios(rows, empty).equals(ratios(rows))
        assert "no target" not in table_vi([Results.load(folder, empty=empty)]).protocol[0]
    assert len({Protocol.of(Results.load(folder, empty=e), "own").id for e in ("zero", "one")}) == 1


# ------------------------------------------------------------------ turned pictures, names


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_a_picture_that_is_to_be_turned_is_refused(tmp_path, kind):
    root = put(tmp_path)
    (root / "images" / "a0.png").unlink()
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(byte(scene(0)[0])).save(root / "images" / f"a0.{kind}", exif=exif)
    with pytest.raises(DataError, match="is to be turned .orientation 6."):
        opened(root).load("a0")


@pytest.mark.parametrize("name", ["NAUA", "NUAA", "Nuaa"])
def test_a_name_in_capitals_is_answered_with_the_right_one(name, tmp_path):
    with pytest.raises(UnknownName, match=f"unknown data set '{name}'; did you mean nuaa"):
        open_dataset(name, tmp_path)


# ------------------------------------------------------------------ a depth through all commands


def test_a_depth_goes_through_every_command(toys, tmp_path):
    root, out = put(tmp_path / "deep", deep(7400, 700)), tmp_path / "out"
    tag, data = "folder-deep-depth-7000-8500", ["--dataset", f"folder:{root}"]

    def call(*words):
        done = CliRunner().invoke(app, [*map(str, words)])
        assert done.exit_code == 0, done.output
        return done.output

    say = "deep images: levels 7000:8500 to 0..255"
    depth = ["--depth", "7000:8500"]
    assert say in call("run", *data, "--methods", "toy,tophat", *depth, "--out", out)
    assert say in call("score", *data, "--pred", root / "masks", *depth, "--out", out)
    assert say in call("table", "VI", "--dataset", tag, "--out", out)
    call("plot", "grid", *data, "--tag", tag, "--out", out)  # shows images: needs the same pixels
    call("sensitivity", *data, "--tag", tag, "--out", out)
    again = call("run", "--protocol", out / tag / "protocol.toml", *data, "--out", tmp_path / "re")
    assert "2 of 2 methods equal bit for bit" in again
    call("export", tmp_path / "p.zip", "--dataset", tag, "--out", out)
    told = call("import", tmp_path / "p.zip", *data, "--out", tmp_path / "theirs")
    assert "were made again from the masks and agree" in told
    assert (tmp_path / "theirs" / tag / "toy.json").is_file()
    call("bundle", "--dataset", tag, "--to", tmp_path / "paper", "--out", out)
    assert "levels 7000:8500 to 0..255" in (tmp_path / "paper" / "protocol.md").read_text()


def test_networks_learn_from_all_levels(tmp_path):
    levels = np.arange(96 * 128, dtype=np.uint16).reshape(96, 128)
    data = opened(put(tmp_path, lambda _: levels))
    memory = Memory.of(data, ["a0"])
    assert len(np.unique(memory.images[0])) == levels.size
