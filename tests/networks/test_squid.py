"""The networks of SQUID: patches, the two decoders, and what reaches which weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from halescan.networks.squid import SquidNetwork, apart, together


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def network(**changes: Any) -> SquidNetwork:
    torch.manual_seed(0)
    usual: dict[str, Any] = {
        "channels": 1,
        "grid": (32, 32),
        "patches": 2,
        "widths": (4, 6, 8, 8),
        "squeezed": 2,
        "scales": (1,),
        "remembering": "queue",
        "slots": 6,
        "top_k": 2,
        "temperature": 0.1,
        "heads": 2,
        "skips": 1,
        "shortcut": 0.9,
        "teach_encoder": True,
    }
    return SquidNetwork(**usual | changes)


@pytest.mark.parametrize("patches", [1, 2, 3, 4])
def test_cut_into_patches_and_laid_together_is_the_same(patches: int) -> None:
    images = drawn(2, 3, 4 * patches, 5 * patches)
    parts = apart(images, patches)
    assert parts.shape == (2 * patches**2, 3, 4, 5)
    assert torch.equal(parts[1], images[0, :, :4, 5:10]) or patches == 1
    assert torch.equal(together(parts, patches), images)


@pytest.mark.parametrize("grid", [(32, 32), (33, 47), (16, 40)])
@pytest.mark.parametrize("patches", [2, 3])
def test_images_of_any_grid_come_back_on_it(grid: tuple[int, int], patches: int) -> None:
    found = network(grid=grid, patches=patches).eval()(drawn(2, 1, *grid))
    assert found.student.shape == found.teacher.shape == (2, 1, *grid)


@pytest.mark.parametrize("skips", [0, 1, 2, 3])
def test_any_number_of_storeys_may_have_a_memory(skips: int) -> None:
    built = network(skips=skips)
    found = built(drawn(2, 1, 32, 32), torch.Generator().manual_seed(0))
    assert len(built.filters) == skips
    assert [one.shape for one, _ in found.levels] == [other.shape for _, other in found.levels]
    assert len(found.levels) == 4


def test_every_weight_is_there_before_the_first_image_and_all_but_the_teachers_move_the_student() -> None:
    built = network(skips=2, remembering="matrix")
    names = set(built.state_dict())
    found = built(drawn(4, 1, 32, 32), torch.Generator().manual_seed(0))
    found.student.square().mean().backward()
    assert set(built.state_dict()) == names
    still = {name.split(".")[0] for name, weight in built.named_parameters() if weight.grad is None}
    assert still == {"teacher"}


@pytest.mark.parametrize("teach_encoder", [True, False])
def test_the_teacher_moves_the_encoder_only_where_it_is_to(teach_encoder: bool) -> None:
    built = network(teach_encoder=teach_encoder)
    built.taught(drawn(2, 1, 32, 32)).square().mean().backward()
    moved = {name.split(".")[0] for name, weight in built.named_parameters() if weight.grad is not None}
    assert moved == ({"encoder", "teacher"} if teach_encoder else {"teacher"})


def test_the_teacher_alone_draws_what_it_draws_beside_the_student() -> None:
    built, images = network().eval(), drawn(2, 1, 32, 32)
    torch.testing.assert_close(built.taught(images), built(images).teacher)


def test_scored_images_lie_within_bounds() -> None:
    built = network().eval()
    with torch.no_grad():
        built.student.last.bias.fill_(50.0)
        assert float(built(drawn(1, 1, 32, 32)).student.max()) == pytest.approx(1.6)


def test_patches_are_seen_by_themselves_until_two_storeys_are_left() -> None:
    built, images = network().eval(), drawn(1, 1, 32, 32)
    other = images.clone()
    other[..., :16, :16] = 0
    for one, two in zip(built.encoder(images), built.encoder(other), strict=True):
        half = one.shape[-1] // 2
        assert torch.equal(one[..., half:], two[..., half:])
        assert not torch.equal(one[..., :half, :half], two[..., :half, :half])


def test_what_is_remembered_is_what_would_be_written() -> None:
    one, two, images = network(), network(), drawn(4, 1, 32, 32)
    one.train()(images, torch.Generator().manual_seed(0))
    two.train().remember(images)
    torch.testing.assert_close(one.inpainting.memories[0].slots, two.inpainting.memories[0].slots)
