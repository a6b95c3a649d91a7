"""Alerts, settings and signals as JSON: round trips, order, tolerance, and the published schemas."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerting.codec import (
    MalformedText,
    decode_alert,
    decode_settings,
    encode_alert,
    encode_settings,
)
from app.core.alerting.schemas import schema_files
from app.core.alerting.signal_message import encode_signal
from app.core.domain.alerts import (
    Alert,
    AlertContext,
    ChatSettings,
    ContextVerdict,
    FilterLevel,
    Language,
    SetupRecord,
    Severity,
)
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.market import Price, PriceKind
from app.core.domain.quality import CacheState, Reading
from app.core.domain.signal import Confidence, ConfidenceLevel, Direction, Mode, Signal
from app.core.domain.stored import LiquidatedSide
from app.core.domain.symbol import Symbol
from tests.alert_facts import NOW_MS, alert, chat

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
points = st.floats(0, 100)
shares = st.floats(0, 1)
moments = st.integers(0, 4_000_000_000_000)

ALERTS = st.builds(
    Alert,
    id=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    revision=st.integers(1, 10**6),
    kind=st.sampled_from(AlertKind),
    symbol=texts,
    direction=st.sampled_from(Direction),
    severity=st.sampled_from(Severity),
    side=st.none() | st.sampled_from(LiquidatedSide),
    phase=st.none() | st.sampled_from(Phase),
    started_ms=moments,
    ts_event_ms=moments,
    ts_init_ms=moments,
    usd=finite,
    ratio=finite,
    window_s=st.integers(0, 86_400),
    price=st.none() | finite,
    percentile=st.none() | shares,
    confidence=points,
    base_confidence=points,
    record=st.none() | st.builds(SetupRecord, texts, st.integers(0), st.integers(0), finite),
    context=st.none()
    | st.builds(
        AlertContext,
        st.sampled_from(ContextVerdict),
        st.none() | finite,
        st.none() | shares,
        st.none() | finite,
        st.none() | shares,
        st.lists(texts, max_size=2).map(tuple),
    ),
    levels=st.none() | st.builds(TradeLevels, finite, finite, st.lists(finite, max_size=3).map(tuple)),
    sources=st.lists(st.sampled_from(AlertKind), max_size=3).map(tuple),
    feeds=st.lists(texts, max_size=2).map(tuple),
    evidence=st.dictionaries(texts, finite, max_size=4).map(lambda held: tuple(held.items())),
    is_final=st.booleans(),
    data_mode=texts,
)


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


class TestAlerts:
    @given(ALERTS)
    def test_what_is_read_is_what_was_written(self, written: Alert) -> None:
        text = encode_alert(written)
        assert decode_alert(text) == written
        assert encode_alert(decode_alert(text)) == text

    def test_times_are_utc_to_the_millisecond_and_names_camel_case(self) -> None:
        body = json.loads(encode_alert(alert(ts_event_ms=NOW_MS + 7)))
        assert body["eventAt"] == "2025-12-05T12:00:00.007000Z"
        assert body["startedAt"] == "2025-12-05T11:59:30Z"
        assert body["context"]["funding8hFrac"] == 0.0001
        assert body["evidence"] == {"events": 41.0, "side_share_frac": 1.0}
        assert body["v"] == 1
        assert not [name for name in body if "_" in name]

    def test_a_price_that_is_no_number_is_unknown_and_never_zero(self) -> None:
        assert json.loads(encode_alert(alert(price=math.nan)))["price"] is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "{}",
            "null",
            "\ud800",
            encode_alert(alert()).replace('"LONG"', '"long"'),
            encode_alert(alert()).replace("96200.0", '"x"'),
            encode_alert(alert()).replace('"v":1', '"v":2'),
            encode_alert(alert()).replace("11:59:57Z", "11:59:57"),
        ],
    )
    def test_anything_else_is_refused_as_malformed(self, text: str) -> None:
        with pytest.raises(MalformedText):
            decode_alert(text)

    def test_a_field_of_a_later_version_is_left_out(self) -> None:
        text = encode_alert(alert())
        assert decode_alert(text.replace('{"v":1,', '{"v":1,"news":[1],')) == alert()


SETTINGS = st.builds(
    ChatSettings,
    chat=texts,
    severities=st.frozensets(st.sampled_from(Severity)),
    language=st.sampled_from(Language),
    watch=st.none() | st.frozensets(texts, max_size=3),
    unwatch=st.frozensets(texts, max_size=3),
    mute=st.dictionaries(texts, moments, max_size=3),
    thresholds=st.dictionaries(texts, st.floats(0, 1e12), max_size=3),
    level=st.sampled_from(FilterLevel),
    min_confidence=points,
    cooldown_s=st.integers(0, 86_400),
    hourly_cap=st.none() | st.integers(0, 1_000),
    quiet_from_min=st.none() | st.integers(0, 1_440),
    quiet_to_min=st.none() | st.integers(0, 1_440),
    is_digest_on=st.booleans(),
    digest_every_min=st.none() | st.integers(1, 1_440),
    is_disabled=st.booleans(),
)


class TestSettings:
    @given(SETTINGS)
    def test_what_is_read_is_what_was_written(self, written: ChatSettings) -> None:
        assert decode_settings(encode_settings(written)) == written

    def test_equal_settings_are_equal_text(self) -> None:
        here = chat(watch=frozenset(["BTC", "ETH", "SOL"]), mute={"b": 1, "a": 2})
        there = chat(watch=frozenset(["SOL", "ETH", "BTC"]), mute={"a": 2, "b": 1})
        assert encode_settings(here) == encode_settings(there)

    def test_absent_fields_are_defaults_and_unknown_ones_left_out(self) -> None:
        assert decode_settings('{"chat":"webhook","later":1}') == ChatSettings(chat="webhook")
        assert decode_settings("{}") == ChatSettings(chat="")

    @pytest.mark.parametrize("text", ["", "[]", '{"level":"loud"}', '{"cooldownS":"soon"}'])
    def test_nonsense_is_refused(self, text: str) -> None:
        with pytest.raises(MalformedText):
            decode_settings(text)


def a_signal() -> Signal:
    return Signal(
        symbol=Symbol("BTC"),
        as_of_ms=NOW_MS,
        data_mode=DataMode.DEMO,
        mode=Mode.BALANCED,
        direction=Direction.SHORT,
        score=31.5,
        confidence=Confidence(61.0, ConfidenceLevel.MEDIUM, 0.7, 0.6, 0.9),
        coverage=0.9,
        price=Reading(
            Price(96_200.0, PriceKind.LAST_TRADE), "okx", "ticker", NOW_MS, NOW_MS, CacheState.MISS
        ),
        price_stale=False,
        funding_8h_frac=0.0001,
        open_interest_usd=None,
        social_score=None,
        factors=(),
        reasons=("Funding is high.",),
        reason="SHORT: funding is high.",
        missing=(("social", "not_configured"),),
        engine_version="1",
    )


class TestSchemas:
    def test_the_files_are_what_the_types_say(self) -> None:
        """After a change: write `schema_files()` of app/core/alerting/schemas.py to docs/schemas."""
        written = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.json")}
        assert written == schema_files()

    @pytest.mark.parametrize("name", sorted(schema_files()))
    def test_each_is_a_schema(self, name: str) -> None:
        jsonschema.Draft202012Validator.check_schema(schema(name))

    @given(ALERTS)
    def test_every_encoded_alert_is_valid(self, written: Alert) -> None:
        VALIDATOR.validate(json.loads(encode_alert(written)))

    def test_an_alert_without_its_side_or_with_another_word_for_it_is_not(self) -> None:
        body = json.loads(encode_alert(alert()))
        assert VALIDATOR.is_valid(body)
        assert not VALIDATOR.is_valid({**body, "side": "buy"})
        del body["side"]
        assert not VALIDATOR.is_valid(body)

    def test_an_encoded_signal_is_valid_and_says_the_same(self) -> None:
        body = json.loads(encode_signal(a_signal()))
        jsonschema.Draft202012Validator(schema("signal.schema.json")).validate(body)
        assert (body["symbol"], body["direction"], body["price"]) == ("BTC", "SHORT", 96_200.0)
        assert (body["asOf"], body["missing"]) == ("2025-12-05T12:00:00Z", ["social"])

    @pytest.mark.parametrize(
        ("probability", "why", "told"), [(0.61, "", (0.61, None)), (None, "too few", (None, "too few"))]
    )
    def test_an_encoded_signal_has_a_probability_or_says_why_not(
        self, probability: float | None, why: str, told: tuple[float | None, str | None]
    ) -> None:
        signal = replace(a_signal(), probability=probability, no_probability=why)
        body = json.loads(encode_signal(signal))
        jsonschema.Draft202012Validator(schema("signal.schema.json")).validate(body)
        assert (body["probability"], body["probabilityReason"]) == told


VALIDATOR = jsonschema.Draft202012Validator(schema("alert.schema.json"))
