"""Recalibrate: commission a model on a new site, from local scans that a person calls healthy."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from halescan.data.table import Cohort
from halescan.errors import OutputError, SettingError, TrainingError
from halescan.training.run import Progress, say_nothing
from halescan.workflows.calibrate import calibrate
from halescan.workflows.healthy import content_digests, healthy_cohort, prepared, problems_of
from halescan.workflows.model import Model, load_model
from halescan.workflows.slides import learned_profile, told_scale


def recalibrate(
    model: Path | str | Model,
    healthy: Path | str,
    *,
    out: Path | str,
    table: Path | None = None,
    split: str | None = None,
    um_per_px: float | None = None,
    overwrite: bool = False,
    device: str = "auto",
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Model:
    """A new version of the model whose false-alarm rate holds where these scans come from.

    What was learned stays; the healthy scores, the map's scale and the reference for noticing a shift are made anew
    from the given scans. The old model is left as it is.

    Args:
        healthy: Scans of the new site that a person calls healthy, none of which the model learned from.
        out: Folder of the new version.
        um_per_px: µm per pixel of whole slides whose files do not say it.

    Raises:
        TrainingError: if there is no healthy scan, or the model was made from some of these.
        OutputError: if `out` exists and `overwrite` is not set.
    """
    old = load_model(model, device=device)
    out = Path(out)
    if old.folder is not None and out.resolve() == old.folder.resolve():
        raise SettingError(f"--out {out} is the model itself; a new version needs a folder of its own")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; choose another --out, or --overwrite to replace it")
    cohort = told_scale(healthy_cohort(Path(healthy), table, split), um_per_px)
    recipe = learned_profile(old.profile, cohort)
    old = replace(old, profile=recipe)  # a model of patches is given the scale at which it is now calibrated on slides
    _refuse_learned(old, cohort)
    with tempfile.TemporaryDirectory(prefix="halescan-") as cache:
        images = prepared(cohort, recipe, Path(cache), jobs=jobs, listen=listen)
        old.detector.check_contents(images)
        everyone = np.arange(len(images))
        fresh = calibrate([(old.measure, everyone)], images, cohort, guarantee="split", listen=listen)
    record = {
        **old.record,
        "profile": recipe.model_dump(mode="json"),
        "recalibrated_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "recalibrated_from": old.facts.fingerprint,
        "recalibrated_on": cohort.subset(np.unique(images.item_of)).summary(),
        "recalibrated_images": len(images),
        "recalibrated_units": fresh.calibration.units,
        "recalibrated_digests": {"contents": content_digests(cohort), "pixels": list(images.pixels)},
    }
    beside = {name: old.folder / name for name in ("history.jsonl", "training.png")} if old.folder else {}
    new = replace(old, record=record, healthy=fresh, folder=None, problems=problems_of(cohort, images))
    return new.save(out, beside={name: path for name, path in beside.items() if path.exists()}, overwrite=overwrite)


def _refuse_learned(model: Model, cohort: Cohort) -> None:
    """Scans the model was made from look less strange to it than new ones: they cannot calibrate it."""
    known = set(model.record["training_set"].get("contents", ()))
    count = sum(digest in known for digest in content_digests(cohort))
    if count:
        raise TrainingError(
            f"{count} of these {len(cohort)} scans were used to make the model; recalibrate on scans that are new to it"
        )
