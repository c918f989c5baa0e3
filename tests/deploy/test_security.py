"""docs/security.md: clients can do what it says, and its ports and commands are there."""

from __future__ import annotations

import re
import shlex
import shutil
import urllib.error
import urllib.request

import grpc
import pytest
from deploy import compose_file
from deploy.kubernetes_manifests import named, of_kind, overlay
from deploy.tls_refusals import REFUSALS
from deploy.tls_sets import tool
from support import deployed, doc_snippets, servers
from support.paths import ROOT
from support.raw_requests import predict_request

PAGE = "docs/security.md"
TEXT = (ROOT / PAGE).read_text()
COMMANDS = [
    part for line in doc_snippets.commands(doc_snippets.text(PAGE)) for part in line.split(" | ")
]
FIXTURE = ROOT / "tests" / "conformance" / "fixture"
MONITORING = ROOT / "serving" / "config" / "monitoring.config"
MADE_UP = ("no-such-model", "nor-this-one")


def rows(heading):
    """The cells of each row of the table below a heading."""
    below = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def numbers(cell):
    return set(map(int, re.findall(r"\b\d{4}\b", cell)))


def test_the_page_has_every_port_that_is_published_and_where():
    published = {
        outer: inner
        for service in compose_file.services().values()
        for _, outer, inner in compose_file.published(service)
    }
    told = {}
    for port, _, compose, _ in rows("Who reaches which port"):
        for outer in numbers(compose):
            told[outer] = numbers(port)
    assert told == {outer: {inner} for outer, inner in published.items()}


def test_no_container_gets_more_of_the_keys_than_it_needs():
    found = {
        source
        for service in compose_file.services().values()
        for source in compose_file.mounts(service).values()
        if "certs" in source.parts
    }
    assert found == {ROOT / "certs" / "ssl.config"}


def test_servers_in_a_cluster_have_no_way_out():
    for name in ("local", "production", "kserve"):
        policies = of_kind(overlay(name), "NetworkPolicy")
        to_servers = [
            policy["spec"]
            for policy in policies
            if policy["spec"]["podSelector"]
            .get("matchLabels", {})
            .get("app.kubernetes.io/component")
            == "serving"
        ]
        assert to_servers
        assert not [spec for spec in to_servers if "egress" in spec]
        closed = named(overlay(name), "NetworkPolicy", "nothing")["spec"]
        assert closed["podSelector"] == {}
        assert set(closed["policyTypes"]) == {"Ingress", "Egress"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server as it is by default, without anybody in front of it."""
    folder = tmp_path_factory.mktemp("open")
    for name, version in (("models", 1), ("elsewhere", 7)):
        shutil.copytree(FIXTURE / "1", folder / name / "seq2sum" / str(version))
    started = servers.Server.launch(
        folder / "models" / "seq2sum",
        folder,
        flags=[f"--monitoring_config_file={MONITORING}"],
        rest=True,
        forked=True,
    )
    try:
        yield started.wait_until_open()
    finally:
        started.stop()


def test_a_caller_can_make_a_server_load_any_folder_that_it_can_read(server):
    elsewhere = server.log.parent / "elsewhere" / "seq2sum"
    model = f'name: "seq2sum" base_path: "{elsewhere}" model_platform: "tensorflow"'
    assert deployed.reload(server, f"model_config_list {{ config {{ {model} }} }}") == "OK"
    deployed.until(lambda: deployed.states(server).get(7) == "AVAILABLE")


def page_of(server, path, data=None):
    with urllib.request.urlopen(f"{server.url}{path}", data, timeout=30) as reply:
        return reply.read().decode()


@pytest.mark.parametrize("path", ["/v1/models:reload", "/v1/config", "/v1/models/seq2sum:reload"])
def test_rest_takes_no_configuration(server, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        page_of(server, path, b"{}")
    with caught.value as refusal:
        assert refusal.code == 400


def test_names_that_callers_make_up_stay_on_the_page_of_metrics(server):
    with grpc.insecure_channel(server.target) as channel:
        ask = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda request: request.SerializeToString(),
        )
        for name in MADE_UP:
            with pytest.raises(grpc.RpcError):
                ask(predict_request("1+1", name=name), timeout=30)
    page = page_of(server, "/monitoring/prometheus/metrics")
    for name in MADE_UP:
        assert f'request_count{{model_name="{name}"' in page


def test_every_refusal_is_explained_in_the_words_of_its_message():
    told = [cells[0].strip("`").split(" … ") for cells in rows("Certificates in both directions")]
    for refusal in REFUSALS.values():
        assert [parts for parts in told if all(part in refusal.told for part in parts)], refusal
    assert len(told) == len(REFUSALS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if not line.startswith("kubectl")])
def test_commands_of_the_page_exist(line):
    doc_snippets.exists(line)
    for option in shlex.split(line):
        if option.startswith("CERTS="):
            assert tool.parser().parse_args(shlex.split(option.removeprefix("CERTS=")))


def test_secrets_of_the_page_are_those_that_the_cluster_reads():
    folder = ROOT / "serving" / "kubernetes" / "components" / "tls"
    component = "".join(path.read_text() for path in folder.iterdir())
    for line in [line for line in COMMANDS if " create secret " in line]:
        words = shlex.split(line)
        assert f": {words[words.index('generic') + 1]}\n" in component
        for file in (word.partition("=")[2] for word in words if word.startswith("--from-file=")):
            assert file.removeprefix("certs/") in component
    (restart,) = [shlex.split(line) for line in COMMANDS if " rollout restart " in line]
    deployments = {f"deploy/{each['metadata']['name']}" for each in of_kind(
        overlay("production"), "Deployment"
    )}  # fmt: skip
    assert set(restart[5:]) == deployments


def test_alerts_come_as_long_before_as_the_page_says():
    rules = (ROOT / "serving" / "monitoring" / "rules" / "alerts.yml").read_text()
    said = re.search(r"alerts come (\d+) days and\s+(\d+)\s+days", TEXT)
    for days in said.groups():
        assert f" {days} * 86400" in rules
