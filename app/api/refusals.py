"""Refusals of the door as finished bytes: the problem+json of everywhere, made at the start.

Owns the wire format of these few answers. Used by connections (`app.http_connection`, `app.web_door`) for
questions that never reach the application; the edge renders the same refusal for those that do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from random import randrange

from app.api.edge import standing_headers
from app.api.errors import MAX_WAIT_S, HeadTooLarge, HeadTooSlow, Overloaded, Unreadable
from app.api.options import ApiOptions
from app.api.page_policies import policy_headers
from app.api.problems import problem_of
from app.api.schemas.problem import PROBLEM_MEDIA_TYPE
from app.core.errors import ServiceError

_PATH, _ID = "!path!", "!id!"
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9._~/-]{0,199}")
_UNREADABLE = (Unreadable, HeadTooLarge, HeadTooSlow)


class Refusals:
    """Makes them. Only the path, the request id, the wait and the date differ from one to the next.

    options: None in a process without the API. observe: told the reason of each that nobody else counts.
    """

    def __init__(self, options: ApiOptions | None, *, observe: Callable[[str], None] | None = None) -> None:
        standing = () if options is None else standing_headers(options)
        self._observe = observe
        self._overloaded = _Template(Overloaded(), standing)
        self._unreadable = {kind: _Template(kind(), standing) for kind in _UNREADABLE}

    def of(
        self,
        path: bytes,
        request_id: bytes,
        more_headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        closes: bool = False,
    ) -> bytes:
        """One whole answer of an overloaded process. A path of other than plain letters is not repeated."""
        path = path if _PLAIN_PATH.fullmatch(path) else b"/"
        wait_s = randrange(1, MAX_WAIT_S + 1)  # noqa: S311 - spreads callers, keeps no secret
        more = b"%bretry-after: %d\r\n" % (_lines(more_headers), wait_s)
        return self._overloaded.filled(path, request_id, more, closes=closes)

    def unreadable(
        self,
        kind: type[Unreadable | HeadTooLarge | HeadTooSlow],
        request_id: bytes,
        more_headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> bytes:
        """The last answer of a connection on which no request could be read; counted."""
        if self._observe is not None:
            self._observe(kind.refused_as)
        return self._unreadable[kind].filled(b"/", request_id, _lines(more_headers), closes=True)


class _Template:
    def __init__(self, error: ServiceError, standing: Sequence[tuple[bytes, bytes]]) -> None:
        body = problem_of({"path": "/", "request_id": _ID}, error).model_copy(update={"instance": _PATH})
        text = body.model_dump_json(by_alias=True).encode()
        self._body = [part.split(_ID.encode()) for part in text.split(_PATH.encode())]
        headers = [
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"cache-control", b"no-store"),
            *standing,
            *policy_headers("/"),
        ]
        status = HTTPStatus(error.http_status)
        self._head = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + _lines(headers)

    def filled(self, path: bytes, request_id: bytes, more: bytes, *, closes: bool) -> bytes:
        body = path.join(request_id.join(parts) for parts in self._body)
        return b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            self._head,
            more,
            request_id,
            len(body),
            b"connection: close\r\n" if closes else b"",
            body,
        )


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
