"""Pictures of an evaluation: ROC, precision and recall, scores side by side, p-values of healthy cases, and FROC.

Colours are Okabe and Ito's (blue, vermilion), told apart in all common kinds of colour vision; lines differ too.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import OutputError, SettingError, ShapeError

HEALTHY, ABNORMAL, GREY = "#0072B2", "#D55E00", "#666666"
_WIDTH_INCHES, _HEIGHT_INCHES, _DOTS = 6.0, 5.0, 150  # 900 px wide, still readable shown at 600


def roc_plot(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    path: Path,
    *,
    auroc: Mapping[str, Any] | None = None,
    point: Mapping[str, Any] | None = None,
    title: str = "",
) -> None:
    """Write the ROC curve as PNG.

    Args:
        labels: `(n,)` True is abnormal.
        scores: `(n,)` larger is stranger.
        auroc: `{"value", "low", "high"}` for the title.
        point: The record of `evaluation.operating_point`, drawn where the threshold lies.
        title: First line; counts and AUROC stand below.

    Raises:
        SettingError: with cases of one class only.
        OutputError: if the file cannot be written.
    """
    truth, values = _check(labels, scores)
    hits, alarms = _running_counts(truth, values)
    rates = (np.append(0, alarms / (~truth).sum()), np.append(0, hits / truth.sum()))

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="chance")
        axes.plot(*rates, color=HEALTHY, linewidth=2.2, label="scores")
        if point is not None and None not in (point["sensitivity"]["value"], point["specificity"]["value"]):
            place = (1 - point["specificity"]["value"], point["sensitivity"]["value"])
            axes.plot(*place, "o", color=ABNORMAL, markersize=9, label="at the threshold")
        axes.set(xlabel="False alarms (share of healthy)", ylabel="Found (share of abnormal)")
        _unit_square(axes, legend_at="lower right")

    _write(draw, path, title=title, below=_caption(truth, "AUROC", auroc))


def pr_plot(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    path: Path,
    *,
    average_precision: Mapping[str, Any] | None = None,
    title: str = "",
) -> None:
    """Write the precision-recall curve as PNG; the dotted line is what guessing would give. Otherwise as `roc_plot`."""
    truth, values = _check(labels, scores)
    hits, alarms = _running_counts(truth, values)
    recall, precision = hits / truth.sum(), hits / (hits + alarms)

    def draw(axes: Any) -> None:
        axes.axhline(truth.mean(), color=GREY, linestyle=":", linewidth=1.2, label="chance")
        steps = (np.append(0, recall), np.append(precision[0], precision))
        axes.step(*steps, where="pre", color=HEALTHY, linewidth=2.2, label="scores")
        axes.set(xlabel="Found (share of abnormal)", ylabel="Right (share of alarms)")
        _unit_square(axes, legend_at="lower left")

    _write(draw, path, title=title, below=_caption(truth, "average precision", average_precision))


def score_histogram(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    path: Path,
    *,
    threshold: float | None = None,
    auroc: Mapping[str, Any] | None = None,
    title: str = "",
) -> None:
    """Write the scores of healthy and abnormal cases as PNG: share of each class in common bins, with the threshold.

    One class alone is drawn alone.

    Raises:
        SettingError: without cases or with scores that are not finite.
        OutputError: if the file cannot be written.
    """
    truth, values = _check(labels, scores, both=False)
    edges = _edges(values, threshold)

    def draw(axes: Any) -> None:
        for which, name, colour, hatch in ((~truth, "healthy", HEALTHY, None), (truth, "abnormal", ABNORMAL, "///")):
            if which.any():
                shares = np.histogram(values[which], edges)[0] / which.sum()
                axes.stairs(shares, edges, fill=True, color=colour, alpha=0.30, hatch=hatch)
                axes.stairs(shares, edges, color=colour, linewidth=2, label=f"{name} ({int(which.sum())})")
        if threshold is not None:
            axes.axvline(threshold, color="black", linestyle="--", linewidth=1.6, label=f"threshold {threshold:.3g}")
        axes.set(xlabel="Score (larger is stranger)", ylabel="Share of cases", xlim=(edges[0], edges[-1]))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.02)
        axes.legend(frameon=False, fontsize=11)

    _write(draw, path, title=title, below=_caption(truth, "AUROC", auroc))


def reliability_plot(record: Mapping[str, Any], path: Path, *, title: str = "") -> None:
    """Write, as PNG, the share of healthy cases at or below each p-value, with the range that chance leaves.

    Args:
        record: From `evaluation.reliability`, with its `curve`.

    Raises:
        SettingError: without a curve.
        OutputError: if the file cannot be written.
    """
    curve = record["curve"]
    if curve is None:
        raise SettingError("no healthy case has a p-value; there is nothing to draw")
    asked = np.array([0.0, *curve["asked"]])

    def draw(axes: Any) -> None:
        low, high = ([0.0, *curve[name]] for name in ("low", "high"))
        axes.fill_between(asked, low, high, step="post", color=GREY, alpha=0.25, linewidth=0, label="95 % by chance")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="as promised")
        axes.step(asked, [0.0, *curve["realised"]], where="post", color=HEALTHY, linewidth=2.2, label="healthy cases")
        axes.set(xlabel="p-value: asked false-alarm rate", ylabel="Share of healthy cases at or below it")
        _unit_square(axes, legend_at="lower right")

    units = "" if record["units"] is None else f", {record['units']} calibrated on"
    test = record["uniform"]["p_value"]
    told = f"{record['patients']} healthy {_plural(record.get('unit') or 'case', record['patients'])}{units}"
    _write(draw, path, title=title, below=f"{told} · test of uniformity p = {test:.3g}")


def froc_plot(record: Mapping[str, Any], path: Path, *, title: str = "") -> None:
    """Write, as PNG, the share of lesions found against false findings a case, from 1/8 to 8 of them.

    Dotted beyond the most findings there are.

    Args:
        record: From `workflows.lesions.lesion_record`: its `curve`, `sensitivity_at`, and `by_peak` with its own.

    Raises:
        SettingError: without a curve.
        OutputError: if the file cannot be written.
    """
    if record["curve"] is None:
        raise SettingError("there is no lesion; a FROC curve needs at least one")

    def draw(axes: Any) -> None:
        kinds = (
            (record, HEALTHY, "-", "o", "a finding overlaps the lesion"),
            (record["by_peak"], ABNORMAL, "--", "s", "its peak lies in the lesion"),
        )
        for number, (found, colour, line, mark, name) in enumerate(kinds):
            shift = 2 ** (0.1 * number - 0.05)  # so that neither interval covers the other
            across, up = found["curve"]["false_findings_per_case"], found["curve"]["sensitivity"]
            axes.plot(across, up, color=colour, linestyle=line, linewidth=2.2, label=name)
            axes.plot([across[-1], 100], [up[-1]] * 2, color=colour, linestyle=":", linewidth=1.2)
            rates = {float(rate): figure for rate, figure in found["sensitivity_at"].items()}
            values = [figure["value"] for figure in rates.values()]
            bounds = [[figure[end] for figure in rates.values()] for end in ("low", "high")]
            beside = [rate * shift for rate in rates]
            axes.plot(beside, values, mark, color=colour, markersize=6)
            if all(bound is not None for end in bounds for bound in end):
                axes.vlines(beside, *bounds, color=colour, linewidth=1.2)
        axes.set_xscale("log", base=2)
        axes.set(xlim=(0.11, 9), ylim=(-0.01, 1.02), yticks=np.linspace(0, 1, 6))
        axes.set_xticks(list(rates), ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
        axes.minorticks_off()
        axes.set(xlabel="False findings a case", ylabel="Lesions found")
        axes.plot([], [], color=GREY, linestyle=":", linewidth=1.2, label="no further findings")
        best = max(max(found["curve"]["sensitivity"]) for found, *_ in kinds)
        axes.legend(loc="upper left" if best < 0.6 else "lower right", frameon=False, fontsize=11)

    below = f"{record['lesions']} lesions in {record['cases']} cases · FROC score {record['froc_score']['value']:.3f}"
    _write(draw, path, title=title, below=f"{below}, by peak {record['by_peak']['froc_score']['value']:.3f}")


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _check(labels: Any, scores: Any, *, both: bool = True) -> tuple[np.ndarray, np.ndarray]:
    truth, values = np.asarray(labels).astype(bool), np.asarray(scores, float)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise ShapeError(f"labels have shape {truth.shape} and scores {values.shape}; expected one of each a case")
    if len(truth) == 0 or not np.isfinite(values).all():
        raise SettingError("a plot needs at least one case and finite scores only; leave failed cases out")
    if both and (truth.all() or not truth.any()):
        raise SettingError("a curve needs healthy and abnormal cases, got one class only; plot the histogram instead")
    return truth, values


def _running_counts(truth: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hits and false alarms at each distinct threshold, strictest first."""
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    hits = np.cumsum(truth[order])[last]
    return hits, last + 1 - hits


def _edges(values: np.ndarray, threshold: float | None) -> np.ndarray:
    """Bins over the range of the scores, the threshold inside, wide enough that even equal scores show."""
    low, high = float(values.min()), float(values.max())
    if threshold is not None and np.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    margin = 0.03 * (high - low) or max(abs(low) * 0.05, 0.5)
    return np.linspace(low - margin, high + margin, int(np.clip(2 * np.sqrt(len(values)), 12, 50)) + 1)


def _caption(truth: np.ndarray, name: str, figure: Mapping[str, Any] | None) -> str:
    """`200 healthy, 150 abnormal · AUROC 0.91 (95 % 0.88–0.93)`."""
    words = f"{int((~truth).sum())} healthy, {int(truth.sum())} abnormal"
    if figure is None or figure.get("value") is None:
        return words
    words += f" · {name} {figure['value']:.3f}"
    if figure.get("low") is not None:
        words += f" (95 % {figure['low']:.3f}–{figure['high']:.3f})"
    return words


def _unit_square(axes: Any, *, legend_at: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set_aspect("equal")
    axes.legend(loc=legend_at, frameon=False, fontsize=11)


def _write(draw: Callable[[Any], None], path: Path, *, title: str, below: str) -> None:
    """Draw on a fresh figure of its own (no global state, so threads may plot) and save it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=_DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    draw(axes)
    axes.xaxis.label.set_fontsize(12)
    axes.yaxis.label.set_fontsize(12)
    # Names come from outside: a dollar sign in them must not start a formula.
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold", parse_math=False)
    axes.set_title(below, fontsize=10.5, color="#333333", parse_math=False)
    try:
        canvas.print_png(str(path))
    except OSError as error:
        raise OutputError(f"{path}: cannot write the plot ({error.strerror or error})") from error
