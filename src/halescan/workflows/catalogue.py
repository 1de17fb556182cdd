"""Catalogue: what there is to choose from, as rows of facts."""

from pathlib import Path
from typing import Any

from halescan.detectors import catalogue, find_detector
from halescan.workflows.detector_settings import settings_of


def detector_facts() -> list[dict[str, Any]]:
    """One row a detector: what it takes, what it needs, where it comes from."""
    return [_facts(name) for name in catalogue()]


def detector_record(name: str) -> dict[str, Any]:
    """The facts about one detector, and all its settings.

    Raises:
        SettingError: if there is no such detector; lists those there are.
    """
    return {**_facts(name), "settings": [one.record() for one in settings_of(name)]}


def detector_records() -> list[dict[str, Any]]:
    """The same of every detector."""
    return [detector_record(name) for name in catalogue()]


def detector_lines(name: str) -> list[str]:
    """The facts about one detector in lines.

    Raises:
        SettingError: if there is no such detector; lists those there are.
    """
    facts = _facts(name)
    told = {
        "source": facts["source"],
        "dimensions": " and ".join(f"{dims}-D" for dims in facts["dimensions"]),
        "channels": " or ".join(map(str, facts["channels"])),
        "pretrained weights": facts["pretrained_weights"],
        "learns from": facts["supervision"],
    }
    return [f"{name}: {facts['summary']}", *(f"{key}: {value}" for key, value in told.items())]


def setting_rows(name: str) -> list[dict[str, str]]:
    """One row a setting of a detector, in words."""
    return [one.words() for one in settings_of(name)]


def _facts(name: str) -> dict[str, Any]:
    kind = find_detector(name)
    return {
        "name": name,
        "summary": kind.summary,
        "dimensions": list(kind().dims),  # of an ensemble: what its usual members share
        "channels": list(kind.channels),
        "pretrained_weights": "better with" if kind.needs_weights else "none",
        "supervision": "supervised: needs abnormal examples" if kind.needs_abnormal else "healthy scans alone",
        "source": kind.source,
    }


def source_of(name: str) -> str:
    """The publication behind a detector, to cite."""
    kind = find_detector(name)
    return f"{kind.name}: {kind.source}"


def profile_facts() -> list[dict[str, Any]]:
    """One row a profile."""
    from halescan.data.profiles import load_profile, profile_names

    return [
        {
            "name": name,
            "for": profile.title,
            "dimensions": profile.dims,
            "channels": profile.channels,
            "size": list(profile.size),
            "intensity": profile.intensity,
            "mask": profile.mask,
            "pooling": profile.pooling,
            "detector": profile.detector,
        }
        for name, profile in ((name, load_profile(name)) for name in profile_names())
    ]


def backbone_facts(weights: Path | None = None) -> list[dict[str, Any]]:
    """One row a backbone at hand."""
    from halescan.detectors.patchcore import backbones_at_hand

    return backbones_at_hand(weights)


def fetch_backbone(name: str, weights: Path | None = None) -> Path:
    """Fetch a backbone from the hub into the weights folder."""
    from halescan.detectors.patchcore import fetch_backbone as fetch

    return fetch(name, weights)
