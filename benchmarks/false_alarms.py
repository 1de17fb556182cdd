"""Does the false-alarm rate hold? On simulated scores exactly; on real healthy images over 20 splits by patient.

    python benchmarks/false_alarms.py        writes results/false_alarms.json and .md

For each real set, four models (one, where training takes minutes) learn from their own draw of half the patients of
`train/healthy`; the others are dealt by chance into a calibrating and a held-out half, 20 times in all. One image a
patient is drawn in the held-out half, since the guarantee is for one new image of a new patient. The realised count
must lie in the central 95 % of its beta-binomial distribution. Then the same on `test/healthy`: half of its patients
calibrate, as `halescan recalibrate` would do with them, and the other half is counted, over 20 draws.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from real_sets import DATA, SETS, TRAINED, WEIGHTS, machine

import halescan
from halescan.data.dataset import CohortImages
from halescan.data.profiles import load_profile
from halescan.scoring.calibration import Calibration, false_alarm_range
from halescan.training.run import Run
from halescan.workflows.calibrate import measured
from halescan.workflows.healthy import healthy_cohort, unit_numbers
from halescan.workflows.measure import Measure
from halescan.workflows.train import learn_places, new_detector

HERE = Path(__file__).parent
RATES = (0.01, 0.05, 0.10)
DRAWS = 20


def main() -> None:
    """Run all sets and write what was found."""
    (HERE / "results").mkdir(exist_ok=True)
    found: dict[str, Any] = {"simulated": simulated(), "sets": {}}
    found |= {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "version": halescan.__version__}
    for name, profile in SETS.items():
        found["sets"][name] = real(name, profile)
        (HERE / "results" / "false_alarms.json").write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "results" / "false_alarms.md").write_text(table(found))
        print(name, json.dumps(found["sets"][name]), flush=True)


def simulated(draws: int = 20_000, units: int = 99) -> dict[str, float]:
    """Share of exchangeable healthy scores called above the threshold, at rates 99 units support exactly."""
    rng = np.random.default_rng(0)
    scores = rng.gamma(2, 1, (draws, units + 1))
    alarms = dict.fromkeys(RATES, 0)
    for row in scores:
        calibration = Calibration(scores=row[:-1])
        for rate in RATES:
            alarms[rate] += calibration.p_value(row[-1])[0] <= rate + 1e-9
    return {f"{rate:.2f}": alarms[rate] / draws for rate in RATES}


def real(name: str, profile: str) -> dict[str, Any]:
    """One set: held-out healthy patients of train, then the healthy of test."""
    recipe = load_profile(profile)
    train = healthy_cohort(DATA / name / "train" / "healthy", None, None)
    test = healthy_cohort(DATA / name / "test" / "healthy", None, None)
    rows: dict[str, list[tuple[int, int, int, int]]] = {f"{rate:.2f}": [] for rate in RATES}
    after: dict[str, list[tuple[int, int, int, int]]] = {f"{rate:.2f}": [] for rate in RATES}
    with tempfile.TemporaryDirectory() as folder:
        images = CohortImages(train.items, recipe, folder=Path(folder) / "train", jobs=2)
        others = CohortImages(test.items, recipe, folder=Path(folder) / "test", jobs=2)
        units = unit_numbers(train, images.item_of)[0]
        models = 1 if recipe.detector in TRAINED else 4
        for seed in range(models):
            rng = np.random.default_rng([seed, 7])
            learn, rest = halves(units, rng)
            measure = learned(recipe, images, learn, seed, Path(folder), units)
            scores = scores_of(measure, images, rest)
            for _ in range(DRAWS // models):
                one, two = halves(units[rest], rng)
                count(rows, scores[one], units[rest][one], scores[two], units[rest][two], rng)
            new, groups = scores_of(measure, others, np.arange(len(others))), unit_numbers(test, others.item_of)[0]
            for _ in range(DRAWS // models):
                one, two = halves(groups, rng)
                count(after, new[one], groups[one], new[two], groups[two], rng)
    return {"train": summary(rows), "recalibrated on half of test/healthy": summary(after)}


def learned(
    recipe: Any, images: CohortImages, learn: np.ndarray, seed: int, folder: Path, units: np.ndarray
) -> Measure:
    """The profile's detector, learned from these images."""
    run = Run(seed, weights=WEIGHTS, folder=folder / f"run-{seed}")
    detector = new_detector(recipe, None).fit(images.subset(learn), run=run)
    return Measure(detector, recipe, learn_places(detector, recipe, images, learn, learn[:0], units))


def scores_of(measure: Measure, images: CohortImages, where: np.ndarray) -> np.ndarray:
    """Scores of the images at these places, in their order."""
    found = np.empty(len(images))
    for chunk, one in measured([(measure, where)], images, lambda progress: None):
        found[chunk] = one.scores
    return found[where]


def halves(units: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places of two halves that share no unit."""
    known = rng.permutation(np.unique(units))
    first = np.isin(units, known[: len(known) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


def count(
    rows: dict[str, list[tuple[int, int, int, int]]],
    scores: np.ndarray,
    groups: np.ndarray,
    new: np.ndarray,
    new_groups: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Alarms among one image of each new unit, at every rate the calibrating units support."""
    calibration = Calibration(scores=scores, groups=groups, unit="patient")
    chosen = [rng.choice(np.flatnonzero(new_groups == group)) for group in np.unique(new_groups)]
    for rate in RATES:
        if calibration.supports(rate):
            threshold = calibration.threshold(rate)
            low, high = false_alarm_range(len(chosen), calibration.units, rate)
            rows[f"{rate:.2f}"].append((int((new[chosen] > threshold).sum()), len(chosen), low, high))


def summary(rows: dict[str, list[tuple[int, int, int, int]]]) -> dict[str, Any]:
    """Mean realised rate and how many of the draws lie inside the range, for each supported rate."""
    return {
        rate: {
            "mean_realised": float(np.mean([alarms / total for alarms, total, _, _ in found])),
            "inside": sum(low <= alarms <= high for alarms, _, low, high in found),
            "draws": len(found),
        }
        for rate, found in rows.items()
        if found
    }


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["| scores | asked | mean realised | draws inside the 95 % beta-binomial range |", "|---|---|---|---|"]
    for rate, share in found["simulated"].items():
        lines.append(f"| simulated, exchangeable, 99 units | {float(rate):.0%} | {share:.2%} | |")
    for name, parts in found["sets"].items():
        for part, rates in parts.items():
            for rate, one in rates.items():
                inside = f"{one['inside']} of {one['draws']}"
                lines.append(f"| {name}, {part} | {float(rate):.0%} | {one['mean_realised']:.1%} | {inside} |")
    return "\n".join(lines) + f"\n\n{found['date']}, {found['machine']}, Halescan {found['version']}.\n"


if __name__ == "__main__":
    main()
