"""Calibrating: healthy units, and what stands together."""

from pathlib import Path

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.profiles import load_profile
from halescan.data.table import read_cohort
from halescan.synthesis.cohort import PhantomFolders
from halescan.workflows.calibrate import calibrate, chunks
from halescan.workflows.model import load_model

SMALL = load_profile("lung-ct", {"size": [64, 64]})


def test_images_are_measured_together_only_with_images_of_their_spacing(
    phantoms: PhantomFolders, tmp_path: Path
) -> None:
    images = CohortImages(read_cohort(phantoms.healthy).items[:12], SMALL, folder=tmp_path)
    seen = []
    for chunk, ordered in chunks(np.arange(12), images):
        assert not ordered
        assert len(np.unique(images.spacing_of[chunk], axis=0)) == 1
        seen += chunk.tolist()
    assert sorted(seen) == list(range(12))


def test_images_without_spacing_share_a_batch(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    images = CohortImages(read_cohort(tmp_path).items, load_profile("generic"), folder=tmp_path / "images")
    assert [len(chunk) for chunk, _ in chunks(np.arange(5), images)] == [5]


def test_each_patient_counts_once_however_many_images_there_are(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    cohort = read_cohort(phantoms.healthy)
    images = CohortImages(cohort.items, SMALL, folder=tmp_path)
    everyone = [(load_model(model_folder).measure, np.arange(len(images)))]
    found = calibrate(everyone, images, cohort, guarantee="split", listen=lambda progress: None).calibration
    assert found.unit == "patient"
    assert found.units == cohort.patients == 44


def test_calibration_scores_are_those_examine_would_give(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    from halescan.workflows.examine import examine
    from halescan.workflows.recalibrate import recalibrate

    new = recalibrate(model_folder, test_set / "healthy", split="test", out=tmp_path / "new")
    done = examine(new, test_set / "healthy", out=tmp_path / "out", formats=("json",))
    scores = sorted(record["verdict"]["score"] for record in done.records)
    np.testing.assert_allclose(scores, sorted(new.healthy.calibration.scores), rtol=1e-5)
    peaks = [
        max((finding["peak"] for scan in record["scans"] for finding in scan["findings"]), default=-np.inf)
        for record in done.records
    ]
    assert max(peaks) <= max(new.healthy.calibration.peaks) + 1e-5
