"""How long evaluating 100,000 scores with maps and masks takes, and whether memory stays flat in their number.

    python benchmarks/evaluation_speed.py        writes results/evaluation_speed.json and .md

Every figure that `evaluate` gives is computed by the code it uses, with scores, maps (64 x 64) and masks made up on the
way: reading files is left out, as it depends on the disk and the format. Each size runs in a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from real_sets import machine

import halescan

HERE = Path(__file__).parent
SIZES = (10_000, 30_000, 100_000)
SIDE = 64
PATIENTS_SHARE = 0.5  # patients over cases: two cases each
GOAL_S = 60


def main() -> None:
    """Run every size and write it down."""
    rows = []
    for cases in SIZES:
        command = [sys.executable, __file__, "--one", str(cases)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
    found = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "version": halescan.__version__,
        "map": [SIDE, SIDE],
        "rows": rows,
    }
    (HERE / "results" / "evaluation_speed.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "results" / "evaluation_speed.md").write_text(table(found))
    print(table(found))


def one(cases: int) -> dict[str, Any]:
    """Evaluate so many made-up cases in this process."""
    from halescan.evaluation.pixels import PixelTally
    from halescan.workflows.judged import Judged, Mapped
    from halescan.workflows.judged_record import Asked, judged_record

    wall, begun = time.perf_counter(), time.process_time()
    judged = Judged(PixelTally(threshold=3.0), threshold=1.64)
    made = Made(cases)
    spent_making = making_wall = 0.0
    for number in range(cases):
        start = time.perf_counter(), time.process_time()
        case, score, p_value, strangeness, truth = made.case(number)
        making_wall += time.perf_counter() - start[0]
        spent_making += time.process_time() - start[1]
        judged.count_maps(case, [Mapped(strangeness, truth)], threshold=3.0)
        trivial = {"brightness": float(strangeness[0, 0]), "file-size": float(number % 977)}
        decision = "above" if p_value <= 0.05 else "not-above"
        judged.add(case, score=score, p_value=p_value, decision=decision, trivial=trivial)
    counted = time.process_time()
    record = judged_record(judged, Asked(by=("site", "age=40,60")), about={}, strangeness={}, units=200, unit="patient")
    ended = time.process_time()
    return {
        "cases": cases,
        "pixels": record["pixel"]["pixels"],
        "lesions": record["lesions"]["lesions"],
        "seconds": ended - begun - spent_making,
        "counting_s": counted - begun - spent_making,
        "figures_s": ended - counted,
        "wall_s": time.perf_counter() - wall - making_wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "auroc": record["image"]["auroc"]["value"],
        "draws": record["about"]["bootstrap_draws"],
    }


class Made:
    """Cases made up one by one: smooth noise, and on every other a warm disc of 3 to 12 pixels."""

    def __init__(self, cases: int) -> None:
        from scipy.ndimage import gaussian_filter

        random = np.random.default_rng(0)
        self.cases = cases
        self.noise = [gaussian_filter(random.normal(size=(SIDE, SIDE)), 2) for _ in range(64)]
        self.noise = [(one / one.std()).astype(np.float32) for one in self.noise]
        self.scores = random.normal(size=cases)
        self.random = random

    def case(self, number: int) -> tuple[Any, float, float, np.ndarray, np.ndarray]:
        """Case, score, p-value, map and mask."""
        from scipy.special import ndtr

        from halescan.data.item import Item
        from halescan.io import Source
        from halescan.workflows.cases import Case

        ill = number % 2 == 1
        score = float(self.scores[number]) + ill
        strangeness = self.noise[number % 64] + np.float32(1e-3 * self.random.random())
        truth = np.zeros((SIDE, SIDE), bool)
        if ill:
            y, x = np.ogrid[:SIDE, :SIDE]
            centre = self.random.integers(14, SIDE - 14, 2)
            truth = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= (3 + number % 10) ** 2
            strangeness = strangeness + np.float32(2) * truth
        extra = {"site": "abcd"[number % 4], "age": str(20 + number % 70)}
        item = Item(
            source=Source(Path(f"{number}.png"), "raster", ()),
            label="abnormal" if ill else "healthy",
            patient=f"p{number // 2}",
            mask=Path("mask.png"),
            extra=extra,
        )
        p_value = (1 + np.floor(200 * ndtr(-score))) / 201
        return Case(str(number), (item,)), score, float(p_value), strangeness, truth


def table(found: dict[str, Any]) -> str:
    """The results in Markdown."""
    rows, goal = found["rows"], found["rows"][-1]
    lines = [
        "# Speed of evaluating scores with masks",
        "",
        f"{found['machine']}, {found['date']}, Halescan {found['version']}. One thread. Every case has a score, a"
        f" p-value, a map of {found['map'][0]} x {found['map'][1]} and a mask; two cases a patient; all figures of"
        " `evaluate`, with bootstrap over patients, AUPRO, FROC, reliability and two columns of subgroups. Making the"
        " maps up is not counted, and files are not read. The machine is shared: processor seconds are what the work"
        " takes, wall seconds what it took beside other work. `python benchmarks/evaluation_speed.py`",
        "",
        "| cases | pixels | lesions | processor seconds | counting | figures | wall seconds | draws | peak memory |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['cases']:,} | {row['pixels'] / 1e6:.0f} million | {row['lesions']:,} | {row['seconds']:.1f} "
        f"| {row['counting_s']:.1f} | {row['figures_s']:.1f} | {row['wall_s']:.1f} "
        f"| {row['draws']} | {row['peak_mb']:.0f} MB |"
        for row in rows
    ]
    met = "met" if goal["wall_s"] < GOAL_S else "NOT met"
    growth = goal["peak_mb"] / rows[0]["peak_mb"]
    lines += [
        "",
        f"Goal: 100,000 under {GOAL_S} s on two cores: {met} ({goal['wall_s']:.0f} s on one of them).",
        "",
        f"Memory for {SIZES[-1] // SIZES[0]} times the cases:"
        f" {growth:.2f} times; what grows are the scores themselves and what is known of each case.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(int(sys.argv[2]))))
    else:
        main()
