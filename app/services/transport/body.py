"""Read an answer's body under a cap that holds for the decoded bytes, whatever the wire does.

One cap per answer, and one for all answers under way: thirty calls at once must not hold thirty times the
first. Own decoding instead of the client library's: a 10 kB gzip body may unfold to gigabytes, so every step
asks zlib for at most what is still allowed. Only gzip, deflate and identity are advertised and accepted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

ACCEPT_ENCODING = "gzip, deflate"
# What every answer may hold without asking: ordinary ones never depend on what the others do.
FREE_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_FACTORIES: dict[str, Callable[[], zlib._Decompress]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": zlib.decompressobj,
}


class BodyTooLarge(Exception):
    """More bytes, raw or decoded, than a cap; the text says which."""


class BudgetUsedUp(BodyTooLarge):
    """Not this answer's fault: all answers under way are too large together."""


class BodyDamaged(Exception):
    """Not decodable: unknown encoding or a broken stream."""


class BodyCutShort(Exception):
    """The compressed stream has no end."""


class BodyBudget:
    """Bytes that all answers under way may hold together, beyond `FREE_BYTES` each."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes

    def take(self, count: int) -> None:
        """Raises: `BudgetUsedUp` when that much is not left."""
        if count > self.left:
            raise BudgetUsedUp("answers under way are too large together")
        self.left -= count

    def give(self, count: int) -> None:
        self.left += count


# One per process, like the memory it stands for.
PROCESS_BUDGET = BodyBudget(16 * 2**20)


class BoundedBody:
    """Collects raw chunks; `finish` gives the decoded body. A context manager: its end frees its budget.

    Raises: `BodyTooLarge` as soon as a cap is passed, `BodyDamaged` and `BodyCutShort` for bad streams.
    """

    def __init__(self, content_encoding: str, max_bytes: int, budget: BodyBudget = PROCESS_BUDGET) -> None:
        name = content_encoding.strip().lower()
        self._max_bytes = max_bytes
        self._budget = budget
        self._charged_bytes = 0
        self._raw_bytes = 0
        self._body = bytearray()
        self._is_plain = name in ("", "identity")
        if not self._is_plain and name not in _FACTORIES:
            raise BodyDamaged("content encoding not accepted")
        self._is_deflate = name == "deflate"
        self._factory = _FACTORIES.get(name, zlib.decompressobj)
        self._decoder = self._factory()

    def __enter__(self) -> BoundedBody:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give(self._charged_bytes)
        self._charged_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next raw chunk."""
        # The raw side has the cap too: an endless stream of empty gzip members decodes to nothing.
        self._raw_bytes += len(chunk)
        if self._raw_bytes > self._max_bytes:
            raise self._too_large()
        if self._is_plain:
            self._body += chunk
        else:
            try:
                self._decode(chunk)
            except zlib.error:
                raise BodyDamaged("compressed body is broken") from None
        self._charge()

    def finish(self) -> bytes:
        """The decoded body; call once after the last chunk."""
        if not self._is_plain and self._raw_bytes and not self._decoder.eof:
            raise BodyCutShort
        return bytes(self._body)

    def _charge(self) -> None:
        owed = len(self._body) - FREE_BYTES - self._charged_bytes
        if owed > 0:
            self._budget.take(owed)
            self._charged_bytes += owed

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"answer larger than {self._max_bytes} bytes")

    def _decode(self, chunk: bytes) -> None:
        rest = chunk
        while rest:
            if self._decoder.eof:
                self._decoder = self._factory()  # gzip allows several members in a row
            allowed = self._max_bytes - len(self._body) + 1
            self._body += self._decompress(rest, allowed)
            if len(self._body) > self._max_bytes:
                raise self._too_large()
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
