"""The pictures of a training: the losses over the steps, and what a method draws of healthy images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ModelError, OutputError, way_out
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
        raise OutputError(f"{png} cannot be written ({error.strerror}); {way_out(error)}") from error


def draw_pictures(pictures: Mapping[str, np.ndarray], png: Path) -> None:
    """Draw images `(n, c, *grid)` with 0 black and 1 white: a row each name, a column each image.

    Of a volume the middle slice is shown.

    Raises:
        OutputError: if the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # seconds: imported only to draw
    from matplotlib.figure import Figure

    columns = max(len(images) for images in pictures.values())
    figure = Figure(figsize=(1.4 * columns + 0.3, 1.5 * len(pictures)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(pictures), columns, squeeze=False)
    for row, (name, images) in zip(rows, pictures.items(), strict=True):
        for panel, image in zip(row, images, strict=False):
            panel.imshow(_flat(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for panel in row:
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        row[0].set_title(name, loc="left", fontsize=8)
    try:
        figure.savefig(png, format="png")
    except OSError as error:
        raise OutputError(f"{png} cannot be written ({error.strerror}); {way_out(error)}") from error


def _flat(image: np.ndarray) -> np.ndarray:
    """`(c, *grid)` as `(y, x)` or `(y, x, 3)` in [0, 1]; of a volume the middle slice."""
    plane = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    shown = np.clip(plane, 0, 1)
    return shown[0] if len(shown) == 1 else np.moveaxis(shown, 0, -1)


def _draw_stage(panel: Any, stage: str, rows: list[Row]) -> None:
    named = sorted({name for row in rows for name in row} - _USUAL)
    if len(named) == 1:  # a single named loss is the loss itself
        named = []
    drawn: list[float] = []
    looks = [("loss", "learning images", "#1f5fa8", "-"), ("check_loss", "healthy images kept apart", "#c8641b", "-")]
    looks += [(name, name.replace("_", " "), *_look(number)) for number, name in enumerate(named)]
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


def _look(number: int) -> tuple[str, str]:
    """Colour and dashes of a named loss: three of each colour."""
    dashes = ["--", ":", "-."]
    colours = ["#777777", "#2c8a57", "#7a4fa3", "#b03060"]
    return colours[number // len(dashes) % len(colours)], dashes[number % len(dashes)]
