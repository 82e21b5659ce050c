"""The rows that come with the package: our counts of NUAA-SIRST and NUST-SIRST, without a clone.

`python -m istsbench.results.shipped results` packs records, counts and curves of OUT/nuaa and
OUT/nust (maps and masks are not shipped; a run makes them) into files beside this module, one a
data set, xz-compressed: `about.json`, METHOD.json, METHOD.csv, curves/METHOD.csv as runs write
them. They are read by what reads a results folder, so that a damaged one is noticed.

Such rows stand beside one's own only where the protocol is the same; a row of one's own goes
before the shipped row of its name. Where they are shown they carry the sign ° and the version.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from istsbench import __version__
from istsbench.errors import DataError, PackError, ProtocolMix, UnknownName
from istsbench.files import write_atomic, write_together
from istsbench.results.results import PROTOCOL, Results
from istsbench.results.rows import divided
from istsbench.runs.outputs import counts_file, curve_file, record_file
from istsbench.runs.record import Origin, Record, as_bytes
from istsbench.unregistered import is_users

PREFIX = "published:"
SHIPPED = "°"  # the sign of such a row
SHIPPED_SETS = ("nuaa", "nust")
PLACE = Path(__file__).with_name("shipped_rows")
MAKE = "python -m istsbench.results.shipped results"
_ABOUT = "about.json"


def shipped_names() -> list[str]:
    """The data sets of which rows come with the package."""
    return sorted(path.name.partition(".")[0] for path in PLACE.glob("*.tar.xz"))


@dataclass(frozen=True)
class ShippedRows:
    """The shipped rows of a data set."""

    dataset: str
    members: Mapping[str, bytes]  # path below a results folder -> content
    version: str  # of the package that the rows were packed with
    made: str  # YYYY-MM-DD
    digest: str  # sha256 of the file

    @classmethod
    def of(cls, dataset: str, folder: Path = PLACE) -> ShippedRows:
        """Those of a data set; raises `UnknownName` if there are none, `PackError` if damaged."""
        path = folder / f"{dataset}.tar.xz"
        if not path.is_file():
            raise UnknownName("data set with shipped rows", dataset, shipped_names())
        data = path.read_bytes()
        try:
            members = dict(_unpacked(data))
            about = json.loads(members.pop(_ABOUT))
            version, made = str(about["istsbench"]), str(about["made"])
        except (tarfile.TarError, lzma.LZMAError, EOFError, KeyError, ValueError) as error:
            raise PackError(f"{path}: damaged ({error}); install istsbench again") from error
        return cls(dataset, members, version, made, hashlib.sha256(data).hexdigest())

    @property
    def origin(self) -> Origin:
        """What a record says of where its row came from."""
        return Origin(pack=self.digest, verified=False, name=self.name)

    @property
    def name(self) -> str:
        return f"istsbench {self.version}, {self.made}"

    @cached_property
    def results(self) -> Results:
        """The rows as results, which lie in no folder; each names its origin."""
        with TemporaryDirectory() as place:
            folder = Path(place) / self.dataset
            for name, content in self.members.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            try:
                found = Results.load(folder)
            except (DataError, ProtocolMix) as error:
                raise PackError(f"{PREFIX}{self.dataset}: {error}") from error
        records = {spec: replace(one, imported=self.origin) for spec, one in found.records.items()}
        return replace(found, folder=Path(f"{PREFIX}{self.dataset}"), records=records)

    def check(self, other: Record, where: object) -> None:
        """Raise `ProtocolMix` if a row of somebody else cannot share a table with these."""
        ours = self.results.any_record
        for key in PROTOCOL:
            stated, shipped = getattr(other, key), getattr(ours, key)
            if stated != shipped:
                raise ProtocolMix(
                    f"{where}: {other.method} has {key} {stated!r} ({_images(other)}), the rows "
                    f"shipped as {PREFIX}{self.dataset} have {shipped!r} ({_images(ours)}): they "
                    "cannot share a table"
                )


def is_shipped(record: Record) -> bool:
    """Whether a row came with the package."""
    return record.imported is not None and record.imported.name != ""


def shipped_told(results: Results) -> list[str]:
    """What the foot of a table says of shipped rows: of which version they are."""
    title = results.any_record.title
    names = dict.fromkeys(origins(results).values())
    return [f"{SHIPPED} {title}: shipped with {name}, not run here." for name in names]


def _images(record: Record) -> str:
    """What the images of a row are, for a message."""
    some = f"{record.images} of {record.of}" if record.images < record.of else f"{record.images}"
    return f"{record.dataset}, split {record.split}, {some} images"


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or ".." in member.name or member.name.startswith("/"):
                raise ValueError(f"{member.name} is not a file of results")
            yield member.name, content.read()


def all_with_shipped(
    folders: Sequence[Path], empty: str = "zero", methods: str = "all"
) -> list[Results]:
    """`with_shipped` of each folder; `methods` names rows as `rows_across` takes them."""
    sets = [with_shipped(folder, empty) for folder in folders]
    rows = [{spec: (one.label, one.group) for spec, one in made.records.items()} for made in sets]
    found = divided(rows, methods, [made.folder for made in sets])
    return [made.only(specs) for made, specs in zip(sets, found, strict=True)]


def with_shipped(folder: Path, empty: str = "zero") -> Results:
    """The results of a folder OUT/DATASET with the shipped rows beside them.

    The folder may be missing; `empty` is one of `metrics.EMPTY`. A row of one's own hides the
    shipped row of its name. Raises `ProtocolMix` if the protocols differ, `UnknownName` if no rows
    of the data set are shipped, and as `Results.load`.
    """
    mine = Results.load(folder, empty=empty) if any(folder.glob("*.json")) else None
    shipped = ShippedRows.of(folder.name if mine is None else mine.any_record.dataset)
    theirs = shipped.results
    if mine is None:
        both = replace(theirs, empty=empty)
    else:
        shipped.check(mine.any_record, mine.folder)
        counts = {spec: rows for spec, rows in theirs.counts.items() if spec not in mine.records}
        both = replace(
            mine, records={**theirs.records, **mine.records}, counts={**counts, **mine.counts}
        )
    return replace(both, offered=len(both.records))


def can_join(results: Results) -> int:
    """How many shipped rows could stand beside results that are the user's own rows alone.

    0 where other rows are there, or none is shipped of these images.
    """
    if not all(is_users(spec, one.group) for spec, one in results.records.items()):
        return 0
    try:
        shipped = ShippedRows.of(results.any_record.dataset)
        shipped.check(results.any_record, results.folder)
    except (UnknownName, ProtocolMix):
        return 0
    return len(shipped.results.records)


def origins(results: Results) -> dict[str, str]:
    """Spec -> what a shipped row came with; only of those."""
    named = {spec: one.imported.name for spec, one in results.records.items() if one.imported}
    return {spec: name for spec, name in named.items() if name}


def import_shipped(dataset: str, out: Path) -> tuple[Path, list[str], list[str]]:
    """Write the shipped rows into OUT/DATASET as a run would; returns it, and what was and was not.

    A row of which anything is there stays as it is. Raises `ProtocolMix` if rows there are of
    another protocol, `DataError` if one is damaged, and then nothing has been written.
    """
    shipped, folder = ShippedRows.of(dataset), out / dataset
    if any(folder.glob("*.json")):
        shipped.check(Results.load(folder).any_record, folder)
    new = {
        spec: record
        for spec, record in shipped.results.records.items()
        if not record_file(folder, record.file).exists()
        and not counts_file(folder, record.file).exists()
    }
    files: list[tuple[Path, bytes]] = []
    for record in new.values():
        for path in (curve_file(folder, record.file), counts_file(folder, record.file)):
            content = shipped.members.get(path.relative_to(folder).as_posix())
            files += [] if content is None else [(path, content)]
    # Records last, since a row counts from its record on.
    files += [(record_file(folder, one.file), as_bytes(one)) for one in new.values()]
    try:
        write_together(files)
    except OSError as error:
        why = error.strerror or str(error)
        raise PackError(f"{folder}: cannot be written ({why}); nothing was") from error
    return folder, list(new), [spec for spec in shipped.results.records if spec not in new]


# ------------------------------------------------------------------ making them


def rows_to_ship(folder: Path) -> dict[str, bytes]:
    """Path -> content of what is shipped of a results folder; raises as `Results.load` does."""
    results = Results.load(folder)
    paths = [
        path
        for record in results.records.values()
        if record.ran
        for path in (
            record_file(folder, record.file),
            counts_file(folder, record.file),
            curve_file(folder, record.file),
        )
        if path.is_file()
    ]
    # Files of a kind side by side: they compress best.
    paths.sort(key=lambda path: (path.parent != folder, path.suffix, path.name))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def differing(out: Path, to: Path = PLACE) -> list[str]:
    """The data sets whose shipped rows are not those of the results folder `out`."""
    found = []
    for name in SHIPPED_SETS:
        path = to / f"{name}.tar.xz"
        if not path.is_file() or ShippedRows.of(name, to).members != rows_to_ship(out / name):
            found.append(name)
    return found


def ship(out: Path, to: Path = PLACE) -> list[Path]:
    """Pack the rows of OUT/nuaa and OUT/nust anew where they changed; returns what was written."""
    written = []
    for name in differing(out, to):
        about = {"istsbench": __version__, "made": f"{datetime.now(UTC):%Y-%m-%d}"}
        members = {_ABOUT: json.dumps(about).encode(), **rows_to_ship(out / name)}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:xz", preset=9) as archive:
            for path, content in members.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        written.append(to / f"{name}.tar.xz")
        write_atomic(written[-1], packed.getvalue())
    return written


def main() -> None:
    """Pack the rows of the results folder named on the command line."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    for path in ship(out):
        print(f"written: {path} ({path.stat().st_size / 1e6:.2f} MB)")
    for name in SHIPPED_SETS:
        shipped = ShippedRows.of(name)
        print(f"{PREFIX}{name}: {len(shipped.results.records)} rows, {shipped.name}")


if __name__ == "__main__":
    main()
