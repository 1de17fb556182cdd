"""A file of several volumes, as of a scan in time: which one is meant."""

import re
from math import prod

from halescan.errors import AmbiguousScan, ScanError
from halescan.io.source import Source


def number_of_volume(source: Source, *, shape: tuple[int, ...], split: str) -> int:
    """Number of the one volume to read.

    Args:
        source: The file, and perhaps the number of the volume.
        shape: The file's axes, its volumes along those after the third.
        split: Python that saves the first volume of the file NAME, cut out by FIRST, as a file of its own.

    Raises:
        AmbiguousScan: if there are several and the source does not say which.
        ScanError: if there is no volume of that number.
    """
    count = prod(shape[3:])
    if source.index is None and count > 1:
        raise AmbiguousScan(
            f"{source.path}: holds {count} volumes (shape {shape}), as of a scan in time; one is needed. Save one as "
            f"a file of its own, such as the first by: {_example(source, split, axes=len(shape))} "
            f"In Python, halescan.read(path, index=0) to index={count - 1} reads one."
        )
    index = source.index or 0
    if not 0 <= index < count:
        raise ScanError(f"{source.path}: holds volumes 0 to {count - 1}, number {index} was asked for.")
    return index


def _example(source: Source, split: str, *, axes: int) -> str:
    """A command to be pasted in the file's folder, without its name where a shell would take that for more than one."""
    name = source.path.name if re.fullmatch(r"[\w. +-]+", source.path.name) else "YOUR-FILE"
    first = ", ".join([":"] * 3 + ["0"] * (axes - 3))
    return f'python -c "{split.replace("NAME", name).replace("FIRST", first)}"'
