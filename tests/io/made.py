"""Tiny real files of every format, written on the spot."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

GREY = np.add.outer(np.arange(12), 3 * np.arange(16)).astype(np.uint8)
VOLUME = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
STUDY, SERIES = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=["series"])
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def dicom_dataset(pixels: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, **header: Any) -> FileDataset:
    """A CT image `(y, x)`, `(y, x, 3)` or `(frames, y, x)` with any header field set or, by None, left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    bits = 8 * pixels.dtype.itemsize
    values = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": "CT",
        "PatientName": "Doe^Jane", "PatientID": "secret-77", "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES,
        "SeriesNumber": 3, "SeriesDescription": "Doe Jane thorax", "Rows": rows, "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1, "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "PlanarConfiguration": 0 if colour else None,
        "NumberOfFrames": pixels.shape[0] if pixels.ndim == (4 if colour else 3) else None,
        "PixelData": pixels.tobytes(),
    }  # fmt: skip
    for word, value in (values | header).items():
        if value is not None:
            setattr(dataset, word, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    return dataset


def write_dicom(path: Path, pixels: np.ndarray, **header: Any) -> Path:
    """The same, in a file."""
    dicom_dataset(pixels, **header).save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    volume: np.ndarray,
    *,
    positions: Sequence[Sequence[float]],
    names: Sequence[str] | None = None,
    **header: Any,
) -> Path:
    """One file a slice, at those positions."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"ImageOrientationPatient": list(AXIAL), "PixelSpacing": [0.5, 0.7]} | header
    for number, (pixels, position) in enumerate(zip(volume, positions, strict=True)):
        name = names[number] if names else f"{number:03d}.dcm"
        write_dicom(folder / name, pixels, ImagePositionPatient=[float(f"{value:.6g}") for value in position], **given)
    return folder


def item(**values: Any) -> Dataset:
    """One item of a sequence."""
    dataset = Dataset()
    for word, value in values.items():
        setattr(dataset, word, value)
    return dataset


def _nifti(path: Path, pixels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(pixels.T, np.diag([0.7, 0.5, 3.0, 1.0])), path)


def _picture(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)


def _itk(path: Path, pixels: np.ndarray) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(path))


def _dicom(path: Path, pixels: np.ndarray) -> None:
    write_dicom(path, pixels)


def _npy(path: Path, pixels: np.ndarray) -> None:
    np.save(path, pixels)


def _npz(path: Path, pixels: np.ndarray) -> None:
    np.savez_compressed(path, image=pixels)


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "a.dcm": _dicom,
    "a.nii": _nifti,
    "a.nii.gz": _nifti,
    "a.png": _picture,
    "a.jpg": _picture,
    "a.tif": _picture,
    "a.bmp": _picture,
    "a.mha": _itk,
    "a.mhd": _itk,
    "a.nrrd": _itk,
    "a.nhdr": _itk,
    "a.npy": _npy,
    "a.npz": _npz,
}
"""A file name for every ending that matters, and how to write `GREY` there."""


def write(folder: Path, name: str, pixels: np.ndarray = GREY) -> Path:
    """A file of the kind that its name says."""
    path = folder / name
    WRITERS[name](path, pixels)
    return path
