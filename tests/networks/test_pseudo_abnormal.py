"""The pseudo-abnormal module: what it changes, how strongly, and where not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from halescan.networks import pseudo_abnormal
from halescan.networks.pseudo_abnormal import box_sides, darkened_boxes, soft_spots
from halescan.training.chance import noise

both = pytest.mark.parametrize("spoil", [darkened_boxes, soft_spots])
Spoil = Callable[..., Tensor]


def test_boxes_have_the_papers_size_at_the_papers_side() -> None:
    assert box_sides((224, 224)) == (10, 39)


def test_boxes_shrink_with_the_image_but_never_to_a_point() -> None:
    assert box_sides((64, 64)) == (3, 10)
    assert box_sides((16, 18, 20)) == (2, 2)


@both
@pytest.mark.parametrize("grid", [(32, 32), (12, 14, 16)])
def test_every_image_is_spoilt_and_none_everywhere(spoil: Spoil, grid: tuple[int, ...]) -> None:
    images = torch.ones(40, 2, *grid)
    changed = (spoil(images, generator=noise(0, "test")) != images).any(1).flatten(1)
    assert changed.any(1).all()
    assert not changed.all(1).any()


def test_the_papers_module_only_darkens() -> None:
    spoilt = darkened_boxes(torch.ones(40, 1, 32, 32), generator=noise(0, "test"))
    assert spoilt.max() == 1
    assert 0 <= spoilt.min() < 0.2


def test_the_other_lights_too_and_by_at_most_twice_a_spot() -> None:
    spoilt = soft_spots(torch.ones(200, 1, 32, 32), generator=noise(0, "test"))
    assert spoilt.max() > 1.5
    assert spoilt.min() < 0.5
    assert spoilt.min() >= 0


@both
def test_a_factor_of_one_returns_the_image_unchanged(spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(5, 1, 32, 32)
    one = 1.0 if spoil is darkened_boxes else 0.5  # the factor is drawn in [0, 1], or in [0, 2]
    real = torch.rand

    def rand(*shape: object, **given: object) -> Tensor:
        drawn = real(*shape, **given)  # type: ignore[call-overload]
        return torch.full_like(drawn, one) if drawn.shape == (5, 1, 1, 1) else drawn

    monkeypatch.setattr(pseudo_abnormal.torch, "rand", rand)
    assert torch.equal(spoil(images, generator=noise(0, "test")), images)


def test_changed_pixels_lie_only_in_the_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    real = pseudo_abnormal.random_boxes

    def remember(*given: object, **named: object) -> Tensor:
        drawn.append(real(*given, **named))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(pseudo_abnormal, "random_boxes", remember)
    images = torch.rand(20, 1, 32, 32) + 0.1
    changed = darkened_boxes(images, generator=noise(0, "test")) != images
    assert changed.any()
    assert not (changed & ~torch.stack(drawn).any(0)).any()


def test_a_soft_spot_has_no_sharp_edge() -> None:
    spoilt = soft_spots(torch.ones(60, 1, 224, 224), generator=noise(0, "test"))
    sharp = darkened_boxes(torch.ones(60, 1, 224, 224), generator=noise(0, "test"))
    assert (spoilt.diff(dim=-1).abs().amax((1, 2, 3))).median() < 0.5 * sharp.diff(dim=-1).abs().amax(
        (1, 2, 3)
    ).median()


@both
def test_the_same_chance_spoils_the_same_way(spoil: Spoil) -> None:
    images = torch.rand(3, 1, 32, 32)
    one, two = (spoil(images, generator=noise(0, "test")) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, spoil(images, generator=noise(1, "test")))
