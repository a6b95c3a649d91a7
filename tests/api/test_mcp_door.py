"""The life of the MCP door: opened by the first visitor, shut with the process; and when it does not open."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.api.errors import McpUnavailable
from app.api.mcp_door import McpDoor

ROOT = Path(__file__).resolve().parents[2]
SCOPE = {"type": "http", "path": "/mcp"}


class FakeServer:
    """Answers by counting; remembers the tasks that entered and left it."""

    def __init__(self) -> None:
        self.answered = 0
        self.entered: asyncio.Task[Any] | None = None
        self.left: asyncio.Task[Any] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.entered = asyncio.current_task()
        try:
            yield
        finally:
            self.left = asyncio.current_task()

    async def handle(self, *_: Any) -> None:
        self.answered += 1


async def visit(door: McpDoor) -> None:
    await door(SCOPE, None, None)  # type: ignore[arg-type]  # the fake reads neither


async def test_nobody_asked_nothing_built() -> None:
    built: list[FakeServer] = []
    door = McpDoor(lambda: built.append(FakeServer()) or built[0])  # type: ignore[func-returns-value]
    async with door.running():
        await asyncio.sleep(0)
    assert built == []


async def test_visitors_at_once_wait_for_one_server_that_one_task_enters_and_leaves() -> None:
    built: list[FakeServer] = []

    def build() -> FakeServer:
        built.append(FakeServer())
        return built[-1]

    door = McpDoor(build)
    async with door.running():
        await asyncio.gather(*(visit(door) for _ in range(20)))
        (server,) = built
        assert (server.answered, server.left) == (20, None)
    assert server.entered is server.left is not None
    assert server.entered is not asyncio.current_task()


async def test_a_visitor_who_leaves_while_it_opens_does_not_shut_it_for_the_others() -> None:
    server, go_on = FakeServer(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def build() -> FakeServer:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return server

    door = McpDoor(build)
    async with door.running():
        impatient, patient = (asyncio.create_task(visit(door)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        go_on.set()
        await patient
    assert server.answered == 1


async def test_before_and_after_the_process_everybody_is_told_to_come_back() -> None:
    door = McpDoor(FakeServer)
    with pytest.raises(McpUnavailable):
        await visit(door)
    async with door.running():
        await visit(door)
    with pytest.raises(McpUnavailable):
        await visit(door)
    async with door.running():  # a second life, as tests and reloads have it
        await visit(door)


async def test_a_server_that_cannot_be_built_is_logged_once_and_refused_to_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def build() -> FakeServer:
        raise ImportError("no such library")

    door = McpDoor(build)
    async with door.running():
        waiting = await asyncio.gather(*(visit(door) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in waiting] == [McpUnavailable] * 3
        with pytest.raises(McpUnavailable):
            await visit(door)
    (line,) = [line for line in caplog.records if line.name == "app.api.mcp_door"]
    assert line.getMessage() == "the MCP server ended"


async def test_who_waits_when_the_process_ends_is_told() -> None:
    never = asyncio.Event()
    loop = asyncio.get_running_loop()
    pending: list[Any] = []

    def build() -> FakeServer:
        pending.append(asyncio.run_coroutine_threadsafe(never.wait(), loop))
        pending[0].result()
        return FakeServer()

    door = McpDoor(build)
    async with door.running():
        waiting = asyncio.create_task(visit(door))
        while not pending:  # noqa: ASYNC110 - the thread that builds says so by filling the list
            await asyncio.sleep(0)
    never.set()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], McpUnavailable)


def test_the_application_is_composed_without_loading_the_library() -> None:
    code = (
        "import sys\n"
        "from app.bootstrap import build\n"
        "from app.settings import load_settings\n"
        "build(load_settings({'DATABASE_URL': 'sqlite:///x.db'}))\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in {'mcp', 'mcp_types'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
