"""What is learned: a profile, a detector, a classifier and attention MIL, checked before anything is learned."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from halescan.classifiers import BagClassifier, Classifier, find_bag_classifier, find_classifier
from halescan.data.profiles import Profile, load_profile
from halescan.detectors import Detector
from halescan.errors import SettingError
from halescan.training.settings import typed_settings
from halescan.workflows.patient_level.decide import CLASSIFIER, DETECTOR
from halescan.workflows.patient_level.learn import MIL, Recipe
from halescan.workflows.patient_level.study import Study
from halescan.workflows.train import new_detector

NO_CLASSIFIER = "none"

Facts = dict[str, Any]


def profile_for(study: Study, named: str | Path | None, changes: Mapping[str, Any] | None) -> Profile:
    """The named profile, or the one this kind of data is made for.

    Raises:
        SettingError: if there is neither.
    """
    name = named or study.profile
    if name is None:
        raise SettingError("name the --profile that fits these images, as histology or lung-ct (halescan profiles)")
    return load_profile(name, changes)


def new_recipe(
    profile: Profile,
    detector: str | None,
    classifier: str,
    size: str,
    settings: Mapping[str, dict[str, Any]],
    *,
    bags: bool,
) -> tuple[Recipe, Facts]:
    """What is learned, and what is said about it.

    Args:
        settings: By "detector", "classifier" and "attention-mil".
        bags: Whether attention MIL is learned too.

    Raises:
        SettingError: for a method or setting that does not exist, or a detector that needs abnormal examples.
    """
    new, facts = _detector(profile, detector, size, settings[DETECTOR])
    patched, said = _classifier(classifier, size, settings[CLASSIFIER])
    joint, more = _bag_classifier(size, settings[MIL]) if bags else (None, {})
    return Recipe(profile, new, patched, joint), {"profile": profile.name, **facts, **said, **more}


def _detector(
    profile: Profile, name: str | None, size: str, settings: dict[str, Any]
) -> tuple[Callable[[], Detector], Facts]:
    def new() -> Detector:
        return new_detector(profile, name, size, settings)

    first = new()
    if first.needs_abnormal:
        raise SettingError(f"{first.name} learns from abnormal examples; the detector here must learn healthy alone")
    return new, {"detector": first.name, "detector_settings": first.settings}


def _classifier(name: str, size: str, settings: dict[str, Any]) -> tuple[Callable[[], Classifier] | None, Facts]:
    if name == NO_CLASSIFIER:
        return None, {"classifier": None, "classifier_settings": None}
    kind: Any = find_classifier(name)
    typed = typed_settings(kind, settings)

    def new() -> Classifier:
        return kind.preset(size, **typed)

    return new, {"classifier": kind.name, "classifier_settings": new().settings}


def _bag_classifier(size: str, settings: dict[str, Any]) -> tuple[Callable[[], BagClassifier], Facts]:
    kind: Any = find_bag_classifier(MIL)
    typed = typed_settings(kind, settings)

    def new() -> BagClassifier:
        return kind.preset(size, **typed)

    return new, {"mil_settings": new().settings}
