"""Pictures of a comparison: the worst false alarms and the worst misses of a model; and how long one image takes."""

import csv
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from halescan.data.table import Cohort, Item, read_cohort
from halescan.errors import HalescanError
from halescan.reporting.figures import grey_window, key_slice, merged, plane_picture
from halescan.reporting.json_out import write_json
from halescan.reporting.view import view_of
from halescan.types import ScanResult
from halescan.workflows.cases import Case, case_keys, cases_of, open_item
from halescan.workflows.interpret import case_result, measure_scans
from halescan.workflows.mask_geometry import truth_on
from halescan.workflows.measure import TOGETHER
from halescan.workflows.model import Model

MOST = 4  # pictures of either kind
LONGEST_PX = 200
_GAP = 4
_TRUTH = (80, 220, 100)  # green: in no map and in no scan


def save_pictures(
    model: Model, test: Path, split: str | None, *, scores: Path, out: Path, false_alarms: float, most: int = MOST
) -> None:
    """Write the worst false alarms and the worst misses as small JPEGs, and `pictures.json` about them.

    A picture is the scan (the key slice of a volume) and, beside it, under its map; true lesions are outlined in green
    where there is a mask. No name and no id goes with it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with scores.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cases = _matched(rows, read_cohort(test, split=split))
    told: list[dict[str, Any]] = []
    for kind, label, sign in (("false-alarm", "healthy", -1), ("miss", "abnormal", 1)):
        mine = [
            (row, case) for row, case in zip(rows, cases, strict=True) if row["label"] == label and case is not None
        ]
        mine.sort(key=lambda pair: sign * float(pair[0]["score"]))
        for number, (row, case) in enumerate(mine[:most], start=1):
            picture = _picture(model, case, false_alarms)
            if picture is not None:
                name = f"{kind}-{number}.jpg"
                picture.save(out / name, "JPEG", quality=82)
                told.append({"kind": kind, "file": name, **_told(row, rows)})
    write_json({"pictures": told}, out / "pictures.json")


def ms_an_image(model: Model, test: Path, split: str | None) -> float | None:
    """Milliseconds from a prepared image to its score and map, the best of three passes over up to 32 test images."""
    opened, count = [], 0
    for item in read_cohort(test, split=split).items:
        found = open_item(item, model.profile)
        if found.scan is not None:
            opened.append(found)
            count += len(found.images)
        if count >= TOGETHER:
            break
    if not opened:
        return None
    measure_scans(model, opened[:1])  # the first pass of all warms up
    passes = []
    for _ in range(3):
        begun = time.perf_counter()
        measure_scans(model, opened)
        passes.append(time.perf_counter() - begun)
    return 1000 * min(passes) / count


def _matched(rows: list[dict[str, str]], cohort: Cohort) -> list[Case | None]:
    """The case behind each row of `scores.csv`, which has the cases in order but for those that could not be read."""
    keys = case_keys(cohort)
    known = {key for key, item in zip(keys, cohort.items, strict=True) if item.label is not None}
    waiting = iter([case for case in cases_of(cohort) if case.key in known])
    found: list[Case | None] = []
    for row in rows:
        found.append(next((case for case in waiting if _fits(case, row)), None))
    return found


def _fits(case: Case, row: dict[str, str]) -> bool:
    source = case.items[0].source
    index = "" if source.index is None else str(source.index)
    return (source.path.is_dir() or Path(row["file"]).name == source.path.name) and row["index"] == index


def _picture(model: Model, case: Case, false_alarms: float) -> Image.Image | None:
    """A case's strangest scan as acquired and under its map; None where it cannot be read again."""
    opened = [found for found in (open_item(item, model.profile) for item in case.items) if found.scan is not None]
    if not opened:
        return None
    result = case_result(model, measure_scans(model, opened), false_alarms=false_alarms)
    place = int(np.argmax([scan.score for scan in result.scans]))
    shown = result.scans[place]
    truth = _truth(opened[place].item, shown)
    return _side_by_side(model, shown, truth)


def _truth(item: Item, shown: ScanResult) -> np.ndarray | None:
    """The drawn lesion on the scan's voxels; None without one, or where it does not lie on them."""
    if item.label != "abnormal":
        return None
    try:
        inside = truth_on(item, shown.scan)
    except HalescanError:  # told of by the evaluation
        return None
    return inside if inside is not None and inside.any() else None


def _side_by_side(model: Model, shown: ScanResult, truth: np.ndarray | None) -> Image.Image:
    """The scan and, beside it, the scan under its map; the true lesion outlined on the left."""
    plane = None
    if shown.scan.dims == 3:
        plane = key_slice(shown)
        if truth is not None and not truth[plane].any():
            plane = int(truth.any(axis=(1, 2)).argmax())
    layered = plane_picture(
        replace(shown, findings=()),  # boxes and numbers would cover a picture of this size
        number=plane,
        window=grey_window(shown.scan, model.profile.window_hu),
        threshold=None,
        longest_px=LONGEST_PX,
    )
    base, laid = layered.base.convert("RGB"), merged(layered)
    if truth is not None:
        base = _outlined(base, view_of(shown.scan).lay(truth if plane is None else truth[plane]))
    page = Image.new("RGB", (2 * base.width + _GAP, base.height), "white")
    page.paste(base, (0, 0))
    page.paste(laid, (base.width + _GAP, 0))
    return page


def _outlined(picture: Image.Image, inside: np.ndarray) -> Image.Image:
    """A picture with the rim of a region `(h, w)`, as it lies on the page, in green."""
    fitted = np.asarray(Image.fromarray(inside.astype(np.uint8)).resize(picture.size, Image.Resampling.NEAREST)) > 0
    pixels = np.array(picture)
    pixels[fitted & ~binary_erosion(fitted)] = _TRUTH
    return Image.fromarray(pixels)


def _told(row: dict[str, str], rows: list[dict[str, str]]) -> dict[str, Any]:
    """What a caption says of a case; rank 1 is the strangest of all."""
    score = float(row["score"])
    return {
        "score": score,
        "p_value": float(row["p_value"]) if row["p_value"] else None,
        "decision": row["decision"],
        "rank": 1 + sum(float(other["score"]) > score for other in rows),
        "of": len(rows),
    }
