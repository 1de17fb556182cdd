"""Small made-up patches of stained tissue: bluish, each patient in a tint of their own; the ill hold specks."""

import numpy as np


def patches(
    labels: np.ndarray, *, patients: int = 8, side: int = 32, channels: int = 3, stain: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Patches `(n, channels, side, side)` float32 in [0, 1] and the patient of each `(n,)`; both classes in each.

    `stain` is the colour of the specks: 1 strong, 0 none.
    """
    random = np.random.default_rng(seed)
    tints = random.normal(0, 0.03, (patients, 3, 1, 1))
    patient_of = np.empty(len(labels), np.int64)
    for label in (0, 1):
        places = np.flatnonzero(labels == label)
        patient_of[places] = np.arange(len(places)) % patients
    images = np.stack(
        [
            _one(random, tints[who], stain=stain * label, side=side)
            for who, label in zip(patient_of, labels, strict=True)
        ]
    )
    images = images if channels == 3 else images.mean(1, keepdims=True)
    return images.astype(np.float32), patient_of + 1000 * seed


def halves(healthy: int, abnormal: int, *, seed: int = 0) -> np.ndarray:
    """Labels `(n,)` in a shuffled order."""
    labels = np.repeat([0, 1], [healthy, abnormal])
    return np.random.default_rng(seed).permutation(labels)


def auroc(probability: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs in the right order, ties counting half."""
    ill, well = probability[labels == 1][:, None], probability[labels == 0]
    return float(np.mean((ill > well) + 0.5 * (ill == well)))


def chance_spread(labels: np.ndarray) -> float:
    """The standard deviation of the AUROC of scores that know nothing."""
    ill, well = int(labels.sum()), int((1 - labels).sum())
    return float(np.sqrt((ill + well + 1) / (12 * ill * well)))


def _one(random: np.random.Generator, tint: np.ndarray, *, stain: float, side: int) -> np.ndarray:
    colour = np.array([0.72, 0.74, 0.86])[:, None, None] + tint
    waves = sum(np.sin(random.uniform(0.2, 0.6) * grid + random.uniform(0, 6)) for grid in np.mgrid[:side, :side])
    image = colour - 0.05 * waves + 0.02 * random.standard_normal((3, side, side))
    for _ in range(random.integers(3, 6)):
        y, x = random.integers(0, side - 4, 2)
        speck = image[:, y : y + 4, x : x + 4]
        speck += stain * (np.array([0.55, 0.25, 0.2])[:, None, None] - speck)
    return np.clip(image, 0, 1)
