"""Tiny vision transformers with random weights, as a weights folder."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

LAYERS, WIDTH, PATCH = 2, 24, 14
_SIZE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "patch_size": PATCH,
}


@cache
def tiny_vit_weights() -> Path:
    """A folder with two backbones, made once a session: "tiny-vit" is a DINOv2, "plain-vit" was made for 56 pixels."""
    from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel  # seconds

    folder = Path(tempfile.mkdtemp(prefix="halescan-tiny-vit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        models = {
            "tiny-vit": Dinov2Model(Dinov2Config(**_SIZE, image_size=56, mlp_ratio=2)),
            "plain-vit": ViTModel(ViTConfig(**_SIZE, image_size=56, intermediate_size=48)),
        }
        for name, model in models.items():
            for weight in model.parameters():  # as they begin, all patches are nearly alike
                torch.nn.init.normal_(weight, std=0.15) if weight.ndim > 1 else None
            model.save_pretrained(folder / name, safe_serialization=True)
    return folder
