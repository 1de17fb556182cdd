"""The records that travel between rooms."""

from itertools import pairwise

import numpy as np
import pytest

from halescan.types import JoinedImages, Stack


@pytest.mark.parametrize("ends", [(0, 4, 7), (0, 2, 2, 5, 7), (0, 7)])
def test_joined_cohorts_are_read_as_one_in_any_order(ends: tuple[int, ...]) -> None:
    parts = [Stack(np.arange(a, b, dtype=np.float32).reshape(-1, 1, 1, 1)) for a, b in pairwise(ends)]
    joined = JoinedImages(*parts, batch_size=3)
    assert len(joined) == 7
    assert joined.take([6, 0, 4, 3, 6]).images.ravel().tolist() == [6, 0, 4, 3, 6]
    assert joined.take([1]).images.ravel().tolist() == [1]
    assert joined.take([]).images.shape == (0, 1, 1, 1)
    assert [value for batch in joined for value in batch.images.ravel().tolist()] == list(range(7))
    assert joined.take([0, 5]).mask is None


def test_joined_cohorts_keep_masks_that_all_of_them_have() -> None:
    images = np.zeros((2, 1, 1, 1), np.float32)
    outlined = Stack(images, mask=np.array([False, True]).reshape(2, 1, 1))
    assert JoinedImages(outlined, Stack(images)).take([0, 2]).mask is None
    both = JoinedImages(outlined, outlined).take([3, 0, 1]).mask
    assert both is not None
    assert both.ravel().tolist() == [True, False, True]
