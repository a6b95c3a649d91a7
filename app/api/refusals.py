"""The refusal of an overloaded process as finished bytes: the problem+json of everywhere, made at the start.

Owns the wire format of this one answer. Used by the door of the web server for questions that never reach the
application; the edge renders the same refusal for those that do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import randrange

from app.api.edge import standing_headers
from app.api.errors import MAX_WAIT_S, Overloaded
from app.api.options import ApiOptions
from app.api.page_policies import policy_headers
from app.api.problems import problem_of
from app.api.schemas.problem import PROBLEM_MEDIA_TYPE

_PATH, _ID = "!path!", "!id!"
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9._~/-]{0,199}")


class Refusals:
    """Makes them. Only the path, the request id, the wait and the date differ from one to the next."""

    def __init__(self, options: ApiOptions) -> None:
        scope = {"path": "/", "request_id": _ID}
        body = problem_of(scope, Overloaded()).model_copy(update={"instance": _PATH})
        text = body.model_dump_json(by_alias=True).encode()
        self._body = [part.split(_ID.encode()) for part in text.split(_PATH.encode())]
        headers = [
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"cache-control", b"no-store"),
            *standing_headers(options),
            *policy_headers("/"),
        ]
        self._head = b"HTTP/1.1 503 Service Unavailable\r\n" + _lines(headers)

    def of(
        self,
        path: bytes,
        request_id: bytes,
        more_headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        closes: bool = False,
    ) -> bytes:
        """One whole answer. A path of other than plain letters is not repeated."""
        path = path if _PLAIN_PATH.fullmatch(path) else b"/"
        body = path.join(request_id.join(parts) for parts in self._body)
        return b"%b%bretry-after: %d\r\nx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            self._head,
            _lines(more_headers),
            randrange(1, MAX_WAIT_S + 1),  # noqa: S311 - spreads callers, keeps no secret
            request_id,
            len(body),
            b"connection: close\r\n" if closes else b"",
            body,
        )


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
