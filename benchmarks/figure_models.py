"""Models for the pictures of the two methods that `compare.py` cannot train: they need labels, or several contrasts."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from real_sets import DATA, WEIGHTS

import halescan
from halescan.synthesis import chest_slice, plant_lesion
from halescan.workflows.model import Model, load_model

BUSI = DATA / "us-busi"
ENERGIES = ((2.2, 220.0), (1.0, 70.0), (0.6, 20.0))  # at 40, 70 and 140 keV: factor of bone's HU, HU of the uptake
LEARNED = 80  # phantoms
PHANTOMS = {"healthy/h": None, "uptake/u": 1.0, "no uptake/n": 0.0}
DIAMETER_MM = 28.0


def with_labels(work: Path, shown: set[str]) -> Model:
    """`guided-diffusion` on us-busi: its abnormal images are those of the test part that are not shown.

    For a picture alone: nothing is measured with a model that has learned from test images.
    """
    folder = work / "guided-diffusion"
    if not (folder / "model").exists():
        ill = folder / "abnormal"
        shutil.rmtree(ill, ignore_errors=True)
        ill.mkdir(parents=True)
        for path in sorted((BUSI / "test" / "abnormal").iterdir()):
            if path.name not in shown:
                shutil.copy(path, ill)
        halescan.train(
            BUSI / "train" / "healthy",
            profile="ultrasound",
            detector="guided-diffusion",
            abnormal=ill,
            out=folder / "model",
            weights=WEIGHTS,
            resume=(folder / "model.partial").exists(),
        )
    return load_model(folder / "model")


def with_contrasts(work: Path) -> tuple[Model, Path, tuple[str, ...]]:
    """`modality-translation` on phantoms seen at three X-ray energies; the folder of its test scans, and those."""
    folder = work / "modality-translation"
    scans = tuple(f"{name}.npy" for name in PHANTOMS)
    if not (folder / "model").exists():
        shutil.rmtree(folder, ignore_errors=True)
        draw_phantoms(folder)
        halescan.train(
            folder / "train",
            profile="generic",
            profile_settings={"channels": 3},
            detector="modality-translation",
            out=folder / "model",
        )
    return load_model(folder / "model"), folder / "test", scans


def draw_phantoms(folder: Path) -> None:
    """Healthy chests to learn from, and three to look at: healthy, a nodule that takes up iodine, one that does not."""
    (folder / "train").mkdir(parents=True)
    for seed in range(LEARNED):
        np.save(folder / "train" / f"{seed:03d}.npy", at_energies(chest_slice(seed).pixels, 0.0, seed))
    for seed, (name, share) in enumerate(PHANTOMS.items(), start=1000):
        scan = chest_slice(seed)
        pixels, uptake = scan.pixels, np.zeros(scan.shape)
        path = folder / "test" / f"{name}.npy"
        if share is not None:
            pixels, mask = plant_lesion(pixels, scan.spacing_mm or (1.0, 1.0), seed, diameter_mm=DIAMETER_MM)
            uptake = share * mask
            (folder / "test" / "masks").mkdir(exist_ok=True, parents=True)
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "test" / "masks" / f"{path.stem}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, at_energies(pixels, uptake, seed))


def at_energies(pixels: np.ndarray, uptake: np.ndarray | float, seed: int) -> np.ndarray:
    """HU `(y, x)` to `(y, x, 3)`: bone and what has taken up iodine grow denser as the energy falls."""
    random = np.random.default_rng([seed, 9])
    bone = np.clip(pixels - 100, 0, None)
    seen = [pixels + (factor - 1) * bone + iodine * uptake for factor, iodine in ENERGIES]
    return np.stack([layer + random.normal(0, 8, pixels.shape) for layer in seen], axis=-1).astype(np.float32)
