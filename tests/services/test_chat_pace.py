"""Answers wait on the same pacer as alerts, and alerts on answers."""

from __future__ import annotations

import math

from app.core.clock import ManualClock
from app.services.chat_pace import LONGEST_WAIT_S, SharedPace
from app.services.streaming.pacing import TELEGRAM_PACE, Pacer

CHAT = "telegram:-1001"


def make() -> tuple[Pacer, SharedPace, list[float]]:
    clock, slept = ManualClock(), list[float]()
    pacer = Pacer({"telegram": TELEGRAM_PACE}, monotonic=clock.monotonic_s)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.tick(seconds)

    return pacer, SharedPace(pacer, sleep=sleep), slept


async def test_an_answer_waits_for_the_alert_before_it_and_the_next_alert_for_the_answer() -> None:
    pacer, pace, slept = make()
    pacer.took(CHAT, is_edit=False)
    await pace(CHAT)
    assert 1.0 <= sum(slept) <= 1.1
    assert pacer.held_for_s(CHAT) > 1.0


async def test_another_chat_is_not_waited_for() -> None:
    pacer, pace, slept = make()
    pacer.took(CHAT, is_edit=False)
    await pace("telegram:42")
    assert slept == []


async def test_a_hold_for_good_is_waited_for_no_longer_than_a_minute() -> None:
    pacer, pace, slept = make()
    pacer.hold("telegram", for_s=math.inf)
    await pace(CHAT)
    assert sum(slept) == LONGEST_WAIT_S
