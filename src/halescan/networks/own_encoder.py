"""An encoder of one's own: what to look with when no pretrained weights are at hand."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.errors import ShapeError
from halescan.networks.blocks import two_or_more
from halescan.networks.mobilenet_v2 import STRIDES

WIDTHS = (24, 48, 96, 160, 224)


class OwnEncoder(nn.Module):
    """A small residual network of five levels; level k has stride 2^k.

    Args:
        channels: 1 (grey) or 3 (colour).
        widths: Channels of each level; the default has about 1.3 million weights.
    """

    def __init__(self, channels: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.channels, self.widths = channels, tuple(widths)
        self.blocks = nn.ModuleList(
            _Level(before, after) for before, after in zip((channels, *widths), widths, strict=False)
        )

    @property
    def deepest(self) -> int:
        """The last level there is."""
        return len(self.blocks)

    def cut(self, deepest: int) -> None:
        """Forget the levels behind this one."""
        self.blocks, self.widths = self.blocks[:deepest], self.widths[:deepest]

    def forward(self, images: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """Images `(n, c, h, w)` in [-1, 1] to the outputs of these levels; stops behind the deepest."""
        kept: dict[int, Tensor] = {}
        here = images
        for number, block in enumerate(list(self.blocks)[: max(levels)], start=1):
            here = block(here)
            if number in levels:
                kept[number] = here
        return [kept[level] for level in levels]

    def arrays(self) -> dict[str, Tensor]:
        """The weights by name."""
        return dict(self.state_dict())


class SpotThePaste(nn.Module):
    """The game that teaches the encoder: find patches pasted in from elsewhere, and say what was there before.

    To win, the features must know texture (what is this?) and place (does it belong here?): what a comparison with
    healthy patches needs. Nobody has to label anything.

    Args:
        encoder: Learns; the two heads are thrown away afterwards.
        side: Width of the heads.
    """

    def __init__(self, encoder: OwnEncoder, side: int = 48) -> None:
        super().__init__()
        self.encoder = encoder
        self.lateral = nn.ModuleList(nn.Conv2d(width, side, 1) for width in encoder.widths[1:])
        self.mixed = nn.Sequential(nn.Conv2d(side, side, 3, padding=1), nn.ReLU())
        self.paste = nn.Conv2d(side, 1, 1)
        self.image = nn.Conv2d(side, encoder.channels, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images `(n, c, h, w)` in [-1, 1] to paste logits `(n, 1, h/4, w/4)` and clean image `(n, c, h/4, w/4)`."""
        levels = self.encoder(images, range(1, self.encoder.deepest + 1))[1:]
        whole: Tensor | None = None
        for lateral, level in zip(reversed(self.lateral), reversed(levels), strict=True):
            here = lateral(level)
            whole = here if whole is None else here + F.interpolate(whole, size=here.shape[-2:], mode="nearest")
        if whole is None:
            raise ShapeError("an encoder needs two levels or more to learn by spotting pasted patches")
        mixed = self.mixed(whole)
        return self.paste(mixed), self.image(mixed)

    def losses(self, clean: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of the pasted places and L1 of the repaired image, for images `(n, c, h, w)` in [0, 1]."""
        shown, pasted = paste_patches(clean, generator)
        logits, repaired = self(2 * shown - 1)
        wanted = F.adaptive_avg_pool2d(pasted, logits.shape[-2:])
        target = F.adaptive_avg_pool2d(2 * clean - 1, logits.shape[-2:])
        return {
            "paste": F.binary_cross_entropy_with_logits(logits.float(), wanted),
            "repair": F.l1_loss(repaired.float(), target),
        }


def paste_patches(images: Tensor, generator: torch.Generator, *, most: int = 4) -> tuple[Tensor, Tensor]:
    """Paste up to `most` boxes from other places of other images into each image.

    Half of the boxes are blended in weakly, and their edges are soft, so that edges alone do not give them away.

    Returns:
        The changed images, and `(n, 1, h, w)` the share of each pixel that was pasted.
    """
    shown, pasted = images.clone(), torch.zeros_like(images[:, :1])
    count, _, height, width = images.shape
    for to in range(count):
        for _ in range(int(torch.randint(1, most + 1, (1,), generator=generator))):
            chance = torch.rand(9, generator=generator).tolist()
            tall, wide = (
                min(side, max(4, int(side * (0.06 + 0.24 * chance[i])))) for i, side in enumerate((height, width))
            )
            y, x = int(chance[2] * (height - tall)), int(chance[3] * (width - wide))
            v, u = int(chance[4] * (height - tall)), int(chance[5] * (width - wide))
            source = images[int(chance[6] * count) % count, :, v : v + tall, u : u + wide]
            strength = 1.0 if chance[7] < 0.5 else 0.3 + 0.7 * (chance[7] - 0.5) * 2
            soft = _soft_box(tall, wide, softness=chance[8]).to(images) * strength
            changed = source + 0.2 * (chance[8] - 0.5)
            shown[to, :, y : y + tall, x : x + wide].lerp_(changed, soft)
            pasted[to, :, y : y + tall, x : x + wide].clamp_(min=soft)
    return shown, pasted


def stand_in_levels(levels: Sequence[int], *, deepest: int) -> tuple[int, ...]:
    """Levels of an own encoder with the strides that these blocks have in MobileNetV2; each once, in order."""
    halvings = [1]
    for stride in STRIDES:
        halvings.append(halvings[-1] + (stride == 2))
    wanted = {halvings[min(max(level, 1), len(halvings)) - 1] for level in levels}
    return tuple(sorted({min(level, deepest) for level in wanted}))


class _Level(nn.Module):
    """Halve the sides, then one residual block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, images: Tensor) -> Tensor:
        here = self.down(two_or_more(images))
        return F.relu(here + self.block(here))


def _soft_box(tall: int, wide: int, *, softness: float) -> Tensor:
    """`(tall, wide)` in [0, 1]: one inside, falling towards the edge over `softness` of the half side."""
    reach = max(softness, 1e-3) * 0.5
    y, x = ((torch.arange(side) + 0.5) / side for side in (tall, wide))
    edge = torch.minimum(torch.minimum(y, 1 - y)[:, None], torch.minimum(x, 1 - x)[None])
    return (edge / reach).clamp(max=1.0)
