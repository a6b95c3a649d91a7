"""Histories of a recorded folder and of the simulator's world, evaluated: equal to live answers, blind to the
future."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.backtest_history import load_history
from app.core.backtest.evaluating import CoinData, confluence_of, evaluate_history, hourly_bars
from app.core.confidence import lowered
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Direction, Mode
from app.core.record.columns import FACTOR_ORDER, LEVELS
from app.core.signal_engine import evaluate
from app.sim.market import CandleColumns, ValueColumns
from app.sim.recorded import RecordedSource
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS

DATA = Path(__file__).parents[2] / "shared" / "data"
CONFIG = EngineConfig()
SIM_END_MS = EPOCH_MS + 250 * DAY_MS
RECORDED_FROM_MS, RECORDED_TO_MS = 1_765_252_800_000, 1_772_704_800_000  # 2025-12-09 to 2026-03-05
SETTLED_MS = 8 * HOUR_MS
SOURCES = ["simulated", "recorded"]


@lru_cache
def loaded(name: str) -> CoinData:
    if name == "simulated":
        world = SyntheticWorld(11, lambda: SIM_END_MS)
        return load_history(
            world,
            "BTC",
            from_ms=SIM_END_MS - 20 * DAY_MS,
            to_ms=SIM_END_MS,
            tier=1,
            data_mode=DataMode.DEMO,
            finest_ms=5 * 60_000,
        )
    if not DATA.is_dir():
        pytest.skip("recorded data ../shared/data is not here")
    source = RecordedSource(DATA, lambda: 2**53)
    return load_history(
        source, "BTC", from_ms=RECORDED_FROM_MS, to_ms=RECORDED_TO_MS, tier=1, data_mode=DataMode.REPLAY
    )


def hours(name: str) -> np.ndarray:
    ends = hourly_bars(loaded(name).history.context).close_ms
    return ends[-40 * 24 :] if name == "simulated" else ends[ends >= RECORDED_FROM_MS]


def known_at(context: EnhancedSignalContext, at_ms: int) -> EnhancedSignalContext:
    """The context as it was: every history cut, with the close of that moment as its price."""
    changes: dict[str, Any] = {"as_of_ms": at_ms}
    for capability, reading in context.inputs():
        if isinstance(reading, Missing) or capability is Capability.PRICE:
            continue
        history: Any = reading.value
        count = int(np.searchsorted(history.close_ms, at_ms, side="right"))
        cut = {
            name: getattr(history, name)[:count]
            for name in history.__dataclass_fields__
            if isinstance(getattr(history, name), tuple)
        }
        changes[capability.value] = replace(reading, value=replace(history, **cut))
    candles = changes["candles"].value
    assert isinstance(context.price, Reading)
    price = replace(context.price.value, price_usd=candles.close[-1])
    changes["price"] = replace(context.price, value=price, ts_event_ms=at_ms)
    return replace(context, **changes)


@pytest.mark.parametrize("name", SOURCES)
def test_cutting_the_future_off_at_two_hundred_moments_changes_no_signal(name: str) -> None:
    history, at_ms = loaded(name).history, hours(name)
    whole = evaluate_history(history, CONFIG, at_ms)
    chosen = np.sort(np.random.default_rng(20_261_126).choice(at_ms.size, 200, replace=False))
    for row in chosen.tolist():
        moment = int(at_ms[row])
        past = replace(history, context=known_at(history.context, moment))
        alone = evaluate_history(past, CONFIG, at_ms[row : row + 1])
        one, other = alone.evaluations, whole.evaluations
        assert one.score[0] == pytest.approx(other.score[row], abs=1e-9)
        assert one.v[0] == pytest.approx(other.v[row], abs=1e-9, nan_ok=True)
        for column in ("direction", "level", "coverage", "volatility", "trend"):
            assert getattr(one, column)[0] == getattr(other, column)[row], (column, moment)
        assert alone.atr_usd[0] == pytest.approx(whole.atr_usd[row], rel=1e-12)


@pytest.mark.parametrize("name", SOURCES)
def test_evaluations_are_what_the_live_engine_answers(name: str) -> None:
    history, at_ms = loaded(name).history, hours(name)[::23]
    found = evaluate_history(history, CONFIG, at_ms).evaluations
    past = [known_at(history.context, moment) for moment in at_ms.tolist()]
    closes = np.array([context.price.value.price_usd for context in past])  # type: ignore[union-attr]
    zones_of = confluence_of(history, at_ms, closes)
    said = 0
    for row, context in enumerate(past):
        signal = evaluate(context, CONFIG, Mode.BALANCED)
        assert found.score[row] == pytest.approx(signal.score, abs=1e-9)
        assert found.coverage[row] == pytest.approx(signal.coverage)
        code = {1: Direction.LONG, 0: Direction.NEUTRAL, -1: Direction.SHORT}[int(found.direction[row])]
        assert code is signal.direction
        zones = int(zones_of[row])
        if zones or row % 8 == 0:  # asked alone it is no other answer
            one = slice(row, row + 1)
            assert int(confluence_of(history, at_ms[one], closes[one])[0]) == zones
        level = signal.confidence.level
        if zones and zones == -int(found.direction[row]):
            level = lowered(level)
            said += 1
        assert LEVELS[int(found.level[row])] is level
        counted = {factor.name for factor in signal.factors if factor.status.value == "ok"}
        assert {one for one, v in zip(FACTOR_ORDER, found.v[row], strict=True) if np.isfinite(v)} == counted
    assert said or name == "recorded"


def test_a_world_that_ends_earlier_says_the_same_of_what_it_has() -> None:
    """The future really hidden: another world of the same seed that knows nothing of it."""
    whole = evaluate_history(loaded("simulated").history, CONFIG, hours("simulated")).evaluations
    rows = [
        100,
        500,
        900,
        *(row for row, at in enumerate(hours("simulated").tolist()) if not at % SETTLED_MS),
    ]
    for row in rows[:12]:
        moment = int(hours("simulated")[row])
        world = SyntheticWorld(11, lambda end=moment: end)  # type: ignore[misc]
        short = load_history(
            world,
            "BTC",
            from_ms=moment - DAY_MS,
            to_ms=moment,
            tier=1,
            data_mode=DataMode.DEMO,
            finest_ms=HOUR_MS,
        )
        alone = evaluate_history(short.history, CONFIG, np.array([moment])).evaluations
        assert alone.score[0] == pytest.approx(whole.score[row], abs=1e-9)
        assert alone.v[0] == pytest.approx(whole.v[row], abs=1e-9, nan_ok=True)
        assert alone.direction[0] == whole.direction[row]


@pytest.mark.parametrize("hour", [0, 8, 16])
def test_what_is_stamped_with_the_last_moment_is_known_by_then(hour: int) -> None:
    """Funding is settled and the day's index known at these hours: a history that ends there has both."""
    end_ms = SIM_END_MS - 3 * DAY_MS + hour * HOUR_MS
    for source in (SyntheticWorld(11, lambda: SIM_END_MS), SyntheticWorld(11, lambda: end_ms)):
        found = load_history(
            source,
            "BTC",
            from_ms=end_ms - DAY_MS,
            to_ms=end_ms,
            tier=1,
            data_mode=DataMode.DEMO,
            finest_ms=HOUR_MS,
        ).history
        assert found.settlements is not None
        assert int(found.settlements.at_ms[-1]) == end_ms
        assert isinstance(found.context.fear_greed, Reading)
        assert found.context.fear_greed.value.close_ms[-1] == end_ms - hour * HOUR_MS


class ListedLate(SyntheticWorld):
    """The same world, but no candle is older than the coin."""

    LISTED_MS = SIM_END_MS - 12 * DAY_MS

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        return super().candles(base, exchange, interval_ms, max(start_ms, self.LISTED_MS), end_ms)


def test_a_coin_listed_after_the_first_moment_keeps_its_fine_path() -> None:
    found = load_history(
        ListedLate(11, lambda: SIM_END_MS),
        "BTC",
        from_ms=SIM_END_MS - 20 * DAY_MS,
        to_ms=SIM_END_MS,
        tier=1,
        data_mode=DataMode.DEMO,
        finest_ms=5 * 60_000,
    )
    assert dict(found.inputs)["price path"].endswith(", 5 min")
    assert int(found.history.path.start_ms[0]) == ListedLate.LISTED_MS


def test_without_an_end_the_fine_path_is_measured_by_the_candles() -> None:
    found = load_history(
        SyntheticWorld(11, lambda: SIM_END_MS),
        "BTC",
        from_ms=SIM_END_MS - 5 * DAY_MS,
        to_ms=2**53,
        tier=1,
        data_mode=DataMode.DEMO,
        finest_ms=5 * 60_000,
    )
    inputs = dict(found.inputs)
    assert inputs["price path"].endswith(", 5 min")
    assert not any("until" in words for words in inputs.values())


class Unsettled(SyntheticWorld):
    """The same world, whose settlements stop being recorded."""

    LAST_MS = SIM_END_MS - 5 * DAY_MS

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        return super().funding_settled(base, exchange, start_ms, min(end_ms, self.LAST_MS + 1))


@pytest.mark.parametrize(
    ("days", "said"),
    [(8, "OKX, at its stamps, until 2024-09-02"), (4, "not recorded: not charged")],
)
def test_settlements_say_how_far_they_reach(days: int, said: str) -> None:
    found = load_history(
        Unsettled(11, lambda: SIM_END_MS),
        "BTC",
        from_ms=SIM_END_MS - days * DAY_MS,
        to_ms=SIM_END_MS,
        tier=1,
        data_mode=DataMode.DEMO,
        finest_ms=HOUR_MS,
    )
    assert dict(found.inputs)["funding paid"] == said
    assert (found.history.settlements is None) is (days == 4)


class UnsettledOnOkx(Unsettled):
    """Only OKX stops, and OKX has the prices."""

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        whole = SyntheticWorld.funding_settled(self, base, exchange, start_ms, end_ms)
        return super().funding_settled(base, exchange, start_ms, end_ms) if exchange == "OKX" else whole


def test_settlements_of_an_exchange_that_ended_make_way_for_one_that_goes_on() -> None:
    found = load_history(
        UnsettledOnOkx(11, lambda: SIM_END_MS),
        "BTC",
        from_ms=SIM_END_MS - 4 * DAY_MS,
        to_ms=SIM_END_MS,
        tier=1,
        data_mode=DataMode.DEMO,
        finest_ms=HOUR_MS,
    )
    assert dict(found.inputs)["funding paid"] == "Binance, at its stamps"
    assert found.history.settlements is not None


def test_inputs_are_named_and_what_is_not_recorded_is_missing() -> None:
    coin = loaded("recorded")
    inputs = dict(coin.inputs)
    assert inputs["social"] == inputs["top traders"] == "none"
    assert inputs["account ratio"] == "not recorded in this period"
    assert inputs["fear & greed"] == "alternative.me, daily, until 2026-02-13"
    assert inputs["price path"] == "Binance, 60 min"
    assert isinstance(coin.history.context.social, Missing)
    assert coin.history.settlements is not None
    assert np.abs(coin.history.settlements.rate_frac).max() < 0.005


def test_the_recorded_scores_are_those_of_the_reference() -> None:
    found = evaluate_history(loaded("recorded").history, CONFIG, hours("recorded")).evaluations
    assert np.percentile(found.score, [1, 5, 50, 95, 99]) == pytest.approx([36, 41, 52, 66, 72], abs=1.0)
    assert float((found.direction == 1).mean()) == pytest.approx(0.056, abs=0.006)
    assert float((found.direction == -1).mean()) == pytest.approx(0.006, abs=0.003)


def test_simulated_funding_is_paid_at_its_stamps_and_the_path_is_fine() -> None:
    coin = loaded("simulated")
    assert coin.history.path.interval_ms == 5 * 60_000
    assert coin.history.settlements is not None
    assert set(np.diff(coin.history.settlements.at_ms).tolist()) == {8 * HOUR_MS}
