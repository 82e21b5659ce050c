"""The zip archive of a results pack, read without trust in what it says of itself."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

from istsbench.errors import PackError
from istsbench.results.packcheck import LIMITS, MAX_METHODS, MEMBERS, checked_manifest

MAX_PACK = 200_000_000  # bytes of the archive
MAX_DIRECTORY = 1_000_000  # bytes of its list of members


class Archive:
    """An open archive whose list of members is as the manifest says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = _bounded(path)
        except OSError as error:
            raise PackError(f"{path}: cannot be read ({error.strerror or error})") from error
        self.digest = hashlib.sha256(data).hexdigest()
        _check_end(path, data)
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise PackError(f"{path}: not a readable zip archive ({error})") from None
        names = [info.filename for info in self.archive.infolist()]
        if len(set(names)) < len(names) or len(names) > 1 + len(MEMBERS) * MAX_METHODS:
            raise PackError(f"{path}: {len(names)} members, some twice or too many")
        if "manifest.json" not in names:
            raise PackError(f"{path}: not a results pack, it has no manifest.json")
        self.manifest = checked_manifest(self._read("manifest.json"))
        strange = set(names) - {"manifest.json", *self.manifest["members"]}
        missing = set(self.manifest["members"]) - set(names)
        if strange or missing:
            what = "a member that is not in the manifest" if strange else "no member"
            raise PackError(f"{path}: {what} {min(strange or missing)!r}")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def _read(self, name: str) -> bytes:
        """A member, never more of it than its kind may have."""
        limit = LIMITS[name.rpartition("/")[2]]
        info = self.archive.getinfo(name)
        if info.file_size > limit:
            raise PackError(f"{self.path}: {name} of {info.file_size} bytes, at most {limit}")
        if info.flag_bits & 1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise PackError(f"{self.path}: {name} is encrypted or packed in an unusual way")
        try:
            with self.archive.open(info) as file:
                data = file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise PackError(f"{self.path}: {name} is damaged ({error})") from None
        if len(data) > limit:
            raise PackError(f"{self.path}: {name} has more than {limit} bytes")
        return data

    def contents(self, file: str) -> dict[str, bytes]:
        """The members of one method, undamaged."""
        found = {}
        for member in MEMBERS:
            data, entry = (
                self._read(f"{file}/{member}"),
                self.manifest["members"][f"{file}/{member}"],
            )
            found[member] = data
            if (len(data), hashlib.sha256(data).hexdigest()) != (entry["bytes"], entry["sha256"]):
                raise PackError(f"{self.path}: {file}/{member} is not what the manifest says")
        return found


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PACK + 1)
    if len(data) > MAX_PACK:
        raise PackError(f"{path}: more than {MAX_PACK} bytes, no pack is that large")
    return data


def _check_end(path: Path, data: bytes) -> None:
    """Bound the list of members before anyone reads it; ours end without a comment."""
    end = data[-22:]
    if len(end) < 22 or not end.startswith(b"PK\x05\x06"):
        raise PackError(f"{path}: not a results pack, or cut off (no end of archive)")
    directory = int.from_bytes(end[12:16], "little")
    if directory > MAX_DIRECTORY or data[-42:-38] == b"PK\x06\x07":
        raise PackError(f"{path}: a list of members of {directory} bytes, at most {MAX_DIRECTORY}")
