"""The teacher that the distillation methods share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from halescan.detectors.reverse_distillation import ReverseDistillation
from halescan.detectors.teacher import Teacher
from halescan.errors import SettingError, WeightsError
from halescan.training.run import Run
from halescan.types import Stack
from tests.detectors.bodies import healthy
from tests.networks.tiny import put_tiny, tiny_weights
from tests.networks.tiny_vit import LAYERS, WIDTH, tiny_vit_weights

LEVELS = (2, 4, 7)


def found(side: int = 32) -> Teacher:
    images, run = Stack(healthy(6, grid=(40, 32))), Run(device="cpu", weights=tiny_weights())
    return Teacher.find("tiny", images, run, levels=LEVELS, side=side, encoder_steps=2)


def test_each_level_counts_alike() -> None:
    teacher = found()
    levels = teacher.levels(teacher.look(torch.from_numpy(healthy(6, grid=(40, 32)))))
    assert [float(level.square().mean()) for level in levels] == pytest.approx([1, 1, 1], rel=1e-4)


def test_it_looks_at_images_no_larger_than_its_side() -> None:
    assert found(side=20).look(torch.rand(2, 1, 40, 32)).shape == (2, 1, 20, 16)
    assert found(side=64).look(torch.rand(2, 1, 40, 32)).shape == (2, 1, 40, 32)


def test_learning_levels_are_the_levels_with_a_way_back() -> None:
    teacher, images = found(), torch.rand(2, 1, 32, 32)
    assert teacher.widths((1, 32, 32)) == (8, 8, 16)
    teacher.backbone.network.requires_grad_(True)
    plain, learning = teacher.levels(images), teacher.learning_levels(images)
    for one, two in zip(plain, learning, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    assert not any(level.requires_grad for level in plain)
    assert all(level.requires_grad for level in learning)


def test_its_state_makes_it_again_with_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, images = found(), torch.rand(2, 1, 32, 32)
    monkeypatch.setenv("HALESCAN_WEIGHTS", "/nowhere")
    again = Teacher.from_state(teacher.state(), side=32)
    assert again.origin == teacher.origin == "weights"
    for one, two in zip(again.levels(images), teacher.levels(images), strict=True):
        torch.testing.assert_close(one, two)


def test_without_weights_an_encoder_is_trained_with_levels_of_the_same_strides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    images = Stack(healthy(4, grid=(32, 32)))
    teacher = Teacher.find("mobilenet_v2", images, Run(device="cpu"), levels=(3, 6, 13), side=32, encoder_steps=2)
    assert teacher.origin == "own"
    assert [tuple(level.shape[2:]) for level in teacher.levels(torch.rand(1, 1, 32, 32))] == [(8, 8), (4, 4), (2, 2)]


def test_damaged_weights_are_refused_before_anything_is_learned(tmp_path: Path) -> None:
    run = Run(device="cpu", weights=put_tiny(tmp_path / "tiny"))
    detector = ReverseDistillation(backbone="tiny")
    assert "sha256" in detector.check_run(run)
    file = tmp_path / "tiny" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"oops")
    with pytest.raises(WeightsError, match="SHA-256"):
        detector.check_run(run)


@pytest.mark.parametrize(
    "wrong", [{"levels": ()}, {"levels": (6, 3)}, {"levels": (3, 3)}, {"side": 8}, {"encoder_steps": 0}]
)
def test_a_teacher_that_cannot_teach_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        ReverseDistillation(**wrong)  # type: ignore[arg-type]


def test_moving_the_detector_moves_its_teacher() -> None:
    detector = ReverseDistillation(backbone="tiny", levels=LEVELS, side=32, width=4, bottleneck=4, steps=1)
    images = healthy(4, grid=(32, 32))
    run = Run(device="cpu", precision="32", weights=tiny_weights())
    before = detector.fit(images, run=run).score(images).map
    after = detector.to("cpu").score(images).map
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, after)
    assert detector.backbone_origin == "weights"


def test_a_plain_vision_transformer_teaches_on_images_of_another_size_than_it_was_taught_with() -> None:
    images = Stack(healthy(3, grid=(60, 75)))
    run = Run(device="cpu", weights=tiny_vit_weights())
    teacher = Teacher.find("plain-vit", images, run, levels=(1, LAYERS), side=96, encoder_steps=1)
    levels = teacher.levels(teacher.look(torch.from_numpy(images.take([0, 1]).images)))
    assert [tuple(level.shape) for level in levels] == [(2, WIDTH, 4, 5)] * 2
