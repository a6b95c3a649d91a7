"""One context in, one explained answer out: price rules, coverage rule, reasons and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.confidence import lowered
from app.core.confluence.scoring import enhance_zones
from app.core.domain.context import Capability
from app.core.domain.engine_config import DEFAULT_WEIGHTS, EngineConfig, Thresholds
from app.core.domain.liquidity import LevelSource
from app.core.domain.quality import Attempt, Missing, MissingReason
from app.core.domain.signal import (
    ConfidenceLevel,
    Confluence,
    Direction,
    FactorName,
    FactorStatus,
    Mode,
    Signal,
)
from app.core.errors import NoPriceAvailable
from app.core.signal_engine import ENGINE_VERSION, direction_of, evaluate
from tests.liquidity_facts import ATR, BLOCK, GAP, PRICE, example_clusters

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()
THIN = (Capability.LIQUIDATIONS, Capability.FUNDING, Capability.ACCOUNT_RATIO, Capability.SOCIAL)


def signal_of(world: Any, mode: Mode = Mode.BALANCED, config: EngineConfig = CONFIG) -> Signal:
    return evaluate(world.context(), config, mode)


def bullish(world: Any) -> Any:
    """The world with every newest value more bullish than its whole history."""

    def last(column: np.ndarray, value: float) -> np.ndarray:
        return np.append(column[:-1], value)

    return replace(
        world,
        close=last(world.close, world.close[-25:].max() * 1.5),
        long_usd=last(world.long_usd, 1e10),
        short_usd=last(world.short_usd, 0.0),
        oi_base=last(world.oi_base, world.oi_base.max() * 2),
        funding=last(world.funding, world.funding.min() - 1e-4),
        accounts=last(world.accounts, 0.1),
        top=last(world.top, 0.95),
        social=last(world.social, 99.0),
        fear_greed=last(world.fear_greed, 1.0),
    )


def test_a_full_context_answers_with_its_figures(make_world: MakeWorld) -> None:
    world = make_world(1)
    signal = signal_of(world)
    assert signal.coverage == 1.0
    assert signal.missing == ()
    assert not signal.price_stale
    assert signal.price.value.price_usd == world.close[-1]
    assert signal.funding_8h_frac == world.funding[-1]
    assert signal.open_interest_usd is not None
    assert signal.open_interest_usd.value == world.oi_usd[-1]
    assert signal.social_score == world.social[-1]
    assert signal.engine_version == ENGINE_VERSION
    assert [factor.name for factor in signal.factors] == list(FactorName)
    expected = sum(factor.weight * factor.score for factor in signal.factors) / 100
    assert signal.score == pytest.approx(expected)


def test_no_price_means_no_signal_and_says_who_failed(make_world: MakeWorld) -> None:
    context = make_world(1).context()
    attempts = (
        Attempt("okx", "market/ticker", "timeout", 4_000.0, detail="no answer in 4 s"),
        Attempt("coinapi", "exchangerate", "auth_failed", 80.0),
    )
    missing = Missing(MissingReason.AUTH_FAILED, "key refused", attempts)
    with pytest.raises(NoPriceAvailable) as caught:
        evaluate(replace(context, price=missing), CONFIG, Mode.BALANCED)
    assert caught.value.reasons == (
        "okx market/ticker: no answer in 4 s",
        "coinapi exchangerate: auth_failed",
    )
    with pytest.raises(NoPriceAvailable, match="not_configured: no key set"):
        signal_of(make_world(1).without(Capability.PRICE))


@pytest.mark.parametrize(("age_ms", "stale"), [(60_000, False), (60_001, True), (3_600_000, True)])
def test_an_old_price_forces_neutral(make_world: MakeWorld, age_ms: int, stale: bool) -> None:
    signal = signal_of(replace(bullish(make_world(1)), price_age_ms=age_ms))
    assert signal.price_stale is stale
    assert signal.score > 65
    assert signal.direction is (Direction.NEUTRAL if stale else Direction.LONG)
    assert ("price is" in signal.reason) is stale


def test_a_price_of_another_hour_is_no_price(make_world: MakeWorld) -> None:
    with pytest.raises(NoPriceAvailable, match="stale, 60 min old"):
        signal_of(replace(make_world(1), price_age_ms=3_600_001))


def test_thin_coverage_is_neutral_low_and_lists_what_is_missing(make_world: MakeWorld) -> None:
    signal = signal_of(bullish(make_world(1)).without(*THIN), Mode.AGGRESSIVE)
    assert signal.coverage == pytest.approx(0.4)
    assert signal.score > CONFIG.thresholds[Mode.AGGRESSIVE].long
    assert signal.direction is Direction.NEUTRAL
    assert signal.confidence.level is ConfidenceLevel.LOW
    assert [name for name, _ in signal.missing] == ["liquidations", "funding", "long_short", "social"]
    assert signal.reason.endswith(
        ", coverage 40 %: under 50 % coverage, missing liquidations, funding, long_short, social"
    )


@pytest.mark.parametrize("capability", [Capability.FUNDING, Capability.ACCOUNT_RATIO, Capability.FEAR_GREED])
def test_a_missing_factor_counts_fifty_at_full_weight(make_world: MakeWorld, capability: Capability) -> None:
    world = make_world(5)
    whole, part = signal_of(world), signal_of(world.without(capability))
    gone = next(factor for factor in part.factors if factor.status is FactorStatus.MISSING)
    was = next(factor for factor in whole.factors if factor.name is gone.name)
    assert gone.score == 50.0
    assert part.score == pytest.approx(whole.score + gone.weight * (50.0 - was.score) / 100)
    assert part.coverage == pytest.approx(1.0 - gone.weight / 100)


def test_one_surviving_factor_can_not_yield_long(make_world: MakeWorld) -> None:
    world = bullish(make_world(1)).without(*(set(Capability) - {Capability.PRICE, Capability.FUNDING}))
    signal = signal_of(world)
    assert signal.score == pytest.approx(57.5)
    assert signal.direction is Direction.NEUTRAL


def test_stale_figures_stay_visible_while_their_factor_is_flagged(make_world: MakeWorld) -> None:
    world = replace(make_world(1), age_ms=6 * 3_600_000)
    signal = signal_of(world)
    assert signal.funding_8h_frac == world.funding[-1]
    assert dict(signal.missing)["funding"] == "stale: funding 6.0 h old, allowed 90 min"
    assert signal.coverage == pytest.approx(0.05)  # only the daily index is still fresh


def test_open_interest_too_old_to_show_is_none_because_no_factor_flags_it(make_world: MakeWorld) -> None:
    # Allowed: one hour plus 30 minutes.
    shown = signal_of(replace(make_world(1), age_ms=5_400_000)).open_interest_usd
    assert shown is not None
    assert (shown.provider, shown.ts_event_ms) == ("provider", make_world(1).context().as_of_ms - 1_000)
    assert signal_of(replace(make_world(1), age_ms=5_400_001)).open_interest_usd is None


def test_a_stale_price_lowers_the_confidence_to_low(make_world: MakeWorld) -> None:
    fresh, old = bullish(make_world(1)), replace(bullish(make_world(1)), price_age_ms=61_000)
    assert signal_of(fresh).confidence.level is ConfidenceLevel.HIGH
    assert signal_of(old).confidence.level is ConfidenceLevel.LOW


def test_missing_figures_are_none(make_world: MakeWorld) -> None:
    world = make_world(1).without(Capability.FUNDING, Capability.OPEN_INTEREST_USD, Capability.SOCIAL)
    signal = signal_of(world)
    assert (signal.funding_8h_frac, signal.open_interest_usd, signal.social_score) == (None, None, None)


def test_the_one_line_reason_names_direction_score_reason_and_coverage(make_world: MakeWorld) -> None:
    signal = signal_of(bullish(make_world(1)))
    assert signal.reason == f"LONG {signal.score:.1f}, coverage 100 %: {signal.reasons[0]}"
    short = signal_of(bullish(make_world(1)).mirrored())
    assert short.reason.startswith(f"SHORT {short.score:.1f}, coverage 100 %: ")
    assert "bearish" in short.reason
    assert "bullish" not in short.reason


def test_a_strongest_reason_against_the_direction_is_not_given_as_its_cause(make_world: MakeWorld) -> None:
    world = bullish(make_world(1))
    against = replace(world, long_usd=world.short_usd, short_usd=world.long_usd)
    signal = signal_of(against, Mode.AGGRESSIVE)
    assert signal.direction is Direction.LONG
    assert "bearish" in signal.reasons[0]
    cause, _, counter = signal.reason.partition("; against it: ")
    assert "bullish" in cause
    assert counter.startswith(signal.reasons[0])


def test_nothing_leaning_has_no_reasons(make_world: MakeWorld) -> None:
    everything = set(Capability) - {Capability.PRICE}
    config = EngineConfig(min_coverage_frac=0.0)
    signal = signal_of(make_world(1).without(*everything), config=config)
    assert (signal.score, signal.reasons) == (50.0, ())
    assert "no factor leans either way" in signal.reason


def test_thresholds_include_their_edge() -> None:
    pair = Thresholds(long=65.0, short=35.0)
    assert direction_of(65.0, pair) is Direction.LONG
    assert direction_of(35.0, pair) is Direction.SHORT
    assert direction_of(64.999, pair) is Direction.NEUTRAL
    assert direction_of(35.001, pair) is Direction.NEUTRAL


def test_weights_are_configuration(make_world: MakeWorld) -> None:
    only_funding = dict.fromkeys(DEFAULT_WEIGHTS, 0.0) | {FactorName.FUNDING: 100.0}
    signal = signal_of(make_world(6), config=EngineConfig(weights=only_funding))
    funding = next(factor for factor in signal.factors if factor.name is FactorName.FUNDING)
    assert signal.score == pytest.approx(funding.score)
    assert signal.reasons[0] == funding.sentence


def confluence(direction: Direction) -> Confluence:
    clusters = example_clusters()
    (zone,) = enhance_zones([BLOCK if direction is Direction.LONG else GAP], clusters, PRICE, ATR)
    return Confluence(
        "1h",
        direction,
        82.0,
        zone,
        LevelSource.ESTIMATE,
        "okx",
        0,
        None,
        "no plan",
        "a zone with liquidations",
    )


@pytest.mark.parametrize(
    ("points", "level"), [(Direction.LONG, ConfidenceLevel.HIGH), (Direction.SHORT, ConfidenceLevel.MEDIUM)]
)
def test_a_confluence_against_the_signal_lowers_its_confidence_by_one_level(
    make_world: MakeWorld, points: Direction, level: ConfidenceLevel
) -> None:
    context = bullish(make_world(3)).context()
    plain = evaluate(context, CONFIG, Mode.BALANCED)
    found = evaluate(context, CONFIG, Mode.BALANCED, confluence(points))
    assert (plain.direction, plain.confidence.level) == (Direction.LONG, ConfidenceLevel.HIGH)
    assert found.confidence == replace(plain.confidence, level=level)
    assert (found.score, found.direction, found.factors) == (plain.score, plain.direction, plain.factors)
    named = "confluence agrees" if points is Direction.LONG else "confluence against it, confidence one level"
    assert named in found.reason
    assert found.reason.startswith(plain.reason)


def test_a_neutral_signal_has_no_other_way(make_world: MakeWorld) -> None:
    context = make_world(1).without(*THIN).context()
    plain = evaluate(context, CONFIG, Mode.BALANCED)
    found = evaluate(context, CONFIG, Mode.BALANCED, confluence(Direction.SHORT))
    assert plain.direction is Direction.NEUTRAL
    assert (found.confidence, found.reason) == (plain.confidence, plain.reason)


def test_no_confluence_has_its_reason(make_world: MakeWorld) -> None:
    context = make_world(1).context()
    found = evaluate(context, CONFIG, Mode.BALANCED, None, "no liquidation levels")
    assert (found.confluence, found.no_confluence) == (None, "no liquidation levels")
    assert evaluate(context, CONFIG, Mode.BALANCED, confluence(Direction.LONG)).no_confluence == ""


@pytest.mark.parametrize(
    ("level", "less"),
    [
        (ConfidenceLevel.HIGH, ConfidenceLevel.MEDIUM),
        (ConfidenceLevel.MEDIUM, ConfidenceLevel.LOW),
        (ConfidenceLevel.LOW, ConfidenceLevel.LOW),
    ],
)
def test_one_level_less(level: ConfidenceLevel, less: ConfidenceLevel) -> None:
    assert lowered(level) is less
