"""Feature pyramid: balance, grid and directions, against closed forms."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from halescan.errors import SettingError, ShapeError
from halescan.networks.pyramid import Pyramid, local_mean


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def apart(rows: torch.Tensor) -> torch.Tensor:
    """All distances, by subtraction."""
    return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")


def test_the_local_mean_does_not_count_places_outside_the_image() -> None:
    grid = torch.arange(9.0).reshape(1, 1, 3, 3)
    means = local_mean(grid, 3)[0, 0]
    assert means[1, 1] == 4
    assert means[0, 0] == (0 + 1 + 3 + 4) / 4
    assert torch.equal(local_mean(grid, 1), grid)


def test_levels_meet_on_the_finest_grid_or_the_one_asked_for() -> None:
    levels = [features(2, 3, 8, 12), features(2, 5, 4, 6)]
    assert Pyramid().stack(levels).shape == (2, 8, 8, 12)
    assert Pyramid(grid=6).stack(levels).shape == (2, 8, 4, 6)


def test_a_coarser_grid_is_the_mean_of_its_cells() -> None:
    level = features(1, 2, 4, 4)
    stacked = Pyramid(grid=2, aggregate=1).stack([level])
    torch.testing.assert_close(stacked[0, :, 0, 1], level[0, :, :2, 2:].mean((1, 2)))


def test_every_level_brings_the_same_variance_and_a_channel_one_on_average() -> None:
    levels = [100 * features(4, 6, 5, 5), 0.01 * features(4, 2, 5, 5, seed=1) + 7]
    pyramid = Pyramid(aggregate=1, components=8).fit([levels])
    rows = pyramid(levels).double()
    assert float(rows.var(dim=(0, 2, 3), correction=0).sum()) == pytest.approx(8, rel=1e-4)
    only_first = pyramid([levels[0], torch.full_like(levels[1], 7 + 0.01 * features(4, 2, 5, 5, seed=1).mean())])
    assert float(only_first.double().var(dim=(0, 2, 3), correction=0).sum()) == pytest.approx(4, rel=1e-3)


def test_with_all_components_distances_are_those_of_the_balanced_features() -> None:
    level = features(3, 4, 3, 3) * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None]
    pyramid = Pyramid(aggregate=1, components=4).fit([[level]])
    rows = pyramid([level]).permute(0, 2, 3, 1).reshape(-1, 4)
    plain = level.permute(0, 2, 3, 1).reshape(-1, 4)
    scale = torch.sqrt(4 / plain.var(0, correction=0).sum())
    torch.testing.assert_close(apart(rows), apart(plain) * scale, atol=1e-4, rtol=1e-4)


def test_one_level_gives_the_principal_components_of_scikit_learn() -> None:
    mixing = features(6, 6, seed=3)
    level = torch.einsum("ncij,cd->ndij", features(5, 6, 4, 4), mixing) + 10
    rows = level.permute(0, 2, 3, 1).reshape(-1, 6).double().numpy()
    scale = np.sqrt(6 / rows.var(0).sum())
    theirs = PCA(3, svd_solver="full").fit_transform(rows * scale)
    ours = Pyramid(aggregate=1, components=3).fit([[level]])([level]).permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


def test_batch_by_batch_is_all_at_once() -> None:
    level = features(6, 5, 4, 4) + 50
    whole = Pyramid(components=3).fit([[level]])([level])
    parts = Pyramid(components=3).fit([[part] for part in level.split(2)])([level])
    torch.testing.assert_close(whole, parts, atol=1e-3, rtol=1e-3)


def test_a_pyramid_comes_back_from_its_state() -> None:
    level = features(2, 5, 4, 4)
    pyramid = Pyramid(components=3).fit([[level]])
    assert torch.equal(Pyramid(components=3).restore(pyramid.state())([level]), pyramid([level]))


def test_a_level_that_never_moves_adds_nothing() -> None:
    moving, still = features(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    assert torch.isfinite(Pyramid().fit([[moving, still]])([moving, still])).all()


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"aggregate": 2}, {"components": 0}, {"grid": 0}):
        with pytest.raises(SettingError):
            Pyramid(**wrong)
    with pytest.raises(ShapeError):
        Pyramid().fit([])
