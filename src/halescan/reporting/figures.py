"""Pictures of a scan for a reader: the plane as acquired, the map laid over it, close-ups and a montage of slices.

Only NumPy, SciPy and Pillow, so that a report is drawn in milliseconds. A picture has two layers: the scan (grey or
colour), and an indexed, mostly transparent layer with the map on its fixed scale, the outlines and the numbers. The
layers are kept apart so that a page can fade the map, and because the second one weighs next to nothing.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import find_objects, label

from halescan.reporting.colours import LEVELS, level_of, palette
from halescan.reporting.lettering import text_font
from halescan.reporting.slice_scores import examined_scores
from halescan.reporting.view import Box, View, view_of
from halescan.types import Finding, Scan, ScanResult

_OUTLINE, _HALO, _GREYS = LEVELS, LEVELS + 16, LEVELS + 32  # where these entries of the palette start
_WAYS = np.array([(-1, 1), (-1, -1), (1, 1), (1, -1), (-1, 0), (0, 1), (1, 0), (0, -1)], float)  # down, across
_COMPASS = _WAYS / np.linalg.norm(_WAYS, axis=1, keepdims=True)  # where a badge may lie off its region, tried in turn
_BARS_MM = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True, eq=False)
class Layered:
    """A picture of two layers of one size; `over` is None where there is nothing to lay over the scan."""

    base: Image.Image
    over: Image.Image | None


def plane_picture(
    result: ScanResult,
    *,
    number: int | None,
    window: tuple[float, float],
    threshold: float | None,
    longest_px: int,
) -> Layered:
    """One plane of a scan with its map, outlines and numbers.

    Args:
        number: The slice of a volume; None in 2-D.
        window: Grey values shown black and white; see `grey_window`.
        threshold: Map value along which findings are outlined; None frames their boxes.
        longest_px: Longer side of the picture.
    """
    view = view_of(result.scan)
    size = view.fit(longest_px)
    base = _paint(view.lay(_plane(result.scan.pixels, result.scan, number)), window, size)
    over = _over(result, view, number, size, threshold=threshold, window=None, numbered=True)
    _write_edges(base, view)
    _draw_bar(base, None if view.spacing_mm is None else view.page_shape[1] * view.spacing_mm[1])
    return Layered(base, over)


def close_up(
    result: ScanResult,
    finding: Finding,
    *,
    window: tuple[float, float],
    threshold: float | None,
    longest_px: int = 260,
) -> Layered:
    """A finding with three times its width around it, outlined but not coloured, so that the tissue can be seen."""
    view = view_of(result.scan)
    number = finding.peak_index[0] if result.scan.dims == 3 else None
    rows, columns = _around(view.lay_box((finding.box[-2], finding.box[-1])), view)
    part = View(
        shape=(rows[1] - rows[0], columns[1] - columns[0]),
        spacing_mm=view.spacing_mm,
    )
    size = part.fit(longest_px)
    plane = view.lay(_plane(result.scan.pixels, result.scan, number))[rows[0] : rows[1], columns[0] : columns[1]]
    base = _paint(plane, window, size)
    _draw_bar(base, None if part.spacing_mm is None else part.shape[1] * part.spacing_mm[1])
    return Layered(base, _over(result, view, number, size, threshold=threshold, window=(rows, columns), numbered=False))


def montage(
    result: ScanResult,
    numbers: Sequence[int],
    *,
    window: tuple[float, float],
    threshold: float | None,
    tile_px: int = 168,
    columns: int = 6,
) -> Layered:
    """Slices of a volume side by side, each with its number (counted from 1) and its map."""
    view = view_of(result.scan)
    height, width = view.fit(tile_px)
    across = min(columns, len(numbers))
    down = -(-len(numbers) // across)
    whole = (across * (width + 4) - 4, down * (height + 4) - 4)
    base = Image.new("RGB" if result.scan.colour else "L", whole, 0)
    over = _indexed(np.zeros(whole[::-1], np.uint8))
    for place, number in enumerate(numbers):
        corner = ((place % across) * (width + 4), (place // across) * (height + 4))
        tile = _paint(view.lay(_plane(result.scan.pixels, result.scan, number)), window, (height, width))
        _write(tile, (5, 3), str(number + 1), size_px=15, anchor="la")
        base.paste(tile, corner)
        layer = _over(result, view, number, (height, width), threshold=threshold, window=None, numbered=False)
        if layer is not None:
            over.paste(layer, corner)
    return Layered(base, over)


def slices_to_show(result: ScanResult, *, most: int = 12) -> tuple[int, ...]:
    """Slices for the montage: the key slices, the strangest one and, up to `most`, evenly spaced examined ones."""
    depth = result.scan.shape[0]
    looked = np.arange(depth)
    if result.mask is not None and result.mask.shape == result.scan.shape and result.mask.any():
        inside = np.flatnonzero(result.mask.any(axis=(1, 2)))
        looked = np.arange(inside[0], inside[-1] + 1)
    strangest = strangest_slice(result)
    chosen = {key_slice(result), *(finding.peak_index[0] for finding in result.findings[:3])}
    chosen |= set() if strangest is None else {strangest}
    for count in range(min(most, len(looked)), 0, -1):
        even = looked[np.linspace(0, len(looked) - 1, count).round().astype(int)]
        if len(together := chosen | {int(number) for number in even}) <= most:
            return tuple(sorted(together))
    return tuple(sorted(chosen))


def key_slice(result: ScanResult) -> int:
    """The slice to see first: the named one, the first finding's peak, the strangest, or the middle, in this order.

    `why_key` says which it is.
    """
    depth = result.scan.shape[0]
    if result.key_slice is not None:
        return min(max(int(result.key_slice), 0), depth - 1)
    if result.findings:
        return result.findings[0].peak_index[0]
    strangest = strangest_slice(result)
    return depth // 2 if strangest is None else strangest


def strangest_slice(result: ScanResult) -> int | None:
    """The slice with the highest score; None where slices have none."""
    scores = examined_scores(result)
    if scores is None or not np.isfinite(scores).any():
        return None
    return int(np.nanargmax(scores))


def why_key(result: ScanResult) -> str:
    """Why the key slice is shown first, as a key of `reporting.words`; "" for the middle of the volume."""
    number = key_slice(result)
    if result.findings and number == result.findings[0].peak_index[0]:
        return "key-finding"
    if number == strangest_slice(result):
        return "key-strangest"
    if result.map is not None and result.map[number].max() >= result.map.max():
        return "key-peak"
    return ""


def grey_window(scan: Scan, window: tuple[float, float] | None) -> tuple[float, float]:
    """The grey values shown black and white: the profile's window, else the scan's own 0.5-99.5 %.

    A window is in the scan's unit. Where the scan names none, 8-bit pixels are already windowed and show in full, and
    other pixels take the window only if their own range fills at least half of it.
    """
    if scan.pixels.dtype == np.uint8 and not scan.unit and (window is not None or scan.colour):
        return 0.0, 255.0
    if window is not None and scan.unit:
        return window
    own = _own_range(scan)
    if window is None:
        return own
    filled = (min(own[1], window[1]) - max(own[0], window[0])) / (window[1] - window[0])
    return window if filled >= 0.5 else own


def png(image: Image.Image) -> bytes:
    """The picture as PNG bytes, the same on every run; an indexed layer keeps the opacity of each entry."""
    sink = io.BytesIO()
    if image.mode == "P":
        image.save(sink, "PNG", compress_level=6, transparency=palette()[1])
    else:
        image.save(sink, "PNG", compress_level=3)
    return sink.getvalue()


def merged(picture: Layered) -> Image.Image:
    """Both layers as one RGB picture."""
    base = picture.base.convert("RGB")
    if picture.over is None:
        return base
    colours, opacities = palette()
    table = np.concatenate(
        [np.frombuffer(colours, np.uint8).reshape(256, 3), np.frombuffer(opacities, np.uint8)[:, None]], axis=1
    )
    layer = Image.fromarray(table[np.asarray(picture.over)])
    return Image.alpha_composite(base.convert("RGBA"), layer).convert("RGB")


def _own_range(scan: Scan) -> tuple[float, float]:
    """The scan's 0.5-99.5 %, from a sample of a large one; a little more than nothing for a constant one."""
    stride = max(1, round((scan.pixels.size / 200_000) ** (1 / scan.dims)))
    sample = scan.pixels[(slice(None, None, stride),) * scan.dims]
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    if high <= low:  # nearly constant: show what little there is
        low, high = float(scan.pixels.min()), float(scan.pixels.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _plane(array: np.ndarray, scan: Scan, number: int | None) -> np.ndarray:
    """The plane `(y, x, ...)` of an array that lies on the scan's voxels."""
    return array if scan.dims == 2 else array[0 if number is None else number]


def _paint(plane: np.ndarray, window: tuple[float, float], size: tuple[int, int]) -> Image.Image:
    """A plane `(h, w)` or `(h, w, 3)` windowed to 8 bits, smoothly resampled to `size` (height, width)."""
    target = size[::-1]
    if plane.dtype == np.uint8 and window == (0.0, 255.0):
        return Image.fromarray(np.ascontiguousarray(plane)).resize(target, Image.Resampling.BICUBIC)
    if plane.ndim == 3:
        return Image.fromarray(_to_8bit(plane, window)).resize(target, Image.Resampling.BICUBIC)
    smooth = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32)).resize(target, Image.Resampling.BICUBIC)
    return Image.fromarray(_to_8bit(np.asarray(smooth), window))


def _to_8bit(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Values as grey levels 0-255, clipped at the window."""
    low, high = window
    return (np.clip((values.astype(np.float32) - low) / (high - low), 0.0, 1.0) * 255 + 0.5).astype(np.uint8)


def _over(
    result: ScanResult,
    view: View,
    number: int | None,
    size: tuple[int, int],
    *,
    threshold: float | None,
    window: Box | None,
    numbered: bool,
) -> Image.Image | None:
    """The layer over a plane, or over its part `window`: coloured map (whole planes only), outlines, numbers."""
    findings = [finding for finding in result.findings if number is None or _within(number, finding.box[0])]
    if result.map is None or (result.tail is None and not findings):
        return None
    part = window or ((0, view.page_shape[0]), (0, view.page_shape[1]))
    levels = np.zeros(size, np.uint8)
    if result.tail is not None and window is None:
        tail = view.lay(_plane(result.tail, result.scan, number))
        levels = level_of(_stretch(np.nan_to_num(tail, nan=0.0), size))
    if findings:
        strangeness = _cut(view.lay(_ground(result, number)), part)
        here = [_box_here(result, finding, number, threshold) for finding in findings]
        boxes = [_scaled(view.lay_box(box), part, size) for box in here]
        inside = np.zeros(size, bool)
        if threshold is None:
            _frame(levels, boxes)
        else:
            values = _stretch(strangeness, size)
            inside = values >= threshold
            _outline(levels, values, threshold, boxes)
        if numbered:
            _number(levels, [finding.number for finding in findings], boxes, inside)
    return _indexed(levels)


def _box_here(result: ScanResult, finding: Finding, number: int | None, threshold: float | None) -> Box:
    """Where a finding lies on this plane: a region of a volume is smaller on one slice than its box in space."""
    (top, bottom), (left, right) = finding.box[-2:]
    if number is None or threshold is None:
        return (top, bottom), (left, right)
    rows, columns = np.nonzero(_ground(result, number)[top:bottom, left:right] >= threshold)
    if not len(rows):
        return (top, bottom), (left, right)
    return (
        (top + int(rows.min()), top + int(rows.max()) + 1),
        (left + int(columns.min()), left + int(columns.max()) + 1),
    )


def _ground(result: ScanResult, number: int | None) -> np.ndarray:
    """The plane of the map from which outlines are drawn, sunk outside the mask so that an outline closes there."""
    assert result.map is not None
    plane = np.nan_to_num(_plane(result.map, result.scan, number).astype(np.float32), nan=0.0)
    if result.mask is None:
        return plane
    return np.where(_plane(result.mask, result.scan, number), plane, plane.min())


def _cut(plane: np.ndarray, part: Box) -> np.ndarray:
    return plane[slice(*part[0]), slice(*part[1])]


def _stretch(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map `(h, w)` resampled linearly: it must not overshoot."""
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))


def _scaled(box: Box, part: Box, size: tuple[int, int]) -> Box:
    """Bounds on the page's plane as bounds in the picture of its `part`, cut at its edges."""
    scaled = []
    for bounds, (start, stop), side in zip(box, part, size, strict=True):
        scale = side / (stop - start)
        low, high = ((place - start) * scale for place in bounds)
        scaled.append((int(max(0, np.floor(low))), int(min(side, np.ceil(high)))))
    return scaled[0], scaled[1]


def _outline(levels: np.ndarray, values: np.ndarray, threshold: float, boxes: Sequence[Box]) -> None:
    """Draw the line `values == threshold` within each box, smooth and equally wide, with a dark halo."""
    for rows, columns in boxes:
        height, width = levels.shape
        where = (
            slice(max(0, rows[0] - 4), min(height, rows[1] + 4)),
            slice(max(0, columns[0] - 4), min(width, columns[1] + 4)),
        )
        if min(where[0].stop - where[0].start, where[1].stop - where[1].start) < 2:
            continue
        patch = values[where]
        down, across = np.gradient(patch)
        steepness = np.hypot(down, across)
        # first-order distance to the line, in pixels; on a plateau there is no line
        distance = np.abs(patch - threshold) / np.maximum(steepness, 1e-6 + 1e-3 * steepness.max(initial=0.0))
        near = np.argwhere(distance < 3.2)
        # beside a cliff, as at the mask's rim, the first order misleads
        distance[tuple(near[_far_from_edge(near, patch >= threshold)].T)] = np.inf
        line = np.clip(1.7 - distance, 0.0, 1.0)
        halo = np.clip(3.2 - distance, 0.0, 1.0)
        target = levels[where]
        target[halo > 0.05] = (_HALO + np.round(15 * halo)).astype(np.uint8)[halo > 0.05]
        target[line > 0.05] = (_OUTLINE + np.round(15 * line)).astype(np.uint8)[line > 0.05]


def _far_from_edge(places: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """`(n,)` which places `(n, 2)` see the same side of all regions `(h, w)` for four pixels in eight directions."""
    far = np.ones(len(places), bool)
    own, last = inside[tuple(places.T)], np.array(inside.shape) - 1
    for step in np.rint([reach * way for reach in (1, 2, 3, 4) for way in _COMPASS]).astype(int):
        far &= inside[tuple(np.clip(places + step, 0, last).T)] == own
    return far


def _frame(levels: np.ndarray, boxes: Sequence[Box]) -> None:
    """Draw the boxes themselves, where no threshold says how the regions run."""
    for (top, bottom), (left, right) in boxes:
        for grow, entry in ((2, _HALO + 15), (1, _OUTLINE + 15)):
            ring = np.zeros(levels.shape, bool)
            ring[max(0, top - grow) : bottom + grow, max(0, left - grow) : right + grow] = True
            ring[top + 1 : max(top + 1, bottom - 1), left + 1 : max(left + 1, right - 1)] = False
            levels[ring] = entry


def _number(levels: np.ndarray, numbers: Sequence[int], boxes: Sequence[Box], inside: np.ndarray) -> None:
    """Put a badge with its number where it touches its own region: no other region is covered where that can be.

    Args:
        inside: `(h, w)` the pixels of all regions; where there are none, the boxes themselves are drawn.
    """
    radius = 12
    taken: list[tuple[float, float]] = []
    for number, box in zip(numbers, boxes, strict=True):
        centre = _free_place(_rim(box, inside), inside, radius, taken)
        taken.append(centre)
        _badge(levels, number, centre, radius)


def _rim(box: Box, inside: np.ndarray) -> np.ndarray:
    """`(8, 2)` the outermost places of the region that fills a box, in eight directions; without one, of the box."""
    rows, columns = np.meshgrid(*((start, stop - 1) for start, stop in box), indexing="ij")
    places = np.stack([rows.ravel(), columns.ravel()], axis=1)
    parts = label(inside[slice(*box[0]), slice(*box[1])], structure=np.ones((3, 3)))[0]
    extents = find_objects(parts)
    if extents:
        sides = [np.prod([axis.stop - axis.start for axis in extent]) for extent in extents]
        places = np.argwhere(parts == 1 + np.argmax(sides)) + np.array([box[0][0], box[1][0]])
    return np.stack([places[np.argmax(places[:, 0] * down + places[:, 1] * across)] for down, across in _COMPASS])


def _free_place(
    rim: np.ndarray, inside: np.ndarray, radius: int, taken: Sequence[tuple[float, float]]
) -> tuple[int, int]:
    """The centre of a badge at the rim of its region, the first that covers least of regions and of other badges."""
    best, least = (radius + 1, radius + 1), np.inf
    disc = np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) < radius
    for row, column in np.rint(rim + (radius + 1) * _COMPASS).astype(int):
        fitted = (
            int(np.clip(row, radius + 1, max(radius + 1, inside.shape[0] - radius - 2))),
            int(np.clip(column, radius + 1, max(radius + 1, inside.shape[1] - radius - 2))),
        )
        under = inside[fitted[0] - radius : fitted[0] + radius + 1, fitted[1] - radius : fitted[1] + radius + 1]
        covered = (under & disc[: under.shape[0], : under.shape[1]]).sum()
        near = min((np.hypot(fitted[0] - r, fitted[1] - c) for r, c in taken), default=np.inf)
        cost = covered + 1000 * max(0.0, 2 * radius - near)
        if cost < least:
            best, least = fitted, cost
    return best


def _badge(levels: np.ndarray, number: int, centre: tuple[int, int], radius: int) -> None:
    """A dark disc with a cyan rim and a white number, at `(row, column)`."""
    side = 2 * radius + 3
    text = Image.new("L", (side, side), 0)
    ImageDraw.Draw(text).text((side / 2, side / 2), str(number), fill=255, font=text_font(15), anchor="mm")
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    distance = np.hypot(rows, columns)
    disc = (_GREYS + np.asarray(text, np.float32) * (23 / 255)).round().astype(np.uint8)
    rim = np.clip(1.5 - np.abs(distance - radius), 0.0, 1.0)
    badge = np.where(rim > 0.05, (_OUTLINE + np.round(15 * rim)).astype(np.uint8), disc)
    top, left = centre[0] - radius - 1, centre[1] - radius - 1
    first = (max(0, -top), max(0, -left))
    target = levels[max(0, top) : top + side, max(0, left) : left + side]
    shown = (slice(first[0], first[0] + target.shape[0]), slice(first[1], first[1] + target.shape[1]))
    seen = ((distance < radius) | (rim > 0.05))[shown]
    target[seen] = badge[shown][seen]


def _indexed(levels: np.ndarray) -> Image.Image:
    """Palette entries `(h, w)` as an indexed picture."""
    image = Image.fromarray(levels).convert("L")
    image.putpalette(palette()[0])
    return image


def _within(number: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= number < bounds[1]


def _around(box: Box, view: View) -> Box:
    """Bounds three times as wide as the box, square in millimetres, at least 48 pixels, inside the plane."""
    gaps = view.spacing_mm or (1.0, 1.0)
    extent = max((stop - start) * gap for (start, stop), gap in zip(box, gaps, strict=True))
    side = max(3 * extent, 48 * min(gaps))
    bounds = []
    for (start, stop), gap, length in zip(box, gaps, view.page_shape, strict=True):
        wide = min(length, max(2, round(side / gap)))
        first = min(max(0, (start + stop - wide) // 2), length - wide)
        bounds.append((first, first + wide))
    return bounds[0], bounds[1]


def _write_edges(image: Image.Image, view: View) -> None:
    """The orientation letters at the edges, where the orientation is known."""
    if view.edges is None:
        return
    width, height = image.size
    left, right, top, bottom = view.edges
    _write(image, (7, height / 2), left, size_px=20, anchor="lm")
    _write(image, (width - 7, height / 2), right, size_px=20, anchor="rm")
    _write(image, (width / 2, 6), top, size_px=20, anchor="ma")
    _write(image, (width / 2, height - 7), bottom, size_px=20, anchor="md")


def _write(image: Image.Image, place: tuple[float, float], text: str, *, size_px: int, anchor: str) -> None:
    """White letters with a dark rim: readable on air, bone and tissue."""
    white, black = (255, 0) if image.mode == "L" else ((255, 255, 255), (0, 0, 0))
    ImageDraw.Draw(image).text(
        place, text, fill=white, font=text_font(size_px), anchor=anchor, stroke_width=2, stroke_fill=black
    )


def _draw_bar(image: Image.Image, width_mm: float | None) -> None:
    """A scale bar in the lower left corner: 1 cm where that is a readable length, else the next round one."""
    if width_mm is None:
        return
    width, height = image.size
    share = {bar: bar / width_mm for bar in _BARS_MM}
    readable = [bar for bar in _BARS_MM if 0.1 <= share[bar] <= 0.45]
    if not readable:
        return
    bar = 10.0 if 10.0 in readable else min(readable, key=lambda bar: abs(share[bar] - 0.2))
    font, label = text_font(15), _bar_label(bar)
    long = round(width * share[bar])
    panel = max(long, round(font.getlength(label))) + 12
    white, black = (255, 0) if image.mode == "L" else ((255, 255, 255), (0, 0, 0))
    pen = ImageDraw.Draw(image)
    # a dark panel: white on tissue, slide or air alike
    pen.rectangle((6, height - 36, 6 + panel, height - 6), fill=black)
    pen.rectangle((12, height - 13, 12 + long, height - 10), fill=white)
    pen.text((12, height - 17), label, fill=white, font=font, anchor="ls")


def _bar_label(bar_mm: float) -> str:
    if bar_mm >= 10:
        return f"{bar_mm / 10:g} cm"
    return f"{bar_mm:g} mm" if bar_mm >= 1 else f"{1000 * bar_mm:g} µm"
