"""Context encoder: what belongs in a hole, told from the rest of the image?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.context_net import ContextNet
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.networks.critic import Critic, critic_loss, maker_loss
from halescan.networks.masking import blank, grown, in_painted, paste, random_boxes, sliding_boxes
from halescan.networks.residuals import residual
from halescan.networks.views import mirrored_by_chance
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_BAND_WEIGHT = 10.0


class ContextEncoder(Detector):
    """A convolutional encoder learns what belongs in a hole at a random place of a healthy image.

    Two methods in one, by what is drawn. "image" is the context-encoding autoencoder: a small hole, a small latent, the
    whole image is drawn, and a new image is looked at without a hole: the map is the residual. "hole" is the context
    encoder of 2016: the loss counts in the hole, a critic judges the filled image, and a new image is looked at hole by
    hole, each place drawn without being seen.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        draws: "image" or "hole".
        hole: Side of the hole as a share of the image's shortest side, in (0, 0.75].
        fill: Value of the pixels in the hole.
        widths: Channels after each halving; mirrored in the decoder.
        latent: Numbers an image is squeezed into, for "image"; "hole" has a channel-wise dense layer instead.
        band: Pixels around the hole whose error counts too, ten times, for "hole": the seam must fit.
        adversarial: Weight of the critic in the loss, the drawing's being the rest of 1; 0 does without, for "hole".
        residual: "l1" or "l2".
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve; the critic's is a tenth.
        mirror: Half of the images of a step are flipped left to right.

    Source:
        Pathak et al. 2016, arXiv:1604.07379, and for "image" the ceAE of Cai et al. 2025, arXiv:2404.04518. We differ:
        the hole lies anywhere, not in the middle; the whole filled image goes to the critic; a new image is looked at
        with holes at every half hole.
    """

    name = "context-encoder"
    summary = "an encoder that learned to fill holes in healthy images; the map is image minus drawing"
    source = "https://arxiv.org/abs/1604.07379"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 128,
            "draws": "hole",
            "hole": 0.5,
            "fill": 0.0,
            "widths": (64, 64, 128, 256, 512),
            "band": 7,
            "adversarial": 0.001,
            "residual": "l2",
            "steps": 100_000,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "mirror": False,
        },
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        draws: Literal["image", "hole"] = "image",
        hole: float = 10 / 64,
        fill: float = -1.0,
        widths: Sequence[int] = (16, 32, 64, 64),
        latent: int = 16,
        band: int = 0,
        adversarial: float = 0.0,
        residual: Literal["l1", "l2"] = "l1",
        steps: int = 1200,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        mirror: bool = True,
    ) -> None:
        if draws not in ("image", "hole") or residual not in ("l1", "l2"):
            raise SettingError(
                f'draws must be "image" or "hole" and residual "l1" or "l2", got {draws!r} and {residual!r}'
            )
        if not 0 < hole <= 0.75:
            raise SettingError(f"hole must lie in (0, 0.75] of the image's side, got {hole}; 0.16 is usual")
        if latent < 1 or not widths or min(widths) < 1 or (side is not None and side < 8):
            raise SettingError("side must be 8 or more, widths and latent 1 or more; 64, 16,32,64,64 and 16 work")
        if not 0 <= adversarial < 1 or band < 0:
            raise SettingError(
                f"adversarial must lie in [0, 1) and band be 0 or more, got {adversarial} and {band}; 0.001 and 7 are "
                "the paper's"
            )
        if draws == "image" and (adversarial or band):
            raise SettingError('adversarial and band belong to draws="hole"; 0 is usual for draws="image"')
        self.side, self.draws, self.hole, self.fill = side, draws, hole, fill
        self.widths, self.latent, self.band = tuple(widths), latent, band
        self.adversarial, self.residual = adversarial, residual
        self.steps, self.batch_size, self.learning_rate, self.mirror = steps, batch_size, learning_rate, mirror

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        shape = normal.take([0]).images.shape[1:]
        with seeded(run.seed, self.name, "weights"):
            pair = nn.ModuleDict({"maker": self._build(shape)})
            if self.adversarial:
                pair["critic"] = Critic(channels=shape[0], grid=self._grid, widths=self.widths)
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(pair, self._turns(pair), images=normal, check=check, settings=settings, run=run, stage=self.name)
        self._network = pair["maker"]

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        if self.draws == "image":
            drawn = self._network(small)
        else:
            hole = self._hole_px()
            holes = sliding_boxes(self._grid, hole_px=hole, stride_px=max(1, hole // 2)).to(small.device)
            drawn = in_painted(self._network, small, holes, fill=self.fill)
        strange = residual(self.residual, small, drawn)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(drawn, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        self._grid = working_grid(shape[1:], side=self.side)
        if self.draws == "hole":
            return ContextNet(channels=shape[0], grid=self._grid, widths=self.widths)
        return ConvAutoencoder(channels=shape[0], grid=self._grid, widths=self.widths, latent=self.latent)

    def _turns(self, pair: nn.ModuleDict) -> list[Turn]:
        betas = (0.5, 0.999) if self.adversarial else (0.9, 0.999)
        turns = [Turn("drawing", list(pair["maker"].parameters()), self._maker_loss, betas=betas)]
        if self.adversarial:
            slow = self.learning_rate / 10
            critics = list(pair["critic"].parameters())
            turns.append(Turn("critic", critics, self._critic_loss, learning_rate=slow, betas=betas))
        return turns

    def _maker_loss(self, pair: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """How far the drawing is from the image where it counts, and whether the critic is taken in."""
        assert isinstance(pair, nn.ModuleDict)
        images, hidden = self._with_holes(batch, generator)
        drawn = pair["maker"](blank(images, hidden, fill=self.fill)).float()
        if self.draws == "image":
            return {"drawing": (drawn - images).square().mean()}
        error = hole_error(drawn, images, hidden, band_px=self.band)
        if not self.adversarial:
            return {"drawing": error}
        fooled = maker_loss("bce", pair["critic"](paste(images, drawn, hidden)).float())
        return {"drawing": (1 - self.adversarial) * error, "fooled": self.adversarial * fooled}

    def _critic_loss(self, pair: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        assert isinstance(pair, nn.ModuleDict)
        images, hidden = self._with_holes(batch, generator)
        with torch.no_grad():
            filled = paste(images, pair["maker"](blank(images, hidden, fill=self.fill)).float(), hidden)
        return critic_loss("bce", pair["critic"](images).float(), pair["critic"](filled).float())

    def _with_holes(self, batch: Tensors, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The images of a step, and a hole in each `(n, 1, h, w)`."""
        images = resize(batch.images, self._grid)
        if self.mirror:
            images = mirrored_by_chance(images, generator=generator)
        hole = self._hole_px()
        hidden = random_boxes(len(images), self._grid, smallest_px=hole, largest_px=hole, generator=generator)
        return images, hidden.to(images.device)

    def _hole_px(self) -> int:
        return max(1, round(self.hole * min(self._grid)))


def hole_error(drawn: Tensor, images: Tensor, hidden: Tensor, *, band_px: int = 0) -> Tensor:
    """Mean squared error of `(n, c, *grid)` inside the holes `(n, 1, *grid)`; a band around them counts ten times."""
    weight = hidden.float()
    if band_px:
        weight = weight + _BAND_WEIGHT * (grown(hidden, by_px=band_px) & ~hidden)
    return ((drawn - images).square() * weight).sum() / (weight.sum() * images.shape[1]).clamp(min=1)
