"""Side by side: a processor scores images sooner on one thread each than one after the other on all its threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Answer = TypeVar("Answer")


def side_by_side(work: Callable[[Part], Answer], parts: Sequence[Part], *, device: torch.device) -> list[Answer]:
    """`work(part)` for each part, in order; on a processor on as many threads as torch has leave to use.

    An accelerator takes one part after the other: it is parallel inside.
    """
    threads = min(torch.get_num_threads(), len(parts))
    if threads < 2 or device.type != "cpu":
        return [work(part) for part in parts]
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, "score", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, parts))
    finally:
        torch.set_num_threads(before)  # a part of torch keeps one number for all threads
