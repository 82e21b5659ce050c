"""The interface that every method fulfils: an image in, a score map out.

A method is a frozen dataclass with one required method, `score`. Its fields are
its parameters, all with defaults; nothing is computed in the constructor and
nothing is kept between calls, so that a method is a value: it compares, prints,
pickles, and gives the same map for the same image in any order, batch or process.

Every image enters through one door: whatever class defines `score`, `score_many` or
`segment`, its function is called with the image that `istsbench.arrays.picture` makes of the
caller's array, so that a picture has the same map whatever its type, bytes and strides.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import wraps
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from istsbench.arrays import apart, picture
from istsbench.errors import MissingWeights
from istsbench.threshold import OF_MASKS, UNNAMED, Threshold

if TYPE_CHECKING:
    from istsbench.data.samples import Dataset

Image = np.ndarray  # in a method: float64 (H, W), C order, read-only, grey levels 0..255
Map = np.ndarray  # float64 (H, W), finite, >= 0, larger = more target-like, background about 0
Mask = np.ndarray  # bool (H, W), True on targets

_T = TypeVar("_T")
HOME = "nuaa"  # the data set whose weights serve where a data set has none of its own
STATUSES = ("reference-checked", "paper", "reconstruction", "unpublished")


@dataclass(frozen=True)
class Card:
    """What a table says of a method.

    `label` is its name in tables (the paper's spelling where it has a row there),
    `group` its block (`spatial`, `hvs`, `lowrank`, `cnn`, `game`, or a name of your own),
    `venue` the journal or conference in short, `doi` the DOI, arXiv id or URL.
    `status` is "reference-checked" (equals a public reference code), "paper" (built from
    the paper's text), "reconstruction" (source not reachable: tables mark the row) or
    "unpublished" (a method that no paper describes yet); `ValueError` for another one.

    >>> Card("Mine", "spatial", "IPT", 2026, "10.1000/1", "paper").label
    'Mine'
    >>> Card("Mine", "spatial", "IPT", 2026, "10.1000/1", "good")
    Traceback (most recent call last):
        ...
    ValueError: status is 'good', expected one of reference-checked, paper, ...
    """

    label: str
    group: str
    venue: str
    year: int
    doi: str
    status: str

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, expected one of {', '.join(STATUSES)}")


def parameter(default: _T, help: str, *, compare: bool = True) -> _T:
    """A field of a method: its default, and what it means, with the unit, in one line.

    `compare=False` is for what changes the speed of a method and not its maps.

    >>> @dataclass(frozen=True)
    ... class Brighter(Segmenter):
    ...     card = Card("Brighter", "spatial", "Nowhere", 2026, "none", "paper")
    ...     least: float = parameter(50.0, "grey levels above the mean")
    ...     def score(self, image):
    ...         return np.maximum(image - image.mean() - self.least, 0)
    >>> Brighter(least=20.0)
    Brighter(least=20.0)
    """
    return field(default=default, compare=compare, metadata={"help": help})


def parameter_help(kind: type[Segmenter]) -> dict[str, str]:
    """What each parameter of a method means, by name; "" where its class says nothing.

    A parameter whose default alone is changed in a variant keeps the text of its base.

    >>> from istsbench import info
    >>> parameter_help(info("tophat"))
    {'size': 'side of the square, pixels, odd; must exceed the largest target'}
    """
    found: dict[str, str] = {}
    for owner in filter(is_dataclass, reversed(kind.__mro__)):
        for one in fields(owner):
            found[one.name] = one.metadata.get("help") or found.get(one.name, "")
    return found


@dataclass(frozen=True)
class Segmenter(ABC):
    """A method of infrared small target segmentation.

    A method is used as it is, or with some of its parameters changed:

    >>> from istsbench import create
    >>> from istsbench.data.synthetic import scene
    >>> method, image = create("tophat", size=7), scene()
    >>> score = method.score(image)
    >>> score.shape == image.shape, score.dtype
    (True, dtype('float64'))
    >>> int(method.segment(image).sum())  # pixels of the target, which is 3x3
    9
    """

    card: ClassVar[Card]
    threshold: ClassVar[Threshold] = UNNAMED
    """The method's own rule: its paper's, or one calibrated without any test image.

    Maps of type bool of a method that names none are taken as masks, see `rule_for`."""
    batched: ClassVar[bool] = False
    """True if `score_many` is faster than `score` image by image (networks)."""
    excused: ClassVar[Mapping[str, str]] = {}
    """Conformance checks that the method cannot pass by its nature, each with the reason."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, enter in _DOORS.items():
            _guard(cls, name, enter)

    @abstractmethod
    def score(self, image: Image) -> Map:
        """Return the score map of one image, float64 (H, W), finite and not negative.

        Larger means more target-like. A caller may give any real 2-D array, its grey levels
        meant as 0..255; `istsbench.arrays.picture` says what is taken and what is refused by
        `ValueError`. A method gets it as float64 in C order, read-only. The caller's array is
        not changed, and the map never lies in its memory.
        """

    def score_many(self, images: Iterable[Image]) -> Iterator[Map]:
        """Yield the score maps of several images, in their order."""
        return map(self.score, images)

    def computes_on(self) -> str:
        """What scores an image: "cpu", or another device by its name."""
        return "cpu"

    def images_at_once(self) -> int:
        """How many images a run hands to `score_many` at a time.

        What a run that is killed may lose: their maps are stored when all are there.
        """
        return 64 if self.batched else 1

    def segment(self, image: Image) -> Mask:
        """Return the target mask, bool (H, W), by the method's own threshold rule."""
        score = self.score(image)
        return rule_for(named_rule(self), is_mask(score))(score)


def named_rule(method: Segmenter) -> Threshold | None:
    """The rule that a method names itself; None of one that has that of `Segmenter`.

    >>> from istsbench import create
    >>> named_rule(create("acm"))
    Fixed(value=0.5)
    """
    own = [base for base in type(method).__mro__ if base is not Segmenter]
    return method.threshold if any("threshold" in vars(base) for base in own) else None


def is_mask(score: object) -> bool:
    """Whether a map, as a method returned it, is of type bool.

    >>> is_mask(np.zeros((2, 2), bool)), is_mask(np.zeros((2, 2)))
    (True, False)
    """
    return isinstance(score, np.ndarray) and score.dtype == bool


def rule_for(named: Threshold | None, masks: bool) -> Threshold:
    """The own rule that a method names, else the one for its maps: masks of type bool or scores.

    >>> rule_for(None, masks=True), rule_for(None, masks=False)
    (Fixed(value=0.5), MeanStd(k=3))
    """
    if named is not None:
        return named
    return OF_MASKS if masks else UNNAMED


def _one(score: Callable[..., Any], /, image: object, *more: Any, **options: Any) -> Any:
    entered = picture(image)
    return apart(score(entered, *more, **options), entered)


def _many(
    score_many: Callable[..., Iterable[Any]],
    /,
    images: Iterable[object],
    *more: Any,
    **options: Any,
) -> Iterator[Any]:
    entered: deque[Image] = deque()  # the images whose maps have not come yet

    def enter() -> Iterator[Image]:
        for image in images:
            entered.append(picture(image))
            yield entered[-1]

    for score in score_many(enter(), *more, **options):
        yield apart(score, entered.popleft()) if entered else score


_DOORS: Mapping[str, Callable[..., Any]] = {"score": _one, "segment": _one, "score_many": _many}
_ENTERS = "_enters_by_the_door"


def _guard(cls: type[Segmenter], name: str, enter: Callable[..., Any]) -> None:
    """Let the images of a method's function `name` enter by `enter`, if they do not yet.

    A function that the class has from a base which is no Segmenter is left there and called
    from here, next in the order of bases, as any override would call it.
    """
    owner = next(base for base in cls.__mro__ if name in vars(base))
    found = vars(owner)[name]
    if owner is Segmenter or hasattr(found, _ENTERS):
        return

    @wraps(found)
    def guarded(self: Any, /, *images: Any, **options: Any) -> Any:
        if owner is cls:
            inner = found.__get__(self, type(self)) if hasattr(found, "__get__") else found
        else:
            here = next(base for base in type(self).__mro__ if vars(base).get(name) is guarded)
            inner = getattr(super(here, self), name)
        return enter(inner, *images, **options)

    setattr(guarded, _ENTERS, True)
    setattr(cls, name, guarded)


@dataclass(frozen=True)
class Trainable(Segmenter):
    """A method that learns; `weights` names the file that holds what it learnt.

    >>> from istsbench import create
    >>> create("acm").weights is None, create("acm").pretrained("nuaa").weights.name
    (True, 'acm.safetensors')
    """

    weights: Path | None = parameter(
        None,
        "None: the published file for the data set, or else for NUAA-SIRST; or a file; or a data "
        "set, as nust, whose published file is meant",
    )

    @classmethod
    def registered_name(cls) -> str:
        """The name that the class is registered under, which its weight files carry."""
        for entry in entry_points(group="istsbench.segmenters"):
            if entry.value == f"{cls.__module__}:{cls.__qualname__}":
                return entry.name
        return cls.__name__.lower()

    @classmethod
    def weight_folders(cls) -> list[Path]:
        """Where published weights are looked for, in order; below each: DATASET/NAME.safetensors.

        What ISTSBENCH_WEIGHTS names, then `weights` beside the module of the method.
        """
        named = os.environ.get("ISTSBENCH_WEIGHTS")
        module = getattr(sys.modules.get(cls.__module__), "__file__", None)  # None in a notebook
        beside = [Path(module).resolve().parent / "weights"] if module else []
        return [*([Path(named)] if named else []), *beside]

    def pretrained(self, dataset: str) -> Self:
        """A copy that uses the published weights for a data set, or for the one it names.

        Where there are none for `dataset`, those for `HOME`. The method itself if its weights are a
        file, or if there are none at all. Raises `MissingWeights` if there are none for the data
        set that it names.
        """
        given = self.weights
        if given is not None and (len(given.parts) > 1 or given.suffix or given.is_file()):
            return self
        file = f"{self.registered_name()}.safetensors"
        named = [given.name] if given is not None else [dataset, HOME]
        places = [folder / name / file for name in named for folder in self.weight_folders()]
        found = next((path for path in places if path.is_file()), None)
        if found is None and given is not None:
            raise MissingWeights(
                f"{type(self).card.label}: weights {str(given)!r} are neither a file nor a data "
                f"set with published ones; looked for {', '.join(map(str, places))}"
            )
        return self if found is None else replace(self, weights=found)

    def training_plan(self) -> dict[str, Any] | None:
        """How the weights were trained, as their file tells; None if it does not.

        Holds at least `seed`; further `dataset`, `split`, `recipe` and what else decided it, and
        the `command`, which decides nothing that the others do not tell.
        """
        return None

    def learnt_from(self) -> frozenset[str] | None:
        """Hashes of the images that the weights were trained or chosen on; None if not told."""
        return None

    @abstractmethod
    def fit(self, dataset: Dataset, out: Path, **options: object) -> Self:
        """Train on `dataset`, write weights under `out`, return a copy that uses them."""
