"""Backbones: found on this machine, checked, never downloaded unasked."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from halescan.errors import WeightsError
from halescan.networks.backbones import Backbone, find_backbone, get_backbone, list_backbones
from halescan.networks.own_encoder import OwnEncoder
from halescan.networks.transformers_model import TransformersModel

REAL_WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", Path(__file__).parents[2] / "../shared/weights"))


@pytest.fixture(autouse=True)
def no_other_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights folder with a tiny MobileNetV2 and its checksums."""
    from transformers.models.mobilenet_v2 import MobileNetV2Config, MobileNetV2Model

    torch.manual_seed(0)
    model = MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.25, finegrained_output=False))
    return put(tmp_path / "weights" / "tiny", model)


def put(folder: Path, model: torch.nn.Module) -> Path:
    """Write a transformers folder as `fetch` would; give back the folder above it."""
    folder.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps(model.config.to_diff_dict() | {"model_type": model.config.model_type})
    )
    sums = [
        (hashlib.sha256((folder / file).read_bytes()).hexdigest(), file)
        for file in ("config.json", "model.safetensors")
    ]
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {file}\n" for digest, file in sums))
    return folder.parent


def found(name: str, weights: Path) -> Backbone:
    backbone = find_backbone(name, weights)
    assert backbone is not None
    return backbone


def test_no_weights_is_no_backbone_and_no_error(tmp_path: Path) -> None:
    assert find_backbone("mobilenet_v2") is None
    assert find_backbone("mobilenet_v2", tmp_path / "nowhere") is None
    assert list_backbones(tmp_path / "nowhere") == []


def test_a_backbone_is_found_by_the_folder_or_the_variable(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("tiny", weights).deepest == 17
    monkeypatch.setenv("HALESCAN_WEIGHTS", str(weights))
    assert find_backbone("tiny") is not None


def test_the_checksum_is_recorded(weights: Path) -> None:
    digest = hashlib.sha256((weights / "tiny" / "model.safetensors").read_bytes()).hexdigest()
    backbone = found("tiny", weights)
    assert backbone.origin["sha256"] == digest
    assert Backbone.from_state(backbone.state()).origin == backbone.origin


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_changed_file_is_refused(weights: Path, file: str) -> None:
    content = bytearray((weights / "tiny" / file).read_bytes())
    content[-2] ^= 1
    (weights / "tiny" / file).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{file} has SHA-256"):
        find_backbone("tiny", weights)
    assert list_backbones(weights)[0]["checksum"] == "DIFFERS"


def test_a_broken_file_without_checksums_is_refused(weights: Path) -> None:
    (weights / "tiny" / "SHA256SUMS").unlink()
    (weights / "tiny" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        find_backbone("tiny", weights)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_folder_with_half_a_backbone_is_refused(weights: Path, file: str) -> None:
    (weights / "tiny" / file).unlink()
    with pytest.raises(WeightsError, match=f"tiny: {file} missing"):
        find_backbone("tiny", weights)
    assert list_backbones(weights) == []
    assert find_backbone("tiny/", weights) is None  # no name at all


def test_a_name_does_not_lead_out_of_the_folder(weights: Path) -> None:
    assert find_backbone("..", weights / "tiny") is None
    assert find_backbone("../tiny", weights) is not None  # only the last part counts


def test_grey_is_shown_as_three_equal_channels(weights: Path) -> None:
    backbone = found("tiny", weights)
    grey = torch.rand(2, 1, 32, 32)
    alone, thrice = backbone.levels(grey, [3])[0], backbone.levels(grey.expand(-1, 3, -1, -1), [3])[0]
    assert torch.equal(alone, thrice)


def test_features_do_not_depend_on_the_rest_of_the_batch(weights: Path) -> None:
    backbone = found("tiny", weights)
    images = torch.rand(3, 3, 40, 32)
    together = backbone.levels(images, [2, 10])
    alone = backbone.levels(images[1:2], [2, 10])
    assert all(torch.equal(whole[1:2], part) for whole, part in zip(together, alone, strict=True))


def test_a_cut_backbone_comes_back_from_its_state_without_files(weights: Path) -> None:
    backbone = found("tiny", weights)
    images = torch.rand(1, 3, 32, 32)
    wanted = backbone.levels(images, [4, 6])
    again = Backbone.from_state(backbone.cut(6).state())
    assert again.deepest == 6
    assert all(torch.equal(a, b) for a, b in zip(again.levels(images, [4, 6]), wanted, strict=True))


def test_levels_that_are_not_there_are_refused(weights: Path) -> None:
    with pytest.raises(WeightsError, match="levels 1 to 17"):
        found("tiny", weights).levels(torch.rand(1, 3, 32, 32), [18])


def test_a_state_that_was_tampered_with_is_refused(weights: Path) -> None:
    state = found("tiny", weights).state()
    with pytest.raises(WeightsError, match="does not hold together"):
        Backbone.from_state(state | {"about": np.frombuffer(b"{}", np.uint8)})


def test_fetching_without_a_folder_says_where_to_put_it() -> None:
    with pytest.raises(WeightsError, match="--weights DIR"):
        get_backbone("mobilenet_v2")


def test_fetching_without_network_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="could not be fetched"):
        get_backbone("mobilenet_v2", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_resnet_levels_are_its_stages(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    backbone = found("net", put(tmp_path / "net", ResNetModel(config)))
    shapes = [tuple(level.shape) for level in backbone.levels(torch.rand(2, 1, 32, 32), [1, 2])]
    assert shapes == [(2, 8, 8, 8), (2, 12, 4, 4)]
    again = Backbone.from_state(backbone.state())
    assert torch.equal(
        again.levels(torch.ones(1, 3, 32, 32), [2])[0], backbone.levels(torch.ones(1, 3, 32, 32), [2])[0]
    )


def test_dinov2_tokens_become_a_grid_without_the_class_token(tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=12, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    model = Dinov2Model(config).eval()
    backbone = found("vit", put(tmp_path / "vit", model))
    images = torch.rand(1, 3, 28, 42)
    (level,) = backbone.levels(images, [2])
    assert level.shape == (1, 12, 2, 3)
    mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        tokens = model((images - mean[:, None, None]) / spread[:, None, None], output_hidden_states=True).hidden_states[
            2
        ]
    torch.testing.assert_close(level[0, :, 1, 0], tokens[0, 1 + 3], atol=1e-5, rtol=1e-4)


def test_vision_transformers_under_the_names_of_the_hub_are_understood(tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel

    size = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    for kind, model in (("dinov2", Dinov2Model(Dinov2Config(**size))), ("vit", ViTModel(ViTConfig(**size)))):
        model.save_pretrained(tmp_path / kind)  # stores the names that transformers 4 gave
        stored = load_file(tmp_path / kind / "model.safetensors")
        assert "encoder.layer.0.attention.attention.query.weight" in stored
        backbone = find_backbone(kind, tmp_path)
        assert backbone is not None
        images = torch.rand(1, 3, 28, 28)
        with torch.inference_mode():
            seen = model.eval()(pixel_values=backbone._prepared(images), output_hidden_states=True).hidden_states[1]
        (level,) = backbone.levels(images, [1])
        torch.testing.assert_close(level[0, :, 0, 1], seen[0, 1 + 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"hidden_sizes": [8, 500_000]}, "other shapes"),
        ({"hidden_sizes": [8, 10**30]}, "beyond any model's"),
        ({"depths": [1, 900_000]}, "more layers"),
        ({"depths": [1, 2]}, "lack"),
        ({"embedding_size": "wide"}, "no vision model"),
        ({"model_type": "nonsense"}, "no vision model"),
    ],
)
def test_a_configuration_that_asks_for_more_than_its_weights_is_refused(change: dict[str, object], match: str) -> None:
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    weights = ResNetModel(config).state_dict()
    with pytest.raises(WeightsError, match=match):
        TransformersModel({**config.to_dict(), **change}, weights)


def test_a_configuration_cannot_name_code_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig, Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=12, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    asked: list[str] = []
    make = AutoConfig.for_model
    monkeypatch.setattr(AutoConfig, "for_model", lambda **facts: asked.extend(facts) or make(**facts))
    code = {"auto_map": {"AutoModel": "x.y"}, "attn_implementation": "someone/kernel", "_attn_implementation": "a/b"}
    TransformersModel({**config.to_dict(), **code}, Dinov2Model(config).state_dict())
    assert "hidden_size" in asked
    assert not set(code) & set(asked)


@pytest.mark.parametrize(("learned", "shown"), [(1, 3), (3, 1), (1, 1), (3, 3)])
def test_an_own_encoder_takes_grey_and_colour(learned: int, shown: int) -> None:
    backbone = Backbone.own(OwnEncoder(learned, widths=(4, 6)))
    again = Backbone.from_state(backbone.state())
    images = torch.rand(2, shown, 20, 20)
    assert torch.equal(again.levels(images, [1, 2])[1], backbone.levels(images, [1, 2])[1])


@pytest.mark.real
@pytest.mark.skipif(not (REAL_WEIGHTS / "mobilenet_v2").is_dir(), reason="no ../shared/weights/mobilenet_v2")
def test_the_real_weights_agree_with_transformers_and_their_checksum() -> None:
    from transformers.models.mobilenet_v2 import MobileNetV2Model

    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    backbone = found("mobilenet_v2", REAL_WEIGHTS)
    theirs = MobileNetV2Model.from_pretrained(REAL_WEIGHTS / "mobilenet_v2").eval()
    with torch.inference_mode():
        wanted = theirs(2 * images - 1, output_hidden_states=True).hidden_states
    for level in (3, 10, 17):
        torch.testing.assert_close(backbone.levels(images, [level])[0], wanted[level - 2], atol=1e-3, rtol=1e-3)
    assert list_backbones(REAL_WEIGHTS)[0]["checksum"] == "agrees"
