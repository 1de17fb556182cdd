"""The loop: learns, repeats, resumes, and stops when it must."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from halescan.errors import TrainingError
from halescan.training.history import read_history
from halescan.training.loop import learn
from halescan.training.run import Progress, Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.types import Stack
from tests.training.learner import clean, images, small_net

STEPS = Schedule(steps=30, batch_size=5, epoch_steps=10, learning_rate=0.01)
PLAIN = Run(device="cpu", precision="32")


class Interrupted(Exception):
    """What a person's Ctrl-C does, without the person."""


def same_weights(one: nn.Module, two: nn.Module, *, within: float = 0.0) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.allclose(a.double(), b.double(), rtol=0, atol=within) for a, b in pairs)


def stop_at(step: int) -> Callable[[Progress], None]:
    def listen(progress: Progress) -> None:
        if progress.done >= step:
            raise Interrupted

    return listen


def cut_short(module: nn.Module, run: Run, *, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn until the listener raises at a step."""
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)  # listen at every step
    with pytest.raises(Interrupted):
        learn(module, clean, images=Stack(images()), settings=STEPS, run=replace(run, listen=stop_at(at)))


def test_the_loss_falls() -> None:
    history = learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=PLAIN)
    assert [row["step"] for row in history.rows] == [10, 20, 30]
    assert history.rows[-1]["loss"] < 0.7 * history.rows[0]["loss"]


def test_no_step_goes_down_the_gradients_of_the_steps_before() -> None:
    """A mistake of published code: gradients were never set to zero, and every step added to all before."""
    seen: list[float] = []

    def straight_down(net: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        return net.get_parameter("weight").sum()

    def look(optimiser: torch.optim.Optimizer, *_: object) -> None:
        seen.extend(float(p.grad.max()) for group in optimiser.param_groups for p in group["params"])

    hook = register_optimizer_step_pre_hook(look)
    try:
        settings = replace(STEPS, clip=None)
        learn(nn.Linear(2, 1, bias=False), straight_down, images=Stack(images()), settings=settings, run=PLAIN)
    finally:
        hook.remove()
    assert seen == [1.0] * STEPS.steps


def test_the_same_seed_learns_the_same_and_another_does_not() -> None:
    nets = [small_net() for _ in range(3)]
    for net, seed in zip(nets, [0, 0, 1], strict=True):
        learn(net, clean, images=Stack(images()), settings=STEPS, run=replace(PLAIN, seed=seed))
    assert same_weights(nets[0], nets[1])
    assert not same_weights(nets[0], nets[2])


@pytest.mark.parametrize("at", [3, 10, 17, 29])
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole, broken = small_net(), small_net()
    learn(whole, clean, images=Stack(images()), settings=STEPS, run=PLAIN)
    run = replace(PLAIN, folder=tmp_path)
    cut_short(broken, run, at=at, monkeypatch=monkeypatch)
    again = small_net()
    history = learn(again, clean, images=Stack(images()), settings=STEPS, run=replace(run, resume=True))
    assert same_weights(whole, again, within=1e-5)
    assert [row["step"] for row in history.rows] == [10, 20, 30]
    assert read_history(tmp_path / "history.jsonl") == history.rows


def test_resuming_a_finished_run_learns_nothing_more(tmp_path: Path) -> None:
    run = replace(PLAIN, folder=tmp_path)
    done, again = small_net(), small_net()
    learn(done, clean, images=Stack(images()), settings=STEPS, run=run)
    heard: list[Progress] = []
    learn(again, clean, images=Stack(images()), settings=STEPS, run=replace(run, resume=True, listen=heard.append))
    assert same_weights(done, again)
    assert not heard


def test_without_resume_the_old_checkpoint_is_not_looked_at(tmp_path: Path) -> None:
    run = replace(PLAIN, folder=tmp_path)
    for _ in range(2):
        learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=run)
    assert [row["step"] for row in read_history(tmp_path / "history.jsonl")] == [10, 20, 30]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run = replace(PLAIN, folder=tmp_path, resume=True)
    learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=run)
    with pytest.raises(TrainingError, match="another run"):
        learn(small_net(), clean, images=Stack(images()), settings=replace(STEPS, batch_size=4), run=run)
    with pytest.raises(TrainingError, match="seed"):
        learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=replace(run, seed=1))


def test_a_run_may_go_on_with_another_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(PLAIN, folder=tmp_path)
    cut_short(small_net(), run, at=10, monkeypatch=monkeypatch)
    slower = replace(STEPS, learning_rate=1e-5, curve="constant")
    with pytest.raises(TrainingError, match="another run"):
        learn(small_net(), clean, images=Stack(images()), settings=slower, run=replace(run, resume=True))
    slower = replace(slower, curve=STEPS.curve)
    history = learn(small_net(), clean, images=Stack(images()), settings=slower, run=replace(run, resume=True))
    rates = [row["learning_rate"] for row in history.rows]
    assert rates[0] > 1e-3 > 2e-5 > rates[1] > rates[2]


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    calls: list[int] = []

    def breaks(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        calls.append(1)
        return clean(module, batch, generator) * (float("nan") if len(calls) == 15 else 1.0)

    run = replace(PLAIN, folder=tmp_path)
    with pytest.raises(
        TrainingError, match=r"nan at step 15 of 30; the checkpoint of step 10 is kept.*learning_rate=0.001"
    ):
        learn(small_net(), breaks, images=Stack(images()), settings=STEPS, run=run)
    whole, again = small_net(), small_net()
    learn(whole, clean, images=Stack(images()), settings=STEPS, run=PLAIN)
    learn(again, clean, images=Stack(images()), settings=STEPS, run=replace(run, resume=True))
    assert same_weights(whole, again, within=1e-5)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    def spoils(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            next(module.parameters()).fill_(float("inf"))
        return torch.zeros((), requires_grad=True)

    with pytest.raises(TrainingError, match=r"the loss became (nan|inf)"):
        learn(small_net(), spoils, images=Stack(images()), settings=STEPS, run=replace(PLAIN, folder=tmp_path))
    assert not list(tmp_path.glob("*.safetensors"))


def test_the_check_loss_is_written_down_and_chooses_nothing() -> None:
    watched, alone = small_net(), small_net()
    history = learn(watched, clean, images=Stack(images()), check=Stack(images(4)), settings=STEPS, run=PLAIN)
    learn(alone, clean, images=Stack(images()), settings=STEPS, run=PLAIN)
    assert all(row["check_loss"] > 0 for row in history.rows)
    assert same_weights(watched, alone)


def test_within_a_long_epoch_little_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(PLAIN, folder=tmp_path, resume=True)
    whole = small_net()
    told = learn(whole, clean, images=Stack(images()), settings=STEPS, run=PLAIN)
    monkeypatch.setattr("halescan.training.lesson.SAVE_S", -1.0)  # every step has lasted long enough
    cut_short(small_net(), run, at=7, monkeypatch=monkeypatch)
    again = small_net(seed=1)
    first = []
    listening = replace(run, listen=lambda progress: first.append(progress.done))
    history = learn(again, clean, images=Stack(images()), settings=STEPS, run=listening)
    assert first[0] == 8
    assert same_weights(whole, again, within=1e-6)
    assert [row["loss"] for row in history.rows] == pytest.approx([row["loss"] for row in told.rows])


def test_a_dozen_check_images_are_enough_to_look_at() -> None:
    looked: list[int] = []

    def counts(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        if not module.training:
            looked.append(len(batch.images))
        return clean(module, batch, generator)

    settings = replace(STEPS, steps=10, check_images=7)
    learn(small_net(), counts, images=Stack(images()), check=Stack(images(40)), settings=settings, run=PLAIN)
    assert sum(looked) == 7


def test_turns_move_only_their_own_weights_in_their_order() -> None:
    module = nn.ModuleDict({"maker": nn.Conv2d(1, 1, 1), "critic": nn.Conv2d(1, 1, 1)})
    before = {name: value.clone() for name, value in module.state_dict().items()}
    seen: list[tuple[str, bool]] = []

    def loss(name: str, other: str) -> Callable[[nn.Module, Tensors, torch.Generator], dict[str, Tensor]]:
        def both(nets: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
            seen.append((name, torch.equal(module["critic"].weight, before["critic.weight"])))
            return {f"{name}_fit": module[other](module[name](batch.images)).square().mean()}

        return both

    turns = [
        Turn("critic", list(module["critic"].parameters()), loss("critic", "maker")),
        Turn("maker", list(module["maker"].parameters()), loss("maker", "critic"), every=2, learning_rate=1e-9),
    ]
    history = learn(module, turns, images=Stack(images()), settings=replace(STEPS, steps=3, epoch_steps=3), run=PLAIN)
    assert seen == [("critic", True), ("maker", False), ("critic", False), ("critic", False), ("maker", False)]
    assert torch.allclose(module["maker"].weight, before["maker.weight"], atol=1e-7)
    assert not torch.allclose(module["critic"].weight, before["critic.weight"], atol=1e-4)
    assert {"critic_fit", "maker_fit"} <= set(history.rows[-1])


def test_progress_counts_up_to_the_end() -> None:
    heard: list[Progress] = []
    learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=replace(PLAIN, listen=heard.append))
    assert (heard[-1].done, heard[-1].total, heard[-1].seconds_left) == (30, 30, 0.0)
    assert heard[-1].loss is not None


def test_learning_leaves_the_callers_chance_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    learn(small_net(), clean, images=Stack(images()), settings=replace(STEPS, steps=2), run=PLAIN)
    assert torch.equal(torch.rand(2), expected)


def test_fewer_images_than_a_batch_are_enough() -> None:
    settings = replace(STEPS, batch_size=16, steps=4)
    history = learn(small_net(), clean, images=Stack(images(3)), settings=settings, run=PLAIN)
    assert np.isfinite(history.rows[-1]["loss"])


def test_a_measure_beside_the_loss_is_told_and_moves_nothing() -> None:
    def told(module: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        return {"error": clean(module, batch, generator), "measure": torch.tensor(7.0)}

    watched, alone = small_net(), small_net()
    turn = Turn("loss", list(watched.parameters()), told, beside=("measure",))
    history = learn(watched, [turn], images=Stack(images()), check=Stack(images(4)), settings=STEPS, run=PLAIN)
    plain = learn(alone, clean, images=Stack(images()), check=Stack(images(4)), settings=STEPS, run=PLAIN)
    assert same_weights(watched, alone)
    assert [row["measure"] for row in history.rows] == [7.0] * 3
    for key in ("loss", "check_loss"):
        assert [row[key] for row in history.rows] == pytest.approx([row[key] for row in plain.rows])
