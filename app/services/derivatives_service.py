"""The use case behind the typed derivatives routes: several views of the market under one deadline.

Each view walks its sources in order (CoinGlass, then OKX) and fails alone. What failed is `Missing`, with the
plan that would have it; what a lesser source answered says why the better one did not. No HTTP, no provider
names, no arithmetic (that is `domain.derivatives_figures`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.clock import Clock
from app.core.domain.derivatives import CoinMarket
from app.core.domain.quality import Attempt, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.ports import Fetched, ViewSource
from app.services.context_service import ask

# What is kept in this service answers in milliseconds, or is not worth waiting for.
SHORTCUT_S = 0.5
# Coins of the watchlist in the list of markets: each costs two or three calls.
MAX_WATCHED = 8
# Reasons that a plan or a key would cure. Others would fail on any plan.
_CURABLE = {MissingReason.NOT_IN_PLAN, MissingReason.NOT_CONFIGURED}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A view source bound to its query, in the shape `context_service.ask` takes."""

    source: ViewSource
    query: ViewQuery

    @property
    def provider(self) -> str:
        return self.source.provider

    @property
    def endpoint(self) -> str:
        return self.source.endpoint

    async def fetch(self, _symbol: Symbol) -> Fetched[object]:
        return await self.source.fetch(self.query)


class DerivativesService:
    """Answers which parts of the derivatives market are known right now."""

    def __init__(
        self,
        *,
        sources: Iterable[ViewSource],
        resolve: Callable[[str], Symbol],
        clock: Clock,
        deadline_s: float,
        watch: Callable[[], Sequence[Symbol]] = tuple,
        shortcuts: Iterable[ViewSource] = (),
    ) -> None:
        """sources: best first; the order within a view is the order of asking.

        watch: the coins of the list of markets where nobody lists them all, as they are now. shortcuts:
        looked at before all sources and left without a word when they have nothing: that is no fallback.
        """
        by_view: dict[View, list[ViewSource]] = {}
        for source in sources:
            by_view.setdefault(source.view, []).append(source)
        self._shortcuts: Mapping[View, ViewSource] = {source.view: source for source in shortcuts}
        self._sources: Mapping[View, Sequence[ViewSource]] = by_view
        self._resolve = resolve
        self._clock = clock
        self._deadline_s = deadline_s
        self._watch = watch

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        """Every view of `views`, complete within the deadline. Never raises a provider error."""
        deadline_at_s = self._clock.monotonic_s() + self._deadline_s
        found = await asyncio.gather(*(self._best(view, query, deadline_at_s) for view in views))
        return dict(zip(views, found, strict=True))

    async def _best(self, view: View, query: ViewQuery, deadline_at_s: float) -> Part:
        watched = self._watch()[:MAX_WATCHED] if view is View.ALL_MARKETS else ()
        if not watched:
            return await self._part(view, query, deadline_at_s)
        now_s = self._clock.monotonic_s()
        # Half the time, so that a list that hangs leaves the other half for the coins of the watchlist.
        whole = await self._part(view, query, now_s + (deadline_at_s - now_s) / 2)
        return (
            whole if isinstance(whole.found, Reading) else await self._watched(whole, watched, deadline_at_s)
        )

    async def _watched(self, whole: Part, watched: Sequence[Symbol], deadline_at_s: float) -> Part:
        """The markets of the watchlist coin by coin, largest open interest first; `whole` when none came."""
        queries = [ViewQuery(symbol=symbol) for symbol in watched]
        parts = await asyncio.gather(
            *(self._part(View.COIN_MARKET, query, deadline_at_s) for query in queries)
        )
        found = [part.found for part in parts if isinstance(part.found, Reading)]
        if not found or isinstance(whole.found, Reading):
            return whole
        lacking = [
            f"{query.symbol}: {part.found.detail}"
            for query, part in zip(queries, parts, strict=True)
            if isinstance(part.found, Missing)
        ]
        why = replace(whole.found, detail="; ".join([whole.found.detail, *lacking]))
        return Part(whole.view, _joined(found), whole.plan_needed, why)

    async def _shortcut(self, view: View, query: ViewQuery) -> Part | None:
        source = self._shortcuts.get(view)
        if source is None:
            return None
        asked = _Asked(source, query)
        fetched, attempt = await ask(asked, query.symbol or _NO_COIN, SHORTCUT_S, self._clock)
        return None if fetched is None else Part(view, _reading(fetched, source.provider, [attempt]), None)

    async def _part(self, view: View, query: ViewQuery, deadline_at_s: float) -> Part:
        if (short := await self._shortcut(view, query)) is not None:
            return short
        sources = self._sources.get(view, ())
        attempts: list[Attempt] = []
        for index, source in enumerate(sources):
            # Those still to be asked share what is left: a hanging first one leaves time for others.
            share_s = (deadline_at_s - self._clock.monotonic_s()) / (len(sources) - index)
            fetched, attempt = await ask(
                _Asked(source, query), query.symbol or _NO_COIN, share_s, self._clock
            )
            attempts.append(attempt)
            if fetched is not None:
                reading = _reading(fetched, source.provider, attempts)
                if source.provider == sources[0].provider and not source.is_reduced:
                    return Part(view, reading, None)
                failed = attempts[:-1]
                needed = _plan_needed(sources[:index], failed, query)
                return Part(view, reading, needed, _missing(failed) if failed else None)
        return Part(view, _missing(attempts), _plan_needed(sources, attempts, query))


# Views of all coins have no symbol; the attempt's text never shows it.
_NO_COIN = Symbol("ALL")


def _joined(found: Sequence[Reading[object]]) -> Reading[object]:
    """Markets of several coins as one list, as old as its oldest."""
    markets = [one.value for one in found if isinstance(one.value, CoinMarket)]
    ranked = sorted(markets, key=lambda market: -(market.open_interest_usd or 0.0))
    oldest = min(found, key=lambda one: one.ts_event_ms)
    providers = ", ".join(sorted({one.provider for one in found}))
    return replace(oldest, value=tuple(ranked), provider=providers)


def _reading(fetched: Fetched[object], provider: str, attempts: Sequence[Attempt]) -> Reading[object]:
    return Reading(
        value=fetched.value,
        provider=provider,
        endpoint=fetched.endpoint,
        ts_event_ms=fetched.ts_event_ms,
        ts_init_ms=fetched.ts_init_ms,
        cache=fetched.cache,
        attempts=tuple(attempts),
    )


def _missing(attempts: Sequence[Attempt]) -> Missing:
    """The reason to act on: what went wrong just now before what this set-up never had."""
    if not attempts:
        return Missing(MissingReason.NO_DATA, "no source has this view")
    faults = [attempt for attempt in attempts if attempt.outcome not in _CURABLE]
    told = (faults or attempts)[0]
    # Two forms of one view fail alike at times (no key set): said once.
    told_each = dict.fromkeys(
        f"{attempt.provider}: {attempt.detail or attempt.outcome}" for attempt in attempts
    )
    detail = "; ".join(told_each)
    return Missing(MissingReason(told.outcome), detail, tuple(attempts))


def _plan_needed(sources: Sequence[ViewSource], attempts: Sequence[Attempt], query: ViewQuery) -> str | None:
    """The plan of the last source that lacked one: of two whole forms the cheaper is the second."""
    plans = [
        source.plan_needed(query)
        for source, attempt in zip(sources, attempts, strict=True)
        if attempt.outcome in _CURABLE and not source.is_reduced
    ]
    return next((plan for plan in reversed(plans) if plan is not None), None)
