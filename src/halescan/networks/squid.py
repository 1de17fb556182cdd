"""The networks of SQUID and SimSID: an encoder on patches, in-painting from memory, a student and a teacher decoder.

Source: Xiang et al. 2023, arXiv:2111.13495, and SimSID, arXiv:2403.08689. We differ: SiLU instead of ReLU; the end is
linear while learning, and bounded to little more than prepared images hold, [-0.1, 1.6], when scoring.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from halescan.networks.blocks import cut, double_conv, pad_to_multiple, resize
from halescan.networks.inpainting import Inpainting, PlaceMemory, Remembering, masked_shortcut
from halescan.networks.pointwise import Pointwise

_BOUNDS = (-0.1, 1.6)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One pass through the networks.

    Args:
        student: `(n, c, *grid)` drawn from in-painted features.
        teacher: The same, drawn from the encoder's own features.
        levels: Pairs of student's and teacher's features, coarsest first; the first is in-painted against raw.
        distances: How far memory was, `(n, *places)` a scale.
    """

    student: Tensor
    teacher: Tensor
    levels: tuple[tuple[Tensor, Tensor], ...]
    distances: list[Tensor]

    @property
    def feature_error(self) -> Tensor:
        """`(n, h, w)`: mean squared difference of in-painted and raw features, place by place."""
        drawn, raw = self.levels[0]
        return (drawn.float() - raw.detach().float()).square().mean(1)


class SquidNetwork(nn.Module):
    """Images `(n, c, *grid)`, of any grid of at least `smallest_side` pixels a side, to what is `Drawn` of them.

    Args:
        channels: Of the image.
        grid: Its sides; padded inside to whole patches, and cropped back.
        patches: Patches along each side.
        widths: Channels of the encoder, full resolution first; each further one halves the grid.
        squeezed, scales, remembering, slots, top_k, temperature, heads: As in `Inpainting`.
        skips: Storeys of the decoder, coarsest first, that are handed the encoder's features; in the student a learned
            memory stands behind each of them.
        shortcut: Share of places that take the in-painted feature while learning; the rest see the raw one.
        teach_encoder: Whether the teacher's loss reaches the encoder.
    """

    def __init__(
        self,
        *,
        channels: int,
        grid: Sequence[int],
        patches: int,
        widths: Sequence[int],
        squeezed: int,
        scales: Sequence[int],
        remembering: Remembering,
        slots: int,
        top_k: int,
        temperature: float,
        heads: int,
        skips: int,
        shortcut: float,
        teach_encoder: bool,
    ) -> None:
        super().__init__()
        halvings = len(widths) - 1
        self.step, self.shortcut, self.teach_encoder = patches * 2**halvings, shortcut, teach_encoder
        cells = [-(-side // self.step) for side in grid]
        self.encoder = PatchEncoder(channels, widths, patches=patches)
        self.inpainting = Inpainting(
            channels=widths[-1],
            grid=(patches, patches),
            cells=cells,
            squeezed=squeezed,
            scales=scales,
            remembering=remembering,
            heads=heads,
            slots=slots,
            top_k=top_k,
            temperature=temperature,
        )
        self.student = Decoder(channels, widths, patches=patches, skips=skips)
        self.teacher = Decoder(channels, widths, patches=patches, skips=skips)
        windows = (2 * patches, 2 * patches)
        self.filters = nn.ModuleList(
            PlaceMemory(
                grid=windows,
                size=widths[-2 - storey] * cells[0] * cells[1] * 4**storey,
                slots=slots,
                top_k=top_k,
                temperature=temperature,
            )
            for storey in range(skips)
        )

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Drawn:
        """All of it; with a generator, as while learning, some places take the shortcut around memory."""
        padded, crop = pad_to_multiple(images, self.step)
        beside = self.encoder(padded)
        inpainted, distances = self.inpainting(beside[-1])
        hidden = [self._bypassed(inpainted, beside[-1], generator)]
        for storey, filtered in enumerate(self.filters):
            raw = self.student.climb(storey, hidden[-1], beside)
            hidden.append(self._bypassed(filtered(raw), raw, generator))
        student, drawn = self.student.end(hidden, beside)
        teacher, shown = self._taught(beside)
        levels = ((inpainted, beside[-1]), *zip(drawn, shown, strict=True))
        return Drawn(cut(student, crop), cut(teacher, crop), levels, distances)

    def remember(self, images: Tensor) -> None:
        """Put the features of healthy images into the memories, if these are queues."""
        padded, _ = pad_to_multiple(images, self.step)
        self.inpainting.write(self.encoder(padded)[-1])

    def taught(self, images: Tensor) -> Tensor:
        """What the teacher alone draws."""
        padded, crop = pad_to_multiple(images, self.step)
        return cut(self._taught(self.encoder(padded))[0], crop)

    def _taught(self, beside: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        seen = beside if self.teach_encoder else [level.detach() for level in beside]
        return self.teacher.end([seen[-1]], seen)

    def _bypassed(self, drawn: Tensor, raw: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None or not self.training:
            return drawn
        return masked_shortcut(drawn, raw.to(drawn.dtype), ratio=self.shortcut, generator=generator)


class PatchEncoder(nn.Module):
    """`(n, c, h, w)` to its levels, finest first, each patch seen by itself; the levels are laid out whole."""

    def __init__(self, channels: int, widths: Sequence[int], *, patches: int) -> None:
        super().__init__()
        self.patches = patches
        self.begin = nn.Sequential(nn.Conv2d(channels, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]))
        self.storeys = nn.ModuleList(_Halving(inside, out) for inside, out in pairwise(widths))

    def forward(self, images: Tensor) -> list[Tensor]:
        """The levels, the first at the image's own resolution."""
        hidden = nn.functional.silu(self.begin(apart(images, self.patches)))
        levels = [hidden]
        for storey in self.storeys:
            levels.append(storey(levels[-1]))
        return [together(level, self.patches) for level in levels]


class Decoder(nn.Module):
    """Doubles the grid storey by storey; patches are seen by themselves until two storeys are left.

    Args:
        channels: Of the image that comes out.
        widths: As the encoder's.
        skips: Storeys, coarsest first, that are handed the encoder's level of their grid too.
    """

    def __init__(self, channels: int, widths: Sequence[int], *, patches: int, skips: int) -> None:
        super().__init__()
        self.patches, self.skips = patches, skips
        pairs = list(pairwise(widths[::-1]))
        self.apart = len(pairs) - 2
        self.storeys = nn.ModuleList(
            double_conv(2, inside + (out if storey < skips else 0), out, norm="batch")
            for storey, (inside, out) in enumerate(pairs)
        )
        self.last = nn.Conv2d(widths[0], channels, 1)

    def climb(self, storey: int, hidden: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """One storey up."""
        level = beside[-2 - storey]
        grid = [2 * side for side in hidden.shape[2:]]
        opened = _doubled(hidden, self.patches, grid) if storey < self.apart else resize(hidden, grid)
        if storey < self.skips:
            opened = torch.cat([opened, level.to(opened.dtype)], dim=1)
        if storey < self.apart:
            return together(self.storeys[storey](apart(opened, self.patches)), self.patches)
        climbed: Tensor = self.storeys[storey](opened)
        return climbed

    def end(self, hidden: Sequence[Tensor], beside: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """From the storeys climbed so far to the image, and the features of all storeys."""
        levels = list(hidden[1:])
        now = hidden[-1]
        for storey in range(len(levels), len(self.storeys)):
            now = self.climb(storey, now, beside)
            levels.append(now)
        drawn = self.last(now).float()
        return drawn if self.training else drawn.clamp(*_BOUNDS), levels


class _Halving(nn.Module):
    """Half the grid: two convolutions, and beside them one that is only a projection."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, out, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.SiLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.beside = Pointwise(inside, out, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.silu(self.body(images) + self.beside(images))


def apart(images: Tensor, patches: int) -> Tensor:
    """`(n, c, h, w)` to its patches `(n patches^2, c, h / patches, w / patches)`: an image's own stand together."""
    count, channels, height, width = images.shape
    parts = images.reshape(count, channels, patches, height // patches, patches, width // patches)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, height // patches, width // patches)


def together(parts: Tensor, patches: int) -> Tensor:
    """The way back of `apart`."""
    _, channels, height, width = parts.shape
    laid = parts.reshape(-1, patches, patches, channels, height, width)
    return laid.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, patches * height, patches * width)


def _doubled(images: Tensor, patches: int, grid: Sequence[int]) -> Tensor:
    """Twice the grid, interpolated within each patch alone."""
    return together(resize(apart(images, patches), [side // patches for side in grid]), patches)
