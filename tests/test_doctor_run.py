"""How probes are run: bounded, each for itself, and what nobody foresaw is a row and not the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.core.errors import StorageUnavailable
from app.doctor_deployment import Deployment, NothingToCheck, Once
from app.doctor_run import Finding, Probe, Row, Status, ok, run_probes, warn
from tests.doctor_rig import deployment

SECRET = "canary-8fk2mq"


def probe(run: Callable[[Deployment], Awaitable[Finding]], **more: object) -> Probe:
    return Probe("one", "group", run, **more)  # type: ignore[arg-type]


async def run(*probes: Probe, offline: bool = False, **bounds: float) -> list[Row]:
    async with deployment(is_offline=offline) as given:
        return await run_probes(
            probes,
            given,
            redact=lambda text: text.replace(SECRET, "***"),
            **bounds,  # type: ignore[arg-type]
        )


async def raising(error: Exception) -> Finding:
    async def broken(_: Deployment) -> Finding:
        raise error

    (row,) = await run(probe(broken))
    return row.finding


async def test_a_probe_that_breaks_fails_alone_and_shows_no_word_of_the_error() -> None:
    found = await raising(KeyError(SECRET))
    assert found.status is Status.FAIL
    assert found.detail == "this check itself broke (KeyError)"


async def test_an_error_of_ours_is_told_in_its_words() -> None:
    found = await raising(StorageUnavailable("its disk is full"))
    assert (found.status, found.detail) == (Status.FAIL, "its disk is full")


async def test_nothing_to_check_is_a_skip_with_the_reason() -> None:
    assert await raising(NothingToCheck("no key")) == Finding(Status.SKIP, "no key")


async def test_a_probe_that_hangs_is_cut_off_and_the_others_are_not() -> None:
    async def hangs(_: Deployment) -> Finding:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def quick(_: Deployment) -> Finding:
        return ok("fine")

    slow, fast = await run(probe(hangs, limit_s=0.01), probe(quick))
    assert (slow.finding.status, fast.finding.status) == (Status.FAIL, Status.OK)
    assert "0.0 s" in slow.finding.detail


async def test_no_more_run_at_once_than_allowed_and_the_whole_has_an_end() -> None:
    running = most = 0

    async def counts(_: Deployment) -> Finding:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return ok("fine")

    assert len(await run(*[probe(counts)] * 9, at_once=3)) == 9
    assert most == 3
    late = await run(probe(counts), total_s=0.0)
    assert late[0].finding.status is Status.FAIL


async def test_offline_leaves_out_what_asks_others() -> None:
    async def asked(_: Deployment) -> Finding:
        return ok("asked")

    far, near = await run(probe(asked, is_remote=True), probe(asked), offline=True)
    assert (far.finding.status, near.finding.status) == (Status.SKIP, Status.OK)


async def test_detail_and_mend_are_redacted() -> None:
    async def tells(_: Deployment) -> Finding:
        return warn(f"detail {SECRET}", f"mend {SECRET}")

    (row,) = await run(probe(tells))
    assert row.finding == Finding(Status.WARN, "detail ***", "mend ***")


async def test_what_is_shared_is_asked_once_and_its_error_is_everybodys() -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise StorageUnavailable("away")

    once = Once(ask)
    told = await asyncio.gather(once.get(), once.get(), return_exceptions=True)
    with pytest.raises(StorageUnavailable):
        await once.get()
    await once.aclose()
    assert asked == 1
    assert [str(one) for one in told] == ["away", "away"]
