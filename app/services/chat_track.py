"""What is said of the record: scheduled signals with what they were worth, and below them alerts by setup.

Figures and verdict come from `core.record`; here they get words in two languages. Nothing is claimed that the
verdict does not claim. Called by `chat_service`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.chat_ports import Inquiries
from app.core.domain.formatting import format_percent, format_signed_percent
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import SetupTally
from app.core.domain.signal import Direction
from app.core.domain.symbol import Symbol
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, HorizonRecord, Mean, TrackRecord
from app.core.outcomes.statistics import wilson
from app.core.record.summary import effective_words, rates_of, span_ms, verdict_of
from app.core.stream_ports import Message
from app.services.chat_text import Markup, Voice, joined, message

MAX_SETUPS = 12
MIN_OUTCOMES = 30  # of a setup in as many different four hours, below which nothing is claimed
_UNITS = {"m": "unit.min", "h": "unit.h", "d": "unit.d"}


@dataclass(frozen=True, slots=True)
class TrackAnswers:
    """Answers out of the record of signals and the outcomes of alerts."""

    on: Inquiries

    async def track(self, voice: Voice, symbol: Symbol | None) -> Message:
        """The record of one coin, or of all with the setups of alerts, which are counted over all coins.

        Raises:
            UnknownSymbol, StorageUnavailable.
        """
        if symbol is not None:
            title = voice.title("track.title_coin", coin=symbol.base)
            return message([title, *await self._signals(voice, symbol)], footer=voice.footer())
        lines = [voice.title("track.title"), *await self._signals(voice, None)]
        return message([*lines, Markup(), *await self._setups(voice)], footer=voice.footer())

    async def _signals(self, voice: Voice, symbol: Symbol | None) -> list[Markup]:
        if self.on.record is None:
            return [voice.say("track.off"), voice.say("verdict.nothing")]
        found = await self.on.record.record(None if symbol is None else symbol.base)
        return [
            *_worth(voice, found.record),
            voice.say(f"verdict.{verdict_of(found.record).value}"),
            *_beside(voice, found.record),
            voice.say("track.when", ago=voice.ago(found.computed_ms)),
        ]

    async def _setups(self, voice: Voice) -> list[Markup]:
        tallies: Sequence[SetupTally] = ()
        if self.on.outcomes is not None:
            tallies = await self.on.outcomes.counts()
        if not tallies:
            return [voice.say("track.none")]
        lines = [voice.say("track.how"), *(_tally(voice, tally) for tally in tallies[:MAX_SETUPS])]
        return [*lines, voice.say("track.least", n=MIN_OUTCOMES)]


def _worth(voice: Voice, record: TrackRecord) -> list[Markup]:
    """Hit rate, break-even, effective n and net return at the headline horizon; what there is before the
    first outcome."""
    found = record.at_headline
    rates = None if found is None else rates_of(found.engine)
    if found is None or rates is None:
        return [_waiting(voice, record)]
    stats = found.engine
    told = {
        "n": f"{stats.scored:,}",
        "horizon": _horizon(voice, found.horizon),
        "span": _length(voice, record),
    }
    return [
        voice.say("track.scored", **told),
        voice.say("track.won", won=rates.won, low=rates.low, high=rates.high),
        voice.say("track.even", even=rates.break_even),
        voice.say("track.effective", n=effective_words(stats), needed=f"{ENOUGH_EFFECTIVE_N:.0f}"),
        _net(voice, stats.mean_net),
    ]


def _net(voice: Voice, net: Mean | None) -> Markup:
    """None: all trades lie in one stretch of time, which says nothing of how sure their mean is."""
    if net is None:
        return voice.say("track.net_unsure")
    low, mean, high = (format_signed_percent(one, 3) for one in (net.low, net.mean, net.high))
    return voice.say("track.net", mean=mean, low=low, high=high)


def _waiting(voice: Voice, record: TrackRecord) -> Markup:
    if record.evaluations == 0:
        return voice.say("track.unrecorded")
    evaluations, emitted = f"{record.evaluations:,}", f"{record.long + record.short:,}"
    return voice.say("track.waiting", evaluations=evaluations, emitted=emitted, span=_length(voice, record))


def _beside(voice: Voice, record: TrackRecord) -> list[Markup]:
    """Both sides, the other horizons, simple rules, and what is not in the rate."""
    found = record.at_headline
    if found is None or found.engine.scored == 0:
        return []
    lines = [_sides(voice, found), *_horizons(voice, record), *_rules(voice, found)]
    left = {"open": f"{found.engine.open:,}", "unscorable": f"{found.engine.unscorable:,}"}
    evaluations = {"neutral": f"{record.neutral:,}", "evaluations": f"{record.evaluations:,}"}
    return [*lines, voice.say("track.left", **left, **evaluations)]


def _sides(voice: Voice, found: HorizonRecord) -> Markup:
    told = {Direction.LONG.value: Markup("-"), Direction.SHORT.value: Markup("-")}
    for group in found.groups:
        rate = group.stats.hit_rate
        if group.trait == "side" and group.stats.name in told and rate is not None:
            won = format_percent(rate.share, 0)
            told[group.stats.name] = voice.say("track.side", won=won, n=f"{group.stats.scored:,}")
    return voice.say("track.sides", long=told["LONG"], short=told["SHORT"])


def _horizons(voice: Voice, record: TrackRecord) -> list[Markup]:
    rates = [
        voice.say(
            "track.horizon",
            horizon=_horizon(voice, one.horizon),
            won=format_percent(one.engine.hit_rate.share, 0),
            n=f"{one.engine.scored:,}",
        )
        for one in record.horizons
        if one.horizon != record.headline and one.engine.hit_rate is not None
    ]
    return [voice.say("track.horizons", rates=Markup(", ".join(rates)))] if rates else []


def _rules(voice: Voice, found: HorizonRecord) -> list[Markup]:
    """How many simple rules the engine beats with the whole interval of the difference."""
    minus = [rule.engine_minus for rule in found.baselines if rule.engine_minus is not None]
    if not minus:
        return []
    return [voice.say("track.rules", better=sum(one.low > 0 for one in minus), n=len(minus))]


def _horizon(voice: Voice, horizon: str) -> str:
    """`15m` -> `15 min` or `15 mnt`."""
    return f"{horizon[:-1]} {voice.say(_UNITS[horizon[-1]])}"


def _length(voice: Voice, record: TrackRecord) -> str:
    """Whole days, whole hours under two days."""
    length = span_ms(record) or 0
    if length >= 2 * DAY_MS:
        return f"{length / DAY_MS:.0f} {voice.say('unit.d')}"
    return f"{length / HOUR_MS:.0f} {voice.say('unit.h')}"


def _tally(voice: Voice, tally: SetupTally) -> Markup:
    """The number alone below 30; from there on the share of wins with its interval and what it must beat."""
    coins = voice.say(f"setup.tier_{tally.tier}")
    setup = voice.say(f"setup.{tally.direction}", kind=voice.say(f"kind.{tally.kind}"), coins=coins)
    share = tally.wins / tally.scored if tally.scored else 0.0
    between = wilson(share * tally.stretches, tally.stretches)
    if tally.stretches < MIN_OUTCOMES or between is None:
        return voice.say("track.few", setup=setup, n=tally.stretches, least=MIN_OUTCOMES)
    low, high = (f"{100 * one:.0f}" for one in between)
    told = {
        "n": f"{tally.scored:,}",
        "wins": f"{tally.wins:,}",
        "share": format_percent(share, 0),
        "low": low,
        "high": high,
    }
    line = voice.say("track.line", setup=setup, **told)
    if tally.break_even is None:
        return line
    return joined(line, voice.say("track.line_even", even=format_percent(tally.break_even, 0)))
