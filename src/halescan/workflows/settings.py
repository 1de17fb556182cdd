"""Settings: the door through which the workflows check what a person or a model's file asks of a detector."""

from halescan.detectors.settings import MOST_NUMBERS, typed_settings

__all__ = ["MOST_NUMBERS", "typed_settings"]
