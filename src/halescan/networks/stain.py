"""Stain: how red a place is, and how much brown dye lies there, as numbers a network's drawing can be compared by."""

import torch
from torch import Tensor

_FLOOR = 1 / 255  # the darkest light that 8 bits tell from none
_WITHIN = 1 / 9  # of a turn: the source's red is 40 degrees to either side
_FULL = _WITHIN / 2  # up to here a hue counts as red wholly, beyond it less and less
_HAEMATOXYLIN = (0.650, 0.704, 0.286)  # Ruifrok & Johnston 2001: density in red, green and blue
_DAB = (0.268, 0.570, 0.776)


def redness(images: Tensor) -> Tensor:
    """`(n, *grid)` in [0, 1]: how strong a colour is, where it is a red one; 0 for grey, white and black.

    Args:
        images: `(n, 3, *grid)` red, green and blue; what lies outside [0, 1] counts as its end.

    Source:
        The red mask of IAM-CVC/HelicoBacterDetection (arXiv:2309.16053). We differ: it fades towards grey and towards
        the border of the hues instead of ending there, so that noise does not decide.
    """
    light = images.clamp(0, 1)
    chroma = light.amax(1) - light.amin(1)
    close = ((_WITHIN - _turns_from_red(light, chroma)) / (_WITHIN - _FULL)).clamp(0, 1)
    return chroma * close


def dab_density(images: Tensor) -> Tensor:
    """`(n, *grid)` optical density of the brown dye (diaminobenzidine) by colour deconvolution; 0 where there is none.

    Args:
        images: `(n, 3, *grid)` red, green and blue; what lies outside [0, 1] counts as its end.

    Source:
        Ruifrok & Johnston 2001: vectors of haematoxylin and DAB, and a third at right angles to both.
    """
    density = -images.clamp(_FLOOR, 1).log10()
    dyes = torch.tensor([_HAEMATOXYLIN, _DAB], device=images.device, dtype=images.dtype)
    # by least squares over two dyes: what is at right angles to both belongs to neither
    amounts = torch.einsum("nc...,cd->nd...", density, torch.linalg.pinv(dyes))
    return amounts[:, 1].clamp(min=0)


def _turns_from_red(light: Tensor, chroma: Tensor) -> Tensor:
    """`(n, *grid)` distance of the hue from red around the circle, in turns: at most a half; of grey 0.

    On the circle of six colours red's neighbours are reached one sixth of a turn away, whichever side they lie on.
    """
    red, green, blue = light.unbind(1)
    steady = chroma.clamp(min=1e-6)
    apart = (green - blue).abs() / steady
    from_green = (2 - (red - blue) / steady).clamp(min=0)  # hues between yellow and cyan
    from_blue = (2 - (red - green) / steady).clamp(min=0)  # hues between cyan and magenta
    largest = light.amax(1)
    sixths = torch.where(red >= largest, apart, torch.where(green >= largest, from_green, from_blue))
    return sixths / 6
