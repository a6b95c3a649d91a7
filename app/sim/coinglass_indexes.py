"""CoinGlass daily indexes: one table row per page with its keys and what each is made of.

Averages, bands and multiples come from the daily BTC closes of the market; chain and macro figures are slow
made-up curves of realistic size. Rows are oldest first, one a day, the running day last. Recorded data holds
too few days and no chain: then every index is empty. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS
from app.sim.coinglass_index_days import Days, load_days
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import EMPTY, CoinglassEndpoint, data_reply
from app.sim.made_up import curve
from app.sim.market import Floats
from app.sim.wire import Call, Reply, format_rows

_HALVING_MS = 1_839_456_000_000  # 2028-04-16, expected
_BTC_SUPPLY = 19_900_000
_RAINBOW = (0.41, 0.55, 0.72, 0.95, 1.22, 1.55, 1.95, 2.5, 3.2, 4.1)
_DASHED, _SLASHED = "%Y-%m-%d", "%Y/%m/%d"

_Column = Callable[[Days], Floats]


@dataclass(frozen=True, slots=True)
class _Index:
    """name: path below /api/index/ unless it starts with a slash; columns: key -> values.

    date_format: days as text under `date_string` instead of a timestamp. time_key: "" for none.
    """

    name: str
    gate: Gate
    columns: dict[str, _Column]
    date_format: str = ""
    time_key: str = "timestamp"
    has_price: bool = True
    places: dict[str, int] = field(default_factory=dict)


def _made(key: str, low: float, high: float) -> _Column:
    return lambda days: curve(key, days.number, low, high)


def _mean(length: int, times: float = 1.0) -> _Column:
    """The mean price of the last `length` days, of fewer near the start of the market."""
    return lambda days: days.mean(length) * times


def _over_mean(length: int) -> _Column:
    return lambda days: days.price / days.mean(length)


def _realized(days: Days) -> Floats:
    """What the coins cost their holders: long memory, below the price in a rising market."""
    return 0.7 * days.mean(730) + 0.1 * days.price


def _heat(days: Days) -> Floats:
    """Rise of the 200-week average in a month, percent."""
    mean = days.mean(1440)
    before = np.concatenate((np.repeat(mean[:1], min(30, mean.size)), mean[:-30]))
    return (mean / before[: mean.size] - 1) * 100


def ahr999(days: Days) -> Floats:
    """Price over its 200-day mean times price over the growth line of its age. Below 0.45 is cheap."""
    growth = 10 ** (5.84 * np.log10(days.number) - 17.01)
    return days.price / days.mean(200) * days.price / growth


def unrealized(days: Days) -> Floats:
    """NUPL: share of the market's value that is profit."""
    return 1 - _realized(days) / days.price


def _long_held(days: Days) -> Floats:
    return np.rint(curve("long held", days.number, 13.4e6, 15.2e6))


def _supply_m2(key: str, base: float, growth_pct: float) -> _Column:
    # Straight growth from 2024 on, so that supply and its yearly rate agree.
    return lambda days: np.rint(base * (1 + growth_pct / 100 * (days.number - days.number[0]) / 365))


_A, _S = Gate.ALL, Gate.STARTUP
_COUNT = 0

_INDEXES: tuple[_Index, ...] = (
    _Index("/api/futures/cdri-index/history", _A, {"cdri_index_value": _made("cdri", 20, 85)},
           time_key="time", has_price=False, places={"cdri_index_value": 0}),
    _Index("/api/futures/cgdi-index/history", _A,
           {"cgdi_index_value": lambda d: 1000 * d.price / d.price[0]},
           time_key="time", has_price=False, places={"cgdi_index_value": 2}),
    _Index("2-year-ma-multiplier", _A,
           {"moving_average_730": _mean(730), "moving_average_730_multiplier_5": _mean(730, 5)}),
    _Index("200-week-moving-average-heatmap", _A,
           {"moving_average_1440": _mean(1440), "moving_average_1440_ip": _heat}),
    _Index("ahr999", _A,
           {"average_price": _mean(200), "ahr999_value": ahr999, "current_value": lambda d: d.price},
           date_format=_SLASHED, has_price=False),
    _Index("altcoin-season", _S,
           {"altcoin_index": lambda d: d.altcoin_season(), "altcoin_marketcap": lambda d: d.altcoin_cap()},
           has_price=False, places={"altcoin_index": 0, "altcoin_marketcap": 0}),
    _Index("bitcoin-active-addresses", _S, {"active_address_count": _made("active addresses", 6.4e5, 1.05e6)},
           places={"active_address_count": _COUNT}),
    _Index("bitcoin-correlation", _S, {
        "gld": _made("gld", -0.5, 0.6), "iwm": _made("iwm", -0.2, 0.8), "qqq": _made("qqq", -0.1, 0.85),
        "spy": _made("spy", -0.2, 0.8), "tlt": _made("tlt", -0.6, 0.5)}),
    _Index("bitcoin-dominance", _S, {
        "bitcoin_dominance": lambda d: 100 * d.bitcoin_cap() / (d.bitcoin_cap() + d.altcoin_cap()),
        "market_cap": lambda d: d.bitcoin_cap()}, places={"market_cap": 0}),
    _Index("bitcoin-long-term-holder-supply", _S, {"long_term_holder_supply": _long_held},
           places={"long_term_holder_supply": _COUNT}),
    _Index("bitcoin-short-term-holder-supply", _S,
           {"short_term_holder_supply": lambda d: _BTC_SUPPLY - _long_held(d)},
           places={"short_term_holder_supply": _COUNT}),
    _Index("bitcoin-lth-realized-price", _S, {"lth_realized_price": _mean(1440, 0.45)}),
    _Index("bitcoin-sth-realized-price", _S, {"sth_realized_price": _mean(155)}),
    _Index("bitcoin-lth-sopr", _S, {"lth_sopr": lambda d: d.price / (0.45 * d.mean(1440))}),
    _Index("bitcoin-sth-sopr", _S, {"sth_sopr": _over_mean(155)}),
    _Index("bitcoin-macro-oscillator", _S, {"bmo_value": _made("macro oscillator", -1.2, 2.8)}),
    _Index("bitcoin-net-unrealized-profit-loss", _S, {"net_unpnl": unrealized}),
    _Index("bitcoin-new-addresses", _S, {"new_address_count": _made("new addresses", 2.6e5, 4.6e5)},
           places={"new_address_count": _COUNT}),
    _Index("bitcoin-reserve-risk", _S, {
        "reserve_risk_index": lambda d: d.price / curve("hodl bank", d.number, 3.2e7, 5.6e7),
        "movcd": _made("movcd", 0.4, 1.6), "hodl_bank": _made("hodl bank", 3.2e7, 5.6e7),
        "vocd": _made("vocd", 0.3, 1.9)}),
    _Index("bitcoin-rhodl-ratio", _S, {"rhodl_ratio": _made("rhodl", 600, 6500)}),
    _Index("bitcoin-vs-global-m2-growth", _S, {
        "global_m2_yoy_growth": lambda d: np.full(d.price.size, 5.5),
        "global_m2_supply": _supply_m2("global", 1.02e14, 5.5)}, places={"global_m2_supply": 0}),
    # A fraction here, percent on the page of the global figure.
    _Index("bitcoin-vs-us-m2-growth", _S, {
        "us_m2_yoy_growth": lambda d: np.full(d.price.size, 0.042),
        "us_m2_supply": _supply_m2("us", 2.08e13, 4.2)}, places={"us_m2_supply": 0}),
    _Index("bitcoin/bubble-index", _A, {
        "bubble_index": _made("bubble", -40, 60), "google_trend_percent": _made("search", 12, 88),
        "mining_difficulty": _made("difficulty", 8.5e13, 1.3e14),
        "transaction_count": _made("transactions", 3.1e5, 6.4e5),
        "address_send_count": _made("senders", 4.4e5, 7.9e5), "tweet_count": _made("tweets", 4e4, 1.3e5)},
        date_format=_DASHED, places=dict.fromkeys(
            ("mining_difficulty", "transaction_count", "address_send_count", "tweet_count"), _COUNT)),
    _Index("bitcoin/profitable-days", _A, {"side": lambda d: (d.price <= d.price[-1]).astype(np.float64)},
           places={"side": 0}),
    _Index("golden-ratio-multiplier", _A, {
        "ma_350": _mean(350), "accumulation_high_1_6": _mean(350, 1.6), "low_bull_high_2": _mean(350, 2),
        **{f"x_{n}": _mean(350, n) for n in (3, 5, 8, 13, 21)}}),
    _Index("option-vs-futures-oi-ratio", _S, {
        "btc_option_vs_futures_radio": _made("btc options", 38, 66),
        "eth_option_vs_futures_radio": _made("eth options", 18, 42)}, has_price=False),
    _Index("pi-cycle-indicator", _A, {"ma_110": _mean(111), "ma_350_mu_2": _mean(350, 2)}),
    _Index("puell-multiple", _A, {"puell_multiple": _over_mean(365)}),
    _Index("stock-flow", _A, {"next_halving": lambda d: np.ceil((_HALVING_MS - d.at_ms) / DAY_MS)},
           places={"next_halving": 0}),
)  # fmt: skip


def _history(index: _Index) -> Callable[[Call], Reply]:
    parts = [] if index.date_format else [f'"{index.time_key}":%d']
    parts += ['"date_string":"%s"'] if index.date_format else []
    has_price = index.has_price
    parts += ['"price":%.10g'] if has_price else []
    parts += [f'"{key}":%.{index.places.get(key, 8)}f' for key in index.columns]
    template = "{" + ",".join(parts) + "}"

    def handler(call: Call) -> Reply:
        days = load_days(call)
        if days is None:
            return EMPTY
        times: Any = _dates(days, index.date_format) if index.date_format else days.at_ms
        columns = [times, *([days.price] if has_price else [])]
        return data_reply(format_rows(template, *columns, *(make(days) for make in index.columns.values())))

    return handler


def _dates(days: Days, date_format: str) -> list[str]:
    return [datetime.fromtimestamp(ms / 1000, UTC).strftime(date_format) for ms in days.at_ms.tolist()]


def _rainbow(call: Call) -> Reply:
    """Rows without keys: price, the shadow below, nine bands, the time."""
    days = load_days(call)
    if days is None:
        return EMPTY
    middle = days.mean(730)
    bands = [middle * factor for factor in _RAINBOW]
    template = "[%.10g," + "%.6f," * len(_RAINBOW) + "%d]"
    return data_reply(format_rows(template, days.price, *bands, days.at_ms))


def _stablecoins(call: Call) -> Reply:
    """A list of one object of parallel lists."""
    days = load_days(call)
    if days is None:
        return EMPTY
    caps = curve("stablecoins", days.number, 1.4e11, 2.6e11)
    lists = (
        format_rows(text, column).decode()
        for text, column in (("%.4f", caps), ("%.10g", days.price), ("%d", days.at_ms))
    )
    return data_reply('[{{"data_list":{},"price_list":{},"time_list":{}}}]'.format(*lists).encode())


def _endpoint(index: _Index) -> CoinglassEndpoint:
    path = index.name if index.name.startswith("/") else "/api/index/" + index.name
    id_ = path.removeprefix("/api/").replace("/", "_").replace("-", "_")
    return CoinglassEndpoint(id_, path, _history(index), cache_ms=60_000, gate=index.gate)


INDEX_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *(_endpoint(index) for index in _INDEXES),
    CoinglassEndpoint(
        "index_bitcoin_rainbow_chart", "/api/index/bitcoin/rainbow-chart", _rainbow, cache_ms=60_000
    ),
    CoinglassEndpoint(
        "index_stablecoin_marketcap_history",
        "/api/index/stableCoin-marketCap-history",
        _stablecoins,
        cache_ms=60_000,
    ),
)
