"""What lies on disk and can be read as one scan: found cheaply, hashable, without a pixel in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from halescan.types import Identity, Scan


@dataclass(frozen=True)
class Source:
    """One scan on disk, before it is read.

    Args:
        path: The file, or the folder of a DICOM series.
        format: Name in `FORMATS`.
        files: Every file the scan is made of.
        series: SeriesInstanceUID, DICOM only.
        index: Number of the image in a file that holds several.
        part: Name of the array in a file that holds several arrays.
        slice_index: The slice along the first axis, where one slice of a volume is meant and not the whole.
        stacked: Whether the three files are contrasts of one body, to be read as the three channels of one scan.
        unread: Number of files beside a DICOM series that may be slices of it, and cannot be read.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    series: str | None = None
    index: int | None = None
    part: str | None = None
    slice_index: int | None = None
    stacked: bool = False
    unread: int = 0

    @property
    def within(self) -> str:
        """Which scan of its file it is, as text that no other scan of that file has; empty where it is the file."""
        number = "" if self.index is None else str(self.index)
        cut = "" if self.slice_index is None else f"z{self.slice_index}"
        return ":".join(word for word in (self.series, self.part, number, cut) if word)


@dataclass(frozen=True)
class Problem:
    """A file that is no scan, and why, in one sentence."""

    path: Path
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Found:
    """Everything below a path: what can be read, and what cannot."""

    sources: tuple[Source, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Format:
    """One row of `FORMATS`: how files of a kind are recognised, told apart and read.

    Args:
        endings: Lower-case file endings, with their dot.
        recognises: Whether the first 1024 bytes of a file are of this format.
        sources: From all files of this format below one path to what can be read from them; must not raise for a bad
            file, and must be cheap.
        read: From one source to its scan; may raise anything for a damaged file, the door turns it into a ScanError.
        describe: A few words to tell a source from its neighbours; never a description typed by a person, which may
            hold a name.
        identity: Who and which examination the source belongs to, read cheaply.
        belongs: Endings of files that are read through another file of this format and are no scans themselves.
        title: What a user calls such a file; empty for its name in the table.
    """

    endings: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    sources: Callable[[Sequence[Path]], Found]
    read: Callable[[Source], Scan]
    describe: Callable[[Source], str] = lambda source: source.path.name
    identity: Callable[[Source], Identity] = lambda source: Identity()
    belongs: tuple[str, ...] = ()
    title: str = ""


def one_each(name: str) -> Callable[[Sequence[Path]], Found]:
    """The `sources` of a format whose every file is one scan."""
    return lambda paths: Found(tuple(Source(path, name, (path,)) for path in paths))
