"""Every error Halescan raises on purpose.

HalescanError
├── ScanError          a file cannot be read as an image
│   ├── AmbiguousScan  a folder holds several series; names them and asks which
│   └── BlankScan      every pixel has the same value: a failed exposure, or an empty mask
├── TableError         a table of scans is wrong or names files that are not there
├── LayoutError        a data set is not laid out as promised, or could be meant in several ways
├── ShapeError         an array has another shape than promised
├── SettingError       a setting lies outside its range
├── NotFitted          a detector was asked before it had learned
├── TrainingError      learning cannot start or cannot go on
├── WeightsError       a backbone's weights are missing or not the ones expected
├── ModelError         a model folder is damaged, from a newer version, or unsafe
├── OutputError        a result cannot be written
└── MissingExtra       an optional package is needed and absent

A message says what was found, what was expected and the way out. It may name a file, never a patient.
"""

import errno

_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


class HalescanError(Exception):
    """Catch this to catch everything below."""


class ScanError(HalescanError, OSError):
    """A file cannot be read as an image."""


class AmbiguousScan(ScanError):
    """A folder holds several series; the message lists them and the way to choose."""


class BlankScan(ScanError):
    """Every pixel has the same value: a failed exposure or export, or a mask in which nothing is drawn.

    `value` is that of a grey image, `shape` that of its pixels.
    """

    value: float | None = None
    shape: tuple[int, ...] | None = None


class TableError(HalescanError, ValueError):
    """A table of scans is wrong or names files that are not there."""


class LayoutError(HalescanError, ValueError):
    """A data set is not laid out as its layout promises, or several layouts could be meant; names the way out."""


class ShapeError(HalescanError, ValueError):
    """An array has another shape than promised; names both shapes."""


class SettingError(HalescanError, ValueError):
    """A setting lies outside its range; names the range and a good value."""


class NotFitted(HalescanError, RuntimeError):
    """A detector was asked before it had learned; names the call to make."""


class TrainingError(HalescanError, RuntimeError):
    """Learning cannot start (too few scans) or cannot go on (the loss is not a number)."""


class WeightsError(HalescanError, OSError):
    """A backbone's weights are missing or differ from their checksum."""


class ModelError(HalescanError, OSError):
    """A model folder is damaged, was written by a newer version, or holds something unsafe."""


class OutputError(HalescanError, OSError):
    """A result cannot be written: read-only folder, full disk, or results of another run in the way."""


class MissingExtra(HalescanError, ImportError):
    """An optional package is needed and absent; names the extra to install."""


def way_out(error: BaseException) -> str:
    """What to do where a result cannot be written: a closed folder wants another one, a full disk wants room."""
    closed = getattr(error, "errno", None) in _CLOSED
    return "choose a folder that may be written to" if closed else "choose a folder with room"
