"""What a doctor's run looks at: the settings as they load, and the connections that probes share.

Opened once per run, closed with it. Each shared thing is asked for once, by the first probe that needs it.
Nothing here changes the deployment: providers get a cache of their own and no database, the database is
opened without making or migrating anything.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.bootstrap_base import Base, build_base
from app.core.clock import Clock, SystemClock
from app.core.errors import ConfigurationError, StorageUnavailable
from app.services.coinglass.parse_market import Account
from app.services.storage.engine import async_url, is_embedded, let_go, open_engine
from app.services.storage.faults import storage_errors
from app.services.storage.schema import revision_of
from app.services.storage.tables import HEAD
from app.services.transport.connection import tls_context
from app.services.transport.question import QuestionClient
from app.settings import Settings, SettingsError
from app.store import check_there

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parent.parent
# Longer than the service waits: a slow Redis is worth telling, and no Redis is told soon.
REDIS_WAIT_S = 3.0
STATEMENT_S = 6.0
LISTEN_S = 7.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NothingToCheck(Exception):
    """There is nothing here that could be right or wrong; the text says why."""


class Once(Generic[T]):
    """Asked by whoever comes first; all others get the same answer, or the same error."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._task: asyncio.Future[T] | None = None

    async def get(self) -> T:
        if self._task is None:
            self._task = asyncio.ensure_future(self._ask())
        # Who stops waiting does not take the answer away from the others.
        return await asyncio.shield(self._task)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@dataclass
class Deployment:
    """One deployment as it is found. Use as an async context manager.

    loaded: None when the settings do not load; then `problems` says why. folder: the working folder, with
    `.env`. web_dist, requirements: of the code that runs. wall: real time, whatever the market's is.
    listen_s: how long a stream is given to say something.
    """

    loaded: Settings | None
    problems: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    wall: Clock = field(default_factory=SystemClock)
    folder: Path = field(default_factory=Path.cwd)
    web_dist: Path = PROJECT / "app" / "web_dist"
    requirements: Path = PROJECT / "requirements.txt"
    is_offline: bool = False
    sends_test_message: bool = False
    listen_s: float = LISTEN_S
    tls: ssl.SSLContext = field(default_factory=tls_context)

    def __post_init__(self) -> None:
        self._open = AsyncExitStack()
        self._asked: list[Once[Any]] = []
        self._base: Base | None = None
        self.questions = QuestionClient()
        self.account = self._once(self._ask_account)
        self._engine = self._once(self._open_engine)
        self._redis = self._once(self._open_redis)

    async def __aenter__(self) -> Deployment:
        self._open.push_async_callback(self.questions.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        # First: nobody may ask on while what is asked is being closed.
        await asyncio.gather(*(once.aclose() for once in self._asked))
        await self._open.aclose()

    @property
    def settings(self) -> Settings:
        """Raises: NothingToCheck: they do not load."""
        if self.loaded is None:
            raise NothingToCheck("the settings do not load")
        return self.loaded

    @property
    def is_prod(self) -> bool:
        """Raises: NothingToCheck."""
        return self.settings.env == "prod"

    def base(self) -> Base:
        """Providers as the service builds them. Raises: NothingToCheck: their settings make no sense."""
        if self._base is None:
            try:
                self._base = build_base(_alone(self.settings), clock=self.clock, plans_ahead=False)
            except (SettingsError, ConfigurationError) as error:
                raise NothingToCheck("providers cannot be built: another check says why") from error
            self._open.push_async_callback(_close, self._base)
        return self._base

    async def engine(self) -> AsyncEngine:
        """The database, which has answered. Raises: NothingToCheck: it has not."""
        try:
            return await self._engine.get()
        except StorageUnavailable as error:
            raise NothingToCheck("the database does not answer, or is not there yet") from error

    async def migrated_engine(self) -> AsyncEngine:
        """The same where the tables are those of this version. Raises: NothingToCheck."""
        engine = await self.engine()
        with storage_errors("asking the database"):
            async with engine.connect() as connection:
                revision = await revision_of(connection)
        if revision != HEAD:
            raise NothingToCheck("the tables are not those of this version")
        return engine

    async def first_engine(self) -> AsyncEngine:
        """The same for the one probe that says why not. Raises: StorageUnavailable."""
        return await self._engine.get()

    async def redis(self) -> Redis:
        """Redis, which has answered. Raises: NothingToCheck: there is none, or it has not."""
        try:
            return await self._redis.get()
        except (RedisError, OSError, TimeoutError) as error:
            raise NothingToCheck("Redis does not answer") from error

    async def first_redis(self) -> Redis:
        """The same for the one probe that says why not. Raises: NothingToCheck, RedisError, OSError."""
        return await self._redis.get()

    def _stay_here(self, host: str | None) -> None:
        """Raises: NothingToCheck: `--offline`, and the host is another."""
        if self.is_offline and host not in (None, *LOOPBACK):
            raise NothingToCheck("not asked: --offline")

    def _once(self, ask: Callable[[], Awaitable[T]]) -> Once[T]:
        made = Once(ask)
        self._asked.append(made)
        return made

    async def _ask_account(self) -> Account | None:
        return await self.base().coinglass.account()

    async def _open_engine(self) -> AsyncEngine:
        url = self.settings.store_url()
        self._stay_here(make_url(url).host)
        check_there(url)
        engine = _reading_engine(url)
        self._open.push_async_callback(let_go, engine)
        with storage_errors("asking the database"):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        return engine

    async def _open_redis(self) -> Redis:
        url = self.settings.redis_url
        if url is None:
            raise NothingToCheck("REDIS_URL is not set: caches and quotas are in memory")
        self._stay_here(urlsplit(url.get_secret_value()).hostname)
        redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=REDIS_WAIT_S,
            socket_connect_timeout=REDIS_WAIT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._open.push_async_callback(redis.aclose)
        await redis.ping()
        return redis


def _alone(settings: Settings) -> Settings:
    """The same providers, sharing nothing: no answer of others is read, none is left for them."""
    return settings.model_copy(
        update={
            "redis_url": None,
            "database_url": SecretStr("sqlite:///never-opened.db"),  # a store that is not started
            "log_level": "ERROR",  # what goes wrong stands in the table
        }
    )


def _reading_engine(url: str) -> AsyncEngine:
    """As the service opens it, but an SQLite file without the options that would change it."""
    if is_embedded(url):
        return create_async_engine(async_url(url), pool_size=4, connect_args={"timeout": 2})
    return open_engine(url, statement_timeout_s=STATEMENT_S)


async def _close(base: Base) -> None:
    await asyncio.gather(*(provider.close() for provider in base.providers))
    await base.cache.aclose()
    await base.store.close()
