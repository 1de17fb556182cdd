"""What `halescan patients` leaves on disk: the page, a page a patient, two tables and `patients.json`; no one's id."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import OutputError
from halescan.reporting.json_out import write_atomically, write_json
from halescan.reporting.patients_page import write_patient_page, write_patients_page
from halescan.workflows.patient_level.decide import Judgement
from halescan.workflows.patient_level.judged_study import JudgedStudy
from halescan.workflows.patient_level.pictures import thumbnails
from halescan.workflows.patient_level.record import curves_of
from halescan.workflows.patient_level.study import Patches, Study

_PATIENT_FACTS = ("score", "positive_share", "p_value", "p_value_is_bound", "positive", "answer")
_PATCH_FACTS = ("score", "healthy_tail", "above")


def write_all(
    out: Path, record: Mapping[str, Any], told: JudgedStudy, *, shown: int, window: tuple[float, float] | None
) -> None:
    """Write all of it; `patients.json` comes last and says that the rest is there.

    Args:
        shown: Patches shown of each patient at most.

    Raises:
        OutputError: if something cannot be written.
    """
    _write_patient_pages(_made(out / "patients"), record, told, shown=shown, window=window)
    write_atomically(_patients_csv(record), out / "patients.csv")
    write_atomically(_patches_csv(told), out / "patches.csv")
    write_patients_page(record, curves=curves_of(told), lead=told.leading, path=out / "report.html")
    write_json(record, out / "patients.json")


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    return folder


def _write_patient_pages(
    folder: Path, record: Mapping[str, Any], told: JudgedStudy, *, shown: int, window: tuple[float, float] | None
) -> None:
    """A page for each patient, the patches in the order of suspicion."""
    numbers = {name: at for at, name in enumerate(told.names)}
    lead = _order_of(told.methods)
    for one in record["patients"]:
        at = numbers[one["case"]]
        places = _suspicious(told.patches, lead.tails, at)
        write_patient_page(
            record,
            one,
            pictures=_pictures(told, places[:shown], window),
            tails=lead.tails[places].tolist(),
            cut=lead.patch_cuts[int(told.fold[at])].value,
            path=folder / f"{one['case']}.html",
        )


def _pictures(told: JudgedStudy, places: np.ndarray, window: tuple[float, float] | None) -> list[dict[str, Any]]:
    """These patches as they are shown; one whose file has gone is left out."""
    patches = told.patches
    wanted = [(int(patches.item[one]), int(patches.slice_index[one])) for one in places]
    return [
        {"bytes": picture, **_patch_words(told.methods, int(one))}
        for one, picture in zip(places, thumbnails(told.study.items, wanted, window=window), strict=True)
        if picture is not None
    ]


def _order_of(judgements: Mapping[str, Judgement]) -> Judgement:
    """The method by which patches are shown: the leading one that says anything of patches."""
    return [judged for judged in judgements.values() if judged.by_patch][-1]


def _suspicious(patches: Patches, tails: np.ndarray, at: int) -> np.ndarray:
    """The images by which a patient is judged, the strangest first."""
    own = np.flatnonzero((patches.patient == at) & patches.judged & np.isfinite(tails))
    return own[np.argsort(-tails[own], kind="stable")]


def _patch_words(judgements: Mapping[str, Judgement], one: int) -> dict[str, Any]:
    """What each method says of a patch."""
    return {
        "methods": [
            {"name": name, "tail": float(judged.tails[one]), "above": bool(judged.above[one])}
            for name, judged in judgements.items()
            if np.isfinite(judged.tails[one])
        ]
    }


def _patients_csv(record: Mapping[str, Any]) -> str:
    """One row a patient, the most suspicious first."""
    methods = list(record["methods"])
    head = ["case", "diagnosis", "fold", "patches"]
    head += [f"{name}_{fact}" for name in methods for fact in _PATIENT_FACTS]
    rows = [
        [told["case"], told["diagnosis"], told["fold"], told["patches"]]
        + [told["methods"][name][fact] for name in methods for fact in _PATIENT_FACTS]
        for told in record["patients"]
    ]
    return _as_csv([head, *rows])


def _patches_csv(told: JudgedStudy) -> str:
    """One row a patch that was measured, patient by patient."""
    methods = [judged for judged in told.every.values() if judged.by_patch]
    head = ["case", "number", "file", "slice", "label", "judged", "fold"]
    head += [f"{judged.name}_{fact}" for judged in methods for fact in _PATCH_FACTS]
    patient = told.patches.patient
    measured = np.flatnonzero(~told.patches.augmented)
    order = sorted(measured.tolist(), key=lambda one: (told.names[int(patient[one])], one))
    rows, numbers = [], dict.fromkeys(told.names, 0)
    for one in order:
        case = told.names[int(patient[one])]
        numbers[case] += 1
        rows.append([case, numbers[case], *_patch(told, one), *(fact for by in methods for fact in _facts(by, one))])
    return _as_csv([head, *rows])


def _patch(told: JudgedStudy, one: int) -> list[Any]:
    """File, slice, label, whether the patient is judged by it, and fold."""
    patches, at = told.patches, int(told.patches.patient[one])
    place = int(patches.slice_index[one])
    return [
        _file_name(told.study, int(patches.item[one]), at),
        None if place < 0 else place,
        {0: "healthy", 1: "abnormal"}.get(int(patches.own[one])),
        bool(patches.judged[one]),
        int(told.fold[at]) + 1,
    ]


def _facts(judged: Judgement, one: int) -> tuple[float | None, float | None, bool]:
    raw, tail = float(judged.raw[one]), float(judged.tails[one])
    return raw if np.isfinite(raw) else None, tail if np.isfinite(tail) else None, bool(judged.above[one])


def _file_name(study: Study, item: int, patient: int) -> str | None:
    """The name of a scan's file, as in the other tables; none where it holds the patient's id."""
    name = study.items[item].source.path.name
    return None if study.names[patient].lower() in name.lower() else name


def _as_csv(rows: Sequence[Sequence[Any]]) -> str:
    """Empty cells for what is missing; floats short; words that a spreadsheet would take for a formula, quoted."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows([[_cell(value) for value in row] for row in rows])
    return sink.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in "=+-@":
        return f"'{value}"
    return value
