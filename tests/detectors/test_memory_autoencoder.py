"""The memory autoencoder: its settings, its loss, what it cannot draw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.detectors.memory_autoencoder import MemoryAutoencoder
from halescan.errors import SettingError
from halescan.training.history import read_history
from halescan.training.run import Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": None, "widths": (8, 16), "slots": 20, "steps": 80, "batch_size": 8}


def fitted(**changes: Any) -> MemoryAutoencoder:
    return MemoryAutoencoder(**SMALL | changes).fit(healthy(16, grid=(24, 24)), run=RUN)


@pytest.mark.parametrize(
    "changes", [{"where": "latent"}, {"similarity": "dot", "temperature": 1.0}, {"shrink": 0.0}, {"residual": "l2"}]
)
def test_every_variant_finds_a_lesion(changes: dict[str, Any]) -> None:
    detector = fitted(**changes)
    images = healthy(4, grid=(24, 24), seed=5)
    plain, ill = (detector.score(some).map for some in (images, with_lesion(images, contrast=0.5)))
    assert plain is not None
    assert ill is not None
    assert (ill.max((1, 2)) > plain.max((1, 2))).all()


def test_what_was_never_remembered_cannot_be_drawn() -> None:
    detector = fitted()
    images = healthy(4, grid=(24, 24), seed=5)
    healthy_error, strange_error = (
        np.square(detector.score(some).reconstruction - some).mean() for some in (images, 1 - images)
    )
    assert strange_error > 5 * healthy_error


def test_the_entropy_is_told_beside_the_error(tmp_path: Path) -> None:
    MemoryAutoencoder(**SMALL | {"steps": 3}).fit(healthy(8, grid=(24, 24)), run=replace(RUN, folder=tmp_path))
    (row,) = read_history(tmp_path / "history.jsonl")
    assert row["loss"] == pytest.approx(row["mse"] + row["entropy"])
    assert 0 < row["entropy"] < 2e-4 * np.log(20)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"where": "nowhere"}, "places"),
        ({"similarity": "likely"}, "cosine"),
        ({"residual": "l3"}, "ssim"),
        ({"slots": 0}, "200"),
        ({"widths": ()}, "16,32,64,64"),
        ({"shrink": 300.0}, r"\[0, slots\]"),
        ({"temperature": 0.0}, "0.1"),
        ({"side": 4}, "64"),
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        MemoryAutoencoder(**wrong)
