"""Who reaches which port: the policies of each overlay against a table, and nothing beside it."""

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
"""Namespaces with their labels, beside the one that Kubernetes gives to each."""


def pod(namespace, **labels):
    of_namespace = {"kubernetes.io/metadata.name": namespace, **NAMESPACES[namespace]}
    keys = {
        "app": "app.kubernetes.io/name",
        "caller": "seq2sum/caller",
        "k8s": "k8s-app",
        "gateway": "gateway.envoyproxy.io/owning-gateway-name",
    }
    return Pod(namespace, {keys[name]: value for name, value in labels.items()}, of_namespace)


OTHERS = {
    "caller here": pod("seq2sum", caller="true"),
    "caller in a shop": pod("shop", caller="true"),
    "pod of the shop without the label": pod("shop"),
    "stranger who says that it calls": pod("stranger", caller="true"),
    "prometheus": pod("monitoring", app="prometheus"),
    "grafana": pod("monitoring", app="grafana"),
    "prometheus of a stranger": pod("stranger", app="prometheus"),
    "names": pod("kube-system", k8s="kube-dns"),
    "gateway": pod("envoy-gateway-system", gateway="kserve-ingress-gateway"),
    "another gateway": pod("envoy-gateway-system", gateway="theirs"),
    "any pod here": pod("seq2sum"),
}
PORTS = (53, 80, 443, 8500, 8501, 9090, 9851)
DNS = {(who, "names", 53) for who in ("probe", "rollout", "caller here", "any pod here")}
OPEN = DNS | {
    ("caller here", "serving", 8500),
    ("caller in a shop", "serving", 8500),
    ("probe", "serving", 8500),
    ("rollout", "serving", 8500),
    ("prometheus", "serving", 8501),
    ("prometheus", "probe", 9851),
    ("rollout", "prometheus", 9090),
}
"""All that is let through where one of our pods is an end of it."""


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_policies_let_through_what_is_needed_and_nothing_else(name):
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
    assert reaches(policies, own["probe"], OTHERS["names"], 53, "UDP")
    assert not reaches(policies, own["serving"], OTHERS["names"], 53, "UDP")


def policy(namespace="mine", selector=None, **spec):
    return {
        "metadata": {"namespace": namespace},
        "spec": {"podSelector": selector or {}, **spec},
    }


ME = Pod("mine", {"a": "1"}, {"n": "mine"})
YOU = Pod("yours", {"b": "2"}, {"n": "yours"})
BOTH = [{"namespaceSelector": {"matchLabels": {"n": "yours"}}, "podSelector": {}}]


@pytest.mark.parametrize(
    ("policies", "open_"),
    [
        ([], True),
        ([policy(policyTypes=["Ingress"])], False),
        ([policy(policyTypes=["Egress"])], True),  # it is about the other direction
        ([policy("elsewhere", policyTypes=["Ingress"])], True),
        ([policy(selector={"matchLabels": {"a": "2"}}, policyTypes=["Ingress"])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"from": BOTH}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])], False),
        ([policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 1}]}])], True),
        ([policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 2}]}])], False),
        (
            [
                policy(policyTypes=["Ingress"]),
                policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 1}]}]),
            ],
            True,  # they add up
        ),
        ([policy("yours", policyTypes=["Egress"])], False),
    ],
)
def test_policies_are_read_as_kubernetes_reads_them(policies, open_):
    assert reaches(policies, YOU, ME, 1) is open_


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, "a peer by {'ipBlock'}"),
        ({"ports": [{"port": "grpc"}]}, "a port by"),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]},
         "a label selector with Exists"),
    ],
)  # fmt: skip
def test_what_the_evaluator_does_not_know_is_no_answer(rule, told):
    mine = Pod("mine", {}, {"n": "mine"})
    with pytest.raises(NotImplementedError, match=told):
        reaches([policy(policyTypes=["Ingress"], ingress=[rule])], mine, ME, 1)


def test_an_expression_holds_for_labels_that_are_missing_as_kubernetes_says():
    without = {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}
    one_of = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}
    assert [matches(without, labels) for labels in ({}, {"a": "1"}, {"a": "2"})] == [
        True,
        False,
        True,
    ]
    assert [matches(one_of, labels) for labels in ({}, {"a": "1"}, {"a": "2"})] == [
        False,
        True,
        True,
    ]
