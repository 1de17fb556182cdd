"""DICOM series: many files are one volume, and a sentence about it names the file that is at fault."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from halescan.errors import ScanError
from halescan.types import Note

_NAMED = 3  # files that a sentence names; of more it counts the rest

_T = TypeVar("_T")


def each_file(files: Sequence[Path], work: Callable[[Path], _T]) -> list[_T]:
    """The work done on each file.

    Raises:
        ScanError: if any fails, of the first, with the names of the others and what waits for them.
    """
    done: list[_T] = []
    failed: dict[Path, ScanError] = {}
    for path in files:
        try:
            done.append(work(path))
        except ScanError as error:
            failed[path] = error
    if not failed:
        return done
    first, *others = failed
    if len(files) == 1:
        raise failed[first]
    if others:
        raise ScanError(f"{failed[first]} Nor can {_listed(others)} of its series of {len(files)} files be read.")
    raise ScanError(f"{failed[first]} Its series of {len(files)} files is not read without it.")


def check_copies(
    order: Sequence[Sequence[int]],
    values: Sequence[np.ndarray],
    uids: Sequence[str],
    *,
    files: Sequence[Path],
    where: Path,
) -> None:
    """Copies of one slice hold the same pixels; where they do not, one of them is damaged.

    Args:
        order: The numbers of the files at each place.
        values: The grey values of each file.
        uids: The SOPInstanceUID of each file, or "".

    Raises:
        ScanError: naming those that differ from most, or all of them where no content has a majority.
    """
    for group in order:
        if len(group) == 1 or len({uids[one] for one in group}) > 1 or not uids[group[0]]:
            continue
        likes = {one: sum(np.array_equal(values[one], values[other]) for other in group) for one in group}
        if min(likes.values()) == len(group):
            continue
        usual = [one for one in group if 2 * likes[one] > len(group)]
        odd = [files[one] for one in group if one not in usual]
        if not usual:
            raise ScanError(
                f"{where}: {_listed(odd)} are copies of one slice (equal SOPInstanceUID) and hold different pixels: "
                "one of them is damaged. Remove that one."
            )
        raise ScanError(
            f"{where}: {_listed(odd)}: damaged: the copies {_listed([files[one] for one in usual])} of the same slice "
            "(equal SOPInstanceUID) hold other pixels. Remove what is damaged."
        )


def one_each(
    order: Sequence[Sequence[int]], values: Sequence[np.ndarray], where: Path, *, files: Sequence[Path] = ()
) -> tuple[np.ndarray, tuple[Note, ...]]:
    """One slice for each place; true copies are dropped, different slices at one place are a question.

    Args:
        files: The file of each slice; none where all are frames of one file.

    Raises:
        ScanError: if different slices lie at one place.
    """
    for group in order:
        if any(not np.array_equal(values[group[0]], values[other]) for other in group[1:]):
            named = f" ({_listed([files[one] for one in group])})" if files else ""
            raise ScanError(
                f"{where}: {len(group)} different slices lie at the same place{named}, such as time points, echoes or "
                "reconstructions in one series; expected one. Export each as a series of its own."
            )
    copies = sum(len(group) - 1 for group in order)
    notes = (Note("duplicate-slices", {"count": copies}),) if copies else ()
    return np.stack([values[group[0]] for group in order]), notes


def _listed(paths: Sequence[Path]) -> str:
    """The names of a few files, and how many more there are."""
    named = [path.name for path in paths[:_NAMED]]
    if len(paths) > _NAMED:
        return f"{', '.join(named)} and {len(paths) - _NAMED} more"
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
