"""Every kind of report that a backtest may hand over, odd ones too, for whoever shows them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from app.core.backtest.report import BacktestReport
from app.core.backtest.weights import WeightsReport
from tests.backtest_facts import (
    empty_report,
    full_report,
    mean,
    trades,
    weights_report,
    without_horizons,
)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp;|\n\u202e"
# Nothing beyond chance.
WALKED = weights_report(mean(0.00002, 0.00009, 2800, 900.0))


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same tree of values with every leaf through `change`."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: changed(getattr(value, one.name), change) for one in fields(value)}
        return replace(value, **parts)
    if isinstance(value, tuple):
        return tuple(changed(one, change) for one in value)
    return value if isinstance(value, Enum | bool) else change(value)


def with_floats(report: Any, number: float) -> Any:
    """Every float is this one."""
    return changed(report, lambda value: number if isinstance(value, float) else value)


def with_texts(report: Any, added: str) -> Any:
    """Every text ends with this."""
    return changed(report, lambda value: value + added if isinstance(value, str) else value)


_ODD = (0.0, 1e-12, -1e-12, 1e8, 1e308, -1e308, math.nan, math.inf, -math.inf)
REPORTS: dict[str, tuple[BacktestReport, WeightsReport | None]] = {
    "full": (full_report(), WALKED),
    "without weights": (full_report(), None),
    "empty": (empty_report(), weights_report()),
    "no horizons": (without_horizons(full_report()), None),
    "one block of time": (
        replace(full_report(), dearer=replace(trades(), mean_net=None)),
        replace(weights_report(), folds=()),
    ),
    "hostile": (with_texts(full_report(), HOSTILE), with_texts(WALKED, HOSTILE)),
    "long names": (with_texts(full_report(), "x" * 300), WALKED),
    **{
        f"every float is {number:g}": (with_floats(full_report(), number), with_floats(WALKED, number))
        for number in _ODD
    },
}
