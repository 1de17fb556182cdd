"""Guided diffusion: what must change in an image until a classifier, asked all through noise, calls it healthy?"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.detectors.anoddpm import spread_over
from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.diffusion_unet import NoiseUNet, NoisyClassifier
from halescan.networks.noise import Diffusion, Predict, check_unet, check_walk, kept_at
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Labelled, Scores


class GuidedDiffusion(Detector):
    """Leads an image into noise by what a diffusion model sees in it, and back with a classifier's pull to "healthy".

    Without the pull the way back ends at the image; what the pull has changed is the map. It is weakly supervised: the
    classifier learns from images that readers called healthy and abnormal. Nothing is drawn by chance when scoring.

    Args:
        side: The image's longest side in pixels as the networks see it.
        pull: Strength of the classifier's gradient. Too little removes nothing; too much changes everything.
        depth: How far into noise, as a share of the schedule of 1000 levels.
        jumps: Steps that the whole schedule would take; `depth` of them are taken there, and as many back.
        widths: Channels of the U-Net at full, half, quarter ... resolution.
        blocks: Residual blocks at each.
        attention: Coarsest resolutions with attention, beside the one at the bottom.
        classifier_widths: Channels of the classifier after each halving.
        steps: Steps of learning the diffusion model, from both kinds of images.
        classifier_steps: Steps of the classifier, after them.
        batch_size: Images of either kind a step.
        learning_rate: Highest of the one-cycle curves.

    Source:
        Wolleb et al. 2022, arXiv:2203.04306. We differ: fewer DDIM steps; healthy and abnormal images in equal numbers
        in every batch; only levels that scoring visits are learned; the classifier is a small stack of convolutions
        that pools the loudest answer, and the strength is our own, as it depends on both; the variance is not learned.
    """

    name = "guided-diffusion"
    summary = "leads an image through noise to what a classifier calls healthy; the map is what had to change"
    source = "https://arxiv.org/abs/2203.04306"
    needs_abnormal = True
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 256,
            "pull": 100.0,
            "jumps": 1000,
            "widths": (128, 128, 256, 256, 512, 512),
            "blocks": 2,
            "attention": 2,
            "classifier_widths": (32, 64, 128, 128),
            "steps": 50_000,
            "classifier_steps": 20_000,
            "batch_size": 5,
            "learning_rate": 1e-4,
        },
    }

    def __init__(
        self,
        *,
        side: int = 64,
        pull: float = 5.0,
        depth: float = 0.5,
        jumps: int = 40,
        widths: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        attention: int = 0,
        classifier_widths: Sequence[int] = (16, 32, 64),
        steps: int = 1000,
        classifier_steps: int = 1000,
        batch_size: int = 4,
        learning_rate: float = 2e-3,
    ) -> None:
        check_walk(jumps=jumps, depth=depth)
        check_unet(side=side, widths=widths, blocks=blocks, attention=attention)
        if not 0 <= pull <= 1e6:
            raise SettingError(f"pull must lie in [0, 1000000], got {pull}; 5 is usual")
        if not classifier_widths or min(classifier_widths) < 2 or classifier_steps < 1:
            raise SettingError(
                "classifier_widths must be one or more numbers from 2 and classifier_steps 1 or more, got "
                f"{tuple(classifier_widths)} and {classifier_steps}; 16,32,64 and 1000 work"
            )
        self.side, self.pull, self.depth, self.jumps = side, float(pull), depth, jumps
        self.widths, self.blocks, self.attention = tuple(widths), blocks, attention
        self.classifier_widths, self.classifier_steps = tuple(classifier_widths), classifier_steps
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    @cached_property
    def diffusion(self) -> Diffusion:
        """The way into noise and back; it is learned as far as it is walked."""
        return Diffusion(jumps=self.jumps, depth=self.depth)

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The images, and what they become."""
        images = resize(to_tensors(batch, home(self._network)).images, self._grid)
        shown = {"original": images, "healthy": self._healthy(images)}
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        assert isinstance(normal, Labelled)
        shape = normal.take([0]).images.shape[1:]
        with seeded(run.seed, self.name, "weights"):
            self._network, self._classifier = self._build(shape), self._build_classifier(shape)
        self._network.look_at(torch.from_numpy(normal.take(spread_over(len(normal))).images))
        pairs = normal.pairs()
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        learn(self._network, self._noise_loss, images=pairs, check=check, settings=settings, run=run, stage=self.name)
        settings = Schedule(
            steps=self.classifier_steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        stage = f"{self.name}-classifier"  # no check: those images are healthy alone
        learn(self._classifier, self._class_loss, images=pairs, settings=settings, run=run, stage=stage)

    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        healthy = self._healthy(small)
        strange = (small - healthy).abs().mean(1)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(healthy, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network, prefix="network/") | module_arrays(self._classifier, prefix="classifier/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state, prefix="network/")
        self._classifier = put_arrays(lambda: self._build_classifier(shape), state, prefix="classifier/")

    def _build(self, shape: tuple[int, ...]) -> NoiseUNet:
        self._grid = working_grid(shape[1:], side=self.side)
        return NoiseUNet(
            dims=len(shape) - 1, channels=shape[0], widths=self.widths, blocks=self.blocks, attention=self.attention
        )

    def _build_classifier(self, shape: tuple[int, ...]) -> NoisyClassifier:
        return NoisyClassifier(dims=len(shape) - 1, channels=shape[0], widths=self.classifier_widths)

    def _noise_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """How wrongly the noise is seen, at levels that scoring visits."""
        assert isinstance(network, NoiseUNet)
        noisy, drawn, levels = self._noised(batch, generator)
        return network.loss(noisy, drawn, levels)

    def _class_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """Cross-entropy of noised images; of a batch of pairs the first half is healthy."""
        noisy, _, levels = self._noised(batch, generator)
        abnormal = (torch.arange(len(noisy), device=noisy.device) >= len(noisy) // 2).float()
        return F.binary_cross_entropy_with_logits(network(noisy, levels).float(), abnormal)

    def _noised(self, batch: Tensors, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images at levels drawn for each, their noise, and the levels."""
        images = self._network.centred(resize(batch.images, self._grid))
        drawn = torch.randn(tuple(images.shape), generator=generator).to(images.device)
        levels = torch.randint(0, self.diffusion.deepest, (len(images),), generator=generator).to(images.device)
        return self.diffusion.add_noise(images, drawn, levels), drawn, levels

    @torch.no_grad()
    def _healthy(self, images: Tensor) -> Tensor:
        """What images become on the way into noise and, pulled, back."""
        led = self.diffusion.encode(self._network, self._network.centred(images))
        back = self.diffusion.decode(guided(self._network, self._classifier, pull=self.pull), led)
        return self._network.uncentred(back)


def guided(network: Predict, classifier: Predict, *, pull: float) -> Predict:
    """The noise that a network sees, less the way to what the classifier calls healthy.

    That is `noise - pull * sqrt(1 - kept) * d log p(healthy | noisy, level) / d noisy`, as noise is the score of the
    images' density, turned round and scaled, and the density is now that of healthy images.
    """

    def predict(noisy: Tensor, levels: Tensor) -> Tensor:
        seen = network(noisy, levels)
        if not pull:
            return seen
        with torch.enable_grad():
            asked = noisy.detach().requires_grad_()
            likely = F.logsigmoid(-classifier(asked, levels).float()).sum()
            (way,) = torch.autograd.grad(likely, asked)
        return seen - pull * (1 - kept_at(levels, dims=noisy.ndim - 2)).sqrt() * way

    return predict
