"""The manifests for Kubernetes are what it takes, and fit each other and the server."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from rendering import (
    CHART,
    DEPLOY,
    Manifest,
    check,
    check_operator,
    kustomize,
    manifests,
    one,
    refusal,
    run,
    selects,
    template,
)
from server import BINARY

KUBERNETES = DEPLOY / "kubernetes"
EVERYTHING = Path(__file__).with_name("everything.yaml")


@pytest.fixture
def overlay(tmp_path: Path) -> list[Manifest]:
    """The example, with the secret that whoever copies it makes."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    (copy / "overlays/example/token.env").write_text("token=secret\n")
    return kustomize(copy / "overlays/example")


@pytest.fixture(params=["base", "overlay", "chart", "chart with everything"])
def rendered(request: pytest.FixtureRequest) -> list[Manifest]:
    match request.param:
        case "base":
            return kustomize(KUBERNETES / "base")
        case "overlay":
            documents: list[Manifest] = request.getfixturevalue("overlay")
            return documents
        case "chart":
            return template()
        case _:
            return template("--values", str(EVERYTHING))


def pod_of(documents: list[Manifest]) -> Manifest:
    pod: Manifest = one(documents, "StatefulSet")["spec"]["template"]
    return pod


def container_of(documents: list[Manifest]) -> Any:
    containers = pod_of(documents)["spec"]["containers"]
    assert len(containers) == 1
    return containers[0]


def test_kubernetes_takes_them(rendered: list[Manifest]) -> None:
    check(rendered)


def test_the_sidecar_is_taken_too() -> None:
    documents = manifests((KUBERNETES / "examples" / "sidecar.yaml").read_text())
    check(documents)
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    (board,), (worker,) = pod["initContainers"], pod["containers"]
    # A container that stays, and was ready before the worker begins.
    assert board["restartPolicy"] == "Always" and "startupProbe" in board
    listen = next(v["value"] for v in board["env"] if v["name"] == "FUSEBOARD_LISTEN")
    assert {"name": "FUSEBOARD_URL", "value": f"http://{listen}"} in worker["env"]
    # The kubelet does not reach loopback.
    assert "httpGet" not in yaml.safe_dump(board)


def test_there_is_one_pod_with_a_volume_of_its_own(rendered: list[Manifest]) -> None:
    spec = one(rendered, "StatefulSet")["spec"]
    assert spec["replicas"] == 1
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {mount["name"]: mount for mount in container_of(rendered)["volumeMounts"]}
    env = {v["name"]: v.get("value") for v in container_of(rendered)["env"]}
    folder = mounts[claim["metadata"]["name"]]["mountPath"]
    assert env["FUSEBOARD_DB"].startswith(folder + "/") and env["SQLITE_TMPDIR"] == folder
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert mounts.keys() == volumes | {claim["metadata"]["name"]}


def test_selectors_find_the_pod(rendered: list[Manifest]) -> None:
    pod = pod_of(rendered)
    spec = one(rendered, "StatefulSet")["spec"]
    assert selects(spec["selector"]["matchLabels"], pod)
    for document in rendered:
        match document["kind"]:
            case "Service":
                assert selects(document["spec"]["selector"], pod)
            case "NetworkPolicy":
                assert selects(document["spec"]["podSelector"]["matchLabels"], pod)
            case "PodDisruptionBudget":
                assert selects(document["spec"]["selector"]["matchLabels"], pod)
            case "ServiceMonitor":
                wanted = document["spec"]["selector"]["matchLabels"].items()
                services = [
                    d
                    for d in rendered
                    if d["kind"] == "Service" and wanted <= d["metadata"]["labels"].items()
                ]
                assert [service["spec"]["clusterIP"] for service in services] == ["None"]
                (endpoint,) = document["spec"]["endpoints"]
                assert endpoint["port"] in [port["name"] for port in services[0]["spec"]["ports"]]
    assert one(rendered, "Service", spec["serviceName"])["spec"]["clusterIP"] == "None"


def test_what_the_pod_refers_to_is_there(rendered: list[Manifest]) -> None:
    present = {(d["kind"], d["metadata"]["name"]) for d in rendered}
    # Secrets that the operator makes beforehand.
    present |= {
        ("Secret", name) for name in ("fuseboard-token", "own-token", "own-key", "own-cert", "own-env")
    }
    spec = pod_of(rendered)["spec"]
    wanted = {("ServiceAccount", spec["serviceAccountName"])}
    for variable in container_of(rendered)["env"]:
        if "valueFrom" in variable:
            wanted.add(("Secret", variable["valueFrom"]["secretKeyRef"]["name"]))
    for volume in spec["volumes"]:
        if "configMap" in volume:
            wanted.add(("ConfigMap", volume["configMap"]["name"]))
        if "secret" in volume:
            wanted.add(("Secret", volume["secret"]["secretName"]))
    assert wanted <= present


def test_the_pod_keeps_to_the_restricted_standard(rendered: list[Manifest]) -> None:
    spec, container = pod_of(rendered)["spec"], container_of(rendered)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"memory"}


def test_the_image_runs_as_the_pod_does() -> None:
    image = (ROOT / "Dockerfile").read_text()
    context = pod_of(kustomize(KUBERNETES / "base"))["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in image
    assert 'ENTRYPOINT ["fuseboard"]' in image and 'CMD ["serve"]' in image


def test_the_server_takes_the_configuration_and_stops_within_the_grace(rendered: list[Manifest]) -> None:
    configs = [d for d in rendered if d["kind"] == "ConfigMap" and "fuseboard.toml" in d["data"]]
    for config in configs:
        text = config["data"]["fuseboard.toml"]
        settings = {
            key: int(value) for key, value in re.findall(r"^(\w+_seconds) = (\d+)", text, re.MULTILINE)
        }
        # The last save has five seconds.
        needed = int(settings["shutdown_delay_seconds"]) + int(settings["drain_seconds"]) + 5
        assert pod_of(rendered)["spec"]["terminationGracePeriodSeconds"] > needed
    assert configs or "configSecret" in EVERYTHING.read_text()


def test_the_configurations_start_a_server(tmp_path: Path, overlay: list[Manifest]) -> None:
    for number, documents in enumerate((kustomize(KUBERNETES / "base"), overlay, template())):
        config = next(d for d in documents if "fuseboard.toml" in d.get("data", {}))
        file = tmp_path / f"{number}.toml"
        file.write_text(config["data"]["fuseboard.toml"])
        # The address is no address here: whatever is wrong with the file is said first.
        done = subprocess.run(
            [
                BINARY,
                "serve",
                "--config",
                file,
                "--db",
                tmp_path / f"{number}.db",
                "--listen",
                "192.0.2.1:7077",
            ],
            env={"FUSEBOARD_TOKEN": "t"},
            capture_output=True,
            text=True,
        )
        assert "192.0.2.1:7077" in done.stderr and "toml" not in done.stderr, done.stderr


def test_probes_ask_what_the_server_has(rendered: list[Manifest]) -> None:
    container = container_of(rendered)
    paths = {name: container[name]["httpGet"]["path"] for name in PROBES}
    assert (paths["startupProbe"], paths["livenessProbe"]) == ("/livez", "/livez")
    assert paths["readinessProbe"].startswith("/readyz")
    ports = [port["name"] for port in container["ports"]]
    assert all(container[name]["httpGet"]["port"] in ports for name in PROBES)


PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def test_the_server_answers_the_probes(board: Any, rendered: list[Manifest]) -> None:
    for name in PROBES:
        with urllib.request.urlopen(board.url + container_of(rendered)[name]["httpGet"]["path"]) as answer:
            assert answer.read() == b"ok"


def test_kustomize_says_that_the_secret_is_missing() -> None:
    done = run("kubectl", "kustomize", KUBERNETES / "overlays" / "example")
    assert done.returncode != 0 and "token.env" in done.stderr


def test_rules_become_a_prometheusrule_by_one_line() -> None:
    head = (KUBERNETES / "components/monitoring/prometheusrule-head.yaml").read_text()
    rules = (DEPLOY / "prometheus/rules.yml").read_text()
    (document,) = manifests(head + "".join(f"  {line}" for line in rules.splitlines(keepends=True)))
    assert document["spec"] == yaml.safe_load(rules)
    check_operator([document])


def test_helm_finds_nothing_to_say() -> None:
    done = run("helm", "lint", "--strict", CHART)
    assert done.returncode == 0 and "0 chart(s) failed" in done.stdout, done.stdout


def test_the_chart_takes_one_pod_and_says_why() -> None:
    message = refusal("--set", "replicas=2")
    assert "replicas is 2: Fuseboard runs as one pod" in message and "SQLite" in message
    assert one(template("--set", "replicas=0"), "StatefulSet")["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("replica=1", "replica"),
        ("persistence.accessMode=ReadWriteMany", "accessMode"),
        ("persistence.size=much", "size"),
        ("image.repository=", "repository"),
        ("auth.tokne=x", "tokne"),
        ("service.port=0", "port"),
        ("metrics.serviceMonitor.interval=often", "interval"),
        ("podDisruptionBudget.maxUnavailable=2", "maxUnavailable"),
        ("auth.insecureNoAuth=true,auth.token=x", "auth.insecureNoAuth"),
    ],
)
def test_values_that_are_wrong_are_refused(values: str, said: str) -> None:
    assert said in refusal("--set", values)


def test_every_value_is_in_the_schema_and_has_a_use() -> None:
    templates = "".join(path.read_text() for path in CHART.glob("templates/**/*.*"))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in values:
        assert f".Values.{key}" in templates, f"no template uses {key}"


def test_a_token_is_made_given_or_there() -> None:
    import base64

    def token(*args: str) -> str:
        secret = one(template(*args), "Secret")
        return base64.b64decode(secret["data"]["token"]).decode()

    made = token()
    assert len(made) == 43 and made != token()
    assert token("--set", "auth.token=mine") == "mine"
    for args in (["auth.existingSecret=own-token"], ["auth.insecureNoAuth=true"]):
        assert not [d for d in template("--set", *args) if d["kind"] == "Secret"]


def test_another_configuration_is_another_pod() -> None:
    def checksum(*args: str) -> str:
        found: str = pod_of(template(*args))["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum() != checksum("--set", "config=[server]")


def test_the_chart_has_the_same_alerts_and_dashboard() -> None:
    documents = template("--values", str(EVERYTHING))
    rules = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
    groups = one(documents, "PrometheusRule")["spec"]["groups"]
    for group, ours in zip(groups, rules["groups"], strict=True):
        for rule, our in zip(group["rules"], ours["rules"], strict=True):
            assert rule["annotations"].pop("runbook_url") == "https://example.org/" + our["annotations"].pop(
                "runbook_url"
            )
            assert rule == our
    board = one(documents, "ConfigMap", "board-fuseboard-dashboard")
    # A block in YAML keeps what stands in it.
    assert (
        board["data"]["fuseboard.json"].rstrip() == (DEPLOY / "grafana/fuseboard.json").read_text().rstrip()
    )


def test_tls_reaches_probes_and_prometheus() -> None:
    documents = template("--values", str(EVERYTHING))
    container = container_of(documents)
    assert {container[name]["httpGet"]["scheme"] for name in PROBES} == {"HTTPS"}
    (endpoint,) = one(documents, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"


def test_the_package_stands_alone(tmp_path: Path) -> None:
    done = run("helm", "package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tgz")
    packed = run("helm", "template", "board", archive, "--values", EVERYTHING)
    assert packed.returncode == 0, packed.stderr
    assert "FuseboardBreakerOpen" in packed.stdout
