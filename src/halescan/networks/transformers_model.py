"""Any vision model of transformers as a backbone: hidden states in, grids of features out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from halescan.errors import WeightsError


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
            made = AutoConfig.for_model(**{key: value for key, value in config.items() if key != "auto_map"})
            self.model = AutoModel.from_config(made)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"this installation of transformers has no vision model {kind!r}: {error}") from error
        self.config = config
        prefix = getattr(self.model, "base_model_prefix", "") + "."
        plain = {name.removeprefix(prefix): value for name, value in weights.items()}
        missing = [name for name in self.model.state_dict() if name not in plain]
        if missing:
            raise WeightsError(f"the weights lack {len(missing)} arrays of a {kind!r} model, {missing[0]} among them")
        self.model.load_state_dict(plain, strict=False)

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
        states = self.model(pixel_values=images, output_hidden_states=True).hidden_states
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


def _as_grid(state: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens `(n, 1 + registers + gh gw, d)` as `(n, d, gh, gw)`; what is a grid already stays."""
    if state.ndim == 4:
        return state
    places = grid[0] * grid[1]
    tokens = state[:, -places:]  # class and register tokens stand in front
    return tokens.transpose(1, 2).reshape(len(state), -1, *grid)
