"""The NetworkPolicies of each overlay allow the documented connections, and no others."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from deploy.kubernetes_manifests import all_pods, of_kind
from deploy.kubernetes_policies import Pod, matches, reaches
from deploy.kubernetes_variants import VARIANTS, variant

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
    "router's caller here": pod("seq2sum", caller="router"),
    "router's caller in the shop": pod("shop", caller="router"),
    "pod of the shop without the label": pod("shop"),
    "stranger with the label of callers": pod("stranger", caller="true"),
    "stranger with the label of the router's callers": pod("stranger", caller="router"),
    "prometheus": pod("monitoring", app="prometheus"),
    "grafana": pod("monitoring", app="grafana"),
    "prometheus of a stranger": pod("stranger", app="prometheus"),
    "dns": pod("kube-system", k8s="kube-dns"),
    "kserve's gateway": pod("envoy-gateway-system", gateway="kserve-ingress-gateway"),
    "gateway": pod("envoy-gateway-system", gateway="seq2sum"),
    "another gateway": pod("envoy-gateway-system", gateway="theirs"),
    "any pod here": pod("seq2sum"),
}
PORTS = (53, 80, 443, 8500, 8501, 8511, 8540, 8541, 9090, 9851, 9901)
CALLERS = ("caller here", "caller in the shop")
ROUTER_CALLERS = (*CALLERS, "router's caller here", "router's caller in the shop")
SERVERS = ("serving", "candidate")
BASE = {
    *((source, "dns", 53) for source in ("probe", "rollout", "caller here", "any pod here")),
    ("router's caller here", "dns", 53),
    *((source, "serving", 8500) for source in (*CALLERS, "probe", "rollout")),
    ("rollout", "serving", 8501),
    ("rollout", "candidate", 8500),
    *(("prometheus", target, 8501) for target in SERVERS),
    ("prometheus", "probe", 9851),
    ("rollout", "prometheus", 9090),
}
ROUTER = {
    ("router", "dns", 53),
    *((source, "router", 8540) for source in ROUTER_CALLERS),
    *(("router", target, port) for target in SERVERS for port in (8500, 8501)),
    *((source, "router", 8511) for source in ("prometheus", "rollout")),
}
OPEN = {
    "local": BASE | ROUTER,
    "production": BASE | ROUTER,
    "kserve": BASE | ROUTER | {("kserve's gateway", "serving", 8501)},
    "custom": BASE,
    "gateway": BASE | {("gateway", target, port) for target in SERVERS for port in (8500, 8501)},
}
"""All connections from or to one of our pods that are allowed."""


@pytest.mark.parametrize("name", VARIANTS)
def test_policies_allow_exactly_the_documented_connections(name):
    objects = variant(name)
    policies = of_kind(objects, "NetworkPolicy")
    (namespace,) = {each["metadata"]["namespace"] for each in policies}
    own = {
        each.name: Pod(namespace, each.labels, {"kubernetes.io/metadata.name": namespace})
        for each in all_pods(objects)
    }
    everyone = own | {
        name: replace(each, namespace=namespace) if each.namespace == "seq2sum" else each
        for name, each in OTHERS.items()
    }
    found = {
        (source, target, port)
        for (source, target), port in itertools.product(itertools.permutations(everyone, 2), PORTS)
        if namespace in (everyone[source].namespace, everyone[target].namespace)
        and reaches(policies, everyone[source], everyone[target], port)
    }
    assert found == OPEN[name]
    for each, source in own.items():
        expected = each not in SERVERS
        assert reaches(policies, source, OTHERS["dns"], 53, "UDP") is expected, each


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
