"""Strided 1 x 1 convolutions are the library's in numbers, and train on any number of threads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import halescan
from halescan.networks.pointwise import Pointwise, thin_first

MANY_THREADS = """
import torch
from halescan.networks.pointwise import Pointwise
torch.set_num_threads(3)
for count in (1, 2, 8):
    for inside, out in ((4, 8), (12, 5), (32, 1), (64, 128)):
        for side in (8, 16, 32):
            Pointwise(inside, out, stride=2)(torch.randn(count, inside, side, side)).square().sum().backward()
"""


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 3, 7, 5), (3, 3, 1, 4)])
def test_image_and_gradients_are_those_of_the_librarys_convolution(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    images = torch.randn(shape)
    plain = nn.Conv2d(3, 5, 1, 2)
    ours = Pointwise(3, 5, stride=2)
    ours.load_state_dict(plain.state_dict())
    answers = []
    for layer in (plain, ours):
        given = images.clone().requires_grad_()
        out = layer(given)
        out.square().sum().backward()
        answers.append((out.detach(), given.grad, layer.weight.grad, layer.bias.grad))
    for one, other in zip(*answers, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_three_threads_train_it_without_harm() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-300:]


def test_strided_points_of_somebody_elses_network_are_thinned_first_under_their_own_names() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1, 2), nn.Conv2d(4, 4, 3, 2), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, 2, 1))
    images = torch.randn(1, 3, 16, 16)
    names, before = list(network.state_dict()), network(images)
    thin_first(network)
    assert [type(layer) is Pointwise for layer in network] == [True, False, False, False]
    assert list(network.state_dict()) == names
    assert torch.allclose(network(images), before, atol=1e-6)


def test_no_network_of_ours_has_such_a_convolution_of_the_librarys() -> None:
    folder = Path(halescan.__file__).parent
    strided = re.compile(r"nn\.Conv[123]d\([^(),]*, [^(),]*, 1, (?:stride|[2-9])")
    assert not [path.name for path in folder.rglob("*.py") if strided.search(path.read_text(encoding="utf-8"))]
