"""Stored rows as columns: in order, with what is open, unscorable and not known yet."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.domain.evaluations import EvaluationRef, EvaluationRow
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.outcomes.first_touch import Ending
from app.core.outcomes.rows import ended, entered, entry_of, given_up, plan_entry
from app.core.outcomes.sides import begin_side
from app.core.record.assembling import RecordColumns, RecordRows, is_final
from app.core.record.columns import LONG, NEUTRAL, OPEN, SCORED, SHORT, UNKNOWN, UNSCORABLE
from app.core.record.gaps import REASONS
from app.core.record.regimes import CoinRegimes
from app.core.record.verdicts import GIVEN_UP_MS
from tests.outcome_facts import HOUR_MS, T0_MS

NOW_MS = T0_MS + 30 * HOUR_MS
V = (0.5, -0.25, math.nan, 0.0, 0.0, 0.0, 0.0, 1.0)


def evaluation(
    name: str, symbol: str = "BTC", at_ms: int = T0_MS, direction: str = "LONG", version: str = "1.1.0"
) -> EvaluationRow:
    return EvaluationRow(name, symbol, at_ms, direction, 71.5, 0.9, "medium", version, V)


def trade(name: str, side: Direction, touch: Touch = Touch.TARGET, at_ms: int = T0_MS) -> list[OutcomeRow]:
    """Entered at 100 with barriers of 1, paid 0.0002 of funding (LONG), over after an hour."""
    rows = begin_side(EvaluationRef(name, "BTC", at_ms), side, tier=1)
    plan = plan_entry(rows[0], entered_ms=at_ms + 1_000, entry=100.0, atr_usd=1.0)
    assert not isinstance(plan, Unscorable)
    price = 100 + plan.sign if touch is Touch.TARGET else 100 - plan.sign
    ending = Ending(touch, at_ms + HOUR_MS, price, 0.01, -0.001)
    paid = [(at_ms + HOUR_MS // 2, 0.0002)]
    into = [entered(row, entry_of(row, plan)) for row in rows]
    return [ended(row, ending, path="1m", settlements=paid, now_ms=at_ms + 2 * HOUR_MS) for row in into]


def by_key(*trades: list[OutcomeRow]) -> dict[tuple[str, str], OutcomeRow]:
    return {(row.trade_id, row.horizon): row for rows in trades for row in rows}


def tier_of(symbol: str) -> int:
    return 1 if symbol == "BTC" else 3


def columns_of(rows: RecordRows) -> RecordColumns:
    return rows.columns(tier_of=tier_of, regimes={}, read_ms=NOW_MS)


def test_rows_are_columns_in_order_of_time_and_coin() -> None:
    rows = RecordRows("1.1.0")
    rows.add(evaluation("b", "SOL", T0_MS + HOUR_MS, "SHORT"), {}, NOW_MS)
    rows.add(evaluation("a", "SOL", direction="NEUTRAL"), {}, NOW_MS)
    rows.add(evaluation("c", "BTC"), {}, NOW_MS)
    found, horizons = columns_of(rows)[:2]
    assert (found.symbols, found.versions) == (("BTC", "SOL"), ("1.1.0",))
    assert found.coin.tolist() == [0, 1, 1]
    assert found.tier.tolist() == [1, 3, 3]
    assert found.at_ms.tolist() == [T0_MS, T0_MS, T0_MS + HOUR_MS]
    assert found.direction.tolist() == [LONG, NEUTRAL, SHORT]
    assert (found.score[0], found.coverage[0], found.level[0]) == (71.5, 0.9, 1)
    np.testing.assert_array_equal(found.v[0], V)
    assert {*found.volatility.tolist(), *found.trend.tolist()} == {UNKNOWN}
    assert [(one.horizon, one.length_ms) for one in horizons] == list(HORIZONS_MS.items())
    assert rows.coins() == {"BTC": T0_MS, "SOL": T0_MS}


def test_scored_sides_say_what_they_earned_and_what_was_taken_off() -> None:
    rows = RecordRows("1.1.0")
    known = by_key(trade("a", Direction.LONG), trade("a", Direction.SHORT, Touch.STOP))
    rows.add(evaluation("a"), known, NOW_MS)
    horizons = columns_of(rows).outcomes
    long, short = horizons[2].long, horizons[2].short
    assert (long.state[0], long.win[0], short.state[0], short.win[0]) == (SCORED, True, SCORED, False)
    assert long.net_frac[0] == pytest.approx(0.01 - 0.0016 - 0.0002)
    assert short.net_frac[0] == pytest.approx(-0.01 - 0.0016 + 0.0002)
    assert (long.cost_frac[0], short.cost_frac[0]) == (pytest.approx(0.0018), pytest.approx(0.0014))
    assert (long.barrier_frac[0], short.barrier_frac[0]) == (pytest.approx(0.01), pytest.approx(0.01))
    assert (long.end_ms[0], short.end_ms[0]) == (T0_MS + HOUR_MS, T0_MS + HOUR_MS)


def test_a_target_that_did_not_pay_for_its_costs_is_no_win() -> None:
    rows = RecordRows("1.1.0")
    poor = [row._replace(net_return_frac=-0.0001) for row in trade("a", Direction.LONG)]
    rows.add(evaluation("a"), by_key(poor), NOW_MS)
    horizons = columns_of(rows).outcomes
    assert not horizons[0].long.win[0]


def test_what_was_resolved_later_than_now_is_open() -> None:
    known = by_key(trade("a", Direction.LONG))
    for now_ms, state in ((T0_MS + 2 * HOUR_MS - 1, OPEN), (T0_MS + 2 * HOUR_MS, SCORED)):
        rows = RecordRows("1.1.0")
        rows.add(evaluation("a"), known, now_ms)
        horizons = columns_of(rows).outcomes
        assert {int(one.long.state[0]) for one in horizons[:2]} == {state}


@pytest.mark.parametrize("side", [Direction.LONG, Direction.SHORT])
@pytest.mark.parametrize("touch", [Touch.TARGET, Touch.STOP])
def test_a_barrier_touched_early_leaves_the_trade_open_until_its_whole_horizon_is_over(
    side: Direction, touch: Touch
) -> None:
    known = by_key(trade("a", side, touch))  # entered a second after it was made, touched after an hour
    over_ms = T0_MS + 1_000 + 4 * HOUR_MS
    for now_ms, state in ((over_ms - 1, OPEN), (over_ms, SCORED)):
        rows = RecordRows("1.1.0")
        rows.add(evaluation("a"), known, now_ms)
        horizons = columns_of(rows).outcomes
        outcomes = horizons[2].long if side is Direction.LONG else horizons[2].short
        assert (horizons[2].horizon, int(outcomes.state[0])) == ("4h", state)


def test_what_nobody_followed_is_open_for_a_while_and_then_unscorable() -> None:
    rows = RecordRows("1.1.0")
    rows.add(evaluation("a"), {}, T0_MS + HOUR_MS + GIVEN_UP_MS + 1)
    horizons = columns_of(rows).outcomes
    assert [int(one.short.state[0]) for one in horizons] == [UNSCORABLE, UNSCORABLE, OPEN, OPEN]


def test_given_up_rows_are_unscorable() -> None:
    gone = [given_up(row, Unscorable.HOLES, now_ms=NOW_MS) for row in trade("a", Direction.LONG)]
    rows = RecordRows("1.1.0")
    rows.add(evaluation("a"), by_key(gone), NOW_MS)
    horizons = columns_of(rows).outcomes
    assert {int(one.long.state[0]) for one in horizons} == {UNSCORABLE}


def test_evaluations_of_other_engines_are_counted_and_left_out() -> None:
    rows, more = RecordRows("1.1.0"), RecordRows("1.1.0")
    rows.add(evaluation("a", version="1.0.0"), by_key(trade("a", Direction.LONG)), NOW_MS)
    rows.add(evaluation("b"), {}, NOW_MS)
    more.add(evaluation("c", "SOL", version="1.0.0"), {}, NOW_MS)
    more.add(evaluation("d", version="1.0.0"), {}, NOW_MS)
    found = columns_of(rows.joined(more))
    assert (len(found.evaluations), found.evaluations.versions) == (1, ("1.1.0",))
    assert found.others == {("1.0.0", "BTC"): 2, ("1.0.0", "SOL"): 1}
    assert found.of("SOL").others == {("1.0.0", "SOL"): 1}


def test_unknown_funding_and_the_reason_for_no_score_are_kept_beside_each_side() -> None:
    unpaid = [
        row._replace(body=row.body.replace('"funding_frac": 0.0002', '"funding_frac": null'))
        for row in trade("a", Direction.LONG)
    ]
    gone = [given_up(row, Unscorable.NO_ENTRY, now_ms=NOW_MS) for row in trade("a", Direction.SHORT)]
    rows = RecordRows("1.1.0")
    rows.add(evaluation("a"), by_key(unpaid, gone), NOW_MS)
    rows.add(evaluation("b", direction="SHORT"), by_key(trade("b", Direction.LONG)), NOW_MS)
    gaps = columns_of(rows).gaps
    assert gaps.is_unpaid[:, :, 2].tolist() == [[True, False], [False, False]]
    reasons = [[REASONS[code] for code in sides] for sides in gaps.reason[:, :, 2].tolist()]
    assert reasons == [["", "no_entry"], ["", "not_followed"]]
    # The engine's trades are a LONG and a SHORT; of two SHORTs neither could be scored.
    assert gaps.unpaid(np.array([LONG, SHORT], dtype=np.int8), "4h") == 1
    assert gaps.reasons(np.array([LONG, SHORT], dtype=np.int8), "4h") == {"not_followed": 1}
    assert gaps.unpaid(np.array([SHORT, NEUTRAL], dtype=np.int8), "4h") == 0
    assert gaps.reasons(np.array([SHORT, NEUTRAL], dtype=np.int8), "4h") == {"no_entry": 1}
    assert columns_of(rows).of("SOL").gaps.reason.shape == (0, 2, 4)


def test_an_evaluation_is_final_when_all_of_it_ended_or_it_is_old() -> None:
    every = [*trade("a", Direction.LONG), *trade("a", Direction.SHORT)]
    row = evaluation("a")
    assert is_final(row, every, T0_MS + 1_000 + 24 * HOUR_MS)
    assert not is_final(row, every, T0_MS + 1_000 + 24 * HOUR_MS - 1)
    assert not is_final(row, every[1:], T0_MS + 30 * HOUR_MS)
    assert is_final(row, [], T0_MS + 49 * HOUR_MS)


def test_parts_joined_and_cut_are_as_if_read_at_once() -> None:
    one, other, whole = RecordRows("1.1.0"), RecordRows("1.1.0"), RecordRows("1.1.0")
    known = by_key(trade("b", Direction.LONG))
    for name, into in (("a", one), ("b", one), ("c", other)):
        row = evaluation(name, at_ms=T0_MS + HOUR_MS * ord(name))
        into.add(row, known, NOW_MS)
        if name != "a":
            whole.add(row, known, NOW_MS)
    joined = one.joined(other)
    assert (len(joined), len(one)) == (3, 2)
    joined.drop_oldest(1)
    (here, mine), (there, theirs) = (columns_of(part)[:2] for part in (joined, whole))
    for left, right in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(left.long.state, right.long.state)
        np.testing.assert_array_equal(left.long.net_frac, right.long.net_frac)
    np.testing.assert_array_equal(here.at_ms, there.at_ms)
    np.testing.assert_array_equal(here.v, there.v)


def test_regimes_are_those_known_at_the_evaluation() -> None:
    rows = RecordRows("1.1.0")
    rows.add(evaluation("a", "BTC"), {}, NOW_MS)
    rows.add(evaluation("b", "SOL", T0_MS + HOUR_MS), {}, NOW_MS)
    known_ms = np.array([T0_MS + 1], dtype=np.int64)
    regimes = CoinRegimes(known_ms, np.array([2], dtype=np.int8), known_ms, np.array([-1], dtype=np.int8))
    known = {"BTC": regimes, "SOL": regimes, "PEPE": regimes}
    found = rows.columns(tier_of=tier_of, regimes=known, read_ms=NOW_MS).evaluations
    assert found.volatility.tolist() == [UNKNOWN, 2]
    assert found.trend.tolist() == [UNKNOWN, -1]


def test_nothing_stored_is_no_row_and_no_error() -> None:
    found, horizons = columns_of(RecordRows("1.1.0"))[:2]
    assert (len(found), found.symbols, found.v.shape) == (0, (), (0, 8))
    assert [one.long.state.size for one in horizons] == [0, 0, 0, 0]
