"""Stored bars, replayed bars and stored signals as answers. Pure; rounds through `app.api.numbers` only."""

from __future__ import annotations

from typing import Any

from app.api.numbers import clip, iso_utc, places, significant
from app.api.render_derivatives import interval_name, moment, name, number, words
from app.api.render_parts import common
from app.api.schemas.base import REASON_CHARS
from app.api.schemas.derivatives import OpenInterestBar
from app.api.schemas.derivatives_answers import OpenInterestSeriesResponse
from app.api.schemas.history import (
    MAX_GAPS,
    CandleItem,
    FundingBarItem,
    GapItem,
    HistoryResponse,
    InterestItem,
    LongShortItem,
    TakerItem,
)
from app.api.schemas.record import SignalHistoryResponse, StoredSignalItem
from app.core.domain.context import DataMode
from app.core.domain.formatting import toward_neutral
from app.core.domain.history import Gap, HistoryAnswer, ReplayedInterest
from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import (
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    Page,
    RatioRow,
    RatioScope,
    SeriesName,
    SignalQuery,
    StoredSignal,
    TakerRow,
)
from app.core.domain.symbol import Symbol
from app.core.errors import InvariantViolation

_LISTS = {
    SeriesName.CANDLES: "candles",
    SeriesName.OPEN_INTEREST: "open_interest",
    SeriesName.FUNDING: "funding",
    SeriesName.LONG_SHORT: "long_short",
    SeriesName.TAKER_VOLUME: "taker_volume",
}
_INTEREST_KEYS = tuple(
    f"{part}_{unit}" for unit in ("usd", "base") for part in ("open", "high", "low", "close")
)
_HOW_TO_FILL = {
    DataMode.LIVE: "python -m app.backfill --symbols {coin} --days 30",
    DataMode.DEMO: "python -m app.backfill --demo --symbols {coin} --days 30",
    DataMode.REPLAY: "python -m app.backfill --from FOLDER, with the folder of REPLAY_DATA,",
}
_MAX_NAMED = 12
# Exchange names come from providers and are cut to what the schema allows.
_EXCHANGE_CHARS = 60


def history(
    answer: HistoryAnswer, *, now_ms: int, data_mode: DataMode, truncated: bool = False
) -> HistoryResponse:
    """One page of stored bars."""
    request = answer.request
    lists: dict[str, Any] = dict.fromkeys(_LISTS.values())
    lists[_LISTS[request.series]] = [_bar(row) for row in answer.rows]
    return HistoryResponse(
        **lists,
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=request.symbol.base,
        series=request.series,
        interval=request.interval,
        exchange=request.exchange,
        scope=request.scope,
        order="desc" if request.newest_first else "asc",
        as_of=moment(max((row.close_ms for row in answer.rows), default=None)),
        oldest_stored=moment(answer.oldest_ms),
        newest_stored=moment(answer.newest_ms),
        missing_bars=sum(gap.bars for gap in answer.gaps),
        gaps=[_gap(gap) for gap in answer.gaps[:MAX_GAPS]],
        truncated=truncated,
        next=answer.cursor,
        note=_note(answer, data_mode),
    )


def _note(answer: HistoryAnswer, data_mode: DataMode) -> str | None:
    """Why a page is empty: nothing stored at all, of this exchange, at this bar size, or in these times."""
    if answer.rows:
        return None
    coin = answer.request.symbol.base
    if answer.newest_ms is not None:
        return "Nothing is stored between `from` and `to`; oldestStored and newestStored say what is."
    if answer.other_exchanges:
        named = ", ".join(answer.other_exchanges[:_MAX_NAMED])
        return clip(f"Nothing is stored of this exchange; stored are: {named}.", REASON_CHARS)
    if answer.other_intervals:
        return f"Nothing is stored at this interval; stored are: {', '.join(answer.other_intervals)}."
    fill = f"Nothing is stored yet; {_HOW_TO_FILL[data_mode].format(coin=coin)} fills the past."
    if answer.request.series is SeriesName.TAKER_VOLUME or answer.request.scope is RatioScope.TOP_ACCOUNT:
        return fill  # no signal is computed from these
    return f"{fill} New bars are kept as signals of {coin} are computed."


def _gap(gap: Gap) -> GapItem:
    return GapItem(
        exchange=clip(gap.exchange, _EXCHANGE_CHARS),
        after=iso_utc(gap.after_ms),
        before=iso_utc(gap.before_ms),
        bars=gap.bars,
    )


def _bar(row: BarRow) -> CandleItem | InterestItem | FundingBarItem | LongShortItem | TakerItem:
    shared: dict[str, Any] = {
        "time": iso_utc(row.close_ms),
        "exchange": clip(row.exchange, _EXCHANGE_CHARS),
        "source": name(row.source),
        "is_outlier": row.is_outlier,
    }
    match row:
        case CandleRow():
            shared |= {key: significant(getattr(row, key)) for key in ("open", "high", "low", "close")}
            return CandleItem(**shared, volume_base=number(row.volume_base))
        case OpenInterestRow():
            shared |= {key: number(getattr(row, key)) for key in _INTEREST_KEYS}
            return InterestItem(**shared)
        case FundingRow():
            return FundingBarItem(
                **shared,
                rate8h_frac=number(row.rate_8h_frac),
                oi_weighted8h_frac=number(row.oi_weighted_8h_frac),
                volume_weighted8h_frac=number(row.volume_weighted_8h_frac),
            )
        case RatioRow():
            return LongShortItem(**shared, long_share_frac=significant(row.long_share_frac))
        case TakerRow():
            return TakerItem(**shared, buy_usd=significant(row.buy_usd), sell_usd=significant(row.sell_usd))


def replayed(
    symbol: Symbol, found: ReplayedInterest, *, now_ms: int, data_mode: DataMode
) -> OpenInterestSeriesResponse:
    """Open interest bars, newest last, and how many of them the store gave."""
    fault = None if found.store_fault is None else f"the store did not answer: {found.store_fault}"
    return OpenInterestSeriesResponse(
        **common({found.part.view: found.part}, now_ms=now_ms, data_mode=data_mode),
        symbol=symbol.base,
        interval=None if found.interval_ms is None else interval_name(found.interval_ms),
        label=None if found.label is None else words(found.label),
        bars=[_interest_bar(row) for row in found.bars],
        next=None if found.next_ms is None else str(found.next_ms),
        stored_bars=found.stored_bars,
        stored_from=[name(source) for source in found.stored_from],
        store_fault=None if fault is None else words(fault),
    )


def _interest_bar(row: OpenInterestRow) -> OpenInterestBar:
    if row.close_usd is None:
        raise InvariantViolation("a replayed bar has no close in USD")
    return OpenInterestBar(
        time=iso_utc(row.close_ms),
        open_usd=number(row.open_usd),
        high_usd=number(row.high_usd),
        low_usd=number(row.low_usd),
        close_usd=significant(row.close_usd),
    )


def signals(
    page: Page[StoredSignal], query: SignalQuery, *, now_ms: int, data_mode: DataMode
) -> SignalHistoryResponse:
    """One page of stored signals."""
    return SignalHistoryResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=query.symbol,
        trigger=query.trigger,
        items=[_signal(row) for row in page.rows],
        next=page.cursor,
    )


def _signal(row: StoredSignal) -> StoredSignalItem:
    return StoredSignalItem(
        id=row.id,
        symbol=row.symbol,
        as_of=iso_utc(row.as_of_ms),
        data_mode=DataMode(row.data_mode),
        trigger=row.trigger,
        direction=Direction(row.direction),
        mode=Mode(row.mode),
        score=places(toward_neutral(row.score, 2), 2),
        confidence=places(row.confidence, 2),
        coverage=places(row.coverage, 4),
        price=significant(row.price_usd),
        reason=clip(row.reason, REASON_CHARS),
        engine_version=name(row.engine_version),
        context_digest=row.context_digest,
        chain=row.chain,
        seq=row.seq,
        prev_hash=row.prev_hash,
        hash=row.hash,
    )
