"""The variational latent: an image is not a point but a small cloud, and all clouds together are a standard Gaussian.

Source: Kingma and Welling 2013, arXiv:1312.6114.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_LOG_VARIANCES = (-12.0, 6.0)  # the exponentials of more are noughts and infinities in float32's squares


@dataclass(frozen=True, eq=False)
class Cloud:
    """What an encoder tells of n images: `mean (n, d)` and `log_variance (n, d)`, float32."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def told(cls, numbers: Tensor) -> "Cloud":
        """From `(n, 2 d)` numbers: means, then log variances."""
        mean, log_variance = numbers.float().chunk(2, dim=1)
        return cls(mean, log_variance.clamp(*_LOG_VARIANCES))

    def draw(self, generator: torch.Generator) -> Tensor:
        """`(n, d)`: one point of each cloud."""
        noise = torch.randn(self.mean.shape, generator=generator).to(self.mean.device)
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def kl(self) -> Tensor:
        """`(n,)`: Kullback-Leibler divergence from the standard Gaussian in nats, the mean over the d numbers."""
        apart = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return 0.5 * apart.mean(1)
