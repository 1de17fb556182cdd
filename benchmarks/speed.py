"""How fast and how large: the goals of the design, measured as whole processes on this machine.

    python benchmarks/speed.py        writes results/speed.json and .md

Machines are shared and noisy: each time is the median of several runs, and what can be is a ratio within one run. The
real sets lie in HALESCAN_DATA, the backbone in HALESCAN_WEIGHTS.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from real_sets import DATA, WEIGHTS, machine

import halescan

HERE = Path(__file__).parent
HALESCAN = str(Path(sys.executable).with_name("halescan"))
BARE = """
import sys, time
import torch
from halescan.workflows.model import load_model
model = load_model(sys.argv[1])
images = torch.rand(int(sys.argv[2]), *model.detector.learned_shape).to(memory_format=torch.channels_last)
def forward(part):
    with torch.inference_mode():
        if model.detector.name == "patchcore":
            return model.detector._ready().levels(part)
        return model.detector._network(part)
forward(images[:16])
begun, worked = time.perf_counter(), time.process_time()
for start in range(0, len(images), 16):  # no size of a batch is faster
    forward(images[start:start + 16])
print(len(images) / (time.perf_counter() - begun), len(images) / (time.process_time() - worked))
"""


def main() -> None:
    """Measure everything and write it down."""
    found: dict[str, Any] = {"machine": machine(), "date": datetime.now(UTC).date().isoformat()}
    found["version"] = halescan.__version__
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        found["import_s"] = median([sys.executable, "-c", "import halescan"])
        found["help_s"] = median([HALESCAN, "--help"])
        found["train_1000_xrays_s"] = once(train(work / "xray", DATA / "cxr-kermany/train/healthy", "chest-xray"))[0]
        once(train(work / "ct", DATA / "ct-sarscov2/train/healthy", "lung-ct"))
        one = sorted((DATA / "cxr-kermany/test/abnormal").iterdir())[0]
        found["examine_one_xray_cold_s"] = median(examine(work / "xray", one, work / "one"), clear=work / "one")
        series = DATA / "volumes/dicom/Lung_Dx-A0002_B40f"
        found["examine_ct_series_cold_s"] = median(examine(work / "ct", series, work / "ct-out"), clear=work / "ct-out")
        few_steps = ("--set", "detector.steps=20")  # enough to time it
        once(train(work / "mri", DATA / "mri-lgg-flair/train/healthy", "brain-mri", *few_steps))
        found |= throughput(work, "xray", DATA / "cxr-kermany")
        found |= throughput(work, "mri", DATA / "mri-lgg-flair")
        found["xray_examine_with_reports_images_per_s"] = with_reports(work, "xray")
        found |= memory(work)
    (HERE / "results" / "speed.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "results" / "speed.md").write_text(table(found))
    print(table(found))


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


def throughput(work: Path, name: str, data: Path) -> dict[str, float]:
    """Images a second of `examine` (maps, records), its start taken off, against the bare forward pass.

    Also by seconds of one processor on one thread, which what else runs on the machine changes least.
    """
    scans = work / f"{name}-scans"
    for label in ("healthy", "abnormal"):
        shutil.copytree(data / "test" / label, scans / label)
    few = work / f"{name}-few"
    few.mkdir()
    for path in sorted((scans / "healthy").iterdir())[:20]:
        shutil.copy(path, few)
    count = sum(1 for label in scans.iterdir() for _ in label.iterdir())
    rates: dict[str, list[float]] = {key: [] for key in ("bare", "examine", "bare alone", "examine alone")}
    bare = [sys.executable, "-c", BARE, str(work / name), str(count)]
    for _ in range(5):
        rates["bare"].append(float(subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()[0]))
        times = [examined_s(work, name, folder, "json,map") for folder in (few, scans)]
        rates["examine"].append((count - 20) / (times[1] - times[0]))
        rates["bare alone"].append(float(processor_s(bare)[1].split()[1]))
        times = [alone_s(work, name, folder) for folder in (few, scans)]
        rates["examine alone"].append((count - 20) / (times[1] - times[0]))
    middle = {key: statistics.median(values) for key, values in rates.items()}
    return {
        f"{name}_bare_forward_images_per_s": middle["bare"],
        f"{name}_examine_images_per_s": middle["examine"],
        f"{name}_examine_over_bare": ratio(rates["examine"], rates["bare"]),
        f"{name}_bare_forward_images_per_processor_s": middle["bare alone"],
        f"{name}_examine_images_per_processor_s": middle["examine alone"],
        f"{name}_examine_over_bare_by_processor_time": ratio(rates["examine alone"], rates["bare alone"]),
    }


def ratio(these: list[float], those: list[float]) -> float:
    """Median of the ratios run by run."""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def alone_s(work: Path, name: str, scans: Path) -> float:
    """Processor seconds of one `examine` on one thread."""
    shutil.rmtree(work / "out", ignore_errors=True)
    return processor_s(examine(work / name, scans, work / "out", "--reports", "json,map", "--jobs", "1"))[0]


def processor_s(command: list[str]) -> tuple[float, str]:
    """Processor seconds of a command on one thread, and what it printed."""
    environment = {**os.environ, "HALESCAN_WEIGHTS": str(WEIGHTS), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def examined_s(work: Path, name: str, scans: Path, formats: str) -> float:
    """Wall seconds of one `examine`."""
    shutil.rmtree(work / "out", ignore_errors=True)
    return once(examine(work / name, scans, work / "out", "--reports", formats))[0]


def with_reports(work: Path, name: str) -> float:
    """Images a second of `examine` with every report, start of the program taken off."""
    times = [
        examined_s(work, name, work / f"{name}-{which}", "html,pdf,json,overlay,map")
        for which in ("few", "scans/abnormal")
    ]
    return (sum(1 for _ in (work / f"{name}-scans" / "abnormal").iterdir()) - 20) / (times[1] - times[0])


def memory(work: Path) -> dict[str, float]:
    """Peak memory of train and examine on 800 and on 80 X-rays, each in a process of its own."""
    few, many = work / "m-few", work / "m-many"
    for folder, count in ((few, 80), (many, 800)):
        folder.mkdir()
        for path in sorted((DATA / "cxr-kermany/train/healthy").iterdir())[:count]:
            shutil.copy(path, folder)
    found = {}
    for name, more in (("patchcore", ["--set", "detector.memory_mb=4"]), ("healthy-atlas", [])):
        command = ["--detector", name, *more]
        peaks = [alone(train(work / f"{folder.name}-{name}", folder, "chest-xray", *command)) for folder in (few, many)]
        found[f"train_{name}_memory_ratio"] = peaks[1] / peaks[0]
    peaks = [alone(examine(work / "xray", folder, work / f"{folder.name}-out")) for folder in (few, many)]
    return {**found, "examine_memory_ratio": peaks[1] / peaks[0], "examine_peak_mib": peaks[1]}


def alone(command: list[str]) -> float:
    """Peak memory in MiB of one command, measured by a process that runs nothing else."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); from speed import once; print(once({command!r})[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


GOALS = {
    "import_s": "< 0.1 s",
    "help_s": "< 0.4 s",
    "train_1000_xrays_s": "< 60 s",
    "examine_one_xray_cold_s": "< 8 s",
    "examine_ct_series_cold_s": "< 20 s",
    "xray_examine_over_bare": "≥ 0.8",
    "mri_examine_over_bare": "≥ 0.8",
    "xray_examine_over_bare_by_processor_time": "≥ 0.8",
    "mri_examine_over_bare_by_processor_time": "≥ 0.8",
    "train_patchcore_memory_ratio": "< 1.1",
    "train_healthy-atlas_memory_ratio": "< 1.1",
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
