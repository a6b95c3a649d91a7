"""What the live feed shows as models: rounding, ISO times, clipped text. Pure.

`/api/signals` and the feed render their cards here, so they are one and the same; alerts and the ranking are
those of their own routes.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.api import render_flow
from app.api.numbers import clip, iso_utc, places, significant
from app.api.schemas import live as schema
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, REASON_CHARS, SENTENCE_CHARS
from app.core.domain.context import DataMode
from app.core.domain.flow import CascadeNow
from app.core.domain.flow_answer import FlowTopAnswer, StreamStatusAnswer, TradeShare, WindowShare
from app.core.domain.formatting import toward_neutral
from app.core.domain.live import LiveCard, LiveFault, LiveMarket, LiveQuote, SideSums
from app.core.domain.signal import Direction, Mode, Signal
from app.core.domain.stored import StoredSignal

_USD_DIGITS = 6


def signals(cards: Sequence[LiveCard], *, now_ms: int, data_mode: DataMode) -> schema.LiveSignalsResponse:
    """The answer of `/api/signals`."""
    return schema.LiveSignalsResponse(
        timestamp=iso_utc(now_ms), data_mode=data_mode, items=[card(one) for one in cards[: schema.MAX_CARDS]]
    )


def quote(found: LiveQuote) -> schema.LiveQuoteItem:
    """One coin as it is streamed."""
    return schema.LiveQuoteItem(
        symbol=found.symbol,
        price_usd=_number(found.price),
        price_as_of=_moment(found.price_ms),
        price_source=None if found.price is None else clip(found.source, NAME_CHARS) or None,
        exchange=None if found.exchange is None else clip(found.exchange, NAME_CHARS),
        liq1h=_window(found.liquidations_1h),
        liq24h=_window(found.liquidations_24h),
        flow5m=None if found.flow_5m is None else _flow(found.flow_5m),
        cascade=None if found.cascade is None else _cascade(found.cascade),
        as_of=iso_utc(found.as_of_ms),
    )


def card(found: LiveCard) -> schema.LiveCardItem:
    """One evaluation, or why there is none."""
    signal = found.signal
    if signal is None:
        return _empty_card(found)
    price, interest = signal.price, signal.open_interest_usd
    return schema.LiveCardItem(
        symbol=found.symbol,
        signal=signal.direction,
        score=places(toward_neutral(signal.score, 2), 2),
        confidence=signal.confidence.level,
        confidence_score=places(signal.confidence.score, 2),
        coverage=places(signal.coverage, 4),
        reason=clip(signal.reason, REASON_CHARS),
        reasons=[clip(reason, SENTENCE_CHARS) for reason in signal.reasons[:3]],
        missing=_missing(signal),
        price_usd=significant(price.value.price_usd),
        price_kind=price.value.kind,
        price_source=clip(price.provider, NAME_CHARS),
        price_as_of=iso_utc(price.ts_event_ms),
        price_status="stale" if signal.price_stale else "ok",
        change24h_frac=None if found.change_24h_frac is None else places(found.change_24h_frac, 6),
        funding_rate8h_frac=_number(signal.funding_8h_frac),
        funding_as_of=_moment(found.funding_ms),
        open_interest_usd=_number(interest.value if interest else None),
        open_interest_as_of=_moment(interest.ts_event_ms if interest else None),
        open_interest_source=clip(interest.provider, NAME_CHARS) if interest else None,
        probability=None if signal.probability is None else places(signal.probability, 4),
        as_of=iso_utc(signal.as_of_ms),
        error=None,
    )


def market(found: LiveMarket) -> schema.LiveMarketItem:
    """The market strip."""
    mood = found.mood
    return schema.LiveMarketItem(
        fear_greed=None if mood is None else places(mood.value, 1),
        fear_greed_as_of=None if mood is None else iso_utc(mood.ts_event_ms),
        fear_greed_label=None if mood is None else mood.label,
        liq1h=_sums(found.liquidations_1h),
        liq24h=_sums(found.liquidations_24h),
        coins_seen=found.coins_seen,
        state=found.state,
        reason=clip(found.reason, REASON_CHARS) or None,
        as_of=iso_utc(found.as_of_ms),
    )


def imbalances(answer: FlowTopAnswer, *, data_mode: DataMode) -> list[schema.LiveImbalance]:
    """The rows of `/flow/top`, each with its time."""
    rows = render_flow.top(answer, data_mode=data_mode).items
    pairs = zip(rows, answer.items, strict=False)
    return [schema.LiveImbalance(**dict(row), as_of=iso_utc(item.as_of_ms)) for row, item in pairs]


def cascades(answer: FlowTopAnswer) -> list[schema.LiveCascadeOfCoin]:
    """Under way now, largest first."""
    return [
        schema.LiveCascadeOfCoin(**dict(_cascade(found)), symbol=symbol, price_usd=_number(found.price))
        for symbol, found in answer.cascades
    ]


def stored_signal(row: StoredSignal) -> schema.LiveSignalItem:
    """One stored signal, in short."""
    return schema.LiveSignalItem(
        id=row.id,
        symbol=row.symbol,
        direction=Direction(row.direction),
        mode=Mode(row.mode),
        trigger=row.trigger,
        score=places(toward_neutral(row.score, 2), 2),
        confidence=places(row.confidence, 2),
        coverage=places(row.coverage, 4),
        price_usd=significant(row.price_usd),
        as_of=iso_utc(row.as_of_ms),
        reason=clip(row.reason, REASON_CHARS),
    )


def stream(answer: StreamStatusAnswer) -> schema.LiveStream:
    """How the stream does, in short."""
    alarms = [text for report in answer.reports for text in report.alarms]
    return schema.LiveStream(
        state=answer.state,
        reason=clip(answer.reason, REASON_CHARS) or None,
        newest_event=_moment(answer.newest_event_ms),
        workers=len(answer.reports),
        alarms=[clip(text, DETAIL_CHARS) for text in alarms[: schema.MAX_ALARMS]],
    )


def error(fault: LiveFault) -> schema.LiveError:
    """Why something is not shown."""
    return schema.LiveError(code=clip(fault.code, NAME_CHARS), detail=clip(fault.detail, REASON_CHARS))


def _empty_card(found: LiveCard) -> schema.LiveCardItem:
    fields = dict.fromkeys(schema.LiveCardItem.model_fields)
    told = {"symbol": found.symbol, "reasons": [], "missing": []}
    reason = None if found.fault is None else error(found.fault)
    return schema.LiveCardItem.model_validate({**fields, **told, "error": reason})


def _missing(signal: Signal) -> list[str]:
    return [clip(name, NAME_CHARS) for name, _ in signal.missing[: schema.MAX_MISSING]]


def _window(window: WindowShare | None) -> schema.LiveWindow | None:
    if window is None:
        return None
    return schema.LiveWindow(
        long_usd=_usd(window.long_usd), short_usd=_usd(window.short_usd), whole=window.is_whole
    )


def _flow(window: TradeShare) -> schema.LiveFlow:
    return schema.LiveFlow(
        buy_usd=_usd(window.buy_usd),
        sell_usd=_usd(window.sell_usd),
        buy_share_frac=None if window.buy_frac is None else places(window.buy_frac, 4),
        trades=window.buys + window.sells,
        large_buys=window.large_buys,
        large_sells=window.large_sells,
        verdict=window.verdict,
        why_none=clip(window.why_none, DETAIL_CHARS) or None,
    )


def _cascade(found: CascadeNow) -> schema.LiveCascade:
    return schema.LiveCascade(
        side=found.side,
        phase=found.phase,
        started=iso_utc(found.started_ms),
        usd=_usd(found.usd),
        events=found.events,
    )


def _sums(found: SideSums) -> schema.LiveSums:
    return schema.LiveSums(
        long_usd=_usd(found.long_usd),
        short_usd=_usd(found.short_usd),
        coins=found.coins,
        whole=found.is_whole,
    )


def _usd(value: float) -> float:
    return significant(value, _USD_DIGITS)


def _number(value: float | None) -> float | None:
    return None if value is None else significant(value)


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_utc(at_ms)
