"""Linear attention, groups of levels, and the decoder made of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from halescan.errors import SettingError
from halescan.networks.token_decoder import LinearAttention, TokenDecoder, gather, linear_attention, parted


def small(**changes: object) -> TokenDecoder:
    torch.manual_seed(0)
    told = {"width": 8, "depth": 3, "heads": 2, "dropout": 0.5} | changes
    return TokenDecoder(6, (4, 5), **told)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.floats(0.01, 4))
def test_linear_attention_answers_with_convex_combinations_of_values(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(2, 7, 4, generator=generator) for _ in range(3))
    answer = linear_attention(size * query, size * key, value)
    weights = (F.elu(size * query.double()) + 1) @ (F.elu(size * key.double()) + 1).transpose(1, 2)
    weights = weights / weights.sum(2, keepdim=True)
    assert (weights >= 0).all()
    torch.testing.assert_close(answer, (weights @ value.double()).float(), atol=1e-4, rtol=1e-4)
    assert (answer <= value.amax(1, keepdim=True) + 1e-4).all()
    assert (answer >= value.amin(1, keepdim=True) - 1e-4).all()


def test_linear_attention_does_not_care_for_the_order_of_the_tokens() -> None:
    torch.manual_seed(0)
    attention, tokens = LinearAttention(8, 2), torch.randn(2, 7, 8)
    order = torch.randperm(7)
    torch.testing.assert_close(attention(tokens[:, order]), attention(tokens)[:, order])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 30), parts=st.integers(1, 8))
def test_runs_hold_everything_once_in_order_and_are_about_equal(count: int, parts: int) -> None:
    runs = parted(count, parts)
    assert [number for run in runs for number in run] == list(range(count))
    assert len(runs) == min(count, parts)
    assert max(map(len, runs)) - min(map(len, runs)) <= 1


def test_levels_of_one_width_are_averaged_and_others_laid_side_by_side() -> None:
    one, two, three = torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 4), torch.randn(1, 5, 2, 2)
    torch.testing.assert_close(gather([one, two], (4, 4)), (one + two) / 2)
    mixed = gather([one, three], (2, 2))
    torch.testing.assert_close(mixed, torch.cat([F.avg_pool2d(one, 2), three], dim=1))


def test_each_group_is_drawn_on_the_grid_that_was_shown() -> None:
    drawn = small().eval()(torch.randn(2, 6, 3, 5))
    assert [tuple(group.shape) for group in drawn] == [(2, 4, 3, 5), (2, 5, 3, 5)]


def test_the_first_layers_draw_the_deepest_group() -> None:
    decoder, shown = small().eval(), torch.randn(2, 6, 3, 5)
    before = decoder(shown)
    for weight in decoder.layers[-1].parameters():
        torch.nn.init.zeros_(weight)
    after = decoder(shown)
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def test_the_bottleneck_is_noisy_while_learning_and_still_afterwards() -> None:
    decoder, shown = small(), torch.randn(2, 6, 3, 5)
    assert not torch.equal(decoder.train()(shown)[0], decoder(shown)[0])
    assert torch.equal(decoder.eval()(shown)[0], decoder(shown)[0])


def test_tokens_know_their_place() -> None:
    drawn = small().eval()(torch.ones(1, 6, 4, 4))[0]
    assert drawn.flatten(2).std(2).min() > 1e-4


@pytest.mark.parametrize("wrong", [{"heads": 3}, {"width": 0}, {"depth": 1}])
def test_a_decoder_that_cannot_be_built_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError):
        small(**wrong)
