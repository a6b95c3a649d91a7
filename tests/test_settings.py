"""Settings refuse what makes no sense, name it, and never print a secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.context import Capability
from app.core.domain.engine_config import AbsoluteScales, EngineConfig, MaxAge, Thresholds
from app.core.domain.signal import FactorName, Mode
from app.settings import Settings, SettingsError, SignalsConfig, load_settings, load_signals_config

ROOT = Path(__file__).resolve().parents[1]
TOML = ROOT / "config" / "signals.toml"
CANARY = "Kf93jd02mXq7LsPz81"
GOOD_PROD = {
    "ENV": "prod",
    "API_KEYS": f"assistant:{CANARY}:read+debug",
    "PUBLIC_URL": "https://signals.example.org",
    "DATABASE_URL": "postgresql://svc:Zq81mmPl03@db.internal/signals",
}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.problems


class TestReading:
    def test_nothing_set_is_a_keyless_live_service_on_loopback(self) -> None:
        settings = load_settings({})
        assert (settings.data_mode, settings.env, settings.host, settings.port) == (
            "live",
            "dev",
            "127.0.0.1",
            8000,
        )
        assert settings.coinglass_api_key is None
        assert settings.api_keys == ()

    @pytest.mark.parametrize(
        ("older", "value", "field"),
        [
            ("CG_API_KEY", CANARY, "coinglass_api_key"),
            ("DB_URL", "sqlite:///other.db", "database_url"),
            ("API_PORT", "9001", "port"),
            ("BASE_URL", "https://a.example.org", "public_url"),
        ],
    )
    def test_older_names_are_accepted(self, older: str, value: str, field: str) -> None:
        held = getattr(load_settings({older: value}), field)
        assert str(getattr(held, "get_secret_value", lambda: held)()) == value

    def test_the_newer_name_wins_over_the_older(self) -> None:
        assert load_settings({"API_PORT": "9001", "PORT": "9002"}).port == 9002

    def test_an_empty_value_counts_as_not_set(self) -> None:
        assert load_settings({"PORT": "", "COINGLASS_API_KEY": ""}).port == 8000

    def test_lists_are_split_trimmed_and_free_of_duplicates(self) -> None:
        settings = load_settings({"SYMBOLS": " btc, ETH ,btc,", "CORS_ORIGINS": "https://chatgpt.com"})
        assert settings.symbols == ("BTC", "ETH")
        assert settings.cors_origins == ("https://chatgpt.com",)

    def test_mcp_is_on_and_names_hosts_and_origins(self) -> None:
        names = {
            "MCP_ALLOWED_HOSTS": "a.example, 10.0.0.5:8000,[::1]:9",
            "MCP_ALLOWED_ORIGINS": "https://b.example",
        }
        settings = load_settings(names)
        assert settings.mcp is True
        assert settings.mcp_allowed_hosts == ("a.example", "10.0.0.5:8000", "[::1]:9")
        assert settings.mcp_allowed_origins == ("https://b.example",)
        assert load_settings({"MCP": "off"}).mcp is False

    @pytest.mark.parametrize(
        ("given", "is_local"),
        [
            ({}, True),
            ({"HOST": "0.0.0.0"}, True),
            ({"ENV": "prod"}, True),
            ({"ENV": "prod", "HOST": "0.0.0.0"}, False),
            ({"ENV": "prod", "HOST": "0.0.0.0", "DATA_MODE": "demo", "ALLOW_DEMO_IN_PROD": "true"}, True),
        ],
    )
    def test_this_machines_names_lead_here_but_in_production_for_all(
        self, given: dict[str, str], is_local: bool
    ) -> None:
        safe = {"API_KEYS": "k:0123456789abcdefghij:read", "PUBLIC_URL": "https://s.example.com"}
        assert load_settings(safe | given).is_local() is is_local

    def test_named_and_plain_api_keys_are_told_apart(self) -> None:
        named, plain = load_settings({"API_KEYS": "bot:aaa:read+admin, bbb"}).api_keys
        assert (named.name, named.key.get_secret_value(), named.scopes) == (
            "bot",
            "aaa",
            frozenset({"read", "admin"}),
        )
        assert (plain.name, plain.scopes) == ("key2", frozenset({"read"}))

    @pytest.mark.parametrize(
        "text", ["2025-12-05", "2025-12-05T00:00:00Z", "2025-12-05T01:00:00+01:00", "1764892800000"]
    )
    def test_replay_start_is_utc_milliseconds(self, text: str) -> None:
        assert load_settings({"REPLAY_START": text}).replay_start_ms == 1_764_892_800_000

    def test_the_older_postgres_scheme_is_understood(self) -> None:
        url = load_settings({"DATABASE_URL": "postgres://u:p@h/n"}).database_url.get_secret_value()
        assert url == "postgresql://u:p@h/n"

    @pytest.mark.parametrize(
        ("environ", "url"),
        [
            ({}, "sqlite:///data/signals.db"),
            ({"DATA_MODE": "demo"}, "sqlite:///data/demo.db"),
            ({"DATA_MODE": "replay", "REPLAY_DATA": "."}, "sqlite:///data/replay.db"),
            # As in a copy of .env.example.
            ({"DATA_MODE": "demo", "DATABASE_URL": "sqlite:///data/signals.db"}, "sqlite:///data/demo.db"),
            ({"DATA_MODE": "demo", "DATABASE_URL": "sqlite:///x.db"}, "sqlite:///x.db"),
            ({"DATA_MODE": "demo", "DATABASE_URL": "postgres://u:p@h/n"}, "postgresql://u:p@h/n"),
            ({"DATABASE_URL": "sqlite:///data/demo.db"}, "sqlite:///data/demo.db"),
        ],
    )
    def test_demo_and_replay_have_a_database_of_their_own_unless_one_is_named(
        self, environ: dict[str, str], url: str
    ) -> None:
        assert load_settings(environ).store_url() == url

    def test_the_environment_wins_over_the_env_file_and_overrides_over_both(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".env").write_text("PORT=7001\nHOST=0.0.0.0\nSIM_SEED=3\nUNRELATED=1\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PORT", "7002")
        monkeypatch.setenv("HOST", "")
        monkeypatch.setenv("SIM_SEED", "4")
        settings = load_settings(sim_seed=5, LOG_LEVEL=None)
        assert (settings.port, settings.host, settings.sim_seed) == (7002, "0.0.0.0", 5)

    def test_an_override_wins_over_an_older_name_too(self) -> None:
        assert load_settings({"API_PORT": "9001"}, port=9003).port == 9003
        assert load_settings({"PORT": "9001"}, PORT=None).port == 9001

    def test_an_override_is_checked_and_must_be_a_setting(self) -> None:
        with pytest.raises(SettingsError, match="PORT: "):
            load_settings({}, port=0)
        with pytest.raises(TypeError, match="prot is not a setting"):
            load_settings({}, prot=1)

    @pytest.mark.parametrize(
        ("form", "env", "is_json"),
        [("auto", "dev", False), ("auto", "prod", True), ("json", "dev", True), ("text", "prod", False)],
    )
    def test_logs_are_json_in_production_unless_said(self, form: str, env: str, is_json: bool) -> None:
        prod = {"API_KEYS": "owner:vT3kQ9xLm2Rz7WbP4nYc:read", "PUBLIC_URL": "https://signals.test"}
        prod |= {"DATABASE_URL": "postgresql://app:Zr8-kLw3_pQx@db.test/signals"}
        assert load_settings(prod, env=env, log_format=form).logs_json() is is_json

    def test_a_mapping_is_read_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "7002")
        assert load_settings({}).port == 8000


REFUSED = [
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "http"),
    ("HOST", "no spaces here"),
    ("ENV", "production"),
    ("DATA_MODE", "fake"),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_FORMAT", "xml"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "http"),
    ("METRICS_HOST", "no spaces here"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:pw@127.0.0.1:4318"),
    ("PUBLIC_URL", "example.org"),
    ("OKX_BASE_URL", "ftp://okx.example.org"),
    ("OKX_BASE_URL", "https://user:pw@okx.example.org"),
    ("COINGLASS_BASE_URL", "https://example.org/?key=1"),
    ("LUNARCRUSH_BASE_URL", "https://example.org:99999"),
    ("COINAPI_BASE_URL", "https://"),
    ("DATABASE_URL", "mysql://u:p@h/n"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "postgresql:///n"),
    ("REDIS_URL", "http://127.0.0.1:6379"),
    ("REDIS_TIMEOUT_SECONDS", "6"),
    ("CONNECT_TIMEOUT_SECONDS", "0"),
    ("CONNECT_TIMEOUT_SECONDS", "7"),
    ("READ_TIMEOUT_SECONDS", "0"),
    ("READ_TIMEOUT_SECONDS", "7"),
    ("FETCH_INTERVAL_SECONDS", "0"),
    ("FETCH_INTERVAL_SECONDS", "nan"),
    ("WS_RECONNECT_SECONDS", "-1"),
    ("WS_RECONNECT_SECONDS", "inf"),
    ("REQUEST_DEADLINE_SECONDS", "0"),
    ("REQUEST_DEADLINE_SECONDS", "46"),
    ("RATE_LIMIT_PER_MINUTE", "0"),
    ("TRUSTED_PROXY_HOPS", "-1"),
    ("RETENTION_LIQUIDATIONS_DAYS", "0"),
    ("RETENTION_OPEN_INTEREST_DAYS", "-1"),
    ("RETENTION_FUNDING_DAYS", "0.5"),
    ("RETENTION_AUDIT_DAYS", "0"),
    ("SYMBOLS", "BTC,E TH"),
    ("SYMBOLS", ","),
    ("EXCHANGES", "Binance,<script>"),
    ("CORS_ORIGINS", "chatgpt.com"),
    ("CORS_ORIGINS", "https://chatgpt.com/path"),
    ("MCP_ALLOWED_HOSTS", "https://signals.example.com"),
    ("MCP_ALLOWED_HOSTS", "signals.example.com/mcp"),
    ("MCP_ALLOWED_ORIGINS", "*"),
    ("MCP_ALLOWED_ORIGINS", "https://desk.example/path"),
    ("MCP", "perhaps"),
    ("API_KEYS", "name:key"),
    ("API_KEYS", "name:key:everything"),
    ("API_KEYS", "a:k1:read,a:k2:read"),
    ("API_KEYS", "a:k1:read,b:k1:read"),
    ("COINGLASS_API_KEY", "two words"),
    ("COINGLASS_API_KEY", "line\nbreak"),
    ("REPLAY_DATA", "no/such/folder"),
    ("REPLAY_START", "yesterday"),
    ("REPLAY_START", "-5"),
    ("REPLAY_SPEED", "0"),
    ("SIM_PLAN", "free"),
    ("SIM_SEED", "-1"),
]


class TestRefusing:
    @pytest.mark.parametrize(("name", "value"), REFUSED)
    def test_nonsense_is_refused_by_its_name(self, name: str, value: str) -> None:
        found = problems({name: value})
        assert len(found) == 1
        assert found[0].startswith(f"{name}: ")

    def test_all_problems_are_named_at_once(self) -> None:
        found = problems({"PORT": "0", "ENV": "x", "OKX_BASE_URL": "y"})
        assert {line.partition(":")[0] for line in found} == {"PORT", "ENV", "OKX_BASE_URL"}

    def test_an_older_name_is_reported_as_it_was_given(self) -> None:
        assert problems({"API_PORT": "0"})[0].startswith("API_PORT: ")

    def test_only_a_replay_has_a_market_that_runs_faster(self, tmp_path: Path) -> None:
        fast = {"REPLAY_SPEED": "60", "REPLAY_DATA": str(tmp_path)}
        assert load_settings(fast).market_speed() == 1.0
        assert load_settings(fast | {"DATA_MODE": "replay"}).market_speed() == 60.0

    def test_replay_needs_a_folder(self, tmp_path: Path) -> None:
        assert problems({"DATA_MODE": "replay"})[0].startswith("REPLAY_DATA: ")
        assert load_settings({"DATA_MODE": "replay", "REPLAY_DATA": str(tmp_path)}).replay_data == tmp_path

    @given(st.text(max_size=40), st.sampled_from(sorted({name for name, _ in REFUSED})))
    def test_any_text_is_taken_or_refused_with_a_settings_error(self, value: str, name: str) -> None:
        try:
            load_settings({name: value})
        except SettingsError as error:
            assert error.problems[0].startswith(f"{name}: ")  # noqa: PT017 - either outcome is right


class TestSecrets:
    SECRET_SETTINGS = ("COINGLASS_API_KEY", "COINAPI_KEY", "LUNARCRUSH_API_KEY", "TELEGRAM_BOT_TOKEN")

    def test_repr_and_text_hide_every_secret(self) -> None:
        environ = dict.fromkeys(self.SECRET_SETTINGS, CANARY) | {
            "API_KEYS": f"a:{CANARY}:read",
            "DATABASE_URL": f"postgresql://u:{CANARY}@h/n",
            "REDIS_URL": f"redis://:{CANARY}@h:1/0",
        }
        settings = load_settings(environ)
        assert CANARY not in repr(settings) + str(settings)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("API_KEYS", f"a:{CANARY}:nothing"),
            ("API_KEYS", f"a:{CANARY}:read,b:{CANARY}:read"),
            ("COINGLASS_API_KEY", f"{CANARY} {CANARY}"),
            ("DATABASE_URL", f"mysql://u:{CANARY}@h/n"),
            ("DATABASE_URL", f"postgresql://u:x@h:{CANARY}/n"),
            ("DATABASE_URL", f"postgresql://u:{CANARY}@[h/n"),
            ("REDIS_URL", f"redis://:{CANARY}@h:{CANARY}/0"),
            ("OKX_BASE_URL", f"https://u:{CANARY}@h"),
        ],
    )
    def test_a_refused_secret_is_not_printed(self, name: str, value: str) -> None:
        with pytest.raises(SettingsError) as caught:
            load_settings({name: value})
        error = caught.value
        assert CANARY not in f"{error} {error!r} {error.problems}"
        assert error.__cause__ is None
        assert error.__suppress_context__

    def test_the_address_of_a_webhook_is_a_secret_too(self) -> None:
        settings = load_settings({"ALERT_WEBHOOK_URL": f"https://hooks.test/services/{CANARY}"})
        assert CANARY not in f"{settings} {settings!r}"
        assert f"https://hooks.test/services/{CANARY}" in settings.secret_values()

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ({"TELEGRAM_BOT_TOKEN": f"1:{CANARY}"}, "TELEGRAM_CHAT_ID is not"),
            ({"TELEGRAM_CHAT_ID": "-1001234567"}, "TELEGRAM_BOT_TOKEN is not"),
            ({"ALERT_WEBHOOK_SECRET": CANARY}, "ALERT_WEBHOOK_URL is not"),
        ],
    )
    def test_half_of_a_pair_is_said_without_the_secret(self, given: dict[str, str], missing: str) -> None:
        (note,) = load_settings(given).message_notes()
        assert missing in note
        assert CANARY not in note

    def test_whole_pairs_are_worth_no_note(self) -> None:
        bot = {"TELEGRAM_BOT_TOKEN": "1:abc", "TELEGRAM_CHAT_ID": "-1001234567"}
        hook = {"ALERT_WEBHOOK_URL": "https://hooks.test/x", "ALERT_WEBHOOK_SECRET": "s"}
        assert load_settings(bot | hook | {"ENV": "dev"}).message_notes() == ()
        assert load_settings({}).message_notes() == ()

    def test_redaction_knows_every_secret_and_both_spellings_of_a_url_password(self) -> None:
        settings = load_settings(
            {"TELEGRAM_BOT_TOKEN": "tt:1", "API_KEYS": "kk1", "REDIS_URL": "redis://:p%40ss@h:1/0"}
        )
        assert set(settings.secret_values()) == {"tt:1", "kk1", "p%40ss", "p@ss"}


class TestProduction:
    def test_a_sane_production_starts(self) -> None:
        assert load_settings(GOOD_PROD).env == "prod"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("API_KEYS", ""),
            ("API_KEYS", "short"),
            ("API_KEYS", "aaaaaaaaaaaaaaaaaaaaaaaa"),
            ("API_KEYS", "changeme-changeme-changeme"),
            ("API_KEYS", "a:your-api-key-goes-here:read"),
            ("COINGLASS_API_KEY", "your-coinglass-key"),
            ("COINGLASS_API_KEY", "xxx"),
            ("LUNARCRUSH_API_KEY", "test"),
            ("COINAPI_KEY", "demo"),
            ("TELEGRAM_BOT_TOKEN", "<token>"),
            ("CORS_ORIGINS", "*"),
            ("PUBLIC_URL", ""),
            ("PUBLIC_URL", "http://signals.example.org"),
            ("PUBLIC_URL", "https://127.0.0.1"),
            ("PUBLIC_URL", "https://localhost:8000"),
            ("DATABASE_URL", "postgresql://postgres:postgres@db/signals"),
            ("DATABASE_URL", "postgresql://svc:changeme@db/signals"),
            ("DATABASE_URL", "postgresql://svc:svc@db/signals"),
            ("DATABASE_URL", "postgresql://svc@db/signals"),
            ("REDIS_URL", "redis://:password@cache:6379/0"),
            ("DATA_MODE", "demo"),
        ],
    )
    def test_an_unsafe_setting_is_refused_by_its_name(self, name: str, value: str) -> None:
        found = problems({**GOOD_PROD, name: value})
        assert [line.partition(":")[0] for line in found] == [name]

    @pytest.mark.parametrize(
        "change",
        [
            {"DATABASE_URL": "sqlite:///signals.db"},
            {"DATABASE_URL": "postgresql://svc@127.0.0.1/signals"},
            {"REDIS_URL": "redis://cache:6379/0"},
            {"REDIS_URL": "unix:///run/redis.sock"},
            {"DATA_MODE": "demo", "ALLOW_DEMO_IN_PROD": "true"},
            {"CORS_ORIGINS": "https://chatgpt.com"},
            {"COINGLASS_API_KEY": "testimonial19d8f7"},
        ],
    )
    def test_what_is_safe_is_not_refused(self, change: dict[str, str]) -> None:
        assert load_settings({**GOOD_PROD, **change}).env == "prod"

    def test_the_same_settings_are_fine_in_development(self) -> None:
        assert load_settings({"API_KEYS": "short", "CORS_ORIGINS": "*", "DATA_MODE": "demo"}).env == "dev"

    def test_a_weak_key_is_reported_by_its_name_only(self) -> None:
        (line,) = problems({**GOOD_PROD, "API_KEYS": "bot:qwertz:read"})
        assert "bot" in line
        assert "qwertz" not in line


class TestSignalsConfig:
    @pytest.fixture
    def text(self) -> str:
        return TOML.read_text("utf-8")

    def refuse(self, tmp_path: Path, text: str) -> str:
        path = tmp_path / "signals.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError) as caught:
            load_signals_config(path)
        return str(caught.value)

    def test_the_shipped_file_says_what_the_engine_publishes(self) -> None:
        config = load_signals_config(load_settings({}).signals_config)
        engine = EngineConfig(
            weights={FactorName(name): points for name, points in config.weights},
            thresholds={Mode(name): Thresholds(pair.long, pair.short) for name, pair in config.thresholds},
            min_coverage_frac=config.min_coverage_frac,
            max_age=MaxAge(**config.max_age.model_dump()),
            scales=AbsoluteScales(**config.scales.model_dump()),
            **config.history.model_dump(),
        )
        assert engine == EngineConfig()

    def test_every_capability_has_a_source_order(self) -> None:
        config = load_signals_config(TOML)
        assert set(config.source_order(replay=False)) == {item.value for item in Capability}

    def test_a_replay_prefers_the_longest_recorded_candles(self) -> None:
        config = load_signals_config(TOML)
        live, replay = config.source_order(replay=False), config.source_order(replay=True)
        assert live["candles"] == ("okx", "coinglass")
        assert replay["candles"] == ("coinglass", "okx")
        assert {name for name in live if live[name] != replay[name]} == {"candles"}

    @pytest.mark.parametrize(
        ("pattern", "replacement", "named"),
        [
            (r"funding = 15", "funding = 25", "weights: the eight weights sum to 110"),
            (r"funding = 15", "funding = -15", "weights.funding"),
            (r"social = 10\n", "", "weights.social"),
            (r"social = 10\n", "socials = 10\n", "weights.socials"),
            (r"long = 70", "long = 60", "thresholds: long must not rise"),
            (r"short = 42", "short = 20", "thresholds: short must not fall"),
            (r"long = 65", "long = 45", "thresholds.balanced.long"),
            (r"history_days = 30", "history_days = 0", "history.history_days"),
            (r"price_unusable_s = 3600", "price_unusable_s = 30", "max_age: price_unusable_s"),
            (r"candles_bars = 1", "candles_bars = nan", "max_age.candles_bars"),
            (r"momentum_sigma = 1.5", "momentum_sigma = 0", "scales.momentum_sigma"),
            (r'\["lunarcrush"\]', '["luna"]', "sources.social.0"),
            (r'\["lunarcrush"\]', "[]", "sources.social"),
            (r'social = \["lunarcrush"\]', "", "sources: no order given for social"),
            (
                r'\["lunarcrush"\]',
                '["lunarcrush", "lunarcrush"]',
                "sources.social: a provider is listed twice",
            ),
            (r"min_coverage_frac = 0.5", "min_coverage_frac = 50", "min_coverage_frac"),
            (r'\["Binance", "OKX", "Bybit"\]', "[]", "liquidation_exchanges"),
        ],
    )
    def test_a_key_that_makes_no_sense_is_named(
        self, tmp_path: Path, text: str, pattern: str, replacement: str, named: str
    ) -> None:
        changed = re.sub(pattern, replacement, text, count=1)
        assert changed != text
        assert f"signals.toml: {named}" in self.refuse(tmp_path, changed)

    def test_a_broken_or_absent_file_is_named(self, tmp_path: Path) -> None:
        assert "not valid TOML" in self.refuse(tmp_path, "[weights\n")
        with pytest.raises(SettingsError, match="SIGNALS_CONFIG: cannot read"):
            load_signals_config(tmp_path / "absent.toml")

    def test_neither_settings_nor_configuration_can_be_changed(self) -> None:
        for held, name in ((load_settings({}), "port"), (load_signals_config(TOML), "weights")):
            assert isinstance(held, Settings | SignalsConfig)
            with pytest.raises(ValueError, match="frozen"):
                setattr(held, name, 1)
