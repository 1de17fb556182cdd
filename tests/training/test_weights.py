"""Weights as arrays and back."""

import numpy as np
import pytest
import torch

from halescan.errors import ModelError
from halescan.training.weights import channels_last, module_arrays, put_arrays
from tests.training.learner import images, small_net


def test_weights_come_back_exactly_and_to_rest() -> None:
    net = small_net()
    net(torch.from_numpy(images()))  # moves the running statistics
    arrays = module_arrays(net, prefix="net/") | {"other": np.ones(3)}
    again = put_arrays(lambda: small_net(seed=1), arrays, prefix="net/")
    sample = torch.from_numpy(images(2))
    assert not again.training
    assert torch.allclose(again(sample), net.eval()(sample), atol=1e-6)  # the layout changes the order of sums


def test_the_arrays_do_not_change_with_the_module() -> None:
    net = small_net()
    arrays = module_arrays(net)
    before = arrays["0.weight"].copy()
    with torch.no_grad():
        net[0].weight.add_(1)  # type: ignore[index, union-attr, operator]
    assert (arrays["0.weight"] == before).all()


@pytest.mark.parametrize("change", [{"0.weight": np.zeros((1, 1, 3, 3), np.float32)}, {"extra": np.zeros(1)}])
def test_weights_that_do_not_fit_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        put_arrays(small_net, module_arrays(small_net()) | change)


def test_weights_of_another_type_are_refused() -> None:
    arrays = module_arrays(small_net())
    with pytest.raises(ModelError, match="another type"):
        put_arrays(small_net, arrays | {"0.weight": arrays["0.weight"].astype(np.float64)})


@pytest.mark.parametrize("side", [2**20, 2**62])
def test_a_network_too_large_for_any_machine_is_refused_at_once(side: int) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        put_arrays(lambda: torch.nn.Linear(side, side), {"weight": np.zeros((2, 2), np.float32)})


@pytest.mark.parametrize(
    ("kind", "order"), [(torch.nn.Conv2d, torch.channels_last), (torch.nn.Conv3d, torch.channels_last_3d)]
)
def test_convolutions_are_laid_out_channels_last(kind: type[torch.nn.Module], order: torch.memory_format) -> None:
    module = channels_last(torch.nn.Sequential(kind(3, 4, 3), torch.nn.Flatten()))
    assert next(module.parameters()).is_contiguous(memory_format=order)


def test_a_module_of_both_dimensions_is_left_as_it_is() -> None:
    module = channels_last(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv3d(3, 4, 3)))
    assert all(weight.is_contiguous() for weight in module.parameters())
