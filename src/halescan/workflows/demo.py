"""Demo: the whole main job on made-up phantoms, in a few minutes and with nothing from outside."""

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from halescan.errors import OutputError
from halescan.io.identity import case_name
from halescan.reporting.words import language
from halescan.synthesis.cohort import write_cohort
from halescan.training.run import Progress, say_nothing
from halescan.workflows.cases import cases_of
from halescan.workflows.examine import decision, examine, new_scans, regions
from halescan.workflows.train import train

HEALTHY_SLICES, HEALTHY_VOLUMES = 160, 48
UNSEEN, WITH_LESIONS = 5, 3


@dataclass(frozen=True)
class Shown:
    """What the demo did, in lines for a person."""

    out: Path
    lines: tuple[str, ...]


def demo(
    out: Path | str,
    *,
    volumes: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    lang: str = "en",
    listen: Callable[[Progress], None] = say_nothing,
) -> Shown:
    """Make a phantom cohort, train, calibrate, examine five unseen phantoms (three with planted lesions), report.

    Args:
        out: A folder of the demo's own; `overwrite` replaces an earlier demo there, never anything else.
        volumes: Phantom chest volumes read in three dimensions, instead of single slices.
    """
    begun = monotonic()
    language(lang)  # a word that is none must not cost the training first
    out = Path(out)
    _clear(out, overwrite)
    dims = 3 if volumes else 2
    healthy = HEALTHY_VOLUMES if volumes else HEALTHY_SLICES
    listen(Progress("making phantoms", 0, healthy + UNSEEN))
    write_cohort(out / "phantoms", healthy=healthy, unseen=UNSEEN, lesions=WITH_LESIONS, dims=dims, seed=seed)
    listen(Progress("making phantoms", healthy + UNSEEN, healthy + UNSEEN))
    with _nothing_half_done():
        model = train(
            out / "phantoms" / "healthy",
            profile="lung-ct",
            out=out / "model",
            seed=seed,
            listen=listen,
            **_recipe(volumes),
        )
        done = examine(model, out / "phantoms" / "new", out=out / "reports", lang=lang, listen=listen)
    lines = [
        "These are made-up phantoms: they show how Halescan works, not how well it works on patients.",
        *model.lines(),
        "",
        *_told(out, {record["case"]: record for record in done.records}),
        "",
        f"all of it in {out}, made in {monotonic() - begun:.0f} s",
    ]
    return Shown(out, tuple(lines))


@contextmanager
def _nothing_half_done() -> Iterator[None]:
    """Ctrl-C in the demo, or a scheduler's word to end: the advice to go on does not hold here."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as told:
        stop = type(told)(*told.args)
        stop.add_note("The demo starts anew each time; run it again with --overwrite")
        raise stop from None


def _recipe(volumes: bool) -> dict[str, Any]:
    """Quick recipes for phantoms, whose planted lesions are focal: a nodule fills a thousandth of a volume."""
    if volumes:
        places = {"dims": 3, "size": [32, 64, 64], "pooling": "top", "top_share": 0.001}
        return {"detector": "healthy-atlas", "profile_settings": places}
    return {
        "detector": "autoencoder",
        "detector_settings": {"steps": 500},
        "profile_settings": {"size": [128, 128], "pooling": "top"},
    }


def _clear(out: Path, overwrite: bool) -> None:
    """An empty folder; an earlier demo goes if asked."""
    if not out.exists() or not any(out.iterdir()):
        return
    ours = {"phantoms", "model", "reports", "model.partial"}
    if not overwrite or {path.name for path in out.iterdir()} - ours:
        raise OutputError(f"{out} is not empty; choose another --out" + ("" if overwrite else ", or --overwrite it"))
    shutil.rmtree(out)


def _told(out: Path, records: dict[str, dict[str, Any]]) -> list[str]:
    """For each unseen phantom: what was planted, what was found, and where the report lies."""
    lines = []
    with (out / "phantoms" / "truth" / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cohort, _ = new_scans(out / "phantoms" / "new" / row["file"], None, None)
            name = case_name(cases_of(cohort)[0].key)
            planted = f"{row['kind']} of {row['diameter_mm']} mm" if row["label"] == "abnormal" else "nothing"
            lines.append(f"{row['case']}: planted {planted}; {_found(records[name])}")
            lines.append(f"    {out / 'reports' / name / 'report.html'}")
    return lines


def _found(record: dict[str, Any]) -> str:
    verdict = record["verdict"]
    p_value = verdict["p_value"]
    p_text = "" if p_value is None else f", p {'≤' if verdict['p_value_is_bound'] else '='} {p_value:.3f}"
    return f"{decision(record)}{p_text}; {regions(record)}"
