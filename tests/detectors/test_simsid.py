"""SimSID: SQUID's settings with other defaults, and the report's system reached by settings."""

import inspect
from typing import Any

import numpy as np

from halescan.detectors.simsid import SimSID
from halescan.detectors.squid import SQUID
from halescan.training.run import Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(seed=1, device="cpu", precision="32")


def test_it_has_every_setting_of_squid_and_hands_each_on() -> None:
    mine, theirs = (inspect.signature(kind.__init__).parameters for kind in (SimSID, SQUID))
    assert list(mine) == list(theirs)
    others: dict[str, Any] = {
        "side": 128,
        "patches": 4,
        "widths": (4, 4, 8),
        "squeezed": 8,
        "memory": "queue",
        "slots": 9,
        "top_k": 2,
        "temperature": 0.3,
        "heads": 2,
        "scales": (1, 2),
        "skips": 2,
        "shortcut": 0.5,
        "student_weight": 2.0,
        "teacher_weight": 3.0,
        "distillation_weight": 4.0,
        "inpainting_weight": 5.0,
        "critic_weight": 6.0,
        "teach_encoder": False,
        "critic_widths": (4, 6),
        "critic_steps": 3,
        "teacher_steps": 7,
        "steps": 8,
        "batch_size": 5,
        "learning_rate": 0.2,
        "jitter": 0.01,
        "measure": "memory",
    }
    assert set(others) == set(mine) - {"self"}
    told = SimSID(**others).settings
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()} == others


def test_the_reports_system_learns_without_its_mistakes() -> None:
    settings: dict[str, Any] = {
        "side": 64,
        "patches": 8,
        "widths": (4, 8, 8, 16),
        "squeezed": 16,
        "memory": "hierarchy",
        "slots": 16,
        "critic_widths": (4, 8),
        "teacher_steps": 10,
        "steps": 30,
        "batch_size": 4,
        "learning_rate": 5e-3,
    }
    detector = SimSID(**settings).fit(healthy(12, grid=(64, 64)), run=RUN)
    images = healthy(4, grid=(64, 64), seed=9)
    plain, ill = (detector.score(some).map for some in (images, with_lesion(images, contrast=0.5)))
    assert plain is not None
    assert ill is not None
    assert (ill.mean((1, 2)) > plain.mean((1, 2))).all()
    again = SimSID(**settings).restore(detector.state())
    assert np.array_equal(again.score(images).map, plain)  # no layer is drawn anew when it scores
