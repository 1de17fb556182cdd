"""The map as NIfTI, lying exactly on the scan it was made from in any viewer."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from halescan.errors import OutputError, ShapeError
from halescan.types import Scan

STEPS = 1024  # to an exponent of ten: 0.2 % of the share, in whole numbers of 16 bits, which pack well
_LARGEST = 32767
_BEFORE_VOXELS = 352  # bytes: the header, and four zeros that say that nothing extends it
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS millimetres to RAS millimetres
_REVERSED = np.eye(4)[:, [2, 1, 0, 3]]  # index (x, y, z, 1) to (z, y, x, 1)


def write_map(scan: Scan, tail: np.ndarray, path: Path) -> None:
    """Write -log10 of the healthy tail at each voxel: 2 is "1 in 100 healthy places".

    Stored as whole numbers with the scale 1/1024 in the header, which every reader applies.

    Args:
        scan: Gives the geometry. A 2-D scan becomes `(x, y, 1)`. Without an affine the file says so (sform and qform
            code 0) and carries the spacing alone, 1 mm where that is unknown too.
        tail: Shape of the scan.
        path: Ends in `.nii.gz`. The same map gives the same bytes.

    Raises:
        ShapeError: if the map does not have the shape of the scan.
        OutputError: if the file cannot be written.
    """
    if tail.shape != scan.shape:
        raise ShapeError(f"a map of shape {tail.shape} does not lie on a scan of shape {scan.shape}")
    from imagecodecs import gzip_encode  # libdeflate: half the time of zlib

    packed = gzip_encode(_nifti_bytes(scan, tail), level=1)
    try:
        path.write_bytes(packed)
    except OSError as problem:
        raise OutputError(f"{path}: the map cannot be written ({problem.strerror or problem})") from problem


def affine_ras(scan: Scan) -> np.ndarray | None:
    """`(4, 4)` from the index `(x, y, z, 1)` to RAS millimetres; None where the scan's place is unknown."""
    if scan.affine_lps is None:
        return None
    affine: np.ndarray = _TO_RAS @ np.asarray(scan.affine_lps, np.float64) @ _REVERSED
    return affine + 0.0  # no negative zeros


def _nifti_bytes(scan: Scan, tail: np.ndarray) -> bytes:
    affine = affine_ras(scan)
    header = _header(scan.shape, scan.spacing_mm, None if affine is None else affine.tobytes())
    fine = np.multiply(tail, np.float32(STEPS), dtype=np.float32)
    whole = np.rint(np.minimum(np.fmax(fine, 0), _LARGEST))  # fmax takes the number where the other is none
    return header + whole.astype("<i2").tobytes()  # (z, y, x) in C order is the file's (x, y, z) in Fortran's


@lru_cache(maxsize=64)
def _header(shape: tuple[int, ...], spacing_mm: tuple[float, ...] | None, affine_ras: bytes | None) -> bytes:
    """All that stands before the voxels; many pictures share it."""
    import nibabel  # a fifth of a second, and only where a map is written

    affine = None if affine_ras is None else np.frombuffer(affine_ras).reshape(4, 4)
    sides = (*reversed(shape), *(1,) * (3 - len(shape)))
    image = nibabel.Nifti1Image(np.broadcast_to(np.int16(0), sides), affine, dtype=np.int16)
    header = image.header
    header.set_slope_inter(1 / STEPS, 0)
    header.set_xyzt_units("mm")
    header["descrip"] = b"Halescan -log10 healthy tail; research use only"
    header["cal_min"], header["cal_max"] = 0.0, 4.0
    if affine is None:
        gaps = tuple(reversed(spacing_mm or (1.0,) * len(shape)))
        header.set_zooms((*gaps, *(1.0,) * (3 - len(shape))))
        image.set_sform(None, code=0)
        image.set_qform(None, code=0)
    else:
        image.set_sform(affine, code="scanner")
        _set_qform(image, affine)
    header["vox_offset"] = _BEFORE_VOXELS
    return header.as_byteswapped("<").binaryblock.ljust(_BEFORE_VOXELS, b"\0")


def _set_qform(image: object, affine: np.ndarray) -> None:
    """A qform beside the sform where the axes are at right angles; a quaternion cannot say more."""
    steps = affine[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if (lengths > 0).all() and np.allclose((steps / lengths).T @ (steps / lengths), np.eye(3), atol=1e-5):
        image.set_qform(affine, code="scanner")  # type: ignore[attr-defined]
    else:
        image.set_qform(None, code=0)  # type: ignore[attr-defined]
