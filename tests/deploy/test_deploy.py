"""What is deployed fits the bot: its settings, paths, ports, exit codes and times."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.configuration import secret_variables
from bot.errors import EXIT_ENGINE_DEAD
from bot.monitoring.health import STEP_WITHIN_S
from bot.monitoring.systemd import BEAT_S
from bot.platforms.web.settings import PlaygroundSettings
from inference.serving.worker import STEP_TIMEOUT_S
from tests.deploy.files import (
    DEPLOY,
    ENDS_WITHIN_S,
    KUBERNETES,
    PINNED,
    ROOT,
    compose,
    directives,
    documents,
    is_setting,
    lineage,
    resources,
    seconds,
    stages,
    variables_of,
)

TARGETS = ("cpu", "cuda")
API_PORT = 8790
"""Of the documents; by default the API listens nowhere."""
SERVICES = sorted(compose()["services"])
MONITORED = {"/healthz", "/readyz"}


# -- the image ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_the_image_runs_as_nobody_in_particular_and_is_asked_how_it_is(target: str) -> None:
    chain = lineage(target)
    assert [it for stage in chain for it in stage.all("USER")][-1] == "10001:10001"
    (health,) = (it for stage in chain for it in stage.all("HEALTHCHECK"))
    assert MONITORED & set(re.findall(r"/\w+z\b", health)) == {"/healthz"}
    assert [it for stage in chain for it in stage.all("STOPSIGNAL")] == ["SIGTERM"]
    assert [it for stage in chain for it in stage.all("ENTRYPOINT")] == ['["llava-bot"]']
    assert variables_of(target)["MONITORING_PORT"] in " ".join(
        it for stage in chain for it in stage.all("EXPOSE")
    )


@pytest.mark.parametrize("target", TARGETS)
def test_the_images_variables_are_settings_and_none_is_a_secret(target: str) -> None:
    found = variables_of(target)
    assert [name for name in found if not is_setting(name)] == []
    assert set(found) & set(secret_variables()) == set()
    # What is written lies on a volume: the root may be read-only.
    volumes = tuple(re.findall(r'"(/\w+)"', " ".join(lineage(target)[0].all("VOLUME"))))
    assert len(volumes) == 2
    written = [found[it] for it in ("DATA_DIR", "HF_HOME", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")]
    assert all(path.startswith(volumes) for path in written)


def test_every_base_is_pinned_by_its_digest() -> None:
    ours = set(stages())
    bases = {stage.base for stage in stages().values()} - ours
    assert bases
    assert [base for base in bases if not PINNED.fullmatch(base)] == []


def test_what_is_copied_into_the_image_exists_and_is_let_into_the_build() -> None:
    copied = {
        source
        for stage in stages().values()
        for arguments in stage.all("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert [source for source in copied if not (ROOT / source).exists()] == []
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"  # nothing that is not named: no .env, no .git
    assert copied == {line[1:] for line in ignored if line.startswith("!")}


# -- compose --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_pinned_and_asked_how_it_is(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    if name != "bot":  # the image has its own
        assert service["healthcheck"]["test"][0] == "CMD"
    if name != "bot":
        image = re.sub(r"\$\{\w+:-(.*)\}", r"\1", service["image"])  # what holds by default
        assert PINNED.fullmatch(image)


def test_compose_gives_the_bot_its_settings_secrets_and_time_to_end() -> None:
    bot = compose()["services"]["bot"]
    assert [name for name in bot["environment"] if not is_setting(name)] == []
    assert set(bot["environment"]) & set(secret_variables()) == set()
    assert seconds(bot["stop_grace_period"]) > ENDS_WITHIN_S
    (secrets,) = (it for it in bot["volumes"] if isinstance(it, dict))
    assert secrets["target"] == bot["environment"]["CREDENTIALS_DIRECTORY"]
    assert secrets["read_only"]
    port = PlaygroundSettings.model_fields["port"].default
    ours = [f"127.0.0.1:{port}:{port}", f"127.0.0.1:{API_PORT}:{API_PORT}"]
    assert bot["ports"] == ours
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert f"`API_PORT={API_PORT}` and `API_HOST=0.0.0.0`" in page
    assert set(TARGETS) <= set(stages())
    assert bot["build"]["target"] == "${BOT_TARGET:-cuda}"
    assert (DEPLOY / bot["build"]["context"] / bot["build"]["dockerfile"]).is_file()


def test_compose_takes_every_setting_from_a_file_that_nobody_commits_and_may_be_missing() -> None:
    (file,) = compose()["services"]["bot"]["env_file"]
    assert not file["required"]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    name = file["path"].removeprefix("./")
    assert f"/deploy/{name}" in ignored
    for page in ("operations.md", "operations.ja.md"):
        assert f"`deploy/{name}`" in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_every_name_that_compose_refers_to_is_declared() -> None:
    found = compose()
    used: dict[str, set[str]] = {"secrets": set(), "networks": {"default"}, "volumes": set()}
    for service in found["services"].values():
        used["secrets"] |= set(service.get("secrets", []))
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {
            source
            for mount in service.get("volumes", [])
            if isinstance(mount, str) and not (source := mount.split(":")[0]).startswith(".")
        }
    used["networks"].remove("default")
    for kind, names in used.items():
        assert set(found[kind]) == names
    mounted = [
        DEPLOY / mount.split(":")[0]
        for service in found["services"].values()
        for mount in service.get("volumes", [])
        if isinstance(mount, str) and mount.startswith("./")
    ]
    assert [str(path) for path in mounted if not path.exists()] == []
    assert (DEPLOY / "prometheus/prometheus.yml").is_file()


def test_without_a_gpu_nothing_asks_for_one() -> None:
    (override,) = documents(DEPLOY / "compose.cpu.yaml")
    bot = override["services"]["bot"]
    assert bot == {"image": "llava-bot:cpu", "build": {"target": "cpu"}, "deploy": None}


# -- the unit -------------------------------------------------------------------------------------


def test_the_unit_speaks_with_the_bot_as_the_bot_speaks_with_it() -> None:
    unit = directives()
    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert unit["RestartForceExitStatus"] == [str(EXIT_ENGINE_DEAD)]
    assert unit["Restart"] == ["on-failure"]
    assert seconds(unit["TimeoutStopSec"][0]) > ENDS_WITHIN_S
    watchdog_s = seconds(unit["WatchdogSec"][0])
    # A device that hangs ends the process in an orderly way first; the watchdog comes after that.
    assert watchdog_s + STEP_WITHIN_S > STEP_TIMEOUT_S + ENDS_WITHIN_S
    assert watchdog_s > 2 * BEAT_S


def test_the_units_variables_are_settings_and_its_secrets_are_credentials() -> None:
    unit = directives()
    found = dict(pair.split("=", 1) for pair in unit["Environment"][0].split())
    assert [name for name in found if not is_setting(name)] == []
    assert unit["LoadCredential"] == ["llava-bot:/etc/llava-bot/credentials"]
    own = (f"/var/lib/{unit['StateDirectory'][0]}", f"/var/cache/{unit['CacheDirectory'][0]}")
    assert all(value.startswith(own) for value in found.values() if value.startswith("/"))


# -- Kubernetes -----------------------------------------------------------------------------------


def deployment() -> dict[str, Any]:
    spec: dict[str, Any] = resources()[("Deployment", "llava-bot")]["spec"]
    return spec


def container() -> dict[str, Any]:
    (found,) = deployment()["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_the_pod_is_confined_and_has_time_to_end() -> None:
    pod = deployment()["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > ENDS_WITHIN_S
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container()["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert deployment()["strategy"] == {"type": "Recreate"}  # a store in SQLite has one owner


def test_the_probes_ask_where_the_bot_answers() -> None:
    probes = {
        name: container()[f"{name}Probe"]["httpGet"]
        for name in ("startup", "liveness", "readiness")
    }
    assert {probe["path"] for probe in probes.values()} == MONITORED
    assert probes["readiness"]["path"] == "/readyz"  # it restarts nothing
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert {probe["port"] for probe in probes.values()} == {"monitoring"}
    assert str(ports["monitoring"]) == variables_of("cuda")["MONITORING_PORT"]
    assert ports["playground"] == PlaygroundSettings.model_fields["port"].default
    service = resources()[("Service", "llava-bot")]["spec"]
    assert {port["targetPort"] for port in service["ports"]} == set(ports)
    assert service["selector"] == deployment()["selector"]["matchLabels"]


def test_the_pods_settings_volumes_and_secrets_are_there() -> None:
    assert [it["name"] for it in container()["env"] if not is_setting(it["name"])] == []
    volumes = {it["name"]: it for it in deployment()["template"]["spec"]["volumes"]}
    mounts = {it["name"]: it["mountPath"] for it in container()["volumeMounts"]}
    assert set(volumes) == set(mounts)
    claims = {
        it["persistentVolumeClaim"]["claimName"]
        for it in volumes.values()
        if "persistentVolumeClaim" in it
    }
    found = resources()
    assert claims == {name for kind, name in found if kind == "PersistentVolumeClaim"}
    written = variables_of("cuda")
    assert Path(written["DATA_DIR"]).parent == Path(mounts["data"])
    assert Path(written["HF_HOME"]).parent == Path(mounts["models"])
    (where,) = (it["value"] for it in container()["env"] if it["name"] == "CREDENTIALS_DIRECTORY")
    assert where == mounts["secrets"]
    keys = found[("Secret", volumes["secrets"]["secret"]["secretName"])]["stringData"]
    assert {key.upper() for key in keys} <= set(secret_variables())


def test_the_kustomization_names_every_file_but_the_example_of_a_secret() -> None:
    (found,) = documents(KUBERNETES / "kustomization.yaml")
    files = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert set(found["resources"]) == files - {"kustomization.yaml", "secret.example.yaml"}
    assert found["images"][0]["name"] == container()["image"]
