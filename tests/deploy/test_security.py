"""docs/security.md: its claims about clients, ports and commands are true."""

from __future__ import annotations

import re
import shlex
import shutil
import urllib.error
import urllib.request

import grpc
import pytest
from deploy import compose_file
from deploy import monitoring_files as monitoring
from deploy.kubernetes_manifests import OVERLAYS, named, of_kind, overlay
from deploy.kubernetes_variants import custom
from deploy.tls_errors import TLS_ERRORS
from deploy.tls_sets import tool
from support import deployed, doc_snippets, servers
from support.paths import ROOT
from support.raw_requests import predict_request

pytestmark = pytest.mark.tensorflow

PAGE = "docs/security.md"
TEXT = (ROOT / PAGE).read_text()
COMMANDS = [
    part for line in doc_snippets.commands(doc_snippets.text(PAGE)) for part in line.split(" | ")
]
FIXTURE = ROOT / "tests" / "conformance" / "fixture"
MADE_UP = ("no-such-model", "nor-this-one")


def rows(heading):
    """The cells of the table below a heading."""
    below = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def numbers(cell):
    return set(map(int, re.findall(r"\b\d{4}\b", cell)))


def test_the_page_lists_every_published_port():
    published = {
        host: {container}
        for service in compose_file.services().values()
        for _, host, container in compose_file.published(service)
    }
    documented = {
        host: numbers(port)
        for port, _, compose, _ in rows("Ports and who can reach them")
        for host in numbers(compose)
    }
    assert documented == published


def test_containers_mount_no_file_of_certs_but_ssl_config():
    found = {
        source
        for service in compose_file.services().values()
        for source in compose_file.mounts(service).values()
        if "certs" in source.parts
    }
    assert found == {ROOT / "certs" / "ssl.config"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_servers_in_a_cluster_have_no_outgoing_network(name):
    policies = [each["spec"] for each in of_kind(overlay(name), "NetworkPolicy")]
    component = "app.kubernetes.io/component"
    of_servers = [
        spec
        for spec in policies
        if spec["podSelector"].get("matchLabels", {}).get(component) == "serving"
    ]
    assert of_servers
    assert not [spec for spec in of_servers if "egress" in spec]
    closed = named(overlay(name), "NetworkPolicy", "nothing")["spec"]
    assert closed["podSelector"] == {}
    assert set(closed["policyTypes"]) == {"Ingress", "Egress"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with default flags and metrics."""
    folder = tmp_path_factory.mktemp("open")
    for name, version in (("models", 1), ("elsewhere", 7)):
        shutil.copytree(FIXTURE / "1", folder / name / "seq2sum" / str(version))
    started = servers.Server.launch(
        folder / "models" / "seq2sum",
        folder,
        flags=[f"--monitoring_config_file={ROOT / 'serving/config/monitoring.config'}"],
        rest=True,
        forked=True,
    )
    try:
        yield started.wait_until_open()
    finally:
        started.stop()


def test_a_caller_can_make_a_server_load_any_readable_folder(server):
    elsewhere = server.log.parent / "elsewhere" / "seq2sum"
    model = f'name: "seq2sum" base_path: "{elsewhere}" model_platform: "tensorflow"'
    assert deployed.reload(server, f"model_config_list {{ config {{ {model} }} }}") == "OK"
    deployed.until(lambda: deployed.states(server).get(7) == "AVAILABLE")


def http(server, path, data=None):
    with urllib.request.urlopen(f"{server.url}{path}", data, timeout=30) as reply:
        return reply.read().decode()


@pytest.mark.parametrize("path", ["/v1/models:reload", "/v1/config", "/v1/models/seq2sum:reload"])
def test_rest_has_no_reload(server, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        http(server, path, b"{}")
    with caught.value as error:
        assert error.code == 400


def test_made_up_model_names_stay_in_the_metrics(server):
    with grpc.insecure_channel(server.target) as channel:
        predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda request: request.SerializeToString(),
        )
        for name in MADE_UP:
            with pytest.raises(grpc.RpcError):
                predict(predict_request("1+1", name=name), timeout=30)
    metrics = http(server, "/monitoring/prometheus/metrics")
    for name in MADE_UP:
        assert f'request_count{{model_name="{name}"' in metrics


def test_the_page_explains_every_tls_error():
    documented = [cells[0].strip("`").split(" … ") for cells in rows("Mutual TLS")]
    for error in TLS_ERRORS.values():
        assert [parts for parts in documented if all(part in error.message for part in parts)], (
            error
        )
    assert len(documented) == len(TLS_ERRORS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if not line.startswith("kubectl")])
def test_a_command_exists_with_its_options(line):
    doc_snippets.exists(line)
    for option in shlex.split(line):
        if option.startswith("CERTS="):
            assert tool.parser().parse_args(shlex.split(option.removeprefix("CERTS=")))


def test_the_cluster_mounts_the_secrets_of_the_page():
    folder = ROOT / "serving" / "kubernetes" / "components" / "tls"
    component = "".join(path.read_text() for path in folder.iterdir())
    for line in [line for line in COMMANDS if " create secret " in line]:
        words = shlex.split(line)
        assert f": {words[words.index('generic') + 1]}\n" in component
        for file in (word.partition("=")[2] for word in words if word.startswith("--from-file=")):
            assert file.removeprefix("certs/") in component
    (restart,) = [shlex.split(line) for line in COMMANDS if " rollout restart " in line]
    deployments = of_kind(custom(), "Deployment")
    assert set(restart[5:]) == {f"deploy/{each['metadata']['name']}" for each in deployments}


def test_certificate_alerts_fire_as_early_as_documented():
    days = re.search(r"alerts fire (\d+) days and\s+(\d+)\s+days before", TEXT).groups()
    rules = monitoring.rules("alert")
    for name, count in zip(("CertificateExpiresSoon", "CertificateExpires"), days, strict=True):
        assert f"< {count} * 86400" in rules[name]["expr"]
