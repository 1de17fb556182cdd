"""MVTec AD: train/good, test/good, test/<defect>, and a mask `<name>_mask` for each defect in ground_truth/<defect>.

Source: Bergmann et al., IJCV 129, 2021, doi:10.1007/s11263-020-01400-4.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing
from halescan.data.layouts.pairs import folders_of, pair, pictures_of, subfolder
from halescan.errors import LayoutError
from halescan.io import source_of

_GOOD = "good"


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """All images of one MVTec-like set; `extra["defect"]` names the folder of an abnormal one.

    Masks are used where there is a ground_truth/ folder.

    Raises:
        LayoutError: if a folder of the layout is missing, or an image or mask of a defect lacks its partner.
    """
    train, test = root / "train" / _GOOD, root / "test"
    for needed in (train, test):
        if not needed.is_dir():
            raise LayoutError(f"{root}: has no {needed.relative_to(root)}/, as MVTec's sets have")
    healthy = [Item(source_of(image), label="healthy", split="train") for image in pictures_of(train)]
    healthy += [Item(source_of(image), label="healthy", split="test") for image in pictures_of(test / _GOOD)]
    defects = [folder for folder in folders_of(test) if folder.name != _GOOD]
    return Listing((*healthy, *(item for folder in defects for item in _defect(root, folder))))


def _defect(root: Path, folder: Path) -> Iterator[Item]:
    """The images of one kind of defect."""
    images = pictures_of(folder)
    truth = subfolder(root, "ground_truth")
    masks = {}
    if truth is not None:
        drawn = pictures_of(truth / folder.name)
        masks = pair(images, drawn, called=_suffixed if any("_mask." in one.name for one in drawn) else str, where=root)
    for image in images:
        yield Item(
            source_of(image), label="abnormal", split="test", mask=masks.get(image), extra={"defect": folder.name}
        )


def _suffixed(stem: str) -> str:
    """What a mask is called."""
    return f"{stem}_mask"


def _recognises(place: Path) -> bool:
    test = place / "test"
    if not (place / "train" / _GOOD).is_dir() or not test.is_dir() or subfolder(test, "ungood") is not None:
        return False
    return bool(pictures_of(place / "train" / _GOOD)) and any(pictures_of(folder) for folder in folders_of(test))


MVTEC = Layout(
    name="mvtec", title="MVTec AD: train/good, test/<defect>, ground_truth", recognises=_recognises, read=read
)
