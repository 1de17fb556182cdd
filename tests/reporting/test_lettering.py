"""Letters in pictures."""

import pytest

from halescan.reporting.lettering import text_font


@pytest.mark.parametrize("letter", "éÉàçêôµ·0")
def test_every_letter_a_picture_needs_can_be_drawn(letter):
    font = text_font(16)
    assert bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
