"""PaDiM: at every place of the image, how far from the Gaussian of healthy descriptions?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import BASIS_IMAGES, FeatureSpace, as_places, check_grid, read
from halescan.errors import SettingError, TrainingError
from halescan.networks.gaussians import PlaceGaussians
from halescan.networks.pyramid import Pyramid
from halescan.training.device import as_tensor
from halescan.training.run import Run
from halescan.training.weights import part_of
from halescan.types import Batch, Images, Scores


class PaDiM(FeatureDetector[FeatureSpace]):
    """Mahalanobis distance to the healthy Gaussian of the same place, in the features of a backbone.

    Strong where anatomy is aligned; memory does not grow with the number of images.

    Args:
        backbone: Name of the backbone; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        grid: Places along the longer side of the map; None takes the finest level's.
        aggregate: Odd side of the local average; 1 is off.
        components: Dimensions kept of the features.
        shrinkage: "oas" draws each covariance towards a multiple of the identity as far as the number of images asks;
            "none" leaves it, as in the paper.
        epsilon: Added to the diagonal of each covariance; the features have variance 1 on average.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Defard et al. 2020, arXiv 2011.08785. We differ: principal components instead of randomly chosen channels,
        balanced levels, and a shrinkage that follows the number of images.
    """

    name = "padim"
    summary = "a Gaussian of healthy features at each place; the map is the Mahalanobis distance"
    source = "https://arxiv.org/abs/2011.08785"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"backbone": "resnet18", "levels": (1, 2, 3), "aggregate": 1, "components": 100, "shrinkage": "none"},
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (6, 10, 13),
        grid: int | None = 28,
        aggregate: int = 3,
        components: int = 64,
        shrinkage: Literal["oas", "none"] = "oas",
        epsilon: float = 0.01,
        encoder_steps: int = 300,
    ) -> None:
        if not levels:
            raise SettingError("levels must name at least one level of the backbone; (6, 10, 13) is usual")
        if shrinkage not in ("oas", "none"):
            raise SettingError(f'shrinkage must be "oas" or "none", got {shrinkage!r}')
        if not epsilon > 0:
            raise SettingError(f"epsilon must be above 0, 0.01 is usual, got {epsilon}")
        self.backbone, self.levels, self.grid = backbone, tuple(levels), grid
        self.aggregate, self.components = aggregate, components
        self.shrinkage, self.epsilon, self.encoder_steps = shrinkage, epsilon, encoder_steps
        self._pyramid()  # refuses what it cannot do now rather than after training
        self._gaussians = PlaceGaussians()

    def same_in_every_seed(self, images: int, encoder: str) -> bool:
        """Unless an encoder has to be trained, or there are more images than the directions are learned from."""
        return encoder != "own" and images <= BASIS_IMAGES

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        if len(normal) < 2:
            raise TrainingError(f"{self.name} needs two healthy images or more, got {len(normal)}")
        check_grid(self.grid, normal.take([0]).images.shape[1:])
        space = FeatureSpace.learn(
            normal,
            run,
            backbone=self.backbone,
            levels=self.levels,
            pyramid=self._pyramid(),
            encoder_steps=self.encoder_steps,
        )
        gaussians = PlaceGaussians()
        for _, images in read(normal, np.arange(len(normal)), run, stage="gaussians"):
            gaussians.add(as_places(space.describe(images)))
        gaussians.finish(shrink=self.shrinkage == "oas", epsilon=self.epsilon)
        self._gaussians = gaussians.to(space.backbone.device)
        self._extractor = space

    def _measure(self, batch: Batch) -> Scores:
        descriptions = self._ready().describe(as_tensor(batch.images))
        with torch.inference_mode():
            distance = self._gaussians.distance(as_places(descriptions))
        return Scores(map=distance.reshape(len(batch), *descriptions.shape[-2:]).cpu().numpy())

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self._ready().state(),
            **{f"gaussians/{name}": value for name, value in self._gaussians.state().items()},
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        check_grid(self.grid, shape)
        self._extractor = FeatureSpace.from_state(state, self._pyramid())
        self._gaussians = PlaceGaussians().restore(part_of(state, "gaussians"))

    def _pyramid(self) -> Pyramid:
        return Pyramid(grid=self.grid, aggregate=self.aggregate, components=self.components)
