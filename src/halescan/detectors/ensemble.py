"""Ensemble: several methods asked at once, each on the scale of what is rare among healthy images to it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from halescan.detectors import find_detector
from halescan.detectors.base import Detector
from halescan.detectors.inside import inside_of
from halescan.detectors.tails import OpenTail
from halescan.errors import ModelError, OutputError, SettingError, ShapeError
from halescan.networks.blocks import resize
from halescan.training.chance import numbers
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from halescan.training.settings import typed_settings
from halescan.training.weights import part_of
from halescan.types import Batch, Images, Scores, SomeImages

MOST_MEMBERS = 16
HELD_OUT = 0.2  # of the healthy images, where none were kept apart
FEWEST = 5  # images from which some are held out
MOST_IMAGES = 256  # healthy images whose maps make a tail
MOST_PLACES = 4096  # of each of them
AT_ONCE = 8
TOP = 0.01  # share of the strangest places
_POOLS = ("profile", "mean", "max", "top")


class Ensemble(Detector):
    """A weighted mean of what its members say, each as -log10 of the share of healthy places at least as strange to it.

    The members learn one after the other from the same images. Their scales come from healthy images none of them
    learned from: those given as `check`, else a fifth held out. Maps meet on the finest member's grid. It buys
    robustness where nobody knows which member is best; it seldom beats the best one.

    Args:
        members: Names of detectors, or `{"detector": NAME, "settings": {...}, "size": "cpu"}`. A member named twice
            with the same settings learns with another seed each time.
        weights: One a member, above 0 or 0; None: equal ones.
        pooling: "profile": the profile pools the fused map into the image's score, unless a member scores images
            itself. "mean", "max" or "top" (the strangest hundredth): each member's map is pooled so, and these numbers
            are fused on scales of their own, as are the scores of members that have some.

    Source:
        Fused healthy-tail probabilities, Fisher 1932 (the sum of logarithms); here a mean of their logarithms, which
        does not pretend that the members are independent: the sum is calibrated afterwards, as any score.
    """

    name = "ensemble"
    summary = "several methods at once, fused by how rare what each sees is among healthy images"
    source = "https://doi.org/10.1007/978-1-4612-4380-9_6"
    dims: ClassVar[tuple[int, ...]] = (2, 3)
    needs_weights = True
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "members": (
                {"detector": "patchcore", "size": "paper"},
                {"detector": "denoising-autoencoder", "size": "paper"},
                {"detector": "autoencoder", "size": "paper"},
            )
        },
    }

    def __init__(
        self,
        *,
        members: Sequence[str | dict[str, Any]] = ("patchcore", "denoising-autoencoder", "autoencoder"),
        weights: Sequence[float] | None = None,
        pooling: Literal["profile", "mean", "max", "top"] = "profile",
    ) -> None:
        if not 1 <= len(members) <= MOST_MEMBERS:
            raise SettingError(
                f'members must be 1 to {MOST_MEMBERS} detectors, got {len(members)}; ["patchcore","autoencoder"] works'
            )
        if weights is not None and (len(weights) != len(members) or min(weights) < 0 or not sum(weights) > 0):
            raise SettingError(
                f"weights must be {len(members)} numbers, one a member, none below 0 and not all 0, got "
                f"{list(weights)}; null, for equal ones, is usual"
            )
        if pooling not in _POOLS:
            raise SettingError(f"pooling must be one of {', '.join(_POOLS)}, got {pooling!r}")
        self._members = [_member(one) for one in members]
        self.members = tuple({"detector": one.name, "settings": one.settings} for one in self._members)
        self.weights = None if weights is None else tuple(weights)
        self.pooling = pooling
        shown = [one.gives_map and share > 0 for one, share in zip(self._members, self._shares, strict=True)]
        self.gives_map = any(shown)  # type: ignore[misc]  # a fact of its members
        self.dims = _shared([one.dims for one in self._members])  # type: ignore[misc]  # a fact of its members, too
        self._maps: list[OpenTail | None] = []
        self._numbers: list[OpenTail | None] = []

    @property
    def _shares(self) -> np.ndarray:
        """`(members,)`, not all 0."""
        return np.ones(len(self._members)) if self.weights is None else np.array(self.weights, np.float64)

    @property
    def backbone_origin(self) -> str | None:
        """ "own" if a member had to train its backbone, else "weights" if one found some, else None."""
        origins = {getattr(one, "backbone_origin", None) for one in self._members}
        return next((origin for origin in ("own", "weights") if origin in origins), None)

    @property
    def device(self) -> torch.device:
        """Where it scores."""
        return next((one.device for one in self._members if one.device.type != "cpu"), torch.device("cpu"))

    @property
    def members_at_work(self) -> tuple[Detector, ...]:
        """The members that have a say."""
        return tuple(one for one, share in zip(self._members, self._shares, strict=True) if share > 0)

    def to(self, device: str) -> Self:
        """Score on this device from now on."""
        for one in self._members:
            one.to(device)
        return self

    def check_run(self, run: Run) -> str:
        """Refuse what a member would refuse; gives what tells their backbones from others."""
        super().check_run(run)
        return json.dumps([one.check_run(run) for one in self._members])

    def check_content(self, images: np.ndarray) -> None:
        """Refuse what a member would refuse."""
        for one in self._members:
            one.check_content(images)

    def check_kind(self, shape: tuple[int, ...]) -> None:
        """Refuse what a member cannot take, before the first has learned for nothing."""
        for one in self._members:
            try:
                one.check_kind(shape)
            except ShapeError as error:
                raise ShapeError(f"{self.name}: its member {error}") from error

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        known, apart = _parts(normal, check, run)
        for place, one in enumerate(self._members):
            again = sum(self.members[place] == other for other in self.members[:place])
            one.fit(known, check=apart, run=replace(run, seed=run.seed + again, folder=self._room(place, run)))
            self._tell(run)
        self._find_tails(apart, run)

    def _find_tails(self, apart: Images, run: Run) -> None:
        """Each member's scale for places and for images, from images it has not learned from."""
        count = min(len(apart), MOST_IMAGES)
        where = [index * len(apart) // count for index in range(count)]
        places: list[list[np.ndarray]] = [[] for _ in self._members]
        pooled: list[list[np.ndarray]] = [[] for _ in self._members]
        own = False
        for start in range(0, count, AT_ONCE):
            batch = apart.take(where[start : start + AT_ONCE])
            for number, one in enumerate(self._members):
                scores = one.score(batch)
                own = own or scores.image is not None
                pooled[number].append(self._number(scores, batch))
                if scores.map is not None:
                    drawn = numbers(run.seed, self.name, number, start)
                    places[number] += [_some(values, drawn) for values in inside_of(scores.map, batch)]
            run.listen(Progress("healthy tails", min(start + AT_ONCE, count), count))
        self._maps = [OpenTail.fit(np.concatenate(some)) if some else None for some in places]
        wanted = self.pooling != "profile" or own
        self._numbers = [OpenTail.fit(np.concatenate(some)) if wanted else None for some in pooled]

    def _measure(self, batch: Batch) -> Scores:
        shares = self._shares
        answers = [one.score(batch) for one in self._members]
        maps = [
            (share, tail(scores.map))
            for share, tail, scores in zip(shares, self._maps, answers, strict=True)
            if tail is not None and scores.map is not None and share > 0
        ]
        values = [
            share * tail(self._number(scores, batch))
            for share, tail, scores in zip(shares, self._numbers, answers, strict=True)
            if tail is not None
        ]
        image = (np.sum(values, axis=0) / shares.sum()).astype(np.float32) if values else None
        return Scores(map=_fused(maps) if maps else None, image=image)

    def _number(self, scores: Scores, batch: Batch) -> np.ndarray:
        """`(n,)`: what a member says of each image."""
        if scores.image is not None:
            return np.asarray(scores.image, np.float64)
        assert scores.map is not None
        return np.array([_pool(values, self.pooling) for values in inside_of(scores.map, batch)])

    def _state(self) -> dict[str, np.ndarray]:
        state: dict[str, np.ndarray] = {}
        for number, one in enumerate(self._members):
            state |= {f"member/{number}/{name}": value for name, value in one.state().items()}
            for kind, tail in (("map", self._maps[number]), ("image", self._numbers[number])):
                if tail is not None:
                    state |= {f"tail/{number}/{kind}/{name}": value for name, value in tail.state().items()}
        return state

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        for number, one in enumerate(self._members):
            kept = part_of(state, f"member/{number}")
            if not kept:
                raise ModelError(f"{self.name}: what its member {number + 1} ({one.name}) learned is missing")
            if tuple(int(side) for side in kept["learned_shape"]) != shape:
                raise ModelError(f"{self.name}: its member {number + 1} ({one.name}) learned images of another shape")
            one.restore(kept)
        self._maps = [_tail(state, f"tail/{number}/map") for number in range(len(self._members))]
        self._numbers = [_tail(state, f"tail/{number}/image") for number in range(len(self._members))]
        if not any(self._maps) and not any(self._numbers):
            raise ModelError(f"{self.name}: the members' healthy tails are missing")

    def _room(self, place: int, run: Run) -> Path | None:
        """The folder in which one member keeps its history and checkpoints."""
        if run.folder is None:
            return None
        room = run.folder / f"{place + 1}-{self._members[place].name}"
        try:
            room.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{room} cannot be made ({error.strerror}); choose another folder") from error
        return room

    def _tell(self, run: Run) -> None:
        """Write the members' histories so far as one, each stage under its member's name."""
        if run.folder is None:
            return
        rows = []
        for place, one in enumerate(self._members):
            lines = run.folder / f"{place + 1}-{one.name}" / "history.jsonl"
            if lines.is_file():
                rows += [{**row, "stage": f"{place + 1} {one.name}: {row['stage']}"} for row in read_history(lines)]
        if rows:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            try:
                (run.folder / "history.jsonl").write_text(text, encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{run.folder} cannot be written ({error.strerror}); choose another") from error


def _member(given: str | dict[str, Any]) -> Detector:
    """The detector that is described.

    Raises:
        SettingError: if there is none, or it cannot be a member.
    """
    wanted = {"detector": given} if isinstance(given, str) else given
    odd = set(wanted) - {"detector", "settings", "size"}
    name, settings = wanted.get("detector"), wanted.get("settings") or {}
    if odd or not isinstance(name, str) or not isinstance(settings, dict):
        raise SettingError(
            'a member is a name or {"detector": NAME, "settings": {...}, "size": "cpu"}, got one with '
            f"{', '.join(sorted(map(str, wanted)))[:80]}"
        )
    kind = find_detector(name)
    if issubclass(kind, Ensemble) or kind.needs_abnormal:
        raise SettingError(f"{name} cannot be a member: an ensemble takes single methods that learn from healthy alone")
    return kind.preset(str(wanted.get("size", "cpu")), **typed_settings(kind, settings))


def _parts(normal: Images, check: Images | None, run: Run) -> tuple[Images, Images]:
    """What the members learn from, and what their healthy tails come from.

    Too few images to hold any out serve for both: the tails are then too kind to what was learned.
    """
    if check is not None and len(check) > 1:
        return normal, check
    if len(normal) < FEWEST:
        return normal, normal
    order = numbers(run.seed, "ensemble", "held out").permutation(len(normal))
    held = max(1, round(HELD_OUT * len(normal)))
    return SomeImages(normal, np.sort(order[held:])), SomeImages(normal, np.sort(order[:held]))


def _some(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """At most `MOST_PLACES` of them, drawn."""
    return values if len(values) <= MOST_PLACES else random.choice(values, MOST_PLACES, replace=False)


def _pool(values: np.ndarray, how: str) -> float:
    """One number for a map's values `(k,)`; the strangest hundredth where the profile's way is not known here."""
    if how == "mean":
        return float(values.mean())
    count = 1 if how == "max" else max(1, round(TOP * len(values)))
    return float(np.partition(values, len(values) - count)[len(values) - count :].mean())


def _fused(maps: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """The weighted mean of maps `(n, *coarse)` on the grid of the finest."""
    finest = max((one.shape[1:] for _, one in maps), key=lambda grid: int(np.prod(grid)))
    laid = [share * resize(torch.from_numpy(one)[:, None], finest)[:, 0].numpy() for share, one in maps]
    return np.asarray(np.sum(laid, axis=0) / sum(share for share, _ in maps), np.float32)


def _shared(kinds: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all can."""
    return tuple(sorted(set(kinds[0]).intersection(*kinds[1:])))


def _tail(state: dict[str, np.ndarray], room: str) -> OpenTail | None:
    kept = part_of(state, room)
    return OpenTail.from_state(kept) if kept else None
