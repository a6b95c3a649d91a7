"""Probes of the data providers: does each answer, is its key good, what does the plan give, is there a price.

Asked through the service's own adapters, over a cache of their own. A provider without which the service is
blind fails; one that only adds is a warning, unless its key is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from app.core.domain.context import Capability
from app.core.domain.market import Price
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.core.ports import Source
from app.doctor_deployment import Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.services.coinglass.catalog import ENDPOINTS, Plan, plan_allows

GROUP = "providers"
DAY_MS = 86_400_000
WARN_DAYS = 7
# A budget that is nearly gone at a quiet moment is spent by somebody else.
LOW_QUOTA_FRAC = 0.1
_BTC = Symbol("BTC")
_NETWORK = "see to DNS, firewall and proxy of this machine; then the provider's own status page"


async def okx(deployment: Deployment) -> Finding:
    try:
        listed = await deployment.base().okx.contract_values()
    except ProviderAuthFailed as error:
        return fail(error.detail, "OKX refuses this place: run elsewhere, or set OKX_BASE_URL to a proxy")
    except ProviderError as error:
        return fail(f"OKX does not answer: {error.detail}", _NETWORK)
    return ok(f"OKX lists {len(listed)} USDT swaps")


async def btc_price(deployment: Deployment) -> Finding:
    told = await asyncio.gather(*map(_price_of, _in_order(deployment, Capability.PRICE)))
    for source, price in told:
        if isinstance(price, float):
            return ok(f"BTC is {price:,.2f} USD, says {source}")
    refused = ", ".join(f"{source} ({why})" for source, why in told)
    return fail(f"nobody has a price of BTC: {refused}", "without one there is no signal; see the probe okx")


async def _price_of(source: Source) -> tuple[str, float | str]:
    """(provider, USD or why not)."""
    try:
        found = await source.fetch(_BTC)
    except ProviderError as error:
        return source.provider, error.detail
    return source.provider, found.value.price_usd if isinstance(found.value, Price) else "no price"


def _in_order(deployment: Deployment, capability: Capability) -> list[Source]:
    base = deployment.base()
    order = base.signals.source_order(replay=deployment.settings.data_mode == "replay").get(capability, ())
    places = {name: place for place, name in enumerate(order)}
    sources = [one for provider in base.providers for one in provider.sources()]
    wanted = [one for one in sources if one.capability is capability and one.provider in places]
    return sorted(wanted, key=lambda one: places[one.provider])


async def coinglass_key(deployment: Deployment) -> Finding:
    _require_coinglass(deployment)
    source = next(s for s in deployment.base().coinglass.sources() if s.capability is Capability.PRICE)
    try:
        await _account(deployment)
        await source.fetch(_BTC)
    except ProviderAuthFailed:
        return fail("CoinGlass refuses the key", "copy COINGLASS_API_KEY again from the account page")
    except ProviderPlanLimited as error:
        return warn(f"CoinGlass takes the key: {error.detail}", "see the probe coinglass_plan")
    except ProviderError as error:
        return fail(f"CoinGlass does not answer: {error.detail}", _NETWORK)
    return ok("CoinGlass takes the key and answers")


async def coinglass_plan(deployment: Deployment) -> Finding:
    _require_coinglass(deployment)
    try:
        account = await deployment.account.get()
    except ProviderAuthFailed:
        return skip("the key is refused")
    except ProviderError as error:
        return warn(f"CoinGlass does not say which plan it is: {error.detail}", "see its account page")
    if account is None:
        return warn("CoinGlass does not say which plan it is", "see its account page")
    renew = "renew it on CoinGlass' account page; until then public data answers"
    if account.is_expired:
        return fail(f"the plan {account.level} has lapsed", renew)
    lacks = _lacking(account.level)
    found = f"plan {account.level}" + (
        f", which lacks {lacks} of {len(ENDPOINTS)} endpoints" if lacks else ""
    )
    if account.ends_ms is None:
        return ok(found)
    left_days = (account.ends_ms - deployment.clock.now_ms()) / DAY_MS
    ends = f"{datetime.fromtimestamp(account.ends_ms / 1000, UTC):%Y-%m-%d}"
    if left_days < WARN_DAYS:
        return warn(f"{found}; it ends on {ends}", renew)
    return ok(f"{found}, until {ends}")


def _lacking(level: str) -> int:
    """How many endpoints the plan does not have; 0 of a plan that is not known."""
    plan = next((one for one in Plan if one.value == level), None)
    return 0 if plan is None else sum(not plan_allows(plan, name, None) for name in ENDPOINTS)


async def coinglass_quota(deployment: Deployment) -> Finding:
    _require_coinglass(deployment)
    with suppress(ProviderError):
        await deployment.account.get()
    status = deployment.base().coinglass.status()
    if status.quota_limit is None or status.quota_left is None or status.last_success_ms is None:
        return skip("CoinGlass has not said how many calls are left")
    found = f"{status.quota_left} of {status.quota_limit} calls a minute are left"
    if status.quota_left < status.quota_limit * LOW_QUOTA_FRAC:
        mend = "see who else uses the key; give processes one REDIS_URL, so that they share the budget"
        return warn(found, mend)
    return ok(found)


async def _account(deployment: Deployment) -> None:
    """Ask who we are; only a silence or a refused key means that there is no more to ask.

    Raises: ProviderAuthFailed, ProviderTimeout, ProviderUnavailable.
    """
    try:
        await deployment.account.get()
    except (ProviderAuthFailed, ProviderTimeout, ProviderUnavailable):
        raise
    except ProviderError:
        return  # keys whose account cannot be asked get data all the same


def _require_coinglass(deployment: Deployment) -> None:
    if deployment.settings.coinglass_api_key is None:
        raise NothingToCheck("no CoinGlass key: liquidations, heatmaps and history of many exchanges are off")


async def coinapi(deployment: Deployment) -> Finding:
    if deployment.settings.coinapi_key is None:
        return skip("no CoinAPI key: a third source of prices is off")
    return await _adds(deployment, "coinapi", Capability.PRICE, "COINAPI_KEY")


async def lunarcrush(deployment: Deployment) -> Finding:
    if deployment.settings.lunarcrush_api_key is None:
        return skip("no LunarCrush key: the social factor is off")
    return await _adds(deployment, "lunarcrush", Capability.SOCIAL, "LUNARCRUSH_API_KEY")


async def fear_greed(deployment: Deployment) -> Finding:
    return await _adds(deployment, "alternative.me", Capability.FEAR_GREED, "")


async def _adds(deployment: Deployment, provider: str, capability: Capability, setting: str) -> Finding:
    """Ask for one thing of a provider that the service can do without."""
    sources = [one for each in deployment.base().providers for one in each.sources()]
    source = next(one for one in sources if (one.provider, one.capability) == (provider, capability))
    try:
        await source.fetch(_BTC)
    except ProviderAuthFailed:
        return fail(f"{provider} refuses the key", f"copy {setting} again from the account page")
    except ProviderPlanLimited as error:
        return warn(f"{provider}: {error.detail}", "choose another plan, or leave the key out")
    except ProviderNoData as error:
        return warn(f"{provider} answers and has nothing: {error.detail}", "look again in an hour")
    except ProviderError as error:
        return warn(f"{provider} does not answer: {error.detail}; what it adds is missing", _NETWORK)
    return ok(f"{provider} answers")


PROBES = tuple(
    Probe(run.__name__, GROUP, run, is_remote=True, limit_s=14.0)
    for run in (
        okx,
        btc_price,
        coinglass_key,
        coinglass_plan,
        coinglass_quota,
        coinapi,
        lunarcrush,
        fear_greed,
    )
)
