"""Pairs: the images of a folder, and the masks that belong to them by name."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from halescan.errors import LayoutError
from halescan.io import formats

_LISTED = 3


def subfolder(folder: Path, *names: str) -> Path | None:
    """The sub-folder with one of these lower-case names, as given, Capitalised or in CAPITALS; the first counts most.

    Nothing is listed: a folder may hold a hundred thousand files.
    """
    spelled = (folder / word for name in names for word in (name, name.capitalize(), name.upper()))
    return next((place for place in spelled if place.is_dir()), None)


def folders_of(folder: Path) -> list[Path]:
    """Sub-folders in order of their names, without hidden ones; none where there is no such folder."""
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]


def images_of(folder: Path) -> list[Path]:
    """Files whose name is that of an image, in order of their names, without hidden ones."""
    return [Path(entry.path) for entry in _entries(folder) if is_image(entry.name) and entry.is_file()]


def pictures_of(folder: Path) -> list[Path]:
    """As `images_of`, but PNG, JPEG, TIFF and BMP alone: a folder of DICOM slices is no folder of pictures."""
    endings = formats()["raster"].endings
    return [path for path in images_of(folder) if path.name.lower().endswith(endings)]


def is_image(name: str) -> bool:
    """Whether a file's name promises a scan."""
    return name.lower().endswith(_endings())


def stem(path: Path) -> str:
    """A file's name up to its ending: "a.b" of a.b.png, "x" of x.nii.gz."""
    lower = path.name.lower()
    ending = max((one for one in _endings() if lower.endswith(one)), key=len, default=path.suffix)
    return path.name[: len(path.name) - len(ending)]


def pair(
    images: Sequence[Path], masks: Sequence[Path], *, called: Callable[[str], str] = str, where: Path
) -> dict[Path, Path]:
    """The mask of each image.

    Args:
        images: Image files.
        masks: Mask files.
        called: From the stem of an image to that of its mask.
        where: The data set, for messages.

    Raises:
        LayoutError: if an image has no mask, or a mask no image.
    """
    by_stem = {stem(mask): mask for mask in masks}
    wanted = {called(stem(image)): image for image in images}
    alone = [image for name, image in wanted.items() if name not in by_stem]
    if alone:
        raise LayoutError(
            f"{where}: {_counted(alone, 'abnormal image')} without a mask: {listed(alone, where)}. "
            "Add the masks, or move the folder of masks away to do without any"
        )
    lost = [mask for name, mask in by_stem.items() if name not in wanted]
    if lost:
        raise LayoutError(
            f"{where}: {_counted(lost, 'mask')} without an image: {listed(lost, where)}. "
            "Add the images, or remove these masks"
        )
    return {image: by_stem[name] for name, image in wanted.items()}


def listed(paths: Sequence[Path], where: Path) -> str:
    """The first few paths, as seen from a folder."""
    names = [str(path.relative_to(where)) if path.is_relative_to(where) else path.name for path in paths[:_LISTED]]
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(names) + more


def _counted(paths: Sequence[Path], what: str) -> str:
    return f"{len(paths)} {what}{'' if len(paths) == 1 else 's'}"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in order of the names; nothing where it is none or may not be opened."""
    try:
        with os.scandir(folder) as entries:
            return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        return []


def _endings() -> tuple[str, ...]:
    """Endings of all files that hold scans."""
    return tuple(ending for one in formats().values() for ending in one.endings)
