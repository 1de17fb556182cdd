"""Healthy atlas: how many spreads away from the healthy mean is each place? The trivial one that all must beat."""

import numpy as np
from scipy import ndimage

from halescan.detectors.base import Detector
from halescan.errors import ModelError, SettingError
from halescan.training.run import Progress, Run
from halescan.types import Batch, Images, Scores

AT_ONCE = 8  # images read at once: in float64 and with what the blur needs, a volume takes hundreds of megabytes


class HealthyAtlas(Detector):
    """Mean and spread of healthy images at every place; map = |image - mean| / spread, averaged over channels.

    Args:
        blur_px: Gaussian blur of the images before all else, against noise and small shifts.
        smooth_px: Gaussian smoothing of the variance over places, for a spread of few images is itself noisy.
        floor: Least spread, as a share of the root mean square spread over all places: where all healthy images are
            alike to the last bit (the background) a speck must not be infinitely strange.

    Source:
        The mean image of healthy scans, the least that a method must beat; mean and variance are gathered as in Chan,
        Golub and LeVeque 1979.
    """

    name = "healthy-atlas"
    summary = "mean and spread of healthy images at every place; the trivial baseline"
    source = "https://doi.org/10.1080/00031305.1983.10483115"
    dims = (2, 3)

    def __init__(self, *, blur_px: float = 1.0, smooth_px: float = 2.0, floor: float = 0.1) -> None:
        if min(blur_px, smooth_px) < 0 or max(blur_px, smooth_px) > 100 or not 0 < floor <= 1:
            raise SettingError(
                "blur_px and smooth_px must lie in [0, 100] and floor in (0, 1], "
                f"got {blur_px}, {smooth_px} and {floor}; 1, 2 and 0.1 are usual"
            )
        self.blur_px, self.smooth_px, self.floor = blur_px, smooth_px, floor

    def same_in_every_seed(self, images: int, encoder: str) -> bool:
        """Always: nothing is drawn."""
        return True

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for start in range(0, len(normal), AT_ONCE):
            images = self._blurred(normal.take(range(start, min(start + AT_ONCE, len(normal)))).images)
            mine, here = images.mean(0), len(images)
            apart, total = mine - mean, count + here
            mean = mean + apart * (here / total)
            images -= mine
            squares = squares + np.square(images, out=images).sum(0) + np.square(apart) * (count * here / total)
            count = total
            run.listen(Progress(self.name, count, len(normal)))
        self._mean = mean.astype(np.float32)
        self._spread = self._spread_of(squares / max(count - 1, 1))

    def _measure(self, batch: Batch) -> Scores:
        away = np.abs(self._blurred(batch.images) - self._mean) / self._spread
        return Scores(map=away.mean(1).astype(np.float32))

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "spread": self._spread}

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._mean, self._spread = state["mean"].astype(np.float32), state["spread"].astype(np.float32)
        if self._mean.shape != shape or self._spread.shape != shape:
            raise ModelError(f"{self.name}: the stored mean and spread do not have the images' shape {shape}")

    def _blurred(self, images: np.ndarray) -> np.ndarray:
        """`(n, c, *grid)` float64, blurred in space alone."""
        sigma = (0.0, 0.0, *[self.blur_px] * (images.ndim - 2))
        return ndimage.gaussian_filter(images.astype(np.float64), sigma, mode="nearest")

    def _spread_of(self, variance: np.ndarray) -> np.ndarray:
        """`(c, *grid)` float32 above 0: the variance smoothed over places, its root floored."""
        smooth = ndimage.gaussian_filter(variance, (0.0, *[self.smooth_px] * (variance.ndim - 1)), mode="nearest")
        least = max(self.floor * float(np.sqrt(variance.mean())), 1e-3)  # 1e-3: identical images have no spread at all
        return np.maximum(np.sqrt(np.maximum(smooth, 0)), least).astype(np.float32)
