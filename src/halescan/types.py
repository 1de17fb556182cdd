"""The records that travel between the rooms: frozen, plain, with units in their names.

Axes are `(z, y, x)` or `(y, x)` everywhere, colour last in a scan and first in an image. Millimetres are LPS (DICOM).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from halescan.errors import ShapeError

Label = Literal["healthy", "abnormal"]
_ROUNDS = 8  # times the rarer of two kinds comes round at least


@dataclass(frozen=True)
class Note:
    """One remark for the person who reads the result: a key of `reporting.words` and the values its sentence needs."""

    key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """Who and which examination a scan belongs to. Kept out of every `repr`, log, file name and output."""

    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    series: str | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Scan:
    """What a file (or a series of files) holds, on the scanner's own voxels.

    Args:
        pixels: `(y, x)` or `(z, y, x)`; colour adds a last axis of 3. Integer types stay as stored; rescaled CT is
            float32 in Hounsfield units. Finite everywhere.
        dims: 2 or 3, the number of spatial axes.
        spacing_mm: Distance between voxel centres along each spatial axis, in the order of the axes; None if unknown.
        affine_lps: `(4, 4)`; maps the index `(z, y, x, 1)` of a voxel centre to LPS millimetres `(x, y, z, 1)`; a 2-D
            scan has z = 0, and its first column is the slice normal. None if unknown.
        modality: DICOM code ("CT", "MR", "DX", "CR", "US", "SM", ...) or "" when the file does not say.
        unit: "HU" or "".
        source: The file or folder it was read from.
        header: Technical facts that may leave the house (manufacturer, kernel, kVp ...); never a person's.
        notes: What was unusual about the file.
    """

    pixels: np.ndarray
    dims: int
    spacing_mm: tuple[float, ...] | None = None
    affine_lps: np.ndarray | None = None
    modality: str = ""
    unit: str = ""
    source: Path = Path()
    identity: Identity = Identity()
    header: Mapping[str, str | float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        extra = self.pixels.ndim - self.dims
        if self.dims not in (2, 3) or extra not in (0, 1) or (extra == 1 and self.pixels.shape[-1] != 3):
            raise ShapeError(f"pixels of shape {self.pixels.shape} do not make a {self.dims}-D grey or RGB scan")
        if self.spacing_mm is not None and len(self.spacing_mm) != self.dims:
            raise ShapeError(f"{len(self.spacing_mm)} spacings for {self.dims} axes")

    @property
    def colour(self) -> bool:
        """Whether the last axis holds red, green and blue."""
        return self.pixels.ndim == self.dims + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The spatial shape, without colour."""
        return tuple(self.pixels.shape[: self.dims])

    @property
    def directions(self) -> tuple[str, ...] | None:
        """Where each axis leads as its index grows: one of L R P A S I an axis; None without an affine.

        An axial CT slice in the usual display order is `("P", "L")`: down is posterior, right is the patient's left.
        """
        if self.affine_lps is None:
            return None
        columns = self.affine_lps[:3, 3 - self.dims : 3]
        letters = []
        for column in columns.T:
            axis = int(np.argmax(np.abs(column)))
            letters.append(("LPS" if column[axis] > 0 else "RAI")[axis])
        return tuple(letters)


@dataclass(frozen=True, eq=False)
class Batch:
    """Images ready for a detector: `images (n, c, *grid)` float32, `mask (n, *grid)` bool, spacing of that grid."""

    images: np.ndarray
    mask: np.ndarray | None = None
    spacing_mm: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)


class Images(Protocol):
    """A cohort of images of one shape, read as needed: never held in memory as a whole, and iterable again."""

    def __len__(self) -> int: ...

    def take(self, indices: Sequence[int]) -> Batch:
        """The images at these places, in this order."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """All images in order, batch by batch."""
        ...


class Stack:
    """A small cohort held in memory: the `Images` of tests and of arrays handed over from Python.

    Args:
        images: `(n, c, *grid)`.
        mask: `(n, *grid)` or None.
        batch_size: Images in one batch of an iteration.
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        mask: np.ndarray | None = None,
        spacing_mm: tuple[float, ...] | None = None,
        batch_size: int = 32,
    ) -> None:
        self.whole = Batch(np.ascontiguousarray(images, dtype=np.float32), mask, spacing_mm)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.whole)

    def take(self, indices: Sequence[int]) -> Batch:
        """The images at these places, in this order."""
        where = np.asarray(indices, dtype=np.intp)
        mask = None if self.whole.mask is None else self.whole.mask[where]
        return Batch(self.whole.images[where], mask, self.whole.spacing_mm)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), self.batch_size):
            yield self.take(range(start, min(start + self.batch_size, len(self))))


class SomeImages:
    """Some images of another cohort, in an order of their own.

    Args:
        whole: That cohort.
        indices: `(n,)` places in it.
    """

    def __init__(self, whole: Images, indices: Sequence[int] | np.ndarray, *, batch_size: int = 32) -> None:
        self.whole, self.indices, self.batch_size = whole, np.asarray(indices, np.intp), batch_size

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: Sequence[int] | np.ndarray) -> Batch:
        """The images at these places, in this order."""
        return self.whole.take(self.indices[np.asarray(indices, np.intp)].tolist())

    def __iter__(self) -> Iterator[Batch]:
        """All images in order, batch by batch."""
        for start in range(0, len(self), self.batch_size):
            yield self.take(range(start, min(start + self.batch_size, len(self))))

    def subset(self, indices: Sequence[int] | np.ndarray) -> "SomeImages":
        """Some of these images, in this order."""
        return SomeImages(self.whole, self.indices[np.asarray(indices, np.intp)], batch_size=self.batch_size)


class JoinedImages:
    """The images of several cohorts as one, each behind those of the cohort before it.

    Args:
        parts: Those cohorts, at least one.
    """

    def __init__(self, *parts: Images, batch_size: int = 32) -> None:
        self.parts, self.batch_size = parts, batch_size
        self.starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, indices: Sequence[int] | np.ndarray) -> Batch:
        """The images at these places, in this order."""
        where = np.asarray(indices, np.intp)
        owner = np.searchsorted(self.starts, where, side="right") - 1
        asked = np.unique(owner) if len(where) else [0]
        taken = [self.parts[one].take((where[owner == one] - self.starts[one]).tolist()) for one in asked]
        order = np.argsort(np.argsort(owner, kind="stable"), kind="stable")
        masks = [part.mask for part in taken if part.mask is not None]
        return Batch(
            np.concatenate([part.images for part in taken])[order],
            np.concatenate(masks)[order] if len(masks) == len(taken) else None,
            taken[0].spacing_mm if all(part.spacing_mm == taken[0].spacing_mm for part in taken) else None,
        )

    def __iter__(self) -> Iterator[Batch]:
        """All images in order, batch by batch."""
        for start in range(0, len(self), self.batch_size):
            yield self.take(range(start, min(start + self.batch_size, len(self))))


class Labelled:
    """Images of which readers called some healthy and the others abnormal, for the methods that learn from both.

    Args:
        whole: All of them.
        abnormal: `(n,)` bool.
    """

    def __init__(self, whole: Images, abnormal: np.ndarray) -> None:
        self.whole, self.abnormal = whole, np.asarray(abnormal, bool)

    def __len__(self) -> int:
        return len(self.whole)

    def take(self, indices: Sequence[int]) -> Batch:
        """The images at these places, in this order."""
        return self.whole.take(indices)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.whole)

    def pairs(self) -> "Pairs":
        """Healthy and abnormal images in equal numbers, however many there are of each."""
        return Pairs(self.whole, np.flatnonzero(~self.abnormal), np.flatnonzero(self.abnormal))


class Pairs:
    """A healthy image and an abnormal one at every place; the rarer kind comes round more often.

    A batch holds the healthy ones first, then as many abnormal ones: what is what follows from the place in it. There
    are so many places that no image of a kind comes round more than an eighth more often than another of its kind.
    """

    def __init__(self, whole: Images, healthy: np.ndarray, abnormal: np.ndarray) -> None:
        self.whole, self.healthy, self.abnormal = whole, healthy, abnormal

    def __len__(self) -> int:
        rarer, commoner = sorted((len(self.healthy), len(self.abnormal)))
        return commoner * -(-_ROUNDS * rarer // commoner)

    def take(self, indices: Sequence[int]) -> Batch:
        """`2 k` images for `k` places."""
        where = np.asarray(indices, np.intp)
        kinds = (kind[where % len(kind)] for kind in (self.healthy, self.abnormal))
        return self.whole.take(np.concatenate(list(kinds)).tolist())

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), 16):
            yield self.take(range(start, min(start + 16, len(self))))


@dataclass(frozen=True, eq=False)
class Scores:
    """A detector's answer for n images. Larger is stranger, always.

    Args:
        map: `(n, *coarse)` strangeness per place, on any grid coarser than or equal to the image's; None if the method
            gives no location.
        image: `(n,)` one number an image, for methods that give no map; None where the map is to be pooled.
        reconstruction: `(n, c, *grid)` for methods that reconstruct.
        neighbours: `(n, k)` numbers of the nearest remembered healthy examples, nearest first.
    """

    map: np.ndarray | None = None
    image: np.ndarray | None = None
    reconstruction: np.ndarray | None = None
    neighbours: np.ndarray | None = None


@dataclass(frozen=True)
class Finding:
    """A connected region of a scan that is unusual relative to the healthy reference.

    Args:
        number: 1 is the strangest.
        peak_index: Voxel of the peak, `(z, y, x)` or `(y, x)`, 0-based, voxel centres.
        box: Half-open bounds per axis, `((start, stop), ...)`.
        centre_lps_mm: Centre of mass in patient coordinates, None when the scan has none.
        place: Words for where it lies, as keys of `reporting.words` ("left", "lower-zone"); empty when unknown.
        voxels: Size in voxels (pixels in 2-D).
        volume_mm3: 3-D size; None in 2-D or without spacing.
        area_mm2: 2-D size (the largest slice's in 3-D); None without spacing.
        diameter_mm: Longest diameter, None without spacing.
        diameter_px: Longest diameter in voxels.
        peak: The map's value at the peak.
        peak_tail: -log10 of the share of healthy places at least as strange as the peak.
        p_value: Share of healthy cases showing anywhere a place this strange; None if not calibrated.
        above: Whether `p_value` lies at or below the false-alarm rate; None if that cannot be decided.
    """

    number: int
    peak_index: tuple[int, ...]
    box: tuple[tuple[int, int], ...]
    centre_lps_mm: tuple[float, float, float] | None
    place: tuple[str, ...]
    voxels: int
    volume_mm3: float | None
    area_mm2: float | None
    diameter_mm: float | None
    diameter_px: float
    peak: float
    peak_tail: float
    p_value: float | None = None
    above: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """What the calibrated score of one case says.

    Args:
        score: Strangeness of the case.
        p_value: (1 + healthy units at least this strange) / (n + 1); None when the model has no calibration for it.
        bound: True when no healthy unit was as strange: the p-value is then an upper bound and prints as "≤".
        decision: "above" or "not-above" the threshold, or "withheld".
        why_withheld: A note's key and values when withheld.
        false_alarms: The asked rate, in (0, 1).
        threshold: Score above which the decision is "above"; None when withheld.
        units: Number of healthy calibration units behind the p-value.
        unit: "case", "patient" or "image".
        guarantee: "split" conformal, or the weaker "cross" conformal.
    """

    score: float
    p_value: float | None
    bound: bool
    decision: Literal["above", "not-above", "withheld"]
    why_withheld: Note | None
    false_alarms: float
    threshold: float | None
    units: int
    unit: Literal["case", "patient", "image"]
    guarantee: Literal["split", "cross", "none"]


@dataclass(frozen=True, eq=False)
class TileView:
    """A part of a slide at a magnification that shows its cells.

    Args:
        box_px: `((top, bottom), (left, right))`, half-open, in pixels of level 0.
        pixels: `(h, w, 3)` uint8.
        score: Strangeness of the tile; None where the part is a region of findings and no tile.
    """

    box_px: tuple[tuple[float, float], tuple[float, float]]
    pixels: np.ndarray
    score: float | None = None


@dataclass(frozen=True, eq=False)
class SlideView:
    """The whole slide behind a scan that is its overview: how to get from one to the other, and what was looked at.

    Args:
        shape_px: Rows and columns of level 0, the finest.
        um_per_px: µm per pixel of level 0, `(y, x)`; `given` says that a person named it.
        factor: Pixels of level 0 along a pixel of the overview, `(y, x)`.
        tile_px: Rows and columns of a tile, at `tile_um_per_px`; `assumed` says that the model does not know its scale.
        tiles: Tiles examined.
        strangest: The tiles with the highest scores, strangest first.
        close_ups: For findings by their number, what lies there.
    """

    shape_px: tuple[int, int]
    um_per_px: tuple[float, float]
    given: bool
    factor: tuple[float, float]
    tile_px: tuple[int, int]
    tile_um_per_px: tuple[float, float]
    assumed: bool
    tiles: int
    tissue_mm2: float
    strangest: tuple[TileView, ...] = ()
    close_ups: Mapping[int, TileView] = field(default_factory=dict)

    def pixel(self, index: Sequence[float]) -> tuple[int, int]:
        """The pixel of level 0, `(y, x)`, in the middle of a pixel of the overview."""
        row, column = (int((place + 0.5) * step) for place, step in zip(index, self.factor, strict=True))
        return min(row, self.shape_px[0] - 1), min(column, self.shape_px[1] - 1)

    def bounds(self, box: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Half-open bounds on the overview as bounds in pixels of level 0, cut at the slide's edge."""
        rows, columns = (
            (round(start * step), min(side, round(stop * step)))
            for (start, stop), step, side in zip(box, self.factor, self.shape_px, strict=True)
        )
        return rows, columns

    def millimetres(self, pixel: Sequence[float]) -> tuple[float, float]:
        """A place in pixels of level 0, `(y, x)`, in mm from the slide's top left corner."""
        row, column = (place * step / 1000 for place, step in zip(pixel, self.um_per_px, strict=True))
        return row, column


@dataclass(frozen=True, eq=False)
class ScanResult:
    """One scan of a case with all that was found on it, on the scan's own voxels.

    Args:
        scan: The scan itself.
        map: Raw strangeness, shape of the scan; None if the method gives no location.
        tail: -log10 of the healthy tail at each voxel, in [0, 4]; None without a map or without calibration.
        mask: Where the profile looked, shape of the scan.
        score: Strangeness of this scan.
        findings: Strangest first.
        weaker: Number of further regions, as strange as places in many a healthy case, that are not listed.
        shown: `(c, *grid)` the image as the detector saw it (slice `key_slice` of a volume), values mostly in [0, 1].
        reconstruction: As `shown`, from methods that reconstruct.
        neighbours: Thumbnails `(h, w)` or `(h, w, 3)` uint8 of the nearest remembered healthy examples.
        slice_scores: `(z,)` for a volume read slice by slice.
        key_slice: The slice a reader should see first; None in 2-D.
        slide: The whole slide of which `scan` is the overview; None for all other scans.
    """

    scan: Scan
    map: np.ndarray | None
    tail: np.ndarray | None
    mask: np.ndarray | None
    score: float
    findings: tuple[Finding, ...] = ()
    weaker: int = 0
    shown: np.ndarray | None = None
    reconstruction: np.ndarray | None = None
    neighbours: tuple[np.ndarray, ...] = ()
    slice_scores: np.ndarray | None = None
    key_slice: int | None = None
    slide: SlideView | None = None


@dataclass(frozen=True)
class ModelFacts:
    """What a report says about the model behind it.

    Args:
        name: Folder name of the model.
        fingerprint: First 12 hex digits of the model's SHA-256.
        detector: Name in `CATALOGUE`, with its `source` (DOI or arXiv).
        profile: Name of the profile; `blind_spots` and `look_next` are keys of `reporting.words`.
        healthy_images: Images learned from, of `healthy_patients` patients (None if unknown).
        calibration_scores: The healthy calibration scores, for the histogram.
        map_threshold: Map value from which a place belongs to a finding, and the healthy quantile it stands for.
        window: Grey values shown black and white in pictures, in the scan's unit; None: the image's own 0.5-99.5 %.
    """

    name: str
    fingerprint: str
    detector: str
    source: str
    profile: str
    blind_spots: tuple[str, ...]
    look_next: tuple[str, ...]
    trained_utc: str
    version: str
    healthy_images: int
    healthy_patients: int | None
    calibration_scores: tuple[float, ...]
    map_threshold: float | None
    map_quantile: float | None
    window: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One patient's examination, scored: everything a report is made of.

    `request` is a digest of the model, the input and the settings: the same request need not be answered twice.
    """

    case: str
    examined_utc: str
    scans: tuple[ScanResult, ...]
    verdict: Verdict
    model: ModelFacts
    notes: tuple[Note, ...] = ()
    request: str = ""
