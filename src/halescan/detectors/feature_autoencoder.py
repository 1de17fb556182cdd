"""Feature autoencoder: which places of a frozen network's features are lost in a bottleneck that knows healthy ones?"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import FeatureSpace, check_grid, read
from halescan.errors import SettingError
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.networks.pyramid import Pyramid
from halescan.networks.ssim import ssim_map
from halescan.training.chance import numbers, seeded
from halescan.training.device import as_tensor, home, to_array
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_SPAN = 6.0  # features have variance 1 on average; three deviations to both sides then span 1, as SSIM expects
_CHECKED = 64  # check images described once and looked at every epoch


class FeatureAutoencoder(FeatureDetector[FeatureSpace]):
    """A small convolutional autoencoder reconstructs the features of a frozen network; the map is what is lost.

    Features of several levels lie on one grid. Each image is described once, before learning; what is kept of it, in
    half precision, stays within `memory_mb` however many images there are.

    Args:
        backbone: Name of the backbone; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        grid: Places along the longer side of the map; None takes the finest level's.
        aggregate: Odd side of the local average; 1 is off.
        components: Dimensions kept of the features.
        widths: Channels after each halving of that grid; mirrored in the decoder.
        latent: Numbers an image's features are squeezed into.
        distance: "ssim" or "l2" between features and their reconstruction: both what is learned by and the map.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.
        memory_mb: What may be kept of descriptions while learning, in 10^6 bytes; beyond, images are drawn at random.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Meissen et al. 2022, arXiv 2208.10992. We differ: another backbone, principal components of balanced levels
        instead of all channels, a dense latent, and L2 as a second distance.
    """

    name = "feature-autoencoder"
    summary = "an autoencoder of a frozen network's features; the map is what its bottleneck loses"
    source = "https://arxiv.org/abs/2208.10992"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "resnet18",
            "levels": (0, 1, 2),
            "aggregate": 1,
            "components": 192,
            "grid": 56,
            "widths": (100, 150, 200),
            "latent": 300,
            "steps": 20_000,
            "memory_mb": 4000.0,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (6, 10, 13),
        grid: int | None = 28,
        aggregate: int = 3,
        components: int = 64,
        widths: Sequence[int] = (64, 96, 128),
        latent: int = 64,
        distance: Literal["ssim", "l2"] = "ssim",
        steps: int = 1200,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        memory_mb: float = 128.0,
        encoder_steps: int = 300,
    ) -> None:
        if not levels:
            raise SettingError("levels must name at least one level of the backbone; (6, 10, 13) is usual")
        if distance not in ("ssim", "l2"):
            raise SettingError(f'distance must be "ssim" or "l2", got {distance!r}')
        if latent < 1 or not widths or min(widths) < 1:
            raise SettingError(
                f"latent and widths must be 1 or more, got {latent} and {tuple(widths)}; 64 and 64,96,128 work"
            )
        if not memory_mb > 0:
            raise SettingError(f"memory_mb must be above 0, 128 is usual, got {memory_mb}")
        self.backbone, self.levels, self.grid = backbone, tuple(levels), grid
        self.aggregate, self.components = aggregate, components
        self.widths, self.latent, self.distance = tuple(widths), latent, distance
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.memory_mb, self.encoder_steps = memory_mb, encoder_steps
        self._pyramid()  # refuses what it cannot do now rather than after training

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        first = normal.take([0]).images
        check_grid(self.grid, first.shape[1:])
        self._extractor = FeatureSpace.learn(
            normal,
            run,
            backbone=self.backbone,
            levels=self.levels,
            pyramid=self._pyramid(),
            encoder_steps=self.encoder_steps,
        )
        self._described = tuple(self._extractor.describe(as_tensor(first)).shape[1:])
        order = numbers(run.seed, self.name, "images").permutation(len(normal))[: self._room()]
        known = self._kept(normal, np.sort(order), run)
        beside = None
        if check is not None and len(check):
            beside = self._kept(check, np.arange(len(check))[:: -(-len(check) // _CHECKED)], run)
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build()
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="cosine"
        )
        learn(self._network, self._loss, images=known, check=beside, settings=settings, run=run, stage=self.name)
        self._extractor.to(home(self._network))

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        features = self._ready().describe(as_tensor(batch.images)).to(home(self._network)) / _SPAN
        return Scores(map=to_array(self._apart(features, self._network(features).float())))

    def _state(self) -> dict[str, np.ndarray]:
        described = {"described": np.asarray(self._described, np.int64)}
        return self._ready().state() | described | module_arrays(self._network, prefix="network/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        check_grid(self.grid, shape)
        self._extractor = FeatureSpace.from_state(state, self._pyramid())
        self._described = tuple(int(side) for side in state["described"])
        self._network = put_arrays(self._build, state, prefix="network/")

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        features = batch.images / _SPAN
        return self._apart(features, network(features).float()).mean()

    def _apart(self, features: Tensor, drawn: Tensor) -> Tensor:
        """`(n, *grid)`: 1 - SSIM, or the mean squared difference in the features' own unit."""
        if self.distance == "ssim":
            return (1 - ssim_map(features, drawn)).mean(1)
        return (features - drawn).square().mean(1) * _SPAN**2

    def _build(self) -> ConvAutoencoder:
        channels, *grid = self._described
        return ConvAutoencoder(channels=channels, grid=grid, widths=self.widths, latent=self.latent)

    def _room(self) -> int:
        """How many images' descriptions may be kept.

        Raises:
            SettingError: if none.
        """
        each = 2 * int(np.prod(self._described))
        if each > self.memory_mb * 1e6:
            raise SettingError(f"memory_mb={self.memory_mb} does not hold one image; it takes {each / 1e6:.2f} or more")
        return int(self.memory_mb * 1e6 // each)

    def _kept(self, images: Images, where: np.ndarray, run: Run) -> "_Described":
        """These images' descriptions."""
        rows = np.empty((len(where), *self._described), np.float16)
        done = 0
        for _, some in read(images, where, run, stage="descriptions"):
            rows[done : done + len(some)] = self._ready().describe(some).cpu().numpy()
            done += len(some)
        return _Described(rows)

    def _pyramid(self) -> Pyramid:
        return Pyramid(grid=self.grid, aggregate=self.aggregate, components=self.components)


class _Described:
    """Descriptions `(n, d, gh, gw)` in half precision as `Images`, read in single precision."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Sequence[int]) -> Batch:
        return Batch(self.rows[np.asarray(indices, np.intp)].astype(np.float32))

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), 16):
            yield self.take(range(start, min(start + 16, len(self))))
