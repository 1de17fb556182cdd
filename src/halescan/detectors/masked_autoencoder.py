"""Masked autoencoder: what should stand in each patch, judged by the others, and is it too far from what does?"""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.difference_classifier import ConvClassifier, PatchClassifier
from halescan.networks.masked_vit import MaskedViT
from halescan.networks.masking import complementary_cells, mean_where_hidden, paste, random_cells
from halescan.networks.pseudo_abnormal import darkened_boxes, soft_spots
from halescan.networks.views import cropped_by_chance, mirrored_by_chance
from halescan.training.chance import noise, seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_PSEUDO = {"soft-spots": soft_spots, "darkened-boxes": darkened_boxes}
_CNN_WIDTHS = (16, 32, 64)


class MaskedAutoencoder(Detector):
    """A transformer draws hidden patches from the visible ones; a classifier judges what its drawing leaves over.

    Learns in two stages: the masked autoencoder on healthy images; then the classifier on |image - drawing|, where the
    drawings of healthy images stand for healthy and the same drawings, spoilt by the pseudo-abnormal module, for
    abnormal. The map is |image - drawing|, averaged over channels.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        patch: Side of a patch in pixels. Smaller finds smaller things, and costs more.
        width: Numbers a patch in the encoder.
        depth: Layers of the encoder.
        heads: Of its attention.
        decoder_width: Numbers a patch in the decoder; 32 a head.
        decoder_depth: Layers of the decoder.
        hidden: Share of the patches that is hidden, in (0, 1).
        draws: Times an image is drawn when scored, each time with other patches hidden; the same for every image.
        assemble: "hidden" averages at each place the draws in which it was hidden, and the draws hide every patch
            equally often; "pasted" as in the paper: independent draws, true pixels where visible, all averaged, which
            mixes a quarter of the truth in.
        pseudo: "soft-spots" darken or light, with soft edges; "darkened-boxes" is the paper's module.
        classifier: "cnn"; or "vit", of the encoder's size, which begins with its weights, as in the paper.
        image_score: "classifier" is the paper's: the logit of "abnormal"; "map" pools the map as the profile says.
        steps: Steps of learning to draw.
        classifier_steps: Steps of learning to judge.
        batch_size: Images a step.
        learning_rate: Highest of the one-cycle curve, for both stages.
        centre: Images are seen and drawn as deviations from the healthy mean image, which is learned by counting, not
            by descent: on a small budget worth some hundred steps. False is the paper's.
        smallest_crop: Images are learned from in random crops of at least this share; 1 is off, the paper has 0.7.
        mirror: Half of the images of a step are flipped left to right.

    Source:
        Georgescu 2023, arXiv:2307.07534; the masked autoencoder is He et al. 2022, arXiv:2111.06377. We differ: see
        `assemble` and `pseudo`; one logit instead of two classes, whose order the published code leaves to the
        alphabet; no layer-wise decay of the classifier's learning rate and no random erasing; nothing is chosen on
        abnormal images. The paper has no map: its residual is the natural one.
    """

    name = "masked-autoencoder"
    summary = "a transformer draws hidden patches from the others; a classifier judges the difference"
    source = "https://arxiv.org/abs/2307.07534"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 224,
            "patch": 16,
            "width": 768,
            "depth": 12,
            "heads": 12,
            "decoder_width": 512,
            "decoder_depth": 8,
            "draws": 4,
            "assemble": "pasted",
            "pseudo": "darkened-boxes",
            "classifier": "vit",
            "steps": 190_000,
            "classifier_steps": 12_000,
            "batch_size": 128,
            "learning_rate": 7.5e-5,
            "centre": False,
            "smallest_crop": 0.7,
        },
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        patch: int = 8,
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        decoder_width: int = 64,
        decoder_depth: int = 2,
        hidden: float = 0.75,
        draws: int = 8,
        assemble: Literal["hidden", "pasted"] = "hidden",
        pseudo: Literal["soft-spots", "darkened-boxes"] = "soft-spots",
        classifier: Literal["cnn", "vit"] = "cnn",
        image_score: Literal["classifier", "map"] = "classifier",
        steps: int = 1800,
        classifier_steps: int = 200,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        centre: bool = True,
        smallest_crop: float = 1.0,
        mirror: bool = True,
    ) -> None:
        for word, value, allowed in (
            ("assemble", assemble, ("hidden", "pasted")),
            ("pseudo", pseudo, tuple(_PSEUDO)),
            ("classifier", classifier, ("cnn", "vit")),
            ("image_score", image_score, ("classifier", "map")),
        ):
            if value not in allowed:
                raise SettingError(f"{word} must be one of {', '.join(allowed)}, got {value!r}")
        if not 0 < hidden < 1 or draws * hidden < 1:
            raise SettingError(
                f"hidden must lie in (0, 1) and draws times hidden be 1 or more, got {hidden} and {draws}; "
                "0.75 and 8 work"
            )
        if min(patch, width, depth, heads, decoder_width, decoder_depth) < 1 or (side is not None and side < 8):
            raise SettingError(
                "side must be 8 or more, and patch, width, depth, heads, decoder_width and decoder_depth 1 or more; "
                "64, 8, 128, 4, 4, 64 and 2 work"
            )
        if not 0.1 <= smallest_crop <= 1:
            raise SettingError(f"smallest_crop must lie in [0.1, 1], got {smallest_crop}; 0.7 is the paper's, 1 is off")
        self.side, self.patch, self.width, self.depth, self.heads = side, patch, width, depth, heads
        self.decoder_width, self.decoder_depth = decoder_width, decoder_depth
        self.hidden, self.draws, self.assemble = hidden, draws, assemble
        self.pseudo, self.classifier, self.image_score = pseudo, classifier, image_score
        self.steps, self.classifier_steps, self.batch_size = steps, classifier_steps, batch_size
        self.learning_rate, self.centre = learning_rate, centre
        self.smallest_crop, self.mirror = smallest_crop, mirror

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        shape = normal.take([0]).images.shape[1:]
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(shape)
        if self.centre:
            mean, spread = self._healthy_mean(normal)
            self._network.centre_on(mean, spread=spread)
        turn = Turn("loss", list(self._network.parameters()), self._hidden_loss, betas=(0.9, 0.95))
        learn(
            self._network,
            [turn],
            images=normal,
            check=check,
            settings=self._schedule(self.steps),
            run=run,
            stage=self.name,
        )
        with seeded(run.seed, self.name, "judge"):
            self._judge = self._build_judge(shape)
        if isinstance(self._judge, PatchClassifier):
            self._judge.begin_as(self._network)
        learn(
            self._judge,
            self._judged_loss,
            images=normal,
            check=check,
            settings=self._schedule(self.classifier_steps),
            run=run,
            stage=f"{self.name}-classifier",
        )

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        drawn = self._drawn(small, noise(0, self.name, "draws"))
        left = (small - drawn).abs()
        judged = None if self.image_score == "map" else to_array(self._judge(left))
        return Scores(
            map=to_array(left.mean(1)), image=judged, reconstruction=to_array(resize(drawn, images.shape[2:]))
        )

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network, prefix="network/") | module_arrays(self._judge, prefix="judge/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state, prefix="network/")
        self._judge = put_arrays(lambda: self._build_judge(shape), state, prefix="judge/")

    def _build(self, shape: tuple[int, ...]) -> MaskedViT:
        self._grid = working_grid(shape[1:], side=self.side)
        return MaskedViT(
            channels=shape[0],
            grid=self._grid,
            patch_px=self.patch,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            decoder_width=self.decoder_width,
            decoder_depth=self.decoder_depth,
            decoder_heads=max(1, self.decoder_width // 32),
        )

    def _build_judge(self, shape: tuple[int, ...]) -> ConvClassifier | PatchClassifier:
        if self.classifier == "cnn":
            return ConvClassifier(dims=len(shape) - 1, channels=shape[0], widths=_CNN_WIDTHS)
        return PatchClassifier(
            channels=shape[0],
            grid=self._grid,
            patch_px=self.patch,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            skip=0.1,
        )

    def _healthy_mean(self, normal: Images) -> tuple[Tensor, float]:
        """The mean image `(c, *grid)` on the working grid, and the spread around it over all places and images."""
        total, squares, count = torch.zeros(()), torch.zeros(()), 0
        for batch in normal:
            images = resize(torch.from_numpy(np.ascontiguousarray(batch.images, np.float32)), self._grid).double()
            if self.mirror:
                images = torch.cat([images, images.flip(-1)])
            total, squares, count = total + images.sum(0), squares + images.square().sum(0), count + len(images)
        mean = total / count
        spread = float((squares / count - mean.square()).clamp(min=0).mean().sqrt())
        return mean.float(), max(spread, 1e-3)

    def _schedule(self, steps: int) -> Schedule:
        return Schedule(
            steps=steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=0.05,
            curve="one-cycle",
        )

    def _hidden_count(self, patches: int) -> int:
        """How many patches are hidden: `int(patches * (1 - hidden))` stay visible, at least one and not all."""
        return patches - min(max(1, int(patches * (1 - self.hidden))), patches - 1)

    def _seen(self, batch: Tensors, generator: torch.Generator) -> Tensor:
        """The images of a step as they are learned from."""
        images = resize(batch.images, self._grid)
        if self.smallest_crop < 1:
            images = cropped_by_chance(images, smallest=self.smallest_crop, generator=generator)
        return mirrored_by_chance(images, generator=generator) if self.mirror else images

    def _hidden_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """Mean squared error of the hidden patches; the visible ones do not count."""
        assert isinstance(network, MaskedViT)
        rows = network.rows(self._seen(batch, generator))
        hidden = random_cells(
            len(rows), network.patches, hidden=self._hidden_count(network.patches), generator=generator
        ).to(rows.device)
        return hidden_error(network(rows, hidden), rows, hidden)

    def _judged_loss(self, judge: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """Cross-entropy, smoothed by 0.1, of as many healthy as spoilt drawings of the same images."""
        images = self._seen(batch, generator)
        with torch.no_grad():
            drawn = self._drawn(images, generator).float()
            spoilt = _PSEUDO[self.pseudo](drawn, generator=generator)
        logits = judge(torch.cat([(images - drawn).abs(), (images - spoilt).abs()])).float()
        half = torch.full_like(logits[: len(images)], 0.05)
        return F.binary_cross_entropy_with_logits(logits, torch.cat([half, 1 - half]))

    def _drawn(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """`(n, c, *grid)`: the images as drawn, put together from several draws that are the same for all images."""
        network = self._network
        rows, hidden = network.rows(images), self._draws(network.patches, generator).to(images.device)
        drawn = torch.stack([network(rows, one.expand(len(rows), -1)) for one in hidden], dim=1)
        if self.assemble == "pasted":
            return network.images(paste(rows[:, None], drawn, hidden[..., None]).mean(1), images.shape[2:])
        return network.images(mean_where_hidden(drawn[:, :, None], hidden[:, None, :, None])[:, 0], images.shape[2:])

    def _draws(self, patches: int, generator: torch.Generator) -> Tensor:
        """`(draws, patches)`: which patches are hidden in each draw."""
        hidden = self._hidden_count(patches)
        if self.assemble == "pasted":
            return random_cells(self.draws, patches, hidden=hidden, generator=generator)
        return complementary_cells(patches, hidden=hidden, draws=self.draws, generator=generator)


def hidden_error(predicted: Tensor, rows: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error over the hidden ones of `(n, patches, values)`; `hidden (n, patches)`."""
    return (predicted.float() - rows).square().mean(2)[hidden].mean()
