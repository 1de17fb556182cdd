"""Abnormal examples: given to the methods that need them, refused by the others, never of a patient who calibrates."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from halescan.data.table import read_cohort
from halescan.detectors.base import Detector
from halescan.errors import SettingError, ShapeError, TrainingError
from halescan.synthesis.cohort import PhantomFolders
from halescan.types import Labelled, Scores
from halescan.workflows.abnormal import Abnormal, abnormal_cohort, check_apart
from halescan.workflows.examine import examine
from halescan.workflows.train import train
from tests.data.layouts.made import brats

LUNGS: dict[str, Any] = {"profile": "lung-ct", "profile_settings": {"size": [32, 32]}, "jobs": 1}


class Contrast(Detector):
    """Mean abnormal image minus mean healthy one: the least that learns from both."""

    name = "contrast"
    summary = "how much of the mean abnormal image is there"
    source = "https://example.org"
    needs_abnormal = True
    seen: ClassVar[list[tuple[int, int]]] = []

    def __init__(self) -> None:
        self._way = np.zeros(())

    def _learn(self, normal: Any, check: Any, run: Any) -> None:
        assert isinstance(normal, Labelled)
        images = normal.take(range(len(normal))).images
        self.seen.append((int((~normal.abnormal).sum()), int(normal.abnormal.sum())))
        self._way = images[normal.abnormal].mean(0) - images[~normal.abnormal].mean(0)

    def _measure(self, batch: Any) -> Scores:
        return Scores(map=(batch.images * self._way).mean(1))

    def _state(self) -> dict[str, np.ndarray]:
        return {"way": self._way}

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._way = state["way"]


@pytest.fixture
def contrast(monkeypatch: pytest.MonkeyPatch) -> type[Contrast]:
    monkeypatch.setitem(__import__("halescan.detectors", fromlist=["x"]).CATALOGUE, "contrast", f"{__name__}:Contrast")
    monkeypatch.setattr(Contrast, "seen", [])
    return Contrast


def test_a_model_of_both_kinds_is_trained_saved_and_says_that_it_is_supervised(
    contrast: type[Contrast], phantoms: PhantomFolders, tmp_path: Path
) -> None:
    ill = sorted(phantoms.new.iterdir())[:3]
    (tmp_path / "ill").mkdir()
    for path in ill:
        shutil.copy(path, tmp_path / "ill")
    model = train(phantoms.healthy, abnormal=tmp_path / "ill", detector="contrast", out=tmp_path / "m", **LUNGS)
    learned = model.record["training_set"]
    assert contrast.seen == [(learned["learn"], 3)]
    assert learned["abnormal"]["scans"] == 3
    assert model.healthy.calibration.units == 20
    assert len(learned["contents"]) == learned["scans"] + 3
    assert any("supervised" in line for line in model.lines())
    assert "supervised" in (tmp_path / "m" / "card.md").read_text()
    examine(tmp_path / "m", [sorted(phantoms.new.iterdir())[3]], out=tmp_path / "out", formats=("json",), jobs=1)
    (case,) = (tmp_path / "out").glob("*/case.json")
    assert "supervised" in {note["key"] for note in json.loads(case.read_text())["notes"]}


def test_abnormal_scans_are_found_by_the_labels_of_the_table_too(
    contrast: type[Contrast], test_set: Path, tmp_path: Path
) -> None:
    model = train(test_set, split="test", detector="contrast", out=tmp_path / "m", **LUNGS)
    assert model.record["training_set"]["abnormal"]["scans"] == 12
    assert contrast.seen[0] == (12, 12)
    assert all(ill == 12 for _, ill in contrast.seen)  # the folds hold out healthy people, who have no abnormal scan


def test_no_abnormal_scan_of_a_patient_who_calibrates_is_learned_from(
    contrast: type[Contrast], phantoms: PhantomFolders, tmp_path: Path
) -> None:
    healthy, ill = sorted(phantoms.healthy.iterdir()), tmp_path / "ill"
    ill.mkdir()
    for number, path in enumerate(healthy[:30]):  # the same people once more, slightly changed
        _copied_with_other_pixels(path, ill / f"{number}.dcm")
    train(phantoms.healthy, abnormal=ill, detector="contrast", out=tmp_path / "m", **LUNGS)
    ((learned, abnormal),) = contrast.seen
    assert 0 < abnormal <= learned
    held = 44 - learned
    assert 30 - held <= abnormal < 30


def test_when_all_abnormal_scans_are_of_those_who_calibrate_there_is_nothing_to_learn_from(
    contrast: type[Contrast], phantoms: PhantomFolders, tmp_path: Path
) -> None:
    from halescan.data.split import split_parts

    groups = read_cohort(phantoms.healthy).groups()
    held = split_parts(groups, seed=0, choosing=False).calibrate[0]
    (tmp_path / "ill").mkdir()
    _copied_with_other_pixels(read_cohort(phantoms.healthy).items[held].source.path, tmp_path / "ill" / "a.dcm")
    with pytest.raises(TrainingError, match="of other patients"):
        train(phantoms.healthy, abnormal=tmp_path / "ill", detector="contrast", out=tmp_path / "m", **LUNGS)


def test_near_duplicates_stand_in_for_unknown_patients_across_healthy_and_abnormal_scans(tmp_path: Path) -> None:
    for kind in ("healthy", "ill"):
        (tmp_path / kind).mkdir()
    for number in range(5):
        _picture(number).save(tmp_path / "healthy" / f"{number}.png")
    changed = _picture(0)
    changed.paste(128, (20, 20, 24, 24))
    changed.save(tmp_path / "ill" / "same.png")
    _picture(9).save(tmp_path / "ill" / "other.png")
    healthy, ill = (read_cohort(tmp_path / kind) for kind in ("healthy", "ill"))
    images: Any = SimpleNamespace(item_of=np.array([0, 1, 1]))  # other.png, then two of same.png
    abnormal = Abnormal(ill, images, healthy)
    assert abnormal.apart_from(healthy.groups()[:1]).tolist() == [0]
    assert abnormal.apart_from(healthy.groups()[1:]).tolist() == [0, 1, 2]


def _picture(seed: int) -> Image.Image:
    random = np.random.default_rng(seed).random((96, 96))
    smooth = ndimage.gaussian_filter(random, 4)
    return Image.fromarray((255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8))


def _copied_with_other_pixels(path: Path, target: Path) -> None:
    import pydicom

    data = pydicom.dcmread(path)
    pixels = data.pixel_array.copy()
    pixels[:2, :2] = pixels.max()
    data.PixelData = pixels.tobytes()
    data.save_as(target)


def test_without_abnormal_scans_the_sentence_says_how_to_give_them(
    contrast: type[Contrast], phantoms: PhantomFolders, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"nothing at .* is called abnormal.*--abnormal FOLDER.*label column"):
        train(phantoms.healthy, detector="contrast", out=tmp_path / "m", **LUNGS)


def test_all_other_methods_refuse_abnormal_scans(phantoms: PhantomFolders, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="healthy-atlas learns from healthy scans alone; leave --abnormal out"):
        train(phantoms.healthy, abnormal=phantoms.new, detector="healthy-atlas", out=tmp_path / "m", **LUNGS)


def test_of_a_whole_data_set_the_abnormal_test_scans_are_never_taken(
    contrast: type[Contrast], test_set: Path, tmp_path: Path
) -> None:
    for part, kind in (("train", "healthy"), ("train", "abnormal"), ("test", "abnormal")):
        folder = tmp_path / "set" / part / kind
        folder.mkdir(parents=True)
        first = 0 if part == "train" else 6
        for path in sorted((test_set / kind).iterdir())[first : first + 6]:
            shutil.copy(path, folder)
    found = abnormal_cohort(contrast(), tmp_path / "set", None, None, None)
    assert found is not None
    assert {item.split for item in found.items} == {"train"}
    assert len(found) == 6


def test_a_scan_called_both_is_refused(phantoms: PhantomFolders) -> None:
    cohort = read_cohort(phantoms.healthy)
    with pytest.raises(TrainingError, match="2 scans are called healthy and abnormal"):
        check_apart(cohort, cohort.subset([0, 1]))


def test_other_abnormal_scans_are_another_request(
    contrast: type[Contrast], phantoms: PhantomFolders, tmp_path: Path
) -> None:
    for name, count in (("a", 3), ("b", 2)):
        (tmp_path / name).mkdir()
        for path in sorted(phantoms.new.iterdir())[:count]:
            shutil.copy(path, tmp_path / name)
    first = train(phantoms.healthy, abnormal=tmp_path / "a", detector="contrast", out=tmp_path / "m", **LUNGS)
    again = train(phantoms.healthy, abnormal=tmp_path / "a", detector="contrast", out=tmp_path / "m", **LUNGS)
    assert again.record["request_sha256"] == first.record["request_sha256"]
    assert len(contrast.seen) == 1
    with pytest.raises(Exception, match="not made by this request"):
        train(phantoms.healthy, abnormal=tmp_path / "b", detector="contrast", out=tmp_path / "m", **LUNGS)


def test_contrasts_of_a_data_set_reach_the_method_that_translates_them(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    for path in root.glob("*/*_t[12].nii.gz"):  # made up as copies of one picture, which the method refuses
        one = nibabel.load(path)
        grey = np.asarray(one.dataobj)
        turned = np.where(grey > 50, 1000 - grey, grey).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(turned, one.affine), path)
    settings = {"side": 16, "width": 4, "depth": 2, "steps": 5, "batch_size": 4}
    brain: dict[str, Any] = {"size": [32, 32], "channels": 3}
    told: dict[str, Any] = {"profile": "brain-mri", "detector": "modality-translation", "detector_settings": settings}
    model = train(
        f"brats:contrast=flair+t1+t2,every=1@{root}", out=tmp_path / "m", profile_settings=brain, jobs=1, **told
    )
    assert model.detector.learned_shape == (3, 32, 32)
    with pytest.raises(ShapeError, match=r"profile.channels=3"):  # before any scan is read
        train(tmp_path / "nowhere", out=tmp_path / "n", **told)
