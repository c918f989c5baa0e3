"""The connections that the NetworkPolicies of each overlay allow, and no others."""

from __future__ import annotations

import itertools

import pytest
from deploy.kubernetes_manifests import OVERLAYS, of_kind, overlay, pods
from deploy.kubernetes_policies import Pod, matches, reaches

NAMESPACES = {
    "seq2sum": {},
    "shop": {"seq2sum/callers": "true"},
    "stranger": {},
    "monitoring": {},
    "kube-system": {},
    "envoy-gateway-system": {},
}
"""Namespaces and their labels, except the one that Kubernetes adds to each."""


def pod(namespace, **labels):
    namespace_labels = {"kubernetes.io/metadata.name": namespace, **NAMESPACES[namespace]}
    keys = {
        "app": "app.kubernetes.io/name",
        "caller": "seq2sum/caller",
        "k8s": "k8s-app",
        "gateway": "gateway.envoyproxy.io/owning-gateway-name",
    }
    return Pod(namespace, {keys[name]: value for name, value in labels.items()}, namespace_labels)


OTHERS = {
    "caller here": pod("seq2sum", caller="true"),
    "caller in the shop": pod("shop", caller="true"),
    "pod of the shop without the label": pod("shop"),
    "stranger with the label of callers": pod("stranger", caller="true"),
    "prometheus": pod("monitoring", app="prometheus"),
    "grafana": pod("monitoring", app="grafana"),
    "prometheus of a stranger": pod("stranger", app="prometheus"),
    "dns": pod("kube-system", k8s="kube-dns"),
    "gateway": pod("envoy-gateway-system", gateway="kserve-ingress-gateway"),
    "another gateway": pod("envoy-gateway-system", gateway="theirs"),
    "any pod here": pod("seq2sum"),
}
PORTS = (53, 80, 443, 8500, 8501, 9090, 9851)
DNS = {(source, "dns", 53) for source in ("probe", "rollout", "caller here", "any pod here")}
OPEN = DNS | {
    ("caller here", "serving", 8500),
    ("caller in the shop", "serving", 8500),
    ("probe", "serving", 8500),
    ("rollout", "serving", 8500),
    ("prometheus", "serving", 8501),
    ("prometheus", "probe", 9851),
    ("rollout", "prometheus", 9090),
}
"""All connections from or to one of our pods that are allowed."""


@pytest.mark.parametrize("name", OVERLAYS)
def test_policies_allow_exactly_the_documented_connections(name):
    objects = overlay(name)
    policies = of_kind(objects, "NetworkPolicy")
    own = {
        each: Pod(
            "seq2sum",
            pods(objects, each).labels,
            {"kubernetes.io/metadata.name": "seq2sum"},
        )
        for each in ("serving", "probe", "rollout")
    }
    everyone = own | OTHERS
    found = {
        (source, target, port)
        for (source, target), port in itertools.product(itertools.permutations(everyone, 2), PORTS)
        if "seq2sum" in (everyone[source].namespace, everyone[target].namespace)
        and reaches(policies, everyone[source], everyone[target], port)
    }
    gateway = {("gateway", "serving", 8501)} if name == "kserve" else set()
    assert found == OPEN | gateway
    assert reaches(policies, own["probe"], OTHERS["dns"], 53, "UDP")
    assert not reaches(policies, own["serving"], OTHERS["dns"], 53, "UDP")


def policy(namespace="target", selector=None, **spec):
    return {
        "metadata": {"namespace": namespace},
        "spec": {"podSelector": selector or {}, **spec},
    }


TARGET = Pod("target", {"a": "1"}, {"n": "target"})
SOURCE = Pod("source", {"b": "2"}, {"n": "source"})
FROM_SOURCE = [{"namespaceSelector": {"matchLabels": {"n": "source"}}, "podSelector": {}}]


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([], True),
        ([policy(policyTypes=["Ingress"])], False),
        ([policy(policyTypes=["Egress"])], True),  # the other direction
        ([policy("elsewhere", policyTypes=["Ingress"])], True),
        ([policy(selector={"matchLabels": {"a": "2"}}, policyTypes=["Ingress"])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"from": FROM_SOURCE}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])], False),
        ([policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 1}]}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 2}]}])], False),
        (
            [
                policy(policyTypes=["Ingress"]),
                policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 1}]}]),
            ],
            True,  # the union counts
        ),
        ([policy("source", policyTypes=["Egress"])], False),
    ],
)
def test_policies_are_evaluated_as_kubernetes_does(policies, allowed):
    assert reaches(policies, SOURCE, TARGET, 1) is allowed


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, "unsupported peer fields: {'ipBlock'}"),
        ({"ports": [{"port": "grpc"}]}, "unsupported port types"),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]},
         "unsupported label selector operator: Exists"),
    ],
)  # fmt: skip
def test_an_unsupported_rule_raises(rule, message):
    source = Pod("target", {}, {"n": "target"})
    with pytest.raises(NotImplementedError, match=message):
        reaches([policy(policyTypes=["Ingress"], ingress=[rule])], source, TARGET, 1)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [("NotIn", ["1"], [True, False, True]), ("In", ["1", "2"], [False, True, True])],
)
def test_label_expressions(operator, values, expected):
    selector = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
    assert [matches(selector, labels) for labels in ({}, {"a": "1"}, {"a": "2"})] == expected
