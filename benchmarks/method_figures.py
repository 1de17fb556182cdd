"""One picture a method, drawn from its real output: docs/images/methods/NAME.jpg, with the models of `compare.py`.

    python benchmarks/method_figures.py                  every method whose model lies in HALESCAN_WORK
    python benchmarks/method_figures.py --detectors riad

The scans are three of us-busi's test part, fixed before any method was seen: the first healthy one and the first two
with a lesion. BUSI: Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863, CC BY 4.0. `guided-diffusion`, which needs
labels, and `modality-translation`, which needs contrasts and is shown on phantoms, are trained here (figure_models.py).
"""

import argparse
import os
from pathlib import Path

import numpy as np
from figure_models import with_contrasts, with_labels
from PIL import Image, ImageDraw, ImageFilter

from halescan.data.item import Item
from halescan.detectors import catalogue
from halescan.io import source_of
from halescan.reporting.figures import grey_window, merged, plane_picture
from halescan.reporting.lettering import text_font
from halescan.reporting.panels import reconstruction_panels
from halescan.types import CaseResult
from halescan.workflows.cases import open_item
from halescan.workflows.interpret import case_result, measure_scans
from halescan.workflows.model import Model, load_model

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HALESCAN_DATA", HERE.parent.parent / "shared" / "data")) / "us-busi" / "test"
WORK = Path(os.environ.get("HALESCAN_WORK", Path.home() / ".cache" / "halescan-compare"))
OUT = HERE.parent / "docs" / "images" / "methods"
SCANS = ("healthy/h0000.jpg", "abnormal/b0015.jpg", "abnormal/b0016.jpg")
SIDE = 200  # pixels of a picture
GAP, HEAD, LEFT = 6, 24, 72


def main() -> None:
    """Draw what can be drawn; name what has no model yet."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--detectors", default=",".join(catalogue()))
    OUT.mkdir(parents=True, exist_ok=True)
    for name in words.parse_args().detectors.split(","):
        drawn = picture(name)
        if drawn is None:
            print(f"{name}: no model in {WORK}; python benchmarks/compare.py --sets us-busi --detectors {name}")
            continue
        drawn.save(OUT / f"{name}.jpg", quality=88)
        print(OUT / f"{name}.jpg")


def picture(name: str) -> Image.Image | None:
    """The picture of a method; None where the comparison has left no model of it."""
    if name == "guided-diffusion":
        return page(with_labels(WORK / "figures", {Path(scan).name for scan in SCANS}), DATA, SCANS)
    if name == "modality-translation":
        return page(*with_contrasts(WORK / "figures"))
    models = sorted((WORK / "cells").glob(f"us-busi.{name}.seed-0.*/model"))
    return page(load_model(models[-1]), DATA, SCANS) if models else None


def page(model: Model, folder: Path, scans: tuple[str, ...]) -> Image.Image:
    """The scans below each other, each with what the method makes of it."""
    rows = [row(model, folder / scan) for scan in scans]
    columns = list(rows[0])
    width = LEFT + len(columns) * (SIDE + GAP)
    drawn = Image.new("RGB", (width, HEAD + len(rows) * (SIDE + GAP)), "white")
    pen = ImageDraw.Draw(drawn)
    for place, title in enumerate(columns):
        pen.text((LEFT + place * (SIDE + GAP) + SIDE / 2, 4), title, fill="#334155", font=text_font(14), anchor="ma")
    for line, (scan, pictures) in enumerate(zip(scans, rows, strict=True)):
        top = HEAD + line * (SIDE + GAP)
        pen.text((4, top + SIDE / 2), scan.split("/")[0], fill="#334155", font=text_font(13), anchor="lm")
        for place, picture in enumerate(pictures.values()):
            drawn.paste(picture.convert("RGB").resize((SIDE, SIDE)), (LEFT + place * (SIDE + GAP), top))
    return drawn


def row(model: Model, path: Path) -> dict[str, Image.Image]:
    """Pictures by what they show."""
    scan = case(model, path).scans[0]
    window = grey_window(scan.scan, model.facts.window)
    layered = plane_picture(scan, number=None, window=window, threshold=model.map_threshold, longest_px=SIDE)
    shown = {"scan, lesion outlined": outlined(layered.base, path)}
    if panels := reconstruction_panels(scan, longest_px=SIDE):
        shown["drawn by the method"] = panels[1]
    if scan.map is not None:
        full = model.map_threshold or float(scan.map.max()) or 1.0
        levels = np.clip(scan.map / full, 0, 1) * 255
        shown["map, up to threshold"] = Image.fromarray(levels.astype(np.uint8))
        shown["findings"] = merged(layered)
    return shown


def case(model: Model, path: Path) -> CaseResult:
    """What `halescan examine` finds on one scan."""
    opened = open_item(Item(source=source_of(path)), model.profile)
    return case_result(model, measure_scans(model, [opened]), false_alarms=0.05)


def outlined(base: Image.Image, path: Path) -> Image.Image:
    """The scan with the border of the mask that people drew; a healthy one has none."""
    truth = path.parent.parent / "masks" / f"{path.stem}.png"
    drawn = base.convert("RGB")
    if truth.exists():
        mask = Image.open(truth).convert("L").resize(base.size, Image.Resampling.NEAREST)
        edge = np.asarray(mask.filter(ImageFilter.MaxFilter(3))) > np.asarray(mask)
        levels = np.array(drawn)
        levels[edge] = (250, 204, 21)
        drawn = Image.fromarray(levels)
    return drawn


if __name__ == "__main__":
    main()
