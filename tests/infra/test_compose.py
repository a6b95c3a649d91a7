"""S12: the stack starts with secrets or not at all, and shows its databases to nobody."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.settings import SETTING_NAMES, load_settings
from tests.infra.compose_file import FILE, ROOT, Refused, interpolate, load, read_env, variables

# The two the worker listens at for its own health, beside the settings every process has.
DOOR = {"METRICS_HOST", "METRICS_PORT"}
SECRETS = {
    "API_KEYS",
    "GRAFANA_ADMIN_PASSWORD",
    "METRICS_KEY",
    "POSTGRES_PASSWORD",
    "PUBLIC_URL",
    "REDIS_PASSWORD",
}
OURS = {"migrate", "web", "worker", "ingest", "detect", "deliver"}
ROLES = {"ingest", "detect", "deliver"}
# Names their images read. Grafana's are checked by their prefix.
KNOWN = {
    "postgres": {
        "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "TIMESCALEDB_TELEMETRY", "TS_TUNE_MEMORY",
        "TS_TUNE_NUM_CPUS",
    },
    "redis": {"REDIS_PASSWORD"},
    "proxy": {"SITE", "PROXY_TRUSTED"},
    "prometheus": set[str](),
    "alertmanager": set[str](),
}  # fmt: skip
# Settings an operator of the stack cannot reach, and why.
NOT_PASSED = {
    "HOST": "baked into the image",
    "PORT": "8000 inside; the proxy has the public ones",
    "ALERTS_CONFIG": "a file of the image",
    "SIGNALS_CONFIG": "a file of the image",
    "REPLAY_DATA": "a replay is no service",
    "REPLAY_START": "a replay is no service",
    "REPLAY_SPEED": "a replay is no service",
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `make env` writes."""
    file = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run(["sh", ROOT / "infra" / "make-env.sh", file], check=True, capture_output=True)
    return read_env(file.read_text("utf-8"))


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str]) -> dict[str, Any]:
    return load(env)


@pytest.fixture(scope="module")
def services(stack: Mapping[str, Any]) -> dict[str, Any]:
    return dict(stack["services"])


class TestSecrets:
    def test_with_an_empty_env_it_refuses_to_start(self) -> None:
        with pytest.raises(Refused, match=r"^[A-Z_]+ is not set, run make env$"):
            load({})

    @pytest.mark.parametrize("name", sorted(SECRETS))
    @pytest.mark.parametrize("how", ["absent", "empty"])
    def test_it_refuses_for_the_want_of_a_single_one(
        self, env: Mapping[str, str], name: str, how: str
    ) -> None:
        given = {key: value for key, value in env.items() if key != name} | (
            {name: ""} if how == "empty" else {}
        )
        with pytest.raises(Refused, match=f"^{name} "):
            load(given)

    def test_no_default_stands_in_for_one(self) -> None:
        text = FILE.read_text("utf-8")
        named = re.findall(r"\$\{([A-Z_]*(?:PASSWORD|TOKEN|SECRET|KEYS?))(:.)?([^}]*)", text)
        assert named
        assert [name for name, form, word in named if form != ":?" and word] == []

    def test_no_secret_is_on_a_command_line(
        self, services: Mapping[str, Any], env: Mapping[str, str]
    ) -> None:
        values = [env[name] for name in SECRETS - {"PUBLIC_URL"}]
        for service in services.values():
            said = str([service.get("command"), service["healthcheck"], service.get("labels")])
            assert not any(value in said for value in values)

    def test_prometheus_reads_its_key_from_a_file(self, stack: Mapping[str, Any]) -> None:
        assert stack["secrets"] == {"metrics_key": {"environment": "METRICS_KEY"}}
        assert stack["services"]["prometheus"]["secrets"] == ["metrics_key"]
        # The client copies such a secret in, which it refuses for a read-only file system.
        assert stack["services"]["prometheus"]["read_only"] is False


class TestWhatIsSeen:
    def test_only_the_proxy_is_public(self, services: Mapping[str, Any]) -> None:
        ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
        assert ports.pop("proxy") == ["80:80", "443:443"]
        assert set(ports) == {"prometheus", "alertmanager", "grafana"}
        assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)

    def test_databases_are_on_a_network_without_a_way_out(self, stack: Mapping[str, Any]) -> None:
        assert stack["networks"]["backend"] == {"internal": True}
        for name in ("postgres", "redis", "migrate"):
            assert stack["services"][name]["networks"] == ["backend"]
        for name in ("proxy", "prometheus", "alertmanager", "grafana"):
            assert stack["services"][name]["networks"] == ["outside"]

    def test_grafana_wants_a_login(self, services: Mapping[str, Any], env: Mapping[str, str]) -> None:
        given = services["grafana"]["environment"]
        assert given["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
        assert given["GF_USERS_ALLOW_SIGN_UP"] == "false"
        assert given["GF_SECURITY_ADMIN_PASSWORD"] == env["GRAFANA_ADMIN_PASSWORD"]

    def test_redis_wants_a_password(self) -> None:
        script = (ROOT / "infra" / "redis" / "start.sh").read_text("utf-8")
        assert "requirepass $REDIS_PASSWORD" in script
        assert "maxmemory-policy noeviction" in script

    def test_metrics_are_not_for_the_public(self) -> None:
        text = (ROOT / "infra" / "proxy" / "Caddyfile").read_text("utf-8")
        assert text.index("respond /metrics 404") < text.index("reverse_proxy")

    def test_the_figures_of_the_proxy_are_on_a_port_that_no_port_of_the_host_leads_to(
        self, services: Mapping[str, Any]
    ) -> None:
        text = (ROOT / "infra" / "proxy" / "Caddyfile").read_text("utf-8")
        inside = text.partition("http://:2020 {")[2].partition("\n}\n")[0]
        assert inside.count("metrics") == 2
        assert not any("2020" in port for port in services["proxy"]["ports"])
        assert "http://127.0.0.1:2020/" in services["proxy"]["healthcheck"]["test"]


class TestEveryService:
    def test_its_image_is_pinned(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            image, _, tag = service["image"].partition(":")
            assert image
            if name in OURS:
                assert (tag, service["build"]) == ("local", ".")
            else:
                assert re.fullmatch(r"v?\d+\.\d+\.\d+(?:-[a-z0-9]+)?", tag), f"{name}: {tag}"

    def test_it_says_whether_it_is_well(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            check = service["healthcheck"]
            if name == "migrate":
                assert check == {"disable": True}  # it ends
            else:
                assert {"test", "interval", "timeout", "retries", "start_period"} == set(check)

    def test_it_has_no_rights_it_does_not_need(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["init"] is True
            assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
            assert service["read_only"] is (name != "prometheus")
            assert not {"privileged", "pid", "network_mode", "devices"} & set(service)

    def test_it_does_not_run_as_root(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            if name == "proxy":
                assert "user" not in service  # its certificates belong to root, who has no other right
            else:
                assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), name

    def test_its_memory_processor_and_logs_are_bounded(self, services: Mapping[str, Any]) -> None:
        for service in services.values():
            assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
            assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}

    def test_it_comes_back_by_itself(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")

    @pytest.mark.parametrize("name", ["proxy", "postgres", "redis", "prometheus", "grafana"])
    def test_what_it_mounts_is_there(self, stack: Mapping[str, Any], name: str) -> None:
        if name in {"prometheus", "grafana"} and not (ROOT / "infra" / name).is_dir():
            pytest.skip(f"no infra/{name}")
        for mount in stack["services"][name]["volumes"]:
            source, _, rest = mount.partition(":")
            if not source.startswith("."):
                assert source in stack["volumes"]
                continue
            assert rest.endswith(":ro")
            assert (ROOT / source).exists(), source

    def test_the_alertmanager_reads_a_file_of_the_operator_and_starts_for_nobody_else(
        self, stack: Mapping[str, Any]
    ) -> None:
        service = stack["services"]["alertmanager"]
        assert service["profiles"] == ["alerting"]
        (bind, data) = service["volumes"]
        assert bind.items() >= {"type": "bind", "read_only": True}.items()
        # Short syntax would make a folder of that name.
        assert bind["bind"] == {"create_host_path": False}
        assert f"--config.file={bind['target']}" in service["command"]
        assert data.split(":")[0] in stack["volumes"]
        assert (ROOT / bind["source"]).with_suffix(".example.yml").exists()
        ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
        assert bind["source"].removeprefix("./") in ignored

    def test_prometheus_finds_it_by_its_name(self, services: Mapping[str, Any]) -> None:
        text = (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text("utf-8")
        assert "names: [alertmanager]" in text
        assert services["alertmanager"]["networks"] == services["prometheus"]["networks"]

    def test_nothing_else_mounts_a_file(self, services: Mapping[str, Any]) -> None:
        assert not any("volumes" in services[name] for name in OURS)

    def test_what_it_waits_for_is_there(self, services: Mapping[str, Any]) -> None:
        for service in services.values():
            for name, condition in service.get("depends_on", {}).items():
                assert name in services
                ends = name == "migrate"
                assert condition["condition"] == (
                    "service_completed_successfully" if ends else "service_healthy"
                )

    def test_it_is_told_nothing_that_nobody_reads(self, services: Mapping[str, Any]) -> None:
        for name, service in services.items():
            names = set(service.get("environment", {}))
            if name in OURS:
                assert names - SETTING_NAMES <= DOOR
            elif name == "grafana":
                assert all(re.fullmatch(r"GF(_[A-Z]+)+", each) for each in names)
            else:
                assert names <= KNOWN[name]


class TestTheService:
    def test_a_worker_has_a_door_for_its_health_beside_what_all_share(
        self, services: Mapping[str, Any]
    ) -> None:
        shared = services["web"]["environment"]
        assert DOOR & set(shared) == set()
        for name in ("worker", *ROLES):
            own = services[name]["environment"]
            assert own == shared | {"METRICS_HOST": "0.0.0.0", "METRICS_PORT": "9100"}
            assert ":9100/health/live" in services[name]["healthcheck"]["test"][-1]

    def test_every_setting_can_be_reached(self, services: Mapping[str, Any]) -> None:
        fixed_addresses = {name for name in SETTING_NAMES if re.search(r"_(?:BASE|WS)_URL$", name)}
        reachable = set(services["web"]["environment"])
        assert SETTING_NAMES - reachable - fixed_addresses - DOOR == set(NOT_PASSED)

    @pytest.mark.parametrize("name", sorted(OURS))
    def test_it_starts_with_what_make_env_wrote(self, services: Mapping[str, Any], name: str) -> None:
        settings = load_settings({"HOST": "0.0.0.0", **services[name]["environment"]})
        assert settings.env == "prod"
        assert settings.data_mode == "live"
        assert settings.trusted_proxy_hops == 1
        assert not settings.runs_worker_embedded()
        assert {key.name: key.scopes for key in settings.api_keys} == {
            "owner": frozenset({"read", "debug", "admin"}),
            "prometheus": frozenset({"admin"}),
        }

    def test_its_defaults_are_those_of_the_service(self, services: Mapping[str, Any]) -> None:
        changed = {
            "api_keys", "dashboard_token", "database_url", "env", "public_url", "redis_url",
            "trusted_proxy_hops", "worker",
        } | {name.lower() for name in DOOR}  # fmt: skip
        given = load_settings(services["web"]["environment"]).model_dump()
        plain = load_settings({}).model_dump()
        assert {name for name in plain if given[name] != plain[name]} <= changed

    def test_one_worker_or_three_roles_and_never_both(self, services: Mapping[str, Any]) -> None:
        profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
        own = {"worker": ["single"], "alertmanager": ["alerting"]}
        assert profiles == own | {role: ["scale"] for role in ROLES}
        for role in ROLES:
            assert services[role]["command"] == ["python", "-m", "app.worker", "--role", role]
        assert services["worker"]["command"] == ["python", "-m", "app.worker"]

    def test_what_may_multiply_has_no_port_of_the_host(self, services: Mapping[str, Any]) -> None:
        for name in ("web", *ROLES):
            assert "ports" not in services[name]
            assert "container_name" not in services[name]
        assert {int(services[name]["deploy"]["replicas"]) for name in ("web", "ingest", "deliver")} == {1}

    def test_a_stop_has_time_to_be_graceful(self, services: Mapping[str, Any]) -> None:
        for name in OURS:
            assert services[name]["stop_grace_period"] == "20s"

    def test_on_another_port_outside_the_proxy_listens_at_its_own_inside(
        self, env: Mapping[str, str]
    ) -> None:
        """As docs/operations.md has it: a port in SITE would be one that nothing is mapped to."""
        page = (ROOT / "docs" / "operations.md").read_text("utf-8")
        lines = page.partition("Another port for https:")[2].split("\n\n")[1]
        given = read_env("\n".join(line.strip() for line in lines.splitlines()))
        assert set(given) == {"PUBLIC_URL", "PROXY_HTTPS", "PROXY_SITE"}
        assert given["PUBLIC_URL"] == f"{given['PROXY_SITE']}:{given['PROXY_HTTPS']}"
        proxy = load({**env, **given})["services"]["proxy"]
        assert re.fullmatch(r"https://[a-z.]+", proxy["environment"]["SITE"])
        assert f"{given['PROXY_HTTPS']}:443" in proxy["ports"]

    def test_the_proxy_finds_every_web_process(self) -> None:
        text = (ROOT / "infra" / "proxy" / "Caddyfile").read_text("utf-8")
        assert re.search(r"dynamic a \{\s+name web\s+port 8000", text)


class TestEnvScript:
    @staticmethod
    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        script = ["sh", ROOT / "infra" / "make-env.sh"]
        return subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True)

    def test_a_file_that_lacks_nothing_is_left_as_it_is(self, tmp_path: Path) -> None:
        self.run(tmp_path)
        whole = (tmp_path / ".env").read_text()
        assert "left as it is" in self.run(tmp_path).stdout
        assert (tmp_path / ".env").read_text() == whole

    @pytest.mark.parametrize("end", ["\n", ""])
    def test_to_a_file_that_is_there_it_adds_the_secrets_it_lacks_alone(
        self, tmp_path: Path, end: str
    ) -> None:
        file = tmp_path / ".env"
        before = f"COINGLASS_API_KEY=mine\nREDIS_PASSWORD=old\nAPI_KEYS=\nTRUSTED_PROXY_HOPS=1{end}"
        file.write_text(before)
        file.chmod(0o644)
        said = self.run(tmp_path).stdout
        assert file.read_text().startswith(before)
        assert file.stat().st_mode & 0o777 == 0o600
        given = read_env(file.read_text())
        assert given["REDIS_PASSWORD"] == "old"
        assert load(given)
        added = {"COMPOSE_PROFILES", *SECRETS} - {"REDIS_PASSWORD"}
        assert set(re.findall(r"[A-Z_]{5,}", said)) == added
        assert not any(given[name] in said for name in added)
        assert "left as it is" in self.run(tmp_path).stdout

    def test_a_copy_of_the_example_becomes_one_of_the_stack(self, tmp_path: Path) -> None:
        shutil.copy(ROOT / ".env.example", tmp_path / ".env")
        said = self.run(tmp_path).stdout
        given = read_env((tmp_path / ".env").read_text("utf-8"))
        assert load(given)
        # The example's value is that of a process without a proxy.
        assert "TRUSTED_PROXY_HOPS=0 stands in it: take that line away" in said

    def test_its_file_is_the_owners_alone_and_its_secrets_are_new(
        self, tmp_path: Path, env: Mapping[str, str]
    ) -> None:
        done = subprocess.run(
            ["sh", ROOT / "infra" / "make-env.sh"], cwd=tmp_path, capture_output=True, text=True
        )
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
        other = read_env((tmp_path / ".env").read_text("utf-8"))
        secret = {name for name in env if re.search(r"PASSWORD|_KEYS$|METRICS_KEY|DASHBOARD_TOKEN", name)}
        assert len(secret) == 6
        assert {name for name in secret if env[name] == other[name] or len(env[name]) < 43} == set()
        assert not any(other[name] in done.stdout for name in secret)
        assert all(name in done.stdout for name in ("PUBLIC_URL", "COINGLASS_API_KEY", "make start"))

    def test_it_fills_in_every_variable_that_must_be(self, env: Mapping[str, str]) -> None:
        assert set(env) >= SECRETS
        assert set(env) - variables() == {"COMPOSE_PROFILES"}
        assert env["COMPOSE_PROFILES"] == "single"


class TestInterpolation:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a${A}b", "a1b"),
            ("${B:-x}", "x"),
            ("${E:-x}", "x"),
            ("${B:-${A}}!", "1!"),
            ("${B:-${C:-y}}", "y"),
            ("$$A ${A:?m}", "$A 1"),
        ],
    )
    def test_it_is_that_of_the_client(self, text: str, shown: str) -> None:
        assert interpolate(text, {"A": "1", "E": ""}) == shown

    @pytest.mark.parametrize("text", ["$A", "${A-x}", "${A:+x}", "${A", "${}"])
    def test_what_it_does_not_know_is_an_error(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"variable|form"):
            interpolate(text, {})

    @pytest.mark.parametrize("text", ["${A:?m}", "x${B:-${A:?m}}"])
    def test_what_must_be_set_is_refused(self, text: str) -> None:
        with pytest.raises(Refused, match="A m"):
            interpolate(text, {"A": ""})


@pytest.mark.parametrize("profile", ["single", "scale"])
def test_the_client_takes_it(profile: str, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    has_client = docker and not subprocess.run([docker, "compose", "version"], capture_output=True).returncode
    if not has_client:
        pytest.skip("no docker compose")
    file = tmp_path / ".env"
    subprocess.run(["sh", ROOT / "infra" / "make-env.sh", file], check=True, capture_output=True)
    done = subprocess.run(
        [str(docker), "compose", "--env-file", file, "--profile", profile, "config", "--quiet"],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
