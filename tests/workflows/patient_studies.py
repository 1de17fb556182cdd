"""Made-up studies of patients: bluish patches, some with red-brown specks, as a table or as the H. pylori folders."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = {"NEG": "NEGATIVA", "LOW": "BAIXA", "HIGH": "ALTA"}
SPECKED = {"NEG": 0, "LOW": 2, "HIGH": 4}  # of six patches


def patch(random: np.random.Generator, *, ill: bool, side: int = 32) -> np.ndarray:
    """`(side, side, 3)` uint8."""
    colour = np.array([180.0, 185.0, 220.0]) + random.normal(0, 5, 3)
    image = colour + 6 * random.standard_normal((side, side, 3))
    if ill:
        for _ in range(3):
            y, x = random.integers(2, side - 8, 2)
            image[y : y + 6, x : x + 6] = (130, 60, 45)
    return np.clip(image, 0, 255).astype(np.uint8)


def cohort(negative: int, low: int, high: int) -> list[tuple[str, str]]:
    """Patients and what they have."""
    kinds = ["NEG"] * negative + ["LOW"] * low + ["HIGH"] * high
    return [(f"Doe-{number:03d}", kind) for number, kind in enumerate(kinds)]


def write_table(
    root: Path, people: list[tuple[str, str]], *, labels: str = "all", apiece: int = 6, seed: int = 0, side: int = 32
) -> Path:
    """`manifest.csv` with file, patient, label and diagnosis; `labels` is "all" or "none"."""
    random = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, kind in people:
        for number in range(apiece):
            ill = number < SPECKED[kind]
            file = f"{name}-{number}.png"
            Image.fromarray(patch(random, ill=ill, side=side)).save(root / file)
            label = "" if labels == "none" else "abnormal" if ill else "healthy"
            rows.append([file, name, label, kind])
    with (root / "manifest.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([["file", "patient", "label", "diagnosis"], *rows])
    return root


def write_hpylori(root: Path, people: list[tuple[str, str]], *, presence: int | None = None, seed: int = 0) -> Path:
    """The published folders, every patient with six annotated patches; `presence` overwrites the first window's."""
    random = np.random.default_rng(seed)
    windows = []
    for name, kind in people:
        folder = root / "AnnotatedPatches" / f"{name}_0"
        folder.mkdir(parents=True)
        for number in range(6):
            ill = number < SPECKED[kind]
            Image.fromarray(patch(random, ill=ill, side=64)).save(folder / f"{number:05d}.png")
            windows.append([name, 0, number, 1 if ill else -1])
    if presence is not None:
        windows[0][3] = presence
    with (root / "PatientDiagnosis.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([["CODI", "DENSITAT"], *([name, WORDS[kind]] for name, kind in people)])
    with (root / "HP_WSI-CoordAnnotatedWindows.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([["Pat_ID", "WSI_ID", "Window_ID", "Presence"], *windows])
    return root
