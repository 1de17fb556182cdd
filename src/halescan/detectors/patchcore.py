"""PatchCore: how far is each patch from the nearest healthy patch, of its own place or of any?"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import AT_ONCE, FeatureSpace, as_places, check_grid, read
from halescan.errors import ModelError, NotFitted, SettingError
from halescan.networks.nearest import BankByPlace, BankOfAll, spread_out
from halescan.networks.pyramid import Pyramid
from halescan.training.chance import number_from, numbers
from halescan.training.device import as_tensor
from halescan.training.encoders import backbones_at_hand, fetch_backbone
from halescan.training.run import Run
from halescan.types import Batch, Images, Scores

__all__ = ["PatchCore", "backbones_at_hand", "fetch_backbone"]

EXAMPLE_SIDE = 96  # pixels of a thumbnail
MOST_EXAMPLES = 1000
SHOWN = 3  # nearest healthy examples named with each image
FOLDS = 5  # in which images are left out
CANDIDATES = 4  # patches drawn for each one kept when a bank is thinned


class PatchCore(FeatureDetector[FeatureSpace]):
    """Distance to the nearest healthy patch, in the features of a backbone.

    With `neighbourhood` a patch is compared with healthy patches of its own place and of the places so many grid steps
    around it: what is normal elsewhere is strange here. Without, with the healthy patches of all places, for images
    that have no fixed anatomy. Memory has a hard limit: what is remembered (patches in half precision, and thumbnails
    of the images they came from) stays within `memory_mb` however many images there are.

    Args:
        backbone: Name of the backbone; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        grid: Places along the longer side of the map; None takes the finest level's.
        aggregate: Odd side of the local average; 1 is off.
        components: Dimensions kept of the features.
        neighbourhood: Grid steps around a place whose healthy patches count as its own; None: one bank for all places.
        mirror: Whether mirror images of the healthy images are remembered too, for views in which left and right are
            chance (a breast under a hand-held probe), not anatomy (a heart).
        neighbours: The map is the mean distance to so many nearest patches; more than one forgives a stray healthy one.
        coreset: Patches kept in a bank for all places, spread out by greedy k-centres; None keeps what memory allows.
        memory_mb: What may be remembered, in 10^6 bytes as stored; while scoring, patches take twice that.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Roth et al. 2022, arXiv 2106.08265. We differ: banks by place, principal components, balanced levels, a limit in
        bytes, candidates drawn at random before the coreset is chosen, and no reweighting of the image's score.
    """

    name = "patchcore"
    summary = "distance to the nearest healthy patch, of the same place or of any; remembers examples to show"
    source = "https://arxiv.org/abs/2106.08265"
    leaves_out = True
    at_once = 16  # the backbone takes one after the other; a search is the cheaper the more ask together
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "resnet50",
            "levels": (2, 3),
            "components": 1024,
            "neighbourhood": None,
            "memory_mb": 1000.0,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (6, 10, 13),
        grid: int | None = None,
        aggregate: int = 3,
        components: int = 48,
        neighbourhood: int | None = 1,
        mirror: bool = False,
        neighbours: int = 1,
        coreset: int | None = 10_000,
        memory_mb: float = 64.0,
        encoder_steps: int = 300,
    ) -> None:
        if not levels:
            raise SettingError("levels must name at least one level of the backbone; (6, 10, 13) is usual")
        if neighbourhood is not None and neighbourhood < 0:
            raise SettingError(
                f"neighbourhood must be 0 or more grid steps, or null for one bank, got {neighbourhood}; 1 is usual"
            )
        if neighbours < 1 or (coreset is not None and coreset < 1):
            raise SettingError(
                f"neighbours and coreset must be 1 or more, got {neighbours} and {coreset}; 1 and 10000 are usual"
            )
        if not memory_mb > 0:
            raise SettingError(f"memory_mb must be above 0, 64 is usual, got {memory_mb}")
        self.backbone, self.levels, self.grid = backbone, tuple(levels), grid
        self.aggregate, self.components = aggregate, components
        self.neighbourhood, self.neighbours, self.coreset = neighbourhood, neighbours, coreset
        self.mirror, self.memory_mb, self.encoder_steps = mirror, memory_mb, encoder_steps
        self._pyramid()  # refuses what it cannot do now rather than after training
        self._bank: BankByPlace | BankOfAll | None = None
        self._sources = np.zeros(0, np.int32)
        self._learned = np.zeros(0, np.int64)  # the learned image behind each patch (or column) of the bank; not stored
        self.examples = np.zeros((0, EXAMPLE_SIDE, EXAMPLE_SIDE), np.uint8)

    def left_out(
        self, normal: Images, *, groups: np.ndarray | None = None, most: int = 200
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Maps of remembered images, each compared with a bank that has lost a fifth of the groups, its own too."""
        bank = self._bank
        if bank is None or not len(self._learned):
            raise NotFitted(f"{self.name} can leave an image out only right after fit")
        images = np.unique(self._learned)
        group_of = np.arange(len(normal)) if groups is None else np.unique(groups, return_inverse=True)[1]
        known = np.unique(group_of[images])
        keep = known[:: max(1, -(-len(images) // most))]  # whole groups, so that a volume's slices stay together
        for gone in (known[start::FOLDS] for start in range(min(FOLDS, len(known)))):
            rest = torch.from_numpy(np.flatnonzero(~np.isin(group_of[self._learned], gone))).to(bank.patches.device)
            some = images[np.isin(group_of[images], np.intersect1d(gone, keep))]
            if not len(rest):
                continue
            part = bank.patches.index_select(bank.patches.ndim - 2, rest)
            smaller = self._as_bank(part, bank.grid if isinstance(bank, BankByPlace) else (0, 0))
            for start in range(0, len(some), AT_ONCE):
                where = some[start : start + AT_ONCE]
                described = self._ready().describe(as_tensor(normal.take(where.tolist()).images))
                with torch.inference_mode():
                    distances, _ = smaller.nearest(as_places(described), count=self.neighbours)
                yield where, distances.mean(2).cpu().numpy().reshape(len(where), *described.shape[-2:])

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        first = normal.take([0]).images
        check_grid(self.grid, first.shape[1:])
        space = FeatureSpace.learn(
            normal,
            run,
            backbone=self.backbone,
            levels=self.levels,
            pyramid=self._pyramid(),
            encoder_steps=self.encoder_steps,
        )
        _, width, *grid = space.describe(as_tensor(first)).shape
        thumbnail = EXAMPLE_SIDE**2 * first.shape[1]
        self._extractor = space
        if self.neighbourhood is None:
            self._remember_anywhere(normal, run, width=width, places=grid[0] * grid[1], thumbnail=thumbnail)
        else:
            self._remember_here(normal, run, width=width, grid=(grid[0], grid[1]), thumbnail=thumbnail)

    def _remember_here(self, normal: Images, run: Run, *, width: int, grid: tuple[int, int], thumbnail: int) -> None:
        """Patches of as many images as memory allows, drawn at random, each at its place."""
        views = 1 + self.mirror
        each = views * (2 * grid[0] * grid[1] * width + 4)  # half precision, and the number of the image
        count = min(len(normal), _images_within(self._bytes, each, thumbnail))
        if count < 1:
            raise SettingError(self._too_small(each + thumbnail))
        chosen = np.sort(numbers(run.seed, self.name, "images").permutation(len(normal))[:count])
        patches = torch.empty(grid[0] * grid[1], views, count, width, dtype=torch.float16)
        examples: list[np.ndarray] = []
        done = 0
        for _, images in read(normal, chosen, run, stage="patches"):
            for view, seen in enumerate(self._views(images)):
                places = as_places(self._ready().describe(seen)).transpose(0, 1)
                patches[:, view, done : done + len(images)] = places.half().cpu()
            done += len(images)
            examples.append(_thumbnails(images[: max(0, MOST_EXAMPLES - done + len(images))]))
        self.examples = np.concatenate(examples)
        shown = np.arange(count, dtype=np.int32)
        self._sources = np.tile(np.where(shown < len(self.examples), shown, -1), views).astype(np.int32)
        self._learned = np.tile(chosen, views)
        self._bank = self._as_bank(patches.flatten(1, 2).float().to(self.device), grid)

    def _remember_anywhere(self, normal: Images, run: Run, *, width: int, places: int, thumbnail: int) -> None:
        """Patches of all images, drawn at random and then spread out; each remembers its image."""
        shown = min(len(normal), MOST_EXAMPLES, int(self._bytes // 4 // thumbnail))
        room = int((self._bytes - shown * thumbnail) // (2 * width + 4))
        keep = min(room, len(normal) * places if self.coreset is None else self.coreset)
        if keep < 1:
            raise SettingError(self._too_small(2 * width + 4 + thumbnail))
        places *= 1 + self.mirror
        wanted = keep if self.coreset is None else CANDIDATES * keep
        each = min(places, -(-wanted // len(normal)))
        rows = torch.empty(len(normal), each, width, dtype=torch.float16)  # in pieces they scatter memory
        examples = []
        for where, images in read(normal, np.arange(len(normal)), run, stage="patches"):
            seen = torch.cat([as_places(self._ready().describe(view)) for view in self._views(images)], dim=1)
            for number, description in zip(where.tolist(), seen, strict=True):
                drawn = numbers(run.seed, self.name, "patches", number).permutation(places)[:each]
                rows[number] = description[torch.from_numpy(drawn)].half().cpu()
        patches = rows.flatten(0, 1)
        if self.coreset is None:
            order = numbers(run.seed, self.name, "rows").permutation(len(patches))[:keep]
            kept = torch.from_numpy(np.sort(order))
        else:
            kept = spread_out(patches.float(), keep=keep, seed=number_from(run.seed, self.name, "coreset"))
        number_of = kept.numpy() // each
        self._learned = number_of.astype(np.int64)
        used = np.unique(number_of)
        used = np.sort(used[numbers(run.seed, self.name, "examples").permutation(len(used))[:shown]])
        for _, images in read(normal, used, run, stage="examples"):
            examples.append(_thumbnails(images))
        self.examples = np.concatenate(examples) if examples else _thumbnails(torch.zeros(0, 1, 1, 1))
        position = {int(number): index for index, number in enumerate(used)}
        self._sources = np.asarray([position.get(int(number), -1) for number in number_of], np.int32)
        self._bank = self._as_bank(patches[kept].float().to(self.device), (0, 0))

    def _views(self, images: Tensor) -> list[Tensor]:
        """The images `(n, c, h, w)`, and their mirror images if those are healthy views too."""
        return [images, images.flip(-1)] if self.mirror else [images]

    def _measure(self, batch: Batch) -> Scores:
        descriptions = self._ready().describe(as_tensor(batch.images))
        bank = self._bank
        assert bank is not None
        with torch.inference_mode():
            distances, numbers_found = bank.nearest(as_places(descriptions), count=self.neighbours)
        strangeness = distances.mean(2).cpu().numpy()
        examples = self._sources[numbers_found[..., 0].cpu().numpy()]
        return Scores(
            map=strangeness.reshape(len(batch), *descriptions.shape[-2:]),
            neighbours=np.stack([self._nearest(*pair) for pair in zip(strangeness, examples, strict=True)]),
        )

    def _nearest(self, strangeness: np.ndarray, examples: np.ndarray) -> np.ndarray:
        """`(shown,)` the examples found most often at the strangest tenth of the places, then at all places."""
        strangest = strangeness >= np.quantile(strangeness, 0.9)
        votes = np.where(strangest, 1.0, 1e-3 / len(examples)) * (examples >= 0)
        counted = np.bincount(np.maximum(examples, 0), weights=votes, minlength=len(self.examples))
        return np.argsort(-counted, kind="stable")[: min(SHOWN, len(self.examples))]

    def _state(self) -> dict[str, np.ndarray]:
        bank = self._bank
        assert bank is not None
        grid = bank.grid if isinstance(bank, BankByPlace) else (0, 0)
        return {
            **self._ready().state(),
            "bank": bank.patches.half().cpu().numpy().copy(),
            "bank_grid": np.asarray(grid, np.int64),
            "sources": self._sources,
            "examples": self.examples,
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        check_grid(self.grid, shape)
        self._extractor = FeatureSpace.from_state(state, self._pyramid())
        down, across = (int(side) for side in state["bank_grid"])
        patches = torch.from_numpy(np.array(state["bank"])).float()
        if patches.ndim != (2 if self.neighbourhood is None else 3) or not self._fits(patches, (down, across)):
            raise ModelError(f"{self.name}: the stored bank does not fit neighbourhood={self.neighbourhood}")
        self._bank = self._as_bank(patches, (down, across))
        self._sources, self.examples = np.array(state["sources"]), np.array(state["examples"])

    def _fits(self, patches: Tensor, grid: tuple[int, int]) -> bool:
        """Whether a bank has the places it says, and listing those around each takes no more than the bank itself."""
        if self.neighbourhood is None:
            return True
        around = len(patches) * (2 * self.neighbourhood + 1) ** 2
        return len(patches) == grid[0] * grid[1] and around < 16 * patches.numel() + 2**20

    def _as_bank(self, patches: Tensor, grid: tuple[int, int]) -> BankByPlace | BankOfAll:
        if self.neighbourhood is None:
            return BankOfAll(patches)
        return BankByPlace(patches, grid=grid, steps=self.neighbourhood)

    def _pyramid(self) -> Pyramid:
        return Pyramid(grid=self.grid, aggregate=self.aggregate, components=self.components)

    def _too_small(self, least: int) -> str:
        return f"memory_mb={self.memory_mb} does not hold one image; it takes {least / 1e6:.2f} or more, 64 is usual"

    @property
    def _bytes(self) -> float:
        return self.memory_mb * 1e6


def _images_within(limit: float, patches: int, thumbnail: int) -> int:
    """How many images fit into `limit` bytes, the first of them with thumbnails."""
    both = int(limit // (patches + thumbnail))
    return both if both <= MOST_EXAMPLES else int((limit - MOST_EXAMPLES * thumbnail) // patches)


def _thumbnails(images: Tensor) -> np.ndarray:
    """Images `(n, c, h, w)` in [0, 1] to `(n, 96, 96)` or `(n, 96, 96, 3)` uint8."""
    side = (EXAMPLE_SIDE, EXAMPLE_SIDE)
    if len(images) == 0:
        return np.zeros((0, *side) if images.shape[1] == 1 else (0, *side, images.shape[1]), np.uint8)
    small = F.interpolate(images, size=side, mode="bilinear", antialias=True).clamp(0, 1)
    last = (small * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return last[..., 0] if last.shape[-1] == 1 else last
