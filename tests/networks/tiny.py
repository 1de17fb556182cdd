"""A tiny MobileNetV2 with random weights, as a weights folder: a backbone that costs nothing to get."""

import atexit
import hashlib
import json
import shutil
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

WIDTHS = (8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 24, 24, 24, 40, 40, 40, 80)


@cache
def tiny_weights() -> Path:
    """A folder with one backbone, "tiny", made once a session."""
    folder = Path(tempfile.mkdtemp(prefix="halescan-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return put_tiny(folder / "tiny")


def put_tiny(folder: Path) -> Path:
    """Write "tiny" as transformers would, with its checksums; give back the folder above it."""
    folder.mkdir(parents=True)
    save_file(_weights(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "mobilenet_v2", "tf_padding": True}))
    files = ("config.json", "model.safetensors")
    sums = [f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder.parent


def _weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    arrays: dict[str, Tensor] = {}

    def conv(name: str, before: int, after: int, side: int) -> None:
        arrays[f"{name}.convolution.weight"] = (
            torch.randn(after, before, side, side, generator=generator) * (2 / (before * side * side)) ** 0.5
        )
        arrays[f"{name}.normalization.weight"] = torch.ones(after)
        arrays[f"{name}.normalization.bias"] = 0.1 * torch.randn(after, generator=generator)
        arrays[f"{name}.normalization.running_mean"] = torch.zeros(after)
        arrays[f"{name}.normalization.running_var"] = torch.ones(after)

    conv("conv_stem.first_conv", 3, 8, 3)
    conv("conv_stem.conv_3x3", 1, 8, 3)
    conv("conv_stem.reduce_1x1", 8, WIDTHS[0], 1)
    for number, (before, after) in enumerate(pairwise(WIDTHS)):
        conv(f"layer.{number}.expand_1x1", before, 6 * before, 1)
        conv(f"layer.{number}.conv_3x3", 1, 6 * before, 3)
        conv(f"layer.{number}.reduce_1x1", 6 * before, after, 1)
    return arrays
