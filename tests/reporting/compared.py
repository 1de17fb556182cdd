"""A made-up comparison of any size, for the page's tests."""

from typing import Any

import numpy as np


def figure(value: float, half: float = 0.03) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def made(sets: int = 1, methods: int = 2, *, seeds: int = 3, masks: bool = True) -> dict[str, Any]:
    """The content of a `comparison.json`: method-1 leads everywhere, the last method fails on the first set."""
    names = ["healthy-atlas", *(f"method-{number}" for number in range(1, methods + 1))]
    told = [_set(number, names, seeds, masks) for number in range(sets)]
    rows = [
        {"method": name, "mean_rank": place + 1.0, "mean_auroc": 0.95 - place / 50, "auroc": [0.95 - place / 50] * sets}
        for place, name in enumerate([*names[1:], names[0]])
    ]
    return {
        "schema": "halescan.comparison/1",
        "created_utc": "2026-01-31T08:30:00Z",
        "methods": [_method(name, sets) for name in names],
        "sets": told,
        "summary": {
            "sets": sets,
            "left_out": [],
            "rows": rows,
            "p_value": 0.004,
            "critical": 1.9 if sets > 1 else None,
            "joined": [names[:3]] if sets > 1 and methods > 2 else [],
        },
        "published_elsewhere": [],
        "cells": [{"set": "set-0", "method": names[-1], "state": "failed", "why": "it broke"}, {"state": "done"}],
        "conditions": {
            "seeds": dict.fromkeys(names, seeds),
            "size": "cpu",
            "steps": None,
            "minutes": 1.5,
            "false_alarms": 0.05,
            "device": "auto",
            "command": "halescan compare set-0",
            "machine": {
                "processor": "a processor",
                "cores": 2,
                "threads": "1",
                "memory_gb": 8.0,
                "system": "Linux x86_64",
                "accelerator": None,
            },
            "packages": {"python": "3.11.7", "torch": "2.13.0"},
            "halescan": "0.1.0",
            "intervals": "95 %, bootstrap over patients",
        },
    }


def made_curves(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Smooth curves for every method that came through."""
    grid = np.linspace(0, 1, 101)
    found: dict[str, dict[str, Any]] = {}
    for one in record["sets"]:
        for place, line in enumerate(one["ranking"]):
            if line["rank"] is not None:
                power = 0.1 + 0.05 * place
                found.setdefault(one["name"], {})[line["method"]] = {
                    "roc": list(zip(grid.tolist(), (grid**power).tolist(), strict=True)),
                    "pr": list(zip(grid.tolist(), (1 - 0.5 * grid ** (1 / power)).tolist(), strict=True)),
                    "alarms": [(rate / 2, rate / 2 * (0.8 + 0.1 * place)) for rate in grid.tolist()],
                    "froc": [(0.0, 0.1), (0.2, 0.4), (3.0, 0.7)],
                }
    return found


def _set(number: int, names: list[str], seeds: int, masks: bool) -> dict[str, Any]:
    order = [*names[1:], names[0]]
    lines = [_line(name, place, seeds, masks, number) for place, name in enumerate(order)]
    if number == 0 and len(names) > 2:
        broken = next(line for line in lines if line["method"] == names[-1])
        broken |= dict.fromkeys(("rank", "auroc", "average_precision", "cost", "versus_best", "false_alarms"))
        broken |= {"state": "failed", "why": "not enough memory; use smaller images", "sensitivity_at": {}}
        lines = [*(line for line in lines if line is not broken), broken]
    return {
        "name": f"set-{number}",
        "profile": "generic",
        "profile_detected": number == 0,
        "train": {"scans": 300, "patients": 120, "notes": []},
        "n": {"images": 270, "healthy": 135, "abnormal": 135, "patients": 40, "patients_with_abnormal": 30},
        "fingerprints": {"train": "a" * 64, "test": "b" * 64},
        "warnings": ["3 patients are in training and test alike"] if number == 0 else [],
        "remarks": [],
        "baselines": [{"name": "contrast", "auroc": figure(0.4), "auroc_either_direction": figure(0.6)}],
        "ranking": lines,
        "published": [_published(f"set-{number}")] if number == 0 else [],
        "subgroups": None,
        "above_chance": True,
        "robustness": [],
        "differs_from_reference": [],
    }


def _line(name: str, place: int, seeds: int, masks: bool, number: int) -> dict[str, Any]:
    value = 0.95 - place / 40
    versus = {"difference": -place / 40, "low": -0.1, "high": 0.0, "p_value": 0.01, "p_holm": 0.02, "test": "delong"}
    spread = {"count": seeds, "sd": 0.004 if seeds > 1 else None, "min": value, "max": value}
    return {
        "method": name,
        "detector": name,
        "baseline": name == "healthy-atlas",
        "state": "done",
        "why": "",
        "seeds": seeds,
        "same_in_every_seed": False,
        "rank": place + 1,
        "auroc": {**figure(value), "seeds": spread},
        "average_precision": figure(value - 0.02),
        "sensitivity_at": {"0.90": figure(0.7), "0.95": figure(0.6)},
        "patient_auroc": figure(0.9),
        "pixel_average_precision": figure(0.4) if masks else None,
        "dice": figure(0.4) if masks else None,
        "best_dice": {**figure(0.5), "optimistic": True} if masks else None,
        "aupro": figure(0.6) if masks else None,
        "froc_score": None,
        "lesions": _lesions() if masks else None,
        "reliability": {
            "cases": 135,
            "tested": 40,
            "unit": "patient",
            "statistic": 0.2,
            "p_value": 0.3,
            "excess": 0.2,
            "shortfall": 0.1,
        },
        "false_alarms": {"asked": 0.05, "units": 60, "unit": "patient", "realised": figure(0.06)},
        "sensitivity": figure(0.55),
        "versus_best": versus if place else None,
        "cost": {
            "fit_s": 5.0 * (1 + place) + 40 * number,
            "ms_an_image": 3.0 + 20 * place,
            "peak_mb": 900.0,
            "peak_gpu_mb": None,
            "steps": None if place % 2 else 1200,
        },
    }


def _lesions() -> dict[str, Any]:
    rates = ("0.125", "0.25", "0.5", "1", "2", "4", "8")
    at = {rate: {**figure(0.5), "optimistic": True, "reached": float(rate) < 4} for rate in rates}
    return {
        "lesions": 58,
        "sensitivity_at": at,
        "sensitivity": figure(0.46),
        "false_findings_per_case": figure(0.21),
        "sensitivity_by_peak": figure(0.39),
    }


def distorted(methods: list[str]) -> list[dict[str, Any]]:
    """Rows of a set's `robustness`: JPEG, whose strength 100 is none, and rotation, whose strength 0 is none."""
    return [
        {
            "method": method,
            "title": title,
            "unit": unit,
            "distortion": title.lower(),
            "strength": strength,
            "auroc": figure(0.9 - 0.1 * place),
            "false_alarm": figure(0.05 + 0.1 * place),
        }
        for method in methods
        for title, unit, strengths in (
            ("JPEG", "quality", (100.0, 50.0, 10.0)),
            ("Rotation", "degrees", (0.0, 5.0, 20.0)),
        )
        for place, strength in enumerate(strengths)
    ]


def _method(name: str, sets: int) -> dict[str, Any]:
    settings = {f"set-{number}": {"side": 64, "steps": 1200} for number in range(sets)}
    return {
        "name": name,
        "baseline": name == "healthy-atlas",
        "detectors": {f"set-{number}": name for number in range(sets)},
        "supervised": False,
        "summary": "a method",
        "sources": {name: "https://doi.org/10.0000/none"},
        "settings": settings,
    }


def _published(name: str) -> dict[str, Any]:
    row = {"set": name, "method": "SomeNet", "metric": "auroc", "source": "doi:10.0000/none", "same_split": False}
    return {**row, **figure(0.97), "note": ""}
