"""What many tests share: a home of their own, one thread, and a small phantom cohort with a model of it."""

import os
import signal
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from halescan.synthesis.cohort import PhantomFolders, write_cohort, write_test_set


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> None:
    """Where tests run in the background, a shell may have told them to ignore Ctrl-C, which some of them press."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_chance() -> None:
    """What a test draws does not hang on which tests ran before it in its process."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and identities of a test never reach the home of the person who runs it; no weights are found by chance."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HALESCAN_HOME", str(home))
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> PhantomFolders:
    """Forty healthy chest slices of forty people, and five new ones, three with a lesion."""
    return write_cohort(tmp_path_factory.mktemp("phantoms") / "cohort", healthy=44, unseen=5, lesions=3)


@pytest.fixture(scope="session")
def test_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled test set of phantoms with masks."""
    return write_test_set(tmp_path_factory.mktemp("phantoms") / "test", healthy=12, abnormal=12)
