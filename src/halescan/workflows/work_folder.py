"""The work folder: what a training keeps while it learns, and who may go on with it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halescan.errors import ModelError, OutputError, SettingError
from halescan.training.checkpoint import read_checkpoint, write_whole
from halescan.workflows.alone import LOCK, alone_in

_RATES = ("learning_rate", "encoder_rate")  # may change on the way: they say how, not what, is learned
_MOST_TOLD = 4  # differences in one message
_IN_WORDS = {
    "training_set": "the healthy scans or what is said of them",
    "abnormal_set": "the abnormal scans or what is said of them",
    "encoder": "the backbone's weights",
}


@dataclass(frozen=True)
class WorkFolder:
    """`OUT.partial`: the request, the prepared scans, history and checkpoints.

    Args:
        path: Where it lies.
        remarks: What the model must say of how it was learned; nothing for a training that was never changed.
    """

    path: Path
    remarks: tuple[str, ...] = ()

    def kept(self) -> str:
        """What lies here, in one sentence."""
        learned = _learned(self.path)
        if learned is None and not (self.path / "images" / "images.json").exists():
            return "Nothing is kept, as no scan was prepared yet, or not all of them. Run the same command again"
        told = ", and nothing learned yet" if learned is None else f" and {learned}"
        return f"{self.path} keeps the prepared scans{told}; train goes on from there with --resume"


def work_folder_of(out: Path) -> Path:
    """Where the work folder of a model lies."""
    return out.with_name(out.name + ".partial")


@contextmanager
def work_folder(out: Path, wanted: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Iterator[WorkFolder]:
    """`open_work_folder`, with other processes kept out; it goes when all is done.

    To a person's Ctrl-C, or to a scheduler's word to end, is added what lies in it.
    """
    path = work_folder_of(out)
    with alone_in(path, "training"):
        begun = open_work_folder(out, wanted, resume=resume, overwrite=overwrite)
        try:
            yield begun
        except (KeyboardInterrupt, SystemExit) as stop:
            stop.add_note(begun.kept())
            raise
        with suppress(OSError):
            _empty(path)
    with suppress(OSError):  # where another training has begun there, it stays
        (path / LOCK).unlink()
        path.rmdir()


def open_work_folder(out: Path, wanted: Mapping[str, Any], *, resume: bool, overwrite: bool) -> WorkFolder:
    """The work folder of a model: as it was for a resumed training, else new; prepared scans alone are used again.

    A resumed training may have another learning rate, as where the loss was no number; the model then says so.

    Args:
        wanted: The request, fit for JSON.

    Raises:
        SettingError: if a training of another request is to be resumed; says what differs.
        OutputError: if something learned lies there and neither `resume` nor `overwrite` is set, or the place cannot
            be written.
    """
    work = work_folder_of(out)
    asked = json.loads(json.dumps(wanted))
    begun = _read_note(work / "request.json")
    if begun is None or (overwrite and not resume):
        return _begin(work, asked)
    remarks = begun.pop("remarks", [])
    changed = _changes(begun, asked)
    learned = _learned(work)
    if resume:
        return _go_on(work, asked, changed, remarks, learned)
    if learned is not None:
        other = f", with another request ({_told(changed)})" if changed else ""
        raise OutputError(
            f"{work} holds an unfinished training{other}: {learned}. Go on with it by --resume"
            f"{' and its own settings' if changed else ''}, start anew with --overwrite, or choose another --out"
        )
    return _begin(work, asked) if changed else WorkFolder(work)


def _begin(work: Path, asked: dict[str, Any]) -> WorkFolder:
    """An empty one, but for the lock that keeps others out."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        _empty(work)
    except OSError as error:
        raise OutputError(f"{work}: cannot be written ({error.strerror}); choose another --out") from error
    return _noted(work, asked, [])


def _empty(work: Path) -> None:
    """Remove all but the lock."""
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _go_on(
    work: Path, asked: dict[str, Any], changed: dict[str, tuple[Any, Any]], remarks: list[str], learned: str | None
) -> WorkFolder:
    """The one that is there; another learning rate is written down."""
    others = {name: values for name, values in changed.items() if not name.endswith(_RATES)}
    if others:
        raise SettingError(
            f"{work} belongs to another training: {_told(others)}. Repeat its settings, or start anew with "
            "--overwrite in place of --resume"
        )
    if changed and learned is not None:
        remarks = [*remarks, f"the learning rate was changed on the way, after {learned}: {_told(changed)}"]
    return _noted(work, asked, remarks) if changed else WorkFolder(work, tuple(remarks))


def _noted(work: Path, asked: dict[str, Any], remarks: list[str]) -> WorkFolder:
    write_whole(work / "request.json", json.dumps({**asked, "remarks": remarks}).encode())
    return WorkFolder(work, tuple(remarks))


def _read_note(note: Path) -> dict[str, Any] | None:
    """The request that a work folder was made for; None without one, or with one cut short: then all begins anew."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _learned(work: Path) -> str | None:
    """The last thing learned and kept, as "the teacher after 50 of 100 steps"; None before the first checkpoint."""
    saved = sorted(work.rglob("*.checkpoint.safetensors"), key=lambda path: path.stat().st_mtime)
    if not saved:
        return None
    try:
        _, facts = read_checkpoint(saved[-1])
    except ModelError:
        return f"a checkpoint that cannot be read ({saved[-1].name})"
    return f"the {facts['stage']} after {facts['step']} of {facts['settings']['steps']} steps"


def _changes(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two requests, by its name on the command line: what it was, and what it is now."""
    first, second = _flat(begun), _flat(asked)
    names = [*first, *(name for name in second if name not in first)]
    found = {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}
    for whole in ("detector", "profile.name"):  # another method or profile: its settings follow from that
        if whole in found:
            room = whole.partition(".")[0]
            found = {name: values for name, values in found.items() if name == whole or name.partition(".")[0] != room}
    return found


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Every setting by its full name, as `detector.steps` or `detector.members[1].settings.steps`."""
    if isinstance(value, Mapping):
        parts = [(f"{name}.{key}" if name else "detector" if key == "settings" else key, value[key]) for key in value]
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        parts = [(f"{name}[{place}]", part) for place, part in enumerate(value)]
    else:
        return {name: value}
    return {full: one for key, part in parts for full, one in _flat(part, key).items()}


def _told(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """As "seed 0, now 5; profile.size [32, 32], now [64, 64]"."""
    lines = [_IN_WORDS.get(name) or f"{name} {_short(old)}, now {_short(new)}" for name, (old, new) in changed.items()]
    more = len(lines) - _MOST_TOLD
    return "; ".join(lines[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return text if len(text) <= 40 else text[:40] + " ..."
