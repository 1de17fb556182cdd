"""Who a scan belongs to stays in the house: cases get a name that only this machine's key can join back to a person."""

import csv
import hashlib
import hmac
import io
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from halescan.errors import OutputError
from halescan.types import Identity

MAY_STAY: tuple[str, ...] = (
    # Technical facts of how an image was made: what a reader needs to judge it, and what tells two sites apart.
    # Free text (series description, protocol, comments, station) is left out: people type names into it.
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "BodyPartExamined",
    "ViewPosition",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "PatientOrientation",
    "ImageType",
    "PhotometricInterpretation",
    "BitsStored",
    "LossyImageCompression",
    "PresentationIntentType",
    "SliceThickness",
    "SpacingBetweenSlices",
    "KVP",
    "XRayTubeCurrent",
    "ExposureTime",
    "Exposure",
    "FilterType",
    "FocalSpots",
    "ConvolutionKernel",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "DetectorType",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "MagneticFieldStrength",
    "ScanningSequence",
    "SequenceVariant",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "EchoTrainLength",
    "FlipAngle",
    "TransducerType",
    "MechanicalIndex",
    "Units",
)
"""DICOM keywords that may go into `Scan.header`; everything else stays in the file."""

_KEY_FILE = "case.key"
_KEY_BYTES = 32
_COLUMNS = ("case", "patient", "study", "series", "source", "recorded_utc")


def home() -> Path:
    """The folder of this person's key and identities: `$HALESCAN_HOME`, else `~/.halescan`."""
    return Path(os.environ.get("HALESCAN_HOME") or Path.home() / ".halescan")


def case_name(study: str) -> str:
    """The name under which a study appears in outputs: `case-` and 12 hex digits.

    The same study has the same name on the same machine. Without the key in `home()` nobody can tell which study it
    is, not even by trying all ids: HMAC-SHA256 (RFC 2104, FIPS 180-4), cut to 48 bits.

    Raises:
        OutputError: if the key can neither be read nor made.
    """
    return "case-" + hmac.new(_key(), study.encode(), hashlib.sha256).hexdigest()[:12]


def remember(case: str, identity: Identity, *, source: Path) -> Path:
    """Note in the owner-only `identity.csv` which person a case is; the same fact twice stays one line.

    Returns:
        The file written.

    Raises:
        OutputError: if the file cannot be written.
    """
    facts = [case, identity.patient or "", identity.study or "", identity.series or "", str(source)]
    file = home() / "identity.csv"
    try:
        _make_home()
        _begin_table(file)
        if not _knows(file, facts):
            _append(file, _line([*facts, datetime.now(UTC).isoformat(timespec="seconds")]))
    except OSError as error:
        raise OutputError(
            f"{file}: cannot be written ({error.strerror}). Set HALESCAN_HOME to a folder of yours."
        ) from None
    return file


def _key() -> bytes:
    """The 32 bytes of this machine, made at the first call."""
    file = home() / _KEY_FILE
    try:
        if not file.exists():
            _make_home()
            _make_key(file)
        key = file.read_bytes()
    except OSError as error:
        raise OutputError(
            f"{file}: no key can be kept there ({error.strerror}). Set HALESCAN_HOME to a folder of yours."
        ) from None
    if len(key) != _KEY_BYTES:
        raise OutputError(
            f"{file}: the key has {len(key)} bytes, expected {_KEY_BYTES}. Put the right one back from a backup, or "
            "remove it to start anew: the names of all cases will then change."
        )
    return key


def _make_home() -> None:
    """The home folder, for the owner alone."""
    home().mkdir(mode=0o700, parents=True, exist_ok=True)


def _make_key(file: Path) -> None:
    """Write a whole key aside, then give it its name: of two processes one wins, and none sees half a key."""
    aside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(aside, file)
    except FileExistsError:
        return  # somebody else was first, and theirs is the key
    finally:
        aside.unlink()


def _begin_table(file: Path) -> None:
    """The table with its heading, made owner-only from its first byte."""
    if file.exists():
        return
    aside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(_line(list(_COLUMNS)))
        os.link(aside, file)
    except FileExistsError:
        return
    finally:
        aside.unlink()


def _knows(file: Path, facts: list[str]) -> bool:
    """Whether a line with these facts is there already."""
    with file.open(encoding="utf-8", newline="") as stream:
        return any(row[: len(facts)] == facts for row in csv.reader(stream))


def _append(file: Path, line: str) -> None:
    """One line in one write, so that two processes never mix theirs."""
    descriptor = os.open(file, os.O_APPEND | os.O_WRONLY)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _line(values: list[str]) -> str:
    """One row of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
