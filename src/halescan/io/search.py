"""What lies below a path: every file sorted by its format, and every format told to find its scans."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from halescan.errors import ScanError
from halescan.io.source import Format, Found, Problem, Source

HEAD_BYTES = 1024

_NO_SCANS = (
    ".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".xml", ".xlsx", ".toml", ".yaml", ".yml", ".html", ".pdf",
    ".log", ".py", ".sh", ".gif", ".svg", ".db", ".ini",
)  # fmt: skip
_NO_SCAN_NAMES = {"dicomdir", "thumbs.db", "desktop.ini", "license", "readme", "makefile"}


def find_among(formats: Mapping[str, Format], path: Path) -> Found:
    """Everything below `path` that one of `formats` can read, in the order of file names.

    Raises:
        ScanError: if there is nothing at `path`.
    """
    if not path.exists():
        raise ScanError(f"{path}: there is no such file or folder.")
    files, problems = _walk(path) if path.is_dir() else ([path], [])
    sorted_files, strange = _sort(formats, files, named=not path.is_dir())
    sources: list[Source] = []
    for name, members in sorted_files.items():
        found = formats[name].sources(members)
        sources += found.sources
        problems += found.problems
    sources.sort(key=lambda source: source.files[0])  # stable: images within one file keep their order
    problems += strange
    return Found(tuple(sources), tuple(sorted(problems, key=lambda problem: problem.path)))


def format_by_ending(formats: Mapping[str, Format], path: Path) -> str | None:
    """The format that a file's name promises."""
    name = path.name.lower()
    for key, one in formats.items():
        if name.endswith(one.endings):
            return key
    return None


def format_by_content(formats: Mapping[str, Format], head: bytes) -> str | None:
    """The format that a file's first bytes show."""
    for key, one in formats.items():
        if one.recognises(head):
            return key
    return None


def first_bytes(path: Path) -> bytes:
    """As much of a file as it takes to recognise it."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _walk(folder: Path) -> tuple[list[Path], list[Problem]]:
    """All files below a folder in the order of their names, without hidden ones; links to folders are not followed."""
    problems: list[Problem] = []

    def unreadable(error: OSError) -> None:
        problems.append(
            Problem(Path(error.filename or folder), f"{error.filename}: cannot be opened ({error.strerror}).")
        )

    files = []
    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(files), problems


def _sort(
    formats: Mapping[str, Format], files: list[Path], *, named: bool
) -> tuple[dict[str, list[Path]], list[Problem]]:
    """Files by format. By name where the name says it, else by content; tables and texts are passed over.

    A file that was `named` itself is never passed over in silence.
    """
    members: dict[str, list[Path]] = defaultdict(list)
    problems: list[Problem] = []
    for path in files:
        key = format_by_ending(formats, path)
        if key is None and not named and _is_no_scan(path):
            continue
        unusable = _unusable(path)
        if unusable:
            problems.append(Problem(path, unusable))
            continue
        try:
            key = key or format_by_content(formats, first_bytes(path))
        except OSError as error:
            problems.append(Problem(path, f"{path}: cannot be opened ({error.strerror})."))
            continue
        if key is not None:
            members[key].append(path)
        elif named:
            problems.append(Problem(path, f"{path}: not an image that can be read."))
    return members, problems


def _unusable(path: Path) -> str:
    """Why a file must not even be opened: a link to nothing, a pipe that would wait for ever; empty if it may be."""
    readable = str(path).encode(errors="backslashreplace").decode()
    if readable != str(path):
        return f"{readable}: its name is not UTF-8 text. Rename it."
    if path.is_file():
        return ""
    return (
        f"{path}: {'is no file' if path.exists() else 'a link to a file that is not there'}. Put the file itself there."
    )


def _is_no_scan(path: Path) -> bool:
    """Tables, texts and leftovers of file managers."""
    name = path.name.lower()
    return name.endswith(_NO_SCANS) or name in _NO_SCAN_NAMES
