"""What a method draws of unseen healthy images, held against their mean."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.detectors import find_detector
from halescan.detectors.base import Detector
from halescan.detectors.healthy_atlas import HealthyAtlas
from halescan.evaluation.baselines import HealthyMean
from halescan.reporting.notes import weight_of
from halescan.synthesis.cohort import PhantomFolders
from halescan.training.run import Run
from halescan.types import Batch, Note, Scores, Stack
from halescan.workflows.drawn import poor_reconstruction
from halescan.workflows.examine import examine
from halescan.workflows.model import load_model
from halescan.workflows.train import train
from tests.detectors.bodies import contrasts, healthy

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 16, "widths": [8, 8], "latent": 6, "batch_size": 8}
LONG = {**SMALL, "steps": 100, "learning_rate": 1e-2}


def told(detector: Detector, learned: np.ndarray, new: np.ndarray) -> Note | None:
    """What is said of a method that learned from some images, by others."""
    return poor_reconstruction(detector.fit(learned, run=RUN), HealthyMean().fit([learned]), Stack(new))


def bodies(count: int, *, seed: int) -> np.ndarray:
    """Bodies of all greys: their mean is none of them."""
    greys = np.random.default_rng(seed).uniform(0.3, 1.5, (count, 1, 1, 1))
    return (healthy(count, grid=(16, 16), seed=seed) * greys).astype(np.float32)


def test_who_has_learned_to_draw_is_told_nothing() -> None:
    assert told(find_detector("autoencoder")(**LONG), bodies(24, seed=0), bodies(8, seed=1)) is None


@pytest.mark.parametrize("settings", [{"steps": 2}, {"steps": 30, "learning_rate": 9.9}])
def test_a_training_too_short_or_diverged_is_told(settings: dict[str, Any]) -> None:
    found = told(find_detector("autoencoder")(**SMALL, **settings), bodies(24, seed=0), bodies(8, seed=1))
    assert found is not None
    assert found.values["error"] >= found.values["mean_error"]  # type: ignore[operator]
    assert found.values["method"] == "autoencoder"


def test_a_member_of_an_ensemble_is_held_to_the_same_unless_it_has_no_say() -> None:
    members = [{"detector": "healthy-atlas"}, {"detector": "autoencoder", "settings": {**SMALL, "steps": 2}}]
    images, new = bodies(24, seed=0), bodies(8, seed=1)
    found = told(find_detector("ensemble")(members=members), images, new)
    assert found is not None
    assert found.values["method"] == "autoencoder"
    assert told(find_detector("ensemble")(members=members, weights=[1, 0]), images, new) is None


class _Inverted(HealthyAtlas):
    """Draws the first channel inside out, and hands the others back as they are."""

    def _measure(self, batch: Batch) -> Scores:
        drawn = batch.images.copy()
        drawn[:, 0] = 1 - drawn[:, 0]
        return Scores(map=super()._measure(batch).map, reconstruction=drawn)


def test_channels_that_are_not_drawn_do_not_hide_the_one_that_is() -> None:
    images = contrasts(12, grid=(16, 16))
    found = told(_Inverted(), images, contrasts(4, grid=(16, 16), seed=5))
    assert found is not None
    assert found.values["error"] > 0.3  # type: ignore[operator]  # of the first channel alone


def test_a_method_that_draws_nothing_is_told_nothing() -> None:
    assert told(find_detector("healthy-atlas")(), bodies(24, seed=0), bodies(8, seed=1)) is None


def test_the_card_the_terminal_and_the_report_say_it(phantoms: PhantomFolders, tmp_path: Path) -> None:
    model = train(
        phantoms.healthy,
        profile="lung-ct",
        profile_settings={"size": [32, 32]},
        detector="autoencoder",
        detector_settings={**SMALL, "steps": 2},
        out=tmp_path / "m",
    )
    says = "autoencoder draws healthy images no better than their plain mean would"
    assert says in (tmp_path / "m" / "card.md").read_text()
    assert any(says in line for line in model.lines())
    note = load_model(tmp_path / "m").poor_reconstruction
    assert note is not None
    done = examine(tmp_path / "m", sorted(phantoms.new.iterdir())[0], out=tmp_path / "out", formats=("html",))
    assert "poor-reconstruction" in {note["key"] for note in done.records[0]["notes"]}
    assert says in next((tmp_path / "out").glob("case-*/report.html")).read_text()
    assert weight_of("poor-reconstruction") < weight_of("cross-conformal")
