"""The backtest's columns are the live engine: equal at every moment, blind to the future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Reading
from app.core.domain.signal import FactorStatus, Mode
from app.core.signal_engine import evaluate, score_columns

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()


def known_at(context: EnhancedSignalContext, at_ms: int) -> EnhancedSignalContext:
    """The context as it was: every history really cut, with a price of that moment."""
    changes: dict[str, Any] = {"as_of_ms": at_ms}
    for capability, reading in context.inputs():
        assert isinstance(reading, Reading)
        if capability is Capability.PRICE:
            changes["price"] = replace(reading, ts_event_ms=at_ms)
            continue
        history: Any = reading.value
        count = sum(close_ms <= at_ms for close_ms in history.close_ms)
        cut = {
            name: getattr(history, name)[:count]
            for name in history.__dataclass_fields__
            if isinstance(getattr(history, name), tuple)
        }
        changes[capability.value] = replace(reading, value=replace(history, **cut))
    return replace(context, **changes)


@pytest.mark.parametrize("interval_h", [1, 4])
def test_columns_equal_live_answers_with_the_future_cut_off(make_world: MakeWorld, interval_h: int) -> None:
    context = make_world(11, points=500, interval_ms=interval_h * HOUR_MS).context()
    rng = np.random.default_rng(3)
    back_ms = np.sort(rng.integers(0, 490 * interval_h * HOUR_MS, 25))[::-1]
    at_ms = (context.as_of_ms - back_ms).astype(np.int64)
    columns = score_columns(context, CONFIG, at_ms)
    for index, moment in enumerate(at_ms.tolist()):
        signal = evaluate(known_at(context, moment), CONFIG, Mode.BALANCED)
        assert columns.score[index] == pytest.approx(signal.score, abs=1e-9)
        assert columns.coverage[index] == pytest.approx(signal.coverage)
        for column, factor in zip(columns.factors, signal.factors, strict=True):
            assert column.name is factor.name
            assert column.v[index] == pytest.approx(factor.v, abs=1e-9)
            assert column.ok[index] == (factor.status is FactorStatus.OK)


def test_the_live_score_is_the_last_column(make_world: MakeWorld) -> None:
    for seed in range(5):
        context = make_world(seed).context()
        columns = score_columns(context, CONFIG, np.array([context.as_of_ms], dtype=np.int64))
        signal = evaluate(context, CONFIG, Mode.BALANCED)
        assert columns.score[-1] == pytest.approx(signal.score, abs=1e-9)


def test_a_future_in_the_context_changes_nothing(make_world: MakeWorld) -> None:
    context = make_world(12).context()
    then = context.as_of_ms - 200 * HOUR_MS
    cut = known_at(context, then)
    leaky = replace(context, as_of_ms=then, price=cut.price)
    assert evaluate(leaky, CONFIG, Mode.BALANCED) == replace(
        evaluate(cut, CONFIG, Mode.BALANCED), price=leaky.price
    )


def test_missing_inputs_are_neutral_in_columns(make_world: MakeWorld) -> None:
    world = make_world(13).without(*(item for item in Capability if item is not Capability.FUNDING))
    context = world.context()
    columns = score_columns(context, CONFIG, np.array([context.as_of_ms], dtype=np.int64))
    assert columns.coverage[0] == pytest.approx(0.15)
    assert 42.5 <= columns.score[0] <= 57.5
