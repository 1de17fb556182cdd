"""The picture of a training: the loss, and the loss on healthy images kept apart, over the steps."""

from pathlib import Path
from typing import Any

from halescan.errors import ModelError, OutputError
from halescan.training.history import Row, read_history

_USUAL = {"stage", "epoch", "step", "loss", "check_loss", "seconds", "learning_rate"}


def draw_history(history_jsonl: Path, png: Path) -> None:
    """Draw a `history.jsonl`: one panel a stage; a logarithmic scale where the loss falls more than fivefold.

    Raises:
        ModelError: if there is no history to draw.
        OutputError: if the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # seconds: imported only to draw
    from matplotlib.figure import Figure

    rows = read_history(history_jsonl) if history_jsonl.is_file() else []
    if not rows:
        raise ModelError(f"{history_jsonl} holds no line to draw; only methods that learn by steps write one")
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    figure = Figure(figsize=(6.4 * len(stages), 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for panel, stage in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages, strict=True):
        _draw_stage(panel, stage, [row for row in rows if row["stage"] == stage])
    try:
        figure.savefig(png, format="png")
    except OSError as error:
        raise OutputError(f"{png} cannot be written ({error.strerror}); choose a folder with room") from error


def _draw_stage(panel: Any, stage: str, rows: list[Row]) -> None:
    named = sorted({name for row in rows for name in row} - _USUAL)
    if len(named) == 1:  # a single named loss is the loss itself
        named = []
    drawn: list[float] = []
    looks = [("loss", "learning images", "#1f5fa8", "-"), ("check_loss", "healthy images kept apart", "#c8641b", "-")]
    looks += [(name, name.replace("_", " "), "#777777", style) for name, style in zip(named, _styles(), strict=False)]
    for key, label, colour, style in looks:
        points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        if not points:
            continue
        marker = "o" if len(points) < 40 else None
        panel.plot(
            *zip(*points, strict=True), style, color=colour, label=label, marker=marker, markersize=3, linewidth=1.6
        )
        drawn += [value for _, value in points]
    if drawn and min(drawn) > 0 and max(drawn) / min(drawn) > 5:
        panel.set_yscale("log")
    panel.set(title=stage, xlabel="step", ylabel="loss")
    panel.grid(True, which="both", color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    if drawn:
        panel.legend(frameon=False)


def _styles() -> list[str]:
    return ["--", ":", "-.", "--", ":", "-."]
