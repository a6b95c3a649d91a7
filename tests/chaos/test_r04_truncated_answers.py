"""R04: an answer that ends early is "unavailable", wherever it was cut; never data and never a 500."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from app.core.errors import ProviderUnavailable
from app.services.transport.records import Answer
from app.services.transport.resource import Resource, ResourceClient
from tests.chaos.conftest import note
from tests.live_rig import factors, fault, inputs, live_rig, run_cases

# Cut at every byte up to this length; longer answers at every byte of both ends and some in between.
KINDS = ("truncate", "drop")  # by its length a whole answer, or a connection that ends
SHORT_BYTES, END_BYTES, STEPS = 3000, 500, 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer of a provider with the two steps that make a value of it."""

    endpoint: str
    body: bytes
    check: Callable[[str, Answer], None]
    parse: Callable[[bytes], object]

    def read(self, body: bytes) -> object:
        self.check(self.endpoint, Answer(200, {}, body, 1.0))
        return self.parse(body)


async def watch_everything(monkeypatch: pytest.MonkeyPatch) -> dict[str, Seen]:
    """Every resource this service asks for, with the simulator's answer to it."""
    seen: dict[str, Seen] = {}
    real_fetch = ResourceClient.fetch

    async def fetch(self: ResourceClient, resource: Resource[Any]) -> Any:
        def parse(body: bytes) -> Any:
            check = self._check  # the envelope check belongs to the client, not to the resource
            name = f"{self.client.provider} {resource.endpoint}"
            seen[name] = Seen(resource.endpoint, body, check, resource.parse)
            return resource.parse(body)

        return await real_fetch(self, replace(resource, parse=parse))

    monkeypatch.setattr(ResourceClient, "fetch", fetch)
    async with live_rig() as rig:
        for path in ("/signals/BTC", "/market/BTC", "/debug/premium/BTC"):
            assert (await rig.app.get(path)).status_code == 200
        # Without the first choices the second and third ones are asked too.
        gone = (("coinglass", "index_fear_greed_history"), ("coinglass", "futures_coins_markets"))
        rig.sim.break_with(
            *(
                fault(provider, "status", 404, endpoint)
                for provider, endpoint in (*gone, ("okx", "market_ticker"))
            )
        )
        rig.advance(4 * 24 * 3600)  # past the age at which an old answer still stands in
        await rig.signal("ETH")
    return seen


def cuts(length: int) -> list[int]:
    if length <= SHORT_BYTES:
        return list(range(length))
    middle = range(END_BYTES, length - END_BYTES, max(1, (length - 2 * END_BYTES) // STEPS))
    return [*range(END_BYTES), *middle, *range(length - END_BYTES, length)]


async def test_a_sample_cut_at_any_byte_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = await watch_everything(monkeypatch)
    providers = {name.split()[0] for name in seen}
    assert providers == {"coinglass", "okx", "lunarcrush", "coinapi", "alternative.me"}
    assert len(seen) > 25
    note(
        f"R04 {len(seen)} samples cut {sum(len(cuts(len(one.body.rstrip()))) for one in seen.values())} times"
    )
    for name, answer in seen.items():
        body = answer.body.rstrip()
        assert answer.read(body) is not None or name.endswith("subscription")
        for length in cuts(len(body)):
            try:
                value = answer.read(body[:length])
            except ProviderUnavailable:
                continue
            pytest.fail(f"{name} cut at {length} of {len(body)} bytes was read as {value!r}")


async def ask_cut(kind: str, share: float) -> dict[str, Any]:
    # The price of OKX stays whole, so that there is an answer to look at.
    targets = (
        *(("okx", endpoint) for endpoint in ("market_candles", "rubik*", "public_*")),
        *((provider, "*") for provider in ("coinglass", "lunarcrush", "alternative.me")),
    )
    async with live_rig() as rig:
        rig.sim.break_with(*(fault(provider, kind, share, endpoint) for provider, endpoint in targets))
        return await rig.signal()


async def test_cut_answers_of_everybody_leave_a_neutral_answer_with_reasons() -> None:
    cases = {
        (kind, share): partial(ask_cut, kind, share) for kind in KINDS for share in (0.0, 0.1, 0.5, 0.99)
    }
    for body in (await run_cases(cases, at_once=2)).values():
        assert body["coverage"] == 0
        assert body["signal"] == "NEUTRAL"
        assert all(item["status"] == "missing" for item in factors(body).values())
        for item in inputs(body).values():
            for attempt in item["attempts"]:
                # The stream was not asked for anything over HTTP: it says that it has nothing.
                if item["input"] != "price" and attempt["provider"] != "stream":
                    told = f"{attempt['outcome']} {attempt['detail']}"
                    # Retries of broken ratio pages use up what OKX allows for them.
                    assert "unavailable" in told or "call budget used up" in told, attempt


@pytest.mark.parametrize("kind", KINDS)
async def test_cut_answers_of_every_price_source_are_no_price(kind: str) -> None:
    async with live_rig() as rig:
        rig.sim.break_with(fault("*", kind, 0.5))
        answer = await rig.app.get("/signals/BTC")
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_price"
