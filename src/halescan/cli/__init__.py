"""The command line: one command per workflow, and the only place that prints and exits."""

from halescan.cli.app import app
from halescan.cli.call import main

__all__ = ["app", "main"]
