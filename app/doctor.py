"""The deployment check: `python -m app.doctor`, a table of some sixty probes and an exit code.

Parses flags, loads the settings, runs the probes of `doctor_*`, prints. Exit codes: 0 nothing fails, 1
something does (with `--strict` a warning too), 2 not asked for rightly. Changes nothing but what is asked for
by name (`--send-test-message`); no output holds a secret.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from app import (
    doctor_access,
    doctor_database,
    doctor_machine,
    doctor_messages,
    doctor_providers,
    doctor_redis,
    doctor_service,
    doctor_settings,
    doctor_stream,
)
from app.core.clock import Clock, SystemClock
from app.core.errors import ConfigurationError
from app.data_modes import prepare
from app.doctor_deployment import Deployment
from app.doctor_report import format_json, format_table
from app.doctor_run import Probe, Row, Status, run_probes
from app.services.transport.redact import Redactor
from app.settings import Settings, SettingsError, load_settings

HEALTHY, SICK, WRONG_USE = 0, 1, 2
PROBES: tuple[Probe, ...] = (
    *doctor_settings.PROBES,
    *doctor_access.PROBES,
    *doctor_machine.PROBES,
    *doctor_providers.PROBES,
    *doctor_stream.PROBES,
    *doctor_database.PROBES,
    *doctor_redis.PROBES,
    *doctor_messages.PROBES,
    *doctor_service.PROBES,
)
GROUPS = tuple(dict.fromkeys(probe.group for probe in PROBES))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def main(argv: Sequence[str] | None = None) -> int:
    """Check and say what was found."""
    args = _parser().parse_args(argv)
    started_s = time.monotonic()
    with ExitStack() as stack:
        deployment = find_deployment(args, stack)
        rows = asyncio.run(examine(deployment, chosen(args.only)))
    elapsed_s = time.monotonic() - started_s
    if args.json:
        mode = None if deployment.loaded is None else deployment.loaded.data_mode
        sys.stdout.write(format_json(rows, elapsed_s=elapsed_s, data_mode=mode))
    else:
        sys.stdout.write(format_table(rows, elapsed_s=elapsed_s, coloured=sys.stdout.isatty()))
    return exit_code(rows, strict=args.strict)


def find_deployment(args: argparse.Namespace, stack: ExitStack) -> Deployment:
    """The deployment that the settings describe; a demo's or replay's simulator lives as long as `stack`."""
    clock: Clock = SystemClock()
    settings: Settings | None = None
    problems: tuple[str, ...] = ()
    try:
        settings = load_settings(data_mode="demo" if args.demo else None)
        if not args.offline:
            clock, settings = prepare(settings, stack)
    except SettingsError as error:
        problems = error.problems
    except ConfigurationError as error:
        settings, problems = None, (str(error),)
    return Deployment(
        settings,
        problems,
        clock=clock,
        is_offline=args.offline,
        sends_test_message=args.send_test_message,
    )


async def examine(deployment: Deployment, probes: Sequence[Probe]) -> list[Row]:
    """Run the probes; no text of a row holds a secret of the settings or a line break."""
    secrets = () if deployment.loaded is None else deployment.loaded.secret_values()
    redactor = Redactor(secrets)
    async with deployment:
        return await run_probes(
            probes, deployment, redact=lambda text: redactor.text(_CONTROL.sub(" ", text))
        )


def chosen(groups: Sequence[str]) -> tuple[Probe, ...]:
    """The probes of these groups, all where none is named."""
    return tuple(probe for probe in PROBES if not groups or probe.group in groups)


def exit_code(rows: Sequence[Row], *, strict: bool) -> int:
    bad = {Status.FAIL, Status.WARN} if strict else {Status.FAIL}
    return SICK if any(row.finding.status in bad for row in rows) else HEALTHY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.doctor",
        description="Check a deployment; docs/doctor.md says what each row means.",
    )
    parser.add_argument("--json", action="store_true", help="for a machine")
    parser.add_argument(
        "--only", type=_groups, default=(), metavar="GROUP,...", help=f"of {', '.join(GROUPS)}"
    )
    parser.add_argument("--offline", action="store_true", help="leave out what asks other machines")
    parser.add_argument("--strict", action="store_true", help="a warning fails too")
    parser.add_argument(
        "--demo", action="store_true", help="check the demo, with its simulator: needs no key"
    )
    parser.add_argument(
        "--send-test-message", action="store_true", help="send a Telegram message to each configured chat"
    )
    return parser


def _groups(text: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    strange = [name for name in named if name not in GROUPS]
    if strange or not named:
        raise argparse.ArgumentTypeError(f"expected groups of {', '.join(GROUPS)}")
    return named


if __name__ == "__main__":
    sys.exit(main())
