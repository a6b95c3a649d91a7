"""The names under which `/mcp` is served."""

from __future__ import annotations

import pytest

from app.api.mcp_options import McpOptions


def test_a_public_address_stands_for_its_host_with_every_port_and_nothing_else() -> None:
    served = McpOptions.of("https://Signals.example.com", local=False)
    assert served.hosts == ("signals.example.com", "signals.example.com:*")
    assert served.origins == ("https://signals.example.com", "https://signals.example.com:*")


def test_a_port_that_is_named_is_the_only_one() -> None:
    served = McpOptions.of("http://10.0.0.5:8000", more_hosts=["[2001:db8::5]:8001"], local=False)
    assert served.hosts == ("10.0.0.5:8000", "[2001:db8::5]:8001")
    assert served.origins == ("http://10.0.0.5:8000",)


def test_this_machine_has_three_names() -> None:
    served = McpOptions.of("http://localhost:8000", local=True)
    assert {"localhost", "localhost:*", "127.0.0.1:*", "[::1]", "[::1]:*"} <= set(served.hosts)
    assert {"http://localhost:*", "http://127.0.0.1", "http://[::1]:*"} <= set(served.origins)
    assert not any(origin.startswith("https://") for origin in served.origins)


@pytest.mark.parametrize("local", [True, False])
def test_what_is_added_stands_beside_the_rest(local: bool) -> None:
    served = McpOptions.of(
        "https://a.example", more_hosts=["B.example"], more_origins=["https://C.example"], local=local
    )
    assert {"a.example", "b.example", "b.example:*"} <= set(served.hosts)
    assert {"https://a.example", "https://c.example"} <= set(served.origins)
    assert ("localhost" in served.hosts) is local
