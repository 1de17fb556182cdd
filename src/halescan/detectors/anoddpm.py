"""AnoDDPM: what does a way into noise and back by a model of healthy images change?"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.diffusion_unet import NoiseUNet
from halescan.networks.noise import LAWS, Diffusion, Law, check_unet, check_walk, draw_noise
from halescan.networks.residuals import PIXEL_KINDS, residual
from halescan.training.chance import noise, seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class AnoDDPM(Detector):
    """Noises an image part of the way and takes the noise off again; the map is the residual to the image.

    Noise with large blobs hides large lesions too, which white noise of that strength leaves to be seen. The noise of
    scoring is the same for every image, so that a map does not depend on chance or on the batch.

    Args:
        side: The image's longest side in pixels as the network sees it.
        law: The noise's: "simplex", "pyramid" (blobs enlarged linearly, cheaper to draw) or "gaussian" (white).
        largest: Largest blobs of simplex and pyramid noise, as a share of the side.
        persistence: Amplitude of blobs of half the size, as a share.
        depth: How far into noise, as a share of the schedule of 1000 levels. Deeper removes more, and changes more of
            what is healthy.
        jumps: Steps that the whole schedule would take; `depth` of them are taken.
        draws: Noises whose cleaned images are averaged.
        residual: "l1", "l2" or "ssim".
        widths: Channels of the U-Net at full, half, quarter ... resolution.
        blocks: Residual blocks at each.
        attention: Coarsest resolutions with attention, beside the one at the bottom.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the one-cycle curve.

    Source:
        Wyatt et al., AnoDDPM, CVPR Workshop NTIRE 2022. We differ: noise of unit variance; deterministic (DDIM)
        steps, fewer of them; only levels that scoring visits are learned, each counting alike; a falling learning rate
        instead of averaged weights; 2-D simplex noise, another for every image of a batch.
    """

    name = "anoddpm"
    summary = "noises an image part of the way and takes the noise off again; the map is what has changed"
    source = (
        "https://openaccess.thecvf.com/content/CVPR2022W/NTIRE/html/Wyatt_AnoDDPM_Anomaly_Detection_With_Denoising_"
        "Diffusion_Probabilistic_Models_Using_Simplex_CVPRW_2022_paper.html"
    )
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 256,
            "jumps": 1000,
            "draws": 1,
            "widths": (128, 128, 256, 256, 512, 512),
            "blocks": 2,
            "attention": 2,
            "steps": 300_000,
            "batch_size": 1,
            "learning_rate": 1e-4,
        },
    }

    def __init__(
        self,
        *,
        side: int = 64,
        law: Law = "simplex",
        largest: float = 0.25,
        persistence: float = 0.8,
        depth: float = 0.25,
        jumps: int = 40,
        draws: int = 2,
        residual: str = "l2",
        widths: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        attention: int = 0,
        steps: int = 1000,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
    ) -> None:
        if law not in LAWS:
            raise SettingError(f"law must be one of {', '.join(LAWS)}, got {law!r}")
        if residual not in PIXEL_KINDS:
            raise SettingError(f"residual must be one of {', '.join(PIXEL_KINDS)}, got {residual!r}")
        if not 0 < largest <= 1 or not 0 <= persistence <= 1:
            raise SettingError(
                f"largest must lie in (0, 1] and persistence in [0, 1], got {largest} and {persistence}; "
                "0.25 and 0.8 are usual"
            )
        if draws < 1:
            raise SettingError(f"draws must be 1 or more, got {draws}; 2 to 4 are usual")
        check_walk(jumps=jumps, depth=depth)
        check_unet(side=side, widths=widths, blocks=blocks, attention=attention)
        self.side, self.law, self.largest, self.persistence = side, law, largest, persistence
        self.depth, self.jumps, self.draws, self.residual = depth, jumps, draws, residual
        self.widths, self.blocks, self.attention = tuple(widths), blocks, attention
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    @cached_property
    def diffusion(self) -> Diffusion:
        """The way into noise and back; it is learned as far as it is walked."""
        return Diffusion(jumps=self.jumps, depth=self.depth)

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The images, noised as far as they are, and cleaned."""
        images = resize(to_tensors(batch, home(self._network)).images, self._grid)
        noisy = self._noised(images, 0)
        shown = {"original": images, "noised": self._network.uncentred(noisy), "cleaned": self._cleaned(images)}
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        self._network.look_at(torch.from_numpy(normal.take(spread_over(len(normal))).images))
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        learn(self._network, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        cleaned = self._cleaned(small)
        strange = residual(self.residual, small, cleaned)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(cleaned, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> NoiseUNet:
        self._grid = working_grid(shape[1:], side=self.side)
        return NoiseUNet(
            dims=len(shape) - 1, channels=shape[0], widths=self.widths, blocks=self.blocks, attention=self.attention
        )

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """How wrongly the noise is seen, at levels that scoring visits."""
        assert isinstance(network, NoiseUNet)
        images = network.centred(resize(batch.images, self._grid))
        drawn = self._draw(tuple(images.shape), generator).to(images.device)
        levels = torch.randint(0, self.diffusion.deepest, (len(images),), generator=generator).to(images.device)
        return network.loss(self.diffusion.add_noise(images, drawn, levels), drawn, levels)

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return draw_noise(self.law, shape, generator=generator, largest=self.largest, persistence=self.persistence)

    def _noised(self, images: Tensor, number: int) -> Tensor:
        """Images by the scoring's noise of that number, the same for each."""
        drawn = self._draw((1, *images.shape[1:]), noise(0, self.name, "draw", number)).to(images.device)
        return self.diffusion.into(self._network.centred(images), drawn.expand_as(images))

    @torch.no_grad()
    def _cleaned(self, images: Tensor) -> Tensor:
        """What comes back out of noise, averaged over the draws."""
        drawn = [self.diffusion.decode(self._network, self._noised(images, number)) for number in range(self.draws)]
        return self._network.uncentred(torch.stack(drawn).mean(0))


def spread_over(count: int, *, most: int = 64) -> list[int]:
    """Up to `most` places of `count`, evenly spread."""
    return [number * count // min(most, count) for number in range(min(most, count))]
