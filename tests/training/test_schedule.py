"""The schedule's curves and its limits."""

import pytest

from halescan.errors import SettingError
from halescan.training.schedule import Schedule


def test_constant_stays() -> None:
    assert {Schedule(steps=10, curve="constant").share_at(step) for step in range(10)} == {1.0}


def test_cosine_starts_full_and_falls_to_nothing() -> None:
    schedule = Schedule(steps=100, curve="cosine")
    shares = [schedule.share_at(step) for step in range(101)]
    assert shares[0] == 1.0
    assert shares[50] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0)
    assert shares == sorted(shares, reverse=True)


def test_one_cycle_climbs_then_falls_and_never_stands_still() -> None:
    schedule = Schedule(steps=100, curve="one-cycle", climb=0.2)
    shares = [schedule.share_at(step) for step in range(100)]
    top = shares.index(max(shares))
    assert top == 20
    assert shares[: top + 1] == sorted(shares[: top + 1])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert min(shares) > 0
    assert max(shares) == 1.0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": 0.0}, {"curve": "bumpy"}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        Schedule(**({"steps": 10} | wrong))  # type: ignore[arg-type]
