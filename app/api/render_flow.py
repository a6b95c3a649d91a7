"""Flow answers as models: rounding, ISO times, ages. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.schemas import flow as schema
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, REASON_CHARS
from app.core.domain.alerts import OutboxDepth
from app.core.domain.context import DataMode
from app.core.domain.flow import (
    CascadeNow,
    FlowSnapshot,
    LinkStatus,
    PipelineStatus,
    StreamGap,
)
from app.core.domain.flow_answer import (
    FlowAnswer,
    FlowTopAnswer,
    Imbalance,
    OrderFlowAnswer,
    StreamReport,
    StreamStatusAnswer,
    TradeShare,
    WindowShare,
)

_USD_DIGITS = 6


def order_flow(answer: OrderFlowAnswer, *, data_mode: DataMode) -> schema.OrderFlowResponse:
    """Taker volume by window."""
    found, now_ms = answer.snapshot, answer.as_of_ms
    return schema.OrderFlowResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=answer.symbol.base,
        state=answer.state,
        reason=_reason(answer.reason),
        source=None if found is None else clip(found.source, NAME_CHARS) or None,
        as_of=None if found is None else iso_utc(found.as_of_ms),
        age_s=None if found is None else age_s(now_ms, found.as_of_ms),
        large_usd=None if found is None else _usd(found.large_usd),
        windows=[_trades(window) for window in answer.windows[: schema.MAX_WINDOWS]],
        price=_price(found, now_ms),
    )


def liquidation_flow(answer: FlowAnswer, *, data_mode: DataMode) -> schema.LiquidationFlowResponse:
    """Liquidations by window."""
    found, now_ms = answer.snapshot, answer.as_of_ms
    cascade = None if found is None else found.cascade
    newest_ms = None if found is None else found.newest_event_ms
    return schema.LiquidationFlowResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=answer.symbol.base,
        state=answer.state,
        reason=_reason(answer.reason),
        source=None if found is None else clip(found.source, NAME_CHARS) or None,
        as_of=None if found is None else iso_utc(found.as_of_ms),
        age_s=None if found is None else age_s(now_ms, found.as_of_ms),
        newest_event=_moment(newest_ms),
        covered_since=None if found is None else iso_utc(found.covered_since_ms),
        thresholds=schema.TierItem(
            tier=answer.tier,
            cascade_usd=answer.thresholds.cascade_usd,
            large_usd=answer.thresholds.large_usd,
            absorption_usd=answer.thresholds.absorption_usd,
        ),
        windows=[_liquidations(window) for window in answer.windows[: schema.MAX_WINDOWS]],
        cascade=None if cascade is None else _cascade(answer.symbol.base, cascade, now_ms),
        price=_price(found, now_ms),
    )


def top(answer: FlowTopAnswer, *, data_mode: DataMode) -> schema.FlowTopResponse:
    """The ranking."""
    now_ms = answer.as_of_ms
    return schema.FlowTopResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        state=answer.state,
        reason=_reason(answer.reason),
        window_s=answer.window_s,
        coins=answer.coins,
        stale_coins=answer.stale,
        items=[_imbalance(item, now_ms) for item in answer.items[: schema.MAX_ITEMS]],
        cascades=[_cascade(symbol, found, now_ms) for symbol, found in answer.cascades[: schema.MAX_ITEMS]],
    )


def stream_status(answer: StreamStatusAnswer, *, data_mode: DataMode) -> schema.StreamStatusResponse:
    """Every worker."""
    now_ms = answer.as_of_ms
    return schema.StreamStatusResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        state=answer.state,
        reason=_reason(answer.reason),
        coins=answer.snapshots,
        newest_event=_moment(answer.newest_event_ms),
        newest_event_age_s=_age(now_ms, answer.newest_event_ms),
        workers=[_worker(report, now_ms) for report in answer.reports[: schema.MAX_WORKERS]],
    )


def _trades(window: TradeShare) -> schema.TradeWindowItem:
    return schema.TradeWindowItem(
        window_s=window.window_s,
        buy_usd=_usd(window.buy_usd),
        sell_usd=_usd(window.sell_usd),
        buy_share_frac=_share(window.buy_frac),
        trades=window.buys + window.sells,
        large_buys=window.large_buys,
        large_sells=window.large_sells,
        verdict=window.verdict,
        why_none=_detail(window.why_none),
        whole=window.is_whole,
    )


def _liquidations(window: WindowShare) -> schema.LiquidationWindowItem:
    return schema.LiquidationWindowItem(
        window_s=window.window_s,
        long_usd=_usd(window.long_usd),
        short_usd=_usd(window.short_usd),
        long_events=window.long_events,
        short_events=window.short_events,
        largest_usd=_usd(window.largest_usd),
        low_usd=_number(window.low),
        high_usd=_number(window.high),
        dominant_side=window.dominant,
        dominant_share_frac=_share(window.dominant_frac),
        whole=window.is_whole,
    )


def _imbalance(item: Imbalance, now_ms: int) -> schema.ImbalanceItem:
    window = item.window
    return schema.ImbalanceItem(
        symbol=item.symbol,
        tier=item.tier,
        long_usd=_usd(window.long_usd),
        short_usd=_usd(window.short_usd),
        net_usd=_usd(item.net_usd),
        dominant_side=window.dominant,
        dominant_share_frac=_share(window.dominant_frac),
        ratio=significant(item.ratio, _USD_DIGITS),
        price_usd=_number(item.price),
        age_s=age_s(now_ms, item.as_of_ms),
        whole=window.is_whole,
    )


def _cascade(symbol: str, found: CascadeNow, now_ms: int) -> schema.CascadeItem:
    return schema.CascadeItem(
        symbol=symbol,
        side=found.side,
        phase=found.phase,
        started=iso_utc(found.started_ms),
        age_s=age_s(now_ms, found.started_ms),
        usd=_usd(found.usd),
        events=found.events,
        price_usd=_number(found.price),
    )


def _price(found: FlowSnapshot | None, now_ms: int) -> schema.FlowPrice | None:
    if found is None or found.price is None or found.price_ms is None:
        return None
    return schema.FlowPrice(
        price_usd=significant(found.price),
        exchange=None if found.price_exchange is None else clip(found.price_exchange, NAME_CHARS),
        as_of=iso_utc(found.price_ms),
        age_s=age_s(now_ms, found.price_ms),
    )


def _worker(report: StreamReport, now_ms: int) -> schema.WorkerItem:
    newest_first = report.gaps[::-1]
    return schema.WorkerItem(
        worker=clip(report.worker, NAME_CHARS),
        as_of=iso_utc(report.as_of_ms),
        age_s=age_s(now_ms, report.as_of_ms),
        links=[_link(link, now_ms) for link in report.links[: schema.MAX_LINKS]],
        pipeline=None if report.pipeline is None else _pipeline(report.pipeline),
        gaps=[_gap(gap) for gap in newest_first[: schema.MAX_GAPS]],
        outbox=None if report.outbox is None else _outbox(report.outbox, now_ms),
        alarms=[clip(text, DETAIL_CHARS) for text in report.alarms[: schema.MAX_NOTES]],
        notes=[clip(text, DETAIL_CHARS) for text in report.notes[: schema.MAX_NOTES]],
    )


def _link(link: LinkStatus, now_ms: int) -> schema.LinkItem:
    return schema.LinkItem(
        source=clip(link.source, NAME_CHARS),
        state=link.state,
        detail=_detail(link.detail),
        last_data_age_s=_age(now_ms, link.last_data_ms),
        frames=link.frames,
        events=link.events,
        rejects=_counts(link.rejects),
        reconnects=link.reconnects,
        gaps=link.gaps,
    )


def _gap(gap: StreamGap) -> schema.StreamGapItem:
    return schema.StreamGapItem(
        source=clip(gap.source, NAME_CHARS),
        since=iso_utc(gap.from_ms),
        until=iso_utc(gap.to_ms),
        reason=clip(gap.reason, NAME_CHARS),
    )


def _pipeline(status: PipelineStatus) -> schema.PipelineItem:
    return schema.PipelineItem(
        started=iso_utc(status.started_ms),
        events=status.events,
        trades=status.trades,
        duplicates=status.duplicates,
        late_events=status.late_events,
        skewed_events=status.skewed_events,
        symbols=status.symbols,
        findings=status.findings,
        lag_s=None if status.lag_ms is None else places(status.lag_ms / 1000, 3),
        alerts=_counts(status.alerts),
    )


def _outbox(depth: OutboxDepth, now_ms: int) -> schema.OutboxItem:
    return schema.OutboxItem(
        pending=depth.pending,
        sending=depth.sending,
        failed=depth.failed,
        uncertain=depth.uncertain,
        oldest_age_s=_age(now_ms, depth.oldest_ms),
    )


def _counts(found: Mapping[str, int]) -> list[schema.CountItem]:
    most_first = sorted(found.items(), key=lambda item: (-item[1], item[0]))[: schema.MAX_REASONS]
    return [schema.CountItem(name=clip(name, NAME_CHARS), count=count) for name, count in most_first]


def _usd(value_usd: float) -> float:
    return significant(value_usd, _USD_DIGITS)


def _number(value: float | None) -> float | None:
    return None if value is None else significant(value)


def _share(value: float | None) -> float | None:
    return None if value is None else places(value, 4)


def _moment(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else iso_utc(epoch_ms)


def _age(now_ms: int, event_ms: int | None) -> float | None:
    return None if event_ms is None else age_s(now_ms, event_ms)


def _reason(text: str) -> str | None:
    return clip(text, REASON_CHARS) or None


def _detail(text: str) -> str | None:
    return clip(text, DETAIL_CHARS) or None
