"""Backbones: networks that turn an image into features, found on this machine by name and checked before use.

Nothing here uses the network except `get_backbone`, which is called for nothing else.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from halescan.errors import WeightsError
from halescan.networks.mobilenet_v2 import MobileNetV2, fold
from halescan.networks.own_encoder import OwnEncoder
from halescan.networks.transformers_model import TransformersModel, read_config

FILES = ("config.json", "model.safetensors")
SUMS = "SHA256SUMS"
LARGEST_CONFIG = 1_000_000  # bytes; a config.json has a few thousand

ON_THE_HUB = {
    "mobilenet_v2": "google/mobilenet_v2_1.0_224",
    "resnet18": "microsoft/resnet-18",
    "resnet50": "microsoft/resnet-50",
    "dinov2_small": "facebook/dinov2-small",
    "dinov2_base": "facebook/dinov2-base",
}

# What a network was taught with: (mean, standard deviation) per channel, for images in [0, 1].
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TAUGHT_WITH = {"mobilenet_v2": _HALF, "mobilenet_v1": _HALF, "vit": _HALF, "own": _HALF}


class Backbone:
    """A frozen network whose inner levels serve as features.

    An image's features never depend on the other images of its batch: on the CPU images go through one at a time, which
    is also the fastest way (the activations stay in the cache).

    Args:
        name: The word it was asked for by.
        kind: "mobilenet_v2" (folded, plain torch), "transformers" (any other model of theirs) or "own".
        network: `network(images, levels) -> list`.
        origin: Facts to record: name, kind, SHA-256 of the weights, where the weights were found.
        config: What is needed to build the network again.
    """

    def __init__(
        self, name: str, *, kind: str, network: nn.Module, origin: dict[str, str], config: dict[str, Any]
    ) -> None:
        self.name, self.kind, self.origin, self.config = name, kind, origin, config
        self.network: Any = network.eval().requires_grad_(False)
        self.device = torch.device("cpu")
        self.to(self.device)

    @property
    def deepest(self) -> int:
        """The last level there is."""
        return int(self.network.deepest)

    def levels(self, images: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """Features of images `(n, c, h, w)` in [0, 1]: for each level `(n, d, h / stride, w / stride)` float32.

        Raises:
            WeightsError: if the backbone has no such level.
        """
        self.check(levels)
        share = 1 if self.device.type == "cpu" else 32
        with torch.inference_mode():
            parts = [self.network(self._prepared(part), list(levels)) for part in images.split(share)]
        return [torch.cat(level).float() for level in zip(*parts, strict=True)]

    def learning_levels(self, images: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """As `levels`, all images at once and with gradients: for a method that teaches the network on."""
        return [level.float() for level in self.network(self._prepared(images), list(levels))]

    def check(self, levels: Sequence[int]) -> None:
        """Refuse levels that are not there."""
        if (
            not levels
            or min(levels) < 0
            or max(levels) > self.deepest
            or (min(levels) < 1 and self.kind != "transformers")
        ):
            raise WeightsError(
                f"the backbone {self.name!r} has levels 1 to {self.deepest}, asked for {list(levels)}; "
                "set levels to some of those"
            )

    def cut(self, deepest: int) -> Self:
        """Forget what lies behind this level, where that is possible: a smaller model folder."""
        self.check([deepest])
        self.network.cut(deepest)
        return self

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.device = torch.device(device)
        self.network.to(self.device)
        if self.kind != "transformers" or "patch_size" not in self.config:
            self.network.to(memory_format=torch.channels_last)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """All it takes to build the backbone again with no file and no network."""
        about = {"name": self.name, "kind": self.kind, "origin": self.origin, "config": self.config}
        arrays = self.network.arrays()
        return {
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8).copy(),
            **{f"weights/{name}": value.detach().cpu().contiguous().numpy().copy() for name, value in arrays.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            WeightsError: if the arrays do not make a backbone.
        """
        try:
            about = json.loads(bytes(state["about"]))
            weights = {
                name.removeprefix("weights/"): torch.from_numpy(np.array(value))
                for name, value in state.items()
                if name.startswith("weights/")
            }
            network = _build(about["kind"], about["config"], weights)
        except (KeyError, ValueError, IndexError, RuntimeError) as error:
            raise WeightsError(
                f"the stored backbone does not hold together ({error}); train the model again"
            ) from error
        return cls(about["name"], kind=about["kind"], network=network, origin=about["origin"], config=about["config"])

    @classmethod
    def own(cls, network: OwnEncoder) -> Self:
        """An encoder that was trained here."""
        config = {"channels": network.channels, "widths": list(network.widths)}
        return cls("own", kind="own", network=network, origin={"name": "own", "found": "trained here"}, config=config)

    def _prepared(self, images: Tensor) -> Tensor:
        """Images as the network was taught with them: its channels, its range."""
        images = images.to(self.device)
        wanted = self.config["channels"] if self.kind == "own" else 3
        if images.shape[1] != wanted:
            images = images.expand(-1, 3, -1, -1) if wanted == 3 else images.mean(1, keepdim=True)
        family = self.kind if self.kind in _TAUGHT_WITH else self.config.get("model_type", "")
        mean, spread = (images.new_tensor(row[:wanted])[:, None, None] for row in _TAUGHT_WITH.get(family, _IMAGENET))
        return ((images - mean) / spread).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Place:
    """Where a backbone lies on this machine: `config` and `weights` are files, `checked` says that sums were given."""

    name: str
    config: Path
    weights: Path
    found: str
    sums: Mapping[str, str]


def find_backbone(name: str, weights: Path | None = None) -> Backbone | None:
    """The backbone of this name if its weights are on this machine, else None. Never downloads.

    Looked for in the folder `weights` (or $HALESCAN_WEIGHTS), one sub-folder a backbone with `config.json`,
    `model.safetensors` and, if there, `SHA256SUMS`; then in the cache of the hugging face hub.

    Raises:
        WeightsError: if they are there but damaged, incomplete, not those of the checksums, or of no known kind.
    """
    folder = weights_folder(weights)
    place = _in_folder(name, folder)
    if place is None:
        _refuse_incomplete(name, folder)
        place = _in_cache(name)
    return None if place is None else _open(place)


def list_backbones(weights: Path | None = None) -> list[dict[str, Any]]:
    """The backbones on this machine: name, kind, where, size and whether their checksums agree."""
    return [_row(place) for place in _places(weights)]


def names_at_hand(weights: Path | None = None) -> list[str]:
    """The names alone, without a look into the files."""
    return [place.name for place in _places(weights)]


def get_backbone(name: str, weights: Path | None = None) -> Path:
    """Fetch a backbone from the hugging face hub into the weights folder: the one use of the network.

    Only `config.json` and `model.safetensors` are fetched, never a pickle; their SHA-256 is written beside them.

    Args:
        name: A name of `ON_THE_HUB`, or a repository such as "microsoft/resnet-18".

    Raises:
        WeightsError: if there is no weights folder, no network, no such repository, or no safetensors in it.
    """
    folder = weights_folder(weights)
    if folder is None:
        raise WeightsError("no weights folder is set; give --weights DIR or set HALESCAN_WEIGHTS to a folder")
    target = folder / name.rpartition("/")[2]
    if target.exists():
        raise WeightsError(f"{target} exists already; remove it to fetch it again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as room:
            fetched = _fetch(ON_THE_HUB.get(name, name), Path(room))
            (fetched / SUMS).write_text("".join(f"{_sha256(fetched / file)}  {file}\n" for file in FILES))
            fetched.rename(target)
    except OSError as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error
    return target


def weights_folder(weights: Path | None = None) -> Path | None:
    """The folder given, else $HALESCAN_WEIGHTS, else None."""
    named = os.environ.get("HALESCAN_WEIGHTS")
    return Path(weights) if weights is not None else Path(named) if named else None


def _build(kind: str, config: dict[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    """The network of a kind with these weights."""
    if kind == "mobilenet_v2":
        return MobileNetV2(weights, same=bool(config.get("tf_padding", True)))
    if kind == "own":
        depth = min(1 + max(int(name.split(".")[1]) for name in weights), len(weights))  # it may have been cut
        with torch.device("meta"):  # shapes alone, until they are known to be those of the weights
            network = OwnEncoder(int(config["channels"]), [int(width) for width in config["widths"][:depth]])
        network.load_state_dict(dict(weights), assign=True)
        return network
    if kind == "transformers":
        return TransformersModel(config, weights)
    raise ValueError(f"unknown kind {kind!r}")


def _places(weights: Path | None) -> list[Place]:
    """Where the backbones of this machine lie: those of the folder first."""
    folder = weights_folder(weights)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder and folder.is_dir() else []
    places = [place for name in names if (place := _in_folder(name, folder))]
    places += [place for name in ON_THE_HUB if name not in names and (place := _in_cache(name))]
    return places


def _in_folder(name: str, folder: Path | None) -> Place | None:
    """The backbone in its sub-folder; a repository name is looked for by its last part."""
    if folder is None or name in ("", ".", "..") or "\\" in name:
        return None
    room = folder / name.rpartition("/")[2]
    config, weights = (room / file for file in FILES)
    if not (config.is_file() and weights.is_file()):
        return None
    return Place(name, config, weights, str(room), _read_sums(room / SUMS))


def _refuse_incomplete(name: str, folder: Path | None) -> None:
    """A sub-folder that holds a part of a backbone was meant to be it: another network must not take its place."""
    last = name.rpartition("/")[2]
    if folder is None or last in ("", ".", ".."):
        return
    room = folder / last
    missing = [file for file in FILES if not (room / file).is_file()]
    if room.is_dir() and any(room.iterdir()) and missing:
        raise WeightsError(f"{room}: {' and '.join(missing)} missing; copy it there, or fetch the backbone again")


def _in_cache(name: str) -> Place | None:
    """The backbone in the cache that transformers and its hub share."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = [try_to_load_from_cache(ON_THE_HUB.get(name, name), file) for file in FILES]
    except HFValidationError:
        return None
    config, weights = (Path(path) if isinstance(path, str) else None for path in found)
    return Place(name, config, weights, "hugging face cache", {}) if config and weights else None


def _read_sums(file: Path) -> dict[str, str]:
    """`{file name: SHA-256}` of a checksum file; empty without one."""
    if not file.is_file():
        return {}
    rows = [line.split(maxsplit=1) for line in file.read_text(errors="replace").splitlines() if line.strip()]
    return {row[1].lstrip("*").strip(): row[0].lower() for row in rows if len(row) == 2}


def _open(place: Place) -> Backbone:
    """Check, read and build."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    digest = _checked(place)
    config = read_config(place.config.read_bytes())
    try:
        weights = load_file(place.weights)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{place.weights}: cannot be read ({error}); fetch the backbone again") from error
    kind = "mobilenet_v2" if _foldable(config) else "transformers"
    if kind == "mobilenet_v2":
        weights = fold(weights, epsilon=float(config.get("layer_norm_eps", 0.001)))
    origin = {"name": place.name, "sha256": digest, "found": Path(place.found).name, "model_type": config["model_type"]}
    return Backbone(place.name, kind=kind, network=_build(kind, config, weights), origin=origin, config=config)


def _foldable(config: dict[str, Any]) -> bool:
    """Whether the plain MobileNetV2 covers this configuration; the others go through transformers."""
    usual = {"output_stride": 32, "first_layer_is_expansion": True, "hidden_act": "relu6"}
    return config["model_type"] == "mobilenet_v2" and all(
        config.get(key, value) == value for key, value in usual.items()
    )


def _checked(place: Place) -> str:
    """SHA-256 of the weights, after comparing every given sum.

    Raises:
        WeightsError: if a file is not the one its checksum was made of.
    """
    if place.config.stat().st_size > LARGEST_CONFIG:
        raise WeightsError(f"{place.config}: larger than any config.json; fetch the backbone again")
    digests = {file.name: _sha256(file) for file in (place.config, place.weights)}
    for file, digest in digests.items():
        if place.sums and place.sums.get(file) != digest:
            raise WeightsError(
                f"{place.found}: {file} has SHA-256 {digest[:12]}..., expected by {SUMS}: "
                f"{place.sums.get(file, 'nothing')[:12]}; the file was changed or broken: fetch the backbone again"
            )
    return digests[place.weights.name]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _row(place: Place) -> dict[str, Any]:
    """One line of `halescan backbones list`."""
    try:
        _checked(place)
        state = "agrees" if place.sums else "no checksums given"
        kind = read_config(place.config.read_bytes())["model_type"]
    except WeightsError:
        state, kind = "DIFFERS", "unknown"
    size = round(place.weights.stat().st_size / 1e6, 1)
    return {"name": place.name, "kind": kind, "size_mb": size, "checksum": state, "found": place.found}


def _fetch(repository: str, room: Path) -> Path:
    """Download the two files into a new folder in `room`."""
    from huggingface_hub import hf_hub_download

    folder = room / "backbone"
    folder.mkdir()
    for file in FILES:
        try:
            got = hf_hub_download(repository, file, local_dir=room / "download")
        except Exception as error:  # the hub raises a dozen kinds: no network, no such name, no safetensors
            raise WeightsError(
                f"{repository}: {file} could not be fetched from the hub ({type(error).__name__}). Check the name and "
                "the network, or copy the two files there by hand"
            ) from error
        shutil.move(got, folder / file)
    return folder
