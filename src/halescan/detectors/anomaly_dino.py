"""AnomalyDINO: how far is each patch token from the nearest token of a few healthy images?"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import as_places
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.networks.backbones import Backbone
from halescan.networks.nearest import BankOfAll, spread_out
from halescan.training.chance import number_from, numbers
from halescan.training.device import to_tensors
from halescan.training.encoders import FeatureExtractor, choose_backbone, stored_backbone
from halescan.training.run import Progress, Run
from halescan.training.schedule import Tensors
from halescan.types import Batch, Images, Scores

AT_ONCE = 4  # images described at once: a vision transformer of this kind takes some hundred megabytes for them
CANDIDATES = 4  # tokens drawn for each one kept when the bank is thinned
LEAST_TISSUE = 0.25  # of a patch, to be compared at all
_VIEWS = ("none", "mirror", "turns")


class AnomalyDINO(FeatureDetector[FeatureExtractor]):
    """1 - cosine to the nearest healthy patch token of a vision transformer, wherever in the image that lay.

    A few healthy images are enough (`shots`), since nothing is trained. Patches outside the tissue are neither
    remembered nor compared: the map is 0 there. What is remembered stays within `memory_mb`.

    Args:
        backbone: Name of a vision transformer; where it is not at hand, or for "own", an encoder is trained, whose
            places then stand for tokens.
        level: Its layer whose tokens are compared; 12 is the last of DINOv2's small and base models.
        side: The image's longest side as the transformer sees it, rounded to whole patches; None: as it comes.
        shots: Healthy images to remember, drawn at random; None remembers of all.
        views: What is remembered beside each image: "none"; its "mirror" image; its "turns" by quarters, for views that
            have no upright.
        tissue: Whether patches outside the mask (or, without one, where all is 0) are left out.
        neighbours: The map is the mean distance to so many nearest tokens.
        coreset: Tokens kept, spread out by greedy k-centres; None keeps what memory allows.
        memory_mb: What may be remembered, in 10^6 bytes as stored; while scoring it takes twice that.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Damm et al. 2024, arXiv 2405.14529. We differ: tissue by the mask instead of the tokens' first principal
        component; tokens are standardised each by itself instead of by the model's last norm; a coreset and a limit in
        bytes; quarter turns alone; smoothing and the mean of the strangest hundredth are the profile's.
    """

    name = "anomaly-dino"
    summary = "distance to the nearest healthy patch token of a vision transformer; a few images are enough"
    source = "https://arxiv.org/abs/2405.14529"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 448, "shots": 16, "views": "turns", "coreset": None, "memory_mb": 500.0},
    }

    def __init__(
        self,
        *,
        backbone: str = "dinov2_small",
        level: int = 12,
        side: int | None = None,
        shots: int | None = None,
        views: Literal["none", "mirror", "turns"] = "none",
        tissue: bool = True,
        neighbours: int = 1,
        coreset: int | None = 10_000,
        memory_mb: float = 64.0,
        encoder_steps: int = 300,
    ) -> None:
        if level < 1 or neighbours < 1 or (shots is not None and shots < 1) or (coreset is not None and coreset < 1):
            raise SettingError(
                f"level, shots, neighbours and coreset must be 1 or more, got {level}, {shots}, {neighbours} "
                f"and {coreset}; 12, 16, 1 and 10000 work"
            )
        if side is not None and not 8 <= side <= 2048:
            raise SettingError(f"side must lie in [8, 2048] pixels, or be None, got {side}; 448 is the paper's")
        if views not in _VIEWS:
            raise SettingError(f"views must be one of {', '.join(_VIEWS)}, got {views!r}")
        if not memory_mb > 0:
            raise SettingError(f"memory_mb must be above 0, 64 is usual, got {memory_mb}")
        self.backbone, self.level, self.side = backbone, level, side
        self.shots, self.views, self.tissue = shots, views, tissue
        self.neighbours, self.coreset, self.memory_mb = neighbours, coreset, memory_mb
        self.encoder_steps = encoder_steps
        self._bank: BankOfAll | None = None

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        found = choose_backbone(self.backbone, normal, run, levels=(self.level,), steps=self.encoder_steps)
        self._extractor = FeatureExtractor(*found)
        keep = self._room(self._tokens(to_tensors(normal.take([0]), torch.device("cpu")).images).shape[1])
        rows = self._gathered(normal, keep, run)
        if self.coreset is not None and self.coreset < keep:
            kept = spread_out(rows.float(), keep=self.coreset, seed=number_from(run.seed, self.name, "coreset"))
        else:
            kept = torch.from_numpy(np.sort(numbers(run.seed, self.name, "rows").permutation(len(rows))[:keep]))
        self._bank = BankOfAll(rows[kept].float().to(self.device))

    def _gathered(self, normal: Images, keep: int, run: Run) -> Tensor:
        """`(m, d)` in half precision: tokens to choose `keep` from, about as many of each image.

        Where there are more images than tokens wanted, so many images are drawn: what is gathered stays within memory.

        Raises:
            TrainingError: if there is no tissue in any of them.
        """
        rows: list[Tensor] = []
        views = {"none": 1, "mirror": 2, "turns": 4}[self.views]
        wanted = keep if self.coreset is None else min(keep, CANDIDATES * self.coreset)
        order = numbers(run.seed, self.name, "shots").permutation(len(normal))[: self.shots]
        shown = np.sort(order[: max(1, wanted // views)])
        each = -(-wanted // (len(shown) * views))
        for start in range(0, len(shown), AT_ONCE):
            part = shown[start : start + AT_ONCE]
            batch = to_tensors(normal.take(part.tolist()), torch.device("cpu"))
            for view, seen in enumerate(self._seen_as(batch)):
                tokens = self._tokens(seen.images)
                inside = self._tissue(seen, tuple(tokens.shape[2:]))
                for number, places, known in zip(part.tolist(), as_places(tokens).cpu(), inside.cpu(), strict=True):
                    there = np.flatnonzero(known.flatten().numpy())
                    drawn = numbers(run.seed, self.name, "tokens", number, view).permutation(there)[:each]
                    rows.append(places[torch.from_numpy(np.sort(drawn))].half())
            run.listen(Progress("tokens", start + len(part), len(shown)))
        found = torch.cat(rows)
        if not len(found):
            raise TrainingError(f"{self.name} found no tissue in {len(shown)} healthy images; set tissue=false")
        return found

    def _seen_as(self, batch: Tensors) -> Iterator[Tensors]:
        """The images and their masks, and again in each view that is remembered too."""
        yield batch
        ways = {"none": [], "mirror": [(0, True)], "turns": [(1, False), (2, False), (3, False)]}[self.views]
        for quarters, mirrored in ways:
            parts = [batch.images, None if batch.mask is None else batch.mask[:, None]]
            turned = [None if part is None else torch.rot90(part, quarters, (2, 3)) for part in parts]
            images, mask = (part.flip(-1) if part is not None and mirrored else part for part in turned)
            assert images is not None
            yield Tensors(images, None if mask is None else mask[:, 0])

    @torch.inference_mode()
    def _measure(self, batch: Batch) -> Scores:
        seen = to_tensors(batch, torch.device("cpu"))
        parts = [
            self._strange(
                Tensors(seen.images[number : number + 1], None if seen.mask is None else seen.mask[number, None])
            )
            for number in range(len(batch))
        ]
        return Scores(map=torch.cat(parts).cpu().numpy())

    def _strange(self, one: Tensors) -> Tensor:
        """`(1, gh, gw)` of one image alone."""
        bank = self._bank
        assert bank is not None
        tokens = self._tokens(one.images)
        distances, _ = bank.nearest(as_places(tokens), count=self.neighbours)
        far = distances.square().mean(2).div(2).reshape(1, *tokens.shape[2:])  # of unit vectors: 1 - cosine
        return far * self._tissue(one, tuple(tokens.shape[2:])).to(far.device)

    def _tokens(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` to unit tokens `(n, d, gh, gw)`, each less its own mean."""
        extractor = self._ready()
        (tokens,) = extractor.levels(_sized(images, extractor.backbone, self.side))
        return F.normalize(tokens - tokens.mean(1, keepdim=True), dim=1)

    def _tissue(self, seen: Tensors, grid: tuple[int, ...]) -> Tensor:
        """`(n, gh, gw)` bool: patches that are compared."""
        if not self.tissue:
            return torch.ones(len(seen.images), *grid, dtype=torch.bool)
        inside = (seen.images > 0).any(1) if seen.mask is None else seen.mask
        return F.adaptive_avg_pool2d(inside[:, None].float(), (grid[0], grid[1]))[:, 0] >= LEAST_TISSUE

    def _room(self, width: int) -> int:
        """How many tokens may be remembered."""
        room = int(self.memory_mb * 1e6 // (2 * width))
        if room < 1:
            raise SettingError(f"memory_mb={self.memory_mb} does not hold one token; 64 is usual")
        return room

    def _state(self) -> dict[str, np.ndarray]:
        bank = self._bank
        assert bank is not None
        return {
            **self._ready().state(),
            "bank": bank.patches.half().cpu().numpy().copy(),
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = FeatureExtractor(*stored_backbone(state))
        rows = torch.from_numpy(np.array(state["bank"])).float()
        if rows.ndim != 2 or not len(rows):
            raise ModelError(f"{self.name}: the stored tokens are not rows of numbers")
        self._bank = BankOfAll(rows)


def _sized(images: Tensor, backbone: Backbone, side: int | None) -> Tensor:
    """Images `(n, c, h, w)` on a grid of whole patches."""
    here = tuple(images.shape[2:])
    patch = _first(backbone.config.get("patch_size", 1)) if backbone.kind == "transformers" else 1
    grown = 1.0 if side is None else side / max(here)
    wanted = tuple(max(1, round(length * grown / patch)) * patch for length in here)
    if wanted == here:
        return images
    return F.interpolate(images, size=wanted, mode="bilinear", antialias=True, align_corners=False)


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, list | tuple) else value)
