"""The reference names every classifier, each of its settings and its source."""

import re
from pathlib import Path

import pytest

from halescan.classifiers import BAG_CLASSIFIERS, CLASSIFIERS, find_bag_classifier, find_classifier

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "classifiers.md"


@pytest.mark.parametrize("name", [*CLASSIFIERS, *BAG_CLASSIFIERS])
def test_every_classifier_has_a_heading_its_settings_and_its_source(name: str) -> None:
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {name}\n")
    assert found
    told = rest.partition("\n## ")[0]
    kind = find_classifier(name) if name in CLASSIFIERS else find_bag_classifier(name)
    assert sorted(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == sorted(kind().settings)
    assert kind.source.partition("://")[2].removeprefix("doi.org/") in told
    assert "**Cost**" in told
