"""The use cases behind the doors: a signal, the raw market, and the premium probes of one coin.

Resolves the user's spelling once, asks the context service, runs the engine. No HTTP, no provider names,
no caching of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from app.core.clock import Clock
from app.core.confluence.note import summarise
from app.core.domain.answer import MarketAnswer, MarketExtra, ProbeResult, ProbeStatus, SignalAnswer
from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.evaluations import EvaluationFailure, Moment
from app.core.domain.liquidity import DEFAULT_TIMEFRAME
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import MarketReading
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.signal import Confluence, Direction, Mode, Signal
from app.core.domain.stored import Trigger
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import NoPriceAvailable, ProviderError, ProviderNotConfigured
from app.core.ports import Fetched, Probe, Provider
from app.core.signal_engine import evaluate
from app.services.context_service import ContextService, ask

# Called once with every computed signal, what it was computed from and why: telemetry and the record.
OnSignal = Callable[[Signal, EnhancedSignalContext, Trigger], None]
# (direction, score) -> chance that the trade wins, 0..1, or None and why.
ChanceOf: TypeAlias = Callable[[Direction, float], tuple[float | None, str]]


def no_chance(_direction: Direction, _score: float) -> tuple[float | None, str]:
    """Where nobody keeps a record."""
    return None, "not computed"


def known_bases(providers: Sequence[Provider]) -> frozenset[str]:
    """Every coin that some provider lists; empty until the first list is loaded."""
    return frozenset().union(*(provider.known_bases() for provider in providers))


def resolver(providers: Sequence[Provider]) -> Callable[[str], Symbol]:
    """Any usual spelling to a coin that some provider lists. Raises: InvalidParameter, UnknownSymbol."""

    def resolve(text: str) -> Symbol:
        return resolve_symbol(text, known_bases(providers))

    return resolve


class Confluent(Protocol):
    """Zones over liquidations of one coin."""

    async def analyse(self, symbol: Symbol, timeframe: str) -> LiquidityAnswer:
        """Raises: InvalidParameter, NoPriceAvailable."""
        ...

    async def of_context(self, context: EnhancedSignalContext, *, is_told: bool = True) -> LiquidityAnswer:
        """For the hour, without a further call; kept by nobody unless told. Raises: NoPriceAvailable."""
        ...


class SignalService:
    """Answers about one coin at a time."""

    def __init__(
        self,
        *,
        contexts: ContextService,
        providers: Sequence[Provider],
        engine: EngineConfig,
        clock: Clock,
        deadline_s: float,
        on_signal: OnSignal,
        liquidity: Confluent | None = None,
        chance: ChanceOf = no_chance,
    ) -> None:
        """liquidity: who lays zones over liquidations beside the score; None where nobody does. chance: who
        knows what a score has been worth."""
        self._contexts = contexts
        self._providers = providers
        self._resolve = resolver(providers)
        self._engine = engine
        self._clock = clock
        self._deadline_s = deadline_s
        self._on_signal = on_signal
        self._liquidity = liquidity
        self._chance = chance

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin.

        Raises:
            InvalidParameter: not a symbol.
            UnknownSymbol: in no provider's list; names near matches.
        """
        return self._resolve(text)

    async def signal(self, text: str, mode: Mode, timeframe: str = DEFAULT_TIMEFRAME) -> SignalAnswer:
        """Gather, score and explain. timeframe: of the confluence; the score knows none.

        Raises:
            InvalidParameter, UnknownSymbol: see `resolve`.
            NoPriceAvailable: no provider has a usable price.
        """
        answer = await self._answer(self.resolve(text), mode, timeframe)
        self._on_signal(answer.signal, answer.context, Trigger.REQUEST)
        return answer

    async def scheduled(self, symbol: Symbol, moment: Moment) -> EvaluationFailure | None:
        """Make the evaluation of an hour, in balanced mode as everybody gets it; None once it is told, else
        why it is not.

        One with a stale price is not told: nobody could have traded on it. Nor is one that came after its
        moment, or in another hour: the process may have been paused, or an answer was slow.
        """
        try:
            answer = await self._answer(symbol, Mode.BALANCED, DEFAULT_TIMEFRAME)
        except NoPriceAvailable:
            return EvaluationFailure.NO_PRICE
        if not self._is_timely(answer.signal, moment):
            return EvaluationFailure.LATE
        if answer.signal.price_stale:
            return EvaluationFailure.STALE_PRICE
        self._on_signal(answer.signal, answer.context, Trigger.SCHEDULE)
        return None

    async def untold(self, symbol: Symbol) -> SignalAnswer:
        """The answer in balanced mode as everybody gets it, told to nobody: neither counted nor kept.

        Raises:
            UnknownSymbol, NoPriceAvailable: as of `signal`.
        """
        return await self._answer(self.resolve(symbol.base), Mode.BALANCED, DEFAULT_TIMEFRAME, is_told=False)

    def _is_timely(self, signal: Signal, moment: Moment) -> bool:
        # In a fast replay answering takes hours of the market: there, only what it was made of counts.
        told_ms = signal.as_of_ms if signal.data_mode is DataMode.REPLAY else self._clock.now_ms()
        return moment.holds(signal.as_of_ms) and moment.holds(told_ms)

    async def _answer(
        self, symbol: Symbol, mode: Mode, timeframe: str, *, is_told: bool = True
    ) -> SignalAnswer:
        started_s = self._clock.monotonic_s()
        context, confluence = await self._gather(symbol, timeframe, is_told=is_told)
        found, why_not = (None, confluence) if isinstance(confluence, str) else (confluence, "")
        signal = evaluate(context, self._engine, mode, found, why_not)
        probability, no_probability = self._chance(signal.direction, signal.score)
        signal = replace(signal, probability=probability, no_probability=no_probability)
        return SignalAnswer(signal, context, (self._clock.monotonic_s() - started_s) * 1000)

    async def _gather(
        self, symbol: Symbol, timeframe: str, *, is_told: bool
    ) -> tuple[EnhancedSignalContext, Confluence | str]:
        """The context, and the confluence or why there is none. The hour's needs no call of its own."""
        if self._liquidity is None:
            return await self._contexts.gather(symbol), "not computed"
        if timeframe != DEFAULT_TIMEFRAME:
            answer = await self._liquidity.analyse(symbol, timeframe)
            return answer.context, summarise(answer)
        context = await self._contexts.gather(symbol)
        if isinstance(context.price, Missing):
            return context, "no price"
        return context, summarise(await self._liquidity.of_context(context, is_told=is_told))

    async def market(self, text: str) -> MarketAnswer:
        """Raw readings of all providers: the engine's inputs and what else they know."""
        symbol = self.resolve(text)
        context, groups = await asyncio.gather(
            self._contexts.gather(symbol),
            asyncio.gather(*(self._extras(provider, symbol) for provider in self._providers)),
        )
        return MarketAnswer(symbol, context, tuple(extra for group in groups for extra in group))

    async def _extras(self, provider: Provider, symbol: Symbol) -> tuple[MarketExtra, ...]:
        try:
            async with asyncio.timeout(self._deadline_s):
                groups = await provider.market(symbol)
        except TimeoutError:
            return (_failed_group(provider.name, "market", "timeout", f"no answer in {self._deadline_s} s"),)
        except ProviderNotConfigured:
            return ()
        except ProviderError as error:
            return (_failed_group(provider.name, error.endpoint, error.code, error.detail),)
        return tuple(_extra(provider.name, name, found) for name, found in groups.items())

    async def probe_premium(self, text: str) -> tuple[ProbeResult, ...]:
        """Every premium capability of every provider, tried at once, each failing alone."""
        symbol = self.resolve(text)
        probes = [probe for provider in self._providers for probe in provider.probes()]
        return tuple(await asyncio.gather(*(self._probe(probe, symbol) for probe in probes)))

    async def _probe(self, probe: Probe, symbol: Symbol) -> ProbeResult:
        fetched, attempt = await ask(probe, symbol, self._deadline_s, self._clock)
        return ProbeResult(
            name=probe.name,
            provider=probe.provider,
            endpoint=probe.endpoint,
            status=ProbeStatus.OK if fetched else _PROBE_STATES.get(attempt.outcome, ProbeStatus.FAILED),
            latency_ms=attempt.latency_ms,
            error=None if fetched else f"{attempt.outcome}: {attempt.detail}",
            readings=fetched.value if fetched else (),
            ts_event_ms=fetched.ts_event_ms if fetched else None,
        )


_PROBE_STATES: Mapping[str, ProbeStatus] = {
    MissingReason.NOT_IN_PLAN: ProbeStatus.NOT_IN_PLAN,
    MissingReason.NOT_CONFIGURED: ProbeStatus.NOT_CONFIGURED,
}


def _failed_group(provider: str, group: str, code: str, detail: str) -> MarketExtra:
    return MarketExtra(provider, group, (), None, None, code, detail)


def _extra(
    provider: str, group: str, found: Fetched[tuple[MarketReading, ...]] | ProviderError
) -> MarketExtra:
    if isinstance(found, ProviderError):
        return _failed_group(provider, group, found.code, found.detail)
    return MarketExtra(provider, group, found.value, found.ts_event_ms, found.ts_init_ms, None, "")
