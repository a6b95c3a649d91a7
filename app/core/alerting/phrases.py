"""The lines of an alert, each from the facts it is about; "" where there is nothing to say.

Every line is markup in one language. Signs and sides are spelt here and nowhere else, and a test mirrors
them. Used by `text` only.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.alerting.catalogue import PHRASES
from app.core.alerting.markup import clean, escape, say, span
from app.core.alerting.policy import MARKET
from app.core.alerting.record import MIN_OUTCOMES
from app.core.domain.alerts import Alert, AlertContext, Language, Severity
from app.core.domain.flow import AlertKind, Phase
from app.core.domain.formatting import (
    format_percent,
    format_signed_percent,
    format_small_signed_percent,
    format_usd,
    format_usd_compact,
)
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

MAX_TARGETS = 5
MAX_FEEDS = 4
# Sums of liquidations and positions, which have a threshold in USD. Taker volume, funding and open interest
# have none: a multiple of what a cascade must hold would say nothing about them.
WITH_THRESHOLD = frozenset(
    {AlertKind.STOP_HUNT, AlertKind.LIQUIDATION_ZSCORE, AlertKind.HEATMAP, AlertKind.WHALE_POSITION}
)
_BUYERS = frozenset({AlertKind.ACCUMULATION, AlertKind.WHALE_ACCUMULATION})
_SELLERS = frozenset({AlertKind.DISTRIBUTION, AlertKind.WHALE_DISTRIBUTION})

# From this share on a sum of liquidations is called that of its side.
ONE_SIDED = 0.995
_UNJUDGED = (Phase.BUILDING, Phase.PEAK)


def icon(alert: Alert) -> str:
    """Longs liquidated push the price down, shorts up; otherwise the side of the direction."""
    siren = "🚨" if alert.severity is Severity.URGENT else ""
    if alert.side is not None and alert.kind is not AlertKind.HEATMAP and alert.follows is None:
        return siren + ("🔻" if alert.side is LiquidatedSide.LONG else "🔺")
    return siren + {Direction.LONG: "🟢", Direction.SHORT: "🔴"}.get(alert.direction, "⚪")


def coin_name(alert: Alert, language: Language) -> str:
    return say("market", language) if alert.symbol == MARKET else escape(clean(alert.symbol))


def headline(alert: Alert, language: Language) -> str:
    """What happened, how much, in what time."""
    facts = dict(alert.evidence)
    values: dict[str, object] = {
        "usd": format_usd_compact(alert.usd),
        "window": span(alert.window_s, language),
    }
    mix = _side_mix(alert, facts, language)
    if mix:
        reclaim = "" if alert.follows is None else ".reclaim"
        return say(f"what.{alert.kind}{reclaim}", language, **values) + mix
    detail = _detail(alert, facts, values)
    return say(f"what.{alert.kind}{detail}", language, **values) + _measure(alert, facts, language)


def ratio_note(alert: Alert, language: Language) -> str:
    if alert.kind not in WITH_THRESHOLD or alert.ratio <= 0:
        return ""
    decimals = 1 if alert.ratio < 99.95 else 0
    return say("ratio", language, ratio=f"{alert.ratio:,.{decimals}f}")


def phase_line(alert: Alert, language: Language) -> str:
    if alert.phase is None or alert.follows is not None:  # the headline says it
        return ""
    if alert.phase is Phase.ENDED:
        return say("phase.ended" if _is_swept(alert) is not False else "phase.ended.inside", language)
    return "" if alert.side is None else say(f"phase.{alert.phase}.{alert.side}", language)


def direction_line(alert: Alert, language: Language) -> str:
    facts = dict(alert.evidence)
    if is_opposed(alert):
        return say(
            "direction.opposed",
            language,
            long=f"{facts['opposed_long_confidence']:.0f}",
            short=f"{facts['opposed_short_confidence']:.0f}",
        )
    is_open = alert.direction is Direction.NEUTRAL and alert.phase in _UNJUDGED
    if is_open and _is_swept(alert):
        return say("direction.waiting", language)
    if alert.direction is Direction.NEUTRAL and alert.phase is Phase.RECLAIM:
        return say("direction.apart", language)
    return say(f"direction.{alert.direction}", language)


def is_opposed(alert: Alert) -> bool:
    """Whether its sources pointed in opposite directions (`merge`)."""
    return {"opposed_long_confidence", "opposed_short_confidence"} <= {name for name, _ in alert.evidence}


def price_line(alert: Alert, language: Language) -> str:
    """The traded price; without one, the range that venues stated, called what it is."""
    if alert.price is not None:
        return say("price", language, price=format_usd(alert.price))
    facts = dict(alert.evidence)
    low, high = facts.get("venue_low_usd"), facts.get("venue_high_usd")
    if low is None or high is None:
        return say("price.none", language)
    return say("price.venue", language, low=format_usd(low), high=format_usd(high))


def percentile_line(alert: Alert, language: Language) -> str:
    """Where the figure lies in the coin's past, and how long a past that is."""
    if alert.percentile is None or alert.follows is not None:  # the message it follows has it
        return ""
    facts, share = dict(alert.evidence), format_percent(alert.percentile)
    if alert.kind is AlertKind.STOP_HUNT:
        return say("percentile.minute", language, share=share)
    past_s = 60.0 * facts.get("minutes", 0.0) + 86_400.0 * facts.get("history_days", 0.0)
    if past_s <= 0:
        return say("percentile", language, share=share)
    return say("percentile.past", language, share=share, past=span(past_s, language))


def levels_line(alert: Alert, language: Language) -> str:
    """Entry, stop and targets, each with its distance from the entry, signed as the price would move."""
    levels = alert.levels
    if levels is None:
        return ""

    def change(price: float) -> str:
        return format_signed_percent(price / levels.entry - 1.0, _decimals(price / levels.entry - 1.0))

    targets = ", ".join(f"{format_usd(price)} ({change(price)})" for price in levels.targets[:MAX_TARGETS])
    return say(
        "levels",
        language,
        entry=format_usd(levels.entry),
        stop=format_usd(levels.stop),
        stop_change=change(levels.stop),
        targets=targets,
    )


def context_line(alert: Alert, language: Language) -> str:
    context = alert.context
    if context is None:
        return ""
    facts = ", ".join(_context_facts(context, language)) or say("context.none", language)
    return say(f"context.{context.verdict}", language, facts=facts)


def confidence_line(alert: Alert, language: Language) -> str:
    """Confidence with the number of outcomes behind it; without direction nothing is scored."""
    text = say("confidence", language, points=f"{alert.confidence:.0f}")
    if alert.direction is Direction.NEUTRAL:
        return text
    record = alert.record
    if record is None:
        return f"{text} · {say('record.none', language)}"
    if record.scored < MIN_OUTCOMES:
        return f"{text} · {say('record.few', language, scored=record.scored)}"
    note = say(
        "record.weighed", language, wins=record.wins, scored=record.scored, shift=f"{record.shift:+.1f}"
    )
    return f"{text} · {note}"


def sources_line(alert: Alert, language: Language) -> str:
    if len(alert.sources) < 2:
        return ""
    names = ", ".join(say(f"kind.{kind}", language) for kind in alert.sources)
    return say("sources.opposed" if is_opposed(alert) else "sources", language, names=names)


def origin_line(alert: Alert, language: Language, *, now_ms: int) -> str:
    feeds = ", ".join(clean(feed) for feed in alert.feeds[:MAX_FEEDS])
    values = {
        "feeds": feeds or say("origin.unknown", language),
        "age": span((now_ms - alert.ts_event_ms) / 1000, language),
        "id": clean(alert.id),
    }
    if alert.follows is not None:
        return say("origin.follows", language, follows=clean(alert.follows), **values)
    if alert.revision == 1:
        return say("origin", language, **values)
    return say("origin.update", language, revision=alert.revision, **values)


def _is_swept(alert: Alert) -> bool | None:
    """Whether a cascade took the traded price out of its range from before; None where that is not known."""
    facts = dict(alert.evidence)
    low, high, extreme = (facts.get(name) for name in ("range_low", "range_high", "sweep_extreme"))
    if low is None or high is None or extreme is None:
        return None
    return extreme < low if alert.side is LiquidatedSide.LONG else extreme > high


def _measure(alert: Alert, facts: Mapping[str, float], language: Language) -> str:
    """What makes taker volume one-sided or sudden: its share, or its multiple of the minutes before."""
    buys, ratio = facts.get("buy_share_frac"), facts.get("ratio_to_mean")
    if alert.kind is AlertKind.VOLUME_SPIKE and ratio is not None:
        return say("measure.times", language, times=f"{ratio:.1f}")
    if buys is None or alert.kind not in _BUYERS | _SELLERS:
        return ""
    share = buys if alert.kind in _BUYERS else 1.0 - buys
    return say("measure.share", language, share=format_percent(share, 0))


def _side_mix(alert: Alert, facts: Mapping[str, float], language: Language) -> str:
    """How much of the sum was the side it is about, where both were liquidated; "" where all of it was."""
    share = facts.get("side_share_frac", _share_of_side(alert, facts))
    if alert.side is None or share is None or share >= ONE_SIDED:
        return ""
    return say(f"mix.{alert.side}", language, share=format_percent(share, 0))


def _share_of_side(alert: Alert, facts: Mapping[str, float]) -> float | None:
    """Of an unusual minute, which is counted on both sides; the tiles of a heatmap name no side."""
    longs, shorts = facts.get("long_usd"), facts.get("short_usd")
    if alert.kind is not AlertKind.LIQUIDATION_ZSCORE or longs is None or shorts is None:
        return None
    return (longs if alert.side is LiquidatedSide.LONG else shorts) / (longs + shorts)


def _detail(alert: Alert, facts: Mapping[str, float], values: dict[str, object]) -> str:
    """The ending of the headline's key for what is known of this alert; puts what it names into `values`."""
    if alert.kind is AlertKind.WHALE_POSITION and {"is_opened", "is_long"} <= facts.keys():
        deed = "opened" if facts["is_opened"] else "closed"
        return f".{deed}.{'LONG' if facts['is_long'] else 'SHORT'}"
    if alert.kind is AlertKind.FUNDING_EXTREME and "funding_8h_frac" in facts:
        values["rate"] = format_small_signed_percent(facts["funding_8h_frac"])
        return ".rate"
    if alert.kind is AlertKind.OI_SPIKE and {"oi_change_5m_frac", "price_change_5m_frac"} <= facts.keys():
        values["change"] = format_signed_percent(facts["oi_change_5m_frac"], 2)
        values["price_change"] = format_signed_percent(facts["price_change_5m_frac"], 2)
        return ".change"
    if alert.kind is AlertKind.HEATMAP and {"tile_low_usd", "tile_high_usd"} <= facts.keys():
        values |= {"low": format_usd(facts["tile_low_usd"]), "high": format_usd(facts["tile_high_usd"])}
        return ".tile"
    sided = f".{alert.side}" if alert.follows is None else f".reclaim.{alert.side}"
    return sided if f"what.{alert.kind}{sided}" in PHRASES else ""


def _context_facts(context: AlertContext, language: Language) -> list[str]:
    facts = []
    if context.funding_8h_frac is not None:
        rate = format_small_signed_percent(context.funding_8h_frac)
        rank = context.funding_percentile
        if rank is None:
            facts.append(say("context.funding", language, rate=rate))
        else:
            facts.append(say("context.funding_rank", language, rate=rate, share=format_percent(rank, 0)))
    if context.oi_change_1h_frac is not None:
        change = format_signed_percent(context.oi_change_1h_frac)
        rank = context.oi_change_percentile
        if rank is None:
            facts.append(say("context.oi", language, change=change))
        else:
            facts.append(say("context.oi_rank", language, change=change, share=format_percent(rank, 0)))
    if context.unknown:
        known = [f"unknown.{name}" for name in context.unknown if f"unknown.{name}" in PHRASES]
        facts.append(say("context.unknown", language, names=", ".join(say(key, language) for key in known)))
    return facts


def _decimals(change: float) -> int:
    """One decimal from 1 % on, two below: a stop 0.25 % away must not read as 0.2 %."""
    return 1 if abs(change) >= 0.00995 else 2
