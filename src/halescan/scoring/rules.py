"""Rules: decisions by name that stand beside the conformal one, as other systems make them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from halescan.errors import SettingError, ShapeError


@dataclass(frozen=True)
class QuantileRule:
    """Above a quantile of the healthy errors means abnormal: the rule of the CT autoencoder system.

    That system saw 92 % of its errors below 300 and cut there. The unit of its errors is not given, so ours is stored
    with the threshold. Unlike the conformal rule this one promises no false-alarm rate: with few healthy images the
    quantile is itself uncertain, and with images that were learned from it is too low.

    Args:
        share: Of healthy images that stay below, in (0, 1).
    """

    share: float = 0.92

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise SettingError(f"the share of healthy images below must lie in (0, 1), got {self.share}; 0.92 is usual")

    def fit(self, healthy_errors: np.ndarray, *, unit: str = "") -> "QuantileThreshold":
        """The threshold from errors `(n,)` of healthy images and the unit they are in, such as "HU".

        Raises:
            ShapeError: if there is none, or one is not finite.
        """
        errors = np.asarray(healthy_errors, np.float64)
        if errors.ndim != 1 or not errors.size or not np.isfinite(errors).all():
            raise ShapeError(f"expected the finite errors of one or more healthy images, got shape {errors.shape}")
        return QuantileThreshold(float(np.quantile(errors, self.share)), self.share, unit, errors.size)


@dataclass(frozen=True)
class QuantileThreshold:
    """A threshold with all that is needed to read it: the share and the number of healthy images, and the unit."""

    threshold: float
    share: float
    unit: str
    healthy_images: int

    def above(self, error: float) -> bool:
        """Whether an image's error lies above the threshold."""
        return error > self.threshold

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave.

        Raises:
            SettingError: if a field is missing or unknown.
        """
        try:
            return cls(**record)
        except TypeError as error:
            names = ", ".join(cls.__dataclass_fields__)
            raise SettingError(f"expected a quantile threshold with {names}") from error
