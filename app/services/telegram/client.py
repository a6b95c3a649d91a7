"""The Bot API client of the conversation: python-telegram-bot's `Bot`, with what reading updates needs.

Raw updates instead of parsed ones (one that the library cannot parse would fail its whole batch, for ever),
two connection pools (a long poll never blocks an answer), and texts of errors without the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telegram import Bot
from telegram.error import NetworkError, TelegramError

from app.services.telegram.connection import BotRequest
from app.services.telegram.updates import ALLOWED

READ_MARGIN_S = 10.0  # a poll is read longer than the server holds it
MAX_DETAIL_CHARS = 200
ANSWER_READ_S = 15.0
_CONNECTIONS = 8


class PollingBot(Bot):
    """A bot that has not been initialised: it learns its name when `username_now` is called."""

    def __init__(self, token: str, *, base_url: str) -> None:
        self._pools = (
            BotRequest(read_s=READ_MARGIN_S, connections=1),
            BotRequest(read_s=ANSWER_READ_S, connections=_CONNECTIONS),
        )
        super().__init__(
            token,
            base_url=f"{base_url}/bot",
            base_file_url=f"{base_url}/file/bot",
            get_updates_request=self._pools[0],
            request=self._pools[1],
        )

    async def username_now(self) -> str:
        """Our name, without `@`. Raises: TelegramError."""
        return (await self.get_me()).username or ""

    async def updates(self, offset: int, limit: int, wait_s: int) -> Sequence[object]:
        """Updates from `offset` on, as they came; waits for the first `wait_s`. Raises: TelegramError."""
        found = await self._post(
            "getUpdates",
            {
                "offset": offset,
                "limit": limit,
                "timeout": wait_s,
                "allowed_updates": list(ALLOWED),
            },
            read_timeout=wait_s + READ_MARGIN_S,
        )
        if not isinstance(found, list):
            raise NetworkError("the answer to getUpdates is no list")
        return found

    async def stop_webhook(self) -> None:
        """Polling and a webhook exclude each other. Raises: TelegramError."""
        await self.delete_webhook()

    async def start_webhook(self, url: str, secret: str) -> None:
        """Raises: TelegramError."""
        await self.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED, max_connections=4)

    async def show_menus(self, menus: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """Raises: TelegramError."""
        for code, commands in menus.items():
            await self.set_my_commands(list(commands), language_code=code or None)

    def told(self, error: TelegramError) -> str:
        """What went wrong, for status and logs: kind of fault and the server's words, without the token."""
        text = error.message.replace(self.token, "***")
        return f"{type(error).__name__}: {text}"[:MAX_DETAIL_CHARS]

    async def open_connections(self) -> None:
        """Also after they were closed."""
        for pool in self._pools:
            await pool.initialize()

    async def close_connections(self) -> None:
        """Calls under way end with an error; further ones until they are opened again."""
        for pool in self._pools:
            await pool.shutdown()
