"""What a restart must not change: nothing is told twice, and what held before holds after."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.alerting.desk import AlertDesk
from app.core.domain.alerts import ChatSettings, DropReason, GateVerdict, StoredAlert
from app.core.domain.flow import AlertKind, Finding, Phase
from app.core.domain.signal import Direction
from tests.alert_facts import CHAT, NOW_MS, chat, desk, finding, stored

MINUTE_MS = 60_000


class Shop:
    """A desk with the store it writes to; `restart` makes a new desk of what is stored."""

    def __init__(self, *chats: ChatSettings) -> None:
        self.chats = chats
        self.desk: AlertDesk = desk(*chats)
        self.rows: dict[str, StoredAlert] = {}

    def consider(self, *findings: Finding, minutes: float = 0) -> list[GateVerdict]:
        verdicts = self.desk.consider(findings, now_ms=NOW_MS + round(minutes * MINUTE_MS))
        for verdict in verdicts:
            name = verdict.alert.id
            self.rows[name] = stored(verdict, self.rows.get(name))
        return verdicts

    def restart(self) -> None:
        self.desk = desk(*self.chats)
        self.desk.restore(tuple(self.rows.values()))


def later(minutes: float, **changes: object) -> Finding:
    return finding(ts_event_ms=NOW_MS + round(minutes * MINUTE_MS), **changes)


def test_the_same_episode_is_not_told_again() -> None:
    shop = Shop(chat())
    shop.consider(finding())
    shop.restart()
    assert shop.consider(finding()) == []


def test_it_goes_on_growing_in_its_own_message() -> None:
    shop = Shop(chat())
    (first,) = shop.consider(finding())
    shop.restart()
    (grown,) = shop.consider(later(0.5, usd=12e6, ratio=6.0), minutes=0.5)
    assert (grown.alert.id, grown.alert.revision, grown.is_edit) == (first.alert.id, 2, True)


def test_seventy_two_point_four_and_point_six_stay_the_same() -> None:
    shop = Shop(chat())
    shop.consider(finding(confidence=72.4))
    for number, points in enumerate((72.6, 72.4, 72.6), start=1):
        shop.restart()
        minutes = 6.0 * number
        again = later(minutes, episode=f"e{number + 1}", confidence=points)
        (verdict,) = shop.consider(again, minutes=minutes)
        assert verdict.reason is DropReason.NO_CHANGE


def test_cooldown_flip_and_cap_hold() -> None:
    shop = Shop(chat(hourly_cap=2))
    for symbol in ("BTC", "ETH"):
        long = finding(symbol=symbol, kind=AlertKind.ACCUMULATION, direction=Direction.LONG, phase=None)
        assert shop.consider(long)[0].chats == (CHAT,)
    shop.restart()
    again = later(0.5, kind=AlertKind.ACCUMULATION, direction=Direction.LONG, phase=None, episode="e2")
    opposite = later(
        0.5, kind=AlertKind.DISTRIBUTION, direction=Direction.SHORT, phase=None, symbol="ETH", burst="b2"
    )
    other = later(0.5, symbol="SOL", usd=60_000.0, ratio=1.2)
    reasons = [shop.consider(found, minutes=0.5)[0].reason for found in (again, opposite, other)]
    assert reasons == [DropReason.NO_CHANGE, DropReason.FLIP, DropReason.HOURLY_CAP]


def test_a_chat_that_was_not_told_is_told_what_it_then_may_hear() -> None:
    shop = Shop(chat(), chat("telegram:-2", mute={"*": NOW_MS + MINUTE_MS}))
    assert shop.consider(finding())[0].dropped == {"telegram:-2": DropReason.MUTED}
    shop.restart()
    (verdict,) = shop.consider(later(2), minutes=2)
    assert (verdict.chats, verdict.is_edit) == (("telegram:-2",), False)


def test_what_nobody_was_there_to_hear_is_not_kept_twice() -> None:
    shop = Shop()
    assert shop.consider(finding())[0].reason is DropReason.NO_CHAT
    shop.restart()
    assert shop.consider(finding()) == []


def test_the_newest_revision_may_be_one_that_this_chat_was_not_shown() -> None:
    shop = Shop(chat())
    shop.consider(finding())
    shop.chats = (chat(mute={"*": NOW_MS + MINUTE_MS}),)
    shop.restart()
    assert shop.consider(later(0.5, usd=12e6, ratio=6.0), minutes=0.5)[0].chats == ()
    shop.restart()
    (verdict,) = shop.consider(later(2, usd=12e6, ratio=6.0), minutes=2)
    assert verdict.chats == (CHAT,)


def test_a_delivery_that_cannot_be_read_counts_as_told() -> None:
    shop = Shop(chat())
    shop.consider(finding())
    rows = [
        replace(row, deliveries=tuple(replace(item, body="{") for item in row.deliveries))
        for row in shop.rows.values()
    ]
    fresh = desk(chat())
    fresh.restore(rows)
    assert fresh.consider([finding()], now_ms=NOW_MS) == []


def test_what_another_process_told_is_known_after_taking_over() -> None:
    shop = Shop(chat())
    here, there = shop.desk, desk(chat())
    shop.consider(finding())
    shop.consider(later(0.5, usd=12e6, ratio=6.0), minutes=0.5)
    assert there.consider([finding(symbol="ETH", ratio=6.0)], now_ms=NOW_MS)[0].chats == (CHAT,)
    there.restore(tuple(shop.rows.values()))
    there.restore(tuple(shop.rows.values()))
    shop.desk = there
    (grown,) = shop.consider(later(1, usd=24e6, ratio=12.0), minutes=1)
    assert (grown.alert.revision, grown.is_edit) == (3, True)
    here.restore(tuple(shop.rows.values()))
    shop.desk = here
    assert shop.consider(later(1.5, usd=24e6, ratio=12.0), minutes=1.5) == []
    (end,) = shop.consider(later(2, usd=48e6, ratio=24.0, is_final=True), minutes=2)
    assert (end.alert.revision, end.is_edit) == (4, True)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "ETH"]),
        st.integers(1, 3),  # episode
        st.integers(0, 180),  # seconds since the step before
        st.sampled_from([65.0, 72.4, 72.6, 83.0]),
        st.sampled_from([1e6, 2.5e6, 6e6]),
        st.sampled_from(["go on", "restart", "take over"]),  # before it
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS)
def test_wherever_it_restarts_no_message_is_sent_twice(
    steps: list[tuple[str, int, int, float, float, str]],
) -> None:
    shop = Shop(chat(hourly_cap=5))
    told: list[tuple[str, int]] = []
    said: dict[str, int] = {}
    seconds = 0
    for symbol, number, pause, points, usd, before in steps:
        seconds += pause
        if before == "restart":
            shop.restart()
        elif before == "take over":
            shop.desk.restore(tuple(shop.rows.values()))
        step = later(
            seconds / 60,
            symbol=symbol,
            episode=f"{symbol}{number}",
            burst=f"{symbol}{number}",
            confidence=points,
            usd=usd,
            ratio=usd / 2e6,
            phase=Phase.BUILDING,
        )
        for verdict in shop.consider(step, minutes=seconds / 60):
            if verdict.chats and not verdict.is_edit:
                told.append((verdict.alert.id, seconds))
                assert seconds - said.get(symbol, -300) >= 300
            if verdict.chats:
                said[symbol] = seconds
    assert len({name for name, _ in told}) == len(told)
    assert all(sum(1 for _, at in told if start <= at < start + 3_600) <= 5 for _, start in told)
