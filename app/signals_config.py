"""`SignalsConfig`: weights, thresholds, histories, scales and source order, from one validated TOML file.

Owns the shape of `config/signals.toml` and refuses what cannot score (weights that do not sum to 100, modes
that are not nested), naming the key. Imports no engine type, but tables and keys are called as the fields of
`EngineConfig`, so bootstrap hands them on by name; a test holds the two together.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.settings_values import Exchanges, Positive, SettingsError, name_problems

Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
ProviderName = Literal["stream", "okx", "coinglass", "coinapi", "lunarcrush", "alternative.me"]
# Best first; the next one is asked when the one before has nothing.
Order = Annotated[tuple[ProviderName, ...], Field(min_length=1)]


class _Section(BaseModel):
    """A table of the file: read-only, and a key it does not know is a mistake, not a comment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Section):
    """Points per factor; the eight sum to 100."""

    liquidations: Weight
    funding: Weight
    momentum: Weight
    long_short: Weight
    smart_money: Weight
    oi_trend: Weight
    social: Weight
    fear_greed: Weight

    @model_validator(mode="after")
    def _sum_to_100(self) -> Self:
        total = sum(self.model_dump().values())
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the eight weights sum to {total:g}, they must sum to 100")
        return self


class Threshold(_Section):
    """Score from which a mode says LONG, and down to which it says SHORT."""

    long: float = Field(gt=50, lt=100)
    short: float = Field(gt=0, lt=50)


class Thresholds(_Section):
    """One pair per mode, nested: conservative signals are balanced ones, balanced ones aggressive."""

    conservative: Threshold
    balanced: Threshold
    aggressive: Threshold

    @model_validator(mode="after")
    def _modes_are_nested(self) -> Self:
        if not self.conservative.long >= self.balanced.long >= self.aggressive.long:
            raise ValueError("long must not rise from conservative over balanced to aggressive")
        if not self.conservative.short <= self.balanced.short <= self.aggressive.short:
            raise ValueError("short must not fall from conservative over balanced to aggressive")
        return self


class History(_Section):
    """How much of its own past a factor is ranked against; half-life of the volatility estimate in hours."""

    history_days: Positive
    fear_greed_history_days: Positive
    min_history_points: int = Field(ge=2)
    ewma_halflife_h: Positive


class MaxAge(_Section):
    """Seconds beyond one interval of its series after which an input is stale; candles count in bars.

    price_s has no interval. Between price_s and price_unusable_s a signal is NEUTRAL and says that its price
    is stale; after that there is no price (503).
    """

    price_s: Positive
    price_unusable_s: Positive
    candles_bars: Positive
    liquidations_s: Positive
    funding_s: Positive
    open_interest_s: Positive
    ratios_s: Positive
    social_s: Positive
    fear_greed_s: Positive

    @model_validator(mode="after")
    def _price_is_stale_before_it_is_unusable(self) -> Self:
        if self.price_unusable_s < self.price_s:
            raise ValueError("price_unusable_s must not be smaller than price_s")
        return self


class Scales(_Section):
    """Distance from neutral that is extreme while a coin's history is too short to rank against."""

    liquidations_frac: Positive
    funding_centre_frac: Positive
    funding_width_frac: Positive
    momentum_sigma: Positive
    share_width_frac: Positive
    oi_trend: Positive
    fear_greed_width: Positive


class SourceOverlay(_Section):
    """Order of providers per capability; None keeps the order of `[sources]`."""

    price: Order | None = None
    candles: Order | None = None
    liquidations: Order | None = None
    open_interest_usd: Order | None = None
    open_interest_base: Order | None = None
    funding: Order | None = None
    account_ratio: Order | None = None
    top_position_ratio: Order | None = None
    social: Order | None = None
    fear_greed: Order | None = None

    @field_validator("*")
    @classmethod
    def _each_provider_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError("a provider is listed twice")
        return value


class SignalsConfig(_Section):
    """The whole file. `sources` must name every capability; `sources_replay` overrides some of them."""

    liquidation_exchanges: Exchanges
    min_coverage_frac: float = Field(ge=0, le=1)
    weights: Weights
    thresholds: Thresholds
    history: History
    max_age: MaxAge
    scales: Scales
    sources: SourceOverlay
    sources_replay: SourceOverlay = SourceOverlay()

    @field_validator("sources")
    @classmethod
    def _every_capability_has_a_source(cls, value: SourceOverlay) -> SourceOverlay:
        absent = [name for name, order in value if order is None]
        if absent:
            raise ValueError(f"no order given for {', '.join(absent)}")
        return value

    def source_order(self, *, replay: bool) -> dict[str, tuple[str, ...]]:
        """Providers per capability, best first; in a replay the overlay wins."""
        order: dict[str, tuple[str, ...]] = dict(self.sources)
        if replay:
            order.update({name: changed for name, changed in self.sources_replay if changed})
        return order


def load_signals_config(path: Path) -> SignalsConfig:
    """Read and check the file.

    Raises:
        SettingsError: unreadable, not TOML, or a key that makes no sense; all problems are listed.
    """
    try:
        return SignalsConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError((f"SIGNALS_CONFIG: cannot read {path}: {error.strerror}",)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError((f"SIGNALS_CONFIG: {path.name} is not valid TOML: {error}",)) from error
    except ValidationError as error:
        raise SettingsError(name_problems(error, prefix=f"{path.name}: ")) from error
