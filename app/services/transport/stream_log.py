"""What one stream writes to the log: changes of its link, and samples of events that cannot be used.

Knows no channel; states and reasons are names to it. Both are bounded: a link that flaps and a format that
changed would else fill the log. Called by the streams of CoinGlass and OKX.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping

from app.services.transport.redact import Redactor

# Right after a connection nothing has come yet: that is no trouble for so long.
SILENT_AFTER_S = 15.0
# So many changes within a minute are written; the state that stays is written when the minute has room.
MOST_A_MINUTE = 10
SAMPLE_EVERY_S = 300.0
MAX_REASONS = 32
# Of a frame of megabytes its beginning tells enough; a secret in it must not be cut in half before it is
# masked, so more is read than is shown.
_READ_BYTES, _SHOWN = 1_000, 160
_log = logging.getLogger(__name__)


class StreamLog:
    """Of one source. secrets: are cut out of samples. usual: reasons that are no fault, and not written."""

    def __init__(
        self,
        source: str,
        *,
        monotonic: Callable[[], float],
        secrets: Collection[str] = (),
        usual: Collection[str] = (),
    ) -> None:
        self._source = source
        self._monotonic = monotonic
        self._redactor = Redactor(secrets)
        self._usual = frozenset(usual)
        self._written = self._seen = "off"
        self._since_s = 0.0
        self._changes_s: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._sampled_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def state(self, state: str, why: str, *, reconnects: int) -> None:
        """Where the link stands; called whenever it may have changed, and about once a second."""
        now_s = self._monotonic()
        if state != self._seen:
            self._seen, self._since_s = state, now_s
        if state == self._written or (state == "silent" and now_s - self._since_s < SILENT_AFTER_S):
            return
        if len(self._changes_s) == MOST_A_MINUTE and now_s - self._changes_s[0] < 60.0:
            return
        self._changes_s.append(now_s)
        seen = {"source": self._source, "old": self._written, "new": state, "why": why}
        level = logging.INFO if state in {"live", "off"} else logging.WARNING
        _log.log(level, "a stream changed its state", extra={**seen, "reconnects": reconnects})
        self._written = state

    def rejected(self, rejects: Mapping[str, int], frame: bytes) -> None:
        """Events of this frame were refused, by reason: the first time with a sample, then seldom."""
        now_s = self._monotonic()
        for given, count in rejects.items():
            if given in self._usual:
                continue
            reason = given if given in self._unsaid or len(self._unsaid) < MAX_REASONS else "other"
            self._unsaid[reason] = self._unsaid.get(reason, 0) + count
            last_s = self._sampled_s.get(reason)
            if last_s is None or now_s - last_s >= SAMPLE_EVERY_S:
                self._sampled_s[reason] = now_s
                self._write_sample(reason, self._unsaid[reason], frame)
                self._unsaid[reason] = 0

    def _write_sample(self, reason: str, count: int, frame: bytes) -> None:
        seen = {"source": self._source, "reason": reason, "count": count, "sample": self._sample(frame)}
        _log.warning("events of a stream are rejected", extra=seen)

    def _sample(self, frame: bytes) -> str:
        """How the frame begins: one short line, data of strangers."""
        text = self._redactor.detail(frame[:_READ_BYTES].decode(errors="replace"))
        return "".join(sign if sign.isprintable() else " " for sign in text)[:_SHOWN]
