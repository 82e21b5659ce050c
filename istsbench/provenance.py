"""What a result was made by: the method's code, parameters and weights, and the machine."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import uuid
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from istsbench.segmenter import Segmenter, Trainable

_LIBRARIES = (
    "numpy", "scipy", "scikit-image", "opencv-python", "opencv-python-headless", "numba", "torch",
)  # fmt: skip
VERSIONS = ("istsbench", *_LIBRARIES)


def parameters(method: Segmenter) -> dict[str, object]:
    """The fields that change a method's result, by name."""
    return {
        field.name: getattr(method, field.name)
        for field in dataclasses.fields(method)
        if field.compare
    }


_OF_NETWORKS = {  # from image to map
    f"istsbench.networks.{name}"
    for name in ("network", "recipe", "fused", "kernels", "winograd", "lanes")
}


LOOSE = "istsbench_file_"  # begins the name of a module that was loaded from a file by its path
_PLACE = re.compile(f"^{LOOSE}[0-9a-f]{{8}}_")  # in such a name: a hash of the folder
STATE = "made_from"  # a class attribute: hash of what made a class, where its module does not tell


def code_hash(kind: type[Segmenter]) -> str:
    """Hash of the source files that a method consists of.

    These are its own module and what that imports, directly or not, from the same
    top-level package (of a file that was loaded by its path: from the same folder), and the
    base of the networks; a change elsewhere does not make stored maps stale. Of a class that
    no file holds, as in a notebook, it is the hash of the class itself; see `look_anew`.
    """
    digest, in_files = _sources_hash(kind)
    digest = digest.copy()
    digest.update(getattr(kind, STATE, "" if in_files else _class_state(kind)).encode())
    return digest.hexdigest()[:16]


def look_anew() -> None:
    """Let the next hash of a class that no file holds tell of all that it uses at that time.

    In between the hash stays, so that one run has one. Sources are never read anew: what was
    imported from them stays as it was.
    """
    _class_state.cache_clear()


@cache
def _sources_hash(kind: type[Segmenter]) -> tuple[hashlib._Hash, bool]:
    """The hash with the sources of a class in it, and whether there are any."""
    package, folder = kind.__module__.partition(".")[0], loose_folder(kind.__module__)
    waiting, sources = [kind.__module__], dict[str, bytes]()
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        own = top == package or name in _OF_NETWORKS or is_beside(top, folder)
        if not own or name in sources:
            continue
        source, base = _source(name)
        if source is not None:
            sources[name] = source
            waiting += imported_names(source, base)
    digest = hashlib.sha256()
    for name in sorted(sources):
        bases = frozenset(base.__name__ for base in kind.__mro__ if base.__module__ == name)
        digest.update(f"{_anywhere(name)}\0{_essence(sources[name], bases)}\0".encode())
    return digest, bool(sources)


def loose_folder(module: str) -> Path | None:
    """The folder of a module that was loaded from a file by its path; None of any other."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).parent if module.startswith(LOOSE) and file else None


def is_beside(top: str, folder: Path | None) -> bool:
    """Whether the top-level module `top` lies in the folder of a loose file."""
    if folder is None or top == "istsbench":
        return False
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()


def state_hash(thing: object) -> str:
    """Hash of an object that a session made: its code, what it closes over, what it uses.

    What cannot be pickled gets another hash each time, so that nothing old passes for its own.
    """
    from cloudpickle import dumps

    try:
        return hashlib.sha256(dumps(thing)).hexdigest()
    except Exception:  # whatever a part of it raises
        return uuid.uuid4().hex


@cache
def _class_state(kind: type[Segmenter]) -> str:
    return state_hash(kind)


def _anywhere(module: str) -> str:
    """The name of a module without the place of a loose file: code is the same anywhere."""
    return _PLACE.sub(LOOSE, module)


_NO_MATTER = {"card", "threshold", "excused"}  # of a method's class: they change no map


@cache
def _essence(source: bytes, bases: frozenset[str]) -> str:
    """The code of a file without what no map depends on.

    That is: comments, docstrings, cards, rules, and what `parameter` says of a parameter.

    Cards and rules are those of methods: classes with a card, and `bases` of the method.
    Elsewhere a `threshold` may be any number.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a compiled module
        return hashlib.sha256(source).hexdigest()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.ClassDef) and (
            node.name in bases or any(_assigns(child, {"card"}) for child in node.body)
        ):
            kept = [child for child in node.body if not _assigns(child, _NO_MATTER)]
            node.body = kept or [ast.Pass()]
    return ast.unparse(_WithoutHelp().visit(tree))


class _WithoutHelp(ast.NodeTransformer):
    """Writes `size: int = parameter(5, "pixels")` as `size: int = 5`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        named = isinstance(node.func, ast.Name) and node.func.id == "parameter"
        return node.args[0] if named and len(node.args) == 2 else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module == "istsbench.segmenter":
            node.names = [alias for alias in node.names if alias.name != "parameter"]
        return node


def _assigns(node: ast.stmt, names: set[str]) -> bool:
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id in names for target in targets)


def _source(name: str) -> tuple[bytes | None, str]:
    """A module's source, and the name that its relative imports start from."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None, name
    if spec is None or not spec.has_location or not spec.origin:
        return None, name
    base = name if spec.submodule_search_locations is None else f"{name}.__init__"
    return Path(spec.origin).read_bytes(), base


def imported_names(source: bytes, name: str) -> list[str]:
    """Names that may be modules in the import statements of a file, wherever they stand."""
    found: list[str] = []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a compiled module
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = name.rsplit(".", node.level)[0] if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def method_hash(method: Segmenter) -> str:
    """Hash of everything that a method's maps depend on besides the image."""
    values = {}
    for name, value in parameters(method).items():
        if isinstance(value, Path) and value.is_file():
            value = hashlib.sha256(value.read_bytes()).hexdigest()
        values[name] = repr(value)
    kind = type(method)
    title = f"{_anywhere(kind.__module__)}.{kind.__qualname__}"
    record = [title, code_hash(kind), sorted(values.items())]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()[:10]


def run_hash(method: Segmenter, dataset: str) -> str:
    """`method_hash` as a run on a data set has it: of a network with its published weights."""
    return method_hash(method.pretrained(dataset) if isinstance(method, Trainable) else method)


def environment(device: str = "cpu", threads: int = 1) -> dict[str, str]:
    """Versions and hardware, for the record beside a result.

    `blas` is what numpy calls, with the kernels that it chose for this processor: they
    decide the last bits. `threads` is how many of the CPU score an image; where something
    else does, `device` stands in its place.
    """
    from istsbench import __version__  # the package imports this module

    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        **({"threads": str(threads)} if device == "cpu" else {"device": device}),
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    for name, value in (("blas", _blas()), ("commit", commit())):
        if value is not None:
            found[name] = value
    found["istsbench"] = __version__  # the metadata of an editable install may be older
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def _blas() -> str | None:
    from threadpoolctl import threadpool_info

    known = [one for one in threadpool_info() if one["user_api"] == "blas"]
    known.sort(key=lambda one: "numpy" not in one["filepath"])  # scipy and OpenCV have theirs
    if not known:
        return None
    return " ".join(
        str(known[0].get(key, "")) for key in ("internal_api", "version", "architecture")
    )


@cache
def commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the checkout that a package lies in, and whether its code was changed.

    None for an installed copy, even inside somebody's checkout, and where git cannot tell.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    head = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":(top)*.py")
    return f"{head} with changes" if head and changed else head


def _git(folder: Path, *words: str) -> str | None:
    """What git answers, or None if it refuses or is not there; it takes no lock."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", folder, *words],
            capture_output=True, text=True, timeout=10, env=plain,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
