"""Pictures of patches for the pages, read from their files again: small, without a name in them or around them."""

import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from halescan.data.item import Item
from halescan.errors import HalescanError
from halescan.io import read
from halescan.reporting.figures import grey_window
from halescan.types import Scan

SIDE_PX = 224


def thumbnails(
    items: Sequence[Item], wanted: Iterable[tuple[int, int]], *, window: tuple[float, float] | None
) -> Iterator[bytes | None]:
    """JPEG bytes of each wanted `(item, slice)`, slice -1 for a whole 2-D scan; None for one that cannot be read now.

    Args:
        window: Grey values shown black and white; None takes the image's own.
    """
    last: tuple[int, Scan] | None = None
    for item, place in wanted:
        try:
            scan = last[1] if last is not None and last[0] == item else read(items[item].source)
        except HalescanError:
            yield None
            continue
        last = (item, scan)
        plane = scan.pixels if scan.dims == 2 else scan.pixels[max(0, place)]
        yield _jpeg(plane, grey_window(scan, window))


def _jpeg(plane: np.ndarray, window: tuple[float, float]) -> bytes:
    low, high = window
    levels = np.clip((plane.astype(np.float32) - low) / max(high - low, 1e-9), 0, 1)
    picture = Image.fromarray((255 * levels + 0.5).astype(np.uint8))
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=85)
    return sink.getvalue()
