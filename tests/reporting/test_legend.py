"""The legend."""

from xml.etree import ElementTree

from halescan.reporting.colours import TAIL_MAX, scale_rgb
from halescan.reporting.legend import legend_svg


def test_the_legend_shows_the_colours_of_the_map_with_a_word_at_each_step():
    root = ElementTree.fromstring(legend_svg(title="rare", tick_texts=("1 in 10", "b", "c", "d"), alt="legend"))
    bars = [node for node in root.iter() if node.tag.endswith("rect")]
    red, green, blue = scale_rgb(TAIL_MAX)
    assert bars[-1].get("fill") == f"#{red:02x}{green:02x}{blue:02x}"
    texts = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert texts == ["rare", "1 in 10", "b", "c", "d"]
