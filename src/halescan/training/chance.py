"""Chance: everything random in learning follows from the seed, the stage's name and the step, and from nothing else.

No state of a random generator is ever stored: a run that was interrupted draws at step k what it would have drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def number_from(seed: int, *names: str | int) -> int:
    """A whole number in [0, 2^63) that depends on all of its arguments, on every machine alike."""
    text = "/".join([str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numbers(seed: int, *names: str | int) -> np.random.Generator:
    """The NumPy generator of this place in the run."""
    return np.random.default_rng(number_from(seed, *names))


def noise(seed: int, *names: str | int) -> torch.Generator:
    """The torch generator of this place in the run; on the CPU, so that every device sees the same noise."""
    return torch.Generator().manual_seed(number_from(seed, *names))


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """Torch's own generator (weights, dropout) seeded inside, and given back untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number_from(seed, *names))
        yield


def drawn_indices(count: int, *, batch_size: int, step: int, seed: int, stage: str) -> np.ndarray:
    """`(batch_size,)` places in a cohort of `count` images: one permutation after another, cut in batches."""
    first = step * batch_size
    passes = range(first // count, (first + batch_size - 1) // count + 1)
    order = np.concatenate([numbers(seed, stage, "pass", number).permutation(count) for number in passes])
    start = first - passes.start * count
    return order[start : start + batch_size]
