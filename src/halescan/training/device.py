"""The device: where tensors live while learning, and in which precision they are multiplied."""

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.training.run import Run
from halescan.training.schedule import Tensors
from halescan.types import Batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def open_device(run: Run) -> "Fabric":
    """The device and precision a run asks for, ready to hold modules and batches.

    Raises:
        SettingError: if there is no such device or precision.
    """
    from lightning_fabric import Fabric  # seconds: imported only to learn

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells of its precision on stderr
    device = find_device(run.device)
    return Fabric(
        accelerator=device.type,
        devices=1 if device.index is None else [device.index],
        precision=_precision(run.precision, device.type),
    )


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" is the fastest there is.

    Raises:
        SettingError: if there is no such device.
    """
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise SettingError(f'device must be "auto", "cpu", "cuda", "cuda:1" or "mps", got {name!r}')
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise SettingError(f'device {name!r} was asked for, this machine has {torch.cuda.device_count()}; "cpu" works')
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SettingError('device "mps" was asked for and is not on this machine; "cpu" works')
    return torch.device(f"{_best_kind() if kind == 'auto' else kind}{':' + number if number else ''}")


def as_tensor(images: np.ndarray) -> Tensor:
    """`(n, c, *grid)` float32, where it is."""
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))


def to_tensors(batch: Batch, device: torch.device) -> Tensors:
    """A batch on the device, channels last: the order in which convolutions are fastest."""
    images = as_tensor(batch.images).to(device)
    order = {4: torch.channels_last, 5: torch.channels_last_3d}.get(images.ndim)
    if order is not None:
        images = images.contiguous(memory_format=order)
    mask = None if batch.mask is None else torch.from_numpy(np.ascontiguousarray(batch.mask, dtype=bool)).to(device)
    return Tensors(images, mask)


def home(module: nn.Module) -> torch.device:
    """The device a module lives on."""
    return next(module.parameters()).device


def to_array(tensor: Tensor) -> np.ndarray:
    """A tensor as float32 NumPy array."""
    return tensor.detach().float().cpu().numpy()


def _best_kind() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _precision(asked: str, kind: str) -> Literal["bf16-mixed", "32-true"]:
    """Fabric's word for a precision; "auto" is bfloat16 only where the chip multiplies it faster than float32."""
    if asked not in ("auto", "32", "bf16"):
        raise SettingError(f'precision must be "auto", "32" or "bf16", got {asked!r}')
    if asked == "auto":
        fast = {"cpu": _cpu_has_bfloat16, "cuda": torch.cuda.is_bf16_supported}.get(kind, lambda: False)
        asked = "bf16" if fast() else "32"
    return "bf16-mixed" if asked == "bf16" else "32-true"


def _cpu_has_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions (AVX512-BF16 or AMX); emulated ones are slower than float32."""
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)
