"""Residuals: what is left of an image once its healthy reconstruction is taken away, place by place."""

from collections.abc import Sequence

import torch
from torch import Tensor

from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.ssim import ssim_map
from halescan.networks.stain import dab_density, redness

PIXEL_KINDS = ("l1", "l2", "ssim")
COLOUR_KINDS = ("red", "dab")


def residual(kind: str, images: Tensor, drawn: Tensor) -> Tensor:
    """`(n, *grid)`, 0 where both agree: |x - y|, (x - y)^2 or 1 - SSIM, averaged over channels.

    Raises:
        SettingError: for another kind.
    """
    if kind == "l1":
        return (images - drawn).abs().mean(1)
    if kind == "l2":
        return (images - drawn).square().mean(1)
    if kind == "ssim":
        return (1 - ssim_map(images, drawn)).mean(1)
    raise SettingError(f"a residual of pixels is one of {', '.join(PIXEL_KINDS)}, got {kind!r}")


def colour_residual(kind: str, images: Tensor, drawn: Tensor) -> Tensor:
    """`(n, *grid)`: the redness ("red") or brown dye ("dab") of an image that its reconstruction lacks, 0 elsewhere.

    What a healthy reconstruction paints too red is no finding.

    Args:
        kind: One of `COLOUR_KINDS`.
        images: `(n, 3, *grid)`, red, green and blue in [0, 1].
        drawn: Likewise.

    Raises:
        SettingError: for another kind, or images that are not in colour.
    """
    if kind not in COLOUR_KINDS or images.shape[1] != 3:
        raise SettingError(
            f"a residual of colours is one of {', '.join(COLOUR_KINDS)} and needs 3 channels, "
            f"got {kind!r} and {images.shape[1]}; another residual, or a profile with channels 3, will do"
        )
    measure = redness if kind == "red" else dab_density
    return (measure(images) - measure(drawn)).clamp(min=0)


def precision_residual(images: Tensor, drawn: Tensor, log_variance: Tensor) -> Tensor:
    """`(n, *grid)`: squared error over the variance predicted for each place, averaged over channels.

    What is always hard to draw (an edge, a vessel) is forgiven; the same error where healthy images are certain is not.

    Source:
        Mao et al. 2020 (AE-U), doi:10.1007/978-3-030-59725-2_51.
    """
    return ((images - drawn).square() * (-log_variance).exp()).mean(1)


def gradient_residual(loss: Tensor, images: Tensor) -> Tensor:
    """`(n, *grid)`: how much each place pushes its image's loss, |d loss / d image| averaged over channels.

    Args:
        loss: `(n,)`, each from its own image alone.
        images: `(n, c, *grid)` that the loss was computed from, with `requires_grad`.

    Source:
        Zimmerer et al. 2019, arXiv:1907.02796, where the loss is a variational autoencoder's.
    """
    (slope,) = torch.autograd.grad(loss.sum(), images, retain_graph=True)
    return slope.abs().mean(1)


def feature_residual(
    levels: Sequence[Tensor], drawn: Sequence[Tensor], *, means: Sequence[Tensor], spreads: Sequence[Tensor]
) -> Tensor:
    """`(n, *grid of the finest level)`: relative L1 distance between the features of an image and its reconstruction.

    Features are standardised channel by channel with healthy `means` and `spreads` `(c,)`; each level's distances are
    divided by the image's own mean feature size and the levels averaged.

    Source:
        Shvetsova et al. 2021, arXiv:2006.13265 (relative perceptual L1 loss). We differ: the distance is kept place by
        place, so that its mean over the map is the source's number, and several levels are averaged.
    """
    grid = max((tuple(level.shape[2:]) for level in levels), key=lambda sides: sides[0] * sides[-1])
    maps = []
    for level, other, mean, spread in zip(levels, drawn, means, spreads, strict=True):
        shape = (1, -1, *[1] * (level.ndim - 2))
        one = (level.float() - mean.reshape(shape)) / spread.reshape(shape)
        two = (other.float() - mean.reshape(shape)) / spread.reshape(shape)
        size = one.abs().sum(1).flatten(1).mean(1).clamp(min=1e-6)
        distance = (one - two).abs().sum(1) / size.reshape(-1, *[1] * (level.ndim - 2))
        maps.append(resize(distance[:, None], grid)[:, 0])
    return torch.stack(maps).mean(0)
