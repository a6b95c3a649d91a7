"""The conversation: who is answered, how commands and buttons are read, and that no failure gets through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from app.core.chat_ports import Inquiries, Reply, ServiceReport
from app.core.clock import ManualClock
from app.core.domain.alerts import (
    AlertQuery,
    ChatSettings,
    DropReason,
    Language,
    OutboxDepth,
    StoredAlert,
)
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind, LinkState, LinkStatus, PipelineStatus
from app.core.domain.outcomes import SetupTally
from app.core.domain.status import DependencyState, DependencyStatus, ProviderState, ProviderStatus
from app.core.domain.stored import LiquidatedSide, Page
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import NoPriceAvailable, ServiceError, StorageUnavailable
from app.services.chat_service import ChatService
from app.sim.telegram_text import entity_error
from tests.alert_facts import NOW_MS, alert
from tests.chat_rig import CHAT, FOREIGN, KNOWN, OTHER, MemoryStore, make_book, make_chat, report

ALERT_ID = "0123456789abcdef"
FATES = {"kept": 2, "edited": 5, "flip": 3}


@dataclass(slots=True)
class Market:
    """A market in which every signal fails in the way a test wants, and nothing else is asked."""

    error: Exception

    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, KNOWN)

    async def signal(self, text: str, mode: Any, timeframe: str) -> Any:
        raise self.error


@dataclass(slots=True)
class Alerts:
    """A history of alerts."""

    rows: tuple[StoredAlert, ...] = ()
    is_away: bool = False

    async def one(self, alert_id: str) -> StoredAlert | None:
        if self.is_away:
            raise StorageUnavailable("the database does not answer")
        return next((row for row in self.rows if row.alert.id == alert_id), None)

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        return Page(tuple(row for row in self.rows if row.alert.symbol == query.symbol)[: query.limit], None)


@dataclass(slots=True)
class Outcomes:
    tallies: Sequence[SetupTally]

    async def counts(self) -> Sequence[SetupTally]:
        return self.tallies


def talk(error: Exception | None = None, *, store: MemoryStore | None = None, **more: Any) -> ChatService:
    parts = {name: more.pop(name) for name in ("alerts", "outcomes") if name in more}
    nothing = cast(Any, None)
    market = Market(error or RuntimeError("not asked"))
    inquiries = Inquiries(market, nothing, nothing, nothing, nothing, **parts)
    return make_chat(make_book(store or MemoryStore()), ManualClock(NOW_MS), inquiries, **more)


async def say(chat: ChatService, text: str, who: str = CHAT, *, is_callback: bool = False) -> str:
    """Plain text of the one message of the answer, whose markup must be sound."""
    reply = await chat.answer(who, text, is_callback=is_callback)
    assert len(reply.messages) == 1
    assert entity_error(reply.messages[0].html, "HTML") is None
    return reply.messages[0].plain


async def test_chats_that_are_not_configured_get_nothing_and_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = talk()
    for text in ("/start", "/mute BTC", "/status"):
        assert chat.knows(FOREIGN) is False
        assert await chat.answer(FOREIGN, text) == Reply()
    assert await chat.answer(FOREIGN, "mute:BTC:1", is_callback=True) == Reply()
    assert chat.knows(CHAT) is True
    assert len([record for record in caplog.records if "TELEGRAM_CHAT_ID" in record.message]) == 1


async def test_many_foreign_chats_are_remembered_and_logged_within_bounds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = talk()
    for number in range(1_100):
        chat.knows(f"telegram:{number + 1_000_000}")
    assert len(caplog.records) == 1_000


@pytest.mark.parametrize("text", ["", "hello", "signal BTC", "/", "//", "/<b>", "/ signal", "💥", "\x00"])
async def test_what_is_no_command_is_not_answered(text: str) -> None:
    assert await talk().answer(CHAT, text) == Reply()


@pytest.mark.parametrize("text", ["/cooldown 10", "/COOLDOWN 10", "  /Cooldown \n 10  ", "/cooldown\t10"])
async def test_commands_are_read_in_any_case_and_spacing(text: str) -> None:
    assert await say(talk(), text) == "The same thing is said again after 10 min at the earliest."


async def test_an_unknown_command_names_those_that_look_like_it() -> None:
    assert await say(talk(), "/signl BTC") == "There is no command /signl. See /help. Did you mean /signal?"


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (NoPriceAvailable("BTC", ("okx ticker: timeout",)), "No price for BTC"),
        (StorageUnavailable("reading state"), "The database cannot be asked"),
        (ServiceError("<b>odd</b>"), "That did not work: <b>odd</b>"),
        (RuntimeError("canary-secret"), "Internal error"),
        (KeyError("x"), "Internal error"),
    ],
)
async def test_every_failure_is_a_text_and_the_next_command_works(error: Exception, part: str) -> None:
    chat = talk(error)
    said = await say(chat, "/signal BTC")
    assert part in said
    assert "canary" not in said
    assert await say(chat, "/track")


async def test_a_bug_is_logged_with_its_command(caplog: pytest.LogCaptureFixture) -> None:
    await say(talk(ZeroDivisionError()), "/signal BTC")
    assert caplog.records[-1].exc_info is not None
    assert caplog.records[-1].__dict__["command"] == "signal"


async def test_an_answer_that_takes_too_long_says_so() -> None:
    async def hanging() -> ServiceReport:
        await asyncio.Event().wait()
        raise AssertionError

    assert await say(talk(report=hanging, deadline_s=0.01), "/status") == (
        "No answer within 0.01 s. Please try again."
    )


@pytest.mark.parametrize("text", ["/signal PEPP", "/why PEPP", "/liq PEPP", "/oi PEPP", "/mute PEPP"])
async def test_an_unknown_coin_is_refused_everywhere(text: str) -> None:
    assert await say(talk(), text) == "No source lists PEPP. Did you mean PEPE?"


@pytest.mark.parametrize(
    "text", ["/signal", "/why", "/liq BTC ETH", "/heatmap", "/funding", "/oi", "/details x"]
)
async def test_missing_arguments_are_answered_with_the_usage(text: str) -> None:
    command = text.split()[0]
    assert (await say(talk(), text)).splitlines()[1].startswith(command)


@pytest.mark.parametrize("name", ["<b>", "&amp;", "<script>alert(1)</script>", "A" * 5_000, "\u202eBTC"])
async def test_hostile_arguments_are_refused_in_sound_markup(name: str) -> None:
    assert await say(talk(), f"/signal {name}")


async def test_a_button_mutes_for_an_hour_and_says_so_beside_it() -> None:
    chat = talk()
    reply = await chat.answer(CHAT, "mute:NEWCOIN:1", is_callback=True)
    assert reply.notice == reply.messages[0].plain == "NEWCOIN is muted for 1 h."
    assert "NEWCOIN muted for another 60 min" in await say(chat, "/list")


async def test_the_button_of_a_market_wide_alert_does_not_mute_every_coin() -> None:
    chat = talk()
    await chat.answer(CHAT, "mute:ALL:1", is_callback=True)
    listed = await say(chat, "/list")
    assert "ALL muted" in listed
    assert "All coins muted" not in listed


@pytest.mark.parametrize(
    "data", ["mute:btc:1", "mute:BTC", "mute:BTC:", "details:", "details:XYZ", "other", ""]
)
async def test_data_that_no_button_of_ours_holds_is_not_answered(data: str) -> None:
    assert await talk().answer(CHAT, data, is_callback=True) == Reply()


async def test_mute_data_out_of_bounds_is_refused() -> None:
    assert (await say(talk(), "mute:BTC:999", is_callback=True)).endswith("/mute COIN|* [HOURS]")


async def test_details_show_evidence_context_and_the_fate_in_this_chat() -> None:
    stored = StoredAlert(alert(), None, {CHAT: DropReason.QUIET_HOURS})
    said = await say(talk(alerts=Alerts((stored,))), f"details:{ALERT_ID}", is_callback=True)
    lines = said.splitlines()
    assert lines[0] == "[DEMO] BTC LONG, Liquidation cascade"
    assert "longs closed by force (selling)" in lines
    assert "• side_share_frac 1" in lines
    assert "Confidence 82 (81 before record and context)" in lines
    assert "Not sent: quiet hours" in lines
    assert f"Alert {ALERT_ID}, revision 1" in lines


async def test_a_mirrored_alert_is_told_mirrored() -> None:
    mirrored = alert(side=LiquidatedSide.SHORT)
    said = await say(talk(alerts=Alerts((StoredAlert(mirrored, None, {}),))), f"/details {ALERT_ID}")
    assert "shorts closed by force (buying)" in said
    assert "longs closed" not in said


@pytest.mark.parametrize(
    ("kind", "usd", "window_s", "expected"),
    [
        ("STOP_HUNT", 6e6, 30, "$6.00M in 30 s, 3 times the threshold of its tier"),
        ("ACCUMULATION", 6e6, 300, "$6.00M in 5 min\n"),
        ("WHALE_POSITION", 6e6, 0, "$6.00M\n"),
        ("FUNDING_EXTREME", 0.0, 0, ""),
    ],
)
async def test_a_size_is_measured_with_what_its_kind_has(
    kind: str, usd: float, window_s: int, expected: str
) -> None:
    shown = replace(alert(), kind=AlertKind(kind), usd=usd, window_s=window_s, ratio=3.0)
    said = await say(talk(alerts=Alerts((StoredAlert(shown, None, {}),))), f"/details {ALERT_ID}")
    assert expected in said
    assert ("times the threshold" in said) == (kind == "STOP_HUNT")
    assert "in 0 s" not in said
    assert "$0\n" not in said


async def test_details_of_an_alert_that_is_not_stored_and_of_a_store_that_is_away() -> None:
    assert ALERT_ID in await say(talk(), f"details:{ALERT_ID}", is_callback=True)
    away = talk(alerts=Alerts(is_away=True))
    assert "database" in await say(away, f"details:{ALERT_ID}", is_callback=True)


async def test_details_of_hostile_names_stay_text() -> None:
    hostile = alert(
        symbol="<b>X</b>",
        feeds=("<i>",),
        evidence=(("<u>x</u>", 1.5),),
        percentile=None,
        price=None,
        levels=None,
    )
    said = await say(talk(alerts=Alerts((StoredAlert(hostile, None, {}),))), f"/details {ALERT_ID}")
    assert "<b>X</b>" in said
    assert "• <u>x</u> 1.5" in said
    assert "Price not known" in said


async def test_the_record_claims_nothing_below_thirty_outcomes() -> None:
    tallies = (
        SetupTally("STOP_HUNT", "LONG", 1, 60, 33, None, 60),
        SetupTally("OI_SPIKE", "SHORT", 2, 29, 29, None, 29),
    )
    said = await say(talk(outcomes=Outcomes(tallies)), "/track")
    assert "Liquidation cascade, long, largest coins: 33 of 60 won, 55 % (95 %: 42 to 67 %)" in said
    assert "Open interest spike, short, large coins: n below 30 (29)" in said
    assert "100 %" not in said
    assert "no scored record is kept here" in said


async def test_a_setting_that_could_not_be_saved_says_so_and_is_in_force() -> None:
    store = MemoryStore(is_away=True)
    chat = talk(store=store)
    assert "database does not answer" in await say(chat, "/threshold * 250k")
    assert "• All coins from $250,000" in await say(chat, "/list")
    assert "1 settings are not saved yet" in await say(chat, "/status")


async def test_the_language_changes_with_the_very_answer() -> None:
    chat = talk()
    assert await say(chat, "/language id") == "Chat ini berbahasa Indonesia."
    assert "Perintah" in await say(chat, "/help")
    assert "Commands" not in await say(chat, "/help", OTHER)


async def test_a_disabled_chat_that_speaks_is_told_things_again() -> None:
    book = make_book(MemoryStore(), ChatSettings(CHAT, is_disabled=True))
    await say(make_chat(book, ManualClock(NOW_MS)), "/start")
    assert book.all()[0].is_disabled is False


async def test_status_names_what_is_wrong_and_only_that() -> None:
    link = LinkStatus("coinglass", LinkState.SILENT, "", NOW_MS, NOW_MS - 90_000, 5, 12_345, {"x": 2}, 3, 1)
    pipeline = PipelineStatus(NOW_MS - 7_200_000, 9, 0, 0, 0, 0, 1, 1, FATES, 250)

    async def now() -> ServiceReport:
        ready = (await report()).ready
        well = ProviderStatus("okx", ProviderState.OK, None, None, "closed", None, None, None)
        ill = replace(well, provider="coinglass", state=ProviderState.DOWN, last_error="timeout <x>")
        store = DependencyStatus("store", DependencyState.DOWN, "disk full")
        whole = replace(ready, providers=(well, ill), dependencies=(store,))
        off = replace(link, source="spare", state=LinkState.OFF)
        outbox = OutboxDepth(4, 1, 2, 0, NOW_MS - 30_000)
        return ServiceReport(whole, (link, off), pipeline, outbox, ("<stuck>",))

    said = await say(talk(report=now, dashboard_url="https://signals.example.com"), "/status")
    assert "coinglass: down (timeout <x>)" in said
    assert "store: down (disk full)" in said
    assert "stream coinglass: silent, newest 90 s ago, 12,345 events, 2 unreadable, 3 reconnects" in said
    assert "Running 2.0 h: 9 liquidations, lag 0.2 s, 2 alerts kept, 3 left out" in said
    assert "⚠ <stuck>" in said
    assert "Outbox: 5 waiting (oldest 30 s ago), 2 not delivered" in said
    assert "spare" not in said
    assert "okx" not in said


async def test_only_answers_about_the_service_offer_the_dashboard() -> None:
    chat = talk(dashboard_url="https://signals.example.com")
    reply = await chat.answer(CHAT, "/start")
    assert reply.messages[0].buttons == ((("Open dashboard", "https://signals.example.com"),),)
    assert (await talk().answer(CHAT, "/start")).messages[0].buttons == ()


@pytest.mark.parametrize("mode", [DataMode.DEMO, DataMode.LIVE])
async def test_demo_is_marked_and_live_is_not(mode: DataMode) -> None:
    assert (await say(talk(data_mode=mode), "/track")).startswith("[DEMO] ") is (mode is DataMode.DEMO)


async def test_indonesian_speaks_indonesian() -> None:
    book = make_book(MemoryStore(), ChatSettings(CHAT, language=Language.ID))
    assert "bukan saran investasi" in await say(make_chat(book, ManualClock(NOW_MS)), "/track")
