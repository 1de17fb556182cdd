"""The distillation losses and the map, against closed forms."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.errors import SettingError
from halescan.networks.distillation import (
    KINDS,
    cosine_distances,
    disagreement,
    distillation_loss,
    feature_spread,
    global_distances,
    hold_back_easy,
)

each_kind = pytest.mark.parametrize("kind", KINDS)


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pyramid(seed: int = 0) -> list[Tensor]:
    return [features(2, 5, 8, 6, seed=seed), features(2, 7, 4, 3, seed=seed + 1)]


@each_kind
def test_what_is_drawn_perfectly_costs_nothing(kind: str) -> None:
    levels = pyramid()
    assert distillation_loss(kind, levels, [level.clone() for level in levels]) == 0
    assert disagreement(levels, [level.clone() for level in levels]).abs().max() == 0


@each_kind
def test_what_is_drawn_wrongly_costs_something(kind: str) -> None:
    assert distillation_loss(kind, pyramid(), pyramid(seed=5)) > 0.1


@pytest.mark.parametrize("kind", ["places", "global"])
def test_the_length_of_what_is_drawn_does_not_matter_to_a_cosine(kind: str) -> None:
    wanted, drawn = pyramid(), pyramid(seed=5)
    longer = [3.7 * level for level in drawn]
    torch.testing.assert_close(distillation_loss(kind, wanted, longer), distillation_loss(kind, wanted, drawn))
    torch.testing.assert_close(disagreement(wanted, longer), disagreement(wanted, drawn))


def test_the_distance_of_a_place_is_one_less_the_cosine_of_torch() -> None:
    one, two = features(2, 5, 4, 3), features(2, 5, 4, 3, seed=1)
    torch.testing.assert_close(cosine_distances(one, two), 1 - F.cosine_similarity(one, two))
    whole = 1 - F.cosine_similarity(one.flatten(1), two.flatten(1))
    torch.testing.assert_close(global_distances(one, two), whole)


def test_places_without_any_feature_agree() -> None:
    nothing = torch.zeros(1, 5, 2, 2)
    assert cosine_distances(nothing, nothing).abs().max() == 0


def test_strong_features_count_for_more_in_the_global_loss_and_alike_in_that_of_places() -> None:
    wanted = features(1, 5, 2, 1)
    wanted[..., 0, 0] *= 100
    weak_wrong, strong_wrong = wanted.clone(), wanted.clone()
    weak_wrong[..., 1, 0] *= -1
    strong_wrong[..., 0, 0] *= -1
    places = [float(distillation_loss("places", [wanted], [one])) for one in (weak_wrong, strong_wrong)]
    whole = [float(distillation_loss("global", [wanted], [one])) for one in (weak_wrong, strong_wrong)]
    assert places == pytest.approx([1, 1])
    assert whole[0] < 0.01
    assert whole[1] > 1.9


def test_the_square_loss_is_torch_s_and_the_hardest_the_mean_of_the_largest() -> None:
    wanted, drawn = features(2, 5, 4, 4), features(2, 5, 4, 4, seed=1)
    torch.testing.assert_close(distillation_loss("square", [wanted], [drawn]), F.mse_loss(drawn, wanted))
    errors = (wanted - drawn).square().flatten().sort(descending=True).values
    torch.testing.assert_close(distillation_loss("hardest", [wanted], [drawn], hardest=0.25), errors[:40].mean())


def test_the_map_adds_the_levels_on_the_finest_grid() -> None:
    wanted = pyramid()
    drawn = [wanted[0].clone(), -wanted[1]]
    found = disagreement(wanted, drawn)
    assert found.shape == (2, 8, 6)
    torch.testing.assert_close(found, torch.full_like(found, 2.0))


@pytest.mark.parametrize("easy", [0.25, 0.5, 0.9])
def test_exactly_the_easy_places_pass_less_of_their_gradient(easy: float) -> None:
    wanted, drawn = features(2, 5, 4, 5), features(2, 5, 4, 5, seed=1).requires_grad_()
    outer = features(2, 5, 4, 5, seed=2)
    held = hold_back_easy(wanted, drawn, easy=easy, easy_gradient=0.1)
    assert torch.equal(held, drawn)
    (slope,) = torch.autograd.grad((held * outer).sum(), drawn)
    factor = slope / outer
    distances = cosine_distances(wanted, drawn.detach())
    chosen = distances <= distances.flatten().sort().values[int(easy * 40) - 1]
    assert int(chosen.sum()) == int(easy * 40)
    torch.testing.assert_close(factor, torch.where(chosen, 0.1, 1.0)[:, None].expand_as(factor))


@each_kind
def test_holding_back_changes_the_gradient_and_not_the_loss(kind: str) -> None:
    wanted, drawn = features(2, 5, 4, 4), features(2, 5, 4, 4, seed=1).requires_grad_()
    plain = distillation_loss(kind, [wanted], [drawn], hardest=1)
    held = distillation_loss(kind, [wanted], [drawn], hardest=1, easy=0.5, easy_gradient=0.0)
    torch.testing.assert_close(plain, held)
    slopes = [torch.autograd.grad(loss, drawn)[0].abs().sum() for loss in (plain, held)]
    assert slopes[1] < 0.9 * slopes[0]


def test_features_that_are_all_alike_have_no_spread_and_random_ones_one() -> None:
    alike = features(1, 64, 1, 1).expand(3, 64, 4, 4) * torch.rand(3, 1, 4, 4)
    assert feature_spread([alike]) < 1e-3
    assert float(feature_spread([features(8, 64, 8, 8)])) == pytest.approx(1, abs=0.02)


def test_another_kind_of_loss_is_refused() -> None:
    with pytest.raises(SettingError, match="places, global"):
        distillation_loss("huber", pyramid(), pyramid())
