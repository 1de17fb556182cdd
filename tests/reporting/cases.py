"""Small cases made of arrays, as realistic as a report needs them."""

from dataclasses import replace
from typing import Any

import numpy as np

from halescan.types import CaseResult, Finding, ModelFacts, Note, Scan, ScanResult, Verdict

THRESHOLD = 2.3
AXIAL = np.array([[0.0, 0.0, 0.8, -50.0], [0.0, 0.8, 0.0, -60.0], [5.0, 0.0, 0.0, 10.0], [0.0, 0.0, 0.0, 1.0]])


def bump(shape: tuple[int, ...], centre: tuple[int, ...], width: float, height: float) -> np.ndarray:
    """A smooth hill `shape` float32 with its top at `centre`."""
    places = np.indices(shape, dtype=np.float32)
    away = sum((axis - top) ** 2 for axis, top in zip(places, centre, strict=True))
    return (height * np.exp(-away / (2 * width**2))).astype(np.float32)


def finding_of(strangeness: np.ndarray, peak: tuple[int, ...], *, number: int = 1, **changes: Any) -> Finding:
    """The region of `bump` above the threshold around a peak."""
    box = tuple((max(0, place - 8), min(side, place + 9)) for place, side in zip(peak, strangeness.shape, strict=True))
    made = Finding(
        number=number,
        peak_index=peak,
        box=box,
        centre_lps_mm=None,
        place=("left", "lower-zone"),
        voxels=int((strangeness[tuple(slice(*bounds) for bounds in box)] >= THRESHOLD).sum()),
        volume_mm3=None,
        area_mm2=None,
        diameter_mm=None,
        diameter_px=12.0,
        peak=float(strangeness[peak]),
        peak_tail=float(min(4.0, strangeness[peak])),
        p_value=0.01 * number,
        above=number == 1,
    )
    return replace(made, **changes)


def flat_scan(**changes: Any) -> ScanResult:
    """A grey 2-D scan with two findings, without geometry."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(20, 220, (96, 80)).astype(np.uint8)
    strangeness = bump((96, 80), (60, 25), 9, 3.8) + bump((96, 80), (20, 60), 6, 2.9)
    made = ScanResult(
        scan=Scan(pixels=pixels, dims=2, modality="DX"),
        map=strangeness,
        tail=np.clip(strangeness, 0, 4),
        mask=None,
        score=3.2,
        findings=(finding_of(strangeness, (60, 25)), finding_of(strangeness, (20, 60), number=2)),
    )
    return replace(made, **changes)


def colour_scan() -> ScanResult:
    """An RGB scan of a slide with a finding."""
    pixels = np.random.default_rng(1).integers(120, 250, (64, 64, 3)).astype(np.uint8)
    strangeness = bump((64, 64), (30, 20), 6, 3.9)
    found = finding_of(strangeness, (30, 20), place=(), diameter_mm=0.04, area_mm2=0.0008)
    scan = Scan(pixels=pixels, dims=2, spacing_mm=(0.0005, 0.0005), modality="SM")
    return ScanResult(scan, strangeness, np.clip(strangeness, 0, 4), None, 2.0, (found,))


def volume_scan() -> ScanResult:
    """A CT of 14 slices with geometry, a finding on slice index 4 and a score for each slice."""
    pixels = (bump((14, 40, 48), (7, 20, 24), 12, 900) - 900).astype(np.float32)
    strangeness = bump((14, 40, 48), (4, 24, 12), 3, 4.0)
    found = finding_of(strangeness, (4, 24, 12), volume_mm3=640.0, diameter_mm=11.5, centre_lps_mm=(-40.4, -40.8, 30.0))
    scan = Scan(pixels=pixels, dims=3, spacing_mm=(5.0, 0.8, 0.8), affine_lps=AXIAL, modality="CT", unit="HU")
    scores = strangeness.max(axis=(1, 2))
    return ScanResult(
        scan, strangeness, np.clip(strangeness, 0, 4), None, 3.9, (found,), slice_scores=scores, key_slice=4
    )


def verdict_of(**changes: Any) -> Verdict:
    """Three of 200 healthy patients at least this strange."""
    made = Verdict(
        score=3.21,
        p_value=4 / 201,
        bound=False,
        decision="above",
        why_withheld=None,
        false_alarms=0.05,
        threshold=2.87,
        units=200,
        unit="patient",
        guarantee="split",
    )
    return replace(made, **changes)


def model_of(**changes: Any) -> ModelFacts:
    """A chest X-ray model with 200 calibration scores."""
    made = ModelFacts(
        name="chest",
        fingerprint="3fa94c01d2be",
        detector="patchcore",
        source="arXiv:2106.08265",
        profile="chest-xray",
        blind_spots=("chest-xray-small-nodules", "chest-xray-hidden-areas"),
        look_next=("chest-xray-priors",),
        trained_utc="2026-01-30T08:00:00+00:00",
        version="0.1.0",
        healthy_images=1000,
        healthy_patients=913,
        calibration_scores=tuple(np.random.default_rng(2).gamma(9, 0.2, 200)),
        map_threshold=THRESHOLD,
        map_quantile=0.995,
    )
    return replace(made, **changes)


def case_of(*scans: ScanResult, **changes: Any) -> CaseResult:
    """A case of these scans; the flat one without any."""
    made = CaseResult(
        case="case-9f3b2c41d07a",
        examined_utc="2026-01-31T08:30:12+00:00",
        scans=scans or (flat_scan(),),
        verdict=verdict_of(),
        model=model_of(),
    )
    return replace(made, **changes)


def withheld_case() -> CaseResult:
    """A model of three healthy scans: a score, a bound, no decision."""
    why = Note("rate-not-supported", {"asked": 0.05, "strictest": 0.25, "units": 3, "needed": 19})
    verdict = verdict_of(
        p_value=0.25, bound=True, decision="withheld", why_withheld=why, threshold=None, units=3, guarantee="cross"
    )
    return case_of(verdict=verdict, model=model_of(calibration_scores=(1.0, 1.4, 1.6)))


def uncalibrated_case() -> CaseResult:
    """A case scored at another level than the model was calibrated for."""
    verdict = verdict_of(
        p_value=None, decision="withheld", why_withheld=Note("uncalibrated-level"), threshold=None, guarantee="none"
    )
    return case_of(verdict=verdict)


def noted_case() -> CaseResult:
    """Eight notes at once."""
    notes = (
        Note("colour-to-grey"),
        Note("other-modality", {"found": "CT", "expected": "DX, CR"}),
        Note("non-finite-pixels", {"share": 0.031}),
        Note("duplicates", {"count": 3}),
        Note("cross-conformal"),
        Note("differs-from-reference"),
        Note("unlike-training", {"features": "height, contrast"}),
        Note("own-encoder"),
    )
    return case_of(notes=notes)


def no_map_case() -> CaseResult:
    """A method that gives no location."""
    return case_of(flat_scan(map=None, tail=None, findings=()))


def rich_case() -> CaseResult:
    """With a reconstruction and nearest healthy examples."""
    shown = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(1, 32, 32)
    neighbours = tuple(np.full((20, 16), level, np.uint8) for level in (40, 120, 200))
    return case_of(flat_scan(shown=shown, reconstruction=shown * 0.8, neighbours=neighbours))


ALL_CASES = {
    "flat": case_of,
    "colour": lambda: case_of(colour_scan()),
    "volume": lambda: case_of(volume_scan(), model=model_of(profile="lung-ct", window=(-1000.0, 400.0))),
    "two scans": lambda: case_of(flat_scan(), volume_scan()),
    "many scans": lambda: case_of(*[flat_scan(score=float(number)) for number in range(7)]),
    "withheld": withheld_case,
    "uncalibrated": uncalibrated_case,
    "notes": noted_case,
    "no map": no_map_case,
    "rich": rich_case,
}
