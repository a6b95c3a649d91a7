"""The store's command: `python -m app.store migrate | downgrade | status | verify | backup | ...`.

Parses, opens, prints; what is done lives in `app.migrate` and `app.services.storage`. Exit codes: 0 done,
1 could not be done, 2 not asked for rightly. No output holds a password.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli_audit import note_by_command
from app.core.clock import SystemClock
from app.core.domain.access import AuditAction
from app.core.errors import StorageRefused, StorageUnavailable
from app.migrate import BASE, downgrade, dropped_tables, known_revisions, upgrade
from app.services.storage.engine import is_embedded, open_engine
from app.services.storage.faults import storage_errors
from app.services.storage.probability_log import SqlProbabilityLog
from app.services.storage.record_proof import verify_record
from app.services.storage.retention import Keep, apply_retention
from app.services.storage.schema import revision_of, why_not
from app.services.storage.tables import HEAD
from app.services.storage.tiles import SqlTiles
from app.settings import Settings, SettingsError, load_settings
from app.store_backup import back_up, restore
from app.store_probabilities import describe_probabilities
from app.store_rebuild import slices, stored_minutes
from app.store_status import count_rows, data_mode_of, format_removed, format_status, place_of, read_status

DONE, FAILED, WRONG_USE = 0, 1, 2
_MAKES_THE_FILE = frozenset({"migrate", "restore"})
_FIRST_AUDITED = "0008"  # the revision that made the audit log
_SUCH_AS = "such as 2026-01-15 or 2026-01-15T12:00Z"


class WrongUse(Exception):
    """The command line or a setting asks for what makes no sense; the text says what would."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every command gets. settings None: `--file` was given and no setting is read."""

    engine: AsyncEngine
    url: str
    args: argparse.Namespace
    settings: Settings | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and say how it went."""
    args = _parser().parse_args(argv)
    try:
        settings = None if args.file else load_settings()
        url = f"sqlite:///{args.file}" if settings is None else settings.store_url()
        if args.command not in _MAKES_THE_FILE:
            check_there(url)
        return asyncio.run(_run(_COMMANDS[args.command], url, args, settings))
    except (SettingsError, WrongUse) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    except StorageUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return FAILED


def check_there(url: str) -> None:
    """Opening an SQLite file makes it; migrating and restoring mean to. Raises: StorageUnavailable."""
    if not is_embedded(url):
        return
    path = Path(make_url(url).database or "")
    if path.is_dir():
        raise StorageUnavailable(f"{place_of(url)}: that is a folder and not a file")
    if not path.is_file():
        raise StorageUnavailable(f"{place_of(url)}: there is no such file yet; the first start makes it")


async def _run(command: _Command, url: str, args: argparse.Namespace, settings: Settings | None) -> int:
    # Upkeep may take minutes where a request may not.
    engine = open_engine(url, statement_timeout_s=None)
    try:
        return await command(Task(engine, url, args, settings))
    finally:
        await engine.dispose()


async def _migrate(task: Task) -> int:
    before = await _revision(task.engine)
    await upgrade(task.engine)
    after = await _revision(task.engine)
    if before != after:
        await note_by_command(task.engine, AuditAction.STORE_MIGRATED, f"{before or 'empty'} -> {after}")
    what = f"already at revision {after}" if before == after else f"migrated {before or 'empty'} -> {after}"
    _say(f"{place_of(task.url)}: {what}")
    return DONE


async def _downgrade(task: Task) -> int:
    target, current = task.args.revision, await _current(task)
    known = (*known_revisions(), BASE)
    if target not in known:
        raise WrongUse(f"there is no revision {target}; there are {', '.join(known)}")
    if known.index(target) <= known.index(current):
        raise WrongUse(f"the database is at {current}: {target} is not before it")
    dropped = dropped_tables(current, target)
    with storage_errors("counting rows"):
        async with task.engine.connect() as connection:
            rows = sum([await count_rows(connection, table) for table in dropped])
    if rows and not task.args.yes:
        raise WrongUse(
            f"this drops {len(dropped)} tables with {rows:,} rows of {place_of(task.url)}; "
            "nothing was done. Add --yes to go through with it"
        )
    await downgrade(task.engine, target)
    if known.index(target) <= known.index(_FIRST_AUDITED):  # else the log itself is gone
        await note_by_command(task.engine, AuditAction.STORE_DOWNGRADED, f"{current} -> {target}")
    _say(f"{place_of(task.url)}: migrated {current} -> {target}; {rows:,} rows dropped")
    return DONE


async def _note(task: Task) -> int:
    """For scripts that put a backup back: the log they restored should say that they did."""
    await require_head(task.engine)
    await note_by_command(task.engine, AuditAction.STORE_RESTORED, task.args.target)
    _say(f"{place_of(task.url)}: noted in the audit log")
    return DONE


async def _status(task: Task) -> int:
    status = await read_status(task.engine, task.url)
    _say(format_status(status))
    return DONE if status.is_usable else FAILED


async def _retention(task: Task) -> int:
    if task.settings is None:
        raise WrongUse("retention reads how long rows are kept from the settings: leave --file away")
    if task.settings.data_mode == "replay":
        raise WrongUse("a replay has a time of its own: only the running service knows what is old in it")
    await require_head(task.engine)
    pinned = await data_mode_of(task.engine)
    if pinned not in (None, task.settings.data_mode):
        # Its rows may have another time than this clock: a replay's are old by ours, and all would go.
        raise WrongUse(
            f"this database holds {pinned} data and DATA_MODE is {task.settings.data_mode}: "
            "nothing was removed"
        )
    keep = Keep(**task.settings.retention_days())
    removed = await apply_retention(task.engine, keep, SystemClock().now_ms())
    _say(format_removed(removed))
    return DONE


async def _verify(task: Task) -> int:
    await require_head(task.engine)
    report = await verify_record(task.engine)
    found = "broken" if report.broken else "all hold"
    _say(f"{report.signals:,} signals and {report.outcomes:,} outcomes in {report.chains:,} chains: {found}")
    for chain, seq, why in report.broken:
        _say(f"  chain {chain}, number {seq}: {why}")
    return FAILED if report.broken else DONE


async def _rebuild_heatmap(task: Task) -> int:
    await require_head(task.engine)
    span = await stored_minutes(task.engine)
    if span is None:
        _say("no liquidations are stored: there is nothing to rebuild from")
        return DONE
    # Before the first event that is kept there is nothing to rebuild from: older tiles stay as they are.
    from_min = max(span.first_min, task.args.from_min or span.first_min)
    to_min = span.last_min + 1 if task.args.to_min is None else task.args.to_min
    if from_min >= to_min:
        raise WrongUse("no stored liquidation lies between --from and --to")
    tiles = SqlTiles(task.engine)
    made = [await tiles.rebuild(low, high) for low, high in slices(from_min, to_min, span.days)]
    _say(f"{sum(made):,} tiles rebuilt, from {_iso(from_min)} to {_iso(to_min)}")
    kept_days = Keep().liquidation_heatmap
    is_replay = await data_mode_of(task.engine) == "replay"  # which has a time of its own
    if is_replay or kept_days is None:
        return DONE
    if from_min < SystemClock().now_ms() // 60_000 - kept_days * 1_440:
        _say(f"those older than {kept_days:g} days age out again at the service's next clean-up")
    return DONE


async def _probabilities(task: Task) -> int:
    await require_head(task.engine)
    _say(await describe_probabilities(SqlProbabilityLog(task.engine)))
    return DONE


async def _backup(task: Task) -> int:
    size = back_up(_sqlite_file(task), task.args.target)
    _say(f"{place_of(task.url)}: backed up to {task.args.target}, {size:,} bytes")
    return DONE


async def _restore(task: Task) -> int:
    database = _sqlite_file(task)
    moment = datetime.fromtimestamp(SystemClock().now_ms() // 1000, UTC)
    kept = database.with_name(f"{database.name}.before-{moment:%Y%m%dT%H%M%SZ}")
    replaced = restore(task.args.source, database, replaces=task.args.force, keep_as=kept)
    known, current = known_revisions(), await _revision(task.engine)
    if current in known[: known.index(_FIRST_AUDITED) + 1]:  # older ones have no such log
        await note_by_command(task.engine, AuditAction.STORE_RESTORED, task.args.source.name)
    _say(f"{place_of(task.url)}: restored from {task.args.source}")
    if replaced:
        _say(f"what was there before is in {kept}")
    return DONE


def _sqlite_file(task: Task) -> Path:
    if not is_embedded(task.url):
        raise WrongUse(
            "PostgreSQL is backed up and restored by its own tools: make backup and make restore, or the "
            "scripts in infra/postgres (docs/operations.md)"
        )
    return Path(task.engine.url.database or "")


_Command = Callable[[Task], Awaitable[int]]
_COMMANDS: dict[str, _Command] = {
    "migrate": _migrate,
    "downgrade": _downgrade,
    "status": _status,
    "note-restored": _note,
    "verify": _verify,
    "rebuild-heatmap": _rebuild_heatmap,
    "retention": _retention,
    "probabilities": _probabilities,
    "backup": _backup,
    "restore": _restore,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.store", description="Look after the database of DATABASE_URL."
    )
    parser.add_argument("--file", type=Path, help="an SQLite file instead of DATABASE_URL")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the tables up to this version")
    back = commands.add_parser("downgrade", help="take the tables back to an older revision")
    back.add_argument("revision", help=f"the revision to end at; {BASE}: no tables at all")
    back.add_argument("--yes", action="store_true", help="drop the rows that have no place there")
    noted = commands.add_parser("note-restored", help="write into the audit log that a backup was restored")
    noted.add_argument("target", help="which backup: a file name or a date")
    commands.add_parser("status", help="backend, revision, layout, rows and size")
    commands.add_parser("verify", help="walk signals and outcomes and compute every hash again")
    again = commands.add_parser("rebuild-heatmap", help="compute tiles again from the stored liquidations")
    moment = f"{_SUCH_AS}; left out: all that is stored"
    again.add_argument("--from", dest="from_min", type=_minute, metavar="TIME", help=moment)
    again.add_argument("--to", dest="to_min", type=_minute, metavar="TIME", help="the end, outside")
    commands.add_parser("probabilities", help="how good the published chances were")
    copy = commands.add_parser("backup", help="copy the SQLite database, while the service writes")
    copy.add_argument("target", type=Path, metavar="FILE", help="a file that is not there yet")
    put = commands.add_parser("restore", help="put a backup in the place of the SQLite database")
    put.add_argument("source", type=Path, metavar="FILE", help="what backup wrote")
    put.add_argument("--force", action="store_true", help="although there is a database; it is kept")
    commands.add_parser("retention", help="remove what is older than the RETENTION_ settings say")
    return parser


async def _current(task: Task) -> str:
    revision = await _revision(task.engine)
    if revision is None:
        raise WrongUse(f"{place_of(task.url)}: there are no tables yet")
    if revision not in known_revisions():
        raise WrongUse(f"revision {revision} is of a newer version: use the command of that one")
    return revision


async def require_head(engine: AsyncEngine) -> None:
    """Raises: StorageRefused (other tables than this version's), StorageUnavailable."""
    revision = await _revision(engine)
    if revision != HEAD:
        raise StorageRefused(why_not(revision))


async def _revision(engine: AsyncEngine) -> str | None:
    with storage_errors("opening the database"):
        async with engine.connect() as connection:
            return await revision_of(connection)


def _minute(text: str) -> int:
    """Minutes since the epoch of an ISO-8601 time, UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp()) // 60
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time {_SUCH_AS}") from None


def _iso(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%MZ}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
