"""The download against a server on this machine: a whole, verified set or nothing."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from istsbench.data import fetch as module
from istsbench.data.datasets import open_dataset
from istsbench.data.fetch import fetch, nuaa_members
from istsbench.data.lists import list_files
from istsbench.data.manifest import Entry, read_manifest, write_manifest
from istsbench.errors import DataError, UnknownName

NAMES = ("Misc_1", "Misc_2", "Misc_3")
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path in self.server.cut:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"\x89PNG")
            return
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def home(tmp_path):
    """The published folder, three samples of it."""
    root = tmp_path / "home" / "nuaa"
    for folder in ("images", "masks", "idx_427", "idx_320"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in NAMES:
        picture = Image.fromarray(rng.integers(0, 256, (20, 30), np.uint8))
        picture.save(root / "images" / f"{name}.png")
        Image.fromarray(rng.random((20, 30)) > 0.9).save(root / "masks" / f"{name}_pixels0.png")
    for folder in ("idx_427", "idx_320"):
        parts = {"train": NAMES[:1], "val": NAMES[1:2], "test": NAMES[2:]}
        parts |= {"trainval": NAMES[:2], "trainvaltest": NAMES}
        for split, names in parts.items():
            (root / folder / f"{split}.txt").write_text("\n".join(names))
    return root


@pytest.fixture
def server(home, monkeypatch, tmp_path):
    write_manifest(open_dataset("nuaa", home.parent), tmp_path / "small.csv")
    monkeypatch.setattr("istsbench.data.manifest.files", lambda _: tmp_path / "package")
    (tmp_path / "package" / "manifests").mkdir(parents=True)
    (tmp_path / "small.csv").rename(tmp_path / "package" / "manifests" / "nuaa.csv")
    monkeypatch.setattr(module, "PAUSE", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=home)) as running:
        running.asked, running.cut = [], set()
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_fetches_the_whole_set(server, home, tmp_path):
    told = []
    folder = fetch("nuaa", tmp_path / "data", server.url, lambda *done: told.append(done))
    assert folder == tmp_path / "data" / "nuaa"
    assert files(folder) == files(home)
    assert told == [(done, 16) for done in range(1, 17)]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["nuaa"]
    assert open_dataset("nuaa", tmp_path / "data").names() == ("Misc_3",)


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    folder = fetch("nuaa", tmp_path, server.url)
    server.asked.clear()
    assert fetch("nuaa", tmp_path, server.url) == folder
    assert not server.asked
    sound = files(folder)
    for name, data, message in (
        ("images/Misc_1.png", PAGE, "not a readable image"),
        ("images/Misc_1.png", sound["images/Misc_2.png"], "grey pixels are not the published"),
        ("idx_320/val.txt", b"Misc_1\nMisc_3", "2 names that are not the 1 published ones"),
    ):
        (folder / name).write_bytes(data)
        with pytest.raises(
            DataError, match=f"1 of 16 files are not.*the first is {name}: .*{message}"
        ):
            fetch("nuaa", tmp_path, server.url)
        (folder / name).write_bytes(sound[name])
    (folder / "masks" / "Misc_2_pixels0.png").unlink()
    with pytest.raises(DataError, match="lacks 1 of 16 files, the first is masks/Misc_2_pixels0"):
        fetch("nuaa", tmp_path, server.url)


def replaced(home):
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(home / "images" / "Misc_2.png")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (
            lambda home: (home / "images" / "Misc_2.png").write_bytes(PAGE),
            "begins with b'<!DOCTYPE",
        ),
        (
            lambda home: (home / "images" / "Misc_2.png").write_bytes(
                (home / "images" / "Misc_2.png").read_bytes()[:300]
            ),
            "not a readable image",
        ),
        (
            lambda home: (home / "images" / "Misc_2.png").write_bytes(bytes(5_000_000)),
            "longer than",
        ),
        (lambda home: (home / "images" / "Misc_2.png").unlink(), "404"),
        (replaced, "grey pixels are not the published ones"),
        (
            lambda home: (home / "idx_427" / "test.txt").write_text("../Misc_3"),
            "1 names that are not",
        ),
    ],
    ids=["web page", "cut file", "endless", "missing", "other pixels", "other list"],
)
def test_a_wrong_file_is_named_and_nothing_takes_the_place_of_the_set(
    server, home, tmp_path, spoil, message
):
    sound = files(home)
    spoil(home)
    with pytest.raises(DataError, match=rf"http://127.0.0.1.*(Misc_2.png|test.txt): .*{message}"):
        fetch("nuaa", tmp_path / "data", server.url)
    assert not (tmp_path / "data" / "nuaa").exists()
    with pytest.raises(DataError, match="not here"):
        open_dataset("nuaa", tmp_path / "data")
    for kept, data in files(tmp_path / "data" / ".nuaa.part").items():
        assert sound[kept] == data

    for name, data in sound.items():
        (home / name).write_bytes(data)
    assert files(fetch("nuaa", tmp_path / "data", server.url)) == sound


def test_a_connection_that_breaks_is_tried_again_and_then_named(server, tmp_path):
    server.cut.add("/masks/Misc_3_pixels0.png")
    with pytest.raises(DataError, match="Misc_3_pixels0.png: "):
        fetch("nuaa", tmp_path, server.url)
    assert server.asked.count("/masks/Misc_3_pixels0.png") == module.ATTEMPTS


def test_a_fetch_that_was_interrupted_goes_on(server, home, tmp_path):
    def interrupt(done, whole):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("nuaa", tmp_path, server.url, interrupt)
    part = tmp_path / ".nuaa.part"
    kept = set(files(part))
    assert len(kept) >= 9 and not (tmp_path / "nuaa").exists()
    spoilt = sorted(kept)[0]
    (part / spoilt).write_bytes(PAGE)
    server.asked.clear()
    assert files(fetch("nuaa", tmp_path, server.url)) == files(home)
    assert sorted(server.asked) == sorted(f"/{name}" for name in set(files(home)) - kept | {spoilt})


def test_another_fetch_may_be_first(server, home, tmp_path):
    def other(done, whole):
        if done == whole:
            shutil.copytree(home, tmp_path / "nuaa")

    assert fetch("nuaa", tmp_path, server.url, other) == tmp_path / "nuaa"
    assert not (tmp_path / ".nuaa.part").exists()


def test_a_folder_that_somebody_else_makes_meanwhile_is_not_taken_for_the_set(server, tmp_path):
    def other(done, whole):
        if done == whole:
            (tmp_path / "nuaa").mkdir()
            (tmp_path / "nuaa" / "x").touch()

    with pytest.raises(DataError, match="already there but lacks 16 of 16 files"):
        fetch("nuaa", tmp_path, server.url, other)
    assert len(files(tmp_path / ".nuaa.part")) == 16


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..\\evil", "C:evil"])
def test_members_stay_in_the_folder(name):
    entry = Entry(name, 1, 1, "", "", {"idx_427": "train"})
    with pytest.raises(DataError, match="could leave the folder"):
        nuaa_members({name: entry})


def test_members_are_the_published_files(data_root):
    folder = data_root / "nuaa"
    published = {
        f"{sub}/{path.name}" for sub in ("images", "masks") for path in (folder / sub).iterdir()
    }
    for sub in ("idx_427", "idx_320"):
        published |= {f"{sub}/{path.name}" for path in list_files(folder, sub).values()}
    members = nuaa_members(read_manifest("nuaa"))
    assert set(members) == published
    for member in [*members][::40] + [member for member in members if member.endswith(".txt")]:
        members[member]((folder / member).read_bytes())


@pytest.mark.parametrize(
    "name, words",
    [
        ("nust", ["data.part1.rar to data.part6.rar", "unrar x", "training/000000_1.png"]),
        ("nust-paper", ["istsbench data verify nust-paper"]),
        ("nudt", ["github.com/YeRen123455", "50_50/train.txt", "verify nudt"]),
        ("irstd1k", ["github.com/RuiZhang97", "IRSTD1k_Label/NAME.png"]),
        ("synthetic", ["needs no file"]),
    ],
)
def test_what_cannot_be_fetched_is_explained(name, words, tmp_path):
    with pytest.raises(DataError) as error:
        fetch(name, tmp_path)
    for word in words:
        assert word in str(error.value)


def test_unknown_name(tmp_path):
    with pytest.raises(UnknownName, match="did you mean nuaa"):
        fetch("nuua", tmp_path)
