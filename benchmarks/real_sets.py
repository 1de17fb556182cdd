"""How well the default of each profile does on real images, beside `healthy-atlas` and the trivial baselines.

    python benchmarks/real_sets.py                                 whole test split: writes results/real_sets.json, .md
    python benchmarks/real_sets.py --sets us-busi --look "why"     development: the even half alone, noted in LOOKS.md

The sets lie in HALESCAN_DATA, the backbone in HALESCAN_WEIGHTS. Test patients (files, where patients are unknown) whose
SHA-256 is even are for development, the odd ones for reporting; each look is a line in LOOKS.md.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

import halescan
from halescan.data.table import read_cohort
from halescan.workflows.leaks import check_data

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HALESCAN_DATA", HERE.parent.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", HERE.parent.parent / "shared" / "weights"))
SETS = {
    "cxr-kermany": "chest-xray",
    "ct-sarscov2": "lung-ct",
    "mri-lgg-flair": "brain-mri",
    "us-busi": "ultrasound",
    "histo-hpylori": "histology",
}
TRAINED = {"autoencoder", "denoising-autoencoder"}  # their weights start at random: the mean of three seeds


def main() -> None:
    """Run the sets and write what was found."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sets", default=",".join(SETS))
    words.add_argument("--look", help="development: show the even half alone and note this reason in LOOKS.md")
    words.add_argument("--detector", help="another detector than the profile's")
    words.add_argument("--set", action="append", default=[], help="detector.x=... or profile.y=..., development only")
    given = words.parse_args()
    if given.look:
        for name in given.sets.split(","):
            look(name, given.look, given.detector, given.set)
        return
    target = HERE / "results" / "real_sets.json"
    target.parent.mkdir(exist_ok=True)
    known = json.loads(target.read_text()) if target.exists() else {"sets": {}}
    for name in given.sets.split(","):
        known["sets"][name] = {"default": run(name, None), "healthy-atlas": run(name, "healthy-atlas")}
        known |= {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "version": halescan.__version__}
        target.write_text(json.dumps(known, indent=1) + "\n")
        (HERE / "results" / "real_sets.md").write_text(table(known))
    print((HERE / "results" / "real_sets.md").read_text())


def run(name: str, detector: str | None) -> dict[str, Any]:
    """Train and evaluate on one set; trained methods with three seeds."""
    first = once(name, detector, 0)
    seeds = [first] + [once(name, detector, seed) for seed in (1, 2) if first["detector"] in TRAINED]
    return {**first, "seeds": [{key: one[key] for key in ("image", "pixel", "fit_s", "odd")} for one in seeds]}


def once(
    name: str, detector: str | None, seed: int, changes: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """One training and one evaluation."""
    changes = changes or {"detector": {}, "profile": {}}
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        model = halescan.train(
            DATA / name / "train" / "healthy",
            profile=SETS[name],
            detector=detector,
            detector_settings=changes["detector"],
            profile_settings=changes["profile"],
            out=Path(folder) / "model",
            seed=seed,
            weights=WEIGHTS,
        )
        fitted = time.perf_counter()
        done = halescan.evaluate(model, DATA / name / "test", out=Path(folder) / "eval", seed=0)
        judged = time.perf_counter()
        record = done.record
        scores = list(csv.DictReader((Path(folder) / "eval" / "scores.csv").open(newline="")))
    return {
        "detector": model.detector.name,
        "settings": model.detector.settings,
        "image": record["image"],
        "pixel": record["pixel"],
        "baselines": record["baselines"],
        "n": record["n"],
        "false_alarms": record["about"]["false_alarms"],
        "differs_from_reference": record["about"]["differs_from_reference"],
        "even": half_auroc(name, scores, 0),
        "odd": half_auroc(name, scores, 1),
        "without_copies": without_copies(name, scores),
        "fit_s": round(fitted - begun, 1),
        "evaluate_s": round(judged - fitted, 1),
    }


def half_auroc(name: str, scores: list[dict[str, str]], parity: int) -> float:
    """Image AUROC on the patients (files where unknown) whose SHA-256 is even (0) or odd (1)."""
    with (DATA / name / "manifest.tsv").open(newline="", encoding="utf-8") as file:
        patients = {
            row["file"].removeprefix("test/"): row["patient"] or row["file"]
            for row in csv.DictReader(file, delimiter="\t")
        }
    rows = [row for row in scores if int(hashlib.sha256(patients[row["file"]].encode()).hexdigest(), 16) % 2 == parity]
    return float(roc_auc_score([row["label"] == "abnormal" for row in rows], [float(row["score"]) for row in rows]))


def without_copies(name: str, scores: list[dict[str, str]]) -> dict[str, float | int]:
    """Image AUROC without test images that look like a training image, as `halescan leaks` finds them."""
    alike = looks_alike(name)
    new = [row for row in scores if row["file"] not in alike]
    truth = [row["label"] == "abnormal" for row in new]
    return {
        "auroc": float(roc_auc_score(truth, [float(row["score"]) for row in new])),
        "healthy_copies": sum(row["label"] == "healthy" for row in scores) - truth.count(False),
        "abnormal_copies": sum(row["label"] == "abnormal" for row in scores) - truth.count(True),
    }


@cache
def looks_alike(name: str) -> set[str]:
    """The test files of a set that look like a training image."""
    learned = read_cohort(DATA / name / "train" / "healthy")
    found = check_data(learned, read_cohort(DATA / name / "test"))
    across = [pair.second for pair in found.pairs if pair.first < len(learned) <= pair.second]
    return {found.items[number].source.path.relative_to(DATA / name / "test").as_posix() for number in across}


def look(name: str, why: str, detector: str | None, pairs: list[str]) -> None:
    """Development: the even half alone, and a line in LOOKS.md."""
    changes: dict[str, dict[str, Any]] = {"detector": {}, "profile": {}}
    for pair in pairs:
        key, _, value = pair.partition("=")
        room, _, setting = key.partition(".")
        try:
            changes[room][setting] = json.loads(value)
        except json.JSONDecodeError:
            changes[room][setting] = value
    found = once(name, detector, 0, changes)
    what = f"{found['detector']} {' '.join(pairs)}"
    line = f"| {datetime.now(UTC):%Y-%m-%d %H:%M} | {name} | even | {what} | {found['even']:.3f} | {why} |"
    with (HERE / "LOOKS.md").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, f"fit {found['fit_s']} s, evaluate {found['evaluate_s']} s", flush=True)


def table(known: dict[str, Any]) -> str:
    """The README's table."""
    lines = [
        "| set (healthy train; healthy / abnormal test) | profile, detector | image AUROC (95 %) | odd half "
        "| pixel AP | best Dice* | healthy-atlas | best trivial statistic* | false alarms at 5 % asked |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in known["sets"].items():
        mine, atlas = found["default"], found["healthy-atlas"]
        auroc = statistics.mean(one["image"]["auroc"]["value"] for one in mine["seeds"])
        odd = statistics.mean(one["odd"] for one in mine["seeds"])
        low, high = (statistics.mean(one["image"]["auroc"][end] for one in mine["seeds"]) for end in ("low", "high"))
        spread = f", mean of {len(mine['seeds'])} seeds" if len(mine["seeds"]) > 1 else ""
        trivial = max(
            (
                (key, base.get("auroc_either_direction", base.get("auroc"))["value"])
                for key, base in mine["baselines"].items()
            ),
            key=lambda pair: pair[1],
        )
        alarms = mine["false_alarms"]["realised"]
        lines.append(
            f"| {name} ({count(name)}; {mine['n']['healthy']} / {mine['n']['abnormal']}) "
            f"| {SETS[name]}, {mine['detector']} "
            f"| **{auroc:.3f}** ({low:.3f} to {high:.3f}{spread}) | {odd:.3f} "
            f"| {mean_pixel(mine, 'average_precision')} | {mean_pixel(mine, 'best_dice')} "
            f"| {atlas['image']['auroc']['value']:.3f} | {trivial[1]:.3f} ({trivial[0]}) "
            f"| {'not supported' if alarms is None else format(alarms['value'], '.3f')} |"
        )
    copies = [copy_line(name, found["default"]) for name, found in known["sets"].items()]
    when = f"{known['date']}, {known['machine']}, Halescan {known['version']}"
    return "\n".join(lines) + f"\n\n\\* chosen with the labels, so optimistic. {when}.\n" + "".join(copies)


def copy_line(name: str, mine: dict[str, Any]) -> str:
    """A sentence about test images that look like copies of training images."""
    found = mine.get("without_copies")
    if not found or not found["healthy_copies"] + found["abnormal_copies"]:
        return ""
    return (
        f"\n{name}: {found['healthy_copies']} healthy and {found['abnormal_copies']} abnormal test images look like "
        "training images (copies, or neighbouring slices of one person); "
        f"without them the image AUROC is {found['auroc']:.3f}.\n"
    )


def mean_pixel(mine: dict[str, Any], name: str) -> str:
    if mine["pixel"] is None:
        return "–"
    return f"{statistics.mean(one['pixel'][name]['value'] for one in mine['seeds']):.3f}"


def count(name: str) -> int:
    return sum(1 for path in (DATA / name / "train" / "healthy").iterdir() if path.is_file())


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
