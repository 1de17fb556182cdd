"""Summary: mean AUROC and mean rank over the sets on which every method came through."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from halescan.evaluation.ranks import joined, mean_ranks


def summary_of(sets: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Mean AUROC and mean rank over the sets on which every method of the table came through."""
    table = {
        name: [
            next((line["auroc"]["value"] for line in one["ranking"] if line["method"] == name and line["rank"]), None)
            for one in sets
        ]
        for name in names
    }
    complete = [name for name, values in table.items() if None not in values]
    found: dict[str, Any] = {"sets": len(sets), "left_out": [name for name in names if name not in complete]}
    if not complete or not sets:
        return {**found, "rows": [], "p_value": None, "critical": None, "joined": []}
    figures = np.array([[table[name][place] for name in complete] for place in range(len(sets))], float)
    ranks = mean_ranks(figures)
    rows: list[dict[str, Any]] = [
        {"method": name, "mean_rank": rank, "mean_auroc": float(figures[:, place].mean()), "auroc": table[name]}
        for place, (name, rank) in enumerate(zip(complete, ranks.mean, strict=True))
    ]
    rows.sort(key=lambda row: (row["mean_rank"], -row["mean_auroc"]))
    alike = [[complete[place] for place in run] for run in joined(ranks.mean, ranks.critical)]
    return {**found, "rows": rows, "p_value": ranks.p_value, "critical": ranks.critical, "joined": alike}
