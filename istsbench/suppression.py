"""How far a map lifts a target out of its background: SCRG, BSF and contrast gain.

Classical papers report them of maps, before any threshold (C. Gao et al., "Infrared patch-image
model for small target detection in a single image", IEEE TIP 22, 2013, and its followers). For each
target, with the mean mu_t of its pixels, and the mean mu_b and standard deviation sigma_b of the
background around it, in the image (in) and in the map (out)::

    SCR  = |mu_t - mu_b| / sigma_b     SCRG = SCR_out / SCR_in
    BSF  = sigma_in / sigma_out        gain = |mu_t - mu_b|_out / |mu_t - mu_b|_in

The background is the box around the target, 20 pixels wider on each side and cut at the border,
less the pixels of all targets. Image and map have grey levels from 0 to 255.

Pitfalls. A map that is flat around a target has sigma_out = 0, and SCRG and BSF are infinite; an
image that is flat there, or has a target as bright as its background, gives nothing to divide by.
Such a target counts in no mean, and is not hidden by a small number added below the line: beside
each sum stands of how many targets it is. The better a map suppresses background, the fewer those
are; and one nearly flat map can outweigh all others in a mean. Compare means only where nearly all
targets are in them, and never with papers of another neighbourhood or another scaling of maps.
"""

from __future__ import annotations

from math import fsum

import numpy as np

from istsbench.matching import Regions

AROUND = 20  # pixels on each side of a target's box
GAINS = ("scrg", "bsf", "gain")


def background_suppression(
    image: np.ndarray, score: np.ndarray, true: Regions
) -> dict[str, float | int]:
    """Sums of `GAINS` over the targets for which they are finite, and how many these are.

    `image` and `score` are (H, W), both with levels from 0 to 255; keys are `scrg`,
    `scrg_targets` and so on.

    >>> image = np.array([[40.0, 60.0, 110.0], [60.0, 40.0, 50.0]])
    >>> score = np.array([[4.0, 6.0, 205.0], [6.0, 4.0, 5.0]])
    >>> found = background_suppression(image, score, Regions.of(image == 110))
    >>> round(found["bsf"], 3), round(found["gain"], 3), found["bsf_targets"]
    (10.0, 3.333, 1)
    """
    found: dict[str, list[float]] = {name: [] for name in GAINS}
    image, score = np.asarray(image, np.float64), np.asarray(score, np.float64)
    for number in range(len(true.areas)):
        own = true.owner == number
        pixels = true.rows[own], true.columns[own]
        window = tuple(
            slice(max(int(along.min()) - AROUND, 0), int(along.max()) + AROUND + 1)
            for along in pixels
        )
        ground = true.labels[window] == 0
        if not ground.any():
            continue
        contrast, spread = _seen(image[pixels], image[window][ground])
        contrast_out, spread_out = _seen(score[pixels], score[window][ground])
        if spread and spread_out:
            found["bsf"].append(spread / spread_out)
            if contrast:
                found["scrg"].append(contrast_out / spread_out / (contrast / spread))
        if contrast:
            found["gain"].append(contrast_out / contrast)
    sums: dict[str, float | int] = {}
    for name, values in found.items():
        sums |= {name: fsum(values), f"{name}_targets": len(values)}
    return sums


def _seen(target: np.ndarray, ground: np.ndarray) -> tuple[float, float]:
    """Contrast and standard deviation; exactly 0 for what is flat, whatever its mean rounds to."""
    means = [float(part[0] if np.ptp(part) == 0 else part.mean()) for part in (target, ground)]
    return abs(means[0] - means[1]), float(ground.std()) if np.ptp(ground) else 0.0
