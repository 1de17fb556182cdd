"""Finding lungs in CT: slices in 2d_images/, volumes in 3d_images/, and masks of the lungs, which are no lesions."""

import re
from collections.abc import Mapping
from pathlib import Path

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.layouts.pairs import images_of, pair, stem
from halescan.errors import LayoutError
from halescan.io import source_of

_TWO, _THREE = "2d_images", "3d_images"


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """The slices, or the volumes; `extra["lungs"]` is the file of the lung mask.

    Nobody says which of them are healthy, so they have no label; a lung mask is no lesion and never becomes `mask`.

    Raises:
        LayoutError: if the folder is missing, or an image or a mask lacks its partner.
    """
    slices = options["take"] == "slices"
    folder = root / (_TWO if slices else _THREE)
    files = images_of(folder)
    images = [file for file in files if not file.name.startswith("MASK_")]
    if not images:
        other = "volumes" if slices else "slices"
        raise LayoutError(f"{root}: has no image in {folder.name}/. Unpack it, or choose finding-lungs:take={other}")
    if slices:
        masks = pair(images, images_of(root / "2d_masks"), where=root)
    else:
        drawn = [file for file in files if file.name.startswith("MASK_")]
        masks = pair(images, drawn, called=lambda name: name.replace("IMG_", "MASK_", 1), where=root)
    items = [
        Item(source_of(image), patient=_patient(image), extra={"lungs": str(mask)}) for image, mask in masks.items()
    ]
    unlabelled = "nobody says which of these scans are healthy; training on them takes all of them to be"
    return Listing(tuple(items), remarks=(unlabelled,))


def _patient(image: Path) -> str | None:
    """The patient of `ID_0000_Z_0142` or `IMG_0002`."""
    found = re.match(r"(?:ID|IMG)_(\d{4})", stem(image))
    return found.group(1) if found else None


def _recognises(place: Path) -> bool:
    return ((place / _TWO).is_dir() and (place / "2d_masks").is_dir()) or any(
        image.name.startswith("MASK_") for image in images_of(place / _THREE)
    )


FINDING_LUNGS = Layout(
    name="finding-lungs",
    title="finding lungs in CT: 2d_images/, 2d_masks/, 3d_images/",
    recognises=_recognises,
    read=read,
    options={"take": Option("the slices or the volumes", "slices", ("slices", "volumes"))},
)
