"""How a plane of a scan lies on the page: radiological convention, letters at the edges, true proportions."""

from dataclasses import dataclass

import numpy as np

from halescan.types import Scan

_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}
_ACROSS = "LP"  # what grows to the right of the page: the patient's left, or the back in a sagittal plane
_DOWN = "PI"  # what grows down the page: the back in an axial plane, else the feet

Box = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class View:
    """The way from a stored plane `(rows, columns)` to the page.

    Args:
        shape: Of the plane as stored.
        turned: Whether rows and columns change places.
        flips: Whether rows and columns run backwards, after the turn.
        edges: Letters at the left, right, top and bottom of the page; None if the orientation is unknown.
        spacing_mm: Between rows and between columns on the page; None if unknown.
    """

    shape: tuple[int, int]
    turned: bool = False
    flips: tuple[bool, bool] = (False, False)
    edges: tuple[str, str, str, str] | None = None
    spacing_mm: tuple[float, float] | None = None

    @property
    def page_shape(self) -> tuple[int, int]:
        """Rows and columns on the page."""
        return (self.shape[1], self.shape[0]) if self.turned else self.shape

    def lay(self, plane: np.ndarray) -> np.ndarray:
        """A stored plane `(rows, columns, ...)` as it lies on the page, without copying."""
        laid = plane.swapaxes(0, 1) if self.turned else plane
        return laid[:: -1 if self.flips[0] else 1, :: -1 if self.flips[1] else 1]

    def lay_box(self, box: Box) -> Box:
        """Half-open bounds on the stored plane as bounds on the page."""
        rows, columns = (box[1], box[0]) if self.turned else box
        height, width = self.page_shape
        if self.flips[0]:
            rows = (height - rows[1], height - rows[0])
        if self.flips[1]:
            columns = (width - columns[1], width - columns[0])
        return rows, columns

    def fit(self, longest_px: int) -> tuple[int, int]:
        """Height and width in true proportions with this longest side."""
        height, width = self.page_shape
        row_mm, column_mm = self.spacing_mm or (1.0, 1.0)
        tall, wide = height * row_mm, width * column_mm
        scale = longest_px / max(tall, wide)
        # a sliver stays visible, however thin the slab
        return max(24, round(tall * scale)), max(24, round(wide * scale))


def view_of(scan: Scan) -> View:
    """The view of a 2-D scan, or of the planes of a volume along its first axis."""
    shape = (scan.shape[-2], scan.shape[-1])
    spacing = None if scan.spacing_mm is None else (scan.spacing_mm[-2], scan.spacing_mm[-1])
    if spacing is not None and not all(np.isfinite(gap) and gap > 0 for gap in spacing):
        spacing = None
    letters = scan.directions
    if letters is None or not _makes_a_plane(letters[-2], letters[-1]):
        return View(shape=shape, spacing_mm=spacing)
    down, across = letters[-2], letters[-1]
    turned = not _fits(down, across)
    if turned:
        down, across = across, down
        spacing = None if spacing is None else (spacing[1], spacing[0])
    flips = (down not in _DOWN, across not in _ACROSS)
    down = _OPPOSITE[down] if flips[0] else down
    across = _OPPOSITE[across] if flips[1] else across
    edges = (_OPPOSITE[across], across, _OPPOSITE[down], down)
    return View(shape=shape, turned=turned, flips=flips, edges=edges, spacing_mm=spacing)


def _axis(letter: str) -> int:
    """0 right-left, 1 front-back, 2 head-feet."""
    return next(number for number, pair in enumerate(("RL", "AP", "SI")) if letter in pair)


def _makes_a_plane(down: str, across: str) -> bool:
    """Whether the two directions differ; an oblique affine may name one axis twice."""
    return _axis(down) != _axis(across)


def _fits(down: str, across: str) -> bool:
    """Whether rows already run front-back or head-feet, and columns right-left (front-back in a sagittal plane)."""
    return _axis(across) < _axis(down)
