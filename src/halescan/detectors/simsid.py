"""SimSID: SQUID with memories at three levels, and a teacher that begins before the student."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from halescan.detectors.squid import SQUID


class SimSID(SQUID):
    """As `SQUID`, whose settings it has, with other defaults: memories at three levels, and the teacher learns first.

    The report on SimSID that Halescan began with is reached by `patches=8` and `side=128`; its mistakes are not:
    features, memories and transformer are learned, memory is read at the place itself and written only while learning,
    and the critic's score is turned the right way round.

    Source:
        Xiang et al. 2024, arXiv:2403.08689. We differ as `SQUID` does; images stay in [0, 1] instead of [-1, 1]; the
        three levels of memory and the teacher's first steps alone are the report's, not the paper's, whose learned
        memory of each place and whose 0 steps "paper" has: learned for 500 steps, it told nothing on X-rays.
    """

    name = "simsid"
    summary = "patches drawn from memories of place, neighbourhood and whole, a teacher beside; the map is what differs"
    source = "https://arxiv.org/abs/2403.08689"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            **SQUID.presets["paper"],
            "memory": "matrix",
            "shortcut": 1.0,
            "critic_widths": (16, 32, 64, 128, 256),
            "teacher_steps": 0,
            "steps": 50_400,
        },
    }

    def __init__(
        self,
        *,
        side: int = 64,
        patches: int = 2,
        widths: Sequence[int] = (8, 16, 32, 64),
        squeezed: int = 16,
        memory: Literal["queue", "matrix", "hierarchy"] = "hierarchy",
        slots: int = 64,
        top_k: int = 5,
        temperature: float = 0.1,
        heads: int = 4,
        scales: Sequence[int] = (1,),
        skips: int = 1,
        shortcut: float = 0.9,
        student_weight: float = 10.0,
        teacher_weight: float = 1.0,
        distillation_weight: float = 0.001,
        inpainting_weight: float = 0.1,
        critic_weight: float = 0.005,
        teach_encoder: bool = True,
        critic_widths: Sequence[int] = (16, 32, 64),
        critic_steps: int = 1,
        teacher_steps: int = 100,
        steps: int = 500,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        jitter: float = 0.05,
        measure: Literal["residual", "features", "memory", "joint", "critic"] = "joint",
    ) -> None:
        super().__init__(
            side=side,
            patches=patches,
            widths=widths,
            squeezed=squeezed,
            memory=memory,
            slots=slots,
            top_k=top_k,
            temperature=temperature,
            heads=heads,
            scales=scales,
            skips=skips,
            shortcut=shortcut,
            student_weight=student_weight,
            teacher_weight=teacher_weight,
            distillation_weight=distillation_weight,
            inpainting_weight=inpainting_weight,
            critic_weight=critic_weight,
            teach_encoder=teach_encoder,
            critic_widths=critic_widths,
            critic_steps=critic_steps,
            teacher_steps=teacher_steps,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            jitter=jitter,
            measure=measure,
        )
