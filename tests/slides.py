"""Made-up slides: discs of stained tissue on glass, written tile by tile, so that size costs hardly anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from halescan.io.slide_dicom import WHOLE_SLIDE

TILE = 256
GLASS, TISSUE, RED = (246, 245, 247), (196, 150, 196), (200, 24, 30)
APERIO = "Aperio Image Library v11.2.1 \r\n{width}x{height} (256x256) JPEG/RGB Q=80|AppMag = 20|MPP = {um}"


@dataclass(frozen=True)
class MadeSlide:
    """What is drawn: discs `(y, x, radius)` of tissue and of red, in pixels of level 0."""

    side: int
    tissue: tuple[tuple[float, float, float], ...]
    red: tuple[tuple[float, float, float], ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, side: int, *, red: tuple[tuple[float, float, float], ...] = (), seed: int = 0) -> "MadeSlide":
        """Two discs of tissue, the larger in one half and the smaller in the other, placed by the seed."""
        random = np.random.default_rng(seed)
        turn = 2 * np.pi * random.random()
        away = np.array([np.sin(turn), np.cos(turn)])
        big, small = 0.5 + 0.19 * away, 0.5 - 0.29 * away
        tissue = ((*side * big, side * (0.2 + 0.05 * random.random())), (*side * small, side * 0.13))
        return cls(side, tissue, red, seed)

    def tile(self, down: int, row: int, column: int) -> bytes:
        """One tile of the level that is `down` times smaller, as JPEG."""
        parts = [self._covers(disc, down, row, column) for disc in self.tissue]
        if not any(self._covers(disc, down, row, column) for disc in self.red):
            if not any(parts):
                return _plain_tile("glass", 0)
            if 2 in parts:
                return _plain_tile("tissue", (self.seed + row + column) % 4)
        return _encoded(self.pixels(down, row * TILE, column * TILE, TILE, TILE))

    def pixels(self, down: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """`(height, width, 3)` of a rectangle of a level."""
        y = ((np.arange(top, top + height) + 0.5) * down)[:, None]
        x = ((np.arange(left, left + width) + 0.5) * down)[None]
        drawn = np.empty((height, width, 3), np.float32)
        drawn[:] = GLASS
        for discs, colour in ((self.tissue, TISSUE), (self.red, RED)):
            for cy, cx, radius in discs:
                drawn[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = colour
        stained = drawn[..., 1] < 230
        rows, columns = np.arange(top, top + height) % TILE, np.arange(left, left + width) % TILE
        drawn += (_texture(self.seed % 4)[np.ix_(rows, columns)] * stained)[..., None]
        return np.clip(drawn, 0, 255).astype(np.uint8)

    def _covers(self, disc: tuple[float, float, float], down: int, row: int, column: int) -> int:
        """Whether a tile lies within a disc (2), across its rim (1) or outside (0)."""
        cy, cx, radius = disc
        top, left, long = row * TILE * down, column * TILE * down, TILE * down
        near = np.hypot(cy - np.clip(cy, top, top + long), cx - np.clip(cx, left, left + long))
        far = max(np.hypot(cy - y, cx - x) for y in (top, top + long) for x in (left, left + long))
        return 2 if far < radius else 1 if near < radius else 0


def write_slide(
    path: Path,
    slide: MadeSlide,
    *,
    downs: tuple[int, ...] = (1, 4, 16),
    um_per_px: float | None = 0.5,
    aperio: bool = False,
    within: bool = False,
) -> Path:
    """A tiled TIFF pyramid in JPEG, its levels as pages or, `within`, as sub-images of the first."""
    options: dict[str, Any] = {} if um_per_px is None else {"resolution": (10_000 / um_per_px,) * 2}
    options |= {"resolutionunit": "CENTIMETER"} if um_per_px else {}
    told = APERIO.format(width=slide.side, height=slide.side, um=um_per_px) if aperio else None
    with tifffile.TiffWriter(path, bigtiff=False) as sink:
        for number, down in enumerate(downs):
            side = slide.side // down
            sink.write(
                _tiles(slide, down, side),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="jpeg",
                photometric="ycbcr",
                subfiletype=1 if number and not aperio else 0,
                subifds=len(downs) - 1 if within and not number else None,
                description=told,
                metadata=None,
                **options,
            )
    return path


def write_dicom_slide(
    folder: Path, slide: MadeSlide, *, downs: tuple[int, ...] = (1, 4), packed: bool = True, sparse: bool = False
) -> list[Path]:
    """A DICOM slide, one file a level, and a label, which must never be read."""
    folder.mkdir(parents=True, exist_ok=True)
    uids = {word: generate_uid(entropy_srcs=[word, str(slide)]) for word in ("study", "series", "frame")}
    files = []
    for number, down in enumerate(downs):
        side = slide.side // down
        across = -(-side // TILE)
        places = [(row, column) for row in range(across) for column in range(across)]
        frames = [slide.tile(down, row, column) for row, column in places]
        dataset = _dicom(uids, ["DERIVED" if number else "ORIGINAL", "PRIMARY", "VOLUME", "NONE"], frames, packed)
        dataset.TotalPixelMatrixRows = dataset.TotalPixelMatrixColumns = side
        dataset.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
        measures = Dataset()
        measures.PixelSpacing = [0.0005 * down] * 2
        shared = Dataset()
        shared.PixelMeasuresSequence = DicomSequence([measures])
        dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
        if sparse:
            dataset.PerFrameFunctionalGroupsSequence = DicomSequence([_place(row, column) for row, column in places])
        files.append(folder / f"level-{number}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    label = _dicom(uids, ["ORIGINAL", "PRIMARY", "LABEL", "NONE"], [_plain_tile("glass", 0)], packed)
    label.TotalPixelMatrixRows = label.TotalPixelMatrixColumns = 4 * TILE
    label.save_as(folder / "label.dcm", enforce_file_format=True)
    return files


def _place(row: int, column: int) -> Dataset:
    where = Dataset()
    where.RowPositionInTotalImagePixelMatrix = row * TILE + 1
    where.ColumnPositionInTotalImagePixelMatrix = column * TILE + 1
    group = Dataset()
    group.PlanePositionSlideSequence = DicomSequence([where])
    return group


def _dicom(uids: dict[str, UID], kind: list[str], frames: list[bytes], packed: bool) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(WHOLE_SLIDE.decode())
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit if packed else ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    raw = encapsulate(frames) if packed else b"".join(imagecodecs.jpeg8_decode(frame).tobytes() for frame in frames)
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "ImageType": kind, "Modality": "SM", "PatientID": "secret-77", "PatientName": "Doe^Jane",
        "StudyInstanceUID": uids["study"], "SeriesInstanceUID": uids["series"], "FrameOfReferenceUID": uids["frame"],
        "Rows": TILE, "Columns": TILE, "SamplesPerPixel": 3, "PlanarConfiguration": 0, "BitsAllocated": 8,
        "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "NumberOfFrames": len(frames),
        "PhotometricInterpretation": "YBR_FULL_422" if packed else "RGB", "PixelData": raw,
    }  # fmt: skip
    for word, value in values.items():
        setattr(dataset, word, value)
    dataset["PixelData"].VR = "OB"
    return dataset


def _tiles(slide: MadeSlide, down: int, side: int) -> Iterator[bytes]:
    across = -(-side // TILE)
    for row in range(across):
        for column in range(across):
            yield slide.tile(down, row, column)


@lru_cache(maxsize=16)
def _plain_tile(kind: str, variant: int) -> bytes:
    colour = GLASS if kind == "glass" else TISSUE
    pixels = np.full((TILE, TILE, 3), colour, np.float32)
    if kind == "tissue":
        pixels += _texture(variant)[..., None]
    return _encoded(np.clip(pixels, 0, 255).astype(np.uint8))


@lru_cache(maxsize=4)
def _texture(variant: int) -> np.ndarray:
    """`(tile, tile)` mottling, as of cells."""
    coarse = np.random.default_rng(variant).normal(0, 9, (TILE // 4, TILE // 4))
    return np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1).astype(np.float32)


def _encoded(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, level=85, colorspace="rgb", outcolorspace="ycbcr")
