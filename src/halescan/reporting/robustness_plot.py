"""Robustness as small multiples: AUROC and false alarms against the strength of each distortion, on one scale."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from halescan.errors import OutputError
from halescan.reporting.numerals import percent
from halescan.reporting.plots import ABNORMAL, GREY, HEALTHY

_COLUMNS = 4
_CELL_INCHES, _DOTS = (2.9, 2.6), 150
_LINES = (
    ("auroc", "AUROC", HEALTHY, "o", "-"),
    ("false_alarm", "false alarms", ABNORMAL, "s", "--"),
)


def robustness_plot(record: Mapping[str, Any], path: Path) -> None:
    """Write the picture of `workflows.robustness`' record as PNG; bands are 95 % intervals.

    Raises:
        OutputError: if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(record["distortions"])
    down = -(-(len(names) + 1) // _COLUMNS)  # and a cell for the legend
    figure = Figure(figsize=(_COLUMNS * _CELL_INCHES[0], down * _CELL_INCHES[1] + 0.5), dpi=_DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    cells = figure.subplots(down, _COLUMNS, squeeze=False).ravel()
    for name, axes in zip(names, cells, strict=False):
        rows = [row for row in record["rows"] if row["distortion"] == name]
        _draw(axes, rows, record["distortions"][name], float(record["about"]["false_alarms_asked"]))
    for axes in cells[len(names) :]:
        axes.set_axis_off()
    cells[-1].legend(
        *cells[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=10, title="bands: 95 % intervals"
    )
    n, about = record["n"], record["about"]
    title = f"{about['detector']} on {about['profile']}: {n['healthy']} healthy, {n['abnormal']} abnormal cases"
    figure.suptitle(title, fontsize=12, fontweight="bold", parse_math=False)
    try:
        canvas.print_png(str(path))
    except OSError as error:
        raise OutputError(f"{path}: cannot write the plot ({error.strerror or error})") from error


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]], words: Mapping[str, str], asked: float) -> None:
    """One distortion, from none on the left to strong on the right, evenly spaced."""
    places = list(range(len(rows)))
    axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1.0, label="AUROC of chance")
    axes.axhline(
        asked, color=ABNORMAL, linestyle=":", linewidth=1.0, label=f"false alarms asked ({percent(asked, 'en')})"
    )
    for key, label, colour, marker, line in _LINES:
        known = [place for place in places if rows[place][key]["value"] is not None]
        values = [rows[place][key]["value"] for place in known]
        axes.plot(known, values, color=colour, marker=marker, markersize=5, linestyle=line, linewidth=1.8, label=label)
        if known and known[0] == 0:  # a ring: the scans as they are
            axes.plot(0, values[0], marker=marker, markersize=9, markerfacecolor="white", color=colour, linestyle="")
        banded = [place for place in known if rows[place][key].get("low") is not None]
        low, high = ([rows[place][key][end] for place in banded] for end in ("low", "high"))
        axes.fill_between(banded, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xticks(places, [f"{row['strength']:g}" for row in rows])
    axes.set(xlim=(-0.2, len(rows) - 0.8), ylim=(-0.03, 1.03))
    axes.set_title(words["title"], fontsize=11, parse_math=False)
    axes.set_xlabel(words["unit"], fontsize=8.5, parse_math=False)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
