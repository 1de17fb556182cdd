"""Synthetic anomaly: what does a network find in an image that learned to find what was planted in healthy ones?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.detectors.denoising_autoencoder import body_of
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.unet import UNet
from halescan.synthesis.anomalies import ANOMALIES, plant_anomaly
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

LEAST_SIDE = 8  # pixels: nothing can be planted in less


class SyntheticAnomaly(Detector):
    """A U-Net learns to say, place by place, how strange a healthy image was made there.

    At each step patches are planted into most of the images: pasted, blended or mixed in from elsewhere in the image or
    from another image of the step. The loss is the cross-entropy with the planter's own label, between 0 and 1. The map
    is -log(1 - p), 0 outside the body. It finds what resembles what was planted, and is blind to what does not.

    Args:
        kinds: What is planted, drawn evenly: "cutpaste", "fpi", "pii", "nsa"; also "blob", "deformation", "noise",
            "veil".
        clean: Share of the images that are left as they are.
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        width: Channels of the U-Net's first storey.
        depth: Storeys of the U-Net.
        norm: "batch" or "group"; group norm learns in twice the time on a CPU, and suits batches below 8.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the one-cycle curve.

    Source:
        Foreign patch interpolation: Tan et al. 2020, arXiv:2011.04197; with Poisson blending: Tan et al. 2021,
        arXiv:2107.02622; NSA: Schlüter et al. 2022, arXiv:2109.15222; CutPaste: Li et al. 2021, arXiv:2104.04015; sizes
        and labels of patches as in Cai et al. 2025, arXiv:2404.04518. We differ: all four in one network unless told
        otherwise, a U-Net with skips, some images left clean, and CutPaste's patches are found, not only told of.
    """

    name = "synthetic-anomaly"
    summary = "a U-Net that learned to find patches planted in healthy images; the map is what it finds"
    source = "https://arxiv.org/abs/2011.04197"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 224, "width": 64, "depth": 5, "steps": 30_000, "batch_size": 64, "learning_rate": 1e-3},
    }

    def __init__(
        self,
        *,
        kinds: Sequence[str] = ("cutpaste", "fpi", "pii", "nsa"),
        clean: float = 0.2,
        side: int | None = 64,
        width: int = 16,
        depth: int = 4,
        norm: Literal["batch", "group"] = "batch",
        steps: int = 1800,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
    ) -> None:
        if not kinds or set(kinds) - set(ANOMALIES):
            raise SettingError(f"kinds must be some of {', '.join(ANOMALIES)}, got {list(kinds)}")
        if not 0 <= clean < 1:
            raise SettingError(f"clean must lie in [0, 1), got {clean}; 0.2 is usual")
        if side is not None and side < LEAST_SIDE:
            raise SettingError(f"side must be {LEAST_SIDE} pixels or more, or None, got {side}; 64 is usual")
        if norm not in ("batch", "group"):
            raise SettingError(f'norm must be "batch" or "group", got {norm!r}')
        if width < 1 or not 1 <= depth <= 7:
            raise SettingError(f"width must be 1 or more and depth 1 to 7, got {width} and {depth}; 16 and 4 are usual")
        self.kinds, self.clean, self.side = tuple(kinds), clean, side
        self.width, self.depth, self.norm = width, depth, norm
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        if min(self._grid) < LEAST_SIDE:
            raise SettingError(
                f"{self.name} needs {LEAST_SIDE} pixels along each axis to plant in, the network sees {self._grid}; "
                "give a larger side"
            )
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        learn(self._network, self._find_loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images, inside = self._seen(to_tensors(batch, home(self._network)))
        found = F.softplus(self._network(images).float()[:, 0])  # -log(1 - p) of the logit of p
        return Scores(map=to_array(found * inside))

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """What was planted into images like these, and where it was found."""
        seen = Tensors(*self._seen(to_tensors(batch, home(self._network))))
        planted, label = self._planted(seen, torch.Generator().manual_seed(0))
        with torch.no_grad():
            found = torch.sigmoid(self._network(planted).float())
        grid = batch.images.shape[2:]
        shown = {"planted": planted, "label": label[:, None], "found": found}
        return {
            name: to_array(resize(part, grid).expand(-1, batch.images.shape[1], *[-1] * len(grid)))
            for name, part in shown.items()
        }

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        self._grid = working_grid(shape[1:], side=self.side)
        return UNet(dims=len(shape) - 1, channels=shape[0], width=self.width, depth=self.depth, norm=self.norm, drawn=1)

    def _find_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """The mean cross-entropy with the labels of what was planted just now."""
        planted, label = self._planted(Tensors(*self._seen(batch)), generator)
        return F.binary_cross_entropy_with_logits(network(planted).float()[:, 0], label)

    def _seen(self, batch: Tensors) -> tuple[Tensor, Tensor]:
        """Images `(n, c, *grid)` and body `(n, *grid)` bool as the network sees them."""
        inside = resize(body_of(batch).float(), self._grid)[:, 0] > 0.5
        return resize(batch.images, self._grid), inside

    def _planted(self, seen: Tensors, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images with something planted in most, and labels `(n, *grid)` in [0, 1]."""
        images = to_array(seen.images)
        bodies = None if seen.mask is None else seen.mask.cpu().numpy()
        spoilt, labels = images.copy(), np.zeros((len(images), *images.shape[2:]), np.float32)
        for number, image in enumerate(images):
            seed, kind, spared = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
            if spared < self.clean:
                continue
            made = plant_anomaly(
                image,
                kind=self.kinds[int(kind * len(self.kinds))],
                seed=int(seed * 2**53),
                other=images[(number + 1) % len(images)] if len(images) > 1 else None,
                inside=None if bodies is None else bodies[number],
            )
            spoilt[number], labels[number] = made.image, made.label
        device = seen.images.device
        return torch.from_numpy(spoilt).to(device), torch.from_numpy(labels).to(device)
