"""MobileNetV2 folded: the same numbers as transformers' own model."""

import pytest
import torch

from halescan.errors import WeightsError
from halescan.networks.mobilenet_v2 import DEEPEST, MobileNetV2, fold


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    from transformers.models.mobilenet_v2 import MobileNetV2Config, MobileNetV2Model

    torch.manual_seed(0)
    model = MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.25, finegrained_output=False)).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # fresh norms are the identity: give them something to fold
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.3, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.3, 0.3)
    return model


@pytest.mark.parametrize("size", [(64, 64), (65, 50)])
def test_every_block_gives_the_numbers_of_transformers(theirs: torch.nn.Module, size: tuple[int, int]) -> None:
    ours = MobileNetV2(fold(theirs.state_dict(), epsilon=theirs.config.layer_norm_eps)).eval()
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        wanted = theirs(images, output_hidden_states=True).hidden_states
        given = ours(images, range(2, DEEPEST + 1))
    for here, there in zip(given, wanted, strict=True):
        torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-3)


def test_the_names_of_a_task_model_are_understood(theirs: torch.nn.Module) -> None:
    named = {f"mobilenet_v2.{name}": value for name, value in theirs.state_dict().items()}
    assert fold(named, epsilon=0.001).keys() == fold(theirs.state_dict(), epsilon=0.001).keys()


def test_cutting_leaves_the_levels_in_front_as_they_were(theirs: torch.nn.Module) -> None:
    network = MobileNetV2(fold(theirs.state_dict(), epsilon=0.001)).eval()
    images = torch.rand(1, 3, 32, 32)
    before = network(images, [3])[0]
    network.cut(3)
    again = MobileNetV2(network.arrays()).eval()
    assert again.deepest == network.deepest == 3
    assert torch.equal(again(images, [3])[0], before)


def test_the_weights_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsError, match="not those of a MobileNetV2"):
        fold({"conv.weight": torch.zeros(3)}, epsilon=0.001)
