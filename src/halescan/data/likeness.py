"""Pictures that are nearly the same: they must not lie on both sides of a split."""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from halescan.data.grid import resample
from halescan.data.intensity import luminance
from halescan.errors import HalescanError
from halescan.io import Source, read
from halescan.types import Scan

_BITS_APART = 8  # of 64: recompression and a slight crop flip a few, another patient of the same view flips 15 and more
_CORRELATION = 0.98
_SIDE = 32
_LARGEST_FILE = 64 * 2**20  # bytes: a volume is a patient's own; reading it for a thumbnail would cost too much
_BLOCK = 1024


def thumbnail(scan: Scan) -> np.ndarray:
    """`(32, 32)` float32 of a scan, of the middle slice of a volume."""
    pixels = scan.pixels[scan.shape[0] // 2] if scan.dims == 3 else scan.pixels
    return resample(luminance(pixels) if scan.colour else pixels, (_SIDE, _SIDE))


def difference_hash(picture: np.ndarray) -> int:
    """64 bits of a picture: whether each of 8 x 9 cells is brighter than its right neighbour."""
    cells = resample(picture, (8, 9))
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes())


def alike(pictures: Sequence[np.ndarray | None]) -> list[tuple[int, int]]:
    """Pairs of pictures `(32, 32)` that are nearly the same: few different hash bits, and correlated above 0.98."""
    known = [number for number, picture in enumerate(pictures) if picture is not None]
    if len(known) < 2:
        return []
    whole = np.stack([np.asarray(pictures[number], np.float32) for number in known])
    hashes = np.array([difference_hash(picture) for picture in whole], dtype=np.uint64)
    flat = whole.reshape(len(whole), -1) - whole.mean(axis=(1, 2))[:, None]
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(flat), _BLOCK):
        near = flat[start : start + _BLOCK] @ flat.T > _CORRELATION
        first, second = np.nonzero(near)
        first = first + start
        later = first < second
        first, second = first[later], second[later]
        close = _bits_apart(hashes[first], hashes[second]) <= _BITS_APART
        pairs += [(known[a], known[b]) for a, b in zip(first[close], second[close], strict=True)]
    return pairs


def _bits_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of differing bits, `(n,)` uint64 each."""
    return np.unpackbits((first ^ second).view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)


def read_thumbnail(source: Source) -> np.ndarray | None:
    """A source's thumbnail; None when it cannot be read or is too large for the purpose."""
    try:
        if sum(file.stat().st_size for file in source.files) > _LARGEST_FILE:
            return None
        return thumbnail(read(source))
    except (OSError, HalescanError):  # a bad file is told about where it is prepared
        return None


def duplicates(sources: Sequence[Source]) -> list[tuple[int, int]]:
    """Pairs of sources whose files hold the same bytes. Only files of the same size are opened."""
    by_size: dict[tuple[object, ...], list[int]] = {}
    for number, source in enumerate(sources):
        try:
            sizes = sorted(file.stat().st_size for file in source.files)
        except OSError:
            continue
        by_size.setdefault((*sizes, source.index, source.part, source.slice_index), []).append(number)
    pairs = []
    for numbers in by_size.values():
        first_with: dict[str, int] = {}
        for number in numbers if len(numbers) > 1 else ():
            digest = _digest(sources[number])
            if digest is not None and first_with.setdefault(digest, number) != number:
                pairs.append((first_with[digest], number))
    return pairs


def joined(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """`(count,)` a number for each, the same for all that a chain of pairs joins."""
    first, second = np.array(list(pairs), dtype=np.intp).reshape(-1, 2).T
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1])


def _digest(source: Source) -> str | None:
    """SHA-256 of a source's files in the order of their own hashes, so that file names play no part."""
    try:
        parts = []
        for file in source.files:
            with file.open("rb") as stream:
                parts.append(hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError:
        return None
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()
