"""P-Net: does the grey of an image follow from its structure, as it does in healthy ones?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.critic import Pair, PatchCritic, critic_loss, maker_loss
from halescan.networks.structure import KINDS, structure
from halescan.networks.structure_texture import StructureTexture
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class PNet(Detector):
    """Draws an image from its structure and a coarse look at its texture; the map is how grey and structure differ.

    The map is (1 - `structure_share`) |x - x'| + `structure_share` |S(x) - S(x')|, averaged over channels, where S is
    the structure. Image and drawing are judged by a critic of patches while learning.

    Args:
        side: The image's longest side in pixels as the networks see it.
        structure: "edges" (borders of organs) or "ridges" (vessels, ribs, layers).
        scales_px: Sigmas, in pixels of that side, at which structure is looked for; the strongest counts.
        widths: Channels at full, half, quarter ... resolution.
        texture: Channels that the image's own grey passes through, at the coarsest resolution.
        structure_weight: Of the difference in structure, beside the mean absolute error, while learning.
        critic_weight: Of fooling the critic, beside it; 0 is without a critic.
        critic_widths: Channels of the critic after each halving.
        critic_rate: The critic's learning rate, as a share of `learning_rate`.
        structure_share: Share of the difference in structure in the map, in [0, 1]; 0 is the image's residual alone.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.

    Source:
        Zhou et al. 2020, arXiv:2008.03632. We differ: structure is computed from the image (derivatives of Gaussians)
        instead of segmented by a network that learned from labels of other data; the map is kept place by place;
        weights are relative to the error's. The later version's memory of textures is not here.
    """

    name = "p-net"
    summary = "draws an image from its structure and a coarse texture; the map is how both differ from the image's"
    source = "https://arxiv.org/abs/2008.03632"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 224,
            "widths": (64, 128, 256, 512, 512),
            "texture": 512,
            "critic_widths": (64, 128, 256, 512),
            "steps": 100_000,
            "batch_size": 8,
            "learning_rate": 1e-3,
        },
    }

    def __init__(
        self,
        *,
        side: int = 64,
        structure: Literal["edges", "ridges"] = "edges",
        scales_px: Sequence[float] = (1.0, 2.0),
        widths: Sequence[int] = (8, 16, 32, 64),
        texture: int = 8,
        structure_weight: float = 0.1,
        critic_weight: float = 0.01,
        critic_widths: Sequence[int] = (16, 32, 64),
        critic_rate: float = 0.1,
        structure_share: float = 0.5,
        steps: int = 700,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
    ) -> None:
        if structure not in KINDS:
            raise SettingError(f"structure must be one of {', '.join(KINDS)}, got {structure!r}")
        if not scales_px or not all(0.3 <= scale <= 20 for scale in scales_px):
            raise SettingError(f"scales_px must lie in [0.3, 20], got {tuple(scales_px)}; (1, 2) is usual")
        if len(widths) < 2 or not critic_widths or min(*widths, *critic_widths, texture) < 1:
            raise SettingError(
                f"widths must be two or more, and they, critic_widths and texture 1 or more, got {tuple(widths)}, "
                f"{tuple(critic_widths)} and {texture}; 8,16,32,64 and 16,32,64 and 8 work"
            )
        if min(structure_weight, critic_weight) < 0 or not 0 < critic_rate <= 10 or not 0 <= structure_share <= 1:
            raise SettingError(
                "structure_weight and critic_weight must be 0 or more, critic_rate lie in (0, 10] and structure_share "
                f"in [0, 1], got {structure_weight}, {critic_weight}, {critic_rate} and {structure_share}; "
                "0.1, 0.01, 0.1 and 0.5 are usual"
            )
        if side < max(2 ** (len(widths) - 1), 2 ** len(critic_widths)):
            raise SettingError(
                f"side must be {max(2 ** (len(widths) - 1), 2 ** len(critic_widths))} or more, got {side}; 64 is usual"
            )
        self.side, self.structure, self.scales_px = side, structure, tuple(scales_px)
        self.widths, self.texture, self.structure_weight = tuple(widths), texture, structure_weight
        self.critic_weight, self.critic_widths, self.critic_rate = critic_weight, tuple(critic_widths), critic_rate
        self.structure_share = structure_share
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The images and their drawings, and the structure of both."""
        images = resize(to_tensors(batch, home(self._network)).images, self._grid)
        with torch.no_grad():
            lines, drawn = self._drawn(self._network, images)
            shown = {"original": images, "its structure": lines, "drawn": drawn, "structure drawn": self._lines(drawn)}
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        turns = [
            Turn("maker", list(self._network.maker.parameters()), self._maker_loss, betas=(0.1, 0.9)),
            Turn(
                "critic",
                list(self._network.critic.parameters()),
                self._critic_loss,
                betas=(0.1, 0.9),
                learning_rate=self.learning_rate * self.critic_rate,
            ),
        ][: 1 + bool(self.critic_weight)]
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-4
        )
        learn(self._network, turns, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        lines, drawn = self._drawn(self._network, small)
        grey, shape = (small - drawn).abs(), (lines - self._lines(drawn)).abs()
        strange = torch.lerp(grey.mean(1), shape.mean(1), self.structure_share)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(drawn, images.shape[2:])))

    def _lines(self, images: Tensor) -> Tensor:
        return structure(images, self.structure, scales_px=self.scales_px)

    def _drawn(self, network: Pair[Any, Any], images: Tensor) -> tuple[Tensor, Tensor]:
        """The structure of the images and what is drawn from it and their texture."""
        lines = self._lines(images)
        return lines, network.maker(images, lines).float()

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> Pair[StructureTexture, PatchCritic]:
        self._grid = working_grid(shape[1:], side=self.side)
        maker = StructureTexture(channels=shape[0], widths=self.widths, texture=self.texture)
        critic = PatchCritic(channels=shape[0], widths=self.critic_widths)
        return Pair(maker, critic)

    def _maker_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        assert isinstance(network, Pair)
        images = resize(batch.images, self._grid)
        lines, drawn = self._drawn(network, images)
        losses = {"l1": (images - drawn).abs().mean()}
        if self.structure_weight:
            losses["structure"] = self.structure_weight * (lines - self._lines(drawn)).abs().mean()
        if self.critic_weight:
            losses["fooling"] = self.critic_weight * maker_loss("bce", network.critic(drawn).float())
        return losses

    def _critic_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        assert isinstance(network, Pair)
        images = resize(batch.images, self._grid)
        with torch.no_grad():
            drawn = self._drawn(network, images)[1]
        return critic_loss("bce", network.critic(images).float(), network.critic(drawn).float())
