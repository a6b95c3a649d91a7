"""Addresses and keys, one by one."""

from __future__ import annotations

import pytest

from app.api.auth import client_address, find_key
from app.api.options import ApiKey


@pytest.mark.parametrize(
    "peer, forwarded, hops, expected",
    [
        ("10.0.0.1", "evil, 203.0.113.7", 1, "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.0.0.2", 2, "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7", 0, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", 2, "10.0.0.1"),
        ("10.0.0.1", "not-an-address", 1, "10.0.0.1"),
        ("10.0.0.1", None, 1, "10.0.0.1"),
        (None, None, 0, "unknown"),
        ("2001:db8::1:2:3:4", None, 0, "2001:db8::/64"),
        ("::ffff:192.0.2.1", None, 0, "192.0.2.1"),
    ],
)
def test_address_is_the_right_most_untrusted_one(
    peer: str | None, forwarded: str | None, hops: int, expected: str
) -> None:
    assert client_address(peer, forwarded, hops) == expected


def test_one_host_cannot_multiply_itself_with_ipv6_addresses() -> None:
    assert client_address("2001:db8::1", None, 0) == client_address("2001:db8::ffff:2", None, 0)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer x", "bearer" * 100, "Bearer \udcff"]
)
def test_anything_but_a_configured_key_is_nobody(header: str | None) -> None:
    assert find_key(header, (ApiKey.from_plain("a", "the-real-key", ["read"]),)) is None


def test_scheme_is_case_insensitive() -> None:
    key = ApiKey.from_plain("a", "the-real-key", ["read"])
    assert find_key("bearer the-real-key", (key,)) is key
