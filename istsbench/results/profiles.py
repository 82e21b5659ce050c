"""How the public codes of the field turn maps into scores, each as a value: a profile.

A profile fixes what a table of this package leaves to choose: the size that is scored, how map
and mask get there, the scaling of the map, the level, the matching, which pixels are false and
what they are divided by, the reduction, and the ROC. Scores under different profiles are
different numbers.

A profile is applied to a map that a method made of the native image. The codes whose size is not
the native one resize the *image* and score the map that comes of it; here the map is resized by
what they use for the image, the nearest there is without running the method again. A map that is
no probability has nothing like the sigmoid output of a network: where a profile takes maps as they
are, such a map is scaled to [0, 1] by its smallest and largest value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from istsbench.errors import UnknownName

NATIVE = "native"
PIL_BILINEAR, PIL_NEAREST = "PIL bilinear", "PIL nearest"
CV2_LINEAR, CV2_NEAREST = "cv2 linear", "cv2 nearest"
AS_IT_IS, BY_MAXIMUM = "as it is", "by its maximum"
ANY_PIXEL = "any pixel"  # a target is found by any positive pixel on it
BACKGROUND = "background"


@dataclass(frozen=True)
class Roc:
    """The curve of a code: a point a level k / `steps`, k = 0..steps, no end point added.

    Over `pixels` a point is the share of target pixels and of all others above the level, with
    0.001 added to both denominators. Over `targets` it is the share of targets with any pixel at
    or above it, and of pixels off the targets; images without a target are left out.
    """

    over: str  # pixels or targets
    steps: int

    @property
    def text(self) -> str:
        return f"{self.steps + 1} levels over {self.over}"


@dataclass(frozen=True)
class Profile:
    """What a code does to a map and its mask, and how it reduces the counts to scores."""

    name: str
    source: str  # repository
    commit: str  # that was read; empty if none is known
    size: int | None  # side of the square that is scored; None: native
    image: str  # how the code brings an image to that size, before its network
    map: str  # how a map comes to that size here
    mask: str
    scale: str  # of the map, for everything but IoU
    iou_scale: str  # of the map, for IoU
    match: str  # of `matching.MATCHES`, or ANY_PIXEL
    false: str  # whose pixels are false: "regions", "area" or BACKGROUND
    roc: Roc | None
    prints: str  # the scores that the code prints
    level: float = 0.5
    strict: bool = True  # above the level, not at it
    reduction: str = "pooled"
    epsilon: tuple[float, float] = (0.0, 0.0)  # added below P and R, and below F1
    sizes: Mapping[str, int] = field(default_factory=dict)  # by data set, where it is another
    certain: bool = True  # read in the code; else inferred from codes of its family

    def size_on(self, dataset: str) -> int | None:
        """The side of the square that is scored on a data set, None for the native size."""
        return self.sizes.get(dataset, self.size)

    def text(self, dataset: str = "") -> str:
        """The profile as one line says it under a table."""
        size, sign = self.size_on(dataset), ">" if self.strict else ">="
        where = "native size"
        if size is not None:
            there = "" if self.image == NATIVE else " (there the image, before the network)"
            where = f"maps by {self.map}{there} and masks by {self.mask} at {size}x{size}"
        scaled = f"map {self.scale} {sign} {self.level:g}"
        if self.scale == BY_MAXIMUM:
            scaled = f"map divided by its maximum {sign} {self.level:g}"
        if self.iou_scale != self.scale:
            scaled += f" (for IoU the map {self.iou_scale})"
        if self.match == ANY_PIXEL:
            matched = "a target is found by any pixel on it"
        else:
            matched = "targets matched in raster order"
        false = {
            "regions": "false are unmatched regions, over all pixels",
            "area": "false are unmatched regions of an area that no matched one has, "
            "over all pixels",
            BACKGROUND: "false are all pixels off the targets, over such pixels of images with "
            "targets",
        }[self.false]
        parts = [where, scaled, "pooled over all pixels", matched, false]
        if self.epsilon != (0.0, 0.0):
            low, high = self.epsilon
            parts.append(f"{low:g} added below P and R and {high:g} below F1")
        parts.append(f"AUC of {self.roc.text}" if self.roc else "no AUC")
        code = f"{self.source} {self.commit}".strip()
        code += "" if self.certain else ", partly inferred"
        return f"profile {self.name} ({code}): " + ", ".join(parts)


_PIXELS, _TARGETS = Roc("pixels", 10), Roc("targets", 200)
_BASICIRSTD = Profile(
    name="basicirstd",
    source="XinyiYing/BasicIRSTD",
    commit="95650c3",
    size=None,
    image=NATIVE,
    map=NATIVE,
    mask=NATIVE,
    scale=AS_IT_IS,
    iou_scale=AS_IT_IS,
    match="first",
    false="regions",
    roc=None,
    prints="IoU, recall, Pd, Fa",
)
_DNANET = replace(
    _BASICIRSTD,
    name="dnanet",
    source="YeRen123455/Infrared-Small-Target-Detection",
    commit="21584be",
    size=256,
    image=PIL_BILINEAR,
    map=PIL_BILINEAR,
    mask=PIL_NEAREST,
    false="area",
    roc=_PIXELS,
    prints="IoU, Pd, Fa",
)
_DRPCANET = replace(
    _DNANET,
    name="drpcanet",
    source="GrokCV/DRPCA-Net",
    commit="fe8250c",
    image=CV2_LINEAR,
    map=CV2_LINEAR,
    mask=CV2_NEAREST,
    scale=BY_MAXIMUM,
    iou_scale=BY_MAXIMUM,
    roc=_TARGETS,
    prints="IoU, F1, Pd, Fa, AUC",
)

PROFILES = {
    profile.name: profile
    for profile in (
        _BASICIRSTD,
        _DNANET,
        replace(
            _BASICIRSTD,
            name="sctransnet",
            source="xdFai/SCTransNet",
            commit="e027628",
            false="area",
            roc=_PIXELS,
            prints="IoU, nIoU, P, R, F1, Pd, Fa",
            epsilon=(1e-3, 1e-5),
        ),
        replace(
            _DRPCANET,
            name="l2sknet",
            source="fengyiwu98/L2SKNet",
            commit="b9624fe",
            image=NATIVE,
            iou_scale=AS_IT_IS,
            prints="IoU, P, R, F1, Pd, Fa, AUC",
            sizes={"irstd1k": 512},
        ),
        replace(
            _DRPCANET,
            name="rpcanet",
            source="fengyiwu98/RPCANet",
            commit="25da080",
            match=ANY_PIXEL,
            false=BACKGROUND,
        ),
        _DRPCANET,
        replace(_DNANET, name="mshnet", source="Lliu666/MSHNet", commit="7c5194b"),
        # The family that DNANet's code descends from, at its size; it counts no targets.
        replace(
            _DNANET,
            name="openacm",
            source="YimianDai/open-acm",
            commit="",
            size=512,
            roc=None,
            prints="IoU, nIoU",
            certain=False,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """A profile by its name; raises `UnknownName` with close matches."""
    if name not in PROFILES:
        raise UnknownName("profile", name, list(PROFILES))
    return PROFILES[name]
