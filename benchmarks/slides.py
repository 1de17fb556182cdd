"""How long a whole slide takes and how much memory, measured as whole processes on this machine.

    python benchmarks/slides.py [DETECTOR ...]        writes results/slides.json and .md

Slides are made up: discs of tissue on glass, JPEG tiles in a TIFF pyramid at 0.5 µm per pixel. Two models learn from
ten small ones: `healthy-atlas` at 2 µm, which costs next to nothing, so that reading and preparing are what is timed;
and the profile's own `patchcore` at 0.5 µm with the backbone of HALESCAN_WEIGHTS. Each is examined by `halescan
examine`, report, map and all, in a process of its own. Run it on a quiet machine: two threads of torch on two busy
cores are slower than one.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from real_sets import WEIGHTS, machine

import halescan

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.slides import MadeSlide, write_slide  # noqa: E402

HALESCAN = str(Path(sys.executable).with_name("halescan"))
SIDES = (5_000, 10_000, 20_000)
MODELS = {
    "healthy-atlas": ("--set", "profile.size=[64,64]", "--set", "profile.spacing_mm=[0.002,0.002]"),
    "patchcore": ("--set", "profile.tiles=8"),
}
RUNS = 3


def main() -> None:
    """Measure everything and write it down."""
    found: dict[str, Any] = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "version": halescan.__version__,
        "runs": RUNS,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "made_s": {},
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        healthy = healthy_slides(work / "healthy")
        for side in SIDES:
            begun = time.perf_counter()
            red = (side * 0.55, side * 0.5, side * 0.02)
            write_slide(work / f"{side}.tiff", MadeSlide.of(side, red=(red,), seed=3))
            found["made_s"][str(side)] = time.perf_counter() - begun
        for detector in sys.argv[1:] or MODELS:
            settings = MODELS[detector]
            model = work / detector
            known = ("--profile", "histology", "--detector", detector, "--out", str(model), *settings)
            process([HALESCAN, "train", str(healthy), *known])
            for side in SIDES:
                found["rows"].append(examined(model, work / f"{side}.tiff", work / f"{detector}-{side}"))
    (HERE / "results" / "slides.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "results" / "slides.md").write_text(table(found))
    print(table(found))


def healthy_slides(folder: Path) -> Path:
    """Ten healthy slides of ten patients."""
    folder.mkdir()
    names = [f"{number}.tiff" for number in range(10)]
    for number, name in enumerate(names):
        write_slide(folder / name, MadeSlide.of(1500, seed=number + 50), downs=(1, 4))
    (folder / "manifest.tsv").write_text("file\tpatient\n" + "".join(f"{name}\tp{name}\n" for name in names))
    return folder


def examined(model: Path, slide: Path, out: Path) -> dict[str, Any]:
    """The median of several runs on one slide."""
    command = [HALESCAN, "examine", str(model), str(slide), "--out", str(out), "--overwrite"]
    runs = sorted(process(command) for _ in range(RUNS))
    seconds, processor, _ = runs[len(runs) // 2]
    record = json.loads(next(out.glob("case-*/case.json")).read_text())
    scan = record["scans"][0]
    return {
        "detector": model.name,
        "side_px": scan["slide"]["size_xy_px"][0],
        "file_mb": slide.stat().st_size / 1e6,
        "pixels_mb": 3 * scan["slide"]["size_xy_px"][0] ** 2 / 1e6,
        "tiles": scan["slide"]["tiles"],
        "heat_map_px": max(scan["shape_zyx"]),
        "seconds": seconds,
        "processor_s": processor,
        "peak_mib": max(run[2] for run in runs),
        "found": _found(scan),
    }


def _found(scan: dict[str, Any]) -> bool:
    """Whether the strangest region is where the red disc was planted."""
    side = scan["slide"]["size_xy_px"][0]
    boxes = [finding["slide"]["box_xy_px"] for finding in scan["findings"][:1]]
    return any(x[0] <= 0.5 * side < x[1] and y[0] <= 0.55 * side < y[1] for x, y in boxes)


def process(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory in MiB of one command."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "HALESCAN_WEIGHTS": str(WEIGHTS)})
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, _mib(used)


def _mib(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def table(found: dict[str, Any]) -> str:
    """All figures for a reader."""
    lines = [
        "# Whole slides: time and memory",
        "",
        f"Made by `benchmarks/slides.py` on {found['date']}, halescan {found['version']}, {found['machine']}. Made-up "
        f"slides at 0.5 µm per pixel with tissue on about a fifth; `halescan examine`, reports and all, cold; median "
        f"of {found['runs']} run(s), OMP_NUM_THREADS={found['threads']}, the largest peak. "
        "The red disc planted in each was found: "
        f"{'yes' if all(row['found'] for row in found['rows']) else 'NOT IN ALL'}.",
        "",
        "| detector | slide (px a side) | decoded | tiles | heat map (px) | time | of processor | peak memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['detector']} | {row['side_px']:,} | {row['pixels_mb']:,.0f} MB | {row['tiles']:,} | "
            f"{row['heat_map_px']:,} | {row['seconds']:.1f} s | {row['processor_s']:.1f} s | "
            f"{row['peak_mib']:,.0f} MiB |"
        )
    for detector in dict.fromkeys(row["detector"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["detector"] == detector]
        grown = rows[-1]["peak_mib"] / rows[0]["peak_mib"]
        times = rows[-1]["pixels_mb"] / rows[0]["pixels_mb"]
        lines += ["", f"`{detector}`: a slide of {times:.0f} times the pixels takes {grown:.2f} times the peak memory."]
    lines += ["", f"Writing the slide of {SIDES[-1]:,} pixels takes {found['made_s'][str(SIDES[-1])]:.1f} s.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
