"""An encoder of one's own: the game it learns by."""

import pytest
import torch

from halescan.networks.own_encoder import OwnEncoder, SpotThePaste, paste_patches


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_outside_the_pasted_boxes_the_image_is_untouched() -> None:
    images = torch.rand(6, 1, 48, 40, generator=generator())
    shown, pasted = paste_patches(images, generator(1))
    assert torch.equal(shown[pasted == 0], images[pasted == 0])
    assert 0 < float(pasted.mean()) < 0.5
    assert float(pasted.max()) <= 1


def test_inside_them_something_changed() -> None:
    images = torch.rand(6, 1, 48, 40, generator=generator())
    shown, pasted = paste_patches(images, generator(1))
    assert float((shown - images).abs()[pasted > 0.5].mean()) > 0.05


def test_the_same_seed_pastes_the_same() -> None:
    images = torch.rand(3, 3, 32, 32, generator=generator())
    assert torch.equal(paste_patches(images, generator(4))[0], paste_patches(images, generator(4))[0])
    assert not torch.equal(paste_patches(images, generator(4))[0], paste_patches(images, generator(5))[0])


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_tiny_images_are_pasted_into_too(side: int) -> None:
    images = torch.rand(4, 1, side, 2 * side, generator=generator())
    assert paste_patches(images, generator(1))[0].shape == images.shape


def test_level_k_has_stride_two_to_the_k_at_any_size() -> None:
    encoder = OwnEncoder(1, widths=(4, 6, 8)).eval()
    shapes = [tuple(level.shape[1:]) for level in encoder(torch.rand(1, 1, 50, 64), [1, 2, 3])]
    assert shapes == [(4, 25, 32), (6, 13, 16), (8, 7, 8)]


def test_a_cut_encoder_gives_the_same_levels() -> None:
    encoder = OwnEncoder(1, widths=(4, 6, 8)).eval()
    images = torch.rand(1, 1, 32, 32)
    before = encoder(images, [2])[0]
    encoder.cut(2)
    assert torch.equal(encoder(images, [2])[0], before)
    assert (encoder.deepest, encoder.widths) == (2, (4, 6))


def test_the_game_can_be_learned() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 32)
    images = (ramp[None, None, :, None] + 0.05 * torch.rand(16, 1, 32, 32)).clamp(0, 1)
    game = SpotThePaste(OwnEncoder(1, widths=(8, 12, 16)), side=12)
    steps = torch.optim.Adam(game.parameters(), 5e-3)
    told = []
    for number in range(40):
        loss = sum(game.losses(images, generator(number)).values())
        steps.zero_grad()
        loss.backward()
        steps.step()
        told.append(loss.item())
    assert sum(told[-5:]) < 0.6 * sum(told[:5])
