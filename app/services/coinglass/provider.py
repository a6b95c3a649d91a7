"""`CoinGlassProvider`: the adapter as the composition root and the health route see it.

Owns the life cycle (learn the plan, load the lists), the wiring of sources and probes, and the status.
Fetching is in `standard` and `premium`. Without a key nothing is offered and the state says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from app.core.domain.budget import BudgetReport
from app.core.domain.context import Capability
from app.core.domain.market import MarketReading
from app.core.domain.status import ProviderState, ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderPlanLimited,
)
from app.core.history_ports import HistorySource
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.coinglass import premium, standard
from app.services.coinglass.access import Access
from app.services.coinglass.backfill import CoinGlassHistories
from app.services.coinglass.budget import budget_report, no_budget, summary
from app.services.coinglass.catalog import CALLS_PER_MINUTE
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.explorer import Explorer
from app.services.coinglass.freshness import fixed_freshness
from app.services.coinglass.listing import Listing
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.parse_market import Account, parse_subscription
from app.services.coinglass.premium import PremiumCapabilities
from app.services.coinglass.standard import StandardInputs
from app.services.coinglass.view_table import DECLARED, view_sources
from app.services.coinglass.views import CoinGlassViews
from app.services.transport.planner import BudgetPlanner
from app.services.transport.resource import Resource, ResourceClient

SUBSCRIPTION = "user_account_subscription"
_NO_CACHE = fixed_freshness(0)
DEFAULT_EXCHANGES = ("Binance", "OKX", "Bybit")


# What this service itself asks for: the rest of the catalogue would fill the health answer.
_USED = {item.endpoint for item in DECLARED} | {*premium.HEATMAPS.values(), premium.MAX_PAIN}
_USED |= {standard.PRICE_HISTORY, standard.LIQUIDATIONS, standard.FEAR_GREED, premium.TAKER_VOLUME}


class CoinGlassProvider:
    """Implements `core.ports.Provider`. `resources` None means that no key is set."""

    name = PROVIDER

    def __init__(
        self,
        resources: ResourceClient | None,
        *,
        catalogue: ResourceClient | None = None,
        histories: ResourceClient | None = None,
        planner: BudgetPlanner | None = None,
        watch: tuple[str, ...] = (),
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        exchange_order: tuple[str, ...] = DEFAULT_EXCHANGES,
        liquidation_exchanges: tuple[str, ...] = DEFAULT_EXCHANGES,
    ) -> None:
        """resources: None without a key. catalogue: the same client over a cache for any endpoint.

        histories: the same over a small cache, for the pages of a backfill.
        planner: asks ahead for what is wanted, and for the coins of `watch` in any case; None: nobody does.
        watch: until somebody calls `watch`.
        """
        self._resources = resources
        self._catalogue = catalogue
        self._past = histories
        self._now_ms = now_ms
        self._planner = planner
        self._watch = tuple(watch)
        self._has_lists = False
        if resources is None:
            return
        self._access = Access(resources.client.refusals, monotonic=monotonic)
        self._client = CoinGlassClient(resources, self._access)
        self._listing = Listing(self._client, monotonic=monotonic, exchange_order=exchange_order)
        self._inputs = StandardInputs(
            self._client,
            self._listing,
            now_ms=now_ms,
            exchange_order=exchange_order,
            liquidation_exchanges=liquidation_exchanges,
        )
        self._premium = PremiumCapabilities(
            self._client, self._listing, self._inputs, liquidation_exchanges=liquidation_exchanges
        )

    def sources(self) -> tuple[Source, ...]:
        """Factor inputs, one source per capability; empty without a key."""
        if self._resources is None:
            return ()
        inputs = self._inputs
        table: tuple[tuple[Capability, str, Callable[[Symbol], Awaitable[Fetched[object]]]], ...] = (
            (Capability.PRICE, standard.COINS_MARKETS, inputs.price),
            (Capability.CANDLES, standard.PRICE_HISTORY, inputs.candles),
            (Capability.LIQUIDATIONS, standard.LIQUIDATIONS, inputs.liquidations),
            (Capability.OPEN_INTEREST_USD, standard.OPEN_INTEREST, inputs.open_interest_usd),
            (Capability.OPEN_INTEREST_BASE, standard.OPEN_INTEREST, inputs.open_interest_base),
            (Capability.FUNDING, standard.FUNDING, inputs.funding),
            (Capability.ACCOUNT_RATIO, standard.ACCOUNT_RATIO, inputs.account_ratio),
            (Capability.TOP_POSITION_RATIO, standard.TOP_POSITION_RATIO, inputs.top_position_ratio),
            (Capability.FEAR_GREED, standard.FEAR_GREED, inputs.fear_greed),
        )
        return tuple(
            Source(capability, PROVIDER, endpoint, partial(self._planned, fetch))
            for capability, endpoint, fetch in table
        )

    def stream_pairs(self, base: str) -> Mapping[str, str]:
        """The pair of a coin on each exchange, for subscriptions; empty without a key or without the list."""
        return {} if self._resources is None else self._listing.known_pairs(base)

    def probes(self) -> tuple[Probe, ...]:
        """Every capability for `/debug/premium`; empty without a key."""
        return () if self._resources is None else self._premium.probes()

    def views(self) -> tuple[ViewSource, ...]:
        """Every view, declared also without a key so that an answer can say which plan has it."""
        views = None
        if self._resources is not None:
            views = CoinGlassViews(self._listing, self._inputs, self._premium)
        return view_sources(views, self._learn_plan)

    def catalog(self) -> Explorer:
        """Every endpoint of the provider, described and callable."""
        if self._resources is None or self._catalogue is None:
            return Explorer(None, None)
        return Explorer(CoinGlassClient(self._catalogue, self._access), self._access, self._listing.held)

    def histories(self) -> tuple[HistorySource, ...]:
        """What can be filled back; empty without a key."""
        if self._resources is None or self._past is None:
            return ()
        client = CoinGlassClient(self._past, self._access)
        return CoinGlassHistories(client, self._listing, now_ms=self._now_ms).sources()

    async def start(self) -> None:
        """Learn the plan (and with it the budget), then the lists. Failures are states."""
        if self._resources is None:
            return
        await self._learn_plan()
        await self._listing.load()
        self._has_lists = True
        if self._planner is not None:
            self._keep_warm()
            self._planner.start()

    def watch(self, coins: Sequence[str]) -> None:
        """Keep exactly these coins fresh from now on, as far as CoinGlass lists them."""
        self._watch = tuple(coins)
        if self._has_lists:  # before, their names there are not known; the start looks at them all
            self._keep_warm()

    async def close(self) -> None:
        """Stop asking ahead, release the HTTP client."""
        if self._planner is not None:
            await self._planner.close()
        if self._resources is not None:
            await self._resources.aclose()

    def known_bases(self) -> frozenset[str]:
        """Base assets CoinGlass lists; empty while unknown."""
        return frozenset() if self._resources is None else self._listing.known_bases()

    def status(self) -> ProviderStatus:
        """What is known right now: plan, budget left, breaker, and what the plan lacks."""
        if self._resources is None:
            return ProviderStatus(
                PROVIDER, ProviderState.NOT_CONFIGURED, None, None, "closed", None, None, None
            )
        client = self._resources.client
        refused = client.refusals.is_key_refused()
        plan = self._access.plan
        return ProviderStatus(
            provider=PROVIDER,
            state=ProviderState.AUTH_FAILED if refused else ProviderState(client.state()),
            last_success_ms=client.health.last_success_ms,
            last_error=client.health.last_error,
            breaker=client.breaker.state,
            plan=plan.value if plan is not None else None,
            quota_left=client.quota.left(),
            quota_limit=client.quota.limit(),
            not_in_plan=tuple(name for name in self._access.not_in_plan() if name in _USED),
            planner=None if self._planner is None else summary(self._planner.plan()),
        )

    async def account(self) -> Account | None:
        """What CoinGlass says of the key, asked anew; None when it says nothing.

        Raises: ProviderNotConfigured without a key, ProviderError.
        """
        if self._resources is None:
            raise ProviderNotConfigured(PROVIDER, SUBSCRIPTION, "no key set")
        found = await self._client.fetch(
            SUBSCRIPTION,
            {},
            parse=partial(parse_subscription, endpoint=SUBSCRIPTION),
            freshness=_NO_CACHE,
            ahead=False,
        )
        return found.value

    def budget(self) -> BudgetReport:
        """How the calls of the key are spent."""
        if self._resources is None:
            return no_budget()
        quota = self._resources.client.quota
        plan = self._planner.plan() if self._planner is not None else None
        return budget_report(self.status(), quota.limit(), quota.left(), plan)

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """Liquidations of 24 h, funding and open interest by exchange; at most three calls."""
        return {} if self._resources is None else await self._premium.market(symbol)

    async def _planned(
        self, fetch: Callable[[Symbol], Awaitable[Fetched[object]]], symbol: Symbol
    ) -> Fetched[object]:
        await self._learn_plan()
        return await fetch(symbol)

    async def _learn_plan(self) -> None:
        """Ask for the plan when it is due; unknown (a 404 is usual) means trying what is asked."""
        if self._resources is None or not self._access.take_plan_turn():
            return
        try:
            account = await self.account()
        except ProviderError as error:
            is_final = isinstance(error, ProviderBadPayload | ProviderPlanLimited)
            self._access.plan_unanswered(will_answer_later=not is_final)
            return
        level = None if account is None else account.plan
        if self._access.learn_plan(level) and self._access.plan is not None:
            self._resources.client.quota.resize(CALLS_PER_MINUTE[self._access.plan])
            self._keep_warm()

    def _keep_warm(self) -> None:
        """Tell the planner what the watched coins need on this plan; coins not listed are left out."""
        if self._planner is None:
            return
        wanted: list[Resource[Any]] = self._inputs.warm_lists()
        for symbol in map(Symbol, self._watch):
            try:
                wanted += [*self._inputs.warm(symbol), *self._premium.warm(symbol)]
            except ProviderNoData:
                continue
        self._planner.watch(wanted)
