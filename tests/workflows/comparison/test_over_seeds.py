"""Figures over seeds: what is averaged over seeds stays honest about how many patients it rests on."""

from halescan.workflows.comparison.over_seeds import patient_auroc

N = {"images": 90, "healthy": 45, "abnormal": 45}


def test_a_patient_auroc_of_few_patients_has_no_interval_also_from_cells_that_gave_one() -> None:
    cells = [{"n": {**N, "patients": 42, "patients_with_abnormal": 40}, "patient": {"auroc": told}} for told in TOLD]
    found = patient_auroc(cells)
    assert found is not None
    assert (round(found["value"], 6), found["low"], found["high"]) == (0.7, None, None)
    assert found["why"].startswith("2 healthy and 40 abnormal patients")


def test_a_patient_auroc_of_enough_patients_keeps_its_interval() -> None:
    cells = [{"n": {**N, "patients": 50, "patients_with_abnormal": 30}, "patient": {"auroc": told}} for told in TOLD]
    assert patient_auroc(cells) is not None
    assert round(patient_auroc(cells)["low"], 6) == 0.5  # type: ignore[index]
    assert patient_auroc([{"n": N, "patient": None}]) is None


TOLD = [{"value": 0.6, "low": 0.4, "high": 0.8}, {"value": 0.8, "low": 0.6, "high": 0.9}]
