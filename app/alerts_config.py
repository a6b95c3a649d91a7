"""`AlertsConfig`: thresholds of the detectors, rules of the gate and where chats start, from one TOML file.

Owns the shape of `config/alerts.toml` and refuses what makes no sense, naming the key. Imports no type of the
core, but keys are called as the fields of `FlowConfig`, `GateRules` and `ChatSettings`, so bootstrap hands
them on by name; a test holds them together.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.settings_values import Positive, SettingsError, Symbols, name_problems

Seconds = Annotated[int, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0.5, lt=1)]


class _Section(BaseModel):
    """A table of the file: read-only, and a key it does not know is a mistake, not a comment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TierLimits(_Section):
    """USD thresholds of one tier."""

    cascade_usd: Positive
    large_usd: Positive
    absorption_usd: Positive


class Tiers(_Section):
    """Which coins are big, and what is big in them. A lower tier never has a higher threshold."""

    tier_1_coins: Symbols
    tier_2_coins: Symbols
    tier_1: TierLimits
    tier_2: TierLimits
    tier_3: TierLimits

    @model_validator(mode="after")
    def _each_coin_has_one_tier(self) -> Self:
        both = sorted(set(self.tier_1_coins) & set(self.tier_2_coins))
        if both:
            raise ValueError(f"in two tiers: {', '.join(both)}")
        return self

    @model_validator(mode="after")
    def _thresholds_fall_with_the_tier(self) -> Self:
        for name in TierLimits.model_fields:
            first, second, third = (getattr(t, name) for t in (self.tier_1, self.tier_2, self.tier_3))
            if not first >= second >= third:
                raise ValueError(f"{name} must not rise from tier 1 over tier 2 to tier 3")
        return self


class Detectors(_Section):
    """What the detectors compare with, tiers apart. Shares are fractions above one half."""

    cascade_window_s: Seconds
    cascade_min_events: Count
    cascade_side_share: Share
    cascade_verdict_s: Seconds
    pre_cascade_range_s: Seconds
    stop_atr: Positive
    flow_window_s: Seconds
    flow_min_trades: Count
    flow_share: Share
    flow_min_large: Count
    whale_min_trades: Count
    whale_min_large: Count
    whale_share: Share
    spike_ratio: float = Field(gt=1, allow_inf_nan=False)
    zscore_min: Positive
    zscore_minutes: int = Field(ge=30, le=1_440)
    whale_position_usd: Positive
    extreme_percentile: Share
    heatmap_score: float = Field(gt=0, le=1)
    max_disorder_s: int = Field(ge=0, le=60)
    max_symbols: Count

    @model_validator(mode="after")
    def _a_cascade_is_judged_after_it_happened(self) -> Self:
        if self.cascade_verdict_s <= self.cascade_window_s:
            raise ValueError("cascade_verdict_s must be larger than cascade_window_s")
        return self


class Gate(_Section):
    """Rules of the gate that no chat can change."""

    urgent_ratio: float = Field(ge=1, allow_inf_nan=False)
    change_points: Positive
    change_factor: float = Field(gt=1, allow_inf_nan=False)
    forget_s: Seconds
    flip_s: int = Field(ge=0, le=3_600)
    max_age_s: Seconds
    max_age_polled_s: Seconds


class ChatDefaults(_Section):
    """Where every chat starts."""

    level: Literal["strict", "normal", "permissive"]
    min_confidence: float = Field(ge=0, le=100)
    cooldown_s: int = Field(ge=0, le=86_400)
    hourly_cap: int = Field(ge=0, le=1_000)


class AlertsConfig(_Section):
    """The whole file."""

    tiers: Tiers
    detectors: Detectors
    gate: Gate
    chat: ChatDefaults

    @model_validator(mode="after")
    def _a_statement_is_forgotten_after_its_cooldown(self) -> Self:
        if self.gate.forget_s < self.chat.cooldown_s:
            raise ValueError("gate.forget_s must not be smaller than chat.cooldown_s")
        return self


def load_alerts_config(path: Path) -> AlertsConfig:
    """Read and check the file.

    Raises:
        SettingsError: unreadable, not TOML, or a key that makes no sense; all problems are listed.
    """
    try:
        return AlertsConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError((f"ALERTS_CONFIG: cannot read {path}: {error.strerror}",)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError((f"ALERTS_CONFIG: {path.name} is not valid TOML: {error}",)) from error
    except ValidationError as error:
        raise SettingsError(name_problems(error, prefix=f"{path.name}: ")) from error
