"""Global Gaussian: how far is the whole image from the Gaussian of healthy ones, in the features of a network?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import read
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.networks.gaussians import PlaceGaussians
from halescan.training.chance import numbers
from halescan.training.device import as_tensor
from halescan.training.encoders import FeatureExtractor, choose_backbone, stored_backbone
from halescan.training.run import Run
from halescan.training.weights import part_of
from halescan.types import Batch, Images, Scores

POOLS = ("mean", "spread", "max")
MOST_IMAGES = 4000  # their descriptions take some tens of megabytes; more make the Gaussian hardly better
_SPREAD_FLOOR = 1e-3  # of the usual spread of a description's numbers: a channel that never moves tells nothing
_ROUNDING = 1e-6  # of the largest number: images that are all alike differ by less, and not by anything to see


class GlobalGaussian(FeatureDetector[FeatureExtractor]):
    """Mahalanobis distance of an image's pooled features to one healthy Gaussian.

    Each channel of each level is pooled over the image; each number is standardised by healthy images; the covariance
    of all of them is shrunk as far as the number of images asks. Sees what changes an image as a whole (diffuse
    disease, another texture), and has no need of aligned anatomy. It gives no location.

    Args:
        backbone: Name of the backbone; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        pools: Of "mean", "spread" and "max": what is told of each channel. The mean alone is the paper's.
        shrinkage: "ledoit-wolf" or "oas".
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Rippel, Mertens and Merhof 2020, arXiv 2005.14140. We differ: one Gaussian over all levels instead of one a
        level whose distances are summed; spread and maximum beside the mean; standardised numbers; another backbone.
        Distances are divided by the root of their dimensions: healthy images lie at about 1.
    """

    name = "global-gaussian"
    summary = "one Gaussian over the pooled features of a network; scores the image, gives no location"
    source = "https://arxiv.org/abs/2005.14140"
    gives_map = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"backbone": "resnet50", "levels": (1, 2, 3, 4), "pools": ("mean",)},
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 10, 13, 17),
        pools: Sequence[str] = POOLS,
        shrinkage: Literal["ledoit-wolf", "oas"] = "ledoit-wolf",
        encoder_steps: int = 300,
    ) -> None:
        if not levels:
            raise SettingError("levels must name at least one level of the backbone; (3, 6, 10, 13, 17) is usual")
        if not pools or set(pools) - set(POOLS) or len(set(pools)) != len(pools):
            raise SettingError(f"pools must be some of {', '.join(POOLS)}, each once, got {list(pools)}")
        if shrinkage not in ("ledoit-wolf", "oas"):
            raise SettingError(f'shrinkage must be "ledoit-wolf" or "oas", got {shrinkage!r}')
        self.backbone, self.levels, self.pools = backbone, tuple(levels), tuple(pools)
        self.shrinkage, self.encoder_steps = shrinkage, encoder_steps
        self._centre, self._scale = torch.zeros(0), torch.zeros(0)
        self._gaussian = PlaceGaussians()

    def same_in_every_seed(self, images: int, encoder: str) -> bool:
        """Unless an encoder has to be trained, or there are more images than are looked at."""
        return encoder != "own" and images <= MOST_IMAGES

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        if len(normal) < 2:
            raise TrainingError(f"{self.name} needs two healthy images or more, got {len(normal)}")
        found = choose_backbone(self.backbone, normal, run, levels=self.levels, steps=self.encoder_steps)
        self._extractor = FeatureExtractor(*found)
        chosen = np.sort(numbers(run.seed, self.name, "images").permutation(len(normal))[:MOST_IMAGES])
        rows = torch.cat([self._pooled(images).cpu() for _, images in read(normal, chosen, run, stage="features")])
        centre, scale = rows.mean(0), rows.std(0, correction=0)
        usual, rounding = float(scale.square().mean().sqrt()), _ROUNDING * float(rows.abs().max())
        scale = scale.clamp(min=max(_SPREAD_FLOOR * usual, rounding, 1e-12))
        whiten = _whitening(((rows - centre) / scale).double().numpy(), self.shrinkage)
        self._centre, self._scale = centre, scale
        self._gaussian = PlaceGaussians().restore(
            {"mean": np.zeros((1, len(centre)), np.float32), "whiten": whiten[None].astype(np.float32)}
        )
        self.to(str(self.device))

    def _measure(self, batch: Batch) -> Scores:
        with torch.inference_mode():
            rows = (self._pooled(as_tensor(batch.images)) - self._centre) / self._scale
            # One image after the other: a product of matrices rounds differently with their number of rows.
            found = torch.stack([self._gaussian.distance(row[None, None])[0, 0] for row in rows])
        return Scores(image=(found / len(self._centre) ** 0.5).cpu().numpy())

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self._ready().state(),
            **{f"gaussian/{name}": value for name, value in self._gaussian.state().items()},
            "centre": self._centre.cpu().numpy().copy(),
            "scale": self._scale.cpu().numpy().copy(),
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = FeatureExtractor(*stored_backbone(state))
        self._centre, self._scale = (torch.from_numpy(np.array(state[name])) for name in ("centre", "scale"))
        width = len(self._centre)
        shapes = (self._scale.shape, state["gaussian/mean"].shape, state["gaussian/whiten"].shape)
        if shapes != ((width,), (1, width), (1, width, width)):
            raise ModelError(f"{self.name}: the parts of the stored Gaussian do not fit together")
        self._gaussian = PlaceGaussians().restore(part_of(state, "gaussian"))

    def _pooled(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` to `(n, sum of channels x pools)` float32."""
        parts = []
        for level in self._ready().levels(images):
            flat = level.flatten(2)
            told = {"mean": flat.mean(2), "spread": flat.std(2, correction=0), "max": flat.amax(2)}
            parts += [told[pool] for pool in self.pools]
        return torch.cat(parts, dim=1)


def _whitening(rows: np.ndarray, shrinkage: str) -> np.ndarray:
    """`(d, d)` W with W' W the inverse of the shrunk covariance of centred rows `(n, d)`."""
    from scipy.linalg import solve_triangular
    from sklearn.covariance import ledoit_wolf, oas

    if not rows.any():  # images alike to the last bit: any direction is as strange as any other
        return np.eye(rows.shape[1]) * 1e3
    covariance, _ = (ledoit_wolf if shrinkage == "ledoit-wolf" else oas)(rows, assume_centered=True)
    covariance[np.diag_indices_from(covariance)] += 1e-6  # where the shrinkage is next to nothing
    lower = np.linalg.cholesky(covariance)
    return np.asarray(solve_triangular(lower, np.eye(len(lower)), lower=True))
