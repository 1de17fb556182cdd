"""Halescan learns what healthy looks like from healthy scans alone, and says where a new scan departs from it."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_SHELF = {
    "read": "halescan.io",
    "train": "halescan.workflows.train",
    "examine": "halescan.workflows.examine",
    "evaluate": "halescan.workflows.evaluate",
    "compare": "halescan.workflows.compare",
    "leaks": "halescan.workflows.leaks",
    "patients": "halescan.workflows.patients",
    "recalibrate": "halescan.workflows.recalibrate",
}
__all__ = ["__version__", *_SHELF]


def __getattr__(name: str) -> Any:
    """Import a word of the shelf when it is first used, so that `import halescan` is instant."""
    if name not in _SHELF:
        raise AttributeError(f"module 'halescan' has no attribute {name!r}")
    return getattr(import_module(_SHELF[name]), name)
