"""BMAD: train/good; valid/ and test/ with good and Ungood; perhaps img/ below each, and label/ or anomaly_mask/.

Source: Bao et al., BMAD: Benchmarks for Medical Anomaly Detection, CVPR Workshops 2024, arXiv:2306.11876.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing
from halescan.data.layouts.names import patient_of
from halescan.data.layouts.pairs import pair, pictures_of, stem, subfolder
from halescan.errors import LayoutError
from halescan.io import source_of
from halescan.types import Label

_PARTS = (("train", ("train",)), ("valid", ("valid", "val")), ("test", ("test",)))
_MASKS = ("anomaly_mask", "label", "labels")


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """All images of one BMAD set; those in Ungood are abnormal. Masks of good images are empty and are not used.

    The patient is known where file names are those of the BraTS slices, `00003_60.png`.

    Raises:
        LayoutError: if there is nothing abnormal, or an image or mask of Ungood lacks its partner.
    """
    items = [item for split, names in _PARTS for item in _part(root, split, subfolder(root, *names))]
    if not any(item.label == "abnormal" for item in items):
        raise LayoutError(f"{root}: has no image in test/Ungood or valid/Ungood, as BMAD's sets have")
    return Listing(tuple(items))


def _part(root: Path, split: str, folder: Path | None) -> Iterator[Item]:
    """The images of one part."""
    if folder is None:
        return
    labels: tuple[tuple[Label, str], ...] = (("healthy", "good"), ("abnormal", "ungood"))
    for label, name in labels:
        place = subfolder(folder, name)
        if place is None:
            continue
        images = pictures_of(subfolder(place, "img") or place)
        drawn = subfolder(place, *_MASKS) if label == "abnormal" else None
        masks = pair(images, pictures_of(drawn), where=root) if drawn is not None else {}
        for image in images:
            yield Item(
                source_of(image), patient=patient_of(stem(image)), label=label, split=split, mask=masks.get(image)
            )


def _recognises(place: Path) -> bool:
    parts = [part for part in (subfolder(place, "test"), subfolder(place, "valid", "val")) if part is not None]
    return any(subfolder(part, "ungood") is not None for part in parts)


BMAD = Layout(name="bmad", title="BMAD: train/good, test/good, test/Ungood", recognises=_recognises, read=read)
