"""Context inputs, extras and probes as schema models, shared by the market, debug and premium answers.

Pure: domain values in, models out. Rounds through `app.api.numbers` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, RawValue
from app.api.schemas.market import (
    MAX_GROUPS,
    MAX_READINGS,
    ExtraGroup,
    MarketResponse,
    PremiumItem,
    PremiumResponse,
)
from app.api.schemas.signal_debug import AttemptItem, InputItem, TracedInput
from app.core.domain.answer import MarketAnswer, MarketExtra, ProbeResult
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.market import Candles, LiquidationHistory, MarketReading, Price, Series
from app.core.domain.quality import Attempt, Missing, MissingReason, Reading
from app.core.errors import InvariantViolation

# Readings in one market answer, so that the worst case stays under the 90,000 characters an assistant reads.
MAX_TOTAL_READINGS = 300
_MAX_ATTEMPTS = 8


def render_inputs(context: EnhancedSignalContext) -> list[InputItem]:
    """Every input of the context, in field order."""
    return [InputItem(**_input(name, found, context.as_of_ms)) for name, found in context.inputs()]


def render_traced_inputs(context: EnhancedSignalContext) -> list[TracedInput]:
    """The same with every source that was asked."""
    return [
        TracedInput(**_input(name, found, context.as_of_ms), attempts=_attempts(found.attempts))
        for name, found in context.inputs()
    ]


def render_market(answer: MarketAnswer, *, now_ms: int) -> MarketResponse:
    """Inputs and extras; figures past the cap are left out and `truncated` says so."""
    context = answer.context
    left, cut = MAX_TOTAL_READINGS, len(answer.extras) > MAX_GROUPS
    extras = []
    for extra in answer.extras[:MAX_GROUPS]:
        taken = extra.readings[: min(left, MAX_READINGS)]
        left -= len(taken)
        cut = cut or len(taken) < len(extra.readings)
        extras.append(_extra(extra, taken, context.as_of_ms))
    return MarketResponse(
        symbol=answer.symbol.base,
        timestamp=iso_utc(now_ms),
        data_mode=context.data_mode,
        as_of=iso_utc(context.as_of_ms),
        inputs=render_inputs(context),
        extras=extras,
        truncated=cut,
    )


def render_premium(
    symbol: str, probes: Iterable[ProbeResult], *, now_ms: int, data_mode: DataMode
) -> PremiumResponse:
    """Every probe as it ended."""
    return PremiumResponse(
        symbol=symbol,
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        results=[_probe(probe) for probe in list(probes)[:MAX_GROUPS]],
    )


def _input(name: Capability, found: Reading[object] | Missing, as_of_ms: int) -> dict[str, Any]:
    if isinstance(found, Missing):
        return {
            "input": name,
            "provider": None,
            "endpoint": None,
            "label": "",
            "as_of": None,
            "age_s": None,
            "cache": None,
            "points": 0,
            "values": [],
            "missing": found.reason,
            "detail": clip(found.detail, DETAIL_CHARS),
        }
    label, points, values = _newest(found.value)
    return {
        "input": name,
        "provider": clip(found.provider, NAME_CHARS),
        "endpoint": clip(found.endpoint, NAME_CHARS),
        "label": clip(label, DETAIL_CHARS),
        "as_of": iso_utc(found.ts_event_ms),
        "age_s": age_s(as_of_ms, found.ts_event_ms),
        "cache": found.cache,
        "points": points,
        "values": [_value(*value) for value in values],
        "missing": None,
        "detail": "",
    }


def _newest(value: object) -> tuple[str, int, list[tuple[str, float, str]]]:
    """What was measured, how many bars there are, and the newest figures as (name, value, unit)."""
    match value:
        case Price():
            label = f"{value.kind.value} {value.exchange or ''}".strip()
            return label, 1, [("priceUsd", value.price_usd, "usd")]
        case Series():
            newest = [("value", v, value.unit.value) for v in value.values[-1:]]
            return value.label, len(value.values), newest
        case Candles():
            newest = [("closeUsd", v, "usd") for v in value.close[-1:]]
            return f"{value.exchange} candles", len(value.close), newest
        case LiquidationHistory():
            sides = (("longLiquidationsUsd", value.long_usd), ("shortLiquidationsUsd", value.short_usd))
            newest = [(name, v, "usd") for name, column in sides for v in column[-1:]]
            return value.scope, len(value.close_ms), newest
        case _:
            raise InvariantViolation(f"no rendering for an input of type {type(value).__name__}")


def _value(name: str, value: float, unit: str) -> RawValue:
    return RawValue(name=clip(name, NAME_CHARS), value=significant(value), unit=clip(unit, NAME_CHARS))


def _readings(readings: Iterable[MarketReading]) -> list[RawValue]:
    return [_value(reading.name, reading.value, reading.unit) for reading in readings]


def _attempts(attempts: tuple[Attempt, ...]) -> list[AttemptItem]:
    return [
        AttemptItem(
            provider=clip(attempt.provider, NAME_CHARS),
            endpoint=clip(attempt.endpoint, NAME_CHARS),
            outcome="ok" if attempt.outcome == "ok" else MissingReason(attempt.outcome),
            latency_ms=places(attempt.latency_ms, 3),
            cache=attempt.cache,
            detail=clip(attempt.detail, DETAIL_CHARS),
        )
        for attempt in attempts[-_MAX_ATTEMPTS:]
    ]


def _extra(extra: MarketExtra, taken: tuple[MarketReading, ...], as_of_ms: int) -> ExtraGroup:
    at_ms = extra.ts_event_ms
    return ExtraGroup(
        provider=clip(extra.provider, NAME_CHARS),
        group=clip(extra.group, NAME_CHARS),
        as_of=None if at_ms is None else iso_utc(at_ms),
        age_s=None if at_ms is None else age_s(as_of_ms, at_ms),
        readings=_readings(taken),
        error=None if extra.error is None else MissingReason(extra.error),
        detail=clip(extra.detail, DETAIL_CHARS),
    )


def _probe(probe: ProbeResult) -> PremiumItem:
    code, _, words = (probe.error or "").partition(": ")
    return PremiumItem(
        name=clip(probe.name, NAME_CHARS),
        provider=clip(probe.provider, NAME_CHARS),
        endpoint=clip(probe.endpoint, NAME_CHARS),
        status=probe.status,
        latency_ms=places(probe.latency_ms, 3),
        error=MissingReason(code) if code else None,
        detail=clip(words, DETAIL_CHARS),
        as_of=None if probe.ts_event_ms is None else iso_utc(probe.ts_event_ms),
        readings=_readings(probe.readings[:MAX_READINGS]),
    )
