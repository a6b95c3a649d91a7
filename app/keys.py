"""The command for keys: `python -m app.keys create | list | revoke | hash`.

Makes keys, shows each once and stores its digest; running processes follow within seconds. What a process
does with them is `services.keyring`'s. Exit codes: 0 done, 1 could not be done, 2 not asked for rightly.
The key goes to standard output alone, all that is said about it to standard error: no log need hold it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.api.options import digest_of
from app.cli_audit import note_by_command
from app.core.domain.access import MAX_ACTIVE_KEYS, MAX_KEYS, AuditAction, KeyState, StoredKey
from app.core.domain.market import DAY_MS
from app.core.errors import StorageUnavailable
from app.keys_text import KEYS_EPILOG, describe, rows_of
from app.services.storage.access import SqlKeys
from app.services.storage.engine import open_engine
from app.settings import MIN_API_KEY_CHARS, Settings, SettingsError, load_settings
from app.settings_values import HASHED, SCOPES
from app.store import DONE, FAILED, WRONG_USE, WrongUse, check_there, require_head

PREFIX = "cfs_"  # by which secret scanners find one that was committed: cfs_[A-Za-z0-9_-]{43}
KEY_BYTES = 32
MAX_DAYS = 3_650
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_TAKEN = frozenset({"dashboard"})  # by sessions of DASHBOARD_TOKEN


@dataclass(frozen=True, slots=True)
class Task:
    """What every command on the database gets."""

    engine: AsyncEngine
    keys: SqlKeys
    settings: Settings
    args: argparse.Namespace
    now_ms: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and say how it went."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "hash":
            return _hash(args)
        settings = load_settings()
        check_there(settings.store_url())
        return asyncio.run(_run(_COMMANDS[args.command], settings, args))
    except (SettingsError, WrongUse) as error:
        _say(str(error))
        return WRONG_USE
    except StorageUnavailable as error:
        _say(str(error))
        return FAILED


def new_key() -> str:
    """A key nobody has: 32 random bytes behind the prefix."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


async def _run(command: _Command, settings: Settings, args: argparse.Namespace) -> int:
    engine = open_engine(settings.store_url())
    try:
        await require_head(engine)
        return await command(Task(engine, SqlKeys(engine), settings, args, time.time_ns() // 1_000_000))
    finally:
        await engine.dispose()


async def _create(task: Task) -> int:
    name, days = task.args.name, task.args.expires_days
    if name in {key.name for key in task.settings.api_keys}:
        raise WrongUse(f"API_KEYS has a key named {name}: choose another name")
    _check_room(await task.keys.keys(), task.now_ms)
    text = new_key()
    expires_ms = None if days is None else task.now_ms + days * DAY_MS
    key = StoredKey(name, digest_of(text), task.args.scopes, task.now_ms, expires_ms)
    if not await task.keys.add_key(key):
        raise WrongUse(f"there was a key named {name} before: a name is given once, so choose another")
    await note_by_command(task.engine, AuditAction.KEY_CREATED, f"{name} {'+'.join(sorted(key.scopes))}")
    _say(describe(key, task.now_ms))
    _say("The key is shown once and kept nowhere. Processes accept it within seconds:")
    sys.stdout.write(f"{text}\n")
    if not _asks_for_keys(task.settings):
        _say("Note: this deployment asks nobody for a key. ENV=prod, API_KEYS or DASHBOARD_TOKEN closes it.")
    return DONE


async def _list(task: Task) -> int:
    rows = rows_of(task.settings, await task.keys.keys(), task.now_ms)
    if task.args.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return DONE
    for row in rows:
        sys.stdout.write("  ".join(f"{row[name] or '-':<{width}}" for name, width in _WIDTHS.items()) + "\n")
    if not rows:
        _say("there is no key: `python -m app.keys create NAME --scopes read` makes one")
    return DONE


async def _revoke(task: Task) -> int:
    name = task.args.name
    if not await task.keys.revoke_key(name, task.now_ms):
        where = "; it is of API_KEYS: take it out there" if _is_own(task.settings, name) else ""
        raise WrongUse(f"there is no key named {name} to revoke{where}")
    await note_by_command(task.engine, AuditAction.KEY_REVOKED, name)
    _say(f"{name} is revoked; running processes refuse it within seconds")
    if _is_own(task.settings, name):
        _say(f"API_KEYS still has a key named {name}: it goes on working")
    return DONE


def _hash(args: argparse.Namespace) -> int:
    """The line for API_KEYS, of a key from standard input or of a new one."""
    text = new_key() if args.new else sys.stdin.readline().strip()
    if not re.fullmatch(r"[!-~]+", text) or len(text) < MIN_API_KEY_CHARS:
        raise WrongUse(
            f"expected a key of at least {MIN_API_KEY_CHARS} characters on standard input, or --new"
        )
    if args.new:
        _say(f"The key, shown once and kept nowhere: {text}")
    scopes = "+".join(sorted(args.scopes))
    sys.stdout.write(f"{args.name}:{HASHED}{digest_of(text).hex()}:{scopes}\n")
    return DONE


_Command = Callable[[Task], Awaitable[int]]
_COMMANDS: dict[str, _Command] = {"create": _create, "list": _list, "revoke": _revoke}
_WIDTHS = {"name": 24, "source": 11, "state": 8, "scopes": 16, "created": 17, "expires": 17, "lastUsed": 17}


def _check_room(keys: Sequence[StoredKey], now_ms: int) -> None:
    """Raises: WrongUse."""
    active = sum(key.state(now_ms) is KeyState.ACTIVE for key in keys)
    if active >= MAX_ACTIVE_KEYS:
        raise WrongUse(f"{active} keys are in force, and there are no more than that: revoke one first")
    if len(keys) >= MAX_KEYS:
        raise WrongUse(f"{len(keys)} names were given, and there are no more: see docs/security.md")


def _asks_for_keys(settings: Settings) -> bool:
    return settings.env == "prod" or bool(settings.api_keys) or settings.dashboard_token is not None


def _is_own(settings: Settings, name: str) -> bool:
    return name in {key.name for key in settings.api_keys}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.keys",
        description="Keys for callers, in the database of DATABASE_URL.",
        epilog=KEYS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key; it is shown once")
    create.add_argument("name", type=_name, help="what limits, lists and the audit log know it by")
    _add_scopes(create)
    create.add_argument("--expires-days", type=_days, metavar="N", help="days it is good for; else for ever")
    shown = commands.add_parser("list", help="every key, those of API_KEYS too; never the key itself")
    shown.add_argument("--json", action="store_true", help="as JSON")
    commands.add_parser("revoke", help="take a key back").add_argument("name", type=_name)
    hashed = commands.add_parser("hash", help="an entry for API_KEYS that holds no key")
    hashed.add_argument("name", type=_name)
    _add_scopes(hashed)
    hashed.add_argument("--new", action="store_true", help="of a new key instead of one on standard input")
    return parser


def _add_scopes(command: argparse.ArgumentParser) -> None:
    text = "read, debug, admin, joined by +; each stands for itself alone"
    command.add_argument("--scopes", type=_scopes, default=frozenset({"read"}), metavar="A+B", help=text)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text) or text in _TAKEN:
        raise argparse.ArgumentTypeError("expected up to 40 of A-Z a-z 0-9 . _ -, and not `dashboard`")
    return text


def _scopes(text: str) -> frozenset[str]:
    scopes = frozenset(text.split("+"))
    if not scopes <= SCOPES:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(sorted(SCOPES))}, joined by +")
    return scopes


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"expected a number of days from 1 to {MAX_DAYS}")
    return int(text)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
