"""Reconstruction quality against scikit-image, closed forms and exact copies."""

import numpy as np
import pytest
from scipy.special import rel_entr
from skimage.metrics import structural_similarity

from halescan.errors import ShapeError
from halescan.evaluation.reconstruction import NOTE, QUALITIES, reconstruction_figures, reconstruction_quality

IMAGE = np.random.default_rng(0).random((1, 32, 32), np.float32)


def test_an_exact_copy_is_perfect() -> None:
    assert reconstruction_quality(IMAGE, IMAGE) == {
        "mse": 0,
        "psnr_db": np.inf,
        "ssim": pytest.approx(1),
        "kl_nats": pytest.approx(0),
    }


def test_a_constant_error_has_its_textbook_values() -> None:
    found = reconstruction_quality(np.zeros((1, 32, 32)), np.full((1, 32, 32), 0.1))
    assert found["mse"] == pytest.approx(0.01, abs=1e-9)
    assert found["psnr_db"] == pytest.approx(20, abs=1e-9)


def test_similarity_and_divergence_equal_their_references() -> None:
    other = np.clip(IMAGE + np.random.default_rng(1).normal(0, 0.1, IMAGE.shape), 0, 1)
    found = reconstruction_quality(IMAGE, other)
    theirs = structural_similarity(
        IMAGE[0].astype(float),
        other[0],
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert found["ssim"] == pytest.approx(theirs, abs=1e-9)
    counts = [
        1 + np.bincount(np.minimum((256 * x.astype(float)).astype(int).ravel(), 255), minlength=256)
        for x in (IMAGE, other)
    ]
    shares = [count / count.sum() for count in counts]
    assert found["kl_nats"] == pytest.approx(rel_entr(*shares).sum(), abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 5, 8), (3, 16, 16), (1, 8, 12, 12), (1, 2, 9)])
def test_small_colour_and_volume_images_have_figures_where_there_are_any(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape)
    found = reconstruction_quality(image, image * 0.9)
    assert np.isfinite(found["ssim"]) == (min(shape[1:]) >= 3)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError):
        reconstruction_quality(IMAGE, IMAGE[:, 1:])


def test_classes_are_told_apart_and_the_record_says_it_is_no_ranking() -> None:
    rows = [reconstruction_quality(IMAGE, IMAGE * (0.9 if number % 2 else 0.99)) for number in range(8)]
    found = reconstruction_figures([number % 2 for number in range(8)], rows, draws=100)
    assert found["note"] == NOTE
    assert found["healthy"]["mse"]["value"] < found["abnormal"]["mse"]["value"]
    assert set(found["healthy"]) == set(QUALITIES)


def test_what_has_no_mean_says_why() -> None:
    found = reconstruction_figures([0, 0], [reconstruction_quality(IMAGE, IMAGE)] * 2, draws=100)
    assert found["healthy"]["psnr_db"]["why"] == "2 exact copies"
    assert found["abnormal"]["mse"]["why"] == "no case of this class"
    alone = reconstruction_figures([0], [reconstruction_quality(IMAGE, IMAGE / 2)])
    assert "fewer than two patients" in alone["healthy"]["mse"]["why"]
