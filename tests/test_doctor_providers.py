"""Probes of providers, streams and messages against the simulator: good, refused, away, and nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.core.domain.flow import LinkState, LinkStatus
from app.doctor_run import Finding, Status
from app.doctor_stream import judge_link
from app.services.transport.question import QuestionClient
from app.sim.telegram import TelegramServer
from app.simulator_child import provider_settings
from tests.doctor_rig import at, deployment, finding, market, rows
from tests.live_rig import NOW_MS, LiveSim, closed_port, fault

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP
PROVIDERS = ("okx", "btc_price", "coinglass_key", "coinglass_plan", "coinglass_quota")
PROVIDERS += ("coinapi", "lunarcrush", "fear_greed")
TELEGRAM = ("telegram_bot", "telegram_chats", "telegram_webhook", "telegram_test_message")
NOWHERE = {name: "" for name in ("COINGLASS_API_KEY", "COINAPI_KEY", "LUNARCRUSH_API_KEY")}
DAY_MS = 86_400_000


async def found(settings: Mapping[str, str], *names: str, **more: Any) -> dict[str, Finding]:
    given = deployment(settings, **more)
    return {row.name: row.finding for row in await rows(given, *names)}


def statuses(told: Mapping[str, Finding]) -> dict[str, Status]:
    return {name: one.status for name, one in told.items()}


async def test_everything_is_good_at_a_market_that_works() -> None:
    async with market() as (sim, clock):
        told = await found(at(sim), *PROVIDERS, *TELEGRAM, clock=clock)
        sent = [call for call in sim.calls("telegram") if call["endpoint"].startswith("send")]
    assert statuses(told) == dict.fromkeys([*PROVIDERS, *TELEGRAM], OK) | {"telegram_test_message": SKIP}
    assert told["coinglass_plan"].detail.startswith("plan standard, ")
    assert told["coinglass_plan"].detail.endswith("until 2026-06-11")
    assert "of 300 calls" in told["coinglass_quota"].detail
    assert "says okx" in told["btc_price"].detail
    assert sent == []


async def test_without_keys_public_data_is_enough() -> None:
    async with market() as (sim, clock):
        told = await found(at(sim, **NOWHERE), *PROVIDERS, "coinglass_stream", clock=clock)
    assert {name for name, status in statuses(told).items() if status is OK} == {
        "okx",
        "btc_price",
        "fear_greed",
    }
    assert {one.status for one in told.values()} == {OK, SKIP}


async def test_keys_that_are_refused_fail_and_name_their_setting() -> None:
    bad = {"COINGLASS_API_KEY": "bad-key", "COINAPI_KEY": "bad-key", "LUNARCRUSH_API_KEY": "bad-key"}
    async with market() as (sim, clock):
        told = await found(at(sim, **bad), *PROVIDERS, "coinglass_stream", clock=clock)
    for name in ("coinglass_key", "coinapi", "lunarcrush"):
        assert told[name].status is FAIL, name
        assert "_KEY again" in told[name].mend, name
    assert told["coinglass_stream"].status is FAIL
    assert "refuses the stream" in told["coinglass_stream"].detail
    assert statuses(told)["coinglass_plan"] is SKIP
    assert statuses(told)["btc_price"] is OK


async def test_a_small_plan_has_no_stream_and_says_what_it_lacks() -> None:
    async with market(plan="hobbyist") as (sim, clock):
        told = await found(at(sim), "coinglass_plan", "coinglass_stream", "coinglass_key", clock=clock)
    assert statuses(told) == {"coinglass_key": OK, "coinglass_plan": OK, "coinglass_stream": FAIL}
    assert "plan hobbyist, which lacks" in told["coinglass_plan"].detail


@pytest.mark.parametrize(
    ("account", "status", "word"),
    [
        ({"level": "STANDARD", "expired": True}, FAIL, "has lapsed"),
        ({"level": "STANDARD", "expired": False, "expire_time": NOW_MS + 2 * DAY_MS}, WARN, "it ends on"),
        ({"level": "STANDARD"}, OK, "plan standard"),
        (None, WARN, "does not say"),
    ],
)
async def test_the_end_of_a_plan_is_told(account: object, status: Status, word: str) -> None:
    body = {"code": "0", "msg": "success", "data": account}
    async with market() as (sim, clock):
        sim.break_with(fault("coinglass", "body", body, endpoint="user_account_subscription"))
        told = await found(at(sim), "coinglass_plan", clock=clock)
    assert (told["coinglass_plan"].status, word in told["coinglass_plan"].detail) == (status, True), told


async def test_a_budget_that_somebody_else_spends_is_told() -> None:
    async with market(plan="hobbyist") as (sim, clock):
        key = {"CG-API-KEY": provider_settings("")["COINGLASS_API_KEY"]}
        await _spend(sim.url, key, 27)
        told = await found(at(sim), "coinglass_quota", clock=clock)
    assert told["coinglass_quota"].status is WARN, told
    assert "of 30 calls" in told["coinglass_quota"].detail


async def _spend(url: str, headers: dict[str, str], calls: int) -> None:
    client = QuestionClient()
    for _ in range(calls):
        await client.ask("sim", f"{url}/coinglass/api/user/account/subscription", headers=headers)
    await client.aclose()


async def test_providers_that_are_away_fail_where_the_service_is_blind_without_them() -> None:
    nobody = f"http://127.0.0.1:{closed_port()}"
    away = {name: nobody for name in provider_settings("") if name.endswith("_BASE_URL")}
    socket = nobody.replace("http", "ws")
    keys = {name: "k" * 20 for name in NOWHERE}
    settings = away | keys | {"OKX_WS_URL": socket, "COINGLASS_WS_URL": socket, "TELEGRAM_BOT_TOKEN": "1:x"}
    told = await found(settings, *PROVIDERS, "okx_stream", "coinglass_stream", "telegram_bot", listen_s=3.0)
    failing = {"okx", "btc_price", "coinglass_key", "okx_stream", "coinglass_stream", "telegram_bot"}
    assert {name for name, one in told.items() if one.status is FAIL} == failing
    warned = {"coinglass_plan", "coinapi", "lunarcrush", "fear_greed"}
    assert {name for name, one in told.items() if one.status is WARN} == warned
    assert "connection refused" in told["okx_stream"].detail


async def test_streams_connect_subscribe_and_tell_something() -> None:
    body = {"base": "BTC", "exchange": "Binance", "liquidated": "long", "price_usd": 120_000, "usd": 5_000}
    async with market() as (sim, clock):
        sim.state.script.add({"liquidations": [body]}, clock.now_ms())
        quiet = await found(at(sim), "coinglass_stream", clock=clock, listen_s=0.5)
        loud = await found(at(sim), "okx_stream", clock=clock)
    assert quiet["coinglass_stream"].status is OK
    assert loud["okx_stream"].status is OK
    assert "events heard" in loud["okx_stream"].detail


def link(state: LinkState, **more: Any) -> LinkStatus:
    nothing = {"detail": "", "connected_ms": None, "last_data_ms": None, "frames": 0, "events": 0}
    return LinkStatus("okx", state, **(nothing | {"rejects": {}, "reconnects": 0, "gaps": 0} | more))


def test_a_link_is_judged_by_what_it_did() -> None:
    told = {
        "heard": judge_link(link(LinkState.LIVE, events=3, connected_ms=1)),
        "quiet": judge_link(link(LinkState.SILENT, connected_ms=1)),
        "odd": judge_link(link(LinkState.SILENT, connected_ms=1, rejects={"bad_side": 2})),
        "away": judge_link(link(LinkState.CONNECTING)),
        "refused": judge_link(link(LinkState.REFUSED, detail="HTTP 401")),
    }
    assert statuses(told) == {"heard": OK, "quiet": OK, "odd": WARN, "away": FAIL, "refused": FAIL}


async def test_a_wrong_token_and_chats_that_are_gone_are_told() -> None:
    async with market() as (sim, clock):
        wrong = await found(at(sim, TELEGRAM_BOT_TOKEN="bad-key"), *TELEGRAM[:3], clock=clock)
        telegram = _telegram(sim)
        telegram.blocked, telegram.unknown_chats = {"-100"}, {"7"}
        gone = await found(at(sim, TELEGRAM_CHAT_ID="-100,7,8"), "telegram_chats", clock=clock)
    assert statuses(wrong) == {"telegram_bot": FAIL, "telegram_chats": SKIP, "telegram_webhook": SKIP}
    assert gone["telegram_chats"].status is FAIL
    assert gone["telegram_chats"].detail.startswith("2 of 3 chats cannot be reached: -100 (Forbidden")


def _telegram(sim: LiveSim) -> TelegramServer:
    owners = (getattr(reset, "__self__", None) for reset in sim.state.resets)
    return next(owner for owner in owners if isinstance(owner, TelegramServer))


WEBHOOK = {
    "TELEGRAM_MODE": "webhook",
    "PUBLIC_URL": "https://signals.example.com",
    "TELEGRAM_WEBHOOK_SECRET": "s3cr3t-of-the-hook",
}
OURS = "https://signals.example.com/telegram/webhook"


@pytest.mark.parametrize(
    ("settings", "url", "status", "word"),
    [
        ({}, "", OK, "no webhook"),
        ({"TELEGRAM_MODE": "off"}, OURS, WARN, "another deployment"),
        (WEBHOOK, "", WARN, "no webhook is set yet"),
        (WEBHOOK, OURS, OK, "is ours"),
        (WEBHOOK, "https://old.example.com/telegram/webhook", FAIL, "another address"),
    ],
)
async def test_the_webhook_fits_the_mode(
    settings: dict[str, str], url: str, status: Status, word: str
) -> None:
    async with market() as (sim, clock):
        _telegram(sim).webhook = {"url": url} if url else None
        told = await found(at(sim, **settings), "telegram_webhook", clock=clock)
    assert (told["telegram_webhook"].status, word in told["telegram_webhook"].detail) == (status, True)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"last_error_message": "Connection timed out"}, "Connection timed out"),
        ({"pending_update_count": 500}, "500 updates wait"),
    ],
)
async def test_a_webhook_that_is_not_taken_is_told(more: dict[str, Any], word: str) -> None:
    body = {"ok": True, "result": {"url": OURS, **more}}
    async with market() as (sim, clock):
        sim.break_with(fault("telegram", "body", body, endpoint="getWebhookInfo"))
        told = await found(at(sim, **WEBHOOK), "telegram_webhook", clock=clock)
    assert (told["telegram_webhook"].status, word in told["telegram_webhook"].detail) == (WARN, True)


async def test_a_message_is_sent_when_it_is_asked_for_by_name() -> None:
    async with market() as (sim, clock):
        settings = at(sim, TELEGRAM_CHAT_ID="41,-42")
        told = await found(settings, "telegram_test_message", clock=clock, sends_test_message=True)
        messages = [(one["chat"]["id"], one["text"][:12]) for one in _telegram(sim).messages]
        _telegram(sim).blocked = {"41"}
        refused = await found(settings, "telegram_test_message", clock=clock, sends_test_message=True)
    assert told["telegram_test_message"] == Finding(OK, "2 chats were told")
    assert messages == [(41, "Test message"), (-42, "Test message")]
    assert refused["telegram_test_message"].status is FAIL


async def test_a_webhook_of_others_is_knocked_at_and_not_called() -> None:
    async with market() as (sim, _):
        answers = await finding("alert_webhook", {"ALERT_WEBHOOK_URL": f"{sim.url}/__sim__/state"})
        absent = await finding("alert_webhook", {"ALERT_WEBHOOK_URL": f"{sim.url}/not/there"})
    nobody = await finding("alert_webhook", {"ALERT_WEBHOOK_URL": f"http://127.0.0.1:{closed_port()}/x"})
    none = await finding("alert_webhook")
    assert (answers.status, absent.status, nobody.status, none.status) == (OK, WARN, WARN, SKIP)
    assert "HTTP 405" in answers.detail
