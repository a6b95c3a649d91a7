"""S01: whatever is typed as a symbol, upstream requests keep their host and the start of their path."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import InputError, InvariantViolation, ProviderError
from app.core.ports import Provider
from app.services.coinglass.build import build_provider as build_coinglass
from app.services.okx.build import build_provider as build_okx
from app.services.sentiment.build import build_alternative_me, build_lunarcrush
from app.services.spot.build import build_provider as build_coinapi
from app.services.transport.cache import ResourceCache

KNOWN = frozenset({"BTC", "ETH", "SOL", "DOGE", "PEPE", "1INCH"})
BASE = re.compile(r"[A-Z0-9]{1,15}")
PIECES = (
    *("BTC", "eth", "PEPE", "1000", "1M", "USDT", "USDC", "USD", "PERP", "SWAP", "-", "_", "/", ":"),
    *(
        "..",
        "../",
        "%2e%2e%2f",
        "%00",
        "\x00",
        "\r\n",
        "?",
        "#",
        "&",
        "=",
        "@",
        "\\",
        "//",
        "http://evil.test",
    ),
    *(
        "@evil.test",
        ";",
        " ",
        "\t",
        "\u202e",
        "\ufeff",
        "🚀",
        "Ａ",
        "ＢＴＣ",
        "ß",
        "İ",
        "ﬃ",
        "．．／",
        "％",
        "x" * 41,
    ),
)
UPSTREAM = "upstream.test"
ROOTS = {
    "coinglass": "/base/api/",
    "okx": "/base/api/v5/",
    "lunarcrush": "/base/api4/public/coins/",
    "coinapi": "/base/v1/exchangerate/",
    "alternative.me": "/base/fng/",
}


def fuzz_symbols(count: int, seed: int = 7) -> list[str]:
    draw = random.Random(seed)
    texts = ["x" * 10_000, "\x00" * 40, "."]
    while len(texts) < count:
        parts = draw.choices(PIECES, k=draw.randint(1, 4))
        if draw.random() < 0.5:
            parts.insert(
                draw.randrange(len(parts) + 1), "".join(chr(draw.randrange(1, 0x3000)) for _ in range(2))
            )
        texts.append("".join(parts))
    return texts


def test_ten_thousand_symbols_become_a_plain_base_or_an_input_error() -> None:
    accepted = set()
    for text in fuzz_symbols(10_000):
        for known in (KNOWN, frozenset[str]()):
            try:
                symbol = resolve_symbol(text, known)
            except InputError:
                continue
            assert BASE.fullmatch(symbol.base)
            assert not known or symbol.base in known
            accepted.add(symbol.base)
    assert {"BTC", "ETH", "PEPE"} < accepted


class Upstream:
    """Records where requests go; answers 404, so that every source tries and fails at once."""

    def __init__(self) -> None:
        self.urls: list[httpx2.URL] = []
        self.transport = httpx2.MockTransport(self.answer)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.urls.append(request.url)
        return httpx2.Response(404, content=b"{}")


def build_all(upstream: Upstream) -> tuple[Provider, ...]:
    """Every provider on the recording transport, each at https://NAME.upstream.test/base."""
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        clock.tick(seconds)

    def common(host: str) -> dict[str, object]:
        return {
            "base_url": f"https://{host}.{UPSTREAM}/base",
            "cache": ResourceCache(now_ms=clock.now_ms),
            "observe": lambda _call: None,
            "now_ms": clock.now_ms,
            "monotonic": clock.monotonic_s,
            "sleep": sleep,
            "transport": upstream.transport,
        }

    build: tuple[Callable[[], Provider], ...] = (
        lambda: build_coinglass(api_key="k", **common("coinglass")),  # type: ignore[arg-type]
        lambda: build_okx(**common("okx")),  # type: ignore[arg-type]
        lambda: build_coinapi(api_key="k", **common("coinapi")),  # type: ignore[arg-type]
        lambda: build_lunarcrush(api_key="k", **common("lunarcrush")),  # type: ignore[arg-type]
        lambda: build_alternative_me(**common("alternative-me")),  # type: ignore[arg-type]
    )
    return tuple(make() for make in build)


async def ask_everything(symbol: Symbol) -> list[httpx2.URL]:
    """Each source and probe of each provider asked for `symbol`, fresh budgets and caches each time."""
    upstream = Upstream()
    providers = build_all(upstream)
    calls: list[Callable[[Symbol], Awaitable[object]]] = [
        *(source.fetch for provider in providers for source in provider.sources()),
        *(probe.fetch for provider in providers for probe in provider.probes()),
    ]
    for call in calls:
        try:
            await call(symbol)
        except ProviderError:
            continue
    for provider in providers:
        await provider.close()
    return upstream.urls


async def test_requests_of_accepted_symbols_keep_host_and_path_prefix() -> None:
    accepted = set()
    for text in fuzz_symbols(10_000):
        try:
            accepted.add(resolve_symbol(text, frozenset()).base)
        except InputError:
            continue
    # Spread over the alphabet, the longest among them.
    chosen = (
        sorted(accepted, key=lambda base: (-len(base), base))[:10]
        + sorted(accepted)[:: max(1, len(accepted) // 30)]
    )
    for base in chosen:
        urls = await ask_everything(Symbol(base))
        assert {url.host.removesuffix(f".{UPSTREAM}") for url in urls} == {
            name.replace(".", "-") for name in ROOTS
        }
        for url in urls:
            name = url.host.removesuffix(f".{UPSTREAM}").replace("-", ".")
            assert url.scheme == "https"
            assert url.host.endswith(f".{UPSTREAM}")
            assert url.path.startswith(ROOTS[name]), url
            assert url.userinfo == b""
            assert url.fragment == ""
            # Outside the query a symbol is one plain segment.
            assert all(re.fullmatch(r"[A-Za-z0-9._~-]+", part) for part in url.path.strip("/").split("/"))


@pytest.mark.parametrize(
    "base",
    ["../../evil", "..", "BTC/../..", "BTC?x=1", "BTC#x", "BTC%2f..", "@evil.test", "a b", "\r\nHost: x"],
)
async def test_a_symbol_that_was_never_parsed_cannot_leave_the_path(base: str) -> None:
    """The last line of defence: a bug above must not be able to move a request."""
    upstream = Upstream()
    providers = build_all(upstream)
    for provider in providers:
        for source in provider.sources():
            try:
                await source.fetch(Symbol(base))
            except (InvariantViolation, ProviderError):
                continue
        await provider.close()
    for url in upstream.urls:
        name = url.host.removesuffix(f".{UPSTREAM}").replace("-", ".")
        assert url.path.startswith(ROOTS[name]), url
        assert ".." not in url.path
        assert "evil" not in url.host + url.path
