"""The figures of a backtest as JSON: all of them, in a fixed order, finite or null. A part of `backtest`."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass

from app.core.backtest.report import BacktestReport
from app.core.backtest.variants import Variant
from app.core.backtest.weights import WeightsReport
from app.core.record.columns import FACTOR_ORDER

# Fields that are pairs of a name and its value, as objects.
_NAMED = frozenset({"weights", "inputs", "percentiles", "correlations"})


def report_json(report: BacktestReport, weights: WeightsReport | None = None, *, summary: str) -> str:
    """`{"summary": ..., "report": ..., "weights": ... or null}` with a line end; the same bytes every time.

    Keys are the fields of the types, as in the figures of the other measurements; fractions stay fractions,
    times UTC epoch milliseconds. Pairs of name and value are objects, points of curves [ms, total]. A number
    that is not finite is no figure: null.
    """
    whole = {"summary": summary, "report": _plain(report), "weights": _plain(weights)}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, Variant):
        pairs = zip(FACTOR_ORDER, value.weights, strict=True)
        return {"name": value.name, "weights": {factor.value: _plain(one) for factor, one in pairs}}
    if is_dataclass(value):
        return {field.name: _field(field.name, getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _field(name: str, value: object) -> object:
    if name in _NAMED and isinstance(value, tuple):
        return {str(key): _plain(one) for key, one in value}
    return _plain(value)
