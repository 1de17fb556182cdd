"""Is what finds planted anomalies what finds disease? Rank correlation of choosing without labels with the true AUROC.

    python benchmarks/choosing.py                          development: train, measure; table of the even half
    python benchmarks/choosing.py --report                 the tables of both halves, from the rows at hand

Rows go to results/choosing.jsonl as they come, and a run goes on where the last one stopped. Small on purpose: images
of 128 pixels (histology 224), 120 healthy ones to learn from, up to 100 + 100 to test, a minute or so of learning. The
same code measures poolings from the same maps. Labels are read for the true AUROC alone, which nothing chosen sees.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from halescan.data.dataset import CohortImages
from halescan.data.profiles import Profile, load_profile
from halescan.data.table import Cohort, read_cohort
from halescan.detectors import Detector, find_detector
from halescan.synthesis.anomalies import ANOMALIES
from halescan.training.run import Run
from halescan.types import Batch
from halescan.workflows.choose import Candidate, Evidence, gather, rank
from halescan.workflows.measure import Measure
from halescan.workflows.places import NO_PLACES
from halescan.workflows.train import learn_places

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HALESCAN_DATA", HERE.parent.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", HERE.parent.parent / "shared" / "weights"))
ROWS = HERE / "results" / "choosing.jsonl"
SETS = {
    "us-busi": "ultrasound",
    "mri-lgg-flair": "brain-mri",
    "ct-sarscov2": "lung-ct",
    "cxr-kermany": "chest-xray",
    "histo-hpylori": "histology",
}
LEARN, PLACE, PLANT, TEST = 120, 25, 30, 100  # healthy images learned from, for places, planted in; test images a class
SEEDS = (0, 1)
POOLINGS: dict[str, tuple[str, float]] = {
    "mean": ("mean", 1.0),
    "top5%": ("top", 0.05),
    "top1%": ("top", 0.01),
    "max": ("max", 1.0),
}
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "healthy-atlas": ("healthy-atlas", {}),
    "padim 6-10-13": ("padim", {"grid": None}),
    "patchcore 6-10-13": ("patchcore", {"levels": (6, 10, 13)}),
    "autoencoder 300": ("autoencoder", {"steps": 300}),
    "denoising 120": ("denoising-autoencoder", {"steps": 120, "batch_size": 8}),
    "patchcore 3-6": ("patchcore", {"levels": (3, 6)}),
    "patchcore 10-13-17": ("patchcore", {"levels": (10, 13, 17)}),
    "patchcore 6-10 anywhere": ("patchcore", {"levels": (6, 10), "neighbourhood": None, "coreset": 4000}),
    "padim 10-13-17": ("padim", {"levels": (10, 13, 17), "grid": None}),
    "padim 3-6": ("padim", {"levels": (3, 6), "grid": 16}),
    "autoencoder 20": ("autoencoder", {"steps": 20}),
    "autoencoder 60": ("autoencoder", {"steps": 60}),
    "autoencoder 1000": ("autoencoder", {"steps": 1000}),
    "autoencoder 300 wide": ("autoencoder", {"steps": 300, "latent": 128}),
    "denoising 400": ("denoising-autoencoder", {"steps": 400, "batch_size": 8}),
}
LATER = ("veil",)  # came when the first rows were at hand: seen apart, so that all rows are comparable
FIRST = tuple(kind for kind in ANOMALIES if kind not in LATER)
RESIDUALS = ("l1", "ssim")  # of one autoencoder


def main() -> None:
    """Measure what is missing and write the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sets", default=",".join(SETS))
    words.add_argument("--trainings", default=",".join(TRAININGS))
    words.add_argument("--report", action="store_true", help="write the table with the odd half from the rows at hand")
    given = words.parse_args()
    if not given.report:
        torch.set_num_threads(1)
        for training in given.trainings.split(","):
            for name in given.sets.split(","):
                known = [row for row in rows_at_hand() if row["set"] == name and row["training"] == training]
                if not known or not set(LATER) <= set(known[0]["by_kind"]):
                    with tempfile.TemporaryDirectory() as folder:
                        measure_one(name, training, Path(folder), known)
    (HERE / "results" / "choosing.md").write_text(table(rows_at_hand(), report=given.report))


def rows_at_hand() -> list[dict[str, Any]]:
    """What was measured so far."""
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.exists() else []


def measure_one(name: str, training: str, folder: Path, known: list[dict[str, Any]]) -> None:
    """One training of one set with every seed, all its poolings: a row each; rows at hand only get later kinds."""
    begun = time.perf_counter()
    recipe = small(load_profile(SETS[name]))
    train = read_cohort(DATA / name / "train" / "healthy", label="healthy")
    images = CohortImages(train.items, recipe, folder=folder / "train", jobs=1)
    learned, place, plant = parts(np.asarray(train.groups())[images.item_of])
    detectors = [
        fitted(training, images, np.random.default_rng(seed).permutation(learned)[: round(0.8 * len(learned))], seed)
        for seed in SEEDS
    ]
    fit_s = time.perf_counter() - begun
    candidates = [one for pair in detectors_of(detectors) for one in recipes(pair, recipe, images, place)]
    later = {row.name: row.by_kind for row in rank(gather(candidates, images.subset(plant), kinds=LATER)).ranking}
    if known:
        add_kinds(training, name, later)
        return
    evidence = gather(candidates, images.subset(plant), kinds=FIRST)
    truth, half, scores = tested(name, recipe, candidates, folder)
    standings = {row.name: row for row in rank(evidence).ranking}
    with ROWS.open("a") as sink:
        for one in candidates:
            stand = standings[one.name]
            true = {f"true_{which}": aurocs(truth[those], scores[one.name][:, those]) for which, those in half.items()}
            row = {
                "set": name,
                "training": training,
                "recipe": f"{training} {one.name}",
                **true,
                "synthetic": stand.synthetic["value"],
                "by_kind": stand.by_kind | later[one.name],
                "paired": paired(evidence, one.name),
                "agreement": stand.agreement,
                "map_agreement": stand.map_agreement,
                "seconds": round(fit_s, 1),
            }
            sink.write(json.dumps(row) + "\n")
    print(name, training, f"{fit_s:.0f} s to fit, {time.perf_counter() - begun:.0f} s in all", flush=True)


def add_kinds(training: str, name: str, later: dict[str, dict[str, float]]) -> None:
    """Complete the rows of a training with kinds of anomalies that came later."""
    rows = rows_at_hand()
    for row in rows:
        if row["set"] == name and row["training"] == training:
            row["by_kind"] |= later[row["recipe"].removeprefix(f"{training} ")]
    ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(name, training, "later kinds", flush=True)


def small(recipe: Profile) -> Profile:
    """The profile on a smaller grid, its smoothing with it."""
    if recipe.name == "histology" or max(recipe.size) <= 128:
        return recipe
    return recipe.model_copy(update={"size": (128, 128), "smooth_px": recipe.smooth_px * 128 / max(recipe.size)})


def parts(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the images to learn from, to know places from, and to plant in: no unit in two of them."""
    order = np.random.default_rng(0).permutation(np.unique(groups))
    shuffled = np.concatenate([np.flatnonzero(groups == unit) for unit in order])
    plant, place = min(PLANT, len(groups) // 4), min(PLACE, len(groups) // 5)
    cut = [edge(groups[shuffled], plant), edge(groups[shuffled], plant + place)]
    return shuffled[cut[1] :][:LEARN], shuffled[cut[0] : cut[1]][:PLACE], shuffled[: cut[0]][:PLANT]


def edge(groups: np.ndarray, wanted: int) -> int:
    """The first place from `wanted` on where another unit begins."""
    return next(place for place in range(wanted, len(groups)) if groups[place] != groups[place - 1])


def fitted(training: str, images: CohortImages, learned: np.ndarray, seed: int) -> tuple[Detector, np.ndarray]:
    """A detector learned from four fifths of the images: other seeds see others, as other cohorts would."""
    kind, settings = TRAININGS[training]
    if kind == "denoising-autoencoder" and images.shape[-1] > 128:  # as long, not as many steps
        settings = {**settings, "steps": settings["steps"] // 3}
    detector = find_detector(kind)(**settings)
    return detector.fit(images.subset(np.sort(learned)), run=Run(seed, "cpu", weights=WEIGHTS)), np.sort(learned)


def detectors_of(pairs: list[tuple[Detector, np.ndarray]]) -> Iterator[tuple[str, list[tuple[Detector, np.ndarray]]]]:
    """The detectors of all seeds, once for each residual they can be read by without learning again."""
    first = pairs[0][0]
    if first.name != "autoencoder":
        yield "", pairs
        return
    for residual in RESIDUALS:
        again = [type(d)(**{**d.settings, "residual": residual}).restore(d.state()) for d, _ in pairs]
        yield f"{residual} ", [(detector, learned) for detector, (_, learned) in zip(again, pairs, strict=True)]


def recipes(
    named: tuple[str, list[tuple[Detector, np.ndarray]]], recipe: Profile, images: CohortImages, place: np.ndarray
) -> Iterator[Candidate]:
    """All poolings, with and without places compared."""
    prefix, pairs = named
    compared = recipe.model_copy(update={"standardise": True})
    units = np.arange(len(images))
    places = [learn_places(detector, compared, images, learned, place, units) for detector, learned in pairs]
    for standardise in (False, True):
        for pooling, (how, share) in POOLINGS.items():
            own = recipe.model_copy(update={"pooling": how, "top_share": share, "standardise": standardise})
            measures = tuple(
                Measure(detector, own, known if standardise else NO_PLACES)
                for (detector, _), known in zip(pairs, places, strict=True)
            )
            yield Candidate(f"{prefix}{'places ' if standardise else ''}{pooling}", measures)


def tested(
    name: str, recipe: Profile, candidates: list[Candidate], folder: Path
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Labels `(n,)`, which half each image is of, and each candidate's scores `(seeds, n)` on the test images."""
    cohort = read_cohort(DATA / name / "test")
    cohort = cohort.subset(np.concatenate([some_of(cohort, name, label) for label in ("healthy", "abnormal")]))
    images = CohortImages(cohort.items, recipe, folder=folder / "test", jobs=1)
    items = [cohort.items[int(number)] for number in images.item_of]
    truth = np.array([item.label == "abnormal" for item in items])
    odd = np.array(
        [is_odd(item.patient or f"test/{item.source.path.parent.name}/{item.source.path.name}") for item in items]
    )
    scores: dict[str, list[np.ndarray]] = {one.name: [] for one in candidates}
    for start in range(0, len(images), 16):
        batch = images.take(range(start, min(start + 16, len(images))))
        for one, found in together(candidates, batch):
            scores[one].append(found)
    return truth, {"even": ~odd, "odd": odd}, {key: np.concatenate(parts, axis=1) for key, parts in scores.items()}


def together(candidates: list[Candidate], batch: Batch) -> Iterator[tuple[str, np.ndarray]]:
    """Scores `(seeds, n)` of a batch by each candidate, each detector asked once."""
    answers: dict[int, Any] = {}

    class Answered:
        def __init__(self, detector: Detector) -> None:
            self.name, self.device, self._detector = detector.name, detector.device, detector

        def score(self, images: Batch) -> Any:
            key = id(self._detector)
            if key not in answers:
                answers[key] = self._detector.score(images)
            return answers[key]

    for one in candidates:
        rows = [replace(measure, detector=Answered(measure.detector))(batch).scores for measure in one.measures]
        yield one.name, np.stack(rows)


def some_of(cohort: Cohort, name: str, label: str) -> np.ndarray:
    """Places of up to TEST test images of a class, drawn by a hash of their name."""
    places = [number for number, item in enumerate(cohort.items) if item.label == label]
    digest = {place: hashlib.sha256(cohort.items[place].source.path.name.encode()).hexdigest() for place in places}
    return np.array(list(islice(sorted(places, key=digest.__getitem__), TEST)))


def is_odd(patient: str) -> bool:
    """Which half a patient (a file, where unknown) is of, as in real_sets.py."""
    return int(hashlib.sha256(patient.encode()).hexdigest(), 16) % 2 == 1


def aurocs(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean over the seeds."""
    return float(np.mean([roc_auc_score(truth, row) for row in scores]))


def paired(evidence: Evidence, name: str) -> float:
    """Share of the copies that are stranger than the very image they were made from, the mean of the seeds."""
    found = []
    for row in evidence.scores[name]:
        own = row[~evidence.planted][evidence.origin[evidence.planted]]
        planted = row[evidence.planted]
        found.append(float(np.mean((planted > own) + 0.5 * (planted == own))))
    return float(np.mean(found))


def table(rows: list[dict[str, Any]], *, report: bool) -> str:
    """The page of results."""
    from choosing_table import page

    developed = page(rows, half="even")
    return page(rows, half="odd") + "\n" + developed if report else developed


if __name__ == "__main__":
    main()
