"""Download of data sets: every file verified, the whole set or nothing.

Files are gathered in a hidden folder beside the place of the data set. A picture counts
only if it decodes to the published pixels, a list only if it holds the published names;
so a web page, a cut file or another version is never taken for data. When all are there
the folder gets its name. An interrupted fetch goes on where it stopped, and a folder that is
there is verified in the same way.
"""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import quote

from istsbench.data.datasets import SOURCES, roots, unknown
from istsbench.data.images import decode, pixel_hash
from istsbench.data.manifest import OFFICIAL, Entry, read_manifest
from istsbench.errors import DataError
from istsbench.files import write_atomic

NUAA_URL = (
    "https://raw.githubusercontent.com/YimianDai/sirst/84302ab351af09dde227aa13ee9887f081bc3d4f/"
)
LARGEST_FILE = 4_000_000  # bytes of one file; the largest published one has 153 385
ATTEMPTS = 3  # a server may stumble; what it then still sends wrong is wrong
PAUSE = 1.0  # seconds before the second attempt, twice as long before the third
TIMEOUT = 30  # seconds without an answer
CONNECTIONS = 4

FileCheck = Callable[[bytes], None]  # raises DataError unless the bytes are what was published

BY_HAND = {
    "nust": """NUST-SIRST cannot be fetched: it is published as archives that need an unrar tool.
  1. Download data.part1.rar to data.part6.rar from https://github.com/wanghuanphd/MDvsFA_cGAN.
  2. Unpack the first part, the others follow by themselves: unrar x data.part1.rar
     (or 7z x data.part1.rar, or unar data.part1.rar).
  3. Move the folders so that they lie here:
       {folder}/training/000000_1.png, 000000_2.png, ...   (image, mask)
       {folder}/test_org/00000.png, ...                    (images)
       {folder}/test_gt/00000.png, ...                     (masks)
     22 training pairs are damaged at the source; they may stay, they are left out.
  4. Check it: istsbench data verify {name}""",
    "nudt": """NUDT-SIRST is not fetched: get it from {where} and lay it out as
       {folder}/images/NAME.png, {folder}/masks/NAME.png, {folder}/50_50/train.txt and test.txt
  then check it: istsbench data verify {name}""",
    "irstd1k": """IRSTD-1k is not fetched: get it from {where} and lay it out as
       {folder}/IRSTD1k_Img/NAME.png, {folder}/IRSTD1k_Label/NAME.png, and beside them the lists
       trainval.txt (or train.txt) and test.txt
  then check it: istsbench data verify {name}""",
    "nudt-sea": """NUDT-SIRST-Sea is not fetched: get it from {where} and unpack it as
       {folder}/images/NAME.png, {folder}/masks/NAME.png,
       {folder}/idx_4961+847/train.txt and test.txt
  then check it: istsbench data verify {name}""",
    "sirst-aug": """SIRST-Aug is not fetched: get it from {where} and unpack it as
       {folder}/trainval/images/NAME.png, {folder}/trainval/masks/NAME_mask.png, and test/ likewise
  then check it: istsbench data verify {name}""",
    "sirst-v2": """SIRST-v2 is not fetched: clone {where} so that there are
       {folder}/mixed/NAME.png, {folder}/annotations/masks/NAME_pixels0.png,
       {folder}/splits/trainval_full.txt and test_full.txt
  then check it: istsbench data verify {name}""",
    "irdst-real": """IRDST is not fetched: get it from {where} and unpack it as
       {folder}/images/SEQUENCE/NAME.png, {folder}/masks/SEQUENCE/NAME.png, {folder}/train.txt and
       test.txt with lines /SEQUENCE/NAME
  then check it: istsbench data verify {name}""",
}
BY_HAND["irdst-simulation"] = BY_HAND["irdst-real"]
BY_HAND["nust-paper"] = BY_HAND["nust"]


def fetch(
    name: str,
    data_root: Path | None = None,
    url: str = NUAA_URL,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Download a data set into the data root and return its folder.

    `progress(done, all)` is told after each file. Raises `DataError` with what to do by
    hand for a data set that has no direct download, and with the address and what came
    instead if a file is not the published one.
    """
    if name == "synthetic":
        raise DataError("the synthetic data set needs no file: it is drawn when used")
    if name not in SOURCES:
        raise unknown("data set", name)
    places = [roots(data_root)[0] / folder for folder in SOURCES[name].folders]
    folder = next((place for place in places if place.exists()), places[0])
    if name in BY_HAND:
        raise DataError(BY_HAND[name].format(folder=folder, name=name, where=SOURCES[name].where))
    members = nuaa_members(read_manifest(name))
    if folder.exists():
        _verify(folder, members)
        return folder
    part = folder.with_name(f".{folder.name}.part")
    try:
        _gather(members, url.rstrip("/") + "/", part, progress)
        os.rename(part, folder)
    except OSError as error:
        if not folder.is_dir():  # otherwise another fetch was first
            raise DataError(f"{folder} cannot be made by way of {part} ({error})") from error
        _verify(folder, members)
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _verify(folder: Path, members: dict[str, FileCheck]) -> None:
    """Raise `DataError` unless every published file lies in the folder as it was published."""
    anew = "move it away to fetch the data set anew"
    missing = [member for member in members if not (folder / member).is_file()]
    if missing:
        raise DataError(
            f"{folder} is already there but lacks {len(missing)} of {len(members)} files, the "
            f"first is {missing[0]}; {anew}"
        )
    wrong = {}
    for member, check in members.items():
        try:
            check((folder / member).read_bytes())
        except (OSError, DataError) as error:
            wrong[member] = error
    if wrong:
        member, why = next(iter(wrong.items()))
        raise DataError(
            f"{folder} is already there but {len(wrong)} of {len(members)} files are not the "
            f"published ones, the first is {member}: {why}; {anew}"
        )


def nuaa_members(manifest: dict[str, Entry]) -> dict[str, FileCheck]:
    """Path of every published file and its check."""
    members: dict[str, FileCheck] = {}
    for entry in manifest.values():
        if entry.name.startswith(".") or set(entry.name) & set("/\\:"):
            raise DataError(f"{entry.name!r} could leave the folder of the data set")
        members[f"images/{entry.name}.png"] = _pixels(entry.image)
        members[f"masks/{entry.name}_pixels0.png"] = _pixels(entry.mask)
    for folder in next(iter(manifest.values())).splits:
        parts = {
            split: {name for name, entry in manifest.items() if entry.splits[folder] == split}
            for split in OFFICIAL
        }
        parts["trainval"] = parts["train"] | parts["val"]
        parts["trainvaltest"] = parts["trainval"] | parts["test"]
        members |= {f"{folder}/{split}.txt": _names(names) for split, names in parts.items()}
    return members


def _pixels(expected: str) -> FileCheck:
    def check(data: bytes) -> None:
        if pixel_hash(decode(data, "file")) != expected:
            raise DataError("its grey pixels are not the published ones")

    return check


def _names(expected: set[str]) -> FileCheck:
    def check(data: bytes) -> None:
        found = data.decode("utf-8", errors="replace").split()
        if sorted(found) != sorted(expected):
            raise DataError(f"{len(found)} names that are not the {len(expected)} published ones")

    return check


def _gather(
    members: dict[str, FileCheck],
    url: str,
    part: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        jobs = [pool.submit(_obtain, url, part, *member) for member in members.items()]
        for done, job in enumerate(as_completed(jobs), start=1):
            job.result()
            if progress:
                progress(done, len(jobs))
    finally:
        # The first failure, or an interrupt, ends it; what is verified stays for the next time.
        pool.shutdown(cancel_futures=True)


def _obtain(url: str, part: Path, member: str, check: FileCheck) -> None:
    """See to it that one verified file lies in the folder."""
    path = part / member
    try:
        check(path.read_bytes())
        return
    except (FileNotFoundError, DataError):
        pass
    address = url + quote(member)
    for attempt in range(1, ATTEMPTS + 1):
        data = b""
        try:
            data = _download(address)
            check(data)
        except (OSError, DataError) as error:  # network errors are OSErrors
            if attempt == ATTEMPTS:
                start = f"; it begins with {data[:20]!r}" if data else ""
                raise DataError(f"{address}: {error}{start}") from error
            time.sleep(PAUSE * attempt)
        else:
            write_atomic(path, data)
            return


class _Bounded(io.BytesIO):
    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(data) > LARGEST_FILE:
            raise DataError(f"longer than {LARGEST_FILE} bytes")
        return super().write(data)


def _download(address: str) -> bytes:
    import pooch

    file = _Bounded()
    pooch.HTTPDownloader(chunk_size=1 << 16, timeout=TIMEOUT)(address, file, None)
    return file.getvalue()
