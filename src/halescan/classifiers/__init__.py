"""Few labels: classifiers that learn from healthy and abnormal examples; `CLASSIFIERS` lists them."""

from importlib import import_module
from pathlib import Path
from typing import Any

from halescan.classifiers.bags import BagClassifier
from halescan.classifiers.base import Classifier, Supervised, read_classifier
from halescan.errors import ModelError, SettingError

__all__ = [
    "BAG_CLASSIFIERS",
    "CLASSIFIERS",
    "BagClassifier",
    "Classifier",
    "find_bag_classifier",
    "find_classifier",
    "load_bag_classifier",
    "load_classifier",
]

CLASSIFIERS: dict[str, str] = {
    "frozen-head": "halescan.classifiers.frozen_head:FrozenHead",
    "fine-tuned": "halescan.classifiers.fine_tuned:FineTuned",
    "small-cnn": "halescan.classifiers.small_cnn:SmallCNN",
    "firefly-svm": "halescan.classifiers.firefly_svm:FireflySVM",
}
BAG_CLASSIFIERS: dict[str, str] = {"attention-mil": "halescan.classifiers.attention_mil:AttentionMIL"}


def find_classifier(name: str) -> type[Classifier]:
    """The class behind a name of `CLASSIFIERS`, imported only now.

    Raises:
        SettingError: if there is no such classifier; lists those there are.
    """
    return _find(name, CLASSIFIERS)


def find_bag_classifier(name: str) -> type[BagClassifier]:
    """The class behind a name of `BAG_CLASSIFIERS`, imported only now.

    Raises:
        SettingError: if there is no such classifier; lists those there are.
    """
    return _find(name, BAG_CLASSIFIERS)


def load_classifier(folder: Path | str, *, device: str = "auto") -> Classifier:
    """A classifier of images from the folder that `save` wrote; needs no other file and no network.

    Raises:
        ModelError: if the folder is missing, damaged, unsafe, or holds something else.
    """
    return _load(Path(folder), CLASSIFIERS, device)


def load_bag_classifier(folder: Path | str, *, device: str = "auto") -> BagClassifier:
    """As `load_classifier`, for those that judge bags of images.

    Raises:
        ModelError: if the folder is missing, damaged, unsafe, or holds something else.
    """
    return _load(Path(folder), BAG_CLASSIFIERS, device)


def _find(name: str, table: dict[str, str]) -> Any:
    if name not in table:
        raise SettingError(f"no classifier is called {name!r} here; there are {', '.join(table)}")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def _load(folder: Path, table: dict[str, str], device: str) -> Any:
    def kind_of(name: str) -> type[Supervised]:
        if name not in table:
            raise ModelError(f"{folder} holds {name[:40]!r}, which is not among {', '.join(table)}")
        return _find(name, table)

    return read_classifier(folder, kind_of).to(device)
