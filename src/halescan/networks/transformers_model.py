"""Any vision model of transformers as a backbone: hidden states in, grids of features out."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from halescan.errors import WeightsError
from halescan.networks.pointwise import thin_first

_LARGEST_NUMBER = 1_000_000  # in a config.json: no vision model is as wide, deep or large
_CODE = {"auto_map", "attn_implementation", "experts_implementation", "quantization_config"}  # may fetch and run code
_NEWER_NAMES = (  # of transformers 5, for vision transformers as the hub stores them
    (
        ("attention.attention.query.", "attention.q_proj."),
        ("attention.attention.key.", "attention.k_proj."),
        ("attention.attention.value.", "attention.v_proj."),
        ("attention.output.dense.", "attention.o_proj."),
    ),
    (("encoder.layer.", "layers."), ("intermediate.dense.", "mlp.fc1."), ("output.dense.", "mlp.fc2.")),
)
_SPARE_BYTES = 64 * 2**20  # tables of positions and the like, which are computed and not stored


class TransformersModel(nn.Module):
    """A ResNet, DINOv2 or other `AutoModel` whose hidden states are its levels.

    Level k is `hidden_states[k]`: for convolutional networks 0 is the stem and 1, 2 ... the stages; for vision
    transformers 0 is the embedding and k the k-th layer, its tokens laid out as a grid (class and register tokens left
    out).

    Args:
        config: Content of `config.json`.
        weights: Its state dictionary; names with the prefix of a task model are understood.
    """

    def __init__(self, config: dict[str, Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        from transformers import AutoConfig, AutoModel  # seconds: imported only for these backbones

        kind = config.get("model_type", "")
        try:
            made = AutoConfig.for_model(**_harmless(config))
            with torch.device("meta"), _at_most(2 * len(weights) + 16):  # shapes alone: it may ask for a terabyte
                sketch = AutoModel.from_config(made)
            prefix = getattr(sketch, "base_model_prefix", "") + "."
            plain = {name.removeprefix(prefix): value for name, value in weights.items()} | dict(weights)
            plain = _named_as_here(plain, set(sketch.state_dict()))
            _check_fit(sketch, plain, kind, stored=sum(value.nbytes for value in weights.values()))
            self.model = AutoModel.from_config(made)
        except WeightsError:
            raise
        except Exception as error:  # each of their hundred configurations raises what it likes
            why = " ".join(str(error).split())[:200]
            raise WeightsError(f"this installation of transformers has no vision model {kind!r}: {why}") from error
        self.config = config
        self.model.load_state_dict(plain, strict=False)
        thin_first(self.model)
        asked = "interpolate_pos_encoding"  # a plain ViT refuses images of another size than it was taught with
        self._any_size = {asked: True} if asked in inspect.signature(self.model.forward).parameters else {}

    @property
    def deepest(self) -> int:
        """The last level there is."""
        depths = self.config.get("depths")
        return len(depths) if depths else int(self.config.get("num_hidden_layers", 0))

    def cut(self, deepest: int) -> None:
        """Keep all: what lies behind a level differs from model to model."""

    def arrays(self) -> dict[str, Tensor]:
        """The weights under the names the constructor takes."""
        return dict(self.model.state_dict())

    def forward(self, images: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """Normalised images `(n, 3, h, w)` to the hidden states of these levels as `(n, d, gh, gw)`."""
        states = self.model(pixel_values=images, output_hidden_states=True, **self._any_size).hidden_states
        patch = self.config.get("patch_size", 1)
        grid = (images.shape[-2] // patch, images.shape[-1] // patch)
        return [_as_grid(states[level], grid) for level in levels]


def read_config(text: bytes) -> dict[str, Any]:
    """The content of a `config.json`.

    Raises:
        WeightsError: if it is no JSON object with a model type.
    """
    try:
        config = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"config.json is not JSON ({error}); fetch the backbone again") from error
    if not isinstance(config, dict) or not config.get("model_type"):
        raise WeightsError("config.json names no model_type; expected a transformers model")
    return config


def _harmless(config: dict[Any, Any]) -> dict[Any, Any]:
    """The configuration without what could fetch code; refused if a number in it is beyond any model's."""
    kept: dict[Any, Any] = {}
    for key, value in config.items():
        if key in _CODE or str(key).startswith("_"):
            continue
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, int | float) and abs(number) > _LARGEST_NUMBER for number in numbers):
            raise WeightsError(f"{str(key)[:40]} in the backbone's configuration is beyond any model's; do not use it")
        kept[key] = _harmless(value) if isinstance(value, dict) else value
    return kept


@contextmanager
def _at_most(count: int) -> Iterator[None]:
    """Stop the building of a network that has more weights than were stored."""
    left = count

    def take(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= parameter is not None
        if left < 0:
            raise WeightsError("the backbone's configuration asks for more layers than its weights have")

    handle = register_module_parameter_registration_hook(take)
    try:
        yield
    finally:
        handle.remove()


def _named_as_here(weights: Mapping[str, Tensor], wanted: set[str]) -> dict[str, Tensor]:
    """The weights, and those under older names under those that this installation of transformers gives them."""
    named = dict(weights)
    for name, value in weights.items():
        newer = name
        for changes in _NEWER_NAMES:
            for old, new in changes:
                newer = newer.replace(old, new)
            if newer in wanted:
                named.setdefault(newer, value)
    return named


def _check_fit(sketch: nn.Module, weights: Mapping[str, Tensor], kind: str, *, stored: int) -> None:
    """Refuse a network, of which only the shapes are there, that has other weights or much more than were stored."""
    wanted = sketch.state_dict()
    missing = [name for name in wanted if name not in weights]
    if missing:
        raise WeightsError(f"the weights lack {len(missing)} arrays of a {kind!r} model, {missing[0]} among them")
    odd = [name for name, value in wanted.items() if value.shape != weights[name].shape]
    if odd:
        raise WeightsError(
            f"the weights of a {kind!r} model have other shapes than its configuration, {odd[0]} for one"
        )
    if sum(value.nbytes for value in sketch.buffers()) > stored + _SPARE_BYTES:
        raise WeightsError(f"the configuration of the {kind!r} model asks for much more memory than its weights take")


def _as_grid(state: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens `(n, 1 + registers + gh gw, d)` as `(n, d, gh, gw)`; what is a grid already stays."""
    if state.ndim == 4:
        return state
    places = grid[0] * grid[1]
    tokens = state[:, -places:]  # class and register tokens stand in front
    return tokens.transpose(1, 2).reshape(len(state), -1, *grid)
