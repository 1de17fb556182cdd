"""The record behind metrics.json: every figure with its interval, missing is null, never NaN."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

SCHEMA = "halescan.metrics/1"


def metrics_record(
    *,
    image: Mapping[str, Any],
    n: Mapping[str, int],
    pixel: Mapping[str, Any] | None = None,
    patient: Mapping[str, Any] | None = None,
    operating_point: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Any] | None = None,
    sensitivity_at: Mapping[str, Any] | None = None,
    lesions: Mapping[str, Any] | None = None,
    reliability: Mapping[str, Any] | None = None,
    subgroups: Mapping[str, Any] | None = None,
    reconstruction: Mapping[str, Any] | None = None,
    leaks: Sequence[Mapping[str, Any]] = (),
    about: Mapping[str, Any] | None = None,
    created_utc: str | None = None,
) -> dict[str, Any]:
    """All figures of one evaluation, ready for `json.dumps(..., allow_nan=False)`.

    Args:
        image: From `metrics.image_metrics`.
        n: From `metrics.count_cases`.
        pixel: From `metrics.pixel_metrics`; None where the method gives no map or there are no masks.
        patient: From `metrics.image_metrics` on `aggregate_patients`; None without patients.
        operating_point: From `confusion.operating_point`; None where the decision was withheld.
        baselines: From `baselines.baseline_metrics`.
        sensitivity_at: From `metrics.sensitivity_at`.
        lesions: From `froc.LesionTally.figures`; None without maps or outlined lesions.
        reliability: From `reliability.reliability` on the healthy cases; None without p-values.
        subgroups: By column, from `subgroups.subgroup_metrics`; None where none was asked for.
        reconstruction: From `reconstruction.reconstruction_figures`; None where the method gives none.
        leaks: Trivial statistics that come near the model, each with its sentence; from `leaks.shortcut_warnings`.
        about: Model, data set, split, seed ... as plain values; never a patient's name.
        created_utc: ISO 8601; None is now.
    """
    return {
        "schema": SCHEMA,
        "created_utc": created_utc or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "image": plain(image),
        "pixel": plain(pixel),
        "patient": plain(patient),
        "operating_point": plain(operating_point),
        "sensitivity_at": plain(sensitivity_at),
        "lesions": plain(lesions),
        "reliability": plain(reliability),
        "subgroups": plain(subgroups),
        "reconstruction": plain(reconstruction),
        "baselines": plain(baselines or {}),
        "leaks": plain(leaks),
        "n": plain(n),
        "about": plain(about or {}),
    }


def plain(value: Any) -> Any:
    """The same in Python's own types: arrays become lists, NaN and infinity None, keys and unknown things text."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
