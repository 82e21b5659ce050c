import numpy as np
import pytest
from scipy.ndimage import correlate

from baselines.hvs.mdwcm import DOWN, MDWCM


def blob(level=50.0, height=100.0):
    rows, columns = np.mgrid[:41, :47]
    return level + height * np.exp(-((rows - 18) ** 2 + (columns - 25) ** 2) / 4)


@pytest.mark.parametrize("powers", [(p, q) for p in range(4) for q in range(4 - p)])
def test_kernel_is_the_derivative_of_any_cubic(powers):
    down, right = np.mgrid[-2:3, -2:3].astype(float)
    slope = float(powers == (1, 0))
    assert np.sum(DOWN * down ** powers[0] * right ** powers[1]) == pytest.approx(slope, abs=1e-13)


def test_by_the_definition():
    image = blob() + np.random.default_rng(0).normal(0, 5, (41, 47))
    down, right = (correlate(image, kernel, mode="nearest") for kernel in (DOWN, DOWN.T))
    product = 1.0
    for angle in (0, 45, 90, 135):
        turn = np.deg2rad(angle)
        subband = np.sin(turn) * down + np.cos(turn) * right
        sums = {+1: np.zeros_like(image), -1: np.zeros_like(image)}
        counts = {+1: 0, -1: 0}
        wide = np.pad(subband, 4, mode="edge")
        for y in range(-4, 5):
            for x in range(-4, 5):
                along = y * np.sin(turn) + x * np.cos(turn)
                across = y * np.cos(turn) - x * np.sin(turn)
                for side in (+1, -1):
                    if (y or x) and side * along >= abs(across) - 1e-9:
                        sums[side] += wide[4 + y : 45 + y, 4 + x : 51 + x]
                        counts[side] += 1
        assert counts == {+1: 24, -1: 24}
        rise, fall = np.maximum(sums[-1] / 24, 0), np.maximum(-sums[+1] / 24, 0)
        weight = np.minimum(rise, fall) / np.maximum(np.maximum(rise, fall), 1e-12)
        product = product * weight * rise * fall
    expected = product**0.25
    assert expected.max() > 1
    np.testing.assert_allclose(MDWCM().score(image), expected, rtol=0, atol=1e-10 * expected.max())


def test_bright_blobs_only():
    score = MDWCM().score(blob())
    assert np.unravel_index(score.argmax(), score.shape) == (18, 25)
    # What is left of a dark one is its rim, where the image falls on both sides.
    assert MDWCM().score(200 - blob())[14:23, 21:30].max() < 1e-3 * score.max()


@pytest.mark.parametrize("stripe", [np.s_[:, 20:], np.s_[:, 20:23], np.s_[20:22, :]])
def test_edges_and_lines_are_rejected(stripe):
    image = np.full((40, 50), 40.0)
    image[stripe] = 200.0
    assert MDWCM().score(image).max() < 1e-10


def test_turns_with_the_image():
    image = np.random.default_rng(0).uniform(0, 255, (30, 40))
    score = MDWCM().score(image)
    for turned in (np.rot90, np.transpose, np.flipud):
        np.testing.assert_allclose(
            MDWCM().score(turned(image).copy()), turned(score), rtol=0, atol=1e-9 * score.max()
        )


def test_square_of_the_gain():
    image = blob(height=20.0)
    score = MDWCM().score(image)
    np.testing.assert_allclose(
        MDWCM().score(3 * image + 40), 9 * score, rtol=0, atol=1e-9 * score.max()
    )
