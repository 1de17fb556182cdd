"""Pictures: PNG, JPEG, TIFF and BMP, grey or colour, 8 or 16 bits or float, turned the way the camera says."""

from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.io.pixels import DEFLATE_RATIO, array_bytes, check_affordable, check_claim, finish
from halescan.io.source import Format, Source, one_each
from halescan.types import Note, Scan

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_ORIENTATION_TAG = 0x0112
_DEEP_COLOUR = (2, 4, 6)  # PNG colour types that Pillow would cut to 8 bits: RGB, grey with alpha, RGBA


def read(source: Source) -> Scan:
    """Read one picture; a TIFF of equal pages is a volume, its pages the slices.

    Three equal channels become one grey one. Alpha is dropped, with the note `alpha-dropped` where it hid something.

    Raises:
        ScanError: if the picture claims more pixels than its file can hold, or its pages differ.
    """
    path = source.files[0]
    with path.open("rb") as file:
        head = file.read(32)
    if head.startswith(_TIFF):
        pixels, dims, notes = _read_tiff(path)
    else:
        pixels, notes = _read_picture(path, head)
        dims = 2
    pixels, more = finish(pixels, where=path, dims=dims)
    return Scan(pixels, dims, source=source.path, notes=notes + more)


def _recognises(head: bytes) -> bool:
    """PNG, JPEG, TIFF by their magic; BMP by its magic and the size of its second header."""
    if head.startswith((_PNG, _JPEG, *_TIFF)):
        return True
    return head[:2] == b"BM" and head[14:18] in {bytes([size, 0, 0, 0]) for size in (12, 40, 52, 56, 64, 108, 124)}


def _read_picture(path: Path, head: bytes) -> tuple[np.ndarray, tuple[Note, ...]]:
    """`(y, x)` or `(y, x, 3)` of a PNG, JPEG or BMP."""
    image = _open(path, head)
    with image:
        bytes_a_pixel = 4 if image.mode in ("I", "F", "RGBA", "CMYK") else len(image.getbands())
        claimed = array_bytes(image.size, np.uint8) * bytes_a_pixel
        check_affordable(path, claimed=claimed)
        if head.startswith(_PNG):  # other compressions have no such bound
            bits = image.size[0] * image.size[1] * head[24] // 8
            check_claim(path, claimed=bits, stored=path.stat().st_size, ratio=DEFLATE_RATIO)
        if head.startswith(_PNG) and head[24] == 16 and head[25] in _DEEP_COLOUR:
            pixels, alpha = _deep_png(path)
        else:
            pixels, alpha = _unpack(image)
        orientation = image.getexif().get(_ORIENTATION_TAG, 1) if not head.startswith(b"BM") else 1
    return _turn(pixels, orientation), _alpha_note(alpha)


def _open(path: Path, head: bytes) -> Any:
    """Pillow's own class for the format that the magic names: no other parser ever sees the file.

    Opened past `PIL.Image.open`, whose guard against huge pictures is a setting of the whole process; ours is
    `check_claim`.
    """
    if head.startswith(_PNG):
        from PIL.PngImagePlugin import PngImageFile as Picture
    elif head.startswith(_JPEG):
        from PIL.JpegImagePlugin import JpegImageFile as Picture  # type: ignore[assignment]
    else:
        from PIL.BmpImagePlugin import BmpImageFile as Picture  # type: ignore[assignment]
    return Picture(path)


def _unpack(image: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels without alpha, and alpha if there is one, from any mode of Pillow."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        image = image.convert("RGBA") if image.mode in ("RGBa", "PA") else image
        values = np.asarray(image)
        colours = values[..., :-1]
        return (colours if colours.shape[-1] == 3 else colours[..., 0]), values[..., -1]
    if image.mode == "1":
        return np.asarray(image.convert("L")), None
    if image.mode == "I" and image.format == "PNG":  # 16 bits, in a Pillow that widens them
        return np.asarray(image).astype(np.uint16), None
    if image.mode in ("L", "F", "RGB") or image.mode.startswith("I"):
        return np.asarray(image), None
    return np.asarray(image.convert("RGB")), None


def _deep_png(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """A PNG of 16 bits a channel, kept at 16 bits."""
    from imagecodecs import png_decode

    values = png_decode(path.read_bytes())
    if values.shape[-1] in (2, 4):
        colours = values[..., :-1]
        return (colours if colours.shape[-1] == 3 else colours[..., 0]), values[..., -1]
    return values, None


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """As it should be seen, from EXIF or TIFF tag 274: 1 is upright, 2-4 are flips, 5-8 lie on their side."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _alpha_note(alpha: np.ndarray | None) -> tuple[Note, ...]:
    """A note where transparency hid part of the picture, which now shows."""
    if alpha is None or (alpha == np.iinfo(alpha.dtype).max).all():
        return ()
    return (Note("alpha-dropped"),)


def _read_tiff(path: Path) -> tuple[np.ndarray, int, tuple[Note, ...]]:
    """Pixels, number of spatial axes and notes of a TIFF."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        first: Any = tiff.pages.first
        series = tiff.series
        if len(series) > 1 and len({(one.shape, one.dtype) for one in series}) > 1:
            raise ScanError(
                f"{path}: its {len(tiff.pages)} pages differ in size or type, expected equal slices. "
                "Save each page as its own file."
            )
        shape = (len(series), *series[0].shape)
        check_affordable(path, claimed=array_bytes(shape, series[0].dtype))
        _check_strips(path, tiff)
        stacked = len(series) > 1
        values = np.stack([one.asarray() for one in series]) if stacked else series[0].asarray()
        axes = ("Z" if stacked else "") + series[0].axes
        values, alpha, colour = _arrange(_in_rgb(values, first, path), axes, path)
        values = _as_shown(values, first)
        dims = values.ndim - (colour or first.photometric.name == "PALETTE")
        orientation = int(first.tags.valueof(_ORIENTATION_TAG, 1)) if dims == 2 else 1
    return _turn(values, orientation), dims, _alpha_note(alpha)


def _check_strips(path: Path, tiff: Any) -> None:
    """Every strip and tile must lie within the file: tifffile fills what is missing with zeros, and says nothing."""
    size = path.stat().st_size
    for page in tiff.pages:
        page = page.aspage()
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if offset + count > size:
                raise ScanError(
                    f"{path}: cut short: its pixels end at byte {offset + count}, the file at {size}. Copy it again."
                )


def _in_rgb(values: np.ndarray, page: Any, path: Path) -> np.ndarray:
    """Printer's colours (CMYK) as RGB.

    Pillow only converts: its own TIFF reader (13.0) scrambles pictures that lie on their side.
    """
    from PIL import Image

    colours = page.photometric.name
    if colours in ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE", "YCBCR"):
        return values
    if colours != "SEPARATED" or values.dtype != np.uint8 or values.shape[-1] != 4:
        raise ScanError(f"{path}: its colours are stored as {colours}, expected grey, RGB or CMYK. Save it as RGB.")
    tall = values.reshape(-1, values.shape[-2], 4)
    image = Image.frombytes("CMYK", (tall.shape[1], tall.shape[0]), np.ascontiguousarray(tall).tobytes())
    return np.asarray(image.convert("RGB")).reshape(*values.shape[:-1], 3)


def _arrange(values: np.ndarray, axes: str, path: Path) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """`(y, x)` or `(z, y, x)`, colour last; alpha; and whether there is colour."""
    keep = [axis for axis, name in enumerate(axes) if values.shape[axis] > 1 or name in "YX"]
    values = values.reshape([values.shape[axis] for axis in keep])
    axes = "".join(axes[axis] for axis in keep)
    samples = axes.find("S")
    if samples < 0 and "C" in axes and values.shape[axes.index("C")] in (3, 4):
        samples = axes.index("C")  # OME and ImageJ keep colour as channels
    if samples >= 0:
        values = np.moveaxis(values, samples, -1)
    planes = values.ndim - (samples >= 0)
    if planes not in (2, 3):
        raise ScanError(f"{path}: has {planes} axes ({axes}), expected one picture or one stack of slices. Split it.")
    if samples < 0:
        return values, None, False
    if values.shape[-1] not in (2, 3, 4):
        raise ScanError(f"{path}: has {values.shape[-1]} channels, expected grey or RGB. Save the channels apart.")
    alpha = values[..., -1] if values.shape[-1] != 3 and values.dtype.kind == "u" else None
    if values.shape[-1] == 2:
        return values[..., 0], alpha, False
    return values[..., :3], alpha, True


def _as_shown(values: np.ndarray, page: Any) -> np.ndarray:
    """Through the palette, and with larger values brighter."""
    if page.photometric.name == "PALETTE":
        return (np.moveaxis(page.colormap, 0, -1) >> 8).astype(np.uint8)[values]
    if page.photometric.name != "MINISWHITE":
        return values
    if values.dtype.kind == "b":
        return ~values
    if values.dtype.kind == "f":
        return -values
    return np.iinfo(values.dtype).max - values if values.dtype.kind == "u" else -1 - values


RASTER = Format(
    endings=(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".dib"),
    recognises=_recognises,
    sources=one_each("raster"),
    read=read,
    title="a picture (PNG, JPEG, TIFF or BMP)",
)
