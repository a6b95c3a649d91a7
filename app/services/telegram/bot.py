"""The bot's side of the conversation: reads updates by polling or webhook, has them answered, confirms them.

An update is confirmed only after it was handled, so a kill costs nobody an answer; one that cannot be read is
stepped over. Calls of the library are never cancelled but bounded by their own timeouts; on stop they get a
moment, then their connections are closed. Nothing here raises but for a stop, so alerts go on whatever this
does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from telegram.error import Conflict, InvalidToken, TelegramError

from app.core.chat_ports import BotState, BotStatus, Conversation
from app.core.errors import ConfigurationError
from app.services.telegram.answers import MAX_WAIT_S, AnswerSender, Fate, Pace, Spacing
from app.services.telegram.client import PollingBot
from app.services.telegram.connection import FloodWait
from app.services.telegram.updates import Incoming, Json, read_update, update_id_of

POLL_S = 25
BATCH = 50
MAX_QUEUED = 1_000
MAX_PER_MINUTE = 20  # commands of one chat: as many as a group may be answered
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
CONFLICT_PAUSE_S = 5.0
STOP_S = 3.0
REMEMBERED = 2_000  # updates, so that one pushed twice is answered once
T = TypeVar("T")
Menus: TypeAlias = Mapping[str, Sequence[tuple[str, str]]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotConfig:
    """How the bot is reached. base_url: of the Bot API, without `/bot`. webhook_url: https address of our
    `/telegram/webhook`. menus: commands with what they do by language code, "" for everybody else."""

    mode: Literal["polling", "webhook"]
    base_url: str
    menus: Menus
    webhook_url: str | None = None
    poll_s: int = POLL_S


class TelegramBot:
    """One bot. `run()` until cancelled, and again if need be; `accept()` from the webhook route."""

    def __init__(
        self,
        config: BotConfig,
        *,
        token: str,
        conversation: Conversation,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        webhook_secret: str | None = None,
        pace: Pace | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        seed: int | None = None,
    ) -> None:
        """pace: waits until a chat may be written to, shared with the sender of alerts; None: its own.

        Raises:
            ConfigurationError: a webhook without its address or with an unusable secret.
        """
        if config.mode == "webhook" and not config.webhook_url:
            raise ConfigurationError("TELEGRAM_MODE=webhook needs PUBLIC_URL")
        if config.mode == "webhook" and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", webhook_secret or ""):
            raise ConfigurationError(
                "TELEGRAM_MODE=webhook needs TELEGRAM_WEBHOOK_SECRET, of letters, digits, _ and -"
            )
        self._config = config
        self._secret = webhook_secret
        self._bot = PollingBot(token, base_url=config.base_url)
        self._conversation = conversation
        spacing = pace or Spacing(monotonic=monotonic, sleep=sleep)
        self._sender = AnswerSender(self._bot, pace=spacing, sleep=sleep)
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random.Random(seed)  # noqa: S311 - spreads retries, guards nothing
        self._queue: asyncio.Queue[Json] = asyncio.Queue(MAX_QUEUED)
        self._username = ""
        self._offset = 0
        self._handled: deque[int] = deque(maxlen=REMEMBERED)
        self._asked_at_s: dict[str, deque[float]] = {}
        self._state, self._detail = BotState.STARTING, ""
        self._last_ok_ms: int | None = None
        self._counts = dict.fromkeys(("updates", "answers", "foreign", "unread", "flooded", "failed"), 0)

    def status(self) -> BotStatus:
        """State and counters; asks nobody."""
        return BotStatus(
            self._state, self._detail, self._last_ok_ms, waiting=self._queue.qsize(), **self._counts
        )

    def accept(self, update: Json) -> bool:
        """Take one pushed update; False when too many wait: to be pushed again later."""
        try:
            self._queue.put_nowait(update)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Introduce the bot, then read and answer until cancelled; returns only for a refused token."""
        await self._bot.open_connections()
        try:
            if await self._retried(self._introduce) is None:
                return
            read = self._poll if self._config.mode == "polling" else self._take
            while await self._retried(read) is not None:
                pass
        finally:
            await self._bot.close_connections()

    async def _introduce(self) -> bool:
        """Learn our own name, choose how updates come, show the menu. Raises: TelegramError."""
        self._username = await self._whole(self._bot.username_now())
        if self._config.mode == "polling":
            await self._whole(self._bot.stop_webhook())
        else:
            await self._whole(self._bot.start_webhook(str(self._config.webhook_url), str(self._secret)))
        try:
            await self._whole(self._bot.show_menus(self._config.menus))
        except InvalidToken:
            raise
        except TelegramError as error:
            _log.warning("the menu of commands was not set", extra={"why": self._bot.told(error)})
        return True

    async def _poll(self) -> bool:
        """One long poll: handle what came, then confirm it with the next. Raises: TelegramError."""
        # The first one does not wait, so that the state is known at once.
        wait_s = self._config.poll_s if self._state is BotState.LISTENING else 0
        updates = await self._whole(self._bot.updates(self._offset, BATCH, wait_s), grace_s=0.0)
        self._is_well()
        await self._whole(self._answer_all(updates))
        ids = [number for number in map(update_id_of, updates) if number is not None]
        self._offset = max([self._offset, *(number + 1 for number in ids)])
        if updates and not ids:
            await self._sleep(FIRST_PAUSE_S)  # nothing that could be confirmed: do not spin on it
        return True

    async def _take(self) -> bool:
        """Handle what was pushed, as soon as there is something."""
        self._is_well()
        updates = [await self._queue.get()]
        while not self._queue.empty() and len(updates) < BATCH:
            updates.append(self._queue.get_nowait())
        await self._whole(self._answer_all(updates))
        return True

    async def _retried(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `step`, tried until it works; None when the token is refused, which stays so."""
        failures = 0
        while True:
            try:
                return await step()
            except InvalidToken as error:
                self._is_ill(BotState.REFUSED, error)
                _log.error("the bot's token was refused; commands are off")
                return None
            except TelegramError as error:
                failures += 1
                self._is_ill(BotState.CONFLICT if isinstance(error, Conflict) else BotState.DOWN, error)
                await self._sleep(self._pause_s(error, failures))

    def _pause_s(self, error: TelegramError, failures: int) -> float:
        """Capped exponential with full jitter; what the server asks for; longer while another one reads."""
        if isinstance(error, FloodWait):
            return min(error.wait_s, MAX_WAIT_S)
        first_s = CONFLICT_PAUSE_S if isinstance(error, Conflict) else FIRST_PAUSE_S
        longest_s = min(LONGEST_PAUSE_S, first_s * 2 ** min(failures, 10))
        return self._random.uniform(first_s / 2, longest_s)

    async def _answer_all(self, updates: Sequence[object]) -> None:
        """Chats side by side, each in the order of its messages; a bug in one is logged and costs one."""
        by_chat: dict[int, list[Incoming]] = {}
        for update in updates:
            found = self._read(update)
            if found is not None:
                by_chat.setdefault(found.chat_id, []).append(found)
        ended = await asyncio.gather(
            *(self._answer_in_turn(found) for found in by_chat.values()), return_exceptions=True
        )
        for error in ended:
            if isinstance(error, Exception):
                self._counts["failed"] += 1
                _log.error("an update was not handled", exc_info=error)

    def _read(self, update: object) -> Incoming | None:
        """None: handled before, unreadable, or nothing for us. Counts which."""
        self._counts["updates"] += 1
        number = update_id_of(update)
        if number is None or number in self._handled:
            self._counts["unread"] += number is None
            return None
        self._handled.append(number)
        return read_update(update, self._username) if isinstance(update, Mapping) else None

    async def _answer_in_turn(self, found: Sequence[Incoming]) -> None:
        for incoming in found:
            chat = next((name for name in incoming.names if self._conversation.knows(name)), None)
            if chat is None:
                self._counts["foreign"] += 1
            elif self._is_flooding(chat):
                self._counts["flooded"] += 1
            else:
                await self._answer(chat, incoming)

    async def _answer(self, chat: str, incoming: Incoming) -> None:
        is_callback = incoming.callback_id is not None
        reply = await self._conversation.answer(chat, incoming.text, is_callback=is_callback)
        if incoming.callback_id is not None:
            await self._sender.notice(incoming.callback_id, reply.notice)
        for message in reply.messages:
            fate = await self._sender.send(chat, incoming, message)
            self._counts["answers" if fate is Fate.SENT else "failed"] += 1
            if fate is Fate.FORBIDDEN:
                await self._conversation.refused(chat)
                return

    def _is_flooding(self, chat: str) -> bool:
        """More commands in a minute than could be answered. Chats are those of the configuration."""
        now_s = self._monotonic()
        asked = self._asked_at_s.setdefault(chat, deque(maxlen=MAX_PER_MINUTE))
        if len(asked) == MAX_PER_MINUTE and now_s - asked[0] < 60.0:
            return True
        asked.append(now_s)
        return False

    async def _whole(self, call: Coroutine[Any, Any, T], *, grace_s: float = STOP_S) -> T:
        """Run to its end even when we are stopped: after `grace_s` more its connections are closed."""
        task = asyncio.create_task(call)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=grace_s)
            await self._bot.close_connections()
            await asyncio.wait({task}, timeout=STOP_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    def _is_well(self) -> None:
        if self._state is not BotState.LISTENING:
            _log.info("listening to commands", extra={"mode": self._config.mode})
        self._state, self._detail = BotState.LISTENING, ""
        self._last_ok_ms = self._now_ms()

    def _is_ill(self, state: BotState, error: TelegramError) -> None:
        detail = self._bot.told(error)
        if (state, detail) != (self._state, self._detail):
            _log.warning("commands cannot be read", extra={"state": state.value, "why": detail})
        self._state, self._detail = state, detail
