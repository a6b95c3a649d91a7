"""`/api/admin/...`: what admins are shown, and what requests leave in the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.options import ApiKey, digest_of
from app.core.domain.access import AuditAction, AuditEvent, AuditOutcome
from app.services.keyring import Keyring
from tests.access_facts import NOW_MS, MemoryKeys, key
from tests.api.conftest import Rig

KEYS = tuple(ApiKey.from_plain(name, f"{name}-key", [name]) for name in ("read", "debug", "admin"))
TOKEN = "a-token-of-the-dashboard"
ADMIN = {"Authorization": "Bearer admin-key"}
READER = {"Authorization": "Bearer read-key"}
PAGE = {"Origin": "https://signals.example.com"}


def make() -> Rig:
    return Rig(api_keys=KEYS, dashboard_token_digest=digest_of(TOKEN), origins=(PAGE["Origin"],))


async def told(rig: Rig) -> list[tuple[str, str, str, str, int]]:
    await rig.audit.settle()
    return [
        (row.actor, row.action.value, row.outcome.value, row.target, row.times) for row in rig.audit_log.rows
    ]


class TestKeys:
    async def test_names_scopes_and_ages_are_shown_and_no_digest(self) -> None:
        store = MemoryKeys()
        store.put(
            key("bot", "text-of-bot", "read", "debug", last_used_ms=NOW_MS - 60_000),
            key("gone", revoked_ms=NOW_MS),
            key("late", expires_ms=NOW_MS),
            key("read"),
        )
        ring = Keyring(store, wall_ms=lambda: NOW_MS)
        await ring.load()
        rig = Rig(api_keys=KEYS, keys=ring)
        answer = await rig.get("/api/admin/keys", headers=ADMIN)
        assert answer.status_code == 200
        shown = {(item["name"], item["source"]): item for item in answer.json()["items"]}
        assert {name: item["state"] for (name, source), item in shown.items() if source == "database"} == {
            "bot": "active",
            "gone": "revoked",
            "late": "expired",
            "read": "shadowed",
        }
        assert shown["bot", "database"] == {
            "name": "bot",
            "source": "database",
            "state": "active",
            "scopes": ["debug", "read"],
            "created": "2026-02-25T06:13:20.000Z",
            "expires": None,
            "revoked": None,
            "lastUsed": "2026-02-25T06:12:20.000Z",
        }
        assert shown["admin", "environment"]["scopes"] == ["admin"]
        for one in (*KEYS, *store.rows.values()):
            assert one.digest.hex() not in answer.text
            assert repr(one.digest) not in answer.text


class TestAudit:
    async def test_a_page_shows_rows_newest_first(self) -> None:
        rig = make()
        rig.audit_log.rows = [
            AuditEvent(NOW_MS, "1", "cli:root", AuditAction.KEY_CREATED, AuditOutcome.DONE, "bot read"),
            AuditEvent(
                NOW_MS + 1, "2", "stranger", AuditAction.LOGIN, AuditOutcome.REFUSED, "", "r", "192.0.2.1", 9
            ),
        ]
        answer = await rig.get("/api/admin/audit?limit=10", headers=ADMIN)
        assert [item["action"] for item in answer.json()["items"]] == ["login", "key.created"]
        assert answer.json()["items"][0] == {
            "at": "2026-02-25T06:13:20.001Z",
            "actor": "stranger",
            "action": "login",
            "outcome": "refused",
            "target": "",
            "times": 9,
            "requestId": "r",
            "address": "192.0.2.1",
        }
        answer = await rig.get("/api/admin/audit?action=key.created", headers=ADMIN)
        assert [item["action"] for item in answer.json()["items"]] == ["key.created"]

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "action=fly"])
    async def test_what_makes_no_sense_is_refused(self, query: str) -> None:
        assert (await make().get(f"/api/admin/audit?{query}", headers=ADMIN)).status_code == 400

    async def test_it_says_when_the_store_is_away(self) -> None:
        rig = make()
        rig.audit_log.is_away = True
        assert (await rig.get("/api/admin/audit", headers=ADMIN)).status_code == 503


class TestWhatIsWritten:
    async def test_changes_of_coins_by_whom_and_once(self) -> None:
        rig = make()
        async with rig.client() as client:
            client.headers.update(ADMIN)
            for _ in range(2):
                assert (await client.post("/api/coins/add", json={"symbol": "doge"})).status_code == 200
            await client.patch("/api/coins/DOGE/toggle", json={"on": False})
            await client.delete("/api/coins/remove/DOGE")
            assert (await client.delete("/api/coins/remove/DOGE")).status_code == 404
        assert await told(rig) == [
            ("key:admin", action, "done", "DOGE", 1)
            for action in ("coin.added", "coin.switched", "coin.removed")
        ]

    async def test_logins_and_wrong_tokens(self) -> None:
        rig = make()
        async with rig.client() as client:
            for token in (TOKEN, "wrong", "wrong", "read-key"):
                await client.post("/api/session", json={"token": token}, headers=PAGE)
        assert await told(rig) == [
            ("session:dashboard", "login", "done", "", 1),
            ("session:read", "login", "done", "", 1),
            ("stranger", "login", "refused", "", 2),
        ]
        assert "wrong" not in repr(rig.audit_log.rows)

    async def test_scopes_that_were_used_and_that_were_lacking(self) -> None:
        rig = make()
        for headers in (ADMIN, READER):
            for path in ("/api/admin/keys", "/metrics", "/signals/BTC?debug=true"):
                await rig.get(path, headers=headers)
        async with rig.client() as client:
            await client.post("/api/coins/add", json={"symbol": "DOGE"}, headers=READER)
        assert sorted(await told(rig)) == [
            ("key:admin", "admin.read", "done", "/api/admin/keys", 1),
            ("key:admin", "scope.refused", "refused", "GET /signals/{symbol} (read)", 1),
            *(
                ("key:read", "scope.refused", "refused", target, 1)
                for target in (
                    "GET /api/admin/keys (admin)",
                    "GET /metrics (admin)",
                    "GET /signals/{symbol} (debug)",
                    "POST /api/coins/add (admin)",
                )
            ),
        ]

    async def test_wrong_keys_are_counted_and_not_written_down(self) -> None:
        rig = make()
        for number in range(3):
            await rig.get("/signals/BTC", headers={"Authorization": f"Bearer guess-{number}"})
        await rig.get("/signals/BTC")  # without any: not a guess
        assert await told(rig) == [("stranger", "key.refused", "refused", "", 3)]
        assert "guess" not in repr(rig.audit_log.rows)

    async def test_a_stranger_writes_nothing_of_their_own_choice(self) -> None:
        rig = make()
        wrong = {"Authorization": "Bearer no-key-of-ours"}
        await rig.get("/signals/BTC", headers={**wrong, "X-Request-ID": "words-of-a-stranger"})
        await rig.get("/metrics", headers={**READER, "X-Request-ID": "words-of-a-reader"})
        await told(rig)
        refused = {row.actor: row.request_id for row in rig.audit_log.rows}
        assert refused == {"stranger": None, "key:read": "words-of-a-reader"}

    async def test_an_open_service_says_that_anyone_did_it(self) -> None:
        rig = Rig()
        async with rig.client() as client:
            await client.post("/api/coins/add", json={"symbol": "DOGE"})
        assert await told(rig) == [("anyone", "coin.added", "done", "DOGE", 1)]

    async def test_reading_the_market_leaves_nothing(self) -> None:
        rig = make()
        answers: list[Any] = [await rig.get(path, headers=READER) for path in ("/signals/BTC", "/market/BTC")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert await told(rig) == []
