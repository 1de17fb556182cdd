"""What a file gives away about how its picture was made, without a look at the picture: size, format, compression."""

from pathlib import Path

from halescan.io import Source
from halescan.types import Scan

_HEAD_BYTES = 65_536
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def file_facts(source: Source, scan: Scan) -> dict[str, float | str]:
    """Numbers and words on one scan's files and header; no name, id, date or free text is among them.

    Returns:
        `file-size` in bytes (of an image within a larger file: its share), `bytes-per-pixel`, `files`, `file-ending`,
        `stored-as` (format), `pixel-type`, `height`, `width`, `slices`, `aspect`, `pixels`, `spacing_mm` where known,
        what is known of the compression (`jpeg-quantisation`: larger is coarser, `jpeg-subsampling`, `png-kind`), and
        the technical fields of the header as `header:KVP`.
    """
    size = sum(file.stat().st_size for file in source.files)
    height, width = scan.shape[-2:]
    facts: dict[str, float | str] = {
        "height": float(height),
        "width": float(width),
        "aspect": width / height,
        "pixels": float(height * width),
        "slices": float(scan.shape[0] if scan.dims == 3 else 1),
        "colour": "yes" if scan.colour else "no",
        "pixel-type": str(scan.pixels.dtype),
        "file-ending": "".join(source.files[0].suffixes[-1:]).lower(),
        "stored-as": source.format,
    }
    if source.index is None:  # a file of many images says nothing about one of them
        facts |= {"file-size": float(size), "bytes-per-pixel": size / max(1, scan.pixels.size)}
    if scan.spacing_mm is not None:
        facts["spacing_mm"] = float(scan.spacing_mm[-1])
    facts["spacing"] = "unknown" if scan.spacing_mm is None else "known"
    if scan.modality:
        facts["modality"] = scan.modality
    for name, value in scan.header.items():
        facts[f"header:{name}"] = value if isinstance(value, str) else float(value)
    return facts | compression(source.files[0])


def compression(path: Path) -> dict[str, float | str]:
    """How a JPEG or PNG was packed, from its first bytes; nothing of other files, or of damaged ones."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_PNG) and len(head) > 25:
        return {"png-kind": f"{head[24]} bit, colour type {head[25]}"}
    if head.startswith(_JPEG):
        return _jpeg(head)
    return {}


def _jpeg(head: bytes) -> dict[str, float | str]:
    """Coarseness and subsampling from the segments before the picture."""
    facts: dict[str, float | str] = {}
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        kind, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4])
        body = head[at + 4 : at + 2 + length]
        if length < 2 or kind == 0xDA:
            break
        if kind == 0xDB and len(body) >= 65 and body[0] == 0:  # the first table, for brightness, of 8-bit entries
            facts["jpeg-quantisation"] = sum(body[1:65]) / 64
        if 0xC0 <= kind <= 0xC2 and len(body) > 7:
            facts["jpeg-kind"] = "progressive" if kind == 0xC2 else "baseline"
            facts["jpeg-channels"] = float(body[5])
            facts["jpeg-subsampling"] = f"{body[7] >> 4} x {body[7] & 15}" if body[5] > 1 else "none"
        at += 2 + length
    return facts
