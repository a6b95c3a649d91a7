"""The source that an alert names: the stream of its events, CoinGlass for whales, none where unknown."""

from __future__ import annotations

from app.core.domain.flow import AlertKind
from app.core.domain.flow_config import FlowConfig
from app.core.domain.stored import LiquidationRow
from app.core.flow.engine import FlowEngine
from app.services.streaming.feeds import feeds_of
from tests.alert_facts import NOW_MS, finding


def test_a_whale_is_coinglass_s_whatever_streams() -> None:
    engine = FlowEngine(FlowConfig())
    assert feeds_of(engine, finding(kind=AlertKind.WHALE_POSITION), NOW_MS) == ("coinglass",)


def test_liquidations_are_those_of_their_stream_and_unknown_before_the_first() -> None:
    engine = FlowEngine(FlowConfig())
    assert feeds_of(engine, finding(), NOW_MS) == ()
    row = LiquidationRow(
        "BTC", NOW_MS, 1, "okx", "OKX", "BTC-USDT-SWAP", "LONG", 96_200.0, 500.0, None, 4_600, NOW_MS
    )
    engine.on_liquidations([row], NOW_MS)
    assert feeds_of(engine, finding(), NOW_MS) == ("okx",)
