"""Feature detectors: what the methods have in common that see images through a backbone."""

from typing import ClassVar, Generic, TypeVar

import torch

from halescan.detectors.base import Detector
from halescan.training.encoders import FeatureExtractor, Origin, check_backbone
from halescan.training.learner import not_fitted
from halescan.training.run import Run

Extractor = TypeVar("Extractor", bound=FeatureExtractor)


class FeatureDetector(Detector, Generic[Extractor]):
    """A detector that compares features of a backbone; `backbone` and `encoder_steps` are settings of each."""

    needs_weights: ClassVar[bool] = True

    backbone: str
    encoder_steps: int
    _extractor: Extractor | None = None

    @property
    def backbone_origin(self) -> Origin | None:
        """Where the backbone came from, "weights" or "own"; None before `fit`."""
        return None if self._extractor is None else self._extractor.origin

    @property
    def device(self) -> torch.device:
        """Where it scores."""
        return torch.device("cpu") if self._extractor is None else self._extractor.backbone.device

    def check_run(self, run: Run) -> str:
        """Refuse a device or damaged weights before any scan is read; gives the backbone's origin."""
        super().check_run(run)
        return check_backbone(self.backbone, run)

    def _ready(self) -> Extractor:
        if self._extractor is None:
            raise not_fitted(self)
        return self._extractor
