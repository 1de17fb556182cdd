"""Distillation: how far a student's features are from its teacher's, and which places the student learns from.

Features are `(n, d, *grid)`; a pyramid is a sequence of such levels, finest first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.errors import SettingError
from halescan.networks.blocks import resize

KINDS = ("places", "global", "square", "hardest")


def distillation_loss(
    kind: str,
    wanted: Sequence[Tensor],
    drawn: Sequence[Tensor],
    *,
    easy: float = 0.0,
    easy_gradient: float = 0.1,
    hardest: float = 0.1,
) -> Tensor:
    """The mean over levels of how far what is drawn is from what is wanted.

    "places" is the mean of `cosine_distances`; "global" is 1 - cosine of whole flattened levels, one number an image,
    in which strong features count for more than weak ones; "square" is the mean squared error; "hardest" the mean of
    the largest squared errors alone.

    Args:
        wanted: The teacher's levels. They are not detached: who teaches them too does that.
        drawn: The student's levels, of the same shapes.
        easy: Share of the places, those the student draws best, from which it learns less; in [0, 1).
        easy_gradient: What is left of their gradient. The loss' value is the same.
        hardest: Share of the squared errors that "hardest" takes, in (0, 1].

    Raises:
        SettingError: for another kind.

    Source:
        "global": Deng and Li 2022, arXiv:2201.10703; with held-back easy places: Guo et al. 2024, arXiv:2405.14325;
        "hardest": Batzner et al. 2023, arXiv:2303.14535.
    """
    if kind not in KINDS:
        raise SettingError(f"a distillation loss is one of {', '.join(KINDS)}, got {kind!r}")
    losses = []
    for target, guess in zip(wanted, drawn, strict=True):
        target, guess = target.float(), guess.float()
        if easy:
            guess = hold_back_easy(target, guess, easy=easy, easy_gradient=easy_gradient)
        losses.append(_loss(kind, target, guess, hardest))
    return torch.stack(losses).mean()


def disagreement(wanted: Sequence[Tensor], drawn: Sequence[Tensor]) -> Tensor:
    """`(n, *grid of the finest level)` in [0, 2 levels]: the sum of every level's `cosine_distances`, upsampled."""
    grid = max((tuple(level.shape[2:]) for level in wanted), key=lambda sides: sides[0] * sides[-1])
    maps = [cosine_distances(*pair)[:, None] for pair in zip(wanted, drawn, strict=True)]
    return torch.stack([resize(one, grid)[:, 0] for one in maps]).sum(0)


def cosine_distances(wanted: Tensor, drawn: Tensor) -> Tensor:
    """`(n, *grid)`, 1 - cosine between the features of each place; 0 where both are all zero.

    Computed as half the squared distance of unit vectors, which loses no digits where both nearly agree.
    """
    return (F.normalize(wanted.float(), dim=1) - F.normalize(drawn.float(), dim=1)).square().sum(1) / 2


def global_distances(wanted: Tensor, drawn: Tensor) -> Tensor:
    """`(n,)`, 1 - cosine between the whole levels of each image."""
    return cosine_distances(wanted.flatten(1), drawn.flatten(1))


def hold_back_easy(wanted: Tensor, drawn: Tensor, *, easy: float, easy_gradient: float) -> Tensor:
    """What was drawn, unchanged, but a share `easy` of the batch's places passes only that much of its gradient.

    Easy are the places with the smallest `cosine_distances`.
    """
    distances = cosine_distances(wanted, drawn).detach()
    count = int(easy * distances.numel())
    if not count:
        return drawn
    limit = distances.flatten().kthvalue(count).values
    passed = torch.where(distances <= limit, easy_gradient, 1.0)[:, None]
    return drawn.detach() + passed * (drawn - drawn.detach())


def feature_spread(levels: Sequence[Tensor]) -> Tensor:
    """How much the directions of features vary over images and places: 0 once all are alike, a collapse; about 1 else.

    For each level the standard deviation of unit vectors times the root of their length, averaged.
    """
    spreads = []
    for level in levels:
        unit = F.normalize(level.float(), dim=1).transpose(0, 1).flatten(1)
        spreads.append(unit.std(1, correction=0).mean() * len(unit) ** 0.5)
    return torch.stack(spreads).mean()


def _loss(kind: str, wanted: Tensor, drawn: Tensor, hardest: float) -> Tensor:
    if kind == "places":
        return cosine_distances(wanted, drawn).mean()
    if kind == "global":
        return global_distances(wanted, drawn).mean()
    errors = (wanted - drawn).square()
    if kind == "square":
        return errors.mean()
    return errors.flatten().topk(max(1, int(hardest * errors.numel()))).values.mean()
