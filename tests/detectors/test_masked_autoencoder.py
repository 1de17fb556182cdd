"""The masked autoencoder: what must hold of it, both modules, both ways of putting draws together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.masked_autoencoder import MaskedAutoencoder, hidden_error
from halescan.errors import SettingError
from halescan.networks.masked_vit import MaskedViT
from halescan.networks.masking import random_cells
from halescan.training.chance import noise
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 32,
    "patch": 4,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_depth": 1,
    "steps": 4,
    "classifier_steps": 3,
    "batch_size": 4,
    "draws": 4,
}
PAPERS: dict[str, Any] = {
    "assemble": "pasted",
    "pseudo": "darkened-boxes",
    "classifier": "vit",
    "smallest_crop": 0.7,
    "centre": False,
}


def fitted(**changes: Any) -> MaskedAutoencoder:
    return MaskedAutoencoder(**SMALL | changes).fit(healthy(8, grid=(32, 32)), run=RUN)


def drawn_by(detector: MaskedAutoencoder, images: np.ndarray) -> np.ndarray:
    drawn = detector.score(images).reconstruction
    assert drawn is not None
    return drawn


@pytest.mark.parametrize(("patches", "hidden"), [(196, 147), (64, 48), (10, 8)])
def test_masked_autoencoder_2_int_of_the_patches_times_the_rest_stay_visible(patches: int, hidden: int) -> None:
    assert MaskedAutoencoder()._hidden_count(patches) == hidden == patches - int(patches * (1 - 0.75))


def test_masked_autoencoder_2_one_patch_stays_visible_and_one_is_hidden_whatever_the_share() -> None:
    assert MaskedAutoencoder(hidden=0.999)._hidden_count(16) == 15
    assert MaskedAutoencoder(hidden=0.13)._hidden_count(4) == 1


def test_masked_autoencoder_3_pasted_draws_leave_no_residual_where_always_visible() -> None:
    detector = fitted(assemble="pasted", draws=2, hidden=0.5)
    hidden = detector._draws(64, noise(0, "masked-autoencoder", "draws"))
    never = ~hidden.any(0).reshape(8, 8)
    assert never.any()
    assert not never.all()
    strange = detector.score(healthy(2, grid=(32, 32), seed=5)).map
    assert strange is not None
    blocks = strange.reshape(2, 8, 4, 8, 4).transpose(0, 1, 3, 2, 4)
    assert (blocks[:, never.numpy()] == 0).all()
    assert blocks[:, ~never.numpy()].max() > 0


def test_masked_autoencoder_4_the_loss_knows_nothing_of_visible_targets() -> None:
    predicted, rows = torch.rand(3, 16, 5), torch.rand(3, 16, 5)
    hidden = random_cells(3, 16, hidden=12, generator=noise(0, "test"))
    other = torch.where(hidden[..., None], rows, torch.rand_like(rows))
    assert hidden_error(predicted, rows, hidden) == hidden_error(predicted, other, hidden)
    expected = ((predicted - rows)[hidden] ** 2).mean()
    assert float(hidden_error(predicted, rows, hidden)) == pytest.approx(float(expected))


def test_masked_autoencoder_5_every_pixel_is_predicted_and_no_truth_mixed_in() -> None:
    detector = fitted(centre=False)
    assert detector._draws(64, noise(0, "test")).any(0).all()
    network = detector._network
    with torch.no_grad():
        network.end.weight.zero_()
        network.end.bias.fill_(0.25)  # a network that predicts one grey everywhere
    assert drawn_by(detector, healthy(2, grid=(32, 32), seed=5)) == pytest.approx(0.25)


def test_masked_autoencoder_the_papers_way_shrinks_residuals_to_the_share_hidden() -> None:
    detector = fitted(assemble="pasted", draws=400, hidden=0.75, centre=False)
    with torch.no_grad():
        detector._network.end.weight.zero_()
        detector._network.end.bias.zero_()
    images = healthy(1, grid=(32, 32), seed=5)
    strange = detector.score(images).map
    assert strange is not None
    assert strange.sum() / images.sum() == pytest.approx(0.75, abs=0.03)


def test_masked_autoencoder_7_constant_images_are_drawn_after_some_steps() -> None:
    greys = np.random.default_rng(0).random((16, 1, 1, 1)).astype(np.float32)
    images = np.broadcast_to(greys, (16, 1, 16, 16)).copy()
    changes = {"side": None, "steps": 100, "batch_size": 16, "learning_rate": 5e-3}
    detector = MaskedAutoencoder(**SMALL | changes).fit(images, run=RUN)
    strange = detector.score(images).map
    assert strange is not None
    assert strange.mean() < 0.06  # their mean distance from grey is 0.25


def test_the_classifier_finds_a_lesion_stranger() -> None:
    changes = {"steps": 150, "classifier_steps": 60, "width": 32, "batch_size": 8, "learning_rate": 3e-3}
    detector = fitted(**changes)
    images = healthy(6, grid=(32, 32), seed=5)
    plain, ill = detector.score(images).image, detector.score(with_lesion(images, contrast=0.5)).image
    assert plain is not None
    assert ill is not None
    assert (ill > plain).all()


@pytest.mark.parametrize("changes", [{}, PAPERS, {"mirror": False, "hidden": 0.5}])
def test_every_variant_learns_scores_and_comes_back(changes: dict[str, Any]) -> None:
    detector, images = fitted(**changes), healthy(3, grid=(32, 32), seed=5)
    before = detector.score(images)
    after = MaskedAutoencoder(**detector.settings).restore(detector.state()).score(images)
    for one, two in ((before.map, after.map), (before.image, after.image)):
        assert one is not None
        assert two is not None
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_without_the_classifiers_score_the_map_is_to_be_pooled() -> None:
    scores = fitted(image_score="map").score(healthy(2, grid=(32, 32)))
    assert scores.image is None
    assert scores.map is not None


def test_learning_resumes_in_either_stage_as_if_never_interrupted(tmp_path: Path) -> None:
    images = healthy(8, grid=(32, 32))
    whole = MaskedAutoencoder(**SMALL).fit(images, run=RUN)
    for stage, steps in (("masked-autoencoder", 2), ("masked-autoencoder-classifier", 1)):
        folder = tmp_path / stage

        class Stop(Exception):
            pass

        def listen(progress: Progress, stage: str = stage, steps: int = steps) -> None:
            if progress.stage == stage and progress.done >= steps:
                raise Stop

        folder.mkdir()
        with pytest.raises(Stop):
            MaskedAutoencoder(**SMALL).fit(images, run=Run(device="cpu", precision="32", folder=folder, listen=listen))
        again = MaskedAutoencoder(**SMALL).fit(
            images, run=Run(device="cpu", precision="32", folder=folder, resume=True)
        )
        for name, value in whole.state().items():
            np.testing.assert_allclose(again.state()[name], value, atol=1e-5)


def test_the_papers_size_is_the_papers() -> None:
    settings = MaskedAutoencoder.preset("paper").settings
    with torch.device("meta"):
        network = MaskedAutoencoder(**settings)._build((1, 224, 224))
    assert isinstance(network, MaskedViT)
    assert network.patches == 196
    encoder = sum(weight.numel() for weight in network.encoder.parameters())
    assert encoder == pytest.approx(85.06e6, rel=1e-3)  # ViT-Base's twelve blocks and last norm


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hidden": 1.0}, "hidden"),
        ({"hidden": 0.2, "draws": 4}, "draws"),
        ({"side": 4}, "side"),
        ({"smallest_crop": 0.0}, "smallest_crop"),
        ({"pseudo": "bright"}, "soft-spots"),
        ({"classifier": "svm"}, "cnn"),
        ({"image_score": "mean"}, "map"),
        ({"assemble": "mean"}, "pasted"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_good_value(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        MaskedAutoencoder(**changes)


def test_an_image_of_fewer_than_four_patches_is_refused() -> None:
    with pytest.raises(SettingError, match="patch="):
        MaskedAutoencoder(patch=32).fit(healthy(2, grid=(32, 32)), run=RUN)
