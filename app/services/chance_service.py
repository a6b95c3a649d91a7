"""What a score has been worth: a calibration fitted once a day by one process and used by all.

Owns when it is fitted, how it is published and when a published one is not to be used; the fit is
`core.record`'s. A chance is shown only when the fit was better
than the base rate on data it had not seen; else the signal says why there is none.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from app.core.clock import Clock
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import RECORD_HORIZON
from app.core.domain.signal import Direction
from app.core.domain.track_record import Calibrated
from app.core.record.assembling import RecordColumns
from app.core.record.calibrator import Calibrator
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.core.record.probability import fit_calibrator
from app.core.record_ports import Claims
from app.services.outage import Outage

# Older than this a fit says more of the past than of now.
MAX_AGE_MS = 3 * DAY_MS
READ_EVERY_MS = HOUR_MS
_PAUSE_S = 20.0
_KEY = "calibration:"
_CLAIM = "calibration_fit:"

_log = logging.getLogger(__name__)


# Judged on data after what it was fitted on, the fit itself (None: not worth showing), and why there is none
# or what has to be known of it.
Fitted: TypeAlias = tuple[Calibrated | None, Calibrator | None, str]
# Pure and slow: called in a thread.
Fit: TypeAlias = Callable[[Evaluations, HorizonOutcomes], Fitted]


@dataclass(frozen=True, slots=True)
class Published:
    """A fit as every process reads it. fitted_ms: market time; why_not: why there is no chance in it, ""
    where there is one."""

    fitted_ms: int
    engine_version: str
    calibrator: Calibrator | None
    why_not: str


class ChanceService:
    """`of` for every signal, `run()` until cancelled."""

    def __init__(
        self,
        *,
        columns: Callable[[], Awaitable[RecordColumns]],
        claims: Claims,
        engine_version: str,
        min_coverage_frac: float,
        data_mode: str,
        clock: Clock,
        speed: float = 1.0,
        fit: Fit = fit_calibrator,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """columns: the record as known now. min_coverage_frac: scores of less have no direction and are not
        learnt from. speed: market seconds per second."""
        self._columns = columns
        self._fit = fit
        self._claims = claims
        self._engine_version = engine_version
        self._min_coverage_frac = min_coverage_frac
        self._key, self._claim = f"{_KEY}{data_mode}", f"{_CLAIM}{data_mode}:"
        self._clock = clock
        self._pause_s = max(0.05, _PAUSE_S / speed)
        self._sleep = sleep
        self._published: Published | None = None
        self._read_ms: int | None = None
        self._mine: tuple[str, int] | None = None
        self._done: tuple[str, int] | None = None

    def of(self, direction: Direction, score: float) -> tuple[float | None, str]:
        """Chance, 0..1, that a trade in this direction wins, or None and why not, in words."""
        if direction is Direction.NEUTRAL:
            return None, "no direction"
        held, why = self._published, self.why_none()
        if why or held is None or held.calibrator is None:
            return None, why
        return held.calibrator.chance(score, direction), ""

    def why_none(self) -> str:
        """Why signals carry no probability now; empty where those with a direction do."""
        held, now_ms = self._published, self._clock.now_ms()
        if held is None:
            return "no calibration has been published yet"
        if held.engine_version != self._engine_version:
            return f"the calibration is of engine {held.engine_version}, this is {self._engine_version}"
        if held.fitted_ms > now_ms:  # a replay whose store has been further
            return "the calibration knows what has not happened yet"
        if now_ms - held.fitted_ms > MAX_AGE_MS:
            return f"the calibration is {(now_ms - held.fitted_ms) // DAY_MS} days old"
        return held.why_not if held.calibrator is None else ""

    async def run(self) -> None:
        """Read what is published every hour, and fit when this process is the one to do so."""
        outage = Outage(_log, "the calibration waits for the database")
        while True:
            await self._sleep(self._pause_s)  # first: a start has more urgent things to do
            with outage.survived():
                await self.keep_current()

    async def keep_current(self) -> bool:
        """One round of `run`; whether a new fit was published.

        Raises:
            StorageUnavailable: what is held stays in use for as long as it may.
        """
        now_ms = self._clock.now_ms()
        if self._read_ms is None or not 0 <= now_ms - self._read_ms < READ_EVERY_MS:
            await self._read()
            self._read_ms = now_ms
        turn = self._turn(now_ms)
        if turn is None or turn == self._done:
            return False
        if turn != self._mine and not await self._claims.claim(f"{self._claim}{turn[0]}", turn[1]):
            self._done = turn
            return False
        self._mine = turn
        await self._publish()
        self._done = turn
        return True

    def _turn(self, now_ms: int) -> tuple[str, int] | None:
        """What is claimed for the next fit; None when there is one of today. Without any it is wanted at
        once: if who claimed it dies, another one follows within the hour."""
        held = self._published
        if held is None or held.engine_version != self._engine_version or held.fitted_ms > now_ms:
            return "first", now_ms // HOUR_MS
        today = now_ms // DAY_MS
        return None if held.fitted_ms // DAY_MS == today else ("daily", today)

    async def _publish(self) -> None:
        columns = await self._columns()
        outcomes = columns.at(RECORD_HORIZON)
        covered = columns.evaluations.coverage >= self._min_coverage_frac
        rows = columns.evaluations.where(covered), outcomes.where(covered)
        calibrated, calibrator, said = await asyncio.to_thread(self._fit, *rows)
        text = json.dumps(
            {
                "fitted_ms": columns.read_ms,
                "engine_version": self._engine_version,
                "horizon": RECORD_HORIZON,
                "calibrated": None if calibrated is None else asdict(calibrated),
                "calibrator": None if calibrator is None else asdict(calibrator),
                "why_not": said if calibrator is None else "",
            }
        )
        await self._claims.put_state(self._key, text)
        self._published = self._understood(json.loads(text))

    async def _read(self) -> None:
        text = await self._claims.get_state(self._key)
        self._published = None if text is None else self._understood(json.loads(text))

    def _understood(self, told: Mapping[str, Any]) -> Published:
        calibrator = None
        # What another version wrote may have another form; it is not used anyway.
        if told["calibrator"] is not None and told["engine_version"] == self._engine_version:
            calibrator = _calibrator(told["calibrator"])
        return Published(told["fitted_ms"], told["engine_version"], calibrator, told["why_not"])


def _calibrator(plain: Mapping[str, Any]) -> Calibrator:
    """Back from JSON, which knows no tuples."""
    return Calibrator(**{**plain, "knots": tuple(plain["knots"]), "chances": tuple(plain["chances"])})
