"""S03: requests are counted by key, else by the right-most hop nobody can forge; spoofing gains nothing.

Real processes: what a server in front of the application makes of the headers counts as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from tests.guarded_process import OWNER, QUIET, READER, bearer, client_of, guarded
from tests.live_process import Service

LIMIT = 25
# Everything by which some server or other takes a visitor's word for where they are.
SPOOFABLE = (
    *("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"),
    *("X-Cluster-Client-IP", "Fastly-Client-IP", "X-Original-Forwarded-For", "Via"),
)


def spoofed(number: int) -> dict[str, str]:
    """Headers of somebody who claims to be somebody else each time."""
    address = f"198.51.{number // 250}.{number % 250 + 1}"
    headers = dict.fromkeys(SPOOFABLE, address)
    return headers | {"Forwarded": f"for={address};proto=https", "X-Forwarded-Host": f"h{number}.test"}


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Reached without a proxy."""
    with guarded(tmp_path_factory.mktemp("direct"), RATE_LIMIT_PER_MINUTE=str(LIMIT)) as service:
        yield service


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Reached through one proxy, which this test plays: it appends the address it saw."""
    settings = {"RATE_LIMIT_PER_MINUTE": str(LIMIT), "TRUSTED_PROXY_HOPS": "1"}
    with guarded(tmp_path_factory.mktemp("behind"), **settings) as service:
        yield service


def ask(client: httpx2.Client, *lists: dict[str, str], path: str = "/health/ready") -> Counter[int]:
    return Counter(client.get(path, headers=headers).status_code for headers in lists)


def test_without_a_proxy_no_header_makes_a_stranger_somebody_else(direct: Service) -> None:
    with client_of(direct) as client:
        # Guesses at keys, too: each wrong one is counted against the address it comes from.
        guesses = [spoofed(number) | bearer(f"guess-{number}") for number in range(2 * LIMIT)]
        strangers = [spoofed(500 + number) for number in range(2 * LIMIT)]
        told = ask(client, *guesses, *strangers)
        assert told == {401: LIMIT, 429: 3 * LIMIT}
        refused = client.get("/health/ready", headers=spoofed(1))
        assert 1 <= int(refused.headers["Retry-After"]) <= 120
        # Who has a key is not locked out by whoever shares the address.
        assert client.get("/symbols?query=btc", headers=bearer(OWNER)).status_code == 200


def test_a_key_has_one_allowance_wherever_it_claims_to_come_from(direct: Service) -> None:
    with client_of(direct) as client:
        told = ask(
            client,
            *(spoofed(number) | bearer(READER) for number in range(2 * LIMIT)),
            path="/symbols?query=btc",
        )
        assert told == {200: LIMIT, 429: LIMIT}
        # Another key is another caller, at the same address.
        assert client.get("/symbols?query=btc", headers=bearer(QUIET)).status_code == 200


def test_behind_a_proxy_the_entry_it_appended_counts_and_nothing_left_of_it(behind: Service) -> None:
    def proxied(number: int, seen: str) -> dict[str, str]:
        return spoofed(number) | {"X-Forwarded-For": f"10.0.0.1, 198.51.100.{number}, {seen}"}

    with client_of(behind) as client:
        told = ask(client, *(proxied(number, "203.0.113.7") for number in range(2 * LIMIT)))
        assert told == {401: LIMIT, 429: LIMIT}
        # Who really comes from elsewhere has an allowance of their own; a whole /64 has one together.
        assert ask(client, proxied(1, "203.0.113.8")) == {401: 1}
        hosts = [proxied(1, f"2001:db8:1:2::{number:x}") for number in range(1, 2 * LIMIT + 1)]
        assert ask(client, *hosts) == {401: LIMIT, 429: LIMIT}


def test_behind_a_proxy_a_list_that_makes_no_sense_falls_back_to_the_peer(behind: Service) -> None:
    nonsense = ("", "unknown", "203.0.113.9:80", "_hidden", "a" * 500, ",,,", "203.0.113.9,", "::ffff:x")
    with client_of(behind) as client:
        told = ask(client, *({"X-Forwarded-For": text} for text in nonsense * LIMIT))
        assert told[401] == LIMIT
        assert set(told) == {401, 429}
