"""From patch to patient on H. pylori: how well patches and patients are told, by folds of patients.

    python benchmarks/hpylori.py                      all parts; writes results/hpylori.json and results/hpylori.md
    python benchmarks/hpylori.py --parts curve        some of: patches, original, cohort, curve, classifiers
    python benchmarks/hpylori.py --again              as if nothing had been learned before

patches   histo-hpylori, whole (542 healthy, 19 abnormal patches of 30 patients): AUROC of patches for the detector
          (healthy patches alone), the classifier (all labels) and their fusion, in four folds of patients.
original  hpylori-original in its published layout, five folds (the command's default): the same, with augmented copies
          to learn from. What it says of patients is shown and not to be trusted: no negative patient has crops there.
cohort    60 made-up patients of eight real patches each, in four folds that share no real patient. Patients are made
          up, patches are real: turned and mirrored at random, healthy and abnormal alike.
curve     the classifier with 5, 10 and all labelled abnormal patches of the training folds, three draws each.
classifiers  every classifier with all labels, on the same patches and folds.

Beside them all stands red-count, the share of red pixels of a patch, with which nothing is learned: what a method adds
is what it has over that.

About ten minutes on two quiet cores. The sets lie in HALESCAN_DATA, the backbone in HALESCAN_WEIGHTS; what is learned
is kept in HALESCAN_WORK (default ~/.cache/halescan-hpylori), so that a stopped run goes on where it was.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import halescan
from halescan.classifiers import CLASSIFIERS, find_classifier
from halescan.data.dataset import CohortImages
from halescan.data.folds import deal_patients
from halescan.data.item import Item
from halescan.data.profiles import load_profile
from halescan.data.table import read_cohort
from halescan.evaluation.metrics import image_metrics
from halescan.training.run import Progress, Run
from halescan.workflows.patient_level.baseline import red_shares

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HALESCAN_DATA", HERE.parent.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", HERE.parent.parent / "shared" / "weights"))
WORK = Path(os.environ.get("HALESCAN_WORK", Path.home() / ".cache" / "halescan-hpylori"))
RESULTS = HERE / "results"
SEED = 0
FOLDS = 4
DRAWS = 3
MADE_UP = (
    "Each of the 60 patients is eight real patches of H. pylori biopsies, turned and mirrored, drawn from one of four "
    "groups of real patients; no such patient exists, and the intervals do not count that patches come back."
)
# real patients with abnormal patches, by the group whose made-up patients are drawn from them
POSITIVE_GROUPS = (("B22-37", "B22-51"), ("B22-38",), ("B22-46", "B22-47"), ("B22-45", "B22-50"))
COHORT = ("NEG", "LOW", "NEG", "HIGH")  # dealt in turn to sixty made-up patients
PATCHES = 8
ABNORMAL = {"NEG": (0, 0), "LOW": (1, 2), "HIGH": (3, 6)}  # of eight


def main() -> None:
    """Run the parts and write what was found."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--parts", default="patches,original,cohort,curve,classifiers")
    words.add_argument("--again", action="store_true", help="learn again what was learned before")
    given = words.parse_args()
    if given.again:
        shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    target = RESULTS / "hpylori.json"
    known = json.loads(target.read_text()) if target.exists() else {"parts": {}}
    for name in given.parts.split(","):
        begun = time.perf_counter()
        found = PARTS[name]()
        known["parts"][name] = {**found, "seconds": round(time.perf_counter() - begun, 1)}
        known |= {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "version": halescan.__version__}
        RESULTS.mkdir(exist_ok=True)
        target.write_text(json.dumps(known, indent=1) + "\n")
        (RESULTS / "hpylori.md").write_text(page(known))
    print((RESULTS / "hpylori.md").read_text())


def patches() -> dict[str, Any]:
    """The patches of histo-hpylori; its patients' labels are those of their patches and say nothing of patients."""
    return told(run(DATA / "histo-hpylori" / "manifest.tsv", "patches", folds=FOLDS), patients=False)


def original() -> dict[str, Any]:
    """The published layout."""
    return told(run(DATA / "hpylori-original", "original", folds=5), patients=True)


def cohort() -> dict[str, Any]:
    """The made-up patients."""
    folder = WORK / "made-up"
    make_cohort(folder)
    return told(run(folder / "manifest.csv", "cohort", folds=FOLDS, made_up=MADE_UP), patients=True)


def run(data: Path, name: str, *, folds: int, made_up: str = "") -> dict[str, Any]:
    """One call of `halescan.patients`, gone on with where it was."""
    return halescan.patients(
        data,
        out=WORK / name,
        profile="histology",
        folds=folds,
        made_up=made_up,
        seed=SEED,
        weights=WEIGHTS,
        overwrite=True,
        listen=say,
        command="python benchmarks/hpylori.py",
    ).record


def told(record: dict[str, Any], *, patients: bool) -> dict[str, Any]:
    """What is kept of a record: no patient's row."""
    levels = ("patch", "patient") if patients else ("patch",)
    return {
        "n": record["n"],
        "folds": record["about"]["folds"],
        "detector": record["about"]["detector"],
        "classifier": record["about"]["classifier"],
        "made_up": record["about"]["made_up"],
        "remarks": record["remarks"],
        "methods": {
            name: {level: found[level] for level in levels}
            for name, found in {**record["methods"], **record["baselines"]}.items()
        },
    }


def make_cohort(folder: Path) -> None:
    """Write the made-up patients: patches, and a table with the fold each must lie in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    random = np.random.default_rng(SEED)
    pools = view_pools(random)
    rows: list[list[str]] = []
    for number in range(60):
        answer = COHORT[number % len(COHORT)]
        group = number // len(COHORT) % FOLDS
        least, most = ABNORMAL[answer]
        ill = int(random.integers(least, most + 1))
        views = [pools[group, "abnormal"].pop() for _ in range(ill)]
        views += [pools[group, "healthy"].pop() for _ in range(PATCHES - ill)]
        for place, (file, turn) in enumerate(views):
            name = f"made-up-{number:02d}-{place}.png"
            turned(file, turn).save(folder / name)
            label = "abnormal" if place < ill else "healthy"
            rows.append([name, f"made-up-{number:02d}", label, answer, f"group-{group}"])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as sink:
        csv.writer(sink, lineterminator="\n").writerows([["file", "patient", "label", "diagnosis", "fold"], *rows])


def view_pools(random: np.random.Generator) -> dict[tuple[int, str], list[tuple[Path, int]]]:
    """By group and label, real patches in one of eight positions each, shuffled: none is drawn twice."""
    items = read_cohort(DATA / "histo-hpylori" / "manifest.tsv").items
    group_of = {name: number for number, names in enumerate(POSITIVE_GROUPS) for name in names}
    others = sorted({str(item.patient) for item in items} - set(group_of))
    sizes = {name: sum(item.patient == name for item in items) for name in others}
    loads = [0] * FOLDS
    for name in sorted(others, key=lambda name: (-sizes[name], name)):  # the largest first, to where there is least
        group = loads.index(min(loads))
        group_of[name] = group
        loads[group] += sizes[name]
    pools: dict[tuple[int, str], list[tuple[Path, int]]] = {}
    for item in items:
        place = group_of[str(item.patient)], str(item.label)
        pools.setdefault(place, []).extend((item.source.path, turn) for turn in range(8))
    return {place: [views[at] for at in random.permutation(len(views))] for place, views in sorted(pools.items())}


def turned(file: Path, turn: int) -> Image.Image:
    """A patch in one of the eight positions of a square."""
    with Image.open(file) as picture:
        pixels = np.rot90(np.asarray(picture.convert("RGB")), turn % 4)
    return Image.fromarray(np.ascontiguousarray(pixels[:, ::-1] if turn >= 4 else pixels))


def curve() -> dict[str, Any]:
    """The classifier with few labels: the test part's patches of each fold, by what the other folds' labels taught."""
    held = labelled()
    return {
        **held.told,
        "draws": DRAWS,
        "classifier": "frozen-head",
        "red_count": image_metrics(held.truth, red_counts(held.items), groups=held.names)["auroc"],
        "points": [point(held, "frozen-head", most) for most in (5, 10, None)],
    }


def classifiers() -> dict[str, Any]:
    """Every classifier with all labels of the other folds."""
    held = labelled()
    return {**held.told, "points": {name: point(held, name, None) for name in CLASSIFIERS}}


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of histo-hpylori's test part: all have labels of their own, and every patient is in one fold."""

    items: list[Item]
    images: CohortImages
    truth: np.ndarray
    names: list[str]
    fold: np.ndarray

    @property
    def told(self) -> dict[str, Any]:
        """How many there are."""
        ill = int(self.truth.sum())
        counts = {"healthy": len(self.truth) - ill, "abnormal": ill, "patients": len(set(self.names))}
        return {"n": counts, "folds": FOLDS}


def labelled() -> Patches:
    """Those patches, dealt to folds by patient."""
    items = [item for item in read_cohort(DATA / "histo-hpylori" / "manifest.tsv").items if item.split == "test"]
    images = CohortImages(items, load_profile("histology"), folder=WORK / "curve", jobs=2)
    names = [str(item.patient) for item in items]
    truth = np.array([item.label == "abnormal" for item in items])
    people = sorted(set(names))
    ill = {name for name, abnormal in zip(names, truth, strict=True) if abnormal}
    dealt = deal_patients(people, [name in ill for name in people], folds=FOLDS, seed=SEED)
    return Patches(items, images, truth, names, np.array([dealt[people.index(name)] for name in names]))


def red_counts(items: Sequence[Item]) -> np.ndarray:
    """`(n,)` share of red pixels of each patch."""
    return np.array([float(share[0]) for share in red_shares(items, jobs=2) if share is not None])


def point(held: Patches, name: str, most: int | None) -> dict[str, Any]:
    """A classifier with so many labelled abnormal patches, None for all of the training folds: mean of the draws."""
    truth, fold = held.truth, held.fold
    draws, used = [], set()
    groups = np.unique(held.names, return_inverse=True)[1]
    for draw in range(DRAWS if most is not None else 1):
        scores = np.full(len(truth), np.nan)
        for number in range(FOLDS):
            random = np.random.default_rng([SEED, draw, number])
            ill = random.permutation(np.flatnonzero(truth & (fold != number)))[:most]
            learned = np.sort(np.concatenate([ill, np.flatnonzero(~truth & (fold != number))]))
            used.add(len(ill))
            classifier = find_classifier(name).preset("cpu")
            run_ = Run(SEED, "cpu", weights=WEIGHTS)
            classifier.fit(held.images.subset(learned), truth[learned].astype(int), groups=groups[learned], run=run_)
            asked = np.flatnonzero(fold == number)
            scores[asked] = classifier.predict(held.images.take(asked))
        draws.append(image_metrics(truth, scores, groups=held.names))
    aurocs = [one["auroc"] for one in draws]
    return {
        "asked": most,
        "labelled_abnormal": sorted(used),
        "auroc": {key: float(np.mean([one[key] for one in aurocs])) for key in ("value", "low", "high")},
        "average_precision": float(np.mean([one["average_precision"]["value"] for one in draws])),
        "draws": [one["value"] for one in aurocs],
    }


def page(known: dict[str, Any]) -> str:
    """The figures as Markdown."""
    parts = known["parts"]
    lines = ["# H. pylori: from patch to patient", ""]
    lines += [
        f"By folds of patients, 95 % intervals by bootstrap over patients; seed {SEED}. {known['date']}, "
        f"{known['machine']}, Halescan {known['version']}.",
        "",
    ]
    for name, title in TITLES.items():
        if name in parts:
            lines += [f"## {title}", "", *LINES.get(name, table_lines)(parts[name]), ""]
    return "\n".join(lines).rstrip() + "\n"


def table_lines(part: dict[str, Any]) -> list[str]:
    """A table a level."""
    lines = [part["made_up"], ""] if part["made_up"] else []
    for level in ("patch", "patient"):
        rows = {name: found[level] for name, found in part["methods"].items() if found.get(level)}
        if not rows:
            continue
        kinds = "patches (abnormal, healthy)" if level == "patch" else "patients (positive, negative)"
        lines += [
            f"| {level}, {kinds} | AUROC | precision | recall | F1 | specificity | accuracy |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, told in rows.items():
            counts = [value for key, value in told["n"].items() if key != "patients"]
            cells = [figure(told["auroc"]), *(figure(told["decisions"][key]) for key in DECIDED)]
            lines.append(f"| {name} ({counts[0]}, {counts[1]}) | " + " | ".join(cells) + " |")
        levels = [
            f"{name} {told['levels']['accuracy']:.3f} (quadratic kappa {told['levels']['quadratic_kappa']:.3f})"
            for name, told in rows.items()
            if told.get("levels")
        ]
        lines += ["", *([f"NEG, LOW or HIGH right: {'; '.join(levels)}.", ""] if levels else [])]
    lines += [f"- {remark}" for remark in part["remarks"]]
    return [*lines, "", f"{part['folds']} folds, {part['detector']}, {part['classifier']}; {part['seconds']:.0f} s."]


def curve_lines(part: dict[str, Any]) -> list[str]:
    """The points of the curve."""
    n = part["n"]
    lines = [
        f"{n['abnormal']} abnormal and {n['healthy']} healthy patches of {n['patients']} patients; all healthy labels "
        f"of the training folds, and so many abnormal ones, mean of {part['draws']} draws. There are not 20: all 19 "
        "less those of the tested fold are the most.",
        "",
        "| labelled abnormal patches | AUROC (95 %) | draws |",
        "|---|---|---|",
    ]
    for one in part["points"]:
        used = one["labelled_abnormal"]
        asked = "all, " if one["asked"] is None else ""
        many = f"{asked}{used[0]}" if len(used) == 1 else f"{asked}{used[0]} to {used[-1]}"
        draws = ", ".join(f"{value:.3f}" for value in one["draws"])
        lines.append(f"| {many} | {figure(one['auroc'])} | {draws} |")
    if "red_count" in part:  # not in what older runs wrote
        lines.append(f"| none: red-count, the share of red pixels | {figure(part['red_count'])} | |")
    return [*lines, "", f"{part['folds']} folds, {part['classifier']}; {part['seconds']:.0f} s."]


def classifier_lines(part: dict[str, Any]) -> list[str]:
    """A line a classifier."""
    lines = ["All labels of the other folds; one training.", "", "| classifier | AUROC (95 %) | average precision |"]
    lines.append("|---|---|---|")
    for name, one in part["points"].items():
        lines.append(f"| {name} | {figure(one['auroc'])} | {one['average_precision']:.3f} |")
    return [*lines, "", f"{part['folds']} folds; {part['seconds']:.0f} s."]


def figure(told: dict[str, Any]) -> str:
    """`0.962 (0.932 to 0.990)`."""
    if told["value"] is None:
        return "–"
    interval = "" if told["low"] is None else f" ({told['low']:.3f} to {told['high']:.3f})"
    return f"{told['value']:.3f}{interval}"


def say(progress: Progress) -> None:
    """A line now and then."""
    if progress.stage == "models":
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        print(f"models: {progress.done}/{progress.total}{left}", flush=True)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


PARTS = {"patches": patches, "original": original, "cohort": cohort, "curve": curve, "classifiers": classifiers}
TITLES = {
    "patches": "Patches (histo-hpylori)",
    "curve": "Few labels (histo-hpylori, test part)",
    "classifiers": "The classifiers (histo-hpylori, test part)",
    "original": "The published layout (hpylori-original)",
    "cohort": "Patients: a made-up cohort of 60",
}
DECIDED = ("precision", "recall", "f1", "specificity", "accuracy")
LINES = {"curve": curve_lines, "classifiers": classifier_lines}  # the others have a table a level

if __name__ == "__main__":
    main()
