"""What leaves the process as log line or metric: complete, labelled, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry import RedactingProcessor, configure_logging

CANARY = "Kf93jd02mXq7LsPz81"
MASK = "***"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the configured logs go; the logging of the test run is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def redact(text: str) -> str:
    return text.replace(CANARY, MASK)


class TestRedactingProcessor:
    @given(st.text(), st.text(), st.sampled_from(["text", "list", "dict", "key", "error", "bytes"]))
    def test_no_value_of_any_shape_lets_a_secret_through(self, before: str, after: str, shape: str) -> None:
        text = before + CANARY + after
        value = {
            "text": text,
            "list": [(text,)],
            "dict": {"x": {"y": text}},
            "key": {text: 1},
            "error": ValueError(text),
            "bytes": text.encode(errors="replace"),
        }[shape]
        assert CANARY not in str(RedactingProcessor(redact).value(value))


class TestLogging:
    def test_structlog_and_standard_logs_share_one_redacting_chain(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="demo", stream=stream)
        structlog.get_logger("a").warning("called %s", CANARY, url=f"https://h.example/p?k={CANARY}", n=3)
        logging.getLogger("b").error("std %s", CANARY, extra={"more": CANARY})
        first, second = lines(stream)
        assert CANARY not in stream.getvalue()
        assert (first["event"], first["n"], first["dataMode"], first["level"]) == (
            f"called {MASK}",
            3,
            "demo",
            "warning",
        )
        assert (second["event"], second["more"], second["logger"]) == (f"std {MASK}", MASK, "b")
        assert str(first["timestamp"]).endswith("Z")

    def test_a_traceback_is_logged_without_the_secret_in_it(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        try:
            raise ValueError(CANARY)
        except ValueError:
            logging.getLogger("a").exception("failed")
        (line,) = lines(stream)
        assert "Traceback" in str(line["exception"])
        assert CANARY not in stream.getvalue()

    def test_terminal_colours_of_the_web_server_do_not_reach_the_lines(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        logging.getLogger("a.web.server").warning("up", extra={"color_message": "\x1b[36mup"})
        assert "color_message" not in lines(stream)[0]

    def test_the_console_form_redacts_as_well(self, stream: io.StringIO) -> None:
        configure_logging(json=False, redact=redact, data_mode="live", stream=stream)
        structlog.get_logger("a").warning("x", key=CANARY)
        assert MASK in stream.getvalue()
        assert CANARY not in stream.getvalue()

    @pytest.mark.parametrize("name", ["httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access"])
    def test_libraries_that_print_whole_urls_are_quiet(self, stream: io.StringIO, name: str) -> None:
        configure_logging(json=True, redact=redact, level="DEBUG", data_mode="live", stream=stream)
        logging.getLogger(name).info("HTTP Request: GET https://h.example")
        assert stream.getvalue() == ""

    def test_configuring_twice_logs_each_line_once(self, stream: io.StringIO) -> None:
        for _ in range(2):
            configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        logging.getLogger("a").warning("once")
        assert len(lines(stream)) == 1

    def test_every_line_carries_what_the_present_work_is_about(self, stream: io.StringIO) -> None:
        about = {"requestId": "r-1"}
        configure_logging(json=True, redact=redact, data_mode="live", work=lambda: about, stream=stream)
        logging.getLogger("a").warning("one")
        structlog.get_logger("b").warning("two", requestId="its own")
        about.clear()
        logging.getLogger("a").warning("three")
        first, second, third = lines(stream)
        assert (first["requestId"], second["requestId"]) == ("r-1", "its own")
        assert "requestId" not in third

    def test_redaction_comes_after_the_names_of_the_work(self, stream: io.StringIO) -> None:
        work = {"requestId": CANARY}
        configure_logging(json=True, redact=redact, data_mode="live", work=lambda: work, stream=stream)
        logging.getLogger("a").warning("x")
        assert CANARY not in stream.getvalue()
        assert lines(stream)[0]["requestId"] == MASK
