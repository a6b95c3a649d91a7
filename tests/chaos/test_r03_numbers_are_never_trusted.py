"""R03: impossible numbers, shapes and times are refused with a reason; the score stays finite."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.chaos.memory import MAX_GROWTH_BYTES, Memory
from tests.live_rig import Rig, factors, fault, inputs, live_rig, run_cases

KEY_HEADERS = {"CG-API-KEY": "k", "Authorization": "Bearer k", "X-CoinAPI-Key": "k"}
# Everything but the price of OKX, which keeps the answer a 200.
INPUTS = (
    ("okx", "market_candles"),
    ("okx", "rubik*"),
    ("okx", "public_funding*"),
    ("okx", "public_liq*"),
    ("coinglass", "*"),
    ("lunarcrush", "*"),
    ("alternative.me", "*"),
)
PRICES = (
    ("okx", "market_ticker"),
    ("coinglass", "futures_coins_markets"),
    ("coinglass", "futures_pairs_markets"),
    ("coinapi", "*"),
)
# Put in place of every number that is not a time. Zero and -5.5 % are possible for a few inputs.
NUMBERS: dict[str, set[str]] = {
    "NaN": set(),
    "Infinity": set(),
    "1e400": set(),
    "-5.5": {"funding"},
    "0": {"funding", "social", "fear_greed"},
    '"abc"': set(),
    '"NaN"': set(),
    "null": set(),
    "[]": set(),
}
SHAPES = {
    "list": "[]",
    "object": "{}",
    "text": '"x"',
    "data is an object": '{"code":"0","data":{}}',
    "data holds null": '{"code":"0","data":[null]}',
    "nested too deep": '{"code":"0","data":[[[[["1"]]]]]}',
    "brackets in data": '{"code":"0","data":' + "[" * 100_000 + "]" * 100_000 + "}",
    "duplicate keys": '{"code":"1","code":"0","data":[],"data":[{}],"config":{},"metadata":{}}',
}


def strict(answer: httpx2.Response) -> Any:
    """The body, refused when it holds NaN or Infinity."""

    def refuse(constant: str) -> None:
        pytest.fail(f"the answer holds {constant}")

    return json.loads(answer.content, parse_constant=refuse)


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    elif isinstance(value, float):
        yield value


def assert_honest(body: dict[str, Any]) -> None:
    """Every factor either counts with evidence or says why not; nothing in between."""
    assert 0 <= body["score"] <= 100
    assert all(math.isfinite(number) for number in numbers_in(body))
    told = {item["input"]: item["reason"] for item in body["missing"]}
    for detail in body["debug"]["factors"]:
        item = factors(body)[detail["name"]]
        if item["status"] == "ok":
            assert detail["evidence"] is not None
            continue
        assert item["score"] == 50
        assert told[item["name"]]
        assert detail["detail"]


def assert_no_price(answer: httpx2.Response) -> None:
    assert answer.status_code == 503
    problem = strict(answer)
    assert problem["code"] == "no_price"
    assert all(name in problem["detail"] for name in ("okx", "coinglass", "coinapi"))


async def ask_broken(kind: str, value: str) -> tuple[httpx2.Response, httpx2.Response]:
    """The answers while every input is broken, and then while every price is."""
    async with live_rig() as rig:
        rig.sim.break_with(*(fault(provider, kind, value, endpoint) for provider, endpoint in INPUTS))
        answer = await rig.app.get("/signals/BTC", debug="true")
        rig.sim.break_with(*(fault(provider, kind, value, endpoint) for provider, endpoint in PRICES))
        rig.advance(120)
        return answer, await rig.app.get("/signals/BTC")


Answers = Mapping[tuple[str, str], tuple[httpx2.Response, httpx2.Response]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers() -> Answers:
    """Every number and every shape once."""
    names = [*(("nan", number) for number in NUMBERS), *(("body", shape) for shape in SHAPES.values())]
    return await run_cases({name: partial(ask_broken, *name) for name in names}, at_once=2)


@pytest.mark.parametrize("number", NUMBERS)
def test_an_impossible_number_is_no_price_and_costs_its_factor_with_a_reason(
    answers: Answers, number: str
) -> None:
    answer, no_price = answers["nan", number]
    assert answer.status_code == 200, answer.text
    body = strict(answer)
    assert_honest(body)
    assert_no_price(no_price)
    counted = {name for name, item in factors(body).items() if item["status"] == "ok"}
    assert counted == NUMBERS[number]
    for item in body["missing"]:
        assert "bad_payload" in item["reason"] or "no_data" in item["reason"]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_wrong_shape_is_no_price_and_costs_its_factor_with_a_reason(answers: Answers, shape: str) -> None:
    answer, no_price = answers["body", shape]
    assert answer.status_code == 200, answer.text
    body = strict(answer)
    assert_honest(body)
    assert body["coverage"] == 0
    assert body["signal"] == "NEUTRAL"
    assert_no_price(no_price)


@pytest.mark.parametrize(
    "row",
    ['["1","1","1","1","1","1","1","1","1"]', "null", '{"a":1}', "1"],
    ids=["rows", "nulls", "objects", "numbers"],
)
async def test_a_million_rows_are_refused_without_holding_them(row: str) -> None:
    million = '{"code":"0","msg":"","data":[' + ",".join([row] * 1_000_000) + "]}"
    async with live_rig() as rig:
        rig.sim.break_with(
            fault("okx", "body", million, "market_candles", count=1),
            fault("okx", "status", 503, "market_candles"),
            fault("coinglass", "body", million, "futures_price_history", count=1),
            fault("coinglass", "status", 503, "futures_price_history"),
        )
        memory = Memory()
        async with memory.watched():
            body = await rig.signal()
    assert_honest(body)
    assert factors(body)["momentum"]["status"] == "missing"
    assert body["coverage"] == pytest.approx(0.75)
    assert memory.growth_bytes < 2 * MAX_GROWTH_BYTES  # the sender of the rows lives in this process too


# Ten digits are seconds, thirteen milliseconds.
_TIME = re.compile(r'(?<=[:\[,"])1[67]\d{8}(?:\d{3})?(?=[,"\]}])')
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Timed:
    """One answer with times in it.

    path: where the simulator has it; age_s: of the newest fact at the time of the tests, 10:20:30;
    first: the source asked before it, which must fail for this one to be asked.
    """

    provider: str
    endpoint: str
    path: str
    input: str
    age_s: float
    first: tuple[str, str] | None = None


HOUR_AGE_S, DAY_AGE_S = 1230, 37_230
TIMED = [
    Timed("okx", "market_ticker", "/okx/api/v5/market/ticker?instId=BTC-USDT-SWAP", "price", 0),
    Timed(
        "okx",
        "market_candles",
        "/okx/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1H",
        "candles",
        HOUR_AGE_S,
    ),
    Timed(
        "okx",
        "public_funding_rate",
        "/okx/api/v5/public/funding-rate?instId=BTC-USDT-SWAP",
        "funding",
        0,
        ("coinglass", "futures_funding_rate_oi_weight_history"),
    ),
    Timed(
        "coinglass",
        "futures_funding_rate_oi_weight_history",
        "/coinglass/api/futures/funding-rate/oi-weight-history?symbol=BTC&interval=1h&limit=1000",
        "funding",
        HOUR_AGE_S,
    ),
    Timed(
        "coinglass",
        "futures_liquidation_aggregated_history",
        "/coinglass/api/futures/liquidation/aggregated-history"
        "?symbol=BTC&interval=1h&limit=1000&exchange_list=Binance,OKX,Bybit",
        "liquidations",
        HOUR_AGE_S,
    ),
    Timed(
        "lunarcrush",
        "coins_time_series",
        "/lunarcrush/api4/public/coins/BTC/time-series/v2?bucket=hour&interval=1m",
        "social",
        HOUR_AGE_S,
    ),
    Timed(
        "alternative.me",
        "fng",
        "/alternative-me/fng/?limit=400",
        "fear_greed",
        DAY_AGE_S,
        ("coinglass", "index_fear_greed_history"),
    ),
]
TIMED_IDS = [f"{source.provider}-{source.endpoint}" for source in TIMED]
Retime = Callable[[int], int]


def retimed(body: str, change: Retime) -> str:
    """Every time in `body` changed; `change` takes and gives epoch ms, the unit on the wire stays."""

    def put(match: re.Match[str]) -> str:
        text = match.group()
        is_ms = len(text) > 10
        changed = change(int(text) if is_ms else int(text) * 1000)
        return str(changed if is_ms else changed // 1000)

    return _TIME.sub(put, body)


async def serve_changed(rig: Rig, source: Timed, change: Callable[[str], str]) -> dict[str, Any]:
    """Let one source answer with its own body, changed; gives its input as the debug answer shows it."""
    async with httpx2.AsyncClient(base_url=rig.sim.url, headers=KEY_HEADERS) as client:
        body = (await client.get(source.path)).text
    changed = change(body)
    assert changed != body
    first = () if source.first is None else (fault(source.first[0], "status", 503, source.first[1]),)
    rig.sim.break_with(fault(source.provider, "body", changed, source.endpoint), *first)
    signal = await rig.signal()
    assert_honest(signal)
    shown = inputs(signal)[source.input]
    shown["attempt"] = next(item for item in shown["attempts"] if item["provider"] == source.provider)
    return shown


@pytest.mark.parametrize("source", TIMED, ids=TIMED_IDS)
async def test_a_time_in_the_future_is_refused(source: Timed) -> None:
    async with live_rig() as rig:
        shown = await serve_changed(
            rig, source, lambda body: retimed(body, lambda at_ms: at_ms + 366 * DAY_MS)
        )
    assert shown["attempt"]["outcome"] == "bad_payload"
    assert shown["attempt"]["detail"] == "a time is in the future"


async def test_a_spot_price_of_next_year_is_no_price() -> None:
    rate = {
        "time": "2026-06-11T10:20:30.0000000Z",
        "asset_id_base": "BTC",
        "asset_id_quote": "USD",
        "rate": 5e4,
    }
    async with live_rig() as rig:
        rig.sim.break_with(
            fault("coinapi", "body", rate),
            fault("okx", "status", 503, "market_ticker"),
            fault("coinglass", "status", 503, "futures_coins_markets"),
        )
        answer = await rig.app.get("/signals/BTC")
    assert answer.status_code == 503
    assert "coinapi: a time is in the future" in answer.json()["detail"]


@pytest.mark.parametrize("source", TIMED, ids=TIMED_IDS)
async def test_a_provider_clock_four_minutes_ahead_is_forgiven(source: Timed) -> None:
    async with live_rig() as rig:
        shown = await serve_changed(rig, source, lambda body: retimed(body, lambda at_ms: at_ms + 240_000))
    assert shown["attempt"]["outcome"] == "ok"
    assert shown["ageS"] >= 0


@pytest.mark.parametrize("digits", [10, 13, 16], ids=["seconds", "ms", "us"])
@pytest.mark.parametrize("source", TIMED, ids=TIMED_IDS)
async def test_another_unit_of_time_is_understood_or_refused_but_never_misread(
    source: Timed, digits: int
) -> None:
    def in_unit(body: str) -> str:
        def put(match: re.Match[str]) -> str:
            return match.group()[:digits].ljust(digits, "0")

        return _TIME.sub(put, body) + " "  # the space: in its own unit nothing else changes

    async with live_rig() as rig:
        shown = await serve_changed(rig, source, in_unit)
    if shown["attempt"]["outcome"] == "ok":
        assert shown["ageS"] == pytest.approx(source.age_s, abs=1)
    else:
        assert shown["attempt"]["outcome"] == "bad_payload"
