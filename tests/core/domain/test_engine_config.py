"""A configuration that makes no sense cannot be built, and the error names the setting."""

from __future__ import annotations

import math

import pytest

from app.core.domain.context import Capability
from app.core.domain.engine_config import (
    DEFAULT_THRESHOLDS,
    DEFAULT_WEIGHTS,
    AbsoluteScales,
    EngineConfig,
    MaxAge,
    Thresholds,
)
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.signal import FactorName, Mode
from app.core.errors import ConfigurationError


def test_defaults_are_the_published_method() -> None:
    config = EngineConfig()
    assert [config.weights[name] for name in FactorName] == [20, 15, 15, 15, 10, 10, 10, 5]
    assert config.thresholds[Mode.BALANCED] == Thresholds(long=65, short=35)
    assert config.thresholds[Mode.CONSERVATIVE] == Thresholds(long=70, short=30)
    assert config.thresholds[Mode.AGGRESSIVE] == Thresholds(long=58, short=42)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({FactorName.FUNDING: 25.0}, "sum to 100, got 110"),
        ({FactorName.FUNDING: -15.0, FactorName.MOMENTUM: 45.0}, "funding"),
        ({FactorName.FUNDING: math.nan}, "funding"),
        ({FactorName.FUNDING: math.inf}, "funding"),
    ],
)
def test_senseless_weights_are_refused(change: dict[FactorName, float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        EngineConfig(weights={**DEFAULT_WEIGHTS, **change})


def test_absent_and_unknown_factors_are_named() -> None:
    weights = dict(DEFAULT_WEIGHTS)
    del weights[FactorName.SOCIAL]
    with pytest.raises(ConfigurationError, match=r"absent .*social"):
        EngineConfig(weights=weights)
    with pytest.raises(ConfigurationError, match=r"unknown .*astrology"):
        EngineConfig(weights={**DEFAULT_WEIGHTS, "astrology": 0.0})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "pair",
    [
        Thresholds(long=50, short=35),
        Thresholds(long=65, short=50),
        Thresholds(long=35, short=65),
        Thresholds(long=math.nan, short=35),
        Thresholds(long=100, short=35),
        Thresholds(long=65, short=0),
    ],
)
def test_unordered_thresholds_are_refused(pair: Thresholds) -> None:
    with pytest.raises(ConfigurationError, match="balanced"):
        EngineConfig(thresholds={**DEFAULT_THRESHOLDS, Mode.BALANCED: pair})


@pytest.mark.parametrize(
    "pair", [Thresholds(long=64, short=30), Thresholds(long=70, short=36), Thresholds(long=57, short=43)]
)
def test_a_conservative_mode_that_fires_more_often_is_refused(pair: Thresholds) -> None:
    with pytest.raises(ConfigurationError, match="nest"):
        EngineConfig(thresholds={**DEFAULT_THRESHOLDS, Mode.CONSERVATIVE: pair})


def test_every_mode_needs_thresholds() -> None:
    with pytest.raises(ConfigurationError, match=r"absent .*aggressive"):
        EngineConfig(thresholds={mode: DEFAULT_THRESHOLDS[mode] for mode in list(Mode)[:2]})


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_numbers_must_be_finite_and_positive(value: float) -> None:
    with pytest.raises(ConfigurationError, match="history_days"):
        EngineConfig(history_days=value)
    with pytest.raises(ConfigurationError, match=r"max_age\.funding_s"):
        EngineConfig(max_age=MaxAge(funding_s=value))
    with pytest.raises(ConfigurationError, match=r"scales\.oi_trend"):
        EngineConfig(scales=AbsoluteScales(oi_trend=value))


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_minimum_coverage_is_a_fraction(value: float) -> None:
    with pytest.raises(ConfigurationError, match="min_coverage_frac"):
        EngineConfig(min_coverage_frac=value)


def test_a_price_cannot_be_unusable_before_it_is_stale() -> None:
    with pytest.raises(ConfigurationError, match="price_unusable_s"):
        EngineConfig(max_age=MaxAge(price_s=60, price_unusable_s=30))


@pytest.mark.parametrize(
    ("capability", "interval_ms", "limit_s"),
    [
        (Capability.PRICE, 0, 60),
        (Capability.CANDLES, HOUR_MS, 7_200),
        (Capability.LIQUIDATIONS, HOUR_MS, 4_200),
        (Capability.FUNDING, HOUR_MS, 5_400),
        (Capability.OPEN_INTEREST_USD, 4 * HOUR_MS, 16_200),
        (Capability.OPEN_INTEREST_BASE, HOUR_MS, 5_400),
        (Capability.ACCOUNT_RATIO, HOUR_MS, 10_800),
        (Capability.TOP_POSITION_RATIO, HOUR_MS, 10_800),
        (Capability.SOCIAL, HOUR_MS, 10_800),
        (Capability.FEAR_GREED, DAY_MS, 129_600),
    ],
)
def test_maximum_age_is_one_interval_and_the_extra(
    capability: Capability, interval_ms: int, limit_s: int
) -> None:
    assert MaxAge().limit_ms(capability, interval_ms) == limit_s * 1000
