"""Recalibration leaves in the new model what it was recalibrated on."""

from pathlib import Path

from halescan.workflows.model import load_model
from halescan.workflows.recalibrate import recalibrate


def test_the_new_model_says_how_many_units_it_was_recalibrated_on(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    recalibrate(model_folder, test_set / "healthy", split="test", out=tmp_path / "new")
    record = load_model(tmp_path / "new").record
    card = (tmp_path / "new" / "card.md").read_text()
    assert record["recalibrated_units"] == 12
    assert f"| recalibrated on | {record['recalibrated_on']} (12 units) |" in card
    assert len(record["recalibrated_digests"]["contents"]) == len(record["recalibrated_digests"]["pixels"]) == 12
    assert record["recalibrated_images"] == 12
    assert load_model(tmp_path / "new").lines()[1].endswith("calibrated anew on other scans: 12 healthy patients")
    assert record["recalibrated_from"] == load_model(model_folder).facts.fingerprint
    assert "recalibrated" not in (model_folder / "card.md").read_text().replace("halescan recalibrate", "")
