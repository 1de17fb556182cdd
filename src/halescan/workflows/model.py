"""A model: a detector that has learned, its recipe, and its calibration, kept in one self-contained folder."""

import json
import platform
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from halescan import __version__
from halescan.data.profiles import Profile, complaints
from halescan.detectors import Detector, find_detector
from halescan.errors import HalescanError, ModelError
from halescan.evaluation.baselines import HealthyMean
from halescan.reporting.card import model_card
from halescan.reporting.numerals import percent
from halescan.reporting.words import sentence
from halescan.scoring.calibration import Calibration
from halescan.training.model_folder import fingerprint, read_model, write_model
from halescan.training.settings import typed_settings
from halescan.training.weights import part_of
from halescan.types import ModelFacts, Note
from halescan.workflows.healthy import Healthy
from halescan.workflows.measure import Measure
from halescan.workflows.places import ROOMS, Places

_KINDS = {
    "name": str,
    "detector": str,
    "settings": dict,
    "profile": dict,
    "trained_utc": str,
    "version": str,
    "packages": dict,
    "training_set": dict,
}
_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)


@dataclass(frozen=True, eq=False)
class Model:
    """A model in memory.

    Args:
        record: The content of `model.json`.
        places: What health is like place by place, of the maps and of the images.
        mean: The mean healthy image, a trivial baseline to stand beside the model.
        folder: Where it lies; None before it is saved.
        problems: Files that could not be used in training, for the person at the terminal; not saved.
    """

    record: dict[str, Any]
    detector: Detector
    profile: Profile
    places: Places
    mean: HealthyMean
    healthy: Healthy
    folder: Path | None = None
    problems: tuple[str, ...] = ()

    @property
    def measure(self) -> Measure:
        """The recipe that turns images into maps and scores."""
        return Measure(self.detector, self.profile, self.places)

    @cached_property
    def map_threshold(self) -> float | None:
        """Map value from which a place belongs to a finding: the profile's quantile of healthy places."""
        tail = self.healthy.tail
        return None if tail is None else tail.value_at(self.profile.map_quantile)

    @property
    def poor_reconstruction(self) -> Note | None:
        """That the method draws healthy images no better than their mean, if training found that."""
        found = self.record["training_set"].get("poor_reconstruction")
        if found is None:
            return None
        numbers = {name: float(found[name]) for name in ("error", "mean_error")}
        return Note("poor-reconstruction", {"method": str(found["method"]), **numbers})

    @cached_property
    def facts(self) -> ModelFacts:
        """What a report says about this model."""
        learned = self.record["training_set"]
        return ModelFacts(
            name=self.record["name"],
            fingerprint="" if self.folder is None else fingerprint(self.folder)[:12],
            detector=self.detector.name,
            source=self.detector.source,
            profile=self.profile.name,
            blind_spots=self.profile.blind_spots,
            look_next=self.profile.look_next,
            trained_utc=self.record["trained_utc"],
            version=self.record["version"],
            healthy_images=learned["images"],
            healthy_patients=learned["patients"],
            calibration_scores=tuple(float(score) for score in self.healthy.calibration.scores),
            map_threshold=self.map_threshold,
            map_quantile=None if self.map_threshold is None else self.profile.map_quantile,
            window=self.profile.window_hu,
        )

    def summary(self) -> dict[str, Any]:
        """What happened, for a program."""
        calibration = self.healthy.calibration
        return {
            "schema": "halescan.trained/1",
            "model": str(self.folder),
            "detector": self.detector.name,
            "profile": self.profile.name,
            "training_set": self.record["training_set"],
            "calibration": {
                "unit": calibration.unit,
                "units": calibration.units,
                "guarantee": calibration.guarantee,
                "strictest_false_alarm_rate": calibration.strictest_rate,
            },
            "encoder": self.record["encoder"],
        }

    def lines(self) -> list[str]:
        """What happened, for a person."""
        learned, calibration = self.record["training_set"], self.healthy.calibration
        lines = [
            f"{self.detector.name} with profile {self.profile.name}: {_made_from(learned)}",
            f"learned from {learned['learn']} image{'s' * (learned['learn'] != 1)}, "
            + (f"chose with {learned['choose']}, " if learned["choose"] else "")
            + _calibrated_on(calibration, self.record),
        ]
        if "abnormal" in learned:
            lines.append(f"supervised: learned from abnormal scans too, {learned['abnormal']['summary']}")
        if calibration.units:
            lines.append(f"false-alarm rates from {percent(calibration.strictest_told, 'en')} upwards are supported")
        else:
            lines.append(
                "no p-values and no decisions: nothing healthy was kept or left out in turn to calibrate on. Train "
                "with more healthy patients, or calibrate on others with halescan recalibrate; 5 % false alarms need 19"
            )
        if missed := _missed(self.record):
            lines.append(
                f"no weights of {missed} were found: an encoder trained on the healthy scans looks in their place; for "
                f"a stronger model give --weights DIR, or fetch them with `halescan backbones get {missed}`"
            )
        lines += [f"note: {note}" for note in learned["notes"]]
        lines += [f"left out: {problem}" for problem in self.problems]
        return [*lines, f"model: {self.folder}"]

    def save(self, folder: Path, *, beside: dict[str, Path] | None = None, overwrite: bool = False) -> "Model":
        """Write the folder, whole or not at all; give back the model that lies there.

        Args:
            beside: Other files to take along, by their name in the folder.

        Raises:
            OutputError: if something lies in the way or cannot be written.
        """
        tensors = {f"detector/{name}": value for name, value in self.detector.state().items()}
        tensors |= {f"mean/{name}": value for name, value in self.mean.state().items()}
        tensors |= self.places.state()
        record = {**self.record, "name": folder.resolve().name}
        write_model(
            folder,
            record=record,
            tensors=tensors,
            calibration=self.healthy.to_json(),
            card=model_card(card_facts(replace(self, record=record))),
            beside=beside,
            overwrite=overwrite,
        )
        return replace(self, record=record, folder=folder)


def load_model(folder: Path | str | Model, *, device: str = "auto") -> Model:
    """Open a model folder; needs no other file and no network.

    It may come from a stranger: settings are checked against the detector's signature, networks are built without
    memory until their shapes are known to be those of the stored weights, and all that is as large as an image must
    have been stored at that size.

    Raises:
        ModelError: if the folder is missing, damaged, from a newer version, or unsafe.
    """
    if isinstance(folder, Model):
        return folder
    record, tensors, calibration = read_model(Path(folder))
    try:
        for key, kind in _KINDS.items():
            if not isinstance(record[key], kind):
                raise TypeError(f"{key} in model.json")
        profile = Profile.model_validate(record["profile"])
        _check_shapes(tensors, (profile.channels, *profile.size))
        kind = find_detector(record["detector"])
        detector = kind(**typed_settings(kind, record["settings"])).restore(part_of(tensors, "detector"))
        if calibration is None:
            raise ModelError(f"{folder}: calibration.json is missing; train the model again or recalibrate it")
        model = Model(
            record,
            detector.to(device),
            profile,
            Places.from_state(tensors),
            HealthyMean.from_state(part_of(tensors, "mean")),
            Healthy.from_json(calibration),
            Path(folder),
        )
        if profile.sought != "any" and detector.gives_map and model.places.direction is None:
            raise ModelError(f"it holds nothing to tell what is {profile.sought} than in health; train it again")
        _ = (
            model.facts,
            card_facts(model),
            model.summary(),
            model.poor_reconstruction,
        )  # what a report says must be there too, before any scan
    except ValidationError as error:
        what = _in_one_line(complaints(error))
        raise ModelError(f"{folder}: its profile cannot be used: {what}. Copy or train the model again") from error
    except HalescanError as error:
        raise ModelError(f"{folder}: {_in_one_line(error)}") from error
    except _UNFIT as error:
        raise ModelError(
            f"{folder}: the model does not hold together ({_in_one_line(error)}); copy or train it again"
        ) from error
    return model


def _in_one_line(error: BaseException | str) -> str:
    """What an error says, without torch's list of all that differs and its stack of C++ calls."""
    line = " ".join((str(error) or type(error).__name__).split())
    return line if len(line) <= 300 else line[:300] + " ..."


def _check_shapes(tensors: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
    """Refuse a model whose parts were made for images of other shapes than its profile prepares, `(c, *grid)`."""
    learned = tuple(int(side) for side in tensors["detector/learned_shape"])
    as_large = ("mean/", *(f"{room}/" for room in ROOMS))
    rooms = {name: array.shape for name, array in tensors.items() if name.startswith(as_large)}
    wanted = {name: shape if name.startswith("mean/") else shape[1:] for name in rooms}
    if learned != shape or rooms != wanted:
        raise ValueError(f"its profile prepares images of shape {shape}, it learned others")


def packages() -> dict[str, str]:
    """Versions of what a result depends on."""
    names = ("numpy", "scipy", "scikit-image", "scikit-learn", "torch", "transformers", "pydicom", "nibabel")
    return {"python": platform.python_version(), "halescan": __version__, **{name: version(name) for name in names}}


def _units(calibration: Calibration) -> str:
    """What the healthy units are, and why there may be fewer of them than scores."""
    if calibration.unit == "patient" or not 0 < calibration.units < len(calibration.scores):
        return f"{calibration.unit}s"
    return f"{calibration.unit}s, as copies count once among {len(calibration.scores)}"


def card_facts(model: Model) -> dict[str, Any]:
    """What `card.md` is made of."""
    record, calibration = model.record, model.healthy.calibration
    learned = record["training_set"]
    return {
        "title": record["name"],
        "summary": f"{model.detector.summary}. Profile: {model.profile.title}.",
        "trained_on": {
            "healthy scans": learned["summary"],
            "abnormal scans (supervised)": learned["abnormal"]["summary"] if "abnormal" in learned else None,
            "parts (images)": f"{learned['learn']} learn, {learned['choose']} choose, {learned['calibrate']} calibrate",
            "fingerprint (SHA-256 of contents and labels)": learned["fingerprint"],
            "remarks": "; ".join(learned["notes"]) or None,
        },
        "calibration": {
            "healthy units": f"{calibration.units} ({_units(calibration)})",
            "guarantee": {"split": "split conformal", "cross": "cross-conformal (weaker)", "none": "none"}[
                calibration.guarantee
            ],
            "strictest false-alarm rate": f"{calibration.strictest_rate:.3g}" if calibration.units else None,
            **_recalibrated(record),
        },
        "blind_spots": [sentence(key, "en") for key in model.profile.blind_spots],
        "made": {
            "detector": f"{model.detector.name} ({model.detector.source})",
            "settings": json.dumps(record["settings"]),
            "encoder": _encoder(record),
            "seed": record["seed"],
            "trained": record["trained_utc"],
            "versions": ", ".join(f"{name} {number}" for name, number in record["packages"].items()),
        },
    }


def _made_from(learned: dict[str, Any]) -> str:
    """The scans, and how many images there are in them where some are volumes: it is images that are dealt out."""
    if learned["images"] == learned.get("scans", learned["images"]):
        return str(learned["summary"])
    return f"{learned['summary'].replace('image', 'scan', 1)}, {learned['images']} images in all"


def _calibrated_on(calibration: Calibration, record: dict[str, Any]) -> str:
    """How many units there were, and of how many images: the slices of a volume and near-copies are one unit."""
    anew = "recalibrated_on" in record
    # not known of models recalibrated before it was written down
    images = record.get("recalibrated_images", 0) if anew else record["training_set"]["calibrate"]
    several = f" ({images} {'with near-copies' if calibration.unit == 'image' else 'images'})"
    units = f"{calibration.units} healthy {calibration.unit}{'s' * (calibration.units != 1)}"
    units += several if images > calibration.units else ""
    if anew:
        return f"calibrated anew on other scans: {units}"
    if calibration.guarantee == "cross":
        return f"calibrated on all {units} by cross-conformal folds (a weaker guarantee)"
    return f"calibrated on {units}"


def _missed(record: dict[str, Any]) -> str:
    """The backbone that was asked for and was not at hand when the model learned; "" where there is none such."""
    settings = record["settings"]
    members = [member.get("settings", {}) for member in settings.get("members") or ()]
    asked = [one["backbone"] for one in (settings, *members) if one.get("backbone") not in (None, "own")]
    return asked[0] if record.get("encoder") == "own" and asked else ""


def _encoder(record: dict[str, Any]) -> str | None:
    """Where the encoder came from, and what it stands in for."""
    missed = _missed(record)
    return f"own, as the weights of {missed} were not at hand" if missed else record["encoder"]


def _recalibrated(record: dict[str, Any]) -> dict[str, Any]:
    """On what and when a model was recalibrated; nothing for one that never was."""
    if "recalibrated_on" not in record:
        return {}
    units = record.get("recalibrated_units")  # not known of models recalibrated before it was written down
    return {
        "recalibrated on": record["recalibrated_on"] + ("" if units is None else f" ({units} units)"),
        "recalibrated": record["recalibrated_utc"],
        "recalibrated from the model": record["recalibrated_from"],
    }
