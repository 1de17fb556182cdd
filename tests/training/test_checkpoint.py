"""A checkpoint comes back whole, or is refused."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from halescan.errors import ModelError, OutputError
from halescan.training.checkpoint import put_back, read_checkpoint, save_checkpoint, write_whole
from tests.training.learner import images, small_net


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    net = small_net()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.from_numpy(images())).square().mean().backward()
    optimiser.step()
    return net, optimiser


def saved(path: Path) -> tuple[nn.Module, torch.optim.Optimizer]:
    net, optimiser = trained()
    save_checkpoint(path, module=net, optimisers={"loss": optimiser}, facts={"step": 7})
    return net, optimiser


def test_module_optimiser_and_facts_come_back(tmp_path: Path) -> None:
    net, optimiser = saved(tmp_path / "one.safetensors")
    tensors, facts = read_checkpoint(tmp_path / "one.safetensors")
    other = small_net(seed=1)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.1)
    put_back(tensors, module=other, optimisers={"loss": theirs})
    assert facts["step"] == 7
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))
    for mine, restored in zip(optimiser.state.values(), theirs.state.values(), strict=True):
        assert all(torch.equal(mine[key], restored[key]) for key in ("exp_avg", "exp_avg_sq", "step"))


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.99])
def test_a_flipped_bit_is_noticed(tmp_path: Path, place: float) -> None:
    path = tmp_path / "one.safetensors"
    saved(path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged|schema"):
        read_checkpoint(path)


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "one.safetensors"
    saved(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match="damaged"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none"):
        read_checkpoint(tmp_path / "none.safetensors")


def test_a_failed_writing_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.safetensors"
    write_whole(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
