"""R22: no request makes the real service answer 500 or anything it does not document."""

from __future__ import annotations

import json
import re
import socket
import string
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.openapi import operations
from tests.guarded_process import address_of
from tests.live_process import Service

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PROBLEM = "application/problem+json"
BOUNDED = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = [
    "getIndex",
    "getActionSchema",
    "getHealth",
    "getLive",
    "getReady",
    "getMetrics",
    "getSignal",
    "getSignals",
    "getMarket",
    "debugPremium",
    "getCoinMarkets",
    "getCoinMarket",
    "getPerpetualMarkets",
    "getLiquidations",
    "getLiquidationHeatmap",
    "getLongShortRatio",
    "getFundingRate",
    "getOpenInterest",
    "replayOpenInterest",
    "getDashboard",
    "listSupportedCoins",
    "listExchanges",
    "getWhaleAlerts",
    "getWhalePositions",
    "listCoinglassEndpoints",
    "callCoinglassEndpoint",
    "getCoinglassStatus",
    "getHeatmap",
    "getHeatmapImage",
    "getSmartMoneyZones",
    "getSmartMoneyChart",
    "getLiquidityMap",
    "getLiquidationClusters",
    "getMarketSentiment",
    "getConfluenceAnalysis",
    "getTradingOpportunities",
    "getHistory",
    "getSignalHistory",
    "listSignalHistory",
    "exportTable",
    "getLiquidationFlow",
    "getOrderFlow",
    "getLargestImbalances",
    "getStreamStatus",
    "listAlerts",
    "getAlert",
    "getTrackRecord",
    "getCoinTrackRecord",
    "verifyTrackRecord",
    "listOutcomes",
    "getSignalStats",
    "searchSymbols",
    "listCoins",
    "addCoin",
    "removeCoin",
    "toggleCoin",
    "getStats",
    "listAuditEvents",
    "listKeys",
    "getCandles",
    "getSession",
    "openSession",
    "closeSession",
    "listSignals",
]
# Answers without an end: each request would hang. Held to the document by tests/api/test_api_fuzz.py.
ENDLESS = {"streamEvents"}
MODES = schemathesis.GenerationMode


@pytest.fixture(scope="module")
def schema(demo: Service) -> Any:
    return schemathesis.openapi.from_url(f"{demo.url}/openapi.json")


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_answer_of_the_running_service_is_documented(schema: Any, operation_id: str) -> None:
    operation: Any = schema.find_operation_by_id(operation_id)

    def send(case: Case[Any]) -> None:
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [PROBLEM]

    requests = st.one_of(
        operation.as_strategy(generation_mode=MODES.POSITIVE),
        operation.as_strategy(generation_mode=MODES.NEGATIVE),
    )
    BOUNDED(given(case=requests)(send))()


def test_the_list_above_is_the_whole_interface(schema: Any) -> None:
    documented = {operation["operationId"] for _, _, operation in operations(schema.raw_schema)}
    assert documented == set(OPERATIONS) | ENDLESS


NASTY = [
    "x" * 10_000,
    "\x00",
    "BTC\x00",
    "BTC\r\nX-Injected: 1",
    "..",
    "../../etc/passwd",
    "....//",
    "BTC/../ETH",
    "%2e%2e",
    "BTC?x=1#y",
    "BTC;DROP TABLE",
    "🚀",
    "BTC🚀",
    "ＢＴＣ",
    "ＢＴＣＵＳＤＴ",
    "ﬃ",
    "İ",
    "ß",
    "\u202eCTB",
    "\ufeffBTC",
    "B\u0301TC",
    "-",
    ":",
    "/",
    " ",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "1e999",
    "nan",
    "USDT",
    "1000",
    "BTC" * 20,
]
SYMBOLS = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=60),
    st.text(alphabet=string.ascii_letters + string.digits + "-_:/.%", max_size=45),
    st.text(alphabet="ＡＢＣＴＥＨ１２-", max_size=12),
)


def assert_documented(answer: httpx2.Response) -> None:
    assert answer.status_code in {200, 400, 404}, (answer.status_code, answer.text)
    assert "x-injected" not in answer.headers
    if answer.status_code == 200:
        assert answer.headers["content-type"] == "application/json"
        return
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:problem:{problem['code']}"


@pytest.mark.parametrize("route", ["/signals/", "/market/", "/debug/premium/"])
def test_no_symbol_in_the_path_breaks_the_service(demo: Service, route: str) -> None:
    with httpx2.Client(base_url=demo.url, timeout=30) as client:

        @settings(BOUNDED, max_examples=40)
        @example("x" * 10_000)
        @example("\x00")
        @example("🚀")
        @given(SYMBOLS)
        def ask(symbol: str) -> None:
            encoded = quote(symbol.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E")
            assert_documented(client.get(f"{route}{encoded}"))

        ask()


@pytest.mark.parametrize("symbol", NASTY)
def test_no_symbol_in_the_query_breaks_the_service(demo: Service, symbol: str) -> None:
    assert_documented(demo.get("/signals", params={"symbols": symbol}))
    assert_documented(demo.get("/signals", params={"symbols": f"BTC,{symbol}", "mode": symbol}))
    assert_documented(demo.get("/signals/BTC", params={"mode": symbol, "debug": symbol}))


@pytest.mark.parametrize(
    "raw", ["/signals/%", "/signals/%zz", "/signals/%ff%fe", "/signals/%c0%ae", "/%00", "//signals//BTC"]
)
def test_no_malformed_path_breaks_the_service(demo: Service, raw: str) -> None:
    assert_documented(demo.get(f"{demo.url}{raw}"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_no_method_breaks_the_service(demo: Service, method: str) -> None:
    with httpx2.Client(base_url=demo.url) as client:
        answer = client.request(method, "/signals/BTC", content=b"{" if method == "POST" else b"")
    assert answer.status_code in {200, 400, 404, 405}
    if answer.status_code != 200 and method != "HEAD":
        assert answer.headers["content-type"] == PROBLEM


@settings(BOUNDED, max_examples=40)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["Authorization", "X-Request-ID", "X-Forwarded-For", "If-None-Match", "Accept", "Host"]
        ),
        st.text(alphabet=string.printable.strip() + " ", max_size=300).map(str.strip),
        max_size=4,
    )
)
def test_no_header_breaks_the_service(demo: Service, headers: dict[str, str]) -> None:
    with httpx2.Client(base_url=demo.url) as client:
        answer = client.get("/signals/BTC", headers=headers)
    assert answer.status_code in {200, 304, 400}


LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
# What no client library would send, and whether HTTP calls it a request all the same.
RAW = {
    "a line that ends in LF alone": LIVE[:-2] + b"\nX: y\n\n",
    "two lengths": b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and pieces": b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n",
    "a length of letters": b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n",
    "a piece of no length": b"POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a folded header": LIVE + b"X: a\r\n Content-Length: 5\r\n\r\n",
    "a header without a colon": LIVE + b"nonsense\r\n\r\n",
    "a header of no name": LIVE + b": y\r\n\r\n",
    "NUL in a name": LIVE + b"X\x00: y\r\n\r\n",
    "NUL in a value": LIVE + b"X: a\x00b\r\n\r\n",
    "a head over 64 kB": LIVE + b"X: " + 70_000 * b"a" + b"\r\n\r\n",
    "a path over 64 kB": b"GET /" + 70_000 * b"a" + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw UTF-8 in the path": b"GET /signals/\xf0\x9f\x9a\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole address": b"GET http://x/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address without a path": b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown method": b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "HTTP/1.0": b"GET /health/live HTTP/1.0\r\n\r\n",
    "HTTP/2 by a preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another upgrade": LIVE + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


def first_answer(demo: Service, text: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    with socket.create_connection(address_of(demo), timeout=20) as line:
        line.sendall(text)
        heard = b""
        while b"\r\n\r\n" not in heard:
            more = line.recv(65536)
            assert more, heard
            heard += more
        head, _, body = heard.partition(b"\r\n\r\n")
        found = [one.partition(b": ") for one in head.split(b"\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in found}
        while len(body) < int(headers[b"content-length"]):
            body += line.recv(65536)
    return int(head[9:12]), headers, body


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in RAW.items()])
def test_no_bytes_break_the_service(demo: Service, text: bytes) -> None:
    status, headers, body = first_answer(demo, text)
    assert headers[b"x-data-mode"] == b"demo"
    assert re.fullmatch(b"[0-9a-f]{16}", headers[b"x-request-id"])
    if status != 200:
        assert 400 <= status < 500
        assert headers[b"content-type"] == PROBLEM.encode()
        problem = json.loads(body)
        assert problem["status"] == status
        assert problem["requestId"].encode() == headers[b"x-request-id"]
