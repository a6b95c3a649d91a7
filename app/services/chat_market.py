"""Questions about the market: signal, funding, open interest, whales, fear and greed.

Each asks one use case and puts its answer into a few lines with sources and ages; what is missing says why.
Owns no arithmetic beyond a percentile. Called by `chat_service`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.core.chat_ports import Inquiries
from app.core.domain.derivatives import VenueFunding, VenueOpenInterest, WhaleAlert, WhalePosition
from app.core.domain.formatting import (
    format_percent,
    format_signed_percent,
    format_small_signed_percent,
    format_usd,
    format_usd_compact,
    toward_neutral,
)
from app.core.domain.liquidity import DEFAULT_TIMEFRAME, Setup
from app.core.domain.market import DAY_MS, Series
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.sentiment import fear_class
from app.core.domain.signal import FactorScore, FactorStatus, Mode, Signal
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.errors import InvariantViolation
from app.core.stream_ports import Message
from app.services.chat_text import Markup, Voice, clean, joined, message

T = TypeVar("T")
MAX_VENUES = 8
MAX_WHALES = 6
MAX_REASONS = 3
MIN_HISTORY = 30  # bars, below which a percentile says nothing
_ANY_COIN = "BTC"  # of an index that is the same for every coin


@dataclass(frozen=True, slots=True)
class MarketAnswers:
    """Answers out of the use cases of the service."""

    on: Inquiries

    async def signal(self, voice: Voice, symbol: Symbol) -> Message:
        """Direction, score and the plan beside it. Raises: NoPriceAvailable."""
        signal = (await self.on.signals.signal(symbol.base, Mode.BALANCED, DEFAULT_TIMEFRAME)).signal
        lines = [*_headline(voice, signal), *_reasons(voice, signal), *_figures(voice, signal)]
        lines += [*_plan(voice, signal), *_lacking(voice, signal)]
        coin = symbol.base
        buttons = [
            [(voice.say("button.why"), f"/why {coin}"), (voice.say("button.liq"), f"/liq {coin}")],
            [(voice.say("button.heatmap"), f"/heatmap {coin}")],
        ]
        return message(lines, footer=voice.footer(), buttons=buttons)

    async def why(self, voice: Voice, symbol: Symbol) -> list[Markup]:
        """The factors behind a signal, heaviest first. Raises: NoPriceAvailable."""
        signal = (await self.on.signals.signal(symbol.base, Mode.BALANCED, DEFAULT_TIMEFRAME)).signal
        lines = _headline(voice, signal)
        lines += [_factor(voice, factor) for factor in _by_weight(signal.factors)]
        return [*lines, *_lacking(voice, signal)]

    async def funding(self, voice: Voice, symbol: Symbol) -> Message:
        """Rates of the exchanges and where the newest stands in its own past."""
        views = (View.FUNDING_HISTORY, View.FUNDING_VENUES)
        parts = await self.on.derivatives.parts(views, ViewQuery(symbol=symbol))
        lines = [voice.title("funding.title", coin=symbol), *_funding_history(voice, parts)]
        found = reading_of(parts[View.FUNDING_VENUES], tuple)
        if isinstance(found, Missing):
            lines.append(_lack(voice, "funding.venues", parts[View.FUNDING_VENUES], found))
            return message(lines, footer=voice.footer())
        lines.append(voice.say("funding.venues_of", source=voice.source(found)))
        rates = [rate for rate in found.value if isinstance(rate, VenueFunding)]
        lines += [_venue_rate(voice, rate) for rate in rates[:MAX_VENUES]]
        return message([*lines, *_rest(voice, len(rates), MAX_VENUES)], footer=voice.footer())

    async def open_interest(self, voice: Voice, symbol: Symbol) -> Message:
        """Open interest of the exchanges and how it changed."""
        view = View.OPEN_INTEREST_VENUES
        part = (await self.on.derivatives.parts([view], ViewQuery(symbol=symbol)))[view]
        lines = [voice.title("oi.title", coin=symbol)]
        found = reading_of(part, tuple)
        if isinstance(found, Missing):
            return message([*lines, _lack(voice, "oi.venues", part, found)], footer=voice.footer())
        lines.append(joined(voice.say("oi.source", source=voice.source(found)), voice.part_note(part)))
        venues = [venue for venue in found.value if isinstance(venue, VenueOpenInterest)]
        lines += [_venue_interest(voice, venue) for venue in venues[:MAX_VENUES]]
        return message([*lines, *_rest(voice, len(venues), MAX_VENUES)], footer=voice.footer())

    async def whales(self, voice: Voice, symbol: Symbol | None) -> Message:
        """Positions of whales just opened or closed, and the largest open ones; of one coin or of all."""
        parts = await self.on.derivatives.parts((View.WHALE_ALERTS, View.WHALE_POSITIONS), ViewQuery())
        lines = [voice.title("whales.title", coin=symbol or voice.say("all_coins"))]
        lines += _whale_part(voice, parts[View.WHALE_ALERTS], "whales.alerts", symbol)
        lines += _whale_part(voice, parts[View.WHALE_POSITIONS], "whales.positions", symbol)
        return message(lines, footer=voice.footer())

    async def fear(self, voice: Voice) -> Message:
        """The Fear & Greed index now, a day and a week ago."""
        found = (await self.on.market.market(_ANY_COIN)).context.fear_greed
        title = voice.title("fear.title")
        if isinstance(found, Missing):
            return message([title, voice.lacks("fear.index", found)], footer=voice.footer())
        values = found.value.values
        named = voice.say(f"fear.{fear_class(values[-1])}")
        lines = [title, voice.say("fear.now", value=f"{values[-1]:.0f}", named=named)]
        for days, key in ((1, "fear.day"), (7, "fear.week")):
            before = value_before(found.value, days * DAY_MS)
            if before is not None:
                lines.append(voice.say(key, value=f"{before:.0f}"))
        return message([*lines, voice.say("from", source=voice.source(found))], footer=voice.footer())


def reading_of(part: Part, kind: type[T]) -> Reading[T] | Missing:
    """What was found, as the type its view promises.

    Raises:
        InvariantViolation: the source answered something else.
    """
    found = part.found
    if isinstance(found, Missing):
        return found
    if not isinstance(found.value, kind):
        raise InvariantViolation(f"the source of {part.view.value} answered something else")
    return Reading(
        found.value, found.provider, found.endpoint, found.ts_event_ms, found.ts_init_ms, found.cache
    )


def value_before(series: Series, back_ms: int) -> float | None:
    """The newest value that is at least `back_ms` older than the newest of all; None where there is none."""
    limit_ms = series.close_ms[-1] - back_ms
    pairs = zip(reversed(series.close_ms), reversed(series.values), strict=True)
    return next((value for close_ms, value in pairs if close_ms <= limit_ms), None)


def percentile_of_newest(values: Sequence[float]) -> float | None:
    """Share of the values before the newest that lie below it; None with fewer than 30 before it.

    Worked number: 0, 1, ..., 29 and then 15 -> 15 of 30 lie below it -> 0.5.
    """
    past = values[:-1]
    return sum(value < values[-1] for value in past) / len(past) if len(past) >= MIN_HISTORY else None


def _headline(voice: Voice, signal: Signal) -> list[Markup]:
    price = signal.price
    score = f"{toward_neutral(signal.score, 1):.1f}"
    level = voice.say(f"confidence.{signal.confidence.level.value}")
    lines = [voice.title("signal.title", coin=signal.symbol, direction=signal.direction.value, score=score)]
    lines.append(voice.say("signal.confidence", level=level, points=f"{signal.confidence.score:.0f}"))
    lines.append(
        voice.say("signal.price", price=format_usd(price.value.price_usd), source=voice.source(price))
    )
    return [*lines, voice.say("signal.stale")] if signal.price_stale else lines


def _by_weight(factors: Sequence[FactorScore]) -> list[FactorScore]:
    return sorted(factors, key=lambda factor: -abs(factor.v * factor.weight))


def _reasons(voice: Voice, signal: Signal) -> list[Markup]:
    counted = [one for one in _by_weight(signal.factors) if one.status is FactorStatus.OK and one.v]
    return [_factor(voice, factor) for factor in counted[:MAX_REASONS]]


def _factor(voice: Voice, factor: FactorScore) -> Markup:
    """One line: name, score, place in its own past, source and age; or why it does not count."""
    name = voice.say(f"factor.{factor.name.value}")
    if factor.status is FactorStatus.MISSING or factor.ts_event_ms is None:
        return voice.say("factor.missing", name=name, why=_why_missing(voice, factor.detail))
    source = voice.say("source", provider=factor.provider or "-", ago=voice.ago(factor.ts_event_ms))
    if factor.status is FactorStatus.STALE:
        return voice.say("factor.stale", name=name, source=source)
    lean = "bullish" if factor.v > 0 else "bearish" if factor.v < 0 else "even"
    rank = Markup()
    if factor.percentile is not None:
        rank = voice.say("factor.rank", percent=f"{factor.percentile * 100:.0f}", n=factor.history_n)
    score = f"{toward_neutral(factor.score, 0):.0f}"
    return voice.say(f"factor.{lean}", name=name, score=score, rank=rank, source=source)


def _why_missing(voice: Voice, detail: str) -> str:
    """The engine's reason in the language of the chat, where it names one of those that inputs have."""
    named = next((reason for reason in MissingReason if reason.value in detail), None)
    return clean(detail) if named is None else voice.say(f"missing.{named.value}")


def _figures(voice: Voice, signal: Signal) -> list[Markup]:
    lines = []
    if signal.funding_8h_frac is not None:
        rate = format_small_signed_percent(signal.funding_8h_frac)
        lines.append(voice.say("signal.funding", rate=rate))
    interest = signal.open_interest_usd
    if interest is not None:
        source = voice.say("source", provider=interest.provider, ago=voice.ago(interest.ts_event_ms))
        lines.append(voice.say("signal.oi", usd=format_usd_compact(interest.value), source=source))
    return lines


def _plan(voice: Voice, signal: Signal) -> list[Markup]:
    """The plan around the best confluent zone, or why there is none."""
    confluence = signal.confluence
    if confluence is None or confluence.setup is None:
        return [voice.say("plan.none")]
    side = "LONG" if confluence.setup.is_long else "SHORT"
    return [
        voice.say("plan.title", side=side, timeframe=confluence.timeframe),
        *plan_lines(voice, confluence.setup),
    ]


def plan_lines(voice: Voice, setup: Setup) -> list[Markup]:
    """Prices, and their distance from the entry with its sign: a stop of a long is below it."""
    entry = setup.entry_usd
    lines = [voice.say("plan.entry", price=format_usd(entry))]
    lines.append(voice.say("plan.stop", price=format_usd(setup.stop_usd), move=_move(setup.stop_usd, entry)))
    for target in setup.targets[:MAX_REASONS]:
        price = format_usd(target.price_usd)
        ratio = f"{target.reward_risk:.1f}"
        lines.append(voice.say("plan.target", price=price, move=_move(target.price_usd, entry), ratio=ratio))
    return lines


def _move(price_usd: float, entry_usd: float) -> str:
    return format_signed_percent(price_usd / entry_usd - 1, 2)


def _lacking(voice: Voice, signal: Signal) -> list[Markup]:
    lines = [voice.say("signal.coverage", percent=format_percent(signal.coverage, 0))]
    missing = [one.name.value for one in signal.factors if one.status is not FactorStatus.OK]
    if missing:
        names = ", ".join(voice.say(f"factor.{name}") for name in missing)
        lines.append(voice.say("signal.missing", names=names))
    return lines


def _funding_history(voice: Voice, parts: Parts) -> list[Markup]:
    part = parts[View.FUNDING_HISTORY]
    found = reading_of(part, Series)
    if isinstance(found, Missing):
        return [_lack(voice, "funding.history", part, found)]
    values = found.value.values
    rank = percentile_of_newest(values)
    place = voice.say("funding.short", n=len(values) - 1)
    if rank is not None:
        bar = voice.span(found.value.interval_ms / 1000)
        place = voice.say("funding.rank", percent=f"{rank * 100:.0f}", n=len(values) - 1, bar=bar)
    rate = format_small_signed_percent(values[-1])
    payer = voice.say(
        "funding.longs_pay" if values[-1] > 0 else "funding.shorts_pay" if values[-1] else "funding.none"
    )
    return [
        voice.say("funding.now", rate=rate, payer=payer),
        place,
        joined(voice.say("from", source=voice.source(found)), voice.part_note(part)),
    ]


def _venue_rate(voice: Voice, rate: VenueFunding) -> Markup:
    return voice.say(
        "funding.venue",
        exchange=rate.exchange,
        margin=voice.say(f"margin.{rate.margin.value}"),
        rate=format_small_signed_percent(rate.rate_frac),
        hours=f"{rate.interval_h:g}",
        year=format_signed_percent(rate.annualised_frac),
    )


def _venue_interest(voice: Voice, venue: VenueOpenInterest) -> Markup:
    name: str = voice.say("oi.total") if venue.is_total else clean(venue.exchange, 40)
    changes = [
        f"{window} {format_signed_percent(frac)}"
        for window in ("1h", "4h", "24h")
        if (frac := venue.change_frac.get(window)) is not None
    ]
    usd = format_usd_compact(venue.open_interest_usd)
    change = Markup(f" ({', '.join(changes)})" if changes else "")
    return voice.say("oi.venue", name=name, usd=usd, change=change)


def _whale_part(voice: Voice, part: Part, key: str, symbol: Symbol | None) -> list[Markup]:
    found = reading_of(part, tuple)
    if isinstance(found, Missing):
        return [_lack(voice, key, part, found)]
    wanted = [
        one
        for one in found.value
        if isinstance(one, WhaleAlert | WhalePosition) and symbol in (None, Symbol(one.base))
    ]
    head = voice.say("whales.part", what=voice.say(key), source=voice.source(found))
    if not wanted:
        return [head, voice.say("whales.none")]
    lines = [
        _whale_alert(voice, one) if isinstance(one, WhaleAlert) else _whale_position(voice, one)
        for one in wanted[:MAX_WHALES]
    ]
    return [head, *lines, *_rest(voice, len(wanted), MAX_WHALES)]


def _whale_alert(voice: Voice, alert: WhaleAlert) -> Markup:
    return voice.say(
        f"whales.{alert.action.value}",
        wallet=short_wallet(alert.wallet),
        coin=alert.base,
        side=alert.side.value,
        usd=format_usd_compact(alert.size_usd),
        price=format_usd(alert.entry_price_usd),
        ago=voice.ago(alert.ts_event_ms),
    )


def _whale_position(voice: Voice, position: WhalePosition) -> Markup:
    profit = "-" if position.unrealized_pnl_usd is None else _signed_usd(position.unrealized_pnl_usd)
    liquidation = position.liquidation_price_usd
    return voice.say(
        "whales.position",
        wallet=short_wallet(position.wallet),
        coin=position.base,
        side=position.side.value,
        usd=format_usd_compact(position.size_usd),
        price=format_usd(position.entry_price_usd),
        profit=profit,
        liquidation="-" if liquidation is None else format_usd(liquidation),
    )


def short_wallet(wallet: str) -> str:
    """Enough of an address to know it again: `0x1234…cdef`."""
    text = clean(wallet, 80)
    return text if len(text) <= 12 else f"{text[:6]}…{text[-4:]}"


def _signed_usd(usd: float) -> str:
    return f"{'+' if usd > 0 else ''}{format_usd_compact(usd)}"


def _lack(voice: Voice, key: str, part: Part, missing: Missing) -> Markup:
    return voice.lacks(key, missing, part.plan_needed)


def _rest(voice: Voice, total: int, shown: int) -> list[Markup]:
    return [voice.say("rest", n=total - shown)] if total > shown else []
