"""`EngineConfig`: weights, thresholds, scales and freshness limits of the signal engine, checked when built.

Owns the defaults of the published method and the rule that a configuration which makes no sense cannot
exist. Read from `config/signals.toml` by the settings layer; used by the factors and the engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from app.core.domain.context import Capability
from app.core.domain.signal import FactorName, Mode
from app.core.errors import ConfigurationError

DEFAULT_WEIGHTS: Mapping[FactorName, float] = MappingProxyType(
    {
        FactorName.LIQUIDATIONS: 20.0,
        FactorName.FUNDING: 15.0,
        FactorName.MOMENTUM: 15.0,
        FactorName.LONG_SHORT: 15.0,
        FactorName.SMART_MONEY: 10.0,
        FactorName.OI_TREND: 10.0,
        FactorName.SOCIAL: 10.0,
        FactorName.FEAR_GREED: 5.0,
    }
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """LONG at `long` and above, SHORT at `short` and below; 0 < short < 50 < long < 100."""

    long: float
    short: float


DEFAULT_THRESHOLDS: Mapping[Mode, Thresholds] = MappingProxyType(
    {
        Mode.CONSERVATIVE: Thresholds(long=70.0, short=30.0),
        Mode.BALANCED: Thresholds(long=65.0, short=35.0),
        Mode.AGGRESSIVE: Thresholds(long=58.0, short=42.0),
    }
)


@dataclass(frozen=True, slots=True)
class MaxAge:
    """Seconds an input may be older than one interval of its series; candles count in bars instead.

    price_s has no interval: it is the whole allowance. Past price_unusable_s a price is no price at all.
    """

    price_s: float = 60.0
    price_unusable_s: float = 3_600.0
    candles_bars: float = 1.0
    liquidations_s: float = 600.0
    funding_s: float = 1_800.0
    open_interest_s: float = 1_800.0
    ratios_s: float = 7_200.0
    social_s: float = 7_200.0
    fear_greed_s: float = 43_200.0

    def limit_ms(self, capability: Capability, interval_ms: int) -> int:
        """Largest allowed age in ms, counted from the close of the bar.

        Worked number: hourly funding -> 3,600 s + 1,800 s = 5,400,000 ms; hourly candles -> 7,200,000 ms.
        """
        if capability is Capability.PRICE:
            return int(self.price_s * 1000)
        if capability is Capability.CANDLES:
            return int(interval_ms * (1.0 + self.candles_bars))
        extra_s = {
            Capability.LIQUIDATIONS: self.liquidations_s,
            Capability.FUNDING: self.funding_s,
            Capability.OPEN_INTEREST_USD: self.open_interest_s,
            Capability.OPEN_INTEREST_BASE: self.open_interest_s,
            Capability.ACCOUNT_RATIO: self.ratios_s,
            Capability.TOP_POSITION_RATIO: self.ratios_s,
            Capability.SOCIAL: self.social_s,
            Capability.FEAR_GREED: self.fear_greed_s,
        }[capability]
        return interval_ms + int(extra_s * 1000)


@dataclass(frozen=True, slots=True)
class AbsoluteScales:
    """Distance from neutral that counts as extreme while a history is too short to rank against.

    liquidations_frac: (long - short) / OI in 24 h; funding in fractions per 8 h, 0.0001 being the rate at
    which longs and shorts are balanced by design; share_width: half range of the ratios around 0.5;
    momentum_sigma goes through tanh, the others are clipped; fear & greed in index points around 50.
    """

    liquidations_frac: float = 0.002
    funding_centre_frac: float = 0.0001
    funding_width_frac: float = 0.0004
    momentum_sigma: float = 1.5
    share_width_frac: float = 0.2
    oi_trend: float = 0.05
    fear_greed_width: float = 50.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything the engine may be tuned by. Building one validates it.

    history_days: rank window; min_history_points: fewer earlier points use the absolute scale (and the
    window never holds fewer when more exist); ewma_halflife_h: of the volatility estimate;
    min_coverage_frac: under this share of weight the direction is NEUTRAL.
    """

    weights: Mapping[FactorName, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    thresholds: Mapping[Mode, Thresholds] = field(default_factory=lambda: DEFAULT_THRESHOLDS)
    history_days: float = 30.0
    fear_greed_history_days: float = 365.0
    min_history_points: int = 100
    ewma_halflife_h: float = 24.0
    min_coverage_frac: float = 0.5
    max_age: MaxAge = field(default_factory=MaxAge)
    scales: AbsoluteScales = field(default_factory=AbsoluteScales)

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Refuse a configuration that makes no sense.

        Raises:
            ConfigurationError: naming the setting, what was expected and what was received.
        """
        _check_weights(self.weights)
        _check_thresholds(self.thresholds)
        for name in ("history_days", "fear_greed_history_days", "min_history_points", "ewma_halflife_h"):
            _require_positive(name, getattr(self, name))
        if not 0.0 <= self.min_coverage_frac <= 1.0:
            raise ConfigurationError(f"min_coverage_frac must be within 0..1, got {self.min_coverage_frac}")
        for group, values in (("max_age", self.max_age), ("scales", self.scales)):
            for item in fields(values):
                _require_positive(f"{group}.{item.name}", getattr(values, item.name))
        if self.max_age.price_unusable_s < self.max_age.price_s:
            raise ConfigurationError("max_age.price_unusable_s must not be smaller than max_age.price_s")

    @property
    def least_coverage_frac(self) -> float:
        """`min_coverage_frac` for coverage summed over columns of weights: such sums may lie a rounding error
        below the share they stand for."""
        return self.min_coverage_frac - 1e-12


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} must be a finite number above 0, got {value}")


def _check_weights(weights: Mapping[FactorName, float]) -> None:
    absent = [name.value for name in FactorName if name not in weights]
    unknown = [str(name) for name in weights if name not in set(FactorName)]
    if absent or unknown:
        raise ConfigurationError(f"weights must name the eight factors: absent {absent}, unknown {unknown}")
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise ConfigurationError(f"weight of {name} must be a finite number, 0 or more, got {weight}")
    total = math.fsum(weights.values())
    if abs(total - 100.0) > 1e-9:
        raise ConfigurationError(f"weights must sum to 100, got {total:g}")


def _check_thresholds(thresholds: Mapping[Mode, Thresholds]) -> None:
    absent = [mode.value for mode in Mode if mode not in thresholds]
    if absent:
        raise ConfigurationError(f"thresholds must name every mode: absent {absent}")
    for mode, pair in thresholds.items():
        # A NaN fails every comparison, so it is refused here too.
        if not 0.0 < pair.short < 50.0 < pair.long < 100.0:
            raise ConfigurationError(
                f"thresholds of {mode}: 0 < short < 50 < long < 100 expected, "
                f"got short {pair.short} and long {pair.long}"
            )
    strict, middle, loose = (thresholds[mode] for mode in (Mode.CONSERVATIVE, Mode.BALANCED, Mode.AGGRESSIVE))
    nested = strict.long >= middle.long >= loose.long and strict.short <= middle.short <= loose.short
    if not nested:
        raise ConfigurationError(
            "thresholds must nest: every conservative signal balanced, every balanced one aggressive"
        )
