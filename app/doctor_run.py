"""Probes and how they are run: at once within bounds, each with a time limit, none able to break the rest.

Owns what a probe is and what it may find. Knows no probe; `app.doctor` brings them. What a probe raises that
nobody foresaw becomes its own `fail` here, the one boundary of the doctor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from app.core.errors import ServiceError
from app.doctor_deployment import Deployment, NothingToCheck

# All probes together; a probe that has not begun by then is not begun.
TOTAL_S = 18.0
AT_ONCE = 48
_BROKEN = "this check itself broke"


class Status(StrEnum):
    """What a probe found, in one word."""

    OK = "ok"
    WARN = "warn"  # works, and somebody should look at it
    FAIL = "fail"
    SKIP = "skip"  # there is nothing to check here


@dataclass(frozen=True, slots=True)
class Finding:
    """detail: one sentence. mend: how to put it right, "" where there is nothing to mend."""

    status: Status
    detail: str
    mend: str = ""


Run: TypeAlias = Callable[[Deployment], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One check. is_remote: asks something outside of this machine, so not with `--offline`."""

    name: str
    group: str
    run: Run
    is_remote: bool = False
    limit_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Row:
    """One probe with what it found."""

    name: str
    group: str
    finding: Finding
    elapsed_ms: int


def ok(detail: str) -> Finding:
    return Finding(Status.OK, detail)


def warn(detail: str, mend: str) -> Finding:
    return Finding(Status.WARN, detail, mend)


def fail(detail: str, mend: str) -> Finding:
    return Finding(Status.FAIL, detail, mend)


def skip(detail: str) -> Finding:
    return Finding(Status.SKIP, detail)


async def run_probes(
    probes: Sequence[Probe],
    deployment: Deployment,
    *,
    redact: Callable[[str], str],
    total_s: float = TOTAL_S,
    at_once: int = AT_ONCE,
) -> list[Row]:
    """Every probe's row, in the order of `probes`. redact: cuts secrets out of every text."""
    places = asyncio.Semaphore(at_once)
    ends_s = time.monotonic() + total_s

    async def one(probe: Probe) -> Row:
        async with places:
            started_s = time.monotonic()
            finding = await _judge(probe, deployment, ends_s - started_s)
            elapsed_ms = round((time.monotonic() - started_s) * 1000)
        clean = replace(finding, detail=redact(finding.detail), mend=redact(finding.mend))
        return Row(probe.name, probe.group, clean, elapsed_ms)

    return await asyncio.gather(*map(one, probes))


async def _judge(probe: Probe, deployment: Deployment, left_s: float) -> Finding:
    if probe.is_remote and deployment.is_offline:
        return skip("not asked: --offline")
    limit_s = max(0.0, min(probe.limit_s, left_s))
    try:
        async with asyncio.timeout(limit_s):
            return await probe.run(deployment)
    except NothingToCheck as why:
        return skip(str(why))
    except TimeoutError:
        return fail(
            f"no result within {limit_s:.1f} s", "run it alone with --only; what it asks may hang or be slow"
        )
    except ServiceError as error:
        return fail(str(error), "the sentence says what is wrong; docs/doctor.md says more")
    except Exception as error:  # noqa: BLE001 - the doctor's boundary: a probe that breaks is a row
        # The kind alone: what an unforeseen error says may hold anything.
        return fail(f"{_BROKEN} ({type(error).__name__})", "run it alone with --only, and report it")
