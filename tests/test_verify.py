"""The doctor on folders that are wrong in one known way each, and on the real data."""

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from istsbench.data.datasets import open_dataset
from istsbench.data.duplicates import BLOCK, nearest, thumbnail
from istsbench.data.findings import Finding, Report
from istsbench.data.layouts import NUST_DAMAGED
from istsbench.data.manifest import read_manifest, write_manifest
from istsbench.data.verify import verify
from istsbench.errors import DataError

NAMES = [f"Misc_{number}" for number in range(1, 7)]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def noise(seed, shape=(24, 32)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def dot(shape=(24, 32), level=255):
    mask = np.zeros(shape, np.uint8)
    mask[5:8, 9:12] = level
    return mask


@pytest.fixture
def folder(tmp_path):
    """A sound folder: two images to train, one to validate, three to test."""
    for seed, name in enumerate(NAMES):
        save(tmp_path / "images" / f"{name}.png", noise(seed))
        save(tmp_path / "masks" / f"{name}.png", dot())
    write(tmp_path / "50_50" / "train.txt", "Misc_1\nMisc_2\n")
    write(tmp_path / "50_50" / "val.txt", "Misc_3")
    write(tmp_path / "50_50" / "test.txt", "Misc_4\nMisc_5\nMisc_6")
    return tmp_path


@pytest.fixture
def nuaa(folder, tmp_path, monkeypatch):
    """The same as NUAA-SIRST, with a manifest of its own."""
    root = tmp_path / "data" / "nuaa"
    root.mkdir(parents=True)
    for sub in ("images", "masks"):
        (folder / sub).rename(root / sub)
    (folder / "50_50").rename(root / "idx_427")
    (tmp_path / "package" / "manifests").mkdir(parents=True)
    write_manifest(
        open_dataset("nuaa", root.parent), tmp_path / "package" / "manifests" / "nuaa.csv"
    )
    monkeypatch.setattr("istsbench.data.manifest.files", lambda _: tmp_path / "package")
    return root


def serious(report):
    """What a report says beyond notes, as (level, check, name)."""
    return sorted((f.level, f.check, f.name) for f in report.findings if f.level != "note")


def said(report, check):
    return " | ".join(f.text for f in report.findings if f.check == check)


def test_sound_folder(folder):
    told = []
    report = verify(f"folder:{folder}", progress=lambda *done: told.append(done))
    assert report.ok and serious(report) == []
    assert "test 3, val 1, train 2" in said(report, "count")
    assert said(report, "mode") == "images: L 6 | masks: L 6"
    assert told == [(done, 6) for done in range(1, 7)]


def test_sound_nuaa(nuaa):
    report = verify("nuaa", nuaa.parent)
    assert report.ok and serious(report) == []
    assert "6 pairs, 6 are published" in said(report, "count")


def test_every_finding_of_a_bad_folder_is_kept(folder):
    images, masks = folder / "images", folder / "masks"
    (images / "Misc_1.png").write_bytes(b"<!DOCTYPE html>")
    (masks / "Misc_2.png").write_bytes((masks / "Misc_2.png").read_bytes()[:50])
    save(masks / "Misc_3.png", dot((20, 20)))
    save(masks / "Misc_4.png", dot(level=1))
    save(masks / "Misc_5.png", dot(level=0))
    save(images / "Misc_6.png", np.full((24, 32), 9, np.uint8))
    write(folder / "50_50" / "test.txt", "Misc_4\nMisc_2\nMisc_5\nMisc_6")
    write(folder / "other" / "test.txt", "Misc_4\nMisc_9")
    save(images / "lonely.png", noise(9))
    report = verify(f"folder:{folder}")
    assert not report.ok
    assert serious(report) == [
        ("error", "damaged", "Misc_1"),
        ("error", "damaged", "Misc_2"),
        ("error", "list", ""),
        ("error", "list", "Misc_2"),
        ("error", "mask", "Misc_4"),
        ("error", "pair", str(images / "lonely.png")),
        ("error", "size", "Misc_3"),
        ("warning", "constant", "Misc_6"),
        ("warning", "empty", "Misc_5"),
    ]
    assert "mask of 20x20 for an image of 32x24" in said(report, "size")
    assert "largest value is 1; expected 0 and 255" in said(report, "mask")
    assert "'Misc_9'" in said(report, "list") and "in both train and test" in said(report, "list")
    assert "until the errors above are mended" in said(report, "alike")


def test_masks_with_stray_values_and_inverted_masks(folder):
    mask = dot()
    mask[0, :3] = 7, 127, 128
    save(folder / "masks" / "Misc_1.png", mask)
    save(folder / "masks" / "Misc_2.png", 255 - dot())
    report = verify(f"folder:{folder}")
    assert serious(report) == [("error", "mask", "Misc_2"), ("warning", "values", "Misc_1")]
    assert "3 mask pixels are neither 0 nor 255 but 7..128; 1 of them" in said(report, "values")
    assert "the mask covers 99% of the image: inverted?" in said(report, "mask")


def test_modes_are_counted_and_twelve_bit_images_are_seen(folder):
    save(folder / "images" / "Misc_1.png", noise(0).astype(np.uint16) * 16)
    save(folder / "images" / "Misc_2.png", np.dstack([noise(1)] * 4))
    save(folder / "masks" / "Misc_1.png", dot() > 0)
    report = verify(f"folder:{folder}")
    assert serious(report) == []
    levels = np.unique(noise(0)).astype(int) * 16
    told = f"1 of 6 images are deeper than 8 bit (uint16): levels {levels[0]} to {levels[-1]}, "
    assert told + f"{len(levels)} to {len(levels)} distinct" in said(report, "depth")
    assert "images: L 4, uint16 1, RGBA 1 | masks: L 5, 1 1" in said(report, "mode")


def test_one_scene_in_training_and_test(folder):
    scene = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    for name, pixels in (
        ("Misc_1", scene),
        ("Misc_4", scene[::2, ::2] + 40),  # half the size, brighter
        ("Misc_2", noise(7)),
        ("Misc_5", noise(7)),
    ):
        save(folder / "images" / f"{name}.png", pixels)
        save(folder / "masks" / f"{name}.png", dot(pixels.shape))
    report = verify(f"folder:{folder}")
    assert serious(report) == [("warning", "alike", "Misc_4"), ("warning", "identical", "Misc_2")]
    assert "looks like Misc_1 in train" in said(report, "alike")
    assert said(report, "identical") == "(train) has the pixels of Misc_5 (test)"


def test_a_division_that_contradicts_another_is_noted(folder):
    write(folder / "other" / "test.txt", "Misc_1\nMisc_4\n")
    report = verify(f"folder:{folder}")
    assert report.ok
    assert "1 of 2 test images of other are for training in 50_50" in said(report, "list")


def test_pixels_that_are_not_the_published_ones(nuaa):
    save(nuaa / "images" / "Misc_1.png", noise(0) ^ 1)
    save(nuaa / "images" / "Misc_2.png", noise(1, (48, 64)))
    save(nuaa / "masks" / "Misc_2.png", dot((48, 64)))
    save(nuaa / "masks" / "Misc_3.png", np.roll(dot(), 1, axis=0))
    report = verify("nuaa", nuaa.parent)
    names = [f.name for f in report.findings if f.check == "pixels"]
    assert names == ["Misc_1", "Misc_2", "Misc_2", "Misc_3"] and not report.ok
    assert "image of 64x48, published with 32x24" in said(report, "pixels")


def test_files_encoded_anew_are_the_published_ones(nuaa):
    for path in (nuaa / "images").iterdir():
        Image.open(path).convert("RGBA").save(path.with_suffix(".tif"))
        path.unlink()
    for path in (nuaa / "masks").iterdir():
        Image.open(path).convert("1").save(path)
    assert verify("nuaa", nuaa.parent).ok


def test_missing_and_further_samples_and_other_lists(nuaa):
    for sub in ("images", "masks"):
        (nuaa / sub / "Misc_1.png").unlink()
        save(nuaa / sub / "extra.png", noise(8) if sub == "images" else dot())
    write(nuaa / "idx_427" / "train.txt", "Misc_2")
    write(nuaa / "idx_427" / "val.txt", "Misc_3\nMisc_6")
    write(nuaa / "idx_427" / "test.txt", "Misc_4\nMisc_5\nextra")
    assert serious(verify("nuaa", nuaa.parent)) == [
        ("error", "list", "idx_427/test"),
        ("error", "list", "idx_427/train"),
        ("error", "list", "idx_427/val"),
        ("error", "missing", "Misc_1"),
        ("warning", "extra", "extra"),
    ]


def test_nuaa_without_lists(nuaa):
    (nuaa / "idx_427").rename(nuaa / "elsewhere")
    found = serious(verify("nuaa", nuaa.parent))
    assert found == [("warning", "list", "idx_427")]


def test_the_known_wrong_mask_is_a_note(nuaa):
    save(nuaa / "images" / "Misc_111.png", noise(11))
    save(nuaa / "masks" / "Misc_111.png", dot((48, 64)))
    report = verify("nuaa", nuaa.parent)
    assert serious(report) == [("warning", "extra", "Misc_111")]
    assert said(report, "size").endswith("resized by nearest neighbour on loading")


def test_nust_with_half_pairs_and_damaged_ids(tmp_path):
    root = tmp_path / "nust"
    for number in (0, 1, 2, *NUST_DAMAGED[:2]):
        save(root / "training" / f"{number:06d}_1.png", noise(number))
        save(root / "training" / f"{number:06d}_2.png", dot())
    save(root / "test_org" / "00000.png", noise(50))
    save(root / "test_gt" / "00000.png", dot())
    (root / "training" / "000001_2.png").unlink()
    (root / "training" / "000002_1.png").unlink()
    report = verify("nust", tmp_path)
    pairs = [(f.level, f.name) for f in report.findings if f.check == "pair"]
    assert pairs == [("error", "000001_2.png"), ("error", "000002_1.png")]
    left_out = [f.name for f in report.findings if f.text == "damaged at the source; left out"]
    assert left_out == ["000239", "000245"]
    missing = [f.name for f in report.findings if f.check == "missing"]
    assert len(missing) == 10078 - 2 and {"000001", "000002", "test_00001"} < set(missing)


@pytest.mark.parametrize("sub", ["images", "masks"])
def test_a_missing_or_empty_folder_is_a_finding(folder, sub):
    for path in (folder / sub).iterdir():
        path.unlink()
    assert not verify(f"folder:{folder}").ok
    (folder / sub).rmdir()
    assert ("error", "folder", "") in serious(verify(f"folder:{folder}"))


def test_a_published_set_without_lists_is_an_error_and_a_folder_s_is_a_note(folder):
    for path in (folder / "50_50").iterdir():
        path.unlink()
    assert "every image is a test image" in said(verify(f"folder:{folder}"), "list")
    root = folder / "nudt"
    root.mkdir()
    for sub in ("images", "masks"):
        (folder / sub).rename(root / sub)
    report = verify("nudt", folder)
    assert serious(report) == [("error", "folder", "")] and not said(report, "list")
    assert "no list of the test images of NUDT-SIRST" in said(report, "folder")


def test_the_lists_of_a_published_set_are_looked_at_wherever_they_lie(folder):
    root = folder / "nudt"
    for sub in ("images", "masks"):
        (root / sub).parent.mkdir(exist_ok=True)
        (folder / sub).rename(root / sub)
    write(root / "a" / "b" / "test_NUDT-SIRST.txt", "Misc_4")
    write(root / "a" / "b" / "train_NUDT-SIRST.txt", "Misc_1\nMisc_4")
    report = verify("nudt", folder)
    assert serious(report) == [("error", "list", "Misc_4")]
    assert said(report, "list") == "in both train and test of a/b"


def test_no_folder_at_all(tmp_path):
    with pytest.raises(DataError, match="not here"):
        verify("nuaa", tmp_path)


def test_synthetic_is_sound():
    report = verify("synthetic")
    assert report.ok and said(report, "count") == "test 24, val 16, train 96"


def test_report_as_text_and_table():
    findings = [Finding("note", "mode", "", "images: L 3")]
    findings += [Finding("error", "damaged", f"[red]{n}", "cut off") for n in range(7)]
    report = Report("nuaa", "/data/nuaa", tuple(findings))
    assert report.text(shown=2).splitlines() == [
        "nuaa (/data/nuaa): NOT SOUND; errors: 7, warnings: 0, notes: 1",
        "error: damaged (7)",
        "  [red]0: cut off",
        "  [red]1: cut off",
        "  and 5 more",
        "note: mode (1)",
        "  images: L 3",
    ]
    console = Console(file=io.StringIO(), width=100)
    console.print(report.table(shown=1))
    printed = console.file.getvalue()
    assert "[red]0: cut off" in printed and "and 6 more" in printed and "images: L 3" in printed


def test_thumbnail_ignores_gain_offset_and_size():
    scene = noise(3, (64, 80)) // 4
    small, bright = thumbnail(scene), thumbnail(scene * 3 + 20)
    assert small @ bright == pytest.approx(1, abs=1e-5)
    assert thumbnail(np.kron(scene, np.ones((2, 2), np.uint8))) @ small == pytest.approx(
        1, abs=1e-5
    )
    assert abs(small @ thumbnail(noise(4, (64, 80)))) < 0.5
    assert not thumbnail(np.full((5, 7), 200, np.uint8)).any()
    assert not thumbnail(np.zeros((1, 1), np.uint8)).any()


def test_nearest_over_several_blocks_equals_the_whole_product():
    rng = np.random.default_rng(5)
    these, those = (rng.normal(size=(BLOCK + extra, 4)).astype(np.float32) for extra in (3, 40))
    for matrix in (these, those):
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index, best = nearest(these, those)
    whole = these @ those.T
    np.testing.assert_allclose(best, whole.max(axis=1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(whole[np.arange(len(these)), index], best, rtol=0, atol=1e-6)


def test_compressed_manifest_does_not_depend_on_time(nuaa, tmp_path, monkeypatch):
    dataset = open_dataset("nuaa", nuaa.parent)
    for second, name in enumerate(("one.csv.gz", "two.csv.gz")):
        monkeypatch.setattr("gzip.time.time", lambda second=second: 1e9 + second)
        write_manifest(dataset, tmp_path / name)
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()


def test_shipped_manifests():
    nuaa, nust = read_manifest("nuaa"), read_manifest("nust")
    assert (len(nuaa), len(nust), read_manifest("nudt")) == (427, 9978 + 100, {})
    assert read_manifest("nust-paper") == nust
    assert not {f"{number:06d}" for number in NUST_DAMAGED} & set(nust)
    splits = [entry.splits["idx_427"] for entry in nuaa.values()]
    assert [splits.count(split) for split in ("train", "val", "test")] == [256, 85, 86]
    splits = [entry.splits["idx_320"] for entry in nuaa.values()]
    assert [splits.count(split) for split in ("train", "val", "test")] == [160, 64, 96]


def test_real_nuaa(data_root):
    report = verify("nuaa", data_root)
    assert report.ok
    assert "427 pairs, 427 are published" in said(report, "count")
    assert "mask of 592x400 for an image of 325x220" in said(report, "size")
    assert "images: RGB 379, L 28, RGBA 15, P 5" in said(report, "mode")
    assert serious(report) == [("warning", "alike", "Misc_138")]


@pytest.mark.slow
def test_real_nust(data_root):
    if not (data_root / "nust").is_dir():
        pytest.skip("needs the NUST-SIRST images: set ISTSBENCH_DATA")
    report = verify("nust", data_root)
    assert report.ok
    constant = [f.name for f in report.findings if f.check == "constant"]
    assert constant == ["008346", "008358"]
    assert "(train) has the pixels of 008386 (train)" in said(report, "identical")
