"""Shared parts of the OKX tests: fixtures by name, and a small OKX that answers from a formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx2
import pytest

from app.core.clock import ManualClock
from app.services.okx.build import build_provider
from app.services.okx.provider import OkxProvider
from app.services.transport.cache import ResourceCache
from app.services.transport.records import Answer

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# 2025-10-09T09:00:00Z and a bit: the hour from 08:00 is the newest closed one.
NOW_MS = 1_760_000_400_000 + 90_000
_FIXTURES = Path(__file__).parents[2] / "fixtures" / "okx"

Rows = Sequence[object]
Respond = Callable[[dict[str, str]], Rows]


@pytest.fixture
def fixture_bytes() -> Callable[[str], bytes]:
    """The bytes of tests/fixtures/okx/http_get_<name>.json."""
    return lambda name: (_FIXTURES / f"http_get_{name}.json").read_bytes()


@pytest.fixture
def answer() -> Callable[..., Answer]:
    return lambda body, status=200: Answer(status, {}, body, 1.0)


class FakeOkx:
    """Answers the paths of OKX from formulas; `override` replaces one path, `calls` counts by path."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.params: list[tuple[str, dict[str, str]]] = []
        self.override: dict[str, Callable[[dict[str, str]], httpx2.Response]] = {}
        self.orders: list[tuple[int, str, str, float, float]] = []  # ts, side, posSide, price, contracts
        self.days_listed = 1000
        self.funding_period_h = 4
        self.open24h = "40000.4"
        self.listed = {"BTC": "0.01", "DOGE": "1000"}

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        params = dict(request.url.params)
        self.calls[name] += 1
        self.params.append((name, params))
        if name in self.override:
            return self.override[name](params)
        responders: dict[str, Respond] = {
            "ticker": self._ticker,
            "candles": self._candles,
            "history-candles": self._days,
            "instruments": self._instruments,
            "funding-rate": self._funding,
            "funding-rate-history": self._funding_history,
            "mark-price": lambda p: [{"instId": p["instId"], "markPx": "50000", "ts": self._now()}],
            "open-interest": lambda p: [
                {"instId": p["instId"], "oiCcy": "25000", "oiUsd": "1250000000", "ts": self._now()}
            ],
            "open-interest-history": self._rubik(lambda ts: ["1", str(20_000 + ts // HOUR_MS % 100), "9e8"]),
            "long-short-account-ratio-contract": self._rubik(lambda _ts: ["1.5"]),
            "long-short-account-ratio-contract-top-trader": self._rubik(lambda _ts: ["3"]),
            "long-short-position-ratio-contract-top-trader": self._rubik(lambda _ts: ["0.25"]),
            "taker-volume-contract": self._taker,
            "liquidation-orders": self._orders,
        }
        return ok(responders[name](params))

    def _now(self) -> str:
        return str(self.clock.now_ms())

    def _ticker(self, params: dict[str, str]) -> Rows:
        if params["instId"].split("-")[0] not in self.listed:
            raise NotImplementedError(params["instId"])
        return [{"instId": params["instId"], "last": "50000.5", "open24h": self.open24h, "ts": self._now()}]

    def _instruments(self, _params: dict[str, str]) -> Rows:
        return [
            {
                "instId": f"{base}-USDT-SWAP",
                "state": "live",
                "ctType": "linear",
                "settleCcy": "USDT",
                "ctVal": size,
                "ctMult": "1",
                "ctValCcy": base,
            }
            for base, size in self.listed.items()
        ]

    def _candles(self, params: dict[str, str]) -> Rows:
        newest = min(int(params["after"]) - 1, self.clock.now_ms()) // HOUR_MS * HOUR_MS
        rows: list[object] = []
        for ts in range(newest, newest - int(params["limit"]) * HOUR_MS, -HOUR_MS):
            confirm = "1" if ts + HOUR_MS <= self.clock.now_ms() else "0"
            rows.append([str(ts), "10", "12", "9", "11", "500", "5", "55", confirm])
        return rows

    def _days(self, params: dict[str, str]) -> Rows:
        """UTC days, oldest at 101 ... newest at 200 when all 100 are asked for; each 5 up, 10 down."""
        today = self.clock.now_ms() // DAY_MS * DAY_MS
        count = min(int(params["limit"]), self.days_listed)
        prices = [(today - (k + 1) * DAY_MS, 200 - k) for k in range(count)]
        return [[str(ts), f"{p}", f"{p + 5}", f"{p - 10}", f"{p}", "1", "1", "1", "1"] for ts, p in prices]

    def _rubik(self, columns: Callable[[int], list[str]]) -> Respond:
        def respond(params: dict[str, str]) -> Rows:
            first = -(-int(params["begin"]) // HOUR_MS) * HOUR_MS
            last = min(int(params["end"]), self.clock.now_ms()) // HOUR_MS * HOUR_MS
            stamps = range(last, first - 1, -HOUR_MS)
            return [[str(ts), *columns(ts)] for ts in stamps][: int(params["limit"])]

        return respond

    def _taker(self, params: dict[str, str]) -> Rows:
        newest = self.clock.now_ms() // HOUR_MS * HOUR_MS
        return [[str(newest - k * HOUR_MS), f"{100 + k}", f"{200 + k}"] for k in range(int(params["limit"]))]

    def _funding(self, params: dict[str, str]) -> Rows:
        period = self.funding_period_h * HOUR_MS
        began = self.clock.now_ms() // period * period
        return [
            {
                "instId": params["instId"],
                "fundingRate": "0.00005",
                "prevFundingTime": str(began),
                "fundingTime": str(began + period),
                "nextFundingRate": "",
                "ts": self._now(),
            }
        ]

    def _funding_history(self, params: dict[str, str]) -> Rows:
        period = self.funding_period_h * HOUR_MS
        began = min(self.clock.now_ms(), int(params.get("after", 1 << 60)) - 1) // period * period
        return [
            {"fundingTime": str(began - k * period), "realizedRate": "0.00002"}
            for k in range(int(params["limit"]))
        ]

    def _orders(self, params: dict[str, str]) -> Rows:
        before = int(params.get("after", 1 << 60))
        rows = sorted((o for o in self.orders if o[0] < before), reverse=True)[: int(params["limit"])]
        inst = f"{params['instFamily']}-SWAP"
        details = [
            {"ts": str(ts), "side": side, "posSide": pos, "bkPx": str(px), "sz": str(sz)}
            for ts, side, pos, px, sz in rows
        ]
        return [{"instId": inst, "details": details}] if details else []


def ok(rows: Rows) -> httpx2.Response:
    return httpx2.Response(200, json={"code": "0", "msg": "", "data": rows})


def refusal(code: str, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "msg": "no", "data": []})


@pytest.fixture
def refuse() -> Callable[..., httpx2.Response]:
    return refusal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def okx(clock: ManualClock) -> FakeOkx:
    return FakeOkx(clock)


@pytest.fixture
def build(clock: ManualClock, okx: FakeOkx) -> Callable[..., OkxProvider]:
    """Builds a provider that talks to the fake; waits pass on process time only, at once."""
    waited = [0.0]

    async def sleep(seconds: float) -> None:
        waited[0] += seconds

    def make(max_liquidation_pages: int = 30) -> OkxProvider:
        return build_provider(
            base_url="http://okx.test",
            cache=ResourceCache(now_ms=clock.now_ms),
            observe=lambda _record: None,
            now_ms=clock.now_ms,
            monotonic=lambda: 1000.0 + waited[0],
            sleep=sleep,
            transport=httpx2.MockTransport(okx.handle),
            max_liquidation_pages=max_liquidation_pages,
        )

    return make
