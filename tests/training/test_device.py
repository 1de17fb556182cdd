"""Devices and precisions by name."""

import numpy as np
import pytest
import torch

from halescan.errors import SettingError
from halescan.training.device import home, open_device, to_array, to_tensors
from halescan.training.run import Run
from halescan.types import Batch


def test_the_cpu_is_always_there() -> None:
    assert open_device(Run(device="cpu", precision="32")).device == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(SettingError, match="device"):
        open_device(Run(device=device))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(SettingError, match="precision"):
        open_device(Run(device="cpu", precision="8"))


def test_asking_for_bfloat16_multiplies_in_it() -> None:
    with open_device(Run(device="cpu", precision="bf16")).autocast():
        assert torch.nn.Linear(3, 3)(torch.ones(1, 3)).dtype == torch.bfloat16
    with open_device(Run(device="cpu", precision="32")).autocast():
        assert torch.nn.Linear(3, 3)(torch.ones(1, 3)).dtype == torch.float32


def test_images_keep_their_values_and_go_channels_last() -> None:
    images = np.random.default_rng(0).random((2, 3, 5, 4), dtype=np.float32)
    mask = images[:, 0] > 0.5
    tensors = to_tensors(Batch(images, mask), torch.device("cpu"))
    assert tensors.images.is_contiguous(memory_format=torch.channels_last)
    assert (to_array(tensors.images) == images).all()
    assert tensors.mask is not None
    assert (tensors.mask.numpy() == mask).all()


def test_a_module_lives_where_its_weights_are() -> None:
    assert home(torch.nn.Linear(2, 2)) == torch.device("cpu")
