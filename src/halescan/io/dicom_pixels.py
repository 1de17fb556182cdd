"""From a DICOM file's stored values to grey values: decoded, rescaled, larger is brighter, padding out of the way."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.io.dicom_geometry import functional
from halescan.io.pixels import check_affordable, check_claim

_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_DEFLATED = ("1.2.840.10008.1.2.1.99",)
_VIDEO = "1.2.840.10008.1.2.4.10"  # MPEG2, MPEG-4 and HEVC are .100 to .108


def has_image(dataset: Any) -> bool:
    """Whether the object holds pixels at all: a report, a plan or a presentation state does not."""
    return any(word in dataset for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


def frames_of(dataset: Any) -> int:
    """Number of frames, 1 where it is not said."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def stored_bytes(dataset: Any) -> int:
    """Bytes that the header says the decoded pixels take."""
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    bits = int(dataset.get("BitsAllocated") or 0)
    return rows * columns * frames_of(dataset) * int(dataset.get("SamplesPerPixel") or 1) * bits // 8


def check_size(dataset: Any, *, where: Path, file_bytes: int) -> None:
    """Compare what the header claims with the file, before any pixel is read.

    Raises:
        ScanError: if the file cannot hold it, or it is too large to read at once.
    """
    claimed = stored_bytes(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        claimed = claimed * 2 // 3
    if not syntax.is_compressed and syntax not in _DEFLATED:
        check_claim(where, claimed=claimed, stored=file_bytes)
    check_affordable(where, claimed=claimed)


def check_syntax(dataset: Any, *, where: Path) -> None:
    """Refuse an encoding that nothing here decodes: the file is whole, and fetching it again would not help.

    Raises:
        ScanError: naming the transfer syntax.
    """
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        known = get_decoder(syntax).is_available or syntax == _JPEG_EXTENDED
    except NotImplementedError:
        known = False
    if known:
        return
    if not syntax.is_valid:
        raise ValueError  # no uid at all: the header is damaged, and what stands there is not quoted
    named = f"{syntax} ({syntax.name})" if syntax.name != syntax else f"{syntax} (not one that DICOM lists)"
    way = (
        "It is a video: export the frames as pictures (PNG) or as uncompressed DICOM"
        if syntax.startswith(_VIDEO)
        else "Convert it first (gdcmconv --raw in.dcm out.dcm, or dcmdjpeg), or export it as Explicit VR Little Endian"
    )
    raise ScanError(f"{where}: stored with the transfer syntax {named}, which cannot be read. {way}.")


def grey_values(dataset: Any, *, where: Path) -> tuple[np.ndarray, bool]:
    """Decode one file to `(frames, y, x)`, or `(frames, y, x, 3)` uint8 or uint16 for colour.

    Integers stay as stored where the header does not rescale; else float32. MONOCHROME1 is turned over before
    rescaling, so that larger is brighter in every file alike. Padding becomes the smallest value that is not padding.

    Returns:
        The values, and whether they were rescaled.

    Raises:
        ScanError: if the pixels cannot be decoded, or a slope would make them all equal.
    """
    stored = _decode(dataset, where)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        return _through_palette(dataset, stored), False
    if stored.ndim == 4:
        return stored, False
    stored = _without_overlays(dataset, stored)
    padding = _padding(dataset, stored)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        stored = _turned_over(dataset, stored)
    values, rescaled = _rescale(dataset, stored, where)
    if padding is not None and padding.any() and not padding.all():
        values = np.where(padding, values[~padding].min(), values)
    return values, rescaled


def _decode(dataset: Any, where: Path) -> np.ndarray:
    """`(frames, y, x[, 3])` stored values; YBR as RGB."""
    from pydicom.pixels import pixel_array

    try:
        values = pixel_array(dataset)
    except Exception:  # whatever a decoder raises may quote the header: it stays here
        values = _decode_extended(dataset, where)
    frames, samples = frames_of(dataset), int(dataset.get("SamplesPerPixel") or 1)
    shape = (frames, int(dataset.Rows), int(dataset.Columns), *((samples,) if samples > 1 else ()))
    if samples not in (1, 3):
        raise ScanError(f"{where}: {samples} samples a pixel, expected 1 (grey) or 3 (colour).")
    return values.reshape(shape)


def _decode_extended(dataset: Any, where: Path) -> np.ndarray:
    """JPEG Extended with 12 bits, which none of pydicom's decoders that we may ship can read."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax != _JPEG_EXTENDED:
        raise ScanError(
            f"{where}: its pixels ({syntax.name}) cannot be decoded: cut short, damaged, or of a kind not supported. "
            "Fetch it again, or ask the archive for Explicit VR Little Endian."
        ) from None
    from imagecodecs import jpeg_decode
    from pydicom.encaps import generate_frames

    try:
        frames = generate_frames(dataset.PixelData, number_of_frames=frames_of(dataset))
        return np.stack([jpeg_decode(frame) for frame in frames])
    except Exception:
        raise ScanError(f"{where}: its pixels ({syntax.name}) cannot be decoded: cut short or damaged.") from None


def _through_palette(dataset: Any, stored: np.ndarray) -> np.ndarray:
    """Colours looked up, 8 bits each."""
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(stored, dataset)[..., :3]
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def _without_overlays(dataset: Any, stored: np.ndarray) -> np.ndarray:
    """Old scanners keep drawings in the high bits that no grey value uses."""
    bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0)
    if stored.dtype.kind != "u" or not 0 < bits < 8 * stored.dtype.itemsize:
        return stored
    return stored & stored.dtype.type((1 << bits) - 1)


def _padding(dataset: Any, stored: np.ndarray) -> np.ndarray | None:
    """Where the scanner filled in what it did not measure."""
    first = dataset.get("PixelPaddingValue")
    if first is None or stored.dtype.kind not in "iu":
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted(_as_stored(int(value), stored.dtype) for value in (first, first if last is None else last))
    return (stored >= low) & (stored <= high)


def _as_stored(value: int, dtype: np.dtype) -> int:
    """63536 in an unsigned header field means -2000 among signed pixels."""
    bits = 8 * dtype.itemsize
    return value - (1 << bits) if dtype.kind == "i" and value >= 1 << (bits - 1) else value


def _turned_over(dataset: Any, stored: np.ndarray) -> np.ndarray:
    """MONOCHROME1 counts darkness; the whole range is turned, so that two files stay comparable."""
    if stored.dtype.kind == "f":
        return -stored
    if stored.dtype.kind == "i":
        return -1 - stored
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    return stored.dtype.type((1 << bits) - 1) - stored


def _rescale(dataset: Any, stored: np.ndarray, where: Path) -> tuple[np.ndarray, bool]:
    """Through the modality LUT: a table, or slope and intercept for the file or for each frame."""
    if dataset.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return apply_modality_lut(stored, dataset).astype(np.float32), True
    pairs = _slopes(dataset, len(stored))
    if pairs is None:
        return stored, False
    _check_slopes([slope for slope, _ in pairs], stored, where)
    if dataset.get("Modality") != "CT" and set(pairs) == {(1.0, 0.0)}:
        return stored, True
    slopes, intercepts = (np.array(column, np.float32)[:, None, None] for column in zip(*pairs, strict=True))
    return stored.astype(np.float32) * slopes + intercepts, True


def _slopes(dataset: Any, frames: int) -> Sequence[tuple[float, float]] | None:
    """Slope and intercept of every frame; None if nothing is said."""
    if "RescaleSlope" in dataset:
        return [_slope(dataset)] * frames
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    if len(groups) < frames:
        return None
    found = [functional(dataset, group, "PixelValueTransformationSequence") for group in groups[:frames]]
    return None if any(one is None for one in found) else [_slope(one) for one in found]


def _slope(place: Any) -> tuple[float, float]:
    """Slope and intercept of one place in the header."""
    slope = place.get("RescaleSlope")
    intercept = place.get("RescaleIntercept")
    return float(1 if slope is None else slope), float(intercept or 0)


def _check_slopes(slopes: Sequence[float], stored: np.ndarray, where: Path) -> None:
    """A slope of 0 would erase the image, and to guess another would guess its Hounsfield units.

    A frame in which nothing was measured may have one: it holds a single value as it is.
    """
    for slope, frame in zip(slopes, stored, strict=True):
        if not np.isfinite(slope) or (slope == 0 and np.ptp(frame) > 0):
            raise ScanError(
                f"{where}: its RescaleSlope is {slope:g}, expected a number other than 0: all pixels would be equal. "
                "Export it again; or, where the stored values are right as they are, set it to 1 "
                "(dcmodify -m RescaleSlope=1)."
            )
