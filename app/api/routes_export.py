"""`/api/export/{name}.csv`: whole stored tables as downloads of any size in flat memory.

Owns how many run at once and how they end: refused before the first byte as problem+json, broken off after
it, so that half a file never looks like a whole one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Send
from starlette.types import Scope as AsgiScope

from app.api.auth import require_scope
from app.api.csv_rows import csv_header, csv_rows
from app.api.deps import ExportUseCase
from app.api.errors import TooManyRequests
from app.api.openapi_parts import problems
from app.api.options import ApiOptions, Scope
from app.api.params import FromQuery, OneOrAllQuery, ToQuery, read_time
from app.core.domain.history import END_OF_TIME_MS
from app.core.domain.stored import ExportName, ExportQuery
from app.core.domain.symbol import Symbol

# One reads the disk while the other waits for its client; more would only share the same disk.
MAX_DOWNLOADS = 2
_RETRY_AFTER_S = 5
# A client that takes no byte for this long is gone, whatever its connection says.
SEND_TIMEOUT_S = 60.0

NamePath = Annotated[
    Literal["signals", "baselines", "liquidations", "alerts"],
    Path(description="Which table.", examples=["signals"], json_schema_extra={"maxLength": 12}),
]


class Downloads:
    """Downloads in progress, at most two in this process."""

    def __init__(self, use_case: ExportUseCase, *, send_timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._use_case = use_case
        self._send_timeout_s = send_timeout_s
        self.running = 0

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        return self._use_case.resolve(text)

    async def start(self, query: ExportQuery, filename: str) -> Response:
        """The answer, once its first rows are there.

        Raises:
            TooManyRequests: two are running.
            InvalidParameter, StorageUnavailable: before anything was sent.
        """
        if self.running >= MAX_DOWNLOADS:
            raise TooManyRequests(f"{MAX_DOWNLOADS} downloads are running", _RETRY_AFTER_S)
        columns, chunks = self._use_case.export(query)
        body = _body(columns, chunks)
        with ExitStack() as undo:
            self.running += 1
            undo.callback(self._done)
            first = await anext(body)
            undo.pop_all()  # from here on the answer lets go of its place
        return _Download(first, body, filename, done=self._done, send_timeout_s=self._send_timeout_s)

    def _done(self) -> None:
        self.running -= 1


async def _body(
    columns: Sequence[str], chunks: AsyncIterator[Sequence[tuple[object, ...]]]
) -> AsyncGenerator[bytes, None]:
    """Header with the first rows, then chunk after chunk, each encoded off the event loop."""
    head = csv_header(columns)
    try:
        async for chunk in chunks:
            yield head + await asyncio.to_thread(csv_rows, columns, chunk)
            head = b""
    finally:
        # The store's connection goes back now, and not when this is collected as garbage.
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    if head:
        yield head


class _Download(StreamingResponse):
    """Streams `body` and lets go of it however it ends: sent, broken off, or the client gone."""

    def __init__(
        self,
        first: bytes,
        body: AsyncGenerator[bytes, None],
        filename: str,
        *,
        done: Callable[[], None],
        send_timeout_s: float,
    ) -> None:
        self._body = body
        self._done = done
        self._send_timeout_s = send_timeout_s
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{filename}"'}
        super().__init__(_chain(first, body), headers=headers, media_type="text/csv")

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            async with asyncio.timeout(self._send_timeout_s):
                await send(message)

        try:
            async with aclosing(self._body):
                await super().__call__(scope, receive, bounded)
        finally:
            self._done()


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def export_routes(options: ApiOptions, downloads: Downloads, *, now_ms: Callable[[], int]) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["history"])
    text = {"text/csv": {"schema": {"type": "string"}}}

    @router.get(
        "/api/export/{name}.csv",
        operation_id="exportTable",
        summary="A stored table as CSV",
        description="Every stored row, oldest first (liquidations and baselines coin by coin), in a download "
        "of any size; times as epoch milliseconds and ISO-8601. Text that a spreadsheet would run has an "
        "apostrophe in front. A download that breaks off is not complete.",
        response_model=None,
        responses={
            200: {"description": "The rows with a header line.", "content": text},
            **problems(400, 403, 404, needs_store=True),
        },
    )
    async def export_table(
        request: Request, name: NamePath, symbol: OneOrAllQuery = "", from_: FromQuery = "", to: ToQuery = ""
    ) -> Response:
        require_scope(request, options, Scope.READ)
        coin = downloads.resolve(symbol).base if symbol.strip() else None
        from_ms, to_ms = read_time(from_, "from"), read_time(to, "to")
        query = ExportQuery(ExportName(name), coin, from_ms or 0, END_OF_TIME_MS if to_ms is None else to_ms)
        end_ms = now_ms() if to_ms is None else to_ms
        return await downloads.start(query, _filename(name, coin, from_ms, end_ms))

    return router


def _filename(name: str, coin: str | None, from_ms: int | None, to_ms: int) -> str:
    """`signals_BTC_start_20260225T061320Z.csv`: letters and digits only, safe on every system."""
    begin = "start" if from_ms is None else _compact(from_ms)
    return f"{name}_{coin or 'ALL'}_{begin}_{_compact(to_ms)}.csv"


def _compact(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
