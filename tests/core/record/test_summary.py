"""The sentence of a record: right words for what is known, and no edge that is not shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.track_record import Mean, Share, TrackRecord
from app.core.record.summary import Verdict, effective_words, horizon_words, rates_of, summary_of, verdict_of
from tests.track_facts import empty, mirrored, record, sharpe, trades

MANY = {"scored": 4_000, "effective_n": 1_000.0}


def told(wins: int, *, net: float = 0.002, **more: object) -> TrackRecord:
    """A record with 1,000 independent outcomes."""
    return record(trades(wins=wins, net=net, **MANY), evaluations=9_000, **more)  # type: ignore[arg-type]


def test_the_worked_sentence() -> None:
    assert summary_of(record()) == (
        "In 31 days 212 LONG/SHORT signals were scored after 4 h: 47 % won (effective n 61, 95 % interval 35 "
        "to 59 %, break-even 58 %) and -0.06 % a trade was earned after costs (-0.14 to +0.02 %): no edge is "
        "shown; 400 independent outcomes are needed before anything is claimed."
    )


def test_nothing_recorded_claims_nothing() -> None:
    assert summary_of(empty()) == (
        "No scheduled evaluation by the running engine has been recorded yet, so nothing is known of how "
        "good its signals are."
    )
    assert summary_of(empty("BTC")).startswith(
        "No scheduled evaluation for BTC by the running engine has been recorded yet"
    )
    assert verdict_of(empty()) is Verdict.NOTHING


def test_only_neutral_answers_leave_nothing_to_score() -> None:
    silent = record(trades(scored=0, is_open=0, unscorable=0))
    assert summary_of(silent) == (
        "In 31 days none of 744 scheduled evaluations gave LONG or SHORT, so there is nothing to score and "
        "nothing is claimed."
    )


def test_open_and_unscorable_signals_are_named_while_none_is_scored() -> None:
    waiting = record(trades(scored=0, is_open=3, unscorable=1), days=20 / 24, evaluations=20)
    assert summary_of(waiting) == (
        "In 20 hours 4 LONG/SHORT signals were given and none is scored after 4 h yet (3 open, 1 "
        "unscorable), so nothing is claimed."
    )


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (record(), Verdict.TOO_FEW, "400 independent outcomes are needed"),
        (record(trades(wins=200)), Verdict.TOO_FEW, "400 independent outcomes are needed"),
        (told(2_000, net=-0.002), Verdict.BELOW, "no edge is shown, trades lost after costs"),
        (told(2_360), Verdict.UNDECIDED, "no edge is shown, what they earned cannot be told"),
        (told(2_600, net=0.0005), Verdict.UNPAID, "no edge is shown, enough were won"),
        (told(2_600, deflated=sharpe(0.6)), Verdict.CHOSEN, "no edge is shown, the best of the variants"),
        (told(2_600), Verdict.CHOSEN, "no edge is shown, the best of the variants"),
        (told(2_600, deflated=sharpe(0.96)), Verdict.ABOVE, "an edge is shown for this period"),
        (told(2_600, deflated=sharpe(0.96)), Verdict.ABOVE, "no promise"),
    ],
)
def test_each_verdict_has_its_words(found: TrackRecord, verdict: Verdict, words: str) -> None:
    assert verdict_of(found) is verdict
    assert words in summary_of(found)
    assert ("no edge is shown" in summary_of(found)) is (verdict is not Verdict.ABOVE)


@given(
    st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 1), st.floats(-0.01, 0.01), st.booleans(), st.booleans()
)
def test_an_edge_needs_enough_data_and_a_whole_interval_above_break_even(
    share: float, half: float, even: float, net: float, is_enough: bool, is_chosen: bool
) -> None:
    low, high = max(0.0, share - half), min(1.0, share + half)
    engine = replace(
        trades(**MANY),  # type: ignore[arg-type]
        hit_rate_apart=Share(share, low, high, 1_000),
        break_even=even,
        mean_net=Mean(net, net - 0.001, net + 0.001, 4_000, 1_000.0),
    )
    found = record(engine, enough_data=is_enough, deflated=sharpe(0.5 if is_chosen else 0.99))
    is_claimed = "an edge is shown" in summary_of(found)
    assert is_claimed is (verdict_of(found) is Verdict.ABOVE)
    if is_claimed:
        assert is_enough
        assert low > even
        assert net > 0.001
        assert not is_chosen
    assert verdict_of(mirrored(found)) is verdict_of(found)


def test_a_mirrored_record_says_the_same() -> None:
    for found in (record(), told(2_600), empty()):
        assert summary_of(mirrored(found)) == summary_of(found)


def test_rounding_never_moves_an_end_of_the_interval_onto_break_even() -> None:
    stats = replace(trades(), hit_rate_apart=Share(0.6, 0.5764, 0.6212, 900), break_even=0.579)
    rates = rates_of(stats)
    assert rates is not None
    assert (rates.low, rates.high, rates.break_even) == ("57.6", "62.1", "57.9")
    assert rates_of(trades(scored=0)) is None


def test_an_effective_n_is_cut_so_that_it_does_not_reach_what_it_has_not() -> None:
    assert effective_words(replace(trades(), effective_n=399.97)) == "399"
    assert effective_words(replace(trades(), effective_n=12_345.6)) == "12,345"
    assert effective_words(trades(scored=0)) == "-"


def test_one_signal_and_one_hour_are_singular_and_a_coin_is_named() -> None:
    one = record(
        trades(scored=1, wins=1, effective_n=1.0, is_open=0, unscorable=0),
        days=1 / 24,
        evaluations=2,
        symbol="BTC",
    )
    assert summary_of(one).startswith("In 1 hour 1 LONG/SHORT signal was scored for BTC after 4 h: 100 % won")
    assert summary_of(replace(one, to_ms=one.from_ms)).startswith("So far 1 LONG/SHORT signal")


def test_horizons_in_words() -> None:
    assert [horizon_words(one) for one in ("15m", "1h", "4h", "24h")] == ["15 min", "1 h", "4 h", "24 h"]


def test_a_headline_that_no_horizon_has_is_nothing() -> None:
    assert verdict_of(record(horizons=())) is Verdict.NOTHING
    assert "nothing is claimed" in summary_of(record(horizons=()))
