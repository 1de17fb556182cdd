"""Doctor: is this installation able to do its job?"""

import os
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from halescan import __version__
from halescan.io.identity import home

#: Compression of DICOM pixels: the module that undoes it, and the package that brings it.
DECODERS = {
    "JPEG": ("gdcm", "python-gdcm"),
    "JPEG-LS": ("jpeg_ls", "pyjpegls"),
    "JPEG 2000": ("openjpeg", "pylibjpeg-openjpeg"),
    "RLE": ("rle", "pylibjpeg-rle"),
}
SHOWN = ("numpy", "scipy", "torch", "transformers", "pydicom", "nibabel", "SimpleITK", "typst")  # with their versions
PYTHONS = ((3, 11), (3, 13))
LEAST_GIB = 1.0


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
        _python(sys.version_info[:2]),
        *(_package(name) for name in SHOWN),
        _others(_required()),
        *(_decoder(name, module, package) for name, (module, package) in DECODERS.items()),
        _slides(),
        _devices(),
        _weights(weights),
        _home(),
        _disk(shutil.disk_usage(Path.cwd()).free / 2**30),
    ]


def _python(found: tuple[int, ...]) -> Check:
    first, last = (".".join(map(str, one)) for one in PYTHONS)
    fine = PYTHONS[0] <= found <= PYTHONS[1]
    number = sys.version.split()[0]
    return Check("python", number if fine else f"{number}: Halescan is tested with Python {first} to {last}", fine)


def _package(name: str) -> Check:
    number = _version(name)
    return Check(name, number or f"missing: pip install {name}", number is not None)


def _others(names: list[str]) -> Check:
    """All the packages that an installation should have brought."""
    missing = [name for name in names if _version(name) is None]
    found = (
        f"all {len(names)} found" if not missing else f"{', '.join(missing)} missing: pip install {' '.join(missing)}"
    )
    return Check("packages", found, not missing)


def _required() -> list[str]:
    """Names of the packages that Halescan needs, without its extras."""
    try:
        lines = requires("halescan") or []
    except PackageNotFoundError:  # run from a checkout that was never installed
        return list(SHOWN)
    return [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in lines if "extra ==" not in line]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _decoder(name: str, module: str, package: str) -> Check:
    there = find_spec(module) is not None
    return Check(f"DICOM {name}", "can be read" if there else f"cannot be read: pip install {package}", there)


def _slides() -> Check:
    number = _version("openslide-python")
    if number is None:
        found = "DICOM, .tiff and .svs can be read; for the formats of other vendors: pip install 'halescan[slides]'"
        return Check("slides", found, False, False)
    return Check("slides", f"all formats, with openslide-python {number}", True, False)


def _devices() -> Check:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    none = "" if names else "; no GPU that torch can use, and none is needed"
    return Check("devices", ", ".join([*names, f"cpu ({os.cpu_count()} cores)"]) + none, True, False)


def _weights(weights: Path | None) -> Check:
    from halescan.workflows.catalogue import backbone_facts

    rows = backbone_facts(weights)
    damaged = [row["name"] for row in rows if row["checksum"] == "DIFFERS"]
    if damaged:
        found = f"{', '.join(damaged)} damaged: remove it from the weights folder, then `halescan backbones get NAME`"
        return Check("backbones", found, False, False)
    if rows:
        return Check("backbones", ", ".join(row["name"] for row in rows), True, False)
    found = (
        "none: an encoder will be trained on the healthy scans; for stronger models fetch one, once: "
        "`halescan backbones get mobilenet_v2 --weights DIR`, and set HALESCAN_WEIGHTS=DIR"
    )
    return Check("backbones", found, False, False)


def _home() -> Check:
    folder = home()
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    fine = os.access(nearest, os.W_OK)
    if not fine:
        return Check("home", f"{folder} cannot be written: set HALESCAN_HOME to a folder that can", False)
    return Check("home", str(folder) + ("" if folder.exists() else " (will be made when first needed)"), True)


def _disk(free_gib: float) -> Check:
    fine = free_gib >= LEAST_GIB
    short = "" if fine else "; prepared scans and reports may need more: free some, or work in another folder"
    return Check("disk", f"{free_gib:.1f} GiB free in this folder{short}", fine, False)
