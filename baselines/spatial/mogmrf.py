"""MoG-MRF: targets are one component of a noise mixture whose labels are smooth.

    Y = U V' + E,   E ~ sum over k of label_k N(mu_k, 1 / tau_k),   k = 0, 1, 2

Y holds the patches of the image as columns. Its low-rank part is the background; what
is left is noise from three Gaussians, and the one with the most positive mean is the
target. A Markov random field on the labels of each patch lets neighbours agree. U, V,
the Gaussians and the labels are inferred by variational Bayes, the labels by sweeps of
mean-field updates in place.

Gao, Wang, Xiao, Zhao & Meng, "Infrared small-dim target detection based on Markov
random field guided noise modeling", Pattern Recognition 76, 463-475 (2018). The model
without the field: Zhao et al., "Robust principal component analysis with complex
noise", ICML (2014).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.special import digamma

from baselines.lowrank.patches import Grid
from istsbench.segmenter import Card, Image, Map, Segmenter
from istsbench.threshold import MeanStd

CENTRES = np.array([-0.035, 0.055, -0.025])  # first means of the Gaussians, grey / 255
PRIOR = 1e-6  # every hyperparameter of the authors: as good as no prior knowledge


@njit(cache=True, error_model="numpy")
def smooth(likelihood: np.ndarray, labels: np.ndarray, weight: float, sweeps: int) -> None:
    """Mean-field updates, in place, of the label probabilities of many patches.

    `likelihood` and `labels` are (K, p, p, n): K labels, patches of p x p pixels side by
    side. A pixel's labels become likelihood * exp(weight * sum of its 4 neighbours'
    labels), scaled to sum 1, row by row; each update sees the earlier ones.
    """
    kinds, side, _, count = labels.shape
    near = np.empty((kinds, count))
    for _ in range(sweeps):
        for y in range(side):
            for x in range(side):
                for k in range(kinds):
                    for j in range(count):
                        total = 0.0
                        if y > 0:
                            total += labels[k, y - 1, x, j]
                        if y < side - 1:
                            total += labels[k, y + 1, x, j]
                        if x > 0:
                            total += labels[k, y, x - 1, j]
                        if x < side - 1:
                            total += labels[k, y, x + 1, j]
                        near[k, j] = np.exp(weight * total) * likelihood[k, y, x, j]
                for j in range(count):
                    total = 0.0
                    for k in range(kinds):
                        total += near[k, j]
                    for k in range(kinds):
                        labels[k, y, x, j] = near[k, j] / total


def posterior(precision: np.ndarray, right: np.ndarray, full: np.ndarray):
    """Invert"""
    covariance = np.linalg.inv(precision.T[:, full])
    mean = np.einsum("iab,bi->ai", covariance, right)
    return covariance, mean


@dataclass(frozen=True)
class MoGMRF(Segmenter):
    card = Card(
        "MoG-MRF", "spatial", "PR", 2018, "10.1016/j.patcog.2017.11.016", "reference-checked"
    )
    threshold = MeanStd(15)

    patch: int = 50
    step: int = 10
    rank: int = 30
    weight: float = 1.5
    sweeps: int = 10
    tolerance: float = 1e-3
    iterations: int = 200
    component: int = 1

    def score(self, image: Image) -> Map:
        height, width = image.shape
        rows, columns = (tuple(range(0, l - self.patch, self.step)) for l in image.shape)
        if not rows or not columns or image.min() == image.max():
            return np.zeros(image.shape)
        grid = Grid(image.shape, self.patch, rows, columns)
        data = grid.matrix(image / 255)
        data -= data.mean()
        noise, labels = self.split(data)
        noise -= noise.min()
        chosen = np.argmax(labels, axis=0) == self.component
        return grid.median(np.where(chosen, noise, 0.0))

    def split(self, data):
        import time

        m, n = data.shape
        scale = np.sqrt(np.mean(data**2))
        left, values, right = np.linalg.svd(data, full_matrices=False)
        size = min(self.rank, len(values))
        u = (left[:, :size] * np.sqrt(values[:size])).T
        v = right[:size] * np.sqrt(values[:size])[:, None]
        diagonal = np.eye(size)[..., None]
        cov_v = scale * diagonal
        gamma = np.full(size, scale)
        low = u.T @ v
        noise = data - low
        nearest = np.argmax(
            CENTRES[:, None, None] * noise - CENTRES[:, None, None] ** 2 / 2, axis=0
        )
        labels = (nearest == np.arange(3)[:, None, None]).astype(float)
        square = noise**2
        side = int(round(np.sqrt(m)))

        def fit():
            count = labels.sum(axis=(1, 2))
            c = PRIOR + count / 2
            beta = PRIOR + count
            first = np.array([np.vdot(r, noise) for r in labels])
            mu = first / beta
            d = PRIOR + (np.array([np.vdot(r, square) for r in labels]) - first**2 / beta) / 2
            return count, c, d, mu, beta

        count, c, d, mu, beta = fit()
        moments_v = cov_v + v[:, None] * v
        T = time.process_time
        for it in range(self.iterations):
            t0 = T()
            tau = c / d
            weights = np.einsum("k,kij->ij", tau, labels)
            target = weights * data - np.einsum("k,kij->ij", tau * mu, labels)
            r = len(u)
            t1 = T()
            prec = (weights @ moments_v.reshape(r * r, n).T).reshape(m, r, r) + np.diag(gamma)
            cov_u = np.linalg.inv(prec)
            u = np.einsum("iab,bi->ai", cov_u, v @ target.T)
            cov_u = cov_u.transpose(1, 2, 0)
            moments_u = cov_u + u[:, None] * u
            prec = (weights.T @ moments_u.reshape(r * r, m).T).reshape(n, r, r) + np.diag(gamma)
            cov_v = np.linalg.inv(prec)
            v = np.einsum("iab,bi->ai", cov_v, u @ target)
            cov_v = cov_v.transpose(1, 2, 0)
            moments_v = cov_v + v[:, None] * v
            power = np.einsum("aai->a", moments_u) + np.einsum("aai->a", moments_v)
            gamma = (2 * PRIOR + m + n) / (2 * PRIOR + power)
            alive = gamma <= 100 * gamma.min()
            if not alive.all():
                gamma = gamma[alive]
                u, v = u[alive], v[alive]
                moments_u = moments_u[np.ix_(alive, alive)]
                moments_v = moments_v[np.ix_(alive, alive)]
            r = len(u)
            old = low
            low = u.T @ v
            noise = data - low
            square = (
                data**2
                - 2 * data * low
                + moments_u.reshape(r * r, m).T @ moments_v.reshape(r * r, n)
            )
            t2 = T()
            count, c, d, mu, beta = fit()
            tau = c / d
            alpha = PRIOR + count
            log_rho = [
                digamma(alpha[k])
                - digamma(alpha.sum())
                + (digamma(c[k]) - np.log(d[k]) - np.log(2 * np.pi)) / 2
                - (1 / beta[k] + tau[k] * (mu[k] ** 2 + square - 2 * mu[k] * noise)) / 2
                for k in range(3)
            ]
            log_rho = np.array(log_rho)
            log_rho -= log_rho.max(axis=0)
            np.exp(log_rho, out=log_rho)
            t3 = T()
            shape = (3, side, side, n)
            smooth(log_rho.reshape(shape), labels.reshape(shape), self.weight, self.sweeps)
            t4 = T()
            change = np.linalg.norm(low - old) / np.linalg.norm(old)
            print(
                it,
                "%.4g" % change,
                r,
                count,
                mu,
                "%.3f %.3f %.3f %.3f" % (t1 - t0, t2 - t1, t3 - t2, t4 - t3),
                flush=True,
            )
            if change < self.tolerance:
                break
        return noise, labels
