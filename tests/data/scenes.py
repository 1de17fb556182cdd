"""Small scenes of every kind of scan: just enough anatomy for masks and frames to hold on to."""

import os
from pathlib import Path

import numpy as np

from halescan.types import Scan

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("HALESCAN_DATA", ROOT.parent / "shared" / "data"))


def ellipse(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Bool `shape`, by shares of the sides."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = ((y + 0.5) / shape[0] - centre[0]) / radii[0], ((x + 0.5) / shape[1] - centre[1]) / radii[1]
    return across[0] ** 2 + across[1] ** 2 <= 1


def chest_ct(shape: tuple[int, int] = (160, 192), *, seed: int = 0) -> np.ndarray:
    """A chest slice in HU: body, two lungs, table below."""
    pixels = np.full(shape, -1000.0, np.float32)
    pixels[ellipse(shape, (0.47, 0.5), (0.36, 0.44))] = 40
    for side in (0.3, 0.7):
        pixels[ellipse(shape, (0.47, side), (0.25, 0.15))] = -850
    pixels[int(0.92 * shape[0]) : int(0.92 * shape[0]) + 3, 5:-5] = 100
    return pixels + np.random.default_rng(seed).normal(0, 15, shape).astype(np.float32)


def head_mri(shape: tuple[int, int] = (128, 112), *, seed: int = 0) -> np.ndarray:
    """A head: bright scalp, dark skull, grey brain, dark ventricles, noise around."""
    pixels = np.zeros(shape, np.float32)
    pixels[ellipse(shape, (0.5, 0.5), (0.42, 0.4))] = 700
    pixels[ellipse(shape, (0.5, 0.5), (0.38, 0.36))] = 60
    pixels[ellipse(shape, (0.5, 0.5), (0.35, 0.33))] = 300
    pixels[ellipse(shape, (0.5, 0.5), (0.1, 0.05))] = 70
    noise = np.random.default_rng(seed).normal(0, 6, shape).astype(np.float32)
    return np.abs(pixels + noise).astype(np.uint16)


def fan(shape: tuple[int, int] = (120, 160), *, seed: int = 0) -> np.ndarray:
    """An ultrasound fan with speckle and a black shadow in it, black around."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = (x + 0.5) / shape[1] - 0.5
    down = (y + 0.5) / shape[0]
    inside = (np.hypot(across, down) < 0.95) & (np.abs(across) < 0.05 + 0.5 * down)
    speckle = np.random.default_rng(seed).rayleigh(60, shape)
    pixels = np.where(inside, np.clip(speckle + 15, 0, 255), 0)
    pixels[(np.abs(across) < 0.05) & (down > 0.6)] = 0
    return pixels.astype(np.uint8)


def stained(shape: tuple[int, int] = (128, 128), *, seed: int = 0) -> np.ndarray:
    """A patch of slide: lilac glass on top, pale blue tissue with dark nuclei below."""
    rng = np.random.default_rng(seed)
    pixels = np.full((*shape, 3), (235, 233, 253), np.float32)
    half = shape[0] // 2
    pixels[half:] = (205, 210, 240)
    for y, x in rng.integers((half + 6, 6), (shape[0] - 6, shape[1] - 6), (25, 2)):
        pixels[y - 3 : y + 3, x - 3 : x + 3] = (110, 130, 190)
    return np.clip(pixels + rng.normal(0, 1, pixels.shape), 0, 255).astype(np.uint8)


def radiograph(shape: tuple[int, int] = (150, 180), *, seed: int = 0) -> np.ndarray:
    """A chest film: bright body, two darker lungs, 12 bits."""
    pixels = np.full(shape, 2600.0)
    for side in (0.3, 0.7):
        pixels[ellipse(shape, (0.45, side), (0.32, 0.16))] = 1200
    return (pixels + np.random.default_rng(seed).normal(0, 60, shape)).astype(np.uint16)


def scene(profile: str, *, seed: int = 0) -> Scan:
    """A 2-D scan of the kind that a profile is for."""
    if profile == "lung-ct":
        return Scan(chest_ct(seed=seed), 2, spacing_mm=(2.0, 2.0), unit="HU", modality="CT")
    if profile == "brain-mri":
        return Scan(head_mri(seed=seed), 2, spacing_mm=(1.8, 1.8), modality="MR")
    if profile == "ultrasound":
        return Scan(fan(seed=seed), 2, modality="US")
    if profile == "histology":
        return Scan(stained(seed=seed), 2)
    return Scan(radiograph(seed=seed), 2)


def affine_lps(directions: str, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """`(4, 4)` for axes (z, y, x) that lead to these letters."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, (letter, mm) in enumerate(zip(directions, spacing_mm, strict=True)):
        axis = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}[letter]
        affine[axis, column] = mm if letter in "LPS" else -mm
    return affine
