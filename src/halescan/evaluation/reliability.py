"""Can the p-values be taken at their word? On healthy cases a share a of them should lie at or below a, for every a."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import wilson
from halescan.evaluation.resampling import number_groups, without_interval

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Asked false-alarm rates of the table."""

_AT_MOST = 1e-9  # p-values come from files rounded to six digits, and k / (n + 1) is rounded too
_POINTS = 200  # of the curve


def reliability(
    p_values: Sequence[float] | np.ndarray,
    *,
    units: int | None = None,
    groups: Sequence[Any] | None = None,
    rates: Sequence[float] = RATES,
    seed: int = 0,
    draws: int = 2000,
) -> dict[str, Any]:
    """How the p-values of healthy cases are distributed, against what they promise.

    Args:
        p_values: `(m,)` of healthy cases only, in (0, 1].
        units: Healthy calibration units behind them, None if nobody says.
        groups: Patient of each case; the test looks at the first case of each patient.
        draws: Simulated sets behind the test and the band.

    Returns:
        `healthy`, `units`; `rates`: for each asked rate the realised one, and whether so many units support it;
        `uniform`: see `uniformity`; `curve`: share of healthy cases at or below each p, with the range that chance
        leaves to 95 of 100 sets.

    Raises:
        SettingError: on p-values outside (0, 1].
        ShapeError: if groups and p-values differ in length.
    """
    values = _checked(p_values)
    members = number_groups(groups, len(values))
    first = np.unique(members, return_index=True)[1]
    table = [
        {"asked": rate, "supported": units is None or rate * (units + 1) >= 1 - _AT_MOST, "realised": realised}
        for rate in rates
        for realised in [false_alarm_rate(values <= rate * (1 + _AT_MOST), groups=groups)]
    ]
    simulated = _simulated(len(first), units, seed=seed, draws=draws) if len(first) else None
    return {
        "healthy": len(values),
        "patients": len(first),
        "units": units,
        "rates": table,
        "uniform": _uniformity(values[first], simulated),
        "curve": None if simulated is None else _curve(values[first], simulated),
    }


def uniformity(
    p_values: Sequence[float] | np.ndarray, *, units: int | None = None, seed: int = 0, draws: int = 2000
) -> dict[str, Any]:
    """Test that p-values of healthy cases are what calibration promises: as if these came from the same people.

    Conformal p-values are whole multiples of 1 / (n + 1), and all lean on the same n calibration units: neither
    continuous nor independent, so the textbook Kolmogorov-Smirnov test does not hold for them. The null is simulated
    instead: n + m exchangeable scores, their p-values, and the largest distance of their share at or below p from p,
    over the multiples of 1 / (n + 1); exact but for the number of draws and for ties. Without `units` the p-values are
    taken as continuous and independent.

    Source: Marginal law of conformal p-values: Bates et al. 2023, arXiv:2104.08279.

    Returns:
        `statistic`, `p_value`, `excess` (the largest surplus of small p-values: more false alarms than asked for) and
        `shortfall` (the other direction: fewer), and `why` where nothing can be told.
    """
    values = _checked(p_values)
    return _uniformity(values, _simulated(len(values), units, seed=seed, draws=draws) if len(values) else None)


def false_alarm_rate(above: Sequence[bool] | np.ndarray, *, groups: Sequence[Any] | None = None) -> dict[str, Any]:
    """Share of healthy cases above the threshold.

    Exact interval (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404) where each case is a patient of its own;
    where patients repeat, Wilson's with n the number of patients, which errs on the wide side. A case of an unknown
    patient counts as one.
    """
    from scipy.stats import binomtest

    alarms = np.asarray(above, bool)
    if len(alarms) == 0:
        return without_interval(None, "no healthy case")
    patients = len(np.unique(number_groups(groups, len(alarms))))
    if patients < len(alarms):
        return wilson(int(alarms.sum()), len(alarms), patients=patients)
    interval = binomtest(int(alarms.sum()), len(alarms)).proportion_ci()
    return {"value": float(alarms.mean()), "low": float(interval.low), "high": float(interval.high)}


class _Simulated:
    """Sets of m p-values as calibration promises them: their shares at or below each point of the grid."""

    def __init__(self, grid: np.ndarray, shares: np.ndarray) -> None:
        self.grid = grid
        self.shares = shares  # (draws, points)
        self.distances = np.abs(shares - grid).max(axis=1)


def _simulated(count: int, units: int | None, *, seed: int, draws: int) -> _Simulated:
    """Shares at or below each grid point. With n units they follow Polya's urn: n + m exchangeable scores."""
    if draws < 100:
        raise SettingError(f"draws is {draws}, expected at least 100; 2000 is usual")
    random = np.random.default_rng(seed)
    grid = _grid(units)
    shares = np.zeros((draws, len(grid)), np.float32)
    for row in shares:
        if units is None:
            p_values = random.random(count)
        else:
            calibration = np.sort(random.random(units))
            p_values = (1 + units - np.searchsorted(calibration, random.random(count))) / (units + 1)
        row[:] = _share_at_most(p_values, grid)
    return _Simulated(grid, shares)


def _grid(units: int | None) -> np.ndarray:
    """Where p-values can lie (thinned), or points close enough to each other."""
    if units is None or units + 1 > _POINTS:
        steps = _POINTS if units is None else units + 1
        return np.unique(np.ceil(np.arange(1, _POINTS + 1) * steps / _POINTS)) / steps
    return np.arange(1, units + 2) / (units + 1)


def _uniformity(values: np.ndarray, simulated: _Simulated | None) -> dict[str, Any]:
    if simulated is None:
        nothing = dict.fromkeys(("statistic", "p_value", "excess", "shortfall"))
        return {**nothing, "why": "no healthy case with a p-value"}
    apart = _share_at_most(values, simulated.grid) - simulated.grid
    statistic = float(np.abs(apart).max())
    stranger = int((simulated.distances >= statistic - 1e-6).sum())  # shares are kept in float32
    return {
        "statistic": statistic,
        "p_value": (1 + stranger) / (1 + len(simulated.distances)),
        "excess": float(max(apart.max(), 0.0)),
        "shortfall": float(max(-apart.min(), 0.0)),
    }


def _curve(values: np.ndarray, simulated: _Simulated) -> dict[str, list[float]]:
    low, high = np.percentile(simulated.shares, [2.5, 97.5], axis=0)
    return {
        "asked": simulated.grid.tolist(),
        "realised": _share_at_most(values, simulated.grid).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }


def _share_at_most(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(values), grid * (1 + _AT_MOST), side="right") / len(values)


def _checked(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1:
        raise ShapeError(f"p-values have shape {values.shape}, expected one a case")
    wrong = int((~((values > 0) & (values <= 1))).sum())
    if wrong:
        raise SettingError(f"{wrong} of {len(values)} p-values lie outside (0, 1]")
    return values
