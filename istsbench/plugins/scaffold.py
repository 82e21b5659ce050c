"""`istsbench new`: a package with one method that works, to start from."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from datetime import date
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from istsbench import registry
from istsbench.errors import WrongUse


def write_package(name: str, out: Path) -> Path:
    """Write the folder OUT/NAME, whole or not at all, and return it.

    Raises `WrongUse` if the name cannot be that of a module, is taken, or the folder exists.
    """
    from jinja2 import Environment, StrictUndefined

    _check(name)
    folder = out / name
    if folder.exists():
        raise WrongUse(f"{folder} exists; expected a new folder")
    kind = "".join(part.capitalize() for part in name.split("_"))
    values = {"name": name, "kind": kind, "year": date.today().year}
    environment = Environment(keep_trailing_newline=True, undefined=StrictUndefined)
    out.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".part", dir=out))
    try:
        for template in files(__package__).joinpath("templates/method").iterdir():
            file = template.name.removesuffix(".j2").replace("method", name)
            text = environment.from_string(template.read_text(encoding="utf-8")).render(values)
            (part / file).write_text(text, encoding="utf-8")
        part.chmod(0o755)  # a temporary folder is closed to others
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise WrongUse(
            f"{name!r} cannot be the name of a method; expected a Python module's name: small "
            "letters, digits and single underscores, a letter first"
        )
    if name in registry.names() or name in registry.groups():
        raise WrongUse(f"{name!r} is a method or a group already; see `istsbench list`")
    if find_spec(name) is not None:
        raise WrongUse(f"{name!r} is a module already, which the method would hide")
