"""A market that holds nothing: every endpoint answers its provider's "no data", none fails or invents."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.sim.app import SimConfig, create_simulator
from app.sim.bars import no_candles, no_liquidations, no_values
from app.sim.coinglass_table import ENDPOINTS
from app.sim.market import Coin
from app.sim.okx import OkxServer
from app.sim.okx_wire import EventIndex
from app.sim.quotas import FixedWindows
from tests.sim.coinglass_asking import ask

NOW_MS = 1_749_637_230_000
COIN = Coin("BTC", "Bitcoin", 1, 0.01, 1, 8, 0.1, 2e7)
LISTS_OF_NAMES = {
    "futures_supported_coins",
    "futures_supported_exchanges",
    "futures_supported_exchange_pairs",
}
PARAMS = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "instFamily": "BTC-USDT",
    "ccy": "BTC",
}


class EmptyMarket:
    """One listed coin, one exchange, and not a single figure."""

    def now_ms(self) -> int:
        return NOW_MS

    def coins(self) -> tuple[Coin, ...]:
        return (COIN,)

    def exchanges(self) -> tuple[str, ...]:
        return ("Binance", "OKX")

    def candles(self, *args: Any) -> Any:
        return no_candles()

    def liquidations(self, *args: Any) -> Any:
        return no_liquidations()

    def taker_volume(self, *args: Any) -> Any:
        return no_values(), no_values()

    def __getattr__(self, name: str) -> Any:
        if name in ("last_price", "funding_current"):
            return lambda *args: None
        if name in ("liquidation_events", "trade_events"):
            return lambda *args: []
        return lambda *args: no_values()


@pytest.fixture
async def client() -> Any:
    market: Any = EmptyMarket()
    app = create_simulator(SimConfig(source="somewhere", plan="professional"), market)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sim") as opened:
        yield opened


def holds_nothing(data: Any) -> bool:
    """Whether no list anywhere in `data` has an entry."""
    if isinstance(data, dict):
        return all(holds_nothing(value) for value in data.values())
    return data == []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.id)
async def test_coinglass_answers_an_empty_success(client: Any, endpoint: Any) -> None:
    headers = {"CG-API-KEY": "test-key"}
    answer = await client.get(f"/coinglass{endpoint.path}", params=ask(endpoint), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (200, "0")
    data = answer.json()["data"]
    if endpoint.id == "futures_liquidation_coin_list":
        assert data[0]["liquidation_usd_24h"] == 0  # a coin without liquidations is listed with zeros
    elif endpoint.id not in LISTS_OF_NAMES | {"user_account_subscription"}:
        assert holds_nothing(data), data


@pytest.mark.parametrize("endpoint", OkxServer(FixedWindows(2.0), EventIndex()).endpoints, ids=lambda e: e.id)
async def test_okx_answers_an_empty_success(client: Any, endpoint: Any) -> None:
    names = set(endpoint.required) | ({"instFamily"} if "instType" in endpoint.required else set())
    params = {name: PARAMS[name] for name in names}
    answer = await client.get(f"/okx{endpoint.path}", params=params)
    assert (answer.status_code, answer.json()["code"]) == (200, "0")
    if endpoint.id not in ("public_time", "public_instruments"):
        assert answer.json()["data"] == []


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/lunarcrush/api4/public/coins/BTC/v1", 200, {"error": "Coin not found"}),
        ("/lunarcrush/api4/public/topic/bitcoin/v1", 200, {"error": "Topic not found"}),
        ("/coinapi/v1/exchangerate/BTC/USD", 550, {"error": "No data"}),
        ("/coinapi/v1/exchangerate/BTC", 550, {"error": "No data"}),
    ],
)
async def test_the_others_say_so_in_their_own_words(client: Any, path: str, status: int, body: Any) -> None:
    headers = {"Authorization": "Bearer k", "X-CoinAPI-Key": "k"}
    answer = await client.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_empty_series_and_lists_stay_lists(client: Any) -> None:
    headers = {"Authorization": "Bearer k"}
    for path in ("coins/list/v1", "coins/BTC/time-series/v2"):
        assert (await client.get(f"/lunarcrush/api4/public/{path}", headers=headers)).json()["data"] == []
    assert (await client.get("/alternative-me/fng/?limit=0")).json()["data"] == []


async def test_a_market_without_a_settable_clock_says_so(client: Any) -> None:
    assert (await client.put("/__sim__/clock", json={"nowMs": 1})).status_code == 409
