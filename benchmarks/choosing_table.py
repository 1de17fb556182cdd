"""What the rows of choosing.py say: correlations with intervals, what a choice costs, kind by kind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from halescan.workflows.choose import rank_correlation

DRAWS = 1000
STEPS = (20, 60, 300, 1000)
# What the profiles do, as near as the recipes at hand come to it: the pooling, and the training.
PROFILES = {
    "us-busi": ("top5%", "patchcore 10-13-17"),
    "mri-lgg-flair": ("top1%", "denoising 120"),
    "ct-sarscov2": ("places mean", "patchcore 3-6"),
    "cxr-kermany": ("places mean", "patchcore 10-13-17"),
    "histo-hpylori": ("places top1%", "patchcore 3-6"),
}
Row = Mapping[str, Any]
Guide = Callable[[list[Row]], np.ndarray]  # the rows of one set to how good each seems without labels, `(n,)`


def column(name: str) -> Guide:
    """A figure of the rows as it stands; one that is not told counts as the least."""
    return lambda rows: np.array([-1.0 if row[name] is None else row[name] for row in rows])


def of_kind(kind: str) -> Guide:
    """AUROC on one kind of planted anomaly."""
    return lambda rows: np.array([row["by_kind"][kind] for row in rows])


def both(first: Guide, second: Guide) -> Guide:
    """The mean of two guides' ranks."""
    return lambda rows: (rankdata(first(rows)) + rankdata(second(rows))) / 2


def over_kinds(*left_out: str) -> Guide:
    """Mean AUROC over the kinds of planted anomalies but some."""
    return lambda rows: np.array([np.mean([v for k, v in row["by_kind"].items() if k not in left_out]) for row in rows])


PLANTED = "planted anomalies (AUROC)"
GUIDES: dict[str, Guide] = {
    PLANTED: over_kinds("veil"),
    "planted, each against its original": column("paired"),
    "seeds agree (scores)": column("agreement"),
    "seeds agree (maps)": column("map_agreement"),
    "planted + agreement of scores": both(over_kinds("veil"), column("agreement")),
    "planted + agreement of maps": both(over_kinds("veil"), column("map_agreement")),
}


def page(rows: list[Row], *, half: str) -> str:
    """Markdown."""
    true = f"true_{half}"
    sets = list(dict.fromkeys(row["set"] for row in rows))
    kinds = list(dict.fromkeys(kind for row in rows for kind in row["by_kind"]))
    complete = [row for row in rows if len(row["by_kind"]) == len(kinds)]
    parts = [
        f"# Choosing without labels, the {half} half",
        f"{len(rows)} recipes: {trainings_in(rows, sets)}. Made by `benchmarks/choosing.py`; every row lies in "
        "`choosing.jsonl`. Spearman's rank correlation between what is known without labels and the true test AUROC "
        f"of the {half} half of the test patients; 95 % intervals redraw trainings (all poolings of one together), and "
        "in the last column sets too.",
        "## All recipes: method, settings, pooling",
        correlations(rows, sets, true, GUIDES, everything),
        f"Ceiling: {ceiling(rows, sets, half)}",
        "## Methods and epochs, at one pooling each (mean over the poolings)",
        correlations(rows, sets, true, GUIDES, at_one_pooling),
        "## Poolings, of one training each (mean over the trainings)",
        correlations(rows, sets, true, GUIDES, within_one_training),
        "## Kind by kind (all recipes that were shown all kinds; the choice leaves the veil out)",
        correlations(
            complete, sets, true, {**{k: of_kind(k) for k in kinds}, "all with the veil": over_kinds()}, everything
        ),
        "## What a choice is worth: true AUROC of the recipe taken",
        costs(rows, sets, true),
        "## Epochs: the autoencoder after fewer and more steps (l1), at one pooling each",
        epochs(rows, sets, true),
    ]
    return "\n\n".join(parts) + "\n"


def trainings_in(rows: list[Row], sets: Sequence[str]) -> str:
    return ", ".join(f"{name} {len({r['training'] for r in rows if r['set'] == name})} trainings" for name in sets)


def everything(rows: list[Row]) -> Iterator[list[Row]]:
    """All recipes of a set are compared."""
    yield rows


def at_one_pooling(rows: list[Row]) -> Iterator[list[Row]]:
    """Recipes of one pooling are compared."""
    for pooling in sorted({pooling_of(row) for row in rows}):
        yield [row for row in rows if pooling_of(row) == pooling]


def within_one_training(rows: list[Row]) -> Iterator[list[Row]]:
    """Poolings of the same maps are compared."""
    for maps in sorted({maps_of(row) for row in rows}):
        yield [row for row in rows if maps_of(row) == maps]


def pooling_of(row: Row) -> str:
    """`places top1%` of `padim 3-6 places top1%`."""
    words = row["recipe"].split()
    return " ".join(words[-2:]) if words[-2] == "places" else words[-1]


def maps_of(row: Row) -> str:
    return row["recipe"].removesuffix(pooling_of(row)).strip()


def correlations(
    rows: list[Row],
    sets: Sequence[str],
    true: str,
    guides: Mapping[str, Guide],
    compared: Callable[[list[Row]], Iterator[list[Row]]],
) -> str:
    """One line a guide, one column a set, and their mean."""
    random = np.random.default_rng(0)
    lines = ["| guide | " + " | ".join(sets) + " | mean of the sets |", "|---" * (len(sets) + 2) + "|"]
    for name, guide in guides.items():
        drawn, found = [], []
        for one in sets:
            own = [row for row in rows if row["set"] == one]
            found.append(mean_correlation(own, true, guide, compared))
            drawn.append([mean_correlation(redrawn(own, random), true, guide, compared) for _ in range(DRAWS // 5)])
        table = np.array(drawn)
        picked = random.integers(0, len(sets), (DRAWS, len(sets)))
        over = [np.nanmean([table[s, random.integers(table.shape[1])] for s in pick]) for pick in picked]
        cells = [figure(value, draws) for value, draws in zip(found, table, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | **{figure(np.nanmean(found), over)}** |")
    return "\n".join(lines)


def redrawn(rows: list[Row], random: np.random.Generator) -> list[Row]:
    """Trainings drawn again, each with all its poolings; one drawn twice counts as two."""
    names = sorted({row["training"] for row in rows})
    again = []
    for number, name in enumerate(random.choice(names, len(names))):
        own = [row for row in rows if row["training"] == name]
        again += [{**row, "recipe": f"{number} {row['recipe']}", "training": f"{number} {name}"} for row in own]
    return again


def mean_correlation(
    rows: list[Row], true: str, guide: Guide, compared: Callable[[list[Row]], Iterator[list[Row]]]
) -> float:
    found = []
    for some in compared(rows):
        truth = np.array([row[true] for row in some])
        if len(some) > 2 and np.ptp(truth) > 0:
            found.append(rank_correlation(guide(some), truth))
    return float(np.mean(found)) if found else float("nan")


def ceiling(rows: list[Row], sets: Sequence[str], half: str) -> str:
    """How well the labels of one half of the patients would have guided the choice for the other."""
    if half != "odd":
        return "told in the report (it needs the other half)."
    found = []
    for one in sets:
        own = [row for row in rows if row["set"] == one]
        value = rank_correlation(column("true_even")(own), column("true_odd")(own))
        found.append(f"{one} {value:.2f}")
    return (
        "the true AUROC of the even half, with labels, correlates with that of the odd half by "
        + ", ".join(found)
        + "."
    )


def costs(rows: list[Row], sets: Sequence[str], true: str) -> str:
    """The best, what each guide takes, what does best on the other sets, the median."""
    lines = ["| taken | " + " | ".join(sets) + " | mean |", "|---" * (len(sets) + 2) + "|"]
    own = {one: [row for row in rows if row["set"] == one] for one in sets}
    taken: dict[str, list[float]] = {
        "the best there is (with the labels)": [max(r[true] for r in own[s]) for s in sets]
    }
    for name, guide in GUIDES.items():
        taken[name] = [own[s][int(np.argmax(guide(own[s])))][true] for s in sets]
    usual = {s: [row for row in own[s] if pooling_of(row) == PROFILES[s][0]] for s in sets}
    taken["the profile's pooling, the method by planted anomalies"] = [
        usual[s][int(np.argmax(GUIDES[PLANTED](usual[s])))][true] for s in sets
    ]
    taken["the profile's pooling, the mean of the methods"] = [
        float(np.mean([r[true] for r in usual[s]])) for s in sets
    ]
    taken["the profile's method and pooling, as near as at hand"] = [
        next(r[true] for r in usual[s] if r["training"] == PROFILES[s][1]) for s in sets
    ]
    taken["the recipe best on the other sets, with their labels"] = [best_elsewhere(own, s, true) for s in sets]
    taken["the median recipe"] = [float(np.median([r[true] for r in own[s]])) for s in sets]
    for name, values in taken.items():
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in values) + f" | **{np.mean(values):.3f}** |")
    return "\n".join(lines)


def best_elsewhere(own: Mapping[str, list[Row]], here: str, true: str) -> float:
    """True AUROC here of the recipe with the best mean rank on all other sets."""
    shared = set.intersection(*({row["recipe"] for row in rows} for rows in own.values()))
    ranks: dict[str, float] = dict.fromkeys(sorted(shared), 0.0)
    for name, rows in own.items():
        if name != here:
            some = [row for row in rows if row["recipe"] in shared]
            for row, place in zip(some, rankdata([row[true] for row in some]), strict=True):
                ranks[row["recipe"]] += float(place)
    best = max(ranks, key=ranks.__getitem__)
    return next(row[true] for row in own[here] if row["recipe"] == best)


def epochs(rows: list[Row], sets: Sequence[str], true: str) -> str:
    """How often each guide takes the truly best number of steps, and what it loses on average."""
    groups = []
    for one in sets:
        some = [r for r in rows if r["set"] == one and maps_of(r) in {f"autoencoder {n} l1" for n in STEPS}]
        groups += [group for group in at_one_pooling(some) if len(group) > 1]
    if not groups:
        return "not run yet"
    best = [max(row[true] for row in group) for group in groups]
    taken = {name: [group[int(np.argmax(guide(group)))][true] for group in groups] for name, guide in GUIDES.items()}
    taken["always the longest"] = [max(group, key=steps_of)[true] for group in groups]
    taken["always the shortest"] = [min(group, key=steps_of)[true] for group in groups]
    lines = ["| taken | truly best | mean AUROC lost |", "|---|---|---|"]
    for name, values in taken.items():
        hits = sum(value == most for value, most in zip(values, best, strict=True))
        lines.append(f"| {name} | {hits} of {len(groups)} | {np.mean(np.subtract(best, values)):.3f} |")
    return "\n".join(lines)


def steps_of(row: Row) -> int:
    """`300` of `autoencoder 300 l1 max`."""
    return int(row["recipe"].split()[1])


def figure(value: float, drawn: Any) -> str:
    usable = np.asarray(drawn, float)
    usable = usable[np.isfinite(usable)]
    if not np.isfinite(value) or not len(usable):
        return "–"
    low, high = np.percentile(usable, [2.5, 97.5])
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
