"""How faithfully a method repeats its images: information, never a ranking.

The best copyist is no detector: one that repeats lesions as well as health finds nothing. What may be read off is the
difference between healthy and abnormal images.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from halescan.errors import ShapeError
from halescan.evaluation.metrics import check_labels
from halescan.evaluation.resampling import number_groups, resample, with_interval, without_interval

QUALITIES = ("mse", "psnr_db", "ssim", "kl_nats")
NOTE = "information, never a ranking: a method that repeats lesions faithfully finds none"
_SMALLEST = 7  # pixels along an axis below which SSIM shrinks its window


def reconstruction_quality(image: np.ndarray, reconstruction: np.ndarray) -> dict[str, float]:
    """Four numbers for one image `(c, *grid)` with values in [0, 1].

    Returns:
        `mse`; `psnr_db`, infinite for an exact copy; `ssim` (Wang et al. 2004, doi:10.1109/TIP.2003.819861: Gaussian
        window of sigma 1.5, by scikit-image; NaN where an axis is shorter than 3); `kl_nats`, the Kullback-Leibler
        divergence of the grey values of the reconstruction from those of the image, in 256 equal bins over [0, 1], one
        added to each.

    Raises:
        ShapeError: if the two differ in shape.
    """
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

    if image.shape != reconstruction.shape:
        raise ShapeError(f"a reconstruction has shape {reconstruction.shape}, its image {image.shape}")
    one, two = np.asarray(image, np.float64), np.asarray(reconstruction, np.float64)
    error = float(mean_squared_error(one, two))
    return {
        "mse": error,
        "psnr_db": float(peak_signal_noise_ratio(one, two, data_range=1.0)) if error > 0 else float("inf"),
        "ssim": _ssim(one, two),
        "kl_nats": _divergence(one, two),
    }


def reconstruction_figures(
    labels: Sequence[Any] | np.ndarray,
    rows: Sequence[Mapping[str, float]],
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """Means over healthy and over abnormal cases, with intervals by bootstrap over patients, and what they are not."""
    truth = check_labels(labels)
    if len(rows) != len(truth):
        raise ShapeError(f"{len(rows)} reconstructions for {len(truth)} labels; expected one a case")
    members = number_groups(groups, len(truth))
    return {
        "note": NOTE,
        **{
            kind: {
                name: _mean(np.array([row[name] for row in rows], float)[chosen], members[chosen], seed, draws)
                for name in QUALITIES
            }
            for kind, chosen in (("healthy", ~truth), ("abnormal", truth))
        },
    }


def _mean(values: np.ndarray, members: np.ndarray, seed: int, draws: int) -> dict[str, Any]:
    if len(values) == 0:
        return without_interval(None, "no case of this class")
    if not np.isfinite(values).all():
        exact = int(np.isinf(values).sum())
        return without_interval(None, f"{exact} exact copies" if exact else "images too small")
    numbers = np.unique(members, return_inverse=True)[1]
    sums, counts = np.bincount(numbers, weights=values), np.bincount(numbers)
    if len(sums) < 2:
        return without_interval(float(values.mean()), "fewer than two patients: no interval")
    strata = [np.arange(len(sums)), np.zeros(0, int), np.zeros(0, int)]
    drawn = [(some @ sums) / (some @ counts) for some in resample(strata, cells=len(sums), seed=seed, draws=draws)]
    return with_interval(float(values.mean()), np.concatenate(drawn))


def _ssim(one: np.ndarray, two: np.ndarray) -> float:
    from skimage.metrics import structural_similarity

    smallest = min(one.shape[1:])
    if smallest < 3:
        return float("nan")
    how: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    if smallest < 11:  # the Gaussian window is 11 wide
        how = {"win_size": min(_SMALLEST, smallest - 1 + smallest % 2)}
    return float(structural_similarity(one, two, channel_axis=0, data_range=1.0, **how))


def _divergence(one: np.ndarray, two: np.ndarray) -> float:
    from scipy.stats import entropy

    counts = [np.histogram(np.clip(values, 0, 1), bins=256, range=(0, 1))[0] + 1.0 for values in (one, two)]
    return float(entropy(counts[0], counts[1]))
