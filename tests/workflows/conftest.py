"""A model of phantoms that takes a second to train."""

from pathlib import Path

import pytest

from halescan.synthesis.cohort import PhantomFolders
from halescan.workflows.train import train


@pytest.fixture(scope="session")
def model_folder(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`healthy-atlas` on small phantom slices, calibrated on twenty people."""
    out = tmp_path_factory.mktemp("models") / "atlas"
    train(phantoms.healthy, profile="lung-ct", detector="healthy-atlas", profile_settings={"size": [64, 64]}, out=out)
    return out
