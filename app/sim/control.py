"""Control routes under `/__sim__`: state, calls, faults, events, latency, plan, market clock, Telegram inbox.

For tests, demos and chaos runs; never slowed or broken by faults. Bad input answers 400 with a plain reason.
"""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter, Body, HTTPException

from app.sim.coinglass_plans import PLANS
from app.sim.faults import parse_faults
from app.sim.state import SimState
from app.sim.telegram import TelegramServer


def control_router(state: SimState, telegram: TelegramServer) -> APIRouter:
    """The routes over one simulator's state."""
    router = APIRouter(prefix="/__sim__")

    @router.get("/state")
    async def read_state() -> dict[str, Any]:
        return _describe(state)

    @router.get("/calls")
    async def read_calls() -> dict[str, Any]:
        return {"calls": list(state.calls), "total": state.total_calls}

    @router.post("/reset")
    async def reset() -> dict[str, Any]:
        state.reset()
        return _describe(state)

    @router.put("/faults")
    async def put_faults(items: Any = Body()) -> dict[str, Any]:  # noqa: B008 - the framework's idiom
        try:
            state.install_faults(parse_faults(items, state.market.now_ms()))
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return _describe(state)

    @router.post("/events")
    async def post_events(body: dict[str, Any]) -> dict[str, Any]:
        try:
            state.script.add(body, state.market.now_ms())
        except (KeyError, TypeError, ValueError) as error:
            raise HTTPException(400, f"events: {error}") from error
        return _describe(state)

    _add_settings(router, state)
    _add_telegram(router, telegram)
    return router


def _add_settings(router: APIRouter, state: SimState) -> None:
    @router.put("/latency")
    async def put_latency(body: dict[str, Any]) -> dict[str, Any]:
        state.latency_ms = _number(body, "ms", least=0)
        return _describe(state)

    @router.put("/plan")
    async def put_plan(body: dict[str, Any]) -> dict[str, Any]:
        if body.get("plan") not in PLANS:
            raise HTTPException(400, f"plan: expected one of {PLANS}")
        state.plan = body["plan"]
        return _describe(state)

    @router.put("/clock")
    async def put_clock(body: dict[str, Any]) -> dict[str, Any]:
        if state.clock is None:
            raise HTTPException(409, "the market clock of this simulator cannot be set")
        state.clock.set(int(_number(body, "nowMs", least=0)))
        return _describe(state)


def _add_telegram(router: APIRouter, telegram: TelegramServer) -> None:
    @router.get("/telegram/messages")
    async def read_messages() -> dict[str, Any]:
        return {"messages": telegram.messages, "total": len(telegram.messages)}

    @router.put("/telegram/chats")
    async def put_chats(body: dict[str, Any]) -> dict[str, Any]:
        """`blocked`: chats that threw the bot out; `unknown`: that never were; `moved`: old id to new id."""
        blocked, unknown, moved = body.get("blocked", []), body.get("unknown", []), body.get("moved", {})
        if not isinstance(blocked, list) or not isinstance(unknown, list) or not isinstance(moved, dict):
            raise HTTPException(400, "expected blocked and unknown: lists of chats, moved: chat to new id")
        telegram.blocked, telegram.unknown_chats = set(map(str, blocked)), set(map(str, unknown))
        telegram.moved = {str(old): int(_number(moved, old, least=-math.inf)) for old in moved}
        return {"blocked": sorted(telegram.blocked), "moved": telegram.moved}

    @router.get("/telegram/bot")
    async def read_bot() -> dict[str, Any]:
        """What the bot has set up: its webhook, its menus, its answers to pressed buttons."""
        return {"webhook": telegram.webhook, "menus": telegram.menus, "notices": telegram.notices}

    @router.post("/telegram/updates")
    async def push_update(body: dict[str, Any]) -> dict[str, Any]:
        return telegram.push_update(body)


def _number(body: dict[str, Any], name: str, *, least: float) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise HTTPException(400, f"{name}: expected a number from {least}")
    return value


def _describe(state: SimState) -> dict[str, Any]:
    return {
        "source": state.config.source,
        "plan": state.plan,
        "seed": state.config.seed,
        "speed": state.config.speed,
        "nowMs": state.market.now_ms(),
        "latencyMs": state.latency_ms,
        "coins": [coin.base for coin in state.market.coins()],
        "exchanges": list(state.market.exchanges()),
        "faults": [fault.as_json() for fault in state.faults.faults],
        "totalCalls": state.total_calls,
    }
