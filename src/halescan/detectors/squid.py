"""SQUID: a body drawn place by place from memories of healthy ones; what cannot be remembered comes out otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError, ShapeError
from halescan.networks.blocks import cut, pad_to_multiple, resize
from halescan.networks.critic import Critic, critic_loss, maker_loss
from halescan.networks.inpainting import finest
from halescan.networks.squid import Drawn, SquidNetwork
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

MEASURES = ("student_mse", "teacher_mse", "student_kl", "teacher_kl")
_MAPS = ("residual", "features", "memory")
_MEASURED = (*_MAPS, "joint", "critic")
_MEMORIES = ("queue", "matrix", "hierarchy")
_COUNTS = {"squeezed": 16, "slots": 64, "heads": 4, "critic_steps": 1}
_LISTS = {"widths": (8, 16, 32, 64), "scales": (1,), "critic_widths": (16, 32, 64)}
_WEIGHTS = {
    "student_weight": 10,
    "teacher_weight": 1,
    "distillation_weight": 0.001,
    "inpainting_weight": 0.1,
    "critic_weight": 0.005,
    "teacher_steps": 0,
}
_LOOKED_AT = 200  # healthy images whose critic logits say what is usual
_BETAS = (0.5, 0.999)


class SQUID(Detector):
    """Features of each patch pass only as mixtures of healthy ones of the same place, joined with their neighbours'.

    An encoder sees an image as `patches` x `patches` patches. In the in-painting block each patch is read from the
    memory of its place and completed from its neighbours by a transformer layer; a student draws the image from that,
    and a teacher from the raw features; a critic looks whether the student's image could be real.

    Args:
        side: The image's longest side in pixels as the networks see it.
        patches: Patches along each side.
        widths: Channels of the encoder at full, half, quarter ... resolution.
        squeezed: Channels of what memory remembers.
        memory: "queue": the last healthy features of each place; "matrix": learned ones; "hierarchy": queues of each
            place, of each block of 2 x 2 and of the whole image.
        slots: Features remembered a place.
        top_k: Slots that a mixture may hold.
        temperature: Of the cosine similarities; small reads few slots.
        heads: Of the transformer layer.
        scales: Sizes of place that are in-painted at once: 1 is the patch, 2 its quarters ...
        skips: Storeys of the decoder, coarsest first, that are handed the encoder's features (in the student through a
            learned memory).
        shortcut: Share of places that take the in-painted feature while learning; 1 takes it everywhere.
        student_weight, teacher_weight, distillation_weight, inpainting_weight, critic_weight: Of the losses: the
            mean squared errors of the two images, between the two decoders' features, between in-painted and raw
            features (which moves the in-painting alone), and the critic's.
        teach_encoder: Whether the teacher's loss reaches the encoder.
        critic_widths: Channels of the critic after each halving.
        critic_steps: Steps of the critic to one of the others.
        teacher_steps: Steps in which encoder and teacher learn alone, before all learn together.
        steps: Steps of learning together.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.
        jitter: Largest shift and scaling of the images while learning, as a share of the side.
        measure: What is strange: "residual", the image minus the student's; "features", the raw minus the in-painted
            features; "memory", the distance to what memory had; "joint", the mean of these three, each in spreads away
            from what is usual at its place in healthy images; "critic", one number an image and no map.

    Source:
        Xiang et al. 2023, arXiv:2111.13495. We differ: cosine instead of dot products in the memory; exactly `top_k`
        slots; neighbours beyond the border do not take part; the features that are in-painted are distilled too; SiLU;
        the critic is one number of the student's image, as published, and by default not the score.
    """

    name = "squid"
    summary = "patches drawn from memories of the same healthy place and their neighbours; the map is what differs"
    source = "https://arxiv.org/abs/2111.13495"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 128,
            "widths": (32, 64, 128, 256, 512),
            "squeezed": 128,
            "slots": 200,
            "heads": 8,
            "skips": 2,
            "teacher_weight": 0.01,
            "inpainting_weight": 0.0,
            "teach_encoder": False,
            "critic_widths": (16, 32, 64, 128, 128),
            "critic_steps": 2,
            "steps": 16_800,
            "learning_rate": 1e-4,
            "measure": "critic",
        },
    }

    def __init__(
        self,
        *,
        side: int = 64,
        patches: int = 2,
        widths: Sequence[int] = (8, 16, 32, 64),
        squeezed: int = 16,
        memory: Literal["queue", "matrix", "hierarchy"] = "queue",
        slots: int = 64,
        top_k: int = 5,
        temperature: float = 0.1,
        heads: int = 4,
        scales: Sequence[int] = (1,),
        skips: int = 1,
        shortcut: float = 0.95,
        student_weight: float = 10.0,
        teacher_weight: float = 1.0,
        distillation_weight: float = 0.001,
        inpainting_weight: float = 0.1,
        critic_weight: float = 0.005,
        teach_encoder: bool = True,
        critic_widths: Sequence[int] = (16, 32, 64),
        critic_steps: int = 1,
        teacher_steps: int = 0,
        steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        jitter: float = 0.05,
        measure: Literal["residual", "features", "memory", "joint", "critic"] = "joint",
    ) -> None:
        self.side, self.patches, self.widths, self.squeezed = side, patches, tuple(widths), squeezed
        self.memory, self.slots, self.top_k, self.temperature = memory, slots, top_k, temperature
        self.heads, self.scales, self.skips, self.shortcut = heads, tuple(scales), skips, shortcut
        self.student_weight, self.teacher_weight = student_weight, teacher_weight
        self.distillation_weight, self.inpainting_weight = distillation_weight, inpainting_weight
        self.critic_weight = critic_weight
        self.teach_encoder, self.critic_widths, self.critic_steps = teach_encoder, tuple(critic_widths), critic_steps
        self.teacher_steps, self.steps, self.batch_size = teacher_steps, steps, batch_size
        self.learning_rate, self.jitter, self.measure = learning_rate, jitter, measure
        self._check_settings()
        self.gives_map = measure != "critic"  # type: ignore[misc]  # a fact of the method, and of this setting
        self._fresh: _Fresh | None = None

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The images beside what teacher and student draw of them, and with one patch taken out and in-painted."""
        images = resize(to_tensors(batch, home(self._network)).images, self._grid)
        with torch.no_grad():
            drawn: Drawn = self._network.maker(images)
        hole = one_patch(images.shape, self.patches, device=images.device)
        shown = {
            "original": images,
            "teacher": drawn.teacher,
            "student": drawn.student,
            "original minus student": (images - drawn.student).abs(),
            "patch taken out": torch.where(hole, images.amin(), images),
            "patch in-painted": torch.where(hole, drawn.student, images),
        }
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        alone = [Turn("teacher", self._taught(), self._teacher_loss, betas=_BETAS, beside=MEASURES[1::2])]
        stages = [("teacher", alone, self.teacher_steps), ("together", self._turns(), self.steps)]
        for stage, turns, steps in stages:
            if steps:
                settings = Schedule(steps=steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
                learn(self._network, turns, images=normal, check=check, settings=settings, run=run, stage=stage)
        self._fresh = None
        self._remember(normal)
        self._usual = self._look_at(normal if check is None else check)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        drawn: Drawn = self._network.maker(small)
        seen = to_array(resize(drawn.student, images.shape[2:]))
        if self.measure == "critic":
            return Scores(image=self._unreal(self._network.critic(drawn.student)), reconstruction=seen)
        return Scores(map=to_array(self._map(small, drawn)), reconstruction=seen)

    def _map(self, images: Tensor, drawn: Drawn) -> Tensor:
        """`(n, *coarse)`."""
        maps = self._maps(images, drawn)
        if self.measure != "joint":
            return maps[self.measure]
        return finest([(one - self._usual.mean(name, one)) / self._usual.spreads[name] for name, one in maps.items()])

    def _maps(self, images: Tensor, drawn: Drawn) -> dict[str, Tensor]:
        """Each of the three, on its own grid."""
        coarse = {"features": drawn.feature_error, "memory": finest(drawn.distances)}
        step = self._network.maker.step
        padded = [-(-side // step) * step for side in self._grid]
        if padded != list(self._grid):
            _, crop = pad_to_multiple(images[:1], step)  # the padding's features lie beyond the image
            coarse = {name: cut(resize(one[:, None], padded), crop)[:, 0] for name, one in coarse.items()}
        return {"residual": (images - drawn.student).abs().mean(1), **coarse}

    def _unreal(self, logits: Tensor) -> np.ndarray:
        """`(n,)` in [0, 1]: how much less real than healthy images' logits are. Real is 1 to the critic: turned."""
        away = (logits.double().cpu() - self._usual.logit) / self._usual.spreads["critic"]
        return (-away).sigmoid().float().numpy()

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network, prefix="network/") | self._usual.arrays()

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state, prefix="network/")
        self._usual = _Usual.from_arrays(state)

    def _build(self, shape: tuple[int, ...]) -> "_Pair":
        self._grid = working_grid(shape[1:], side=self.side)
        least = self.patches * 2 ** (len(self.widths) - 1)
        if min(self._grid) < least:
            raise ShapeError(
                f"{self.name} cuts images into {self.patches} x {self.patches} patches of at least "
                f"{least // self.patches} pixels a side: each side must have {least} or more, got {self._grid}; "
                "take fewer patches or widths, or a larger side"
            )
        maker = SquidNetwork(
            channels=shape[0],
            grid=self._grid,
            patches=self.patches,
            widths=self.widths,
            squeezed=self.squeezed,
            scales=self.scales,
            remembering=self.memory,
            slots=self.slots,
            top_k=self.top_k,
            temperature=self.temperature,
            heads=self.heads,
            skips=self.skips,
            shortcut=self.shortcut,
            teach_encoder=self.teach_encoder,
        )
        critic = Critic(channels=shape[0], grid=self._grid, widths=self.critic_widths)
        return _Pair(maker, critic)

    def _taught(self) -> list[nn.Parameter]:
        maker = self._network.maker
        return [*maker.encoder.parameters(), *maker.teacher.parameters()]

    def _turns(self) -> list[Turn]:
        moved = list(self._network.maker.parameters())
        turns = [Turn("maker", moved, self._maker_loss, betas=_BETAS, every=self.critic_steps, beside=MEASURES)]
        if self.critic_weight:
            judging = list(self._network.critic.parameters())
            turns.append(Turn("critic", judging, self._critic_loss, betas=_BETAS))
        return turns

    def _teacher_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """Encoder and teacher alone."""
        images = self._jittered(network, batch, generator)
        drawn = self._network.maker.taught(images)
        return {"teacher": (drawn - images).square().mean(), **_measures("teacher", images, drawn)}

    def _maker_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """Student, teacher, what both see, and what the critic says of the student."""
        images = self._jittered(network, batch, generator)
        drawn: Drawn = self._network.maker(images, generator)
        losses = {
            "student": self.student_weight * (drawn.student - images).square().mean(),
            "teacher": self.teacher_weight * (drawn.teacher - images).square().mean(),
            "distillation": self.distillation_weight * _apart(drawn),
            "inpainting": self.inpainting_weight * drawn.feature_error.mean(),
        }
        if self.critic_weight:
            losses["adversarial"] = self.critic_weight * maker_loss("bce", self._network.critic(drawn.student))
            self._fresh = _Fresh(batch, images, drawn.student.detach())
        told = _measures("student", images, drawn.student) | _measures("teacher", images, drawn.teacher)
        return losses | told

    def _critic_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """Real images against the student's: those just drawn, where the maker had its turn in this step."""
        fresh = self._fresh
        if fresh is None or fresh.batch is not batch:
            images = self._jittered(network, batch, generator)
            with torch.no_grad():
                self._network.maker.eval()  # neither memory nor running statistics move in the critic's turn
                fresh = _Fresh(batch, images, self._network.maker(images).student)
                self._network.maker.train()
        critic = self._network.critic
        return self.critic_weight * critic_loss("bce", critic(fresh.images), critic(fresh.drawn))

    def _jittered(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        images = resize(batch.images, self._grid)
        return jittered(images, share=self.jitter, generator=generator) if network.training and self.jitter else images

    @torch.no_grad()
    def _remember(self, healthy: Images) -> None:
        """Fill the queues once more, with features as scoring will see them: those of learning are of older weights."""
        for images in self._some(healthy, self.slots):
            self._network.maker.remember(images)

    @torch.no_grad()
    def _look_at(self, healthy: Images) -> "_Usual":
        """What the critic's logits and the maps of healthy images usually are."""
        logits, maps = [], []
        for images in self._some(healthy, _LOOKED_AT):
            drawn: Drawn = self._network.maker(images)
            logits.append(self._network.critic(drawn.student).double().cpu())
            maps.append({name: one.double().cpu() for name, one in self._maps(images, drawn).items()})
        whole = {name: torch.cat([part[name] for part in maps]) for name in _MAPS}
        means = {name: values.mean(0) for name, values in whole.items()}
        spreads = {name: _spread(values - means[name], values.mean()) for name, values in whole.items()}
        told = torch.cat(logits)
        return _Usual(float(told.mean()), means, spreads | {"critic": _spread(told - told.mean(), torch.tensor(0.0))})

    def _some(self, healthy: Images, most: int) -> Iterator[Tensor]:
        """At most so many images from all over the cohort, as the networks see them."""
        count = min(len(healthy), most)
        where = [index * len(healthy) // count for index in range(count)]
        for start in range(0, count, self.batch_size):
            batch = healthy.take(where[start : start + self.batch_size])
            yield resize(to_tensors(batch, home(self._network)).images, self._grid)

    def _check_settings(self) -> None:
        """Refuse what cannot be built, with the range and a good value."""
        _least("patches", self.patches, 2, usual=2)
        for name, usual in _COUNTS.items():
            _least(name, getattr(self, name), 1, usual=usual)
        for name, good in _LISTS.items():
            _least(f"each of {name}", min(getattr(self, name), default=0), 1, usual=good)
        _least("the number of widths", len(self.widths), 2, usual=4)
        for name, weight in _WEIGHTS.items():
            _least(name, getattr(self, name), 0, usual=weight)
        if not 1 <= self.top_k <= self.slots:
            raise SettingError(f"top_k must lie in [1, slots], got {self.top_k} of {self.slots} slots; 5 is usual")
        if not 0 <= self.shortcut <= 1 or not 0 <= self.jitter < 0.5:
            raise SettingError(
                f"shortcut must lie in [0, 1] and jitter in [0, 0.5), got {self.shortcut} and {self.jitter}; "
                "0.95 and 0.05 are usual"
            )
        if not 0 < self.temperature <= 10:
            raise SettingError(f"temperature must lie in (0, 10], got {self.temperature}; 0.1 is usual")
        if not 0 <= self.skips < len(self.widths):
            raise SettingError(f"skips must lie in [0, {len(self.widths) - 1}], got {self.skips}; 1 is usual")
        if self.memory not in _MEMORIES or self.measure not in _MEASURED:
            raise SettingError(
                f"memory must be one of {', '.join(_MEMORIES)} and measure one of {', '.join(_MEASURED)}, "
                f"got {self.memory!r} and {self.measure!r}"
            )
        if self.measure == "critic" and not self.critic_weight:
            raise SettingError('measure "critic" needs a critic_weight above 0; 0.005 is usual')
        self._check_places()

    def _check_places(self) -> None:
        """Refuse a side, scales and heads that do not fit one another."""
        least = self.patches * 2 ** (len(self.widths) - 1)
        if self.side < least:
            raise SettingError(
                f"side must be {least} or more for {self.patches} x {self.patches} patches and {len(self.widths)} "
                f"widths, got {self.side}; 64 is usual"
            )
        cells = -(-self.side // least)
        for scale in self.scales:
            if cells % scale:
                raise SettingError(
                    f"scales must divide the {cells} features along a patch's side, got {self.scales}; (1,) is usual"
                )
            if self.squeezed * (cells // scale) ** 2 % self.heads:
                raise SettingError(
                    f"heads must divide squeezed x {(cells // scale) ** 2} = "
                    f"{self.squeezed * (cells // scale) ** 2}, got {self.heads}; 4 is usual"
                )


class _Pair(nn.Module):
    """The networks that draw and the one that judges, as one module."""

    def __init__(self, maker: SquidNetwork, critic: Critic) -> None:
        super().__init__()
        self.maker, self.critic = maker, critic


@dataclass(frozen=True, eq=False)
class _Usual:
    """What is usual in healthy images: the critic's mean logit, the mean maps, and the spreads of all of them."""

    logit: float
    means: dict[str, Tensor]
    spreads: dict[str, float]

    def mean(self, name: str, like: Tensor) -> Tensor:
        """`(*coarse)`, where and as `like` is."""
        return self.means[name].to(like.device, like.dtype)

    def arrays(self) -> dict[str, np.ndarray]:
        numbers = {"logit": self.logit, **{f"spread/{name}": value for name, value in self.spreads.items()}}
        maps = {f"usual/mean/{name}": value.numpy() for name, value in self.means.items()}
        return maps | {f"usual/{name}": np.asarray(value, np.float64) for name, value in numbers.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "_Usual":
        means = {name: torch.tensor(arrays[f"usual/mean/{name}"]) for name in _MAPS}
        spreads = {name: float(arrays[f"usual/spread/{name}"]) for name in (*_MAPS, "critic")}
        return cls(float(arrays["usual/logit"]), means, spreads)


@dataclass(frozen=True, eq=False)
class _Fresh:
    """What the maker has just drawn of a batch, for the critic's turn in the same step."""

    batch: Tensors
    images: Tensor
    drawn: Tensor


def jittered(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to `share` of its sides and scaled by up to `1 +- share`; edges are repeated."""
    moves = 2 * torch.rand((len(images), 3), generator=generator) - 1
    scale = 1 + share * moves[:, 2]
    turn = torch.zeros(len(images), 2, 3)
    turn[:, 0, 0] = turn[:, 1, 1] = scale
    turn[:, :, 2] = 2 * share * moves[:, :2]  # the sampling grid spans [-1, 1]
    grid = F.affine_grid(turn.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def histogram_kl(images: Tensor, drawn: Tensor, *, bins: int = 64) -> Tensor:
    """Kullback-Leibler divergence of the drawn images' grey values from the images', in nats; blind to places.

    A measure of the report on SimSID, kept for comparison with it: 0 says that both have the same histogram, and not
    that they look alike.
    """
    one, two = (torch.histc(part.detach().float(), bins=bins, min=-0.1, max=1.6) + 1e-3 for part in (images, drawn))
    one, two = one / one.sum(), two / two.sum()
    return (one * (one / two).log()).sum()


def one_patch(shape: Sequence[int], patches: int, *, device: torch.device) -> Tensor:
    """`(n, 1, h, w)` bool: one of the patches of each image, the next one in the next image."""
    rows, columns = (torch.arange(side, device=device) * patches // side for side in shape[2:])
    number = rows[:, None] * patches + columns[None]
    which = torch.arange(shape[0], device=device) % patches**2
    return (number[None] == which[:, None, None])[:, None]


def _apart(drawn: Drawn) -> Tensor:
    """Sum over the levels of the mean squared difference between student and teacher; neither is held still."""
    return torch.stack([(one.float() - two.float()).square().mean() for one, two in drawn.levels[1:]]).sum()


def _measures(name: str, images: Tensor, drawn: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {f"{name}_mse": (drawn - images).square().mean(), f"{name}_kl": histogram_kl(images, drawn)}


def _spread(away: Tensor, usual: Tensor) -> float:
    """Root mean square, at least a twentieth of the usual value: few healthy images may be alike."""
    return max(float(away.square().mean().sqrt()), 0.05 * abs(float(usual)), 1e-6)


def _least(name: str, value: float, least: float, *, usual: Any) -> None:
    if not value >= least:
        raise SettingError(f"{name} must be {least} or more, got {value}; {usual} is usual")
