"""Which origins are on the list, and what a header has to say to match one."""

from __future__ import annotations

import pytest

from app.api.options import ApiOptions
from app.api.origins import allowed_origins, is_allowed_origin
from app.core.domain.context import DataMode

PUBLIC = "https://signals.example.com"


def options(public_url: str = PUBLIC, *named: str, local: bool = False) -> ApiOptions:
    origins = allowed_origins(public_url, named, local=local)
    return ApiOptions(public_url, DataMode.DEMO, "1", origins=origins)


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        (PUBLIC, PUBLIC),
        ("https://Signals.Example.com:443", PUBLIC),
        (f"{PUBLIC}/desk", PUBLIC),
        ("http://10.0.0.5:8000", "http://10.0.0.5:8000"),
        ("http://[2001:db8::1]:80", "http://[2001:db8::1]"),
    ],
)
def test_pages_of_the_public_address_are_let_in(public_url: str, origin: str) -> None:
    assert is_allowed_origin(origin, options(public_url))


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "https://evil.example",
        "http://signals.example.com",
        f"{PUBLIC}:8443",
        f"{PUBLIC}.evil.example",
        f"{PUBLIC}/",
        f" {PUBLIC}",
        "https://evil-signals.example.com",
        "https://signals.example.com@evil.example",
        "http://localhost:8000",
    ],
)
def test_any_other_page_is_not(origin: str | None) -> None:
    assert not is_allowed_origin(origin, options(PUBLIC, "*"))


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:8000"])
def test_this_machine_is_let_in_on_any_port_where_it_is_local(origin: str) -> None:
    assert is_allowed_origin(origin, options(local=True))
    assert not is_allowed_origin(origin, options())


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:",
        "http://localhost:80.evil.example",
        "http://localhost:123456",
        "http://localhost:٣",
        "http://localhost.evil.example",
        "http://localhost:5173:80",
        "https://localhost:8000",
    ],
)
def test_what_only_looks_like_this_machine_is_not(origin: str) -> None:
    assert not is_allowed_origin(origin, options(local=True))


def test_a_named_origin_is_let_in_as_it_is_written_and_a_star_names_nobody() -> None:
    chosen = options(PUBLIC, "https://desk.example", "*")
    assert is_allowed_origin("https://desk.example", chosen)
    assert not is_allowed_origin("https://desk.example:8443", chosen)
    assert chosen.origins == (PUBLIC, "https://desk.example")


def test_without_a_list_nobody_is() -> None:
    assert not is_allowed_origin(PUBLIC, ApiOptions(PUBLIC, DataMode.DEMO, "1"))
