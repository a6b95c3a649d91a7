"""Logs: one redacting chain for everything a process writes.

Owns how things are said, not what happens: the composition root configures it once, and the other modules use
the standard library's loggers. Every text that leaves through a log handler goes through the redaction it is
given first. Figures are `telemetry_metrics`'s.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

# Their INFO lines print whole request URLs; uvicorn's access log prints paths the API has already counted.
# The MCP library tells of every request, at DEBUG with what stands in it.
_NOISY_LOGGERS = (
    *("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access", "websockets"),
    *("mcp", "sse_starlette"),
)
_HANDLER_NAME = "crypto-futures-signals"
# What the present work is about, for every line written meanwhile: {"requestId": "..."}.
WorkNames = Callable[[], Mapping[str, str]]


class RedactingProcessor:
    """Applies `redact` to every text of an event, however deep, as the last step before it is written."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def value(self, value: object) -> object:
        """The same for every string inside dicts, lists and tuples; other objects by their text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, Mapping):
            return {self._redact(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self._redact(value.decode(errors="replace") if isinstance(value, bytes) else str(value))

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """As a structlog processor."""
        return {key: self.value(item) for key, item in event.items()}


def configure_logging(
    *,
    level: str = "INFO",
    json: bool,
    redact: Callable[[str], str],
    data_mode: str,
    work: WorkNames = dict,
    stream: TextIO | None = None,
) -> None:
    """Send the logs of this process, structlog's and the standard library's, through one redacting chain.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        json: one JSON object per line (production) instead of coloured columns.
        redact: cuts every secret out of a text; every string of every line goes through it.
        data_mode: put on every line, so that demo output never passes for market data.
        work: asked with every line for the ids of what is being done (request, alert).
        stream: where to; standard error when None.
    """
    before = _before_rendering(data_mode, work)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_terminal_colours,
                structlog.processors.format_exc_info,
                # After the traceback became text, before anything is written.
                RedactingProcessor(redact),
                _renderer(json=json, stream=stream or sys.stderr),
            ],
        )
    )
    root = logging.getLogger()
    # Called again (tests, reload): replace our handler, leave those of others (pytest) alone.
    for old in [item for item in root.handlers if item.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    _quiet_libraries()
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _without_terminal_colours(_logger: object, _method: str, event: EventDict) -> EventDict:
    """uvicorn repeats its message with escape codes in an extra field."""
    event.pop("color_message", None)
    return event


def _before_rendering(data_mode: str, work: WorkNames) -> list[Processor]:
    def add_names(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.setdefault("dataMode", data_mode)
        for name, value in work().items():
            event.setdefault(name, value)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_names,
    ]


def _renderer(*, json: bool, stream: TextIO) -> Processor:
    if json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=stream.isatty())


def _quiet_libraries() -> None:
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn brings handlers of its own that know nothing of redaction: let its lines reach ours instead.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
