"""A layout: how one family of published data sets lies on disk, and the choices it leaves to its user."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from halescan.data.item import Item
from halescan.io import Problem


@dataclass(frozen=True)
class Option:
    """One choice that a data set leaves open.

    Args:
        meaning: What is chosen, in a few words.
        default: What is taken where nobody chooses; None where the user must, or it depends on the data set.
        choices: What may be chosen; empty for anything that the layout itself understands.
        examined: The default where scans are only examined, so that labels do not matter; None: the same.
    """

    meaning: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    examined: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a data set holds.

    Args:
        items: Its scans with all that the layout says of them.
        problems: Files that cannot be used, and why; they stop nothing.
        remarks: What a person should know of how the scans were chosen, in sentences that name no patient.
        masks: Files in folders of masks, where a layout finds masks by their name: some may be of no scan.
    """

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()
    masks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One row of `LAYOUTS`.

    Args:
        name: The word for it on the command line.
        title: What it is, in a few words.
        recognises: Whether a folder (or file) is the root of a data set of this layout, from its structure alone:
            cheap, and never true for a folder that could be anything else.
        read: From the root and the options, all of them, to what the data set holds. Raises a LayoutError where
            a file is missing, a mask has no image, an image no mask, or a label is unknown.
        options: The choices by name.
    """

    name: str
    title: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Mapping[str, str]], Listing]
    options: Mapping[str, Option] = field(default_factory=dict)
