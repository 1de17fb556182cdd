"""What was measured, into the page of each method: docs/methods/NAME.md, from results/compare.json.

    python benchmarks/method_pages.py        after compare.py and method_figures.py

Between `<!-- measured -->` and `<!-- /measured -->` stands the table; the picture of `method_figures.py` goes below the
first paragraph. Both are put in where they are missing. docs/explanation/comparison.md gets the whole table.
"""

import re
import shutil
from typing import Any

from compare import RESULTS, SETS, earlier, four, read, row_of, seconds, takes

from halescan.detectors import catalogue, find_detector

PAGES = RESULTS.parent.parent / "docs" / "methods"
PICTURES = PAGES.parent / "images" / "methods"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
BUSI = "Al-Dhabyani et al. 2020, [doi:10.1016/j.dib.2019.104863](https://doi.org/10.1016/j.dib.2019.104863), CC BY 4.0"
USUAL = "The `cpu` preset on three test scans of us-busi, fixed before any method was seen."
PICTURED = {
    "guided-diffusion": (
        "breast ultrasound images",
        f"{USUAL} It learned from the other abnormal images of the test part, as the training part has none: a "
        f"picture, not a measurement. Scans: {BUSI}.",
    ),
    "modality-translation": (
        "phantoms",
        "The `cpu` preset on three phantoms, chests at three X-ray energies, as no set at hand has several contrasts. "
        "A nodule that takes up iodine breaks the relation between the energies; one that takes up none does not.",
    ),
}
EARLIER = "The map is that before maps of ultrasound sought what is darker than in health. "
WHY = "../explanation/comparison.md#why-some-do-not-beat-the-atlas"


def main() -> None:
    """Write all pages."""
    rows = read()["rows"]
    for name in catalogue():
        page = PAGES / f"{name}.md"
        page.write_text(with_picture(with_table(page.read_text(), name, rows), name, rows))
    whole = PAGES.parent / "explanation" / "comparison.md"
    whole.write_text(between(whole.read_text(), (RESULTS / "compare.md").read_text().strip()))
    shutil.copy(RESULTS / "compare.svg", PAGES.parent / "images" / "comparison.svg")


def with_table(text: str, name: str, rows: dict[str, Any]) -> str:
    """The page with its table made anew."""
    if BEGIN not in text:
        before, source, after = text.partition("**Source**")
        text = f"{before}{BEGIN}{END}\n\n{source}{after}"
    return between(text, measured(name, rows))


def between(text: str, what: str) -> str:
    """A page with this between the two marks."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{what}\n{END}", text, flags=re.DOTALL)


def with_picture(text: str, name: str, rows: dict[str, Any]) -> str:
    """The page with its picture, where there is one, and whether its map is as maps are now."""
    if not (PICTURES / f"{name}.jpg").exists():
        return text
    if f"images/methods/{name}.jpg" in text:
        row = rows.get(f"us-busi {name}")
        stale = row is not None and earlier("us-busi", row)
        return text.replace(EARLIER, "").replace(f"Scans: {BUSI}", f"{EARLIER if stale else ''}Scans: {BUSI}", 1)
    title, idea, rest = text.split("\n\n", 2)
    what, said = PICTURED.get(name, ("breast ultrasound images", f"{USUAL} Scans: {BUSI}."))
    drawn = f"![Scans, maps and findings of {name} on three {what}](../images/methods/{name}.jpg)"
    return "\n\n".join([title, idea, drawn, f"*{said}*", rest])


def measured(name: str, rows: dict[str, Any]) -> str:
    """The table of a method, whether it beats the trivial one, and where it has not run."""
    if find_detector(name).needs_abnormal:
        return (
            "It learns from labels, and is not in the [comparison](../explanation/comparison.md) of those that do not."
        )
    found = {one: row for one in SETS if (row := row_of(rows, one, name)) is not None}
    missing = [one for one in SETS if one not in found and takes(name, one)]
    if not found:
        where = "" if len(missing) == len(SETS) else f" It can learn from {', '.join(missing)} alone: others are grey."
        return f"Not yet run in the [comparison](../explanation/comparison.md).{where}"
    lines = [
        f"The `cpu` preset in the [comparison](../explanation/comparison.md); intervals of 95 %{seeds(found)}.",
        "",
        "| set | image AUROC | image AP | pixel AP | Dice | against healthy-atlas | fit, s | ms an image |",
        "|---|---|---|---|---|---|---|---|",
        *(line(one, row) for one, row in found.items()),
        "",
    ]
    if name != "healthy-atlas":
        better = [one for one, row in found.items() if row["against_atlas"] and row["against_atlas"]["low"] > 0]
        sets = "the one set it can learn from" if len(found) == 1 else f"{len(better)} of {len(found)} sets"
        said = (
            f"Better than `healthy-atlas`, lower bound above 0, on {sets if better else f'none of {len(found)} sets'}"
        )
        lines.append(said + (f" ({', '.join(better)})." if better else "."))
        if len(better) < min(2, len(found)):
            lines[-1] += f" [Why some do not]({WHY})."
    if any(row.get("busy", True) and row["cost"] for row in found.values()):
        lines.append("† on a machine that had other work at the time.")
    if any(earlier(one, row) for one, row in found.items()):
        lines.append("‡ made before the map sought what is darker than in health; not made again yet.")
    if missing:
        lines.append(f"Not run yet: {', '.join(missing)}.")
    return "\n".join(lines)


def seeds(found: dict[str, Any]) -> str:
    """How many trainings, said once."""
    counts = sorted({row["seeds"] for row in found.values()})
    return f", {' or '.join(map(str, counts))} seed{'s' * (counts != [1])}"


def line(one: str, row: dict[str, Any]) -> str:
    """One set."""
    if row["auroc"] is None:
        return f"| {one} | failed: {row['why'].replace('|', '/')} | | | | | | |"
    cells = four(one, row)
    atlas, cost = row["against_atlas"], row["cost"]
    against = f"{atlas['difference']:+.3f} ({atlas['low']:+.3f} to {atlas['high']:+.3f})" if atlas else "–"
    return (
        f"| {one}{earlier(one, row)} | {' | '.join(cells)} | {against} | {seconds(row)} | {cost['ms_an_image']:.3g} |"
    )


if __name__ == "__main__":
    main()
