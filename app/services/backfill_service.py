"""Fills the store with the past: every history of every coin, page by page, oldest missing page first.

Owns the order of work, waiting for call budgets, what counts as covered and what is remembered of it, so that
a killed run goes on where it stopped and a second run fetches only what is missing. Sources fetch, the store
writes; both are passed in. One series that fails does not stop the others. Called by `app.backfill`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import groupby

from app.core.domain.outliers import OutlierJudge
from app.core.domain.stored import BarRow
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderCircuitOpen,
    ProviderError,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderPlanLimited,
    ProviderRateLimited,
    ServiceError,
)
from app.core.history_ports import HistorySource
from app.core.store_ports import BarReader, MarketWriter, StateStore
from app.services.backfill_flags import FlagKeeper
from app.services.backfill_plan import (
    BackfillRequest,
    Covered,
    Span,
    Task,
    cut,
    joined,
    missing_spans,
    read_covered,
    state_key,
    still_there,
    wanted_span,
    write_covered,
)
from app.services.backfill_report import HoleCounter, Outcome, SeriesReport

# A page that fails this often in a row fails its series; the transport has retried each time already.
MAX_FAULTS = 4
# A budget that stays used up this long is not ours to wait for.
MAX_BUDGET_WAIT_S = 900.0
_MIN_WAIT_S = 0.05
_FIRST_FAULT_WAIT_S = 2.0

# (pages done, pages in all, what was done last)
OnProgress = Callable[[int, int, str], None]


class _StopAsked(Exception):
    """Leaves the page loop between pages."""


class BackfillService:
    """`plan`, then `run`."""

    def __init__(
        self,
        sources: Sequence[HistorySource],
        *,
        writer: MarketWriter,
        reader: BarReader,
        states: StateStore,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """sleep: waits for call budgets and between failures (tests leap over it)."""
        self._sources = tuple(sources)
        self._writer = writer
        self._states = states
        self._flags = FlagKeeper(reader, writer)
        self._now_ms = now_ms
        self._sleep = sleep

    async def plan(self, request: BackfillRequest) -> tuple[Task, ...]:
        """What there is to do, sources that cannot be asked for this bar size included.

        Raises:
            StorageUnavailable: what was done before could not be read.
        """
        now_ms = self._now_ms()
        tasks = [
            await self._task(source, symbol, request, now_ms)
            for source in self._sources
            if source.series in request.series
            for symbol in request.symbols
        ]
        return tuple(tasks)

    async def _task(
        self, source: HistorySource, symbol: Symbol, request: BackfillRequest, now_ms: int
    ) -> Task:
        wanted, limit = wanted_span(source, request, now_ms)
        known = read_covered(await self._states.get_state(state_key(source, symbol, request.interval)))
        task = Task(source, symbol, request.interval, wanted, known, (), limit)
        if not source.rhythm and request.interval not in source.intervals:
            return task
        covered = known
        if known.spans:
            covered = still_there(known, await self._flags.first_stored_ms(task))
        return replace(task, covered=covered, missing=missing_spans(wanted, covered.spans))

    async def run(
        self, tasks: Sequence[Task], *, stopping: asyncio.Event, on_progress: OnProgress
    ) -> tuple[SeriesReport, ...]:
        """Do it; providers side by side, the histories of one provider one after the other.

        stopping: set it to end after the pages under way. Nothing is raised for a series that fails.
        """
        progress = _Progress(sum(len(task.pages) for task in tasks), on_progress)

        async def of_provider(mine: list[Task]) -> list[SeriesReport]:
            return [await self._run(task, stopping, progress) for task in mine]

        by_provider = sorted(tasks, key=lambda task: task.source.provider)
        groups = [list(group) for _, group in groupby(by_provider, key=lambda task: task.source.provider)]
        done = await asyncio.gather(*(of_provider(group) for group in groups))
        return tuple(report for reports in done for report in reports)

    async def _run(self, task: Task, stopping: asyncio.Event, progress: _Progress) -> SeriesReport:
        run = _SeriesRun(task)
        report = run.report
        if not task.source.rhythm and task.interval not in task.source.intervals:
            report.outcome = Outcome.NOT_OFFERED
            report.detail = f"{task.source.provider} has no {task.interval} bars of it"
            return report
        try:
            for span in task.missing:
                await self._fill(run, span, stopping, progress)
            if report.fetched:
                report.outcome = Outcome.DONE
            elif not run.has_bars:
                report.outcome = Outcome.NO_DATA
        except _StopAsked:
            report.outcome = Outcome.STOPPED
        except ServiceError as error:
            report.outcome, report.detail = _outcome_of(error), str(error)
        report.exchange = run.exchange
        report.missing_bars = run.holes.missing_bars
        run.describe_range()
        # Pages that will not be asked for any more count as done.
        progress.skip(len(task.pages) - run.pages, report)
        return report

    async def _fill(self, run: _SeriesRun, span: Span, stopping: asyncio.Event, progress: _Progress) -> None:
        judge: OutlierJudge | None = None
        run.holes.restart()
        for page in cut(span, run.task.source.page_ms(run.task.interval)):
            rows = await self._fetch(run.task, page, stopping)
            if rows:
                if judge is None or rows[0].exchange != run.exchange:
                    run.exchange = rows[0].exchange
                    judge = await self._flags.judge_before(run.task, run.exchange, page.from_ms)
                await self._store(run, judge, rows)
            if judge is not None and run.exchange is not None and run.meets_later_bars(page):
                run.report.outliers += await self._flags.judge_after(
                    judge, run.task, run.exchange, page.to_ms
                )
            run.cover(page, rows)
            if run.has_bars:  # nothing at all may be a fault of the source: then everything is asked again
                state = write_covered(Covered(run.exchange, run.spans, run.first_ms))
                await self._states.put_state(run.task.key, state)
            run.pages += 1
            progress.step(run.report)

    async def _store(self, run: _SeriesRun, judge: OutlierJudge, rows: tuple[BarRow, ...]) -> None:
        """Flag, write and flush one page: what is remembered as covered is in the database."""
        judged = await asyncio.to_thread(judge.judge, rows)
        run.report.fetched += len(judged)
        await self._writer.put_all(judged)
        await self._writer.flush()
        run.report.written += len(judged)
        run.report.outliers += sum(row.is_outlier for row in judged)
        run.holes.see(judged)

    async def _fetch(self, task: Task, page: Span, stopping: asyncio.Event) -> tuple[BarRow, ...]:
        """One page, waiting for the budget as long as it says, and a few times for faults that pass.

        Raises:
            ProviderError: it will not come.
        """
        faults, waited_s = 0, 0.0
        while True:
            if stopping.is_set():
                raise _StopAsked
            try:
                return await task.source.fetch(task.symbol, task.interval, *page)
            except ProviderError as error:
                is_budget = isinstance(error, ProviderRateLimited)
                faults += not is_budget
                passes = is_budget or error.retryable or isinstance(error, ProviderCircuitOpen)
                if not passes or faults > MAX_FAULTS or waited_s > MAX_BUDGET_WAIT_S:
                    raise
                wait_s = error.retry_after_s
                if wait_s is None:
                    wait_s = _FIRST_FAULT_WAIT_S * 2**faults
                waited_s += max(wait_s, _MIN_WAIT_S)
                await self._pause(max(wait_s, _MIN_WAIT_S), stopping)

    async def _pause(self, seconds: float, stopping: asyncio.Event) -> None:
        """Wait, unless told to stop meanwhile."""
        waiting = asyncio.ensure_future(self._sleep(seconds))
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((waiting, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stop.cancel()


class _SeriesRun:
    """One task under way: what is covered by now, and its report."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.exchange = task.covered.exchange or task.source.exchange
        self.spans = task.covered.spans
        self.first_ms = task.covered.first_ms
        self.holes = HoleCounter()
        self.pages = 0
        interval = task.interval if not task.source.rhythm else "own"
        self.report = SeriesReport(
            task.source.provider, task.source.name, task.symbol.base, interval, self.exchange
        )
        self.report.detail = task.limit

    @property
    def has_bars(self) -> bool:
        """Whether this run or one before stored any."""
        return self.report.fetched > 0 or bool(self.task.covered.spans)

    def meets_later_bars(self, page: Span) -> bool:
        """Whether bars stored by an earlier run begin where the page ends."""
        return any(span.from_ms == page.to_ms for span in self.spans)

    def cover(self, page: Span, rows: tuple[BarRow, ...]) -> None:
        """The page is stored. Its newest bars may be late: those not there yet are asked for next time."""
        to_ms = page.to_ms
        if to_ms == self.task.wanted.to_ms:
            to_ms = rows[-1].close_ms + 1 if rows else page.from_ms
        if rows:
            self.first_ms = min(rows[0].close_ms, self.first_ms or rows[0].close_ms)
        self.spans = joined((*self.spans, Span(page.from_ms, to_ms)))

    def describe_range(self) -> None:
        if self.spans and self.has_bars:
            self.report.from_ms = self.spans[0].from_ms
            self.report.to_ms = self.spans[-1].to_ms - 1


class _Progress:
    """Pages done of all, told to whoever shows it."""

    def __init__(self, total: int, tell: OnProgress) -> None:
        self.done = 0
        self._total = total
        self._tell = tell

    def step(self, report: SeriesReport) -> None:
        self.done += 1
        self._say(report)

    def skip(self, pages: int, report: SeriesReport) -> None:
        """Pages of the series that were not asked for count as done."""
        if pages > 0:
            self.done += pages
            self._say(report)

    def _say(self, report: SeriesReport) -> None:
        self._tell(self.done, self._total, f"{report.provider} {report.series} {report.symbol}")


def _outcome_of(error: ServiceError) -> Outcome:
    if isinstance(error, ProviderPlanLimited):
        return Outcome.NOT_IN_PLAN
    if isinstance(error, ProviderNoData | ProviderNotConfigured):
        return Outcome.NO_DATA
    return Outcome.ERROR
