"""Cell: one training and one evaluation in a process of its own, so that its memory is its own and so is its crash.

`python -m halescan.workflows.comparison.cell FOLDER` does what `FOLDER/request.json` asks and leaves `result.json` or
`failure.json`. It ends when whoever started it does.
"""

import json
import os
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from halescan.errors import HalescanError
from halescan.reporting.json_out import write_atomically, write_json
from halescan.training.run import Progress

PAUSE_S = 0.5  # between two notes of how far it has come


def main(folder: Path) -> int:
    """Do the job of a folder; the exit code is 0 where it left a result or a reason."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        record = _JOBS[request["job"]](request, folder)
    except HalescanError as error:
        _note_failure(folder, type(error).__name__, str(error))
    except MemoryError:
        _note_failure(folder, "MemoryError", "not enough memory; use smaller images (profile.size) or fewer jobs")
    except Exception as error:
        traceback.print_exc()  # into the cell's log
        _note_failure(
            folder, type(error).__name__, f"unexpected {type(error).__name__}: {error}; the log in its cell has more"
        )
    else:
        write_json(record, folder / "result.json")
    return 0


def judge(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, evaluate, measure the cost, and keep the pictures."""
    from halescan.workflows.evaluate import evaluate
    from halescan.workflows.train import train

    listen = Note(folder)
    model = train(
        request["train"],
        profile=_profile_file(request, folder),
        out=folder / "model",
        detector=request["detector"],
        size=request["size"],
        detector_settings=request["settings"],
        split=request["train_split"],
        folds=request.get("folds", True),
        seed=request["seed"],
        resume=True,
        weights=None if request["weights"] is None else Path(request["weights"]),
        device=request["device"],
        jobs=request["jobs"],
        listen=listen,
    )
    fit_s = _remember(folder / "fit.json", listen.spent_s)
    done = evaluate(
        model,
        request["test"],
        out=folder / "evaluation",
        false_alarms=request["false_alarms"],
        by=request["by"],
        split=request["test_split"],
        overwrite=True,
        seed=0,
        device=request["device"],
        jobs=request["jobs"],
        listen=listen,
    )
    from halescan.workflows.comparison.pictures import ms_an_image, save_pictures

    record = {
        "fit_s": fit_s,
        "ms_an_image": ms_an_image(model, Path(request["test"]), request["test_split"]),
        "settings": model.record["settings"],
        "encoder": model.record["encoder"],
        "training_set": {key: model.record["training_set"][key] for key in _TOLD},
        "packages": model.record["packages"],
        "problems": len(done.problems),
        "by": request["by"],
    }
    if request["pictures"]:
        save_pictures(
            model,
            Path(request["test"]),
            request["test_split"],
            scores=folder / "evaluation" / "scores.csv",
            out=folder / "pictures",
            false_alarms=request["false_alarms"],
        )
    if request["robustness"]:
        from halescan.workflows.robustness import robustness

        found = robustness(
            model,
            request["test"],
            out=folder / "robustness",
            false_alarms=request["false_alarms"],
            split=request["test_split"],
            device=request["device"],
            jobs=request["jobs"],
            listen=listen,
        )
        write_json({"rows": found["rows"]}, folder / "robustness.json")
    record["peak_mb"] = _peak_mb()
    record["peak_gpu_mb"] = _peak_gpu_mb()
    _tidy(folder, keep_model=request["keep_models"])
    return record


def pilot(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """How many steps fit into the asked seconds on this machine: a short training of the same method, measured."""
    from halescan.workflows.comparison.budget import settings_within

    return settings_within(request, folder, profile=_profile_file(request, folder), listen=Note(folder))


_JOBS = {"judge": judge, "pilot": pilot}
_TOLD = ("summary", "images", "scans", "patients", "learn", "choose", "calibrate", "notes")


class Note:
    """Leaves a note of how far the work has come, for the process that waits, and of the seconds spent so far."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "progress.json"
        self.last = 0.0
        self.begun = time.monotonic()
        try:  # an attempt that was cut short counts, too
            self.before_s = float(json.loads(self.path.read_text())["spent_s"])
        except (OSError, ValueError, KeyError):
            self.before_s = 0.0

    @property
    def spent_s(self) -> float:
        """Seconds of this attempt and of those before it."""
        return self.before_s + time.monotonic() - self.begun

    def __call__(self, progress: Progress) -> None:
        if progress.done < progress.total and time.monotonic() - self.last < PAUSE_S:
            return
        self.last = time.monotonic()
        told = {"stage": progress.stage, "done": progress.done, "total": progress.total, "spent_s": self.spent_s}
        more = {"loss": progress.loss, "seconds_left": progress.seconds_left, "within": progress.within}
        write_atomically(json.dumps({**told, **more}), self.path)


def _profile_file(request: dict[str, Any], folder: Path) -> Path:
    """The profile as resolved, as a file of its own: what was planned is what is used."""
    path = folder / "profile.toml"
    path.write_text(_toml(request["profile"]), encoding="utf-8")
    return path


def _toml(fields: dict[str, Any]) -> str:
    """A profile's fields as TOML; what is None is left out, as its default."""
    tables = {key: value for key, value in fields.items() if isinstance(value, dict)}
    lines = _pairs({key: value for key, value in fields.items() if key not in tables})
    for key, table in tables.items():
        lines += [f"[{key}]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(fields: dict[str, Any]) -> list[str]:
    known = {key: value for key, value in fields.items() if value is not None}
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in known.items()]


def _remember(path: Path, seconds: float) -> float:
    """Seconds of the training as first measured: where the model was there already, finding it again took none."""
    if path.exists():
        return float(json.loads(path.read_text())["fit_s"])
    write_json({"fit_s": seconds}, path)
    return seconds


def _peak_mb() -> float | None:
    """Largest resident memory of this process, in MB; None where the system does not say."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):  # ru_maxrss would count the parent's memory before exec, too
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _peak_gpu_mb() -> float | None:
    import torch

    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


def _tidy(folder: Path, *, keep_model: bool) -> None:
    """Keep the figures, the scores and the model's record; let go of what is large."""
    for name in ("metrics.json", "scores.csv"):
        shutil.copyfile(folder / "evaluation" / name, folder / name)
    for name in ("model.json", "history.jsonl"):
        if (folder / "model" / name).exists():
            shutil.copyfile(folder / "model" / name, folder / name)
    shutil.rmtree(folder / "evaluation")
    if not keep_model:
        shutil.rmtree(folder / "model")


def _note_failure(folder: Path, kind: str, sentence: str) -> None:
    write_json({"kind": kind, "sentence": " ".join(sentence.split())}, folder / "failure.json")


def _end_with_parent() -> None:
    """Wait for the pipe from the parent to close, then end: nothing goes on unseen."""
    try:
        sys.stdin.buffer.read()
    finally:
        os._exit(3)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
