"""The prepared images of a cohort, written once to disk and read back as needed: memory stays flat."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.copies import pixel_digest
from halescan.data.item import Item
from halescan.data.prepare import Prepared, prepare
from halescan.data.profiles import Profile
from halescan.data.tiles import sampled_tiles
from halescan.errors import HalescanError, OutputError, ScanError
from halescan.io import Problem, is_slide, read
from halescan.types import Batch, SomeImages

_SCHEMA = "halescan.images/2"
_PARTS = ("images.f32", "masks.bits", "rows.npz", "images.json")


@dataclass(frozen=True)
class ImageRow:
    """Where an image comes from.

    Args:
        item: Number of its scan in the list of items.
        slice_index: Slice of a volume, tile of a slide; None for a whole scan.
        facts: What the raw scan looks like; see `Prepared`.
    """

    item: int
    slice_index: int | None
    facts: dict[str, float | str]


def _say_nothing(done: int, total: int) -> None:
    """The listener of those who do not watch."""


class CohortImages:
    """The prepared images of a list of scans, in their order: the `Images` that detectors learn from.

    Pixels lie in one raw float32 file and masks in another, one bit a pixel, in `folder`; each batch is a few
    positioned reads. A folder that was finished for the same scans and profile is used as it is; anything else in it is
    written anew. A scan that cannot be read or prepared is listed in `problems`, and the others are done. `pixels` are
    short digests of the grey values of the scans that were used, sorted; slides have none.

    Args:
        items: The scans.
        profile: How they are prepared.
        folder: Where the files go; made if needed.
        jobs: Threads that read and prepare.
        batch_size: Images in one batch of an iteration.
        listen: Called with (scans done, scans in all).

    Raises:
        ScanError: if no scan gives an image.
        OutputError: if the folder cannot be written.
    """

    def __init__(
        self,
        items: Sequence[Item],
        profile: Profile,
        *,
        folder: Path,
        jobs: int = 1,
        batch_size: int = 32,
        listen: Callable[[int, int], None] = _say_nothing,
    ) -> None:
        self.batch_size = batch_size
        self.folder = Path(folder)
        key = _key(items, profile)
        if not _is_finished(self.folder, key):
            try:
                _write(items, profile, self.folder, key=key, jobs=max(1, jobs), listen=listen)
            except HalescanError:
                raise
            except OSError as error:
                reason = error.strerror or "unknown reason"
                raise OutputError(f"{self.folder}: prepared images cannot be written ({reason})") from error
        self._open()

    def _open(self) -> None:
        """Take up what lies in the folder."""
        facts = json.loads((self.folder / "images.json").read_text(encoding="utf-8"))
        self.shape: tuple[int, ...] = tuple(facts["shape"])
        self.problems = tuple(Problem(Path(path), message) for path, message in facts["problems"])
        self.pixels: tuple[str, ...] = tuple(facts["pixels"])
        self._names: list[str] = facts["facts"]
        self._words: dict[str, dict[str, str]] = facts["words"]
        with np.load(self.folder / "rows.npz", allow_pickle=False) as arrays:
            self.item_of: np.ndarray = arrays["item"]
            self.slice_of: np.ndarray = arrays["slice"]
            self._facts: np.ndarray = arrays["facts"]
            self.spacing_of: np.ndarray = arrays["spacing"]

    def __len__(self) -> int:
        return len(self.item_of)

    @property
    def rows(self) -> tuple[ImageRow, ...]:
        """Where each image comes from. Made on the spot: keep it only as long as you need it."""
        return tuple(
            ImageRow(int(item), None if index < 0 else int(index), self._facts_of(int(item), values))
            for item, index, values in zip(self.item_of, self.slice_of, self._facts, strict=True)
        )

    def take(self, indices: Sequence[int] | np.ndarray) -> Batch:
        """The images at these places, in this order."""
        where = np.asarray(indices, dtype=np.intp)
        if where.size and (where.min() < -len(self) or where.max() >= len(self)):
            raise IndexError(f"places {where.min()} to {where.max()} of {len(self)} images")
        where = where % max(1, len(self))
        size = int(np.prod(self.shape[1:]))
        images = _read_records(self.folder / "images.f32", where, 4 * size * self.shape[0]).view(np.float32)
        bits = _read_records(self.folder / "masks.bits", where, (size + 7) // 8)
        mask = np.unpackbits(bits, axis=1, count=size).view(bool)
        return Batch(
            images.reshape(len(where), *self.shape), mask.reshape(len(where), *self.shape[1:]), self._spacing(where)
        )

    def _spacing(self, where: np.ndarray) -> tuple[float, ...] | None:
        """The spacing these images share; a batch has one, so where they differ it has none."""
        found = self.spacing_of[where]
        if not len(found) or np.isnan(found[0]).any() or not (found == found[0]).all():
            return None
        return tuple(float(mm) for mm in found[0])

    def __iter__(self) -> Iterator[Batch]:
        """All images in order, batch by batch."""
        for start in range(0, len(self), self.batch_size):
            yield self.take(range(start, min(start + self.batch_size, len(self))))

    def subset(self, indices: Sequence[int] | np.ndarray) -> SomeImages:
        """Some of the images, in this order, without copying any."""
        return SomeImages(self, indices, batch_size=self.batch_size)

    def _facts_of(self, item: int, values: np.ndarray) -> dict[str, float | str]:
        """One row of facts by name; what a scan did not know is left out."""
        numbers = {name: float(value) for name, value in zip(self._names, values, strict=True) if not np.isnan(value)}
        return {**numbers, **self._words.get(str(item), {})}


def _write(
    items: Sequence[Item],
    profile: Profile,
    folder: Path,
    *,
    key: str,
    jobs: int,
    listen: Callable[[int, int], None],
) -> None:
    """Prepare everything into the folder; `images.json` comes last and says that it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in reversed(_PARTS):
        (folder / part).unlink(missing_ok=True)
    rows = _Rows()
    prepared = ahead(lambda item: _made(item, profile), items, jobs=jobs, most=jobs + 1)
    with (folder / "images.f32").open("wb") as images, (folder / "masks.bits").open("wb") as masks:
        for number, (item, (made, digest)) in enumerate(zip(items, prepared, strict=True)):
            if isinstance(made, Problem):
                rows.problems.append(made)
            else:
                rows.pixels += [digest] if digest else []
                for one in made:
                    images.write(np.ascontiguousarray(one.image).data)
                    masks.write(np.packbits(one.mask.reshape(-1)).data)
                    rows.add(number, one)
            del made, item
            listen(number + 1, len(items))
        for file in (images, masks):
            file.flush()
            os.fsync(file.fileno())
    if not rows.items:
        first = f": {rows.problems[0].message}" if rows.problems else ""
        raise ScanError(f"none of {len(items)} scans gives an image for the profile {profile.name!r}{first}")
    rows.save(folder, key, (profile.channels, *profile.size))


class _Rows:
    """What is known of the images written so far."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.slices: list[int] = []
        self.facts: list[np.ndarray] = []
        self.words: dict[str, dict[str, str]] = {}
        self.names: list[str] = []
        self.problems: list[Problem] = []
        self.pixels: list[str] = []
        self.spacings: list[tuple[float, ...] | None] = []

    def add(self, number: int, one: Prepared) -> None:
        """Note one image down."""
        numbers = {name: value for name, value in one.facts.items() if not isinstance(value, str)}
        self.words[str(number)] = {name: value for name, value in one.facts.items() if isinstance(value, str)}
        self.names += [name for name in numbers if name not in self.names]
        self.items.append(number)
        self.slices.append(-1 if one.slice_index is None else one.slice_index)
        self.facts.append(np.array([numbers.get(name, np.nan) for name in self.names]))
        self.spacings.append(None if one.spacing_mm is None else tuple(round(mm, 6) for mm in one.spacing_mm))

    def save(self, folder: Path, key: str, shape: tuple[int, ...]) -> None:
        """Write the rows, then the file that says all is whole."""
        facts = np.full((len(self.facts), len(self.names)), np.nan)
        for row, known in zip(facts, self.facts, strict=True):
            row[: len(known)] = known
        np.savez(
            folder / "rows.npz",
            item=np.array(self.items, np.int64),
            slice=np.array(self.slices, np.int64),
            facts=facts,
            spacing=np.array([spacing or (np.nan,) * (len(shape) - 1) for spacing in self.spacings]),
        )
        record: dict[str, Any] = {
            "schema": _SCHEMA,
            "key": key,
            "shape": shape,
            "count": len(self.items),
            "facts": self.names,
            "words": {item: words for item, words in self.words.items() if words},
            "pixels": sorted(self.pixels),
            "problems": [(str(problem.path), problem.message) for problem in self.problems],
        }
        partial = folder / "images.json.partial"
        partial.write_text(json.dumps(record), encoding="utf-8")
        os.replace(partial, folder / "images.json")


def _made(item: Item, profile: Profile) -> tuple[list[Prepared] | Problem, str]:
    """The images of one scan, or why there are none; and the digest of its grey values, "" for a slide."""
    try:
        if is_slide(item.source):
            return list(sampled_tiles(item, profile)), ""
        scan = read(item.source)
        return list(prepare(scan, profile)), pixel_digest(scan.pixels).hex()
    except HalescanError as error:
        return Problem(item.source.path, str(error)), ""


def _key(items: Sequence[Item], profile: Profile) -> str:
    """A fingerprint of what the images depend on: the profile, and each file's place, size and time of change."""
    digest = hashlib.sha256(f"{_SCHEMA}\n{profile.model_dump_json()}".encode())
    for item in items:
        source = item.source
        digest.update(f"\n{source.path}|{source.within}|{item.extra.get('um_per_px', '')}".encode())
        for file in source.files:
            digest.update(f"|{_stamp(file)}".encode())
    return digest.hexdigest()


def _stamp(file: Path) -> str:
    """Place, size and time of change; a missing file is told about where it is read."""
    try:
        facts = file.stat()
    except OSError:
        return f"{file} missing"
    return f"{file} {facts.st_size} {facts.st_mtime_ns}"


def _is_finished(folder: Path, key: str) -> bool:
    """Whether the folder holds all images for this fingerprint."""
    try:
        record = json.loads((folder / "images.json").read_text(encoding="utf-8"))
        size = int(np.prod(record["shape"][1:]))
        whole = (folder / "images.f32").stat().st_size == 4 * size * record["shape"][0] * record["count"]
        masked = (folder / "masks.bits").stat().st_size == (size + 7) // 8 * record["count"]
        return bool(record["key"] == key and whole and masked and (folder / "rows.npz").is_file())
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False


def _read_records(path: Path, where: np.ndarray, size: int) -> np.ndarray:
    """`(n, size)` bytes: one record of a file for each place; neighbours are read together."""
    records = np.empty((len(where), size), dtype=np.uint8)
    breaks = np.flatnonzero(np.diff(where) != 1) + 1
    if not len(where):
        return records
    with path.open("rb", buffering=0) as file:
        for start, stop in pairwise((0, *breaks.tolist(), len(where))):
            file.seek(int(where[start]) * size)
            _fill(file, memoryview(records[start:stop].data).cast("B"), path)
    return records


def _fill(file: Any, target: memoryview, path: Path) -> None:
    """Read until the target is full; one call to the system may bring less."""
    filled = 0
    while filled < len(target):
        got = file.readinto(target[filled:])
        if not got:
            raise ScanError(f"{path}: prepared images are cut short; remove the folder and prepare them again")
        filled += got
