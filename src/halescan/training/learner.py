"""What every method is, whether it learns from healthy images alone or from labels: settings, and learned arrays."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from halescan.errors import NotFitted, SettingError
from halescan.training.device import find_device
from halescan.training.run import Run


class Learner(ABC):
    """Settings are the keyword-only arguments of the constructor, kept under their own names; all that is learned comes
    and goes as named arrays (`_state`, `_restore`). The checks stand here, once.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    needs_weights: ClassVar[bool] = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {"cpu": {}, "paper": {}}

    learned_shape: tuple[int, ...] = ()  # (c, *grid); empty means: nothing learned yet
    _size = "cpu"  # of `presets`

    @classmethod
    def preset(cls, size: str, **changes: Any) -> Self:
        """The method with the settings of a named size, "cpu" or "paper", and any changes on top."""
        if size not in cls.presets:
            raise SettingError(f"size must be {' or '.join(sorted(cls.presets))}, got {size}; cpu is usual")
        made = cls(**{**cls.presets[size], **changes})
        made._size = size
        return made

    @classmethod
    def usual(cls, size: str = "cpu") -> dict[str, Any]:
        """The settings of a named size, as they stand in the signature and in `presets`."""
        taken = inspect.signature(cls.__init__).parameters.values()
        return {one.name: one.default for one in taken if one.default is not one.empty} | cls.presets.get(size, {})

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as they stand, ready for JSON."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that was learned, as named arrays; `restore` takes it back.

        Raises:
            NotFitted: before `fit`.
        """
        self._refuse_unlearned()
        return {"learned_shape": np.asarray(self.learned_shape, np.int64), **self._state()}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Take back what `state` gave; the settings must be those it was learned with."""
        rest = dict(state)
        shape = tuple(int(side) for side in rest.pop("learned_shape"))
        self._restore(rest, shape)
        self.learned_shape = shape
        return self

    def to(self, device: str) -> Self:
        """Work on this device from now on; `Run.device` says how it is spelled. Learning moves there by itself.

        Raises:
            SettingError: if there is no such device.
        """
        target = find_device(device)
        for name, part in list(vars(self).items()):
            if isinstance(part, Tensor):
                setattr(self, name, part.to(target))
            elif hasattr(part, "to"):
                part.to(target)
        return self

    def _informed(self, run: Run | None) -> Run:
        """The run, with what is usual for the method to advise where a setting fails."""
        return replace(run or Run(), usual=self.usual(self._size))

    def _refuse_unlearned(self) -> None:
        if not self.learned_shape:
            raise not_fitted(self)

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]: ...

    @abstractmethod
    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None: ...


def not_fitted(method: Learner) -> NotFitted:
    """What to raise where something is asked of a method that has learned nothing."""
    return NotFitted(f"{method.name} has learned nothing yet; call fit first")
