"""A phantom cohort on disk: DICOM slices or NIfTI volumes, so that a demo enters by the same doors as real scans."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halescan.errors import OutputError, SettingError
from halescan.synthesis.lesions import KINDS, Kind, plant_lesion
from halescan.synthesis.phantoms import chest_slice, chest_volume
from halescan.types import Scan

_PEOPLE_PER_SEED = 1_000_000
_NEW, _TEST = 400_000, 700_000  # where the numbers of the unseen people start, so that nobody appears twice


@dataclass(frozen=True)
class PhantomFolders:
    """Where `write_cohort` put things.

    Args:
        healthy: Healthy scans to learn from.
        new: Unseen scans, healthy or not; their names do not tell.
        truth: `truth.csv` and the masks of the planted lesions.
    """

    healthy: Path
    new: Path
    truth: Path


@dataclass(frozen=True)
class _Person:
    """One phantom person as written: the number it was drawn from, and the lesion if there is one."""

    number: int
    kind: Kind | None = None


def write_cohort(
    folder: Path, *, healthy: int = 60, unseen: int = 5, lesions: int = 3, dims: int = 2, seed: int = 0
) -> PhantomFolders:
    """Write `healthy/`, `new/` (case-a ...) and `truth/`; the same seed writes the same bytes.

    Args:
        folder: Made if need be; must not hold an earlier cohort.
        healthy: Healthy people to learn from.
        unseen: New people, among them those with lesions.
        lesions: New people with one planted lesion each: nodule, consolidation and effusion in turn.
        dims: 2 writes one DICOM CT slice a person, 3 one NIfTI volume (.nii.gz).
        seed: Another seed draws other people.

    Raises:
        SettingError: on counts below zero, more lesions than unseen people, or `dims` other than 2 and 3.
        OutputError: if the folder holds a cohort already or cannot be written.
    """
    _check_counts(dims, healthy=healthy, unseen=unseen, lesions=lesions)
    if lesions > unseen:
        raise SettingError(f"{lesions} lesions among {unseen} unseen cases; expected at most one a case")
    folders = PhantomFolders(folder / "healthy", folder / "new", folder / "truth")
    first = seed * _PEOPLE_PER_SEED
    ill = set(np.random.default_rng([seed, 11]).permutation(unseen)[:lesions].tolist())
    kinds = iter(KINDS * (lesions // len(KINDS) + 1))
    people = [_Person(first + _NEW + i, next(kinds) if i in ill else None) for i in range(unseen)]
    with _writing(folder):
        _make_empty(folders.healthy, folders.new, folders.truth)
        for i in range(healthy):
            _write_person(_Person(first + i), f"healthy-{i + 1:04d}", folders.healthy, None, dims)
        rows = []
        for name, person in zip(_case_names(unseen), people, strict=True):
            rows.append(_write_person(person, name, folders.new, folders.truth, dims))
        _write_truth(rows, folders.truth / "truth.csv")
    return folders


def write_test_set(folder: Path, *, healthy: int = 30, abnormal: int = 30, dims: int = 2, seed: int = 0) -> Path:
    """Write a labelled test set as `halescan evaluate` reads it, `healthy/ abnormal/ masks/`; returns `folder`.

    Its people differ from those of `write_cohort` with the same seed.

    Raises:
        SettingError: on counts below zero, or `dims` other than 2 and 3.
        OutputError: if the folder holds a test set already or cannot be written.
    """
    _check_counts(dims, healthy=healthy, abnormal=abnormal)
    first = seed * _PEOPLE_PER_SEED + _TEST
    with _writing(folder):
        _make_empty(folder / "healthy", folder / "abnormal", folder / "masks")
        for i in range(healthy):
            _write_person(_Person(first + i), f"test-{i + 1:04d}", folder / "healthy", None, dims)
        for i in range(healthy, healthy + abnormal):
            person = _Person(first + i, KINDS[i % len(KINDS)])
            _write_person(person, f"test-{i + 1:04d}", folder / "abnormal", folder / "masks", dims)
    return folder


def write_dicom(scan: Scan, path: Path, *, number: int) -> None:
    """One CT slice as a DICOM file of a made-up person; 12 bits stored, HU by rescale slope and intercept."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(_uid(number, "image"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    _fill_person(data, number)
    _fill_geometry(data, scan)
    _fill_pixels(data, scan.pixels)
    data.save_as(path, enforce_file_format=True)


def write_nifti(pixels: np.ndarray, affine_lps: np.ndarray, path: Path) -> None:
    """A volume `(z, y, x)` as int16 or uint8 NIfTI, axes (x, y, z), RAS millimetres as that format wants them."""
    import nibabel

    order = affine_lps[:, [2, 1, 0, 3]]
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ order
    stored = pixels if pixels.dtype == np.uint8 else np.round(pixels).astype(np.int16)
    image = nibabel.Nifti1Image(np.ascontiguousarray(stored.transpose(2, 1, 0)), ras)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _check_counts(dims: int, **counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise SettingError(f"{name} is {count}, expected 0 or more")
    if dims not in (2, 3):
        raise SettingError(f"dims is {dims}, expected 2 (DICOM slices) or 3 (NIfTI volumes)")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn the trouble of the disk into our own error."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or "the disk is full or damaged"  # pydicom puts a whole traceback into its words
        raise OutputError(f"{folder}: cannot write the phantoms ({reason}); choose a folder with room") from error


def _make_empty(*folders: Path) -> None:
    """Make the folders; refuse to mix with what an earlier run left."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder}: holds files already, expected it empty. Remove it or choose another folder")


def _case_names(count: int) -> list[str]:
    """case-a to case-z, then case-27 on."""
    return [f"case-{chr(97 + i)}" if i < 26 else f"case-{i + 1}" for i in range(count)]


def _write_person(person: _Person, name: str, folder: Path, truth: Path | None, dims: int) -> dict[str, str]:
    """Write one scan and the mask of its lesion; returns its row of the truth."""
    scan = chest_slice(person.number) if dims == 2 else chest_volume(person.number)
    ending = ".dcm" if dims == 2 else ".nii.gz"
    row = {"case": name, "file": name + ending, "label": "healthy", "kind": "", "diameter_mm": "", "mask": ""}
    if person.kind is not None and truth is not None:
        spacing = scan.spacing_mm or ()
        pixels, mask = plant_lesion(scan.pixels, spacing, person.number, kind=person.kind)
        scan = replace(scan, pixels=pixels)
        row |= {"label": "abnormal", "kind": person.kind, "diameter_mm": f"{_longest_mm(mask, spacing):.1f}"}
        row["mask"] = _write_mask(mask, scan, truth, name)
    if dims == 2:
        write_dicom(scan, folder / row["file"], number=person.number)
    else:
        write_nifti(np.clip(scan.pixels, -1024, 3071), _affine_of(scan), folder / row["file"])
    return row


def _affine_of(scan: Scan) -> np.ndarray:
    """The scan's affine, which a phantom always has."""
    if scan.affine_lps is None:
        raise SettingError("a scan without geometry cannot be written; expected one from synthesis.phantoms")
    return scan.affine_lps


def _longest_mm(mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Longest side of the lesion's bounding box."""
    places = np.argwhere(mask)
    return float(((np.ptp(places, axis=0) + 1) * np.asarray(spacing)).max())


def _write_mask(mask: np.ndarray, scan: Scan, folder: Path, name: str) -> str:
    """A PNG (255 inside) for a slice, a uint8 NIfTI for a volume; returns the file's name."""
    if mask.ndim == 3:
        write_nifti(mask.astype(np.uint8), _affine_of(scan), folder / f"{name}.nii.gz")
        return f"{name}.nii.gz"
    from PIL import Image

    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{name}.png")
    return f"{name}.png"


def _write_truth(rows: list[dict[str, str]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["case", "file", "label", "kind", "diameter_mm", "mask"])
        writer.writeheader()
        writer.writerows(rows)


def _uid(number: int, what: str) -> str:
    """A DICOM identifier that depends on the person alone."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["halescan phantom", str(number), what]))


def _fill_person(data, number: int) -> None:  # type: ignore[no-untyped-def]
    """Who was scanned, when and by what: all made up."""
    from pydicom.uid import CTImageStorage

    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, _uid(number, "image")
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid(number, "study"), _uid(number, "series")
    data.FrameOfReferenceUID = _uid(number, "frame")
    data.PatientName, data.PatientID = f"Phantom^{number:07d}", f"PHANTOM-{number:07d}"
    data.PatientBirthDate, data.PatientSex, data.PatientPosition = "", "O", "HFS"
    data.StudyDate = data.SeriesDate = "20200101"
    data.StudyTime, data.StudyID, data.AccessionNumber = "120000", f"{number}", ""
    data.ReferringPhysicianName, data.StudyDescription = "", "Made-up chest CT (no person)"
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "CT", "Halescan", "Phantom"
    data.BodyPartExamined, data.KVP, data.ConvolutionKernel = "CHEST", "120", "LUNG"
    data.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    data.SeriesNumber, data.InstanceNumber, data.AcquisitionNumber = 1, 1, 1


def _fill_geometry(data, scan: Scan) -> None:  # type: ignore[no-untyped-def]
    """Where the slice lies; decimal strings hold 16 characters, so everything is rounded to the micrometre."""
    affine = _affine_of(scan)
    data.PixelSpacing = [f"{step:.6f}" for step in scan.spacing_mm or ()]
    data.SliceThickness = f"{abs(affine[2, 0]):.4f}"
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.ImagePositionPatient = [f"{value:.5f}" for value in affine[:3, 3]]
    data.SliceLocation = f"{affine[2, 3]:.5f}"


def _fill_pixels(data, hounsfield: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    """12 bits in 16, as a scanner stores them."""
    stored = np.clip(np.round(hounsfield) + 1024, 0, 4095).astype("<u2")
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    data.WindowCenter, data.WindowWidth = "-600", "1500"
    data.PixelData = stored.tobytes()
