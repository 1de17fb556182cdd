"""How fast and how large: the goals of the design, measured as whole processes on this machine.

    python benchmarks/speed.py                   all, about a quarter of an hour; results/speed.json and .md
    python benchmarks/speed.py start xray        some of: start, train, cold, xray, resnet50, mri, reports, memory

Machines are shared and noisy: times are medians of several runs but for the training, and what can be is a ratio
within one run. The real sets lie in HALESCAN_DATA, the backbone in HALESCAN_WEIGHTS.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from real_sets import DATA, WEIGHTS, machine

import halescan

HERE = Path(__file__).parent
HALESCAN = str(Path(sys.executable).with_name("halescan"))
SIDE_BY_SIDE = """
import json, sys, tempfile, time
import torch
import halescan
from halescan.workflows.model import load_model

threads = torch.get_num_threads()
model = load_model(sys.argv[1])
few, many, jobs, runs = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

def forward(images):
    with torch.inference_mode():
        if model.detector.name == "patchcore":
            return model.detector._ready().levels(images)
        return model.detector._network(images)

def bare(count):
    torch.set_num_threads(threads)
    images = torch.rand(8, *model.detector.learned_shape).to(memory_format=torch.channels_last)
    for _ in range(count // 8):  # of 1, 2, 4, 8 and 16 none is faster: a U-Net takes 16 much more slowly
        forward(images)
    return count // 8 * 8

def whole(scans):
    with tempfile.TemporaryDirectory() as out:
        return len(halescan.examine(model, scans, out=out, formats=("json", "map"), jobs=jobs).records)

def rate(work):
    begun, worked = time.perf_counter(), time.process_time()
    done = work()
    return done / (time.perf_counter() - begun), done / (time.process_time() - worked)

count = whole(few) and bare(16) and whole(many)  # both are warm now
print(json.dumps([{"bare": rate(lambda: bare(count)), "examine": rate(lambda: whole(many))} for _ in range(runs)]))
"""
RUNS = 5  # of each throughput
RESNET = """
import sys, torch
from transformers import ResNetConfig, ResNetModel
torch.manual_seed(0)
ResNetModel(ResNetConfig()).save_pretrained(sys.argv[1])
"""
# random weights take the same time
WIDE = "--set detector.backbone=resnet50 --set detector.levels=[2,3] --weights {work}/weights"
TRAINED = {
    "xray": ("cxr-kermany", "chest-xray"),
    "resnet50": ("cxr-kermany", "chest-xray", *WIDE.split()),
    "ct": ("ct-sarscov2", "lung-ct"),
    "mri": ("mri-lgg-flair", "brain-mri", "--set", "detector.steps=20"),  # enough to time it
}


def main() -> None:
    """Measure what is asked, and write each as it comes."""
    known = HERE / "results" / "speed.json"
    found: dict[str, Any] = json.loads(known.read_text()) if known.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or MEASURES:
            found |= {
                "machine": machine(),
                "date": datetime.now(UTC).date().isoformat(),
                "version": halescan.__version__,
            }
            found |= MEASURES[name](Path(folder))
            known.write_text(json.dumps(found, indent=1) + "\n")
            known.with_suffix(".md").write_text(table(found))
    print(table(found))


def start(work: Path) -> dict[str, float]:
    """Seconds until the program is there."""
    return {
        "import_s": median([sys.executable, "-c", "import halescan"]),
        "help_s": median([HALESCAN, "--help"]),
    }


def training(work: Path) -> dict[str, float]:
    """Seconds to train the default on 1000 X-rays."""
    shutil.rmtree(work / "xray", ignore_errors=True)
    return {"train_1000_xrays_s": once(train(work / "xray", DATA / "cxr-kermany/train/healthy", "chest-xray"))[0]}


def cold(work: Path) -> dict[str, float]:
    """Seconds to examine one X-ray, and one CT series, from the shell, with all reports."""
    one = sorted((DATA / "cxr-kermany/test/abnormal").iterdir())[0]
    series = DATA / "volumes/dicom/Lung_Dx-A0002_B40f"
    out = work / "cold"
    return {
        "examine_one_xray_cold_s": median(examine(trained(work, "xray"), one, out), clear=out),
        "examine_ct_series_cold_s": median(examine(trained(work, "ct"), series, out), clear=out),
    }


def trained(work: Path, name: str) -> Path:
    """A model of the set's default, made where it is not there yet."""
    data, profile, *more = TRAINED[name]
    if name == "resnet50":
        subprocess.run([sys.executable, "-c", RESNET, str(work / "weights" / name)], check=True, capture_output=True)
    if not (work / name).exists():
        once(train(work / name, DATA / data / "train/healthy", profile, *(word.format(work=work) for word in more)))
    return work / name


def train(out: Path, healthy: Path, profile: str, *more: str) -> list[str]:
    return [HALESCAN, "train", str(healthy), "--profile", profile, "--out", str(out), *more]


def examine(model: Path, scans: Path, out: Path, *more: str) -> list[str]:
    return [HALESCAN, "examine", str(model), str(scans), "--out", str(out), *more]


def once(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MiB (the largest process) of a command."""
    environment = {**os.environ, "HALESCAN_WEIGHTS": str(WEIGHTS)}
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    _, errors = child.communicate()
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: {errors.decode()[-500:]}")
    return time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def median(command: list[str], *, runs: int = 5, clear: Path | None = None) -> float:
    """Median wall seconds; the results of the run before are removed."""
    times = []
    for _ in range(runs):
        if clear is not None:
            shutil.rmtree(clear, ignore_errors=True)
        times.append(once(command)[0])
    return statistics.median(times)


def throughput(work: Path, name: str) -> dict[str, float]:
    """Images a second of `examine` (maps, records) in a program that has begun, against the bare forward pass.

    By turns in one process, so that what else the machine does falls on both. Also by seconds of one processor on one
    thread, which that changes least.
    """
    trained(work, name)
    found: dict[str, float] = {}
    clocks = (("s", "", os.cpu_count() or 1), ("processor_s", "_by_processor_time", 1))
    for place, (unit, by, jobs) in enumerate(clocks):
        turns = side_by_side(work, name, jobs)
        here = {key: [turn[key][place] for turn in turns] for key in ("bare", "examine")}
        found |= {f"{name}_{key}_images_per_{unit}": statistics.median(values) for key, values in here.items()}
        found[f"{name}_examine_over_bare{by}"] = statistics.median(
            whole / bare for whole, bare in zip(here["examine"], here["bare"], strict=True)
        )
    return found


def side_by_side(work: Path, name: str, jobs: int) -> list[dict[str, list[float]]]:
    """Images a second, by wall and by processor, of both, turn by turn."""
    few, scans = copied(work, name)
    command = [sys.executable, "-c", SIDE_BY_SIDE, work / name, few, scans, jobs, RUNS]
    environment = {**os.environ, "HALESCAN_WEIGHTS": str(WEIGHTS)} | ({"OMP_NUM_THREADS": "1"} if jobs == 1 else {})
    told = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, env=environment)
    return json.loads(told.stdout)


def copied(work: Path, name: str) -> tuple[Path, Path]:
    """Folders of twenty and of all test scans, of a slow network half as many."""
    few, scans = work / f"{name}-few", work / f"{name}-scans"
    if not scans.exists():
        for label in ("healthy", "abnormal")[: 1 if name == "resnet50" else 2]:
            shutil.copytree(DATA / TRAINED[name][0] / "test" / label, scans / label)
        few.mkdir()
        for path in sorted((scans / "healthy").iterdir())[:20]:
            shutil.copy(path, few)
    return few, scans


def examined_s(work: Path, name: str, scans: Path, formats: str) -> float:
    """Wall seconds of one `examine`."""
    shutil.rmtree(work / "out", ignore_errors=True)
    return once(examine(work / name, scans, work / "out", "--reports", formats))[0]


def with_reports(work: Path) -> dict[str, float]:
    """Images a second of `examine` with every report, start of the program taken off."""
    trained(work, "xray")
    few, scans = copied(work, "xray")
    times = [examined_s(work, "xray", folder, "html,pdf,json,overlay,map") for folder in (few, scans / "abnormal")]
    count = sum(1 for _ in (scans / "abnormal").iterdir()) - 20
    return {"xray_examine_with_reports_images_per_s": count / (times[1] - times[0])}


def memory(work: Path) -> dict[str, float]:
    """Peak memory of train and examine on many images over that on a tenth, each in a process of its own."""
    found = {}
    for name, (data, profile, count, more) in LEARNED.items():
        folders = [some(work, data, count), some(work, data, 10 * count)]
        peaks = [alone(train(work / f"{folder.name}-{name}", folder, profile, *more.split())) for folder in folders]
        found[f"train_{name}_memory_ratio"] = peaks[1] / peaks[0]
    folders = [some(work, "cxr-kermany", count) for count in (80, 800)]
    peaks = [alone(examine(trained(work, "xray"), folder, work / f"{folder.name}-out")) for folder in folders]
    return {**found, "examine_memory_ratio": peaks[1] / peaks[0], "examine_peak_mib": peaks[1]}


def some(work: Path, data: str, count: int) -> Path:
    """A folder of the first so many healthy training images of a set."""
    folder = work / f"{data}-{count}"
    if not folder.exists():
        folder.mkdir()
        for path in sorted((DATA / data / "train/healthy").iterdir())[:count]:
            shutil.copy(path, folder)
    return folder


def alone(command: list[str]) -> float:
    """Peak memory in MiB of one command, measured by a process that runs nothing else."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); from speed import once; print(once({command!r})[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


LEARNED = {
    "patchcore": ("cxr-kermany", "chest-xray", 80, "--set detector.memory_mb=4"),
    "healthy-atlas": ("cxr-kermany", "chest-xray", 80, "--detector healthy-atlas"),
    "histology": ("histo-hpylori", "histology", 45, "--set detector.memory_mb=4"),
}
THROUGHPUT = ("xray", "resnet50", "mri")
MEASURES: dict[str, Callable[[Path], dict[str, float]]] = {
    "start": start,
    "train": training,
    "cold": cold,
    **{name: partial(throughput, name=name) for name in THROUGHPUT},
    "reports": with_reports,
    "memory": memory,
}
GOALS = {
    "import_s": "< 0.1 s",
    "help_s": "< 0.4 s",
    "train_1000_xrays_s": "< 60 s",
    "examine_one_xray_cold_s": "< 8 s",
    "examine_ct_series_cold_s": "< 20 s",
    **{f"{name}_examine_over_bare{by}": "≥ 0.8" for name in THROUGHPUT for by in ("", "_by_processor_time")},
    "train_patchcore_memory_ratio": "< 1.1",
    "train_healthy-atlas_memory_ratio": "< 1.1",
    "train_histology_memory_ratio": "< 1.1",
    "examine_memory_ratio": "< 1.1",
}


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["| what | measured | goal |", "|---|---|---|"]
    for name, value in found.items():
        if isinstance(value, float):
            lines.append(f"| {name.replace('_', ' ')} | {value:.3g} | {GOALS.get(name, '')} |")
    return "\n".join(lines) + f"\n\n{found['date']}, {found['machine']}, Halescan {found['version']}.\n"


if __name__ == "__main__":
    main()
