"""A whole slide goes in, and what is strange on it is found at its place."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from jsonschema import Draft202012Validator

from halescan.cli import app
from halescan.errors import SettingError, TrainingError
from halescan.workflows.cases import open_item
from halescan.workflows.examine import examine, new_scans
from halescan.workflows.model import load_model
from halescan.workflows.recalibrate import recalibrate
from halescan.workflows.slide_scan import cells_of
from halescan.workflows.train import train
from tests.slides import MadeSlide, write_dicom_slide, write_slide

SETTINGS = {"size": [64, 64], "spacing_mm": [0.002, 0.002], "tiles": 8}
RED = (620.0, 520.0, 70.0)
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "case-1.schema.json"


def healthy_slides(folder: Path, count: int, *, first: int = 0) -> Path:
    """Slides of 1,200 pixels, each of another patient, as a table says."""
    folder.mkdir()
    names = [f"h{number:02}.tiff" for number in range(first, first + count)]
    for number, name in enumerate(names, first):
        write_slide(folder / name, MadeSlide.of(1200, seed=number), downs=(1, 4))
    rows = "".join(f"{name}\tp{name}\n" for name in names)
    (folder / "manifest.tsv").write_text("file\tpatient\n" + rows)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`healthy-atlas` learned from tiles of 40 healthy slides, and calibrated on whole ones."""
    work = tmp_path_factory.mktemp("slide-model")
    healthy = healthy_slides(work / "healthy", 40)
    train(healthy, profile="histology", detector="healthy-atlas", profile_settings=SETTINGS, out=work / "model")
    return work / "model"


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of 2,000 pixels with a red disc planted in its tissue."""
    drawn = MadeSlide(2000, ((700, 600, 420), (1500, 1400, 260)), (RED,), seed=90)
    return write_slide(tmp_path_factory.mktemp("ill") / "ill.tiff", drawn)


@pytest.fixture(scope="module")
def examined(model: Path, ill: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The record of that slide, and its folder."""
    out = tmp_path_factory.mktemp("examined")
    with pytest.MonkeyPatch.context() as patch:  # made before each test gets a home of its own
        patch.setenv("HALESCAN_HOME", str(tmp_path_factory.mktemp("home")))
        done = examine(model, ill, out=out, false_alarms=0.1)
    assert not done.problems
    return done.records[0], out / done.records[0]["case"]


def test_a_planted_disc_is_found_at_its_place_on_the_slide(examined: tuple[dict[str, Any], Path]) -> None:
    finding = examined[0]["scans"][0]["findings"][0]["slide"]
    (left, right), (top, bottom) = finding["box_xy_px"]
    assert (top, left) == pytest.approx((RED[0] - RED[2], RED[1] - RED[2]), abs=24)
    assert (bottom, right) == pytest.approx((RED[0] + RED[2], RED[1] + RED[2]), abs=24)
    assert finding["peak_xy_mm"] == pytest.approx([place * 0.0005 for place in finding["peak_xy_px"]])
    assert finding["box_xy_mm"][1] == pytest.approx([top * 0.0005, bottom * 0.0005])


def test_a_slide_gets_a_p_value_from_whole_healthy_slides(examined: tuple[dict[str, Any], Path], model: Path) -> None:
    verdict = examined[0]["verdict"]
    calibration = load_model(model).healthy.calibration
    assert calibration.level == "slide"
    assert verdict["calibration_units"] == calibration.units == 20
    assert verdict["p_value"] == pytest.approx(1 / 21)
    assert verdict["decision"] == "above"


def test_the_record_of_a_slide_keeps_to_its_schema(examined: tuple[dict[str, Any], Path]) -> None:
    record, folder = examined
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(record)
    slide = record["scans"][0]["slide"]
    assert slide["size_xy_px"] == [2000, 2000]
    assert slide["um_per_px_xy"] == pytest.approx([0.5, 0.5])
    assert slide["tissue_mm2"] == pytest.approx(np.pi * (420**2 + 260**2) * 0.0005**2, rel=0.05)
    strangest = slide["strangest_tiles"][0]["box_xy_px"]
    assert strangest[0][0] < RED[1] + RED[2]
    assert strangest[0][1] > RED[1] - RED[2]
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "report.pdf", "case.json", "overlay.png", "map.tiff",
    }  # fmt: skip


def test_the_heat_map_lies_on_the_slide(examined: tuple[dict[str, Any], Path]) -> None:
    with tifffile.TiffFile(examined[1] / "map.tiff") as tiff:
        told = json.loads(tiff.pages.first.description)
        hot = tiff.series[0].levels[0].asarray()
        pixels_a_cm = tiff.pages.first.tags["XResolution"].value
    step = np.array(told["slide_px_per_map_px_xy"][::-1])
    rows, columns = np.nonzero(hot > 2.5)
    middle = (np.array([np.median(rows), np.median(columns)]) + 0.5) * step
    assert middle == pytest.approx(RED[:2], abs=16)
    assert told["extent_xy_mm"] == pytest.approx([1.0, 1.0])
    assert 10_000 * pixels_a_cm[1] / pixels_a_cm[0] == pytest.approx(told["map_um_per_px_xy"][0])
    assert hot.shape == (125, 125)


def test_the_report_shows_the_slide_and_its_strangest_tiles(examined: tuple[dict[str, Any], Path]) -> None:
    page = (examined[1] / "report.html").read_text(encoding="utf-8")
    for words in ("2,000 × 2,000 px at 0.500 µm", "Strangest tiles", "Peak on level 0", "each tile is judged alone"):
        assert words in page


def test_a_healthy_slide_is_not_above_the_threshold(model: Path, tmp_path: Path) -> None:
    write_slide(tmp_path / "well.tiff", MadeSlide.of(1200, seed=77), downs=(1, 4))
    done = examine(model, tmp_path / "well.tiff", out=tmp_path / "out", false_alarms=0.1, formats=["json"])
    assert done.records[0]["verdict"]["p_value"] > 0.1


def test_a_dicom_slide_is_examined_as_any_other(model: Path, tmp_path: Path) -> None:
    drawn = MadeSlide(2000, ((700, 600, 420), (1500, 1400, 260)), (RED,), seed=90)
    write_dicom_slide(tmp_path / "wsi", drawn)
    done = examine(model, tmp_path / "wsi", out=tmp_path / "out", false_alarms=0.1, formats=["json"])
    (left, right), (top, bottom) = done.records[0]["scans"][0]["findings"][0]["slide"]["box_xy_px"]
    assert left < RED[1] < right
    assert top < RED[0] < bottom
    assert "secret" not in json.dumps(done.records)


def test_tiles_one_by_one_or_on_many_threads_say_the_same(model: Path, ill: Path, tmp_path: Path) -> None:
    scores = [
        examine(model, ill, out=tmp_path / str(jobs), jobs=jobs, formats=["json"]).records[0]["verdict"]["score"]
        for jobs in (1, 4)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


@pytest.fixture(scope="module")
def patch_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same method learned from patches that do not say their scale."""
    from PIL import Image

    work = tmp_path_factory.mktemp("patch-model")
    (work / "patches").mkdir()
    for number in range(30):
        random = np.random.default_rng(number)
        patch = random.normal((196, 150, 196), 9, (72, 72, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(patch).save(work / "patches" / f"{number}.png")
    train(
        work / "patches",
        profile="histology",
        detector="healthy-atlas",
        profile_settings={"size": [64, 64]},
        out=work / "model",
    )
    return work / "model"


def test_a_model_of_patches_withholds_the_p_value_of_a_slide(patch_model: Path, ill: Path, tmp_path: Path) -> None:
    done = examine(patch_model, ill, out=tmp_path / "out", tile_um_per_px=2.0, formats=["json"])
    record = done.records[0]
    assert record["verdict"]["p_value"] is None
    assert record["verdict"]["why_withheld"]["key"] == "uncalibrated-slide"
    assert "slide-scale-assumed" in {note["key"] for note in record["scans"][0]["notes"]}
    assert record["scans"][0]["slide"]["tile_um_per_px_xy"] == [2.0, 2.0]


def test_how_large_tiles_are_cut_does_not_make_a_slide_unlike_the_patches(
    patch_model: Path, ill: Path, tmp_path: Path
) -> None:
    done = examine(patch_model, ill, out=tmp_path / "out", tile_um_per_px=2.0, formats=["json"])
    said = [note["text"] for note in done.records[0]["notes"] if note["key"] == "unlike-training"]
    assert not any(size in text for text in said for size in ("height", "width", "aspect"))


def test_recalibrated_on_healthy_slides_a_model_of_patches_gives_one(
    patch_model: Path, ill: Path, tmp_path: Path
) -> None:
    healthy = healthy_slides(tmp_path / "site", 10, first=200)
    recipe = {"spacing_mm": (0.002, 0.002)}
    scaled = load_model(patch_model)
    scaled = type(scaled)(**{**vars_of(scaled), "profile": scaled.profile.model_copy(update=recipe)})
    new = recalibrate(scaled, healthy, out=tmp_path / "new")
    assert new.healthy.calibration.level == "slide"
    assert new.healthy.calibration.units == 10
    assert load_model(tmp_path / "new").profile.spacing_mm == (0.002, 0.002)
    done = examine(tmp_path / "new", ill, out=tmp_path / "out", false_alarms=0.1, formats=["json"])
    assert done.records[0]["verdict"]["p_value"] == pytest.approx(1 / 11)


def vars_of(model: Any) -> dict[str, Any]:
    """The fields of a model."""
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def test_what_cannot_be_examined_is_named_and_stops_nothing(model: Path, ill: Path, tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    (place / "ill.tiff").write_bytes(ill.read_bytes())
    (place / "cut.tiff").write_bytes(ill.read_bytes()[:-20_000])
    (place / "text.svs").write_text("no slide at all\n" * 100)
    write_slide(place / "blank.tiff", MadeSlide(1000, ()))
    write_slide(place / "silent.tiff", MadeSlide.of(1000), um_per_px=None)
    done = examine(model, place, out=tmp_path / "out", formats=["json"])
    assert len(done.records) == 1
    told = {Path(problem.split(": ")[0]).name: problem for problem in done.problems}
    assert set(told) == {"cut.tiff", "text.svs", "blank.tiff", "silent.tiff"}
    assert "cut short" in told["cut.tiff"]
    assert "not a slide" in told["text.svs"]
    assert "no tissue" in told["blank.tiff"]
    assert "--um-per-px" in told["silent.tiff"]


def test_a_scale_named_by_hand_is_used_and_told(model: Path, tmp_path: Path) -> None:
    write_slide(tmp_path / "silent.tiff", MadeSlide.of(1200, seed=5), um_per_px=None, downs=(1, 4))
    done = examine(model, tmp_path / "silent.tiff", out=tmp_path / "out", um_per_px=0.5, formats=["json"])
    scan = done.records[0]["scans"][0]
    assert scan["slide"]["um_per_px_given"] is True
    assert "slide-scale-given" in {note["key"] for note in scan["notes"]}


def test_another_scale_than_the_models_own_is_refused(model: Path, ill: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="looks at 2 µm per pixel"):
        examine(model, ill, out=tmp_path / "out", tile_um_per_px=0.5)


def test_a_grey_model_refuses_a_slide_in_one_sentence(model_folder: Path, ill: Path, tmp_path: Path) -> None:
    done = examine(model_folder, ill, out=tmp_path / "out")
    assert not done.records
    assert "reads grey images: use a model of a colour profile" in done.problems[0]


def test_slides_and_patches_are_not_learned_together(ill: Path, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.tiff").write_bytes(ill.read_bytes())
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "mixed" / "b.png")
    with pytest.raises(TrainingError, match="1 of these 2 scans are whole slides"):
        train(tmp_path / "mixed", profile="histology", detector="healthy-atlas", out=tmp_path / "model")


def test_commands_that_read_no_slides_say_so(model: Path, ill: Path) -> None:
    cohort, _ = new_scans(ill, None, None)
    assert "examine reads it tile by tile" in open_item(cohort.items[0], load_model(model).profile).error


def test_a_cell_is_the_mean_of_what_was_looked_at() -> None:
    values = np.arange(64.0).reshape(8, 8)
    mask = np.ones((8, 8), bool)
    mask[:4, :4] = False
    mask[0, 4:] = False
    means, seen = cells_of(values, mask, 4)
    assert seen.tolist() == [[False, True], [True, True]]
    assert means[0, 1] == values[1:4, 4:].mean()
    assert means[1, 1] == values[4:, 4:].mean()


def test_the_command_takes_slides(model: Path, ill: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    done = CliRunner().invoke(
        app,
        ["examine", str(model), str(ill), "--out", str(tmp_path / "out"), "--reports", "json", "--um-per-px", "0.3"],
    )
    assert done.exit_code == 0, done.output
    assert "above" in done.output


PEAKS = """
import resource, sys
from pathlib import Path
from halescan.workflows.examine import examine
from tests.slides import MadeSlide, write_slide
model, work = Path(sys.argv[1]), Path(sys.argv[2])
for side in (5_000, 20_000):
    path = work / f"{side}.tiff"
    write_slide(path, MadeSlide.of(side, seed=3, red=((side * 0.55, side * 0.5, side * 0.02),)))
    done = examine(model, path, out=work / str(side), formats=["json"], jobs=2)
    assert not done.problems, done.problems
    scan = done.records[0]["scans"][0]
    box = scan["findings"][0]["slide"]["box_xy_px"]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, scan["slide"]["tiles"], *box[0], *box[1])
"""


def test_a_slide_of_20000_pixels_is_examined_in_the_memory_of_a_small_one(model: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PEAKS, str(model), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert found.returncode == 0, found.stderr
    (small, few, *_), (large, many, *box) = ([int(word) for word in line.split()] for line in found.stdout.splitlines())
    assert many > 10 * few
    assert large < 1.25 * small  # 1.2 GB of pixels; the heat map is sixteen times as large, and bounded
    assert box == pytest.approx([9600, 10_400, 10_600, 11_400], abs=40)
