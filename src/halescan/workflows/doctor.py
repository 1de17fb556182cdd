"""Doctor: is this installation able to do its job?"""

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from halescan import __version__
from halescan.io.identity import home

DECODERS = {
    "JPEG": "gdcm",
    "JPEG-LS": "jpeg_ls",
    "JPEG 2000": "openjpeg",
    "RLE": "rle",
}
PARTS = ("numpy", "scipy", "torch", "transformers", "pydicom", "nibabel", "SimpleITK", "typst")


@dataclass(frozen=True)
class Check:
    """One thing looked at; `needed` says whether Halescan cannot work without it."""

    name: str
    found: str
    fine: bool
    needed: bool = True

    def record(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


def examine_installation(weights: Path | None = None) -> list[Check]:
    """Look at versions, devices, DICOM decoders, backbone weights and folders; change nothing."""
    return [
        Check("halescan", __version__, True),
        Check("python", sys.version.split()[0], (3, 11) <= sys.version_info[:2] <= (3, 13)),
        *(_package(name) for name in PARTS),
        *(Check(f"DICOM {name}", *_module(module)) for name, module in DECODERS.items()),
        _devices(),
        _weights(weights),
        _home(),
        Check("disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free here", _room_on_disk(), False),
    ]


def _package(name: str) -> Check:
    try:
        return Check(name, version(name), True)
    except PackageNotFoundError:
        return Check(name, f"missing; pip install {name}", False)


def _module(name: str) -> tuple[str, bool]:
    there = find_spec(name) is not None
    return ("decoder found" if there else "decoder missing; install halescan again"), there


def _devices() -> Check:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return Check("devices", ", ".join([*names, f"cpu ({os.cpu_count()} cores)"]), True, False)


def _weights(weights: Path | None) -> Check:
    from halescan.workflows.catalogue import backbone_facts

    found = [row["name"] for row in backbone_facts(weights)]
    if found:
        return Check("backbones", ", ".join(found), True, False)
    return Check("backbones", "none: encoders are trained on the healthy scans; see --weights", False, False)


def _home() -> Check:
    folder = home()
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    fine = os.access(nearest, os.W_OK)
    return Check("home", str(folder) if fine else f"{folder} cannot be written; set HALESCAN_HOME", fine)


def _room_on_disk() -> bool:
    return shutil.disk_usage(Path.cwd()).free > 2**30
