"""SQUID: what it measures, how it learns, and the mistakes of the published code and report that it does not repeat."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from halescan.detectors.squid import MEASURES, SQUID, histogram_kl, jittered, one_patch
from halescan.errors import SettingError, ShapeError
from halescan.networks.blocks import resize
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from halescan.types import Batch
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(seed=1, device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 32,
    "widths": (4, 8, 8),
    "squeezed": 4,
    "slots": 16,
    "top_k": 3,
    "critic_widths": (4, 8),
    "steps": 60,
    "batch_size": 6,
    "learning_rate": 5e-3,
}


class Interrupted(Exception):
    """What a person's Ctrl-C does."""


def fitted(grid: tuple[int, int] = (32, 32), **changes: Any) -> SQUID:
    return SQUID(**SMALL | changes).fit(healthy(16, grid=grid), run=RUN)


@cache
def learned() -> SQUID:
    return fitted()


def measuring(what: str, **changes: Any) -> SQUID:
    """The learned detector, measuring something else."""
    return SQUID(**SMALL | {"measure": what} | changes).restore(learned().state())


def unseen(count: int = 6) -> np.ndarray:
    return healthy(count, grid=(32, 32), seed=9)


def map_of(detector: SQUID, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


@pytest.mark.parametrize("what", ["residual", "memory", "joint"])
def test_a_lesion_is_stranger_by(what: str) -> None:
    images = unseen()
    plain, ill = (map_of(measuring(what), some) for some in (images, with_lesion(images, contrast=0.5)))
    assert (ill.mean((1, 2)) > plain.mean((1, 2))).all()


def test_each_measure_has_its_grid() -> None:
    shapes = {what: map_of(measuring(what), unseen(1)).shape[1:] for what in ("residual", "features", "memory")}
    assert shapes == {"residual": (32, 32), "features": (8, 8), "memory": (2, 2)}


def test_smaller_places_make_a_finer_map() -> None:
    detector = fitted(scales=(1, 2), measure="memory", steps=2)
    assert map_of(detector, unseen(1)).shape[1:] == (4, 4)


@pytest.mark.parametrize("what", ["features", "memory"])
def test_where_images_are_padded_the_map_still_lies_on_the_image(what: str) -> None:
    detector = fitted((30, 37), steps=2, measure=what, side=37)
    assert map_of(detector, healthy(1, grid=(30, 37))).shape[1:] == (30, 37)


def test_jointly_each_measure_counts_by_what_is_usual_at_its_place() -> None:
    detector, images = measuring("joint"), healthy(16, grid=(32, 32))
    strange = map_of(detector, images)
    assert strange.shape[1:] == (32, 32)
    np.testing.assert_allclose(strange.mean(0), 0, atol=1e-3)  # of the images that say what is usual
    parts = [map_of(measuring(what), unseen(1))[0, 0, 0] for what in ("residual", "features", "memory")]
    usual, names = detector._usual, ("residual", "features", "memory")
    away = [
        (part - float(usual.means[name][0, 0])) / usual.spreads[name] for part, name in zip(parts, names, strict=True)
    ]
    assert map_of(detector, unseen(1))[0, 0, 0] == pytest.approx(float(np.mean(away)), rel=1e-3)


def test_the_critic_gives_a_number_and_no_map() -> None:
    detector = measuring("critic")
    scores = detector.score(unseen())
    assert not detector.gives_map
    assert SQUID.gives_map
    assert scores.map is None
    assert scores.image is not None
    assert scores.image.shape == (6,)
    assert scores.reconstruction is not None


def test_what_is_less_real_to_the_critic_is_stranger() -> None:
    detector, images = measuring("critic"), unseen()
    with torch.no_grad():
        logits = detector._network.critic(detector._network.maker(torch.tensor(images)).student).numpy()
    scores = detector.score(images).image
    assert scores is not None
    assert np.array_equal(np.argsort(-logits), np.argsort(scores))


def test_squid_ix_the_order_of_cases_does_not_hang_on_what_is_usual() -> None:
    detector, images = measuring("critic"), unseen()
    before = detector.score(images).image
    usual = detector._usual
    spreads = usual.spreads | {"critic": 2.5 * usual.spreads["critic"]}
    detector._usual = replace(usual, logit=usual.logit + 3, spreads=spreads)
    after = detector.score(images).image
    assert before is not None
    assert after is not None
    assert not np.allclose(before, after)
    assert np.array_equal(np.argsort(before), np.argsort(after))


@pytest.mark.parametrize("memory", ["queue", "matrix", "hierarchy"])
def test_squid_iv_scoring_writes_nothing_into_memory(memory: str) -> None:
    detector = fitted(memory=memory, steps=3)
    before = {name: value.copy() for name, value in detector.state().items()}
    detector.score(with_lesion(unseen(), contrast=0.8))
    after = detector.state()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_squid_viii_the_same_patches_in_other_places_are_stranger() -> None:
    images = unseen()
    swapped = np.concatenate([images[..., 16:, :], images[..., :16, :]], axis=2)
    for what in ("residual", "memory"):
        detector = measuring(what)
        assert (map_of(detector, swapped).mean((1, 2)) > map_of(detector, images).mean((1, 2))).all()


def test_squid_vii_an_odd_grid_of_patches_works_too() -> None:
    assert map_of(fitted((36, 36), patches=3, side=36, steps=2), healthy(1, grid=(36, 36))).shape[1:] == (36, 36)


def test_correction_12_the_in_painted_features_beat_the_mean_feature() -> None:
    maker = fitted(inpainting_weight=1.0)._network.maker
    with torch.no_grad():
        drawn, raw = maker(torch.tensor(unseen(12))).levels[0]
    mean = raw.mean(dim=(0, 2, 3), keepdim=True)
    assert (drawn - raw).square().mean() < 0.7 * (mean - raw).square().mean()


def test_the_three_memories_learn() -> None:
    for memory in ("matrix", "hierarchy"):
        detector, images = fitted(memory=memory), unseen()
        plain, ill = (map_of(detector, some) for some in (images, with_lesion(images, contrast=0.5)))
        assert (ill.max((1, 2)) > plain.max((1, 2))).all()


def test_without_a_critic_nothing_is_judged(tmp_path: Path) -> None:
    detector = SQUID(**SMALL | {"critic_weight": 0.0, "steps": 2})
    detector.fit(healthy(8, grid=(32, 32)), run=replace(RUN, folder=tmp_path))
    (row,) = read_history(tmp_path / "history.jsonl")
    assert not {"critic", "adversarial"} & set(row)


def test_the_losses_and_the_reports_measures_are_written_down(tmp_path: Path) -> None:
    detector = SQUID(**SMALL | {"teacher_steps": 3, "steps": 4})
    images = healthy(12, grid=(32, 32))
    detector.fit(images, check=None, run=replace(RUN, folder=tmp_path))
    alone, together = read_history(tmp_path / "history.jsonl")
    assert (alone["stage"], together["stage"]) == ("teacher", "together")
    assert {"teacher", "teacher_mse", "teacher_kl"} <= set(alone)
    parts = ("student", "teacher", "distillation", "inpainting", "adversarial", "critic")
    assert together["loss"] == pytest.approx(sum(together[name] for name in parts), rel=1e-4)
    assert together["student"] == pytest.approx(10 * together["student_mse"], rel=1e-4)
    assert all(together[name] > 0 for name in MEASURES)


@pytest.mark.parametrize("at", [4, 9])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)
    monkeypatch.setattr("halescan.training.lesson.SAVE_S", -1.0)
    settings = SMALL | {"teacher_steps": 6, "steps": 6}
    images = healthy(12, grid=(32, 32))
    whole = SQUID(**settings).fit(images, run=RUN).state()
    run = replace(RUN, folder=tmp_path)
    with pytest.raises(Interrupted):
        SQUID(**settings).fit(images, run=replace(run, listen=stopping(at)))
    again = SQUID(**settings).fit(images, run=replace(run, resume=True)).state()
    assert all(np.allclose(whole[name], again[name], rtol=0, atol=1e-5) for name in whole)


def stopping(at: int) -> Callable[[Progress], None]:
    """Raises at a step, counted over the stages."""
    heard: list[Progress] = []

    def listen(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == at:
            raise Interrupted

    return listen


def test_the_critic_may_have_more_turns_and_moves_no_memory_in_them() -> None:
    detector = fitted(critic_steps=2, steps=4)
    assert (
        int(detector.state()["network/maker.inpainting.memories.0.written"]) == 2 * 6 + 16
    )  # and once more at the end


def test_the_pictures_show_the_images_and_what_is_made_of_them() -> None:
    images = unseen(5)
    shown = learned().pictures(Batch(images))
    assert {"original", "teacher", "student", "patch taken out", "patch in-painted"} <= set(shown)
    assert all(value.shape == images.shape for value in shown.values())
    np.testing.assert_allclose(shown["original"], images, atol=1e-6)
    changed = shown["patch in-painted"] != shown["original"]
    assert not changed[0, 0, 16:].any()  # one patch of four, another one in each image
    assert changed[1, 0, :16, 16:].any()


def test_one_patch_after_the_other_is_taken_out() -> None:
    hole = one_patch((5, 1, 8, 8), 2, device=torch.device("cpu"))
    assert hole.sum((1, 2, 3)).tolist() == [16] * 5
    assert torch.equal(hole[0], hole[4])
    assert int(hole[:4].sum(0).min()) == 1


def test_jitter_shifts_and_scales_within_its_share() -> None:
    ramp = torch.linspace(0, 1, 101).expand(40, 1, 101, 101).clone()
    moved = jittered(ramp, share=0.1, generator=torch.Generator().manual_seed(0))
    middle = moved[:, 0, 50, 50]
    assert float((middle - 0.5).abs().max()) <= 0.1 * 1.01  # a sampling grid ends half a pixel outside
    assert float(middle.std()) > 0.03
    slope = moved[:, 0, 50, 60] - moved[:, 0, 50, 40]
    assert float((slope / 0.2 - 1).abs().max()) <= 0.1 + 1e-4


def test_the_divergence_of_histograms_is_blind_to_places() -> None:
    images = torch.rand((4, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    assert float(histogram_kl(images, images.flip(-1))) == pytest.approx(0, abs=1e-6)
    assert float(histogram_kl(images, 0.5 * images)) > 0.1


def test_images_smaller_than_the_patches_are_refused() -> None:
    with pytest.raises(ShapeError, match="8 or more"):
        SQUID(**SMALL).fit(healthy(4, grid=(6, 40)), run=RUN)


def test_fewer_images_than_a_batch_are_enough() -> None:
    detector = SQUID(**SMALL | {"steps": 3, "batch_size": 16}).fit(healthy(3, grid=(32, 32)), run=RUN)
    assert np.isfinite(map_of(detector, unseen(2))).all()


def test_colour_is_drawn_too() -> None:
    images = healthy(6, grid=(32, 32), channels=3)
    detector = SQUID(**SMALL | {"steps": 2}).fit(images, run=RUN)
    assert map_of(detector, images).shape == (6, 32, 32)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"patches": 1}, "2 or more"),
        ({"widths": (8,)}, "widths must be 2"),
        ({"widths": (8, 0)}, "1 or more"),
        ({"slots": 4}, r"\[1, slots\]"),
        ({"top_k": 0}, "5 is usual"),
        ({"memory": "wax"}, "hierarchy"),
        ({"measure": "gut"}, "residual"),
        ({"shortcut": 1.5}, r"\[0, 1\]"),
        ({"jitter": 0.5}, "0.05"),
        ({"temperature": 0.0}, "0.1"),
        ({"skips": 4}, r"\[0, 3\]"),
        ({"side": 12}, "16 or more"),
        ({"scales": (3,)}, "divide the 4"),
        ({"heads": 7}, "divide squeezed"),
        ({"student_weight": -1.0}, "0 or more"),
        ({"measure": "critic", "critic_weight": 0.0}, "0.005"),
        ({"critic_steps": 0}, "1 or more"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_a_good_one(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        SQUID(**wrong)


def feature_error_of(images: Tensor, detector: SQUID) -> Tensor:
    return detector._network.maker(resize(images, (32, 32))).feature_error


def test_the_feature_map_is_the_error_of_the_in_painting() -> None:
    images, detector = unseen(2), learned()
    with torch.no_grad():
        expected = feature_error_of(torch.tensor(images), detector).numpy()
    np.testing.assert_allclose(map_of(measuring("features"), images), expected, rtol=1e-4, atol=1e-6)
