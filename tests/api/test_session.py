"""The session cookie: what it says, whom it stands for, and everything that is no cookie of ours."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.api.auth import ALL_SCOPES
from app.api.options import ApiKey, ApiOptions, Scope, digest_of
from app.api.session import SESSION_COOKIE, SESSION_S, Sessions
from app.core.domain.context import DataMode

TOKEN, READ = "Qd7xLk2vRm9TzWb4Ns", "Hk3vT8wQz1mNp5Lc"
ADDRESS = "192.0.2.7"
START_MS = 1_772_000_000_000


class Rig:
    """Sessions of one process, with a clock to move."""

    def __init__(self, *, token: str | None = TOKEN, key: str = READ, **options: Any) -> None:
        self.now_ms = START_MS
        given = {
            "public_url": "https://signals.example.com",
            "api_keys": (ApiKey.from_plain("reader", key, ["read"]),),
            "dashboard_token_digest": None if token is None else digest_of(token),
        }
        self.options = ApiOptions(data_mode=DataMode.DEMO, version="1", **{**given, **options})
        self.sessions = Sessions(self.options, wall_ms=lambda: self.now_ms)

    def open(self, token: str = TOKEN) -> str:
        """The `Cookie` header a browser sends after a login."""
        cookie = self.sessions.cookie_of_token(token)
        assert cookie is not None
        return cookie.partition(";")[0]

    def read(self, header: str | None) -> Any:
        return self.sessions.caller_of_cookie(header, ADDRESS)


class TestCookie:
    def test_its_attributes_keep_scripts_and_other_sites_away(self) -> None:
        cookie = Rig().sessions.cookie_of_token(TOKEN)
        assert cookie is not None
        pair, *attributes = cookie.split("; ")
        assert pair.startswith(f"{SESSION_COOKIE}=v1.")
        assert sorted(attributes) == [
            "HttpOnly",
            f"Max-Age={SESSION_S}",
            "Path=/",
            "SameSite=Strict",
            "Secure",
        ]
        assert SESSION_S == 43_200

    def test_it_is_secure_wherever_the_public_address_is(self) -> None:
        cookie = Rig(public_url="http://localhost:8000").sessions.cookie_of_token(TOKEN)
        assert cookie is not None
        assert "Secure" not in cookie
        assert "HttpOnly; SameSite=Strict" in cookie

    def test_clearing_it_names_the_same_path(self) -> None:
        assert Rig().sessions.clearing_cookie() == (
            "session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure"
        )

    def test_it_holds_a_name_and_an_end_and_no_trace_of_the_token(self) -> None:
        value = Rig().open().partition("=")[2]
        _, label, expires, _ = value.split(".")
        assert base64.urlsafe_b64decode(label + "===").decode() == "dashboard"
        assert int(expires) == START_MS // 1000 + SESSION_S
        for secret in (
            TOKEN,
            digest_of(TOKEN).hex(),
            base64.urlsafe_b64encode(digest_of(TOKEN)).decode()[:20],
        ):
            assert secret not in value

    def test_options_and_sessions_show_no_digest(self) -> None:
        rig = Rig()
        shown = repr(rig.options) + repr(vars(rig.sessions))
        for token in (TOKEN, READ):
            assert token not in shown
            assert repr(digest_of(token)) not in shown


class TestWhoItIs:
    def test_the_dashboard_token_may_do_everything(self) -> None:
        rig = Rig()
        caller = rig.read(rig.open())
        assert (caller.identity, caller.scopes, caller.name) == (
            f"session:dashboard:{ADDRESS}",
            ALL_SCOPES,
            "dashboard",
        )
        assert rig.sessions.caller_of_token(TOKEN, ADDRESS) == caller

    def test_an_api_key_may_do_what_it_may(self) -> None:
        rig = Rig()
        caller = rig.read(rig.open(READ))
        assert (caller.name, caller.scopes) == ("reader", frozenset({Scope.READ}))

    def test_viewers_who_share_a_token_are_counted_apart(self) -> None:
        rig = Rig()
        cookie = rig.open()
        callers = [rig.sessions.caller_of_cookie(cookie, address) for address in ("192.0.2.1", "192.0.2.2")]
        assert len({caller.identity for caller in callers if caller is not None}) == 2

    def test_a_key_named_like_the_dashboard_is_not_the_dashboard(self) -> None:
        rig = Rig(api_keys=(ApiKey.from_plain("dashboard", READ, ["read"]),))
        assert rig.read(rig.open(READ)).scopes == {Scope.READ}
        assert rig.read(rig.open()).scopes == ALL_SCOPES

    def test_a_token_pasted_with_a_line_break_is_the_token(self) -> None:
        assert Rig().sessions.caller_of_token(f" {TOKEN}\n", ADDRESS) is not None

    @pytest.mark.parametrize("token", ["", " ", TOKEN[:-1], TOKEN + "x", "x" * 100_000, "\ud800", "é" * 20])
    def test_any_other_token_is_nobodys(self, token: str) -> None:
        sessions = Rig().sessions
        assert sessions.caller_of_token(token, ADDRESS) is None
        assert sessions.cookie_of_token(token) is None

    def test_without_any_token_nobody_gets_in(self) -> None:
        assert Rig(token=None, api_keys=()).sessions.cookie_of_token(TOKEN) is None

    def test_cookies_of_others_beside_ours_do_no_harm(self) -> None:
        rig = Rig()
        assert rig.read(f"theme=dark; session=eyJmbGFzayI6MX0.Z1.x; {rig.open()}; a=b") is not None


class TestItsEnd:
    def test_it_ends_after_twelve_hours(self) -> None:
        rig = Rig()
        cookie = rig.open()
        rig.now_ms += SESSION_S * 1000 - 1000
        assert rig.read(cookie) is not None
        rig.now_ms += 1000
        assert rig.read(cookie) is None

    def test_it_ends_when_its_token_is_changed_and_no_other(self) -> None:
        before, after = Rig(), Rig(token="Another7xLk2vRm9Tz")
        assert after.read(before.open()) is None
        assert after.read(before.open(READ)) is not None

    def test_it_ends_when_its_key_is_removed(self) -> None:
        assert Rig(api_keys=()).read(Rig().open(READ)) is None

    def test_it_lives_on_in_another_process(self) -> None:
        assert Rig().read(Rig().open()) is not None

    def test_scopes_are_those_the_key_has_now(self) -> None:
        now = Rig(api_keys=(ApiKey.from_plain("reader", READ, ["read", "debug"]),))
        assert now.read(Rig().open(READ)).scopes == {Scope.READ, Scope.DEBUG}


def tampered() -> list[str]:
    rig = Rig()
    form, label, expires, signed = rig.open().partition("=")[2].split(".")
    reader = rig.open(READ).partition("=")[2].split(".")
    later = str(int(expires) + 1)
    values = [
        f"{form}.{label}.{later}.{signed}",
        f"{form}.{label}.{expires}.{signed[:-1]}",
        f"{form}.{label}.{expires}.{signed}A",
        f"{form}.{label}.{expires}.{signed.swapcase()}",
        f"{form}.{label}.{expires}.",
        f"{form}.{label}.{expires}",
        f"{form}.{label}..{signed}",
        f"v2.{label}.{expires}.{signed}",
        f"{form}.{reader[1]}.{expires}.{signed}",  # another's name, or another's end and signature
        f"{form}.{label}.{reader[2]}.{reader[3]}",
        f"{form}.{label}.{expires}.{signed}.{signed}",
        f"{form}.{label}.{expires}.{signed}é",
        f'"{form}.{label}.{expires}.{signed}"',
    ]
    return [f"{SESSION_COOKIE}={value}" for value in values]


@pytest.mark.parametrize("header", [None, "", ";", "session", "session=", "session=;session=", *tampered()])
def test_a_forged_or_tampered_cookie_is_nobodys(header: str | None) -> None:
    assert Rig().read(header) is None


def test_a_cookie_under_another_name_is_nobodys() -> None:
    value = Rig().open().partition("=")[2]
    for header in (f"sessions={value}", f"Session={value}", f"x=session={value}", value):
        assert Rig().read(header) is None


def test_a_header_is_read_only_so_far() -> None:
    rig = Rig()
    cookie = rig.open()
    assert rig.read("a=b; " * 100 + cookie) is not None
    assert rig.read("a=b; " * 4000 + cookie) is None
    assert rig.read("session=x; " * 8 + cookie) is None


RIG = Rig()
GOOD = RIG.open()
_PIECES = st.sampled_from([*GOOD.replace("=", ".").split("."), *'=.; "', "\x00"])


@given(header=st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=30).map("".join)))
@example(header="session=v1.é.1.x")
@example(header="session=\ud800.v1")
def test_no_header_breaks_the_reading_and_none_but_ours_gets_in(header: str) -> None:
    caller = RIG.read(header)
    assert caller is None or GOOD in header


@given(at=st.integers(min_value=0, max_value=len(GOOD) - 1), other=st.characters(max_codepoint=255))
def test_one_changed_character_ends_it(at: int, other: str) -> None:
    changed = GOOD[:at] + other + GOOD[at + 1 :]
    caller = RIG.read(changed)
    assert caller is None or changed == GOOD or changed.strip() == GOOD
