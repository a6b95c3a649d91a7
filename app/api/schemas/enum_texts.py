"""What the closed word lists of the answers mean, for readers of the OpenAPI documents.

The lists live in the domain, whose docstrings are for its authors; these texts are for clients. Every list
has one that names every word of it (tested). Called by `app.api.openapi`.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.signal import FactorName

# Default weight in points of 100 (tested against the default configuration), and how the factor is read.
FACTOR_TEXTS: Mapping[FactorName, tuple[int, str]] = {
    FactorName.LIQUIDATIONS: (
        20,
        "long minus short positions closed by force in 24 h, relative to open interest; flushed longs read "
        "bullish, squeezed shorts bearish.",
    ),
    FactorName.FUNDING: (
        15,
        "what longs pay shorts per 8 h; contrarian: higher than usual reads bearish, lower bullish.",
    ),
    FactorName.MOMENTUM: (
        15,
        "price move over 1, 4 and 24 h in units of the coin's own volatility; followed: a rise reads "
        "bullish.",
    ),
    FactorName.LONG_SHORT: (
        15,
        "share of all accounts that are long; contrarian: more longs than usual reads bearish.",
    ),
    FactorName.SMART_MONEY: (
        10,
        "share of the top traders' positions that is long; followed: more than usual reads bullish.",
    ),
    FactorName.OI_TREND: (
        10,
        "change of open interest over 24 h together with the price: growth in a rise reads bullish, growth "
        "in a fall bearish; closing positions read the other way, at half.",
    ),
    FactorName.SOCIAL: (
        10,
        "social score (galaxy score) against the coin's own usual level; followed: livelier reads bullish.",
    ),
    FactorName.FEAR_GREED: (
        5,
        "daily fear and greed index of the whole market; contrarian: fear reads bullish, greed bearish.",
    ),
}

ENUM_TEXTS: Mapping[str, str] = {
    "Basis": (
        "How a factor became a score. rank: its place in its own history. absolute: a fixed scale, because "
        "there is too little history."
    ),
    "BreakerState": (
        "Whether the provider is asked. closed: yes. open: not for now, after repeated failures. half_open: "
        "one trial call decides."
    ),
    "CacheState": (
        "How a figure was obtained. miss: fetched for this answer. hit: kept from an earlier fetch and still "
        "fresh. stale: kept and past its time while a new fetch is due."
    ),
    "Capability": (
        "An input of the signal. price. candles: price history. liquidations: positions closed by force. "
        "open_interest_usd and open_interest_base: open interest in USD and in coins. funding: rate per 8 h. "
        "account_ratio: share of accounts long. top_position_ratio: share of top-trader positions long. "
        "social: social score. fear_greed: market-wide index."
    ),
    "ConfidenceLevel": (
        "How much the factors agree, how strong and how complete they are: high, medium or low."
    ),
    "DataMode": (
        "Where the data comes from. live: the providers, now. demo: a simulated market, not real prices. "
        "replay: recorded market data of a past time. The modes are never mixed."
    ),
    "DependencyState": "ok, starting (not open yet), or down: the service works on without it.",
    "Direction": (
        "LONG: the evidence leans to a rise. SHORT: to a fall. NEUTRAL: no clear lean, too little data, or a "
        "price that is too old."
    ),
    "FactorName": "\n".join(
        ["The eight factors, each with its default weight in points of 100 (`weight` says the one in force)."]
        + [f"{name.value} ({weight}): {text}" for name, (weight, text) in FACTOR_TEXTS.items()]
    ),
    "FactorStatus": (
        "ok: counted. stale: there, but too old, so it counts as neutral. missing: not there, counts as "
        "neutral."
    ),
    "HeatmapPart": (
        "A part of the heatmap. liquidations: positions closed by force, from the record. "
        "open_interest_change: change of open interest by the minute. swing_proximity: nearness to a swing "
        "high or low. price: the current price."
    ),
    "HeatmapState": (
        "What the record has. filled: liquidations in the window. empty_window: only older ones, so the "
        "market was quiet or nothing was recorded since. nothing_stored: never one of this coin."
    ),
    "Margin": "What a contract is margined in: stablecoin, or coin (the base asset itself).",
    "MissingReason": (
        "Why data is not there. not_configured: this service has no key for the source. not_in_plan: the "
        "plan of the key lacks it. no_data: the source has none for this coin. timeout: no answer in time. "
        "unavailable: the source is down. rate_limited: its call limit is reached. circuit_open: not asked "
        "after repeated failures. auth_failed: the key was refused. bad_payload: the answer was not usable."
    ),
    "Mode": (
        "Threshold set for the direction: conservative needs the clearest score, then balanced, then "
        "aggressive."
    ),
    "PositionSide": (
        "Side of a position: LONG or SHORT. A LONG closed by force is a forced sell, a SHORT a forced buy."
    ),
    "StoreState": (
        "How the database does. ok: rows are written. starting: not opened yet. down: it does not answer. "
        "full: no room is left on its disk. refused: it was opened and must not be used."
    ),
    "PriceKind": (
        "Which price it is. last_trade: last trade of the perpetual future on one exchange. aggregated: "
        "futures price across exchanges. spot_rate: spot exchange rate. "
        "last_close: close of the last closed bar, in a replay."
    ),
    "ProbeStatus": (
        "ok: answered. not_in_plan: the plan of the key lacks it. not_configured: no key is set. failed: "
        "asked and not answered. The middle two are no faults."
    ),
    "ProviderState": (
        "ok: the last call succeeded. unused: not called yet. not_configured: no key is set, which is no "
        "fault. degraded: the last call failed. down: not asked for now, after repeated failures. "
        "auth_failed: the key was refused."
    ),
    "RatioScope": (
        "Whose longs are counted. global_account: all accounts. top_account: accounts of top traders. "
        "top_position: positions of top traders. Three different series."
    ),
    "ReadyStatus": (
        "ok: everything works. degraded: prices can be served, something else is missing. unavailable: no "
        "price can be served."
    ),
    "SeriesName": (
        "A kept history. candles: prices. open-interest: open positions. funding: rate per 8 h. long-short: "
        "share of longs. taker-volume: volume by aggressor."
    ),
    "Trigger": (
        "Why a signal was computed. request: someone asked, so the moments are chosen. schedule: the hourly "
        "evaluation of the watchlist, which alone counts in the record."
    ),
    "View": (
        "A part of the derivatives market. coin_market: one coin. all_markets: all coins. pair_markets: by "
        "exchange. liquidation_totals, liquidation_orders: positions closed by force. liquidation_map, "
        "liquidation_heatmap: estimated levels. account_ratio, top_account_ratio, top_position_ratio: long "
        "shares. funding_history, funding_venues: funding. open_interest_history, open_interest_venues: open "
        "interest. candles: prices. coins, exchanges: what is listed. whale_alerts, whale_positions: large "
        "positions."
    ),
    "WhaleAction": "What was done with a position: opened or closed.",
    "AlertKind": (
        "What an alert is about. STOP_HUNT: a cascade of liquidations. ACCUMULATION and DISTRIBUTION: "
        "one-sided taker volume. WHALE_ACCUMULATION and WHALE_DISTRIBUTION: the same of large orders. "
        "VOLUME_SPIKE: much more volume than the minutes before. WHALE_POSITION: a large position opened or "
        "closed. FUNDING_EXTREME and OI_SPIKE: beyond the coin's own 30 days. LIQUIDATION_ZSCORE: an "
        "unusual minute. HEATMAP: a strong tile near the price."
    ),
    "Phase": (
        "Where a cascade stands. building: growing. peak: slowing. reclaim: the price is back, the only "
        "phase with a direction. continuation: not back in time. ended: over without a verdict."
    ),
    "LiquidatedSide": (
        "Whose positions were closed by force. LONG: forced sells, pressure down. SHORT: forced buys, "
        "pressure up."
    ),
    "Severity": "urgent: exempt from the hourly cap. watch: worth a look. info: for the record.",
    "ContextVerdict": (
        "What funding and open interest say of the direction: FAVORABLE, NEUTRAL (also when unknown) or "
        "UNFAVORABLE."
    ),
    "DropReason": (
        "Why nobody was told. no_price: no valid price. bad_levels: levels that do not fit. not_watched. "
        "muted. context: the market filter. low_confidence. below_threshold: too small for the chat. "
        "no_change: said already. flip: the opposite was said a moment ago. expired: too old to act on. "
        "quiet_hours. hourly_cap. no_chat: nobody is there to be told."
    ),
    "DeliveryState": (
        "What became of a message. pending: waits. sending: on its way. sent. failed: refused for good. "
        "uncertain: sent twice without an answer."
    ),
    "FlowState": (
        "Whether there is something to tell. live. stale: the worker has not published for a while, shown "
        "with its age. no_events: the stream runs and the coin had none in a day. no_worker: nobody "
        "publishes."
    ),
    "LinkState": (
        "How an upstream stream does. off: not wanted. standby: another one counts. connecting. live: data "
        "arrives. silent: connected without data. refused: key or plan. alarm: nothing that arrives can be "
        "read."
    ),
    "BreakKind": "BOS: a close beyond structure with the trend; CHoCH: against it.",
    "RangePart": "discount: lower part of the dealing range; equilibrium: its middle; premium: upper part.",
    "LevelSource": (
        "coinglass_map and coinglass_heatmap: CoinGlass's models; estimate: own, from open interest; "
        "streamed: liquidations that happened."
    ),
    "ProbabilitySource": (
        "hitRateTable: measured share of past levels so far away; closedForm: a driftless walk; "
        "calibrated: fitted."
    ),
    "ZoneKind": (
        "order_block, breaker (a broken block), fair_value_gap, inverse_fair_value_gap, liquidity_pool "
        "(equal highs or lows) or previous_level (day or week)."
    ),
    "ZoneState": "untouched, touched, half_filled or ended at the last closed candle.",
    "KeyState": (
        "active; expired; revoked; shadowed: not accepted, because API_KEYS holds another key of this name."
    ),
    "AuditAction": (
        "key.created, key.revoked: by command. key.refused: a wrong key. login: a session. coin.added, "
        "coin.switched, coin.removed. chat.changed: settings. admin.read. scope.refused: a key may not. "
        "store.migrated, store.downgraded, store.restored."
    ),
    "AuditOutcome": "done, or refused.",
    "Scope": "read: market data and signals. debug: how they came about. admin: metrics and changes.",
    "EntryKind": (
        "limit: an order that waits in the zone; reclaim: the close that took the zone back after a sweep."
    ),
}
