"""Read an answer's body under a cap that holds for the decoded bytes, whatever the wire does.

Own decoding instead of the client library's: a 10 kB gzip body may unfold to gigabytes, so every step asks
zlib for at most what is still allowed. Only gzip, deflate and identity are advertised and accepted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

ACCEPT_ENCODING = "gzip, deflate"
_GZIP = 16 + zlib.MAX_WBITS
_FACTORIES: dict[str, Callable[[], zlib._Decompress]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": zlib.decompressobj,
}


class BodyTooLarge(Exception):
    """More bytes, raw or decoded, than the cap."""


class BodyDamaged(Exception):
    """Not decodable: unknown encoding or a broken stream."""


class BodyCutShort(Exception):
    """The compressed stream has no end."""


class BoundedBody:
    """Collects raw chunks; `finish` gives the decoded body.

    Raises: `BodyTooLarge` as soon as the cap is passed, `BodyDamaged` and `BodyCutShort` for bad streams.
    """

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        name = content_encoding.strip().lower()
        self._max_bytes = max_bytes
        self._raw_bytes = 0
        self._body = bytearray()
        self._is_plain = name in ("", "identity")
        if not self._is_plain and name not in _FACTORIES:
            raise BodyDamaged("content encoding not accepted")
        self._is_deflate = name == "deflate"
        self._factory = _FACTORIES.get(name, zlib.decompressobj)
        self._decoder = self._factory()

    def feed(self, chunk: bytes) -> None:
        """Take the next raw chunk."""
        # The raw side has the cap too: an endless stream of empty gzip members decodes to nothing.
        self._raw_bytes += len(chunk)
        if self._raw_bytes > self._max_bytes:
            raise BodyTooLarge
        if self._is_plain:
            self._body += chunk
            return
        try:
            self._decode(chunk)
        except zlib.error:
            raise BodyDamaged("compressed body is broken") from None

    def finish(self) -> bytes:
        """The decoded body; call once after the last chunk."""
        if not self._is_plain and self._raw_bytes and not self._decoder.eof:
            raise BodyCutShort
        return bytes(self._body)

    def _decode(self, chunk: bytes) -> None:
        rest = chunk
        while rest:
            if self._decoder.eof:
                self._decoder = self._factory()  # gzip allows several members in a row
            allowed = self._max_bytes - len(self._body) + 1
            self._body += self._decompress(rest, allowed)
            if len(self._body) > self._max_bytes:
                raise BodyTooLarge
            rest = self._decoder.unused_data

    def _decompress(self, data: bytes, allowed: int) -> bytes:
        try:
            return self._decoder.decompress(data, allowed)
        except zlib.error:
            if not self._is_deflate or self._body:
                raise
            # "deflate" is meant to be zlib-wrapped; some servers send the bare stream.
            self._is_deflate = False
            self._factory = lambda: zlib.decompressobj(-zlib.MAX_WBITS)
            self._decoder = self._factory()
            return self._decoder.decompress(data, allowed)
