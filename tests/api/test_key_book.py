"""Which keys are accepted: the environment's, then the table's; and what a digest at rest is not good for."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import Any

from app.api.key_book import KeyBook
from app.api.options import ApiKey, ApiOptions, digest_of
from app.api.session import SESSION_S, Sessions
from app.core.domain.context import DataMode
from app.services.keyring import Keyring
from tests.access_facts import NOW_MS, MemoryKeys, key

OWN = ApiKey.from_plain("ops", "key-of-the-environment", ["read"])
HASHED = ApiKey.from_digest("quiet", digest_of("key-nobody-wrote-down"), ["read"])


async def ring_of(store: MemoryKeys) -> Keyring:
    ring = Keyring(store, wall_ms=lambda: NOW_MS)
    await ring.load()
    return ring


def options_of(*keys: ApiKey, **more: Any) -> ApiOptions:
    return ApiOptions("https://signals.test", DataMode.DEMO, "1", api_keys=keys, **more)


async def test_both_kinds_are_found_and_only_those_of_the_table_are_noted() -> None:
    store = MemoryKeys()
    store.put(key("bot", "key-of-bot", "read", "debug"))
    ring = await ring_of(store)
    book = KeyBook(options_of(OWN), ring)
    found = [
        book.find(f"Bearer {text}") for text in ("key-of-the-environment", "key-of-bot", "key-of-nobody")
    ]
    assert [one and one.name for one in found] == ["ops", "bot", None]
    assert book.find(None) is None
    await ring.load()
    assert store.touched == [{"bot": NOW_MS}]


async def test_a_name_in_both_is_the_environments() -> None:
    store = MemoryKeys()
    store.put(key("ops", "key-of-the-table"))
    book = KeyBook(options_of(OWN), await ring_of(store))
    assert book.find("Bearer key-of-the-table") is None
    assert book.find("Bearer key-of-the-environment") is OWN


async def test_a_revoked_key_is_not_found_any_more() -> None:
    store = MemoryKeys()
    store.put(key("bot", "key-of-bot"))
    ring = await ring_of(store)
    book = KeyBook(options_of(OWN), ring)
    assert book.find("Bearer key-of-bot") is not None
    await store.revoke_key("bot", NOW_MS)
    await ring.load()
    assert book.find("Bearer key-of-bot") is None


def test_a_hash_is_no_key() -> None:
    book = KeyBook(options_of(HASHED))
    assert book.find("Bearer key-nobody-wrote-down") is HASHED
    for shown in (f"sha256${HASHED.digest.hex()}", HASHED.digest.hex()):
        assert book.find(f"Bearer {shown}") is None


def forged(one: ApiKey, signing: bytes) -> str:
    """The cookie that whoever read this digest could make, were it all that is needed."""

    def encoded(data: bytes) -> str:
        return urlsafe_b64encode(data).decode().rstrip("=")

    label = encoded(f"key:{one.name}".encode())
    payload = f"v1.{label}.{NOW_MS // 1000 + SESSION_S}"
    signing_key = hmac.digest(signing, b"session cookie v1", "sha256")
    return f"session={payload}.{encoded(hmac.digest(signing_key, payload.encode(), 'sha256'))}"


class TestSessions:
    def test_a_digest_at_rest_makes_no_cookie(self) -> None:
        clear, hashed = Sessions(options_of(OWN), wall_ms=lambda: NOW_MS), options_of(OWN, HASHED)
        # That this is how cookies are made is seen by the key whose digest lies nowhere.
        assert clear.caller_of_cookie(forged(OWN, OWN.digest), "a") is not None
        sessions = Sessions(hashed, wall_ms=lambda: NOW_MS)
        assert sessions.caller_of_cookie(forged(HASHED, HASHED.digest), "a") is None
        cookie = sessions.cookie_of_token("key-nobody-wrote-down")
        assert cookie is not None
        assert sessions.caller_of_cookie(cookie.partition(";")[0], "a") is not None

    def test_processes_with_a_secret_of_the_environment_know_each_others_cookies(self) -> None:
        for options, shared in (
            (options_of(HASHED), False),
            (options_of(HASHED, OWN), True),
            (options_of(HASHED, dashboard_token_digest=digest_of("a-dashboard-token")), True),
        ):
            one, other = (Sessions(options, wall_ms=lambda: NOW_MS) for _ in range(2))
            cookie = one.cookie_of_token("key-nobody-wrote-down")
            assert cookie is not None
            assert (other.caller_of_cookie(cookie.partition(";")[0], "a") is not None) is shared

    async def test_a_session_ends_with_its_key(self) -> None:
        store = MemoryKeys()
        store.put(key("bot", "key-of-bot"))
        ring, options = await ring_of(store), options_of(OWN)
        sessions = Sessions(options, wall_ms=lambda: NOW_MS, keys=KeyBook(options, ring))
        cookie = sessions.cookie_of_token("key-of-bot")
        assert cookie is not None
        assert sessions.caller_of_cookie(cookie.partition(";")[0], "a") is not None
        await store.revoke_key("bot", NOW_MS)
        await ring.load()
        assert sessions.caller_of_cookie(cookie.partition(";")[0], "a") is None
        assert sessions.cookie_of_token("key-of-bot") is None
