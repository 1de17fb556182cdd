"""A Gaussian at every place, against closed forms and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS, EmpiricalCovariance

from halescan.errors import ShapeError
from halescan.networks.gaussians import PlaceGaussians, shrunk


def drawn(count: int, places: int, width: int, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(places, width, width, generator=generator)
    return torch.einsum("npd,pde->npe", torch.randn(count, places, width, generator=generator), mixing) + 3


def fitted(rows: torch.Tensor, *, shrink: bool = False, epsilon: float = 1e-9) -> PlaceGaussians:
    gaussians = PlaceGaussians()
    for part in rows.split(7):
        gaussians.add(part)
    return gaussians.finish(shrink=shrink, epsilon=epsilon)


def test_distances_are_the_mahalanobis_distances_of_scikit_learn() -> None:
    rows, new = drawn(60, 3, 4), drawn(5, 3, 4, seed=1)
    given = fitted(rows).distance(new)
    for place in range(3):
        theirs = EmpiricalCovariance().fit(rows[:, place].double().numpy())
        wanted = np.sqrt(theirs.mahalanobis(new[:, place].double().numpy()))
        np.testing.assert_allclose(given[:, place].numpy(), wanted, rtol=1e-3)


@pytest.mark.parametrize("count", [4, 12, 200])
def test_shrinkage_is_that_of_scikit_learn(count: int) -> None:
    rows = drawn(count, 2, 6).double()
    centred = rows - rows.mean(0)
    covariance = torch.einsum("npd,npe->pde", centred, centred) / count
    for place in range(2):
        wanted = OAS().fit(rows[:, place].numpy()).covariance_
        np.testing.assert_allclose(shrunk(covariance, count)[place].numpy(), wanted, rtol=1e-8)


def test_the_mean_squared_distance_of_the_learned_is_the_number_of_dimensions() -> None:
    rows = drawn(80, 2, 5)
    assert float(fitted(rows).distance(rows).square().mean()) == pytest.approx(5, rel=1e-3)


def test_a_common_linear_change_of_the_features_changes_nothing() -> None:
    rows, new = drawn(60, 2, 4), drawn(5, 2, 4, seed=1)
    change = torch.randn(4, 4, generator=torch.Generator().manual_seed(9)) + 2 * torch.eye(4)
    torch.testing.assert_close(
        fitted(rows @ change).distance(new @ change), fitted(rows).distance(new), rtol=2e-3, atol=2e-3
    )


def test_with_a_round_covariance_it_is_the_distance_of_euclid() -> None:
    corners = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])[:, None] * 2**0.5  # covariance is the identity
    new = torch.tensor([[[3.0, 4.0]]])
    assert float(fitted(corners).distance(new)) == pytest.approx(5, rel=1e-5)


def test_fewer_images_than_dimensions_still_give_finite_distances() -> None:
    assert torch.isfinite(fitted(drawn(3, 2, 8), shrink=True, epsilon=0.01).distance(drawn(2, 2, 8))).all()
    still = torch.ones(3, 2, 4)
    assert torch.isfinite(fitted(still, shrink=True, epsilon=0.01).distance(still + 1)).all()


def test_one_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="two images or more"):
        fitted(drawn(1, 2, 3))
