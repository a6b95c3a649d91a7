"""How much live feed there is: pace, clients, waits. One frozen value, part of `ApiOptions`."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import ConfigurationError

# A client says who it is and where it stands; nothing it may say is longer.
MAX_MESSAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """updates_per_second: deltas one client gets at most. speed: market seconds per second (of a replay).

    max_clients: of the process, both kinds; max_per_address: of one address. max_event_streams: of these by
    SSE, each of which holds a place among the requests that are answered at once. hello_s: for the first
    message; first_s: for the first figures after nobody had listened; beat_s: silence after which a beat is
    sent; stall_s: a client that takes nothing for so long is closed. lifetime_s: after which a client has to
    come again, with a token that is still good.
    """

    updates_per_second: float = 4.0
    speed: float = 1.0
    max_clients: int = 500
    max_per_address: int = 20
    max_event_streams: int = 64
    hello_s: float = 5.0
    first_s: float = 2.0
    beat_s: float = 5.0
    stall_s: float = 30.0
    lifetime_s: float = 12 * 3600.0

    def __post_init__(self) -> None:
        if not 0 < self.updates_per_second <= 60:
            raise ConfigurationError("LIVE_UPDATES_PER_SECOND: more than 0 and at most 60")

    @property
    def interval_s(self) -> float:
        """Seconds between two deltas."""
        return 1 / self.updates_per_second
