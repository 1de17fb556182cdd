"""Tiny data sets in every layout, written on the spot with the file names of the real ones."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import nibabel
import numpy as np
import SimpleITK as sitk
from openpyxl import Workbook
from PIL import Image


def picture(file: Path, seed: int = 0) -> Path:
    """A grey picture that no other seed gives."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(file)
    return file


def drawn(file: Path) -> Path:
    """A mask with a square in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 5:9] = 255
    Image.fromarray(mask).save(file)
    return file


def pictures(folder: Path, *names: str) -> None:
    """Pictures of different contents."""
    for number, name in enumerate(names):
        picture(
            folder / name,
            seed=crc32(f"{folder.name} {folder.parent.name} {folder.parent.parent.name} {name} {number}".encode()),
        )


def bmad(root: Path) -> Path:
    """Brain of BMAD."""
    pictures(root / "train/good/img", "00003_60.png", "00003_61.png")
    for part in ("valid", "test"):
        pictures(root / part / "good/img", "00025_99.png")
        pictures(root / part / "Ungood/img", "00124_60.png", "00124_70.png")
        for name in ("00124_60.png", "00124_70.png"):
            drawn(root / part / "Ungood/label" / name)
    return root


def mvtec(root: Path) -> Path:
    """A category of MVTec AD."""
    pictures(root / "train/good", "000.png", "001.png")
    pictures(root / "test/good", "000.png")
    for defect in ("crack", "hole"):
        pictures(root / "test" / defect, "000.png")
        drawn(root / "ground_truth" / defect / "000_mask.png")
    return root


def medianomaly(root: Path) -> Path:
    """RSNA of MedIAnomaly."""
    pictures(root / "images", "a.png", "b.png", "c.png", "d.png")
    record = {"train": {"0": ["a.png", "b.png"]}, "test": {"0": ["c.png"], "1": ["d.png"]}}
    (root / "data.json").write_text(json.dumps(record))
    return root


def pneumonia(root: Path) -> Path:
    """The X-rays as Kaggle has them."""
    pictures(root / "train/NORMAL", "IM-0115-0001.jpeg", "IM-0117-0001.jpeg")
    pictures(root / "train/PNEUMONIA", "person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg")
    pictures(root / "val/NORMAL", "NORMAL2-IM-1427-0001.jpeg")
    pictures(root / "val/PNEUMONIA", "person1946_bacteria_4874.jpeg")
    pictures(root / "test/NORMAL", "NORMAL2-IM-0013-0001.jpeg")
    pictures(root / "test/PNEUMONIA", "person1_virus_6.jpeg", "person1_virus_7.jpeg")
    return root


def medmnist(root: Path, name: str = "pneumoniamnist", labels: Sequence[object] = (0, 1, 0, 1)) -> Path:
    """A MedMNIST file with the same labels in all three parts."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = rng.integers(0, 255, (len(labels), 28, 28), dtype=np.uint8)
        column = np.array(labels, dtype=np.uint8)
        arrays[f"{part}_labels"] = column if column.ndim == 2 else column[:, None]
    np.savez_compressed(root / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    return root / f"{name}.npz"


def volume(file: Path, values: np.ndarray) -> Path:
    """A NIfTI file of `(z, y, x)` values, 1 mm."""
    file.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.T, np.diag([-1.0, -1.0, 1.0, 1.0])), file)
    return file


def brats_case(root: Path, name: str, tumour: range, *, year: int = 2021, depth: int = 40) -> Path:
    """One BraTS folder: a brain in all slices, a tumour in some."""
    rng = np.random.default_rng(len(name) + tumour.start)
    brain = np.zeros((depth, 16, 16), np.int16)
    brain[:, 3:13, 3:13] = rng.integers(100, 900, (depth, 10, 10))
    seg = np.zeros((depth, 16, 16), np.int16)
    seg[tumour.start : tumour.stop, 4:12, 4:12] = 4
    suffixes = ("_flair", "_t1", "_t1ce", "_t2", "_seg") if year < 2023 else ("-t2f", "-t1n", "-t1c", "-t2w", "-seg")
    for number, suffix in enumerate(suffixes):
        volume(root / name / f"{name}{suffix}.nii.gz", seg if suffix.endswith("seg") else brain + number)
    return root / name


def brats(root: Path) -> Path:
    """Eight patients; the tumour lies low in half of them and high in the others."""
    for number in range(8):
        brats_case(root, f"BraTS2021_{number:05d}", range(5, 17) if number % 2 else range(23, 35))
    return root


def luna_scan(file: Path, *, seed: int = 0) -> Path:
    """An .mhd of 12 x 20 x 24 voxels of 2 x 1 x 1 mm, its first voxel at (-30, -20, 100) mm."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.random.default_rng(seed).integers(-1000, 400, (12, 20, 24), dtype=np.int16))
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((-30.0, -20.0, 100.0))
    sitk.WriteImage(image, str(file))
    return file


def luna16(root: Path) -> Path:
    """Three scans in two subsets, one with two nodules."""
    for number, subset in enumerate((0, 0, 9)):
        luna_scan(root / f"subset{subset}/1.3.6.{number}.mhd", seed=number)
    luna_scan(root / "seg-lungs-LUNA16/1.3.6.0.mhd", seed=7)
    (root / "annotations.csv").write_text(
        "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
        "1.3.6.2,-20.0,-10.0,110.0,6.0\n"
        "1.3.6.2,-15.0,-5.0,104.0,4.0\n"
        "1.3.6.99,0,0,0,5\n"
    )
    return root


CHEXPERT_HEAD = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)


def chexpert_line(path: str, *, view: str = "Frontal", none: str = "", edema: str = "", devices: str = "") -> str:
    """One line of a CheXpert table."""
    return f"CheXpert-v1.0-small/{path},Female,68,{view},AP,{none},,,,,{edema},,,,,,,,{devices}"


def chexpert(root: Path) -> Path:
    """Two tables and their images."""
    lines = {
        "train": [
            chexpert_line("train/patient00001/study1/view1_frontal.jpg", none="1.0"),
            chexpert_line("train/patient00002/study1/view1_frontal.jpg", edema="1.0"),
            chexpert_line("train/patient00002/study1/view2_lateral.jpg", view="Lateral", edema="1.0"),
            chexpert_line("train/patient00002/study2/view1_frontal.jpg", edema="-1.0"),
            chexpert_line("train/patient00003/study1/view1_frontal.jpg", devices="1.0"),
        ],
        "valid": [
            chexpert_line("valid/patient64541/study1/view1_frontal.jpg", none="1.0", devices="1.0"),
            chexpert_line("valid/patient64542/study1/view1_frontal.jpg", none="0.0", edema="1.0"),
        ],
    }
    for part, rows in lines.items():
        pictures(root, *(row.split(",")[0].partition("/")[2] for row in rows))
        (root / f"{part}.csv").write_text("\n".join([CHEXPERT_HEAD, *rows]) + "\n")
    return root


def finding_lungs(root: Path) -> Path:
    """Slices and volumes with lung masks."""
    for name in ("ID_0000_Z_0142.tif", "ID_0067_Z_0238.tif"):
        pictures(root / "2d_images", name)
        drawn(root / "2d_masks" / name)
    scan = np.random.default_rng(0).integers(-1000, 400, (6, 8, 8)).astype(np.int16)
    volume(root / "3d_images/IMG_0002.nii.gz", scan)
    volume(root / "3d_images/MASK_0002.nii.gz", (scan < -800).astype(np.uint8))
    return root


def stained_patch(file: Path, seed: int = 0, side: int = 16) -> Path:
    """A blue patch with alpha, as the slides were cut; no other seed gives it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 40, (side, side, 4), dtype=np.uint8)
    Image.fromarray(np.array([150, 160, 200, 215], np.uint8) + noise).save(file)
    return file


HPYLORI_PATCHES = (
    "AnnotatedPatches/B22-01_0/00007.png",  # a healthy window of a patient with bacteria
    "AnnotatedPatches/B22-01_0/00392.png",  # an abnormal one, and its copies
    "AnnotatedPatches/B22-01_0/00392_Aug1.png",
    "AnnotatedPatches/B22-01_0/00392_Aug12.png",
    "AnnotatedPatches/B22-01_1/00007.png",  # another section: an uncertain window
    "AnnotatedPatches/B22-02_0/00011.png",  # a healthy window of a negative patient
    "CroppedPatches/B22-03_0/3.png",  # of a negative patient
    "CroppedPatches/B22-03_1/44.png",
    "CroppedPatches/B22-04_0/5.png",  # of a patient with bacteria: nobody knows what it shows
)
HPYLORI_WINDOWS: tuple[tuple[object, ...], ...] = (
    ("B22-01", 0, 7, -1),
    ("B22-01", 0, 392, 1),
    ("B22-01", 1, 7, 0),
    ("B22-02", 0, 11, -1),
)


def windows_xlsx(file: Path, rows: Sequence[Sequence[object]] = HPYLORI_WINDOWS) -> Path:
    """The table of windows with numbers as a spreadsheet holds them."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Pat_ID", "WSI_ID", "Window_ID", "i", "j", "h", "w", "Presence"])
    for patient, section, window, presence in rows:
        sheet.append([patient, section, window, 10, 20, 256, 256, presence])
    book.save(file)
    return file


def hpylori(root: Path) -> Path:
    """Four patients: annotated with bacteria, annotated without, and crops of one of either kind."""
    for seed, name in enumerate(HPYLORI_PATCHES):
        stained_patch(root / name, seed)
    windows_xlsx(root / "HP_WSI-CoordAnnotatedWindows.xlsx")
    (root / "PatientDiagnosis.csv").write_text(
        "CODI,DENSITAT\nB22-01,ALTA\nB22-02,NEGATIVA\nB22-03,NEGATIVA\nB22-04,BAIXA\n"
    )
    return root


def table(root: Path) -> Path:
    """A table in a folder of its own."""
    pictures(root / "files", "a.png", "b.png")
    (root / "scans.csv").write_text("file,label,split\nfiles/a.png,normal,train\nfiles/b.png,1,test\n")
    return root / "scans.csv"


MADE: dict[str, Callable[[Path], Path]] = {
    "table": table,
    "bmad": bmad,
    "medianomaly": medianomaly,
    "mvtec": mvtec,
    "pneumonia": pneumonia,
    "medmnist": medmnist,
    "brats": brats,
    "luna16": luna16,
    "chexpert": chexpert,
    "finding-lungs": finding_lungs,
    "hpylori": hpylori,
}
"""How to write a tiny set of each layout; returns what to name on the command line."""
