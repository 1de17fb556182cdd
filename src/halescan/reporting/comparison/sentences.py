"""Sentences of the page: its title, what a hurried reader should take away, seeds, sources and settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from halescan.reporting.comparison.words import counted, figure, setting


def title_of(record: Mapping[str, Any]) -> str:
    """The page's heading; the trivial baseline that stands beside whatever was asked is not counted."""
    count = sum(not method["baseline"] for method in record["methods"])
    names = ", ".join(one["name"] for one in record["sets"])
    return f"Comparison of {counted(count, 'anomaly detection method')} on {names}"


def headline(record: Mapping[str, Any]) -> Iterator[str]:
    """What a hurried reader should take away, one sentence a set."""
    for one in record["sets"]:
        known = [line for line in one["ranking"] if line["rank"] is not None]
        if not known:
            yield f"{one['name']}: no method came through."
            continue
        best = known[0]
        tied = [line["method"] for line in known[1:] if _not_told_apart(line)]
        reached = f"AUROC {figure(best['auroc'])}"
        if one["above_chance"] is False:
            yield f"{one['name']}: no method is told from chance; the highest is {best['method']}, {reached}."
            continue
        said = f"{one['name']}: {best['method']} {'leads with' if len(known) > 1 else 'alone, with'} {reached}"
        yield said + (f"; not told apart from it: {', '.join(tied)}." if tied else ".")


def _not_told_apart(line: Mapping[str, Any]) -> bool:
    told = line["versus_best"] or {}
    return told.get("p_holm") is not None and told["p_holm"] >= 0.05


def seeds_told(record: Mapping[str, Any]) -> Iterator[str]:
    """Which seeds each method was run with; one where all give the same."""
    lines = [line for one in record["sets"] for line in one["ranking"]]
    for name, count in record["conditions"]["seeds"].items():
        once = [line["same_in_every_seed"] for line in lines if line["method"] == name]
        several = ", ".join(map(str, range(count)))
        if any(once):
            yield f"{name} 0, which stands for any" + ("" if all(once) else f", or {several} where they differ")
        else:
            yield f"{name} {several}"


def sources(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for method in record["methods"]:
        found |= method["sources"]
    return sorted(found.items())


def settings_rows(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Each method's settings; sets that share them share a row."""
    for method in record["methods"]:
        told: dict[str, list[str]] = {}
        for name, settings in method["settings"].items():
            words = "; ".join(f"{key} {setting(value)}" for key, value in settings.items()) or "none"
            detector = method["detectors"][name]
            words = words if detector == method["name"] else f"{detector}: {words}"
            told.setdefault(words, []).append(name)
        for words, names in told.items():
            yield {"method": method["name"], "sets": ", ".join(names), "settings": words}
