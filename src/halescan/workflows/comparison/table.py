"""Table: a comparison as Markdown, and as lines for a terminal."""

from collections.abc import Collection, Mapping
from typing import Any

from halescan.evaluation.tables import figure_text, markdown_table

_COLUMNS = {
    "rank": "rank",
    "method": "method",
    "auroc": "AUROC (95 %)",
    "average_precision": "average precision (95 %)",
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "alarms": "false alarms",
    "p_holm": "p against the best",
    "fit_s": "fit, s",
    "ms": "ms an image",
    "peak_mb": "peak, MB",
    "seeds": "seeds",
}


ONCE = "Seeds, any: nothing is drawn, scores are the same with every seed, and one was run."


def markdown(record: Mapping[str, Any]) -> str:
    """The whole comparison as Markdown: a table a set, and the summary over sets."""
    supervised = {method["name"] for method in record["methods"] if method["supervised"]}
    parts = ["# Comparison\n", _conditions(record)]
    if len(record["sets"]) > 1:
        parts += ["## Over all sets\n", _summary(record)]
    for one in record["sets"]:
        parts += [
            f"## {one['name']}\n",
            _about(one),
            markdown_table([_row(line, supervised) for line in one["ranking"]], columns=_used(one)),
        ]
        parts += [f"{ABOVE_NO_CHANCE[0].upper()}{ABOVE_NO_CHANCE[1:]}.\n"] if one["above_chance"] is False else []
        parts += [f"{ONCE}\n"] if any(line["same_in_every_seed"] for line in one["ranking"]) else []
        parts += [f"- **Warning**: {warning}\n" for warning in one["warnings"]]
        parts += [f"- {remark}\n" for remark in one["remarks"]]
        parts += [f"- {line['method']} failed: {line['why']}\n" for line in one["ranking"] if line["why"]]
        parts += [*_lesion_table(one), *_robustness_tables(one), *_published(one)]
    parts += [f"{sentence}\n" for sentence in stray_published(record)]
    return "\n".join(parts)


def terminal_lines(record: Mapping[str, Any]) -> list[str]:
    """For a person: each set's ranking, its warnings, and what failed."""
    lines: list[str] = []
    supervised = {method["name"] for method in record["methods"] if method["supervised"]}
    for one in record["sets"]:
        detected = " (detected)" if one["profile_detected"] else ""
        lines += [f"{one['name']}, profile {one['profile']}{detected}: AUROC"]
        for line in one["ranking"]:
            mark = _mark(line, supervised)
            figure = figure_text(line["auroc"]) if line["rank"] else f"failed: {line['why']}"
            lines.append(f"  {line['rank'] or '-':>2}  {line['method'] + mark:<36} {figure}")
            if line["rank"] and line["why"]:
                lines.append(f"      {line['seeds']} seeds came through; {line['why']}")
        lines += [f"  {ABOVE_NO_CHANCE}"] if one["above_chance"] is False else []
        lines += [f"  warning: {warning}" for warning in one["warnings"]]
        lines += [f"  note: {remark}" for remark in one["remarks"]]
    return [*lines, *stray_published(record)]


ABOVE_NO_CHANCE = "no method is told from chance (an AUROC of 0.5)"


def stray_published(record: Mapping[str, Any]) -> list[str]:
    """In a sentence: the published figures that stand nowhere, as no set of this comparison is called so."""
    lines: dict[str, list[str]] = {}
    for row in record["published_elsewhere"]:
        lines.setdefault(row["set"], []).append(str(row["line"]))
    names = ", ".join(one["name"] for one in record["sets"])
    return [
        f"published figures, line{'s' * (len(numbers) > 1)} {', '.join(numbers)}: no set here is called {name!r} "
        f"(there {'are' if len(record['sets']) > 1 else 'is'} {names}), so they are not shown"
        for name, numbers in lines.items()
    ]


def _row(line: Mapping[str, Any], supervised: Collection[str] = ()) -> dict[str, Any]:
    cost, versus = line["cost"] or {}, line["versus_best"] or {}
    alarms = line["false_alarms"] or {}
    return {
        **{key: line[key] for key in ("rank", "auroc", "average_precision", "pixel_average_precision", "dice")},
        "seeds": f"{line['seeds']} (any)" if line["same_in_every_seed"] else line["seeds"],
        "method": line["method"] + _mark(line, supervised),
        "alarms": alarms.get("realised"),
        "p_holm": _p_text(versus.get("p_holm")),
        "fit_s": _whole(cost.get("fit_s")),
        "ms": None if cost.get("ms_an_image") is None else f"{cost['ms_an_image']:.3g}",
        "peak_mb": _whole(cost.get("peak_mb")),
    }


def _mark(line: Mapping[str, Any], supervised: Collection[str]) -> str:
    """What a method is beside a method that learned from healthy scans."""
    return " (baseline)" * bool(line["baseline"]) + " (supervised)" * (line["method"] in supervised)


def _used(one: Mapping[str, Any]) -> dict[str, str]:
    """The columns that hold something, with the asked rate in its heading."""
    rows = [_row(line) for line in one["ranking"]]
    columns = {key: head for key, head in _COLUMNS.items() if any(row[key] is not None for row in rows)}
    asked = next((line["false_alarms"]["asked"] for line in one["ranking"] if line["false_alarms"]), None)
    if "alarms" in columns and asked is not None:
        columns["alarms"] = f"false alarms at {100 * asked:g} % asked"
    return columns


def _about(one: Mapping[str, Any]) -> str:
    n, train = one["n"] or {}, one["train"]
    detected = ", detected" if one["profile_detected"] else ""
    tested = f"{n.get('healthy', '?')} healthy and {n.get('abnormal', '?')} abnormal cases"
    return f"Profile {one['profile']}{detected}; {train['scans']} healthy scans to learn from, tested on {tested}.\n"


def _summary(record: Mapping[str, Any]) -> str:
    summary = record["summary"]
    names = [one["name"] for one in record["sets"]]
    columns = {
        "method": "method",
        "mean_rank": "mean rank",
        "mean_auroc": "mean AUROC",
        **{name: name for name in names},
    }
    rows = [{**row, **dict(zip(names, row["auroc"], strict=True))} for row in summary["rows"]]
    said = markdown_table(rows, columns=columns) if rows else "No method came through on every set.\n"
    if summary["critical"] is not None and summary["p_value"] is not None:
        said += (
            f"\nFriedman's test: p = {summary['p_value']:.3f}. Mean ranks less than {summary['critical']:.2f} apart "
            "(Nemenyi, 5 %) are not told apart by these sets.\n"
        )
    if summary["left_out"]:
        said += f"\nNot on every set, and left out here: {', '.join(summary['left_out'])}.\n"
    return said


def _conditions(record: Mapping[str, Any]) -> str:
    told = record["conditions"]
    machine = told["machine"]
    return (
        f"Halescan {told['halescan']}, {record['created_utc'][:10]}, {machine['processor']} ({machine['cores']} cores"
        f"{', ' + machine['accelerator'] if machine['accelerator'] else ''}). Intervals: {told['intervals']}. "
        "A p-value compares a method with the best of its table on the same cases (DeLong or paired bootstrap, "
        "Holm-corrected). Research use only.\n"
    )


def _lesion_table(one: Mapping[str, Any]) -> list[str]:
    """Lesions found at so many false findings a case; nothing without masks."""
    known = [line for line in one["ranking"] if line["lesions"]]
    if not known:
        return []
    at = [line["lesions"]["sensitivity_at"] for line in known]
    rates = [rate for rate in at[0] if any(one[rate]["reached"] for one in at)]
    columns = {
        "method": "method",
        "found": "found at the threshold",
        "false": "false findings a case there",
        **{rate: f"at {rate_words(rate)}" for rate in rates},
    }
    rows = [
        {"method": line["method"], "found": told["sensitivity"], "false": told["false_findings_per_case"]}
        | {rate: figure if figure["reached"] else None for rate, figure in told["sensitivity_at"].items()}
        for line in known
        for told in (line["lesions"],)
    ]
    return [
        f"Share of {known[0]['lesions']['lesions']} lesions found, at the model's own threshold and at so many false "
        "findings a case (a dash: it never makes so many):\n",
        markdown_table(rows, columns=columns),
    ]


def rate_words(rate: str) -> str:
    """`1/8` for "0.125"."""
    value = float(rate)
    return f"1/{1 / value:g}" if value < 1 else f"{value:g}"


def _robustness_tables(one: Mapping[str, Any]) -> list[str]:
    """AUROC and false alarms under each distortion, a column a method; nothing where it was not asked for."""
    parts: list[str] = []
    for key, words in (("auroc", "AUROC"), ("false_alarm", "False alarms")):
        table: dict[tuple[str, float], dict[str, Any]] = {}
        for row in one["robustness"]:
            heading = {"distortion": f"{row['title']}, {row['unit']}", "strength": f"{row['strength']:g}"}
            table.setdefault((row["distortion"], row["strength"]), heading)[row["method"]] = row[key]
        names = dict.fromkeys(row["method"] for row in one["robustness"])
        columns = {"distortion": "distortion", "strength": "strength", **{name: name for name in names}}
        if any(row.get(name) for row in table.values() for name in names):
            parts += [
                f"{words} on distorted scans, first seed:\n",
                markdown_table(list(table.values()), columns=columns),
            ]
    return parts


def _published(one: Mapping[str, Any]) -> list[str]:
    if not one["published"]:
        return []
    rows = [{**row, "split": "same split" if row["same_split"] else "another split"} for row in one["published"]]
    columns = {name: name for name in ("method", "metric", "value", "split", "source", "note")}
    if not any(row["note"] for row in rows):
        del columns["note"]
    return ["Published elsewhere (not measured here, not ranked):\n", markdown_table(rows, columns=columns)]


def _p_text(p: float | None) -> str | None:
    if p is None:
        return None
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}"
