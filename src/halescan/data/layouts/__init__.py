"""The layouts that are read without conversion. `LAYOUTS` is the list; a folder is recognised by its structure."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from halescan.data.item import SPLITS
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.errors import LayoutError, ScanError, SettingError

__all__ = ["LAYOUTS", "Chosen", "Layout", "Listing", "Option", "choose", "layouts", "parted"]

LAYOUTS: dict[str, str] = {
    "own": "halescan.data.layouts.own:OWN",
    "table": "halescan.data.layouts.tables:TABLE",
    "bmad": "halescan.data.layouts.bmad:BMAD",
    "medianomaly": "halescan.data.layouts.medianomaly:MEDIANOMALY",
    "mvtec": "halescan.data.layouts.mvtec:MVTEC",
    "pneumonia": "halescan.data.layouts.pneumonia:PNEUMONIA",
    "medmnist": "halescan.data.layouts.medmnist:MEDMNIST",
    "brats": "halescan.data.layouts.brats:BRATS",
    "luna16": "halescan.data.layouts.luna16:LUNA16",
    "chexpert": "halescan.data.layouts.chexpert:CHEXPERT",
    "finding-lungs": "halescan.data.layouts.finding_lungs:FINDING_LUNGS",
    "hpylori": "halescan.data.layouts.hpylori:HPYLORI",
}

# folders within a data set that may be named
_INSIDE = {*SPLITS, "good", "ungood", "img", "normal", "pneumonia", "annotatedpatches", "croppedpatches"}
_MOST_FOLDERS = 40  # looked into for data sets one level down; an archive of patients has more


@dataclass(frozen=True)
class Chosen:
    """How a place is read: the layout, the folder or file at its root, and every option of it.

    `spelled` is what to give as `layout=` to get the same again.
    """

    layout: Layout
    root: Path
    options: Mapping[str, str]

    @property
    def spelled(self) -> str:
        """Name and options as one word: "brats:contrast=flair,take=slices"."""
        said = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.layout.name}:{said}" if said else self.layout.name


@lru_cache(maxsize=1)
def layouts() -> Mapping[str, Layout]:
    """`LAYOUTS` and what other packages add by the entry point `halescan.layouts`, ready to use."""
    table = {entry.name: entry.value for entry in entry_points(group="halescan.layouts")} | LAYOUTS
    return {name: _load(place) for name, place in table.items()}


def choose(place: Path, layout: str | None = None, *, examined: bool = False) -> Chosen:
    """The layout of a place: the one that is named, else the one whose structure it has, else our own.

    Args:
        place: A folder or file. The `train` or `test` folder of a data set stands for its scans alone.
        layout: A name with options, as "brats:contrast=t1,take=volumes".
        examined: Whether the scans are only examined, so that labels do not matter.

    Raises:
        ScanError: if there is nothing at that place.
        SettingError: for a layout or an option that does not exist.
        LayoutError: if several layouts, or several data sets, could be meant.
    """
    if not place.exists():
        _refuse_unknown_layout(place)
        raise ScanError(f"{place}: there is no such file or folder.")
    name, options = _parsed(layout) if layout is not None else (None, {})
    if name is None:
        found, root = _recognised(place)
    else:
        found = layouts()[name]
        root = next((root for root in _roots(place) if found.recognises(root)), place)
    return Chosen(found, root, _complete(found, options, examined))


def parted(word: str | Path) -> tuple[str | None, Path]:
    """The layout and the place of "LAYOUT@PLACE", as in "brats:contrast=t1@data/BraTS2021"; no layout in any other.

    Such a word may have been made absolute like a path: what stands before it is then the folder it counts from.
    """
    text = str(word)
    if "@" in text and not Path(text).exists():
        parts = text.split("/")
        for number, part in enumerate(parts):
            layout, at, first = part.partition("@")
            if at and layout.partition(":")[0] in layouts():
                return layout, Path("/".join([*parts[:number], ""]), "/".join([first, *parts[number + 1 :]]))
    return None, Path(text)


def _refuse_unknown_layout(place: Path) -> None:
    """Tell a slip in LAYOUT@PLACE from a place that is not there.

    Raises:
        SettingError: if what stands behind the sign exists.
    """
    word, at, rest = str(place).partition("@")
    before, _, name = word.rpartition("/")
    name = name.partition(":")[0]
    if at and name and rest and (Path(rest).exists() or Path(before + "/", rest).exists()):
        raise SettingError(f"{place}: there is no layout {name!r}; there are {', '.join(layouts())}")


def _load(place: str) -> Layout:
    """The layout behind `module:NAME`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _parsed(spelled: str) -> tuple[str, dict[str, str]]:
    """Name and options of `name:option=value,option=value`."""
    name, _, rest = spelled.strip().partition(":")
    if name not in layouts():
        raise SettingError(f"there is no layout {name!r}; there are {', '.join(layouts())}")
    known = layouts()[name].options
    options = {}
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (word.strip() for word in pair.partition("="))
        if not equals or key not in known or not value:
            there_are = ", ".join(f"{one}=..." for one in known) or "none"
            raise SettingError(f"layout {spelled!r}: {pair!r} is no option of {name}; there are {there_are}")
        if known[key].choices and value not in known[key].choices:
            raise SettingError(f"layout {spelled!r}: {key} must be one of {', '.join(known[key].choices)}")
        options[key] = value
    return name, options


def _complete(layout: Layout, options: Mapping[str, str], examined: bool) -> dict[str, str]:
    """Every option that has a value, the defaults among them."""
    defaults = {
        name: option.examined if examined and option.examined is not None else option.default
        for name, option in layout.options.items()
    }
    values = {**defaults, **options}
    return {name: value for name, value in values.items() if value is not None}


def _recognised(place: Path) -> tuple[Layout, Path]:
    """The one layout whose structure a place has, and its root; our own where none has."""
    for root in _roots(place):
        fitting = _fitting(root)
        if len(fitting) > 1:
            raise _ambiguous(place, root, fitting)
        if fitting:
            return fitting[0], root
    return _one_level_down(place) or (layouts()["own"], place)


def _roots(place: Path) -> Iterator[Path]:
    """Where the root of a data set may be: the place itself, or a folder above parts such as `test/good`."""
    yield place
    true = place.resolve()
    while true.is_dir() and (true.name.lower() in _INSIDE or true.name.lower().startswith("subset")):
        true = true.parent
        yield true


def _fitting(root: Path) -> list[Layout]:
    """All layouts whose structure a root has."""
    return [layout for layout in layouts().values() if layout.recognises(root)]


def _one_level_down(place: Path) -> tuple[Layout, Path] | None:
    """The data set in the only folder of a place, or in the only one of that, as archives unpack.

    Raises:
        LayoutError: if several folders of the place are data sets, or the only one could be laid out in several ways.
    """
    folders = _folders_of(place)
    if not 0 < len(folders) <= _MOST_FOLDERS:
        return None
    found = [each for each in map(_packed, folders) if each[0]]
    if len(found) > 1:
        names = ", ".join(root.relative_to(place).as_posix() for _, root in found)
        raise LayoutError(f"{place}: holds {len(found)} data sets ({names}), expected one. Name one of these folders")
    if len(found) < len(folders):
        return None
    fitting, root = found[0]
    if len(fitting) > 1:
        raise _ambiguous(place, root, fitting)
    return fitting[0], root


def _packed(folder: Path) -> tuple[list[Layout], Path]:
    """All layouts of a folder, or else of the only folder in it; and which of the two that was."""
    fitting, inner = _fitting(folder), _folders_of(folder)
    if not fitting and len(inner) == 1:
        return _fitting(inner[0]), inner[0]
    return fitting, folder


def _folders_of(place: Path) -> list[Path]:
    """The folders in a place, in order; those that archives and systems add are passed over."""
    if not place.is_dir():
        return []
    with os.scandir(place) as entries:
        known = [entry for entry in entries if not entry.name.startswith((".", "__"))]
    return sorted(Path(entry.path) for entry in known if entry.is_dir())


def _ambiguous(place: Path, root: Path, fitting: list[Layout]) -> LayoutError:
    """That a place could be read in several ways, and how to say which."""
    ways = " or ".join(f"{layout.name}@{root}" for layout in fitting)
    return LayoutError(f"{place}: could be laid out as {_listed(fitting)}. Say which, before the path: {ways}")


def _listed(fitting: list[Layout]) -> str:
    """Names and titles of layouts."""
    return " or ".join(f"{layout.name} ({layout.title})" for layout in fitting)
