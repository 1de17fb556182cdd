"""Weights as arrays: what a module learned, by name, and the way back into a module."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from halescan.errors import ModelError

Module = TypeVar("Module", bound=nn.Module)


def module_arrays(module: nn.Module, *, prefix: str = "") -> dict[str, np.ndarray]:
    """Every weight and running statistic of a module, as arrays of its own."""
    return {
        prefix + name: value.detach().cpu().contiguous().numpy().copy() for name, value in module.state_dict().items()
    }


def put_arrays(build: Callable[[], Module], arrays: dict[str, np.ndarray], *, prefix: str = "") -> Module:
    """The module with these weights, in evaluation mode.

    Args:
        build: Makes the module. It is called on torch's meta device, which knows shapes and holds no numbers: settings
            that ask for a network of a terabyte are refused before a byte of it is taken.

    Raises:
        ModelError: if a weight is missing, too many, or of another shape or type.
    """
    mine = {name[len(prefix) :]: torch.tensor(value) for name, value in arrays.items() if name.startswith(prefix)}
    try:
        with torch.device("meta"):
            module = build()
        wanted = module.state_dict()
        odd = [name for name in mine if name in wanted and wanted[name].dtype != mine[name].dtype]
        module.load_state_dict(mine, assign=True)
    except (RuntimeError, ArithmeticError) as error:
        raise ModelError("the stored weights do not fit the stored settings; the model folder was altered") from error
    if odd:
        raise ModelError(f"the stored weights are of another type than the network's ({odd[0]}); it was altered")
    return channels_last(module).eval()


def part_of(state: Mapping[str, np.ndarray], room: str) -> dict[str, np.ndarray]:
    """The arrays named `room/...`, without that prefix."""
    return {name.removeprefix(room + "/"): value for name, value in state.items() if name.startswith(room + "/")}


def channels_last(module: Module) -> Module:
    """The module with its convolutions laid out channels last: measured up to twice as fast on a CPU."""
    sides = {parameter.ndim for parameter in module.parameters()}
    if 4 in sides and 5 not in sides:  # torch refuses a module that has both
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if 5 in sides and 4 not in sides:
        module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return module
