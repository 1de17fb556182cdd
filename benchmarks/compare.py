"""Every unsupervised method on the five real sets, each with the fixed steps of its `cpu` preset: the docs' table.

    python benchmarks/compare.py                             what has not run yet; each row is written as it comes
    python benchmarks/compare.py --sets us-busi --detectors patchcore,simsid
    python benchmarks/compare.py --page                      the page over all that has run, in WORK/report.html

Rows go to results/compare.json and compare.md. A row that is there and was made by the same version with the same
settings is not made again, also where the working folder (HALESCAN_WORK, default ~/.cache/halescan-compare) is gone.
The sets lie in HALESCAN_DATA, the backbone in HALESCAN_WEIGHTS. Steps are counted, not seconds: a busy machine makes
the same figures, only its seconds are longer.
"""

import argparse
import hashlib
import json
import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import halescan
from halescan.data.profiles import PROFILES
from halescan.detectors import catalogue, find_detector
from halescan.training.run import Progress
from halescan.workflows.train import new_detector

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HALESCAN_DATA", HERE.parent.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", HERE.parent.parent / "shared" / "weights"))
WORK = Path(os.environ.get("HALESCAN_WORK", Path.home() / ".cache" / "halescan-compare"))
RESULTS = HERE / "results"
SETS = {
    "us-busi": "ultrasound",
    "mri-lgg-flair": "brain-mri",
    "histo-hpylori": "histology",
    "ct-sarscov2": "lung-ct",
    "cxr-kermany": "chest-xray",
}
SEEDS = {"default": 3, "autoencoder": 3, "masked-autoencoder": 3, "simsid": 3, "patchcore": 3}
BUSY = 1.5  # processes waiting for each core, from which seconds are those of a busy machine
FIGURES = ("auroc", "average_precision", "pixel_average_precision", "dice", "false_alarms", "sensitivity", "cost")


def main() -> None:
    """Run what is missing and write the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sets", default=",".join(SETS))
    words.add_argument("--detectors", default=",".join(methods()))
    words.add_argument("--seeds", type=int, help="for all; default: one, and three for those the issue names")
    words.add_argument("--again", action="store_true", help="make rows again that are there")
    words.add_argument("--page", action="store_true", help="the page over all rows, which makes what is missing")
    given = words.parse_args()
    sets, names = given.sets.split(","), given.detectors.split(",")
    if given.page:
        print("\n".join(compared(sets, names, given).lines()))
        return
    known = read()
    for name in names:  # a method at a time over all sets: an unfinished table still compares whole methods
        for one in filter(partial(takes, name), sets):
            row = known["rows"].get(f"{one} {name}")
            if row is None or given.again or row["asked"] != asked(one, name, given) or not as_now(one, row):
                known["rows"][f"{one} {name}"] = made(one, name, given)
                write(known)
    print((RESULTS / "compare.md").read_text())


def methods() -> list[str]:
    """All that learn from healthy scans alone, the profiles' own first."""
    return ["default", *(name for name in catalogue() if not find_detector(name).needs_abnormal)]


def takes(name: str, one: str) -> bool:
    """Whether a method can learn from a set: one that needs contrasts has nothing to do with grey images."""
    profile = PROFILES[SETS[one]]
    return profile.channels in find_detector(profile.detector if name == "default" else name).channels


def asked(one: str, name: str, given: argparse.Namespace) -> dict[str, Any]:
    """What a row depends on besides the data."""
    return {
        "size": "cpu",
        "seeds": given.seeds or SEEDS.get(name, 1),
        "version": halescan.__version__,
        "profile": recipe(one),
    }


def as_now(one: str, row: dict[str, Any]) -> bool:
    """Whether the settings a row was made with are the method's own today; a failed row has none."""
    now = json.loads(json.dumps(new_detector(PROFILES[SETS[one]], row["detector"]).settings))
    return now | (row["settings"] or {}) == now


def recipe(one: str) -> str:
    """Tells a set's profile, as it is now, from others."""
    return hashlib.sha256(PROFILES[SETS[one]].model_dump_json().encode()).hexdigest()[:12]


def compared(sets: list[str], names: list[str], given: argparse.Namespace) -> Any:
    """A comparison in the working folder, which keeps what is done."""
    return halescan.compare(
        [f"{DATA / one}:{SETS[one]}" for one in sets],
        detectors=[f"{name}:{given.seeds or SEEDS.get(name, 1)}" for name in names],
        weights=WEIGHTS,
        out=WORK,
        keep_models=True,  # the figures of the methods are drawn with them
        retry=given.again,
        command="python benchmarks/compare.py",
        listen=say,
    )


def made(one: str, name: str, given: argparse.Namespace) -> dict[str, Any]:
    """One row: a method on a set, and its paired difference to the trivial baseline."""
    record = compared([one], [name], given).record
    told = record["sets"][0]
    line = next(line for line in told["ranking"] if line["method"] == name)
    row = {key: line[key] for key in (*FIGURES, "detector", "state", "why", "seeds")}
    return {
        **row,
        "asked": asked(one, name, given),
        "n": told["n"],
        "fingerprints": told["fingerprints"],
        "against_atlas": line["versus_baseline"],
        "settings": next(method for method in record["methods"] if method["name"] == name)["settings"].get(one),
        "machine": record["conditions"]["machine"],
        "busy": os.getloadavg()[1] > BUSY * (os.cpu_count() or 1),  # over five minutes
        "date": record["created_utc"][:10],
    }


def read() -> dict[str, Any]:
    path = RESULTS / "compare.json"
    return json.loads(path.read_text()) if path.exists() else {"rows": {}}


def write(known: dict[str, Any]) -> None:
    """Both files, so that a run cut short leaves what it made."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "compare.json").write_text(json.dumps(known, indent=1) + "\n")
    (RESULTS / "compare.md").write_text(table(known))
    (RESULTS / "compare.svg").write_text(scatter(known))


def table(known: dict[str, Any]) -> str:
    """Rows by set, the best first; what has not run is named."""
    parts = []
    for one in SETS:
        rows = {name: known["rows"][f"{one} {name}"] for name in methods() if f"{one} {name}" in known["rows"]}
        ranked = sorted(rows, key=lambda name: -value(rows[name], "auroc"))
        parts += [f"### {one}", "", *head(), *(line_of(one, name, rows[name]) for name in ranked)]
        missing = [name for name in methods() if takes(name, one) and row_of(known["rows"], one, name) is None]
        parts += ["", f"Not run yet: {', '.join(missing)}." if missing else "", ""]
    every = list(known["rows"].values())
    machine = every[-1]["machine"] if every else {"processor": "", "cores": ""}
    dates = sorted({row["date"] for row in every})
    when = f", {' to '.join(dict.fromkeys((dates[0], dates[-1])))}" if dates else ""
    parts.append(
        "The `cpu` preset of each, meant for about 100 s of learning on two quiet cores; `denoising-autoencoder`, "
        f"`ensemble` and a few others take longer ({machine['processor']}, {machine['cores']} cores{when}), Halescan "
        f"{halescan.__version__}. Fit counts all from reading the scans to the model, one training. Intervals: 95 %, "
        "bootstrap over patients and, with several seeds, over those. Dice at the threshold from healthy scans alone. "
        "Against healthy-atlas: difference of the image AUROC on the same cases, paired. † on a machine that had "
        "other work at the time: seconds and milliseconds are too long."
    )
    if any(earlier(key.split()[0], row) for key, row in known["rows"].items()):
        parts[-1] += " ‡ made with the profile as it was: pixel AP and Dice are not made again yet."
    parts[-1] += "\n"
    return "\n".join(parts)


def row_of(rows: dict[str, Any], one: str, name: str) -> dict[str, Any] | None:
    """A method's row; where it is the profile's default, that one will do: the settings are the same."""
    default = rows.get(f"{one} default")
    same = default is not None and default["detector"] == name
    return rows.get(f"{one} {name}", default if same else None)


def head() -> list[str]:
    return [
        "| method | image AUROC | image AP | pixel AP | Dice | false alarms at 5 % | against healthy-atlas | seeds "
        "| fit, s | ms an image | peak, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]


def line_of(one: str, name: str, row: dict[str, Any]) -> str:
    shown = (name if row["detector"] == name else f"{name} ({row['detector']})") + earlier(one, row)
    if row["auroc"] is None:
        return f"| {shown} | failed: {row['why'].replace('|', '/')} |" + " |" * 9
    cost, atlas = row["cost"], row["against_atlas"]
    alarms = (row["false_alarms"] or {}).get("realised")
    against = "–" if not atlas else f"{atlas['difference']:+.3f} ({atlas['low']:+.3f} to {atlas['high']:+.3f})"
    cells = [*four(one, row), figure(alarms), against, str(row["seeds"]), seconds(row)]
    cells.append(f"{cost['ms_an_image']:.3g}")
    return f"| {shown} | {' | '.join(cells)} | {cost['peak_mb']:.0f} |"


def four(one: str, row: dict[str, Any]) -> list[str]:
    """Image AUROC and AP, pixel AP and Dice; the last two only of maps as they are now."""
    images, pixels = ("auroc", "average_precision"), ("pixel_average_precision", "dice")
    mark = earlier(one, row).strip()
    return [*(figure(row[key]) for key in images), *(mark or figure(row[key]) for key in pixels)]


def earlier(one: str, row: dict[str, Any]) -> str:
    """A mark for a row made with the profile as it was."""
    return "" if row["asked"]["profile"] == recipe(one) else " ‡"


def seconds(row: dict[str, Any]) -> str:
    """To fit, marked where the machine had other work."""
    return f"{row['cost']['fit_s']:.0f}{'†' if row.get('busy', True) else ''}"


def figure(told: dict[str, Any] | None) -> str:
    if told is None or told["value"] is None:
        return "–"
    interval = "" if told.get("low") is None else f" ({told['low']:.3f}–{told['high']:.3f})"
    return f"{told['value']:.3f}{interval}"


def value(row: dict[str, Any], key: str) -> float:
    return -1.0 if row[key] is None or row[key]["value"] is None else float(row[key]["value"])


def scatter(known: dict[str, Any]) -> str:
    """Mean AUROC against the seconds to fit, over the sets on which most methods have run."""
    from halescan.reporting.charts import BASELINE, COLOURS, Axis, Point, Style, scatter_svg

    points: list[Point] = []
    through = {one: sum(f"{one} {name}" in known["rows"] for name in methods()) for one in SETS}
    sets = [one for one in SETS if through[one] >= 0.8 * max(through.values())]
    for name in methods():
        found = [row_of(known["rows"], one, name) for one in sets]
        rows = [row for row in found if row is not None and row["auroc"] is not None]
        if len(rows) == len(sets):
            fit = math.exp(sum(math.log(row["cost"]["fit_s"]) for row in rows) / len(rows))
            colour = BASELINE if name == "healthy-atlas" else COLOURS[len(points) % len(COLOURS)]
            points.append(Point(name, fit, sum(value(row, "auroc") for row in rows) / len(rows), style=Style(colour)))
    if not points:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"></svg>\n'
    x = Axis("Seconds to fit, all included", min(p.x for p in points) / 1.8, max(p.x for p in points) * 1.8, log=True)
    over = f"mean over all {len(sets)} sets" if len(sets) == len(SETS) else f"mean over {', '.join(sets)}"
    y = Axis(f"AUROC, {over}", 0.5, 1.0)
    return scatter_svg(points, x=x, y=y, alt="Accuracy against cost", width=720, height=460) + "\n"


def say(progress: Progress) -> None:
    """One line on the terminal that goes on in place."""
    if sys.stderr.isatty():
        left = "" if progress.seconds_left is None else f", {progress.seconds_left / 60:.0f} min left"
        print(f"\r\033[K{progress.stage} {progress.done}/{progress.total}{left}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
