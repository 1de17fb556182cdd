"""The page of a comparison: one HTML file with everything inside, fit for the supplement of a paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from halescan.reporting.charts import Style
from halescan.reporting.comparison.beside import published_row, subgroup_tables, trivial_row
from halescan.reporting.comparison.curves import curve_charts
from halescan.reporting.comparison.lesions import lesions_view
from halescan.reporting.comparison.overview import cost_charts, overview_view
from halescan.reporting.comparison.pictures import pictures_view
from halescan.reporting.comparison.ranking import COSTS, by_patient, least_shown, levels_of, ranking_row, where_known
from halescan.reporting.comparison.robustness import robustness_charts
from halescan.reporting.comparison.sentences import headline, seeds_told, settings_rows, sources, title_of
from halescan.reporting.comparison.styles import legend_of, styles_of
from halescan.reporting.comparison.words import counted, sentence
from halescan.reporting.json_out import write_atomically
from halescan.reporting.words import features_words


def write_compare_page(
    record: Mapping[str, Any],
    *,
    curves: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
    path: Path,
) -> None:
    """Write the page whole or not at all.

    Args:
        record: The content of `comparison.json`.
        curves: By set and method: `roc`, `pr`, `alarms` and, where lesions are outlined, `froc` as lists of `(x, y)`.
        pictures: By set: `{"method", "pictures": [{"kind", "bytes", "rank", "of", "p_value", "decision"}]}`.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_atomically(render_compare_page(record, curves=curves, pictures=pictures), path)


def render_compare_page(
    record: Mapping[str, Any],
    *,
    curves: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
) -> str:
    """The whole page as text."""
    styles = styles_of(record)
    marked = _marked(record)
    sets = [_set_view(one, curves.get(one["name"], {}), pictures.get(one["name"]), styles) for one in marked]
    return _template().render(
        record=record,
        sets=sets,
        overview=overview_view(record, styles) if len(sets) > 1 else None,
        title=title_of(record),
        costs=cost_charts(record, styles),
        sources=sources(record),
        settings=list(settings_rows(record)),
        headline=list(headline(record)),
        seeds=list(seeds_told(record)),
        failed=[cell for cell in record["cells"] if cell["state"] == "failed"],
    )


def _marked(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sets, and beside each method whether it learned from abnormal scans too."""
    names = {method["name"] for method in record["methods"] if method["supervised"]}
    return [
        {**one, "ranking": [{**line, "supervised": line["method"] in names} for line in one["ranking"]]}
        for one in record["sets"]
    ]


def _set_view(
    one: Mapping[str, Any],
    curves: Mapping[str, Any],
    pictures: Mapping[str, Any] | None,
    styles: Mapping[str, Style],
) -> dict[str, Any]:
    """What the template lays out for one set."""
    ranking = one["ranking"]
    return {
        **one,
        "levels": [f"{float(level):.0%}" for level in levels_of(ranking)],
        "by_patient": by_patient(one),
        "scale": f"{least_shown(ranking):.1f}",
        "cost_known": [key for key in COSTS if any((line["cost"] or {}).get(key) for line in ranking)],
        "where": where_known(ranking),
        "lesions": lesions_view(one, curves, styles),
        "once": any(line["same_in_every_seed"] and line["rank"] for line in ranking),
        "judged": any(line["reliability"] for line in ranking),
        "rows": [ranking_row(line, ranking, styles) for line in ranking],
        "charts": list(curve_charts(one, curves, styles)),
        "legend": legend_of([line["method"] for line in ranking if line["method"] in curves], styles),
        "robustness": list(robustness_charts(one, styles)),
        "robust_legend": legend_of(list(dict.fromkeys(row["method"] for row in one["robustness"])), styles),
        "pictures": None if pictures is None else pictures_view(pictures, ranking),
        "trivial": [trivial_row(figures) for figures in one["baselines"]],
        "published_rows": [published_row(row) for row in one["published"]],
        "subgroup_tables": list(subgroup_tables(one.get("subgroups"))),
        "asked": next((line["false_alarms"]["asked"] for line in ranking if line["false_alarms"]), None),
    }


@cache
def _template() -> Template:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["counted"] = counted
    pages.filters["features"] = lambda names: features_words(names, "en")
    pages.filters["sentence"] = sentence
    return pages.get_template("compare.html.j2")
